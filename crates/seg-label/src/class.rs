use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The value of a pixel whose truth is not to be counted.
pub const IGNORE_INDEX: u8 = 255;

/// The number that stands for a class in a class raster; 255 is [`IGNORE_INDEX`] and no class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClassId(pub u8);

impl fmt::Display for ClassId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A color, written `#rrggbb`.
///
/// ```
/// use seg_label::Rgb;
/// let color: Rgb = "#3c1098".parse().expect("a color");
/// assert_eq!(color, Rgb { r: 60, g: 16, b: 152 });
/// assert_eq!(color.to_string(), "#3c1098");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rgb {
    /// Red.
    pub r: u8,
    /// Green.
    pub g: u8,
    /// Blue.
    pub b: u8,
}

/// A text that is no color.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("\"{text}\" is no color: write it as \"#rrggbb\"")]
pub struct ParseRgbError {
    text: String,
}

impl Rgb {
    /// From its three parts.
    pub const fn new(r: u8, g: u8, b: u8) -> Self {
        Self { r, g, b }
    }

    /// The largest difference in any channel.
    ///
    /// ```
    /// use seg_label::Rgb;
    /// assert_eq!(Rgb::new(252, 255, 0).distance(Rgb::new(255, 255, 0)), 3);
    /// ```
    pub fn distance(self, other: Self) -> u8 {
        self.r.abs_diff(other.r).max(self.g.abs_diff(other.g)).max(self.b.abs_diff(other.b))
    }

    /// Every channel set to 0 or 255, whichever is nearer.
    #[must_use]
    pub const fn thresholded(self) -> Self {
        const fn channel(value: u8) -> u8 {
            if value > 127 { 255 } else { 0 }
        }
        Self { r: channel(self.r), g: channel(self.g), b: channel(self.b) }
    }
}

impl fmt::Display for Rgb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.r, self.g, self.b)
    }
}

impl FromStr for Rgb {
    type Err = ParseRgbError;

    fn from_str(text: &str) -> Result<Self, ParseRgbError> {
        let wrong = || ParseRgbError { text: text.to_owned() };
        let digits = text.strip_prefix('#').unwrap_or(text);
        if digits.len() != 6 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        let [_, r, g, b] = u32::from_str_radix(digits, 16).map_err(|_| wrong())?.to_be_bytes();
        Ok(Self { r, g, b })
    }
}

impl TryFrom<String> for Rgb {
    type Error = ParseRgbError;

    fn try_from(text: String) -> Result<Self, ParseRgbError> {
        text.parse()
    }
}

impl From<Rgb> for String {
    fn from(color: Rgb) -> Self {
        color.to_string()
    }
}

/// One class of a [`Legend`](crate::Legend).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Class {
    /// Its value in class rasters.
    pub id: ClassId,
    /// Its name.
    pub name: String,
    /// What the text encoder is given, where that is not the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// Its color.
    pub color: Rgb,
}

impl Class {
    /// What the text encoder is given: the prompt, or else the name.
    pub fn text(&self) -> &str {
        self.prompt.as_deref().unwrap_or(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn colors_survive_being_written(r: u8, g: u8, b: u8) {
            let color = Rgb { r, g, b };
            prop_assert_eq!(color.to_string().parse::<Rgb>(), Ok(color));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,8}") {
            let _ = text.parse::<Rgb>();
        }
    }

    #[test]
    fn what_is_no_color_says_so() {
        for text in ["#12345", "red", "#+12345", "#gggggg", ""] {
            let error = text.parse::<Rgb>().expect_err("no color");
            assert_eq!(error.to_string(), format!("\"{text}\" is no color: write it as \"#rrggbb\""));
        }
    }

    #[test]
    fn thresholding_cuts_between_127_and_128() {
        assert_eq!(Rgb::new(127, 128, 252).thresholded(), Rgb::new(0, 255, 255));
    }
}

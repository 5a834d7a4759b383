//! What a network's user must know of it: classes, and how pixels become its input.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::complaint::Complaint;
use crate::seen::SeenBand;

/// Everything that inference needs to know of a network, from its checkpoint or its NET.toml.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelCard {
    /// The network's name.
    pub name: String,
    /// The classes, in the order of the network's output channels.
    pub classes: Vec<ClassSpec>,
    /// How pixels become the network's input.
    pub input: InputSpec,
    /// The side of the tiles that the network was made for, in pixels.
    pub tile_px: Option<usize>,
    /// What the sides of an input must be multiples of.
    pub input_multiple: usize,
    /// What the network's output means.
    pub output: OutputKind,
    /// The values that the network learned from, band by band; empty where they are not known.
    pub seen: Vec<SeenBand>,
}

/// The side of tiles of networks that name none.
const TILE_SIDE: usize = 512;

impl ModelCard {
    /// The side of the tiles to give to the network, in pixels: those that it was made for, or 512.
    pub fn tile_side(&self) -> usize {
        self.tile_px.unwrap_or(TILE_SIDE)
    }
}

/// One class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ClassSpec {
    /// The value of its pixels in a class raster, below 255.
    pub id: u8,
    /// Its name for people.
    pub name: String,
    /// The text that a text tower reads, where it is not the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// Red, green and blue, in TOML `"#rrggbb"`.
    #[serde(with = "hex_color")]
    pub color: [u8; 3],
}

/// How pixels become a network's input: `(value / divide - mean) / std`, band by band.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct InputSpec {
    /// The number of bands.
    pub bands: usize,
    /// What values are divided by first.
    pub divide: f64,
    /// The mean of each band after the division.
    pub mean: Vec<f64>,
    /// The standard deviation of each band after the division.
    pub std: Vec<f64>,
    /// Meters per pixel that the network was made for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gsd_m: Option<f64>,
    /// The data types that the network saw, in GDAL's words in lower case; empty means any.
    #[serde(default)]
    pub dtypes: Vec<String>,
    /// What pixels that were not measured enter as, band by band, after the division; the mean where it is empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fill: Vec<f64>,
}

/// What a network's output channels hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutputKind {
    /// Values whose soft-max is the probability.
    Logits,
    /// Probabilities.
    Probabilities,
}

/// Data types of rasters that `dtypes` may name.
const DTYPES: [&str; 8] = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64"];

impl ClassSpec {
    /// The text that a text tower reads: the prompt, or the name where there is none.
    pub fn prompt_text(&self) -> &str {
        self.prompt.as_deref().unwrap_or(&self.name)
    }
}

impl InputSpec {
    /// Fills in what follows from the rest: the data types from `divide`, where none are given.
    pub(crate) fn with_default_dtypes(mut self) -> Self {
        if self.dtypes.is_empty() {
            match self.divide {
                255.0 => self.dtypes.push("uint8".to_owned()),
                65535.0 => self.dtypes.push("uint16".to_owned()),
                _ => {}
            }
        }
        self
    }

    pub(crate) fn check(&self) -> Result<(), Complaint> {
        if self.bands == 0 {
            return Err(Complaint::new("input.bands", "a network has at least one band"));
        }
        if !(self.divide.is_finite() && self.divide > 0.0) {
            return Err(Complaint::new("input.divide", format!("{} is not a number above 0", self.divide)));
        }
        for (key, values) in [("input.mean", &self.mean), ("input.std", &self.std)] {
            if values.len() != self.bands {
                let problem = format!("{} values for {} bands", values.len(), self.bands);
                return Err(Complaint::new(key, problem));
            }
        }
        if !self.fill.is_empty() && self.fill.len() != self.bands {
            let problem = format!("{} values for {} bands", self.fill.len(), self.bands);
            return Err(Complaint::new("input.fill", problem));
        }
        if let Some(fill) = self.fill.iter().find(|value| !value.is_finite()) {
            return Err(Complaint::new("input.fill", format!("{fill} is not a finite number")));
        }
        if let Some(mean) = self.mean.iter().find(|value| !value.is_finite()) {
            return Err(Complaint::new("input.mean", format!("{mean} is not a finite number")));
        }
        if let Some(std) = self.std.iter().find(|value| !(value.is_finite() && **value > 0.0)) {
            return Err(Complaint::new("input.std", format!("{std} is not a number above 0")));
        }
        if let Some(gsd) = self.gsd_m.filter(|gsd| !(gsd.is_finite() && *gsd > 0.0)) {
            return Err(Complaint::new("input.gsd-m", format!("{gsd} is not a number above 0")));
        }
        if let Some(dtype) = self.dtypes.iter().find(|dtype| !DTYPES.contains(&dtype.as_str())) {
            let problem = format!("\"{dtype}\" is none of {}", DTYPES.join(", "));
            return Err(Complaint::new("input.dtypes", problem));
        }
        Ok(())
    }
}

/// Checks that classes can be told apart in a class raster.
pub(crate) fn check_classes(classes: &[ClassSpec]) -> Result<(), Complaint> {
    if classes.len() < 2 {
        return Err(Complaint::new("class", "a network tells at least two classes apart"));
    }
    let mut ids = BTreeSet::new();
    for (index, class) in classes.iter().enumerate() {
        let key = |field: &str| format!("class[{index}].{field}");
        if class.id == 255 {
            return Err(Complaint::new(key("id"), "255 means no class; ids are 0 to 254"));
        }
        if !ids.insert(class.id) {
            return Err(Complaint::new(key("id"), format!("{} is given twice", class.id)));
        }
        if class.name.trim().is_empty() {
            return Err(Complaint::new(key("name"), "a class needs a name"));
        }
    }
    Ok(())
}

/// Colors as `"#rrggbb"`.
mod hex_color {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
    pub(super) fn serialize<S: Serializer>(color: &[u8; 3], serializer: S) -> Result<S::Ok, S::Error> {
        let [red, green, blue] = color;
        serializer.serialize_str(&format!("#{red:02x}{green:02x}{blue:02x}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 3], D::Error> {
        let text = String::deserialize(deserializer)?;
        parse(&text).ok_or_else(|| D::Error::custom(format!("color \"{text}\" is not of the form #rrggbb")))
    }

    fn parse(text: &str) -> Option<[u8; 3]> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6 && digits.is_ascii())?;
        let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).ok();
        if digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            Some([byte(0)?, byte(2)?, byte(4)?])
        } else {
            None
        }
    }

    #[cfg(test)]
    mod tests {
        use super::parse;

        #[test]
        fn six_digits_and_a_hash() {
            assert_eq!(parse("#ff8000"), Some([255, 128, 0]));
            for wrong in ["ff8000", "#ff800", "#ff80zz", "#+f8000", "", "#ééé"] {
                assert_eq!(parse(wrong), None, "{wrong}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ClassSpec, InputSpec, check_classes};

    fn input() -> InputSpec {
        let (mean, std) = (vec![0.5; 3], vec![0.25; 3]);
        InputSpec { bands: 3, divide: 255.0, mean, std, gsd_m: None, dtypes: Vec::new(), fill: Vec::new() }
    }

    #[test]
    fn the_data_type_follows_from_the_divisor() {
        let dtypes = |divide| InputSpec { divide, ..input() }.with_default_dtypes().dtypes;
        assert_eq!(dtypes(255.0), ["uint8"]);
        assert_eq!(dtypes(65535.0), ["uint16"]);
        assert!(dtypes(1.0).is_empty());
    }

    #[test]
    fn impossible_inputs_are_refused() {
        let check = |change: fn(&mut InputSpec)| {
            let mut input = input();
            change(&mut input);
            input.check().is_err()
        };
        assert!(input().check().is_ok());
        assert!(check(|input| input.bands = 0));
        assert!(check(|input| input.divide = 0.0));
        assert!(check(|input| input.divide = f64::NAN));
        assert!(check(|input| input.mean = vec![0.0; 2]));
        assert!(check(|input| input.fill = vec![0.0; 2]));
        assert!(check(|input| input.fill = vec![f64::NAN; 3]));
        assert!(check(|input| input.mean[0] = f64::INFINITY));
        assert!(check(|input| input.std[1] = 0.0));
        assert!(check(|input| input.gsd_m = Some(-1.0)));
        assert!(check(|input| input.dtypes = vec!["byte".to_owned()]));
    }

    #[test]
    fn ids_are_unique_and_below_255() {
        let class = |id| ClassSpec { id, name: "x".to_owned(), prompt: None, color: [0; 3] };
        assert!(check_classes(&[class(3), class(1)]).is_ok());
        assert!(check_classes(&[class(0)]).is_err());
        assert!(check_classes(&[class(0), class(0)]).is_err());
        assert!(check_classes(&[class(0), class(255)]).is_err());
    }
}

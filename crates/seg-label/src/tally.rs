use crate::Rgb;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;

/// What a label file writes for a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Code {
    /// A number.
    Id(i64),
    /// A color.
    Color(Rgb),
}

/// What was met while labels were decoded.
///
/// ```
/// use seg_label::{Code, Legend, Relabel, Tally};
/// let relabel = Relabel::new(&Legend::builtin("dubai").expect("known"));
/// let mut tally = Tally::default();
/// assert_eq!(relabel.decode(Code::Id(9), &mut tally), 255);
/// assert_eq!(tally.describe_unknown(), "9 (1 pixel)");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Pixels with a class.
    pub labeled: u64,
    /// Pixels with a code that is known to be ignored, and pixels without a label.
    pub ignored: u64,
    /// Codes that mean nothing to the legend, and their pixels; these become ignored.
    pub unknown: BTreeMap<Code, u64>,
    /// Pixels whose color was thresholded to a color of the legend.
    pub inexact: u64,
    /// How far the worst of them was off, in one channel.
    pub largest_distance: u8,
}

/// How many codes a message lists.
const LISTED: usize = 8;

impl Tally {
    /// Adds what another part of the labels met.
    pub fn merge(&mut self, other: Self) {
        self.labeled += other.labeled;
        self.ignored += other.ignored;
        self.inexact += other.inexact;
        self.largest_distance = self.largest_distance.max(other.largest_distance);
        for (code, pixels) in other.unknown {
            *self.unknown.entry(code).or_default() += pixels;
        }
    }

    /// Pixels with a code that means nothing to the legend.
    pub fn unknown_pixels(&self) -> u64 {
        self.unknown.values().sum()
    }

    /// The unknown codes with their pixels, most frequent first, the rest as a number.
    pub fn describe_unknown(&self) -> String {
        describe_counts(self.unknown.iter().map(|(code, &pixels)| (code.to_string(), pixels)).collect())
    }
}

/// `a (3 pixels), b (1 pixel) and 2 more`, most frequent first.
fn describe_counts(mut counts: Vec<(String, u64)>) -> String {
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let more = counts.len().saturating_sub(LISTED);
    counts.truncate(LISTED);
    let one = |(code, pixels): &(String, u64)| {
        format!("{code} ({pixels} pixel{})", if *pixels == 1 { "" } else { "s" })
    };
    let listed = counts.iter().map(one).collect::<Vec<_>>().join(", ");
    if more == 0 { listed } else { format!("{listed} and {more} more") }
}

impl Code {
    /// From a number that is a class's.
    pub fn from_id(id: u32) -> Self {
        Self::Id(id.into())
    }

    /// From a color as `0xRRGGBB`.
    ///
    /// ```
    /// use seg_label::{Code, Rgb};
    /// assert_eq!(Code::from_rgb(0x3c_10_98), Code::Color(Rgb::new(60, 16, 152)));
    /// ```
    pub const fn from_rgb(rgb: u32) -> Self {
        let [_, r, g, b] = rgb.to_be_bytes();
        Self::Color(Rgb::new(r, g, b))
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Color(color) => color.fmt(f),
        }
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_unknown_codes_are_listed_and_the_rest_is_counted() {
        let mut tally = Tally::default();
        for id in 0..10 {
            tally.merge(Tally {
                unknown: BTreeMap::from([(Code::Id(id), id as u64 + 1)]),
                ..Tally::default()
            });
        }
        tally.merge(Tally { unknown: BTreeMap::from([(Code::Id(3), 100)]), ..Tally::default() });
        let text = tally.describe_unknown();
        assert!(text.starts_with("3 (104 pixels), 9 (10 pixels), "), "{text}");
        assert!(text.ends_with("2 (3 pixels) and 2 more"), "{text}");
        assert_eq!(tally.unknown_pixels(), 155);
    }
}

use serde::{Deserialize, Serialize};
use std::fmt;

/// A band of a raster: counted from 1 where people and GDAL read it, from 0 in memory.
///
/// This is the only place where the two meet.
///
/// ```
/// use seg_gdal::BandIndex;
/// let band = BandIndex::from_number(3).expect("bands start at 1");
/// assert_eq!((band.number(), band.position()), (3, 2));
/// assert_eq!(BandIndex::from_number(0), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BandIndex(usize);

impl BandIndex {
    /// The first band.
    pub const FIRST: Self = Self(0);

    /// From GDAL's number, which starts at 1.
    pub const fn from_number(number: usize) -> Option<Self> {
        match number {
            0 => None,
            n => Some(Self(n - 1)),
        }
    }

    /// From a place in an array, which starts at 0.
    pub const fn from_position(position: usize) -> Self {
        Self(position)
    }

    /// GDAL's number, which starts at 1.
    pub const fn number(self) -> usize {
        self.0 + 1
    }

    /// The place in an array, which starts at 0.
    pub const fn position(self) -> usize {
        self.0
    }
}

impl fmt::Display for BandIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.number())
    }
}

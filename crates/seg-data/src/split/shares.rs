use crate::Error;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a chip is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// Learning.
    Train,
    /// Choosing between models.
    Val,
    /// The final score.
    Test,
}

impl Split {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Train, Self::Val, Self::Test];

    /// The name in manifests.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Val => "val",
            Self::Test => "test",
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How much of the area each split gets; the shares are not negative and add up to 1.
///
/// ```
/// use seg_data::{Shares, Split};
/// let shares = Shares::new(0.7, 0.15, 0.15)?;
/// assert_eq!(shares.of(Split::Val), 0.15);
/// # Ok::<(), seg_data::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shares([f64; 3]);

impl Shares {
    /// All for training.
    pub const TRAIN_ONLY: Self = Self([1.0, 0.0, 0.0]);

    /// Shares between 0 and 1.
    ///
    /// # Errors
    /// If one is not, or they do not add up to 1.
    pub fn new(train: f64, val: f64, test: f64) -> Result<Self, Error> {
        let each = [train, val, test].iter().all(|share| (0.0..=1.0).contains(share));
        if each && (train + val + test - 1.0).abs() < 1e-6 {
            Ok(Self([train, val, test]))
        } else {
            Err(Error::Shares { train, val, test })
        }
    }

    /// The share of a split.
    pub fn of(self, split: Split) -> f64 {
        self.0[split as usize]
    }

    /// The smallest share that is not zero.
    pub(crate) fn smallest(self) -> f64 {
        self.0.into_iter().filter(|&share| share > 0.0).fold(1.0, f64::min)
    }
}

impl Default for Shares {
    /// 70 % for training, 15 % for each of the others.
    fn default() -> Self {
        Self([0.7, 0.15, 0.15])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_that_do_not_add_up_are_refused() {
        assert_eq!(Shares::new(0.7, 0.15, 0.15).expect("shares"), Shares::default());
        assert_eq!(Shares::new(1.0, 0.0, 0.0).expect("shares"), Shares::TRAIN_ONLY);
        for [train, val, test] in [[0.7, 0.0, 0.0], [1.5, -0.5, 0.0], [f64::NAN, 1.0, 0.0]] {
            assert!(matches!(Shares::new(train, val, test), Err(Error::Shares { .. })));
        }
    }
}

//! How a network is tested: `--split`, `--protocol`, `--scales` and `--tta`.

use clap::ValueEnum;
use seg_data::Split;
use seg_run::Turns;

/// Which chips.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SplitChoice {
    /// Those that a network learns from
    Train,
    /// Those that choose between networks
    Val,
    /// Those that a network is tested on
    Test,
}

/// Scales and flips by a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProtocolChoice {
    /// The chip as it is
    Single,
    /// Scales 0.5, 0.75, 1, 1.25, 1.5 and 1.75, each also flipped
    Paper,
}

/// How an image is turned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FlipChoice {
    /// Not at all
    None,
    /// Also with left and right exchanged
    Flip,
    /// In all eight ways: four quarter turns, each also flipped
    D4,
}

/// Ratios to which images are resized.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ScaleList(pub Vec<f64>);

impl SplitChoice {
    /// What the chips call it.
    pub(crate) const fn split(self) -> Split {
        match self {
            Self::Train => Split::Train,
            Self::Val => Split::Val,
            Self::Test => Split::Test,
        }
    }
}

impl FlipChoice {
    /// What the test calls it.
    pub(crate) const fn turns(self) -> Turns {
        match self {
            Self::None => Turns::None,
            Self::Flip => Turns::Flip,
            Self::D4 => Turns::D4,
        }
    }
}

/// Reads a list such as `0.5,1,1.5`.
pub(crate) fn scales(text: &str) -> Result<ScaleList, String> {
    let scale = |text: &str| text.trim().parse().ok().filter(|scale| *scale > 0.0 && *scale <= 16.0);
    let scales: Option<Vec<f64>> = text.split(',').map(scale).collect();
    scales
        .map(ScaleList)
        .ok_or_else(|| "scales are ratios up to 16 with commas between, such as 0.5,1,1.5".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_are_ratios() {
        assert_eq!(scales("0.5, 1,1.75"), Ok(ScaleList(vec![0.5, 1.0, 1.75])));
        for wrong in ["", "0", "-1", "1,,2", "nan", "17", "1;2"] {
            assert!(scales(wrong).unwrap_err().contains("0.5,1,1.5"), "{wrong}");
        }
    }
}

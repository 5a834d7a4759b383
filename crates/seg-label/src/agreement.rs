use serde::{Deserialize, Serialize};

/// Pixels with a truth, and those of them that are right.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreement {
    /// Pixels with a truth.
    pub pixels: u64,
    /// Those that are right.
    pub right: u64,
}

/// How often a prediction is right near the lines where tiles met, and elsewhere.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineAgreement {
    /// Near tile lines.
    pub near: Agreement,
    /// Everywhere else.
    pub elsewhere: Agreement,
}

impl Agreement {
    /// Share of the pixels that are right; `None` without pixels.
    pub fn accuracy(&self) -> Option<f64> {
        (self.pixels > 0).then(|| self.right as f64 / self.pixels as f64)
    }

    /// Counts a pixel of the truth.
    pub fn add(&mut self, truth: u8, prediction: u8) {
        self.pixels += 1;
        self.right += u64::from(truth == prediction);
    }

    fn merge(&mut self, other: Self) {
        self.pixels += other.pixels;
        self.right += other.right;
    }
}

impl LineAgreement {
    /// Adds what was counted elsewhere.
    pub fn merge(&mut self, other: &Self) {
        self.near.merge(other.near);
        self.elsewhere.merge(other.elsewhere);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up() {
        let mut sum = LineAgreement::default();
        assert_eq!(sum.near.accuracy(), None);
        let mut part = LineAgreement::default();
        part.near.add(1, 1);
        part.near.add(1, 255);
        sum.merge(&part);
        sum.merge(&part);
        assert_eq!((sum.near.pixels, sum.near.accuracy()), (4, Some(0.5)));
    }
}

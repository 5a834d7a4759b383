use crate::Error;
use ndarray::{Array2, Array3, Zip};

/// How values become network input: `(value / divide - mean) / std`, band by band.
///
/// What has no data, and what a sample is filled up with, is 0 after that.
#[derive(Debug, Clone, PartialEq)]
pub struct InputScale {
    /// What values are divided by first.
    pub divide: f64,
    /// Mean of each band after that.
    pub mean: Vec<f64>,
    /// Standard deviation of each band after that.
    pub std: Vec<f64>,
}

impl InputScale {
    /// Turns values (C, H, W) into network input, in place; what has no data becomes 0.
    pub fn normalize(&self, values: &mut Array3<f32>, valid: &Array2<bool>) {
        for (band, mut plane) in values.outer_iter_mut().enumerate() {
            let (factor, summand) = self.linear(band, 1.0);
            Zip::from(&mut plane).and(valid).for_each(|value, &valid| {
                *value = if valid { value.mul_add(factor, summand) } else { 0.0 };
            });
        }
    }

    /// Refuses what does not fit the bands, or divides by nothing.
    pub(crate) fn check(&self, bands: usize) -> Result<(), Error> {
        let refuse = |key, must: String, got: String| Err(Error::Setting { key, must, got });
        let positive = |value: f64| value.is_finite() && value > 0.0;
        for (key, values) in [("mean", &self.mean), ("std", &self.std)] {
            if values.len() != bands {
                return refuse(key, format!("{bands} numbers, one a band"), values.len().to_string());
            }
        }
        if let Some(mean) = self.mean.iter().find(|mean| !mean.is_finite()) {
            return refuse("mean", "finite".to_owned(), mean.to_string());
        }
        if let Some(std) = self.std.iter().find(|std| !positive(**std)) {
            return refuse("std", "above 0".to_owned(), std.to_string());
        }
        if positive(self.divide) {
            Ok(())
        } else {
            refuse("divide", "above 0".to_owned(), self.divide.to_string())
        }
    }

    /// The factor and the summand of a band, for values that were multiplied by `unit` before.
    pub(crate) fn linear(&self, band: usize, unit: f64) -> (f32, f32) {
        let (mean, std) = (self.mean[band], self.std[band]);
        ((1.0 / (unit * self.divide * std)) as f32, (-mean / std) as f32)
    }
}

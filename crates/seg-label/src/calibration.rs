use serde::{Deserialize, Serialize};

/// How often predictions are right that are as sure as this.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CalibrationBin {
    /// The least probability of the bin.
    pub from: f64,
    /// Where the next begins.
    pub to: f64,
    /// Pixels in it.
    pub pixels: u64,
    /// Their mean probability; `None` without pixels.
    pub confidence: Option<f64>,
    /// Share of them that are right.
    pub accuracy: Option<f64>,
}

/// Counts how often a network is as right as it says: pixels by the probability of the class that they were given.
///
/// There are 15 equal bins, each with its lower end, and one for probabilities of exactly 1, as in torchmetrics. Sums are
/// whole numbers, so that no order of adding changes them.
///
/// # References
/// C. Guo, G. Pleiss, Y. Sun, K. Weinberger, "On calibration of modern neural networks", 2017, arXiv:1706.04599.
///
/// ```
/// use seg_label::Calibration;
/// let mut calibration = Calibration::default();
/// calibration.add(0.75, true);
/// calibration.add(0.75, false);
/// assert_eq!(calibration.expected_error(), Some(0.25));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calibration {
    pixels: [u64; BINS + 1],
    right: [u64; BINS + 1],
    /// Sums of probabilities, in steps of 2^-40.
    confidence: [u128; BINS + 1],
}

/// How many bins there are below 1.
const BINS: usize = 15;
const STEPS: f64 = (1_u64 << 40) as f64;

impl Default for Calibration {
    fn default() -> Self {
        Self { pixels: [0; BINS + 1], right: [0; BINS + 1], confidence: [0; BINS + 1] }
    }
}

impl Calibration {
    /// Counts a pixel; a probability that is no number counts nowhere.
    pub fn add(&mut self, probability: f64, right: bool) {
        if probability.is_nan() {
            return;
        }
        let probability = probability.clamp(0.0, 1.0);
        let mut bin = ((probability * BINS as f64) as usize).min(BINS);
        // Rounding must not carry a probability over a bin's end.
        if bin > 0 && probability < bin as f64 / BINS as f64 {
            bin -= 1;
        }
        self.pixels[bin] += 1;
        self.right[bin] += u64::from(right);
        self.confidence[bin] += (probability * STEPS).round() as u128;
    }

    /// Adds what was counted elsewhere.
    pub fn merge(&mut self, other: &Self) {
        for bin in 0..=BINS {
            self.pixels[bin] += other.pixels[bin];
            self.right[bin] += other.right[bin];
            self.confidence[bin] += other.confidence[bin];
        }
    }

    /// Pixels counted.
    pub fn pixels(&self) -> u64 {
        self.pixels.iter().sum()
    }

    /// The bins, from the least sure on.
    pub fn bins(&self) -> Vec<CalibrationBin> {
        let mean = |sum: f64, bin: usize| (self.pixels[bin] > 0).then(|| sum / self.pixels[bin] as f64);
        (0..=BINS)
            .map(|bin| CalibrationBin {
                from: bin as f64 / BINS as f64,
                to: (bin + 1).min(BINS) as f64 / BINS as f64,
                pixels: self.pixels[bin],
                confidence: mean(self.confidence[bin] as f64 / STEPS, bin),
                accuracy: mean(self.right[bin] as f64, bin),
            })
            .collect()
    }

    /// The expected calibration error: how far probability and share of right pixels are apart, over all pixels.
    pub fn expected_error(&self) -> Option<f64> {
        let pixels = self.pixels();
        let gap = |bin: &CalibrationBin| {
            Some((bin.confidence? - bin.accuracy?).abs() * bin.pixels as f64 / pixels as f64)
        };
        (pixels > 0).then(|| self.bins().iter().filter_map(gap).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pairs of `scripts/golden_scores.py`; the number is what torchmetrics makes of them.
    #[test]
    fn the_expected_error_equals_torchmetrics() {
        let mut calibration = Calibration::default();
        for i in 0..1000_u32 {
            let probability = f64::from(i * i % 1009 % 257) / 256.0;
            calibration.add(probability, i % 3 != 0);
        }
        let got = calibration.expected_error().expect("counted");
        assert!((got - GOLDEN).abs() < 1e-9, "{got}");
    }

    const GOLDEN: f64 = 0.280_433_593_75;

    #[test]
    fn a_bin_begins_at_its_lower_end_and_certainty_is_one() {
        let mut calibration = Calibration::default();
        for bin in 0..=15 {
            calibration.add(f64::from(bin) / 15.0, true);
        }
        assert_eq!(calibration.pixels, [1; 16]);
        calibration.add(f64::NAN, true);
        assert_eq!(calibration.pixels(), 16);
    }

    #[test]
    fn parts_add_up_and_nothing_has_no_error() {
        assert_eq!(Calibration::default().expected_error(), None);
        let count = |range: std::ops::Range<u32>| {
            let mut part = Calibration::default();
            range.for_each(|i| part.add(f64::from(i) / 100.0, i % 2 == 0));
            part
        };
        let mut sum = count(40..100);
        sum.merge(&count(0..40));
        assert_eq!(sum, count(0..100));
    }
}

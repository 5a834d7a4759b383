use crate::NO_CLASS;

/// Values that are kept one by one before a histogram takes less room.
const FEW: usize = 512;

/// How sure the network was of an area's pixels: values from 0 to 254.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Confidence {
    Few(Vec<u8>),
    Many(Vec<u64>),
}

/// What is told of the confidence of an area's pixels, in the raster's values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConfidenceSummary {
    /// The mean.
    pub mean: f64,
    /// The value that one in ten pixels does not pass.
    pub tenth_percentile: f64,
}

impl Default for Confidence {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Confidence {
    /// Adds pixels; those without a value count nowhere.
    pub(crate) fn extend(&mut self, values: impl Iterator<Item = u8>) {
        for value in values.filter(|value| *value != NO_CLASS) {
            match self {
                Self::Few(few) if few.len() < FEW => few.push(value),
                Self::Few(few) => {
                    let mut many = histogram(few);
                    many[usize::from(value)] += 1;
                    *self = Self::Many(many);
                }
                Self::Many(many) => many[usize::from(value)] += 1,
            }
        }
    }

    /// Adds another area's pixels.
    pub(crate) fn merge(&mut self, other: &Self) {
        match other {
            Self::Few(few) => self.extend(few.iter().copied()),
            Self::Many(more) => {
                let mut many = match std::mem::take(self) {
                    Self::Few(few) => histogram(&few),
                    Self::Many(many) => many,
                };
                many.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
                *self = Self::Many(many);
            }
        }
    }

    /// The mean and the tenth percentile (the smallest value that at least a tenth of the pixels do not pass).
    pub(crate) fn summary(&self) -> Option<ConfidenceSummary> {
        let counts = match self {
            Self::Few(few) => histogram(few),
            Self::Many(many) => many.clone(),
        };
        let total: u64 = counts.iter().sum();
        if total == 0 {
            return None;
        }
        let sum: u64 = counts.iter().zip(0..).map(|(count, value)| count * value).sum();
        let mut below = 0;
        let tenth = counts.iter().position(|count| {
            below += count;
            below * 10 >= total
        });
        Some(ConfidenceSummary {
            mean: sum as f64 / total as f64,
            tenth_percentile: tenth.unwrap_or_default() as f64,
        })
    }
}

fn histogram(values: &[u8]) -> Vec<u64> {
    let mut counts = vec![0; 256];
    for value in values {
        counts[usize::from(*value)] += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_and_many_values_sum_up_alike() {
        let values: Vec<u8> = (0..2000_u32).map(|i| (i * i % 255) as u8).collect();
        let (mut whole, mut pieces) = (Confidence::default(), Confidence::default());
        whole.extend(values.iter().copied());
        for piece in values.chunks(700) {
            let mut part = Confidence::default();
            part.extend(piece.iter().copied());
            pieces.merge(&part);
        }
        let mut sorted = values.clone();
        sorted.sort_unstable();
        let summary = whole.summary().expect("values");
        assert_eq!(summary, pieces.summary().expect("values"));
        assert!((summary.tenth_percentile - f64::from(sorted[199])).abs() < 1e-12);
        let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / 2000.0;
        assert!((summary.mean - mean).abs() < 1e-9);
    }

    #[test]
    fn pixels_without_a_value_count_nowhere() {
        let mut some = Confidence::default();
        some.extend([255, 255].into_iter());
        assert_eq!(some.summary(), None);
        some.extend([7].into_iter());
        assert_eq!(some.summary(), Some(ConfidenceSummary { mean: 7.0, tenth_percentile: 7.0 }));
    }
}

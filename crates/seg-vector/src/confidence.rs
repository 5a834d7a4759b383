use crate::NO_CLASS;

/// Values that are kept one by one before their sums take less room.
const FEW: usize = 512;
/// A probability of 1 as a byte, whose steps are what values are sorted by where there are many.
const SURE: u8 = 254;
/// Bits below a step of a byte.
const FINER: u32 = 16;

/// How sure the network was of a pixel, in whole steps, so that sums do not depend on the order of adding; a step is
/// as fine as a float of single precision, and bytes are met exactly.
///
/// ```
/// use seg_vector::Sureness;
/// assert_eq!(Sureness::of_byte(127), Sureness::of_probability(0.5));
/// assert!(Sureness::of_probability(0.500_001) > Sureness::of_byte(127));
/// assert_eq!(Sureness::of_byte(255), Sureness::UNKNOWN);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sureness(u32);

impl Sureness {
    /// Nobody knows.
    pub const UNKNOWN: Self = Self(u32::MAX);

    /// From a byte of 0 to 254, or 255 where nobody knows.
    pub fn of_byte(byte: u8) -> Self {
        if byte == NO_CLASS { Self::UNKNOWN } else { Self(u32::from(byte) << FINER) }
    }

    /// From a probability of 0 to 1, or no number where nobody knows.
    pub fn of_probability(probability: f64) -> Self {
        if !probability.is_finite() {
            return Self::UNKNOWN;
        }
        let most = f64::from(u32::from(SURE) << FINER);
        Self((probability.clamp(0.0, 1.0) * most).round() as u32)
    }
}

/// How sure the network was of an area's pixels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Confidence {
    Few(Vec<Sureness>),
    Many(Box<[Step]>),
}

/// The values between two bytes: how many there are, and their sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Step {
    count: u64,
    sum: u64,
}

/// What is told of the confidence of an area's pixels, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConfidenceSummary {
    /// The mean.
    pub mean: f64,
    /// The value that one in ten pixels does not pass; in areas of more than 512 pixels the mean of the values that
    /// lie between the same two bytes.
    pub tenth_percentile: f64,
}

impl Default for Confidence {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Confidence {
    /// Adds pixels; those without a value count nowhere.
    pub(crate) fn extend(&mut self, values: impl Iterator<Item = Sureness>) {
        for value in values.filter(|value| *value != Sureness::UNKNOWN) {
            match self {
                Self::Few(few) if few.len() < FEW => few.push(value),
                Self::Few(few) => {
                    let mut many = steps(few);
                    add(&mut many, value);
                    *self = Self::Many(many);
                }
                Self::Many(many) => add(many, value),
            }
        }
    }

    /// Adds another area's pixels.
    pub(crate) fn merge(&mut self, other: &Self) {
        match other {
            Self::Few(few) => self.extend(few.iter().copied()),
            Self::Many(more) => {
                let mut many = match std::mem::take(self) {
                    Self::Few(few) => steps(&few),
                    Self::Many(many) => many,
                };
                for (step, more) in many.iter_mut().zip(more) {
                    step.count += more.count;
                    step.sum += more.sum;
                }
                *self = Self::Many(many);
            }
        }
    }

    /// The mean and the tenth percentile (the smallest value that at least a tenth of the pixels do not pass).
    pub(crate) fn summary(&self) -> Option<ConfidenceSummary> {
        let sorted = match self {
            Self::Few(few) => {
                let mut sorted = few.clone();
                sorted.sort_unstable();
                sorted.into_iter().map(|value| Step { count: 1, sum: value.0.into() }).collect()
            }
            Self::Many(many) => many.clone(),
        };
        let total: u64 = sorted.iter().map(|step| step.count).sum();
        let sum: u64 = sorted.iter().map(|step| step.sum).sum();
        let mut below = 0;
        let tenth = sorted.iter().find(|step| {
            below += step.count;
            step.count > 0 && below * 10 >= total
        })?;
        let mean =
            |sum: u64, count: u64| sum as f64 / f64::from(1_u32 << FINER) / count as f64 / f64::from(SURE);
        Some(ConfidenceSummary { mean: mean(sum, total), tenth_percentile: mean(tenth.sum, tenth.count) })
    }
}

fn steps(values: &[Sureness]) -> Box<[Step]> {
    let mut steps = vec![Step::default(); usize::from(SURE) + 1].into_boxed_slice();
    for value in values {
        add(&mut steps, *value);
    }
    steps
}

fn add(steps: &mut [Step], value: Sureness) {
    let step = &mut steps[(value.0 >> FINER) as usize];
    step.count += 1;
    step.sum += u64::from(value.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_and_many_values_sum_up_alike() {
        let values: Vec<u8> = (0..2000_u32).map(|i| (i * i % 255) as u8).collect();
        let (mut whole, mut pieces) = (Confidence::default(), Confidence::default());
        whole.extend(values.iter().copied().map(Sureness::of_byte));
        for piece in values.chunks(700) {
            let mut part = Confidence::default();
            part.extend(piece.iter().copied().map(Sureness::of_byte));
            pieces.merge(&part);
        }
        let mut sorted = values.clone();
        sorted.sort_unstable();
        let summary = whole.summary().expect("values");
        assert_eq!(summary, pieces.summary().expect("values"));
        assert!((summary.tenth_percentile - f64::from(sorted[199]) / 254.0).abs() < 1e-12);
        let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / 2000.0;
        assert!((summary.mean - mean / 254.0).abs() < 1e-9);
    }

    #[test]
    fn floats_keep_their_digits() {
        for count in [10_u32, 3000] {
            let values: Vec<f32> =
                (0..count).map(|i| 0.25 + (i * 7919 % count) as f32 / count as f32 / 2.0).collect();
            let mut confidence = Confidence::default();
            confidence.extend(values.iter().map(|value| Sureness::of_probability(f64::from(*value))));
            let summary = confidence.summary().expect("values");
            let mean = values.iter().map(|value| f64::from(*value)).sum::<f64>() / f64::from(count);
            assert!((summary.mean - mean).abs() < 1e-7, "{count}: {summary:?}");
            let mut sorted = values.clone();
            sorted.sort_unstable_by(f32::total_cmp);
            let tenth = f64::from(sorted[count as usize / 10 - 1]);
            let error = if count as usize <= FEW { 1e-7 } else { 1.0 / 254.0 };
            assert!((summary.tenth_percentile - tenth).abs() < error, "{count}: {summary:?} {tenth}");
        }
    }

    #[test]
    fn pixels_without_a_value_count_nowhere() {
        let mut some = Confidence::default();
        some.extend([Sureness::UNKNOWN, Sureness::of_probability(f64::NAN)].into_iter());
        assert_eq!(some.summary(), None);
        some.extend([Sureness::of_byte(127)].into_iter());
        assert_eq!(some.summary(), Some(ConfidenceSummary { mean: 0.5, tenth_percentile: 0.5 }));
    }
}

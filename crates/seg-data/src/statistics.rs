use ndarray::ArrayView2;
use seg_gdal::RawValues;
use seg_grid::DataType;
use serde::{Deserialize, Serialize};

/// Mean and spread of each band over the valid pixels of the training chips.
///
/// Where chips overlap, pixels count once a chip, as they do in training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    /// Valid pixels.
    pub pixels: u64,
    /// The type on disk of all rasters, if it is one.
    pub dtype: Option<DataType>,
    /// Band by band.
    pub bands: Vec<BandStatistics>,
}

/// Mean and spread of a band.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BandStatistics {
    /// Mean, in the raster's own values.
    pub mean: f64,
    /// Standard deviation (of the population).
    pub std: f64,
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
}

/// Sums that grow chip by chip; adding the same chips in the same order gives the same bits.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Moments {
    pixels: u64,
    bands: Vec<BandMoments>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct BandMoments {
    mean: f64,
    /// Sum of squared differences from the mean.
    spread: f64,
    min: f64,
    max: f64,
}

impl Moments {
    /// Without a pixel yet.
    pub(crate) fn new(bands: usize) -> Self {
        let empty = BandMoments { mean: 0.0, spread: 0.0, min: f64::INFINITY, max: f64::NEG_INFINITY };
        Self { pixels: 0, bands: vec![empty; bands] }
    }

    /// Of the valid pixels (H, W) of one chip's bands.
    pub(crate) fn of(bands: &[&RawValues], valid: &ArrayView2<'_, bool>) -> Self {
        let pixels = valid.iter().filter(|&&valid| valid).count();
        if pixels == 0 {
            return Self::new(bands.len());
        }
        let of_band = |band: &&RawValues| {
            if pixels == valid.len() { BandMoments::of(band) } else { BandMoments::of(&band.select(valid)) }
        };
        Self { pixels: pixels as u64, bands: bands.iter().map(of_band).collect() }
    }

    /// Adds another chip's.
    ///
    /// # References
    /// T. F. Chan, G. H. Golub, R. J. `LeVeque`, "Algorithms for computing the sample variance", 1983,
    /// doi:10.1080/00031305.1983.10483115.
    pub(crate) fn add(&mut self, other: &Self) {
        let (a, b) = (self.pixels as f64, other.pixels as f64);
        if other.pixels == 0 {
            return;
        }
        self.pixels += other.pixels;
        for (mine, theirs) in self.bands.iter_mut().zip(&other.bands) {
            let apart = theirs.mean - mine.mean;
            mine.mean += apart * b / (a + b);
            mine.spread += theirs.spread + apart * apart * a * b / (a + b);
            mine.min = mine.min.min(theirs.min);
            mine.max = mine.max.max(theirs.max);
        }
    }

    /// What the sums say; `None` without a pixel.
    pub(crate) fn finish(&self, dtype: Option<DataType>) -> Option<Statistics> {
        let n = self.pixels as f64;
        let band = |m: &BandMoments| BandStatistics {
            mean: m.mean,
            std: (m.spread / n).sqrt(),
            min: m.min,
            max: m.max,
        };
        (self.pixels > 0).then(|| Statistics {
            pixels: self.pixels,
            dtype,
            bands: self.bands.iter().map(band).collect(),
        })
    }
}

impl BandMoments {
    /// Of one value at least.
    fn of(values: &RawValues) -> Self {
        match values {
            RawValues::UInt8(values) => Self::of_bytes(values),
            RawValues::Int8(values) => Self::of_whole(values),
            RawValues::UInt16(values) => Self::of_whole(values),
            RawValues::Int16(values) => Self::of_whole(values),
            RawValues::UInt32(values) => Self::of_floats(values, |v| v as f32),
            RawValues::Int32(values) => Self::of_floats(values, |v| v as f32),
            RawValues::UInt64(values) => Self::of_floats(values, |v| v as f32),
            RawValues::Int64(values) => Self::of_floats(values, |v| v as f32),
            RawValues::Float32(values) => Self::of_floats(values, |v| v),
            RawValues::Float64(values) => Self::of_floats(values, |v| v as f32),
        }
    }

    /// Of bytes, with sums that a processor adds many of at once.
    fn of_bytes(values: &[u8]) -> Self {
        let (mut sum, mut squares) = (0, 0);
        let (mut min, mut max) = (u8::MAX, u8::MIN);
        // 2^16 squares of bytes are below 2^32.
        for part in values.chunks(1 << 16) {
            sum += i64::from(part.iter().map(|&v| u32::from(v)).sum::<u32>());
            squares += u64::from(part.iter().map(|&v| u32::from(u16::from(v) * u16::from(v))).sum::<u32>());
            min = part.iter().fold(min, |min, &v| min.min(v));
            max = part.iter().fold(max, |max, &v| max.max(v));
        }
        Self::exact(values.len(), sum, squares, [min, max].map(f64::from))
    }

    /// Of whole numbers of 16 bits at most.
    fn of_whole<T: Copy + Ord + Into<i64> + Into<f64>>(values: &[T]) -> Self {
        let (mut sum, mut squares) = (0, 0);
        let [mut min, mut max] = [values[0]; 2];
        for &value in values {
            let whole: i64 = value.into();
            sum += whole;
            squares += (whole * whole).unsigned_abs();
            (min, max) = (min.min(value), max.max(value));
        }
        Self::exact(values.len(), sum, squares, [min, max].map(Into::into))
    }

    /// Of sums without a rounding.
    fn exact(count: usize, sum: i64, squares: u64, [min, max]: [f64; 2]) -> Self {
        let (n, whole) = (count as i128, i128::from(sum));
        let spread = (n * i128::from(squares) - whole * whole) as f64 / count as f64;
        Self { mean: sum as f64 / count as f64, spread, min, max }
    }

    /// Of numbers as networks see them, in 32 bits.
    fn of_floats<T: Copy>(values: &[T], seen: impl Fn(T) -> f32) -> Self {
        let all = || values.iter().map(|&value| f64::from(seen(value)));
        let n = values.len() as f64;
        let mean = all().sum::<f64>() / n;
        Self {
            mean,
            spread: all().map(|v| (v - mean).powi(2)).sum(),
            min: all().fold(f64::INFINITY, f64::min),
            max: all().fold(f64::NEG_INFINITY, f64::max),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;
    use proptest::prelude::*;

    fn of(values: &RawValues, valid: &[bool]) -> Moments {
        let valid = Array2::from_shape_vec((1, valid.len()), valid.to_vec()).expect("fits");
        Moments::of(&[values], &valid.view())
    }

    /// The sums as they are in textbooks.
    fn by_hand(values: &[f64]) -> BandStatistics {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        BandStatistics {
            mean,
            std: (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt(),
            min: values.iter().copied().fold(f64::INFINITY, f64::min),
            max: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        }
    }

    proptest! {
        /// Chip by chip equals all at once; what is not valid counts nowhere.
        #[test]
        fn parts_equal_the_whole(
            values in proptest::collection::vec((0.0..65535.0_f32, any::<bool>()), 2..60), cut in 1_usize..59,
        ) {
            let (n, cut) = (values.len(), cut.min(values.len() - 1));
            let part = |from: usize, to: usize| {
                let part = &values[from..to];
                let image = part.iter().map(|&(value, valid)| if valid { value } else { f32::NAN }).collect();
                of(&RawValues::Float32(image), &part.iter().map(|&(_, valid)| valid).collect::<Vec<_>>())
            };
            let mut parts = Moments::new(1);
            parts.add(&part(0, cut));
            parts.add(&part(cut, n));
            match (parts.finish(None), part(0, n).finish(None)) {
                (Some(a), Some(b)) => {
                    prop_assert_eq!(a.pixels, b.pixels);
                    prop_assert!((a.bands[0].mean - b.bands[0].mean).abs() < 1e-6);
                    prop_assert!((a.bands[0].std - b.bands[0].std).abs() < 1e-6);
                    prop_assert_eq!((a.bands[0].min, a.bands[0].max), (b.bands[0].min, b.bands[0].max));
                }
                (a, b) => prop_assert!(a.is_none() && b.is_none()),
            }
        }

        /// Every type of values has the moments of the same numbers as floats.
        #[test]
        fn types_agree(values in proptest::collection::vec((0_u8..128, any::<bool>()), 1..400)) {
            let (numbers, valid): (Vec<u8>, Vec<bool>) = values.into_iter().unzip();
            let seen: Vec<f64> =
                numbers.iter().zip(&valid).filter(|(_, valid)| **valid).map(|(&v, _)| f64::from(v)).collect();
            let all = [
                RawValues::UInt8(numbers.clone()),
                RawValues::Int8(numbers.iter().map(|&v| v.cast_signed()).collect()),
                RawValues::UInt16(numbers.iter().map(|&v| v.into()).collect()),
                RawValues::Int16(numbers.iter().map(|&v| v.into()).collect()),
                RawValues::UInt32(numbers.iter().map(|&v| v.into()).collect()),
                RawValues::Int32(numbers.iter().map(|&v| v.into()).collect()),
                RawValues::UInt64(numbers.iter().map(|&v| v.into()).collect()),
                RawValues::Int64(numbers.iter().map(|&v| v.into()).collect()),
                RawValues::Float32(numbers.iter().map(|&v| v.into()).collect()),
                RawValues::Float64(numbers.iter().map(|&v| v.into()).collect()),
            ];
            for values in all {
                let dtype = values.dtype();
                let Some(got) = of(&values, &valid).finish(None) else {
                    prop_assert!(seen.is_empty(), "{}", dtype);
                    continue;
                };
                let (got, expected) = (got.bands[0], by_hand(&seen));
                prop_assert_eq!((got.min, got.max), (expected.min, expected.max));
                prop_assert!((got.mean - expected.mean).abs() < 1e-9, "{}", dtype);
                prop_assert!((got.std - expected.std).abs() < 1e-9, "{}", dtype);
            }
        }
    }

    #[test]
    fn numbers_by_hand() {
        let statistics = of(&RawValues::Float32(vec![2.0, 4.0, 4.0, 6.0]), &[true; 4]).finish(None);
        let band = statistics.expect("pixels").bands[0];
        assert_eq!(band, BandStatistics { mean: 4.0, std: 2.0_f64.sqrt(), min: 2.0, max: 6.0 });
    }

    #[test]
    fn the_largest_numbers_fit_the_sums() {
        for (values, largest) in [
            (RawValues::UInt8(vec![u8::MAX; 200_000]), 255.0),
            (RawValues::UInt16(vec![u16::MAX; 200_000]), 65535.0),
            (RawValues::Int16(vec![i16::MIN; 200_000]), -32768.0),
        ] {
            let band = of(&values, &vec![true; 200_000]).finish(None).expect("pixels").bands[0];
            assert_eq!(band, BandStatistics { mean: largest, std: 0.0, min: largest, max: largest });
        }
    }
}

use ndarray::{ArrayView2, ArrayView3};
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

    /// Of the valid pixels (H, W) of one chip's values (C, H, W).
    pub(crate) fn of(values: &ArrayView3<'_, f32>, valid: &ArrayView2<'_, bool>) -> Self {
        let mut moments = Self::new(values.dim().0);
        moments.pixels = valid.iter().filter(|&&valid| valid).count() as u64;
        if moments.pixels == 0 {
            return moments;
        }
        for (band, moments) in values.outer_iter().zip(&mut moments.bands) {
            let seen = || band.iter().zip(valid).filter(|(_, valid)| **valid).map(|(&v, _)| f64::from(v));
            let n = seen().count() as f64;
            moments.mean = seen().sum::<f64>() / n;
            moments.spread = seen().map(|v| (v - moments.mean).powi(2)).sum();
            moments.min = seen().fold(f64::INFINITY, f64::min);
            moments.max = seen().fold(f64::NEG_INFINITY, f64::max);
        }
        moments
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

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, Array3, s};
    use proptest::prelude::*;

    proptest! {
        /// Chip by chip equals all at once; what is not valid counts nowhere.
        #[test]
        fn parts_equal_the_whole(
            values in proptest::collection::vec((0.0..65535.0_f32, any::<bool>()), 2..60), cut in 1_usize..59,
        ) {
            let (n, cut) = (values.len(), cut.min(values.len() - 1));
            let image = Array3::from_shape_fn((1, 1, n), |(_, _, x)| if values[x].1 { values[x].0 } else { f32::NAN });
            let valid = Array2::from_shape_fn((1, n), |(_, x)| values[x].1);
            let part = |from: usize, to: usize| {
                Moments::of(&image.slice(s![.., .., from..to]), &valid.slice(s![.., from..to]))
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
    }

    #[test]
    fn numbers_by_hand() {
        let image = Array3::from_shape_vec((1, 1, 4), vec![2.0, 4.0, 4.0, 6.0]).expect("fits");
        let statistics = Moments::of(&image.view(), &Array2::from_elem((1, 4), true).view()).finish(None);
        let band = statistics.expect("pixels").bands[0];
        assert_eq!(band, BandStatistics { mean: 4.0, std: 2.0_f64.sqrt(), min: 2.0, max: 6.0 });
    }
}

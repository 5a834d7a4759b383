use ndarray::{Array2, Array3, ArrayView2, ArrayView3, Axis, s};
use seg_grid::{Block, Finished, Layer};
use serde::{Deserialize, Serialize};

/// The id of pixels without a measurement in every byte output.
pub const NODATA: u8 = 255;

/// Bands of the confidence layer: the top probability, and its margin over the second.
pub const CONFIDENCE_BANDS: usize = 2;

/// What a probability of 1 is as a byte; 255 is nodata.
const FULL: f32 = 254.0;

/// How probabilities are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProbabilityType {
    /// Bytes: 0 to 254 for 0 to 1, 255 nodata.
    UInt8,
    /// Floats: 0 to 1, NaN nodata.
    Float32,
}

/// One of the rasters to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Output {
    /// Class ids, always made.
    Classes,
    /// One band a class.
    Probabilities(ProbabilityType),
    /// Top probability and margin as bytes.
    Confidence,
}

impl Output {
    /// The layer it fills.
    pub const fn layer(self) -> Layer {
        match self {
            Self::Classes => Layer::Classes,
            Self::Probabilities(_) => Layer::Probabilities,
            Self::Confidence => Layer::Confidence,
        }
    }

    /// Its bands.
    pub const fn bands(self, classes: usize) -> usize {
        match self {
            Self::Classes => 1,
            Self::Probabilities(_) => classes,
            Self::Confidence => CONFIDENCE_BANDS,
        }
    }

    /// Bytes of one value.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Probabilities(ProbabilityType::Float32) => 4,
            _ => 1,
        }
    }
}

/// A finished window's values for one output, and how many of its valid pixels the network gave no number for.
pub struct Values {
    /// The output's values, (bands, H, W).
    pub block: Block,
    /// Valid pixels without a number; they are nodata.
    pub not_a_number: u64,
}

/// Turns final scores into the values of one output; `ids` are the legend's, in the network's order.
///
/// ```
/// use ndarray::array;
/// use seg_grid::{Block, Finished, Window};
/// use seg_run::{Output, values};
/// let scores = array![[[0.2, 0.6]], [[0.8, 0.4]]]; // (K, H, W)
/// let finished = Finished { window: Window { x: 0, y: 0, width: 2, height: 1 }, scores };
/// let classes = values(Output::Classes, &finished, &array![[true, true]].view(), &[3, 7]);
/// assert_eq!(classes.block, Block::U8(array![[[7, 3]]]));
/// ```
pub fn values(output: Output, finished: &Finished, valid: &ArrayView2<'_, bool>, ids: &[u8]) -> Values {
    let scores = &finished.scores; // (K, H, W)
    let (k, h, w) = scores.dim();
    let Best { score: best, second, index } = Best::of(&scores.view());
    let usable = Array2::from_shape_fn((h, w), |at| valid[at] && best[at].is_finite()); // (H, W)
    let not_a_number =
        valid.iter().zip(&usable).filter(|(valid, usable)| **valid && !**usable).count() as u64;
    let block = match output {
        Output::Classes => Block::U8(
            Array2::from_shape_fn((h, w), |at| {
                if usable[at] { ids.get(usize::from(index[at])).copied().unwrap_or(NODATA) } else { NODATA }
            })
            .insert_axis(Axis(0)),
        ),
        Output::Probabilities(ProbabilityType::UInt8) => {
            Block::U8(Array3::from_shape_fn((k, h, w), |(c, y, x)| {
                if usable[[y, x]] { byte(scores[[c, y, x]]) } else { NODATA }
            }))
        }
        Output::Probabilities(ProbabilityType::Float32) => {
            Block::F32(Array3::from_shape_fn((k, h, w), |(c, y, x)| {
                if usable[[y, x]] { scores[[c, y, x]] } else { f32::NAN }
            }))
        }
        Output::Confidence => {
            let mut both = Array3::from_elem((CONFIDENCE_BANDS, h, w), NODATA);
            for ((y, x), &usable) in usable.indexed_iter() {
                if usable {
                    let margin = best[[y, x]] - second[[y, x]].max(0.0);
                    both.slice_mut(s![.., y, x]).assign(&ndarray::arr1(&[byte(best[[y, x]]), byte(margin)]));
                }
            }
            Block::U8(both)
        }
    };
    Values { block, not_a_number }
}

/// The best class of each pixel, (H, W) each.
pub(crate) struct Best {
    score: Array2<f32>,
    second: Array2<f32>,
    /// Its place in the network's order.
    pub(crate) index: Array2<u8>,
}

impl Best {
    /// Of scores (K, H, W).
    pub(crate) fn of(scores: &ArrayView3<'_, f32>) -> Self {
        let (_, h, w) = scores.dim();
        let mut best = Array2::<f32>::from_elem((h, w), f32::NEG_INFINITY); // (H, W)
        let mut second = best.clone();
        let mut index = Array2::<u8>::zeros((h, w));
        for (class, plane) in scores.outer_iter().enumerate() {
            let places = best.iter_mut().zip(second.iter_mut()).zip(index.iter_mut());
            for (&score, ((best, second), index)) in plane.iter().zip(places) {
                // A NaN stays: it compares false with everything that follows. Ties go to the lower id.
                if score > *best || score.is_nan() {
                    *second = *best;
                    *best = score;
                    *index = class as u8;
                } else if score > *second {
                    *second = score;
                }
            }
        }
        Self { score: best, second, index }
    }
}

fn byte(probability: f32) -> u8 {
    (probability.clamp(0.0, 1.0) * FULL).round() as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;
    use seg_grid::Window;

    fn finished() -> Finished {
        // Pixels: clear, tie, invalid, NaN.
        let scores = array![[[0.2, 0.5, 0.9, f32::NAN]], [[0.8, 0.5, 0.1, 0.3]]];
        Finished { window: Window { x: 0, y: 0, width: 4, height: 1 }, scores }
    }

    fn bytes(output: Output) -> Vec<u8> {
        let valid = array![[true, true, false, true]];
        let values = values(output, &finished(), &valid.view(), &[7, 9]);
        assert_eq!(values.not_a_number, 1);
        match values.block {
            Block::U8(values) => values.iter().copied().collect(),
            Block::F32(_) => Vec::new(),
        }
    }

    #[test]
    fn scores_become_ids_probabilities_and_confidence() {
        assert_eq!(bytes(Output::Classes), [9, 7, 255, 255]);
        assert_eq!(
            bytes(Output::Probabilities(ProbabilityType::UInt8)),
            [51, 127, 255, 255, 203, 127, 255, 255]
        );
        assert_eq!(bytes(Output::Confidence), [203, 127, 255, 255, 152, 0, 255, 255]);
    }
}

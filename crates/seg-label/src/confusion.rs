use crate::{ClassId, Error, IGNORE_INDEX, Legend};
use ndarray::{Array2, ArrayView2};
use std::collections::BTreeMap;

/// How often each class of the truth was predicted as each class.
///
/// * A pixel whose truth is [`IGNORE_INDEX`] is counted nowhere, whatever was predicted: it is neither a
///   false positive nor part of a union. Its number is kept as [`ConfusionMatrix::ignored`].
/// * A pixel with a truth but without a prediction (prediction 255: nodata) is a miss of its class and
///   nobody's false positive. Its number is kept as [`ConfusionMatrix::unpredicted`].
/// * An id that is no class is not counted but kept as *unknown*, for the caller to refuse.
///
/// ```
/// use ndarray::array;
/// use seg_label::{ConfusionMatrix, Legend};
/// let mut matrix = ConfusionMatrix::new(&Legend::builtin("potsdam").expect("known"));
/// matrix.add(0, 1);
/// matrix.add(0, 255);
/// matrix.add(255, 1);
/// assert_eq!((matrix.count(0, 1), matrix.pixels(), matrix.ignored()), (1, 2, 1));
/// assert_eq!(matrix.unpredicted()[0], 1);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfusionMatrix {
    ids: Vec<ClassId>,
    /// Channel of every id, `NO_CLASS` where there is none.
    channels: [u8; 256],
    /// Rows are the truth, columns the prediction.
    counts: Array2<u64>,
    unpredicted: Vec<u64>,
    ignored: u64,
    unknown_truth: BTreeMap<u8, u64>,
    unknown_prediction: BTreeMap<u8, u64>,
}

const NO_CLASS: u8 = 255;
/// Pixels that are looked at together.
const RUN: usize = 16;

impl ConfusionMatrix {
    /// Without a pixel yet.
    pub fn new(legend: &Legend) -> Self {
        let ids: Vec<_> = legend.classes().iter().map(|class| class.id).collect();
        let mut channels = [NO_CLASS; 256];
        for (channel, id) in ids.iter().enumerate() {
            channels[usize::from(id.0)] = channel as u8;
        }
        Self {
            channels,
            counts: Array2::zeros((ids.len(), ids.len())),
            unpredicted: vec![0; ids.len()],
            ignored: 0,
            unknown_truth: BTreeMap::new(),
            unknown_prediction: BTreeMap::new(),
            ids,
        }
    }

    /// One of the same classes without a pixel.
    #[must_use]
    pub fn emptied(&self) -> Self {
        Self {
            ids: self.ids.clone(),
            channels: self.channels,
            counts: Array2::zeros(self.counts.dim()),
            unpredicted: vec![0; self.ids.len()],
            ignored: 0,
            unknown_truth: BTreeMap::new(),
            unknown_prediction: BTreeMap::new(),
        }
    }

    /// Counts one pixel.
    pub fn add(&mut self, truth: u8, prediction: u8) {
        self.add_many(truth, prediction, 1);
    }

    fn add_many(&mut self, truth: u8, prediction: u8, pixels: u64) {
        if truth == IGNORE_INDEX {
            self.ignored += pixels;
            return;
        }
        let row = self.channels[usize::from(truth)];
        let column = self.channels[usize::from(prediction)];
        if row == NO_CLASS {
            *self.unknown_truth.entry(truth).or_default() += pixels;
        } else if prediction == IGNORE_INDEX {
            self.unpredicted[usize::from(row)] += pixels;
        } else if column == NO_CLASS {
            *self.unknown_prediction.entry(prediction).or_default() += pixels;
        } else {
            self.counts[[row.into(), column.into()]] += pixels;
        }
    }

    /// Counts two class maps (H, W) pixel by pixel.
    ///
    /// # Errors
    /// If their shapes differ.
    pub fn add_arrays(
        &mut self,
        truth: &ArrayView2<'_, u8>,
        prediction: &ArrayView2<'_, u8>,
    ) -> Result<(), Error> {
        if truth.dim() != prediction.dim() {
            return Err(Error::ShapeMismatch {
                truth: truth.shape().to_vec(),
                prediction: prediction.shape().to_vec(),
            });
        }
        for (truth, prediction) in truth.outer_iter().zip(prediction.outer_iter()) {
            match (truth.as_slice(), prediction.as_slice()) {
                (Some(truth), Some(prediction)) => self.add_rows(truth, prediction),
                _ => {
                    for (&truth, &prediction) in truth.iter().zip(prediction) {
                        self.add(truth, prediction);
                    }
                }
            }
        }
        Ok(())
    }

    /// Counts two rows of one length, runs of equal pairs at once: maps are mostly made of them.
    fn add_rows(&mut self, truth: &[u8], prediction: &[u8]) {
        let (truths, rest_of_truth) = truth.as_chunks::<RUN>();
        let (predictions, rest_of_prediction) = prediction.as_chunks::<RUN>();
        for (truth, prediction) in truths.iter().zip(predictions) {
            if *truth == [truth[0]; RUN] && *prediction == [prediction[0]; RUN] {
                self.add_many(truth[0], prediction[0], RUN as u64);
            } else {
                truth.iter().zip(prediction).for_each(|(&truth, &prediction)| self.add(truth, prediction));
            }
        }
        rest_of_truth
            .iter()
            .zip(rest_of_prediction)
            .for_each(|(&truth, &prediction)| self.add(truth, prediction));
    }

    /// Adds what another part of the rasters counted.
    ///
    /// # Errors
    /// If the classes differ.
    pub fn merge(&mut self, other: &Self) -> Result<(), Error> {
        if self.ids != other.ids {
            return Err(Error::ClassMismatch);
        }
        self.counts += &other.counts;
        self.ignored += other.ignored;
        for (mine, theirs) in self.unpredicted.iter_mut().zip(&other.unpredicted) {
            *mine += theirs;
        }
        for (mine, theirs) in [
            (&mut self.unknown_truth, &other.unknown_truth),
            (&mut self.unknown_prediction, &other.unknown_prediction),
        ] {
            for (&id, &pixels) in theirs {
                *mine.entry(id).or_default() += pixels;
            }
        }
        Ok(())
    }

    /// All that was counted as a list of numbers, for [`add_numbers`](Self::add_numbers) of one of the same classes: those of
    /// several matrices may be added up in between.
    ///
    /// ```
    /// use seg_label::{ConfusionMatrix, Legend};
    /// let mut matrix = ConfusionMatrix::new(&Legend::builtin("potsdam").expect("known"));
    /// matrix.add(0, 1);
    /// matrix.add(0, 77);
    /// let mut twice = matrix.emptied();
    /// twice.add_numbers(&matrix.numbers().iter().map(|n| 2 * n).collect::<Vec<_>>())?;
    /// assert_eq!((twice.count(0, 1), twice.unknown_prediction()[&77]), (2, 2));
    /// # Ok::<(), seg_label::Error>(())
    /// ```
    pub fn numbers(&self) -> Vec<u64> {
        let unknown =
            |map: &BTreeMap<u8, u64>| (0..=255).map(|id| map.get(&id).copied().unwrap_or(0)).collect();
        let unknown: [Vec<u64>; 2] = [unknown(&self.unknown_truth), unknown(&self.unknown_prediction)];
        let known = self.counts.iter().chain(&self.unpredicted).chain([&self.ignored]);
        known.chain(unknown.iter().flatten()).copied().collect()
    }

    /// Adds what [`numbers`](Self::numbers) listed.
    ///
    /// # Errors
    /// If it is of other classes.
    pub fn add_numbers(&mut self, numbers: &[u64]) -> Result<(), Error> {
        if numbers.len() != self.counts.len() + self.unpredicted.len() + 1 + 2 * 256 {
            return Err(Error::ClassMismatch);
        }
        let (known, unknown) = numbers.split_at(numbers.len() - 2 * 256);
        let into = self.counts.iter_mut().chain(&mut self.unpredicted).chain([&mut self.ignored]);
        into.zip(known).for_each(|(into, number)| *into += number);
        let (truth, prediction) = unknown.split_at(256);
        for (map, numbers) in [(&mut self.unknown_truth, truth), (&mut self.unknown_prediction, prediction)] {
            for (id, number) in (0..=255).zip(numbers).filter(|(_, number)| **number > 0) {
                *map.entry(id).or_default() += number;
            }
        }
        Ok(())
    }

    /// The classes, in the order of rows and columns.
    pub fn ids(&self) -> &[ClassId] {
        &self.ids
    }

    /// Pixels of class `truth` that were predicted as `prediction`, both by row and column.
    ///
    /// # Panics
    /// If there is no such row or column.
    pub fn count(&self, truth: usize, prediction: usize) -> u64 {
        self.counts[[truth, prediction]]
    }

    /// All counts: rows are the truth, columns the prediction.
    pub fn counts(&self) -> ArrayView2<'_, u64> {
        self.counts.view()
    }

    /// Pixels with a truth that nothing was predicted for, by class.
    pub fn unpredicted(&self) -> &[u64] {
        &self.unpredicted
    }

    /// Pixels that are counted: those with a known truth and a known or no prediction.
    pub fn pixels(&self) -> u64 {
        self.counts.sum() + self.unpredicted.iter().sum::<u64>()
    }

    /// Pixels without a truth.
    pub const fn ignored(&self) -> u64 {
        self.ignored
    }

    /// Ids of the truth that are no class, and their pixels.
    pub const fn unknown_truth(&self) -> &BTreeMap<u8, u64> {
        &self.unknown_truth
    }

    /// Ids of the prediction that are no class, and their pixels.
    pub const fn unknown_prediction(&self) -> &BTreeMap<u8, u64> {
        &self.unknown_prediction
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;
    use proptest::prelude::*;

    fn matrix() -> ConfusionMatrix {
        ConfusionMatrix::new(&Legend::builtin("dubai").expect("known"))
    }

    #[test]
    fn ids_that_are_no_class_are_kept_apart() {
        let mut m = matrix();
        m.add_arrays(&array![[9, 9, 1, 255]].view(), &array![[1, 9, 77, 77]].view()).expect("same shape");
        assert_eq!(m.unknown_truth(), &BTreeMap::from([(9, 2)]));
        assert_eq!(m.unknown_prediction(), &BTreeMap::from([(77, 1)]));
        assert_eq!((m.pixels(), m.ignored()), (0, 1));
    }

    #[test]
    fn different_shapes_and_classes_are_refused() {
        let (wide, tall) = (array![[0, 1]], array![[0], [1]]);
        assert!(matches!(matrix().add_arrays(&wide.view(), &tall.view()), Err(Error::ShapeMismatch { .. })));
        let other = ConfusionMatrix::new(&Legend::builtin("potsdam").expect("known"));
        assert_eq!(matrix().merge(&other), Err(Error::ClassMismatch));
    }

    proptest! {
        /// Counting in parts, in any order, equals counting at once; every pixel is in one place.
        #[test]
        fn parts_add_up(
            pairs in proptest::collection::vec((0_u8..8, 0_u8..8), 0..80), cut in 0_usize..80,
        ) {
            let value = |v: u8| if v == 7 { 255 } else { v };
            let count = |pairs: &[(u8, u8)]| {
                let mut m = matrix();
                for &(t, p) in pairs {
                    m.add(value(t), value(p));
                }
                m
            };
            let (head, tail) = pairs.split_at(cut.min(pairs.len()));
            let whole = count(&pairs);
            let mut parts = count(tail);
            parts.merge(&count(head)).expect("same classes");
            prop_assert_eq!(&parts, &whole);
            let unknown: u64 = whole.unknown_truth().values().chain(whole.unknown_prediction().values()).sum();
            prop_assert_eq!(whole.pixels() + whole.ignored() + unknown, pairs.len() as u64);
        }
    }
}

use crate::bitmap::Bitmap;
use crate::erode::present;
use crate::{ClassId, IGNORE_INDEX};
use ndarray::{ArrayView2, Zip};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// What was counted along the borders of one class.
///
/// The border of a class are its pixels that have a pixel of another class above, below, left or right; ignored
/// pixels, nodata and the edge of the raster make no border.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct BoundaryCount {
    /// Pixels of its predicted border.
    pub predicted: u64,
    /// Those of them that are near its true border.
    pub predicted_near: u64,
    /// Pixels of its true border.
    pub truth: u64,
    /// Those of them that are near its predicted border.
    pub truth_near: u64,
}

/// How well the borders of one class are found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BoundaryScore {
    /// Share of the predicted border that is near the true one.
    pub precision: f64,
    /// Share of the true border that is near the predicted one.
    pub recall: f64,
    /// Their harmonic mean.
    pub f1: f64,
}

/// What was counted along borders, class by class.
///
/// # References
/// G. Csurka, D. Larlus, F. Perronnin, "What is a good evaluation measure for semantic segmentation?", 2013,
/// doi:10.5244/C.27.32.
///
/// ```
/// use ndarray::array;
/// use seg_label::{BoundaryTally, ClassId};
/// let truth = array![[0, 0, 0, 1, 1, 1]];
/// let prediction = array![[0, 0, 1, 1, 1, 1]];
/// let mut tally = BoundaryTally::new(&[ClassId(0), ClassId(1)], 1);
/// tally.add(&truth.view(), &prediction.view(), 0..1, 0..6);
/// assert_eq!(tally.score(0).expect("a border").f1, 1.0);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundaryTally {
    ids: Vec<ClassId>,
    tolerance: usize,
    counts: Vec<BoundaryCount>,
}

impl BoundaryTally {
    /// Without a pixel yet; near is within `tolerance` pixels, center to center.
    pub fn new(ids: &[ClassId], tolerance: usize) -> Self {
        Self { ids: ids.to_vec(), tolerance, counts: vec![BoundaryCount::default(); ids.len()] }
    }

    /// Pixels around a window that have to be given with it, so that windows add up to the whole.
    pub const fn margin(&self) -> usize {
        self.tolerance + 1
    }

    /// Counts the borders of two class maps (H, W) in the rows and columns of a window; a margin around it is looked
    /// at. What is ignored in the truth is in no border.
    ///
    /// # Panics
    /// If the shapes differ or the window is not inside of them.
    pub fn add(
        &mut self,
        truth: &ArrayView2<'_, u8>,
        prediction: &ArrayView2<'_, u8>,
        rows: Range<usize>,
        columns: Range<usize>,
    ) {
        let seen = Zip::from(truth)
            .and(prediction)
            .map_collect(|&truth, &prediction| if truth == IGNORE_INDEX { IGNORE_INDEX } else { prediction });
        let seen = seen.view();
        let labeled = [Bitmap::labeled(truth), Bitmap::labeled(&seen)];
        let mut comes = [false; 256];
        present(truth).chain(present(&seen)).for_each(|id| comes[usize::from(id)] = true);
        for (id, count) in self.ids.iter().zip(&mut self.counts).filter(|(id, _)| comes[usize::from(id.0)]) {
            let [truth, predicted] = [(truth, &labeled[0]), (&seen, &labeled[1])].map(|(map, labeled)| {
                let class = Bitmap::of(map, id.0);
                class.beside(&labeled.clone().without(&class))
            });
            let pixels = |bits: &Bitmap| bits.count(rows.clone(), columns.clone());
            count.truth += pixels(&truth);
            count.predicted += pixels(&predicted);
            let near = [truth.dilated(self.tolerance), predicted.dilated(self.tolerance)];
            count.predicted_near += pixels(&predicted.and(&near[0]));
            count.truth_near += pixels(&truth.and(&near[1]));
        }
    }

    /// Adds what was counted elsewhere.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            mine.predicted += theirs.predicted;
            mine.predicted_near += theirs.predicted_near;
            mine.truth += theirs.truth;
            mine.truth_near += theirs.truth_near;
        }
    }

    /// Pixels within which borders agree.
    pub const fn tolerance(&self) -> usize {
        self.tolerance
    }

    /// What was counted, class by class.
    pub fn counts(&self) -> &[BoundaryCount] {
        &self.counts
    }

    /// How well the borders of a class are found; `None` where it has none, 0 where it has them on one side only.
    pub fn score(&self, class: usize) -> Option<BoundaryScore> {
        let count = self.counts.get(class)?;
        if count.predicted + count.truth == 0 {
            return None;
        }
        let share = |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
        let (precision, recall) =
            (share(count.predicted_near, count.predicted), share(count.truth_near, count.truth));
        let sum = precision + recall;
        let f1 = if sum > 0.0 { 2.0 * precision * recall / sum } else { 0.0 };
        Some(BoundaryScore { precision, recall, f1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, s};
    use proptest::prelude::*;

    const IDS: [ClassId; 3] = [ClassId(0), ClassId(1), ClassId(2)];

    /// Pixel by pixel, as the definition says.
    fn by_hand(truth: &Array2<u8>, prediction: &Array2<u8>, id: u8, tolerance: usize) -> BoundaryCount {
        let border = |map: &dyn Fn(usize, usize) -> u8| {
            let (height, width) = truth.dim();
            let mut found = Vec::new();
            for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
                let beside = [(0_isize, 1_isize), (1, 0), (0, -1), (-1, 0)].iter().any(|(dy, dx)| {
                    let (y, x) = (y as isize + dy, x as isize + dx);
                    let inside = (0..height as isize).contains(&y) && (0..width as isize).contains(&x);
                    inside && ![id, IGNORE_INDEX].contains(&map(y as usize, x as usize))
                });
                if map(y, x) == id && beside {
                    found.push((y, x));
                }
            }
            found
        };
        let true_border = border(&|y, x| truth[[y, x]]);
        let seen_border = border(&|y, x| if truth[[y, x]] == 255 { 255 } else { prediction[[y, x]] });
        let near = |pixels: &[(usize, usize)], others: &[(usize, usize)]| {
            let close = |&(y, x): &&(usize, usize)| {
                others
                    .iter()
                    .any(|&(v, u)| y.abs_diff(v).pow(2) + x.abs_diff(u).pow(2) <= tolerance * tolerance)
            };
            pixels.iter().filter(close).count() as u64
        };
        BoundaryCount {
            predicted: seen_border.len() as u64,
            predicted_near: near(&seen_border, &true_border),
            truth: true_border.len() as u64,
            truth_near: near(&true_border, &seen_border),
        }
    }

    #[test]
    fn a_shifted_edge_is_found_within_the_tolerance_only() {
        let truth = Array2::from_shape_fn((20, 40), |(_, x)| u8::from(x >= 20));
        let prediction = Array2::from_shape_fn((20, 40), |(_, x)| u8::from(x >= 23));
        let f1 = |tolerance| {
            let mut tally = BoundaryTally::new(&IDS, tolerance);
            tally.add(&truth.view(), &prediction.view(), 0..20, 0..40);
            [0, 1, 2].map(|class| tally.score(class).map(|score| score.f1))
        };
        assert_eq!(f1(3), [Some(1.0), Some(1.0), None]);
        assert_eq!(f1(2), [Some(0.0), Some(0.0), None]);
    }

    proptest! {
        #[test]
        fn windows_add_up_to_the_whole_and_the_whole_is_by_definition(
            values in proptest::collection::vec((0_u8..4, 0_u8..4), 24 * 30), tolerance in 0_usize..4,
            (row, column) in (1_usize..23, 1_usize..29),
        ) {
            let id = |v: u8| if v == 3 { 255 } else { v };
            let truth = Array2::from_shape_fn((24, 30), |(y, x)| id(values[y / 2 * 30 + x / 2].0));
            let prediction = Array2::from_shape_fn((24, 30), |(y, x)| id(values[y / 2 * 30 + x / 2 + 15].1));
            let mut whole = BoundaryTally::new(&IDS, tolerance);
            whole.add(&truth.view(), &prediction.view(), 0..24, 0..30);
            for (class, id) in IDS.iter().enumerate() {
                prop_assert_eq!(whole.counts()[class], by_hand(&truth, &prediction, id.0, tolerance));
            }
            let mut parts = BoundaryTally::new(&IDS, tolerance);
            for (rows, columns) in [(0..row, 0..column), (0..row, column..30), (row..24, 0..column), (row..24, column..30)] {
                let margin = whole.margin();
                let (top, left) = (rows.start.saturating_sub(margin), columns.start.saturating_sub(margin));
                let (bottom, right) = ((rows.end + margin).min(24), (columns.end + margin).min(30));
                let around = s![top..bottom, left..right];
                parts.add(
                    &truth.slice(around), &prediction.slice(around),
                    rows.start - top..rows.end - top, columns.start - left..columns.end - left,
                );
            }
            prop_assert_eq!(parts, whole);
        }
    }
}

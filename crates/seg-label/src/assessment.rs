use crate::{BoundaryTally, CellGrid, ClassCounts, ConfusionMatrix, Error, Legend, erode_borders};
use ndarray::{Array2, ArrayView2, s};
use std::ops::Range;

/// What is counted beside the confusion matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AssessmentPlan {
    /// Pixels of the truth within so many of another class are ignored; 0 keeps them.
    pub eroded: usize,
    /// The same for a second matrix, so that one run tells both.
    pub also_eroded: usize,
    /// Borders agree within so many pixels.
    pub boundary_tolerance: usize,
}

/// A truth and a prediction (H, W) with a margin around the part of them that is to be counted.
#[derive(Debug, Clone)]
pub struct MapPair<'a> {
    /// Class ids of the truth.
    pub truth: ArrayView2<'a, u8>,
    /// Class ids of the prediction.
    pub prediction: ArrayView2<'a, u8>,
    /// The rows to be counted.
    pub rows: Range<usize>,
    /// The columns to be counted.
    pub columns: Range<usize>,
}

/// Where the counted part of a pair of maps lies among the cells of its scene.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScenePlace {
    /// How the scene is cut.
    pub grid: CellGrid,
    /// Column of the scene in which the counted part begins.
    pub x: usize,
    /// Row of the scene in which it begins.
    pub y: usize,
}

/// What a part of a scene came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountedPart {
    /// What it adds to cells of the scene, by their number.
    pub cells: Vec<(usize, ClassCounts)>,
    /// The truth that it was counted by, with its margin.
    pub truth: Array2<u8>,
}

/// What maps come to, to be added up over windows and scenes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assessment {
    plan: AssessmentPlan,
    /// By the truth as it is asked for.
    pub matrix: ConfusionMatrix,
    /// By the truth as it is eroded otherwise.
    pub variant: ConfusionMatrix,
    /// Of borders in the whole truth, however it is eroded.
    pub boundary: BoundaryTally,
}

impl Default for AssessmentPlan {
    /// All pixels count, beside them without those 3 pixels near borders, as ISPRS does; borders agree within 3 pixels.
    fn default() -> Self {
        Self { eroded: 0, also_eroded: 3, boundary_tolerance: 3 }
    }
}

impl AssessmentPlan {
    /// The plan whose scores are by a truth eroded by so many pixels: beside it the whole truth, or the one eroded by
    /// 3 pixels.
    #[must_use]
    pub const fn eroding(eroded: usize, boundary_tolerance: usize) -> Self {
        let also_eroded = if eroded == 0 { 3 } else { 0 };
        Self { eroded, also_eroded, boundary_tolerance }
    }

    /// Pixels around a window that decide what is counted in it.
    pub const fn margin(&self) -> usize {
        let eroded = if self.eroded > self.also_eroded { self.eroded } else { self.also_eroded };
        if eroded > self.boundary_tolerance { eroded } else { self.boundary_tolerance + 1 }
    }
}

impl Assessment {
    /// Without a pixel yet.
    pub fn new(legend: &Legend, plan: AssessmentPlan) -> Self {
        let matrix = ConfusionMatrix::new(legend);
        Self {
            boundary: BoundaryTally::new(matrix.ids(), plan.boundary_tolerance),
            variant: matrix.clone(),
            matrix,
            plan,
        }
    }

    /// What is counted.
    pub const fn plan(&self) -> AssessmentPlan {
        self.plan
    }

    /// The counts by the whole truth.
    pub const fn whole(&self) -> &ConfusionMatrix {
        if self.plan.eroded <= self.plan.also_eroded { &self.matrix } else { &self.variant }
    }

    /// Counts a part of a scene; gives what it adds to the scene's cells, and the truth that it was counted by.
    ///
    /// # Errors
    /// If truth and prediction are not of one size.
    pub fn add(&mut self, maps: &MapPair<'_>, place: ScenePlace) -> Result<CountedPart, Error> {
        let truth = eroded(&maps.truth, self.plan.eroded);
        let variant = eroded(&maps.truth, self.plan.also_eroded);
        let (rows, columns) = (maps.rows.clone(), maps.columns.clone());
        let inside = s![rows.clone(), columns.clone()];
        self.variant.add_arrays(&variant.slice(inside), &maps.prediction.slice(inside))?;
        let cells = count_cells(&mut self.matrix, &truth.view(), maps, place)?;
        self.boundary.add(&maps.truth, &maps.prediction, rows, columns);
        Ok(CountedPart { cells, truth })
    }

    /// Adds what was counted elsewhere by the same plan.
    ///
    /// # Errors
    /// If the classes differ.
    pub fn merge(&mut self, other: &Self) -> Result<(), Error> {
        self.matrix.merge(&other.matrix)?;
        self.variant.merge(&other.variant)?;
        self.boundary.merge(&other.boundary);
        Ok(())
    }
}

/// Counts a prediction by a truth that is eroded already, cell by cell.
///
/// # Errors
/// If truth and prediction are not of one size.
pub fn count_cells(
    matrix: &mut ConfusionMatrix,
    truth: &ArrayView2<'_, u8>,
    maps: &MapPair<'_>,
    place: ScenePlace,
) -> Result<Vec<(usize, ClassCounts)>, Error> {
    let moved = |range: &Range<usize>, to: usize| to..to + range.len();
    let touching = place.grid.touching(moved(&maps.rows, place.y), moved(&maps.columns, place.x));
    let mut cells = Vec::new();
    for (cell, rows, columns) in touching {
        let back =
            |range: Range<usize>, from: usize, to: usize| range.start - from + to..range.end - from + to;
        let inside = s![back(rows, place.y, maps.rows.start), back(columns, place.x, maps.columns.start)];
        let mut part = matrix.emptied();
        part.add_arrays(&truth.slice(inside), &maps.prediction.slice(inside))?;
        matrix.merge(&part)?;
        cells.push((cell, ClassCounts::of(&part)));
    }
    Ok(cells)
}

fn eroded(truth: &ArrayView2<'_, u8>, radius: usize) -> Array2<u8> {
    let mut truth = truth.to_owned();
    erode_borders(&mut truth, radius);
    truth
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CellCounts;
    use proptest::prelude::*;

    proptest! {
        /// Windows of any size add up to the scene, and cells to the matrix.
        #[test]
        fn windows_add_up(
            values in proptest::collection::vec((0_u8..4, 0_u8..4), 400), step in 3_usize..40, side in 2_usize..30,
        ) {
            let legend = Legend::builtin("dubai").expect("known");
            let id = |v: u8| if v == 3 { 255 } else { v };
            let (height, width) = (33, 47);
            let at = |(y, x): (usize, usize)| values[(y / 3 * 16 + x / 3) % 400];
            let truth = Array2::from_shape_fn((height, width), |place| id(at(place).0));
            let prediction = Array2::from_shape_fn((height, width), |place| id(at(place).1));
            let grid = CellGrid::new(width, height, side);
            let plan = AssessmentPlan::eroding(0, 2);
            let whole_maps = MapPair {
                truth: truth.view(), prediction: prediction.view(), rows: 0..height, columns: 0..width,
            };
            let mut whole = Assessment::new(&legend, plan);
            let CountedPart { cells, .. } = whole.add(&whole_maps, ScenePlace { grid, x: 0, y: 0 }).expect("one size");
            let mut scene = CellCounts::new(grid, 5);
            for (cell, counts) in &cells {
                scene.cell(*cell).merge(counts);
            }
            prop_assert_eq!(scene.total(), ClassCounts::of(&whole.matrix));
            let (mut parts, mut sums) = (Assessment::new(&legend, plan), CellCounts::new(grid, 5));
            for y in (0..height).step_by(step) {
                for x in (0..width).step_by(step + 1) {
                    let (rows, columns) = (y..(y + step).min(height), x..(x + step + 1).min(width));
                    let margin = plan.margin();
                    let (top, left) = (y.saturating_sub(margin), x.saturating_sub(margin));
                    let around = s![top..(rows.end + margin).min(height), left..(columns.end + margin).min(width)];
                    let maps = MapPair {
                        truth: truth.slice(around),
                        prediction: prediction.slice(around),
                        rows: rows.start - top..rows.end - top,
                        columns: columns.start - left..columns.end - left,
                    };
                    let mut part = Assessment::new(&legend, plan);
                    let CountedPart { cells, .. } = part.add(&maps, ScenePlace { grid, x, y }).expect("one size");
                    parts.merge(&part).expect("same classes");
                    for (cell, counts) in &cells {
                        sums.cell(*cell).merge(counts);
                    }
                }
            }
            prop_assert_eq!(parts, whole);
            prop_assert_eq!(sums, scene);
        }
    }
}

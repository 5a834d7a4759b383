use super::pair::PairPlan;
use super::{CompareJob, Comparison, Scene};
use crate::Error;
use seg_label::{
    Assessment, Calibration, CellCounts, CellGrid, ClassCounts, ConfusionMatrix, Error as LabelError, Legend,
    LineAgreement, Tally,
};

/// What a window of one pair of rasters came to.
pub(super) struct Counted {
    pub assessment: Option<Assessment>,
    /// What it adds to cells, by their number.
    pub cells: Vec<(usize, ClassCounts)>,
    pub other: Option<(ConfusionMatrix, Vec<(usize, ClassCounts)>)>,
    pub calibration: Option<Calibration>,
    pub lines: Option<LineAgreement>,
    pub mapped: Vec<u64>,
    pub truth: Tally,
    pub prediction: Tally,
    pub other_tally: Tally,
}

/// What windows came to so far.
pub(super) struct Totals {
    total: Assessment,
    other: Option<ConfusionMatrix>,
    calibration: Option<Calibration>,
    lines: Option<LineAgreement>,
    scenes: Vec<SceneTotals>,
}

struct SceneTotals {
    cells: CellCounts,
    other: Option<CellCounts>,
    mapped: Vec<u64>,
    truth: Tally,
    prediction: Tally,
    other_tally: Tally,
}

impl Totals {
    pub(super) fn new(job: &CompareJob, legend: &Legend, grids: impl Iterator<Item = CellGrid>) -> Self {
        let with_other = !job.others.is_empty();
        let scene = |grid: CellGrid| SceneTotals {
            cells: CellCounts::new(grid, legend.len()),
            other: with_other.then(|| CellCounts::new(grid, legend.len())),
            mapped: vec![0; legend.len()],
            truth: Tally::default(),
            prediction: Tally::default(),
            other_tally: Tally::default(),
        };
        Self {
            total: Assessment::new(legend, job.plan),
            other: with_other.then(|| ConfusionMatrix::new(legend)),
            calibration: None,
            lines: None,
            scenes: grids.map(scene).collect(),
        }
    }

    pub(super) fn add(&mut self, i: usize, counted: &Counted) -> Result<(), LabelError> {
        if let Some(assessment) = &counted.assessment {
            self.total.merge(assessment)?;
        }
        let scene = &mut self.scenes[i];
        counted.cells.iter().for_each(|(cell, counts)| scene.cells.cell(*cell).merge(counts));
        if let (Some((matrix, cells)), Some(total), Some(other)) =
            (&counted.other, &mut self.other, &mut scene.other)
        {
            total.merge(matrix)?;
            for (cell, counts) in cells {
                other.cell(*cell).merge(counts);
            }
        }
        if let Some(calibration) = &counted.calibration {
            self.calibration.get_or_insert_default().merge(calibration);
        }
        if let Some(lines) = &counted.lines {
            self.lines.get_or_insert_default().merge(lines);
        }
        scene.mapped.iter_mut().zip(&counted.mapped).for_each(|(sum, pixels)| *sum += pixels);
        scene.truth.merge(counted.truth.clone());
        scene.prediction.merge(counted.prediction.clone());
        scene.other_tally.merge(counted.other_tally.clone());
        Ok(())
    }

    /// Refuses codes that are no classes, and truths that were brought to another grid and are elsewhere.
    pub(super) fn finish(
        self,
        job: &CompareJob,
        legend: Legend,
        plans: &[PairPlan],
    ) -> Result<Comparison, Error> {
        for (i, scene) in self.scenes.iter().enumerate() {
            let other = job.others.get(i).map_or("", String::as_str);
            for (name, tally) in [
                (job.truths[i].name(), &scene.truth),
                (job.predictions[i].as_str(), &scene.prediction),
                (other, &scene.other_tally),
            ] {
                if !tally.unknown.is_empty() {
                    let codes = tally.describe_unknown();
                    return Err(Error::UnknownCodes { name: name.to_owned(), codes });
                }
            }
            if plans[i].resampled && scene.truth.labeled == 0 {
                let (image, label) = (job.predictions[i].clone(), job.truths[i].name().to_owned());
                let source =
                    Box::new(seg_gdal::Error::NoOverlap { image: image.clone(), label: label.clone() });
                return Err(Error::Grid { image, label, source });
            }
        }
        let scene = |(i, (scene, plan)): (usize, (SceneTotals, &PairPlan))| Scene {
            prediction: job.predictions[i].clone(),
            truth: job.truths[i].name().to_owned(),
            compared: plan.compared,
            cut: plan.cut,
            resampled: plan.resampled,
            pixel_area: plan.pixel_area,
            cells: scene.cells,
            other: scene.other,
            mapped: scene.mapped,
        };
        Ok(Comparison {
            legend,
            total: self.total,
            other: self.other,
            scenes: self.scenes.into_iter().zip(plans).enumerate().map(scene).collect(),
            calibration: self.calibration,
            lines: self.lines,
        })
    }
}

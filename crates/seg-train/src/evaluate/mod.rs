//! How good a network is on chips, by the protocol that papers test with.

#[cfg(test)]
mod tests;

use ndarray::{Array2, Array3};
use seg_data::{ChipSet, InputScale, PredictionFolder, check_chips};
use seg_grid::{Observer, Window};
use seg_label::{
    Assessment, AssessmentPlan, Calibration, CellCounts, CellGrid, ClassCounts, IGNORE_INDEX, MapPair,
    ScenePlace,
};
use seg_nn::{LoadedModel, SegModel};
use seg_run::Passes;
use tch::Device;

use crate::chip_work::ChipWork;
use crate::{Error, tensor};

/// A network, the chips that it is tested on, and how.
#[derive(Debug, Clone, Copy)]
pub struct EvaluateJob<'a> {
    /// The network and how pixels become its input.
    pub model: &'a LoadedModel,
    /// Opened for the network's classes and bands.
    pub chips: &'a ChipSet,
    /// Windows, scales and flips.
    pub passes: &'a Passes,
    /// What is counted. What lies across a chip's edge is not seen.
    pub plan: AssessmentPlan,
    /// How many threads work, each on a chip of its own.
    pub threads: usize,
    /// Where to write what the network sees.
    pub predictions: Option<&'a PredictionFolder<'a>>,
}

/// What a thread needs besides the network.
#[derive(Debug, Clone, Copy)]
struct Task<'a> {
    chips: &'a ChipSet,
    scale: &'a InputScale,
    passes: &'a Passes,
    plan: AssessmentPlan,
    predictions: Option<&'a PredictionFolder<'a>>,
}

/// What a test counted.
#[derive(Debug, Clone)]
pub struct Evaluated {
    /// Of all chips together.
    pub total: Assessment,
    /// The rasters that the chips were cut from, in the order in which they come.
    pub scenes: Vec<ChipScene>,
    /// How often the network is as right as it says.
    pub calibration: Calibration,
    /// What each chip came to.
    pub chips: Vec<ClassCounts>,
}

/// A raster that chips were cut from.
#[derive(Debug, Clone)]
pub struct ChipScene {
    /// Its name, as the user gave it.
    pub source: String,
    /// The counts of its chips, each in the cell in which its middle is.
    pub cells: CellCounts,
}

/// A chip as it is, as it should be and as it is seen.
#[derive(Debug, Clone)]
pub struct SeenChip {
    /// Values, (C, H, W).
    pub image: Array3<f32>,
    /// Where there is data, (H, W).
    pub valid: Array2<bool>,
    /// Class ids, (H, W).
    pub truth: Array2<u8>,
    /// Class ids, (H, W).
    pub predicted: Array2<u8>,
}

/// A chip's truth, and what the network sees in it.
struct Seen {
    /// Places of classes, (H, W).
    truth: Array2<u8>,
    /// Places of classes, (H, W).
    predicted: Array2<u8>,
    /// How sure the network is, (H, W).
    highest: Array2<f32>,
}

/// What one chip came to.
struct Counted {
    chip: usize,
    assessment: Assessment,
    calibration: Calibration,
}

/// Counts the pixels of chips by truth and by what a network sees; the classes are those of
/// [`ChipSet::legend`].
///
/// For each scale and flip the image is resized bilinearly and turned, the sliding window goes over it, scores are
/// averaged where windows overlap, brought to the chip's size bilinearly, made probabilities and turned back; the
/// class of the highest mean probability is what the network sees. Sides that the network does not take are
/// filled up with 0 after normalization, at the right and bottom. Where a probability is no number, nothing is seen:
/// the pixel counts as missed. The counts are the same for any number of threads.
///
/// ```no_run
/// use seg_data::{ChipSet, DataSettings, Split};
/// use seg_label::{AssessmentPlan, Scores};
/// use seg_run::{Passes, SlidingWindow};
/// use seg_train::{EvaluateJob, evaluate};
/// use tch::Device;
///
/// let model = seg_nn::load("net.safetensors".as_ref(), Device::Cpu)?;
/// let names: Vec<_> = model.card.classes.iter().map(|class| class.name.clone()).collect();
/// let settings = DataSettings::default();
/// let chips = ChipSet::open("chips".as_ref(), Split::Test, &names, model.card.input.bands, &settings)?;
/// let passes = Passes::paper(SlidingWindow::of_side(512));
/// let plan = AssessmentPlan::default();
/// let job = EvaluateJob { model: &model, chips: &chips, passes: &passes, plan, threads: 4, predictions: None };
/// println!("{:?}", Scores::new(&evaluate(&job, &seg_grid::Silent)?.total.matrix).miou);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If the plan makes no sense, a chip cannot be read, the network fails, a prediction cannot be written, or the
/// observer cancels.
pub fn evaluate(job: &EvaluateJob<'_>, observer: &dyn Observer) -> Result<Evaluated, Error> {
    job.passes.check()?;
    check_chips(job.chips, observer)?;
    let scale = job.scale();
    let task = job.task(&scale);
    let network = &*job.model.network;
    let work = ChipWork {
        network,
        chips: job.chips.len(),
        // On a graphics card one chip is read while another is computed.
        threads: if matches!(network.device(), Device::Cuda(_)) { 2 } else { job.threads },
        stage: "eval",
        observer,
    };
    let legend = job.chips.legend();
    let mut found = Evaluated {
        total: Assessment::new(legend, job.plan),
        scenes: scenes(job.chips),
        calibration: Calibration::default(),
        chips: vec![ClassCounts::new(legend.len()); job.chips.len()],
    };
    let each = |network: &dyn SegModel, chip: usize| evaluate_chip(network, chip, &task, observer);
    let done = work.run(each, |counted| {
        found.total.merge(&counted.assessment)?;
        found.calibration.merge(&counted.calibration);
        found.chips[counted.chip].add(&counted.assessment.matrix);
        Ok(())
    })?;
    if done < job.chips.len() {
        return Err(seg_data::Error::Cancelled.into());
    }
    for scene in &mut found.scenes {
        let grid = scene.cells.grid();
        for (chip, counts) in found.chips.iter().enumerate() {
            let record = job.chips.chip(chip);
            if record.source == scene.source {
                let middle = |start: usize, length: usize| (start + length / 2) / grid.side();
                let (x, y) = (
                    middle(record.window.x, record.window.width),
                    middle(record.window.y, record.window.height),
                );
                scene.cells.cell(y * grid.columns() + x).merge(counts);
            }
        }
    }
    tensor::warn_of_unseen(&found.total.matrix, observer);
    Ok(found)
}

/// Looks at one chip once more, to show it.
///
/// # Errors
/// If it cannot be read, or the network fails.
pub fn look(job: &EvaluateJob<'_>, chip: usize) -> Result<SeenChip, Error> {
    let scale = job.scale();
    let task = EvaluateJob { predictions: None, ..*job };
    let task = task.task(&scale);
    let (image, valid, _) = task.chips.read(chip, Window::whole(task.chips.size(chip)))?;
    let Seen { truth, predicted, .. } = see(&*job.model.network.fork(), chip, &task, &seg_grid::Silent)?;
    Ok(SeenChip { image, valid, truth: ids(task.chips, &truth), predicted: ids(task.chips, &predicted) })
}

impl EvaluateJob<'_> {
    fn scale(&self) -> InputScale {
        let input = &self.model.card.input;
        InputScale { divide: input.divide, mean: input.mean.clone(), std: input.std.clone() }
    }

    fn task<'a>(&'a self, scale: &'a InputScale) -> Task<'a> {
        Task { chips: self.chips, scale, passes: self.passes, plan: self.plan, predictions: self.predictions }
    }
}

/// The rasters that chips were cut from, in cells as large as the largest chip.
fn scenes(chips: &ChipSet) -> Vec<ChipScene> {
    let mut sizes: Vec<(String, usize, usize)> = Vec::new();
    let mut side = 1;
    for record in (0..chips.len()).map(|chip| chips.chip(chip)) {
        let window = record.window;
        side = side.max(window.width).max(window.height);
        match sizes.iter_mut().find(|(source, ..)| *source == record.source) {
            Some((_, width, height)) => {
                (*width, *height) = ((*width).max(window.right()), (*height).max(window.bottom()));
            }
            None => sizes.push((record.source.clone(), window.right(), window.bottom())),
        }
    }
    let cells = |width: usize, height: usize| {
        CellCounts::new(CellGrid::new(width, height, side), chips.legend().len())
    };
    sizes
        .into_iter()
        .map(|(source, width, height)| ChipScene { source, cells: cells(width, height) })
        .collect()
}

fn evaluate_chip(
    network: &dyn SegModel,
    chip: usize,
    task: &Task<'_>,
    observer: &dyn Observer,
) -> Result<Counted, Error> {
    let Seen { truth, predicted, highest } = see(network, chip, task, observer)?;
    if let Some(folder) = task.predictions {
        folder.write(chip, &predicted)?;
    }
    let (truth, seen) = (ids(task.chips, &truth), ids(task.chips, &predicted));
    let (height, width) = truth.dim();
    let maps = MapPair { truth: truth.view(), prediction: seen.view(), rows: 0..height, columns: 0..width };
    let place = ScenePlace { grid: CellGrid::new(width, height, width.max(height)), x: 0, y: 0 };
    let mut assessment = Assessment::new(task.chips.legend(), task.plan);
    let counted = assessment.add(&maps, place)?.truth;
    let mut calibration = Calibration::default();
    for ((&truth, &seen), &probability) in counted.iter().zip(&seen).zip(&highest) {
        if truth != IGNORE_INDEX && seen != IGNORE_INDEX {
            calibration.add(probability.into(), truth == seen);
        }
    }
    Ok(Counted { chip, assessment, calibration })
}

/// Shows a chip to the network.
fn see(network: &dyn SegModel, chip: usize, task: &Task<'_>, observer: &dyn Observer) -> Result<Seen, Error> {
    let (mut values, valid, truth) = task.chips.read(chip, Window::whole(task.chips.size(chip)))?;
    task.scale.normalize(&mut values, &valid);
    let seen = tch::no_grad(|| {
        let image = tensor::image(&values, network.device()).map_err(Error::torch("copy a chip"))?; // (1, C, H, W)
        let probabilities = task.passes.probabilities(network, &image, &|| observer.cancelled())?; // (1, K, H, W)
        let classes = tensor::classes(&probabilities).map_err(Error::torch("read the classes"))?; // (H, W)
        let highest = tensor::highest(&probabilities).map_err(Error::torch("read the probabilities"))?; // (H, W)
        Ok((classes, highest))
    });
    let (predicted, highest) = seen.map_err(|source| match source {
        cancelled @ Error::Data(_) => cancelled,
        source => Error::Chip { chip: task.chips.chip(chip).image.clone(), source: Box::new(source) },
    })?;
    Ok(Seen { truth, predicted, highest })
}

/// The legend's ids for the places of classes; what is ignored stays so.
fn ids(chips: &ChipSet, places: &Array2<u8>) -> Array2<u8> {
    let mut ids = [IGNORE_INDEX; 256];
    for (id, class) in ids.iter_mut().zip(chips.legend().classes()) {
        *id = class.id.0;
    }
    places.mapv(|place| ids[usize::from(place)])
}

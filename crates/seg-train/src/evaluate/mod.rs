//! How good a network is on chips, by the protocol that papers test with.

#[cfg(test)]
mod tests;

use ndarray::Array2;
use seg_data::{ChipSet, InputScale, PredictionFolder, check_chips};
use seg_grid::{Observer, Window};
use seg_label::{ConfusionMatrix, IGNORE_INDEX, erode_borders};
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
    /// Pixels of a chip's truth within so many of another class are ignored; 0 keeps them. What lies across a
    /// chip's edge is not seen.
    pub eroded: usize,
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
    eroded: usize,
    predictions: Option<&'a PredictionFolder<'a>>,
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
/// use seg_label::Scores;
/// use seg_run::{Passes, SlidingWindow};
/// use seg_train::{EvaluateJob, evaluate};
/// use tch::Device;
///
/// let model = seg_nn::load("net.safetensors".as_ref(), Device::Cpu)?;
/// let names: Vec<_> = model.card.classes.iter().map(|class| class.name.clone()).collect();
/// let settings = DataSettings::default();
/// let chips = ChipSet::open("chips".as_ref(), Split::Test, &names, model.card.input.bands, &settings)?;
/// let passes = Passes::paper(SlidingWindow::of_side(512));
/// let job = EvaluateJob { model: &model, chips: &chips, passes: &passes, eroded: 0, threads: 4, predictions: None };
/// println!("{:?}", Scores::new(&evaluate(&job, &seg_grid::Silent)?).miou);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If the plan makes no sense, a chip cannot be read, the network fails, a prediction cannot be written, or the
/// observer cancels.
pub fn evaluate(job: &EvaluateJob<'_>, observer: &dyn Observer) -> Result<ConfusionMatrix, Error> {
    job.passes.check()?;
    check_chips(job.chips, observer)?;
    let input = &job.model.card.input;
    let scale = InputScale { divide: input.divide, mean: input.mean.clone(), std: input.std.clone() };
    let task = Task {
        chips: job.chips,
        scale: &scale,
        passes: job.passes,
        eroded: job.eroded,
        predictions: job.predictions,
    };
    let network = &*job.model.network;
    let work = ChipWork {
        network,
        chips: job.chips.len(),
        // On a graphics card one chip is read while another is computed.
        threads: if matches!(network.device(), Device::Cuda(_)) { 2 } else { job.threads },
        stage: "eval",
        observer,
    };
    let mut total = ConfusionMatrix::new(job.chips.legend());
    let each = |network: &dyn SegModel, chip: usize| evaluate_chip(network, chip, &task, observer);
    let done = work.run(each, |matrix| Ok(total.merge(&matrix)?))?;
    if done < job.chips.len() {
        return Err(seg_data::Error::Cancelled.into());
    }
    tensor::warn_of_unseen(&total, observer);
    Ok(total)
}

fn evaluate_chip(
    network: &dyn SegModel,
    chip: usize,
    task: &Task<'_>,
    observer: &dyn Observer,
) -> Result<ConfusionMatrix, Error> {
    let (mut values, valid, mut truth) = task.chips.read(chip, Window::whole(task.chips.size(chip)))?;
    task.scale.normalize(&mut values, &valid);
    let predicted = tch::no_grad(|| {
        let image = tensor::image(&values, network.device()).map_err(Error::torch("copy a chip"))?; // (1, C, H, W)
        let probabilities = task.passes.probabilities(network, &image, &|| observer.cancelled())?; // (1, K, H, W)
        tensor::classes(&probabilities).map_err(Error::torch("read the classes")) // (H, W)
    });
    let predicted = predicted.map_err(|source| match source {
        cancelled @ Error::Data(_) => cancelled,
        source => Error::Chip { chip: task.chips.chip(chip).image.clone(), source: Box::new(source) },
    })?;
    erode_borders(&mut truth, task.eroded);
    if let Some(folder) = task.predictions {
        folder.write(chip, &predicted)?;
    }
    let mut matrix = ConfusionMatrix::new(task.chips.legend());
    matrix.add_arrays(&ids(task.chips, &truth).view(), &ids(task.chips, &predicted).view())?;
    Ok(matrix)
}

/// The legend's ids for the places of classes; what is ignored stays so.
fn ids(chips: &ChipSet, places: &Array2<u8>) -> Array2<u8> {
    let mut ids = [IGNORE_INDEX; 256];
    for (id, class) in ids.iter_mut().zip(chips.legend().classes()) {
        *id = class.id.0;
    }
    places.mapv(|place| ids[usize::from(place)])
}

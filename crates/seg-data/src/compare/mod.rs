//! Class rasters against their truth.

mod error_map;
mod legend;
mod lines;
mod pair;
mod probabilities;
mod spots;
mod totals;

pub use error_map::write_error_map;
pub use lines::TileLines;
pub use spots::{Spot, SpotMaps, read_spot};

use crate::notes::summarized;
use crate::slots::Slots;
use crate::windows::windows;
use crate::{DataSet, Error, Kind, LabelFile, expand, inputs, pair};
use legend::find_legend;
use pair::{OpenPair, PairPlan};
use rayon::ThreadPoolBuilder;
use rayon::prelude::*;
use seg_grid::{Observer, Progress, Window};
use seg_label::{
    Assessment, AssessmentPlan, Calibration, CellCounts, CellGrid, ConfusionMatrix, Convention, Legend,
    LineAgreement,
};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use totals::Totals;

/// Class rasters to compare with their truth.
#[derive(Debug, Clone)]
pub struct CompareJob {
    /// Predicted class rasters.
    pub predictions: Vec<String>,
    /// The truth of each.
    pub truths: Vec<LabelFile>,
    /// Other predictions of the same, to be compared with the first; none, or one for each.
    pub others: Vec<String>,
    /// What else is known of each prediction; missing entries are unknown.
    pub known: Vec<Known>,
    /// How the truth writes classes; `None` takes the legend that the first prediction carries along, or else
    /// the ids that come.
    pub convention: Option<Convention>,
    /// What is counted.
    pub plan: AssessmentPlan,
    /// What becomes of rasters on other grids than their prediction's.
    pub grids: Grids,
    /// How many threads work.
    pub threads: usize,
}

/// What is known of a prediction beside its classes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// A raster of probabilities, one band a class in the legend's order, or of the highest alone.
    pub probabilities: Option<String>,
    /// Where the tiles met that it was computed in.
    pub tile_lines: Option<TileLines>,
    /// The image that it was made of.
    pub image: Option<String>,
}

/// What becomes of rasters on other grids than their prediction's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Grids {
    /// They are refused.
    #[default]
    Same,
    /// Each pixel of the prediction takes the nearest one.
    Nearest,
}

impl CompareJob {
    /// Of these rasters, on one grid, with what is counted by default.
    pub fn new(predictions: Vec<String>, truths: Vec<LabelFile>, threads: usize) -> Self {
        Self {
            predictions,
            truths,
            others: Vec::new(),
            known: Vec::new(),
            convention: None,
            plan: AssessmentPlan::default(),
            grids: Grids::Same,
            threads,
        }
    }

    /// What is known of a prediction.
    pub(crate) fn known(&self, i: usize) -> Known {
        self.known.get(i).cloned().unwrap_or_default()
    }

    /// Finds the rasters that the user named: files in the same order, or folders whose files are paired by
    /// name; `attribute` is that of truth polygons.
    ///
    /// # Errors
    /// If a folder cannot be read, or predictions and truths do not pair.
    pub fn find(
        predictions: &[String],
        truths: &[String],
        attribute: Option<&str>,
    ) -> Result<(Vec<String>, Vec<LabelFile>), Error> {
        let is_vector = |name: &String| {
            attribute.is_some() || (!Path::new(name).is_dir() && inputs::is_vector_name(name))
        };
        let kind = if truths.iter().any(is_vector) { Kind::LabelVectors } else { Kind::LabelRasters };
        let found = expand(predictions, Kind::LabelRasters, DataSet::Folder, None)?;
        let mut names = expand(truths, kind, DataSet::Folder, None)?;
        let plain = |names: &[String]| names.iter().all(|name| !Path::new(name).is_dir());
        if !(plain(predictions) && plain(truths)) {
            names = pair(&found, &names)?;
        } else if kind == Kind::LabelVectors && names.len() == 1 {
            names = vec![names[0].clone(); found.len()];
        } else if names.len() != found.len() {
            return Err(Error::CountMismatch { predictions: found.len(), truths: names.len() });
        }
        let truth = |name| match kind {
            Kind::LabelVectors => LabelFile::Polygons { name, attribute: attribute.map(str::to_owned) },
            _ => LabelFile::Raster(name),
        };
        Ok((found, names.into_iter().map(truth).collect()))
    }
}

/// What a comparison counted.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// The classes.
    pub legend: Legend,
    /// The counts of all rasters together.
    pub total: Assessment,
    /// The counts of the other predictions, where there are some.
    pub other: Option<ConfusionMatrix>,
    /// One for each prediction, in the job's order.
    pub scenes: Vec<Scene>,
    /// How often predictions are as right as they say, where probabilities are known.
    pub calibration: Option<Calibration>,
    /// How often they are right near tile lines and elsewhere, where these are known.
    pub lines: Option<LineAgreement>,
}

/// One prediction and its truth.
#[derive(Debug, Clone)]
pub struct Scene {
    /// The prediction.
    pub prediction: String,
    /// The truth.
    pub truth: String,
    /// The part of the prediction that is compared.
    pub compared: Window,
    /// Whether that is less than the prediction or the truth.
    pub cut: bool,
    /// Whether the truth was brought to the prediction's grid.
    pub resampled: bool,
    /// Square meters of a pixel, where they are known.
    pub pixel_area: Option<f64>,
    /// The counts of its parts.
    pub cells: CellCounts,
    /// The other prediction's counts of the same parts.
    pub other: Option<CellCounts>,
    /// Pixels of each class in the whole prediction, in the legend's order.
    pub mapped: Vec<u64>,
}

/// Counts how often each class of the truth was predicted as each class, over all rasters.
///
/// Rasters are streamed in windows, so memory does not grow with them. Truth rasters must lie on the grid of
/// their predictions, unless [`Grids`] says otherwise; where extents differ, what both have in common is compared.
///
/// ```no_run
/// use seg_data::{CompareJob, LabelFile, compare};
/// use seg_label::{Convention, Scores};
/// let truth = LabelFile::Raster("truth.tif".to_owned());
/// let mut job = CompareJob::new(vec!["classes.tif".to_owned()], vec![truth], 4);
/// job.convention = Convention::of_builtin_legend("potsdam");
/// let comparison = compare(&job, &seg_grid::Silent)?;
/// println!("{:?}", Scores::new(&comparison.total.matrix).miou);
/// # Ok::<(), seg_data::Error>(())
/// ```
///
/// # Errors
/// If a raster cannot be read, truth and prediction lie on different grids, a code means no class, or the
/// observer cancels.
pub fn compare(job: &CompareJob, observer: &dyn Observer) -> Result<Comparison, Error> {
    in_pool(job.threads, || {
        let convention = match &job.convention {
            Some(convention) => convention.clone(),
            None => Convention::new(find_legend(job)?),
        };
        let plans = check(job, &convention, observer)?;
        count(job, convention, &plans, observer)
    })
}

/// Does work in a pool of so many threads.
pub(crate) fn in_pool<T: Send>(
    threads: usize,
    work: impl FnOnce() -> Result<T, Error> + Send,
) -> Result<T, Error> {
    let pool = ThreadPoolBuilder::new().num_threads(threads).build();
    pool.map_err(|source| Error::Threads { threads, source })?.install(work)
}

/// Opens every pair once, before anything is counted.
fn check(job: &CompareJob, convention: &Convention, observer: &dyn Observer) -> Result<Vec<PairPlan>, Error> {
    let (mut plans, mut notes) = (Vec::new(), Vec::new());
    for (i, truth) in job.truths.iter().enumerate() {
        let (open, said) = OpenPair::open(job, i, convention)?;
        notes.extend(said.into_iter().map(|note| (truth.name().to_owned(), note)));
        plans.push(open.plan);
    }
    for note in summarized(notes) {
        observer.warning(&note);
    }
    Ok(plans)
}

/// A part of a pair, and what is done with it.
#[derive(Debug, Clone, Copy)]
enum Order {
    /// What is compared, by the prediction's pixels.
    Compare(Window),
    /// Only the map's classes are counted, beyond what is compared.
    Beyond(Window),
}

fn count(
    job: &CompareJob,
    convention: Convention,
    plans: &[PairPlan],
    observer: &dyn Observer,
) -> Result<Comparison, Error> {
    let side = CellGrid::side_for(plans.iter().map(|plan| plan.compared.area()).sum());
    let orders: Vec<(usize, Order)> = plans
        .iter()
        .enumerate()
        .flat_map(|(i, plan)| {
            let moved = |w: Window| Window { x: w.x + plan.compared.x, y: w.y + plan.compared.y, ..w };
            let inside = windows(plan.compared.size()).map(move |window| Order::Compare(moved(window)));
            let beyond = windows(plan.size).filter(|window| !plan.compared.contains(*window));
            inside.chain(beyond.map(Order::Beyond)).map(move |order| (i, order))
        })
        .collect();
    let grid = |plan: &PairPlan| CellGrid::new(plan.compared.width, plan.compared.height, side);
    let totals = Mutex::new(Totals::new(job, &convention.legend, plans.iter().map(grid)));
    let (slots, done, total) = (Slots::new(), AtomicU64::new(0), orders.len() as u64);
    orders.par_iter().try_for_each(|&(i, order)| {
        if observer.cancelled() {
            return Err(Error::Cancelled);
        }
        let grid = grid(&plans[i]);
        let counted = slots.with(
            i,
            || OpenPair::open(job, i, &convention).map(|(open, _)| open),
            |open| match order {
                Order::Compare(window) => open.count(job, i, window, grid, &convention),
                Order::Beyond(window) => open.count_beyond(window, &convention),
            },
        )?;
        let mut totals = totals.lock().unwrap_or_else(PoisonError::into_inner);
        totals.add(i, &counted).map_err(|source| pair::mismatch(job, i, source))?;
        drop(totals);
        let done = done.fetch_add(1, Ordering::Relaxed) + 1;
        observer.progress(Progress { stage: "eval", done, total });
        Ok(())
    })?;
    totals.into_inner().unwrap_or_else(PoisonError::into_inner).finish(job, convention.legend, plans)
}

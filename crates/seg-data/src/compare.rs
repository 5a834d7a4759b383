use crate::class_names::{legend_of_ids, legend_of_raster};
use crate::labels::LabelReader;
use crate::notes::summarized;
use crate::slots::Slots;
use crate::windows::windows;
use crate::{DataSet, Error, Kind, LabelFile, expand, inputs, pair};
use ndarray::{Array2, s};
use rayon::ThreadPoolBuilder;
use rayon::prelude::*;
use seg_gdal::RasterProfile;
use seg_grid::{Observer, Progress, Size, Window};
use seg_label::{Code, ConfusionMatrix, Convention, Legend, Relabel, Tally, erode_borders};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Class rasters to compare with their truth.
#[derive(Debug, Clone)]
pub struct CompareJob {
    /// Predicted class rasters.
    pub predictions: Vec<String>,
    /// The truth of each.
    pub truths: Vec<LabelFile>,
    /// How the truth writes classes; `None` takes the legend that the first prediction carries along, or else
    /// the ids that come.
    pub convention: Option<Convention>,
    /// Pixels of the truth within so many of another class are ignored; 0 keeps them.
    pub eroded: usize,
    /// How many threads work.
    pub threads: usize,
}

impl CompareJob {
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
    pub matrix: ConfusionMatrix,
}

/// Counts how often each class of the truth was predicted as each class, over all rasters.
///
/// Rasters are streamed in windows, so memory does not grow with them. Truth rasters must lie on the grid of
/// their predictions; nothing is resampled.
///
/// ```no_run
/// use seg_data::{CompareJob, LabelFile, compare};
/// use seg_label::{Convention, Scores};
/// let comparison = compare(
///     &CompareJob {
///         predictions: vec!["classes.tif".to_owned()],
///         truths: vec![LabelFile::Raster("truth.tif".to_owned())],
///         convention: Convention::of_builtin_legend("potsdam"),
///         eroded: 0,
///         threads: 4,
///     },
///     &seg_grid::Silent,
/// )?;
/// println!("{:?}", Scores::new(&comparison.matrix).miou);
/// # Ok::<(), seg_data::Error>(())
/// ```
///
/// # Errors
/// If a raster cannot be read, truth and prediction lie on different grids, a code means no class, or the
/// observer cancels.
pub fn compare(job: &CompareJob, observer: &dyn Observer) -> Result<Comparison, Error> {
    let pool = ThreadPoolBuilder::new()
        .num_threads(job.threads)
        .build()
        .map_err(|source| Error::Threads { threads: job.threads, source })?;
    pool.install(|| {
        let convention = match &job.convention {
            Some(convention) => convention.clone(),
            None => Convention::new(find_legend(job)?),
        };
        let sizes = check(job, &convention, observer)?;
        count(job, convention, &sizes, observer)
    })
}

/// A prediction and its truth, open for one thread.
struct Open {
    prediction: LabelReader,
    truth: LabelReader,
}

/// What a window of one pair of rasters came to.
struct Counted {
    matrix: ConfusionMatrix,
    truth: Tally,
    prediction: Tally,
}

fn open(
    job: &CompareJob,
    i: usize,
    convention: &Convention,
) -> Result<(Open, RasterProfile, Vec<String>), Error> {
    // A prediction is in the legend's own ids or colors, whatever the truth's files write.
    let own = convention.in_own_ids();
    let (prediction, profile, mut said) = LabelReader::open_raster(&job.predictions[i], &own)?;
    let (truth, more) = LabelReader::open(&job.truths[i], &profile, convention)?;
    said.extend(more);
    Ok((Open { prediction, truth }, profile, said))
}

/// Opens every pair once, before anything is counted.
fn check(job: &CompareJob, convention: &Convention, observer: &dyn Observer) -> Result<Vec<Size>, Error> {
    let (mut sizes, mut notes) = (Vec::new(), Vec::new());
    for (i, truth) in job.truths.iter().enumerate() {
        let (_, profile, said) = open(job, i, convention)?;
        notes.extend(said.into_iter().map(|note| (truth.name().to_owned(), note)));
        sizes.push(profile.size);
    }
    for note in summarized(notes) {
        observer.warning(&note);
    }
    Ok(sizes)
}

fn count(
    job: &CompareJob,
    convention: Convention,
    sizes: &[Size],
    observer: &dyn Observer,
) -> Result<Comparison, Error> {
    let orders: Vec<(usize, Window)> = sizes
        .iter()
        .enumerate()
        .flat_map(|(i, &size)| windows(size).map(move |window| (i, window)))
        .collect();
    let own = convention.in_own_ids().relabel;
    let (slots, done, total) = (Slots::new(), AtomicU64::new(0), orders.len() as u64);
    let counted: Vec<Counted> = orders
        .par_iter()
        .map(|&(i, window)| {
            if observer.cancelled() {
                return Err(Error::Cancelled);
            }
            let counted = slots.with(
                i,
                || open(job, i, &convention).map(|(open, ..)| open),
                |open| count_window(job, i, (window, sizes[i]), open, &convention, &own),
            )?;
            observer.progress(Progress {
                stage: "eval",
                done: done.fetch_add(1, Ordering::Relaxed) + 1,
                total,
            });
            Ok(counted)
        })
        .collect::<Result<_, _>>()?;
    let mut matrix = ConfusionMatrix::new(&convention.legend);
    let mut tallies = vec![(Tally::default(), Tally::default()); sizes.len()];
    for (&(i, _), part) in orders.iter().zip(counted) {
        matrix.merge(&part.matrix).map_err(|source| mismatch(job, i, source))?;
        tallies[i].0.merge(part.truth);
        tallies[i].1.merge(part.prediction);
    }
    for (i, (truth, prediction)) in tallies.iter().enumerate() {
        for (name, tally) in [(job.truths[i].name(), truth), (job.predictions[i].as_str(), prediction)] {
            if !tally.unknown.is_empty() {
                return Err(Error::UnknownCodes { name: name.to_owned(), codes: tally.describe_unknown() });
            }
        }
    }
    Ok(Comparison { legend: convention.legend, matrix })
}

fn count_window(
    job: &CompareJob,
    i: usize,
    (window, size): (Window, Size),
    open: &Open,
    convention: &Convention,
    own: &Relabel,
) -> Result<Counted, Error> {
    let (mut truth, mut prediction) = (Tally::default(), Tally::default());
    let true_ids = read_eroded(&open.truth, (window, size), convention, job.eroded, &mut truth)?;
    let predicted = open.prediction.read(window, own, &mut prediction)?;
    let mut matrix = ConfusionMatrix::new(&convention.legend);
    matrix.add_arrays(&true_ids.view(), &predicted.view()).map_err(|source| mismatch(job, i, source))?;
    Ok(Counted { matrix, truth, prediction })
}

/// The classes of a window without those near borders, for which its surroundings are read too.
fn read_eroded(
    truth: &LabelReader,
    (window, raster): (Window, Size),
    convention: &Convention,
    eroded: usize,
    tally: &mut Tally,
) -> Result<Array2<u8>, Error> {
    let ids = truth.read(window, &convention.relabel, tally)?;
    if eroded == 0 {
        return Ok(ids);
    }
    let (x, y) = (window.x.saturating_sub(eroded), window.y.saturating_sub(eroded));
    let (right, bottom) =
        ((window.right() + eroded).min(raster.width), (window.bottom() + eroded).min(raster.height));
    let around = Window { x, y, width: right - x, height: bottom - y };
    // The window's own codes were counted; those around it are other windows'.
    let mut ids = truth.read(around, &convention.relabel, &mut Tally::default())?;
    erode_borders(&mut ids, eroded);
    let inside = s![window.y - y..window.bottom() - y, window.x - x..window.right() - x];
    Ok(ids.slice(inside).to_owned())
}

fn mismatch(job: &CompareJob, i: usize, source: seg_label::Error) -> Error {
    Error::Compare { prediction: job.predictions[i].clone(), truth: job.truths[i].name().to_owned(), source }
}

/// The legend that the first prediction carries along, or else one of the ids that come in the rasters.
fn find_legend(job: &CompareJob) -> Result<Legend, Error> {
    // Any legend will do to open rasters that are read by their ids.
    let any = legend_of_ids([0]).map(Convention::new).ok_or(Error::NoLegend)?;
    let first = job.predictions.first().ok_or(Error::NoInput)?;
    let (_, profile, _) = LabelReader::open_raster(first, &any)?;
    if let Some(legend) = legend_of_raster(&profile) {
        return Ok(legend);
    }
    let nothing_known = Relabel::new(&any.legend).without_ids();
    let mut ids = BTreeSet::new();
    for (prediction, truth) in job.predictions.iter().zip(&job.truths) {
        let LabelFile::Raster(truth) = truth else { return Err(Error::NoLegend) };
        for name in [prediction, truth] {
            let (reader, profile, _) = LabelReader::open_raster(name, &any)?;
            let reader = reader.by_id().ok_or(Error::NoLegend)?;
            for window in windows(profile.size) {
                let mut tally = Tally::default();
                reader.read(window, &nothing_known, &mut tally)?;
                ids.extend(tally.unknown.keys().filter_map(|code| match code {
                    Code::Id(id) => u8::try_from(*id).ok(),
                    Code::Color(_) => None,
                }));
            }
        }
    }
    legend_of_ids(ids).ok_or(Error::NoLegend)
}

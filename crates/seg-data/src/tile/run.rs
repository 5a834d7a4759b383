use crate::notes::summarized;
use crate::slots::Slots;
use crate::split::{Assignment, ChipPlace, SplitBy, SplitPlan, SplitSource, assign_splits};
use crate::tile::cut::{Cut, Handles, Order, cut};
use crate::tile::gather::{Input, gather};
use crate::tile::job::{TileJob, TileSummary};
use crate::tile::names::chip_names;
use crate::tile::out_folder::OutFolder;
use crate::tile::scan::scan;
use crate::tile::source::Source;
use crate::tile::summary::Gathered;
use crate::tile::survey::survey;
use crate::{Error, Split};
use rayon::ThreadPoolBuilder;
use rayon::prelude::*;
use seg_gdal::files_behind;
use seg_grid::{Observer, Progress};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Cuts rasters, and with labels their truth, into chips with a manifest, a legend and statistics.
///
/// The bytes of all files are the same for any number of threads. The folder has its files only when all are
/// whole: an error or a cancellation leaves nothing new.
///
/// ```no_run
/// use seg_data::{Existing, LabelInput, SplitRequest, TileJob, Variants, tile};
/// use seg_gdal::ChipFormat;
/// use seg_grid::{EdgePolicy, Silent};
/// use seg_label::Convention;
///
/// let summary = tile(
///     &TileJob {
///         inputs: vec!["orthophoto.tif".to_owned()],
///         labels: Some(LabelInput { name: "truth.tif".to_owned(), attribute: None }),
///         convention: Convention::of_builtin_legend("potsdam"),
///         data_set: None,
///         variants: Variants::default(),
///         size: 512,
///         overlap: 64,
///         edge: EdgePolicy::Shift,
///         split: SplitRequest::default(),
///         format: ChipFormat::GTiff,
///         creation_options: Vec::new(),
///         skip_nodata: 1.0,
///         threads: 4,
///         out: "chips".into(),
///         existing: Existing::Refuse,
///     },
///     &Silent,
/// )?;
/// assert_eq!(summary.sources, 1);
/// # Ok::<(), seg_data::Error>(())
/// ```
///
/// # Errors
/// If an input cannot be read, an image has no label, labels lie on another grid or hold nothing of the legend,
/// bands differ between images, the folder holds chips or something else, nothing is left for training, or the
/// observer cancels.
pub fn tile(job: &TileJob, observer: &dyn Observer) -> Result<TileSummary, Error> {
    let pool = ThreadPoolBuilder::new()
        .num_threads(job.threads)
        .build()
        .map_err(|source| Error::Threads { threads: job.threads, source })?;
    pool.install(|| run(job, observer))
}

/// Refuses to read from what is replaced.
fn check_outside(out: &Path, inputs: &[Input]) -> Result<(), Error> {
    let Ok(folder) = out.canonicalize() else { return Ok(()) };
    let names = |input: &Input| {
        let label = input.label.as_ref().map(|label| label.name().to_owned());
        std::iter::once(input.image.clone()).chain(label)
    };
    for name in inputs.iter().flat_map(names) {
        let mut files = files_behind(&name);
        // Some formats are folders.
        files.push(name.clone().into());
        if files.iter().any(|file| file.canonicalize().is_ok_and(|path| path.starts_with(&folder))) {
            return Err(Error::InputInside { name, out: out.to_path_buf() });
        }
    }
    Ok(())
}

fn run(job: &TileJob, observer: &dyn Observer) -> Result<TileSummary, Error> {
    let inputs = gather(job, observer)?;
    if job.convention.is_none() && inputs.iter().any(|input| input.label.is_some()) {
        return Err(Error::NoLegend);
    }
    check_outside(&job.out, &inputs)?;
    let out = OutFolder::create(&job.out, job.existing)?;
    let sources = check(job, &inputs, observer)?;
    same_bands(&sources, observer)?;
    comparable_places(job, &sources, observer);
    let tallies = scan(job, &sources, observer)?;
    let (chips, skipped) = survey(job, &sources, observer)?;
    let assignment = assign(job, &sources, &chips)?;
    let names = chip_names(&inputs.into_iter().map(|input| input.image).collect::<Vec<_>>());
    let orders: Vec<_> = chips
        .iter()
        .zip(&assignment.splits)
        .filter_map(|(chip, split)| {
            let (source, name) = (&sources[chip.source], names[chip.source].as_str());
            split.map(|split| Order { source, index: chip.source, name, window: chip.window, split })
        })
        .collect();
    let cuts = cut_all(job, &orders, &out, observer)?;
    let gathered = Gathered::new(&sources, &assignment, skipped, tallies, cuts);
    gathered.finish(job, out, observer)
}

fn check(job: &TileJob, inputs: &[Input], observer: &dyn Observer) -> Result<Vec<Source>, Error> {
    let done = AtomicU64::new(0);
    let total = inputs.len() as u64;
    let mut sources = inputs
        .par_iter()
        .map(|input| {
            if observer.cancelled() {
                return Err(Error::Cancelled);
            }
            let source = Source::check(input, job)?;
            observer.progress(Progress {
                stage: "check",
                done: done.fetch_add(1, Ordering::Relaxed) + 1,
                total,
            });
            Ok(source)
        })
        .collect::<Result<Vec<_>, _>>()?;
    let notes = sources.iter_mut().flat_map(|source| std::mem::take(&mut source.notes)).collect();
    for note in summarized(notes) {
        observer.warning(&note);
    }
    Ok(sources)
}

/// Chips of one set have the same bands; types may differ, and that is said.
fn same_bands(sources: &[Source], observer: &dyn Observer) -> Result<(), Error> {
    let Some(first) = sources.first() else { return Ok(()) };
    if let Some(other) = sources.iter().find(|other| other.bands != first.bands) {
        return Err(Error::MixedBands {
            first: first.name.clone(),
            first_bands: first.bands,
            second: other.name.clone(),
            second_bands: other.bands,
        });
    }
    if let Some(other) = sources.iter().find(|other| other.dtype != first.dtype) {
        observer.warning(&format!(
            "{} holds {}, but {} holds {}: the statistics mix their scales",
            first.name, first.dtype, other.name, other.dtype
        ));
    }
    Ok(())
}

/// A split by area sees shared ground only where rasters are placed in one CRS: elsewhere the user is told.
fn comparable_places(job: &TileJob, sources: &[Source], observer: &dyn Observer) {
    if sources.len() < 2 || job.own_split().is_some() {
        return;
    }
    let places: Vec<_> = sources.iter().map(|source| source.split_source().place).collect();
    let unplaced = places.iter().filter(|place| place.placed().is_none()).count();
    if unplaced > 0 {
        observer.warning(&format!(
            "{unplaced} of {} rasters are not placed in the world: the split takes them for different ground",
            sources.len()
        ));
    }
    let placed = places.iter().filter(|place| place.placed().is_some());
    let systems: BTreeSet<_> = placed.map(|place| place.crs.as_deref()).collect();
    if systems.len() > 1 {
        observer.warning(&format!(
            "the rasters are in {} coordinate systems: the split does not see where those of different systems \
             show the same ground",
            systems.len()
        ));
    }
}

fn assign(job: &TileJob, sources: &[Source], chips: &[ChipPlace]) -> Result<Assignment, Error> {
    let by = match job.own_split() {
        Some(set) => {
            let own = |source: &Source| set.split_of(Path::new(&source.name)).unwrap_or(Split::Train);
            SplitBy::Given(sources.iter().map(own).collect())
        }
        None => job.split.by.clone(),
    };
    let shares = job.split.shares.unwrap_or_default();
    let plan = SplitPlan { shares, by, buffer: job.buffer(), seed: job.split.seed };
    let places: Vec<SplitSource> = sources.iter().map(Source::split_source).collect();
    assign_splits(&places, chips, &plan, job.size)
}

fn cut_all(
    job: &TileJob,
    orders: &[Order<'_>],
    out: &OutFolder,
    observer: &dyn Observer,
) -> Result<Vec<Cut>, Error> {
    let (slots, done, total) = (Slots::new(), AtomicU64::new(0), orders.len() as u64);
    orders
        .par_iter()
        .map(|order| {
            if observer.cancelled() {
                return Err(Error::Cancelled);
            }
            let cut = slots.with(
                order.index,
                || Handles::open(order, job),
                |handles| cut(order, handles, job, out),
            )?;
            observer.progress(Progress {
                stage: "tile",
                done: done.fetch_add(1, Ordering::Relaxed) + 1,
                total,
            });
            Ok(cut)
        })
        .collect()
}

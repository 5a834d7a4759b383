use crate::generalize::Recode;
use crate::join::{Joiner, Place};
use crate::pipeline::{in_order, reopened};
use crate::simplify::{Simplifier, Stop};
use crate::trace::{Band, BandTrace, Vertices, bands};
use crate::{Area, ClassSource, Error, Simplify};
use crossbeam_channel::bounded;
use seg_grid::Observer;
use std::error::Error as StdError;

/// Lists of areas that wait to be written.
const WAITING: usize = 2;

/// Which pixels of a class are one area.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Connectedness {
    /// Those that share edges.
    #[default]
    Four,
    /// Those that share edges or corners.
    Eight,
}

/// How a raster is worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Work {
    /// Rows that are worked on at once; they change nothing in the result.
    pub band_rows: usize,
    /// Threads that do so.
    pub workers: usize,
}

/// How polygons are made.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PolygonizeSettings {
    /// Which pixels of a class are one area.
    pub connectedness: Connectedness,
    /// How borders are simplified, if they are.
    pub simplify: Option<Simplify>,
}

/// Turns areas of one class into polygons that share their borders exactly, and hands them out one after the other
/// as soon as they are known; memory depends on the areas that reach the rows in work.
///
/// `finish` is called for many areas at once, on several threads, and `write` with what it makes of them, in the order
/// of the areas' last rows, then of their first pixels, whatever `work` says.
///
/// ```
/// use ndarray::array;
/// use seg_grid::Silent;
/// use seg_vector::{ClassArray, PolygonizeSettings, Work, polygonize};
/// let raster = ClassArray { classes: array![[1, 1, 2], [1, 2, 2]], confidence: None };
/// let mut areas = Vec::new();
/// let work = Work { band_rows: 512, workers: 1 };
/// polygonize(&raster, None, &PolygonizeSettings::default(), work, &Silent, |area| area, |area| {
///     areas.push(area);
///     Ok(())
/// })?;
/// assert_eq!(areas.iter().map(|area| (area.class, area.pixels)).collect::<Vec<_>>(), [(1, 3), (2, 3)]);
/// # Ok::<(), seg_vector::Error>(())
/// ```
///
/// # Errors
/// If the raster cannot be read, `write` fails, or the observer wants an end.
pub fn polygonize<T: Send>(
    source: &dyn ClassSource,
    recode: Option<&Recode>,
    settings: &PolygonizeSettings,
    work: Work,
    observer: &dyn Observer,
    finish: impl Fn(Area) -> T + Sync,
    mut write: impl FnMut(T) -> Result<(), Box<dyn StdError + Send + Sync>>,
) -> Result<(), Error> {
    let size = source.size();
    let height = size.height;
    let rows = recode.map_or(work.band_rows, Recode::band_rows);
    let bands: Vec<_> = bands(height, rows).collect();
    let vertices = if settings.simplify.is_some() { Vertices::Keep } else { Vertices::Skip };
    let trace = |source: &mut dyn ClassSource, rows: std::ops::Range<usize>| {
        let classes = source.classes(Band::to_read(&rows))?;
        let confidence = source.confidence(rows.clone())?;
        let mut band = Band::new(&classes, rows, height);
        if let Some(recode) = recode {
            recode.apply(&mut band, height);
        }
        Ok(BandTrace::of(&band, height, confidence.as_ref(), vertices))
    };
    let mut joiner = Joiner::new(
        settings.connectedness,
        settings.simplify.clone().map(|simplify| Simplifier::new(simplify, size)),
    );
    let sources = reopened(source, work.workers)?;
    let (give, take) = bounded::<Vec<T>>(WAITING);
    // The writer stays on the caller's thread, since what it writes to may not leave it.
    std::thread::scope(|scope| {
        let (bands, finish) = (&bands, &finish);
        let joined = scope.spawn(move || {
            in_order(sources, bands, ("trace", observer), trace, |index, trace| {
                let place = if index + 1 == bands.len() { Place::Last } else { Place::Inside };
                let areas = joiner.step(trace, place, Stop(observer), finish);
                if observer.cancelled() {
                    return Err(Error::Cancelled);
                }
                // A writer that has failed listens no more, and says why itself.
                give.send(areas).map_err(|_| Error::Cancelled)
            })
        });
        let mut written = Ok(());
        for areas in take {
            written = areas.into_iter().try_for_each(&mut write).map_err(Error::Write);
            if written.is_err() {
                break;
            }
        }
        let joined = joined.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        written.and(joined)
    })
}

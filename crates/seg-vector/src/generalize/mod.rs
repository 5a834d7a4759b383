//! Small areas and small holes, given to their neighbors before anything is traced.

mod build;
mod graph;
mod holes;
mod neighbors;
mod recode;
mod weights;

pub use recode::Recode;

use crate::pipeline::{in_order, reopened};
use crate::trace::{Band, bands};
use crate::{ClassSource, Connectedness, Error, Ground, Work};
use build::{BandGraph, Builder};
use seg_grid::Observer;
use weights::Weights;

/// What is too small to stay.
#[derive(Debug, Clone, PartialEq)]
pub struct Generalize {
    /// Which pixels of a class are one area.
    pub connectedness: Connectedness,
    /// Areas below this become part of the neighbor with which they share the longest border, the smallest area
    /// first, in the units of `ground` squared.
    pub min_area: Option<f64>,
    /// What lies inside of one area alone, touches no nodata and is smaller than this becomes part of it, in the same
    /// units.
    pub fill_holes: Option<f64>,
    /// What a pixel measures.
    pub ground: Ground,
    /// How many areas memory has room for, at [`BYTES_PER_AREA`] each; one that reaches over several bands counts in
    /// each.
    pub most_areas: usize,
}

/// About what an area and its borders take in memory; one that reaches over several bands counts in each.
pub const BYTES_PER_AREA: u64 = 200;

/// Finds out which class each area of a raster gets.
///
/// Areas of one class that meet when what lay between them is gone become one area. Nodata stays nodata, and what has
/// no neighbor stays, however small. Memory is about [`BYTES_PER_AREA`] for each area of the raster.
///
/// ```
/// use ndarray::array;
/// use seg_grid::Silent;
/// use seg_vector::{ClassArray, Connectedness, Generalize, Ground, Work, generalize};
/// let raster = ClassArray { classes: array![[1, 1, 1], [1, 2, 1]], confidence: None };
/// let settings = Generalize {
///     connectedness: Connectedness::Four,
///     min_area: Some(2.0),
///     fill_holes: None,
///     ground: Ground::PIXELS,
///     most_areas: 1_000_000,
/// };
/// let recode = generalize(&raster, &settings, Work { band_rows: 64, workers: 1 }, &Silent)?;
/// assert_eq!(recode.merged(), 1);
/// # Ok::<(), seg_vector::Error>(())
/// ```
///
/// # Errors
/// If the raster cannot be read, has too many areas, or the observer wants an end.
pub fn generalize(
    source: &dyn ClassSource,
    settings: &Generalize,
    work: Work,
    observer: &dyn Observer,
) -> Result<Recode, Error> {
    let size = source.size();
    let bands: Vec<_> = bands(size.height, work.band_rows).collect();
    let weights = Weights::of(&settings.ground, size.height);
    let look = |source: &mut dyn ClassSource, rows: std::ops::Range<usize>| {
        let classes = source.classes(Band::to_read(&rows))?;
        let band = Band::new(&classes, rows, size.height);
        Ok(BandGraph::of(&band, size.height, settings.connectedness, &weights))
    };
    let mut builder = Builder::new(settings.connectedness, &weights);
    in_order(reopened(source, work.workers)?, &bands, ("look", observer), look, |_, band| {
        builder.add(band);
        if builder.parts() > settings.most_areas {
            return Err(Error::TooManyAreas { most: settings.most_areas, band_rows: work.band_rows });
        }
        Ok(())
    })?;
    let (mut graph, ledger) = builder.finish();
    let filled = match settings.fill_holes {
        Some(limit) => holes::fill(&mut graph, weights.threshold(limit)),
        None => 0,
    };
    let merged = match settings.min_area {
        Some(limit) => graph.merge_small(weights.threshold(limit)),
        None => 0,
    };
    Ok(Recode::of(&mut graph, &ledger, work.band_rows, merged, filled))
}

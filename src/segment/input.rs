//! What is read: rasters, the part of them that is wanted, and the grid that the outputs have.

use super::opened::{BeforeReading, Opened};
use super::view::View;
use super::{Job, sampled};
use crate::diagnostic::Advice;
use seg_gdal::{AreaOfInterest, Bounds, Crs, GridReference, Reach, ReadOptions, SelectedRaster};
use seg_grid::{IoError, Observer, RasterSource, Regrid, Resampled};

/// The part of a raster that a user asks for.
#[derive(Debug, Clone)]
pub(crate) enum AreaRequest {
    /// A box, in the raster's CRS if none is given.
    Box(Bounds, Option<Crs>),
    /// Polygons of any name that GDAL can open.
    Polygons(String),
}

/// Rasters that were opened, looked through and found to fit.
pub(crate) struct Input {
    /// What the network sees.
    pub source: Box<dyn RasterSource>,
    /// The same before anything was resampled or left out: what scaling is decided on.
    pub original: Box<dyn RasterSource>,
    /// Where that lies.
    pub own: GridReference,
    /// The bands read, counted from 1.
    pub bands: Vec<usize>,
    /// The grid of the outputs.
    pub reference: GridReference,
    /// How scores get to that grid, where the network sees other pixels.
    pub regrid: Option<Regrid>,
    /// What of it decides the result.
    pub parameters: Vec<(&'static str, String)>,
    /// The hash of its pixels, once somebody has asked.
    pixels: Option<String>,
}

impl AreaRequest {
    /// From the flags `--bbox`, `--bbox-crs` and `--aoi`.
    pub(crate) fn new(
        bounds: Option<Bounds>,
        crs: Option<&str>,
        polygons: Option<&str>,
    ) -> Result<Option<Self>, Advice> {
        let crs = crs.map(|text| crs_of("--bbox-crs", text)).transpose()?;
        let polygons = polygons.map(|name| Self::Polygons(name.to_owned()));
        Ok(bounds.map(|bounds| Self::Box(bounds, crs)).or(polygons))
    }
}

/// Reads the CRS that a flag was given.
pub(crate) fn crs_of(flag: &str, text: &str) -> Result<Crs, Advice> {
    Crs::parse(text).map_err(|error| {
        let hint = "a CRS is a code such as EPSG:25832, WKT, or a PROJ string";
        Advice::new(format!("{flag}: {error}"), hint)
    })
}

impl Input {
    /// Opens what a job reads, and calls `before_reading` before any pixel is.
    ///
    /// `model_gsd` is the pixel size that the network learned from, in meters.
    pub(crate) fn open(
        job: &Job,
        model_gsd: Option<f64>,
        options: &ReadOptions,
        before_reading: &mut BeforeReading<'_>,
        observer: &dyn Observer,
    ) -> anyhow::Result<Self> {
        let native = Opened::open(&job.inputs, options, before_reading)?;
        for note in native.notes() {
            observer.warning(&note.to_string());
        }
        let (name, own) = (native.source().profile().name.clone(), native.grid());
        let (original, fingerprint) =
            (native.source().reopen()?, native.source().profile().fingerprint.clone());
        let view = View::of(job, model_gsd, &name, &own)?;
        let bands = native.bands_read();
        let reference = match &view {
            View::Warped { grid, .. } => grid.clone(),
            View::Native | View::Resized { .. } => own.clone(),
        };
        let area = job.area.as_ref().map(|request| lay(request, &name, &reference)).transpose()?;
        for note in area.iter().flat_map(AreaOfInterest::notes) {
            observer.warning(&note.to_string());
        }
        let parameters = vec![
            ("input", fingerprint),
            ("area", area.as_ref().map(AreaOfInterest::fingerprint).unwrap_or_default()),
            ("pixels", view.to_string()),
        ];
        let restrict = |raster: Box<dyn RasterSource>, reach: Reach, grid: &GridReference| match &area {
            Some(area) => Box::new(SelectedRaster::new(raster, area.on(grid), reach)),
            None => raster,
        };
        let (source, regrid) = match view {
            View::Native => (restrict(native.into_source(), Reach::Inside, &reference), None),
            View::Warped { grid, how } => {
                (restrict(native.resampled(&grid, how)?, Reach::Inside, &grid), None)
            }
            View::Resized { grid, how, regrid } => {
                let seen = restrict(native.resampled(&grid, how)?, Reach::Touching, &grid);
                let native = restrict(original.reopen()?, Reach::Inside, &reference);
                (Box::new(Resampled::new(seen, native)) as Box<dyn RasterSource>, Some(regrid))
            }
        };
        Ok(Self { source, original, own, bands, reference, regrid, parameters, pixels: None })
    }
}

impl Input {
    /// A hash of its values in some blocks, which are read the first time only.
    pub(crate) fn pixels(&mut self) -> Result<String, IoError> {
        if self.pixels.is_none() {
            self.pixels = Some(sampled::fingerprint(&mut *self.original)?);
        }
        Ok(self.pixels.clone().unwrap_or_default())
    }
}

/// Lays the area that was asked for over the grid of the outputs.
fn lay(request: &AreaRequest, name: &str, grid: &GridReference) -> Result<AreaOfInterest, seg_gdal::Error> {
    match request {
        AreaRequest::Box(bounds, crs) => AreaOfInterest::of_box(*bounds, crs.as_ref(), name, grid),
        AreaRequest::Polygons(file) => AreaOfInterest::open(file, None, name, grid),
    }
}

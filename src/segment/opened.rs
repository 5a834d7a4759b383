//! One raster or several as they are, before anything is resampled or left out.

use seg_gdal::{Error, GeoRaster, GridReference, Mosaic, Note, Probe, ReadOptions, Resampling};
use seg_grid::{RasterSource, SourceProfile};

/// A raster, or several that are one.
pub(super) enum Opened {
    One(Box<GeoRaster>),
    Several(Box<Mosaic>),
}

/// What has to be done before the first pixel is read, given the raster where it is a single one.
pub(super) type BeforeReading<'a> = dyn FnMut(Option<&SourceProfile>) -> Result<(), Error> + 'a;

impl Opened {
    /// Opens the rasters and reads a sample of each, after a call of `before_reading`.
    pub(super) fn open(
        names: &[String],
        options: &ReadOptions,
        before_reading: &mut BeforeReading<'_>,
    ) -> Result<Self, Error> {
        let [only] = names else {
            before_reading(None)?;
            return Ok(Self::Several(Box::new(Mosaic::open(names, options)?)));
        };
        let mut raster = GeoRaster::open(only, options)?;
        before_reading(Some(raster.profile()))?;
        raster.probe(Probe::Sample)?;
        Ok(Self::One(Box::new(raster)))
    }

    /// As a source of pixels.
    pub(super) fn source(&self) -> &dyn RasterSource {
        match self {
            Self::One(raster) => &**raster,
            Self::Several(mosaic) => &**mosaic,
        }
    }

    /// The same, owned.
    pub(super) fn into_source(self) -> Box<dyn RasterSource> {
        match self {
            Self::One(raster) => raster,
            Self::Several(mosaic) => mosaic,
        }
    }

    /// Where it lies.
    pub(super) fn grid(&self) -> GridReference {
        match self {
            Self::One(raster) => GridReference::from(raster.raster_profile()),
            Self::Several(mosaic) => mosaic.grid().clone(),
        }
    }

    /// The bands read, counted from 1.
    pub(super) fn bands_read(&self) -> Vec<usize> {
        match self {
            Self::One(raster) => raster.bands_read().into_iter().map(seg_gdal::BandIndex::number).collect(),
            Self::Several(mosaic) => (1..=mosaic.profile().bands).collect(),
        }
    }

    /// What the user should be told.
    pub(super) fn notes(&self) -> Vec<Note> {
        match self {
            Self::One(raster) => raster.notes(),
            Self::Several(mosaic) => mosaic.notes().to_vec(),
        }
    }

    /// The same on another grid.
    pub(super) fn resampled(
        self,
        grid: &GridReference,
        how: Resampling,
    ) -> Result<Box<dyn RasterSource>, Error> {
        Ok(match self {
            Self::One(raster) => Box::new(raster.resampled(grid, how)?),
            Self::Several(mut mosaic) => Box::new(mosaic.resampled(grid, how)?),
        })
    }
}

use crate::{BandIndex, BandProfile, Crs, Error, Note, files};
use gdal::{Dataset, DriverManager, Metadata};
use seg_grid::{DataType, GeoTransform, Size};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Bands that a profile describes; a file can claim 65,535.
const DESCRIBED_BANDS: usize = 256;

/// What a raster is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct RasterProfile {
    /// The name it was opened by.
    pub name: String,
    /// GDAL's driver, such as `GTiff`.
    pub driver: String,
    /// Width and height.
    pub size: Size,
    /// The number of bands.
    pub band_count: usize,
    /// The first 256 bands.
    pub bands: Vec<BandProfile>,
    /// Whether all bands share their blocks, so that decoding one decodes all.
    pub interleaved: bool,
    /// The CRS of the geotransform.
    pub crs: Option<Crs>,
    /// The map from pixels to the world.
    pub transform: Option<GeoTransform>,
    /// Ground control points.
    pub gcps: Vec<ControlPoint>,
    /// The CRS of the ground control points.
    pub gcp_crs: Option<Crs>,
    /// Rational polynomial coefficients, as `KEY=VALUE`.
    pub rpc: Vec<String>,
    /// Whether values stand for areas or for points; positions are of pixel corners either way.
    pub pixel_is: PixelIs,
    /// Local files that the raster is read from, as far as they can be told.
    pub files: Vec<PathBuf>,
}

/// Whether a pixel stands for an area or a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PixelIs {
    /// An area, as in pictures.
    #[default]
    Area,
    /// A point, as in many elevation models.
    Point,
}

/// A ground control point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ControlPoint {
    /// Its name.
    pub id: String,
    /// What is said about it.
    pub info: String,
    /// Column, fractions allowed.
    pub column: f64,
    /// Row, fractions allowed.
    pub row: f64,
    /// Easting or longitude.
    pub x: f64,
    /// Northing or latitude.
    pub y: f64,
    /// Height.
    pub z: f64,
}

impl RasterProfile {
    /// Reads all that GDAL tells about a raster without touching its pixels.
    pub(crate) fn of(dataset: &Dataset, name: &str) -> Result<Self, Error> {
        let band_count = dataset.raster_count();
        let (width, height) = dataset.raster_size();
        let described = band_count.min(DESCRIBED_BANDS);
        let bands = (0..described)
            .map(|i| BandProfile::of(dataset, name, BandIndex::from_position(i)))
            .collect::<Result<_, _>>()?;
        let epoch = if band_count <= DESCRIBED_BANDS { epoch(dataset) } else { None };
        let crs = dataset.spatial_ref().ok().and_then(|srs| Crs::of(&srs)).map(|crs| crs.at_epoch(epoch));
        let gcps: Vec<ControlPoint> = dataset.gcps().iter().map(ControlPoint::from).collect();
        let gcp_srs = dataset.gcp_spatial_ref().filter(|_| !gcps.is_empty());
        let gcp_crs = gcp_srs.and_then(|srs| Crs::of(&srs)).map(|crs| crs.at_epoch(epoch));
        let driver = dataset.driver().short_name();
        Ok(Self {
            name: name.to_owned(),
            size: Size { width, height },
            band_count,
            bands,
            interleaved: dataset.metadata_item("INTERLEAVE", "IMAGE_STRUCTURE").as_deref() == Some("PIXEL"),
            crs,
            transform: dataset.geo_transform().ok().map(GeoTransform::from_gdal),
            gcps,
            gcp_crs,
            rpc: dataset.metadata_domain("RPC").unwrap_or_default(),
            pixel_is: match dataset.metadata_item("AREA_OR_POINT", "").as_deref() {
                Some("Point") => PixelIs::Point,
                _ => PixelIs::Area,
            },
            files: files::local_files(dataset, name, &driver),
            driver,
        })
    }

    /// What a band is made of, also beyond the described ones.
    pub(crate) fn band(&self, dataset: &Dataset, index: BandIndex) -> Result<BandProfile, Error> {
        if index.position() >= self.band_count {
            return Err(Error::NoSuchBand { name: self.name.clone(), band: index, count: self.band_count });
        }
        match self.bands.get(index.position()) {
            Some(band) => Ok(band.clone()),
            None => BandProfile::of(dataset, &self.name, index),
        }
    }

    /// What a caller should tell about this raster.
    pub fn notes(&self) -> Vec<Note> {
        Note::of(self)
    }

    /// The bands in words, such as `3 bands (1 red, 2 green, 3 blue)`.
    pub fn bands_in_words(&self) -> String {
        let listed: Vec<String> = self
            .bands
            .iter()
            .take(8)
            .map(|band| {
                let dtype = band.dtype.map_or("complex", DataType::name);
                format!("{} {} {dtype}", band.index, band.interpretation.name())
            })
            .collect();
        let more = if self.band_count > listed.len() { ", ..." } else { "" };
        let plural = if self.band_count == 1 { "" } else { "s" };
        format!("{} band{plural} ({}{more})", self.band_count, listed.join(", "))
    }
}

impl From<&gdal::GcpRef<'_>> for ControlPoint {
    fn from(gcp: &gdal::GcpRef<'_>) -> Self {
        Self {
            id: gcp.id(),
            info: gcp.info(),
            column: gcp.pixel(),
            row: gcp.line(),
            x: gcp.x(),
            y: gcp.y(),
            z: gcp.z(),
        }
    }
}

/// The epoch of a dynamic CRS, which only GDAL's VRT tells through safe calls.
fn epoch(dataset: &Dataset) -> Option<f64> {
    dataset.spatial_ref().ok().or_else(|| dataset.gcp_spatial_ref())?;
    let driver = DriverManager::get_driver_by_name("VRT").ok()?;
    let vrt = dataset.create_copy(&driver, "", &gdal::cpl::CslStringList::new()).ok()?;
    let xml = vrt.metadata_domain("xml:VRT")?.join("");
    let (_, rest) = xml.split_once("coordinateEpoch=\"")?;
    rest.split_once('"')?.0.parse().ok()
}

//! Whether a raster's pixels have the size that a network learned from.

use crate::diagnostic::Advice;
use crate::network::NetworkName;
use seg_gdal::RasterProfile;
use seg_grid::Gsd;

/// The pixel size at which a network sees a raster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PixelSize {
    /// The raster's own.
    Native,
    /// That of the network's training.
    Model,
}

/// How far pixel sizes may differ and still be the same, as a share.
const TOLERANCE: f64 = 0.01;

/// Refuses a raster whose pixels do not have the asked size: `model_gsd` is the network's, in meters.
pub(crate) fn check(
    wanted: PixelSize,
    model: &NetworkName,
    model_gsd: Option<f64>,
    raster: &RasterProfile,
) -> Result<(), Advice> {
    if wanted == PixelSize::Native {
        return Ok(());
    }
    let Some(gsd) = model_gsd else {
        let what = format!("--gsd model: the pixel size that {model} learned from is not known");
        return Err(Advice::new(what, "leave --gsd out: the raster is then segmented with its own pixels"));
    };
    let name = &raster.name;
    let Some(own) = meters(raster) else {
        let what = format!("--gsd model: the size of the pixels of {name} in meters is not known");
        let warp = format!("`gdalwarp -t_srs CRS -tr {gsd} {gsd} -r average` brings it to the network's");
        return Err(Advice::new(what, warp));
    };
    let fits = |own: f64| (own / gsd - 1.0).abs() <= TOLERANCE;
    if fits(own.x) && fits(own.y) {
        return Ok(());
    }
    let resampling = if own.x.min(own.y) < gsd { "average" } else { "bilinear" };
    let what = format!(
        "--gsd model: the pixels of {name} have {:.4} x {:.4} m, the network's {gsd} m",
        own.x, own.y
    );
    Err(Advice::new(what, format!("`gdalwarp -tr {gsd} {gsd} -r {resampling}` resamples it first")))
}

/// The size of pixels in meters, where the raster lies in a CRS of lengths.
pub(super) fn meters(raster: &RasterProfile) -> Option<Gsd> {
    let unit = raster.crs.as_ref()?.meters_per_unit()?;
    let gsd = raster.transform?.gsd();
    Some(Gsd { x: gsd.x * unit, y: gsd.y * unit })
}

#[cfg(test)]
mod tests {
    use super::*;
    use seg_gdal::{GeoRaster, ReadOptions};

    /// Of the scene in examples/data, whose pixels have five meters.
    fn told(wanted: PixelSize, model_gsd: Option<f64>) -> Result<(), String> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/haiti.tif");
        let options = ReadOptions {
            bands: seg_gdal::BandSelection::Explicit(vec![seg_gdal::BandIndex::FIRST]),
            ..ReadOptions::default()
        };
        let scene = GeoRaster::open(path, &options).unwrap();
        check(wanted, &NetworkName::Default, model_gsd, scene.raster_profile()).map_err(|e| e.to_string())
    }

    #[test]
    fn only_pixels_of_the_asked_size_pass() {
        assert_eq!(told(PixelSize::Native, None), Ok(()));
        assert_eq!(told(PixelSize::Model, Some(5.0)), Ok(()));
        let unknown = told(PixelSize::Model, None).unwrap_err();
        assert!(unknown.contains("the pixel size that default learned from is not known"), "{unknown}");
        let other = told(PixelSize::Model, Some(0.5)).unwrap_err();
        assert!(other.ends_with("have 5.0000 x 5.0000 m, the network's 0.5 m"), "{other}");
    }
}

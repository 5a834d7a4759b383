//! The pixels at which a network sees a raster.

use super::{Job, gsd};
use crate::diagnostic::Advice;
use seg_gdal::{Crs, GridReference, Resampling};
use seg_grid::{GeoTransform, Gsd, Regrid};
use std::fmt;

/// How a network sees a raster, and so on which grid the outputs are.
#[derive(Debug)]
pub(super) enum View {
    /// As it is.
    Native,
    /// With other pixels; the outputs return to the raster's own.
    Resized { grid: GridReference, how: Resampling, regrid: Regrid },
    /// On another grid, which is that of the outputs.
    Warped { grid: GridReference, how: Resampling },
}

impl View {
    /// Decides what `--t-srs` and `--gsd` mean for the raster called `name` on the grid `own`.
    pub(super) fn of(
        job: &Job,
        model_gsd: Option<f64>,
        name: &str,
        own: &GridReference,
    ) -> anyhow::Result<Self> {
        let crs = job.t_srs.as_ref().or(own.crs.as_ref());
        let pixel = gsd::wanted(job.pixel_size, &job.model, model_gsd, crs, name)?;
        match (&job.t_srs, pixel) {
            (None, None) => Ok(Self::Native),
            (None, Some(pixel)) => Ok(Self::resized(own, pixel, name)?),
            (Some(crs), pixel) => Ok(Self::warped(own, crs, pixel, name)?),
        }
    }

    fn resized(own: &GridReference, pixel: f64, name: &str) -> Result<Self, Advice> {
        let place = own.transform.map(GeoTransform::gsd).zip(own.with_pixels(Gsd { x: pixel, y: pixel }));
        let Some((size, grid)) = place else {
            let what = format!("--gsd: {name} has no geotransform, so the size of its pixels is not known");
            return Err(Advice::new(what, "`gdalwarp` gives one to a raster that has control points"));
        };
        if gsd::fits(size, pixel) {
            return Ok(Self::Native);
        }
        check_pixel(pixel, own, name)?;
        // Where one side grows and the other shrinks, nothing may be lost.
        let how = if size.x.min(size.y) < pixel { Resampling::Average } else { Resampling::Bilinear };
        let regrid = Regrid::new(grid.size, own.size, size.x / pixel, size.y / pixel);
        Ok(Self::Resized { grid, how, regrid })
    }

    fn warped(own: &GridReference, crs: &Crs, pixel: Option<f64>, name: &str) -> anyhow::Result<Self> {
        let even = own.warped_to(crs, None, name)?;
        let Some(size) = even.transform.map(GeoTransform::gsd) else { return Ok(Self::Native) };
        let upright = own.transform.is_some_and(|t| t.row_x == 0.0 && t.column_y == 0.0 && t.pixel_y < 0.0);
        let there = own.crs.as_ref().is_some_and(|own| own.is_same(crs)) && upright;
        if there && pixel.is_none_or(|pixel| own.transform.is_some_and(|t| gsd::fits(t.gsd(), pixel))) {
            return Ok(Self::Native);
        }
        let Some(pixel) = pixel else { return Ok(Self::Warped { grid: even, how: Resampling::Bilinear }) };
        check_pixel(pixel, &even, name)?;
        let coarser = size.x < pixel && !gsd::fits(size, pixel);
        let how = if coarser { Resampling::Average } else { Resampling::Bilinear };
        Ok(Self::Warped { grid: own.warped_to(crs, Some(pixel), name)?, how })
    }
}

/// Refuses pixels that no raster called `name` on `grid` has one of.
fn check_pixel(pixel: f64, grid: &GridReference, name: &str) -> Result<(), Advice> {
    let Some(own) = grid.transform.map(GeoTransform::gsd) else { return Ok(()) };
    let (width, height) = (own.x * grid.size.width as f64, own.y * grid.size.height as f64);
    if pixel <= width.max(height) {
        return Ok(());
    }
    let what = format!(
        "--gsd: pixels of {pixel} are larger than {name}, which is {width} x {height} (in units of its CRS)"
    );
    Err(Advice::new(what, "choose smaller pixels, such as those that the network learned from"))
}

impl fmt::Display for View {
    /// All that decides pixels, for a run's key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (grid, how) = match self {
            Self::Native => return f.write_str("native"),
            Self::Resized { grid, how, .. } | Self::Warped { grid, how } => (grid, how),
        };
        let crs = grid.crs.as_ref().map_or("", Crs::wkt);
        write!(f, "{how:?} {} {:?} {crs}", grid.size, grid.transform.map(GeoTransform::to_gdal))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use seg_grid::Size;

    fn own(pixel: [f64; 2]) -> GridReference {
        GridReference {
            crs: Some(Crs::parse("EPSG:32633").unwrap()),
            transform: Some(GeoTransform::from_gdal([5e5, pixel[0], 0.0, 5.4e6, 0.0, -pixel[1]])),
            ..GridReference::unplaced(Size { width: 101, height: 50 })
        }
    }

    #[test]
    fn pixels_are_averaged_to_larger_and_interpolated_to_smaller_ones() {
        let View::Resized { grid, how, regrid } = View::resized(&own([0.5, 0.5]), 1.0, "a").unwrap() else {
            panic!("resized")
        };
        assert_eq!((grid.size, how), (Size { width: 51, height: 25 }, Resampling::Average));
        assert_eq!((regrid.result(), regrid.columns(0..101)), (Size { width: 101, height: 50 }, 0..51));
        let finer = View::resized(&own([0.5, 0.5]), 0.2, "a").unwrap();
        assert!(matches!(finer, View::Resized { how: Resampling::Bilinear, .. }), "{finer:?}");
        assert!(matches!(View::resized(&own([0.5, 0.5]), 0.502, "a").unwrap(), View::Native));
        let oblong = View::resized(&own([0.5, 2.0]), 1.0, "a").unwrap();
        assert!(matches!(oblong, View::Resized { how: Resampling::Average, .. }), "{oblong:?}");
    }

    #[test]
    fn pixels_larger_than_the_raster_are_refused() {
        // 50.5 x 25 m.
        assert!(View::resized(&own([0.5, 0.5]), 50.5, "a").is_ok());
        let refused = View::resized(&own([0.5, 0.5]), 51.0, "a").unwrap_err().to_string();
        assert!(refused.contains("pixels of 51 are larger than a, which is 50.5 x 25"), "{refused}");
        let next = Crs::parse("EPSG:32632").unwrap();
        let refused = View::warped(&own([0.5, 0.5]), &next, Some(100.0), "a").unwrap_err().to_string();
        assert!(refused.contains("pixels of 100 are larger than a"), "{refused}");
    }

    #[test]
    fn a_raster_that_is_there_already_is_left_alone() {
        let (here, next) = (Crs::parse("EPSG:32633").unwrap(), Crs::parse("EPSG:32632").unwrap());
        let raster = own([0.5, 0.5]);
        assert!(matches!(View::warped(&raster, &here, None, "a").unwrap(), View::Native));
        assert!(matches!(View::warped(&raster, &here, Some(0.5), "a").unwrap(), View::Native));
        let how = |crs: &Crs, pixel| match View::warped(&raster, crs, pixel, "a").unwrap() {
            View::Warped { how, .. } => how,
            other => panic!("{other:?}"),
        };
        assert_eq!(how(&here, Some(2.0)), Resampling::Average);
        assert_eq!(how(&next, None), Resampling::Bilinear);
        assert_eq!(how(&next, Some(0.5)), Resampling::Bilinear);
        assert_eq!(how(&next, Some(0.6)), Resampling::Average);
    }
}

//! The pixel size at which a network sees a raster.

use crate::diagnostic::Advice;
use crate::network::NetworkName;
use seg_gdal::{Crs, GridReference};
use seg_grid::Gsd;
use std::fmt;

/// The pixel size at which a network sees a raster.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum PixelSize {
    /// The raster's own.
    Native,
    /// That of the network's training.
    Model,
    /// This many meters.
    Meters(f64),
}

impl fmt::Display for PixelSize {
    /// As the command line takes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Native => f.write_str("native"),
            Self::Model => f.write_str("model"),
            Self::Meters(meters) => meters.fmt(f),
        }
    }
}

/// How far pixel sizes may differ and still be the same, as a share.
const TOLERANCE: f64 = 0.01;

/// The side of pixels in units of `crs` that was asked for, `None` if the raster's own.
///
/// `model_gsd` is the network's in meters, `name` the raster's.
pub(crate) fn wanted(
    size: PixelSize,
    model: &NetworkName,
    model_gsd: Option<f64>,
    crs: Option<&Crs>,
    name: &str,
) -> Result<Option<f64>, Advice> {
    let (flag, meters) = match (size, model_gsd) {
        (PixelSize::Native, _) => return Ok(None),
        (PixelSize::Meters(meters), _) => (format!("--gsd {meters}"), meters),
        (PixelSize::Model, Some(gsd)) => ("--gsd model".to_owned(), gsd),
        (PixelSize::Model, None) => {
            let what = format!("--gsd model: the pixel size that {model} learned from is not known");
            let hint =
                "leave --gsd out: the raster is then segmented with its own pixels; or tell it in meters";
            return Err(Advice::new(what, hint));
        }
    };
    let Some(unit) = crs.and_then(Crs::meters_per_unit) else {
        let (place, hint) = match crs {
            Some(crs) => (
                format!("in degrees ({crs})"),
                "--t-srs brings it to a CRS of meters, such as its UTM zone's",
            ),
            None => ("without a CRS".to_owned(), "tell its CRS first: `gdal_translate -a_srs CRS`"),
        };
        return Err(Advice::new(format!("{flag}: pixels of {name} have no size in meters {place}"), hint));
    };
    Ok(Some(meters / unit))
}

/// Whether pixels have the side that is wanted, as near as makes no difference.
pub(crate) fn fits(own: Gsd, wanted: f64) -> bool {
    let near = |own: f64| (own / wanted - 1.0).abs() <= TOLERANCE;
    near(own.x) && near(own.y)
}

/// The size of pixels in meters, where a raster lies in a CRS of lengths.
pub(super) fn meters(grid: &GridReference) -> Option<Gsd> {
    let unit = grid.crs.as_ref()?.meters_per_unit()?;
    let gsd = grid.transform?.gsd();
    Some(Gsd { x: gsd.x * unit, y: gsd.y * unit })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(size: PixelSize, model_gsd: Option<f64>, crs: Option<&str>) -> Result<Option<f64>, String> {
        let crs = crs.map(|text| Crs::parse(text).unwrap());
        let found = wanted(size, &NetworkName::Default, model_gsd, crs.as_ref(), "a.tif");
        found.map_err(|error| error.to_string())
    }

    #[test]
    fn a_size_in_meters_becomes_one_in_units_of_the_crs() {
        let utm = Some("EPSG:32633");
        assert_eq!(told(PixelSize::Native, None, None), Ok(None));
        assert_eq!(told(PixelSize::Model, Some(5.0), utm), Ok(Some(5.0)));
        assert_eq!(told(PixelSize::Meters(0.5), None, utm), Ok(Some(0.5)));
        let feet = told(PixelSize::Meters(1.0), None, Some("EPSG:2230")).unwrap().unwrap();
        assert!((feet - 3.2808).abs() < 1e-4, "{feet}");
        let unknown = told(PixelSize::Model, None, utm).unwrap_err();
        assert!(unknown.contains("the pixel size that default learned from is not known"), "{unknown}");
        let degrees = told(PixelSize::Meters(0.5), None, Some("EPSG:4326")).unwrap_err();
        assert!(degrees.contains("--gsd 0.5") && degrees.contains("degrees"), "{degrees}");
        assert!(told(PixelSize::Model, Some(0.5), None).unwrap_err().contains("without a CRS"));
    }

    #[test]
    fn one_percent_is_no_other_size() {
        assert!(fits(Gsd { x: 0.5, y: 0.5 }, 0.504) && !fits(Gsd { x: 0.5, y: 0.5 }, 0.51));
        assert!(!fits(Gsd { x: 0.5, y: 0.6 }, 0.5));
    }
}

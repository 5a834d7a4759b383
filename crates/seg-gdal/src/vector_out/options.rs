use super::{PolygonSpec, VectorFormat};
use gdal::{DriverManager, Metadata as _};
use std::path::Path;

/// The column that polygons are in, unless the user names another.
const GEOMETRY_COLUMN: &str = "geom";
/// Digits after the point that RFC 7946 thinks enough: a centimeter.
const LEAST_DIGITS: f64 = 7.0;
/// More than these a floating-point number of degrees does not have.
const MOST_DIGITS: f64 = 14.0;

/// Where GDAL lists the layer creation options of a driver.
const LIST: &str = "DS_LAYER_CREATIONOPTIONLIST";

/// GDAL's layer creation options; those of the user's that the format does not have are left out and told.
pub(super) fn layer_options(path: &Path, spec: &PolygonSpec<'_>) -> Vec<String> {
    // The first of a key counts, so the user's come first.
    let mut options = spec.layer_options.to_vec();
    let driver = spec.format.driver();
    let list =
        DriverManager::get_driver_by_name(driver).ok().and_then(|driver| driver.metadata_item(LIST, ""));
    if let Some(list) = list.map(|list| list.to_lowercase()) {
        options.retain(|option| {
            let key = option.split('=').next().unwrap_or_default();
            let is_known = ['\'', '"']
                .iter()
                .any(|quote| list.contains(&format!("{quote}{}{quote}", key.to_lowercase())));
            if !is_known {
                // GDAL's own words name the file by its name while it is made.
                tracing::warn!(
                    "{}: {driver} has no layer creation option {key}, it is left out",
                    path.display()
                );
            }
            is_known
        });
    }
    match spec.format {
        VectorFormat::GeoPackage => options.push(format!("GEOMETRY_NAME={GEOMETRY_COLUMN}")),
        VectorFormat::GeoJson if spec.crs.is_some() => {
            options.push("RFC7946=YES".to_owned());
            options.push(precision(spec.pixel));
        }
        VectorFormat::GeoJsonSeq => options.push(precision(spec.pixel)),
        VectorFormat::Shapefile => options.push("ENCODING=UTF-8".to_owned()),
        _ => {}
    }
    options
}

/// The column that polygons are in.
pub(super) fn geometry_column<'a>(spec: &PolygonSpec<'a>) -> &'a str {
    let mut options = spec.layer_options.iter().filter_map(|option| option.split_once('='));
    options
        .find(|(key, _)| key.eq_ignore_ascii_case("GEOMETRY_NAME"))
        .map_or(GEOMETRY_COLUMN, |(_, name)| name)
}

/// Rounded to a hundredth of a pixel or less, no border comes to lie on another: between corners of pixels, one and a
/// line of n pixels are at least 1 / n apart.
fn precision(pixel: f64) -> String {
    let digits = (2.0 - pixel.log10()).ceil().clamp(LEAST_DIGITS, MOST_DIGITS);
    format!("COORDINATE_PRECISION={digits}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_follow_the_pixel() {
        assert_eq!(precision(3e-4), "COORDINATE_PRECISION=7");
        assert_eq!(precision(8e-7), "COORDINATE_PRECISION=9");
        assert_eq!(precision(2.7e-8), "COORDINATE_PRECISION=10");
        assert_eq!(precision(0.0), "COORDINATE_PRECISION=14");
        assert_eq!(precision(f64::INFINITY), "COORDINATE_PRECISION=7");
    }
}

//! What a pixel of a raster measures on the ground.

use crate::diagnostic::Advice;
use crate::value::OnGround;
use seg_gdal::{RasterProfile, VectorFormat};
use seg_grid::{GeoTransform, Size, WorldPoint};
use seg_vector::{Ellipsoid, Ground, Placement, Units};

/// About how long a degree of latitude is.
const METERS_IN_A_DEGREE: f64 = 111_195.0;

/// Lengths in the plane of a CRS that are longer or shorter by this share are told.
const DISTORTED: f64 = 0.01;

/// What a pixel measures, and why that may be unknown.
#[derive(Debug)]
pub(super) struct Scale {
    pub placement: Placement,
    name: String,
    size: Size,
}

impl Scale {
    pub(super) fn of(profile: &RasterProfile) -> Self {
        let units = match (&profile.crs, profile.transform) {
            (Some(crs), Some(_)) if let Some(mercator) = crs.mercator() => Units::Mercator {
                scale: mercator.meters_per_unit,
                eccentricity: mercator.eccentricity,
                ellipsoid: Ellipsoid { semi_major: mercator.semi_major, semi_minor: mercator.semi_minor },
            },
            (Some(crs), Some(_)) => match (crs.meters_per_unit(), crs.angles()) {
                (Some(scale), _) => Units::Meters(scale),
                (None, Some(angles)) if is_on_earth(profile, angles.degrees_per_unit) => Units::Degrees {
                    scale: angles.degrees_per_unit,
                    ellipsoid: Ellipsoid { semi_major: angles.semi_major, semi_minor: angles.semi_minor },
                },
                (None, _) => Units::Unknown,
            },
            _ => Units::Unknown,
        };
        // Without a geotransform corners are counted in pixels, with rows downward as GIS programs show them.
        let plain = GeoTransform::from_gdal([0.0, 1.0, 0.0, 0.0, 0.0, -1.0]);
        let transform = profile.transform.unwrap_or(plain);
        Self { placement: Placement { transform, units }, name: profile.name.clone(), size: profile.size }
    }

    /// Whether lengths in meters are known.
    pub(super) fn is_known(&self) -> bool {
        self.placement.units != Units::Unknown
    }

    /// The side of a pixel in longitude and latitude, or in the raster's coordinates where their unit is unknown.
    pub(super) fn pixel_in_degrees(&self) -> f64 {
        let t = self.placement.transform;
        let side = (t.pixel_x * t.pixel_y - t.row_x * t.column_y).abs().sqrt();
        self.pixel().map_or(side, |area| area.sqrt() / METERS_IN_A_DEGREE)
    }

    /// What the user should know about coordinates and lengths.
    pub(super) fn note(&self, profile: &RasterProfile, format: VectorFormat) -> Option<String> {
        let what = match (&profile.crs, profile.transform) {
            _ if self.is_known() => return None,
            (None, _) => "no CRS",
            (Some(_), None) => "no geotransform",
            (Some(crs), Some(_)) if crs.angles().is_some() => "latitudes beyond the poles",
            (Some(_), Some(_)) => "a CRS in units that nobody knows",
        };
        let lon_lat = if format.is_lon_lat() {
            ", and coordinates are as in the raster, not longitude and latitude"
        } else {
            ""
        };
        Some(format!("{} has {what}: area_m2 and perimeter_m stay empty{lon_lat}", self.name))
    }

    /// Says how far areas in the plane of the CRS are from those on the ground, where that is more than a little.
    pub(super) fn distortion(&self, profile: &RasterProfile) -> Option<String> {
        let (Units::Meters(_), Some(crs)) = (self.placement.units, &profile.crs) else { return None };
        let middle = (profile.size.width as f64 / 2.0, profile.size.height as f64 / 2.0);
        let corners = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)];
        let at = corners.map(|(x, y)| self.placement.transform.apply(middle.0 + x, middle.1 + y));
        let factor = crs.area_factor(at)?;
        if (factor.sqrt() - 1.0).abs() <= DISTORTED {
            return None;
        }
        Some(format!(
            "areas and lengths are measured in the plane of {crs}, where areas are {factor:.3} times as large as on \
             the ground here; reproject with gdalwarp to a CRS of this place for those on the ground"
        ))
    }

    /// Refuses a raster whose pixels have no area.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let corner = WorldPoint { x: 0.0, y: 0.0 };
        if self.placement.transform.invert(corner).is_some() {
            return Ok(());
        }
        let what = format!("pixels of {} have no area: its geotransform is flat", self.name);
        Err(Advice::new(what, "give it one: gdal_translate -a_ullr LEFT TOP RIGHT BOTTOM").into())
    }

    /// An area in both units, as far as they are known.
    pub(super) fn area_in_words(&self, flag: &str, area: OnGround) -> String {
        let pixel = self.pixel().ok();
        match (area, pixel) {
            (OnGround::Pixels(pixels), Some(pixel)) => {
                format!("{flag} {pixels} px: {} m2 on the ground", rounded(pixels * pixel))
            }
            (OnGround::Meters(meters), Some(pixel)) => {
                format!("{flag} {meters} m2: {} px", rounded(meters / pixel))
            }
            (OnGround::Pixels(pixels), None) => format!("{flag} {pixels} px"),
            (OnGround::Meters(meters), None) => format!("{flag} {meters} m2"),
        }
    }

    /// A length in both units, as far as they are known.
    pub(super) fn length_in_words(&self, flag: &str, length: OnGround) -> String {
        let pixel = self.pixel().ok().map(f64::sqrt);
        match (length, pixel) {
            (OnGround::Pixels(pixels), Some(pixel)) => {
                format!("{flag} {pixels} px: {} m on the ground", rounded(pixels * pixel))
            }
            (OnGround::Meters(meters), Some(pixel)) => {
                format!("{flag} {meters} m: {} px", rounded(meters / pixel))
            }
            (OnGround::Pixels(pixels), None) => format!("{flag} {pixels} px"),
            (OnGround::Meters(meters), None) => format!("{flag} {meters} m"),
        }
    }

    /// The ground in the unit of a quantity.
    pub(super) fn ground(&self, quantity: Option<OnGround>) -> anyhow::Result<Ground> {
        match quantity {
            Some(OnGround::Meters(_)) => self.placement.ground(self.size).ok_or_else(|| self.unknown()),
            _ => Ok(Ground::PIXELS),
        }
    }

    /// So many pixels of the raster's middle in square meters.
    pub(super) fn pixels_in_meters(&self, pixels: f64) -> anyhow::Result<f64> {
        Ok(pixels * self.pixel()?)
    }

    /// So many square meters in pixels of the raster's middle.
    pub(super) fn meters_in_pixels(&self, meters: f64) -> anyhow::Result<f64> {
        Ok(meters / self.pixel()?)
    }

    fn pixel(&self) -> anyhow::Result<f64> {
        let ground = self.placement.ground(self.size).ok_or_else(|| self.unknown())?;
        Ok(ground.pixel_area(self.size.height as u32 / 2))
    }

    fn unknown(&self) -> anyhow::Error {
        let what = format!(
            "nobody knows how long a meter is in {}: its CRS or geotransform does not tell",
            self.name
        );
        Advice::new(what, "give areas and lengths in pixels, such as 40px and 2px").into()
    }
}

/// Whether no corner lies more than a pixel beyond the poles.
fn is_on_earth(profile: &RasterProfile, degrees_per_unit: f64) -> bool {
    let Some(transform) = profile.transform else { return false };
    let (width, height) = (profile.size.width as f64, profile.size.height as f64);
    let corners = [(0.0, 0.0), (width, 0.0), (0.0, height), (width, height)];
    let pixel = transform.pixel_y.abs().max(transform.column_y.abs());
    corners.into_iter().all(|(x, y)| (transform.apply(x, y).y.abs() - pixel) * degrees_per_unit <= 90.0)
}

/// Four digits that count.
fn rounded(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let factor = 10_f64.powf(3.0 - value.abs().log10().floor());
    (value * factor).round() / factor
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_told_in_both_units() {
        let transform = GeoTransform::from_gdal([0.0, 0.09, 0.0, 0.0, 0.0, -0.09]);
        let placement = Placement { transform, units: Units::Meters(1.0) };
        let scale = Scale { placement, name: "a.tif".to_owned(), size: Size::square(10) };
        assert_eq!(scale.area_in_words("--min-area", OnGround::Meters(10.0)), "--min-area 10 m2: 1235 px");
        assert_eq!(
            scale.length_in_words("--simplify", OnGround::Pixels(2.0)),
            "--simplify 2 px: 0.18 m on the ground"
        );
        let unknown = Scale { placement: Placement { units: Units::Unknown, ..placement }, ..scale };
        assert_eq!(unknown.area_in_words("--min-area", OnGround::Pixels(4.0)), "--min-area 4 px");
        let error = unknown.ground(Some(OnGround::Meters(1.0))).unwrap_err().to_string();
        assert!(error.contains("nobody knows how long a meter is in a.tif"), "{error}");
    }
}

use crate::xml::escape;
use crate::{Error, GdalMessage};
use gdal::Dataset;
use gdal::spatial_ref::{AxisMappingStrategy, SpatialRef};
use proj::Proj;
use seg_grid::WorldPoint;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::cell::RefCell;
use std::fmt;

/// Points added to each edge of bounds before they are transformed, as GDAL's own tools do.
const EDGE_POINTS: i32 = 21;

thread_local! {
    /// The last CRS that a thread made GDAL's object of.
    static LAST: RefCell<Option<(Crs, SpatialRef)>> = const { RefCell::new(None) };
}

/// A coordinate reference system.
///
/// Two of them compare equal only if written alike; [`Crs::is_same`] asks PROJ.
///
/// ```
/// use seg_gdal::Crs;
/// let utm = Crs::parse("EPSG:32633")?;
/// assert_eq!(utm.to_string(), "EPSG:32633");
/// assert!(!utm.is_geographic());
/// assert!(utm.is_same(&Crs::parse(utm.wkt())?));
/// # Ok::<(), seg_gdal::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Crs {
    /// PROJJSON: unlike WKT 1, which GDAL's safe calls write, it can hold any CRS.
    definition: String,
    wkt: String,
    name: String,
    epoch: Option<f64>,
    meters_per_unit: Option<f64>,
    angles: Option<Angles>,
}

/// What the coordinates of a geographic CRS are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Angles {
    /// Degrees to the unit.
    pub degrees_per_unit: f64,
    /// Half the long axis of the ellipsoid in meters.
    pub semi_major: f64,
    /// Half the short axis in meters.
    pub semi_minor: f64,
}

/// Half the axes of WGS 84 in meters.
const WGS_84: (f64, f64) = (6_378_137.0, 6_356_752.314_245);

/// How Mercator's projection makes coordinates of longitude and latitude.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mercator {
    /// Meters to the unit.
    pub meters_per_unit: f64,
    /// That of the formula: 0 for web maps, else the ellipsoid's.
    pub eccentricity: f64,
    /// Half the long axis of the ellipsoid in meters.
    pub semi_major: f64,
    /// Half the short axis in meters.
    pub semi_minor: f64,
}

/// A rectangle in the units of a CRS, x before y.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bounds {
    /// Smallest x.
    pub x_min: f64,
    /// Smallest y.
    pub y_min: f64,
    /// Largest x.
    pub x_max: f64,
    /// Largest y.
    pub y_max: f64,
}

impl Bounds {
    /// Whether both share a point.
    pub fn touches(self, other: Self) -> bool {
        self.x_max >= other.x_min
            && self.x_min <= other.x_max
            && self.y_max >= other.y_min
            && self.y_min <= other.y_max
    }
}

/// The area inside of four points, counted from the first so that no digits are lost.
fn enclosed(points: [(f64, f64); 4]) -> f64 {
    let [origin, ..] = points;
    let from_origin = points.map(|(x, y)| (x - origin.0, y - origin.1));
    let crossed = (0..4).map(|i| {
        let ((ax, ay), (bx, by)) = (from_origin[i], from_origin[(i + 1) % 4]);
        ax * by - bx * ay
    });
    crossed.sum::<f64>().abs() / 2.0
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{},{},{}", self.x_min, self.y_min, self.x_max, self.y_max)
    }
}

impl Crs {
    /// From anything that GDAL understands: `EPSG:32633`, WKT, PROJ, PROJJSON.
    ///
    /// # Errors
    /// If GDAL does not understand it.
    pub fn parse(definition: &str) -> Result<Self, Error> {
        crate::install_log_handler();
        let srs = spatial_ref(definition)?;
        Self::of(&srs).ok_or_else(|| Error::Crs {
            definition: definition.to_owned(),
            source: GdalMessage::new("it is empty"),
        })
    }

    /// From GDAL's object; `None` if that is empty.
    pub(crate) fn of(srs: &SpatialRef) -> Option<Self> {
        let wkt = srs.to_wkt().ok().filter(|wkt| !wkt.is_empty())?;
        let definition =
            srs.to_projjson().ok().filter(|json| !json.is_empty()).unwrap_or_else(|| wkt.clone());
        let name = authority(srs)
            .or_else(|| srs.name().filter(|name| !name.is_empty()))
            .unwrap_or_else(|| "a CRS without a name".to_owned());
        let linear = srs.is_projected() || srs.is_local() || srs.is_geocentric();
        let meters_per_unit = linear.then(|| srs.linear_units());
        let angles = if linear { None } else { Angles::of(srs) };
        Some(Self { definition, wkt, name, epoch: None, meters_per_unit, angles })
    }

    /// The same at the epoch that coordinates were measured, in decimal years.
    #[must_use]
    pub(crate) fn at_epoch(self, epoch: Option<f64>) -> Self {
        Self { epoch, ..self }
    }

    /// Well-known text.
    pub fn wkt(&self) -> &str {
        &self.wkt
    }

    /// The shortest text that loses nothing: WKT where it can hold the CRS, else PROJJSON.
    pub(crate) fn faithful_text(&self) -> &str {
        let read = spatial_ref(&self.wkt).ok().and_then(|srs| Self::of(&srs));
        if read.is_some_and(|read| read.reads_like(self)) { &self.wkt } else { &self.definition }
    }

    /// Whether both are defined in the same words, but for those that GDAL chooses by what it has read before.
    pub(crate) fn reads_like(&self, other: &Self) -> bool {
        self.definition == other.definition
            || words(&self.definition).is_some_and(|own| Some(own) == words(&other.definition))
    }

    /// The epoch that coordinates were measured, in decimal years.
    pub const fn epoch(&self) -> Option<f64> {
        self.epoch
    }

    /// Whether coordinates are degrees.
    pub const fn is_geographic(&self) -> bool {
        self.meters_per_unit.is_none()
    }

    /// The length of one unit in meters, `None` for degrees.
    pub const fn meters_per_unit(&self) -> Option<f64> {
        self.meters_per_unit
    }

    /// What the coordinates are where they are angles, if the ellipsoid is known.
    pub const fn angles(&self) -> Option<Angles> {
        self.angles
    }

    /// How Mercator's projection made the coordinates, if it did, unscaled at the equator; those of web maps among them.
    ///
    /// ```
    /// use seg_gdal::Crs;
    /// let web = Crs::parse("EPSG:3857")?.mercator().expect("it is");
    /// assert_eq!((web.eccentricity, web.semi_major), (0.0, 6_378_137.0));
    /// assert!(Crs::parse("EPSG:3395")?.mercator().is_some_and(|world| world.eccentricity > 0.08));
    /// assert_eq!(Crs::parse("EPSG:32633")?.mercator(), None);
    /// # Ok::<(), seg_gdal::Error>(())
    /// ```
    pub fn mercator(&self) -> Option<Mercator> {
        let meters_per_unit = self.meters_per_unit?;
        let srs = spatial_ref(&self.definition).ok()?;
        let text = srs.to_proj4().ok()?;
        let value = |key: &str| {
            let of_key =
                |part: &str| part.strip_prefix('+')?.strip_prefix(key)?.strip_prefix('=').map(str::to_owned);
            text.split_whitespace().find_map(of_key)
        };
        let is = |key: &str, number: f64| value(key).is_none_or(|text| text.parse() == Ok(number));
        let usual = [("k", 1.0), ("k_0", 1.0), ("lat_ts", 0.0), ("y_0", 0.0)];
        if value("proj").as_deref() != Some("merc") || !usual.iter().all(|(key, number)| is(key, *number)) {
            return None;
        }
        // Web maps put latitudes on an ellipsoid through the formula for a sphere.
        let (semi_major, semi_minor, eccentricity) = if value("nadgrids").as_deref() == Some("@null") {
            (WGS_84.0, WGS_84.1, 0.0)
        } else {
            let (major, minor) = (srs.semi_major().ok()?, srs.semi_minor().ok()?);
            (major, minor, (1.0 - (minor / major).powi(2)).max(0.0).sqrt())
        };
        Some(Mercator { meters_per_unit, eccentricity, semi_major, semi_minor })
    }

    /// How many times as large a small area is in the coordinates, in square meters, as on the ground, by its corners;
    /// `None` where that cannot be told.
    ///
    /// ```
    /// use seg_gdal::Crs;
    /// use seg_grid::WorldPoint;
    /// let square = [(0.0, 0.0), (9.0, 0.0), (9.0, 9.0), (0.0, 9.0)].map(|(x, y)| WorldPoint { x: 5e5 + x, y: 5.4e6 + y });
    /// let factor = Crs::parse("EPSG:32633")?.area_factor(square).expect("known");
    /// assert!((factor - 0.9996_f64.powi(2)).abs() < 1e-4);
    /// # Ok::<(), seg_gdal::Error>(())
    /// ```
    pub fn area_factor(&self, corners: [WorldPoint; 4]) -> Option<f64> {
        let meters = self.meters_per_unit?;
        // The projection alone: the search for a way to another datum takes a tenth of a second.
        let projection = spatial_ref(&self.definition).ok()?.to_proj4().ok()?;
        let projection = Proj::new(&projection.replace("+type=crs", "")).ok()?;
        let mut angles = [(0.0, 0.0); 4];
        for (angles, corner) in angles.iter_mut().zip(corners) {
            *angles = projection.project((corner.x, corner.y), true).ok()?;
        }
        // Radii of curvature of the ellipsoid along the parallel and the meridian (Snyder 1987, equations 4-18 to 4-20).
        let (a, b) = WGS_84;
        let (latitude, squared): (f64, f64) = (angles[0].1, 1.0 - (b / a).powi(2));
        let w = 1.0 - squared * latitude.sin().powi(2);
        let (along, across) = (a / w.sqrt() * latitude.cos(), a * (1.0 - squared) / w.powf(1.5));
        let on_ground = angles.map(|(x, y)| (x * along, y * across));
        let in_plane = corners.map(|corner| (corner.x * meters, corner.y * meters));
        let factor = enclosed(in_plane) / enclosed(on_ground);
        factor.is_finite().then_some(factor)
    }

    /// Whether both put the same coordinates, x before y, at the same place.
    pub fn is_same(&self, other: &Self) -> bool {
        if self.definition == other.definition {
            return true;
        }
        let (Ok(a), Ok(b)) = (spatial_ref(&self.definition), spatial_ref(&other.definition)) else {
            return false;
        };
        if a == b {
            return true;
        }
        matches!((a.authority(), b.authority()), (Ok(a), Ok(b)) if a == b)
    }

    /// Bounds in another CRS that hold all of `bounds`, curved edges included.
    ///
    /// ```
    /// use seg_gdal::{Bounds, Crs};
    /// let (degrees, utm) = (Crs::parse("EPSG:4326")?, Crs::parse("EPSG:32633")?);
    /// let bounds = Bounds { x_min: 15.0, y_min: 52.0, x_max: 15.1, y_max: 52.1 };
    /// assert!((degrees.transform_bounds(bounds, &utm)?.x_min - 500_000.0).abs() < 1e-3);
    /// # Ok::<(), seg_gdal::Error>(())
    /// ```
    ///
    /// # Errors
    /// If PROJ knows no way from one to the other, or the bounds lie where it does not lead.
    pub fn transform_bounds(&self, bounds: Bounds, to: &Self) -> Result<Bounds, Error> {
        if self.is_same(to) {
            return Ok(bounds);
        }
        let (from_name, to_name) = (self.to_string(), to.to_string());
        let way = Proj::new_known_crs(&self.definition, &to.definition, None)
            .map_err(|source| Error::NoTransform { from: from_name.clone(), to: to_name.clone(), source })?;
        let Bounds { x_min, y_min, x_max, y_max } = bounds;
        let transformed = way.transform_bounds(x_min, y_min, x_max, y_max, EDGE_POINTS);
        let [x_min, y_min, x_max, y_max] =
            transformed.map_err(|source| Error::Transform { from: from_name, to: to_name, source })?;
        Ok(Bounds { x_min, y_min, x_max, y_max })
    }

    /// GDAL's object, made once for the many chips of one raster.
    pub(crate) fn to_spatial_ref(&self) -> Result<SpatialRef, Error> {
        let last =
            LAST.with_borrow(|last| last.as_ref().filter(|(crs, _)| crs == self).map(|(_, srs)| srs.clone()));
        if let Some(srs) = last {
            return Ok(srs);
        }
        let srs = self.make_spatial_ref()?;
        LAST.with_borrow_mut(|last| *last = Some((self.clone(), srs.clone())));
        Ok(srs)
    }

    /// GDAL's object, with the epoch, which only a VRT can set through safe calls.
    fn make_spatial_ref(&self) -> Result<SpatialRef, Error> {
        if self.definition.contains("datum_ensemble") {
            // GDAL reads a code from a GeoTIFF with the ensemble of its datum only where the process has met the code
            // before. Whoever made this CRS has, and what is read back is to be in the same words here.
            let _ = spatial_ref(&self.name);
        }
        let Some(epoch) = self.epoch else { return spatial_ref(&self.definition) };
        let vrt = format!(
            "<VRTDataset rasterXSize=\"1\" rasterYSize=\"1\"><SRS coordinateEpoch=\"{epoch}\">{}</SRS>\
             <VRTRasterBand dataType=\"Byte\" band=\"1\"/></VRTDataset>",
            escape(&self.definition)
        );
        let srs = Dataset::open(vrt).and_then(|dataset| dataset.spatial_ref());
        srs.map_err(|error| Error::Crs { definition: self.name.clone(), source: error.into() })
    }
}

impl fmt::Display for Crs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Angles {
    fn of(srs: &SpatialRef) -> Option<Self> {
        let (semi_major, semi_minor) = (srs.semi_major().ok()?, srs.semi_minor().ok()?);
        // GDAL tells the unit in radians.
        Some(Self { degrees_per_unit: srs.angular_units().to_degrees(), semi_major, semi_minor })
    }
}

/// A definition as GDAL's object, x before y.
fn spatial_ref(definition: &str) -> Result<SpatialRef, Error> {
    let mut srs = SpatialRef::from_definition(definition).map_err(|error| {
        let short: String = definition.chars().take(80).collect();
        Error::Crs { definition: short, source: error.into() }
    })?;
    srs.set_axis_mapping_strategy(AxisMappingStrategy::TraditionalGisOrder);
    Ok(srs)
}

/// Such as `EPSG:32633`; a projected CRS without a code of its own is compared with EPSG's.
/// What PROJJSON says, with every datum ensemble as the datum that it stands for.
///
/// A process that has read a code before gets an ensemble with its members from GDAL where another gets a datum.
fn words(definition: &str) -> Option<Value> {
    let mut value = serde_json::from_str(definition).ok()?;
    name_datums(&mut value);
    Some(value)
}

fn name_datums(value: &mut Value) {
    match value {
        Value::Object(object) => {
            let ensemble = object.remove("datum_ensemble").or_else(|| object.remove("datum"));
            if let Some(Value::Object(mut datum)) = ensemble {
                for key in ["type", "members", "accuracy", "id"] {
                    datum.remove(key);
                }
                if let Some(Value::String(name)) = datum.get_mut("name")
                    && let Some(short) = name.strip_suffix(" ensemble")
                {
                    *name = short.to_owned();
                }
                object.insert("datum".to_owned(), Value::Object(datum));
            }
            object.values_mut().for_each(name_datums);
        }
        Value::Array(values) => values.iter_mut().for_each(name_datums),
        _ => {}
    }
}

fn authority(srs: &SpatialRef) -> Option<String> {
    if let Ok(authority) = srs.authority() {
        return Some(authority);
    }
    let mut identified = srs.clone();
    identified.auto_identify_epsg().ok()?;
    identified.authority().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crs_is_the_same_however_it_is_written() {
        let epsg = Crs::parse("EPSG:4326").unwrap();
        assert!(epsg.is_same(&Crs::parse(epsg.wkt()).unwrap()));
        assert!(epsg.is_same(&Crs::parse("WGS84").unwrap()));
        assert!(!epsg.is_same(&Crs::parse("EPSG:4258").unwrap()));
    }

    #[test]
    fn units() {
        assert_eq!(Crs::parse("EPSG:25832").unwrap().meters_per_unit(), Some(1.0));
        let feet = Crs::parse("EPSG:2230").unwrap().meters_per_unit().unwrap();
        assert!((feet - 0.304_800_6).abs() < 1e-6);
        let degrees = Crs::parse("EPSG:4326").unwrap();
        assert!(degrees.is_geographic());
        let angles = degrees.angles().unwrap();
        assert!((angles.degrees_per_unit - 1.0).abs() < 1e-12);
        assert!((angles.semi_minor - 6_356_752.314_245).abs() < 1e-3);
        let grads = Crs::parse("EPSG:4807").unwrap().angles().unwrap();
        assert!((grads.degrees_per_unit - 0.9).abs() < 1e-12);
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        let error = Crs::parse("EPSG:nonsense").unwrap_err();
        assert!(error.to_string().contains("EPSG:nonsense"));
    }

    #[test]
    fn bounds_come_back() {
        let (a, b) = (Crs::parse("EPSG:4326").unwrap(), Crs::parse("EPSG:25833").unwrap());
        let bounds = Bounds { x_min: 13.0, y_min: 52.3, x_max: 13.5, y_max: 52.6 };
        let there = a.transform_bounds(bounds, &b).unwrap();
        let back = b.transform_bounds(there, &a).unwrap();
        assert!(back.x_min <= bounds.x_min + 1e-9 && back.x_min > bounds.x_min - 0.02, "{back:?}");
        assert!(back.y_max >= bounds.y_max - 1e-9 && back.y_max < bounds.y_max + 0.02, "{back:?}");
    }

    #[test]
    fn an_epoch_reaches_gdal() {
        let crs = Crs::parse("EPSG:9000").unwrap().at_epoch(Some(2021.5));
        crs.to_spatial_ref().unwrap();
    }
}

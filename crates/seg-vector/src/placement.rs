use crate::{Area, Corner, Ground, PixelSize, Polygon, Ring};
use geo::{Coord, LineString, MultiPolygon};
use geographiclib_rs::{Geodesic, InverseGeodesic as _, PolygonArea, Winding};
use seg_grid::{GeoTransform, Size, WorldPoint};
use std::f64::consts::FRAC_PI_2;

/// Where the corners of pixels lie in the world.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placement {
    /// From pixel corners to the CRS.
    pub transform: GeoTransform,
    /// What lengths in the CRS are.
    pub units: Units,
}

/// What the coordinates of a CRS are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Units {
    /// Nobody knows.
    Unknown,
    /// Lengths, with so many meters to the unit.
    Meters(f64),
    /// Longitude and latitude, with so many degrees to the unit.
    Degrees {
        /// Degrees to the unit.
        scale: f64,
        /// What the angles are on.
        ellipsoid: Ellipsoid,
    },
    /// Mercator's projection, in which lengths grow with the latitude; north is up.
    Mercator {
        /// Meters to the unit.
        scale: f64,
        /// That of the projection's formula: 0 for web maps, which use the sphere's, else the ellipsoid's.
        eccentricity: f64,
        /// What latitudes are on.
        ellipsoid: Ellipsoid,
    },
}

/// The shape of the earth that a CRS is made for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ellipsoid {
    /// Half the long axis, in meters.
    pub semi_major: f64,
    /// Half the short axis, in meters.
    pub semi_minor: f64,
}

/// What an area measures on the ground.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measures {
    /// Its area in square meters.
    pub area: f64,
    /// The length of its outline and of those of its holes, in meters.
    pub perimeter: f64,
}

/// Which kind of geometry is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A polygon; only the first one of an area that has several.
    Polygon,
    /// A list of polygons, of one too.
    MultiPolygon,
}

/// Degrees of longitude that an edge is measured over at once. It follows a row of pixels, which the shortest way
/// between its ends leaves, and beyond 180 degrees that even goes around the other side of the earth.
const LONGEST_EDGE: f64 = 1.0;

const WKB_LITTLE_ENDIAN: u8 = 1;
const WKB_POLYGON: u32 = 3;
const WKB_MULTI_POLYGON: u32 = 6;

impl Ellipsoid {
    /// Geodesics on it (Karney 2013, doi:10.1007/s00190-012-0578-z).
    fn geodesic(self) -> Geodesic {
        Geodesic::new(self.semi_major, (self.semi_major - self.semi_minor) / self.semi_major)
    }
}

impl Placement {
    /// How large pixels are in meters, for a raster of a size; `None` if nobody knows.
    pub fn ground(&self, size: Size) -> Option<Ground> {
        let t = self.transform;
        match self.units {
            Units::Unknown => None,
            Units::Meters(scale) => Some(Ground::Plane {
                column: (t.pixel_x * scale, t.column_y * scale),
                row: (t.row_x * scale, t.pixel_y * scale),
            }),
            Units::Degrees { ellipsoid, .. } | Units::Mercator { ellipsoid, .. } => {
                let geodesic = ellipsoid.geodesic();
                let middle = size.width as f64 / 2.0;
                let distance = |from: (f64, f64), to: (f64, f64)| -> f64 {
                    let [a, b] = [from, to].map(|(column, row)| self.degrees(t.apply(column, row)));
                    geodesic.inverse(a.latitude, a.longitude, b.latitude, b.longitude)
                };
                let sizes = (0..size.height).map(|row| {
                    let row = row as f64;
                    PixelSize {
                        width: distance((middle - 0.5, row + 0.5), (middle + 0.5, row + 0.5)),
                        height: distance((middle, row), (middle, row + 1.0)),
                    }
                });
                Some(Ground::Rows(sizes.collect()))
            }
        }
    }

    /// What an area measures, on the ellipsoid where coordinates are degrees or Mercator's; `None` if nobody knows.
    pub fn measures(&self, area: &Area) -> Option<Measures> {
        let rings = area.polygons.iter().flat_map(Polygon::rings);
        match self.units {
            Units::Unknown => None,
            Units::Meters(scale) => {
                let t = self.transform;
                let pixel = (t.pixel_x * t.pixel_y - t.row_x * t.column_y).abs() * scale * scale;
                let step = |(a, b): (Corner, Corner)| {
                    let (columns, rows) = (f64::from(b.x) - f64::from(a.x), f64::from(b.y) - f64::from(a.y));
                    let (x, y) =
                        (columns * t.pixel_x + rows * t.row_x, columns * t.column_y + rows * t.pixel_y);
                    // Most edges lie along an axis, and a root takes time.
                    if y == 0.0 {
                        x.abs()
                    } else if x == 0.0 {
                        y.abs()
                    } else {
                        x.hypot(y)
                    }
                };
                let length: f64 = rings.flat_map(edges).map(step).sum();
                Some(Measures { area: area.doubled_area() as f64 / 2.0 * pixel, perimeter: length * scale })
            }
            Units::Degrees { ellipsoid, .. } | Units::Mercator { ellipsoid, .. } => {
                let geodesic = ellipsoid.geodesic();
                let (mut sum, mut perimeter) = (0.0, 0.0);
                for ring in rings {
                    let mut measured = PolygonArea::new(&geodesic, Winding::CounterClockwise);
                    for (from, to) in edges(ring) {
                        let (a, b) = (self.world(from), self.world(to));
                        let span = (self.degrees(b).longitude - self.degrees(a).longitude).abs();
                        let pieces = (span / LONGEST_EDGE).ceil().clamp(1.0, 360.0) as u32;
                        for piece in 0..pieces {
                            let share = f64::from(piece) / f64::from(pieces);
                            let (x, y) = (a.x + share * (b.x - a.x), a.y + share * (b.y - a.y));
                            let at = self.degrees(WorldPoint { x, y });
                            measured.add_point(at.latitude, at.longitude);
                        }
                    }
                    let (length, inside, _) = measured.compute(true);
                    perimeter += length;
                    sum += inside;
                }
                // South-up rasters have their rings the other way around.
                Some(Measures { area: sum.abs(), perimeter })
            }
        }
    }

    /// The polygons of an area, with exteriors counterclockwise.
    pub fn polygons(&self, area: &Area) -> MultiPolygon {
        let line = |ring: &Ring| -> LineString {
            let coordinates = self.points(ring).map(|WorldPoint { x, y }| Coord { x, y });
            coordinates.collect()
        };
        let polygon = |polygon: &Polygon| {
            geo::Polygon::new(line(&polygon.exterior), polygon.holes.iter().map(line).collect())
        };
        MultiPolygon::new(area.polygons.iter().map(polygon).collect())
    }

    /// An area as well-known binary (OGC 06-103r4), with exteriors counterclockwise.
    pub fn wkb(&self, area: &Area, shape: Shape) -> Vec<u8> {
        let corners: usize = area.polygons.iter().flat_map(Polygon::rings).map(|ring| ring.len() + 1).sum();
        let mut bytes = Vec::with_capacity(16 * corners + 64);
        if let (Shape::Polygon, [first, ..]) = (shape, &area.polygons[..]) {
            self.write_polygon(first, &mut bytes);
        } else {
            head(WKB_MULTI_POLYGON, area.polygons.len(), &mut bytes);
            area.polygons.iter().for_each(|polygon| self.write_polygon(polygon, &mut bytes));
        }
        bytes
    }

    fn write_polygon(&self, polygon: &Polygon, bytes: &mut Vec<u8>) {
        head(WKB_POLYGON, 1 + polygon.holes.len(), bytes);
        for ring in polygon.rings() {
            bytes.extend((ring.len() as u32 + 1).to_le_bytes());
            for WorldPoint { x, y } in self.points(ring) {
                bytes.extend(x.to_le_bytes());
                bytes.extend(y.to_le_bytes());
            }
        }
    }

    /// The points of a ring, the first again at the end, in the order that makes exteriors counterclockwise.
    fn points<'a>(&'a self, ring: &'a Ring) -> impl Iterator<Item = WorldPoint> + 'a {
        let count = ring.len();
        let is_mirrored = self.is_mirrored();
        (0..=count).map(move |i| {
            let index = if is_mirrored { (count - i) % count } else { i % count };
            self.world(ring[index])
        })
    }

    fn world(&self, corner: Corner) -> WorldPoint {
        self.transform.apply(f64::from(corner.x), f64::from(corner.y))
    }

    /// Longitude and latitude of coordinates that are made of them.
    fn degrees(&self, WorldPoint { x, y }: WorldPoint) -> Degrees {
        match self.units {
            Units::Mercator { scale, eccentricity, ellipsoid } => {
                let radius = ellipsoid.semi_major;
                let latitude = mercator_latitude(y * scale / radius, eccentricity).to_degrees();
                Degrees { latitude, longitude: (x * scale / radius).to_degrees() }
            }
            Units::Degrees { scale, .. } | Units::Meters(scale) => {
                Degrees { latitude: latitude(y * scale), longitude: x * scale }
            }
            Units::Unknown => Degrees { latitude: latitude(y), longitude: x },
        }
    }

    /// Whether left and right are not where they are on a map whose rows run southward.
    fn is_mirrored(&self) -> bool {
        let t = self.transform;
        t.pixel_x * t.pixel_y - t.row_x * t.column_y > 0.0
    }
}

/// A place on an ellipsoid.
#[derive(Debug, Clone, Copy)]
struct Degrees {
    latitude: f64,
    longitude: f64,
}

/// The latitude in radians of a height in radii (Snyder 1987, USGS Professional Paper 1395, equations 7-9 and 7-10).
fn mercator_latitude(height: f64, eccentricity: f64) -> f64 {
    let t = (-height).exp();
    let mut latitude = FRAC_PI_2 - 2.0 * t.atan();
    if eccentricity > 0.0 {
        // Each round brings two digits and more.
        for _ in 0..8 {
            let sine = eccentricity * latitude.sin();
            let factor = ((1.0 - sine) / (1.0 + sine)).powf(eccentricity / 2.0);
            latitude = FRAC_PI_2 - 2.0 * (t * factor).atan();
        }
    }
    latitude
}

/// Where a pixel's middle is on a pole, its edge lies beyond.
fn latitude(degrees: f64) -> f64 {
    degrees.clamp(-90.0, 90.0)
}

fn head(kind: u32, count: usize, bytes: &mut Vec<u8>) {
    bytes.push(WKB_LITTLE_ENDIAN);
    bytes.extend(kind.to_le_bytes());
    bytes.extend((count as u32).to_le_bytes());
}

fn edges(ring: &Ring) -> impl Iterator<Item = (Corner, Corner)> + '_ {
    let closing = ring.last().copied().zip(ring.first().copied());
    ring.windows(2).map(|pair| (pair[0], pair[1])).chain(closing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ClassArray, PolygonizeSettings, Work, polygonize};
    use geo::{Area as _, GeodesicArea as _, Length as _, Winding as _};
    use ndarray::{Array2, array};
    use seg_grid::Silent;
    use std::f64::consts::PI;

    fn areas() -> Vec<Area> {
        polygonized(array![[1, 1, 1, 2], [1, 3, 1, 2], [1, 1, 1, 2]])
    }

    fn polygonized(classes: Array2<u8>) -> Vec<Area> {
        let mut areas = Vec::new();
        let (settings, work) = (PolygonizeSettings::default(), Work { band_rows: 8, workers: 1 });
        let source = ClassArray { classes, confidence: None };
        polygonize(
            &source,
            None,
            &settings,
            work,
            &Silent,
            |area| area,
            |area| {
                areas.push(area);
                Ok(())
            },
        )
        .expect("an array");
        areas.sort_by_key(|area| area.class);
        areas
    }

    fn placed(terms: [f64; 6], units: Units) -> Placement {
        Placement { transform: GeoTransform::from_gdal(terms), units }
    }

    #[test]
    fn a_raster_of_the_whole_earth_is_as_large_as_the_earth() {
        let classes = Array2::from_shape_fn((18, 36), |(y, _)| (y / 6) as u8);
        let wgs84 = Ellipsoid { semi_major: 6_378_137.0, semi_minor: 6_356_752.314_245 };
        let units = Units::Degrees { scale: 1.0, ellipsoid: wgs84 };
        let placement = placed([-180.0, 10.0, 0.0, 90.0, 0.0, -10.0], units);
        let measures: Vec<_> =
            polygonized(classes).iter().map(|area| placement.measures(area).expect("known")).collect();
        let total: f64 = measures.iter().map(|measures| measures.area).sum();
        assert!((total / 510_065_621_724_088.5 - 1.0).abs() < 1e-9, "{total}");
        // Twice around at 30 degrees and two meridians; a parallel is a few meters longer than its pieces.
        let around =
            2.0 * PI * 6_378_137.0 * 30_f64.to_radians().cos() / (1.0 - 0.006_694_379_99 * 0.25_f64).sqrt();
        let meridian = 6_640_226.796;
        let perimeter = measures[1].perimeter;
        assert!((perimeter / (2.0 * around + 2.0 * meridian) - 1.0).abs() < 1e-4, "{perimeter}");
    }

    #[test]
    fn exteriors_are_counterclockwise_whichever_way_rows_run() {
        for terms in [[9.0, 2.0, 0.0, 5.0, 0.0, -3.0], [9.0, 2.0, 0.5, 5.0, 0.25, 3.0]] {
            let placement = placed(terms, Units::Meters(1.0));
            for area in areas() {
                let shape = placement.polygons(&area);
                for polygon in &shape {
                    assert!(polygon.exterior().is_ccw());
                    assert!(polygon.interiors().iter().all(LineString::is_cw));
                }
                let measures = placement.measures(&area).expect("meters");
                assert!((measures.area - shape.unsigned_area()).abs() < 1e-9);
                let rings = shape.iter().flat_map(|p| std::iter::once(p.exterior()).chain(p.interiors()));
                let length: f64 = rings.map(|ring| geo::Euclidean.length(ring)).sum();
                assert!((measures.perimeter - length).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn degrees_are_measured_on_the_ellipsoid() {
        let ellipsoid = Ellipsoid { semi_major: 6_378_137.0, semi_minor: 6_356_752.314_245 };
        let units = Units::Degrees { scale: 1.0, ellipsoid };
        for terms in [[8.0, 1e-3, 0.0, 50.0, 0.0, -1e-3], [8.0, 1e-3, 0.0, 50.0, 0.0, 1e-3]] {
            let placement = placed(terms, units);
            for area in areas() {
                let measures = placement.measures(&area).expect("an ellipsoid");
                let shape = placement.polygons(&area);
                let close = |a: f64, b: f64| (a - b).abs() < 1e-6 * b.abs();
                assert!(close(measures.area, shape.geodesic_area_unsigned()), "{measures:?}");
                let outline: f64 = shape.iter().map(geo::GeodesicArea::geodesic_perimeter).sum();
                let holes = shape.iter().flat_map(geo::Polygon::interiors);
                let holes: f64 = holes.map(|ring| geo::Geodesic.length(ring)).sum();
                assert!(close(measures.perimeter, outline) || close(measures.perimeter, outline + holes));
            }
            let ground = placement.ground(Size { width: 4, height: 3 }).expect("an ellipsoid");
            // A thousandth of a degree at 50 degrees: 71.7 m by 111.2 m.
            assert!((ground.length(1.0, 0.0, 0) - 71.7).abs() < 0.1);
            assert!((ground.length(0.0, 1.0, 0) - 111.2).abs() < 0.1);
        }
    }

    #[test]
    fn bytes_say_what_they_are() {
        let placement = placed([0.0, 1.0, 0.0, 0.0, 0.0, -1.0], Units::Unknown);
        let ring = &areas()[0];
        assert_eq!(placement.measures(ring), None);
        let wkb = placement.wkb(ring, Shape::Polygon);
        // Order, type, two rings of five points.
        assert_eq!(wkb[..9], [1, 3, 0, 0, 0, 2, 0, 0, 0]);
        let points = |rings: &[usize]| rings.iter().map(|n| 4 + 16 * n).sum::<usize>();
        assert_eq!(wkb.len(), 9 + points(&[5, 5]));
        let multi = placement.wkb(ring, Shape::MultiPolygon);
        assert_eq!(multi[..9], [1, 6, 0, 0, 0, 1, 0, 0, 0]);
        assert_eq!(multi[9..], wkb);
    }

    #[test]
    fn mercator_is_measured_on_the_ellipsoid() {
        let ellipsoid = Ellipsoid { semi_major: 6_378_137.0, semi_minor: 6_356_752.314_245 };
        // EPSG:3857 and EPSG:3395 of 8 to 8.01 degrees east and 50 to 50.01 degrees north, by PROJ 9.1.
        let left = 890_555.926_346;
        let width = 1_113.194_907_9;
        for (eccentricity, bottom, top) in [
            (0.0, 6_446_275.841_017, 6_448_007.845_003),
            (0.081_819_190_842_6, 6_413_524.594_164, 6_415_251.789_605),
        ] {
            let height: f64 = top - bottom;
            let terms = [left, width / 4.0, 0.0, top, 0.0, -height / 3.0];
            let placement = placed(terms, Units::Mercator { scale: 1.0, eccentricity, ellipsoid });
            let measured: f64 =
                areas().iter().map(|area| placement.measures(area).expect("known").area).sum();
            let degrees = Units::Degrees { scale: 1.0, ellipsoid };
            let terms = [8.0, 0.01 / 4.0, 0.0, 50.01, 0.0, -0.01 / 3.0];
            let expected: f64 =
                areas().iter().map(|area| placed(terms, degrees).measures(area).expect("known").area).sum();
            assert!((measured / expected - 1.0).abs() < 1e-8, "{measured} {expected}");
            let ground = placement.ground(Size { width: 4, height: 3 }).expect("known");
            assert!(
                (ground.length(4.0, 0.0, 1) - 717.0).abs() < 0.5
                    && (ground.length(0.0, 3.0, 1) - 1112.4).abs() < 0.5
            );
        }
    }
}

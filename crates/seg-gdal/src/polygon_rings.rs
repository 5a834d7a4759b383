use crate::polygons::{Source, open_vectors};
use crate::{Crs, Error, GdalMessage};
use gdal::spatial_ref::CoordTransform;
use gdal::vector::{Geometry, LayerAccess, OGRwkbGeometryType, geometry_type_flatten};
use seg_grid::WorldPoint;

/// Rings of a polygon, the outer one first.
pub type PolygonRings = Vec<Vec<WorldPoint>>;

/// Pieces of the longest edges that are brought to degrees: straight lines of a projection are curves there.
const EDGE_PIECES: f64 = 64.0;

/// The polygons of any name that GDAL can open as vectors, in longitude (x) and latitude (y) of WGS 84.
///
/// Long edges get points in between, so that they stay where they are in their own CRS.
///
/// # Errors
/// If it cannot be opened, the layer cannot be told, it has no CRS, features are no polygons of straight edges, there are
/// none, or the way to longitude and latitude is unknown.
pub fn polygon_rings(name: &str) -> Result<Vec<PolygonRings>, Error> {
    let dataset = open_vectors(name)?;
    let mut layer = Source::new(&dataset, name, None)?.layer()?;
    let failed = |source: gdal::errors::GdalError| Error::ReadMetadata {
        name: name.to_owned(),
        what: "features",
        source: source.into(),
    };
    let Some((own, crs)) = layer.spatial_ref().and_then(|srs| Crs::of(&srs).map(|crs| (srs, crs))) else {
        return Err(Error::VectorsWithoutCrs { name: name.to_owned() });
    };
    let degrees = Crs::parse("EPSG:4326")?;
    let way = if crs.is_same(&degrees) {
        None
    } else {
        Some(CoordTransform::new(&own, &degrees.to_spatial_ref()?).map_err(failed)?)
    };
    let (mut polygons, mut others) = (Vec::new(), Vec::new());
    for (index, feature) in layer.features().enumerate() {
        let Some(geometry) = feature.geometry().filter(|geometry| !geometry.is_empty()) else { continue };
        let number = feature.fid().unwrap_or(index as u64);
        let placed = |source| Error::Reproject { name: name.to_owned(), feature: number, source };
        match geometry_type_flatten(geometry.geometry_type()) {
            OGRwkbGeometryType::wkbPolygon => {
                polygons.push(rings(geometry, way.as_ref()).map_err(placed)?);
            }
            OGRwkbGeometryType::wkbMultiPolygon => {
                for part in 0..geometry.geometry_count() {
                    polygons.push(rings(&geometry.get_geometry(part), way.as_ref()).map_err(placed)?);
                }
            }
            _ => others.push(geometry.geometry_name()),
        }
    }
    match (others.first(), polygons.is_empty()) {
        (Some(example), _) => Err(Error::NotPolygons {
            name: name.to_owned(),
            count: others.len() as u64,
            example: example.to_lowercase(),
        }),
        (None, true) => Err(Error::EmptyArea { name: name.to_owned() }),
        (None, false) => Ok(polygons),
    }
}

fn rings(polygon: &Geometry, way: Option<&CoordTransform>) -> Result<PolygonRings, GdalMessage> {
    let envelope = polygon.envelope();
    let longest = (envelope.MaxX - envelope.MinX).max(envelope.MaxY - envelope.MinY) / EDGE_PIECES;
    (0..polygon.geometry_count()).map(|ring| points(&polygon.get_geometry(ring), longest, way)).collect()
}

/// The points of a ring, none farther than `longest` from the next.
fn points(
    ring: &Geometry,
    longest: f64,
    way: Option<&CoordTransform>,
) -> Result<Vec<WorldPoint>, GdalMessage> {
    let mut corners = Vec::new();
    ring.get_points(&mut corners);
    let (mut x, mut y) = (Vec::with_capacity(corners.len()), Vec::with_capacity(corners.len()));
    for (from, to) in corners.iter().zip(corners.iter().cycle().skip(1)) {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let pieces = (dx.hypot(dy) / longest).ceil();
        let pieces = if pieces.is_finite() { pieces.clamp(1.0, EDGE_PIECES * 2.0) as u32 } else { 1 };
        for piece in 0..pieces {
            let share = f64::from(piece) / f64::from(pieces);
            x.push(from.0 + share * dx);
            y.push(from.1 + share * dy);
        }
    }
    if let Some(way) = way {
        way.transform_coords(&mut x, &mut y, &mut [])?;
    }
    Ok(x.into_iter().zip(y).map(|(x, y)| WorldPoint { x, y }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::Builder::new().suffix(".geojson").tempfile().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    fn collection(crs: &str, geometry: &str) -> String {
        let crs = match crs {
            "" => String::new(),
            crs => format!(r#""crs": {{"type": "name", "properties": {{"name": "{crs}"}}}},"#),
        };
        format!(
            r#"{{"type": "FeatureCollection", {crs} "features": [{{"type": "Feature", "properties": {{}}, "geometry": {geometry}}}]}}"#
        )
    }

    #[test]
    fn a_square_of_a_projection_is_one_in_degrees_with_points_between() {
        let square = r#"{"type": "MultiPolygon", "coordinates": [[[[500000, 5500000], [600000, 5500000], [600000, 5600000],
                        [500000, 5600000], [500000, 5500000]]]]}"#;
        let file = written(&collection("urn:ogc:def:crs:EPSG::32632", square));
        let found = polygon_rings(&file.path().display().to_string()).unwrap();
        assert_eq!((found.len(), found[0].len()), (1, 1));
        let ring = &found[0][0];
        assert!(ring.len() > 250, "{}", ring.len());
        assert!((ring[0].x - 9.0).abs() < 1e-9 && (ring[0].y - 49.65).abs() < 0.05, "{:?}", ring[0]);
        // North of the middle of its lower edge a straight line of the projection is not one of degrees.
        let middle = ring.iter().filter(|p| (p.x - 9.7).abs() < 0.02).map(|p| p.y).fold(f64::MAX, f64::min);
        let (left, right) = (ring[0].y, ring[64].y);
        assert!((middle - f64::midpoint(left, right)).abs() > 1e-4, "{left} {middle} {right}");
    }

    #[test]
    fn what_has_no_size_is_told() {
        let point = written(&collection("", r#"{"type": "Point", "coordinates": [8, 50]}"#));
        let error = polygon_rings(&point.path().display().to_string()).unwrap_err();
        assert!(matches!(error, Error::NotPolygons { count: 1, .. }), "{error}");
        let empty = written(r#"{"type": "FeatureCollection", "features": []}"#);
        assert!(polygon_rings(&empty.path().display().to_string()).is_err());
        assert!(matches!(polygon_rings("no-such.gpkg"), Err(Error::OpenVectors { .. })));
    }
}

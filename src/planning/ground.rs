//! How large polygons in longitude and latitude are on the ground.

use seg_grid::WorldPoint;

/// What is known of an area: how large it is, and how far it reaches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Outline {
    /// In square meters, on the ellipsoid.
    pub area: f64,
    /// Meters from its western end to its eastern one.
    pub width: f64,
    /// Meters from its southern end to its northern one.
    pub height: f64,
    /// Meters that its borders run east or west, halved: the width of a convex area, more of others.
    pub across: f64,
    /// Meters that its borders run north or south, halved.
    pub along: f64,
    /// Separate pieces.
    pub pieces: u64,
}

/// A polygon in degrees of longitude (x) and latitude (y) of WGS 84, as rings of points: the outer one first.
pub(crate) type Rings = Vec<Vec<WorldPoint>>;

/// WGS 84: half the long axis in meters, and the first eccentricity.
const SEMI_MAJOR: f64 = 6_378_137.0;
const ECCENTRICITY: f64 = 0.081_819_190_842_621_49;

/// Measures polygons; of those that lie over each other each counts.
pub(crate) fn measure(polygons: &[Rings]) -> Outline {
    let mut outline = Outline {
        area: 0.0,
        width: 0.0,
        height: 0.0,
        across: 0.0,
        along: 0.0,
        pieces: polygons.len() as u64,
    };
    let (mut west, mut east, mut south, mut north) =
        (f64::INFINITY, f64::NEG_INFINITY, f64::INFINITY, f64::NEG_INFINITY);
    for rings in polygons {
        for (number, ring) in rings.iter().enumerate() {
            let (mut area, mut across, mut along) = (0.0, 0.0, 0.0);
            for (from, to) in ring.iter().zip(ring.iter().cycle().skip(1)) {
                let middle = f64::midpoint(from.y, to.y);
                area += (to.x - from.x).to_radians() * f64::midpoint(authalic(from.y), authalic(to.y));
                across += (to.x - from.x).abs() * east_degree(middle);
                along += (to.y - from.y).abs() * north_degree(middle);
                (west, east) = (west.min(from.x), east.max(from.x));
                (south, north) = (south.min(from.y), north.max(from.y));
            }
            let area = area.abs() * SEMI_MAJOR * SEMI_MAJOR / 2.0;
            outline.area += if number == 0 { area } else { -area };
            outline.across += across / 2.0;
            outline.along += along / 2.0;
        }
    }
    if west <= east {
        let middle = f64::midpoint(south, north);
        // The widest parallel that it touches: where the equator is inside, that.
        let nearest = if south < 0.0 && north > 0.0 { 0.0 } else { south.abs().min(north.abs()) };
        outline.width = (east - west) * east_degree(nearest);
        outline.height = (north - south) * north_degree(middle);
    }
    outline
}

/// Snyder's q: the area between the equator and a parallel is `a^2 q / 2` for each radian of longitude
/// (Snyder 1987, Map Projections, USGS Professional Paper 1395, equation 3-12).
fn authalic(latitude: f64) -> f64 {
    let (e, s) = (ECCENTRICITY, latitude.to_radians().sin());
    (1.0 - e * e) * (s / (1.0 - e * e * s * s) - ((1.0 - e * s) / (1.0 + e * s)).ln() / (2.0 * e))
}

/// Meters of a degree of longitude.
fn east_degree(latitude: f64) -> f64 {
    let (e, s) = (ECCENTRICITY, latitude.to_radians().sin());
    (SEMI_MAJOR * latitude.to_radians().cos() / (1.0 - e * e * s * s).sqrt()).to_radians()
}

/// Meters of a degree of latitude.
fn north_degree(latitude: f64) -> f64 {
    let (e, s) = (ECCENTRICITY, latitude.to_radians().sin());
    (SEMI_MAJOR * (1.0 - e * e) / (1.0 - e * e * s * s).powf(1.5)).to_radians()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rectangle(west: f64, south: f64, east: f64, north: f64) -> Vec<WorldPoint> {
        [(west, south), (east, south), (east, north), (west, north)]
            .map(|(x, y)| WorldPoint { x, y })
            .to_vec()
    }

    #[test]
    fn the_whole_earth_is_as_large_as_it_is() {
        let earth = measure(&[vec![rectangle(-180.0, -90.0, 180.0, 90.0)]]);
        assert!((earth.area / 510_065_621_724_088.5 - 1.0).abs() < 1e-9, "{}", earth.area);
        assert!((earth.width / 40_075_016.686 - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_degree_at_fifty_is_71_by_111_kilometers() {
        let square = measure(&[vec![rectangle(8.0, 50.0, 9.0, 51.0)]]);
        // The same without Snyder's formula: thin bands, each as wide as its parallel.
        let bands = (0..10_000).map(|band| {
            let latitude = 50.0 + (f64::from(band) + 0.5) / 10_000.0;
            east_degree(latitude) * north_degree(latitude) / 10_000.0
        });
        assert!((square.area / bands.sum::<f64>() - 1.0).abs() < 1e-8, "{}", square.area);
        assert!((square.width - 71_696.0).abs() < 2.0, "{square:?}");
        assert!((square.height - 111_238.0).abs() < 10.0, "{square:?}");
        // Convex: borders run as far as it is wide and high.
        assert!((square.along - square.height).abs() < 1.0);
        assert!(square.across < square.width && square.across > 0.97 * square.width);
    }

    #[test]
    fn holes_count_against_and_pieces_together() {
        let whole = vec![rectangle(0.0, 0.0, 1.0, 1.0)];
        let mut holed = whole.clone();
        holed.push(rectangle(0.25, 0.25, 0.75, 0.75).into_iter().rev().collect());
        let (whole, holed) =
            (measure(std::slice::from_ref(&whole)), measure(&[holed, vec![rectangle(5.0, 0.0, 6.0, 1.0)]]));
        assert!((holed.area / whole.area - 1.75).abs() < 1e-3, "{holed:?}");
        assert!((holed.width / whole.width - 6.0).abs() < 1e-9);
        assert!((holed.across / whole.across - 2.5).abs() < 1e-3);
        assert_eq!(holed.pieces, 2);
    }
}

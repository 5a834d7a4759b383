use crate::{ConfidenceSummary, Corner};

/// A ring of corners; the last one is joined to the first and not repeated.
pub type Ring = Vec<Corner>;

/// A polygon on the corners of pixels; its inside lies to the left of all its rings, as seen on a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Polygon {
    /// Counterclockwise on a map whose rows run southward.
    pub exterior: Ring,
    /// Clockwise, in the order of their first corners.
    pub holes: Vec<Ring>,
}

impl Polygon {
    /// From the rings of one connected part, of which one alone has its inside to the left.
    pub(crate) fn from_rings(rings: Vec<Ring>) -> Self {
        let mut exterior = Ring::new();
        let mut holes = Vec::new();
        for mut ring in rings {
            let first = (0..ring.len()).min_by_key(|&i| ring[i]).unwrap_or(0);
            ring.rotate_left(first);
            if doubled_area(&ring) > 0 {
                exterior = ring;
            } else {
                holes.push(ring);
            }
        }
        holes.sort_unstable_by_key(|hole| hole.first().copied());
        Self { exterior, holes }
    }

    /// All its rings, the exterior first.
    pub fn rings(&self) -> impl Iterator<Item = &Ring> {
        std::iter::once(&self.exterior).chain(&self.holes)
    }
}

/// Twice the area inside a ring in pixels, negative for holes; exact.
pub(crate) fn doubled_area(ring: &[Corner]) -> i128 {
    let Some(origin) = ring.first() else { return 0 };
    ring.windows(2).map(|pair| i128::from(Corner::turn(*origin, pair[0], pair[1]))).sum()
}

/// Pixels of one class that hang together, as polygons.
#[derive(Debug, Clone, PartialEq)]
pub struct Area {
    /// Counted from 1, in the order of the areas' last rows, then of their first pixels.
    pub id: u64,
    /// The class.
    pub class: u8,
    /// One polygon, or several that touch at corners.
    pub polygons: Vec<Polygon>,
    /// The number of pixels of the raster that it stands for.
    pub pixels: u64,
    /// Whether it reaches the edge of the raster.
    pub touches_edge: bool,
    /// How sure the network was, if that is known.
    pub confidence: Option<ConfidenceSummary>,
}

impl Area {
    /// Twice the area of its polygons in pixels; exact.
    pub fn doubled_area(&self) -> i128 {
        self.polygons.iter().flat_map(Polygon::rings).map(|ring| doubled_area(ring)).sum()
    }
}

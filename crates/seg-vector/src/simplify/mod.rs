//! Borders with fewer corners, each the same for both its areas.

mod line;
mod obstacles;
mod peucker;
mod visvalingam;

use crate::join::Border;
use crate::{Corner, Ground};
use line::Line;

pub(crate) use line::{Least, Twin};
use obstacles::Obstacles;

/// Which corners go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Method {
    /// Those whose triangle with their neighbors is smallest, up to the tolerance squared (Visvalingam & Whyatt,
    /// doi:10.1179/000870493786962263).
    #[default]
    Visvalingam,
    /// Those that lie nearest to the line without them, up to the tolerance (Douglas & Peucker,
    /// doi:10.3138/FM57-6770-U75U-7727).
    DouglasPeucker,
}

/// What becomes of borders to nodata and of the raster's edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Outer {
    /// They stay as they are, so that the area of the whole does too.
    #[default]
    Fixed,
    /// They are simplified as well.
    Free,
}

/// How borders are simplified.
#[derive(Debug, Clone, PartialEq)]
pub struct Simplify {
    /// Which corners go first.
    pub method: Method,
    /// How far a border may move, in the units of `ground`.
    pub tolerance: f64,
    /// What a pixel measures.
    pub ground: Ground,
    /// What becomes of the outline.
    pub outer: Outer,
}

/// Simplifies borders one by one.
///
/// A corner is left out only if the triangle of it and its neighbors holds no corner of another border as it was
/// traced, and none that is left of its own. So no two borders can cross or touch anew, whatever the order in which
/// they are simplified: no border as it was traced is ever crossed by a simplified one, since a line that enters such
/// a triangle without a corner in it would have to cross the border that is there already; and then the same holds for
/// the simplified ones, whose corners are among those.
#[derive(Debug)]
pub(crate) struct Simplifier {
    settings: Simplify,
    obstacles: Obstacles,
}

impl Simplifier {
    pub(crate) fn new(settings: Simplify) -> Self {
        Self { settings, obstacles: Obstacles::default() }
    }

    /// Learns where corners are, row by row.
    pub(crate) fn add_rows(&mut self, rows: Vec<Vec<u64>>) {
        self.obstacles.add_rows(rows);
    }

    /// The corners that are left; `None` if all are. The lines of a border have to be among those that were added.
    pub(crate) fn simplify(&self, border: &Border, least: Least) -> Option<Vec<Corner>> {
        let is_outer = border.sides.iter().any(Option::is_none);
        if is_outer && self.settings.outer == Outer::Fixed || border.corners.len() < 3 {
            return None;
        }
        let mut line = Line::new(border, least, &self.obstacles);
        match self.settings.method {
            Method::Visvalingam => visvalingam::simplify(&mut line, &self.settings),
            Method::DouglasPeucker => peucker::simplify(&mut line, &self.settings),
        }
        line.left()
    }
}

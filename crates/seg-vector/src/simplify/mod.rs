//! Borders with fewer corners, each the same for both its areas.

mod line;
mod obstacles;
mod peucker;
mod visvalingam;

use crate::join::Border;
use crate::trace::CornerBits;
use crate::{Corner, Ground};
use line::{Line, LineScratch};
use obstacles::Obstacles;
use seg_grid::{Observer, Size};
use visvalingam::Measure;

pub(crate) use line::{Least, Twin};

/// Steps after which it is asked whether to stop.
const STEPS: usize = 1 << 14;

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

/// What the simplification of a border works on, kept from one border to the next.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    line: LineScratch,
    areas: visvalingam::Scratch,
}

/// Asks an observer now and then whether to stop.
#[derive(Clone, Copy)]
pub(crate) struct Stop<'a>(pub &'a dyn Observer);

impl Stop<'_> {
    /// Counts steps; true if the observer wants an end.
    fn asked_in(self, count: &mut usize, steps: usize) -> bool {
        *count += steps;
        if *count < STEPS {
            return false;
        }
        *count = 0;
        self.0.cancelled()
    }
}

impl Simplifier {
    /// For a raster of a size.
    pub(crate) fn new(settings: Simplify, size: Size) -> Self {
        let obstacles = Obstacles::with_room(size.height + 1, CornerBits::words_in(size.width));
        Self { settings, obstacles }
    }

    /// Learns where corners are, row by row.
    pub(crate) fn add_rows(&mut self, rows: &CornerBits) {
        self.obstacles.add_rows(rows);
    }

    /// The corners that are left; `None` if all are, and some or all if it was stopped. The lines of a border have to
    /// be among those that were added.
    pub(crate) fn simplify(
        &self,
        border: &Border,
        least: Least,
        scratch: &mut Scratch,
        stop: Stop<'_>,
    ) -> Option<Vec<Corner>> {
        let is_outer = border.sides.iter().any(Option::is_none);
        if is_outer && self.settings.outer == Outer::Fixed || border.corners.len() < 3 {
            return None;
        }
        let mut line = Line::new(border, least, &self.obstacles, &mut scratch.line);
        match self.settings.method {
            Method::Visvalingam => {
                visvalingam::simplify(&mut line, Measure::of(&self.settings), &mut scratch.areas, stop);
            }
            Method::DouglasPeucker => peucker::simplify(&mut line, &self.settings, stop),
        }
        line.left()
    }
}

use crate::Corner;
use crate::corner::Heading;

/// A border between two areas: from node to node, or a ring where no third area touches it.
///
/// It runs the same way whatever the bands it was found in: a ring starts at its first corner, row by row, and goes
/// east; else the start is the end that comes first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Border {
    /// Corners at which it turns; both ends too, unless it is a ring.
    pub corners: Vec<Corner>,
    pub is_ring: bool,
    /// The heading with which it leaves its start, and the one with which it comes to its end, before anything is
    /// simplified.
    pub headings: [Heading; 2],
    /// What lies to the left of its way, as seen on a map, and to the right.
    pub sides: [Option<u32>; 2],
    /// The lowest row of its corners, before anything is simplified.
    pub lowest: u32,
    /// Whether it has turns, before anything is simplified.
    pub is_bent: bool,
}

impl Border {
    /// From corners in the order of a walk; a border has at least two.
    pub(crate) fn new(mut corners: Vec<Corner>, is_ring: bool, sides: [Option<u32>; 2]) -> Self {
        let mut sides = sides;
        if is_ring {
            let first = (0..corners.len()).min_by_key(|&i| corners[i]).unwrap_or(0);
            corners.rotate_left(first);
            if corners.len() > 1 && corners[1].y != corners[0].y {
                corners[1..].reverse();
                sides.reverse();
            }
        } else if is_backward(&corners) {
            corners.reverse();
            sides.reverse();
        }
        let count = corners.len();
        let headings = if count < 2 {
            [Heading::East; 2]
        } else {
            [
                Heading::from_to(corners[0], corners[1]),
                Heading::from_to(corners[count - 2], corners[count - 1]),
            ]
        };
        let lowest = corners.iter().map(|corner| corner.y).max().unwrap_or_default();
        Self { is_bent: count > 2, corners, is_ring, headings, sides, lowest }
    }

    /// Its ends, in the order of the walk.
    pub(crate) fn ends(&self) -> Option<(Corner, Corner)> {
        if self.is_ring { None } else { Some((*self.corners.first()?, *self.corners.last()?)) }
    }
}

/// Whether the walk is to be turned around; a loop from a node to itself leaves by the heading that comes first.
fn is_backward(corners: &[Corner]) -> bool {
    let [first, second, .., before, last] = corners else {
        return corners.first() > corners.last();
    };
    match first.cmp(last) {
        std::cmp::Ordering::Equal => Heading::from_to(*first, *second) > Heading::from_to(*last, *before),
        order => order.is_gt(),
    }
}

/// A border as one area sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Use {
    pub border: u32,
    pub way: Way,
}

/// The way in which a border is walked so that the area lies to the left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Forward,
    Backward,
}

use super::obstacles::Obstacles;
use crate::Corner;
use crate::join::Border;

/// What has to be left of a border.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Least {
    /// Its ends.
    Straight,
    /// Its ends and a corner.
    Bent,
    /// A triangle of its one node and two corners.
    Loop,
    /// A triangle.
    Ring,
}

/// Whether another border closes an area with one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Twin {
    /// None that could be made straight.
    None,
    /// One that comes first, and may be.
    Earlier,
}

impl Least {
    /// How many corners have to be left for the areas beside a border to be areas still.
    pub(crate) fn of(border: &Border, twin: Twin) -> Self {
        let is_loop = border.ends().is_some_and(|(start, end)| start == end);
        let is_outer = border.sides.iter().any(Option::is_none);
        match () {
            () if border.is_ring => Self::Ring,
            () if is_loop => Self::Loop,
            // What lies beyond the outline is no area, so nothing tells whether it closes one with another border.
            () if twin == Twin::Earlier || is_outer => Self::Bent,
            () => Self::Straight,
        }
    }
}

/// So many corners that are gone are searched one by one before all of the line are.
const FEW: usize = 24;

/// What is known of the corners of a line, kept from one line to the next.
#[derive(Debug, Default)]
pub(crate) struct LineScratch {
    /// The neighbors that are left of each corner, before and after it.
    neighbors: Vec<[u32; 2]>,
    is_left: Vec<bool>,
    /// Indices in the order of the corners, and the place of each in that order.
    order: Vec<u32>,
    ranks: Vec<u32>,
}

/// A border whose corners are taken out one by one.
pub(crate) struct Line<'a> {
    pub corners: &'a [Corner],
    pub is_ring: bool,
    left: usize,
    least: Least,
    obstacles: &'a Obstacles,
    scratch: &'a mut LineScratch,
}

impl<'a> Line<'a> {
    pub(crate) fn new(
        border: &'a Border,
        least: Least,
        obstacles: &'a Obstacles,
        scratch: &'a mut LineScratch,
    ) -> Self {
        let corners = &border.corners[..];
        let count = corners.len() as u32;
        let last = count.saturating_sub(1);
        let LineScratch { neighbors, is_left, order, ranks } = scratch;
        neighbors.clear();
        neighbors.extend((0..count).map(|index| [index.wrapping_sub(1), index + 1]));
        if let Some(first) = neighbors.first_mut() {
            first[0] = last;
        }
        if let Some(last) = neighbors.last_mut() {
            last[1] = 0;
        }
        order.clear();
        order.extend(0..count);
        order.sort_unstable_by_key(|&index| corners[index as usize]);
        ranks.clear();
        ranks.resize(corners.len(), 0);
        for (rank, &index) in (0..).zip(order.iter()) {
            ranks[index as usize] = rank;
        }
        is_left.clear();
        is_left.resize(corners.len(), true);
        Self { corners, is_ring: border.is_ring, left: corners.len(), least, obstacles, scratch }
    }

    /// The place of a corner among those of the line, row by row.
    pub(crate) fn rank(&self, index: usize) -> u32 {
        self.scratch.ranks[index]
    }

    /// The corner that has a place.
    pub(crate) fn of_rank(&self, rank: u32) -> usize {
        self.scratch.order[rank as usize] as usize
    }

    /// The corners that can be taken out at all.
    pub(crate) fn inner(&self) -> std::ops::Range<usize> {
        if self.is_ring { 0..self.corners.len() } else { 1..self.corners.len() - 1 }
    }

    pub(crate) fn is_left(&self, index: usize) -> bool {
        self.scratch.is_left[index]
    }

    pub(crate) fn is_inner(&self, index: usize) -> bool {
        self.inner().contains(&index)
    }

    /// The indices of the neighbors that are left.
    pub(crate) fn neighbors(&self, index: usize) -> [usize; 2] {
        self.scratch.neighbors[index].map(|neighbor| neighbor as usize)
    }

    /// A corner between its neighbors.
    pub(crate) fn triangle(&self, index: usize) -> [Corner; 3] {
        let [before, after] = self.neighbors(index);
        [self.corners[before], self.corners[index], self.corners[after]]
    }

    /// Takes a corner out, if that moves the line over no other corner and leaves enough.
    pub(crate) fn take_out(&mut self, index: usize) -> bool {
        if !self.leaves_enough(index) || !self.is_free(index) {
            return false;
        }
        let [before, after] = self.neighbors(index);
        self.scratch.neighbors[before][1] = after as u32;
        self.scratch.neighbors[after][0] = before as u32;
        self.scratch.is_left[index] = false;
        self.left -= 1;
        true
    }

    fn leaves_enough(&self, index: usize) -> bool {
        let (left, shape) = match self.least {
            Least::Straight => return true,
            Least::Bent => return self.left > 3,
            Least::Loop => (self.left, 4),
            Least::Ring => (self.left, 3),
        };
        if left > shape + 1 {
            return true;
        }
        // A last triangle has to be one; a loop has its node twice.
        let [before, after] = self.neighbors(index);
        let other = if self.is_inner(before) && before != after {
            self.neighbors(before)[0]
        } else {
            self.neighbors(after)[1]
        };
        left == shape + 1 && Corner::turn(self.corners[before], self.corners[after], self.corners[other]) != 0
    }

    fn is_free(&self, index: usize) -> bool {
        let triangle = self.triangle(index);
        let [a, b, c] = triangle;
        // Without a corner between its neighbors on their line, the line stays what it is. A long straight one whose
        // corners are gone would be searched for them each time.
        if Corner::turn(a, b, c) == 0 && is_between(a, b, c) {
            return true;
        }
        self.obstacles.triangle_is_free(triangle, |corner| {
            if triangle.contains(&corner) {
                return true;
            }
            // A corner of its own that is gone is in nobody's way; most of those were its neighbors.
            self.was_near(index, corner) || self.own(corner).is_some_and(|own| !self.is_left(own))
        })
    }

    /// Whether one of the corners that are gone between a corner and its neighbors is this one.
    fn was_near(&self, index: usize, corner: Corner) -> bool {
        let [before, after] = self.neighbors(index);
        let gone = |from: usize, to: usize| {
            // A ring's first and last corners are neighbors too.
            if from < to && to - from <= FEW { &self.corners[from + 1..to] } else { &[] }
        };
        gone(before, index).contains(&corner) || gone(index, after).contains(&corner)
    }

    fn own(&self, corner: Corner) -> Option<usize> {
        let order = &self.scratch.order;
        let found = order.binary_search_by_key(&corner, |&index| self.corners[index as usize]);
        found.ok().map(|at| order[at] as usize)
    }

    /// The corners that are left, `None` if all are.
    pub(crate) fn left(self) -> Option<Vec<Corner>> {
        if self.left == self.corners.len() {
            return None;
        }
        let mut left = Vec::with_capacity(self.left);
        let kept = self.corners.iter().zip(&self.scratch.is_left).filter(|(_, left)| **left);
        left.extend(kept.map(|(corner, _)| *corner));
        Some(left)
    }
}

/// Whether the middle one of three corners on a line lies between the others.
fn is_between(a: Corner, b: Corner, c: Corner) -> bool {
    let inside = |a: u32, b: u32, c: u32| a.min(c) <= b && b <= a.max(c);
    inside(a.x, b.x, c.x) && inside(a.y, b.y, c.y)
}

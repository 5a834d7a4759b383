use super::components::Components;
use super::lattice::Lattice;
use crate::Corner;
use crate::corner::Heading;

/// Where a piece of a border ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Where three or four edges meet.
    Node,
    /// At a column of the band's upper edge, where the band above goes on.
    Top(u32),
    /// At a column of the band's lower edge, where the band below goes on.
    Bottom(u32),
    /// Nowhere: it is a ring.
    Ring,
}

/// The part on one side of a border.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// No class.
    None,
    /// One of the band's parts.
    Part(u32),
    /// The part of one of the runs above the band.
    Above(u32),
}

/// All pieces of borders of a band; their corners are in one list, since there are many pieces and most are short.
#[derive(Debug, Default)]
pub(crate) struct Fragments {
    list: Vec<Fragment>,
    corners: Vec<Corner>,
}

impl Fragments {
    /// Each piece with the corners at which it turns, and nodes at its ends.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Fragment, &[Corner])> {
        let starts = std::iter::once(0).chain(self.list.iter().map(|fragment| fragment.corners_end));
        let pieces = starts.zip(&self.list);
        pieces.map(|(start, fragment)| (fragment, &self.corners[start..fragment.corners_end]))
    }
}

/// A piece of a border between two areas, as far as one band sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fragment {
    /// Where it begins and ends.
    pub ends: [End; 2],
    /// Where its corners end in the list of all.
    corners_end: usize,
    /// What lies to the left of its way, as seen on a map.
    pub left: Side,
    /// What lies to the right.
    pub right: Side,
}

/// Finds all pieces of borders of a band.
pub(crate) fn fragments(lattice: &mut Lattice, components: &Components) -> Fragments {
    let mut walker = Walker {
        top_done: vec![false; lattice.top.len()],
        bottom_done: vec![false; lattice.bottom.len()],
        lattice,
        components,
        found: Fragments::default(),
    };
    walker.walk_from_nodes();
    walker.walk_from_the_top();
    walker.walk_from_the_bottom();
    walker.walk_rings();
    walker.found
}

struct Walker<'a> {
    lattice: &'a mut Lattice,
    components: &'a Components,
    top_done: Vec<bool>,
    bottom_done: Vec<bool>,
    found: Fragments,
}

impl Walker<'_> {
    fn walk_from_nodes(&mut self) {
        for node in std::mem::take(&mut self.lattice.nodes) {
            let edges = self.lattice.edges(node);
            for heading in Heading::ALL {
                if edges & heading.bit() != 0 && self.lattice.take(node, heading) {
                    self.found.corners.push(node);
                    self.walk(End::Node, node, heading);
                }
            }
        }
    }

    fn walk_from_the_top(&mut self) {
        let y = self.rows_start();
        for index in 0..self.top_done.len() {
            if !std::mem::replace(&mut self.top_done[index], true) {
                let x = self.lattice.top[index];
                self.arrive(End::Top(x), Corner { y, x });
            }
        }
    }

    fn walk_from_the_bottom(&mut self) {
        let y = self.rows_start() + self.components.rows() as u32;
        for index in 0..self.bottom_done.len() {
            if !std::mem::replace(&mut self.bottom_done[index], true) {
                let x = self.lattice.bottom[index];
                self.walk(End::Bottom(x), Corner { y, x }, Heading::North);
            }
        }
    }

    fn walk_rings(&mut self) {
        for start in std::mem::take(&mut self.lattice.ring_starts) {
            if !self.lattice.is_seen(start) {
                self.lattice.see(start);
                self.found.corners.push(start);
                self.walk(End::Ring, start, Heading::East);
            }
        }
    }

    fn rows_start(&self) -> u32 {
        self.components.start
    }

    /// Follows an edge that comes down from the band above.
    fn arrive(&mut self, start: End, at: Corner) {
        // The edge lies between pixels of the row above.
        let (left, right) =
            (self.side_above(at.x), at.x.checked_sub(1).map_or(Side::None, |x| self.side_above(x)));
        let end = self.follow(at, Heading::South);
        self.add([start, end], left, right);
    }

    /// Follows the edge that leaves a corner, to where it ends.
    fn walk(&mut self, start: End, from: Corner, heading: Heading) {
        let (left, right) = self.sides(from, heading);
        let end = self.leave(from, heading);
        self.add([start, end], left, right);
    }

    /// Adds a piece, of the corners that were found last.
    fn add(&mut self, ends: [End; 2], left: Side, right: Side) {
        let corners_end = self.found.corners.len();
        self.found.list.push(Fragment { ends, corners_end, left, right });
    }

    /// Goes one edge on, then follows.
    fn leave(&mut self, from: Corner, heading: Heading) -> End {
        match self.step(from, heading) {
            Ok(at) => self.follow(at, heading),
            Err(end) => end,
        }
    }

    /// From a corner at which it has arrived.
    fn follow(&mut self, mut at: Corner, mut heading: Heading) -> End {
        loop {
            let edges = self.lattice.edges(at);
            match edges {
                0 => {}
                // Two edges: all but the lowest are one.
                _ if (edges & (edges - 1)).is_power_of_two() => {
                    if self.lattice.is_seen(at) {
                        // Only the start of a ring is met twice.
                        return End::Ring;
                    }
                    self.lattice.see(at);
                    self.found.corners.push(at);
                    let onward = edges & !heading.opposite().bit();
                    heading = Heading::of_bit(onward).unwrap_or(heading);
                }
                _ => {
                    self.lattice.take(at, heading.opposite());
                    self.found.corners.push(at);
                    return End::Node;
                }
            }
            match self.step(at, heading) {
                Ok(next) => at = next,
                Err(end) => return end,
            }
        }
    }

    /// The next corner, or the band's edge.
    fn step(&mut self, at: Corner, heading: Heading) -> Result<Corner, End> {
        let Corner { y, x } = at;
        match heading {
            Heading::East => Ok(Corner { y, x: x + 1 }),
            Heading::West => Ok(Corner { y, x: x - 1 }),
            Heading::South if self.lattice.settles(y as usize + 1) => Ok(Corner { y: y + 1, x }),
            Heading::South => {
                mark(&self.lattice.bottom, &mut self.bottom_done, x);
                Err(End::Bottom(x))
            }
            Heading::North if y > self.rows_start() => Ok(Corner { y: y - 1, x }),
            Heading::North => {
                mark(&self.lattice.top, &mut self.top_done, x);
                Err(End::Top(x))
            }
        }
    }

    /// What lies to the left and to the right of the edge that leaves a corner.
    fn sides(&self, from: Corner, heading: Heading) -> (Side, Side) {
        let Corner { y, x } = from;
        let (north_west, north_east) =
            (|| self.side(y.wrapping_sub(1), x.wrapping_sub(1)), || self.side(y.wrapping_sub(1), x));
        let (south_west, south_east) = (|| self.side(y, x.wrapping_sub(1)), || self.side(y, x));
        match heading {
            Heading::East => (north_east(), south_east()),
            Heading::South => (south_east(), south_west()),
            Heading::West => (south_west(), north_west()),
            Heading::North => (north_west(), north_east()),
        }
    }

    /// The part of a pixel; columns and rows outside of the raster have none.
    fn side(&self, row: u32, column: u32) -> Side {
        let start = self.rows_start();
        match row.checked_sub(start) {
            Some(row) if row < self.components.rows() as u32 => {
                self.components.part_at(row as usize, column).map_or(Side::None, Side::Part)
            }
            None if row.wrapping_add(1) == start => self.side_above(column),
            _ => Side::None,
        }
    }

    fn side_above(&self, column: u32) -> Side {
        let above = &self.components.above;
        let index = above.partition_point(|run| run.end <= column);
        match above.get(index) {
            Some(run) if run.start <= column => Side::Above(index as u32),
            _ => Side::None,
        }
    }
}

fn mark(columns: &[u32], done: &mut [bool], x: u32) {
    if let Ok(index) = columns.binary_search(&x) {
        done[index] = true;
    }
}

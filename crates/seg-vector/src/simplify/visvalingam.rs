use super::line::Line;
use super::{Simplify, Stop};
use crate::{Corner, Ground};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// How triangles are compared: by numbers that are in the order of their areas on the ground.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Measure<'a> {
    /// Where all pixels are alike, twice the area in pixels, which is a whole number; up to `most`.
    Doubled { most: u64 },
    /// Else the bits of the area, which are in the order of the numbers, since none is negative.
    Ground { ground: &'a Ground, limit: f64 },
}

/// Corners that may go, those of the smallest triangle first, then those that come first row by row; so the order
/// depends on nothing else.
trait Queue {
    /// Enters a corner by its place in the line's order.
    fn push(&mut self, area: u64, rank: u32);

    fn pop(&mut self) -> Option<(u64, u32)>;
}

/// One set of corners for each of a few areas.
#[derive(Debug, Default)]
struct Buckets {
    /// Words of 64 corners in a set.
    stride: usize,
    words: Vec<u64>,
    /// Words before this one are zero.
    first: usize,
}

#[derive(Debug, Default)]
struct Heap(BinaryHeap<Reverse<(u64, u32)>>);

/// Words up to which sets are quicker than a heap.
const MOST_WORDS: u64 = 512;

/// What is known of the corners of a line, kept from one line to the next.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    areas: Vec<u64>,
    buckets: Buckets,
    heap: Heap,
}

impl Buckets {
    /// Sets for areas up to `most` of so many corners, all empty.
    fn clear(&mut self, most: u64, corners: usize) {
        self.stride = corners.div_ceil(64);
        self.words.clear();
        self.words.resize(self.stride * (most as usize + 1), 0);
        self.first = 0;
    }
}

impl Queue for Buckets {
    fn push(&mut self, area: u64, rank: u32) {
        let at = area as usize * self.stride + rank as usize / 64;
        self.words[at] |= 1 << (rank % 64);
        self.first = self.first.min(at);
    }

    fn pop(&mut self) -> Option<(u64, u32)> {
        let words = &mut self.words[self.first..];
        self.first += words.iter().position(|word| *word != 0)?;
        let word = &mut self.words[self.first];
        let bit = word.trailing_zeros();
        *word &= *word - 1;
        let (area, index) = (self.first / self.stride, self.first % self.stride);
        Some((area as u64, index as u32 * 64 + bit))
    }
}

impl Queue for Heap {
    fn push(&mut self, area: u64, rank: u32) {
        self.0.push(Reverse((area, rank)));
    }

    fn pop(&mut self) -> Option<(u64, u32)> {
        self.0.pop().map(|Reverse(candidate)| candidate)
    }
}

impl<'a> Measure<'a> {
    pub(crate) fn of(settings: &'a Simplify) -> Self {
        let (ground, limit) = (&settings.ground, settings.tolerance * settings.tolerance);
        match ground {
            Ground::Plane { .. } => {
                let fits = |doubled: u64| doubled as f64 / 2.0 * ground.pixel_area(0) <= limit;
                // Whole numbers as large as this are exact, and no raster has such triangles.
                let near = (limit * 2.0 / ground.pixel_area(0)).min(1e15) as u64;
                let most = (near.saturating_sub(1)..=near + 1).rev().find(|&doubled| fits(doubled));
                Self::Doubled { most: most.unwrap_or(0) }
            }
            Ground::Rows(_) => Self::Ground { ground, limit },
        }
    }

    fn area(self, [a, b, c]: [Corner; 3]) -> u64 {
        let doubled = Corner::turn(a, b, c).unsigned_abs();
        match self {
            Self::Doubled { .. } => doubled,
            Self::Ground { ground, .. } => (doubled as f64 / 2.0 * ground.pixel_area(b.y)).to_bits(),
        }
    }

    fn is_small(self, area: u64) -> bool {
        match self {
            Self::Doubled { most } => area <= most,
            Self::Ground { limit, .. } => f64::from_bits(area) <= limit,
        }
    }
}

/// Takes out corners with small triangles, the smallest first.
pub(crate) fn simplify(line: &mut Line<'_>, measure: Measure<'_>, scratch: &mut Scratch, stop: Stop<'_>) {
    let Scratch { areas, buckets, heap } = scratch;
    let corners = line.corners.len();
    match measure {
        Measure::Doubled { most } if most < MOST_WORDS / corners.div_ceil(64) as u64 => {
            buckets.clear(most, corners);
            take_out_small(line, measure, areas, buckets, stop);
        }
        _ => {
            heap.0.clear();
            take_out_small(line, measure, areas, heap, stop);
        }
    }
}

fn take_out_small(
    line: &mut Line<'_>,
    measure: Measure<'_>,
    areas: &mut Vec<u64>,
    queue: &mut impl Queue,
    stop: Stop<'_>,
) {
    areas.clear();
    areas.resize(line.corners.len(), u64::MAX);
    for index in line.inner() {
        let area = measure.area(line.triangle(index));
        areas[index] = area;
        if measure.is_small(area) {
            queue.push(area, line.rank(index));
        }
    }
    let mut steps = 0;
    while let Some((expected, rank)) = queue.pop() {
        let index = line.of_rank(rank);
        // What a removed neighbor has changed was entered anew.
        if !line.is_left(index) || areas[index] != expected {
            continue;
        }
        if stop.asked_in(&mut steps, 1) {
            return;
        }
        if !line.take_out(index) {
            continue;
        }
        for neighbor in line.neighbors(index) {
            if line.is_inner(neighbor) {
                let area = measure.area(line.triangle(neighbor));
                areas[neighbor] = area;
                if measure.is_small(area) {
                    queue.push(area, line.rank(neighbor));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sets_and_a_heap_give_the_same_order(
            steps in proptest::collection::vec(proptest::option::weighted(0.7, (0..9_u64, 0..300_u32)), 1..400),
        ) {
            let (mut buckets, mut heap) = (Buckets::default(), Heap::default());
            buckets.clear(8, 300);
            for step in steps {
                if let Some((area, rank)) = step {
                    buckets.push(area, rank);
                    heap.push(area, rank);
                    continue;
                }
                let popped = heap.pop();
                prop_assert_eq!(buckets.pop(), popped);
                // A heap keeps what is entered twice.
                while popped.is_some() && heap.0.peek().map(|Reverse(next)| *next) == popped {
                    heap.pop();
                }
            }
        }
    }
}

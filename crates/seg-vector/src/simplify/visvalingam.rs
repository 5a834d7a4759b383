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

/// A corner that may go: its triangle's area, then its place, so that the order depends on nothing else; in one
/// number, which is compared at once.
trait Candidate: Copy + Ord {
    fn new(area: u64, rank: u32) -> Self;
    fn area(self) -> u64;
    fn rank(self) -> u32;
}

/// What is known of the corners of a line, kept from one line to the next.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    areas: Vec<u64>,
    small: Vec<Reverse<u64>>,
    large: Vec<Reverse<u128>>,
}

/// For areas below 2^32.
impl Candidate for u64 {
    fn new(area: u64, rank: u32) -> Self {
        area << 32 | Self::from(rank)
    }

    fn area(self) -> u64 {
        self >> 32
    }

    fn rank(self) -> u32 {
        self as u32
    }
}

impl Candidate for u128 {
    fn new(area: u64, rank: u32) -> Self {
        Self::from(area) << 32 | Self::from(rank)
    }

    fn area(self) -> u64 {
        (self >> 32) as u64
    }

    fn rank(self) -> u32 {
        self as u32
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
    let Scratch { areas, small, large } = scratch;
    match measure {
        Measure::Doubled { most } if most <= u32::MAX.into() => {
            take_out_small(line, measure, areas, small, stop);
        }
        _ => take_out_small(line, measure, areas, large, stop),
    }
}

fn take_out_small<C: Candidate>(
    line: &mut Line<'_>,
    measure: Measure<'_>,
    areas: &mut Vec<u64>,
    heap: &mut Vec<Reverse<C>>,
    stop: Stop<'_>,
) {
    areas.clear();
    areas.resize(line.corners.len(), u64::MAX);
    heap.clear();
    for index in line.inner() {
        let area = measure.area(line.triangle(index));
        areas[index] = area;
        if measure.is_small(area) {
            heap.push(Reverse(C::new(area, line.rank(index))));
        }
    }
    let mut queue = BinaryHeap::from(std::mem::take(heap));
    let mut steps = 0;
    while let Some(Reverse(candidate)) = queue.pop() {
        let index = line.of_rank(candidate.rank());
        // What a removed neighbor has changed was entered anew.
        if !line.is_left(index) || areas[index] != candidate.area() {
            continue;
        }
        if stop.asked_in(&mut steps, 1) {
            break;
        }
        if !line.take_out(index) {
            continue;
        }
        for neighbor in line.neighbors(index) {
            if line.is_inner(neighbor) {
                let area = measure.area(line.triangle(neighbor));
                areas[neighbor] = area;
                if measure.is_small(area) {
                    queue.push(Reverse(C::new(area, line.rank(neighbor))));
                }
            }
        }
    }
    *heap = queue.into_vec();
}

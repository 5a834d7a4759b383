use super::Simplify;
use super::line::Line;
use crate::Corner;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A corner that may go: its triangle's area, then its place, so that the order depends on nothing else.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    /// The bits of a positive number, which are in the order of the numbers.
    area: u64,
    corner: Corner,
    index: usize,
}

/// Takes out corners with small triangles, the smallest first.
pub(crate) fn simplify(line: &mut Line<'_>, settings: &Simplify) {
    let limit = settings.tolerance * settings.tolerance;
    let area = |line: &Line<'_>, index: usize| {
        let [a, b, c] = line.triangle(index);
        Corner::turn(a, b, c).unsigned_abs() as f64 / 2.0 * settings.ground.pixel_area(b.y)
    };
    let candidate = |line: &Line<'_>, index: usize| {
        let area = area(line, index);
        (area <= limit)
            .then(|| Reverse(Candidate { area: area.to_bits(), corner: line.corners[index], index }))
    };
    let mut heap: BinaryHeap<_> = line.inner().filter_map(|index| candidate(line, index)).collect();
    while let Some(Reverse(Candidate { area: expected, index, .. })) = heap.pop() {
        // What a removed neighbor has changed was entered anew.
        if !line.is_left(index) || area(line, index).to_bits() != expected || !line.take_out(index) {
            continue;
        }
        for neighbor in line.neighbors(index) {
            if line.is_inner(neighbor) {
                heap.extend(candidate(line, neighbor));
            }
        }
    }
}

use super::border::{Border, Use, Way};
use crate::corner::Heading;
use crate::{Corner, Polygon};

/// The borders of one part, all with the part to the left, as rings.
///
/// Where the part touches itself at a corner, a ring crosses over to the part's other pixel: so the ring around a
/// hole that touches the outside, or another hole, stays a ring of its own, and none touches itself.
pub(crate) fn polygon<'a>(uses: &[Use], border: impl Fn(u32) -> Option<&'a Border>) -> Polygon {
    let mut rings = Vec::new();
    let mut arcs: Vec<Arc<'a>> = Vec::new();
    for each in uses {
        let Some(border) = border(each.border) else { continue };
        if border.is_ring {
            let mut ring = Vec::with_capacity(border.corners.len());
            walk(&border.corners, each.way, &mut ring);
            rings.push(ring);
        } else if let Some(arc) = Arc::new(border, each.way) {
            arcs.push(arc);
        }
    }
    arcs.sort_unstable_by_key(|arc| (arc.start, arc.leaves));
    let mut is_used = vec![false; arcs.len()];
    for first in 0..arcs.len() {
        let mut ring: Vec<Corner> = Vec::new();
        let mut at = first;
        while !std::mem::replace(&mut is_used[at], true) {
            let arc = &arcs[at];
            walk(&arc.border.corners, arc.way, &mut ring);
            // The next one begins where this one ends.
            ring.pop();
            at = next(&arcs, arc).unwrap_or(first);
        }
        if !ring.is_empty() {
            rings.push(ring);
        }
    }
    Polygon::from_rings(rings)
}

/// A border from node to node in the way in which the part lies to the left.
struct Arc<'a> {
    border: &'a Border,
    way: Way,
    start: Corner,
    end: Corner,
    leaves: Heading,
    comes: Heading,
}

impl<'a> Arc<'a> {
    fn new(border: &'a Border, way: Way) -> Option<Self> {
        let (first, last) = border.ends()?;
        let [leaves, comes] = border.headings;
        Some(match way {
            Way::Forward => Self { border, way, start: first, end: last, leaves, comes },
            Way::Backward => Self {
                border,
                way,
                start: last,
                end: first,
                leaves: comes.opposite(),
                comes: leaves.opposite(),
            },
        })
    }
}

/// The arc that goes on where one ends.
fn next(arcs: &[Arc<'_>], arc: &Arc<'_>) -> Option<usize> {
    let start = arcs.partition_point(|other| other.start < arc.end);
    let here = arcs[start..].iter().take_while(|other| other.start == arc.end).count();
    match here {
        0 => None,
        1 => Some(start),
        _ => (start..start + here).find(|&i| arcs[i].leaves == arc.comes.right()),
    }
}

fn walk(corners: &[Corner], way: Way, ring: &mut Vec<Corner>) {
    match way {
        Way::Forward => ring.extend_from_slice(corners),
        Way::Backward => ring.extend(corners.iter().rev()),
    }
}

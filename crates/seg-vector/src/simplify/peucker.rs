use super::line::Line;
use super::{Simplify, Stop};
use crate::Corner;

/// Distances that differ by no more than this share are taken for equal, which they are but for rounding.
const EQUAL: f64 = 1e-9;

/// Takes out corners that lie near the line without them, the nearest first.
pub(crate) fn simplify(line: &mut Line<'_>, settings: &Simplify, stop: Stop<'_>) {
    let mut steps = 0;
    let Some(distances) = distances(line, settings, stop) else { return };
    let mut candidates: Vec<usize> =
        line.inner().filter(|&index| distances[index] <= settings.tolerance).collect();
    candidates.sort_unstable_by(|&a, &b| {
        distances[a].total_cmp(&distances[b]).then(line.corners[a].cmp(&line.corners[b]))
    });
    // A corner that was in the way can be gone in the next round.
    loop {
        let before = candidates.len();
        let mut is_over = false;
        candidates.retain(|&index| {
            is_over |= stop.asked_in(&mut steps, 1);
            is_over || !line.take_out(index)
        });
        if is_over || candidates.is_empty() || candidates.len() == before {
            return;
        }
    }
}

/// For each corner the largest tolerance at which it is kept; `None` if it was stopped.
fn distances(line: &Line<'_>, settings: &Simplify, stop: Stop<'_>) -> Option<Vec<f64>> {
    let mut steps = 0;
    let corners = line.corners;
    let mut distances = vec![f64::INFINITY; corners.len()];
    let mut stack = Vec::new();
    if line.is_ring {
        // The start and the corner farthest from it stay.
        let far = (1..corners.len()).max_by(|&a, &b| {
            let [a, b] = [a, b].map(|i| distance(corners[i], corners[0], corners[0], settings));
            a.total_cmp(&b)
        });
        let far = far.unwrap_or(0);
        stack.push((0, far, f64::INFINITY));
        stack.push((far, corners.len(), f64::INFINITY));
    } else {
        stack.push((0, corners.len() - 1, f64::INFINITY));
    }
    while let Some((from, to, limit)) = stack.pop() {
        if to < from + 2 {
            continue;
        }
        if stop.asked_in(&mut steps, to - from) {
            return None;
        }
        let (start, end) = (corners[from], corners[to % corners.len()]);
        let from_middle = |index: usize| (2 * index).abs_diff(from + to);
        let (mut farthest, mut most) = (from + 1, -1.0);
        for (index, corner) in corners.iter().enumerate().take(to).skip(from + 1) {
            let away = distance(*corner, start, end, settings);
            // Of corners that are equally far the one in the middle splits the line: the teeth of a comb would take
            // their number squared, were they split off one by one.
            let is_farther = away > most * (1.0 + EQUAL);
            let is_as_far = away >= most * (1.0 - EQUAL) && from_middle(index) < from_middle(farthest);
            if is_farther || is_as_far {
                (farthest, most) = (index, away.max(most));
            }
        }
        // No corner is kept longer than the ones that split the line before it.
        let kept = most.min(limit);
        distances[farthest] = kept;
        stack.push((from, farthest, kept));
        stack.push((farthest, to, kept));
    }
    Some(distances)
}

/// From a corner to a line between two others, on the ground.
fn distance(corner: Corner, start: Corner, end: Corner, settings: &Simplify) -> f64 {
    let vector = |from: Corner, to: Corner| {
        let columns = f64::from(to.x) - f64::from(from.x);
        let rows = f64::from(to.y) - f64::from(from.y);
        settings.ground.vector(columns, rows, start.y)
    };
    let (along, to) = (vector(start, end), vector(start, corner));
    let length = along.0 * along.0 + along.1 * along.1;
    let share = if length > 0.0 { ((to.0 * along.0 + to.1 * along.1) / length).clamp(0.0, 1.0) } else { 0.0 };
    (to.0 - share * along.0).hypot(to.1 - share * along.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Ground;
    use crate::join::Border;
    use crate::simplify::line::{Least, LineScratch};
    use crate::simplify::obstacles::Obstacles;
    use crate::simplify::{Method, Outer, STEPS};
    use seg_grid::{Observer, Progress};
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Listens until it was asked so often.
    struct Patience {
        most: usize,
        asked: AtomicUsize,
    }

    impl Observer for Patience {
        fn progress(&self, _: Progress) {}

        fn warning(&self, _: &str) {}

        fn cancelled(&self) -> bool {
            self.asked.fetch_add(1, Ordering::Relaxed) >= self.most
        }
    }

    fn settings() -> Simplify {
        let (method, outer) = (Method::DouglasPeucker, Outer::Free);
        Simplify { method, tolerance: 0.5, ground: Ground::PIXELS, outer }
    }

    /// Teeth of one pixel, all equally far from the line between the ends.
    fn comb(teeth: u32) -> Border {
        let tooth = |x: u32| [(x, 5), (x, 0), (x + 1, 0), (x + 1, 5)].map(|(x, y)| Corner { y, x });
        Border::new((0..teeth).flat_map(|index| tooth(2 * index)).collect(), false, [Some(0), Some(1)])
    }

    #[test]
    fn a_comb_takes_no_time_squared() {
        let (border, obstacles) = (comb(50_000), Obstacles::default());
        let mut scratch = LineScratch::default();
        let line = Line::new(&border, Least::Straight, &obstacles, &mut scratch);
        let count = line.corners.len();
        // Each corner is looked at once for each time that the line around it is split in halves, and a few times more.
        let halves = count.ilog2() as usize + 2;
        let observer = Patience { most: 2 * halves * count / STEPS, asked: AtomicUsize::new(0) };
        let distances = distances(&line, &settings(), Stop(&observer));
        assert!(distances.is_some_and(|all| all[1..count - 1].iter().all(|away| *away <= 5.0)));
    }

    #[test]
    fn a_long_line_is_left_alone_when_it_is_to_end() {
        let (border, obstacles) = (comb(50_000), Obstacles::default());
        let mut scratch = LineScratch::default();
        let mut line = Line::new(&border, Least::Straight, &obstacles, &mut scratch);
        let observer = Patience { most: 1, asked: AtomicUsize::new(0) };
        simplify(&mut line, &settings(), Stop(&observer));
        assert_eq!(observer.asked.into_inner(), 2, "asked once more, then no more");
        assert_eq!(line.left(), None);
    }
}

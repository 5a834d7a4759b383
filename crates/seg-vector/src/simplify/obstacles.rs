use crate::Corner;
use crate::trace::CornerBits;

/// Triangles up to so many words wide and rows high are searched by looking at each corner in the rectangle around
/// them, which takes no divisions.
const SMALL_WORDS: u32 = 2;
const SMALL_ROWS: u32 = 64;

/// The corners at which borders turn or meet, as they were traced; one bit for each corner of a pixel.
#[derive(Debug, Default)]
pub(crate) struct Obstacles {
    /// Words of 64 corners in a row.
    stride: usize,
    words: Vec<u64>,
}

impl Obstacles {
    /// With room for so many rows of so many words; what is not used yet takes no memory.
    pub(crate) fn with_room(rows: usize, stride: usize) -> Self {
        Self { stride, words: Vec::with_capacity(rows * stride) }
    }

    pub(crate) fn add_rows(&mut self, rows: &CornerBits) {
        self.stride = rows.stride;
        self.words.extend_from_slice(&rows.words);
    }

    fn row(&self, y: u32) -> Option<&[u64]> {
        let start = y as usize * self.stride;
        self.words.get(start..start + self.stride)
    }

    /// Calls `is_free` with the corners inside a triangle and on its edges until one is not.
    pub(crate) fn triangle_is_free(
        &self,
        triangle: [Corner; 3],
        mut is_free: impl FnMut(Corner) -> bool,
    ) -> bool {
        let [a, b, c] = triangle;
        let (top, bottom) = (a.y.min(b.y).min(c.y), a.y.max(b.y).max(c.y));
        let (left, right) = (a.x.min(b.x).min(c.x), a.x.max(b.x).max(c.x));
        let doubled = Corner::turn(a, b, c);
        if doubled != 0 && right / 64 - left / 64 < SMALL_WORDS && bottom - top < SMALL_ROWS {
            let edges = if doubled > 0 { [(a, b), (b, c), (c, a)] } else { [(a, c), (c, b), (b, a)] };
            let edges = edges.map(|(from, to)| Edge::new(from, to, Corner { y: top, x: left }));
            let (first, last) = (left / 64, right / 64);
            return (top..=bottom).all(|y| {
                let Some(row) = self.row(y) else { return true };
                (first..=last).all(|index| {
                    let Some(mut word) =
                        row.get(index as usize).map(|word| masked(*word, index, left, right))
                    else {
                        return true;
                    };
                    // Most are empty.
                    while word != 0 {
                        let x = index * 64 + word.trailing_zeros();
                        let (column, row) = ((x - left) as i32, (y - top) as i32);
                        let is_inside = edges.iter().all(|edge| edge.at(column, row) >= 0);
                        if is_inside && !is_free(Corner { y, x }) {
                            return false;
                        }
                        word &= word - 1;
                    }
                    true
                })
            });
        }
        (top..=bottom).all(|y| {
            let Some((start, end)) = span(triangle, y) else { return true };
            let Some(row) = self.row(y) else { return true };
            set_bits(row, start, end, |x| is_free(Corner { y, x }))
        })
    }
}

/// On which side of an edge of a small triangle corners are: left of it, where all of the triangle is, a linear function
/// of column and row is positive.
#[derive(Debug, Clone, Copy)]
struct Edge {
    x: i32,
    y: i32,
    constant: i32,
}

impl Edge {
    /// With columns and rows counted from `origin`.
    fn new(from: Corner, to: Corner, origin: Corner) -> Self {
        let [from, to] = [from, to].map(|at| [(at.x - origin.x) as i32, (at.y - origin.y) as i32]);
        let (x, y) = (to[1] - from[1], from[0] - to[0]);
        Self { x, y, constant: -(x * from[0] + y * from[1]) }
    }

    const fn at(self, column: i32, row: i32) -> i32 {
        self.x * column + self.y * row + self.constant
    }
}

/// The first and last column of a triangle in a row of corners.
fn span([a, b, c]: [Corner; 3], y: u32) -> Option<(u32, u32)> {
    let y = i64::from(y);
    let (mut start, mut end) = (i64::MAX, i64::MIN);
    for (from, to) in [(a, b), (b, c), (c, a)] {
        let (from, to) = if from.y <= to.y { (from, to) } else { (to, from) };
        let (y0, y1) = (i64::from(from.y), i64::from(to.y));
        let (x0, x1) = (i64::from(from.x), i64::from(to.x));
        if y < y0 || y > y1 {
            continue;
        }
        if y0 == y1 {
            (start, end) = (start.min(x0.min(x1)), end.max(x0.max(x1)));
            continue;
        }
        // The column at which the edge crosses the row, rounded inward to both sides.
        let (over, under) = ((x1 - x0) * (y - y0), y1 - y0);
        let floor = x0 + over.div_euclid(under);
        let ceil = floor + i64::from(over.rem_euclid(under) != 0);
        (start, end) = (start.min(ceil), end.max(floor));
    }
    Some((u32::try_from(start).ok()?, u32::try_from(end).ok()?)).filter(|(start, end)| start <= end)
}

/// The bits of a word of a row that are in columns from `start` to `end`.
const fn masked(mut word: u64, index: u32, start: u32, end: u32) -> u64 {
    let first = index * 64;
    if first < start {
        word &= u64::MAX << (start - first);
    }
    if end < first + 63 {
        word &= u64::MAX >> (63 - (end - first));
    }
    word
}

/// Calls `is_free` with the columns from `start` to `end` whose bits are set until one is not.
fn set_bits(row: &[u64], start: u32, end: u32, mut is_free: impl FnMut(u32) -> bool) -> bool {
    let last = (end as usize / 64).min(row.len().saturating_sub(1));
    for index in start as usize / 64..=last {
        let first = index as u32 * 64;
        let mut word = masked(row.get(index).copied().unwrap_or(0), index as u32, start, end);
        while word != 0 {
            if !is_free(first + word.trailing_zeros()) {
                return false;
            }
            word &= word - 1;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn inside([a, b, c]: [Corner; 3], p: Corner) -> bool {
        let turns = [Corner::turn(a, b, p), Corner::turn(b, c, p), Corner::turn(c, a, p)];
        if Corner::turn(a, b, c) == 0 {
            let (low, high) = ([a, b, c].into_iter().min(), [a, b, c].into_iter().max());
            let between = |v: u32, f: fn(Corner) -> u32| {
                let values = [f(a), f(b), f(c)];
                values.iter().min() <= Some(&v) && Some(&v) <= values.iter().max()
            };
            return low <= Some(p)
                && Some(p) <= high
                && turns.iter().all(|turn| *turn == 0)
                && between(p.x, |corner| corner.x)
                && between(p.y, |corner| corner.y);
        }
        turns.iter().all(|turn| *turn >= 0) || turns.iter().all(|turn| *turn <= 0)
    }

    proptest! {
        #[test]
        fn a_triangle_holds_what_lies_in_it(points in proptest::array::uniform3((0..140_u32, 0..20_u32))) {
            let triangle = points.map(|(x, y)| Corner { y, x });
            let all = Obstacles { stride: 3, words: vec![u64::MAX; 3 * 20] };
            let mut found = Vec::new();
            let is_free = all.triangle_is_free(triangle, |corner| {
                found.push(corner);
                true
            });
            prop_assert!(is_free);
            let expected: Vec<_> = (0..20)
                .flat_map(|y| (0..192).map(move |x| Corner { y, x }))
                .filter(|corner| inside(triangle, *corner))
                .collect();
            prop_assert_eq!(found, expected);
        }
    }
}

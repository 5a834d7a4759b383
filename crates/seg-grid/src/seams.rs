use crate::{TileAxis, TileGrid};
use serde::Serialize;

/// Pairs of neighboring pixels that both have a class, and those of them whose classes differ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// Pairs.
    pub pairs: u64,
    /// Pairs of different classes.
    pub changes: u64,
}

/// Which way a line between pixels runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Line {
    /// Between two columns.
    Column,
    /// Between two rows.
    Row,
}

/// The tile line along which classes change most often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct WorstLine {
    /// Which way it runs.
    pub line: Line,
    /// The pixel column or row right of or below it.
    pub at: usize,
    /// What was counted along it.
    #[serde(flatten)]
    pub changes: Changes,
}

/// How often classes change along the lines where tiles begin, end or meet, beside everywhere else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SeamReport {
    /// Along tile lines.
    pub tile_lines: Changes,
    /// Between all other neighbors.
    pub elsewhere: Changes,
    /// The worst line with at least 100 pairs.
    pub worst: Option<WorstLine>,
}

/// Counts changes of class in a raster that comes row by row.
///
/// ```
/// use seg_grid::{EdgePolicy, Seams, Size, TileGrid};
/// let grid = TileGrid::new(Size { width: 8, height: 1 }, Size::square(4), 0, EdgePolicy::Pad)?;
/// let mut seams = Seams::new(&grid, 255);
/// seams.row(&[0, 0, 0, 0, 1, 1, 1, 1]);
/// let report = seams.report();
/// assert_eq!((report.tile_lines.rate(), report.elsewhere.rate()), (Some(1.0), Some(0.0)));
/// # Ok::<(), seg_grid::Error>(())
/// ```
#[derive(Debug)]
pub struct Seams {
    nodata: u8,
    columns: Lines,
    rows: Lines,
    elsewhere: Changes,
    y: usize,
    above: Vec<u8>,
}

/// The tile lines of one axis, what was counted along each, and which line lies before each pixel.
#[derive(Debug)]
struct Lines {
    at: Vec<usize>,
    counted: Vec<Changes>,
}

/// Pairs that a line must have to be called the worst.
const FEWEST: u64 = 100;

impl Changes {
    /// Changes by pairs; `None` without pairs.
    pub fn rate(self) -> Option<f64> {
        (self.pairs > 0).then(|| self.changes as f64 / self.pairs as f64)
    }

    fn count(&mut self, a: u8, b: u8, nodata: u8) {
        if a != nodata && b != nodata {
            self.pairs += 1;
            self.changes += u64::from(a != b);
        }
    }

    fn add(&mut self, other: Self) {
        self.pairs += other.pairs;
        self.changes += other.changes;
    }
}

impl SeamReport {
    /// How many times as often classes change along tile lines as elsewhere; about 1 without seams.
    pub fn ratio(&self) -> Option<f64> {
        let (lines, elsewhere) = (self.tile_lines.rate()?, self.elsewhere.rate()?);
        (elsewhere > 0.0).then(|| lines / elsewhere)
    }
}

impl Lines {
    fn new(axis: &TileAxis) -> Self {
        let at = axis.lines();
        Self { counted: vec![Changes::default(); at.len()], at }
    }
}

impl Seams {
    /// For the classes of a raster that was computed in these tiles; pairs with `nodata` are not counted.
    pub fn new(grid: &TileGrid, nodata: u8) -> Self {
        Self {
            nodata,
            columns: Lines::new(grid.x()),
            rows: Lines::new(grid.y()),
            elsewhere: Changes::default(),
            y: 0,
            above: Vec::new(),
        }
    }

    /// Counts the next row of the raster.
    pub fn row(&mut self, classes: &[u8]) {
        let mut next = self.columns.at.iter().zip(&mut self.columns.counted).peekable();
        for (x, pair) in (1..).zip(classes.windows(2)) {
            let on_line = next.next_if(|(at, _)| **at == x);
            let counter = on_line.map_or(&mut self.elsewhere, |(_, counter)| counter);
            counter.count(pair[0], pair[1], self.nodata);
        }
        if self.y > 0 {
            let counter = match self.rows.at.binary_search(&self.y) {
                Ok(line) => &mut self.rows.counted[line],
                Err(_) => &mut self.elsewhere,
            };
            for (&above, &class) in self.above.iter().zip(classes) {
                counter.count(above, class, self.nodata);
            }
        }
        self.above.clear();
        self.above.extend_from_slice(classes);
        self.y += 1;
    }

    /// What was counted.
    pub fn report(&self) -> SeamReport {
        let lines = |line: Line, lines: &Lines| {
            let each = lines.at.iter().zip(&lines.counted);
            each.map(|(&at, &changes)| WorstLine { line, at, changes }).collect::<Vec<_>>()
        };
        let all = [lines(Line::Column, &self.columns), lines(Line::Row, &self.rows)].concat();
        let mut tile_lines = Changes::default();
        for line in &all {
            tile_lines.add(line.changes);
        }
        let rate = |line: &WorstLine| line.changes.rate().unwrap_or(0.0);
        let worst = all
            .into_iter()
            .filter(|line| line.changes.pairs >= FEWEST)
            .max_by(|a, b| rate(a).total_cmp(&rate(b)));
        SeamReport { tile_lines, elsewhere: self.elsewhere, worst }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EdgePolicy, Size};

    fn grid(overlap: usize) -> TileGrid {
        TileGrid::new(Size::square(300), Size::square(100), overlap, EdgePolicy::Shift).expect("valid")
    }

    fn report(grid: &TileGrid, class: impl Fn(usize, usize) -> u8) -> SeamReport {
        let mut seams = Seams::new(grid, 255);
        for y in 0..300 {
            let row: Vec<u8> = (0..300).map(|x| class(x, y)).collect();
            seams.row(&row);
        }
        seams.report()
    }

    #[test]
    fn blocks_along_tiles_are_seen_and_patterns_of_the_scene_are_not() {
        let blocks = report(&grid(0), |x, y| (x / 100 + y / 100) as u8);
        assert_eq!(blocks.tile_lines, Changes { pairs: 4 * 300, changes: 4 * 300 });
        assert_eq!(blocks.elsewhere.changes, 0);
        assert_eq!(blocks.ratio(), None);
        // Stripes of three pixels have nothing to do with tiles of a hundred.
        let stripes = report(&grid(20), |x, y| ((x + y) / 3 % 2) as u8);
        let ratio = stripes.ratio().expect("classes change");
        assert!((ratio - 1.0).abs() < 0.02, "{ratio}");
    }

    #[test]
    fn the_worst_line_is_named() {
        let one_step = report(&grid(0), |x, y| u8::from(x >= 200 && y < 150));
        let worst = one_step.worst.expect("lines are long enough");
        assert_eq!((worst.line, worst.at, worst.changes.changes), (Line::Column, 200, 150));
    }

    #[test]
    fn nodata_is_no_change() {
        let empty = report(&grid(10), |x, _| if x % 2 == 0 { 255 } else { 1 });
        assert_eq!(empty.tile_lines.changes + empty.elsewhere.changes, 0);
        assert_eq!(report(&grid(10), |_, _| 255).ratio(), None);
    }
}

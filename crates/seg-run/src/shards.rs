use crate::WantedTiles;
use crate::strip_rows::STRIP_ROWS;
use seg_grid::{Regrid, Size, SourceProfile, Window};
use std::cmp::Reverse;
use std::ops::Range;

/// Where a raster can be cut: both sides of a cut through a block decode it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cuts {
    /// Anywhere: its blocks are narrow.
    Anywhere,
    /// Between rows only: its blocks span it.
    BetweenRows,
}

/// What is cut, and into how many windows.
struct Cut<'a> {
    wanted: &'a WantedTiles,
    regrid: Option<&'a Regrid>,
    result: Size,
    count: usize,
}

/// A side of a result in strips.
struct Side {
    length: usize,
    /// What there is to do in each strip.
    loads: Vec<u64>,
    /// The strips in which there is something.
    busy: Vec<usize>,
}

/// Which bands get one window more than others, where they do not divide them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Larger {
    First,
    Last,
}

/// Numbers of bands that are tried, about.
const WAYS: usize = 32;

impl Cuts {
    /// Of a raster that is read.
    pub const fn through(raster: &SourceProfile) -> Self {
        if raster.block.width * 2 > raster.size.width { Self::BetweenRows } else { Self::Anywhere }
    }
}

/// Cuts a result into `count` windows that machines can compute apart, each with as many of the wanted tiles as the
/// others, and few tiles computed twice.
///
/// A tile that touches two windows is computed for both, so windows are as square as they can be. They cover all of the
/// result, begin with multiples of the strips' rows and columns, and depend on nothing but the tiles, which of them are
/// wanted, where cuts can be and `count`, so that every machine cuts alike. Where there are fewer blocks with wanted
/// tiles than windows, the last windows are empty. `regrid` tells how scores get to the result where that has another
/// grid.
///
/// ```
/// use seg_grid::{EdgePolicy, Size, TileGrid};
/// use seg_run::{Cuts, WantedTiles};
/// let size = Size::square(8192);
/// let grid = TileGrid::new(size, Size::square(512), 128, EdgePolicy::Shift)?;
/// let windows = seg_run::shards(&WantedTiles::all(grid), None, size, Cuts::Anywhere, 8);
/// assert_eq!(windows.iter().map(|window| window.area()).sum::<u64>(), size.area());
/// # Ok::<(), seg_grid::Error>(())
/// ```
pub fn shards(
    wanted: &WantedTiles,
    regrid: Option<&Regrid>,
    result: Size,
    cuts: Cuts,
    count: usize,
) -> Vec<Window> {
    let all = WantedTiles::all(*wanted.grid());
    // Where nothing is wanted, what is left is to write that down, pixel by pixel.
    let wanted = if wanted.total() == 0 { &all } else { wanted };
    let cut = Cut { wanted, regrid, result, count };
    let rows = Side::new(result.height, wanted.by_rows(regrid, 0..result.width));
    let most = count.min(rows.busy.len()).max(1);
    let bands = match cuts {
        Cuts::BetweenRows => vec![most],
        Cuts::Anywhere => {
            let across = cut.columns(&(0..result.height)).busy.len();
            worth_a_try(most, (count as f64 * rows.busy.len() as f64 / across as f64).sqrt())
        }
    };
    let ways = bands.into_iter().flat_map(|bands| [(bands, Larger::Last), (bands, Larger::First)]);
    let ways = ways.map(|(bands, larger)| cut.in_bands(&rows, bands, larger));
    // No machine waits while another has two blocks.
    let mut best = ways.min_by_key(|way| (Reverse(way.len()), cut.cost(way))).unwrap_or_default();
    best.resize(count, Window { x: 0, y: 0, width: 0, height: 0 });
    best
}

impl Cut<'_> {
    /// Cuts into so many bands of rows, and those into columns, `count` windows together or fewer.
    fn in_bands(&self, rows: &Side, bands: usize, larger: Larger) -> Vec<Window> {
        let first = |band: usize| match larger {
            Larger::Last => self.count * band / bands,
            Larger::First => (self.count * band).div_ceil(bands),
        };
        let rows = rows.cut(&(0..=bands).map(first).collect::<Vec<_>>());
        let mut windows = Vec::with_capacity(self.count);
        for (rows, across) in rows.iter().zip(self.dealt(&rows)) {
            let side = self.columns(rows);
            for columns in side.cut(&(0..=across.min(side.busy.len())).collect::<Vec<_>>()) {
                let (x, y) = (columns.start, rows.start);
                windows.push(Window { x, y, width: columns.len(), height: rows.len() });
            }
        }
        windows
    }

    /// Deals windows to bands by what there is to do in each; each gets one.
    fn dealt(&self, bands: &[Range<usize>]) -> Vec<usize> {
        let load = |rows: &Range<usize>| {
            let band = Window { x: 0, y: rows.start, width: self.result.width, height: rows.len() };
            u128::from(self.wanted.count(self.regrid, band))
        };
        let loads: Vec<u128> = bands.iter().map(load).collect();
        let all = loads.iter().sum::<u128>().max(1);
        let (mut before, mut start) = (0, 0);
        let share = |(band, load): (usize, &u128)| {
            before += load;
            let end = ((self.count as u128 * before + all / 2) / all) as usize;
            // Those that come after want one each.
            let end = end.min(self.count + 1 + band - bands.len()).max(start + 1);
            let share = end - start;
            start = end;
            share
        };
        loads.iter().enumerate().map(share).collect()
    }

    fn columns(&self, rows: &Range<usize>) -> Side {
        Side::new(self.result.width, self.wanted.by_columns(self.regrid, rows.clone()))
    }

    /// All that is computed, and what the last one waits for.
    fn cost(&self, windows: &[Window]) -> u64 {
        let tiles = |window: &Window| self.wanted.count(self.regrid, *window);
        windows.iter().map(tiles).sum::<u64>() + windows.iter().map(tiles).max().unwrap_or(0)
    }
}

/// Numbers of bands that are worth a try, largest first: all, or those around the one that makes squares.
fn worth_a_try(most: usize, squares: f64) -> Vec<usize> {
    if most <= WAYS {
        return (1..=most).rev().collect();
    }
    // From half of it to twice as many.
    let near = |way: usize| (squares * 2.0_f64.powf(2.0 * way as f64 / WAYS as f64 - 1.0)).round() as usize;
    let mut ways: Vec<usize> = (0..=WAYS).map(|way| near(way).clamp(1, most)).chain([most]).collect();
    ways.sort_unstable_by_key(|&bands| Reverse(bands));
    ways.dedup();
    ways
}

impl Side {
    /// From what there is to do at places from 0, its beginning, to 1, its end; all strips count alike without.
    fn new(length: usize, loads: Option<Vec<(f64, u64)>>) -> Self {
        let strips = length.div_ceil(STRIP_ROWS);
        let loads = loads.map_or_else(
            || vec![1; strips],
            |found| {
                let mut loads = vec![0; strips];
                for (place, load) in found {
                    let strip = (place * length as f64) as usize / STRIP_ROWS;
                    loads[strip.min(strips - 1)] += load;
                }
                loads
            },
        );
        let busy = (0..strips).filter(|&strip| loads[strip] > 0).collect();
        Self { length, loads, busy }
    }

    /// Cuts it into parts of whole strips: `shares` has the first share of each part, and the number of all.
    ///
    /// In every part there is something to do, as long as there are no more parts than strips with something.
    fn cut(&self, shares: &[usize]) -> Vec<Range<usize>> {
        let (parts, all) = (shares.len().saturating_sub(1), shares.last().copied().unwrap_or(0).max(1));
        let busy = self.busy.len();
        // What there is to do before each strip in which there is something, and all of it.
        let mut before = vec![0_u128];
        before.extend(self.busy.iter().scan(0, |sum, &strip| {
            *sum += u128::from(self.loads[strip]);
            Some(*sum)
        }));
        let nearest = |share: usize| {
            // Both times the number of all shares, so that nothing is rounded.
            let wanted = before[busy] * share as u128;
            let next = before.partition_point(|&sum| sum * (all as u128) < wanted).min(busy);
            let off = |place: usize| (before[place] * all as u128).abs_diff(wanted);
            if next > 0 && off(next - 1) < off(next) { next - 1 } else { next }
        };
        let pixel = |place: usize| match place {
            0 => 0,
            _ => self.busy.get(place).map_or(self.length, |strip| strip * STRIP_ROWS),
        };
        let mut start = 0;
        let part = |(number, share): (usize, &usize)| {
            // Those that come after want a strip each.
            let end = nearest(*share).min(busy - (parts - number)).max(start + 1);
            let part = pixel(start)..pixel(end);
            start = end;
            part
        };
        shares.iter().enumerate().skip(1).map(part).collect()
    }
}

#[cfg(test)]
#[path = "shards_tests.rs"]
mod tests;

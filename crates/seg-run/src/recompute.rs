//! Computes parts of a class raster again and compares them with what is on disk.

use crate::finish::{self, NODATA};
use crate::{Error, Network, Output, Plan, Strips, WorkFolder, assemble, predict};
use crossbeam_channel::{RecvTimeoutError, bounded};
use ndarray::{Array2, ArrayView2, s};
use seg_grid::{
    Block, IoError, Layer, Observer, Progress, RasterSink, RasterSource, Stitcher, TileGrid, Window,
};
use serde::Serialize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// What was compared, and what differs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// Pixels that were compared.
    pub pixels: u64,
    /// Those whose class differs.
    pub differing: u64,
    /// Where they lie, in tiles or blocks; the first thousand.
    pub windows: Vec<Difference>,
    /// Windows that differ, listed or not.
    pub windows_differing: u64,
}

/// The bounds of pixels that differ within one tile or block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Their bounds.
    #[serde(flatten)]
    pub window: Window,
    /// How many differ in it.
    pub pixels: u64,
}

/// A network, what it sees, and the classes that it is said to have made.
#[derive(Clone, Copy)]
pub struct Claim<'a> {
    /// The network.
    pub network: &'a Network,
    /// The raster that it sees.
    pub source: &'a dyn RasterSource,
    /// How that raster is cut and put together.
    pub plan: &'a Plan,
    /// The class ids in the network's order.
    pub ids: &'a [u8],
    /// The class raster, as one band.
    pub found: &'a dyn RasterSource,
}

/// Differences that are listed.
const LISTED: usize = 1000;
/// How often the waiting thread looks whether it should stop.
const LOOK: Duration = Duration::from_millis(50);

impl Comparison {
    /// Compares a window's ids, (H, W) each.
    fn add(&mut self, window: Window, made: &ArrayView2<'_, u8>, found: &ArrayView2<'_, u8>) {
        self.pixels += window.area();
        let mut bounds: Option<(usize, usize, usize, usize)> = None;
        let mut pixels = 0;
        for ((y, x), made) in made.indexed_iter() {
            if *made != found[[y, x]] {
                let (left, top, right, bottom) = bounds.unwrap_or((x, y, x, y));
                bounds = Some((left.min(x), top.min(y), right.max(x), bottom.max(y)));
                pixels += 1;
            }
        }
        if let Some((left, top, right, bottom)) = bounds {
            let (x, y) = (window.x + left, window.y + top);
            let window = Window { x, y, width: right - left + 1, height: bottom - top + 1 };
            self.merge(Self {
                pixels: 0,
                differing: pixels,
                windows: vec![Difference { window, pixels }],
                windows_differing: 1,
            });
        }
    }

    fn merge(&mut self, other: Self) {
        self.pixels += other.pixels;
        self.differing += other.differing;
        self.windows_differing += other.windows_differing;
        let room = LISTED.saturating_sub(self.windows.len());
        self.windows.extend(other.windows.into_iter().take(room));
    }
}

/// Chooses tiles that are spread over a grid: one in each of `count` equal parts of it, in index order.
///
/// ```
/// use seg_grid::{EdgePolicy, Size, TileGrid};
/// let grid = TileGrid::new(Size::square(6000), Size::square(512), 0, EdgePolicy::Shift)?;
/// let tiles = seg_run::sample_tiles(&grid, 16, 0);
/// assert_eq!(tiles.len(), 16);
/// assert!(tiles.windows(2).all(|pair| pair[0] < pair[1]));
/// assert_eq!(tiles, seg_run::sample_tiles(&grid, 16, 0));
/// # Ok::<(), seg_grid::Error>(())
/// ```
pub fn sample_tiles(grid: &TileGrid, count: u64, seed: u64) -> Vec<u64> {
    let count = count.min(grid.len());
    let start = |part: u64| (u128::from(part) * u128::from(grid.len()) / u128::from(count.max(1))) as u64;
    let tile = |part: u64| {
        let mut numbers = blake3::Hasher::new();
        numbers.update(&seed.to_le_bytes()).update(&part.to_le_bytes());
        let mut bytes = [0; 8];
        numbers.finalize_xof().fill(&mut bytes);
        start(part) + u64::from_le_bytes(bytes) % (start(part + 1) - start(part))
    };
    (0..count).map(tile).collect()
}

/// Computes the pixels that some tiles own again, and compares them.
///
/// Every tile that counts in such a pixel is computed, so that blending is the same to the bit. Memory is a few
/// tiles for each of the plan's workers.
///
/// # Errors
/// If a raster cannot be read, the network fails, or the observer cancels.
pub fn check_tiles(claim: Claim<'_>, tiles: &[u64], observer: &dyn Observer) -> Result<Comparison, Error> {
    let workers = claim.plan.workers.min(tiles.len()).max(1);
    let open = || Ok::<_, IoError>((claim.network.fork(), claim.source.reopen()?, claim.found.reopen()?));
    let parts = (0..workers).map(|_| open()).collect::<Result<Vec<_>, _>>()?;
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (sender, done) = bounded(workers);
    thread::scope(|scope| {
        for (network, mut source, mut found) in parts {
            let (sender, next, stop, plan, ids) = (sender.clone(), &next, &stop, claim.plan, claim.ids);
            scope.spawn(move || {
                seg_torch::set_intra_op_threads(1);
                while let Some(&tile) = tiles.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let worker = Worker { network: &network, plan, ids, stop };
                    let compared = worker.compare(source.as_mut(), found.as_mut(), tile);
                    // Whoever listened has ended the comparison.
                    if sender.send(compared).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let result = gather(&done, tiles.len(), observer);
        stop.store(true, Ordering::Relaxed);
        drop(done);
        result
    })
}

/// Computes everything again as a run does, its strips in `work`, and compares it block by block.
///
/// # Errors
/// If a raster cannot be read, the network fails, strips cannot be stored, or the observer cancels.
pub fn check_all(claim: Claim<'_>, work: &WorkFolder, observer: &dyn Observer) -> Result<Comparison, Error> {
    predict(claim.network, claim.source, claim.plan, claim.ids, work, observer)?;
    let mut against = Against { found: claim.found.reopen()?, comparison: Comparison::default() };
    assemble(&Strips::of_run(work, claim.plan), Output::Classes, &mut against, observer)?;
    Ok(against.comparison)
}

/// Adds up what workers compared; differences come out top to bottom.
fn gather(
    done: &crossbeam_channel::Receiver<Result<Comparison, Error>>,
    tiles: usize,
    observer: &dyn Observer,
) -> Result<Comparison, Error> {
    let (mut all, mut count) = (Comparison::default(), 0);
    loop {
        if observer.cancelled() {
            return Err(Error::Cancelled);
        }
        match done.recv_timeout(LOOK) {
            Ok(compared) => {
                all.merge(compared?);
                count += 1;
                observer.progress(Progress { stage: "verify", done: count, total: tiles as u64 });
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                all.windows.sort_by_key(|difference| (difference.window.y, difference.window.x));
                return Ok(all);
            }
        }
    }
}

/// What one thread computes with.
struct Worker<'a> {
    network: &'a Network,
    plan: &'a Plan,
    ids: &'a [u8],
    stop: &'a AtomicBool,
}

impl Worker<'_> {
    fn compare(
        &self,
        source: &mut dyn RasterSource,
        found: &mut dyn RasterSource,
        tile: u64,
    ) -> Result<Comparison, Error> {
        let core = self.plan.grid.tile(tile).core;
        let made = self.classes(source, core)?;
        let mut comparison = Comparison::default();
        comparison.add(core, &made.view(), &read_ids(found, core)?.view());
        Ok(comparison)
    }

    /// The classes of a window, (H, W), out of all tiles that touch it, in the order of a whole run.
    fn classes(&self, source: &mut dyn RasterSource, window: Window) -> Result<Array2<u8>, Error> {
        let (grid, classes) = (&self.plan.grid, self.ids.len());
        let rows = grid.y().touching(window.y..window.bottom());
        let columns = window.x..window.right();
        let mut stitcher = Stitcher::for_strip(grid, self.plan.blend, classes, columns, rows.start);
        let mut ids = Array2::from_elem((window.height, window.width), NODATA); // (H, W)
        for row in rows {
            for column in stitcher.columns() {
                if self.stop.load(Ordering::Relaxed) {
                    return Err(Error::Cancelled);
                }
                let tile = grid.at(column, row);
                let (valid, scores) = match source.read(tile.read)? {
                    Some(mut patch) => {
                        self.network.normalize(&mut patch);
                        let scores =
                            self.network.probabilities(&[&patch.values], self.plan.images, &|| false)?.pop();
                        (patch.valid, scores)
                    }
                    None => (Array2::from_elem((tile.read.height, tile.read.width), false), None),
                };
                let finished = stitcher.push(&tile, scores.as_ref().map(|scores| scores.view()));
                let finished = finished.map_err(Error::Stitch)?;
                let Some(shared) = finished.window.intersect(window) else { continue };
                let (y, x) = finished.window.relative_to(tile.read).ranges();
                let values =
                    finish::values(Output::Classes, &finished, &valid.slice(s![y, x]), self.ids).block;
                if let Block::U8(values) = values {
                    let (from_y, from_x) = shared.relative_to(finished.window).ranges();
                    let (to_y, to_x) = shared.relative_to(window).ranges();
                    ids.slice_mut(s![to_y, to_x]).assign(&values.slice(s![0, from_y, from_x])); // (1, H, W) -> (H, W)
                }
            }
        }
        Ok(ids)
    }
}

/// Compares what is put together with a raster on disk.
struct Against {
    found: Box<dyn RasterSource>,
    comparison: Comparison,
}

impl RasterSink for Against {
    fn write(&mut self, layer: Layer, window: Window, block: &Block) -> Result<(), IoError> {
        if let (Layer::Classes, Block::U8(made)) = (layer, block) {
            let found = read_ids(self.found.as_mut(), window)?;
            self.comparison.add(window, &made.index_axis(ndarray::Axis(0), 0), &found.view()); // (1, H, W) -> (H, W)
        }
        Ok(())
    }
}

/// The ids of a window of a class raster, (H, W); 255 where there is none.
///
/// # Errors
/// If the raster cannot be read.
pub fn read_ids(found: &mut dyn RasterSource, window: Window) -> Result<Array2<u8>, IoError> {
    let mut ids = Array2::from_elem((window.height, window.width), NODATA); // (H, W)
    if let Some(patch) = found.read(window)? {
        let values = patch.values.index_axis_move(ndarray::Axis(0), 0); // (1, H, W) -> (H, W)
        ndarray::Zip::from(&mut ids).and(&values).and(&patch.valid).for_each(|id, &value, &valid| {
            if valid {
                *id = value as u8;
            }
        });
    }
    Ok(ids)
}

#[cfg(test)]
mod tests;

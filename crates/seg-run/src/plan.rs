use crate::scratch;
use crate::strip_rows::{STRIP_ROWS, StripRows};
use crate::{Error, Footprint, Output, total_memory};
use seg_grid::{
    Blend, EdgePolicy, Regrid, Regridder, Size, SourceProfile, Stitcher, TileAxis, TileGrid, Window,
};
use serde::Serialize;
use std::ops::Range;

/// How far tiles overlap.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Overlap {
    /// Pixels.
    Pixels(usize),
    /// Percent of the tile's side.
    Percent(f64),
}

/// How many tiles are on their way at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Batch {
    /// As many as keep all workers busy.
    Auto,
    /// This many; on an accelerator this many go through the network at once.
    Tiles(usize),
}

/// What a plan is made from.
#[derive(Debug, Clone)]
pub struct PlanRequest<'a> {
    /// The raster.
    pub profile: &'a SourceProfile,
    /// Where the result lies on another grid: how it gets there, and the raster of that grid.
    pub native: Option<(Regrid, &'a SourceProfile)>,
    /// Its tiles, from [`Plan::lay_tiles`].
    pub grid: TileGrid,
    /// How tiles are blended.
    pub blend: Blend,
    /// Classes of the network.
    pub classes: usize,
    /// What is made.
    pub outputs: &'a [Output],
    /// What the network costs.
    pub footprint: Footprint,
    /// Processor threads to use.
    pub threads: usize,
    /// Tiles in flight.
    pub batch: Batch,
    /// Where the network computes: an accelerator is fed batches by few workers, the processor has one a thread.
    pub device: tch::Device,
    /// The limit in bytes; half of the machine's memory if not given.
    pub max_memory: Option<u64>,
    /// GDAL's block cache in bytes, which is set before the first read and so before the plan.
    pub cache: u64,
    /// Column strips that a resumed run must keep.
    pub columns: Option<&'a [Range<usize>]>,
    /// The part of the result that is made here, one of [`crate::shards`]; all of it if not given.
    pub part: Option<Window>,
}

/// One line of the memory budget.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BudgetLine {
    /// What takes the memory.
    pub what: &'static str,
    /// Bytes.
    pub bytes: u64,
}

/// What will be done, and the memory that it takes at most.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The tiles.
    pub grid: TileGrid,
    /// How scores get to the grid of the result, where that is another.
    pub regrid: Option<Regrid>,
    /// The size of the result.
    pub result: Size,
    /// The part of it that is made here.
    pub part: Window,
    /// How they are blended.
    pub blend: Blend,
    /// What is made.
    pub outputs: Vec<Output>,
    /// Column strips of the part, computed one after another; one for rasters that fit the budget as they are.
    pub columns: Vec<Range<usize>>,
    /// Threads that compute.
    pub workers: usize,
    /// Threads that read.
    pub readers: usize,
    /// Tiles between being read and being stitched.
    pub in_flight: usize,
    /// Tiles that go through the network at once: 1 on the CPU.
    pub images: usize,
    /// The limit in bytes.
    pub budget: u64,
    /// The parts of the estimate.
    pub lines: Vec<BudgetLine>,
    /// Bytes on disk at most while strips wait; compressed, they take far less.
    pub disk: u64,
}

/// While the device computes one worker's batch, the other brings the next one there.
const CUDA_WORKERS: usize = 2;
/// Readers at most that feed a device.
const CUDA_READERS: usize = 4;
/// Tiles in a batch of a device where the user does not say how many, as memory allows.
const CUDA_BATCHES: [usize; 4] = [8, 4, 2, 1];

impl Plan {
    /// Lays tiles of `tile` pixels, rounded up to the network's multiple, over a raster.
    ///
    /// # Errors
    /// If tile or overlap leave no step.
    pub fn lay_tiles(
        profile: &SourceProfile,
        tile: usize,
        overlap: Overlap,
        multiple: usize,
    ) -> Result<TileGrid, Error> {
        let multiple = multiple.max(1);
        let side = tile.next_multiple_of(multiple);
        let overlap = match overlap {
            Overlap::Pixels(pixels) => pixels,
            Overlap::Percent(percent) => (side as f64 * percent / 100.0).round() as usize,
        };
        TileGrid::new(profile.size, Size::square(side), overlap, EdgePolicy::Fit { multiple })
            .map_err(|source| Error::Tiles { name: profile.name.clone(), source })
    }

    /// Finds the fastest way that keeps the budget: first fewer tiles in flight, then column strips, then
    /// fewer workers.
    ///
    /// # Errors
    /// If even one worker on the narrowest strip needs more than the budget.
    pub fn new(request: &PlanRequest<'_>) -> Result<Self, Error> {
        let budget = request.max_memory.unwrap_or_else(|| total_memory() / 2);
        let workers = if request.device.is_cuda() { CUDA_WORKERS } else { request.threads.max(1) };
        let mut smallest = u64::MAX;
        for workers in (1..=workers).rev() {
            for flight in flight_choices(request, workers) {
                for columns in column_choices(request) {
                    let plan = Self::draft(request, budget, workers, flight, columns);
                    let needed = plan.memory();
                    if needed <= budget {
                        return Ok(plan);
                    }
                    smallest = smallest.min(needed);
                }
            }
        }
        let profile = request.profile;
        if profile.block_bytes > budget / 2 {
            return Err(Error::BlockTooLarge {
                name: profile.name.clone(),
                block: profile.block,
                bytes: profile.block_bytes,
                allowed: budget / 2,
            });
        }
        Err(Error::Budget { needed: smallest, budget })
    }

    /// Bytes of memory that the plan takes at most.
    pub fn memory(&self) -> u64 {
        self.lines.iter().map(|line| line.bytes).sum()
    }

    /// Tiles to compute; more than the part has where column strips share tiles.
    pub fn tiles(&self) -> u64 {
        let columns: usize =
            self.columns.iter().map(|columns| self.tile_columns(columns.clone()).len()).sum();
        columns as u64 * self.tile_rows(self.part.rows()).len() as u64
    }

    /// The same without those that column strips compute again.
    pub fn tiles_once(&self) -> u64 {
        let (columns, rows) = (self.tile_columns(self.part.columns()), self.tile_rows(self.part.rows()));
        columns.len() as u64 * rows.len() as u64
    }

    /// The columns of tiles that columns of the result are made of.
    pub(crate) fn tile_columns(&self, result: Range<usize>) -> Range<usize> {
        touching(self.grid.x(), self.seen_columns(result))
    }

    /// The rows of tiles that rows of the result are made of.
    pub(crate) fn tile_rows(&self, result: Range<usize>) -> Range<usize> {
        touching(self.grid.y(), seen_rows(self.regrid.as_ref(), result))
    }

    /// The columns of the raster seen by the network that columns of the result are made of.
    pub(crate) fn seen_columns(&self, result: Range<usize>) -> Range<usize> {
        seen_columns(self.regrid.as_ref(), result)
    }

    /// Rows of the result that become final at once.
    pub(crate) fn rows_at_once(&self) -> usize {
        rows_at_once(self.regrid.as_ref(), &self.grid)
    }

    fn draft(
        request: &PlanRequest<'_>,
        budget: u64,
        workers: usize,
        Flight { in_flight, images }: Flight,
        columns: Vec<Range<usize>>,
    ) -> Self {
        let PlanRequest { profile, grid, classes, outputs, footprint, .. } = request;
        let tile = grid.tile_size();
        let regrid = request.native.map(|(regrid, _)| regrid);
        let result = regrid.map_or(profile.size, |regrid| regrid.result());
        let part = request.part.unwrap_or(Window::whole(result));
        let widest = columns.iter().max_by_key(|c| c.len()).cloned().unwrap_or(0..result.width);
        let at_once = rows_at_once(regrid.as_ref(), grid);
        let read_bytes = tile.area() * (profile.bands as u64 * 4 + 1);
        let score_bytes = tile.area() * *classes as u64 * 4;
        // Readers of narrow blocks share nothing; where one block spans the raster, two would decode it twice.
        // A device computes faster than two readers decode.
        let most =
            if request.device.is_cuda() { request.threads.clamp(1, CUDA_READERS) } else { workers.min(2) };
        let readers = if profile.block.width * 2 > profile.size.width { 1 } else { most };
        let raw = tile.area() * (profile.bands * profile.dtype.bytes()) as u64;
        let rows: u64 =
            outputs.iter().map(|o| StripRows::bytes(*o, *classes, widest.len(), part.height, at_once)).sum();
        // A strip is copied once to be compressed, and read once to be assembled.
        let strip: u64 = outputs.iter().map(|o| (o.bands(*classes) * o.bytes()) as u64).max().unwrap_or(1)
            * (STRIP_ROWS * widest.len()) as u64;
        let mut lines = vec![
            BudgetLine { what: "program, libtorch and weights", bytes: footprint.resident },
            BudgetLine { what: "network, all workers", bytes: footprint.worker * workers as u64 },
            BudgetLine { what: "tiles in flight", bytes: in_flight as u64 * (read_bytes + score_bytes) },
            BudgetLine { what: "readers", bytes: readers as u64 * (raw + profile.block_bytes) },
            BudgetLine { what: "block cache", bytes: request.cache },
            BudgetLine {
                what: "sums of overlapping rows",
                bytes: Stitcher::bytes(grid, *classes, seen_columns(regrid.as_ref(), widest.clone())),
            },
            BudgetLine { what: "rows waiting to be stored", bytes: rows + 2 * strip },
        ];
        if let Some((regrid, native)) = &request.native {
            let bytes = Regridder::bytes(regrid, *classes, widest, tile.height)
                + scratch::bytes(*classes, native)
                + native.block_bytes;
            lines.push(BudgetLine { what: "rows on their way to the raster's own grid", bytes });
        }
        if request.device.is_cuda() {
            // Tiles side by side, as a tensor and page-locked; scores page-locked.
            let batch = images as u64 * (3 * read_bytes + score_bytes);
            lines.push(BudgetLine {
                what: "batches on their way to the device and back",
                bytes: workers as u64 * batch,
            });
        }
        // Buffers are allocated in one thread and freed in another, and the allocator keeps some for each.
        let threads = (workers + readers + 1) as u64;
        let kept = threads * 3 * (read_bytes + score_bytes);
        lines.push(BudgetLine { what: "free memory that the allocator keeps", bytes: kept });
        let disk = outputs.iter().map(|o| (o.bands(*classes) * o.bytes()) as u64).sum::<u64>() * part.area();
        Self {
            grid: *grid,
            regrid,
            result,
            part,
            blend: request.blend,
            outputs: outputs.to_vec(),
            columns,
            workers,
            readers,
            in_flight,
            images,
            budget,
            lines,
            disk,
        }
    }
}

/// The columns that the network sees and that columns of the result are made of.
pub(crate) fn seen_columns(regrid: Option<&Regrid>, result: Range<usize>) -> Range<usize> {
    match regrid {
        Some(regrid) => regrid.columns(result),
        None => result,
    }
}

/// The same for rows.
pub(crate) fn seen_rows(regrid: Option<&Regrid>, result: Range<usize>) -> Range<usize> {
    match regrid {
        Some(regrid) => regrid.rows(result),
        None => result,
    }
}

/// The tiles that touch some pixels; none for none.
pub(crate) fn touching(axis: &TileAxis, pixels: Range<usize>) -> Range<usize> {
    if pixels.is_empty() { 0..0 } else { axis.touching(pixels) }
}

fn rows_at_once(regrid: Option<&Regrid>, grid: &TileGrid) -> usize {
    if regrid.is_some() { STRIP_ROWS } else { grid.tile_size().height }
}

/// How many tiles are on their way, and how many of them go through the network at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Flight {
    in_flight: usize,
    images: usize,
}

/// Tiles on their way at once, best first.
fn flight_choices(request: &PlanRequest<'_>, workers: usize) -> Vec<Flight> {
    if request.device.is_cuda() {
        // Each worker has a batch, and another is being read or stitched.
        let batches = |images: usize| Flight { in_flight: (workers + 1) * images, images };
        return match request.batch {
            Batch::Auto => CUDA_BATCHES.map(batches).to_vec(),
            Batch::Tiles(tiles) => vec![batches(tiles.max(1))],
        };
    }
    let alone = |in_flight: usize| Flight { in_flight, images: 1 };
    match request.batch {
        Batch::Auto => vec![alone(workers + 2), alone(workers + 1)],
        Batch::Tiles(tiles) => vec![alone(tiles.max(1))],
    }
}

/// Ways to cut the raster into column strips, widest first, each a multiple of the output's block.
fn column_choices(request: &PlanRequest<'_>) -> Vec<Vec<Range<usize>>> {
    if let Some(columns) = request.columns {
        return vec![columns.to_vec()];
    }
    let result = request.native.map_or(request.profile.size, |(regrid, _)| regrid.result());
    let all = request.part.unwrap_or(Window::whole(result)).columns();
    let width = all.len();
    let magnification = request.native.map_or(1.0, |(regrid, _)| regrid.magnification());
    // A strip computes the tiles at its borders again: below four tiles that would cost more than it saves.
    let four = 4.0 * request.grid.tile_size().width as f64 * magnification;
    let narrowest = (four.ceil() as usize).next_multiple_of(STRIP_ROWS);
    let mut choices = vec![vec![all.clone()]];
    let mut strips = 2;
    while width.div_ceil(strips) >= narrowest {
        let step = width.div_ceil(strips).next_multiple_of(STRIP_ROWS);
        choices.push(all.clone().step_by(step).map(|x| x..(x + step).min(all.end)).collect());
        strips *= 2;
    }
    choices
}

#[cfg(test)]
mod tests {
    use super::*;
    use seg_grid::{MemoryRaster, RasterSource};
    use std::time::Duration;

    const MIB: u64 = 1 << 20;

    fn profile(width: usize, height: usize) -> SourceProfile {
        let raster = MemoryRaster::new(ndarray::Array3::zeros((3, 1, 1)));
        let size = Size { width, height };
        SourceProfile { size, block: Size::square(256), block_bytes: 3 * 65536, ..raster.profile().clone() }
    }

    fn plan(profile: &SourceProfile, max_memory: u64, threads: usize) -> Result<Plan, Error> {
        plan_on(tch::Device::Cpu, profile, max_memory, threads)
    }

    fn request(profile: &SourceProfile, max_memory: u64) -> Result<PlanRequest<'_>, Error> {
        Ok(PlanRequest {
            profile,
            native: None,
            grid: Plan::lay_tiles(profile, 512, Overlap::Pixels(128), 32)?,
            blend: Blend::Hann,
            classes: 6,
            outputs: &[Output::Classes],
            footprint: Footprint {
                resident: 200 * MIB,
                worker: 100 * MIB,
                seconds: Duration::from_millis(100),
            },
            threads: 2,
            batch: Batch::Auto,
            device: tch::Device::Cpu,
            max_memory: Some(max_memory),
            cache: 64 * MIB,
            columns: None,
            part: None,
        })
    }

    fn plan_on(
        device: tch::Device,
        profile: &SourceProfile,
        max_memory: u64,
        threads: usize,
    ) -> Result<Plan, Error> {
        Plan::new(&PlanRequest { threads, device, ..request(profile, max_memory)? })
    }

    #[test]
    fn memory_does_not_depend_on_the_rows() {
        let short = plan(&profile(20_000, 20_000), 2048 * MIB, 2).unwrap();
        let long = plan(&profile(20_000, 100_000), 2048 * MIB, 2).unwrap();
        assert_eq!(short.memory(), long.memory());
        assert_eq!((short.columns.len(), short.workers), (1, 2));
        assert_eq!(short.tiles(), short.grid.len());
    }

    #[test]
    fn a_wide_raster_is_cut_into_column_strips_within_the_budget() {
        let wide = plan(&profile(400_000, 2_000), 1000 * MIB, 2).unwrap();
        assert!(wide.memory() <= 1000 * MIB && wide.columns.len() > 1, "{:?}", wide.lines);
        assert!(wide.columns.windows(2).all(|pair| pair[0].end == pair[1].start && pair[0].end % 512 == 0));
        assert_eq!(wide.columns.last().unwrap().end, 400_000);
        let repeated = wide.tiles() as f64 / wide.grid.len() as f64;
        assert!(repeated > 1.0 && repeated < 1.3, "{repeated}");
    }

    #[test]
    fn too_small_a_budget_is_told() {
        let error = plan(&profile(1000, 1000), 250 * MIB, 2).unwrap_err();
        assert!(matches!(error, Error::Budget { needed, .. } if needed > 250 * MIB), "{error}");
        let one = plan(&profile(1000, 1000), 500 * MIB, 2).unwrap();
        assert_eq!(one.workers, 1);
    }

    #[test]
    fn the_way_back_to_the_raster_s_grid_is_counted_and_cut_into_strips() {
        let back = |rows: usize, memory: u64| {
            let (seen, own) = (profile(100_000, rows), profile(200_000, 2 * rows));
            let request = PlanRequest {
                native: Some((Regrid::new(seen.size, own.size, 0.5, 0.5), &own)),
                ..request(&seen, memory).unwrap()
            };
            Plan::new(&request).unwrap()
        };
        let (short, long) = (back(5000, 4096 * MIB), back(50_000, 4096 * MIB));
        assert_eq!(short.memory(), long.memory());
        assert_eq!(short.result, Size { width: 200_000, height: 10_000 });
        assert!(short.lines.iter().any(|line| line.what.contains("own grid") && line.bytes > MIB));
        let narrow = back(5000, 1000 * MIB);
        assert!(narrow.memory() <= 1000 * MIB && narrow.columns.len() > 1);
        assert_eq!(narrow.columns.last().unwrap().end, 200_000);
        let repeated = narrow.tiles() as f64 / narrow.grid.len() as f64;
        assert!(repeated > 1.0 && repeated < 1.3, "{repeated}");
    }

    #[test]
    fn a_device_gets_batches_as_large_as_the_budget_allows() {
        let cuda = |memory| plan_on(tch::Device::Cuda(0), &profile(5000, 5000), memory, 16).unwrap();
        let roomy = cuda(4096 * MIB);
        assert_eq!((roomy.workers, roomy.readers, roomy.images, roomy.in_flight), (2, 4, 8, 24));
        let tight = cuda(800 * MIB);
        assert!(tight.images < 8 && tight.memory() <= 800 * MIB, "{tight:?}");
        assert_eq!(tight.in_flight, 3 * tight.images);
        // The processor computes tiles alone, whatever is on its way.
        assert_eq!(plan(&profile(5000, 5000), 4096 * MIB, 2).unwrap().images, 1);
    }

    #[test]
    fn a_huge_block_is_refused_with_the_way_out() {
        let mut profile = profile(60_000, 60_000);
        profile.block = profile.size;
        profile.block_bytes = 3 * profile.size.area();
        let error = plan(&profile, 2048 * MIB, 2).unwrap_err();
        assert!(error.hint().unwrap().contains("TILED=YES"), "{error}");
    }
}

//! How much memory polygons take.

use super::PolygonJob;
use crate::diagnostic::Advice;
use seg_gdal::{RasterProfile, set_cache_bytes};
use seg_grid::Size;
use seg_run::Rss;
use seg_vector::BYTES_PER_AREA;

/// What a pixel of a band takes at worst, in a picture of noise whose areas are single pixels: in each band that is
/// looked at, and in the one that is put together with the others.
const BYTES_IN_WORK: u64 = 250;
const BYTES_TOGETHER: u64 = 1100;
/// Bands that are looked at or wait beside those of the threads.
const BANDS_WAITING: u64 = 2;
/// Pixels of a band where memory allows; more are no faster.
const MOST_PIXELS: u64 = 1 << 18;
/// Rows that a band has at least, since each reads one more than it works on.
const LEAST_ROWS: u64 = 8;
const LEAST_CACHE: u64 = 16 << 20;
const MOST_CACHE: u64 = 96 << 20;

/// How much memory polygons take, and what it goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MemoryPlan {
    pub band_rows: usize,
    /// The program itself, with the libraries that it loads.
    program: u64,
    /// Decoded blocks.
    cache: u64,
    /// Bands in work.
    bands: u64,
    /// Where corners are, for simplification.
    corners: u64,
    /// How many areas there is room for where small ones are merged; else 0.
    pub most_areas: usize,
}

impl MemoryPlan {
    /// Limits GDAL's cache and cuts the raster into bands.
    pub(super) fn new(job: &PolygonJob, profile: &RasterProfile) -> anyhow::Result<Self> {
        let budget = job.max_memory.unwrap_or_else(|| seg_run::total_memory() / 2);
        let Size { width, height } = profile.size;
        let block = profile.bands.first().map_or(Size { width, height: 1 }, |band| band.block);
        // Two rows of blocks, so that none is decoded twice where bands end inside of them.
        let row_of_blocks = (width as u64).next_multiple_of(block.width.max(1) as u64) * block.height as u64;
        let wanted = (2 * row_of_blocks + (4 << 20)).clamp(LEAST_CACHE, MOST_CACHE).min(budget / 4);
        let cache = set_cache_bytes(wanted)?.bytes(seg_run::total_memory());
        let program = Rss::read().now;
        let corners = if job.simplify.is_some() { (width as u64 / 8 + 32) * (height as u64 + 1) } else { 0 };
        let bytes_per_pixel = BYTES_IN_WORK * (job.threads as u64 + BANDS_WAITING) + BYTES_TOGETHER;
        let bytes_per_row = width as u64 * bytes_per_pixel;
        let rest = budget.saturating_sub(program + cache + corners);
        let most = (MOST_PIXELS / width as u64).max(LEAST_ROWS).min(height as u64);
        let rows = (rest / bytes_per_row).min(most);
        if rows < LEAST_ROWS.min(height as u64) {
            let least = program + cache + corners + LEAST_ROWS * bytes_per_row;
            let what = format!("polygons of {} take at least {} of memory", job.classes, mebibytes(least));
            let hint = format!("allow more: --max-memory {}MiB, or fewer --threads", (least >> 20) + 1);
            return Err(Advice::new(what, hint).into());
        }
        // Bands that end where blocks do read no block twice.
        let block_rows = block.height as u64;
        let rows = if rows >= block_rows { rows / block_rows * block_rows } else { rows };
        let bands = rows * bytes_per_row;
        let merges = job.min_area.is_some() || job.fill_holes.is_some();
        let areas = if merges { rest.saturating_sub(bands) / BYTES_PER_AREA } else { 0 };
        Ok(Self { band_rows: rows as usize, program, cache, bands, corners, most_areas: areas as usize })
    }

    /// The plan in a line.
    pub(crate) fn text(&self) -> String {
        let corners = match self.corners {
            0 => String::new(),
            bytes => format!(", {} where corners are", mebibytes(bytes)),
        };
        let areas = match self.most_areas {
            0 => String::new(),
            most => format!(", {BYTES_PER_AREA} bytes for each part of an area in a band (up to {most})"),
        };
        format!(
            "bands of {} rows; memory up to {} ({} the program, {} decoded blocks, {} bands{corners}){areas}, and 100 \
             bytes for each corner of outlines that go on below the rows in work",
            self.band_rows,
            mebibytes(self.total()),
            mebibytes(self.program),
            mebibytes(self.cache),
            mebibytes(self.bands),
        )
    }

    /// All of it, in bytes.
    pub(crate) const fn total(&self) -> u64 {
        self.program + self.cache + self.bands + self.corners
    }
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Where tiles lie along one axis: a closed form, so that a million tiles cost nothing to plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TileAxis {
    length: usize,
    tile: usize,
    stride: usize,
    last: usize,
    count: usize,
}

impl TileAxis {
    /// Tiles of `tile` pixels every `stride` pixels; the last one starts at `last`.
    pub(crate) fn new(length: usize, tile: usize, stride: usize, last: usize) -> Self {
        // torchgeo's relation (samplers/utils.py): ceil((i - k) / s) + 1
        let count = if length <= tile { 1 } else { (length - tile).div_ceil(stride) + 1 };
        Self { length, tile, stride, last, count }
    }

    /// The raster's length along this axis.
    pub const fn length(&self) -> usize {
        self.length
    }

    /// The tile's length along this axis.
    pub const fn tile(&self) -> usize {
        self.tile
    }

    /// The step from one tile to the next; the last step can be shorter.
    pub const fn stride(&self) -> usize {
        self.stride
    }

    /// How many tiles there are.
    pub const fn count(&self) -> usize {
        self.count
    }

    /// First pixel of tile `i`.
    pub fn origin(&self, i: usize) -> usize {
        debug_assert!(i < self.count, "tile {i} of {}", self.count);
        if i + 1 == self.count { self.last } else { i * self.stride }
    }

    /// First pixel of tile `i` that counts.
    ///
    /// Where the last tile was shifted inward it overlaps its neighbor by more than was asked for. Only the
    /// asked part is blended, so that what a stitcher carries on does not depend on the raster's length.
    pub fn start(&self, i: usize) -> usize {
        let overlap = self.tile.saturating_sub(self.stride);
        if i == 0 { self.origin(0) } else { self.origin(i).max(self.end(i - 1) - overlap) }
    }

    /// One past the last pixel of tile `i`; can lie beyond the raster, where the tile is padded.
    pub fn end(&self, i: usize) -> usize {
        self.origin(i) + self.tile
    }

    /// The pixels that tile `i` owns: blended overlaps are split in the middle, so cores partition the raster.
    pub fn core(&self, i: usize) -> Range<usize> {
        let middle = |i: usize| usize::midpoint(self.start(i + 1), self.end(i)).min(self.length);
        let start = if i == 0 { 0 } else { middle(i - 1) };
        let end = if i + 1 == self.count { self.length } else { middle(i) };
        start..end
    }

    /// The pixels before which a tile begins or ends, or two meet, in order; not the raster's ends.
    pub fn lines(&self) -> Vec<usize> {
        let mut at: Vec<usize> = (1..self.count)
            .flat_map(|i| [self.start(i), self.end(i - 1), self.core(i).start])
            .filter(|&line| line > 0 && line < self.length)
            .collect();
        at.sort_unstable();
        at.dedup();
        at
    }

    /// The tiles that touch any pixel of `pixels`.
    pub fn touching(&self, pixels: Range<usize>) -> Range<usize> {
        // Tiles start in steps of `stride` but for the last: search the closed form, then settle.
        let mut first = (pixels.start.saturating_sub(self.tile) / self.stride).min(self.count - 1);
        while first > 0 && self.end(first - 1) > pixels.start {
            first -= 1;
        }
        while first + 1 < self.count && self.end(first) <= pixels.start {
            first += 1;
        }
        let mut end = (pixels.end.div_ceil(self.stride) + 1).clamp(first, self.count);
        while end > first && self.origin(end - 1) >= pixels.end {
            end -= 1;
        }
        first..end
    }
}

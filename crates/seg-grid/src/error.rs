use crate::{Size, Window};

/// What can be wrong with a tiling or a stitching.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// A raster or a tile without pixels.
    #[error("cannot tile a raster of {raster} pixels with tiles of {tile} pixels: a side is zero")]
    EmptySide {
        /// The raster.
        raster: Size,
        /// The tile.
        tile: Size,
    },
    /// An overlap that leaves no step from one tile to the next.
    #[error("an overlap of {overlap} pixels leaves no step between tiles of {tile} pixels")]
    OverlapTooLarge {
        /// Overlap in pixels.
        overlap: usize,
        /// Tile side in pixels.
        tile: usize,
    },
    /// A multiple of zero, or a tile side that is no multiple of it.
    #[error("a tile side of {tile} pixels is not a multiple of {multiple}")]
    NotAMultiple {
        /// Tile side in pixels.
        tile: usize,
        /// What it should be a multiple of.
        multiple: usize,
    },
    /// A tile pushed out of order.
    #[error("expected tile {expected}, got tile {got}: tiles are stitched in index order")]
    OutOfOrder {
        /// Index that was due.
        expected: u64,
        /// Index that came.
        got: u64,
    },
    /// Scores that do not fit their tile.
    #[error("scores of shape {got:?} do not fit {classes} classes on {read}")]
    ScoreShape {
        /// (C, H, W) that came.
        got: Vec<usize>,
        /// Classes expected.
        classes: usize,
        /// The tile's window.
        read: Window,
    },
}

//! Pixel and world geometry: where tiles lie, how they overlap, how they are put together again.
//!
//! Nothing here reads a file or runs a network, so every rule about coverage, overlap and
//! blending is tested on plain arrays.
//!
//! * [`Size`], [`Window`] and [`GeoTransform`] say where pixels are.
//! * [`TileGrid`] says which tiles cover a raster, [`Tile`] what one of them reads and owns.
//! * [`Blend`] says how much a tile counts at each of its pixels, [`Stitcher`] adds tiles up and
//!   hands back windows that are final.
//! * [`Seams`] tells whether tiles can be seen in the result.
//! * [`Regridder`] brings what is final to another grid over the same place.
//! * [`RasterSource`] and [`RasterSink`] are the two ends of every pipeline; [`MemoryRaster`] is both.
//!
//! Axis order: geometry is x, y in named structs; arrays are (C, H, W).
//!
//! ```
//! use ndarray::Array3;
//! use seg_grid::{Blend, EdgePolicy, Size, Stitcher, TileGrid};
//!
//! let raster = Size { width: 1000, height: 700 };
//! let grid = TileGrid::new(raster, Size::square(512), 128, EdgePolicy::Fit { multiple: 32 })?;
//! let mut stitcher = Stitcher::new(&grid, Blend::Hann, 2);
//! let mut pixels = 0;
//! for tile in grid.iter() {
//!     let scores = Array3::from_elem((2, tile.read.height, tile.read.width), 0.5_f32); // (C, H, W)
//!     pixels += stitcher.push(&tile, Some(scores.view()))?.window.area();
//! }
//! assert_eq!(pixels, raster.area());
//! # Ok::<(), seg_grid::Error>(())
//! ```

mod blend;
mod error;
mod geo_transform;
mod memory;
mod observer;
mod regrid;
mod resampled;
mod seams;
mod selection;
mod size;
mod source;
mod stitch;
mod tile_axis;
mod tile_grid;
mod window;

pub use blend::Blend;
pub use error::Error;
pub use geo_transform::{GeoTransform, Gsd, WorldPoint};
pub use memory::MemoryRaster;
pub use observer::{Observer, Progress, Silent};
pub use regrid::{Regrid, Regridder};
pub use resampled::Resampled;
pub use seams::{Changes, Line, SeamReport, Seams, WorstLine};
pub use selection::Selection;
pub use size::Size;
pub use source::{Block, DataType, IoError, Layer, Patch, RasterSink, RasterSource, SourceProfile};
pub use stitch::{Finished, Stitcher};
pub use tile_axis::TileAxis;
pub use tile_grid::{EdgePolicy, Tile, TileGrid};
pub use window::Window;

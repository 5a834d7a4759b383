//! Cuts a raster into overlapping tiles, scores each as a network would, and puts them together again.
//!
//! Run it with `cargo run --example tile_and_stitch`: needs no data, no GDAL and no libtorch.

use ndarray::Array3;
use seg_grid::{Blend, EdgePolicy, Size, Stitcher, Tile, TileGrid};
use std::error::Error;

const CLASSES: usize = 2;

/// Stands in for a network: right everywhere but near the tile's edge, where networks lack context.
fn score(tile: &Tile, raster: Size) -> Array3<f32> {
    let (width, height) = (tile.read.width, tile.read.height);
    Array3::from_shape_fn((CLASSES, height, width), |(class, y, x)| {
        let inside = x.min(y).min(width - 1 - x).min(height - 1 - y);
        let certainty = (0.3 + inside as f32 / 32.0).min(1.0); // below 0.5 it says the wrong class
        if class == truth(tile.read.x + x, raster) { certainty } else { 1.0 - certainty }
    }) // (C, H, W)
}

/// The left half is class 0, the right half class 1.
fn truth(x: usize, raster: Size) -> usize {
    usize::from(x >= raster.width / 2)
}

/// Pixels whose class is wrong after stitching.
fn wrong_pixels(grid: &TileGrid, blend: Blend) -> Result<usize, seg_grid::Error> {
    let raster = grid.raster();
    let mut stitcher = Stitcher::new(grid, blend, CLASSES);
    let mut wrong = 0;
    for tile in grid.iter() {
        // What comes back will not change any more: it can be written, and memory stays small.
        let finished = stitcher.push(&tile, Some(score(&tile, raster).view()))?;
        for ((class, _, x), &value) in finished.scores.indexed_iter() {
            let is_truth = class == truth(finished.window.x + x, raster);
            wrong += usize::from(is_truth && value < 0.5);
        }
    }
    Ok(wrong)
}

fn main() -> Result<(), Box<dyn Error>> {
    let raster = Size { width: 1000, height: 700 };
    for overlap in [0, 64] {
        let grid = TileGrid::new(raster, Size::square(256), overlap, EdgePolicy::Fit { multiple: 32 })?;
        let tiles = grid.len();
        for (name, blend) in [("first tile", Blend::None), ("average", Blend::Average), ("hann", Blend::Hann)]
        {
            let wrong = wrong_pixels(&grid, blend)?;
            print(format_args!("overlap {overlap:2}, {tiles} tiles, {name:10}: {wrong:6} wrong pixels"));
        }
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "an example shows what it finds")]
fn print(line: std::fmt::Arguments<'_>) {
    println!("{line}");
}

//! How often what is stored is read.

use super::cut::Tiles;

/// Rows of stored blocks that rows of tiles read, for each row of blocks there is.
///
/// Where a row of blocks fits GDAL's cache it is read once; where it does not, each row of tiles reads all blocks that
/// it touches again: with tiles of 512 pixels every 384 and blocks of 512, seven rows for three.
pub(crate) fn times_read(tiles: Tiles, block: usize) -> f64 {
    let (stride, block) = (tiles.stride(), block.max(1));
    // After so many rows of tiles everything repeats.
    let period = block / greatest_common_divisor(stride, block);
    let touched = |row: usize| {
        let (first, end) = (row * stride, row * stride + tiles.side);
        end.div_ceil(block) - first / block
    };
    let read: usize = (0..period).map(touched).sum();
    read as f64 * block as f64 / (period * stride) as f64
}

fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_that_tiles_cut_through_are_read_more_than_once() {
        let times = |side, overlap, block| times_read(Tiles { side, overlap }, block);
        assert!((times(512, 128, 512) - 7.0 / 3.0).abs() < 1e-12);
        assert!((times(512, 0, 512) - 1.0).abs() < 1e-12);
        assert!((times(512, 0, 256) - 1.0).abs() < 1e-12);
        assert!((times(512, 128, 1) - 512.0 / 384.0).abs() < 1e-12);
        assert!((times(512, 256, 256) - 2.0).abs() < 1e-12);
        assert!(times(512, 128, 4096) > 10.0);
    }
}

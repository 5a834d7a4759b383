use crate::RasterProfile;
use blake3::Hasher;
use seg_grid::{DataType, Size, Window};
use std::collections::BTreeSet;
use std::time::UNIX_EPOCH;

/// Bytes of sampled blocks that are read at most, unless one block is larger.
const SAMPLED_BYTES: u64 = 16 << 20;
/// Blocks that are sampled at most.
const SAMPLED_BLOCKS: u64 = 64;

/// A hash of all that can be told of a raster without touching its pixels.
pub(crate) fn of_profile(profile: &RasterProfile) -> Hasher {
    let mut hasher = Hasher::new();
    let mut field = |text: &str| {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    };
    field(&profile.name);
    field(&profile.driver);
    field(&profile.size.to_string());
    field(&profile.band_count.to_string());
    for band in &profile.bands {
        let dtype = band.dtype.map_or("complex", DataType::name);
        field(&format!("{dtype} {:?} {:?} {}", band.nodata, band.mask, band.block));
    }
    field(profile.crs.as_ref().map_or("", |crs| crs.wkt()));
    field(&format!("{:?}", profile.transform));
    for file in &profile.files {
        let Ok(metadata) = file.metadata() else { continue };
        let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        field(&format!("{} {} {modified:?}", file.display(), metadata.len()));
    }
    hasher
}

/// The blocks that are sampled: the first, the last, and others chosen by the hash.
pub(crate) fn sample(size: Size, block: Size, bytes_of_block: u64, seed: &Hasher) -> Vec<Window> {
    let blocks = Blocks::new(size, block);
    let count = (SAMPLED_BYTES / bytes_of_block.max(1)).clamp(1, SAMPLED_BLOCKS).min(blocks.total);
    let mut chosen = BTreeSet::from([blocks.total - 1]);
    if count > 1 {
        chosen.insert(0);
    }
    let mut numbers = seed.finalize_xof();
    while (chosen.len() as u64) < count {
        let mut bytes = [0; 8];
        numbers.fill(&mut bytes);
        chosen.insert(u64::from_le_bytes(bytes) % blocks.total);
    }
    chosen.into_iter().map(|index| blocks.window(index)).collect()
}

/// All blocks in row-major order.
pub(crate) fn all(size: Size, block: Size) -> impl Iterator<Item = Window> {
    let blocks = Blocks::new(size, block);
    (0..blocks.total).map(move |index| blocks.window(index))
}

#[derive(Clone, Copy)]
struct Blocks {
    size: Size,
    block: Size,
    columns: u64,
    total: u64,
}

impl Blocks {
    fn new(size: Size, block: Size) -> Self {
        let block = Size { width: block.width.max(1), height: block.height.max(1) };
        let columns = size.width.div_ceil(block.width) as u64;
        Self { size, block, columns, total: columns * size.height.div_ceil(block.height) as u64 }
    }

    fn window(self, index: u64) -> Window {
        let (x, y) = ((index % self.columns) as usize, (index / self.columns) as usize);
        let (x, y) = (x * self.block.width, y * self.block.height);
        Window {
            x,
            y,
            width: self.block.width.min(self.size.width - x),
            height: self.block.height.min(self.size.height - y),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_blocks_are_all_sampled() {
        let size = Size { width: 1000, height: 300 };
        let windows = sample(size, Size::square(256), 65_536, &Hasher::new());
        assert_eq!(windows.len(), 8);
        assert_eq!(windows.iter().map(|w| w.area()).sum::<u64>(), size.area());
    }

    #[test]
    fn many_blocks_are_sampled_the_same_way_every_time() {
        let size = Size::square(1_000_000);
        let windows = sample(size, Size::square(256), 65_536, &Hasher::new());
        assert_eq!(windows.len(), 64);
        assert_eq!(windows, sample(size, Size::square(256), 65_536, &Hasher::new()));
        assert_ne!(windows, sample(size, Size::square(256), 65_536, Hasher::new().update(b"x")));
    }

    #[test]
    fn a_large_block_is_sampled_alone() {
        let size = Size { width: 50_000, height: 20_000 };
        assert_eq!(sample(size, Size { width: 50_000, height: 5000 }, 250 << 20, &Hasher::new()).len(), 1);
    }
}

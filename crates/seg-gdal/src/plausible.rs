use crate::{BandIndex, Error, RasterProfile};
use gdal::{Dataset, Metadata};
use seg_grid::{DataType, Size};

/// A raster that claims less than this is never called implausible.
const LARGE: u64 = 1 << 30;
/// Claimed bytes for each byte of the file above which we look for the blocks. DEFLATE cannot shrink more
/// than 1,032 times and LZW not much more, so a higher ratio takes missing or shared blocks; mosaics that are
/// mostly holes reach some thousands.
const RATIO: u64 = 10_000;
/// Blocks that are looked up, spread over the raster.
const LOOKED_UP: u64 = 1 << 14;

/// Bytes that decoding one block takes, with all bands that share it.
pub(crate) fn block_bytes(profile: &RasterProfile) -> u64 {
    let Some(band) = profile.bands.first() else { return 0 };
    let bands = if profile.interleaved { profile.band_count as u64 } else { 1 };
    band.block.area().saturating_mul(bytes_of(band.dtype)).saturating_mul(bands)
}

/// Refuses rasters whose claims neither the file nor the memory can hold.
pub(crate) fn check(dataset: &Dataset, profile: &RasterProfile, budget: u64) -> Result<(), Error> {
    check_claim(dataset, profile)?;
    let bytes = block_bytes(profile);
    match profile.bands.first() {
        Some(band) if bytes > budget => {
            Err(Error::BlockTooLarge { name: profile.name.clone(), block: band.block, bytes, budget })
        }
        _ => Ok(()),
    }
}

/// A GeoTIFF that claims far more than its bytes must hold at least one block.
fn check_claim(dataset: &Dataset, profile: &RasterProfile) -> Result<(), Error> {
    let (Some(band), Some(file)) = (profile.bands.first(), profile.files.first()) else { return Ok(()) };
    let Ok(stored) = file.metadata().map(|metadata| metadata.len()) else { return Ok(()) };
    let claimed =
        profile.size.area().saturating_mul(bytes_of(band.dtype)).saturating_mul(profile.band_count as u64);
    if profile.driver != "GTiff" || claimed <= LARGE || claimed / RATIO <= stored {
        return Ok(());
    }
    if holds_a_block(dataset, profile.size, band.block, stored) {
        return Ok(());
    }
    Err(Error::Implausible { name: profile.name.clone(), size: profile.size, claimed, stored })
}

/// Whether a block lies inside a file of `stored` bytes.
fn holds_a_block(dataset: &Dataset, size: Size, block: Size, stored: u64) -> bool {
    let Ok(band) = dataset.rasterband(BandIndex::FIRST.number()) else { return false };
    let columns = size.width.div_ceil(block.width.max(1)) as u64;
    let total = columns * size.height.div_ceil(block.height.max(1)) as u64;
    let number = |key: &str, index: u64| -> Option<u64> {
        let key = format!("{key}_{}_{}", index % columns, index / columns);
        band.metadata_item(&key, "TIFF")?.parse().ok()
    };
    let looked_up = total.min(LOOKED_UP);
    (0..looked_up).map(|i| (u128::from(i) * u128::from(total) / u128::from(looked_up)) as u64).any(|index| {
        let (offset, bytes) = (number("BLOCK_OFFSET", index), number("BLOCK_SIZE", index));
        matches!((offset, bytes), (Some(offset), Some(bytes))
            if bytes > 0 && offset.checked_add(bytes).is_some_and(|end| end <= stored))
    })
}

/// Bytes of a value; complex numbers have at most 16.
fn bytes_of(dtype: Option<DataType>) -> u64 {
    dtype.map_or(16, |dtype| dtype.bytes() as u64)
}

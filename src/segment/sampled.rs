use seg_grid::{IoError, RasterSource, Window};
use sha2::{Digest as _, Sha256};

/// Windows that are looked at.
const WINDOWS: usize = 64;
/// The longest side of one.
const LONGEST: usize = 1024;

/// A hash of what a run reads of a raster, from 64 of its blocks: the same for a copy of it, elsewhere or under
/// another name, and another one for other bands.
pub(crate) fn fingerprint(source: &mut dyn RasterSource) -> Result<String, IoError> {
    let profile = source.profile().clone();
    let mut hasher = Sha256::new();
    hasher.update(format!("{} {} {}", profile.size, profile.bands, profile.dtype).as_bytes());
    let (width, height) = (profile.block.width.max(1), profile.block.height.max(1));
    let columns = profile.size.width.div_ceil(width);
    let blocks = columns * profile.size.height.div_ceil(height);
    let count = WINDOWS.min(blocks);
    for sample in 0..count {
        // The first, the last, and others between them in equal steps, which no regular column of blocks shares.
        let index = if count > 1 { sample * (blocks - 1) / (count - 1) } else { 0 };
        let (x, y) = (index % columns * width, index / columns * height);
        let window = Window {
            x,
            y,
            width: width.min(LONGEST).min(profile.size.width - x),
            height: height.min(LONGEST).min(profile.size.height - y),
        };
        match source.read(window)? {
            None => hasher.update(b"nodata"),
            Some(patch) => {
                for plane in patch.values.outer_iter() {
                    let values = plane.iter().zip(&patch.valid);
                    let bytes = values.flat_map(|(v, &valid)| if valid { v.to_le_bytes() } else { [0; 4] });
                    hasher.update(bytes.collect::<Vec<u8>>());
                }
                hasher.update(patch.valid.iter().map(|&valid| u8::from(valid)).collect::<Vec<u8>>());
            }
        }
    }
    Ok(format!("{:x}", hasher.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array3;
    use seg_grid::MemoryRaster;

    #[test]
    fn other_pixels_make_another_fingerprint() {
        let values = Array3::from_shape_fn((2, 30, 40), |(c, y, x)| (c * 7 + y * 3 + x) as f32);
        let of = |values: &Array3<f32>| fingerprint(&mut MemoryRaster::new(values.clone())).unwrap();
        let mut other = values.clone();
        other[[1, 29, 39]] += 1.0;
        assert_eq!(of(&values), of(&values));
        assert_ne!(of(&values), of(&other));
        assert_eq!(of(&Array3::zeros((1, 1, 1))).len(), 64);
    }
}

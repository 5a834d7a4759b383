use seg_grid::{Size, Window};

/// Pixels that a thread holds at once while it streams a raster.
const PIXELS: usize = 1 << 19;
/// Rows are read whole up to this width: many files are stored row by row, and GDAL keeps the rest of them for the next window.
const WIDTH: usize = 1 << 12;

/// Windows that cover a raster once, each small enough to be held by every thread.
pub(crate) fn windows(raster: Size) -> impl Iterator<Item = Window> {
    let width = raster.width.clamp(1, WIDTH);
    let height = (PIXELS / width).clamp(1, raster.height.max(1));
    (0..raster.height).step_by(height).flat_map(move |y| {
        (0..raster.width).step_by(width).map(move |x| Window {
            x,
            y,
            width: width.min(raster.width - x),
            height: height.min(raster.height - y),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn windows_cover_a_raster_once(width in 1_usize..100_000, height in 1_usize..100_000) {
            let raster = Size { width, height };
            let all: Vec<_> = windows(raster).collect();
            prop_assert_eq!(all.iter().map(|w| w.area()).sum::<u64>(), raster.area());
            prop_assert!(all.iter().all(|w| w.area() <= PIXELS as u64 && w.clip(raster) == Some(*w)));
            prop_assert!(all.windows(2).all(|pair| pair[0].intersect(pair[1]).is_none()));
        }
    }
}

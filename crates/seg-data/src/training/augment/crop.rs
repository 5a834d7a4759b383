use crate::training::random::Random;
use ndarray::ArrayView2;
use seg_grid::{Size, Window};
use seg_label::IGNORE_INDEX;

/// The size of a chip after scaling, at least one pixel.
pub(crate) fn resized(size: Size, ratio: f64) -> Size {
    let side = |side: usize| ((side as f64 * ratio) as usize).max(1);
    Size { width: side(size.width), height: side(size.height) }
}

/// A square of `side` pixels somewhere in a scaled chip, or all of it where it is smaller.
pub(crate) fn crop_window(size: Size, side: usize, random: &mut Random) -> Window {
    let (width, height) = (side.min(size.width), side.min(size.height));
    let y = random.below(size.height - height + 1);
    let x = random.below(size.width - width + 1);
    Window { x, y, width, height }
}

/// Whether a crop's labels (H, W) show two classes or more, none of which has the share `most` or more.
pub(crate) fn is_varied(labels: &ArrayView2<'_, u8>, most: f64) -> bool {
    let mut counts = [0_u64; 256];
    labels.iter().for_each(|&label| counts[usize::from(label)] += 1);
    counts[usize::from(IGNORE_INDEX)] = 0;
    let classes = counts.iter().filter(|count| **count > 0).count();
    let (all, largest) = (counts.iter().sum::<u64>(), counts.into_iter().max().unwrap_or(0));
    classes > 1 && (largest as f64 / all as f64) < most
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;
    use std::collections::BTreeSet;

    #[test]
    fn sides_are_cut_off_and_never_empty() {
        let size = Size { width: 101, height: 3 };
        assert_eq!(resized(size, 0.5), Size { width: 50, height: 1 });
        assert_eq!(resized(size, 0.1), Size { width: 10, height: 1 });
        assert_eq!(resized(size, 1.0), size);
    }

    #[test]
    fn windows_reach_every_place_and_none_beyond() {
        let mut random = Random::of(&[1]);
        let size = Size { width: 7, height: 3 };
        let windows: BTreeSet<_> = (0..100)
            .map(|_| crop_window(size, 5, &mut random))
            .map(|window| (window.x, window.y, window.width, window.height))
            .collect();
        assert_eq!(windows, [(0, 0, 5, 3), (1, 0, 5, 3), (2, 0, 5, 3)].into());
    }

    #[test]
    fn variety_counts_without_what_is_ignored() {
        assert!(is_varied(&array![[0, 0, 1, 255, 255]].view(), 0.7));
        assert!(!is_varied(&array![[0, 0, 0, 1, 255]].view(), 0.75));
        assert!(!is_varied(&array![[2, 2, 255]].view(), 2.0));
        assert!(!is_varied(&array![[255, 255]].view(), 0.75));
    }
}

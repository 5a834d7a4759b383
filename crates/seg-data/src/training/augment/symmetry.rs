use crate::training::augment::AugmentSettings;
use crate::training::random::Random;
use ndarray::{Array, Axis, Dimension};

/// One of the eight symmetries of a square: swapped axes first, then flips.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Symmetry {
    swap: bool,
    flip_x: bool,
    flip_y: bool,
}

impl Symmetry {
    /// Draws one: any with `d4`, else a horizontal flip or none.
    pub(crate) fn draw(settings: &AugmentSettings, random: &mut Random) -> Self {
        if settings.d4 {
            let number = random.below(8);
            return Self { swap: number & 4 != 0, flip_x: number & 1 != 0, flip_y: number & 2 != 0 };
        }
        Self { swap: false, flip_x: random.chance(settings.flip), flip_y: false }
    }

    /// Moves the pixels of (..., H, W); swapped axes make it (..., W, H).
    pub(crate) fn apply<T: Clone, D: Dimension>(self, mut array: Array<T, D>) -> Array<T, D> {
        if array.ndim() < 2 || self == (Self { swap: false, flip_x: false, flip_y: false }) {
            return array;
        }
        let (x, y) = (array.ndim() - 1, array.ndim() - 2);
        if self.swap {
            array.swap_axes(x, y);
        }
        if self.flip_x {
            array.invert_axis(Axis(x));
        }
        if self.flip_y {
            array.invert_axis(Axis(y));
        }
        array.as_standard_layout().into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};
    use std::collections::BTreeSet;

    #[test]
    fn d4_reaches_all_eight_and_flip_only_two() {
        let drawn = |settings: &AugmentSettings| -> BTreeSet<Vec<i32>> {
            let mut random = Random::of(&[3]);
            let square: Array2<i32> = array![[1, 2], [3, 4]];
            (0..200)
                .map(|_| {
                    Symmetry::draw(settings, &mut random).apply(square.clone()).into_raw_vec_and_offset().0
                })
                .collect()
        };
        assert_eq!(drawn(&AugmentSettings { d4: true, ..AugmentSettings::none() }).len(), 8);
        let flips = drawn(&AugmentSettings { flip: 0.5, ..AugmentSettings::none() });
        assert_eq!(flips, [vec![1, 2, 3, 4], vec![2, 1, 4, 3]].into());
        assert_eq!(drawn(&AugmentSettings::none()).len(), 1);
    }

    #[test]
    fn swapped_axes_change_the_shape() {
        let turned = Symmetry { swap: true, flip_x: true, flip_y: false }.apply(array![[1, 2, 3], [4, 5, 6]]);
        assert_eq!(turned, array![[4, 1], [5, 2], [6, 3]]);
    }
}

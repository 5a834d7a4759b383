use crate::IGNORE_INDEX;
use crate::bitmap::Bitmap;
use ndarray::{Array2, ArrayView2};

/// Ignores the pixels of class ids (H, W) that have a pixel of another class within `radius` pixels, center to
/// center: class borders are eroded by a disc, as for the eroded ISPRS labels, whose radius is 3.
///
/// What is ignored already is no class, so that nothing is eroded along it, nor along the edge of the array. A
/// straight border loses `radius` pixels on either side; lines in the official eroded files are mostly one pixel
/// wider.
///
/// ```
/// use ndarray::array;
/// let mut ids = array![[0, 0, 0, 1, 1, 255, 1]];
/// seg_label::erode_borders(&mut ids, 1);
/// assert_eq!(ids, array![[0, 0, 255, 255, 1, 255, 1]]);
/// ```
pub fn erode_borders(ids: &mut Array2<u8>, radius: usize) {
    if radius == 0 {
        return;
    }
    let (height, width) = ids.dim();
    let mut near = Bitmap::empty(height, width);
    for id in present(&ids.view()) {
        let class = Bitmap::of(&ids.view(), id);
        near.add(&class.dilated(radius).without(&class));
    }
    near.for_each(|y, x| ids[[y, x]] = IGNORE_INDEX);
}

/// The ids that come, but for that of ignored pixels.
pub(crate) fn present(ids: &ArrayView2<'_, u8>) -> impl Iterator<Item = u8> + use<> {
    let mut comes = [false; 256];
    ids.iter().for_each(|&id| comes[usize::from(id)] = true);
    (0..IGNORE_INDEX).filter(move |&id| comes[usize::from(id)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_straight_border_loses_the_radius_on_either_side() {
        let mut ids = Array2::from_shape_fn((20, 20), |(_, x)| u8::from(x >= 10));
        erode_borders(&mut ids, 3);
        let row: Vec<_> = ids.row(7).to_vec();
        assert_eq!(row, [[0; 7].as_slice(), &[255; 6], &[1; 7]].concat());
        assert!(ids.outer_iter().all(|other| other.to_vec() == row), "the edge of the array is no border");
    }

    proptest! {
        /// The same as asking every pixel for all pixels around it.
        #[test]
        fn erosion_is_by_distance_to_another_class(
            (height, width) in (1_usize..14, 1_usize..14), radius in 0_usize..5,
            values in proptest::collection::vec(0_u8..4, 196),
        ) {
            let id = |(y, x): (usize, usize)| match values[y * 14 + x] {
                3 => IGNORE_INDEX,
                id => id,
            };
            let whole = Array2::from_shape_fn((height, width), id);
            let mut eroded = whole.clone();
            erode_borders(&mut eroded, radius);
            for ((y, x), &id) in whole.indexed_iter() {
                let near = whole.indexed_iter().any(|((v, u), &other)| {
                    let (dy, dx) = (y.abs_diff(v), x.abs_diff(u));
                    other != IGNORE_INDEX && other != id && dy * dy + dx * dx <= radius * radius
                });
                prop_assert_eq!(eroded[[y, x]], if near { IGNORE_INDEX } else { id });
            }
        }
    }
}

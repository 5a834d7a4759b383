use crate::IGNORE_INDEX;
use ndarray::Array2;

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
    let disc = disc(radius);
    let whole = ids.clone();
    let (height, width) = whole.dim();
    let at = |y: isize, x: isize| -> Option<u8> {
        let inside = (0..height as isize).contains(&y) && (0..width as isize).contains(&x);
        inside.then(|| whole[[y as usize, x as usize]])
    };
    for ((y, x), &id) in whole.indexed_iter().filter(|(_, id)| **id != IGNORE_INDEX) {
        let (y, x) = (y as isize, x as isize);
        // The pixel of another class that is nearest to one has a neighbor, on the way there, that is not of its
        // class: only such pixels need be looked at.
        let on_border = [(0, 1), (1, 0), (0, -1), (-1, 0)]
            .iter()
            .any(|(dy, dx)| at(y + dy, x + dx).is_some_and(|next| next != id));
        if !on_border {
            continue;
        }
        for &(dy, dx) in &disc {
            if at(y + dy, x + dx).is_some_and(|other| other != id) {
                ids[[(y + dy) as usize, (x + dx) as usize]] = IGNORE_INDEX;
            }
        }
    }
}

/// Steps to all pixels whose centers are within a radius, but for the pixel itself.
fn disc(radius: usize) -> Vec<(isize, isize)> {
    let reach = radius as isize;
    let all = (-reach..=reach).flat_map(|dy| (-reach..=reach).map(move |dx| (dy, dx)));
    all.filter(|&(dy, dx)| dy * dy + dx * dx <= reach * reach && (dy, dx) != (0, 0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_disc_of_three_has_29_pixels() {
        assert_eq!(disc(3).len() + 1, 29);
        assert!(disc(0).is_empty());
    }

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

use ndarray::{Array3, ArrayView2, ArrayView3, Axis};

/// Shares of the values that become black and white at the ends.
const LOW: f64 = 0.02;
const HIGH: f64 = 0.98;

/// Brings each band of an image (C, H, W) of any range to 0..=255, from its 2nd to its 98th percentile.
///
/// Only valid pixels (H, W) with finite values make the percentiles; others become 0. A band of one value
/// becomes mid-gray.
///
/// # Panics
/// If the sizes differ.
///
/// ```
/// use ndarray::{Array2, Array3};
/// let image = Array3::from_shape_fn((1, 1, 101), |(_, _, x)| 1000.0 + 10.0 * x as f32);
/// let bytes = seg_report::stretch(&image.view(), &Array2::from_elem((1, 101), true).view());
/// assert_eq!((bytes[[0, 0, 2]], bytes[[0, 0, 50]], bytes[[0, 0, 98]]), (0, 128, 255));
/// ```
pub fn stretch(image: &ArrayView3<'_, f32>, valid: &ArrayView2<'_, bool>) -> Array3<u8> {
    let (bands, height, width) = image.dim();
    assert_eq!(valid.dim(), (height, width), "mask and image differ in size");
    let mut out = Array3::zeros((bands, height, width));
    for (band, mut out) in image.axis_iter(Axis(0)).zip(out.axis_iter_mut(Axis(0))) {
        let shown = |value: f32, valid: bool| valid && value.is_finite();
        let mut values: Vec<f32> =
            band.iter().zip(valid).filter(|&(&value, &valid)| shown(value, valid)).map(|(&v, _)| v).collect();
        if values.is_empty() {
            continue;
        }
        values.sort_unstable_by(f32::total_cmp);
        let at = |share: f64| f64::from(values[((values.len() - 1) as f64 * share).round() as usize]);
        let (low, high) = (at(LOW), at(HIGH));
        for ((&value, &valid), out) in band.iter().zip(valid).zip(&mut out) {
            if shown(value, valid) {
                *out = if high > low {
                    ((f64::from(value) - low) / (high - low) * 255.0).round().clamp(0.0, 255.0) as u8
                } else {
                    128
                };
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;
    use proptest::prelude::*;

    #[test]
    fn invalid_and_infinite_values_count_nowhere() {
        let mut image = Array3::from_shape_fn((1, 10, 10), |(_, y, x)| (y * 10 + x) as f32);
        let mut valid = Array2::from_elem((10, 10), true);
        let plain = stretch(&image.view(), &valid.view());
        image[[0, 0, 0]] = f32::NAN;
        image[[0, 9, 9]] = f32::INFINITY;
        image[[0, 5, 5]] = 1e30;
        valid[[5, 5]] = false;
        let holes = stretch(&image.view(), &valid.view());
        assert_eq!((holes[[0, 0, 0]], holes[[0, 9, 9]], holes[[0, 5, 5]]), (0, 0, 0));
        assert!(holes[[0, 4, 4]].abs_diff(plain[[0, 4, 4]]) < 5);
    }

    #[test]
    fn a_flat_band_is_gray_and_an_empty_one_black() {
        let flat = Array3::from_elem((1, 2, 2), 7.0);
        assert!(stretch(&flat.view(), &Array2::from_elem((2, 2), true).view()).iter().all(|&v| v == 128));
        assert!(stretch(&flat.view(), &Array2::from_elem((2, 2), false).view()).iter().all(|&v| v == 0));
    }

    proptest! {
        #[test]
        fn the_order_of_values_is_kept(values in proptest::collection::vec(-1e6_f32..1e6, 2..50)) {
            let n = values.len();
            let image = Array3::from_shape_vec((1, 1, n), values.clone()).expect("fits");
            let bytes = stretch(&image.view(), &Array2::from_elem((1, n), true).view());
            for i in 0..n {
                for j in 0..n {
                    prop_assert!(values[i] > values[j] || bytes[[0, 0, i]] <= bytes[[0, 0, j]]);
                }
            }
        }
    }
}

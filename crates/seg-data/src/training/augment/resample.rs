use ndarray::{Array2, Array3, ArrayView2, ArrayView3};
use std::ops::Range;

/// Where the pixels of a part of a scaled axis come from, with two neighbors each.
///
/// Coordinates are those of `OpenCV`'s `INTER_LINEAR`: centers match, and the edge goes on outside.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LinearAxis {
    /// The pixels of the source that are needed.
    pub source: Range<usize>,
    /// Both neighbors, counted from the first needed one, and the weight of the second.
    taps: Vec<(usize, usize, f32)>,
}

/// Where the pixels of a part of a scaled axis come from, one each, as `OpenCV`'s `INTER_NEAREST` takes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NearestAxis {
    /// The pixels of the source that are needed.
    pub source: Range<usize>,
    /// Counted from the first pixel of the source.
    pub taps: Vec<usize>,
}

impl LinearAxis {
    /// The pixels `part` of an axis that was scaled from `from` to `to` pixels.
    pub(crate) fn new(from: usize, to: usize, part: Range<usize>) -> Self {
        let step = from as f64 / to as f64;
        let last = from.saturating_sub(1);
        let tap = |x: usize| {
            let place = (x as f64 + 0.5) * step - 0.5;
            let first = place.floor().max(0.0) as usize;
            if place <= 0.0 || first >= last {
                let only = first.min(last);
                return (only, only, 0.0);
            }
            let weight = (place - first as f64) as f32;
            // Without a weight the neighbor is not needed, so that scaling by 1 reads no more than the part.
            (first, if weight > 0.0 { first + 1 } else { first }, weight)
        };
        let mut taps: Vec<_> = part.map(tap).collect();
        let start = taps.first().map_or(0, |tap| tap.0);
        let end = taps.iter().map(|tap| tap.1 + 1).max().unwrap_or(0);
        for tap in &mut taps {
            tap.0 -= start;
            tap.1 -= start;
        }
        Self { source: start..end, taps }
    }
}

impl NearestAxis {
    /// The pixels `part` of an axis that was scaled from `from` to `to` pixels.
    pub(crate) fn new(from: usize, to: usize, part: Range<usize>) -> Self {
        // Divided twice as OpenCV does it, so that places on an edge fall to the same side.
        let step = 1.0 / (to as f64 / from as f64);
        let last = from.saturating_sub(1);
        let taps: Vec<_> = part.map(|x| ((x as f64 * step) as usize).min(last)).collect();
        let source = taps.first().map_or(0..0, |&first| first..taps.last().map_or(first, |last| last + 1));
        Self { source, taps }
    }
}

/// Scales the needed part (C, h, w) of an image bilinearly to (C, H, W).
pub(crate) fn bilinear(source: &ArrayView3<'_, f32>, rows: &LinearAxis, columns: &LinearAxis) -> Array3<f32> {
    let (bands, width) = (source.dim().0, columns.taps.len());
    let mut out = Vec::with_capacity(bands * rows.taps.len() * width);
    for band in source.outer_iter() {
        // The two source rows in use, already scaled along x.
        let mut kept = [(usize::MAX, vec![0.0_f32; width]), (usize::MAX, vec![0.0_f32; width])];
        let scale = |row: usize, (number, scaled): &mut (usize, Vec<f32>)| {
            if *number != row {
                *number = row;
                let line = band.row(row);
                match line.as_slice() {
                    Some(line) => scale_line(line, &columns.taps, scaled),
                    None => scale_line(&line.to_vec(), &columns.taps, scaled),
                }
            }
        };
        for &(first, second, weight) in &rows.taps {
            if kept[1].0 == first {
                kept.swap(0, 1);
            }
            scale(first, &mut kept[0]);
            if weight == 0.0 {
                out.extend_from_slice(&kept[0].1);
                continue;
            }
            scale(second, &mut kept[1]);
            let pairs = kept[0].1.iter().zip(&kept[1].1);
            out.extend(pairs.map(|(upper, lower)| upper + (lower - upper) * weight));
        }
    }
    let shape = (bands, rows.taps.len(), width);
    Array3::from_shape_vec(shape, out).unwrap_or_else(|_| Array3::zeros(shape)) // (C, H, W)
}

fn scale_line(line: &[f32], taps: &[(usize, usize, f32)], scaled: &mut [f32]) {
    for (value, &(left, right, weight)) in scaled.iter_mut().zip(taps) {
        let left = line[left];
        *value = left + (line[right] - left) * weight;
    }
}

/// Which pixels (H, W) of a scaled image are made of pixels (h, w) with data alone.
pub(crate) fn bilinear_valid(
    source: &ArrayView2<'_, bool>,
    rows: &LinearAxis,
    columns: &LinearAxis,
) -> Array2<bool> {
    Array2::from_shape_fn((rows.taps.len(), columns.taps.len()), |(y, x)| {
        let (upper, lower, _) = rows.taps[y];
        let (left, right, _) = columns.taps[x];
        source[[upper, left]] && source[[upper, right]] && source[[lower, left]] && source[[lower, right]]
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array, s};
    use proptest::prelude::*;

    /// All of an image, pixel by pixel from the definition.
    fn naive(source: &Array3<f32>, height: usize, width: usize) -> Array3<f32> {
        let (bands, from_height, from_width) = source.dim();
        let place = |x: usize, from: usize, to: usize| {
            ((x as f64 + 0.5) * from as f64 / to as f64 - 0.5).clamp(0.0, from as f64 - 1.0)
        };
        Array::from_shape_fn((bands, height, width), |(band, y, x)| {
            let (py, px) = (place(y, from_height, height), place(x, from_width, width));
            let (y0, x0) = (py.floor() as usize, px.floor() as usize);
            let (y1, x1) = ((y0 + 1).min(from_height - 1), (x0 + 1).min(from_width - 1));
            let (wy, wx) = (py.fract(), px.fract());
            let at = |y: usize, x: usize| f64::from(source[[band, y, x]]);
            let upper = at(y0, x0) * (1.0 - wx) + at(y0, x1) * wx;
            let lower = at(y1, x0) * (1.0 - wx) + at(y1, x1) * wx;
            (upper * (1.0 - wy) + lower * wy) as f32
        })
    }

    proptest! {
        /// Reading only what a crop needs equals scaling everything and cropping then.
        #[test]
        fn a_scaled_crop_is_a_crop_of_the_scaled(
            (height, width) in (1_usize..20, 1_usize..20), (to_height, to_width) in (1_usize..45, 1_usize..45),
            place in (0.0..1.0, 0.0..1.0), seed in 0_usize..1000,
        ) {
            let source = Array::from_shape_fn((2, height, width), |(c, y, x)| {
                ((c * 977 + y * 131 + x * 71 + seed) % 256) as f32
            });
            let part = |to: usize, share: f64| {
                let start = (to as f64 * share) as usize;
                start..(start + 9).min(to)
            };
            let (ys, xs) = (part(to_height, place.0), part(to_width, place.1));
            let whole = naive(&source, to_height, to_width);
            let rows = LinearAxis::new(height, to_height, ys.clone());
            let columns = LinearAxis::new(width, to_width, xs.clone());
            let window = source.slice(s![.., rows.source.clone(), columns.source.clone()]);
            let crop = bilinear(&window, &rows, &columns);
            let expected = whole.slice(s![.., ys.clone(), xs.clone()]);
            prop_assert_eq!(crop.dim(), expected.dim());
            prop_assert!(crop.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-3));

            let nearest = NearestAxis::new(width, to_width, xs.clone());
            // On an edge, which no rounding decides, either side will do.
            let exact = xs.map(|x| (x * width / to_width, x * width % to_width == 0));
            let close = |(&tap, (place, edge)): (&usize, (usize, bool))| tap == place || edge && tap + 1 == place;
            prop_assert!(nearest.taps.iter().zip(exact).all(close));
            prop_assert!(nearest.taps.iter().all(|tap| nearest.source.contains(tap)));
        }
    }

    #[test]
    fn numbers_of_opencv() {
        // cv2.resize of [0, 100, 200] to 6 and 2 pixels.
        let source = Array::from_shape_vec((1, 1, 3), vec![0.0, 100.0, 200.0]).expect("fits");
        let scaled = |to: usize| {
            let rows = LinearAxis::new(1, 1, 0..1);
            bilinear(&source.view(), &rows, &LinearAxis::new(3, to, 0..to)).into_raw_vec_and_offset().0
        };
        assert_eq!(scaled(6), [0.0, 25.0, 75.0, 125.0, 175.0, 200.0]);
        assert_eq!(scaled(2), [25.0, 175.0]);
        assert_eq!(NearestAxis::new(3, 6, 0..6).taps, [0, 0, 1, 1, 2, 2]);
        assert_eq!(NearestAxis::new(5, 3, 0..3).taps, [0, 1, 3]);
    }

    #[test]
    fn a_pixel_without_data_spoils_those_made_of_it_alone() {
        let mut valid = Array2::from_elem((1, 4), true);
        valid[[0, 1]] = false;
        let rows = LinearAxis::new(1, 1, 0..1);
        let same = bilinear_valid(&valid.view(), &rows, &LinearAxis::new(4, 4, 0..4));
        assert_eq!(same, valid);
        let doubled = bilinear_valid(&valid.view(), &rows, &LinearAxis::new(4, 8, 0..8));
        assert_eq!(doubled.into_raw_vec_and_offset().0, [true, false, false, false, false, true, true, true]);
    }
}

use crate::TileAxis;
use std::f32::consts::FRAC_PI_2;

/// How much a tile counts at each of its pixels where it overlaps its neighbors.
///
/// Weights of one pixel add up to 1 along each axis, so a pixel that only one tile covers keeps that
/// tile's scores unchanged, and no weight is zero where a tile ends at the raster's edge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Blend {
    /// A raised cosine over the overlap.
    Hann,
    /// A raised cosine that leaves out `margin` pixels at an inner tile edge, where a network lacks context.
    HannBeyond {
        /// Pixels that do not count; at most half of the overlap is used.
        margin: usize,
    },
    /// A Gaussian around the tile's center; `sigma` is a fraction of the tile's side.
    Gaussian {
        /// Standard deviation as a fraction of the side.
        sigma: f32,
    },
    /// All tiles count alike.
    Average,
    /// Overlaps are split in the middle; each pixel comes from the tile in whose core it lies.
    Crop,
    /// Each pixel comes from the first tile that covers it.
    None,
}

impl Blend {
    /// Weights of tile `i` along an axis, normalized with those of its neighbors.
    ///
    /// ```
    /// use seg_grid::{Blend, EdgePolicy, Size, TileGrid};
    /// let grid = TileGrid::new(Size::square(12), Size::square(8), 4, EdgePolicy::Shift)?;
    /// let (a, b) = (Blend::Hann.axis_weights(grid.x(), 0), Blend::Hann.axis_weights(grid.x(), 1));
    /// assert!((a[5] + b[1] - 1.0).abs() < 1e-6, "pixel 5 of the raster lies in both tiles");
    /// # Ok::<(), seg_grid::Error>(())
    /// ```
    pub fn axis_weights(self, axis: &TileAxis, i: usize) -> Vec<f32> {
        let start = axis.origin(i);
        let sharing = axis.touching(start..(start + axis.tile()).min(axis.length()));
        (0..axis.tile())
            .map(|k| {
                let position = start + k;
                let own = self.raw(axis, i, position);
                // Beyond the raster's edge lies padding, which is cut off: any weight will do.
                let total: f32 = sharing.clone().map(|j| self.raw(axis, j, position)).sum();
                if total > 0.0 { own / total } else { 0.0 }
            })
            .collect()
    }

    /// The weight before normalization; 0 where the tile does not count.
    fn raw(self, axis: &TileAxis, i: usize, position: usize) -> f32 {
        let (start, end) = (axis.start(i), axis.end(i));
        if position < start || position >= end {
            return 0.0;
        }
        let left = (i > 0).then(|| axis.end(i - 1).saturating_sub(start));
        let right = (i + 1 < axis.count()).then(|| end.saturating_sub(axis.start(i + 1)));
        let (from_left, from_right) = (position - start, end - 1 - position);
        match self {
            Self::Average => 1.0,
            Self::Crop => f32::from(axis.core(i).contains(&position) || position >= axis.length()),
            Self::None => f32::from(left.is_none_or(|overlap| from_left >= overlap)),
            Self::Gaussian { sigma } => {
                let middle = (axis.tile() as f32 - 1.0) / 2.0;
                let distance = ((position - axis.origin(i)) as f32 - middle) / (sigma * axis.tile() as f32);
                (-0.5 * distance * distance).exp().max(1e-6)
            }
            Self::Hann => ramp(from_left, left, 0) * ramp(from_right, right, 0),
            Self::HannBeyond { margin } => ramp(from_left, left, margin) * ramp(from_right, right, margin),
        }
    }
}

/// Rises from 0 to 1 over an overlap, `margin` pixels of which are left out on both of its sides.
fn ramp(distance: usize, overlap: Option<usize>, margin: usize) -> f32 {
    let Some(overlap) = overlap else { return 1.0 };
    let margin = margin.min(overlap.saturating_sub(1) / 2);
    let rise = overlap - 2 * margin;
    if distance < margin {
        return 0.0;
    }
    if distance - margin >= rise {
        return 1.0;
    }
    (FRAC_PI_2 * ((distance - margin) as f32 + 0.5) / rise as f32).sin().powi(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EdgePolicy, Size, TileGrid};
    use proptest::prelude::*;

    pub(crate) const ALL: [Blend; 6] = [
        Blend::Hann,
        Blend::HannBeyond { margin: 2 },
        Blend::Gaussian { sigma: 0.125 },
        Blend::Average,
        Blend::Crop,
        Blend::None,
    ];

    proptest! {
        #[test]
        fn weights_of_a_pixel_add_up_to_one(
            tile in 1_usize..30, overlap in 0_usize..29, length in 1_usize..100, multiple in 1_usize..5,
        ) {
            let tile = tile.next_multiple_of(multiple);
            let overlap = overlap % tile;
            let edge = EdgePolicy::Fit { multiple };
            let grid = TileGrid::new(Size::square(length), Size::square(tile), overlap, edge).expect("valid");
            for blend in ALL {
                let mut sum = vec![0.0_f32; length];
                for i in 0..grid.x().count() {
                    for (k, weight) in blend.axis_weights(grid.x(), i).into_iter().enumerate() {
                        prop_assert!(weight >= 0.0);
                        if let Some(total) = sum.get_mut(grid.x().origin(i) + k) {
                            *total += weight;
                        }
                    }
                }
                prop_assert!(sum.iter().all(|w| (w - 1.0).abs() < 1e-5), "{blend:?}: {sum:?}");
            }
        }
    }

    #[test]
    fn no_weight_is_zero_at_the_raster_s_edge() {
        let grid = TileGrid::new(Size::square(100), Size::square(40), 10, EdgePolicy::Shift).expect("valid");
        for blend in ALL {
            let last = grid.x().count() - 1;
            assert!(blend.axis_weights(grid.x(), 0)[0] > 0.99, "{blend:?}");
            assert!(blend.axis_weights(grid.x(), last)[39] > 0.99, "{blend:?}");
        }
    }

    #[test]
    fn a_margin_counts_for_nothing_inside() {
        let grid = TileGrid::new(Size::square(100), Size::square(40), 10, EdgePolicy::Shift).expect("valid");
        let weights = Blend::HannBeyond { margin: 3 }.axis_weights(grid.x(), 1);
        assert!(weights[..3].iter().chain(&weights[37..]).all(|&w| w == 0.0));
        assert!(weights[3] > 0.0 && weights[36] > 0.0);
    }
}

//! Networks whose reach is known.

use super::*;
use crate::testing::{Toy, input};
use crate::{Normalizer, Scaling};
use seg_grid::{MemoryRaster, Silent};
use seg_nn::{Logits, Scores};
use tch::{Kind, Tensor};

/// Sees `reach` pixels to every side, and a share of the tile's mean.
#[derive(Clone, Copy)]
struct Seer {
    reach: i64,
    mean: f64,
}

impl Seer {
    fn answer(self, xs: &Tensor) -> Scores {
        let side = 2 * self.reach + 1;
        let near = xs.avg_pool2d([side, side], [1, 1], [self.reach, self.reach], false, true, None); // (B, 2, H, W)
        let mean = xs.mean_dim([2_i64, 3].as_slice(), true, Kind::Float); // (B, 2, 1, 1)
        Scores::Logits(Logits(near + mean * self.mean))
    }
}

fn measure(seer: Seer, raster: Size) -> Reach {
    let values = Array3::from_shape_fn((2, raster.height, raster.width), |(c, y, x)| {
        ((x / 7 + y / 5 + c) % 9) as f32 / 9.0
    });
    let mut source = MemoryRaster::new(values);
    let normalizer = Normalizer::new(Scaling::Model, &input(2, 0.5, 0.25), &mut source).unwrap();
    let toy = Toy { channels: 2, multiple: 4, answer: move |xs: &Tensor| seer.answer(xs) };
    let network = Network::new(Box::new(toy), normalizer);
    Reach::measure(&network, Size::square(64), 4, &mut source, &Silent).unwrap()
}

#[test]
fn a_receptive_field_is_found_to_the_pixel() {
    let raster = Size::square(200);
    for reach in [0, 1, 7, 15] {
        let found = measure(Seer { reach, mean: 0.0 }, raster);
        assert_eq!(found, Reach::Pixels(reach as usize));
    }
    assert_eq!(Reach::Pixels(7).overlap(1), 16);
    assert_eq!(Reach::Pixels(7).overlap(32), 32);
}

#[test]
fn what_sees_the_whole_tile_is_compared_on_the_raster() {
    let raster = Size { width: 400, height: 150 };
    // Whose mean decides nothing needs the halo of what is near.
    let Reach::Tile { halo, changed } = measure(Seer { reach: 3, mean: 1e-3 }, raster) else {
        panic!("the mean reaches everywhere");
    };
    assert!(halo <= 12 && changed.unwrap() < FEW, "{halo} {changed:?}");
    // Too wide a field is no better than a mean, and a raster without room for two tiles tells nothing.
    assert!(matches!(measure(Seer { reach: 20, mean: 0.0 }, raster), Reach::Tile { .. }));
    let small = measure(Seer { reach: 3, mean: 1.0 }, Size { width: 80, height: 64 });
    assert_eq!(small, Reach::Tile { halo: 12, changed: None });
}

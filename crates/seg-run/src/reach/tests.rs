//! Networks whose reach is known.

use super::*;
use crate::{Normalizer, Scaling};
use seg_grid::{MemoryRaster, Silent};
use seg_nn::{InferencePrecision, InputSpec, Logits, Scores, SegModel};
use tch::{Device, Kind, Tensor};

/// Sees `reach` pixels to every side, and a share of the tile's mean.
#[derive(Clone, Copy)]
struct Seer {
    reach: i64,
    mean: f64,
}

impl SegModel for Seer {
    fn forward(&self, xs: &Tensor) -> Result<Scores, seg_nn::Error> {
        let side = 2 * self.reach + 1;
        let near = xs.avg_pool2d([side, side], [1, 1], [self.reach, self.reach], false, true, None); // (B, 2, H, W)
        let mean = xs.mean_dim([2_i64, 3].as_slice(), true, Kind::Float); // (B, 2, 1, 1)
        Ok(Scores::Logits(Logits(near + mean * self.mean)))
    }

    fn num_classes(&self) -> usize {
        2
    }

    fn bands(&self) -> usize {
        2
    }

    fn input_multiple(&self) -> usize {
        4
    }

    fn fork(&self) -> Box<dyn SegModel> {
        Box::new(*self)
    }

    fn device(&self) -> Device {
        Device::Cpu
    }

    fn at_precision(&self, _: InferencePrecision) -> Result<Box<dyn SegModel>, seg_nn::Error> {
        Ok(self.fork())
    }
}

fn measure(seer: Seer, raster: Size) -> Reach {
    let values = Array3::from_shape_fn((2, raster.height, raster.width), |(c, y, x)| {
        ((x / 7 + y / 5 + c) % 9) as f32 / 9.0
    });
    let mut source = MemoryRaster::new(values);
    let input = InputSpec {
        bands: 2,
        divide: 1.0,
        mean: vec![0.5; 2],
        std: vec![0.25; 2],
        gsd_m: None,
        dtypes: Vec::new(),
        fill: Vec::new(),
    };
    let normalizer = Normalizer::new(Scaling::Model, &input, &mut source).unwrap();
    let network = Network::new(Box::new(seer), normalizer);
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

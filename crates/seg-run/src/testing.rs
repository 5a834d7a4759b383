//! What the tests of this crate share.

use seg_nn::{InferencePrecision, InputSpec, Scores, SegModel};
use tch::{Device, Tensor};

/// A network of as many classes as bands whose answer is known.
#[derive(Clone, Copy)]
pub(crate) struct Toy<F> {
    pub(crate) channels: usize,
    pub(crate) multiple: usize,
    /// Scores of a tile, (B, C, H, W) to (B, C, H, W).
    pub(crate) answer: F,
}

impl<F: Fn(&Tensor) -> Scores + Clone + Send + 'static> SegModel for Toy<F> {
    fn forward(&self, xs: &Tensor) -> Result<Scores, seg_nn::Error> {
        Ok((self.answer)(xs))
    }

    fn num_classes(&self) -> usize {
        self.channels
    }

    fn bands(&self) -> usize {
        self.channels
    }

    fn input_multiple(&self) -> usize {
        self.multiple
    }

    fn fork(&self) -> Box<dyn SegModel> {
        Box::new(self.clone())
    }

    fn device(&self) -> Device {
        Device::Cpu
    }

    fn at_precision(&self, _: InferencePrecision) -> Result<Box<dyn SegModel>, seg_nn::Error> {
        Ok(self.fork())
    }
}

/// Bands of any type whose values come near `mean`, give or take `std`.
pub(crate) fn input(bands: usize, mean: f64, std: f64) -> InputSpec {
    InputSpec {
        bands,
        divide: 1.0,
        mean: vec![mean; bands],
        std: vec![std; bands],
        gsd_m: None,
        dtypes: Vec::new(),
        fill: Vec::new(),
    }
}

//! What the tests of this crate share.

use ndarray::{Array2, Array3};
use seg_grid::{IoError, MemoryRaster, Patch, RasterSource, Selection, Size, SourceProfile, Window};
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

/// A raster of any size without data, of which some windows are wanted.
#[derive(Clone)]
pub(crate) struct Marked {
    profile: SourceProfile,
    wanted: Vec<Window>,
}

impl Marked {
    pub(crate) fn new(size: Size, wanted: &[Window]) -> Self {
        let pixel = MemoryRaster::new(Array3::zeros((3, 1, 1)));
        Self { profile: SourceProfile { size, ..pixel.profile().clone() }, wanted: wanted.to_vec() }
    }

    fn touches(&self, window: Window) -> bool {
        self.wanted.iter().any(|wanted| wanted.intersect(window).is_some())
    }
}

impl RasterSource for Marked {
    fn profile(&self) -> &SourceProfile {
        &self.profile
    }

    fn read(&mut self, _: Window) -> Result<Option<Patch>, IoError> {
        Ok(None)
    }

    fn selection(&mut self, window: Window) -> Result<Selection, IoError> {
        Ok(if self.touches(window) { Selection::All } else { Selection::Nothing })
    }

    fn wanted_squares(&mut self, side: usize) -> Result<Option<Array2<bool>>, IoError> {
        let Size { width, height } = self.profile.size;
        let mut squares = Array2::from_elem((height.div_ceil(side), width.div_ceil(side)), false); // (H, W)
        let (rows, columns) = squares.dim();
        for wanted in &self.wanted {
            for row in wanted.y / side..wanted.bottom().div_ceil(side).min(rows) {
                for column in wanted.x / side..wanted.right().div_ceil(side).min(columns) {
                    squares[[row, column]] = true;
                }
            }
        }
        Ok(Some(squares))
    }

    fn read_decimated(&mut self, _: Window, size: Size) -> Result<Patch, IoError> {
        let valid = Array2::from_elem((size.height, size.width), false); // (H, W)
        Ok(Patch { values: Array3::zeros((self.profile.bands, size.height, size.width)), valid })
    }

    fn reopen(&self) -> Result<Box<dyn RasterSource>, IoError> {
        Ok(Box::new(self.clone()))
    }
}

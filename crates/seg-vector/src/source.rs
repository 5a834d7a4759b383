use crate::Sureness;
use ndarray::Array2;
use seg_grid::{IoError, Size};
use std::ops::Range;

/// The class of pixels that have none: nodata, and all that lies outside of the raster.
pub const NO_CLASS: u8 = 255;

/// A class raster that is read in rows from top to bottom.
pub trait ClassSource: Send {
    /// Width and height.
    fn size(&self) -> Size;

    /// The classes of some rows, (H, W), [`NO_CLASS`] where there is none.
    ///
    /// # Errors
    /// If they cannot be read.
    fn classes(&mut self, rows: Range<usize>) -> Result<Array2<u8>, IoError>;

    /// How sure the network was of each pixel of some rows, (H, W), or `None` where nothing at all is known.
    ///
    /// # Errors
    /// If they cannot be read.
    fn confidence(&mut self, rows: Range<usize>) -> Result<Option<Array2<Sureness>>, IoError> {
        let _ = rows;
        Ok(None)
    }

    /// The same raster for another thread.
    ///
    /// # Errors
    /// If it cannot be opened again.
    fn reopen(&self) -> Result<Box<dyn ClassSource>, IoError>;
}

/// A class raster in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassArray {
    /// (H, W).
    pub classes: Array2<u8>,
    /// (H, W), if known.
    pub confidence: Option<Array2<Sureness>>,
}

impl ClassSource for ClassArray {
    fn size(&self) -> Size {
        let (height, width) = self.classes.dim();
        Size { width, height }
    }

    fn classes(&mut self, rows: Range<usize>) -> Result<Array2<u8>, IoError> {
        Ok(self.classes.slice(ndarray::s![rows, ..]).to_owned())
    }

    fn confidence(&mut self, rows: Range<usize>) -> Result<Option<Array2<Sureness>>, IoError> {
        Ok(self.confidence.as_ref().map(|confidence| confidence.slice(ndarray::s![rows, ..]).to_owned()))
    }

    fn reopen(&self) -> Result<Box<dyn ClassSource>, IoError> {
        Ok(Box::new(self.clone()))
    }
}

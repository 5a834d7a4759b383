use crate::{Gsd, Selection, Size, Window};
use ndarray::{Array2, Array3};
use serde::{Deserialize, Serialize};
use std::error::Error as StdError;
use std::fmt;

/// The type of a raster's values on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it all")]
pub enum DataType {
    UInt8,
    Int8,
    UInt16,
    Int16,
    UInt32,
    Int32,
    UInt64,
    Int64,
    Float32,
    Float64,
}

impl DataType {
    /// The name used in model files and messages, such as `uint8`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UInt8 => "uint8",
            Self::Int8 => "int8",
            Self::UInt16 => "uint16",
            Self::Int16 => "int16",
            Self::UInt32 => "uint32",
            Self::Int32 => "int32",
            Self::UInt64 => "uint64",
            Self::Int64 => "int64",
            Self::Float32 => "float32",
            Self::Float64 => "float64",
        }
    }

    /// Bytes of one value.
    pub const fn bytes(self) -> usize {
        match self {
            Self::UInt8 | Self::Int8 => 1,
            Self::UInt16 | Self::Int16 => 2,
            Self::UInt32 | Self::Int32 | Self::Float32 => 4,
            Self::UInt64 | Self::Int64 | Self::Float64 => 8,
        }
    }

    /// Whether values can be NaN or infinite.
    pub const fn is_float(self) -> bool {
        matches!(self, Self::Float32 | Self::Float64)
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The pixels of a window and which of them were measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Patch {
    /// (C, H, W); arbitrary where not valid.
    pub values: Array3<f32>,
    /// (H, W); false outside of the raster and where any band has nodata, NaN, a mask or alpha 0.
    pub valid: Array2<bool>,
}

/// What a source is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceProfile {
    /// How errors and manifests call it.
    pub name: String,
    /// Width and height.
    pub size: Size,
    /// Bands that `read` returns.
    pub bands: usize,
    /// The block that is decoded at once.
    pub block: Size,
    /// Bytes that decoding one block takes, all bands that share it included.
    pub block_bytes: u64,
    /// The type on disk.
    pub dtype: DataType,
    /// Pixel size in CRS units, if georeferenced.
    pub gsd: Option<Gsd>,
    /// Changes when the content does: a hash of name, size, time stamp, profile and sampled blocks.
    pub fingerprint: String,
}

/// Why a source could not be read or a sink not be written.
#[derive(Debug)]
pub struct IoError {
    /// What was being done, and to what.
    pub action: String,
    /// What the user can do about it.
    pub hint: Option<String>,
    /// The cause below.
    pub cause: Box<dyn StdError + Send + Sync>,
}

impl fmt::Display for IoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.action)
    }
}

impl StdError for IoError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(self.cause.as_ref())
    }
}

/// Anything that pixels can be read from; files, mosaics, warps and arrays look alike behind it.
pub trait RasterSource: Send {
    /// What it is made of.
    fn profile(&self) -> &SourceProfile;

    /// Reads a window, which can reach beyond the right and bottom edge; `None` if no pixel of it is valid.
    ///
    /// # Errors
    /// If the pixels cannot be read.
    fn read(&mut self, window: Window) -> Result<Option<Patch>, IoError>;

    /// Which pixels of a window the user wants, told without reading it.
    ///
    /// # Errors
    /// If it cannot be told.
    fn selection(&mut self, window: Window) -> Result<Selection, IoError> {
        let _ = window;
        Ok(Selection::All)
    }

    /// Where wanted pixels are, told with one look at all of it: which of the squares of `side` pixels that cover it, from
    /// its upper left corner on, may hold one, (H, W); `None` where all are wanted.
    ///
    /// # Errors
    /// If it cannot be told.
    fn wanted_squares(&mut self, side: usize) -> Result<Option<Array2<bool>>, IoError> {
        let _ = side;
        Ok(None)
    }

    /// Reads which pixels of a window are valid, (H, W); `None` if none is.
    ///
    /// # Errors
    /// If the pixels cannot be read.
    fn read_validity(&mut self, window: Window) -> Result<Option<Array2<bool>>, IoError> {
        Ok(self.read(window)?.map(|patch| patch.valid))
    }

    /// The raster that this one was resampled from, where the result lies on that one's grid.
    fn native(&self) -> Option<&dyn RasterSource> {
        None
    }

    /// Reads a window (inside the raster) resampled to `size`, nearest neighbor, for pictures and statistics.
    ///
    /// # Errors
    /// If the pixels cannot be read.
    fn read_decimated(&mut self, window: Window, size: Size) -> Result<Patch, IoError>;

    /// Another handle on the same pixels, for another thread.
    ///
    /// # Errors
    /// If it cannot be opened again.
    fn reopen(&self) -> Result<Box<dyn RasterSource>, IoError>;
}

/// One of the rasters that a prediction makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    /// One band of class ids.
    Classes,
    /// One band a class.
    Probabilities,
    /// Top probability and margin.
    Confidence,
}

/// The values of a finished window, (bands, H, W).
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// Bytes.
    U8(Array3<u8>),
    /// Floats.
    F32(Array3<f32>),
}

/// Anything that finished windows can be written to.
pub trait RasterSink {
    /// Writes one window of one layer.
    ///
    /// # Errors
    /// If it cannot be stored.
    fn write(&mut self, layer: Layer, window: Window, block: &Block) -> Result<(), IoError>;
}

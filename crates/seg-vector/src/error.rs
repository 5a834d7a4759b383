use seg_grid::IoError;
use std::error::Error as StdError;
use thiserror::Error;

/// Why no polygons were made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The raster could not be read.
    #[error("{}", .0.action)]
    Read(#[source] IoError),
    /// The polygons could not be written.
    #[error(transparent)]
    Write(Box<dyn StdError + Send + Sync>),
    /// Someone asked for an end.
    #[error("interrupted")]
    Cancelled,
}

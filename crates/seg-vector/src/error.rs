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
    /// More areas than memory allows.
    #[error("the raster has more than {most} areas, too many to merge small ones in the memory allowed")]
    TooManyAreas {
        /// How many there may be.
        most: usize,
    },
    /// Someone asked for an end.
    #[error("interrupted")]
    Cancelled,
}

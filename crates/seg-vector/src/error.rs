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
    /// More parts of areas than memory allows; an area is cut into parts where bands of rows end.
    #[error(
        "areas are in more than {most} parts, bands of {band_rows} rows cut, too many to merge small ones in the memory allowed"
    )]
    TooManyAreas {
        /// How many parts there may be.
        most: usize,
        /// The height of the bands.
        band_rows: usize,
    },
    /// Someone asked for an end.
    #[error("interrupted")]
    Cancelled,
}

//! What seg-gdal reads and writes, on files made here and on the shared collection of rasters.
#![expect(clippy::print_stderr, reason = "tests say what they skipped")]
#![expect(clippy::float_cmp, reason = "what is read must be what was written")]

mod chips;
mod collection;
mod fixture;
mod labels;
mod outputs;
mod overviews;
mod reading;
mod resampling;
mod vectors;

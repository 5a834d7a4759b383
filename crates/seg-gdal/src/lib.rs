//! The only crate that links GDAL and PROJ: rasters in, rasters and vectors out.
//!
//! * [`GeoRaster`] reads pixels of any format by GDAL's name for it, as a [`seg_grid::RasterSource`];
//!   [`RasterProfile`] says what it is made of and [`BandSelection`] which bands are read.
//! * [`Mosaic`] reads several rasters on one grid as one, [`rasters_in`] finds those of a folder.
//! * [`GridReference`] is what an output takes over from its input, [`RasterSpec`] says what else it is, and
//!   [`RasterWriter`] writes it.
//! * [`LabelRaster`] and [`LabelVectors`] read truth, [`check_same_grid`] holds it against the image,
//!   [`write_chip`] writes both in pieces.
//! * [`AreaOfInterest`] is the part of a raster that a user wants, [`SelectedRaster`] a raster of which only that
//!   part counts.
//! * [`polygon_rings`] are the polygons of a file in longitude and latitude.
//! * [`write_polygons`] takes polygons and writes them in a [`VectorFormat`].
//! * [`Crs`] is the only user of PROJ.
//! * [`Note`]s are what a caller should tell the user; an [`Error`] may have a [`hint`](Error::hint).
//!
//! Names are passed to GDAL untouched. Bands are counted from 1 in GDAL and from 0 in memory, and [`BandIndex`]
//! alone turns one into the other. Positions are of pixel corners, x before y whatever the CRS says.

mod area;
mod band_index;
mod band_profile;
mod bands;
mod chip;
mod config;
mod crs;
mod data_name;
mod error;
mod files;
mod fingerprint;
mod folder;
mod georeference;
mod grid_reference;
mod installation;
mod labels;
mod messages;
mod mosaic;
mod mosaic_fit;
mod note;
mod pixels;
mod plausible;
mod polygon_rings;
mod polygons;
mod profile;
mod qml;
mod raster;
mod raster_spec;
mod raw;
mod raw_patch;
mod same_grid;
mod side_car;
mod target_grid;
mod validity;
mod vector_in;
mod vector_out;
mod warp;
mod warp_source;
mod writer;
mod written;
mod xml;

pub use area::{AreaOfInterest, Reach, SelectedRaster};
pub use band_index::BandIndex;
pub use band_profile::{BandProfile, Interpretation, MaskKind, Palette};
pub use bands::BandSelection;
pub use chip::{ChipFormat, write_chip};
pub use config::{BlockCache, set_cache_bytes, set_config};
pub use crs::{Angles, Bounds, Crs, Mercator};
pub use error::{Error, GdalMessage};
pub use files::files_behind;
pub use folder::{is_raster, rasters_in};
pub use grid_reference::GridReference;
pub use installation::{Problem, Versions, problems, versions};
pub use labels::{ByteValidity, LabelBytes, LabelCodes, LabelKind, LabelRaster};
pub use messages::install_log_handler;
pub use mosaic::Mosaic;
pub use note::Note;
pub use polygon_rings::{PolygonRings, polygon_rings};
pub use profile::{ControlPoint, PixelIs, RasterProfile};
pub use qml::qml_style;
pub use raster::{GeoRaster, Probe, ReadOptions};
pub use raster_spec::{ClassEntry, Content, OutputFormat, RasterSpec};
pub use raw::RawValues;
pub use raw_patch::{MeasuredPatch, RawPatch};
pub use same_grid::{GridOverlap, check_same_grid, overlap_on_grid};
pub use vector_in::{LabelSource, LabelVectors};
pub use vector_out::{
    ConfidenceFields, Layers, PolygonKind, PolygonRow, PolygonSink, PolygonSpec, ReviewFields, ReviewRank,
    ShapefileSize, StyledClasses, VectorFormat, WrittenPolygons, write_polygons,
};
pub use warp::Resampling;
pub use writer::RasterWriter;
pub use written::Written;

//! Polygons that fit together, out of class rasters.
//!
//! * [`ClassSource`] is a raster that is read in rows; [`ClassArray`] is one in memory.
//! * [`polygonize`] turns it into [`Area`]s of [`Polygon`]s, in bands of rows, and hands them out as they are whole.
//! * [`generalize`] finds small areas and small holes beforehand, and a [`Recode`] gives their pixels the classes of
//!   their neighbors.
//! * [`Simplify`] leaves out corners of borders, once for both sides.
//! * [`Ground`] tells how large pixels are in meters, and [`Placement`] where corners lie; [`Placement::wkb`] writes an
//!   area as bytes that every GIS reads.
//!
//! A border between two areas is traced once, along the edges of pixels, from node to node, where three or four areas
//! meet. All polygons are put together out of these borders; so neighbors share each corner of their common border,
//! before and after simplification, and leave neither gaps nor overlaps.

mod confidence;
mod corner;
mod disjoint;
mod error;
mod generalize;
mod ground;
mod join;
mod pipeline;
mod placement;
mod polygon;
mod polygonize;
mod simplify;
mod source;
mod trace;

use confidence::Confidence;

pub use confidence::{ConfidenceSummary, Sureness};
pub use corner::Corner;
pub use error::Error;
pub use generalize::{BYTES_PER_AREA, Generalize, Recode, generalize};
pub use ground::{Ground, PixelSize};
pub use placement::{Ellipsoid, Measures, Placement, Shape, Units};
pub use polygon::{Area, Polygon, Ring};
pub use polygonize::{Connectedness, PolygonizeSettings, Work, polygonize};
pub use simplify::{Method, Outer, Simplify};
pub use source::{ClassArray, ClassSource, NO_CLASS};

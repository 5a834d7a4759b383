//! Borders between classes, band by band.

mod band;
mod components;
mod fragment;
mod lattice;

pub(crate) use band::{Band, Changes, Run, bands};
pub(crate) use components::{Components, Contact, Part, PartRun, contacts};
pub(crate) use fragment::{End, Fragments, Side};
pub(crate) use lattice::CornerBits;

use crate::Sureness;
use ndarray::Array2;

/// What one band tells about the areas and their borders.
#[derive(Debug)]
pub(crate) struct BandTrace {
    pub components: Components,
    pub fragments: Fragments,
    /// Columns of the band's upper edge at which the class above changes.
    pub top: Vec<u32>,
    /// Columns of its lower edge at which the class changes; none where the raster ends.
    pub bottom: Vec<u32>,
    /// The corners of its rows at which a border turns or ends, if they were asked for.
    pub vertices: Option<CornerBits>,
}

/// Whether the corners at which borders turn are wanted as sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Vertices {
    Keep,
    Skip,
}

impl BandTrace {
    /// Looks at a band of a raster that is `height` rows high.
    pub(crate) fn of(
        band: &Band,
        height: usize,
        confidence: Option<&Array2<Sureness>>,
        vertices: Vertices,
    ) -> Self {
        let changes = Changes::of(band);
        let components = Components::of(band, &changes, height, confidence);
        let mut lattice = lattice::Lattice::of(band, &changes, vertices);
        let fragments = fragment::fragments(&mut lattice, &components);
        Self { components, fragments, top: lattice.top, bottom: lattice.bottom, vertices: lattice.vertices }
    }
}

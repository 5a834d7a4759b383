//! Areas that are ready to be written.

use seg_gdal::{PolygonRow, ReviewRank};
use seg_vector::{Area, Measures, Placement, Shape};

/// An area that is ready to be written.
pub(super) struct Ready {
    wkb: Vec<u8>,
    /// The place of its class among those that are written.
    pub class: usize,
    pub pixels: u64,
    pub measures: Option<Measures>,
    /// The mean and the tenth percentile, 0 to 1.
    pub confidence: Option<(f64, f64)>,
    touches_edge: bool,
}

impl Ready {
    pub(super) fn new(area: &Area, class: usize, placement: Placement, shape: Shape) -> Self {
        Self {
            wkb: placement.wkb(area, shape),
            class,
            pixels: area.pixels,
            measures: placement.measures(area),
            confidence: area.confidence.map(|sure| (sure.mean, sure.tenth_percentile)),
            touches_edge: area.touches_edge,
        }
    }

    /// What the file is given.
    pub(super) fn row(&self, review: Option<ReviewRank>) -> PolygonRow<'_> {
        PolygonRow {
            wkb: &self.wkb,
            class: self.class,
            area_m2: self.measures.map(|measures| measures.area),
            perimeter_m: self.measures.map(|measures| measures.perimeter),
            pixels: self.pixels,
            confidence: self.confidence,
            touches_edge: self.touches_edge,
            review,
        }
    }
}

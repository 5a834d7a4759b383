//! Polygons for those who look for mistakes, the most doubtful first.

use super::{Prepared, SURE};
use anyhow::Context as _;
use seg_data::LegendOrigin;
use seg_gdal::{
    ClassEntry, ConfidenceFields, PolygonKind, PolygonRow, PolygonSpec, ReviewFields, ReviewRank,
    StyledClasses, WrittenPolygons, write_polygons,
};
use seg_grid::Observer;
use seg_vector::{Area, ConfidenceSummary, Measures, PolygonizeSettings, Shape, Work, polygonize};
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// Polygons that are kept; nobody looks at more, and memory does not grow with the raster.
const MOST: usize = 10_000;

/// A polygon and how doubtful it is.
struct Doubtful {
    /// Its area times what the mean confidence lacks to 1.
    doubt: f64,
    /// Its number, so that the order is always the same.
    id: u64,
    wkb: Vec<u8>,
    class: usize,
    pixels: u64,
    measures: Option<Measures>,
    confidence: ConfidenceSummary,
    touches_edge: bool,
}

impl Ord for Doubtful {
    /// The least doubtful is the greatest: a heap gives that one away first.
    fn cmp(&self, other: &Self) -> Ordering {
        other.doubt.total_cmp(&self.doubt).then(self.id.cmp(&other.id))
    }
}

impl PartialOrd for Doubtful {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Doubtful {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Doubtful {}

impl Prepared<'_> {
    /// Makes a file of the most doubtful polygons under a temporary name, by area times what the mean confidence lacks
    /// to 1; areas are in square meters where they are known, else in pixels.
    pub(crate) fn review(&self, observer: &dyn Observer) -> anyhow::Result<WrittenPolygons> {
        let legend = self.raster.legend();
        let entry = |class: &'_ seg_label::Class| (class.id.0, class.name.clone(), class.color);
        let named: Vec<_> = legend.classes().iter().map(entry).collect();
        let entries: Vec<ClassEntry<'_>> = named
            .iter()
            .map(|(id, name, color)| ClassEntry { id: *id, name, color: [color.r, color.g, color.b] })
            .collect();
        let place = |id: u8| entries.iter().position(|class| class.id == id);
        let placement = self.scale.placement;
        let doubtful = |area: Area| {
            let (class, confidence) = (place(area.class)?, area.confidence?);
            let measures = placement.measures(&area);
            let size = measures.map_or(area.pixels as f64, |measures| measures.area);
            Some(Doubtful {
                doubt: size * (1.0 - confidence.mean / SURE),
                id: area.id,
                wkb: placement.wkb(&area, Shape::Polygon),
                class,
                pixels: area.pixels,
                measures,
                confidence,
                touches_edge: area.touches_edge,
            })
        };
        let mut kept: BinaryHeap<Doubtful> = BinaryHeap::new();
        let settings = PolygonizeSettings { connectedness: self.job.connectedness, simplify: None };
        let work = Work { band_rows: self.memory.band_rows, workers: self.job.threads };
        polygonize(&self.raster, None, &settings, work, observer, doubtful, |area| {
            kept.extend(area);
            if kept.len() > MOST {
                kept.pop();
            }
            Ok(())
        })
        .with_context(|| format!("cannot make polygons of {}", self.job.classes))?;
        let spec = PolygonSpec {
            format: self.format,
            crs: self.raster.raster_profile().crs.as_ref(),
            classes: &entries,
            styled: match self.raster.legend_origin() {
                LegendOrigin::Told => StyledClasses::All,
                LegendOrigin::Ids => StyledClasses::Used,
            },
            layers: self.job.layers,
            geometry: PolygonKind::Polygon,
            confidence: ConfidenceFields::Present,
            review: ReviewFields::Present,
            layer_options: &[],
            pixel: self.scale.pixel_in_degrees(),
        };
        write_polygons::<anyhow::Error>(&self.job.out, &spec, |sink| {
            for (rank, polygon) in (1..).zip(kept.into_sorted_vec()) {
                sink.write(&PolygonRow {
                    wkb: &polygon.wkb,
                    class: polygon.class,
                    area_m2: polygon.measures.map(|measures| measures.area),
                    perimeter_m: polygon.measures.map(|measures| measures.perimeter),
                    pixels: polygon.pixels,
                    confidence: Some((
                        polygon.confidence.mean / SURE,
                        polygon.confidence.tenth_percentile / SURE,
                    )),
                    touches_edge: polygon.touches_edge,
                    review: Some(ReviewRank { rank, doubt: polygon.doubt }),
                })?;
            }
            Ok(())
        })
    }
}

//! Polygons for those who look for mistakes, the most doubtful first.

use super::Prepared;
use super::ready::Ready;
use anyhow::Context as _;
use seg_data::class_entry;
use seg_gdal::{
    ClassEntry, ConfidenceFields, PolygonSpec, ReviewFields, ReviewRank, WrittenPolygons, write_polygons,
};
use seg_grid::Observer;
use seg_vector::{Area, PolygonizeSettings, Shape, Work, polygonize};
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
    polygon: Ready,
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
        let entries: Vec<ClassEntry<'_>> = legend.classes().iter().map(class_entry).collect();
        let place = |id: u8| entries.iter().position(|class| class.id == id);
        let placement = self.scale.placement;
        let doubtful = |area: Area| {
            let polygon = Ready::new(&area, place(area.class)?, placement, Shape::Polygon);
            let (mean, _) = polygon.confidence?;
            let size = polygon.measures.map_or(polygon.pixels as f64, |measures| measures.area);
            Some(Doubtful { doubt: size * (1.0 - mean), id: area.id, polygon })
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
            confidence: ConfidenceFields::Present,
            review: ReviewFields::Present,
            layer_options: &[],
            ..self.spec(&entries, Shape::Polygon)
        };
        write_polygons::<anyhow::Error>(&self.job.out, &spec, |sink| {
            for (rank, Doubtful { doubt, polygon, .. }) in (1..).zip(kept.into_sorted_vec()) {
                sink.write(&polygon.row(Some(ReviewRank { rank, doubt })))?;
            }
            Ok(())
        })
    }
}

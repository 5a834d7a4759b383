//! How large a file would be whose format has a limit.

use super::Prepared;
use crate::diagnostic::Advice;
use seg_data::class_entry;
use seg_gdal::{ClassEntry, ShapefileSize};
use seg_grid::{Observer, Progress};
use seg_vector::{Area, Polygon, PolygonizeSettings, Recode, Shape, Work, polygonize};

/// What the progress of it is called.
pub(super) const STAGE: &str = "measure";

/// Tells another's progress as that of [`STAGE`].
struct Renamed<'a>(&'a dyn Observer);

impl Observer for Renamed<'_> {
    fn progress(&self, progress: Progress) {
        self.0.progress(Progress { stage: STAGE, ..progress });
    }

    fn warning(&self, message: &str) {
        self.0.warning(message);
    }

    fn cancelled(&self) -> bool {
        self.0.cancelled()
    }
}

impl Prepared<'_> {
    /// Measures what a format with a limit would have to hold, before a byte of it is written.
    pub(super) fn check_size(
        &self,
        limit: u64,
        recode: Option<&Recode>,
        settings: &PolygonizeSettings,
        work: Work,
        observer: &dyn Observer,
    ) -> anyhow::Result<()> {
        let (mut size, shape) = (ShapefileSize::default(), self.shape());
        polygonize(
            &self.raster,
            recode,
            settings,
            work,
            &Renamed(observer),
            |area| outline(&area, shape),
            |outline| {
                if self.wanted.contains(&outline.class) {
                    size.add(outline.rings, outline.points);
                }
                Ok(())
            },
        )?;
        let entries: Vec<ClassEntry<'_>> = self.raster.legend().classes().iter().map(class_entry).collect();
        let largest = size.largest_file(&self.spec(&entries, shape));
        if largest <= limit {
            return Ok(());
        }
        let what = format!(
            "a Shapefile holds at most 2 GB, and {} would take {:.1} GB",
            self.job.out.display(),
            largest as f64 / 1e9
        );
        let hint = "write .gpkg or .fgb instead, or fewer polygons with --min-area and --simplify";
        Err(Advice::new(what, hint).into())
    }
}

/// What an area takes in a file.
struct Outline {
    class: u8,
    rings: u64,
    points: u64,
}

fn outline(area: &Area, shape: Shape) -> Outline {
    let polygons = match shape {
        Shape::Polygon => area.polygons.get(..1).unwrap_or_default(),
        Shape::MultiPolygon => &area.polygons,
    };
    let rings = || polygons.iter().flat_map(Polygon::rings);
    // The first point of a ring comes again at its end.
    let points = rings().map(|ring| ring.len() as u64 + 1).sum();
    Outline { class: area.class, rings: rings().count() as u64, points }
}

//! Polygons on disk.

mod fields;
mod format;
mod names;
mod options;
mod shapefile;
mod staged;
mod style;

pub use fields::{PolygonRow, ReviewRank};
pub use format::VectorFormat;
pub use shapefile::ShapefileSize;
pub use staged::WrittenPolygons;

use crate::messages::watched;
use crate::{ClassEntry, Crs, Error, GdalMessage};
use fields::Field;
use gdal::config::{clear_thread_local_config_option, set_thread_local_config_option};
use gdal::vector::sql::Dialect;
use gdal::vector::{Defn, Feature, Geometry, Layer, LayerOptions, OGRwkbGeometryType};
use gdal::{Dataset, DriverManager};
use staged::Staged;
use std::path::Path;

/// How polygons are laid out in a file.
#[derive(Debug, Clone, Copy)]
pub struct PolygonSpec<'a> {
    /// What the file is.
    pub format: VectorFormat,
    /// The raster's CRS.
    pub crs: Option<&'a Crs>,
    /// The classes; [`PolygonRow::class`] is a place in this list.
    pub classes: &'a [ClassEntry<'a>],
    /// Which of them the style lists.
    pub styled: StyledClasses,
    /// Which layers there are.
    pub layers: Layers,
    /// Whether features have one polygon each or lists of them.
    pub geometry: PolygonKind,
    /// Whether it is known how sure the network was.
    pub confidence: ConfidenceFields,
    /// Whether the polygons are ranked for those who look for mistakes.
    pub review: ReviewFields,
    /// GDAL's layer creation options, as `KEY=VALUE`.
    pub layer_options: &'a [String],
    /// How large a pixel is in the coordinates that are written.
    pub pixel: f64,
}

/// Which classes a style lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StyledClasses {
    /// All.
    All,
    /// Those that have a polygon.
    Used,
}

/// Which layers a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layers {
    /// One, named as the file.
    Single,
    /// One for each class, named as the class.
    PerClass,
}

/// Which geometries a layer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum PolygonKind {
    Polygon,
    MultiPolygon,
}

/// Whether features have attributes for confidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum ConfidenceFields {
    Present,
    Absent,
}

/// Whether features have attributes for a review.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum ReviewFields {
    Present,
    Absent,
}

/// Takes polygons, one after the other.
pub struct PolygonSink<'a> {
    layers: Vec<(Layer<'a>, Defn)>,
    fields: Vec<Field>,
    spec: PolygonSpec<'a>,
    path: &'a Path,
    counts: Vec<u64>,
    /// Which classes came.
    used: Vec<bool>,
}

impl PolygonSpec<'_> {
    fn shows(&self, is_used: bool) -> bool {
        is_used || self.styled == StyledClasses::All
    }
}

/// Writes a file of polygons under a temporary name, all in one transaction; `fill` hands them over.
///
/// # Errors
/// If the file cannot be written, or `fill` fails; then nothing is left.
pub fn write_polygons<E: From<Error>>(
    path: &Path,
    spec: &PolygonSpec<'_>,
    fill: impl FnOnce(&mut PolygonSink<'_>) -> Result<(), E>,
) -> Result<WrittenPolygons, E> {
    crate::install_log_handler();
    let names = names::layer_names(path, spec)?;
    let staged = Staged::create(path)?;
    let file = staged.file();
    let _quick = ThreadOptions::set(&[
        // The file counts only when it is whole and renamed, so there is nothing that a journal could save.
        ("OGR_SQLITE_SYNCHRONOUS", "OFF"),
        ("OGR_SQLITE_JOURNAL", "OFF"),
        ("OGR_CURRENT_DATE", style::NO_DATE),
    ]);
    let failed = |source: GdalMessage| Error::WritePolygons { path: path.to_path_buf(), source };
    let mut dataset = create(&file, spec).map_err(failed)?;
    let options = options::layer_options(path, spec);
    create_layers(&mut dataset, &names, spec, &options).map_err(failed)?;
    let fill = |dataset: &Dataset| -> Result<(Vec<u64>, Vec<bool>), E> {
        let mut sink = PolygonSink::new(dataset, &names, spec, path).map_err(failed)?;
        fill(&mut sink)?;
        Ok((sink.counts, sink.used))
    };
    let counts = if spec.format == VectorFormat::GeoPackage {
        let transaction = dataset.start_transaction().map_err(|error| failed(error.into()))?;
        let (counts, used) = fill(&transaction)?;
        let shown: Vec<_> = spec.classes.iter().zip(used).filter(|(_, used)| spec.shows(*used)).collect();
        let shown: Vec<_> = shown.into_iter().map(|(class, _)| *class).collect();
        let column = options::geometry_column(spec);
        for statement in style::style_statements(&names, column, &style::polygon_style(&shown)) {
            let ran = watched(|| transaction.execute_sql(&statement, None, Dialect::DEFAULT).map(drop));
            ran.map_err(failed)?.map_err(|error| failed(error.into()))?;
        }
        watched(|| transaction.commit()).map_err(failed)?.map_err(|error| failed(error.into()))?;
        counts
    } else {
        fill(&dataset)?.0
    };
    watched(|| drop(dataset)).map_err(failed)?;
    staged.check(&names, &counts)?;
    Ok(staged.written(counts.iter().sum()))
}

/// Options of GDAL that hold for this thread until they are dropped.
struct ThreadOptions<'a>(&'a [(&'a str, &'a str)]);

impl<'a> ThreadOptions<'a> {
    fn set(options: &'a [(&'a str, &'a str)]) -> Self {
        for (key, value) in options {
            // Keys and values without zero bytes cannot fail.
            let _ = set_thread_local_config_option(key, value);
        }
        Self(options)
    }
}

impl Drop for ThreadOptions<'_> {
    fn drop(&mut self) {
        for (key, _) in self.0 {
            let _ = clear_thread_local_config_option(key);
        }
    }
}

fn create(file: &Path, spec: &PolygonSpec<'_>) -> Result<Dataset, GdalMessage> {
    let driver = DriverManager::get_driver_by_name(spec.format.driver())?;
    watched(|| driver.create_vector_only(file))?.map_err(Into::into)
}

/// Makes the layers with their attributes.
fn create_layers(
    dataset: &mut Dataset,
    names: &[String],
    spec: &PolygonSpec<'_>,
    options: &[String],
) -> Result<(), GdalMessage> {
    let srs =
        spec.crs.map(|crs| crs.to_spatial_ref().map_err(|e| GdalMessage::new(e.to_string()))).transpose()?;
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let ty = match spec.geometry {
        PolygonKind::Polygon => OGRwkbGeometryType::wkbPolygon,
        PolygonKind::MultiPolygon => OGRwkbGeometryType::wkbMultiPolygon,
    };
    for name in names {
        let layer = watched(|| {
            dataset.create_layer(LayerOptions { name, srs: srs.as_ref(), ty, options: Some(&options) })
        })??;
        for field in Field::list(spec) {
            field.add_to(&layer, spec.format)?;
        }
    }
    Ok(())
}

impl<'a> PolygonSink<'a> {
    fn new(
        dataset: &'a Dataset,
        names: &[String],
        spec: &PolygonSpec<'a>,
        path: &'a Path,
    ) -> Result<Self, GdalMessage> {
        let mut layers = Vec::new();
        for index in 0..names.len() {
            let layer = dataset.layer(index)?;
            let defn = Defn::from_layer(&layer);
            layers.push((layer, defn));
        }
        let counts = vec![0; layers.len()];
        let fields = Field::list(spec);
        Ok(Self { layers, fields, spec: *spec, path, counts, used: vec![false; spec.classes.len()] })
    }

    /// Writes one polygon.
    ///
    /// # Errors
    /// If it does not fit the disk or the format.
    pub fn write(&mut self, row: &PolygonRow<'_>) -> Result<(), Error> {
        let at = match self.spec.layers {
            Layers::Single => 0,
            Layers::PerClass => row.class,
        };
        let written = self.write_to(at, row);
        written.map_err(|source| Error::WritePolygons { path: self.path.to_path_buf(), source })?;
        self.counts[at] += 1;
        if let Some(used) = self.used.get_mut(row.class) {
            *used = true;
        }
        Ok(())
    }

    fn write_to(&self, at: usize, row: &PolygonRow<'_>) -> Result<(), GdalMessage> {
        let (layer, defn) = &self.layers[at];
        let class = self.spec.classes.get(row.class);
        let class = class.map_or((crate::vector_in::NO_CLASS, ""), |class| (class.id, class.name));
        let mut feature = Feature::new(defn)?;
        feature.set_geometry(Geometry::from_wkb(row.wkb)?)?;
        for (index, field) in self.fields.iter().enumerate() {
            field.set(&mut feature, index, row, class)?;
        }
        watched(|| feature.create(layer))??;
        Ok(())
    }
}

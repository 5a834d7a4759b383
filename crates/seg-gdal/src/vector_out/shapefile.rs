use super::fields::Field;
use super::{PolygonSpec, VectorFormat};

/// How large the files of a Shapefile are (ESRI Shapefile Technical Description, July 1998; dBASE III).
///
/// ```
/// use seg_gdal::ShapefileSize;
/// let mut size = ShapefileSize::default();
/// size.add(1, 5); // one square
/// assert_eq!(size.geometry(), 100 + 8 + 44 + 4 + 5 * 16);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ShapefileSize {
    records: u64,
    rings: u64,
    points: u64,
}

/// The header of a file of geometries.
const FILE_HEADER: u64 = 100;
/// A record's header, its type, its box, and the numbers of its rings and points.
const RECORD: u64 = 8 + 4 + 32 + 4 + 4;
const RING: u64 = 4;
const POINT: u64 = 16;
/// The table's header and its end, and what describes a field.
const TABLE_HEADER: u64 = 32 + 1 + 1;
const FIELD: u64 = 32;

impl ShapefileSize {
    /// Adds a polygon of so many rings with so many points, the first of each ring counted again at its end.
    pub const fn add(&mut self, rings: u64, points: u64) {
        self.records += 1;
        self.rings += rings;
        self.points += points;
    }

    /// The bytes of the geometries.
    pub const fn geometry(&self) -> u64 {
        FILE_HEADER + self.records * RECORD + self.rings * RING + self.points * POINT
    }

    /// The bytes of the attributes.
    pub fn table(&self, spec: &PolygonSpec<'_>) -> u64 {
        let fields = Field::list(spec);
        let record: u64 = fields.iter().map(|field| field.dbf_width(spec)).sum();
        // A record begins with a mark that it is not deleted.
        TABLE_HEADER + fields.len() as u64 * FIELD + self.records * (1 + record)
    }

    /// The larger of both.
    pub fn largest_file(&self, spec: &PolygonSpec<'_>) -> u64 {
        debug_assert_eq!(spec.format, VectorFormat::Shapefile, "others have no limit");
        self.geometry().max(self.table(spec))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ClassEntry, ConfidenceFields, Error, Layers, PolygonKind, PolygonRow, ReviewFields, StyledClasses,
        write_polygons,
    };
    use std::fs;

    /// A square with a square hole, as well-known binary.
    fn wkb() -> Vec<u8> {
        let mut bytes = vec![1, 3, 0, 0, 0, 2, 0, 0, 0];
        for ring in [[(0, 0), (9, 0), (9, 9), (0, 9), (0, 0)], [(1, 1), (1, 2), (2, 2), (2, 1), (1, 1)]] {
            bytes.extend(5_u32.to_le_bytes());
            for (x, y) in ring {
                bytes.extend(f64::from(x).to_le_bytes());
                bytes.extend(f64::from(y).to_le_bytes());
            }
        }
        bytes
    }

    #[test]
    fn files_are_as_large_as_computed() {
        let long = "x".repeat(120);
        for (name, confidence) in [("tree", ConfidenceFields::Absent), (&long, ConfidenceFields::Present)] {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("p.shp");
            let classes = [ClassEntry { id: 1, name, color: [0; 3] }];
            let spec = PolygonSpec {
                format: VectorFormat::Shapefile,
                crs: None,
                classes: &classes,
                styled: StyledClasses::All,
                layers: Layers::Single,
                geometry: PolygonKind::Polygon,
                confidence,
                review: ReviewFields::Absent,
                layer_options: &[],
                pixel: 1.0,
            };
            let wkb = wkb();
            let row = PolygonRow {
                wkb: &wkb,
                class: 0,
                area_m2: Some(80.0),
                perimeter_m: None,
                pixels: 80,
                confidence: None,
                touches_edge: true,
                review: None,
            };
            let mut size = ShapefileSize::default();
            let written = write_polygons::<Error>(&path, &spec, |sink| {
                for _ in 0..7 {
                    sink.write(&row)?;
                    size.add(2, 10);
                }
                Ok(())
            });
            written.expect("written").publish().expect("renamed");
            let bytes = |ending: &str| fs::metadata(path.with_extension(ending)).expect("there").len();
            assert_eq!((size.geometry(), size.table(&spec)), (bytes("shp"), bytes("dbf")), "{name}");
        }
    }
}

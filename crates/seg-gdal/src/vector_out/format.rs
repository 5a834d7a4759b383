use crate::Error;
use gdal::DriverManager;
use std::path::Path;

/// What polygons are written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VectorFormat {
    /// A data base with a spatial index, several layers and the style that QGIS opens them with.
    GeoPackage,
    /// Small, with a spatial index.
    FlatGeobuf,
    /// Text in longitude and latitude (RFC 7946).
    GeoJson,
    /// The same, one feature a line.
    GeoJsonSeq,
    /// Names of ten characters, files of 2 GB.
    Shapefile,
    /// Columns, for data bases.
    Parquet,
}

/// Formats by the endings of names.
const ENDINGS: [(&str, VectorFormat); 11] = [
    ("gpkg", VectorFormat::GeoPackage),
    ("fgb", VectorFormat::FlatGeobuf),
    ("geojson", VectorFormat::GeoJson),
    ("json", VectorFormat::GeoJson),
    ("geojsonl", VectorFormat::GeoJsonSeq),
    ("geojsons", VectorFormat::GeoJsonSeq),
    ("geojsonseq", VectorFormat::GeoJsonSeq),
    ("ndjson", VectorFormat::GeoJsonSeq),
    ("shp", VectorFormat::Shapefile),
    ("parquet", VectorFormat::Parquet),
    ("geoparquet", VectorFormat::Parquet),
];

impl VectorFormat {
    /// The format that a name's ending stands for, if this GDAL writes it.
    ///
    /// ```
    /// use seg_gdal::VectorFormat;
    /// assert_eq!(VectorFormat::of("out/Polygons.GPKG".as_ref())?, VectorFormat::GeoPackage);
    /// assert!(VectorFormat::of("polygons.dwg".as_ref()).is_err());
    /// # Ok::<(), seg_gdal::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the ending stands for none, or GDAL was built without it.
    pub fn of(path: &Path) -> Result<Self, Error> {
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        let found = ENDINGS.iter().find(|(known, _)| ending.as_deref() == Some(known));
        let Some((_, format)) = found else {
            let endings = ENDINGS.iter().map(|(ending, _)| format!(".{ending}")).collect();
            return Err(Error::UnknownVectorFormat { path: path.to_path_buf(), endings });
        };
        match DriverManager::get_driver_by_name(format.driver()) {
            Ok(_) => Ok(*format),
            Err(_) => Err(Error::NoVectorDriver { path: path.to_path_buf(), driver: format.driver() }),
        }
    }

    /// GDAL's name of it.
    pub const fn driver(self) -> &'static str {
        match self {
            Self::GeoPackage => "GPKG",
            Self::FlatGeobuf => "FlatGeobuf",
            Self::GeoJson => "GeoJSON",
            Self::GeoJsonSeq => "GeoJSONSeq",
            Self::Shapefile => "ESRI Shapefile",
            Self::Parquet => "Parquet",
        }
    }

    /// Whether a file can hold more than one layer.
    pub const fn has_layers(self) -> bool {
        matches!(self, Self::GeoPackage)
    }

    /// Whether coordinates are longitude and latitude in WGS 84, whatever the raster's are.
    pub const fn is_lon_lat(self) -> bool {
        matches!(self, Self::GeoJson | Self::GeoJsonSeq)
    }

    /// Endings of the files that it consists of beside the one that is named.
    pub const fn parts(self) -> &'static [&'static str] {
        match self {
            Self::Shapefile => &["shx", "dbf", "prj", "cpg"],
            _ => &[],
        }
    }

    /// The largest file of it in bytes.
    pub const fn limit(self) -> Option<u64> {
        match self {
            Self::Shapefile => Some((1 << 31) - 1),
            _ => None,
        }
    }
}

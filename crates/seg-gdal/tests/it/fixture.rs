use gdal::raster::{Buffer, GdalType, RasterCreationOptions};
use gdal::{Dataset, DriverManager};
use ndarray::Array3;
use seg_gdal::{BandSelection, ClassEntry, GeoRaster, RawValues, ReadOptions};
use seg_grid::{RasterSource as _, Window};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Half a meter a pixel, north up.
pub(crate) const HALF_METER: [f64; 6] = [500_000.0, 0.5, 0.0, 5_400_000.0, 0.0, -0.5];

pub(crate) const CLASSES: [ClassEntry<'static>; 3] = [
    ClassEntry { id: 0, name: "low & <wet>", color: [0, 255, 255] },
    ClassEntry { id: 1, name: "tree", color: [0, 255, 0] },
    ClassEntry { id: 4, name: "car", color: [255, 255, 0] },
];

/// A folder that goes with the test.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path()).expect("a folder").flatten();
        let mut names: Vec<String> = entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

/// Writes values (C, H, W) as a GeoTIFF; `set` runs before the pixels are written.
pub(crate) fn geotiff<T: GdalType + Copy>(
    path: &Path,
    values: &Array3<T>,
    options: &[&str],
    set: impl FnOnce(&mut Dataset),
) {
    let (bands, height, width) = values.dim();
    let options: RasterCreationOptions = options.iter().copied().collect();
    let driver = DriverManager::get_driver_by_name("GTiff").expect("a driver");
    let mut dataset = driver
        .create_with_band_type_with_options::<T, _>(path, width, height, bands, &options)
        .expect("a raster");
    set(&mut dataset);
    for (position, plane) in values.outer_iter().enumerate() {
        let mut band = dataset.rasterband(position + 1).expect("a band");
        let mut buffer = Buffer::from(plane.to_owned());
        band.write((0, 0), (width, height), &mut buffer).expect("written");
    }
    dataset.close().expect("closed");
}

pub(crate) fn open(path: &Path, bands: BandSelection) -> Result<GeoRaster, seg_gdal::Error> {
    GeoRaster::open(&path.to_string_lossy(), &ReadOptions { bands, ..ReadOptions::default() })
}

pub(crate) fn open_all(path: &Path) -> GeoRaster {
    open(path, BandSelection::All).expect("a raster")
}

/// Checks that a window read in the types on disk has the pixels that a network gets, valid in the same places.
pub(crate) fn assert_measured_alike(raster: &mut GeoRaster, window: Window) {
    let name = raster.profile().name.clone();
    let (measured, patch) = (raster.read_measured(window), raster.read(window));
    let (Some(measured), Some(patch)) = (measured.expect("pixels"), patch.expect("pixels")) else {
        assert!(raster.read_measured(window).expect("pixels").is_none(), "{name}");
        assert!(raster.read(window).expect("pixels").is_none(), "{name}");
        return;
    };
    assert_eq!(measured.valid, patch.valid, "{name}");
    let seen = measured.seen();
    assert_eq!(seen.len(), patch.values.dim().0, "{name}");
    for (values, plane) in seen.into_iter().zip(patch.values.outer_iter()) {
        let of_valid = plane.iter().zip(&patch.valid).filter(|(_, valid)| **valid).map(|(&value, _)| value);
        assert_eq!(floats(&values.select(&patch.valid.view())), of_valid.collect::<Vec<_>>(), "{name}");
    }
}

fn floats(values: &RawValues) -> Vec<f32> {
    match values {
        RawValues::UInt8(v) => v.iter().map(|&v| v.into()).collect(),
        RawValues::Int8(v) => v.iter().map(|&v| v.into()).collect(),
        RawValues::UInt16(v) => v.iter().map(|&v| v.into()).collect(),
        RawValues::Int16(v) => v.iter().map(|&v| v.into()).collect(),
        RawValues::UInt32(v) => v.iter().map(|&v| v as f32).collect(),
        RawValues::Int32(v) => v.iter().map(|&v| v as f32).collect(),
        RawValues::UInt64(v) => v.iter().map(|&v| v as f32).collect(),
        RawValues::Int64(v) => v.iter().map(|&v| v as f32).collect(),
        RawValues::Float32(v) => v.clone(),
        RawValues::Float64(v) => v.iter().map(|&v| v as f32).collect(),
    }
}

/// The shared collection, empty where it is not at hand.
pub(crate) fn collection() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/rasters");
    let Ok(groups) = std::fs::read_dir(&folder) else {
        eprintln!("skipped: the shared collection of rasters is not at hand");
        return Vec::new();
    };
    let files = groups.flatten().filter_map(|group| std::fs::read_dir(group.path()).ok()).flatten().flatten();
    let mut rasters: Vec<PathBuf> = files
        .map(|file| file.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "tif" || ending == "tiff"))
        .collect();
    rasters.sort();
    rasters
}

/// The file's name without its folders.
pub(crate) fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

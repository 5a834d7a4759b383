//! Folders of chips that need no raster to be cut.

use crate::fixture::{Folder, band, legend};
use ndarray::{Array2, Array3};
use seg_data::{AugmentSettings, ChipRecord, ChipSet, DataSettings, InputScale, Manifest, Split};
use seg_gdal::{Interpretation, RawPatch, RawValues};
use seg_grid::{Size, Window};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The classes of [`legend`], in another order.
pub(crate) fn classes() -> Vec<String> {
    ["water", "field", "road"].map(str::to_owned).to_vec()
}

/// Leaves values as they are.
pub(crate) fn identity(bands: usize) -> InputScale {
    InputScale { divide: 1.0, mean: vec![0.0; bands], std: vec![1.0; bands] }
}

/// A chip to write: bytes (C, H, W) with this nodata value, and ids (H, W).
pub(crate) struct Chip {
    pub image: Array3<u8>,
    pub nodata: Option<f64>,
    pub label: Option<Array2<u8>>,
    pub split: Split,
}

impl Chip {
    /// A pixel's bands are its column, its row and a number; left is field, right is water, the last row road.
    pub(crate) fn coordinates(size: Size, number: u8) -> Self {
        let image = Array3::from_shape_fn((3, size.height, size.width), |(c, y, x)| match c {
            0 => x as u8,
            1 => y as u8,
            _ => number,
        });
        let label = Array2::from_shape_fn((size.height, size.width), |(y, x)| {
            if y + 1 == size.height { 2 } else { u8::from(x >= size.width / 2) }
        });
        Self { image, nodata: None, label: Some(label), split: Split::Train }
    }
}

/// Writes chips with their manifest and legend, and returns the records.
pub(crate) fn write(folder: &Folder, chips: &[Chip]) -> Vec<ChipRecord> {
    let records: Vec<_> = (0..).zip(chips).map(|(number, chip)| write_one(folder, number, chip)).collect();
    write_manifest(folder, &records);
    fs::write(folder.path("chips/legend.toml"), legend().to_toml()).expect("written");
    records
}

pub(crate) fn write_manifest(folder: &Folder, records: &[ChipRecord]) {
    let manifest = Manifest { chips: records.to_vec() };
    fs::write(folder.path("chips/manifest.jsonl"), manifest.to_jsonl()).expect("written");
}

fn write_one(folder: &Folder, number: usize, chip: &Chip) -> ChipRecord {
    let (_, height, width) = chip.image.dim();
    let size = Size { width, height };
    let colors = [Interpretation::Red, Interpretation::Green, Interpretation::Blue];
    let bands = chip.image.outer_iter().enumerate().map(|(i, values)| {
        let values = RawValues::UInt8(values.iter().copied().collect());
        let mut profile = band(i, &values);
        profile.nodata = chip.nodata;
        profile.interpretation = colors.get(i).copied().unwrap_or(Interpretation::Undefined);
        (profile, values)
    });
    let image = format!("images/{number}.tif");
    folder.patch(&format!("chips/{image}"), RawPatch { size, bands: bands.collect() }, None);
    let mut histogram = BTreeMap::new();
    let label = chip.label.as_ref().map(|ids| {
        let label = format!("labels/{number}.tif");
        let values = RawValues::UInt8(ids.iter().copied().collect());
        let mut profile = band(0, &values);
        profile.nodata = Some(255.0);
        let (h, w) = ids.dim();
        let patch = RawPatch { size: Size { width: w, height: h }, bands: vec![(profile, values)] };
        folder.patch(&format!("chips/{label}"), patch, None);
        for class in legend().classes() {
            let pixels = ids.iter().filter(|id| **id == class.id.0).count() as u64;
            if pixels > 0 {
                histogram.insert(class.name.clone(), pixels);
            }
        }
        label
    });
    ChipRecord {
        image,
        ignored: label.as_ref().map(|_| 0),
        label,
        label_source: None,
        source: format!("scene{number}.tif"),
        window: Window::whole(size),
        split: chip.split,
        valid: 1.0,
        histogram,
        crs: None,
        transform: None,
    }
}

pub(crate) fn open(folder: &Folder) -> Result<ChipSet, seg_data::Error> {
    ChipSet::open(&folder.path("chips"), Split::Train, &classes(), 3, &DataSettings::default())
}

/// Five chips of several sizes, all opened for training.
pub(crate) fn five(folder: &Folder) -> ChipSet {
    let sizes = [(40, 40), (24, 56), (16, 16), (64, 48), (33, 31)];
    let chips: Vec<_> = (0..)
        .zip(sizes)
        .map(|(number, (width, height))| Chip::coordinates(Size { width, height }, number))
        .collect();
    write(folder, &chips);
    open(folder).expect("a set")
}

/// One chip alone.
pub(crate) fn single(folder: &Folder, chip: Chip) -> ChipSet {
    write(folder, &[chip]);
    open(folder).expect("a set")
}

/// Only cuts crops out.
pub(crate) fn plain() -> AugmentSettings {
    AugmentSettings::none()
}

pub(crate) fn remove(path: &Path) {
    fs::remove_file(path).expect("removed");
}

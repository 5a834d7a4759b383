//! Small rasters, polygons and jobs.

use seg_data::{Existing, LabelInput, SplitRequest, TileJob, Variants};
use seg_gdal::{
    BandIndex, BandProfile, ChipFormat, Crs, GridReference, Interpretation, MaskKind, Palette, RawPatch,
    RawValues, write_chip,
};
use seg_grid::{EdgePolicy, GeoTransform, Observer, Progress, Size};
use seg_label::{Class, ClassId, Convention, Legend, Rgb};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// A folder that goes with the test.
pub(crate) struct Folder(tempfile::TempDir);

/// Remembers what it was told; cancels after some steps of a stage.
#[derive(Default)]
pub(crate) struct Listener {
    warnings: Mutex<Vec<String>>,
    cancel_after: Option<u64>,
    steps: AtomicU64,
}

impl Observer for Listener {
    fn progress(&self, progress: Progress) {
        if progress.stage == "tile" {
            self.steps.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn warning(&self, message: &str) {
        self.warnings.lock().expect("not poisoned").push(message.to_owned());
    }

    fn cancelled(&self) -> bool {
        self.cancel_after.is_some_and(|steps| self.steps.load(Ordering::SeqCst) >= steps)
    }
}

impl Listener {
    /// Cancels after so many chips.
    pub(crate) fn cancelling_after(chips: u64) -> Self {
        Self { cancel_after: Some(chips), ..Self::default() }
    }

    /// Everything that was warned of, in one text.
    pub(crate) fn told(&self) -> String {
        self.warnings.lock().expect("not poisoned").join("\n")
    }
}

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        path
    }

    pub(crate) fn name(&self, name: &str) -> String {
        self.path(name).to_string_lossy().into_owned()
    }

    pub(crate) fn raster(
        &self,
        name: &str,
        size: Size,
        corner: Option<(f64, f64)>,
        bands: Vec<RawValues>,
    ) -> String {
        let all = (0..).zip(bands).map(|(i, values)| (band(i, &values), values)).collect();
        self.patch(name, RawPatch { size, bands: all }, corner)
    }

    pub(crate) fn patch(&self, name: &str, patch: RawPatch, corner: Option<(f64, f64)>) -> String {
        let mut reference = GridReference::unplaced(patch.size);
        if let Some((x, y)) = corner {
            reference.transform = Some(GeoTransform::from_gdal([x, 0.5, 0.0, y, 0.0, -0.5]));
            reference.crs = Some(Crs::parse("EPSG:32633").expect("known"));
        }
        let format = if name.ends_with("png") { ChipFormat::Png } else { ChipFormat::GTiff };
        write_chip(&self.path(name), patch, &reference, format, &[]).expect("written");
        self.name(name)
    }

    pub(crate) fn job(&self, input: &str) -> TileJob {
        TileJob {
            inputs: vec![input.to_owned()],
            labels: None,
            convention: None,
            data_set: None,
            variants: Variants::default(),
            size: 32,
            overlap: 8,
            edge: EdgePolicy::Shift,
            split: SplitRequest::default(),
            format: ChipFormat::GTiff,
            creation_options: Vec::new(),
            skip_nodata: 1.0,
            threads: 2,
            out: self.path("chips"),
            existing: Existing::Refuse,
        }
    }

    pub(crate) fn labeled_job(&self, input: &str, labels: &str) -> TileJob {
        TileJob {
            labels: Some(LabelInput { name: labels.to_owned(), attribute: None }),
            convention: Some(Convention::new(legend())),
            ..self.job(input)
        }
    }
}

pub(crate) fn band(position: usize, values: &RawValues) -> BandProfile {
    BandProfile {
        index: BandIndex::from_position(position),
        dtype: Some(values.dtype()),
        nodata: None,
        interpretation: Interpretation::Undefined,
        description: String::new(),
        mask: MaskKind::AllValid,
        block: Size::square(16),
        palette: None,
    }
}

/// One band of indices into a table of colors.
pub(crate) fn palette_patch(size: Size, ids: Vec<u8>, colors: &[[u8; 3]]) -> RawPatch {
    let values = RawValues::UInt8(ids);
    let entries = colors.iter().map(|&[r, g, b]| [r, g, b, 255]).collect();
    let profile = BandProfile {
        interpretation: Interpretation::Palette,
        palette: Some(Palette { entries }),
        ..band(0, &values)
    };
    RawPatch { size, bands: vec![(profile, values)] }
}

/// Values that differ from pixel to pixel.
pub(crate) fn ramp(size: Size, step: usize) -> RawValues {
    RawValues::UInt8((0..size.area() as usize).map(|i| (i * step / 7 % 251) as u8).collect())
}

/// Left half class 0, right half class 1, with a column of class 2 between.
pub(crate) fn truth(size: Size) -> Vec<u8> {
    let id = |x: usize| match x.cmp(&(size.width / 2)) {
        std::cmp::Ordering::Less => 0,
        std::cmp::Ordering::Equal => 2,
        std::cmp::Ordering::Greater => 1,
    };
    (0..size.height).flat_map(|_| (0..size.width).map(id)).collect()
}

pub(crate) fn legend() -> Legend {
    let class = |id, name: &str, r, g, b| Class {
        id: ClassId(id),
        name: name.to_owned(),
        prompt: None,
        color: Rgb::new(r, g, b),
    };
    Legend::new(vec![
        class(0, "field", 10, 200, 10),
        class(1, "water", 0, 0, 255),
        class(2, "road", 90, 90, 90),
    ])
    .expect("a legend")
}

/// Every file below a folder with its bytes, by its path from there.
pub(crate) fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = PathBuf::from(path.file_name().expect("a name"));
        if path.is_dir() {
            files.extend(contents(&path).into_iter().map(|(file, bytes)| (name.join(file), bytes)));
        } else {
            files.insert(name, fs::read(&path).expect("readable"));
        }
    }
    files
}

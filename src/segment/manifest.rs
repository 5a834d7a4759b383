//! The manifest of a run: all that made its outputs, as JSON beside the class raster.

use crate::diagnostic::Advice;
use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What the first entry says.
const KIND: &str = "rs-seg infer";
/// The schema that is written and read.
const SCHEMA: u32 = 1;

/// All that made the outputs of a run.
///
/// It holds no time, and nothing that only decides how fast the run was: equal runs make equal manifests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    #[serde(rename = "manifest")]
    pub kind: String,
    pub schema: u32,
    pub software: Software,
    pub input: Input,
    pub model: Model,
    /// The flags that decide the classes, as the command line takes them.
    pub flags: BTreeMap<String, String>,
    /// All that decides them, in the program's own words.
    pub parameters: BTreeMap<String, String>,
    pub grid: Grid,
    pub classes: Vec<ClassPixels>,
    pub nodata_pixels: u64,
    pub outputs: Vec<OutputFile>,
}

/// What computed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Software {
    #[serde(rename = "rs-seg")]
    pub rs_seg: String,
    pub gdal: String,
    pub proj: String,
    pub libtorch: String,
    pub cpu_capability: String,
    pub device: String,
    pub precision: String,
}

/// The raster that was segmented.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Input {
    pub name: String,
    /// What was read, as GDAL's names; several are one mosaic.
    pub files: Vec<String>,
    /// A hash of the values in 64 of its blocks.
    pub fingerprint: String,
    pub width: usize,
    pub height: usize,
    /// The bands read, counted from 1.
    pub bands: Vec<usize>,
    pub data_type: String,
    pub crs: Option<String>,
    pub crs_wkt: Option<String>,
    pub geotransform: Option<[f64; 6]>,
}

/// The network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Model {
    /// What the user called it.
    pub name: String,
    /// What it calls itself.
    pub title: String,
    /// A hash of its file or files.
    pub fingerprint: String,
}

/// How the raster was cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Grid {
    pub tile_width: usize,
    pub tile_height: usize,
    /// Pixels from one tile to the next.
    pub step_x: usize,
    pub step_y: usize,
    pub columns: usize,
    pub rows: usize,
    /// Tiles with data; not counted where the network saw other pixels than those of the outputs.
    pub computed: Option<u64>,
    /// Tiles without a pixel that has a class.
    pub skipped: Option<u64>,
}

/// One class and its pixels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ClassPixels {
    pub id: u8,
    pub name: String,
    pub color: String,
    pub pixels: u64,
}

/// One file that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OutputFile {
    /// `classes`, `probabilities`, `confidence`, `side-car`, `style` or `preview`.
    pub what: String,
    /// As seen from the folder of the class raster.
    pub file: PathBuf,
    pub bytes: u64,
    pub sha256: String,
}

impl Manifest {
    /// Its first entries.
    pub(crate) fn head() -> (String, u32) {
        (KIND.to_owned(), SCHEMA)
    }

    /// The file's content.
    pub(crate) fn to_json(&self) -> anyhow::Result<Vec<u8>> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        Ok(text)
    }

    /// Whether two runs had the same input, network and parameters; what was counted and written is not looked at.
    pub(crate) fn is_of_same_run(&self, other: &Self) -> bool {
        let same_model = self.model.fingerprint == other.model.fingerprint;
        let same_input = self.input.fingerprint == other.input.fingerprint
            && (self.input.width, self.input.height) == (other.input.width, other.input.height);
        same_model && same_input && self.parameters == other.parameters && self.flags == other.flags
    }

    /// Reads the manifest beside a class raster.
    pub(crate) fn read(classes: &Path) -> anyhow::Result<Self> {
        let path = path_for(classes);
        let text = match fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let what =
                    format!("{} has no manifest: {} does not exist", classes.display(), path.display());
                let hint = "`rs-seg infer` writes one beside the class raster, unless --no-manifest is given";
                return Err(Advice::new(what, hint).into());
            }
            read => read.with_context(|| format!("cannot read {}", path.display()))?,
        };
        let value: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
        if value["manifest"] != KIND {
            let what = format!("{} is no manifest of rs-seg infer", path.display());
            return Err(Advice::new(what, "run `rs-seg infer` again to get one").into());
        }
        if value["schema"] != SCHEMA {
            let what =
                format!("{} has schema {}, this rs-seg reads {SCHEMA}", path.display(), value["schema"]);
            return Err(Advice::new(what, "use the rs-seg that wrote it").into());
        }
        serde_json::from_value(value).with_context(|| format!("{} is damaged", path.display()))
    }
}

/// Where the manifest of a class raster lies: its name with `.json` added, so that two rasters never share one.
pub(crate) fn path_for(classes: &Path) -> PathBuf {
    let mut name = classes.as_os_str().to_owned();
    name.push(".json");
    PathBuf::from(name)
}

/// Removes a manifest that an earlier run left; nobody else's file.
pub(crate) fn remove_own(path: &Path) {
    let text = fs::read(path).unwrap_or_default();
    let value: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
    if value["manifest"] == KIND
        && let Err(error) = fs::remove_file(path)
    {
        tracing::warn!(path = %path.display(), %error, "the manifest of an earlier run stays");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_files_are_neither_read_nor_removed() {
        let folder = tempfile::tempdir().unwrap();
        let classes = folder.path().join("a b.tif");
        assert_eq!(path_for(&classes), folder.path().join("a b.tif.json"));
        assert!(Manifest::read(&classes).unwrap_err().to_string().contains("has no manifest"));
        fs::write(path_for(&classes), "{\"type\": \"Feature\"}").unwrap();
        assert!(Manifest::read(&classes).unwrap_err().to_string().contains("is no manifest"));
        remove_own(&path_for(&classes));
        assert!(path_for(&classes).exists());
        fs::write(path_for(&classes), "{\"manifest\": \"rs-seg infer\", \"schema\": 99}").unwrap();
        assert!(Manifest::read(&classes).unwrap_err().to_string().contains("schema 99"));
        remove_own(&path_for(&classes));
        assert!(!path_for(&classes).exists());
    }
}

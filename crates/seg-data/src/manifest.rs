use crate::{Error, Split};
use seg_grid::Window;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// One line of a manifest: a chip, where it comes from and what is on it.
///
/// ```
/// use seg_data::{ChipRecord, Manifest};
/// let line = r#"{"image":"images/a_x0_y0.tif","source":"a.tif","split":"train","valid":1.0,
///     "window":{"x":0,"y":0,"width":512,"height":512}}"#.replace('\n', "");
/// let manifest = Manifest::parse(&line, "manifest.jsonl".as_ref())?;
/// assert_eq!(manifest.chips[0].label, None);
/// # Ok::<(), seg_data::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChipRecord {
    /// The image, relative to the manifest.
    pub image: String,
    /// The label, relative to the manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// What the label was cut from, as the user named it; `None` without labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_source: Option<String>,
    /// The raster it was cut from, as the user named it.
    pub source: String,
    /// The pixels of that raster.
    pub window: Window,
    /// What it is for.
    pub split: Split,
    /// Share of its pixels that have data.
    pub valid: f64,
    /// Pixels of each class that comes, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub histogram: BTreeMap<String, u64>,
    /// Pixels without a class; `None` without labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignored: Option<u64>,
    /// The CRS, as an authority's code where it has one, else as well-known text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crs: Option<String>,
    /// GDAL's six terms of the chip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transform: Option<[f64; 6]>,
}

/// The chips of a folder.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Manifest {
    /// In the order of the file.
    pub chips: Vec<ChipRecord>,
}

impl Manifest {
    /// The name of the file.
    pub const NAME: &'static str = "manifest.jsonl";
    /// The name of the file beside it that says what the ids of labels mean.
    pub const LEGEND: &'static str = "legend.toml";

    /// Reads the manifest of a folder.
    ///
    /// # Errors
    /// If it cannot be read, or a line is no chip.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(Self::NAME);
        let text = std::fs::read_to_string(&path).map_err(|source| Error::File {
            action: "read",
            path: path.clone(),
            source,
        })?;
        Self::parse(&text, &path)
    }

    /// Reads the text of a manifest; `path` is for messages.
    ///
    /// # Errors
    /// If a line is no chip.
    pub fn parse(text: &str, path: &Path) -> Result<Self, Error> {
        let chip = |(line, text): (usize, &str)| {
            serde_json::from_str(text).map_err(|source| Error::ManifestLine {
                path: path.to_path_buf(),
                line: line + 1,
                source,
            })
        };
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        Ok(Self { chips: lines.map(chip).collect::<Result<_, _>>()? })
    }

    /// The text of the file: one JSON object a line.
    pub fn to_jsonl(&self) -> String {
        // Texts and finite numbers: nothing that JSON cannot hold.
        self.chips.iter().map(|chip| serde_json::to_string(chip).unwrap_or_default() + "\n").collect()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn record(source: &str, x: usize, y: usize, split: Split) -> ChipRecord {
        ChipRecord {
            image: format!("images/{source}_x{x}_y{y}.tif"),
            label: Some(format!("labels/{source}_x{x}_y{y}.tif")),
            label_source: Some(format!("{source}.label")),
            source: source.to_owned(),
            window: Window { x, y, width: 64, height: 64 },
            split,
            valid: 0.75,
            histogram: BTreeMap::from([("building".to_owned(), 1000), ("road".to_owned(), 24)]),
            ignored: Some(3072),
            crs: Some("EPSG:32633".to_owned()),
            transform: Some([366_976.05, 0.05, 0.0, 5_808_000.1, 0.0, -0.05]),
        }
    }

    #[test]
    fn a_manifest_reads_back_to_the_bit() {
        let manifest =
            Manifest { chips: vec![record("a", 0, 64, Split::Val), record("b", 7, 0, Split::Train)] };
        let text = manifest.to_jsonl();
        assert_eq!(text.lines().count(), 2);
        assert_eq!(Manifest::parse(&text, Path::new("m")).expect("reads back"), manifest);
    }

    #[test]
    fn a_broken_line_is_named() {
        let text = Manifest { chips: vec![record("a", 0, 0, Split::Val)] }.to_jsonl() + "\n{\"image\": 3}\n";
        let error = Manifest::parse(&text, Path::new("d/manifest.jsonl")).expect_err("a broken line");
        assert_eq!(error.to_string(), "line 3 of d/manifest.jsonl is no chip");
    }
}

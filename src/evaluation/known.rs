//! What is known of a prediction beside its classes: from flags, and from the manifest of the run that made it.

use crate::cli::EvalArgs;
use crate::segment::manifest::Manifest;
use seg_data::{DataSet, Error, Kind, Known, TileLines, expand, pair};
use seg_grid::{EdgePolicy, Size, TileGrid};
use std::path::{Path, PathBuf};

/// Pixels on either side of a tile line that are called near.
pub(super) const NEAR_PX: usize = 16;

/// What flags and manifests tell of each prediction.
pub(super) fn known(args: &EvalArgs, predictions: &[String]) -> Result<Vec<Known>, Error> {
    let probabilities = named(&args.probabilities, predictions)?;
    let images = named(&args.image, predictions)?;
    let one = |(i, prediction): (usize, &String)| {
        let mut known = from_manifest(prediction);
        known.probabilities = probabilities.get(i).cloned().or(known.probabilities);
        known.image = images.get(i).cloned().or(known.image);
        known
    };
    Ok(predictions.iter().enumerate().map(one).collect())
}

/// The raster of confidence of a prediction: what a flag names, or what the run that made it wrote.
pub(super) fn confidence(args: &EvalArgs, prediction: &str) -> Option<String> {
    args.probabilities.first().cloned().or_else(|| {
        let manifest = Manifest::read(Path::new(prediction)).ok()?;
        let file = manifest.outputs.iter().find(|output| output.what == "confidence")?;
        let path = Path::new(prediction).with_file_name("").join(&file.file);
        path.exists().then(|| path.to_string_lossy().into_owned())
    })
}

/// Rasters of a flag in the order of the predictions, folders paired by name.
fn named(names: &[String], predictions: &[String]) -> Result<Vec<String>, Error> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let found = expand(names, Kind::LabelRasters, DataSet::Folder, None)?;
    if names.iter().any(|name| Path::new(name).is_dir()) {
        return pair(predictions, &found);
    }
    if found.len() == predictions.len() {
        return Ok(found);
    }
    Err(Error::CountMismatch { predictions: predictions.len(), truths: found.len() })
}

/// A manifest that is not there or not whole tells nothing: it is no part of what is compared.
fn from_manifest(prediction: &str) -> Known {
    let Ok(manifest) = Manifest::read(Path::new(prediction)) else { return Known::default() };
    let folder = Path::new(prediction).parent().map(Path::to_path_buf).unwrap_or_default();
    let file = |what: &str| {
        let file = manifest.outputs.iter().find(|output| output.what == what)?;
        let path: PathBuf = folder.join(&file.file);
        path.exists().then(|| path.to_string_lossy().into_owned())
    };
    let [image] = &manifest.input.files[..] else {
        return Known {
            probabilities: file("probabilities").or_else(|| file("confidence")),
            ..Known::default()
        };
    };
    Known {
        probabilities: file("probabilities").or_else(|| file("confidence")),
        tile_lines: tile_lines(&manifest),
        image: Some(image.clone()),
    }
}

/// Where tiles met; unknown where the network saw other pixels than those of the classes.
fn tile_lines(manifest: &Manifest) -> Option<TileLines> {
    let grid = &manifest.grid;
    grid.computed?;
    let size = Size { width: manifest.input.width, height: manifest.input.height };
    let tile = Size { width: grid.tile_width, height: grid.tile_height };
    let overlap = grid.tile_width.saturating_sub(grid.step_x);
    let tiles = TileGrid::new(size, tile, overlap, EdgePolicy::Shift).ok()?;
    if (tiles.x().count(), tiles.y().count()) != (grid.columns, grid.rows) {
        return None;
    }
    let lines = TileLines { columns: tiles.x().lines(), rows: tiles.y().lines(), near: NEAR_PX };
    (lines.columns.len() + lines.rows.len() > 0).then_some(lines)
}

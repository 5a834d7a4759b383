//! What clap does not know: which parameters name files, of what kind, and who writes them.

use serde::Serialize;

/// Who makes a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Direction {
    /// It is read.
    Input,
    /// The command writes it.
    Output,
}

/// What is in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Content {
    /// Any raster that GDAL opens.
    Raster,
    /// A raster or polygons, or a folder of them.
    Labels,
    /// Any polygons that GDAL opens.
    Polygons,
    /// A network.
    Model,
    /// A network's configuration.
    Config,
    /// Classes.
    Legend,
    /// A picture.
    Png,
    /// Names of inputs, one a line.
    Names,
    /// What a command printed with `--json`.
    Json,
    /// A folder.
    Folder,
}

/// What a parameter's value names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Files {
    pub direction: Direction,
    pub content: Content,
}

use Content::{Config, Folder, Json, Labels, Legend, Model, Names, Png, Polygons, Raster};
use Direction::{Input, Output};

/// Command, parameter, what its value names; tests hold the list complete and free of what is gone.
const FILES: [(&str, &str, Direction, Content); 63] = [
    ("tile", "inputs", Input, Raster),
    ("tile", "list", Input, Names),
    ("tile", "out", Output, Folder),
    ("tile", "labels", Input, Labels),
    ("tile", "legend", Input, Legend),
    ("infer", "input", Input, Raster),
    ("infer", "list", Input, Names),
    ("infer", "aoi", Input, Polygons),
    ("infer", "model", Input, Model),
    ("infer", "out", Output, Raster),
    ("infer", "preview", Output, Png),
    ("infer", "probabilities", Output, Raster),
    ("infer", "confidence", Output, Raster),
    ("infer", "vector", Output, Polygons),
    ("infer", "legend", Input, Legend),
    ("merge", "parts", Input, Folder),
    ("merge", "out", Output, Raster),
    ("merge", "probabilities", Output, Raster),
    ("merge", "confidence", Output, Raster),
    ("merge", "vector", Output, Polygons),
    ("plan", "aoi", Input, Polygons),
    ("plan", "from", Input, Json),
    ("plan", "scene", Input, Raster),
    ("plan", "model", Input, Model),
    ("verify", "classes", Input, Raster),
    ("verify", "model", Input, Model),
    ("verify", "input", Input, Raster),
    ("eval", "pred", Input, Raster),
    ("eval", "truth", Input, Labels),
    ("eval", "out", Output, Folder),
    ("eval", "legend", Input, Legend),
    ("eval", "model", Input, Model),
    ("eval", "data", Input, Folder),
    ("eval", "compare", Input, Raster),
    ("eval", "probabilities", Input, Raster),
    ("eval", "image", Input, Raster),
    ("eval", "error-map", Output, Raster),
    ("eval", "review", Output, Polygons),
    ("eval", "save-predictions", Output, Folder),
    ("vectorize", "raster", Input, Raster),
    ("vectorize", "out", Output, Polygons),
    ("vectorize", "confidence", Input, Raster),
    ("vectorize", "legend", Input, Legend),
    ("train", "config", Input, Config),
    ("train", "data", Input, Folder),
    ("train", "out", Output, Folder),
    ("train", "legend", Input, Legend),
    ("train", "init", Input, Model),
    ("model info", "model", Input, Model),
    ("model init", "config", Input, Config),
    ("model init", "out", Output, Model),
    ("model pack", "models", Input, Model),
    ("model pack", "out", Output, Model),
    ("model export", "model", Input, Model),
    ("model export", "out", Output, Model),
    ("model import", "input", Input, Model),
    ("model import", "out", Output, Model),
    ("model import", "config", Input, Config),
    ("model fetch", "out", Output, Model),
    ("model check", "golden", Input, Model),
    ("doctor", "precision-check", Input, Model),
    ("doctor", "precision-image", Input, Raster),
    ("man", "out", Output, Folder),
];

/// Command, required parameter, the flag that makes it optional.
const REQUIRED_UNLESS: [(&str, &str, &str); 6] = [
    ("infer", "out", "dry-run"),
    ("infer", "input", "list"),
    ("tile", "inputs", "list"),
    ("train", "config", "resume"),
    ("eval", "pred", "model"),
    ("eval", "truth", "model"),
];

/// What a parameter's value names, if anything.
pub(crate) fn of(command: &str, name: &str) -> Option<Files> {
    let found = FILES.iter().find(|(c, n, ..)| (*c, *n) == (command, name));
    found.map(|&(_, _, direction, content)| Files { direction, content })
}

/// The flag that makes a required parameter optional.
pub(crate) fn required_unless(command: &str, name: &str) -> Option<&'static str> {
    REQUIRED_UNLESS.iter().find(|(c, n, _)| (*c, *n) == (command, name)).map(|(.., flag)| *flag)
}

/// All commands and parameters that something is said about here.
#[cfg(test)]
pub(crate) fn annotated() -> impl Iterator<Item = (&'static str, &'static str)> {
    let files = FILES.iter().map(|(command, name, ..)| (*command, *name));
    files.chain(REQUIRED_UNLESS.iter().map(|(command, name, _)| (*command, *name)))
}

use super::style::STYLE_TABLE;
use super::{Layers, PolygonSpec, VectorFormat};
use crate::Error;
use std::path::Path;

/// How names begin that `SQLite` or the GeoPackage standard keeps for itself.
const RESERVED: [&str; 3] = ["gpkg", "sqlite_", "rtree_"];

/// What the layers are called.
///
/// # Errors
/// If a GeoPackage cannot have a layer of such a name, or two of them.
pub(super) fn layer_names(path: &Path, spec: &PolygonSpec<'_>) -> Result<Vec<String>, Error> {
    let names: Vec<String> = match spec.layers {
        Layers::Single => vec![path.file_stem().unwrap_or_default().to_string_lossy().into_owned()],
        Layers::PerClass => spec.classes.iter().map(|class| class.name.to_owned()).collect(),
    };
    if spec.format != VectorFormat::GeoPackage {
        return Ok(names);
    }
    let refused = |name: &str, reason: String| {
        Err(Error::LayerName { path: path.to_path_buf(), name: name.to_owned(), reason })
    };
    // SQLite does not tell ASCII letters of different cases apart.
    let folded: Vec<String> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
    for (index, (name, fold)) in names.iter().zip(&folded).enumerate() {
        if fold == STYLE_TABLE || RESERVED.iter().any(|reserved| fold.starts_with(reserved)) {
            return refused(name, "GeoPackage keeps that name for itself".to_owned());
        }
        if let Some(earlier) = folded[..index].iter().position(|other| other == fold) {
            let other = &names[earlier];
            return refused(name, format!("GeoPackage does not tell it from {other}"));
        }
    }
    Ok(names)
}

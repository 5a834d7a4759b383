use crate::Error;
use crate::raster::open_dataset;
use std::fs;
use std::path::Path;

/// Endings of files that must open: others that GDAL does not open are passed over.
const RASTER_ENDINGS: [&str; 12] =
    ["tif", "tiff", "gtiff", "vrt", "png", "jpg", "jpeg", "jp2", "j2k", "img", "bmp", "webp"];
/// Endings of what lies beside a raster and opens as one.
const BESIDE: [&str; 2] = ["ovr", "msk"];

/// Whether GDAL opens a name as a raster.
pub fn is_raster(name: &str) -> bool {
    open_dataset(name).is_ok()
}

/// The names of all rasters in a folder, sorted; folders in it and hidden files are passed over.
///
/// # Errors
/// If the folder cannot be read, a file that is called as a raster cannot be opened, or there is no raster.
pub fn rasters_in(folder: &Path) -> Result<Vec<String>, Error> {
    let failed = |source| Error::File { action: "read the folder", path: folder.to_path_buf(), source };
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
        if hidden || path.is_dir() || BESIDE.contains(&ending.as_str()) {
            continue;
        }
        let name = path.to_string_lossy().into_owned();
        match open_dataset(&name) {
            Ok(_) => names.push(name),
            Err(error) if RASTER_ENDINGS.contains(&ending.as_str()) => return Err(error),
            Err(error) => tracing::debug!(name, %error, "no raster"),
        }
    }
    if names.is_empty() {
        return Err(Error::NoRasters { folder: folder.to_path_buf() });
    }
    names.sort();
    Ok(names)
}

//! The rasters that a user names: one by one, as a folder, or in a list.

use crate::diagnostic::Advice;
use anyhow::Context as _;
use std::fs;
use std::path::Path;

/// Turns what was named into names of rasters: a folder becomes what GDAL opens in it, sorted.
///
/// A name that GDAL opens is GDAL's, even where it is also a folder; none is tested for a file of that name.
pub(crate) fn expand(named: &[String], list: Option<&Path>) -> anyhow::Result<Vec<String>> {
    let listed = list.map(read).transpose()?.unwrap_or_default();
    let mut rasters = Vec::new();
    for name in named.iter().chain(&listed) {
        if Path::new(name).is_dir() && !seg_gdal::is_raster(name) {
            rasters.extend(seg_gdal::rasters_in(Path::new(name))?);
        } else {
            rasters.push(name.clone());
        }
    }
    Ok(rasters)
}

/// The lines of a list; empty ones and those that begin with `#` are passed over.
fn read(path: &Path) -> anyhow::Result<Vec<String>> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read the list {}", path.display()))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let names: Vec<String> = lines.map(str::to_owned).collect();
    if names.is_empty() {
        let what = format!("the list {} names no raster", path.display());
        return Err(Advice::new(what, "write one name a line").into());
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_lists_become_names_and_other_names_stay() {
        let folder = tempfile::tempdir().unwrap();
        let sheets = folder.path().join("my sheets");
        fs::create_dir_all(sheets.join("below")).unwrap();
        for name in ["b.ppm", "a.pnm", ".hidden.ppm", "below/c.ppm", "a.pnm.ovr"] {
            fs::write(sheets.join(name), b"P6\n1 1\n255\n\x00\x01\x02").unwrap();
        }
        fs::write(sheets.join("readme.txt"), "no raster").unwrap();
        let list = folder.path().join("list.txt");
        fs::write(&list, "# sheets\n\n /vsicurl/https://example.org/a.tif \nc.tif\n").unwrap();
        let named = ["no such.tif".to_owned(), sheets.to_string_lossy().into_owned()];
        let found = expand(&named, Some(&list)).unwrap();
        let inside = |name: &str| sheets.join(name).to_string_lossy().into_owned();
        let expected = [
            "no such.tif",
            &inside("a.pnm"),
            &inside("b.ppm"),
            "/vsicurl/https://example.org/a.tif",
            "c.tif",
        ];
        assert_eq!(found, expected);

        fs::write(sheets.join("c.tif"), "no raster either").unwrap();
        let error = expand(&named, None).unwrap_err();
        assert!(error.to_string().contains("c.tif"), "{error}");
        let empty = folder.path().join("empty");
        fs::create_dir(&empty).unwrap();
        let error = expand(&[empty.to_string_lossy().into_owned()], None).unwrap_err();
        assert!(error.to_string().contains("holds no raster"), "{error}");
        fs::write(&list, "# nothing\n").unwrap();
        assert!(expand(&[], Some(&list)).unwrap_err().to_string().contains("names no raster"));
    }
}

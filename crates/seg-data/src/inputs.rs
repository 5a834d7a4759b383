use crate::{DataSet, Error};
use std::fs;
use std::path::{Path, PathBuf};

/// Endings of files that are taken for rasters when a folder is searched.
const RASTER_ENDINGS: [&str; 14] =
    ["tif", "tiff", "gtiff", "vrt", "png", "jpg", "jpeg", "jp2", "j2k", "img", "bmp", "webp", "asc", "pix"];
/// Endings of files that are taken for polygons when a folder is searched.
const VECTOR_ENDINGS: [&str; 6] = ["gpkg", "geojson", "json", "shp", "fgb", "gml"];

/// Which files of a folder are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Rasters that are no labels.
    Images,
    /// All rasters: the folder holds labels.
    LabelRasters,
    /// Polygons.
    LabelVectors,
}

/// Turns what the user named into names of data sets: a folder becomes what it holds, sorted, `@FILE` the lines
/// of a list, and anything else is left to GDAL.
///
/// `apart` is a folder (of labels) that is not searched for images.
///
/// # Errors
/// If a folder or list cannot be read, or holds nothing.
pub fn expand(
    inputs: &[String],
    kind: Kind,
    data_set: DataSet,
    apart: Option<&Path>,
) -> Result<Vec<String>, Error> {
    let mut names = Vec::new();
    for input in inputs {
        if let Some(list) = input.strip_prefix('@') {
            let listed = read_list(Path::new(list))?;
            names.extend(expand(&listed, kind, data_set, apart)?);
        } else if Path::new(input).is_dir() {
            names.extend(search(Path::new(input), kind, data_set, apart)?);
        } else {
            names.push(input.clone());
        }
    }
    Ok(names)
}

/// Whether a name ends as polygons do.
pub(crate) fn is_vector_name(name: &str) -> bool {
    let ending = Path::new(name).extension().map(|ending| ending.to_string_lossy().to_lowercase());
    ending.is_some_and(|ending| VECTOR_ENDINGS.contains(&ending.as_str()))
}

/// The lines of a list; empty ones and those that begin with `#` are passed over.
fn read_list(path: &Path) -> Result<Vec<String>, Error> {
    let text = fs::read_to_string(path).map_err(|source| Error::File {
        action: "read the list",
        path: path.to_path_buf(),
        source,
    })?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', '@']));
    let names: Vec<_> = lines.map(str::to_owned).collect();
    if names.is_empty() {
        return Err(Error::NothingFound { path: path.to_path_buf(), what: "names" });
    }
    Ok(names)
}

fn search(folder: &Path, kind: Kind, data_set: DataSet, apart: Option<&Path>) -> Result<Vec<String>, Error> {
    let mut files = Vec::new();
    let apart = apart.and_then(|apart| fs::canonicalize(apart).ok());
    walk(folder, apart.as_deref(), &mut files)?;
    let endings: &[&str] = if kind == Kind::LabelVectors { &VECTOR_ENDINGS } else { &RASTER_ENDINGS };
    files.retain(|file| {
        let ending = file.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        // What a folder's own name says about it is not asked of the files in it.
        let inside = file.strip_prefix(folder).unwrap_or(file);
        ending.is_some_and(|ending| endings.contains(&ending.as_str()))
            && (kind != Kind::Images || !data_set.is_label(inside))
    });
    if files.is_empty() {
        let what = match kind {
            Kind::Images => "images",
            Kind::LabelRasters => "label rasters",
            Kind::LabelVectors => "label polygons",
        };
        return Err(Error::NothingFound { path: folder.to_path_buf(), what });
    }
    files.sort();
    Ok(files.iter().map(|file| file.to_string_lossy().into_owned()).collect())
}

/// All files below a folder, but for hidden ones.
fn walk(folder: &Path, apart: Option<&Path>, files: &mut Vec<PathBuf>) -> Result<(), Error> {
    let failed = |source| Error::File { action: "search the folder", path: folder.to_path_buf(), source };
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if path.is_dir() {
            if apart.is_none_or(|apart| fs::canonicalize(&path).ok().as_deref() != Some(apart)) {
                walk(&path, apart, files)?;
            }
        } else {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(path, "").expect("a file");
        }
        folder
    }

    fn names(folder: &Path, kind: Kind, apart: Option<&str>) -> Vec<String> {
        let apart = apart.map(|apart| folder.join(apart));
        let root = folder.to_string_lossy().into_owned();
        let found =
            expand(std::slice::from_ref(&root), kind, DataSet::Folder, apart.as_deref()).expect("found");
        found.iter().map(|name| name[root.len() + 1..].to_owned()).collect()
    }

    #[test]
    fn a_folder_gives_its_rasters_sorted_and_no_labels() {
        let folder = folder(&[
            "b.TIF",
            "a.jpg",
            "a.jgw",
            "a.jpg.aux.xml",
            "sub/c.png",
            ".x/d.tif",
            "labels/a.png",
            "truth/a.png",
            "a_mask.png",
        ]);
        assert_eq!(names(folder.path(), Kind::Images, None), ["a.jpg", "b.TIF", "sub/c.png", "truth/a.png"]);
        assert_eq!(names(folder.path(), Kind::Images, Some("truth")), ["a.jpg", "b.TIF", "sub/c.png"]);
        assert_eq!(names(&folder.path().join("labels"), Kind::LabelRasters, None), ["a.png"]);
    }

    #[test]
    fn a_list_gives_its_lines_and_other_names_are_left_to_gdal() {
        let folder = folder(&[]);
        let list = folder.path().join("list.txt");
        fs::write(&list, "# scenes\n/vsicurl/https://example.org/a.tif\n\n  b.tif \n").expect("a file");
        let inputs = [format!("@{}", list.display()), "GPKG:x.gpkg:layer".to_owned()];
        let found = expand(&inputs, Kind::Images, DataSet::Folder, None).expect("names");
        assert_eq!(found, ["/vsicurl/https://example.org/a.tif", "b.tif", "GPKG:x.gpkg:layer"]);
    }

    #[test]
    fn what_holds_nothing_is_named() {
        let folder = folder(&["readme.txt"]);
        let input = folder.path().to_string_lossy().into_owned();
        let error = expand(std::slice::from_ref(&input), Kind::Images, DataSet::Folder, None)
            .expect_err("nothing there");
        assert_eq!(error.to_string(), format!("{input} holds no images"));
    }
}

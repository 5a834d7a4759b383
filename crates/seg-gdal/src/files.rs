use gdal::{Dataset, Metadata};
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Endings of the files that GDAL reads beside a raster, added to its name.
const ADDED: [&str; 3] = [".aux.xml", ".msk", ".ovr"];
/// Endings that replace its own.
const REPLACED: [&str; 6] = ["tfw", "wld", "tifw", "pgw", "jgw", "prj"];

/// How descriptions begin that name other files, and the elements in which they do.
const DESCRIPTIONS: [&str; 2] = ["<VRTDataset", "<OGRVRTDataSource"];
const SOURCES: [&str; 3] = ["SourceFilename", "SourceDataset", "SrcDataSource"];
/// No description that lists files is longer.
const LONGEST: u64 = 64 << 20;

/// The local files that a name of GDAL's stands for: itself, the file of which it names a part, the archive it is in,
/// and what a VRT is made of, be it of other VRTs; none if there are none.
///
/// ```
/// assert!(seg_gdal::files_behind("WMS:https://example.org").is_empty());
/// ```
pub fn files_behind(name: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    add_files(name, Path::new(""), &mut files);
    files
}

/// Adds the files that a name stands for, seen from a folder.
fn add_files(name: &str, folder: &Path, files: &mut Vec<PathBuf>) {
    if is_description(name) {
        return add_sources(name, folder, files);
    }
    // `GPKG:file.gpkg:table`, `vrt://file.tif?bands=1`, `/vsizip/archive.zip/file.tif`.
    let parts = name.split(':').flat_map(|part| part.split('?').take(1)).map(|part| part.trim_matches('"'));
    for part in std::iter::once(name).chain(parts).filter(|part| !part.is_empty()) {
        let inside =
            part.strip_prefix("/vsi").and_then(|rest| rest.split_once('/')).map(|(_, inside)| inside);
        let path = folder.join(inside.unwrap_or(part));
        let known =
            if inside.is_some() { path.ancestors().find(|path| path.is_file()) } else { Some(&*path) };
        let Some(file) = known.filter(|path| path.is_file() && !files.iter().any(|file| file == path)) else {
            continue;
        };
        files.push(file.to_path_buf());
        if let Some(text) = description(file) {
            add_sources(&text, file.parent().unwrap_or(Path::new("")), files);
        }
    }
}

fn add_sources(xml: &str, folder: &Path, files: &mut Vec<PathBuf>) {
    for (source, is_relative) in SOURCES.iter().flat_map(|element| sources(xml, element)) {
        add_files(&source, if is_relative { folder } else { Path::new("") }, files);
    }
}

fn is_description(text: &str) -> bool {
    DESCRIPTIONS.iter().any(|start| text.trim_start().starts_with(start))
}

/// The text of a file that lists others.
fn description(path: &Path) -> Option<String> {
    let mut start = [0; 64];
    let mut file = File::open(path).ok()?;
    let count = file.read(&mut start).ok()?;
    let is_short = file.metadata().is_ok_and(|metadata| metadata.len() <= LONGEST);
    if !is_short || !is_description(&String::from_utf8_lossy(&start[..count])) {
        return None;
    }
    Some(String::from_utf8_lossy(&fs::read(path).ok()?).into_owned())
}

/// Local files that a raster is read from, as far as safe calls tell: itself, its side-cars, a VRT's sources.
pub(crate) fn local_files(dataset: &Dataset, name: &str, driver: &str) -> Vec<PathBuf> {
    let mut files = with_side_cars(Path::new(name));
    if driver == "VRT" {
        let xml = dataset.metadata_domain("xml:VRT").unwrap_or_default().join("");
        let mut seen: HashSet<PathBuf> = files.iter().cloned().collect();
        let folder = Path::new(name).parent().map(Path::to_path_buf).unwrap_or_default();
        for (source, relative) in sources(&xml, "SourceFilename") {
            let path = if relative { folder.join(&source) } else { PathBuf::from(&source) };
            files.extend(with_side_cars(&path).into_iter().filter(|file| seen.insert(file.clone())));
        }
    }
    files
}

/// A file and what lies beside it; nothing if the name is not that of a local file.
fn with_side_cars(path: &Path) -> Vec<PathBuf> {
    if !path.is_file() {
        return Vec::new();
    }
    let added = ADDED.iter().map(|ending| {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    });
    let replaced = REPLACED.iter().map(|ending| path.with_extension(ending));
    let beside = added.chain(replaced).filter(|p| p.is_file());
    std::iter::once(path.to_path_buf()).chain(beside).collect()
}

/// The sources that a VRT names in such elements, and whether they are relative to it.
fn sources(xml: &str, element: &str) -> Vec<(String, bool)> {
    xml.split(&format!("<{element}"))
        .skip(1)
        .filter_map(|rest| {
            let (attributes, rest) = rest.split_once('>')?;
            let (text, _) = rest.split_once(&format!("</{element}>"))?;
            let is_relative = ["\"1\"", "'1'"].iter().any(|one| {
                ["relativeToVRT", "relativetoVRT"]
                    .iter()
                    .any(|key| attributes.contains(&format!("{key}={one}")))
            });
            Some((crate::xml::unescape(text), is_relative))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vrt_names_its_sources() {
        let xml = r#"<VRTDataset><SourceFilename relativeToVRT="1" shared="0">a &amp; b.tif</SourceFilename>
            <SourceFilename relativeToVRT="0">/data/c.tif</SourceFilename></VRTDataset>"#;
        let found = sources(xml, "SourceFilename");
        assert_eq!(found, [("a & b.tif".to_owned(), true), ("/data/c.tif".to_owned(), false)]);
    }

    #[test]
    fn names_stand_for_files_also_through_vrts_of_vrts() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let source = |tag: &str, name: &str| format!("<{tag} relativeToVRT=\"1\">{name}</{tag}>");
        for name in ["a.tif", "b.gpkg", "c.zip"] {
            fs::write(at(name), "data").expect("written");
        }
        let inner = format!(
            "<VRTDataset>{}{}</VRTDataset>",
            source("SourceFilename", "a.tif"),
            source("SourceFilename", "outer.vrt")
        );
        fs::write(at("inner.vrt"), inner).expect("written");
        let outer = format!("<VRTDataset>{}</VRTDataset>", source("SourceFilename", "inner.vrt"));
        fs::write(at("outer.vrt"), outer).expect("written");
        let lines = format!("\n<OGRVRTDataSource>{}</OGRVRTDataSource>", source("SrcDataSource", "b.gpkg"));
        fs::write(at("lines.vrt"), lines).expect("written");
        let shown = |name: &str| at(name).display().to_string();
        for (name, files) in [
            (shown("outer.vrt"), vec!["outer.vrt", "inner.vrt", "a.tif"]),
            (shown("lines.vrt"), vec!["lines.vrt", "b.gpkg"]),
            (format!("GPKG:{}:table", shown("b.gpkg")), vec!["b.gpkg"]),
            (format!("vrt://{}?bands=1", shown("a.tif")), vec!["a.tif"]),
            (format!("/vsizip/{}/inside/d.tif", shown("c.zip")), vec!["c.zip"]),
            (
                format!("<VRTDataset><SourceFilename>{}</SourceFilename></VRTDataset>", shown("a.tif")),
                vec!["a.tif"],
            ),
            (shown("none.tif"), vec![]),
        ] {
            let found: Vec<_> =
                files_behind(&name).iter().map(|path| path.canonicalize().expect("a file")).collect();
            let expected: Vec<_> =
                files.iter().map(|file| at(file).canonicalize().expect("a file")).collect();
            assert_eq!(found, expected, "{name}");
        }
    }
}

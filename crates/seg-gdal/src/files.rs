use gdal::{Dataset, Metadata};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Endings of the files that GDAL reads beside a raster, added to its name.
const ADDED: [&str; 3] = [".aux.xml", ".msk", ".ovr"];
/// Endings that replace its own.
const REPLACED: [&str; 6] = ["tfw", "wld", "tifw", "pgw", "jgw", "prj"];

/// Local files that a raster is read from, as far as safe calls tell: itself, its side-cars, a VRT's sources.
pub(crate) fn local_files(dataset: &Dataset, name: &str, driver: &str) -> Vec<PathBuf> {
    let mut files = with_side_cars(Path::new(name));
    if driver == "VRT" {
        let xml = dataset.metadata_domain("xml:VRT").unwrap_or_default().join("");
        let mut seen: HashSet<PathBuf> = files.iter().cloned().collect();
        let folder = Path::new(name).parent().map(Path::to_path_buf).unwrap_or_default();
        for (source, relative) in vrt_sources(&xml) {
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

/// The sources that a VRT names, and whether they are relative to it.
fn vrt_sources(xml: &str) -> Vec<(String, bool)> {
    xml.split("<SourceFilename")
        .skip(1)
        .filter_map(|rest| {
            let (attributes, rest) = rest.split_once('>')?;
            let (text, _) = rest.split_once("</SourceFilename>")?;
            Some((crate::xml::unescape(text), attributes.contains("relativeToVRT=\"1\"")))
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
        assert_eq!(vrt_sources(xml), [("a & b.tif".to_owned(), true), ("/data/c.tif".to_owned(), false)]);
    }
}

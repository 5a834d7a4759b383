use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A name for the chips of each raster: its file's name, with as many of its folders before it as it takes to
/// tell it from the others, whatever their case.
pub(crate) fn chip_names(sources: &[String]) -> Vec<String> {
    let parts: Vec<Vec<String>> = sources.iter().map(|source| parts(source)).collect();
    let mut depth = vec![1; sources.len()];
    let name = |i: usize, depth: usize| {
        let from = parts[i].len().saturating_sub(depth);
        parts[i][from..].join("_")
    };
    loop {
        let mut same: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (i, &depth) in depth.iter().enumerate() {
            same.entry(name(i, depth).to_lowercase()).or_default().push(i);
        }
        let mut deeper = false;
        for i in same.into_values().filter(|same| same.len() > 1).flatten() {
            if depth[i] < parts[i].len() {
                depth[i] += 1;
                deeper = true;
            }
        }
        if !deeper {
            break;
        }
    }
    let mut taken = BTreeSet::new();
    let mut unique = |name: String| {
        let mut candidate = name.clone();
        let mut n = 2;
        while !taken.insert(candidate.to_lowercase()) {
            candidate = format!("{name}_{n}");
            n += 1;
        }
        candidate
    };
    (0..sources.len()).map(|i| unique(name(i, depth[i]))).collect()
}

/// The folders and the file's name without its last ending, in letters that any file system takes.
fn parts(source: &str) -> Vec<String> {
    let path = Path::new(source);
    let folders = path.parent().into_iter().flat_map(Path::components);
    let folders = folders.map(|part| part.as_os_str().to_string_lossy().into_owned());
    let stem = path.file_stem().map_or_else(|| source.to_owned(), |stem| stem.to_string_lossy().into_owned());
    folders.chain([stem]).map(|part| plain(&part)).filter(|part| !part.is_empty()).collect()
}

fn plain(part: &str) -> String {
    let letter = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '_' };
    part.chars().map(letter).collect::<String>().trim_matches(['.', '_']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(sources: &[&str]) -> Vec<String> {
        chip_names(&sources.iter().map(|&source| source.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn names_are_as_short_as_can_be() {
        assert_eq!(names(&["d/a.tif", "e/b.tif"]), ["a", "b"]);
        assert_eq!(names(&["L/Urban/img/0.png", "L/Rural/img/0.png"]), ["Urban_img_0", "Rural_img_0"]);
        assert_eq!(
            names(&["d/a.tif", "d/A.jpg"]),
            ["d_a", "d_A_2"],
            "some file systems do not tell case apart"
        );
        assert_eq!(names(&["GPKG:x y.gpkg:layer"]), ["GPKG_x_y"]);
        assert_eq!(names(&["a.tif", "a.tif", "a_2.tif"]), ["a", "a_2", "a_2_2"]);
    }

    proptest! {
        #[test]
        fn names_never_collide(sources in proptest::collection::vec("[abA]{1,2}(/[abA._ ]{1,2}){0,2}", 1..12)) {
            let names = chip_names(&sources);
            let distinct: BTreeSet<_> = names.iter().map(|name| name.to_lowercase()).collect();
            prop_assert_eq!(distinct.len(), names.len());
            let plain = |c: char| c.is_alphanumeric() || "-_.".contains(c);
            prop_assert!(names.iter().all(|name| name.chars().all(plain)));
        }
    }
}

//! What the outputs of many rasters are called.

use super::outputs::side_car;
use super::{Wanted, conflicts, manifest};
use crate::diagnostic::Advice;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What stands for a raster's name in the names of outputs.
const STEM: &str = "{stem}";

/// Whether a name has a raster's name in it.
pub(crate) fn has_stem(path: &Path) -> bool {
    path.to_string_lossy().contains(STEM)
}

/// The outputs of each raster; `named` is what the user named, folders too.
///
/// Refuses names that two outputs would share, and outputs in a folder whose rasters are all segmented.
pub(crate) fn outputs(inputs: &[String], named: &[String], wanted: &Wanted) -> Result<Vec<Wanted>, Advice> {
    if let Some((flag, path)) = wanted.by_flag().iter().find(|(_, path)| !has_stem(path)) {
        let what = format!("--{flag} {} would be the file of every raster", path.display());
        return Err(Advice::new(what, "put {stem} into its name, which stands for the raster's"));
    }
    let classes = &wanted.classes;
    let pattern = if has_stem(classes) { classes.clone() } else { classes.join("{stem}.tif") };
    let mut seen: BTreeMap<PathBuf, &String> = BTreeMap::new();
    let mut all = Vec::with_capacity(inputs.len());
    for input in inputs {
        let one = of_one(input, &pattern, wanted)?;
        let beside = one.rasters().into_iter().map(|(_, path)| side_car(path)).collect::<Vec<_>>();
        let files = one.files().into_iter().map(|(_, path)| path.to_path_buf()).chain(beside);
        for path in files {
            let path = conflicts::resolved(&path);
            if let Some(other) = seen.insert(path.clone(), input) {
                let what = format!("{other} and {input} would both write {}", path.display());
                let hint = "name outputs so that none is another raster's; rasters of one name need different folders";
                return Err(Advice::new(what, hint));
            }
            let inside = |folder: &&String| {
                Path::new(folder.as_str()).is_dir()
                    && path.parent() == conflicts::resolved(&Path::new(folder.as_str()).join("x")).parent()
            };
            if let Some(folder) = named.iter().find(inside) {
                let what = format!("{} lies in {folder}, whose rasters are segmented", path.display());
                return Err(Advice::new(
                    what,
                    "write to another folder, or the next run would segment results",
                ));
            }
        }
        all.push(one);
    }
    Ok(all)
}

/// The outputs of one raster.
fn of_one(input: &str, pattern: &Path, wanted: &Wanted) -> Result<Wanted, Advice> {
    let Some(stem) = stem(input) else {
        let what = format!("{input} has no name that outputs could be called by");
        return Err(Advice::new(what, "segment it without --each"));
    };
    let name = |path: &Path| PathBuf::from(path.to_string_lossy().replace(STEM, &stem));
    let classes = name(pattern);
    Ok(Wanted {
        style: classes.with_extension("qml"),
        manifest: wanted.manifest.as_ref().map(|_| manifest::path_for(&classes)),
        probabilities: wanted.probabilities.as_ref().map(|(path, kind)| (name(path), *kind)),
        confidence: wanted.confidence.as_deref().map(name),
        preview: wanted.preview.as_deref().map(name),
        vector: wanted.vector.as_deref().map(name),
        classes,
    })
}

/// The name of a raster without folder and ending.
fn stem(input: &str) -> Option<String> {
    let stem = Path::new(input.trim_end_matches('/')).file_stem()?.to_string_lossy().into_owned();
    // Names such as GPKG:file.gpkg:layer.
    let plain = |c: char| if matches!(c, ':' | '"' | '?' | '*') { '_' } else { c };
    let stem: String = stem.chars().map(plain).collect();
    (!stem.is_empty()).then_some(stem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use seg_run::ProbabilityType;

    fn wanted(classes: &str, probabilities: Option<&str>) -> Wanted {
        Wanted {
            classes: classes.into(),
            probabilities: probabilities.map(|path| (path.into(), ProbabilityType::UInt8)),
            confidence: None,
            preview: None,
            vector: None,
            style: PathBuf::new(),
            manifest: Some(PathBuf::new()),
        }
    }

    #[test]
    fn every_raster_has_outputs_of_its_own_name() {
        let inputs = ["a b.tif".to_owned(), "/vsicurl/https://example.org/c.vrt".to_owned()];
        let made = outputs(&inputs, &[], &wanted("no such folder", Some("p/{stem}-p.tif"))).unwrap();
        let names: Vec<_> =
            made.iter().flat_map(Wanted::files).map(|(_, path)| path.display().to_string()).collect();
        let expected = [
            "no such folder/a b.tif",
            "no such folder/a b.qml",
            "p/a b-p.tif",
            "no such folder/a b.tif.json",
            "no such folder/c.tif",
            "no such folder/c.qml",
            "p/c-p.tif",
            "no such folder/c.tif.json",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn names_that_meet_are_refused() {
        let inputs = ["a.tif".to_owned(), "a_p.tif".to_owned()];
        let told = |inputs: &[String], wanted: &Wanted| outputs(inputs, &[], wanted).unwrap_err().to_string();
        // One raster's probabilities are the other's classes.
        let error = told(&inputs, &wanted("{stem}.tif", Some("{stem}_p.tif")));
        assert!(error.contains("a.tif and a_p.tif would both write") && error.contains("a_p.tif"), "{error}");
        let twins = ["x/a.tif".to_owned(), "y/a.tif".to_owned()];
        assert!(told(&twins, &wanted("out", None)).contains("would both write"));
        assert!(told(&inputs, &wanted("out", Some("p.tif"))).contains("every raster"));
        let folder = tempfile::tempdir().unwrap();
        let named = [folder.path().to_string_lossy().into_owned()];
        let inside = folder.path().join("{stem}_c.tif").to_string_lossy().into_owned();
        let error = outputs(&inputs, &named, &wanted(&inside, None)).unwrap_err().to_string();
        assert!(error.contains("whose rasters are segmented"), "{error}");
    }
}

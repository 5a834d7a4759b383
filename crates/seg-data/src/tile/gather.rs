use crate::tile::job::{LabelInput, TileJob};
use crate::{DataSet, Error, Kind, LabelFile, Split, expand, inputs, pair};
use seg_grid::Observer;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The rasters of a job, each with its labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Input {
    pub image: String,
    pub label: Option<LabelFile>,
}

/// Finds the images and labels that the user named.
pub(crate) fn gather(job: &TileJob, observer: &dyn Observer) -> Result<Vec<Input>, Error> {
    let data_set = job.data_set.unwrap_or_default();
    let apart = job.labels.as_ref().map(|labels| Path::new(&labels.name)).filter(|path| path.is_dir());
    let mut images = once(expand(&job.inputs, Kind::Images, data_set, apart)?, observer);
    let found_labels = match (&job.labels, job.data_set) {
        (Some(input), _) => label_files(input, data_set)?,
        (None, Some(set)) => labels_beside(job, set)?,
        (None, None) => Vec::new(),
    };
    if let Some(set) = job.data_set {
        images = usable(set, images, observer);
    }
    if images.is_empty() {
        return Err(Error::NoInput);
    }
    if found_labels.is_empty() {
        return Ok(images.into_iter().map(|image| Input { image, label: None }).collect());
    }
    // Polygons of one file can lie under any number of images; a raster belongs to one.
    if let [label @ LabelFile::Polygons { .. }] = &found_labels[..] {
        return Ok(images.into_iter().map(|image| Input { image, label: Some(label.clone()) }).collect());
    }
    let names: Vec<_> = found_labels.iter().map(|label| label.name().to_owned()).collect();
    let paired = pair(&images, &names)?;
    let label_of = |name: &String| found_labels.iter().find(|label| label.name() == name).cloned();
    Ok(images.into_iter().zip(&paired).map(|(image, name)| Input { image, label: label_of(name) }).collect())
}

/// Leaves out rasters that were named before: cut twice, one of them could train what the other tests.
fn once(images: Vec<String>, observer: &dyn Observer) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let (first, again): (Vec<_>, Vec<_>) = images
        .into_iter()
        .partition(|name| seen.insert(fs::canonicalize(name).unwrap_or_else(|_| PathBuf::from(name))));
    for name in again {
        observer.warning(&format!("{name} was named more than once and is cut once"));
    }
    first
}

fn label_files(input: &LabelInput, data_set: DataSet) -> Result<Vec<LabelFile>, Error> {
    let polygons = |name| LabelFile::Polygons { name, attribute: input.attribute.clone() };
    let is_folder = Path::new(&input.name).is_dir();
    if input.attribute.is_some() || (!is_folder && inputs::is_vector_name(&input.name)) {
        let names = expand(std::slice::from_ref(&input.name), Kind::LabelVectors, data_set, None)?;
        return Ok(names.into_iter().map(polygons).collect());
    }
    let names = expand(std::slice::from_ref(&input.name), Kind::LabelRasters, data_set, None)?;
    Ok(data_set.preferred(names).into_iter().map(LabelFile::Raster).collect())
}

/// The labels in the folders of a data set that the user named.
fn labels_beside(job: &TileJob, set: DataSet) -> Result<Vec<LabelFile>, Error> {
    let mut labels = Vec::new();
    for folder in job.inputs.iter().filter(|input| Path::new(input).is_dir()) {
        let all = expand(std::slice::from_ref(folder), Kind::LabelRasters, set, None)?;
        let inside =
            |file: &str| Path::new(file).strip_prefix(folder).map(Path::to_path_buf).unwrap_or_default();
        labels.extend(
            all.into_iter().filter(|file| set.is_label(&inside(file)) && !set.is_height(&inside(file))),
        );
    }
    Ok(set.preferred(labels).into_iter().map(LabelFile::Raster).collect())
}

/// The images of a public data set that have a use: one variant of each, and none without published labels.
fn usable(set: DataSet, images: Vec<String>, observer: &dyn Observer) -> Vec<String> {
    let all = images.len();
    let mut kept = set.preferred(images);
    if kept.len() < all {
        observer.warning(&format!(
            "{} images show the same ground as others and were left out; name a folder of one kind to choose",
            all - kept.len()
        ));
    }
    if set == DataSet::LoveDa {
        let all = kept.len();
        kept.retain(|image| set.split_of(Path::new(image)) != Some(Split::Test));
        if kept.len() < all {
            observer.warning(&format!(
                "{} images of Test have no published labels and were left out",
                all - kept.len()
            ));
        }
    }
    kept
}

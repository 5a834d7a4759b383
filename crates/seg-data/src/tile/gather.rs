use crate::formats::key;
use crate::tile::job::{LabelInput, TileJob};
use crate::{DataSet, Error, Kind, LabelFile, LabelVariant, Split, expand, inputs, pair};
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
    let mut found_labels = match (&job.labels, job.data_set) {
        (Some(input), _) => label_files(input, job, observer)?,
        (None, Some(set)) => labels_beside(job, set, observer)?,
        (None, None) => Vec::new(),
    };
    let named = images.len();
    if let Some(set) = job.data_set {
        images = usable(job, set, images, observer)?;
        if job.variants.label.is_none() {
            (images, found_labels) = of_one_variant(set, images, found_labels, observer);
        }
        images = labeled(set, images, &found_labels, observer);
        if found_labels.is_empty() && images.iter().any(|image| !is_unpublished(job, image)) {
            observer
                .warning("no labels were found: nothing can be learned from these chips or tested on them");
        }
    }
    if images.is_empty() {
        return Err(if named == 0 { Error::NoInput } else { Error::NoneOfUse { images: named } });
    }
    if found_labels.is_empty() {
        return Ok(images.into_iter().map(|image| Input { image, label: None }).collect());
    }
    // Polygons of one file can lie under any number of images; a raster belongs to one.
    if let [label @ LabelFile::Polygons { .. }] = &found_labels[..] {
        return Ok(images.into_iter().map(|image| Input { image, label: Some(label.clone()) }).collect());
    }
    let names: Vec<_> = found_labels.iter().map(|label| label.name().to_owned()).collect();
    let (without, with): (Vec<_>, Vec<_>) = images.into_iter().partition(|image| is_unpublished(job, image));
    let paired = pair(&with, &names)?;
    let label_of = |name: &String| found_labels.iter().find(|label| label.name() == name).cloned();
    let with = with.into_iter().zip(&paired).map(|(image, name)| Input { image, label: label_of(name) });
    Ok(with.chain(without.into_iter().map(|image| Input { image, label: None })).collect())
}

/// Whether an image's labels are not published: `LoveDA`'s test is for predictions, whose scores its server tells.
fn is_unpublished(job: &TileJob, image: &str) -> bool {
    let set = job.own_split().filter(|set| *set == DataSet::LoveDa);
    set.is_some_and(|set| set.split_of(Path::new(image)) == Some(Split::Test))
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

fn label_files(input: &LabelInput, job: &TileJob, observer: &dyn Observer) -> Result<Vec<LabelFile>, Error> {
    let data_set = job.data_set.unwrap_or_default();
    let polygons = |name| LabelFile::Polygons { name, attribute: input.attribute.clone() };
    let is_folder = Path::new(&input.name).is_dir();
    if input.attribute.is_some() || (!is_folder && inputs::is_vector_name(&input.name)) {
        let names = expand(std::slice::from_ref(&input.name), Kind::LabelVectors, data_set, None)?;
        return Ok(names.into_iter().map(polygons).collect());
    }
    let names = expand(std::slice::from_ref(&input.name), Kind::LabelRasters, data_set, None)?;
    Ok(chosen_labels(job, data_set, names, observer)?.into_iter().map(LabelFile::Raster).collect())
}

/// The labels in the folders of a data set that the user named.
fn labels_beside(job: &TileJob, set: DataSet, observer: &dyn Observer) -> Result<Vec<LabelFile>, Error> {
    let mut labels = Vec::new();
    for folder in job.inputs.iter().filter(|input| Path::new(input).is_dir()) {
        let all = expand(std::slice::from_ref(folder), Kind::LabelRasters, set, None)?;
        let inside =
            |file: &str| Path::new(file).strip_prefix(folder).map(Path::to_path_buf).unwrap_or_default();
        labels.extend(
            all.into_iter().filter(|file| set.is_label(&inside(file)) && !set.is_height(&inside(file))),
        );
    }
    Ok(chosen_labels(job, set, labels, observer)?.into_iter().map(LabelFile::Raster).collect())
}

/// The labels of the variant that was asked for, or else one of each ground, and that is told.
fn chosen_labels(
    job: &TileJob,
    set: DataSet,
    mut labels: Vec<String>,
    observer: &dyn Observer,
) -> Result<Vec<String>, Error> {
    if let Some(variant) = job.variants.label.filter(|_| !labels.is_empty()) {
        labels.retain(|label| variant.is(set, Path::new(label)));
        if labels.is_empty() {
            return Err(Error::NoVariant { what: "label", data_set: set.name(), variant: variant.name() });
        }
        return Ok(set.preferred(labels));
    }
    let eroded = |labels: &[String]| {
        labels.iter().filter(|label| LabelVariant::NoBoundary.is(set, Path::new(label))).count()
    };
    let all = eroded(&labels);
    let kept = set.preferred(labels);
    let left_out = all - eroded(&kept);
    if left_out > 0 {
        observer.warning(&format!(
            "full labels are taken, {left_out} without borders are not; `--label-variant no-boundary` takes those"
        ));
    }
    Ok(kept)
}

/// Where some grounds have full labels, those that have only labels without borders are left out: both in one set
/// would be two truths.
fn of_one_variant(
    set: DataSet,
    images: Vec<String>,
    labels: Vec<LabelFile>,
    observer: &dyn Observer,
) -> (Vec<String>, Vec<LabelFile>) {
    let is_eroded = |label: &LabelFile| LabelVariant::NoBoundary.is(set, Path::new(label.name()));
    let (eroded, full): (Vec<_>, Vec<_>) = labels.iter().cloned().partition(is_eroded);
    if eroded.is_empty() || full.is_empty() {
        return (images, labels);
    }
    let keys: BTreeSet<_> = eroded.iter().map(|label| key(Path::new(label.name()))).collect();
    let (without, kept): (Vec<_>, Vec<_>) =
        images.into_iter().partition(|image| keys.contains(&key(Path::new(image))));
    if !without.is_empty() {
        observer.warning(&format!(
            "{} images have no full label but one without borders and were left out: {}; `--label-variant \
             no-boundary` takes those of all",
            without.len(),
            without.join(", ")
        ));
    }
    (kept, full)
}

/// The images of a public data set that have a use: one variant of each, and none without published labels or
/// without a place in the split.
fn usable(
    job: &TileJob,
    set: DataSet,
    mut images: Vec<String>,
    observer: &dyn Observer,
) -> Result<Vec<String>, Error> {
    if let Some(variant) = job.variants.image.filter(|_| !images.is_empty()) {
        images.retain(|image| variant.is(set, Path::new(image)));
        if images.is_empty() {
            return Err(Error::NoVariant { what: "image", data_set: set.name(), variant: variant.name() });
        }
    }
    let all = images.len();
    let mut kept = set.preferred(images);
    if kept.len() < all {
        observer.warning(&format!(
            "{} images show the same ground as others and were left out; `--image-variant` chooses",
            all - kept.len()
        ));
    }
    if set == DataSet::LoveDa {
        let of_test = |image: &String| set.split_of(Path::new(image)) == Some(Split::Test);
        let (unpublished, left_out): (Vec<_>, Vec<_>) =
            kept.iter().filter(|image| of_test(image)).partition(|image| is_unpublished(job, image));
        if !unpublished.is_empty() {
            observer.warning(&format!(
                "{} images of Test have no published labels and are cut without, for `rs-seg eval \
                 --save-predictions`",
                unpublished.len()
            ));
        }
        if !left_out.is_empty() {
            observer.warning(&format!(
                "{} images of Test have no published labels and were left out",
                left_out.len()
            ));
            kept.retain(|image| !of_test(image));
        }
    }
    with_a_use(job, kept, observer)
}

/// With a data set's own split, the files that it has no use for are left out.
fn with_a_use(job: &TileJob, images: Vec<String>, observer: &dyn Observer) -> Result<Vec<String>, Error> {
    let Some(set) = job.own_split().filter(|_| !images.is_empty()) else { return Ok(images) };
    let all = images.len();
    let kept: Vec<_> = images.into_iter().filter(|image| set.split_of(Path::new(image)).is_some()).collect();
    if kept.is_empty() {
        return Err(Error::NoOwnSplit { data_set: set.name() });
    }
    if kept.len() < all {
        let left_out = all - kept.len();
        observer.warning(&format!(
            "{left_out} images have no place in the split of {} and were left out",
            set.name()
        ));
    }
    Ok(kept)
}

/// The archives for participants have no labels of the test images: these are left out where all that lack one
/// are such.
fn labeled(set: DataSet, images: Vec<String>, labels: &[LabelFile], observer: &dyn Observer) -> Vec<String> {
    if !matches!(set, DataSet::Potsdam | DataSet::Vaihingen) || labels.is_empty() {
        return images;
    }
    let keys: BTreeSet<_> = labels.iter().map(|label| key(Path::new(label.name()))).collect();
    let has_one = |image: &String| keys.contains(&key(Path::new(image)));
    let (kept, without): (Vec<_>, Vec<_>) = images.iter().cloned().partition(has_one);
    let of_test = |image: &String| set.split_of(Path::new(image)) == Some(Split::Test);
    if without.is_empty() || kept.is_empty() || !without.iter().all(of_test) {
        return images;
    }
    observer.warning(&format!("{} test images have no label and were left out", without.len()));
    kept
}

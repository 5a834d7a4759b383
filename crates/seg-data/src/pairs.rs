use crate::{Error, formats};
use std::collections::BTreeMap;
use std::path::Path;

/// Finds each image's label: of the same name, else of the same name but for ends such as `_RGB`, `_label`,
/// `_mask`, `_gt` and `_noBoundary`. One label alone belongs to one image alone.
///
/// The answer is in the order of `images`.
///
/// ```
/// let images = ["i/top_potsdam_2_10_RGB.tif".to_owned()];
/// let labels = ["l/top_potsdam_2_10_label.tif".to_owned(), "l/top_potsdam_2_11_label.tif".to_owned()];
/// assert_eq!(seg_data::pair(&images, &labels)?, [labels[0].clone()]);
/// # Ok::<(), seg_data::Error>(())
/// ```
///
/// # Errors
/// If an image has no label or several; the error lists them.
pub fn pair(images: &[String], labels: &[String]) -> Result<Vec<String>, Error> {
    if let ([_], [label]) = (images, labels) {
        return Ok(vec![label.clone()]);
    }
    let by_stem = index(labels, formats::stem);
    let by_key = index(labels, formats::key);
    let mut paired = Vec::new();
    let (mut without, mut several) = (Vec::new(), Vec::new());
    for image in images {
        let path = Path::new(image);
        let found = by_stem.get(&formats::stem(path)).or_else(|| by_key.get(&formats::key(path)));
        match found.map(Vec::as_slice) {
            None => without.push(image.clone()),
            Some([label]) => paired.push((*label).clone()),
            Some(labels) => match nearest(path, labels) {
                Some(label) => paired.push(label.clone()),
                None => several.push((image.clone(), labels.iter().map(|label| (*label).clone()).collect())),
            },
        }
    }
    if !without.is_empty() {
        return Err(Error::Unpaired { images: without, labels: labels.to_vec() });
    }
    match several.into_iter().next() {
        Some((image, labels)) => Err(Error::SeveralLabels { image, labels }),
        None => Ok(paired),
    }
}

fn index(labels: &[String], key: impl Fn(&Path) -> String) -> BTreeMap<String, Vec<&String>> {
    let mut index: BTreeMap<String, Vec<&String>> = BTreeMap::new();
    for label in labels {
        index.entry(key(Path::new(label))).or_default().push(label);
    }
    index
}

/// The label whose folder has most in common with the image's, if one alone has: `Urban/masks/1` for
/// `Urban/images/1`.
fn nearest<'a>(image: &Path, labels: &[&'a String]) -> Option<&'a String> {
    let shared = |label: &str| {
        let folders = |path: &Path| -> Vec<_> {
            path.parent()
                .into_iter()
                .flat_map(Path::components)
                .map(|part| part.as_os_str().to_owned())
                .collect()
        };
        let (a, b) = (folders(image), folders(Path::new(label)));
        let common = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
        let inside = a.iter().filter(|part| b.contains(part)).count();
        (common, inside)
    };
    let best = labels.iter().map(|label| shared(label)).max()?;
    let mut candidates = labels.iter().filter(|label| shared(label) == best);
    candidates.next().filter(|_| candidates.next().is_none()).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn equal_names_come_before_equal_keys() {
        let labels = owned(&["l/a.png", "l/a_mask.png", "l/b_mask.png"]);
        assert_eq!(pair(&owned(&["a.jpg", "b.jpg"]), &labels).expect("paired"), ["l/a.png", "l/b_mask.png"]);
    }

    #[test]
    fn equal_names_in_several_folders_go_by_the_folder() {
        let images = owned(&["L/Rural/images_png/0.png", "L/Urban/images_png/0.png"]);
        let labels = owned(&["L/Urban/masks_png/0.png", "L/Rural/masks_png/0.png"]);
        assert_eq!(pair(&images, &labels).expect("paired"), [labels[1].clone(), labels[0].clone()]);
        let apart = owned(&["M/Urban/0.png", "M/Rural/0.png"]);
        assert_eq!(pair(&images, &apart).expect("paired"), [apart[1].clone(), apart[0].clone()]);
    }

    #[test]
    fn what_has_no_label_is_listed() {
        let error = pair(&owned(&["a.tif", "b.tif", "c.tif"]), &owned(&["b.png"])).expect_err("unpaired");
        assert_eq!(error.to_string(), "2 images have no label: a.tif, c.tif");
    }

    #[test]
    fn what_has_two_labels_is_refused() {
        let labels = owned(&["l/a_label.tif", "l/a_label_noBoundary.tif"]);
        let error = pair(&owned(&["a_RGB.tif"]), &labels).expect_err("two");
        assert_eq!(error.to_string(), "a_RGB.tif has 2 labels: l/a_label.tif, l/a_label_noBoundary.tif");
    }

    #[test]
    fn one_label_belongs_to_one_image_whatever_their_names() {
        assert_eq!(pair(&owned(&["ortho.tif"]), &owned(&["classes.tif"])).expect("paired"), ["classes.tif"]);
    }
}

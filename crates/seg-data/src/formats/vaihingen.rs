use crate::Split;
use std::path::Path;

const TRAIN: [u32; 16] = [1, 3, 5, 7, 11, 13, 15, 17, 21, 23, 26, 28, 30, 32, 34, 37];
const TEST: [u32; 17] = [2, 4, 6, 8, 10, 12, 14, 16, 20, 22, 24, 27, 29, 31, 33, 35, 38];

/// The split of an area, by the number in its lower-case name, such as `top_mosaic_09cm_area1`.
pub(crate) fn split_of(stem: &str) -> Option<Split> {
    let (_, rest) = stem.split_once("area")?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let area = rest[..digits].parse().ok()?;
    if TEST.contains(&area) { Some(Split::Test) } else { TRAIN.contains(&area).then_some(Split::Train) }
}

/// Whether a file is a label or a height model; whole labels have the names of their images.
pub(crate) fn is_label(file: &Path) -> bool {
    let stem = super::stem(file);
    let in_folder = |start: &str| {
        file.parent()
            .into_iter()
            .flat_map(Path::ancestors)
            .filter_map(Path::file_name)
            .any(|folder| folder.to_string_lossy().to_lowercase().starts_with(start))
    };
    stem.contains("noboundary")
        || stem.starts_with("dsm_")
        || in_folder("gts_")
        || in_folder("isprs_semantic_labeling_vaihingen_ground_truth")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_are_found_in_names() {
        assert_eq!(split_of("top_mosaic_09cm_area1"), Some(Split::Train));
        assert_eq!(split_of("top_mosaic_09cm_area38"), Some(Split::Test));
        assert_eq!(split_of("area2_0_0_512_512"), Some(Split::Test));
        assert_eq!(split_of("top_mosaic_09cm_area9"), None, "it has no use");
    }

    #[test]
    fn whole_labels_are_known_by_their_folder() {
        assert!(is_label(Path::new("v/gts_for_participants/top_mosaic_09cm_area1.tif")));
        assert!(is_label(Path::new("v/top_mosaic_09cm_area1_noBoundary.tif")));
        assert!(!is_label(Path::new("v/top/top_mosaic_09cm_area1.tif")));
    }
}

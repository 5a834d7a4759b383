use crate::Split;

/// Rows and columns of the tiles that the challenge is scored on.
const TEST: [(u32, u32); 14] = [
    (2, 13),
    (2, 14),
    (3, 13),
    (3, 14),
    (4, 13),
    (4, 14),
    (4, 15),
    (5, 13),
    (5, 14),
    (5, 15),
    (6, 13),
    (6, 14),
    (6, 15),
    (7, 13),
];
/// Columns of each row that exist.
const COLUMNS: [(u32, std::ops::RangeInclusive<u32>); 6] =
    [(2, 10..=14), (3, 10..=14), (4, 10..=15), (5, 10..=15), (6, 7..=15), (7, 7..=13)];

/// The split of a tile, by the row and column in its lower-case name, such as `top_potsdam_2_10_rgb`.
pub(crate) fn split_of(stem: &str) -> Option<Split> {
    let mut numbers =
        stem.split('_').skip_while(|part| part.parse::<u32>().is_err()).map_while(|part| part.parse().ok());
    let tile = (numbers.next()?, numbers.next()?);
    let exists = COLUMNS.iter().any(|(row, columns)| *row == tile.0 && columns.contains(&tile.1));
    exists.then(|| if TEST.contains(&tile) { Split::Test } else { Split::Train })
}

/// Whether a lower-case name is that of a label or a height model.
pub(crate) fn is_label(stem: &str) -> bool {
    stem.contains("_label") || stem.contains("noboundary") || stem.starts_with("dsm_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_tiles_and_of_crops_are_understood() {
        assert_eq!(split_of("top_potsdam_2_10_rgb"), Some(Split::Train));
        assert_eq!(split_of("top_potsdam_7_13_irrg"), Some(Split::Test));
        assert_eq!(split_of("2_10_0_0_512_512"), Some(Split::Train));
        assert_eq!(split_of("dsm_potsdam_02_13"), Some(Split::Test), "zero-padded");
        assert_eq!(split_of("top_potsdam_9_9_rgb"), None);
        assert_eq!(split_of("my_scene"), None);
    }

    #[test]
    fn labels_and_heights_are_no_images() {
        assert!(is_label("top_potsdam_2_10_label") && is_label("top_potsdam_2_10_label_noboundary"));
        assert!(is_label("dsm_potsdam_02_10") && !is_label("top_potsdam_2_10_rgb"));
    }
}

use crate::Split;
use std::path::Path;

/// The split of an image, by the folder it lies in; `Test` has no labels, so the paper tests on `Val`.
pub(crate) fn split_of(image: &Path) -> Option<Split> {
    image.ancestors().filter_map(Path::file_name).find_map(|folder| match folder.to_str() {
        Some("Train") => Some(Split::Train),
        Some("Val") => Some(Split::Val),
        Some("Test") => Some(Split::Test),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_tells() {
        assert_eq!(split_of(Path::new("LoveDA/Train/Urban/images_png/1366.png")), Some(Split::Train));
        assert_eq!(split_of(Path::new("LoveDA/Val/Rural/images_png/2522.png")), Some(Split::Val));
        assert_eq!(split_of(Path::new("elsewhere/1.png")), None);
    }
}

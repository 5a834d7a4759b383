//! How the public data sets are laid out: which files are labels, what belongs to what, and who is tested on.

mod loveda;
mod potsdam;
mod vaihingen;
mod variant;

pub use variant::{ImageVariant, LabelVariant, Variants};

use crate::Split;
use seg_label::Convention;
use std::collections::BTreeMap;
use std::path::Path;

/// A public data set, or any folder.
///
/// ```
/// use seg_data::{DataSet, Split};
/// let tile = "2_Ortho_RGB/top_potsdam_2_13_RGB.tif".as_ref();
/// assert_eq!(DataSet::Potsdam.split_of(tile), Some(Split::Test));
/// assert_eq!(DataSet::Folder.split_of(tile), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DataSet {
    /// ISPRS Potsdam: 38 tiles of 6000 x 6000, 5 cm.
    Potsdam,
    /// ISPRS Vaihingen: 33 areas of about 1900 x 2500, 9 cm.
    Vaihingen,
    /// LoveDA: 5987 images of 1024 x 1024, 0.3 m.
    LoveDa,
    /// Images and labels of the same names.
    #[default]
    Folder,
}

/// Ends of names that tell a label from its image.
const LABEL_ENDS: [&str; 10] = [
    "_label_noboundary",
    "_noboundary",
    "_labels",
    "_label",
    "_gt",
    "_masks",
    "_mask",
    "_annotation",
    "_truth",
    "_seg",
];
/// Ends of names that tell an image from its label.
const IMAGE_ENDS: [&str; 11] = [
    "_prediction",
    "_pred",
    "_classes",
    "_rgbir",
    "_irrg",
    "_rgb",
    "_images",
    "_image",
    "_img",
    "_sat",
    "_ortho",
];
/// Names of folders with labels.
const LABEL_FOLDERS: [&str; 9] =
    ["labels", "label", "masks", "mask", "masks_png", "gt", "gts", "annotations", "gts_for_participants"];

impl DataSet {
    /// The name used on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Potsdam => "potsdam",
            Self::Vaihingen => "vaihingen",
            Self::LoveDa => "loveda",
            Self::Folder => "folder",
        }
    }

    /// How its label files write classes; `None` for a plain folder.
    pub fn convention(self) -> Option<Convention> {
        Convention::of_data_set(self.name())
    }

    /// The overlap of chips in pixels, where none is asked for: the public data sets are cut without.
    pub const fn overlap(self) -> usize {
        match self {
            Self::Folder => 64,
            _ => 0,
        }
    }

    /// What the data set's authors use an image for.
    pub fn split_of(self, image: &Path) -> Option<Split> {
        match self {
            Self::Potsdam => potsdam::split_of(&stem(image)),
            Self::Vaihingen => vaihingen::split_of(&stem(image)),
            Self::LoveDa => loveda::split_of(image),
            Self::Folder => None,
        }
    }

    /// Whether a file that was found among the images is a label (or a height model).
    pub fn is_label(self, file: &Path) -> bool {
        let name = stem(file);
        let in_label_folder = || {
            let folder = file.parent().and_then(Path::file_name);
            folder.is_some_and(|folder| {
                LABEL_FOLDERS.contains(&folder.to_string_lossy().to_lowercase().as_str())
            })
        };
        match self {
            Self::Potsdam => potsdam::is_label(&name) || in_label_folder(),
            Self::Vaihingen => vaihingen::is_label(file) || in_label_folder(),
            Self::LoveDa => in_label_folder(),
            Self::Folder => LABEL_ENDS.iter().any(|end| name.ends_with(end)) || in_label_folder(),
        }
    }
}

impl DataSet {
    /// Whether a file is a height model.
    pub(crate) fn is_height(self, file: &Path) -> bool {
        matches!(self, Self::Potsdam | Self::Vaihingen) && stem(file).starts_with("dsm_")
    }

    /// Of files that show the same ground, the variant that is usually taken: RGB, whole and complete labels.
    ///
    /// Files of one rank stay, so that what cannot be told apart is still noticed.
    pub(crate) fn preferred(self, files: Vec<String>) -> Vec<String> {
        if !matches!(self, Self::Potsdam | Self::Vaihingen) {
            return files;
        }
        let rank = |file: &str| {
            let (lower, stem) = (file.to_lowercase(), stem(Path::new(file)));
            // From the least to the most that speaks against a file; together they weigh more than apart.
            let against = ["_irrg", "_rgbir", "participants", "noboundary"];
            let met = |mark: &str| stem.contains(mark) || (mark == "participants" && lower.contains(mark));
            (0..).zip(against).filter(|(_, mark)| met(mark)).map(|(place, _)| 1_usize << place).sum::<usize>()
        };
        let mut best: BTreeMap<String, usize> = BTreeMap::new();
        for file in &files {
            let least = best.entry(key(Path::new(file))).or_insert(usize::MAX);
            *least = rank(file).min(*least);
        }
        files.into_iter().filter(|file| best.get(&key(Path::new(file))) == Some(&rank(file))).collect()
    }
}

/// What a label and its image have in common: the name in lower case, without the ends that tell them apart.
pub(crate) fn key(file: &Path) -> String {
    let name = stem(file);
    let ends = LABEL_ENDS.iter().chain(&IMAGE_ENDS);
    let mut name = name.as_str();
    // `_RGB_label` has two of them.
    loop {
        let shorter = ends.clone().find_map(|end| name.strip_suffix(end)).filter(|rest| !rest.is_empty());
        match shorter {
            Some(rest) => name = rest,
            None => return name.to_owned(),
        }
    }
}

/// A file's name in lower case, without its last ending.
pub(crate) fn stem(file: &Path) -> String {
    file.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use seg_grid::{EdgePolicy, Size, TileGrid};

    #[test]
    fn labels_and_images_share_a_key() {
        for (image, label) in [
            ("top_potsdam_2_10_RGB.tif", "top_potsdam_2_10_label.tif"),
            ("top_potsdam_2_10_RGBIR.tif", "top_potsdam_2_10_label_noBoundary.tif"),
            ("top_mosaic_09cm_area1.tif", "top_mosaic_09cm_area1_noBoundary.tif"),
            ("a.jpg", "a_mask.png"),
            ("scene_image.tif", "scene_gt.tif"),
            ("field.tif", "field.png"),
        ] {
            assert_eq!(key(Path::new(image)), key(Path::new(label)), "{image}");
        }
        assert_eq!(key(Path::new("_mask.png")), "_mask", "something is left");
        assert_ne!(key(Path::new("top_potsdam_2_10_RGB.tif")), key(Path::new("top_potsdam_2_11_RGB.tif")));
    }

    #[test]
    fn of_several_variants_the_usual_one_is_taken() {
        let files = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let images = files(&[
            "a/top_potsdam_2_10_IRRG.tif",
            "b/top_potsdam_2_10_RGB.tif",
            "c/top_potsdam_2_11_RGBIR.tif",
        ]);
        assert_eq!(DataSet::Potsdam.preferred(images.clone()), images[1..]);
        let labels = files(&[
            "5_Labels_all/top_potsdam_2_10_label.tif",
            "5_Labels_all_noBoundary/top_potsdam_2_10_label_noBoundary.tif",
            "5_Labels_for_participants/top_potsdam_2_10_label.tif",
        ]);
        assert_eq!(DataSet::Potsdam.preferred(labels.clone()), labels[..1]);
        let eroded = files(&[
            "5_Labels_all_noBoundary/top_potsdam_2_10_label_noBoundary.tif",
            "5_Labels_for_participants_no_Boundary/top_potsdam_2_10_label_noBoundary.tif",
        ]);
        assert_eq!(DataSet::Potsdam.preferred(eroded.clone()), eroded[..1]);
        assert_eq!(DataSet::Folder.preferred(labels.clone()), labels);
    }

    #[test]
    fn labels_among_images_are_told_apart() {
        let is = |set: DataSet, file: &str| set.is_label(Path::new(file));
        assert!(is(DataSet::Folder, "d/a_label.tif") && is(DataSet::Folder, "d/masks/a.tif"));
        assert!(!is(DataSet::Folder, "d/a.tif") && !is(DataSet::Folder, "labels/d/a.tif"));
        assert!(is(DataSet::LoveDa, "Train/Urban/masks_png/1366.png"));
        assert!(!is(DataSet::LoveDa, "Train/Urban/images_png/1366.png"));
    }

    fn potsdam_tiles() -> Vec<String> {
        [(2, 10..=14), (3, 10..=14), (4, 10..=15), (5, 10..=15), (6, 7..=15), (7, 7..=13)]
            .into_iter()
            .flat_map(|(row, columns)| {
                columns.map(move |column| format!("top_potsdam_{row}_{column}_RGB.tif"))
            })
            .collect()
    }

    /// Number, width and height of Vaihingen's areas, as the literature lists them.
    const VAIHINGEN: [(usize, usize, usize); 33] = [
        (1, 1919, 2569),
        (2, 2428, 2767),
        (3, 2006, 3007),
        (4, 1887, 2557),
        (5, 1887, 2557),
        (6, 1887, 2557),
        (7, 1887, 2557),
        (8, 1887, 2557),
        (10, 1887, 2557),
        (11, 1893, 2566),
        (12, 1922, 2575),
        (13, 2818, 2558),
        (14, 1919, 2565),
        (15, 1919, 2565),
        (16, 1919, 2565),
        (17, 2336, 1281),
        (20, 1866, 2315),
        (21, 1903, 2546),
        (22, 1903, 2546),
        (23, 1903, 2546),
        (24, 1903, 2546),
        (26, 2995, 1783),
        (27, 1917, 3313),
        (28, 1917, 2567),
        (29, 1917, 2563),
        (30, 1934, 2563),
        (31, 1980, 2555),
        (32, 1980, 2555),
        (33, 1581, 2555),
        (34, 1388, 2555),
        (35, 2805, 1884),
        (37, 1996, 1995),
        (38, 3816, 2550),
    ];

    #[test]
    fn the_grids_of_the_published_rasters_have_the_published_counts() {
        let chips = |size: Size| {
            let grid = TileGrid::new(size, Size::square(512), 0, EdgePolicy::Shift).expect("a grid");
            assert!(grid.iter().all(|tile| tile.read.clip(size) == Some(tile.read)), "flush to the border");
            grid.len()
        };
        let count = |set: DataSet, files: &[(String, Size)], split| -> u64 {
            let of_split = files.iter().filter(|(file, _)| set.split_of(Path::new(file)) == Some(split));
            of_split.map(|(_, size)| chips(*size)).sum()
        };
        let tiles: Vec<_> = potsdam_tiles().into_iter().map(|file| (file, Size::square(6000))).collect();
        let area =
            |(number, width, height)| (format!("top_mosaic_09cm_area{number}.tif"), Size { width, height });
        let areas = VAIHINGEN.map(area);
        assert_eq!(tiles.len(), 38);
        for (set, files, train, test) in
            [(DataSet::Potsdam, &tiles[..], 3456, 2016), (DataSet::Vaihingen, &areas, 344, 398)]
        {
            let counts = [Split::Train, Split::Test].map(|split| count(set, files, split));
            assert_eq!(counts, [train, test], "{set:?}");
        }
    }

    #[test]
    fn the_public_splits_have_the_published_sizes() {
        let areas: Vec<_> = (1..=38).map(|area| format!("top_mosaic_09cm_area{area}.tif")).collect();
        for (set, files, train, test) in
            [(DataSet::Potsdam, potsdam_tiles(), 24, 14), (DataSet::Vaihingen, areas, 16, 17)]
        {
            let count =
                |split| files.iter().filter(|file| set.split_of(Path::new(file)) == Some(split)).count();
            assert_eq!((count(Split::Train), count(Split::Test)), (train, test), "{set:?}");
        }
    }
}

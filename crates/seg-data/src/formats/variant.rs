use crate::DataSet;
use crate::formats::stem;
use std::path::Path;

/// Which images of the same ground are taken; `None` takes the usual ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageVariant {
    /// Red, green, blue.
    Rgb,
    /// Near infrared, red, green.
    Irrg,
    /// Red, green, blue, near infrared.
    RgbIr,
}

/// Which labels of the same ground are taken; `None` takes the usual ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LabelVariant {
    /// Every pixel has a class.
    Full,
    /// The borders of classes are eroded by three pixels, and black.
    NoBoundary,
}

/// What is taken of files that show the same ground.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Variants {
    /// Of the images.
    pub image: Option<ImageVariant>,
    /// Of the labels.
    pub label: Option<LabelVariant>,
}

impl ImageVariant {
    /// The name used on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rgb => "rgb",
            Self::Irrg => "irrg",
            Self::RgbIr => "rgbir",
        }
    }

    /// Whether an image is one, by its name; those of Vaihingen, which has no others, do not say it.
    pub(crate) fn is(self, set: DataSet, file: &Path) -> bool {
        match set {
            DataSet::Potsdam => stem(file).ends_with(&format!("_{}", self.name())),
            DataSet::Vaihingen => self == Self::Irrg,
            DataSet::LoveDa => self == Self::Rgb,
            DataSet::Folder => false,
        }
    }
}

impl LabelVariant {
    /// The name used on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::NoBoundary => "no-boundary",
        }
    }

    /// Whether a label is one, by its name.
    pub(crate) fn is(self, set: DataSet, file: &Path) -> bool {
        let eroded = stem(file).contains("noboundary");
        match (set, self) {
            (DataSet::Potsdam | DataSet::Vaihingen, Self::NoBoundary) => eroded,
            (DataSet::Potsdam | DataSet::Vaihingen, Self::Full) => !eroded,
            (DataSet::LoveDa, variant) => variant == Self::Full,
            (DataSet::Folder, _) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_variant() {
        let image = |variant: ImageVariant, file: &str| variant.is(DataSet::Potsdam, Path::new(file));
        assert!(image(ImageVariant::Rgb, "2_Ortho_RGB/top_potsdam_2_10_RGB.tif"));
        assert!(!image(ImageVariant::Rgb, "2_Ortho_RGB/top_potsdam_2_10_RGBIR.tif"));
        assert!(image(ImageVariant::RgbIr, "x/top_potsdam_2_10_RGBIR.tif"));
        let area = Path::new("top/top_mosaic_09cm_area1.tif");
        assert!(ImageVariant::Irrg.is(DataSet::Vaihingen, area));
        assert!(!ImageVariant::Rgb.is(DataSet::Vaihingen, area));
        let label = |variant: LabelVariant, file: &str| variant.is(DataSet::Vaihingen, Path::new(file));
        assert!(label(LabelVariant::NoBoundary, "e/top_mosaic_09cm_area1_noBoundary.tif"));
        assert!(label(LabelVariant::Full, "g/top_mosaic_09cm_area1.tif"));
        assert!(!LabelVariant::NoBoundary.is(DataSet::LoveDa, Path::new("masks_png/1.png")));
    }
}

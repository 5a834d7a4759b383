//! Flags that take one of a few words.

use clap::ValueEnum;
use seg_data::{DataSet, ImageVariant, LabelVariant};
use seg_gdal::OutputFormat;
use seg_grid::{Blend, EdgePolicy};
use seg_nn::StoredPrecision;
use seg_run::ProbabilityType;

/// What the log looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people
    Text,
    /// One JSON object per line
    Json,
}

/// How progress is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressChoice {
    /// A bar on a terminal, else lines at growing intervals
    Auto,
    /// A bar, where there is a terminal
    Bar,
    /// One JSON object per line, for other programs
    Json,
    /// Not at all
    None,
}

/// The format of a class raster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RasterFormat {
    /// Tiled GeoTIFF
    #[value(name = "GTiff")]
    GTiff,
    /// Cloud-optimized GeoTIFF
    #[value(name = "COG")]
    Cog,
}

impl RasterFormat {
    /// The writer's word for it.
    pub(crate) const fn output_format(self) -> OutputFormat {
        match self {
            Self::GTiff => OutputFormat::GTiff,
            Self::Cog => OutputFormat::Cog,
        }
    }
}

/// How pixels of another grid are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ResampleChoice {
    /// The nearest
    Nearest,
}

/// How overlapping tiles become one picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum BlendChoice {
    /// A raised cosine over the overlap
    Hann,
    /// A bell around the tile's center
    Gaussian,
    /// All tiles count alike
    Average,
    /// Each pixel comes from the tile whose center is nearest
    Crop,
    /// Each pixel comes from the first tile that covers it
    None,
}

/// Which pixels belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ConnectednessChoice {
    /// Those that share edges
    #[value(name = "4")]
    Four,
    /// Those that share edges or corners
    #[value(name = "8")]
    Eight,
}

/// Which corners of borders go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SimplifyChoice {
    /// Those with the smallest triangles, up to the tolerance squared
    Visvalingam,
    /// Those nearest to the line without them, up to the tolerance
    DouglasPeucker,
}

/// What a network computes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PrecisionChoice {
    /// float32
    F32,
    /// bfloat16, quicker on processors that multiply it
    Bf16,
    /// bfloat16 where a precision check by `rs-seg doctor` found that this network decides alike here
    Auto,
}

/// The type of probabilities on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProbabilityChoice {
    /// 0 to 254 for 0 to 1, a quarter of the size
    Uint8,
    /// As the network says
    Float32,
}

/// What happens when a block cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReadErrorChoice {
    /// The run ends with the file and the window
    Fail,
}

/// What becomes of chips at the right and bottom edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum EdgeChoice {
    /// They move inward and overlap more
    Shift,
    /// They stay and are filled up with nodata
    Pad,
}

/// A public data set, or the layout of a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DataSetChoice {
    /// ISPRS Potsdam
    Potsdam,
    /// ISPRS Vaihingen
    Vaihingen,
    /// LoveDA
    Loveda,
    /// A folder whose images and labels have the same names
    Folder,
}

/// Which images of the same ground are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImageVariantChoice {
    /// Red, green, blue
    Rgb,
    /// Near infrared, red, green
    Irrg,
    /// Red, green, blue, near infrared
    Rgbir,
}

/// Which labels of the same ground are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LabelVariantChoice {
    /// Every pixel has a class
    Full,
    /// Borders of classes are eroded and ignored
    NoBoundary,
}

/// The format of chips.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TileFormat {
    /// GeoTIFF with its place on earth
    Gtiff,
    /// PNG with a world file
    Png,
}

/// The precision of stored weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StoreChoice {
    /// Half precision: half the size, enough for inference
    F16,
    /// As they were trained
    F32,
}

/// Weights that can be downloaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FetchChoice {
    /// OpenAI's CLIP with a ResNet-50: RN50.pt, 244 MiB
    #[value(name = "clip-rn50")]
    ClipRn50,
}

impl StoreChoice {
    /// What the checkpoint calls it.
    pub(crate) const fn precision(self) -> StoredPrecision {
        match self {
            Self::F16 => StoredPrecision::F16,
            Self::F32 => StoredPrecision::F32,
        }
    }
}

impl BlendChoice {
    /// What the stitcher calls it.
    pub(crate) const fn blend(self) -> Blend {
        match self {
            Self::Hann => Blend::Hann,
            // An eighth of the side: the weight at the middle of an edge is e^-8 of the center's.
            Self::Gaussian => Blend::Gaussian { sigma: 0.125 },
            Self::Average => Blend::Average,
            Self::Crop => Blend::Crop,
            Self::None => Blend::None,
        }
    }
}

impl ProbabilityChoice {
    /// What the predictor calls it.
    pub(crate) const fn probability_type(self) -> ProbabilityType {
        match self {
            Self::Uint8 => ProbabilityType::UInt8,
            Self::Float32 => ProbabilityType::Float32,
        }
    }
}

impl EdgeChoice {
    /// What the tile grid calls it.
    pub(crate) const fn policy(self) -> EdgePolicy {
        match self {
            Self::Shift => EdgePolicy::Shift,
            Self::Pad => EdgePolicy::Pad,
        }
    }
}

impl ImageVariantChoice {
    /// What the chip maker calls it.
    pub(crate) const fn variant(self) -> ImageVariant {
        match self {
            Self::Rgb => ImageVariant::Rgb,
            Self::Irrg => ImageVariant::Irrg,
            Self::Rgbir => ImageVariant::RgbIr,
        }
    }
}

impl LabelVariantChoice {
    /// What the chip maker calls it.
    pub(crate) const fn variant(self) -> LabelVariant {
        match self {
            Self::Full => LabelVariant::Full,
            Self::NoBoundary => LabelVariant::NoBoundary,
        }
    }
}

impl DataSetChoice {
    /// What the chip maker calls it.
    pub(crate) const fn data_set(self) -> DataSet {
        match self {
            Self::Potsdam => DataSet::Potsdam,
            Self::Vaihingen => DataSet::Vaihingen,
            Self::Loveda => DataSet::LoveDa,
            Self::Folder => DataSet::Folder,
        }
    }
}

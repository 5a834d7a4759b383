use crate::GridReference;

/// What a raster is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OutputFormat {
    /// A tiled GeoTIFF.
    #[default]
    GTiff,
    /// A cloud-optimized GeoTIFF with overviews.
    Cog,
}

/// What the bands of an output mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// One byte band of class ids with a color table; 255 is nodata.
    Classes,
    /// One byte band a class, in steps of 1/254; 255 is nodata.
    ProbabilitiesU8,
    /// One 32-bit float band a class; NaN is nodata.
    ProbabilitiesF32,
    /// Two byte bands, top probability and margin, in steps of 1/254; 255 is nodata.
    Confidence,
}

/// A class as outputs show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClassEntry<'a> {
    /// The value in the raster.
    pub id: u8,
    /// Its name.
    pub name: &'a str,
    /// Red, green and blue.
    pub color: [u8; 3],
}

/// What to write, but for the pixels.
#[derive(Debug, Clone, Copy)]
pub struct RasterSpec<'a> {
    /// Size and place, from the input.
    pub reference: &'a GridReference,
    /// What the bands mean.
    pub content: Content,
    /// The classes.
    pub classes: &'a [ClassEntry<'a>],
    /// The format.
    pub format: OutputFormat,
    /// `KEY=VALUE`, in place of or beside our own.
    pub creation_options: &'a [String],
    /// Items that the file carries along, such as `TIFFTAG_SOFTWARE`.
    pub metadata: &'a [(String, String)],
}

impl Content {
    /// The most that a byte stands for: probability 1; nodata is the one step above.
    pub const PROBABILITY_STEPS: u8 = 254;

    /// The number of bands.
    pub const fn bands(self, classes: usize) -> usize {
        match self {
            Self::Classes => 1,
            Self::ProbabilitiesU8 | Self::ProbabilitiesF32 => classes,
            Self::Confidence => 2,
        }
    }

    /// The name of a band.
    pub(crate) fn band_name<'a>(self, position: usize, classes: &[ClassEntry<'a>]) -> &'a str {
        match (self, position) {
            (Self::Classes, _) => "class",
            (Self::Confidence, 0) => "confidence",
            (Self::Confidence, _) => "margin",
            (_, position) => classes.get(position).map_or("", |class| class.name),
        }
    }

    /// How overviews are made of the pixels below.
    pub(crate) const fn overview_resampling(self) -> &'static str {
        match self {
            Self::Classes => "MODE",
            _ => "AVERAGE",
        }
    }
}

impl RasterSpec<'_> {
    /// Creation options, where later ones replace our own of the same key.
    pub(crate) fn options(&self, ours: &[&str]) -> Vec<String> {
        let key = |option: &str| option.split_once('=').map_or(option, |(key, _)| key).to_ascii_uppercase();
        let theirs: Vec<String> = self.creation_options.iter().map(|option| key(option)).collect();
        let kept = ours.iter().filter(|option| !theirs.contains(&key(option))).map(|o| (*o).to_owned());
        kept.chain(self.creation_options.iter().cloned()).collect()
    }
}

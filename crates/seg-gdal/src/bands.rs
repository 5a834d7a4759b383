use crate::{BandIndex, BandProfile, Error, Interpretation, Palette, RasterProfile};
use gdal::Dataset;
use seg_grid::DataType;
use std::collections::HashSet;

/// Which bands of a raster are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BandSelection {
    /// The bands that a model of `needed` bands takes, if the raster leaves no doubt which they are.
    Auto {
        /// Bands that the model takes.
        needed: usize,
    },
    /// These bands in this order; a band can come more than once.
    Explicit(Vec<BandIndex>),
    /// All bands but alpha, whatever they are.
    All,
}

/// The bands that are read, and what becomes of their values.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BandPlan {
    /// Bands in the order read.
    pub bands: Vec<BandProfile>,
    /// Turns the one band's index into red, green and blue.
    pub palette: Option<Palette>,
    /// The type that holds the values of all bands.
    pub dtype: DataType,
}

impl BandPlan {
    /// Decides what to read.
    pub(crate) fn new(
        dataset: &Dataset,
        profile: &RasterProfile,
        selection: &BandSelection,
    ) -> Result<Self, Error> {
        let (chosen, palette) = choose(profile, selection)?;
        let bands =
            chosen.iter().map(|&index| profile.band(dataset, index)).collect::<Result<Vec<_>, _>>()?;
        let mut dtype = None;
        for band in &bands {
            let this = band
                .dtype
                .ok_or_else(|| Error::ComplexBand { name: profile.name.clone(), band: band.index })?;
            dtype = Some(dtype.map_or(this, |other| wider(this, other)));
        }
        let dtype = dtype.unwrap_or(DataType::UInt8);
        Ok(Self { bands, dtype: if palette.is_some() { DataType::UInt8 } else { dtype }, palette })
    }

    /// Bands that come out.
    pub(crate) fn channels(&self) -> usize {
        if self.palette.is_some() { 3 } else { self.bands.len() }
    }

    /// Each band once, however often it was asked for.
    pub(crate) fn distinct(&self) -> Vec<&BandProfile> {
        let mut seen = HashSet::new();
        self.bands.iter().filter(|band| seen.insert(band.index)).collect()
    }
}

fn choose(
    profile: &RasterProfile,
    selection: &BandSelection,
) -> Result<(Vec<BandIndex>, Option<Palette>), Error> {
    let needed = match selection {
        BandSelection::Explicit(bands) => return Ok((bands.clone(), None)),
        BandSelection::All => return Ok((data_bands(profile), None)),
        BandSelection::Auto { needed } => *needed,
    };
    let ambiguous = || Error::AmbiguousBands {
        name: profile.name.clone(),
        needed,
        count: profile.band_count,
        has: profile.bands_in_words(),
    };
    let data = data_bands(profile);
    if let [only] = data[..]
        && let Some(palette) = profile.bands.get(only.position()).and_then(|band| band.palette.clone())
    {
        return if needed == 3 { Ok((vec![only], Some(palette))) } else { Err(ambiguous()) };
    }
    if needed == 3
        && let Some(colors) = colors(profile)
    {
        return Ok((colors, None));
    }
    if data.len() == needed { Ok((data, None)) } else { Err(ambiguous()) }
}

/// Bands that hold measurements: all but alpha.
fn data_bands(profile: &RasterProfile) -> Vec<BandIndex> {
    let is_alpha = |i: usize| profile.bands.get(i).is_some_and(|b| b.interpretation == Interpretation::Alpha);
    (0..profile.band_count).filter(|&i| !is_alpha(i)).map(BandIndex::from_position).collect()
}

/// Red, green and blue, each told by exactly one band.
fn colors(profile: &RasterProfile) -> Option<Vec<BandIndex>> {
    let one = |interpretation| {
        let mut bands = profile.bands.iter().filter(|band| band.interpretation == interpretation);
        bands.next().filter(|_| bands.next().is_none()).map(|band| band.index)
    };
    [Interpretation::Red, Interpretation::Green, Interpretation::Blue].into_iter().map(one).collect()
}

/// The type of two that loses less when it holds the other's values.
pub(crate) fn wider(a: DataType, b: DataType) -> DataType {
    let rank = |t: DataType| match t {
        DataType::UInt8 => 0,
        DataType::Int8 => 1,
        DataType::UInt16 => 2,
        DataType::Int16 => 3,
        DataType::UInt32 => 4,
        DataType::Int32 => 5,
        DataType::UInt64 => 6,
        DataType::Int64 => 7,
        DataType::Float32 => 8,
        DataType::Float64 => 9,
    };
    if rank(a) >= rank(b) { a } else { b }
}

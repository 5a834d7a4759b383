use crate::{BandIndex, Error};
use gdal::raster::{ColorInterpretation, GdalDataType, RasterBand};
use gdal::{Dataset, Metadata};
use seg_grid::{DataType, Size};

/// What one band is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct BandProfile {
    /// Which band it is.
    pub index: BandIndex,
    /// The type of its values; `None` for complex numbers.
    pub dtype: Option<DataType>,
    /// The value that stands for no measurement.
    pub nodata: Option<f64>,
    /// What it means for display.
    pub interpretation: Interpretation,
    /// Its name, often empty.
    pub description: String,
    /// Where its mask comes from.
    pub mask: MaskKind,
    /// The block that is decoded at once.
    pub block: Size,
    /// The color table, if it has one.
    pub palette: Option<Palette>,
}

/// What a band means for display.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Interpretation {
    Undefined,
    Gray,
    Palette,
    Red,
    Green,
    Blue,
    Alpha,
    Other,
}

/// Where the mask of a band comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaskKind {
    /// All pixels are valid.
    AllValid,
    /// Pixels of the band's nodata value are not.
    Nodata,
    /// Pixels where all bands have their nodata value are not (`NODATA_VALUES`).
    NodataOfAllBands,
    /// A mask that all bands share, inside the file or beside it.
    Shared,
    /// The alpha band.
    Alpha,
    /// A mask of its own.
    Own,
}

/// A color table: red, green, blue and alpha by index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Palette {
    /// The entries; an index beyond them has no color.
    pub entries: Vec<[u8; 4]>,
}

impl BandProfile {
    /// Reads what GDAL tells about a band.
    pub(crate) fn of(dataset: &Dataset, name: &str, index: BandIndex) -> Result<Self, Error> {
        let band = dataset.rasterband(index.number()).map_err(|error| Error::ReadMetadata {
            name: name.to_owned(),
            what: "bands",
            source: error.into(),
        })?;
        let (width, height) = band.block_size();
        let dtype = data_type(&band);
        Ok(Self {
            index,
            dtype,
            nodata: nodata(&band, dtype),
            interpretation: band.color_interpretation().into(),
            description: band.description().unwrap_or_default(),
            mask: mask_kind(&band),
            block: Size { width, height },
            palette: palette(&band),
        })
    }
}

impl Interpretation {
    /// The name used in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Undefined => "undefined",
            Self::Gray => "gray",
            Self::Palette => "palette",
            Self::Red => "red",
            Self::Green => "green",
            Self::Blue => "blue",
            Self::Alpha => "alpha",
            Self::Other => "other",
        }
    }
}

impl Interpretation {
    /// GDAL's word for it, where there is one.
    pub(crate) const fn to_gdal(self) -> Option<ColorInterpretation> {
        match self {
            Self::Undefined => Some(ColorInterpretation::Undefined),
            Self::Gray => Some(ColorInterpretation::GrayIndex),
            Self::Red => Some(ColorInterpretation::RedBand),
            Self::Green => Some(ColorInterpretation::GreenBand),
            Self::Blue => Some(ColorInterpretation::BlueBand),
            Self::Alpha => Some(ColorInterpretation::AlphaBand),
            Self::Palette | Self::Other => None,
        }
    }
}

impl From<ColorInterpretation> for Interpretation {
    fn from(gdal: ColorInterpretation) -> Self {
        match gdal {
            ColorInterpretation::Undefined => Self::Undefined,
            ColorInterpretation::GrayIndex => Self::Gray,
            ColorInterpretation::PaletteIndex => Self::Palette,
            ColorInterpretation::RedBand => Self::Red,
            ColorInterpretation::GreenBand => Self::Green,
            ColorInterpretation::BlueBand => Self::Blue,
            ColorInterpretation::AlphaBand => Self::Alpha,
            _ => Self::Other,
        }
    }
}

/// The type of a band; GDAL 3.6 marks signed bytes by metadata only.
fn data_type(band: &RasterBand<'_>) -> Option<DataType> {
    match band.band_type() {
        GdalDataType::UInt8 => {
            let signed = band.metadata_item("PIXELTYPE", "IMAGE_STRUCTURE").as_deref() == Some("SIGNEDBYTE");
            Some(if signed { DataType::Int8 } else { DataType::UInt8 })
        }
        GdalDataType::UInt16 => Some(DataType::UInt16),
        GdalDataType::Int16 => Some(DataType::Int16),
        GdalDataType::UInt32 => Some(DataType::UInt32),
        GdalDataType::Int32 => Some(DataType::Int32),
        GdalDataType::UInt64 => Some(DataType::UInt64),
        GdalDataType::Int64 => Some(DataType::Int64),
        GdalDataType::Float32 => Some(DataType::Float32),
        GdalDataType::Float64 => Some(DataType::Float64),
        GdalDataType::Unknown => None,
    }
}

fn nodata(band: &RasterBand<'_>, dtype: Option<DataType>) -> Option<f64> {
    match dtype {
        Some(DataType::UInt64) => band.no_data_value_u64().map(|v| v as f64),
        Some(DataType::Int64) => band.no_data_value_i64().map(|v| v as f64),
        _ => band.no_data_value(),
    }
}

fn mask_kind(band: &RasterBand<'_>) -> MaskKind {
    match band.mask_flags() {
        Ok(flags) if flags.is_all_valid() => MaskKind::AllValid,
        Ok(flags) if flags.is_alpha() => MaskKind::Alpha,
        Ok(flags) if flags.is_nodata() && flags.is_per_dataset() => MaskKind::NodataOfAllBands,
        Ok(flags) if flags.is_nodata() => MaskKind::Nodata,
        Ok(flags) if flags.is_per_dataset() => MaskKind::Shared,
        _ => MaskKind::Own,
    }
}

fn palette(band: &RasterBand<'_>) -> Option<Palette> {
    let table = band.color_table()?;
    let byte = |v: i16| v.clamp(0, 255) as u8;
    let entries = (0..table.entry_count())
        .map_while(|i| table.entry_as_rgb(i))
        .map(|e| [byte(e.r), byte(e.g), byte(e.b), byte(e.a)])
        .collect();
    Some(Palette { entries })
}

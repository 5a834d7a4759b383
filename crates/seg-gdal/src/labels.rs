use crate::{
    BandIndex, BandSelection, Error, GeoRaster, GridReference, Interpretation, Palette, RasterProfile,
    RawValues, ReadOptions, Resampling,
};
use ndarray::{Array2, Zip};
use seg_grid::{DataType, Window};

/// How a label raster says which class a pixel has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LabelKind {
    /// By a number.
    Ids,
    /// By a number that a color table turns into a color.
    Palette,
    /// By a color.
    Colors,
}

/// The codes of a window, not yet classes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelCodes {
    /// Ids, or colors as `0xRRGGBB`; (H, W), arbitrary where not valid.
    pub codes: Array2<u32>,
    /// Where the raster says anything, (H, W).
    pub valid: Array2<bool>,
}

/// Which bytes of a raster are valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteValidity {
    /// All.
    All,
    /// All but the nodata value.
    AllBut(u8),
}

/// The bytes of a window, not yet classes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelBytes {
    /// As they are stored, (H, W).
    pub values: Array2<u8>,
    /// The value of pixels without one.
    pub nodata: Option<u8>,
}

/// A raster of truth: class ids, a palette image, or an image in the colors of a legend.
///
/// ```no_run
/// use seg_gdal::{LabelKind, LabelRaster};
/// use seg_grid::{Size, Window};
/// let labels = LabelRaster::open("top_potsdam_2_10_label.tif")?;
/// let window = Window::whole(Size::square(512));
/// let codes = match labels.kind() {
///     LabelKind::Ids => labels.read_ids(window)?,
///     LabelKind::Palette | LabelKind::Colors => labels.read_colors(window)?,
/// };
/// # Ok::<(), seg_gdal::Error>(())
/// ```
#[derive(Debug)]
pub struct LabelRaster {
    raster: GeoRaster,
    kind: LabelKind,
    palette: Option<Palette>,
}

impl LabelRaster {
    /// Opens any name that GDAL can open.
    ///
    /// # Errors
    /// If it cannot be opened, or is neither one band of whole numbers nor three bands of bytes.
    pub fn open(name: &str) -> Result<Self, Error> {
        let raster = GeoRaster::open(name, &ReadOptions::default())?;
        let profile = raster.raster_profile();
        let data: Vec<_> =
            profile.bands.iter().filter(|band| band.interpretation != Interpretation::Alpha).collect();
        let (kind, bands, palette) = match data[..] {
            [band] => match &band.palette {
                Some(palette) => (LabelKind::Palette, vec![band.index], Some(palette.clone())),
                None => (LabelKind::Ids, vec![band.index], None),
            },
            [_, _, _] if data.iter().all(|band| band.dtype == Some(DataType::UInt8)) => {
                (LabelKind::Colors, color_order(profile), None)
            }
            _ => return Err(Error::NotLabels { name: name.to_owned(), has: profile.bands_in_words() }),
        };
        let options = ReadOptions { bands: BandSelection::Explicit(bands), ..ReadOptions::default() };
        Ok(Self { raster: GeoRaster::open(name, &options)?, kind, palette })
    }

    /// How it says which class a pixel has.
    pub const fn kind(&self) -> LabelKind {
        self.kind
    }

    /// All that GDAL tells about the raster.
    pub const fn raster_profile(&self) -> &RasterProfile {
        self.raster.raster_profile()
    }

    /// What the bytes of a raster say about validity, if they alone do; `None` for any other raster.
    #[expect(clippy::float_cmp, reason = "a nodata value is one value, not a neighborhood")]
    pub fn byte_validity(&self) -> Option<ByteValidity> {
        let is_bytes = self.raster.band_plan().bands.iter().all(|band| band.dtype == Some(DataType::UInt8));
        if self.kind == LabelKind::Colors || !is_bytes {
            return None;
        }
        // A value that no byte has stands for nothing.
        let byte = |value: &f32| Some(*value as u8).filter(|byte| f32::from(*byte) == *value);
        let nodata = self.raster.nodata_alone()?;
        Some(nodata.first().and_then(byte).map_or(ByteValidity::All, ByteValidity::AllBut))
    }

    /// Reads the values of a window as they are; it can reach beyond the raster.
    ///
    /// # Errors
    /// If the pixels cannot be read.
    pub fn read_raw(&self, window: Window) -> Result<crate::RawPatch, Error> {
        self.raster.read_raw(window)
    }

    /// The same labels on another grid, each pixel that of the label nearest to its middle; there is none where no label
    /// reaches.
    ///
    /// # Errors
    /// If the labels have no place.
    pub fn resampled(&self, target: &GridReference) -> Result<Self, Error> {
        let raster = self.raster.resampled(target, Resampling::Nearest)?;
        Ok(Self { raster, kind: self.kind, palette: self.palette.clone() })
    }

    /// Reads the bytes of a window inside the raster, which is quick; `None` where labels are no single bytes, or masks
    /// say which count.
    ///
    /// # Errors
    /// If the pixels cannot be read.
    pub fn read_bytes(&self, window: Window) -> Result<Option<LabelBytes>, Error> {
        let nodata = match self.byte_validity() {
            Some(ByteValidity::All) => None,
            Some(ByteValidity::AllBut(nodata)) => Some(nodata),
            None => return Ok(None),
        };
        if window.clip(self.raster_profile().size) != Some(window) {
            return Ok(None);
        }
        let patch = self.raster.read_raw(window)?;
        let Some((_, RawValues::UInt8(values))) = patch.bands.into_iter().next() else { return Ok(None) };
        let values = Array2::from_shape_vec((window.height, window.width), values);
        Ok(Some(LabelBytes { values: values.map_err(|_| self.not_labels())?, nodata }))
    }

    /// The color of a number, where there is a table of them.
    pub fn color_of(&self, number: u8) -> Option<u32> {
        let [r, g, b, _] = *self.palette.as_ref()?.entries.get(usize::from(number))?;
        Some(packed(r, g, b))
    }

    /// Reads the numbers of a window, which can reach beyond the raster.
    ///
    /// # Errors
    /// If the pixels cannot be read, are colors, or hold a valid value that is not a whole number from 0 on.
    pub fn read_ids(&self, window: Window) -> Result<LabelCodes, Error> {
        let valid = self.raster.read_validity(window)?;
        let patch = self.raster.read_raw(window)?;
        let codes: Result<Vec<u32>, (usize, f64)> = match patch.bands.first() {
            Some((_, RawValues::UInt8(values))) if self.kind != LabelKind::Colors => {
                Ok(values.iter().map(|&v| u32::from(v)).collect())
            }
            Some((_, values)) if self.kind != LabelKind::Colors => values
                .to_f64()
                .into_iter()
                .zip(&valid)
                .enumerate()
                .map(|(i, (value, &valid))| code(value, valid).ok_or((i, value)))
                .collect(),
            _ => return Err(self.not_labels()),
        };
        let codes = codes.map_err(|(index, value)| Error::NotACode {
            name: self.raster_profile().name.clone(),
            value,
            x: window.x + index % window.width,
            y: window.y + index / window.width,
        })?;
        let codes = Array2::from_shape_vec(valid.dim(), codes).map_err(|_| self.not_labels())?;
        Ok(LabelCodes { codes, valid })
    }

    /// Reads the colors of a window as `0xRRGGBB`; it can reach beyond the raster.
    ///
    /// # Errors
    /// If the pixels cannot be read, or are numbers without a color table.
    pub fn read_colors(&self, window: Window) -> Result<LabelCodes, Error> {
        if let Some(palette) = &self.palette {
            let mut ids = self.read_ids(window)?;
            Zip::from(&mut ids.codes).and(&mut ids.valid).for_each(|code, valid| {
                match palette.entries.get(*code as usize) {
                    Some([r, g, b, _]) => *code = packed(*r, *g, *b),
                    None => *valid = false,
                }
            });
            return Ok(ids);
        }
        let valid = self.raster.read_validity(window)?;
        let patch = self.raster.read_raw(window)?;
        let [(_, RawValues::UInt8(r)), (_, RawValues::UInt8(g)), (_, RawValues::UInt8(b))] = &patch.bands[..]
        else {
            return Err(self.not_labels());
        };
        let codes = r.iter().zip(g).zip(b).map(|((&r, &g), &b)| packed(r, g, b)).collect();
        let codes = Array2::from_shape_vec(valid.dim(), codes).map_err(|_| self.not_labels())?;
        Ok(LabelCodes { codes, valid })
    }

    fn not_labels(&self) -> Error {
        let profile = self.raster_profile();
        Error::NotLabels { name: profile.name.clone(), has: profile.bands_in_words() }
    }
}

/// A value as a code; what is not valid need not be one.
fn code(value: f64, valid: bool) -> Option<u32> {
    if !valid {
        return Some(0);
    }
    let whole = value.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&value);
    whole.then_some(value as u32)
}

fn packed(r: u8, g: u8, b: u8) -> u32 {
    u32::from_be_bytes([0, r, g, b])
}

/// Red, green and blue where the bands say so, else in the order they come.
fn color_order(profile: &RasterProfile) -> Vec<BandIndex> {
    let mut bands: Vec<_> =
        profile.bands.iter().filter(|band| band.interpretation != Interpretation::Alpha).collect();
    let place = |interpretation| match interpretation {
        Interpretation::Red => Some(0),
        Interpretation::Green => Some(1),
        Interpretation::Blue => Some(2),
        _ => None,
    };
    if bands.iter().all(|band| place(band.interpretation).is_some()) {
        bands.sort_by_key(|band| place(band.interpretation));
    }
    bands.into_iter().map(|band| band.index).collect()
}

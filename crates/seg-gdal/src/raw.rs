use crate::{BandIndex, GdalMessage, Palette};
use gdal::Dataset;
use gdal::errors::GdalError;
use gdal::raster::{Buffer, GdalType, RasterBand};
use ndarray::{Array2, ArrayView2};
use seg_grid::{DataType, Size, Window};

/// The values of one band of a window in the type they have on disk, row by row.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum RawValues {
    UInt8(Vec<u8>),
    Int8(Vec<i8>),
    UInt16(Vec<u16>),
    Int16(Vec<i16>),
    UInt32(Vec<u32>),
    Int32(Vec<i32>),
    UInt64(Vec<u64>),
    Int64(Vec<i64>),
    Float32(Vec<f32>),
    Float64(Vec<f64>),
}

/// Runs `$body` with the values bound to `$values`, whatever their type.
macro_rules! with_values {
    ($raw:expr, $values:ident => $body:expr) => {
        match $raw {
            RawValues::UInt8($values) => $body,
            RawValues::Int8($values) => $body,
            RawValues::UInt16($values) => $body,
            RawValues::Int16($values) => $body,
            RawValues::UInt32($values) => $body,
            RawValues::Int32($values) => $body,
            RawValues::UInt64($values) => $body,
            RawValues::Int64($values) => $body,
            RawValues::Float32($values) => $body,
            RawValues::Float64($values) => $body,
        }
    };
}
impl RawValues {
    /// The type of the values.
    pub const fn dtype(&self) -> DataType {
        match self {
            Self::UInt8(_) => DataType::UInt8,
            Self::Int8(_) => DataType::Int8,
            Self::UInt16(_) => DataType::UInt16,
            Self::Int16(_) => DataType::Int16,
            Self::UInt32(_) => DataType::UInt32,
            Self::Int32(_) => DataType::Int32,
            Self::UInt64(_) => DataType::UInt64,
            Self::Int64(_) => DataType::Int64,
            Self::Float32(_) => DataType::Float32,
            Self::Float64(_) => DataType::Float64,
        }
    }

    /// The number of values.
    pub fn len(&self) -> usize {
        with_values!(self, values => values.len())
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The values of the pixels that are true, in their order.
    #[must_use]
    pub fn select(&self, wanted: &ArrayView2<'_, bool>) -> Self {
        match self {
            Self::UInt8(v) => Self::UInt8(select(v, wanted)),
            Self::Int8(v) => Self::Int8(select(v, wanted)),
            Self::UInt16(v) => Self::UInt16(select(v, wanted)),
            Self::Int16(v) => Self::Int16(select(v, wanted)),
            Self::UInt32(v) => Self::UInt32(select(v, wanted)),
            Self::Int32(v) => Self::Int32(select(v, wanted)),
            Self::UInt64(v) => Self::UInt64(select(v, wanted)),
            Self::Int64(v) => Self::Int64(select(v, wanted)),
            Self::Float32(v) => Self::Float32(select(v, wanted)),
            Self::Float64(v) => Self::Float64(select(v, wanted)),
        }
    }

    /// The values as 64-bit floats, exact up to 2^53.
    #[expect(clippy::cast_lossless, clippy::unnecessary_cast, reason = "one line for ten types")]
    pub(crate) fn to_f64(&self) -> Vec<f64> {
        with_values!(self, values => values.iter().map(|&value| value as f64).collect())
    }

    /// Clears the pixels that hold a value, as 32-bit floats.
    #[expect(clippy::float_cmp, reason = "a nodata value is one value, not a neighborhood")]
    #[expect(clippy::cast_lossless, clippy::unnecessary_cast, reason = "one line for ten types")]
    pub(crate) fn clear_where_equal(&self, value: f32, valid: &mut Array2<bool>) {
        with_values!(self, values => for (valid, &v) in valid.iter_mut().zip(values) {
            *valid &= v as f32 != value;
        });
    }

    /// Clears the pixels that hold no number that a 32-bit float can hold.
    #[expect(clippy::cast_lossless, clippy::unnecessary_cast, reason = "one line for ten types")]
    pub(crate) fn clear_where_infinite(&self, valid: &mut Array2<bool>) {
        if self.dtype().is_float() {
            with_values!(self, values => for (valid, &v) in valid.iter_mut().zip(values) {
                *valid &= (v as f32).is_finite();
            });
        }
    }

    /// Clears the pixels whose color is transparent, or that have none.
    pub(crate) fn clear_where_colorless(&self, palette: &Palette, valid: &mut Array2<bool>) {
        let seen = |index: f64| color(palette, index).is_some();
        valid.iter_mut().zip(self.to_f64()).for_each(|(valid, index)| *valid &= seen(index));
    }

    /// The colors that indices stand for, black where there is none.
    pub(crate) fn colors(&self, palette: &Palette) -> [Self; 3] {
        let colors = self.to_f64().into_iter().map(|index| color(palette, index).unwrap_or([0; 3]));
        let colors: Vec<[u8; 3]> = colors.collect();
        [0, 1, 2].map(|channel| Self::UInt8(colors.iter().map(|color| color[channel]).collect()))
    }

    /// Adds the values to a hash, the same on every machine.
    pub(crate) fn hash_into(&self, hasher: &mut blake3::Hasher) {
        with_values!(self, values => {
            for value in values {
                hasher.update(&value.to_le_bytes());
            }
        });
    }

    /// Reads a window that lies inside the raster.
    pub(crate) fn read(
        dataset: &Dataset,
        band: BandIndex,
        dtype: DataType,
        window: Window,
    ) -> Result<Self, GdalMessage> {
        let band = dataset.rasterband(band.number())?;
        Ok(match dtype {
            DataType::UInt8 => Self::UInt8(values(&band, window)?),
            DataType::Int8 => {
                let bytes: Vec<u8> = values(&band, window)?;
                Self::Int8(bytes.into_iter().map(u8::cast_signed).collect())
            }
            DataType::UInt16 => Self::UInt16(values(&band, window)?),
            DataType::Int16 => Self::Int16(values(&band, window)?),
            DataType::UInt32 => Self::UInt32(values(&band, window)?),
            DataType::Int32 => Self::Int32(values(&band, window)?),
            DataType::UInt64 => Self::UInt64(values(&band, window)?),
            DataType::Int64 => Self::Int64(values(&band, window)?),
            DataType::Float32 => Self::Float32(values(&band, window)?),
            DataType::Float64 => Self::Float64(values(&band, window)?),
        })
    }

    /// The values of `inside` set into a larger window, `fill` around them.
    #[must_use]
    pub(crate) fn padded(self, inside: Window, window: Window, fill: f64) -> Self {
        match self {
            Self::UInt8(v) => Self::UInt8(pad(&v, inside, window, fill as u8)),
            Self::Int8(v) => Self::Int8(pad(&v, inside, window, fill as i8)),
            Self::UInt16(v) => Self::UInt16(pad(&v, inside, window, fill as u16)),
            Self::Int16(v) => Self::Int16(pad(&v, inside, window, fill as i16)),
            Self::UInt32(v) => Self::UInt32(pad(&v, inside, window, fill as u32)),
            Self::Int32(v) => Self::Int32(pad(&v, inside, window, fill as i32)),
            Self::UInt64(v) => Self::UInt64(pad(&v, inside, window, fill as u64)),
            Self::Int64(v) => Self::Int64(pad(&v, inside, window, fill as i64)),
            Self::Float32(v) => Self::Float32(pad(&v, inside, window, fill as f32)),
            Self::Float64(v) => Self::Float64(pad(&v, inside, window, fill)),
        }
    }

    /// Writes the values to a band that is `size` pixels large.
    pub(crate) fn write(self, band: &mut RasterBand<'_>, size: Size) -> Result<(), GdalMessage> {
        match self {
            Self::Int8(v) => write(band, size, v.into_iter().map(i8::cast_unsigned).collect::<Vec<u8>>()),
            Self::UInt8(v) => write(band, size, v),
            Self::UInt16(v) => write(band, size, v),
            Self::Int16(v) => write(band, size, v),
            Self::UInt32(v) => write(band, size, v),
            Self::Int32(v) => write(band, size, v),
            Self::UInt64(v) => write(band, size, v),
            Self::Int64(v) => write(band, size, v),
            Self::Float32(v) => write(band, size, v),
            Self::Float64(v) => write(band, size, v),
        }
    }
}

/// Red, green and blue of an index, unless it is transparent or beyond the palette.
fn color(palette: &Palette, index: f64) -> Option<[u8; 3]> {
    let entry = if index >= 0.0 { palette.entries.get(index as usize) } else { None };
    entry.filter(|entry| entry[3] > 0).map(|&[r, g, b, _]| [r, g, b])
}

fn values<T: Copy + GdalType>(band: &RasterBand<'_>, window: Window) -> Result<Vec<T>, GdalError> {
    let size = (window.width, window.height);
    if window.size().is_empty() {
        return Ok(Vec::new());
    }
    let buffer = band.read_as::<T>((window.x as isize, window.y as isize), size, size, None)?;
    Ok(buffer.into_shape_and_vec().1)
}

fn write<T: Copy + GdalType>(
    band: &mut RasterBand<'_>,
    size: Size,
    values: Vec<T>,
) -> Result<(), GdalMessage> {
    let shape = (size.width, size.height);
    Ok(band.write((0, 0), shape, &mut Buffer::new(shape, values))?)
}

fn select<T: Copy>(values: &[T], wanted: &ArrayView2<'_, bool>) -> Vec<T> {
    values.iter().zip(wanted).filter(|(_, wanted)| **wanted).map(|(&value, _)| value).collect()
}

fn pad<T: Copy>(values: &[T], inside: Window, window: Window, fill: T) -> Vec<T> {
    let mut padded = vec![fill; window.width * window.height];
    if inside.size().is_empty() {
        return padded;
    }
    let place = inside.relative_to(window);
    for (row, line) in values.chunks_exact(inside.width).enumerate() {
        let start = (place.y + row) * window.width + place.x;
        padded[start..start + inside.width].copy_from_slice(line);
    }
    padded
}

use crate::bands::BandPlan;
use crate::validity::{MaskSource, ValidityPlan};
use crate::{BandIndex, BandProfile, Error, Palette, RawValues};
use gdal::Dataset;
use gdal::raster::{GdalType, RasterBand};
use ndarray::{Array2, Array3, Axis, s};
use seg_grid::{DataType, Patch, Size, Window};

/// The bands of a window and their values.
pub(crate) type RawBands = Vec<(BandProfile, RawValues)>;

/// Reads values and masks of one data set by its plans.
pub(crate) struct Pixels<'a> {
    pub dataset: &'a Dataset,
    pub name: &'a str,
    pub plan: &'a BandPlan,
    pub validity: &'a ValidityPlan,
}

impl Pixels<'_> {
    /// Reads a window inside the raster, resampled to `size`; `None` if no pixel is valid.
    pub(crate) fn read(&self, window: Window, size: Size) -> Result<Option<Patch>, Error> {
        let mut valid = Array2::from_elem((size.height, size.width), true); // (H, W)
        self.apply_masks(&self.validity.first, window, &mut valid)?;
        if !valid.iter().any(|&v| v) {
            return Ok(None);
        }
        let mut values = self.values(window, size)?;
        self.apply_values(&values, &mut valid);
        self.apply_masks(&self.validity.after, window, &mut valid)?;
        if let Some(palette) = &self.plan.palette {
            values = expand(&values, palette, &mut valid);
        }
        Ok(valid.iter().any(|&v| v).then_some(Patch { values, valid }))
    }

    /// Reads a window inside the raster in the types on disk, and which pixels of it are valid: the same ones as
    /// [`Pixels::read`] tells; `None` if none is.
    pub(crate) fn read_raw(&self, window: Window) -> Result<Option<(RawBands, Array2<bool>)>, Error> {
        let mut valid = Array2::from_elem((window.height, window.width), true); // (H, W)
        self.apply_masks(&self.validity.first, window, &mut valid)?;
        if !valid.iter().any(|&v| v) {
            return Ok(None);
        }
        let bands = self.raw(window)?;
        for &(position, nodata) in &self.validity.nodata {
            bands[position].1.clear_where_equal(nodata, &mut valid);
        }
        if self.validity.floats {
            for (_, values) in &bands {
                values.clear_where_infinite(&mut valid);
            }
        }
        self.apply_masks(&self.validity.after, window, &mut valid)?;
        if let (Some(palette), [(_, indices)]) = (&self.plan.palette, &bands[..]) {
            indices.clear_where_colorless(palette, &mut valid);
        }
        Ok(valid.iter().any(|&v| v).then_some((bands, valid)))
    }

    /// Reads a window inside the raster, or an empty one, in the types on disk.
    pub(crate) fn raw(&self, window: Window) -> Result<RawBands, Error> {
        let read = |band: &BandProfile| {
            let dtype = band.dtype.unwrap_or(self.plan.dtype);
            let values = RawValues::read(self.dataset, band.index, dtype, window).map_err(|source| {
                Error::ReadWindow { name: self.name.to_owned(), band: band.index, window, source }
            })?;
            Ok((band.clone(), values))
        };
        self.plan.bands.iter().map(read).collect()
    }

    /// Which pixels of a window inside the raster are valid; `None` if none is.
    pub(crate) fn validity(&self, window: Window) -> Result<Option<Array2<bool>>, Error> {
        let ValidityPlan { first, after, nodata, floats } = self.validity;
        if nodata.is_empty() && !floats && self.plan.palette.is_none() {
            let mut valid = Array2::from_elem((window.height, window.width), true);
            self.apply_masks(first, window, &mut valid)?;
            self.apply_masks(after, window, &mut valid)?;
            return Ok(valid.iter().any(|&v| v).then_some(valid));
        }
        Ok(self.read(window, window.size())?.map(|patch| patch.valid))
    }

    fn values(&self, window: Window, size: Size) -> Result<Array3<f32>, Error> {
        let bands = &self.plan.bands;
        let mut values = Array3::<f32>::zeros((bands.len(), size.height, size.width)); // (C, H, W)
        for (position, profile) in bands.iter().enumerate() {
            if let Some(same) = bands[..position].iter().position(|b| b.index == profile.index) {
                let (before, mut rest) = values.view_mut().split_at(Axis(0), position);
                rest.index_axis_mut(Axis(0), 0).assign(&before.index_axis(Axis(0), same));
                continue;
            }
            let mut plane = values.index_axis_mut(Axis(0), position);
            if let Some(plane) = plane.as_slice_mut() {
                self.read_into(profile.index, Plane::Values, window, size, plane)?;
                if profile.dtype == Some(DataType::Int8) {
                    // GDAL 3.6 hands out signed bytes as unsigned ones.
                    for value in plane.iter_mut().filter(|v| **v > 127.0) {
                        *value -= 256.0;
                    }
                }
            }
        }
        Ok(values)
    }

    /// Clears what nodata values and NaN make invalid.
    #[expect(clippy::float_cmp, reason = "a nodata value is one value, not a neighborhood")]
    fn apply_values(&self, values: &Array3<f32>, valid: &mut Array2<bool>) {
        for &(position, nodata) in &self.validity.nodata {
            let plane = values.slice(s![position, .., ..]);
            valid.zip_mut_with(&plane, |v, &value| *v &= value != nodata);
        }
        if self.validity.floats {
            for plane in values.outer_iter() {
                valid.zip_mut_with(&plane, |v, &value| *v &= value.is_finite());
            }
        }
    }

    fn apply_masks(
        &self,
        masks: &[MaskSource],
        window: Window,
        valid: &mut Array2<bool>,
    ) -> Result<(), Error> {
        let (height, width) = valid.dim();
        let size = Size { width, height };
        for &mask in masks {
            match mask {
                MaskSource::MaskOf(band) => {
                    let mut mask = vec![0_u8; width * height];
                    self.read_into(band, Plane::Mask, window, size, &mut mask)?;
                    valid.iter_mut().zip(mask).for_each(|(v, m)| *v &= m != 0);
                }
                MaskSource::Alpha(band) => {
                    let mut alpha = vec![0_f32; width * height];
                    self.read_into(band, Plane::Values, window, size, &mut alpha)?;
                    valid.iter_mut().zip(alpha).for_each(|(v, a)| *v &= a > 0.0);
                }
            }
        }
        Ok(())
    }

    fn read_into<T: Copy + GdalType>(
        &self,
        index: BandIndex,
        plane: Plane,
        window: Window,
        size: Size,
        buffer: &mut [T],
    ) -> Result<(), Error> {
        let read = |band: &RasterBand<'_>, buffer: &mut [T]| {
            let offset = (window.x as isize, window.y as isize);
            let (from, to) = ((window.width, window.height), (size.width, size.height));
            band.read_into_slice(offset, from, to, buffer, None)
        };
        let outcome = self.dataset.rasterband(index.number()).and_then(|band| match plane {
            Plane::Values => read(&band, buffer),
            Plane::Mask => read(&band.open_mask_band()?, buffer),
        });
        outcome.map_err(|error| Error::ReadWindow {
            name: self.name.to_owned(),
            band: index,
            window,
            source: error.into(),
        })
    }
}

/// Which of a band's two planes is read.
#[derive(Clone, Copy)]
enum Plane {
    Values,
    Mask,
}

/// Turns indices (1, H, W) into red, green and blue (3, H, W); indices without a color are not valid.
fn expand(indices: &Array3<f32>, palette: &Palette, valid: &mut Array2<bool>) -> Array3<f32> {
    let (_, height, width) = indices.dim();
    let mut colors = Array3::zeros((3, height, width)); // (1, H, W) -> (3, H, W)
    for ((y, x), valid) in valid.indexed_iter_mut() {
        let index = indices[[0, y, x]];
        let entry = if index >= 0.0 { palette.entries.get(index as usize) } else { None };
        match entry {
            Some([r, g, b, alpha]) if *alpha > 0 => {
                for (channel, value) in [r, g, b].into_iter().enumerate() {
                    colors[[channel, y, x]] = f32::from(*value);
                }
            }
            _ => *valid = false,
        }
    }
    colors
}

use crate::bands::BandPlan;
use crate::data_name::DataName;
use crate::pixels::{Pixels, RawBands};
use crate::validity::ValidityPlan;
use crate::warp::{Resampling, Warped};
use crate::{
    BandProfile, BandSelection, Error, GridReference, MeasuredPatch, Note, RasterProfile, RawPatch,
    RawValues, fingerprint, plausible,
};
use blake3::Hasher;
use gdal::{Dataset, DatasetOptions, GdalOpenFlags, Metadata};
use ndarray::{Array2, Array3, s};
use seg_grid::{IoError, Patch, RasterSource, Size, SourceProfile, Window};

/// How a raster is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadOptions {
    /// Which bands.
    pub bands: BandSelection,
    /// Bytes that one decoded block may take; larger ones are refused.
    pub block_budget: u64,
}

/// How much of a raster [`GeoRaster::probe`] reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// Up to 64 blocks, and no more than 16 MiB unless one block is larger.
    Sample,
    /// All of it.
    Whole,
}

/// A raster of any format that GDAL reads, as a source of pixels.
///
/// GDAL allows one thread at a time for a handle: each reader thread takes its own by
/// [`reopen`](RasterSource::reopen).
///
/// ```no_run
/// use seg_gdal::{BandSelection, GeoRaster, Probe, ReadOptions};
/// use seg_grid::{RasterSource, Window};
///
/// let options = ReadOptions { bands: BandSelection::Auto { needed: 3 }, ..ReadOptions::default() };
/// let mut raster = GeoRaster::open("orthophoto.tif", &options)?;
/// raster.probe(Probe::Sample)?; // damaged files fail here rather than hours later
/// let patch = raster.read(Window { x: 0, y: 0, width: 512, height: 512 })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct GeoRaster {
    name: DataName,
    dataset: Dataset,
    options: ReadOptions,
    raster: RasterProfile,
    source: SourceProfile,
    plan: BandPlan,
    validity: ValidityPlan,
    hasher: Hasher,
}

impl Default for ReadOptions {
    /// All bands but alpha, and blocks of up to 512 MiB.
    fn default() -> Self {
        Self { bands: BandSelection::All, block_budget: 512 << 20 }
    }
}

impl GeoRaster {
    /// Opens any name that GDAL can open.
    ///
    /// # Errors
    /// If GDAL cannot open it, the bands cannot be told or are complex numbers, one block would not fit the
    /// memory allowed, or the file claims pixels that it cannot hold.
    pub fn open(name: &str, options: &ReadOptions) -> Result<Self, Error> {
        Self::open_named(&DataName::plain(name), options)
    }

    /// Opens a data set that messages call otherwise than GDAL.
    pub(crate) fn open_named(name: &DataName, options: &ReadOptions) -> Result<Self, Error> {
        let dataset = open_data_name(name)?;
        let raster = RasterProfile::of(&dataset, &name.shown)?;
        plausible::check(&dataset, &raster, options.block_budget)?;
        let plan = BandPlan::new(&dataset, &raster, &options.bands)?;
        let validity = ValidityPlan::new(&raster, &plan);
        let hasher = fingerprint::of_profile(&raster);
        let source = SourceProfile {
            name: name.shown.clone(),
            size: raster.size,
            bands: plan.channels(),
            block: plan.bands.first().map_or(raster.size, |band| band.block),
            block_bytes: plausible::block_bytes(&raster),
            dtype: plan.dtype,
            gsd: raster.transform.map(seg_grid::GeoTransform::gsd),
            fingerprint: hasher.finalize().to_hex().to_string(),
        };
        Ok(Self {
            name: name.clone(),
            dataset,
            options: options.clone(),
            raster,
            source,
            plan,
            validity,
            hasher,
        })
    }

    /// All that GDAL tells about the raster.
    pub const fn raster_profile(&self) -> &RasterProfile {
        &self.raster
    }

    /// The bands that are read, in the order read; one where a palette makes three of it.
    pub fn bands_read(&self) -> Vec<crate::BandIndex> {
        self.plan.bands.iter().map(|band| band.index).collect()
    }

    /// What a caller should tell the user about this raster and the bands read.
    pub fn notes(&self) -> Vec<Note> {
        let mut notes = self.raster.notes();
        if let BandSelection::Explicit(chosen) = &self.options.bands {
            notes.extend(Note::alpha_as_data(&self.raster, chosen));
        }
        notes
    }

    /// Reads blocks before any work is done, so that a damaged file is found early, and adds their
    /// content to the fingerprint.
    ///
    /// # Errors
    /// If a block cannot be read; the error names it.
    pub fn probe(&mut self, probe: Probe) -> Result<(), Error> {
        let block = self.source.block;
        let distinct = self.plan.distinct();
        let bytes: u64 = distinct.iter().filter_map(|band| band.dtype).map(|d| d.bytes() as u64).sum();
        let bytes = block.area().saturating_mul(bytes).max(self.source.block_bytes);
        let mut hasher = self.hasher.clone();
        let mut read = |window: Window| {
            distinct.iter().try_for_each(|band| {
                let values =
                    RawValues::read(&self.dataset, band.index, band.dtype.unwrap_or(self.plan.dtype), window)
                        .map_err(|source| Error::ReadBlock {
                            name: self.raster.name.clone(),
                            band: band.index,
                            window,
                            source,
                        })?;
                values.hash_into(&mut hasher);
                Ok(())
            })
        };
        match probe {
            Probe::Sample => fingerprint::sample(self.raster.size, block, bytes, &self.hasher)
                .into_iter()
                .try_for_each(&mut read)?,
            Probe::Whole => fingerprint::all(self.raster.size, block).try_for_each(&mut read)?,
        }
        self.source.fingerprint = hasher.finalize().to_hex().to_string();
        Ok(())
    }

    /// Reads a window in the type on disk, without a mask; outside of the raster it holds nodata, or 0.
    ///
    /// # Errors
    /// If the pixels cannot be read.
    pub fn read_raw(&self, window: Window) -> Result<RawPatch, Error> {
        let inside = window.clip(self.raster.size).unwrap_or(Window { width: 0, height: 0, ..window });
        Ok(RawPatch { size: window.size(), bands: padded(self.pixels().raw(inside)?, inside, window) })
    }

    /// Reads a window in the type on disk, and which pixels of it are valid; `None` if none is.
    ///
    /// # Errors
    /// If the pixels cannot be read.
    pub fn read_measured(&self, window: Window) -> Result<Option<MeasuredPatch>, Error> {
        let Some(inside) = window.clip(self.raster.size) else { return Ok(None) };
        let Some((bands, measured)) = self.pixels().read_raw(inside)? else { return Ok(None) };
        let valid = if inside == window {
            measured
        } else {
            let mut valid = Array2::from_elem((window.height, window.width), false); // (H, W)
            let (rows, columns) = inside.relative_to(window).ranges();
            valid.slice_mut(s![rows, columns]).assign(&measured);
            valid
        };
        let raw = RawPatch { size: window.size(), bands: padded(bands, inside, window) };
        Ok(Some(MeasuredPatch::new(raw, valid, self.plan.palette.as_ref())))
    }

    /// Reads one of the bands that were chosen, by its position among them, of a window inside the raster, in the type on
    /// disk.
    ///
    /// # Errors
    /// If there are not so many bands, or the pixels cannot be read.
    pub fn read_raw_band(&self, position: usize, window: Window) -> Result<RawValues, Error> {
        let name = || self.raster.name.clone();
        let band = self.plan.bands.get(position).ok_or_else(|| Error::NoSuchBand {
            name: name(),
            band: crate::BandIndex::from_position(position),
            count: self.plan.bands.len(),
        })?;
        RawValues::read(&self.dataset, band.index, band.dtype.unwrap_or(self.plan.dtype), window)
            .map_err(|source| Error::ReadWindow { name: name(), band: band.index, window, source })
    }

    /// Reads which pixels of a window are valid, without their values where masks alone can tell.
    ///
    /// # Errors
    /// If the masks cannot be read.
    pub fn read_validity(&self, window: Window) -> Result<Array2<bool>, Error> {
        let mut valid = Array2::from_elem((window.height, window.width), false);
        let Some(inside) = window.clip(self.raster.size) else { return Ok(valid) };
        let pixels = self.pixels();
        if let Some(part) = pixels.validity(inside)? {
            let (rows, columns) = inside.relative_to(window).ranges();
            valid.slice_mut(s![rows, columns]).assign(&part);
        }
        Ok(valid)
    }

    /// The same bands on another grid, resampled by GDAL as they are read; what no pixel reaches is not valid.
    ///
    /// # Errors
    /// If the raster has no geotransform, or values that cannot be resampled.
    pub fn resampled(&self, target: &GridReference, how: Resampling) -> Result<Self, Error> {
        let warped = Warped::new(self, target, how)?;
        let mut raster = Self::open_named(&warped.name, &Warped::options(self))?;
        raster.source.block_bytes = warped.bytes;
        Ok(raster)
    }

    /// The nodata values, one a band at most, where these alone tell what is valid; `None` if masks or NaN do too.
    pub(crate) fn nodata_alone(&self) -> Option<Vec<f32>> {
        let ValidityPlan { first, after, nodata, floats } = &self.validity;
        let by_value = first.is_empty() && after.is_empty() && !floats;
        by_value.then(|| nodata.iter().map(|(_, value)| *value).collect())
    }

    /// The bands that are read.
    pub(crate) const fn band_plan(&self) -> &BandPlan {
        &self.plan
    }

    /// How it is read.
    pub(crate) const fn options(&self) -> &ReadOptions {
        &self.options
    }

    fn pixels(&self) -> Pixels<'_> {
        Pixels { dataset: &self.dataset, name: &self.raster.name, plan: &self.plan, validity: &self.validity }
    }
}

impl RasterSource for GeoRaster {
    fn profile(&self) -> &SourceProfile {
        &self.source
    }

    fn read(&mut self, window: Window) -> Result<Option<Patch>, IoError> {
        let Some(inside) = window.clip(self.raster.size) else { return Ok(None) };
        let Some(patch) = self.pixels().read(inside, inside.size())? else { return Ok(None) };
        if inside == window {
            return Ok(Some(patch));
        }
        let mut values = Array3::zeros((self.source.bands, window.height, window.width)); // (C, H, W)
        let mut valid = Array2::from_elem((window.height, window.width), false); // (H, W)
        let (rows, columns) = inside.relative_to(window).ranges();
        values.slice_mut(s![.., rows.clone(), columns.clone()]).assign(&patch.values);
        valid.slice_mut(s![rows, columns]).assign(&patch.valid);
        Ok(Some(Patch { values, valid }))
    }

    fn read_validity(&mut self, window: Window) -> Result<Option<Array2<bool>>, IoError> {
        let valid = Self::read_validity(self, window)?;
        Ok(valid.iter().any(|&valid| valid).then_some(valid))
    }

    fn read_decimated(&mut self, window: Window, size: Size) -> Result<Patch, IoError> {
        let patch = self.pixels().read(window, size)?;
        Ok(patch.unwrap_or_else(|| Patch {
            values: Array3::zeros((self.source.bands, size.height, size.width)),
            valid: Array2::from_elem((size.height, size.width), false),
        }))
    }

    fn reopen(&self) -> Result<Box<dyn RasterSource>, IoError> {
        Ok(Box::new(Self {
            name: self.name.clone(),
            dataset: open_data_name(&self.name)?,
            options: self.options.clone(),
            raster: self.raster.clone(),
            source: self.source.clone(),
            plan: self.plan.clone(),
            validity: self.validity.clone(),
            hasher: self.hasher.clone(),
        }))
    }
}

/// What was read of the window `inside`, set into a larger one.
fn padded(bands: RawBands, inside: Window, window: Window) -> RawBands {
    if inside == window {
        return bands;
    }
    let pad = |(band, values): (BandProfile, RawValues)| {
        let fill = band.nodata.unwrap_or(0.0);
        (band, values.padded(inside, window, fill))
    };
    bands.into_iter().map(pad).collect()
}

/// Opens a raster to read it, with GDAL's own words if it cannot be.
pub(crate) fn open_dataset(name: &str) -> Result<Dataset, Error> {
    open_data_name(&DataName::plain(name))
}

pub(crate) fn open_data_name(name: &DataName) -> Result<Dataset, Error> {
    crate::install_log_handler();
    crate::config::keep_handles_apart();
    let options = DatasetOptions {
        open_flags: GdalOpenFlags::GDAL_OF_RASTER | GdalOpenFlags::GDAL_OF_VERBOSE_ERROR,
        ..DatasetOptions::default()
    };
    let dataset = Dataset::open_ex(name.for_gdal(), options)
        .map_err(|error| Error::OpenRaster { name: name.shown.clone(), source: error.into() })?;
    if dataset.raster_count() == 0 {
        let subdatasets = dataset.metadata_domain("SUBDATASETS").unwrap_or_default();
        let names = subdatasets
            .iter()
            .filter_map(|item| item.split_once('='))
            .filter(|(key, _)| key.ends_with("_NAME"))
            .map(|(_, name)| name.to_owned())
            .collect();
        return Err(Error::NoBands { name: name.shown.clone(), subdatasets: names });
    }
    Ok(dataset)
}

use crate::labels::opening;
use crate::training::balance;
use crate::training::class_map::ClassMap;
use crate::training::order::Order;
use crate::training::settings::{AbsentClasses, DataSettings};
use crate::{ChipRecord, Error, Manifest, Split};
use ndarray::{Array2, Array3};
use regex::Regex;
use seg_gdal::{BandIndex, BandSelection, GeoRaster, RawValues, ReadOptions};
use seg_grid::{DataType, RasterSource as _, Size, Window};
use seg_label::{IGNORE_INDEX, Legend};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The chips of one split of a folder, with labels as the places of classes in a model.
///
/// It holds no pixels and no open files, so that any number of threads can read through it.
#[derive(Debug, Clone)]
pub struct ChipSet {
    folder: PathBuf,
    split: Split,
    chips: Vec<ChipRecord>,
    classes: Vec<String>,
    legend: Legend,
    map: ClassMap,
    bands: usize,
    selection: BandSelection,
    absent: AbsentClasses,
    chances: Option<Vec<f64>>,
    /// Data types that images may have; none are all.
    dtypes: Vec<String>,
}

/// Whether chips must have labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Labels {
    Needed,
    Optional,
}

impl ChipSet {
    /// Opens a split of a folder that [`tile`](crate::tile()) made, for a model with these classes and bands.
    ///
    /// Sources that `exclude` names are left out if the split is that of training.
    ///
    /// # Errors
    /// If the folder has no manifest or legend, the split has no chips or chips without labels, files are missing,
    /// classes of the model and of the labels do not agree, or the bands cannot be had.
    pub fn open(
        folder: &Path,
        split: Split,
        classes: &[String],
        bands: usize,
        settings: &DataSettings,
    ) -> Result<Self, Error> {
        Self::open_with(folder, split, (classes, bands), settings, Labels::Needed)
    }

    /// The same for chips of which some or all may have no labels: all of their pixels are ignored.
    ///
    /// # Errors
    /// As [`ChipSet::open`], but for chips without labels.
    pub fn open_images(
        folder: &Path,
        split: Split,
        classes: &[String],
        bands: usize,
        settings: &DataSettings,
    ) -> Result<Self, Error> {
        Self::open_with(folder, split, (classes, bands), settings, Labels::Optional)
    }

    fn open_with(
        folder: &Path,
        split: Split,
        (classes, bands): (&[String], usize),
        settings: &DataSettings,
        labels: Labels,
    ) -> Result<Self, Error> {
        if !folder.join(Manifest::NAME).is_file() {
            return Err(Error::NoManifest { folder: folder.to_path_buf() });
        }
        settings.check()?;
        let selection = selection(settings, bands)?;
        let chips = chips(folder, split, settings)?;
        if labels == Labels::Needed {
            check_labeled(folder, split, &chips)?;
        }
        let all = read_legend(folder)?;
        if settings.class_balance > 0.0 {
            check_counted(folder, &chips, "data.class-balance")?;
        }
        let map = ClassMap::new(folder, &all, classes, &chips)?;
        let own = classes.iter().filter_map(|name| all.by_name(name)).cloned().collect();
        let legend =
            Legend::new(own).map_err(|source| Error::Legend { name: legend_path(folder), source })?;
        let chances = balance::chances(&chips, classes, settings);
        let set = Self {
            folder: folder.to_path_buf(),
            split,
            chips,
            classes: classes.to_vec(),
            legend,
            map,
            bands,
            selection,
            absent: settings.absent_classes,
            chances,
            dtypes: Vec::new(),
        };
        if let Some(chip) = set.files().find(|path| !path.is_file()) {
            return Err(Error::MissingChip { chip });
        }
        set.open_image(0)?;
        Ok(set)
    }

    /// The same set, of whose images only these data types are taken, such as `uint8`; none are all.
    #[must_use]
    pub fn accepting(self, dtypes: &[String]) -> Self {
        Self { dtypes: dtypes.to_vec(), ..self }
    }

    /// The number of chips, at least 1.
    pub const fn len(&self) -> usize {
        self.chips.len()
    }

    /// Never true: a set has at least one chip.
    pub const fn is_empty(&self) -> bool {
        self.chips.is_empty()
    }

    /// What the manifest says of a chip.
    ///
    /// # Panics
    /// If there are not so many chips.
    pub fn chip(&self, index: usize) -> &ChipRecord {
        &self.chips[index]
    }

    /// The images and labels of all chips.
    pub fn files(&self) -> impl Iterator<Item = PathBuf> + '_ {
        let files = self.chips.iter().flat_map(|chip| std::iter::once(&chip.image).chain(&chip.label));
        files.map(|file| self.folder.join(file))
    }

    /// How many rasters the chips were cut from.
    pub fn sources(&self) -> usize {
        self.chips.iter().map(|chip| chip.source.as_str()).collect::<BTreeSet<_>>().len()
    }

    /// How many chips have no label.
    pub fn unlabeled(&self) -> usize {
        self.chips.iter().filter(|chip| chip.label.is_none()).count()
    }

    /// The folders that the labels were cut from, as far as the manifest tells.
    pub fn label_folders(&self) -> BTreeSet<String> {
        let sources = self.chips.iter().filter_map(|chip| chip.label_source.as_ref());
        sources
            .map(|label| Path::new(label).parent().unwrap_or(Path::new("")).display().to_string())
            .collect()
    }

    /// Width and height of a chip.
    ///
    /// # Panics
    /// If there are not so many chips.
    pub fn size(&self, index: usize) -> Size {
        self.chips[index].window.size()
    }

    /// The number of bands that images are read with.
    pub const fn bands(&self) -> usize {
        self.bands
    }

    /// The classes, in the order of their indices.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The model's classes with the ids and colors that the folder's legend has for them, in the order of their
    /// indices.
    pub const fn legend(&self) -> &Legend {
        &self.legend
    }

    /// The split that the chips are of.
    pub const fn split(&self) -> Split {
        self.split
    }

    /// Reads a window of a chip: values (C, H, W), which pixels have data (H, W), and class indices (H, W) with
    /// 255 for what is ignored.
    ///
    /// # Errors
    /// If a file cannot be read, has another size than the manifest says, or holds ids without a class, or the
    /// window reaches beyond the chip.
    #[expect(clippy::type_complexity, reason = "three arrays whose shapes are told above")]
    pub fn read(
        &self,
        index: usize,
        window: Window,
    ) -> Result<(Array3<f32>, Array2<bool>, Array2<u8>), Error> {
        let (values, valid) = self.read_image(index, window)?;
        Ok((values, valid, self.read_label(index, window)?))
    }

    /// Pixels of each class, by index, as the manifest has counted them.
    pub fn class_pixels(&self) -> Vec<u64> {
        let of_class = |class: &String| self.chips.iter().filter_map(|chip| chip.histogram.get(class)).sum();
        self.classes.iter().map(of_class).collect()
    }

    /// Pixels of each class, by index, as often as an epoch shows their chips on average.
    pub fn shown_class_pixels(&self) -> Vec<f64> {
        let of_class = |class: &String| {
            let pixels = self.chips.iter().enumerate().map(|(index, chip)| {
                let times = self.chances.as_ref().and_then(|chances| chances.get(index)).copied();
                times.unwrap_or(1.0) * chip.histogram.get(class).copied().unwrap_or(0) as f64
            });
            pixels.sum()
        };
        self.classes.iter().map(of_class).collect()
    }

    /// Refuses a set whose manifest did not count the pixels of classes, which the setting `key` needs.
    ///
    /// # Errors
    /// If it did not.
    pub fn check_counted(&self, key: &'static str) -> Result<(), Error> {
        check_counted(&self.folder, &self.chips, key)
    }

    /// Refuses a set in which a class comes nowhere, unless `absent-classes` allows it.
    ///
    /// A manifest that did not count its labels' pixels is passed.
    ///
    /// # Errors
    /// If a class comes nowhere.
    pub fn check_all_classes_occur(&self) -> Result<(), Error> {
        let counted = self.chips.iter().all(|chip| chip.ignored.is_some());
        if self.absent == AbsentClasses::Allow || !counted {
            return Ok(());
        }
        let pixels = self.class_pixels();
        let absent: Vec<_> = self
            .classes
            .iter()
            .zip(pixels)
            .filter(|(_, pixels)| *pixels == 0)
            .map(|(name, _)| name.clone())
            .collect();
        if absent.is_empty() {
            Ok(())
        } else {
            Err(Error::AbsentClasses { split: self.split, classes: absent })
        }
    }

    /// Which chip each sample of a stream shows.
    pub(crate) fn order(&self, seed: u64) -> Order {
        Order::new(seed, self.len(), self.chances.clone())
    }

    /// Opens an image, and checks its size and bands.
    pub(crate) fn open_image(&self, index: usize) -> Result<GeoRaster, Error> {
        let name = self.path(&self.chips[index].image);
        let options = ReadOptions { bands: self.selection.clone(), ..ReadOptions::default() };
        let raster = GeoRaster::open(&name, &options).map_err(|source| match source {
            source @ (seg_gdal::Error::AmbiguousBands { .. } | seg_gdal::Error::NoSuchBand { .. }) => {
                Error::ChipBands { name: name.clone(), needed: self.bands, source: Box::new(source) }
            }
            source => opening(&name)(source),
        })?;
        self.same_size(index, &name, &raster)?;
        let dtype = raster.profile().dtype.name();
        if !self.dtypes.is_empty() && !self.dtypes.iter().any(|accepted| accepted == dtype) {
            return Err(Error::ChipType { name, dtype, expected: self.dtypes.join(" or ") });
        }
        Ok(raster)
    }

    /// Values (C, H, W) of a window, and which of them were measured (H, W).
    pub(crate) fn read_image(
        &self,
        index: usize,
        window: Window,
    ) -> Result<(Array3<f32>, Array2<bool>), Error> {
        let mut raster = self.open_image(index)?;
        self.inside(index, &self.chips[index].image, window)?;
        let read = raster
            .read(window)
            .map_err(|source| Error::Read { name: self.path(&self.chips[index].image), source })?;
        let shape = (window.height, window.width);
        Ok(match read {
            Some(patch) => (patch.values, patch.valid),
            None => (Array3::zeros((self.bands, shape.0, shape.1)), Array2::from_elem(shape, false)),
        })
    }

    /// Class indices (H, W) of a window, 255 for what is ignored.
    pub(crate) fn read_label(&self, index: usize, window: Window) -> Result<Array2<u8>, Error> {
        let Some(label) = &self.chips[index].label else {
            return Ok(Array2::from_elem((window.height, window.width), IGNORE_INDEX));
        };
        self.inside(index, label, window)?;
        let name = self.path(label);
        let options =
            ReadOptions { bands: BandSelection::Explicit(vec![BandIndex::FIRST]), ..ReadOptions::default() };
        let raster = GeoRaster::open(&name, &options).map_err(opening(&name))?;
        self.same_size(index, &name, &raster)?;
        let has = || raster.raster_profile().bands_in_words();
        if raster.raster_profile().band_count != 1 || raster.profile().dtype != DataType::UInt8 {
            return Err(Error::NotALabelChip { name, has: has() });
        }
        let patch = raster.read_raw(window).map_err(|source| Error::Raster {
            action: "read labels of",
            name: name.clone(),
            source: Box::new(source),
        })?;
        let Some((band, RawValues::UInt8(mut ids))) = patch.bands.into_iter().next() else {
            return Err(Error::NotALabelChip { name, has: has() });
        };
        let nodata = band.nodata.filter(|value| (0.0..=255.0).contains(value)).map(|value| value as u8);
        self.map.apply(&mut ids, nodata).map_err(|ids| Error::UnknownLabelIds { name: name.clone(), ids })?;
        Array2::from_shape_vec((window.height, window.width), ids)
            .map_err(|_| Error::NotALabelChip { name, has: has() })
    }

    fn same_size(&self, index: usize, name: &str, raster: &GeoRaster) -> Result<(), Error> {
        let (expected, got) = (self.size(index), raster.profile().size);
        if got == expected { Ok(()) } else { Err(Error::ChipSize { name: name.to_owned(), got, expected }) }
    }

    fn inside(&self, index: usize, file: &str, window: Window) -> Result<(), Error> {
        if Window::whole(self.size(index)).contains(window) {
            Ok(())
        } else {
            Err(Error::OutsideChip { name: self.path(file), window })
        }
    }

    fn path(&self, file: &str) -> String {
        self.folder.join(file).to_string_lossy().into_owned()
    }
}

/// The bands of the settings, or those that leave no doubt.
fn selection(settings: &DataSettings, needed: usize) -> Result<BandSelection, Error> {
    let Some(numbers) = &settings.bands else { return Ok(BandSelection::Auto { needed }) };
    let bands: Option<Vec<_>> = numbers.iter().map(|&number| BandIndex::from_number(number)).collect();
    bands.filter(|bands| bands.len() == needed).map(BandSelection::Explicit).ok_or_else(|| Error::Setting {
        key: "bands",
        must: format!("{needed} numbers from 1 on, one for each band of the model"),
        got: format!("{numbers:?}"),
    })
}

/// The chips of a split, at least one.
fn chips(folder: &Path, split: Split, settings: &DataSettings) -> Result<Vec<ChipRecord>, Error> {
    let exclude = if split == settings.train { patterns(&settings.exclude)? } else { Vec::new() };
    let all = Manifest::read(folder)?.chips;
    let has: Vec<_> = Split::ALL
        .iter()
        .map(|split| format!("{} {split}", all.iter().filter(|chip| chip.split == *split).count()))
        .collect();
    let mut chips: Vec<_> = all.into_iter().filter(|chip| chip.split == split).collect();
    let before = chips.len();
    chips.retain(|chip| !exclude.iter().any(|pattern| pattern.is_match(&chip.source)));
    if chips.is_empty() {
        let has = format!("{} chips", has.join(", "));
        return Err(Error::EmptySplit { folder: folder.to_path_buf(), split, excluded: before, has });
    }
    Ok(chips)
}

fn check_labeled(folder: &Path, split: Split, chips: &[ChipRecord]) -> Result<(), Error> {
    match chips.iter().filter(|chip| chip.label.is_none()).count() {
        0 => Ok(()),
        unlabeled => {
            let folder = folder.to_path_buf();
            Err(Error::UnlabeledChips { folder, split, chips: unlabeled, of: chips.len() })
        }
    }
}

fn check_counted(folder: &Path, chips: &[ChipRecord], key: &'static str) -> Result<(), Error> {
    if chips.iter().any(|chip| chip.ignored.is_some()) {
        return Ok(());
    }
    Err(Error::NotCounted { folder: folder.to_path_buf(), key })
}

fn patterns(texts: &[String]) -> Result<Vec<Regex>, Error> {
    let pattern = |text: &String| {
        Regex::new(text)
            .map_err(|source| Error::ExcludePattern { pattern: text.clone(), source: Box::new(source) })
    };
    texts.iter().map(pattern).collect()
}

fn read_legend(folder: &Path) -> Result<Legend, Error> {
    let path = folder.join(Manifest::LEGEND);
    let text = fs::read_to_string(&path).map_err(|source| Error::File {
        action: "read",
        path: path.clone(),
        source,
    })?;
    Legend::from_toml_str(&text).map_err(|source| Error::Legend { name: legend_path(folder), source })
}

fn legend_path(folder: &Path) -> String {
    folder.join(Manifest::LEGEND).display().to_string()
}

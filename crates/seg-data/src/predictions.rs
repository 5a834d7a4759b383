use crate::tile::plain_band;
use crate::{ChipSet, Error, Existing, MadeFolder};
use ndarray::Array2;
use seg_gdal::{BandIndex, ChipFormat, Crs, GridReference, Interpretation, RawPatch, RawValues, write_chip};
use seg_grid::{DataType, GeoTransform, Size};
use seg_label::{IGNORE_INDEX, Rgb};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What predictions are written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PredictionStyle {
    /// Red, green and blue of the legend, as ISPRS' labels are.
    Colors,
    /// Ids of the legend, as `LoveDA`'s test takes them: one less than in its masks.
    Ids,
}

/// A folder of PNG files, one a chip and named as it, that appear all together when they are whole.
///
/// Dropped before [`PredictionFolder::publish`], it leaves nothing behind.
#[derive(Debug)]
pub struct PredictionFolder<'a> {
    set: &'a ChipSet,
    style: PredictionStyle,
    folder: PathBuf,
    work: PathBuf,
    /// The folder, if it was made for them.
    _made: MadeFolder,
}

const WORK: &str = ".rs-seg-predictions";

impl<'a> PredictionFolder<'a> {
    /// Makes room for the predictions of a set.
    ///
    /// # Errors
    /// If the folder is that of the chips, two chips have one name, predictions are there already and are not to be
    /// replaced or are of other chips, or the folder cannot be made.
    pub fn create(
        folder: &Path,
        existing: Existing,
        set: &'a ChipSet,
        style: PredictionStyle,
    ) -> Result<Self, Error> {
        let same = |file: PathBuf| {
            let (Some(parent), Ok(folder)) = (file.parent(), folder.canonicalize()) else { return false };
            parent.canonicalize().is_ok_and(|parent| parent == folder)
        };
        if set.files().any(same) {
            return Err(Error::AmongChips { folder: folder.to_path_buf() });
        }
        let mut names = BTreeSet::new();
        for index in 0..set.len() {
            let name = file_name(set, index);
            if existing == Existing::Refuse && folder.join(&name).exists() {
                return Err(Error::PredictionExists { path: folder.join(name) });
            }
            if let Some(name) = names.replace(name) {
                return Err(Error::SameName { name });
            }
        }
        if existing == Existing::Replace {
            check_alone(folder, &names)?;
        }
        let work = folder.join(WORK);
        if work.exists() {
            // Left by a run that was killed.
            fs::remove_dir_all(&work).map_err(file("remove", &work))?;
        }
        let made = MadeFolder::create(folder).map_err(file("create the folder", folder))?;
        fs::create_dir(&work).map_err(file("create the folder", &work))?;
        Ok(Self { set, style, folder: folder.to_path_buf(), work, _made: made })
    }

    /// Writes what was seen in a chip: class indices (H, W); any number of threads can do so.
    ///
    /// # Errors
    /// If the file cannot be written.
    ///
    /// # Panics
    /// If there are not so many chips.
    pub fn write(&self, index: usize, classes: &Array2<u8>) -> Result<(), Error> {
        let path = self.work.join(file_name(self.set, index));
        let chip = self.set.chip(index);
        let (height, width) = classes.dim();
        let size = Size { width, height };
        let mut reference = GridReference::unplaced(size);
        reference.transform = chip.transform.map(GeoTransform::from_gdal);
        // A CRS that this PROJ does not know is no reason to lose the picture.
        reference.crs = chip.crs.as_ref().and_then(|crs| Crs::parse(crs).ok());
        write_chip(&path, self.patch(classes, size), &reference, ChipFormat::Png, &[]).map_err(|source| {
            Error::Raster {
                action: "write the prediction",
                name: path.display().to_string(),
                source: Box::new(source),
            }
        })
    }

    fn patch(&self, classes: &Array2<u8>, size: Size) -> RawPatch {
        let legend = self.set.legend().classes();
        // Where nothing was seen there is the darkest gray of no class: black, as in ISPRS' labels.
        let is_free =
            |gray: &u8| legend.iter().all(|class| class.color != Rgb { r: *gray, g: *gray, b: *gray });
        let nothing = match self.style {
            PredictionStyle::Colors => (0..IGNORE_INDEX).find(is_free).unwrap_or(IGNORE_INDEX),
            PredictionStyle::Ids => IGNORE_INDEX,
        };
        let band = |position: usize, interpretation, value: &dyn Fn(&seg_label::Class) -> u8| {
            let mut values = [nothing; 256];
            for (value_of, class) in values.iter_mut().zip(legend) {
                *value_of = value(class);
            }
            let index = BandIndex::from_position(position);
            let profile =
                seg_gdal::BandProfile { interpretation, ..plain_band(index, DataType::UInt8, size) };
            (profile, RawValues::UInt8(classes.iter().map(|&class| values[usize::from(class)]).collect()))
        };
        let bands = match self.style {
            PredictionStyle::Ids => vec![band(0, Interpretation::Gray, &|class| class.id.0)],
            PredictionStyle::Colors => vec![
                band(0, Interpretation::Red, &|class| class.color.r),
                band(1, Interpretation::Green, &|class| class.color.g),
                band(2, Interpretation::Blue, &|class| class.color.b),
            ],
        };
        RawPatch { size, bands }
    }

    /// Gives the folder its files.
    ///
    /// # Errors
    /// If a file cannot be moved.
    pub fn publish(self) -> Result<(), Error> {
        for entry in fs::read_dir(&self.work).map_err(file("search the folder", &self.work))? {
            let entry = entry.map_err(file("search the folder", &self.work))?;
            let to = self.folder.join(entry.file_name());
            fs::rename(entry.path(), &to).map_err(file("move to its place", &to))?;
        }
        Ok(())
    }
}

impl Drop for PredictionFolder<'_> {
    fn drop(&mut self) {
        // Nothing better can be done about a folder that cannot be removed.
        let _ = fs::remove_dir_all(&self.work);
    }
}

/// Refuses to put predictions among pictures that stay, which would pass for theirs.
fn check_alone(folder: &Path, names: &BTreeSet<String>) -> Result<(), Error> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    let found = entries.filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()));
    let is_picture = |name: &String| name.to_lowercase().ends_with(".png");
    let mut others: Vec<_> = found.filter(|name| is_picture(name) && !names.contains(name)).collect();
    others.sort_unstable();
    match others.first().cloned() {
        Some(example) => {
            Err(Error::AmongPictures { folder: folder.to_path_buf(), count: others.len(), example })
        }
        None => Ok(()),
    }
}

/// The name of a chip's file with another ending.
fn file_name(set: &ChipSet, index: usize) -> String {
    let stem = Path::new(&set.chip(index).image).file_stem().unwrap_or_default();
    format!("{}.png", stem.to_string_lossy())
}

fn file(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error + use<> {
    let path = path.to_path_buf();
    move |source| Error::File { action, path, source }
}

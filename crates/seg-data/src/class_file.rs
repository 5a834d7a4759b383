use crate::Error;
use crate::class_names::{legend_of_ids, legend_of_raster};
use crate::labels::{LabelReader, opening};
use ndarray::Array2;
use seg_gdal::{
    BandIndex, BandSelection, ByteValidity, GeoRaster, RasterProfile, RawValues, ReadOptions, check_same_grid,
};
use seg_grid::{DataType, IoError, Size, Window};
use seg_label::{ClassId, Code, Convention, Legend, Rgb, Tally};
use seg_vector::{ClassSource, NO_CLASS, Sureness};
use std::ops::Range;

/// A value that marks codes of no class in a table of bytes, unless a class has it.
const UNKNOWN: u8 = 254;

/// What probabilities are, with what rounding may add to them.
const PROBABILITIES: std::ops::RangeInclusive<f64> = -1e-3..=1.001;

/// Where names and colors of classes come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LegendOrigin {
    /// The user, or the raster itself.
    Told,
    /// Nobody: classes are called by their ids.
    Ids,
}

/// A class raster on disk, read in rows, with the confidence of its pixels if there is a raster of that.
///
/// ```no_run
/// use seg_data::ClassFile;
/// use seg_vector::ClassSource;
/// let mut raster = ClassFile::open("classes.tif", None)?;
/// let ids = raster.classes(0..512)?; // (512, W), 255 where there is no class
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ClassFile {
    name: String,
    convention: Convention,
    origin: LegendOrigin,
    reader: LabelReader,
    profile: RasterProfile,
    /// For rasters of bytes: what each byte is.
    table: Option<Box<[u8; 256]>>,
    confidence: Option<Confidence>,
    notes: Vec<String>,
}

/// A raster of confidence, whose first band is the probability of the class.
#[derive(Debug)]
struct Confidence {
    name: String,
    raster: GeoRaster,
}

impl ClassFile {
    /// Opens a raster of ids or of a legend's colors; without a convention its legend is what the raster carries
    /// along, or else the ids.
    ///
    /// # Errors
    /// If it cannot be opened, or has neither ids nor colors of the legend.
    pub fn open(name: &str, convention: Option<Convention>) -> Result<Self, Error> {
        let by_ids = legend_of_ids(0..NO_CLASS).map(Convention::new).ok_or(Error::NoLegend)?;
        let (reader, profile, said) = LabelReader::open_raster(name, convention.as_ref().unwrap_or(&by_ids))?;
        if let Some(convention) = convention {
            let own = convention.in_own_ids();
            return Ok(Self::new(name, (reader, profile, said), own, LegendOrigin::Told));
        }
        if let Some(legend) = legend_of_raster(&profile) {
            let own = Convention::new(legend);
            let opened = LabelReader::open_raster(name, &own)?;
            return Ok(Self::new(name, opened, own, LegendOrigin::Told));
        }
        let by_id = reader.by_id().ok_or_else(|| Error::ColorsAlone { name: name.to_owned() })?;
        Ok(Self::new(name, (by_id, profile, Vec::new()), by_ids, LegendOrigin::Ids))
    }

    fn new(
        name: &str,
        (reader, profile, notes): (LabelReader, RasterProfile, Vec<String>),
        convention: Convention,
        origin: LegendOrigin,
    ) -> Self {
        let table = table(&reader, &convention);
        Self { name: name.to_owned(), convention, origin, reader, profile, table, confidence: None, notes }
    }

    /// Takes confidence from another raster on the same grid: bytes of 0 to 254, or floats of 0 to 1.
    ///
    /// # Errors
    /// If it cannot be opened, lies elsewhere, or has other values.
    pub fn with_confidence(mut self, name: &str) -> Result<Self, Error> {
        let options =
            ReadOptions { bands: BandSelection::Explicit(vec![BandIndex::FIRST]), ..ReadOptions::default() };
        let raster = GeoRaster::open(name, &options).map_err(opening(name))?;
        let notes = check_same_grid(&self.profile, raster.raster_profile()).map_err(|source| {
            Error::Grid { image: self.name.clone(), label: name.to_owned(), source: Box::new(source) }
        })?;
        self.notes.extend(notes.iter().map(ToString::to_string));
        let dtype = raster.raster_profile().bands.first().and_then(|band| band.dtype);
        if !matches!(dtype, Some(DataType::UInt8 | DataType::Float32 | DataType::Float64)) {
            return Err(Error::NoConfidence {
                name: name.to_owned(),
                has: raster.raster_profile().bands_in_words(),
            });
        }
        self.confidence = Some(Confidence { name: name.to_owned(), raster });
        Ok(self)
    }

    /// Its classes.
    pub const fn legend(&self) -> &Legend {
        &self.convention.legend
    }

    /// Where their names come from.
    pub const fn legend_origin(&self) -> LegendOrigin {
        self.origin
    }

    /// All that GDAL tells about it.
    pub const fn raster_profile(&self) -> &RasterProfile {
        &self.profile
    }

    /// What a caller should tell the user.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    fn window(&self, rows: &Range<usize>) -> Window {
        Window { x: 0, y: rows.start, width: self.profile.size.width, height: rows.len() }
    }

    fn read(&self, rows: &Range<usize>) -> Result<Array2<u8>, Error> {
        let window = self.window(rows);
        let unknown =
            |tally: &Tally| Error::NotOfLegend { name: self.name.clone(), codes: tally.describe_unknown() };
        if let (Some(table), LabelReader::Raster { raster, .. }) = (&self.table, &self.reader) {
            let raw = raster.read_raw(window).map_err(opening(&self.name))?;
            if let Some((_, RawValues::UInt8(mut classes))) = raw.bands.into_iter().next() {
                for class in &mut classes {
                    *class = table[usize::from(*class)];
                }
                // Codes that are unknown are looked at again below, which tells them.
                if !classes.contains(&UNKNOWN) || self.convention.legend.get(ClassId(UNKNOWN)).is_some() {
                    let shape = (window.height, window.width);
                    return Array2::from_shape_vec(shape, classes).map_err(|_| Error::NoLegend);
                }
            }
        }
        let mut tally = Tally::default();
        let ids = self.reader.read(window, &self.convention.relabel, &mut tally)?;
        if tally.unknown.is_empty() { Ok(ids) } else { Err(unknown(&tally)) }
    }
}

/// What each byte of a raster of bytes is, where only a value stands for nodata.
fn table(reader: &LabelReader, convention: &Convention) -> Option<Box<[u8; 256]>> {
    let LabelReader::Raster { raster, .. } = reader else { return None };
    if convention.legend.get(ClassId(UNKNOWN)).is_some() && convention.legend.len() < 255 {
        return None;
    }
    let validity = raster.byte_validity()?;
    let mut table = Box::new([NO_CLASS; 256]);
    for (code, class) in (0..=255_u8).zip(table.iter_mut()) {
        let Some(meaning) = meaning(reader, code).filter(|_| validity != ByteValidity::AllBut(code)) else {
            continue;
        };
        let mut tally = Tally::default();
        let decoded = convention.relabel.decode(meaning, &mut tally);
        *class = if tally.unknown.is_empty() { decoded } else { UNKNOWN };
    }
    Some(table)
}

/// What a byte stands for in a raster of ids or with a color table; `None` where that has no such entry.
fn meaning(reader: &LabelReader, code: u8) -> Option<Code> {
    if reader.is_by_id() {
        return Some(Code::Id(code.into()));
    }
    let LabelReader::Raster { raster, .. } = reader else { return None };
    let palette = raster.raster_profile().bands.first()?.palette.as_ref()?;
    palette.entries.get(usize::from(code)).map(|[r, g, b, _]| Code::Color(Rgb::new(*r, *g, *b)))
}

impl ClassSource for ClassFile {
    fn size(&self) -> Size {
        self.profile.size
    }

    fn classes(&mut self, rows: Range<usize>) -> Result<Array2<u8>, IoError> {
        self.read(&rows).map_err(|error| reading(&self.name, &rows, error))
    }

    fn confidence(&mut self, rows: Range<usize>) -> Result<Option<Array2<Sureness>>, IoError> {
        let window = self.window(&rows);
        let Some(Confidence { name, raster }) = &self.confidence else { return Ok(None) };
        let failed = |source| reading(name, &rows, opening(name)(source));
        let raw = raster.read_raw(window).map_err(failed)?;
        let valid = raster.read_validity(window).map_err(failed)?;
        let sureness = |probability: f64| {
            if probability.is_finite() && !PROBABILITIES.contains(&probability) {
                let has = format!("the value {probability}");
                return Err(reading(name, &rows, Error::NoConfidence { name: name.clone(), has }));
            }
            Ok(Sureness::of_probability(probability))
        };
        let values: Vec<Sureness> = match raw.bands.into_iter().next() {
            Some((_, RawValues::UInt8(bytes))) => {
                where_valid(bytes, &valid, |byte| Ok(Sureness::of_byte(byte)))?
            }
            Some((_, RawValues::Float32(floats))) => {
                where_valid(floats, &valid, |value| sureness(value.into()))?
            }
            Some((_, RawValues::Float64(floats))) => where_valid(floats, &valid, sureness)?,
            _ => return Ok(None),
        };
        Ok(Array2::from_shape_vec((window.height, window.width), values).ok())
    }

    fn reopen(&self) -> Result<Box<dyn ClassSource>, IoError> {
        let again = || {
            let again = Self::open(&self.name, Some(self.convention.clone()))?;
            let table = table(&again.reader, &self.convention);
            let again = Self { convention: self.convention.clone(), origin: self.origin, table, ..again };
            match &self.confidence {
                Some(confidence) => again.with_confidence(&confidence.name),
                None => Ok(again),
            }
        };
        again().map(|again| Box::new(again) as Box<dyn ClassSource>).map_err(|error| {
            let hint = error.hint();
            IoError { action: format!("cannot open {} once more", self.name), hint, cause: Box::new(error) }
        })
    }
}

fn reading(name: &str, rows: &Range<usize>, error: Error) -> IoError {
    let action = format!("cannot read rows {} to {} of {name}", rows.start, rows.end - 1);
    IoError { action, hint: error.hint(), cause: Box::new(error) }
}

/// What values are where they are valid, and nothing that is known elsewhere.
fn where_valid<T>(
    values: Vec<T>,
    valid: &Array2<bool>,
    sureness: impl Fn(T) -> Result<Sureness, IoError>,
) -> Result<Vec<Sureness>, IoError> {
    let known = values.into_iter().zip(valid);
    known.map(|(value, valid)| if *valid { sureness(value) } else { Ok(Sureness::UNKNOWN) }).collect()
}

use super::lines::TileLines;
use super::probabilities::Probabilities;
use super::totals::Counted;
use super::{CompareJob, Grids};
use crate::Error;
use crate::labels::{LabelFile, LabelReader};
use ndarray::{Array2, ArrayView2, s};
use seg_gdal::{GridOverlap, GridReference, RasterProfile, overlap_on_grid};
use seg_grid::{Size, Window};
use seg_label::{
    Assessment, CellGrid, ConfusionMatrix, Convention, CountedPart, IGNORE_INDEX, Legend, LineAgreement,
    MapPair, Relabel, ScenePlace, Tally, count_cells,
};

const REMEDY: &str =
    "`--resample nearest` gives each pixel of the prediction the nearest one of the other raster";

/// What is known of a pair before its pixels are read.
#[derive(Debug, Clone)]
pub(super) struct PairPlan {
    /// Of the prediction.
    pub size: Size,
    /// The part of the prediction that is compared.
    pub compared: Window,
    /// Whether that is less than the prediction or the truth.
    pub cut: bool,
    pub resampled: bool,
    /// Square meters of a pixel.
    pub pixel_area: Option<f64>,
}

/// From the prediction's pixels to another raster's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Shift {
    x: i64,
    y: i64,
}

/// Labels beside the prediction, and where they are.
struct Beside {
    reader: LabelReader,
    shift: Shift,
}

/// A prediction and what it is compared with, open for one thread.
pub(super) struct OpenPair {
    pub plan: PairPlan,
    prediction: LabelReader,
    truth: Beside,
    other: Option<Beside>,
    probabilities: Option<Probabilities>,
    lines: Option<TileLines>,
    /// How predictions write classes.
    own: Relabel,
}

/// A raster on the prediction's grid, and what is to be said of it.
struct Laid {
    beside: Beside,
    overlap: GridOverlap,
    size: Size,
    resampled: bool,
    said: Vec<String>,
}

impl OpenPair {
    /// Opens the pair of this number, and gives what the user should know about it.
    pub(super) fn open(
        job: &CompareJob,
        i: usize,
        convention: &Convention,
    ) -> Result<(Self, Vec<String>), Error> {
        // A prediction is in the legend's own ids or colors, whatever the truth's files write.
        let own = convention.in_own_ids();
        let (prediction, profile, mut said) = LabelReader::open_raster(&job.predictions[i], &own)?;
        let truth = lay(&job.truths[i], &profile, convention, job.grids)?;
        said.extend(truth.said);
        let mut compared = truth.overlap.image;
        let cut = compared.size() != profile.size || truth.overlap.label.size() != truth.size;
        let other = match job.others.get(i) {
            None => None,
            Some(name) => {
                let file = LabelFile::Raster(name.clone());
                let other = lay(&file, &profile, &own, job.grids)?;
                said.extend(other.said);
                compared = compared.intersect(other.overlap.image).ok_or_else(|| Error::Grid {
                    image: job.truths[i].name().to_owned(),
                    label: name.clone(),
                    source: Box::new(seg_gdal::Error::NoOverlap {
                        image: job.truths[i].name().to_owned(),
                        label: name.clone(),
                    }),
                })?;
                Some(other.beside)
            }
        };
        let known = job.known(i);
        let open = |name: &String| Probabilities::open(name, &profile, &convention.legend);
        let plan = PairPlan {
            size: profile.size,
            compared,
            cut: cut || compared != truth.overlap.image,
            resampled: truth.resampled,
            pixel_area: pixel_area(&profile),
        };
        let pair = Self {
            plan,
            prediction,
            truth: truth.beside,
            other,
            probabilities: known.probabilities.as_ref().map(open).transpose()?,
            lines: known.tile_lines,
            own: own.relabel,
        };
        Ok((pair, said))
    }

    /// Counts a window of what is compared, in the prediction's pixels.
    pub(super) fn count(
        &self,
        job: &CompareJob,
        i: usize,
        window: Window,
        grid: CellGrid,
        convention: &Convention,
    ) -> Result<Counted, Error> {
        let compared = self.plan.compared;
        // Beyond what is compared nothing is looked at, so that the same is counted however the rasters are cut.
        let around = window.grown(job.plan.margin()).intersect(compared).unwrap_or(window);
        let (mut truth, mut prediction, mut other_tally) =
            (Tally::default(), Tally::default(), Tally::default());
        let true_ids = self.truth.read(around, window, &convention.relabel, &mut truth)?;
        let seen = read_counting(&self.prediction, around, window, &self.own, &mut prediction)?;
        let (rows, columns) = window.relative_to(around).ranges();
        let maps = MapPair { truth: true_ids.view(), prediction: seen.view(), rows, columns };
        let place = ScenePlace { grid, x: window.x - compared.x, y: window.y - compared.y };
        let wrong = |source| mismatch(job, i, source);
        let mut assessment = Assessment::new(&convention.legend, job.plan);
        let CountedPart { cells, truth: counted_truth } = assessment.add(&maps, place).map_err(wrong)?;
        let other = match &self.other {
            None => None,
            Some(other) => {
                let seen = other.read(window, window, &self.own, &mut other_tally)?;
                let inside = s![maps.rows.clone(), maps.columns.clone()];
                let maps = MapPair {
                    truth: maps.truth.slice(inside),
                    prediction: seen.view(),
                    rows: 0..window.height,
                    columns: 0..window.width,
                };
                let mut matrix = ConfusionMatrix::new(&convention.legend);
                let cells =
                    count_cells(&mut matrix, &counted_truth.slice(inside), &maps, place).map_err(wrong)?;
                Some((matrix, cells))
            }
        };
        let inside = s![maps.rows.clone(), maps.columns.clone()];
        let (core_truth, core_seen) = (counted_truth.slice(inside), seen.slice(inside));
        let count = |probabilities: &Probabilities| {
            probabilities.count(window, &convention.legend, &core_truth, &core_seen)
        };
        Ok(Counted {
            cells,
            assessment: Some(assessment),
            other,
            calibration: self.probabilities.as_ref().map(count).transpose()?,
            lines: self.lines.as_ref().map(|lines| near_lines(lines, window, &core_truth, &core_seen)),
            mapped: mapped(&core_seen, &convention.legend, |_, _| true),
            truth,
            prediction,
            other_tally,
        })
    }

    /// Counts only the classes of the map, but for what is compared.
    pub(super) fn count_beyond(&self, window: Window, convention: &Convention) -> Result<Counted, Error> {
        let mut prediction = Tally::default();
        let seen = self.prediction.read(window, &self.own, &mut prediction)?;
        let compared = self.plan.compared;
        let beyond = |x: usize, y: usize| {
            let (x, y) = (x + window.x, y + window.y);
            !(compared.x..compared.right()).contains(&x) || !(compared.y..compared.bottom()).contains(&y)
        };
        Ok(Counted {
            assessment: None,
            cells: Vec::new(),
            other: None,
            calibration: None,
            lines: None,
            mapped: mapped(&seen.view(), &convention.legend, beyond),
            truth: Tally::default(),
            prediction,
            other_tally: Tally::default(),
        })
    }

    /// The classes of a window of what is compared: truth, then prediction.
    pub(super) fn read(&self, window: Window, convention: &Convention) -> Result<[Array2<u8>; 2], Error> {
        let mut nothing = Tally::default();
        Ok([
            self.truth.read(window, window, &convention.relabel, &mut nothing)?,
            self.prediction.read(window, &self.own, &mut nothing)?,
        ])
    }
}

impl Beside {
    /// The classes around a window of the prediction's pixels, of which the window's are counted.
    fn read(
        &self,
        around: Window,
        window: Window,
        relabel: &Relabel,
        tally: &mut Tally,
    ) -> Result<Array2<u8>, Error> {
        read_counting(&self.reader, self.shift.moved(around), self.shift.moved(window), relabel, tally)
    }
}

impl Shift {
    fn of(overlap: &GridOverlap) -> Self {
        let (image, label) = (overlap.image, overlap.label);
        Self { x: label.x as i64 - image.x as i64, y: label.y as i64 - image.y as i64 }
    }

    fn moved(self, window: Window) -> Window {
        let moved = |at: usize, by: i64| (at as i64 + by).max(0) as usize;
        Window { x: moved(window.x, self.x), y: moved(window.y, self.y), ..window }
    }
}

/// Reads the classes around a window, and counts the codes of the window alone.
fn read_counting(
    reader: &LabelReader,
    around: Window,
    window: Window,
    relabel: &Relabel,
    tally: &mut Tally,
) -> Result<Array2<u8>, Error> {
    let mut met = Tally::default();
    let ids = reader.read(around, relabel, &mut met)?;
    if around == window || met.unknown.is_empty() {
        // What is known is not told one by one.
        tally.merge(met);
    } else {
        reader.read(window, relabel, tally)?;
    }
    Ok(ids)
}

/// Opens labels on the prediction's grid, or brings them there.
fn lay(
    file: &LabelFile,
    image: &RasterProfile,
    convention: &Convention,
    grids: Grids,
) -> Result<Laid, Error> {
    let LabelFile::Raster(name) = file else {
        let (reader, said) = LabelReader::open(file, image, convention)?;
        let whole = Window::whole(image.size);
        return Ok(Laid {
            beside: Beside { reader, shift: Shift::default() },
            overlap: GridOverlap { image: whole, label: whole },
            size: image.size,
            resampled: false,
            said,
        });
    };
    let (reader, profile, mut said) = LabelReader::open_raster(name, convention)?;
    let error = match overlap_on_grid(image, &profile, REMEDY) {
        Ok((overlap, notes)) => {
            said.extend(notes.iter().map(ToString::to_string));
            let beside = Beside { reader, shift: Shift::of(&overlap) };
            return Ok(Laid { beside, overlap, size: profile.size, resampled: false, said });
        }
        Err(error) => error,
    };
    let grid =
        |source| Error::Grid { image: image.name.clone(), label: name.clone(), source: Box::new(source) };
    if grids == Grids::Same || matches!(error, seg_gdal::Error::NoOverlap { .. }) {
        return Err(grid(error));
    }
    let reader = reader.resampled(&GridReference::from(image)).map_err(grid)?;
    said.push(format!("{name} was brought to the grid of {} by nearest neighbors", image.name));
    let whole = Window::whole(image.size);
    Ok(Laid {
        beside: Beside { reader, shift: Shift::default() },
        overlap: GridOverlap { image: whole, label: whole },
        size: image.size,
        resampled: true,
        said,
    })
}

/// Square meters of a pixel, where the CRS tells lengths.
fn pixel_area(profile: &RasterProfile) -> Option<f64> {
    let meters = profile.crs.as_ref().filter(|crs| !crs.is_geographic())?.meters_per_unit()?;
    let gsd = profile.transform?.gsd();
    Some(gsd.x * gsd.y * meters * meters)
}

/// Pixels of each class of the legend, of those that `counts` has by column and row.
fn mapped(seen: &ArrayView2<'_, u8>, legend: &Legend, counts: impl Fn(usize, usize) -> bool) -> Vec<u64> {
    let mut pixels = [0_u64; 256];
    for (y, row) in seen.outer_iter().enumerate() {
        for (x, &id) in row.iter().enumerate() {
            if counts(x, y) {
                pixels[usize::from(id)] += 1;
            }
        }
    }
    legend.classes().iter().map(|class| pixels[usize::from(class.id.0)]).collect()
}

fn near_lines(
    lines: &TileLines,
    window: Window,
    truth: &ArrayView2<'_, u8>,
    seen: &ArrayView2<'_, u8>,
) -> LineAgreement {
    let (columns, rows) =
        (lines.near_columns(window.x, window.width), lines.near_rows(window.y, window.height));
    let mut agreement = LineAgreement::default();
    for ((truth, seen), &near_row) in truth.outer_iter().zip(seen.outer_iter()).zip(&rows) {
        for ((&truth, &seen), &near_column) in truth.iter().zip(seen).zip(&columns) {
            if truth != IGNORE_INDEX {
                let near = near_row || near_column;
                let agreement = if near { &mut agreement.near } else { &mut agreement.elsewhere };
                agreement.add(truth, seen);
            }
        }
    }
    agreement
}

pub(super) fn mismatch(job: &CompareJob, i: usize, source: seg_label::Error) -> Error {
    Error::Compare { prediction: job.predictions[i].clone(), truth: job.truths[i].name().to_owned(), source }
}

use crate::training::augment::{
    LinearAxis, NearestAxis, Photometric, Sensor, Symmetry, bilinear, bilinear_valid, crop_window, is_varied,
    resized,
};
use crate::training::order::Draw;
use crate::training::random::Random;
use crate::{AugmentSettings, ChipSet, Error, InputScale};
use ndarray::{Array2, Array3, ArrayView2, Axis, Zip, s};
use seg_grid::{Size, Window};
use seg_label::IGNORE_INDEX;

/// A square to learn from.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Network input (C, H, W), 0 where there are no data.
    pub image: Array3<f32>,
    /// Class indices (H, W), 255 where nothing is to be learned.
    pub label: Array2<u8>,
}

/// How samples of a set are made; checked once.
#[derive(Debug, Clone)]
pub(crate) struct Recipe {
    augment: AugmentSettings,
    scale: InputScale,
    seed: u64,
    crop: usize,
}

/// Labels of chips up to this size are read whole, of larger ones crop by crop.
const WHOLE_LABEL: u64 = 1 << 22;
/// What white is in while values are changed.
const WHITE: f64 = 255.0;

/// One sample of a stream by its number, as a [`Loader`](crate::Loader)'s threads compute it.
///
/// It depends on the arguments and nothing else.
///
/// # Errors
/// If a setting cannot be used, or the chip cannot be read.
pub fn sample(
    set: &ChipSet,
    augment: &AugmentSettings,
    scale: &InputScale,
    seed: u64,
    crop: usize,
    number: u64,
) -> Result<Sample, Error> {
    let recipe = Recipe::new(set.bands(), augment.clone(), scale.clone(), seed, crop)?;
    recipe.sample(set, set.order(seed).of(number))
}

impl Recipe {
    /// Refuses what cannot be used for images of so many bands.
    pub(crate) fn new(
        bands: usize,
        augment: AugmentSettings,
        scale: InputScale,
        seed: u64,
        crop: usize,
    ) -> Result<Self, Error> {
        augment.check(bands)?;
        scale.check(bands)?;
        if crop == 0 {
            return Err(Error::Setting { key: "crop", must: "at least 1".to_owned(), got: crop.to_string() });
        }
        Ok(Self { augment, scale, seed, crop })
    }

    /// The sample that an epoch makes of a chip.
    pub(crate) fn sample(&self, set: &ChipSet, draw: Draw) -> Result<Sample, Error> {
        let Draw { epoch, chip, repeat } = draw;
        let name = [self.seed, epoch, chip as u64, repeat];
        let mut random = Random::of(if repeat == 0 { &name[..3] } else { &name });
        let size = set.size(chip);
        let scaled = resized(size, self.augment.ratio(&mut random));
        let (window, label) = self.choose_crop(set, chip, scaled, &mut random)?;
        let (image, valid) = self.read_crop(set, chip, scaled, window)?;
        let symmetry = Symmetry::draw(&self.augment, &mut random);
        let (mut image, label) = (symmetry.apply(image), symmetry.apply(label));
        let valid = valid.map(|valid| symmetry.apply(valid));
        let photometric = Photometric::draw(&self.augment, &mut random);
        let sensor = Sensor::draw(&self.augment, set.bands(), &mut random);
        let changes = self.augment.photometric || !sensor.is_nothing();
        let unit = if changes { WHITE / self.scale.divide } else { 1.0 };
        if changes {
            image *= unit as f32;
            photometric.apply(&mut image);
            sensor.apply(&mut image);
        }
        Ok(self.finish(&image, &label, valid.as_ref().map(|valid| valid.view()), unit))
    }

    /// A crop of the scaled chip, drawn again as long as one class fills it, and its labels (h, w).
    fn choose_crop(
        &self,
        set: &ChipSet,
        chip: usize,
        scaled: Size,
        random: &mut Random,
    ) -> Result<(Window, Array2<u8>), Error> {
        let size = set.size(chip);
        let picky = self.augment.cat_max_ratio < 1.0;
        let tries = if picky { self.augment.crop_tries } else { 0 };
        let whole = (tries > 0 && size.area() <= WHOLE_LABEL)
            .then(|| set.read_label(chip, Window::whole(size)))
            .transpose()?;
        let cut = |window: Window| {
            let rows = NearestAxis::new(size.height, scaled.height, window.y..window.bottom());
            let columns = NearestAxis::new(size.width, scaled.width, window.x..window.right());
            if let Some(whole) = &whole {
                return Ok(nearest(&whole.view(), &rows, &columns, (0, 0)));
            }
            let needed = source_window(&rows.source, &columns.source);
            let part = set.read_label(chip, needed)?;
            Ok::<_, Error>(nearest(&part.view(), &rows, &columns, (needed.y, needed.x)))
        };
        let mut window = crop_window(scaled, self.crop, random);
        for _ in 0..tries {
            let label = cut(window)?;
            if is_varied(&label.view(), self.augment.cat_max_ratio) {
                return Ok((window, label));
            }
            window = crop_window(scaled, self.crop, random);
        }
        Ok((window, cut(window)?))
    }

    /// The values (C, h, w) of a crop of the scaled chip, and which have data (h, w) unless all have.
    fn read_crop(
        &self,
        set: &ChipSet,
        chip: usize,
        scaled: Size,
        window: Window,
    ) -> Result<(Array3<f32>, Option<Array2<bool>>), Error> {
        let size = set.size(chip);
        let rows = LinearAxis::new(size.height, scaled.height, window.y..window.bottom());
        let columns = LinearAxis::new(size.width, scaled.width, window.x..window.right());
        let (mut values, valid) = set.read_image(chip, source_window(&rows.source, &columns.source))?;
        let gaps = !valid.iter().all(|&valid| valid);
        if gaps {
            // What has no data can hold anything, NaN too, and a blur would spread it.
            for (mut band, mean) in values.axis_iter_mut(Axis(0)).zip(&self.scale.mean) {
                let mean = (mean * self.scale.divide) as f32;
                Zip::from(&mut band).and(&valid).for_each(|value, &valid| {
                    if !valid {
                        *value = mean;
                    }
                });
            }
        }
        let valid = gaps.then(|| bilinear_valid(&valid.view(), &rows, &columns));
        Ok((bilinear(&values.view(), &rows, &columns), valid))
    }

    /// Makes values network input, and fills the square up at the right and bottom.
    fn finish(
        &self,
        image: &Array3<f32>,
        label: &Array2<u8>,
        valid: Option<ArrayView2<'_, bool>>,
        unit: f64,
    ) -> Sample {
        let (bands, height, width) = image.dim();
        let mut square = Array3::zeros((bands, self.crop, self.crop)); // (C, H, W)
        let mut labels = Array2::from_elem((self.crop, self.crop), IGNORE_INDEX); // (H, W)
        let mut inside = labels.slice_mut(s![..height, ..width]);
        inside.assign(label);
        if let Some(valid) = valid {
            Zip::from(&mut inside).and(valid).for_each(|label, &valid| {
                if !valid {
                    *label = IGNORE_INDEX;
                }
            });
        }
        for (number, (mut out, band)) in square.outer_iter_mut().zip(image.outer_iter()).enumerate() {
            let (factor, summand) = self.scale.linear(number, unit);
            let mut out = out.slice_mut(s![..height, ..width]);
            Zip::from(&mut out).and(band).for_each(|out, value| *out = value * factor + summand);
            if let Some(valid) = valid {
                Zip::from(&mut out).and(valid).for_each(|out, &valid| {
                    if !valid {
                        *out = 0.0;
                    }
                });
            }
        }
        Sample { image: square, label: labels }
    }
}

fn source_window(rows: &std::ops::Range<usize>, columns: &std::ops::Range<usize>) -> Window {
    Window { x: columns.start, y: rows.start, width: columns.len(), height: rows.len() }
}

/// Labels (h, w) of a crop from those of the source, whose first row and column are `origin`.
fn nearest(
    source: &ArrayView2<'_, u8>,
    rows: &NearestAxis,
    columns: &NearestAxis,
    origin: (usize, usize),
) -> Array2<u8> {
    let mut out = Vec::with_capacity(rows.taps.len() * columns.taps.len());
    for &y in &rows.taps {
        let line = source.row(y - origin.0);
        match line.as_slice() {
            Some(line) => out.extend(columns.taps.iter().map(|&x| line[x - origin.1])),
            None => out.extend(columns.taps.iter().map(|&x| line[x - origin.1])),
        }
    }
    let shape = (rows.taps.len(), columns.taps.len());
    Array2::from_shape_vec(shape, out).unwrap_or_else(|_| Array2::from_elem(shape, IGNORE_INDEX))
}

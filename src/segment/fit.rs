//! Whether a raster is like those that a network learned from.

use super::PixelSize;
use super::gsd::meters;
use super::input::Input;
use ndarray::{Array3, Axis, s};
use seg_grid::{IoError, Patch, RasterSource, Window};
use seg_nn::{InputSpec, ModelCard, SeenBand};
use seg_run::Normalizer;

/// How often a pixel's side may be that of the training's.
const PIXEL_SIZES: std::ops::RangeInclusive<f64> = 0.67..=1.5;
/// How far the mean of a band may lie from that of the training, in its standard deviations.
const SHIFT: f64 = 2.0;
/// How often the standard deviation may be that of the training.
const SPREADS: std::ops::RangeInclusive<f64> = 0.33..=3.0;
/// The share of pixels that may be darker or brighter than all but 2 % of the training's.
const OUTSIDE: f64 = 0.5;
/// The same where only the normalization is known, which makes a mean of about 0 and a deviation of about 1.
const NORMALIZED_MEAN: f64 = 3.0;
const NORMALIZED_SPREADS: std::ops::RangeInclusive<f64> = 0.1..=3.5;

/// Windows that are looked at along each side, and the side of one.
const WINDOWS: usize = 8;
const SIDE: usize = 128;

/// Values of one band as they enter the network.
#[derive(Debug, Clone, PartialEq)]
struct Sampled {
    mean: f64,
    std: f64,
    /// In order.
    values: Vec<f64>,
}

/// What a normalization makes of the rasters that it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// It changes nothing, as that of networks which have it inside.
    Anything,
    /// It divides, to 0 to 1.
    UnitRange,
    /// It makes a mean of 0 and a standard deviation of 1.
    Standardized,
}

/// What of a raster is not as the network knows it, a line each.
pub(crate) fn warnings(
    card: &ModelCard,
    pixel_size: PixelSize,
    normalizer: &Normalizer,
    input: &mut Input,
) -> Result<Vec<String>, IoError> {
    let mut warnings: Vec<String> = pixel_size_warning(card, pixel_size, input).into_iter().collect();
    let bands = input.bands.clone();
    let sampled = sample(normalizer, &mut *input.original)?;
    for (channel, sampled) in sampled.iter().enumerate() {
        // A palette makes several channels of one band.
        let band = bands.get(channel).or(bands.first()).copied().unwrap_or(channel + 1);
        let found = match card.seen.get(channel) {
            Some(seen) => against_training(band, &sampled.in_values(card, channel), seen),
            None => against_normalization(band, sampled, Expected::of(&card.input)),
        };
        warnings.extend(found);
    }
    Ok(warnings)
}

fn pixel_size_warning(card: &ModelCard, pixel_size: PixelSize, input: &Input) -> Option<String> {
    let (gsd, own) = (card.input.gsd_m?, meters(&input.reference)?);
    let fits = PIXEL_SIZES.contains(&(own.x / gsd)) && PIXEL_SIZES.contains(&(own.y / gsd));
    (pixel_size == PixelSize::Native && !fits).then(|| {
        let name = input.original.profile().name.as_str();
        format!(
            "the pixels of {name} have {:.3} x {:.3} m, the network learned from {gsd} m: objects look {} than it \
             knows them",
            own.x,
            own.y,
            if own.x < gsd { "larger" } else { "smaller" }
        )
    })
}

/// Against the values of the training.
fn against_training(band: usize, found: &Sampled, seen: &SeenBand) -> Option<String> {
    // A training on one value tells nothing of others.
    let deviation = seen.std.max(f64::EPSILON * seen.mean.abs()).max(f64::MIN_POSITIVE);
    let (shift, spread) = ((found.mean - seen.mean) / deviation, found.std / deviation);
    let outside = found.values.iter().filter(|value| !(seen.p1..=seen.p99).contains(*value)).count() as f64;
    let outside = outside / found.values.len().max(1) as f64;
    let odd = shift.abs() > SHIFT || !SPREADS.contains(&spread) || outside > OUTSIDE;
    odd.then(|| {
        format!(
            "band {band} is not like what the network learned from: mean {}, standard deviation {}, {:.0} % of pixels \
             outside of {} to {}; in training mean {}, standard deviation {}",
            short(found.mean),
            short(found.std),
            100.0 * outside,
            short(seen.p1),
            short(seen.p99),
            short(seen.mean),
            short(seen.std)
        )
    })
}

impl Expected {
    fn of(input: &InputSpec) -> Self {
        let is = |number: f64, expected: f64| (number - expected).abs() < f64::EPSILON;
        let as_they_are =
            input.mean.iter().all(|&mean| is(mean, 0.0)) && input.std.iter().all(|&std| is(std, 1.0));
        match (as_they_are, is(input.divide, 1.0)) {
            (true, true) => Self::Anything,
            (true, false) => Self::UnitRange,
            (false, _) => Self::Standardized,
        }
    }
}

/// Against what a normalization is for.
fn against_normalization(band: usize, found: &Sampled, expected: Expected) -> Option<String> {
    let (least, most) = (*NORMALIZED_SPREADS.start(), *NORMALIZED_SPREADS.end());
    let large = found.mean.abs() > NORMALIZED_MEAN || found.std > most;
    let odd = match expected {
        Expected::Anything => false,
        Expected::UnitRange => large,
        Expected::Standardized => large || found.std < least,
    };
    odd.then(|| {
        format!(
            "band {band} is hardly like what the network learned from: normalized, its mean is {} and its standard \
             deviation {}, where about 0 and 1 are usual; look at --scaling and --bands",
            short(found.mean),
            short(found.std)
        )
    })
}

impl Sampled {
    fn new(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let count = values.len().max(1) as f64;
        let mean = values.iter().sum::<f64>() / count;
        let std = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt();
        Self { mean, std, values }
    }

    /// The same in the values of the rasters of the training.
    fn in_values(&self, card: &ModelCard, channel: usize) -> Self {
        let (divide, mean, std) = (card.input.divide, card.input.mean[channel], card.input.std[channel]);
        Self::new(self.values.iter().map(|value| (value * std + mean) * divide).collect())
    }
}

/// Measured pixels as they enter the network, band by band, from windows spread over the raster; no band without one.
///
/// Windows, not a decimated read: that would decode all of a raster without overviews.
fn sample(normalizer: &Normalizer, source: &mut dyn RasterSource) -> Result<Vec<Sampled>, IoError> {
    let (size, bands) = (source.profile().size, source.profile().bands);
    let mut values: Vec<Vec<f64>> = vec![Vec::new(); bands];
    let starts = |length: usize| -> Vec<usize> {
        let most = length.saturating_sub(SIDE);
        let count = WINDOWS.min(length.div_ceil(SIDE));
        (0..count).map(|i| if count > 1 { i * most / (count - 1) } else { most / 2 }).collect()
    };
    for &y in &starts(size.height) {
        for &x in &starts(size.width) {
            let window = Window { x, y, width: SIDE.min(size.width), height: SIDE.min(size.height) };
            let Some(mut patch) = source.read(window)? else { continue };
            thin(&mut patch);
            normalizer.apply(&mut patch);
            for (values, plane) in values.iter_mut().zip(patch.values.axis_iter(Axis(0))) {
                let measured = plane.iter().zip(&patch.valid).filter(|(v, valid)| **valid && v.is_finite());
                values.extend(measured.map(|(value, _)| f64::from(*value)));
            }
        }
    }
    Ok(values.into_iter().filter(|values| !values.is_empty()).map(Sampled::new).collect())
}

/// Keeps every second row and column.
fn thin(patch: &mut Patch) {
    let values: Array3<f32> = patch.values.slice(s![.., ..;2, ..;2]).to_owned(); // (C, H, W) -> (C, H / 2, W / 2)
    patch.valid = patch.valid.slice(s![..;2, ..;2]).to_owned(); // (H, W) -> (H / 2, W / 2)
    patch.values = values;
}

/// A number with four digits.
fn short(number: f64) -> String {
    let digits = (3.0 - number.abs().max(1e-9).log10().floor()).clamp(0.0, 6.0) as usize;
    let text = format!("{number:.digits$}");
    match text.split_once('.') {
        Some((whole, part)) if part.chars().all(|digit| digit == '0') => whole.to_owned(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEEN: SeenBand = SeenBand { mean: 100.0, std: 20.0, p1: 50.0, p99: 150.0 };

    fn band(low: f64, high: f64) -> Sampled {
        Sampled::new((0..=1000).map(|i| low + (high - low) * f64::from(i) / 1000.0).collect())
    }

    #[test]
    fn values_like_the_training_s_are_silent_and_others_told_with_numbers() {
        for (low, high) in [(60.0, 140.0), (40.0, 160.0), (70.0, 180.0)] {
            assert_eq!(against_training(1, &band(low, high), &SEEN), None, "{low} to {high}");
        }
        let dark = against_training(3, &band(0.0, 40.0), &SEEN).unwrap();
        assert!(
            dark.starts_with("band 3 is not like") && dark.contains("mean 20, standard deviation 11.5"),
            "{dark}"
        );
        assert!(dark.contains("100 % of pixels outside of 50 to 150"), "{dark}");
        assert!(against_training(1, &band(99.0, 101.0), &SEEN).is_some(), "a flat band");
        assert!(against_training(1, &band(-300.0, 500.0), &SEEN).is_some(), "a wide one");
        let constant = SeenBand { mean: 0.0, std: 0.0, p1: 0.0, p99: 0.0 };
        assert!(against_training(1, &band(0.0, 1.0), &constant).is_some());
    }

    #[test]
    fn without_a_training_s_values_the_normalization_tells() {
        let told = |low, high, expected| against_normalization(2, &band(low, high), expected);
        assert_eq!(told(-1.7, 1.7, Expected::Standardized), None);
        assert_eq!(told(0.0, 1.0, Expected::UnitRange), None);
        assert_eq!(told(0.3, 0.31, Expected::UnitRange), None, "a calm sea");
        assert_eq!(told(0.0, 255.0, Expected::Anything), None, "nothing is known");
        assert!(told(0.0, 255.0, Expected::UnitRange).is_some());
        let raw = told(0.0, 255.0, Expected::Standardized).unwrap();
        assert!(raw.contains("band 2") && raw.contains("127.5") && raw.contains("--scaling"), "{raw}");
        assert!(told(0.3, 0.31, Expected::Standardized).is_some(), "all alike");
    }

    #[test]
    fn numbers_have_four_digits() {
        for (number, text) in
            [(20.0, "20"), (0.012_345, "0.01235"), (-1234.56, "-1235"), (0.0, "0"), (11.547, "11.55")]
        {
            assert_eq!(short(number), text);
        }
    }
}

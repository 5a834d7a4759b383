use crate::{ChipSet, Error};
use rayon::prelude::*;
use seg_grid::Window;

/// The values of one band of a set's images, as they stand in the rasters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BandValues {
    /// Mean.
    pub mean: f64,
    /// Standard deviation (of the population).
    pub std: f64,
    /// The value that one of a hundred pixels is below.
    pub p1: f64,
    /// The value that one of a hundred pixels is above.
    pub p99: f64,
}

/// Chips that are looked at.
const CHIPS: usize = 256;
/// Pixels of each.
const PIXELS: usize = 4096;

/// The values of each band of a set's images, from up to 256 chips in equal steps; none without a measured pixel.
///
/// The same set gives the same numbers, for any number of threads.
///
/// # Errors
/// If an image cannot be read.
pub fn band_values(set: &ChipSet) -> Result<Vec<BandValues>, Error> {
    let count = CHIPS.min(set.len());
    let chips: Vec<Vec<Vec<f32>>> = (0..count)
        .into_par_iter()
        .map(|number| some_pixels(set, number * set.len() / count))
        .collect::<Result<_, _>>()?;
    let band = |band: usize| {
        let mut values: Vec<f32> = chips.iter().flat_map(|bands| bands[band].iter().copied()).collect();
        values.sort_by(f32::total_cmp);
        of_sorted(&values)
    };
    Ok((0..set.bands()).map_while(band).collect())
}

/// Some measured pixels of a chip, band by band.
fn some_pixels(set: &ChipSet, chip: usize) -> Result<Vec<Vec<f32>>, Error> {
    let (values, valid) = set.read_image(chip, Window::whole(set.size(chip)))?; // (C, H, W), (H, W)
    let step = valid.len().div_ceil(PIXELS).max(1);
    let band = |plane: ndarray::ArrayView2<'_, f32>| {
        let seen =
            plane.iter().zip(&valid).step_by(step).filter(|(value, valid)| **valid && value.is_finite());
        seen.map(|(value, _)| *value).collect()
    };
    Ok(values.outer_iter().map(band).collect())
}

fn of_sorted(values: &[f32]) -> Option<BandValues> {
    let (count, last) = (values.len() as f64, values.len().checked_sub(1)?);
    let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / count;
    let spread = values.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / count;
    let at = |share: f64| f64::from(values[(share * last as f64).round() as usize]);
    Some(BandValues { mean, std: spread.sqrt(), p1: at(0.01), p99: at(0.99) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_by_hand() {
        let values: Vec<f32> = (0..=100).map(|value| value as f32).collect();
        let found = of_sorted(&values).expect("values");
        assert_eq!((found.mean, found.p1, found.p99), (50.0, 1.0, 99.0));
        assert!((found.std - 850.0_f64.sqrt()).abs() < 1e-9);
        assert_eq!(of_sorted(&[]), None);
    }
}

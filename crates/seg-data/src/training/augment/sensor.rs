use crate::training::augment::AugmentSettings;
use crate::training::random::Random;
use ndarray::{Array3, ArrayViewMut2, Axis};

/// What another sensor would have seen, as drawn for one sample; what was not drawn is `None`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sensor {
    gains: Option<Vec<f32>>,
    gamma: Option<f32>,
    blur: Option<Vec<f32>>,
    noise: Option<(f32, Random)>,
}

impl Sensor {
    /// Draws the changes of a sample.
    pub(crate) fn draw(settings: &AugmentSettings, bands: usize, random: &mut Random) -> Self {
        let gain = settings.channel_gain;
        let gains =
            (gain > 0.0).then(|| (0..bands).map(|_| random.between(1.0 - gain, 1.0 + gain) as f32).collect());
        let [low, high] = settings.gamma;
        let gamma = (low < 1.0 || high > 1.0).then(|| random.between(low, high) as f32);
        let blurred = settings.blur > 0.0 && random.chance(settings.blur);
        let blur = blurred.then(|| {
            let reach = 1 + random.below(2);
            kernel(reach, random.between(0.3, 1.2))
        });
        let noise = (settings.noise > 0.0).then(|| {
            let spread = random.between(0.0, settings.noise) as f32;
            (spread, Random::of(&[random.bits()]))
        });
        Self { gains, gamma, blur, noise }
    }

    /// Whether there is nothing to do.
    pub(crate) const fn is_nothing(&self) -> bool {
        self.gains.is_none() && self.gamma.is_none() && self.blur.is_none() && self.noise.is_none()
    }

    /// Changes an image (C, H, W) in which white is 255.
    pub(crate) fn apply(mut self, image: &mut Array3<f32>) {
        for (number, mut band) in image.axis_iter_mut(Axis(0)).enumerate() {
            if let Some(gain) = self.gains.as_ref().and_then(|gains| gains.get(number)) {
                band.mapv_inplace(|value| value * gain);
            }
            if let Some(gamma) = self.gamma {
                // A power of what lies below black is none.
                band.mapv_inplace(|v| if v > 0.0 { 255.0 * (v / 255.0).powf(gamma) } else { v });
            }
            if let Some(kernel) = &self.blur {
                blur(&mut band, kernel);
            }
            if let Some((spread, random)) = &mut self.noise {
                band.mapv_inplace(|value| value + *spread * normal(random));
            }
        }
    }
}

/// The weights of a Gaussian from `-reach` to `reach`.
fn kernel(reach: usize, sigma: f64) -> Vec<f32> {
    let weight = |place: usize| (-0.5 * ((place as f64 - reach as f64) / sigma).powi(2)).exp();
    let weights: Vec<_> = (0..=2 * reach).map(weight).collect();
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|weight| (weight / sum) as f32).collect()
}

/// Blurs along both axes; the edge goes on outside.
fn blur(band: &mut ArrayViewMut2<'_, f32>, kernel: &[f32]) {
    let reach = kernel.len() / 2;
    for axis in [0, 1] {
        let mut line = Vec::new();
        for mut lane in band.lanes_mut(Axis(axis)) {
            let (Some(&first), Some(&last)) = (lane.first(), lane.last()) else { return };
            line.clear();
            line.extend(std::iter::repeat_n(first, reach));
            line.extend(lane.iter());
            line.extend(std::iter::repeat_n(last, reach));
            for (value, around) in lane.iter_mut().zip(line.windows(kernel.len())) {
                *value = around.iter().zip(kernel).map(|(value, weight)| value * weight).sum();
            }
        }
    }
}

/// A number of mean 0 and variance 1, normal up to 3.4 deviations: a sum of four even ones.
fn normal(random: &mut Random) -> f32 {
    let bits = random.bits();
    let sum: u32 = (0..4).map(|part| (bits >> (16 * part)) as u32 & 0xffff).sum();
    // Four numbers from 0 to 65535 have the mean 131070 and the variance 4 (65536^2 - 1) / 12.
    (sum as f32 - 131_070.0) * (1.732_050_8 / 65536.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array, array};

    #[test]
    fn nothing_asked_for_is_nothing() {
        assert!(Sensor::draw(&AugmentSettings::default(), 3, &mut Random::of(&[1])).is_nothing());
    }

    #[test]
    fn gains_differ_by_band_and_gamma_keeps_black_and_white() {
        let settings = AugmentSettings { channel_gain: 0.2, ..AugmentSettings::none() };
        let mut image = Array3::from_elem((4, 2, 2), 100.0);
        Sensor::draw(&settings, 4, &mut Random::of(&[1])).apply(&mut image);
        let bands: Vec<_> = image.outer_iter().map(|band| band[[0, 0]]).collect();
        assert!(
            bands.iter().all(|value| (80.0..=120.0).contains(value)) && (bands[0] - bands[1]).abs() > 0.1
        );
        let settings = AugmentSettings { gamma: [2.0, 2.0], ..AugmentSettings::none() };
        let mut image = Array::from_shape_vec((1, 1, 4), vec![0.0, 255.0, 127.5, -3.0]).expect("fits");
        Sensor::draw(&settings, 1, &mut Random::of(&[1])).apply(&mut image);
        assert_eq!(image.into_raw_vec_and_offset().0, [0.0, 255.0, 63.75, -3.0]);
    }

    #[test]
    fn blur_keeps_the_sum_and_flat_ground() {
        let mut flat = Array::from_elem((5, 6), 7.0);
        blur(&mut flat.view_mut(), &kernel(2, 1.0));
        assert!(flat.iter().all(|value| (value - 7.0_f32).abs() < 1e-5));
        let mut point = Array::zeros((7, 7));
        point[[3, 3]] = 1.0;
        blur(&mut point.view_mut(), &kernel(1, 0.8));
        assert!((point.sum() - 1.0).abs() < 1e-6);
        assert!(point[[3, 3]] > point[[3, 2]] && point[[3, 1]] < f32::MIN_POSITIVE);
        assert!((point[[3, 2]] - point[[2, 3]]).abs() < 1e-7_f32);
        assert_eq!(kernel(1, 0.8).len(), 3);
        let mut line = array![[1.0, 1.0]];
        blur(&mut line.view_mut(), &kernel(2, 1.2));
        assert!((line[[0, 0]] - 1.0_f32).abs() < 1e-6);
    }

    #[test]
    fn noise_has_its_mean_and_spread() {
        let mut random = Random::of(&[2]);
        let drawn: Vec<_> = (0..20_000).map(|_| f64::from(normal(&mut random))).collect();
        let mean = drawn.iter().sum::<f64>() / 20_000.0;
        let variance = drawn.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
    }
}

use crate::training::augment::AugmentSettings;
use crate::training::augment::hsv::{Hsv, to_rgb};
use crate::training::random::Random;
use ndarray::Array3;

/// Changes of brightness, contrast, saturation and hue as drawn for one sample; what was not drawn is `None`.
///
/// They are those of `MMSegmentation`'s `PhotoMetricDistortion`, on bytes.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Photometric {
    brightness: Option<f32>,
    contrast: Option<f32>,
    /// Whether contrast comes after hue rather than before saturation.
    contrast_last: bool,
    saturation: Option<f32>,
    hue: Option<i32>,
}

/// The probability of each change.
const PROBABILITY: f64 = 0.5;

impl Photometric {
    /// Draws the changes of a sample; none if they are turned off.
    pub(crate) fn draw(settings: &AugmentSettings, random: &mut Random) -> Self {
        if !settings.photometric {
            return Self::default();
        }
        let mut maybe =
            |[low, high]: [f64; 2]| random.chance(PROBABILITY).then(|| random.between(low, high) as f32);
        let (brightness, contrast) =
            (maybe([-settings.brightness, settings.brightness]), maybe(settings.contrast));
        let saturation = maybe(settings.saturation);
        let contrast_last = random.chance(PROBABILITY);
        let most = settings.hue as usize;
        let hue =
            (most > 0 && random.chance(PROBABILITY)).then(|| random.below(2 * most) as i32 - most as i32);
        Self { brightness, contrast, contrast_last, saturation, hue }
    }

    /// Changes an image (3, H, W) of red, green and blue from 0 to 255; what was drawn makes them whole numbers.
    pub(crate) fn apply(&self, image: &mut Array3<f32>) {
        if *self == (Self { contrast_last: self.contrast_last, ..Self::default() }) {
            return;
        }
        let Some(values) = image.as_slice_mut() else { return };
        let area = values.len() / 3;
        let (before, after) = (self.before(), self.after());
        let (red, rest) = values.split_at_mut(area);
        let (green, blue) = rest.split_at_mut(area);
        if self.saturation.is_none() && self.hue.is_none() {
            for value in red.iter_mut().chain(green).chain(blue) {
                *value = f32::from(after[usize::from(before[usize::from(byte(*value))])]);
            }
            return;
        }
        let tables = Hsv::new();
        let saturation = table(|value| value * self.saturation.unwrap_or(1.0));
        let mut hues = [0; 256];
        for (hue, turned) in (0..180).zip(&mut hues) {
            *turned = (hue + self.hue.unwrap_or(0)).rem_euclid(180) as u8;
        }
        for ((r, g), b) in red.iter_mut().zip(green).zip(blue) {
            let rgb = [*r, *g, *b].map(|value| before[usize::from(byte(value))]);
            let [h, s, v] = tables.of_rgb(rgb);
            let rgb = to_rgb([hues[usize::from(h)], saturation[usize::from(s)], v]);
            [*r, *g, *b] = rgb.map(|value| f32::from(after[usize::from(value)]));
        }
    }

    /// Brightness, and contrast where it comes first.
    fn before(&self) -> [u8; 256] {
        let brighter = table(|value| value + self.brightness.unwrap_or(0.0));
        let contrast = table(|value| value * self.contrast.filter(|_| !self.contrast_last).unwrap_or(1.0));
        brighter.map(|value| contrast[usize::from(value)])
    }

    /// Contrast where it comes last.
    fn after(&self) -> [u8; 256] {
        table(|value| value * self.contrast.filter(|_| self.contrast_last).unwrap_or(1.0))
    }
}

/// What becomes of each byte; cut off at 0 and 255, and to whole numbers.
fn table(change: impl Fn(f32) -> f32) -> [u8; 256] {
    let mut table = [0; 256];
    for (value, changed) in (0_u8..=255).zip(&mut table) {
        *changed = change(f32::from(value)) as u8;
    }
    table
}

/// The closest byte.
fn byte(value: f32) -> u8 {
    (value + 0.5) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array;

    fn colors() -> Array3<f32> {
        Array::from_shape_fn((3, 16, 16), |(c, y, x)| ((c * 83 + y * 16 + x * 5) % 256) as f32)
    }

    #[test]
    fn nothing_drawn_changes_nothing_and_results_are_bytes() {
        let mut random = Random::of(&[4]);
        let (mut changed, mut same) = (0, 0);
        for _ in 0..200 {
            let drawn = Photometric::draw(&AugmentSettings::default(), &mut random);
            let mut image = colors();
            drawn.apply(&mut image);
            assert!(image.iter().all(|value| (0.0..=255.0).contains(value) && value.fract() == 0.0));
            if image == colors() { same += 1 } else { changed += 1 }
        }
        assert!(changed > 150 && same > 2, "{changed} changed, {same} did not");
        let mut image = colors() / 3.0;
        Photometric::default().apply(&mut image);
        assert_eq!(image, colors() / 3.0);
    }

    #[test]
    fn each_change_by_hand() {
        let pixel = |drawn: Photometric, rgb: [f32; 3]| {
            let mut image = Array::from_shape_vec((3, 1, 1), rgb.to_vec()).expect("fits");
            drawn.apply(&mut image);
            image.into_raw_vec_and_offset().0
        };
        let none = Photometric::default();
        let brighter = Photometric { brightness: Some(20.7), ..none };
        assert_eq!(pixel(brighter, [0.0, 100.0, 250.0]), [20.0, 120.0, 255.0]);
        let darker = Photometric { brightness: Some(-20.0), contrast: Some(1.5), ..none };
        assert_eq!(pixel(darker, [0.0, 101.0, 250.0]), [0.0, 121.0, 255.0]);
        let gray = Photometric { saturation: Some(0.0), ..none };
        assert_eq!(pixel(gray, [10.0, 100.0, 30.0]), [100.0, 100.0, 100.0]);
        let third = Photometric { hue: Some(60), ..none };
        assert_eq!(pixel(third, [200.0, 0.0, 0.0]), [0.0, 200.0, 0.0]);
        let back = Photometric { hue: Some(-60), ..none };
        assert_eq!(pixel(back, [200.0, 0.0, 0.0]), [0.0, 0.0, 200.0]);
        let last = Photometric { contrast: Some(0.5), contrast_last: true, hue: Some(60), ..none };
        assert_eq!(pixel(last, [201.0, 0.0, 0.0]), [0.0, 100.0, 0.0]);
    }
}

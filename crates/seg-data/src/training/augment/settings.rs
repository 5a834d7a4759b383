use crate::Error;
use crate::training::random::Random;
use serde::{Deserialize, Serialize};

/// How chips are varied: the `[augment]` section of a recipe.
///
/// The defaults are those of `MMSegmentation`'s recipes for 512 x 512 crops. Steps come in this order: scale and
/// crop, flip, photometric distortion, channel gain, gamma, blur, noise.
///
/// ```
/// use seg_data::AugmentSettings;
/// let settings: AugmentSettings = serde_json::from_str(r#"{"d4": true, "photometric": false}"#)?;
/// assert_eq!(settings.scale, [0.5, 2.0]);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct AugmentSettings {
    /// Smallest and largest ratio by which the sides of a chip are multiplied.
    pub scale: [f64; 2],
    /// How ratios are drawn between them.
    pub scale_distribution: ScaleDistribution,
    /// A crop is drawn again if its most frequent class has this share or more; 1 takes any crop.
    pub cat_max_ratio: f64,
    /// How often a crop is drawn again.
    pub crop_tries: u32,
    /// Probability of a horizontal flip.
    pub flip: f64,
    /// Takes one of the eight symmetries of a square, each as likely, in place of `flip`.
    pub d4: bool,
    /// Whether brightness, contrast, saturation and hue change, each with probability 0.5; needs red, green, blue.
    pub photometric: bool,
    /// Largest change of brightness, where white is 255.
    pub brightness: f64,
    /// Smallest and largest factor of contrast.
    pub contrast: [f64; 2],
    /// Smallest and largest factor of saturation.
    pub saturation: [f64; 2],
    /// Largest change of hue, where the circle is 180.
    pub hue: f64,
    /// Each band is multiplied by its own factor between `1 - channel_gain` and `1 + channel_gain`.
    pub channel_gain: f64,
    /// Smallest and largest exponent of the values, where white is 1.
    pub gamma: [f64; 2],
    /// Probability of a Gaussian blur of 3 x 3 or 5 x 5 pixels.
    pub blur: f64,
    /// Largest standard deviation of noise, where white is 255.
    pub noise: f64,
}

/// How ratios are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScaleDistribution {
    /// Each ratio is as likely.
    #[default]
    Uniform,
    /// Halving is as likely as doubling.
    LogUniform,
}

impl Default for AugmentSettings {
    fn default() -> Self {
        Self {
            scale: [0.5, 2.0],
            scale_distribution: ScaleDistribution::Uniform,
            cat_max_ratio: 0.75,
            crop_tries: 10,
            flip: 0.5,
            d4: false,
            photometric: true,
            brightness: 32.0,
            contrast: [0.5, 1.5],
            saturation: [0.5, 1.5],
            hue: 18.0,
            channel_gain: 0.0,
            gamma: [1.0, 1.0],
            blur: 0.0,
            noise: 0.0,
        }
    }
}

impl AugmentSettings {
    /// Crops at their own size and changes nothing else.
    pub fn none() -> Self {
        Self {
            scale: [1.0, 1.0],
            cat_max_ratio: 1.0,
            crop_tries: 0,
            flip: 0.0,
            photometric: false,
            ..Self::default()
        }
    }

    /// Refuses what makes no sense; `bands` are those of the images.
    ///
    /// # Errors
    /// If a value is out of its range, or photometric distortion is asked for without three bands.
    pub fn check(&self, bands: usize) -> Result<(), Error> {
        let refuse = |key, must: &str, got: String| Err(Error::Setting { key, must: must.to_owned(), got });
        for (key, [low, high], above) in [
            ("scale", self.scale, true),
            ("contrast", self.contrast, false),
            ("saturation", self.saturation, false),
            ("gamma", self.gamma, true),
        ] {
            if !(low.is_finite() && high.is_finite() && low <= high && low >= 0.0 && (!above || low > 0.0)) {
                let must = if above { "two rising numbers above 0" } else { "two rising numbers from 0 on" };
                return refuse(key, must, format!("[{low}, {high}]"));
            }
        }
        for (key, value) in [
            ("cat-max-ratio", self.cat_max_ratio),
            ("flip", self.flip),
            ("channel-gain", self.channel_gain),
            ("blur", self.blur),
        ] {
            if !(0.0..=1.0).contains(&value) {
                return refuse(key, "between 0 and 1", value.to_string());
            }
        }
        for (key, value, most) in
            [("brightness", self.brightness, 255.0), ("hue", self.hue, 180.0), ("noise", self.noise, 255.0)]
        {
            if !(0.0..=most).contains(&value) {
                return refuse(key, &format!("between 0 and {most}"), value.to_string());
            }
        }
        if self.photometric && bands != 3 {
            return Err(Error::PhotometricBands { bands });
        }
        Ok(())
    }

    /// The ratio of a sample.
    pub(crate) fn ratio(&self, random: &mut Random) -> f64 {
        let [low, high] = self.scale;
        match self.scale_distribution {
            ScaleDistribution::Uniform => random.between(low, high),
            ScaleDistribution::LogUniform => random.between(low.ln(), high.ln()).exp(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_written_out_and_read_back() {
        let settings = AugmentSettings::default();
        let text = serde_json::to_string(&settings).expect("JSON");
        for key in
            ["scale-distribution\":\"uniform", "cat-max-ratio\":0.75", "channel-gain\":0.0", "d4\":false"]
        {
            assert!(text.contains(key), "{key} in {text}");
        }
        assert_eq!(serde_json::from_str::<AugmentSettings>(&text).expect("reads back"), settings);
        assert!(serde_json::from_str::<AugmentSettings>(r#"{"flipp": 1}"#).is_err());
    }

    #[test]
    fn values_without_a_meaning_are_refused_by_name() {
        assert!(AugmentSettings::default().check(3).is_ok() && AugmentSettings::none().check(5).is_ok());
        let none = AugmentSettings::none;
        for (settings, key) in [
            (AugmentSettings { scale: [0.0, 1.0], ..none() }, "scale"),
            (AugmentSettings { gamma: [2.0, 1.0], ..none() }, "gamma"),
            (AugmentSettings { flip: f64::NAN, ..none() }, "flip"),
            (AugmentSettings { hue: -1.0, ..none() }, "hue"),
        ] {
            let message = settings.check(3).expect_err("refused").to_string();
            assert!(message.starts_with(key), "{message}");
        }
        let error = AugmentSettings::default().check(4).expect_err("four bands");
        assert!(error.hint().is_some_and(|hint| hint.contains("photometric = false")), "{error}");
    }

    #[test]
    fn ratios_follow_their_distribution() {
        let mut random = Random::of(&[5]);
        let mut below = |distribution| {
            let settings = AugmentSettings { scale_distribution: distribution, ..AugmentSettings::default() };
            let ratios: Vec<_> = (0..2000).map(|_| settings.ratio(&mut random)).collect();
            assert!(ratios.iter().all(|ratio| (0.5..=2.0).contains(ratio)));
            ratios.iter().filter(|ratio| **ratio < 1.0).count()
        };
        assert!((600..=735).contains(&below(ScaleDistribution::Uniform)));
        assert!((930..=1070).contains(&below(ScaleDistribution::LogUniform)));
    }
}

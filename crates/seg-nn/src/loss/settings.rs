//! The `[loss]` section: what is minimized.

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// What training minimizes: the defaults are the paper's, and where it is silent those of its reimplementation.
///
/// The total is `main + aux-weight · aux + cpc-weight · cpc + dice-weight · dice`; a term of weight 0 is not
/// computed.
///
/// # References
/// Liu and Wang, Remote Sens. 2024, 16, 2289, equations (5) to (9).
///
/// # Examples
/// ```
/// use seg_nn::{CpcCategory, LossSettings};
///
/// let settings: LossSettings = toml::from_str("cpc-category = \"label\"\ndice-weight = 0.5")?;
/// assert_eq!((settings.cpc_category, settings.aux_weight), (CpcCategory::Label, 0.4));
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct LossSettings {
    /// Weight of the score map's cross-entropy, λ1 of equation (9).
    pub aux_weight: f64,
    /// Temperature that cosines are divided by in the score map's cross-entropy, equation (7).
    pub tau: f64,
    /// Weight of the contrastive loss, λ2 of equation (9); 0 switches it off.
    pub cpc_weight: f64,
    /// Temperature of the contrastive loss, η of equation (5).
    pub eta: f64,
    /// What decides the category of a place of the score map.
    pub cpc_category: CpcCategory,
    /// What stands for a category that an image lacks.
    pub cpc_absent: CpcAbsent,
    /// Whether vectors are brought to unit length before they are multiplied.
    pub cpc_normalize: bool,
    /// Whether gradients stop at the mean vectors of the categories.
    pub cpc_detach: bool,
    /// What the contrastive loss of a batch is.
    pub cpc_reduce: CpcReduce,
    /// Which pixels the mean of a cross-entropy counts.
    pub denominator: Denominator,
    /// Weights of the classes in both cross-entropies, in the order of output channels; none are all 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_weights: Option<Vec<f64>>,
    /// Class weights from the shares of the classes in what is learned from: each to the power of minus this,
    /// scaled so that the mean over pixels is 1; 0 is none.
    pub class_weight_power: f64,
    /// Share of a pixel's target that is spread over all classes in both cross-entropies.
    pub label_smoothing: f64,
    /// Weight of the Dice loss of the main logits.
    pub dice_weight: f64,
}

/// What decides the category of a place of the score map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CpcCategory {
    /// The greatest score, as in the paper; ignored pixels take part.
    #[default]
    Predicted,
    /// The nearest label; ignored pixels are left out.
    Label,
}

/// What stands for a category that an image lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CpcAbsent {
    /// Its mean vector of the last batch that had it in the same place, without gradient.
    #[default]
    Memory,
    /// Nothing.
    Mask,
}

/// What the contrastive loss of a batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CpcReduce {
    /// The mean over all places.
    #[default]
    Mean,
    /// The sum over an image's places, averaged over images: equation (6) to the letter.
    Sum,
}

/// Which pixels the mean of a cross-entropy counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Denominator {
    /// All of them: ignored ones count as perfect, as in mmsegmentation up to 0.22.
    #[default]
    All,
    /// Those that are not ignored, each with its class's weight, as in `PyTorch`.
    Valid,
}

impl Default for LossSettings {
    fn default() -> Self {
        Self {
            aux_weight: 0.4,
            tau: 0.07,
            cpc_weight: 0.2,
            eta: 0.1,
            cpc_category: CpcCategory::default(),
            cpc_absent: CpcAbsent::default(),
            cpc_normalize: false,
            cpc_detach: false,
            cpc_reduce: CpcReduce::default(),
            denominator: Denominator::default(),
            class_weights: None,
            class_weight_power: 0.0,
            label_smoothing: 0.0,
            dice_weight: 0.0,
        }
    }
}

impl LossSettings {
    /// Checks the values for a network of `classes` classes.
    ///
    /// # Errors
    /// When a weight is negative, a temperature not above 0, there are not as many class weights as classes, or
    /// both class weights and a power for them are given.
    pub fn check(&self, classes: usize) -> Result<(), Error> {
        let weights = [
            ("aux-weight", self.aux_weight),
            ("cpc-weight", self.cpc_weight),
            ("dice-weight", self.dice_weight),
        ];
        for (key, weight) in weights {
            ensure(is_weight(weight), key, || format!("{weight} is not a number from 0"))?;
        }
        for (key, temperature) in [("tau", self.tau), ("eta", self.eta)] {
            let fits = temperature.is_finite() && temperature > 0.0;
            ensure(fits, key, || format!("{temperature} is not a number above 0"))?;
        }
        let smoothing = self.label_smoothing;
        ensure((0.0..1.0).contains(&smoothing), "label-smoothing", || {
            format!("{smoothing} is not in [0, 1)")
        })?;
        let (power, key) = (self.class_weight_power, "class-weight-power");
        ensure((0.0..=1.0).contains(&power), key, || format!("{power} is not in [0, 1]"))?;
        let Some(weights) = &self.class_weights else { return Ok(()) };
        ensure(power == 0.0, key, || "class-weights are given too; one of them decides".to_owned())?;
        let key = "class-weights";
        ensure(weights.len() == classes, key, || {
            format!("{} weights do not fit {classes} classes", weights.len())
        })?;
        if let Some(weight) = weights.iter().find(|weight| !is_weight(**weight)) {
            return Err(wrong(key, format!("{weight} is not a number from 0")));
        }
        ensure(weights.iter().any(|weight| *weight > 0.0), key, || "all of them are 0".to_owned())
    }

    /// The settings with class weights written out, for classes with these shares of the pixels.
    ///
    /// A class without pixels has no share, and weight 1.
    #[must_use]
    pub fn weighted(&self, shares: &[f64]) -> Self {
        let power = self.class_weight_power;
        if power == 0.0 {
            return self.clone();
        }
        let present = || shares.iter().filter(|share| **share > 0.0);
        let total: f64 = present().sum();
        let mean: f64 = present().map(|share| (share / total).powf(1.0 - power)).sum();
        let weight = |share: &f64| if *share > 0.0 { (share / total).powf(-power) / mean } else { 1.0 };
        let class_weights = Some(shares.iter().map(weight).collect());
        Self { class_weights, class_weight_power: 0.0, ..self.clone() }
    }
}

fn is_weight(value: f64) -> bool {
    value.is_finite() && value >= 0.0
}

fn ensure(fits: bool, key: &str, problem: impl Fn() -> String) -> Result<(), Error> {
    if fits { Ok(()) } else { Err(wrong(key, problem())) }
}

fn wrong(key: &str, problem: String) -> Error {
    Error::Loss { key: format!("loss.{key}"), problem }
}

#[cfg(test)]
mod tests {
    use super::LossSettings;

    #[test]
    fn defaults_are_written_out_and_read_back() {
        let text = toml::to_string(&LossSettings::default()).unwrap();
        for line in [
            "aux-weight = 0.4",
            "tau = 0.07",
            "cpc-weight = 0.2",
            "eta = 0.1",
            "cpc-category = \"predicted\"",
            "cpc-absent = \"memory\"",
            "cpc-reduce = \"mean\"",
            "denominator = \"all\"",
            "dice-weight = 0.0",
        ] {
            assert!(text.lines().any(|got| got == line), "{line} in {text}");
        }
        assert_eq!(toml::from_str::<LossSettings>(&text).unwrap(), LossSettings::default());
        assert_eq!(toml::from_str::<LossSettings>("").unwrap(), LossSettings::default());
        assert!(toml::from_str::<LossSettings>("lambda = 1.0").is_err());
    }

    #[test]
    fn rare_classes_weigh_more_and_a_pixel_weighs_1_on_average() {
        let settings = |power| LossSettings { class_weight_power: power, ..LossSettings::default() };
        let shares = [0.64, 0.0, 0.36];
        assert_eq!(settings(0.0).weighted(&shares).class_weights, None);
        let weights = settings(0.5).weighted(&shares).class_weights.unwrap();
        // Roots of the shares are 0.8 and 0.6.
        for (weight, expected) in weights.iter().zip([1.0 / 0.8 / 1.4, 1.0, 1.0 / 0.6 / 1.4]) {
            assert!((weight - expected).abs() < 1e-12, "{weights:?}");
        }
        let counts = settings(0.5).weighted(&[64.0, 0.0, 36.0]);
        assert!(counts.class_weights.unwrap().iter().zip(&weights).all(|(a, b)| (a - b).abs() < 1e-12));
        settings(0.5).weighted(&shares).check(3).unwrap();
    }

    #[test]
    fn values_that_cannot_be_meant_are_told() {
        let error =
            |text: &str| toml::from_str::<LossSettings>(text).unwrap().check(3).unwrap_err().to_string();
        assert_eq!(error("tau = 0.0"), "loss.tau: 0 is not a number above 0");
        assert_eq!(error("eta = nan"), "loss.eta: NaN is not a number above 0");
        assert_eq!(error("cpc-weight = -1.0"), "loss.cpc-weight: -1 is not a number from 0");
        assert_eq!(error("label-smoothing = 1.0"), "loss.label-smoothing: 1 is not in [0, 1)");
        assert_eq!(error("class-weights = [1.0]"), "loss.class-weights: 1 weights do not fit 3 classes");
        assert_eq!(error("class-weights = [0.0, 0.0, 0.0]"), "loss.class-weights: all of them are 0");
        assert_eq!(error("class-weight-power = 2.0"), "loss.class-weight-power: 2 is not in [0, 1]");
        let both = "class-weight-power = 0.5\nclass-weights = [1.0, 1.0, 1.0]";
        assert!(error(both).ends_with("class-weights are given too; one of them decides"));
        assert!(error("class-weights = [1.0, inf, 0.0]").ends_with("inf is not a number from 0"));
    }
}

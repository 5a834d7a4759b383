use crate::{Error, Split};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Which chips are trained and validated on: the `[data]` section of a recipe.
///
/// ```
/// use seg_data::{AbsentClasses, DataSettings, Split};
/// let settings: DataSettings = serde_json::from_str(r#"{"absent-classes": "allow"}"#)?;
/// assert_eq!((settings.train, settings.absent_classes), (Split::Train, AbsentClasses::Allow));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct DataSettings {
    /// The folder of chips that `rs-seg tile` made.
    pub folder: Option<PathBuf>,
    /// Numbers of the bands, from 1 on; `None` takes those that leave no doubt for the model.
    pub bands: Option<Vec<usize>>,
    /// The chips that are learned from.
    pub train: Split,
    /// The chips that choose between models.
    pub val: Split,
    /// What happens if a class comes nowhere in the training chips.
    pub absent_classes: AbsentClasses,
    /// Patterns (regular expressions) of sources that are left out of training.
    pub exclude: Vec<String>,
    /// How far sources of different size come equally often: from 0, each chip once an epoch, to 1, each source as
    /// often as any other.
    pub source_balance: f64,
    /// How far chips with rare classes come more often: from 0, not at all, to 1, a pixel counts by one over its
    /// class' share.
    pub class_balance: f64,
}

/// What happens if a class comes nowhere in the training chips.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AbsentClasses {
    /// Training is refused.
    #[default]
    Refuse,
    /// Training goes on without it.
    Allow,
}

impl DataSettings {
    /// Refuses what makes no sense.
    ///
    /// # Errors
    /// If a balance is not between 0 and 1.
    pub fn check(&self) -> Result<(), Error> {
        for (key, value) in [("source-balance", self.source_balance), ("class-balance", self.class_balance)] {
            if !(0.0..=1.0).contains(&value) {
                return Err(Error::Setting {
                    key,
                    must: "between 0 and 1".to_owned(),
                    got: value.to_string(),
                });
            }
        }
        Ok(())
    }
}

impl Default for DataSettings {
    fn default() -> Self {
        Self {
            folder: None,
            bands: None,
            train: Split::Train,
            val: Split::Val,
            absent_classes: AbsentClasses::Refuse,
            exclude: Vec::new(),
            source_balance: 0.0,
            class_balance: 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_written_out_and_unknown_keys_are_refused() {
        let text = serde_json::to_string(&DataSettings::default()).expect("JSON");
        assert_eq!(
            text,
            r#"{"folder":null,"bands":null,"train":"train","val":"val","absent-classes":"refuse","exclude":[],"source-balance":0.0,"class-balance":0.0}"#
        );
        assert_eq!(serde_json::from_str::<DataSettings>(&text).expect("reads back"), DataSettings::default());
        assert!(serde_json::from_str::<DataSettings>(r#"{"absent_classes": "allow"}"#).is_err());
    }
}

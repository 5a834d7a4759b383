//! What a checkpoint remembers of its training, besides weights.

use std::path::PathBuf;

use seg_nn::{Checkpoint, Config};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Error;
use crate::meter::Sums;
use crate::run_folder::FileMarks;

/// The best validation so far.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Best {
    pub(crate) step: u64,
    pub(crate) miou: f64,
}

/// What a training needs to go on, besides tensors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SavedRun {
    /// The folder of chips, as the user named it.
    pub(crate) data: PathBuf,
    /// A hash of what they are.
    pub(crate) chips: String,
    /// `cpu` or `cuda`.
    pub(crate) device: String,
    /// Threads of an operator, on which the last bits of a sum depend.
    pub(crate) threads: usize,
    /// How many processes trained together.
    #[serde(default = "one")]
    pub(crate) world: usize,
    pub(crate) best: Option<Best>,
    /// Validations since the best.
    pub(crate) stale: u64,
    /// Time spent training.
    pub(crate) seconds: f64,
    /// How good the last validation was.
    pub(crate) metrics: Map<String, Value>,
    /// What steps measured since the last line of metrics.
    #[serde(default)]
    pub(crate) sums: Sums,
    /// The launch that began it, where its launcher starts lost processes anew.
    #[serde(default)]
    pub(crate) launch: Option<String>,
    /// Where the first weights came from.
    pub(crate) origin: Map<String, Value>,
    pub(crate) files: FileMarks,
}

/// Settings that may change while a training is interrupted: no weight depends on them.
const FREE: [&str; 5] =
    ["data.folder", "train.check-ranks-every", "train.checkpoint-every", "train.queue", "train.workers"];

/// Settings that each of several processes may have for itself: what they do together does not depend on them.
pub(crate) const ONES_OWN: [&str; 3] = ["data.folder", "train.queue", "train.workers"];

impl SavedRun {
    /// Reads it out of a run's checkpoint.
    pub(crate) fn of(checkpoint: &Checkpoint, path: PathBuf) -> Result<Self, Error> {
        let state = Value::Object(checkpoint.training_state.clone());
        if checkpoint.training_state.is_empty() {
            return Err(Error::NotResumable { path });
        }
        serde_json::from_value(state)
            .map_err(|error| Error::State { path, problem: format!("its state of training: {error}") })
    }

    /// The step of the last validation.
    pub(crate) fn validated(&self) -> Option<u64> {
        self.metrics.get("step")?.as_u64()
    }

    pub(crate) fn to_map(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(map)) => map,
            // A struct of texts and numbers is always an object.
            _ => Map::new(),
        }
    }
}

/// What was not written down before there could be more.
const fn one() -> usize {
    1
}

/// The settings of a configuration by their names, besides some.
pub(crate) fn settings(config: &Config, but: &[&str]) -> Vec<(String, Value)> {
    let mut settings = Vec::new();
    if let Ok(Value::Object(map)) = serde_json::to_value(config) {
        map.iter().for_each(|(key, value)| flatten(key, value, &mut settings));
    }
    settings.retain(|(key, _)| !but.contains(&key.as_str()));
    settings
}

/// The settings in which two configurations differ, besides those that may.
pub(crate) fn differing(one: &Config, other: &Config) -> Vec<String> {
    let (one, other) = (settings(one, &FREE), settings(other, &FREE));
    let mut keys: Vec<_> = one.iter().filter(|setting| !other.contains(setting)).collect();
    keys.extend(other.iter().filter(|setting| !one.contains(setting)));
    let mut keys: Vec<_> = keys.into_iter().map(|(key, _)| key.clone()).collect();
    keys.sort();
    keys.dedup();
    keys
}

fn flatten(key: &str, value: &Value, into: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(map) => {
            map.iter().for_each(|(name, value)| flatten(&format!("{key}.{name}"), value, into));
        }
        _ => into.push((key.to_owned(), value.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn config(set: impl FnOnce(&mut Config)) -> Config {
        let text = include_str!("../../../configs/bemseg-small.toml");
        let mut config = Config::parse(text, "bemseg-small.toml".as_ref()).unwrap();
        config.data = None;
        set(&mut config);
        config
    }

    fn train(config: &mut Config) -> &mut toml::Table {
        config.train.as_mut().unwrap()
    }

    #[test]
    fn settings_that_differ_are_named() {
        let begun = config(|_| {});
        assert_eq!(differing(&begun, &begun), Vec::<String>::new());
        let other = config(|config| {
            *config.model.decoder.dropout_mut() = 0.2;
            config.class[1].name = "meadow".to_owned();
            train(config).insert("steps".to_owned(), 7.into());
            config.optimizer.as_mut().unwrap().remove("lr");
            config.data = Some("exclude = [\"a\"]".parse().unwrap());
        });
        let expected = ["class", "data.exclude", "model.decoder.dropout", "optimizer.lr", "train.steps"];
        assert_eq!(differing(&begun, &other), expected);
        assert_eq!(differing(&other, &begun), expected);
    }

    #[test]
    fn what_changes_no_weight_may_change() {
        let moved = config(|config| {
            config.data = Some("folder = \"elsewhere\"".parse().unwrap());
            for key in ["workers", "queue", "checkpoint-every"] {
                train(config).insert(key.to_owned(), 9.into());
            }
        });
        assert_eq!(differing(&config(|_| {}), &moved), Vec::<String>::new());
    }

    #[test]
    fn numbers_come_back_to_the_last_bit() {
        let mut map = json!({
            "data": "chips", "chips": "", "device": "cpu", "threads": 2, "stale": 1, "seconds": 1.5, "metrics": {"step": 40},
            "best": {"step": 20, "miou": 0.0}, "origin": {},
            "files": {"metrics_bytes": 1, "events_file": "e", "events_bytes": 2},
        });
        for number in (1_u64..2000).map(|n| (n as f64).sqrt().fract() * 10_f64.powi(n as i32 % 7 - 3)) {
            map["best"]["miou"] = number.into();
            let saved: SavedRun = serde_json::from_str(&map.to_string()).unwrap();
            assert_eq!(saved.best.unwrap().miou.to_bits(), number.to_bits());
            assert_eq!(saved.validated(), Some(40));
        }
    }
}

//! What values a network learned from.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The values of one band of the rasters that a network learned from, as they stood in the rasters.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SeenBand {
    /// Mean.
    pub mean: f64,
    /// Standard deviation.
    pub std: f64,
    /// The value that one of a hundred pixels is below.
    pub p1: f64,
    /// The value that one of a hundred pixels is above.
    pub p99: f64,
}

/// Where a checkpoint's provenance has them.
const KEY: &str = "input-values";

impl SeenBand {
    /// What the provenance of a checkpoint tells of its training's values, band by band; nothing where it was trained
    /// before that was written down.
    pub(crate) fn of(provenance: &Map<String, Value>) -> Vec<Self> {
        provenance.get(KEY).and_then(|bands| serde_json::from_value(bands.clone()).ok()).unwrap_or_default()
    }

    /// Writes the values of a training's bands into what becomes its checkpoints' provenance.
    pub fn write_into(bands: &[Self], provenance: &mut Map<String, Value>) {
        if let Ok(bands) = serde_json::to_value(bands) {
            provenance.insert(KEY.to_owned(), bands);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn provenance_carries_them_and_older_ones_have_none() {
        let bands = [SeenBand { mean: 99.5, std: 40.0, p1: 3.0, p99: 251.0 }];
        let mut provenance = Map::new();
        assert_eq!(SeenBand::of(&provenance), []);
        SeenBand::write_into(&bands, &mut provenance);
        assert_eq!(SeenBand::of(&provenance), bands);
        provenance.insert(KEY.to_owned(), "of another program".into());
        assert_eq!(SeenBand::of(&provenance), []);
    }
}

//! Figures with where they come from, since a plan is worth what its figures are.

use crate::diagnostic::Advice;
use serde::Serialize;
use serde_json::Value;

/// A figure that the plan is made from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Figure {
    pub what: &'static str,
    /// With its unit.
    pub value: String,
    pub origin: Origin,
}

/// Where a figure comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Origin {
    /// By rs-seg, on the machine where the measurement ran.
    Measured,
    /// By the user.
    Given,
    /// By nobody: what is usual.
    Assumed,
}

/// What a measurement says, as far as it says it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Measured {
    /// Seconds for a tile, all workers of the program together.
    pub tile_seconds: f64,
    pub side: Option<usize>,
    pub overlap: Option<usize>,
    pub bands: Option<usize>,
    pub sample_bytes: Option<usize>,
    /// Meters.
    pub gsd: Option<f64>,
    pub block: Option<usize>,
    pub cores: Option<u64>,
    /// What was timed, in words.
    pub how: String,
}

impl Origin {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Given => "given",
            Self::Assumed => "assumed",
        }
    }
}

impl Measured {
    /// From what `rs-seg infer --dry-run --json` or `rs-seg infer --json` printed.
    ///
    /// # Errors
    /// If it is neither.
    pub(crate) fn read(text: &str, name: &str) -> Result<Self, Advice> {
        let value: Value = serde_json::from_str(text).unwrap_or_default();
        Self::of(&value).ok_or_else(|| {
            let what =
                format!("{name} is not what rs-seg infer prints of a plan or a run, or has no time in it");
            Advice::new(what, "make one: rs-seg infer RASTER --dry-run --json > plan.json")
        })
    }

    /// From the same as a value.
    pub(crate) fn of(value: &Value) -> Option<Self> {
        let whole = |key: &str| value[key].as_u64().map(|number| number as usize);
        let device = value["device"].as_str().unwrap_or("an unknown device");
        // A run has computed tiles, a plan has timed some.
        let (tiles, how) = match whole("tiles_computed") {
            Some(computed) => (computed, format!("a whole run on {device}, reading and writing included")),
            None => (whole("tiles_in_area")?, format!("the network alone on empty tiles on {device}")),
        };
        let tile_seconds = value["seconds"].as_f64()? / tiles as f64;
        if !tile_seconds.is_finite() || tile_seconds <= 0.0 {
            return None;
        }
        let side = |axis: &str| value["tile"][axis].as_u64().map(|side| side as usize);
        Some(Self {
            tile_seconds,
            side: side("width").max(side("height")),
            overlap: whole("overlap"),
            bands: whole("bands"),
            sample_bytes: whole("sample_bytes"),
            gsd: value["gsd_m"].as_f64(),
            block: value["block"]["height"].as_u64().map(|side| side as usize),
            cores: value["workers"].as_u64().filter(|_| device == "cpu"),
            how,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_and_a_run_are_told_apart() {
        let plan = r#"{"tile": {"width": 512, "height": 300}, "tiles_in_area": 50, "overlap": 128, "seconds": 25.0,
                       "workers": 2, "device": "cpu", "bands": 3, "sample_bytes": 2, "gsd_m": 0.5, "tiles": 80}"#;
        let plan = Measured::read(plan, "plan.json").unwrap();
        assert_eq!((plan.tile_seconds.to_bits(), plan.side), (0.5_f64.to_bits(), Some(512)));
        assert_eq!((plan.overlap, plan.bands, plan.sample_bytes), (Some(128), Some(3), Some(2)));
        assert_eq!((plan.gsd, plan.cores, plan.block), (Some(0.5), Some(2), None));
        assert!(plan.how.contains("empty tiles"));
        let run = r#"{"tiles": 50, "tiles_computed": 40, "seconds": 8.0, "device": "cuda:0"}"#;
        let run = Measured::read(run, "run.json").unwrap();
        assert_eq!((run.tile_seconds.to_bits(), run.side, run.cores), (0.2_f64.to_bits(), None, None));
        assert!(run.how.contains("cuda:0"));
    }

    #[test]
    fn anything_else_is_refused_with_the_way_to_make_one() {
        for wrong in ["", "{}", "[1]", r#"{"seconds": 1.0, "tiles_computed": 0}"#, r#"{"tiles_in_area": 4}"#]
        {
            let error = Measured::read(wrong, "x.json").unwrap_err();
            assert!(error.to_string().contains("x.json"), "{wrong}");
        }
    }
}

//! Whether a network decides alike in bfloat16, and where that is remembered.

mod verdicts;

pub(crate) use verdicts::Verdicts;

use crate::network::NetworkName;
use crate::value::PrecisionChoice;
use seg_gdal::{BandSelection, GeoRaster, Probe, ReadOptions};
use seg_grid::{Observer, RasterSource, Size};
use seg_nn::{InferencePrecision, LoadedModel};
use seg_run::{Agreement, Network, Normalizer, Scaling, agreement, made_up_scene};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::path::Path;
use tch::Device;

/// Share of classes that have to be equal.
const ENOUGH: f64 = 0.999;
/// Tiles that are compared.
const TILES: usize = 8;
/// The side of the made-up scene.
const SCENE: usize = 1024;

/// What a check found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Verdict {
    /// Share of equal classes.
    pub equal: f64,
    pub pixels: u64,
    /// Seconds of a tile in float32 and in bfloat16, on one thread.
    pub seconds: [f64; 2],
}

impl Verdict {
    pub(crate) fn passed(&self) -> bool {
        self.equal >= ENOUGH
    }

    /// For machines.
    pub(crate) fn json(&self, model: &NetworkName) -> Value {
        let [single, half] = self.seconds;
        json!({"precision_check": {
            "model": model.to_string(), "equal": self.equal, "needed": ENOUGH, "pixels": self.pixels,
            "passed": self.passed(), "seconds_f32": single, "seconds_bf16": half,
        }})
    }

    /// For people.
    pub(crate) fn text(&self, model: &NetworkName) -> String {
        let [single, half] = self.seconds;
        let outcome = match (self.passed(), half < single) {
            (true, true) => "`--precision auto` computes in bf16",
            (true, false) => "bf16 is no quicker here, so `--precision auto` computes in f32",
            (false, _) => "too few, so `--precision auto` computes in f32",
        };
        format!(
            "{model}: bf16 gives {:.3} % of {} pixels the class of f32, in {:.2} times the time: {outcome}",
            100.0 * self.equal,
            self.pixels,
            half / single,
        )
    }
}

/// What a verdict holds for: one network on one kind of processor and one libtorch.
pub(crate) fn key(fingerprint: &str, device: Device) -> String {
    let build = seg_torch::build_info();
    format!("{fingerprint} on {device:?}, {} with libtorch {}", build.cpu_capability, build.version)
}

/// Runs a network in both precisions, over a raster or over a made-up scene.
pub(crate) fn check(
    model: &NetworkName,
    image: Option<&Path>,
    device: Device,
    observer: &dyn Observer,
) -> anyhow::Result<(String, Verdict)> {
    let LoadedModel { card, network, fingerprint } = model.load(device)?;
    let mut source: Box<dyn RasterSource> = match image {
        Some(path) => {
            let options = ReadOptions {
                bands: BandSelection::Auto { needed: card.input.bands },
                ..ReadOptions::default()
            };
            let mut raster = GeoRaster::open(&path.to_string_lossy(), &options)?;
            raster.probe(Probe::Sample)?;
            Box::new(raster)
        }
        None => Box::new(made_up_scene(card.input.bands, Size::square(SCENE), card.input.divide)),
    };
    // The made-up scene is in the model's units, whatever its type.
    let scaling = if image.is_some() { Scaling::Model } else { Scaling::Divide(card.input.divide) };
    let normalizer = Normalizer::new(scaling, &card.input, &mut *source)?;
    let half = network.at_precision(InferencePrecision::Bf16)?;
    let networks = [Network::new(network, normalizer.clone()), Network::new(half, normalizer)];
    let side = card.tile_side().next_multiple_of(card.input_multiple.max(1));
    seg_torch::set_intra_op_threads(1);
    let found @ Agreement { pixels, seconds, .. } =
        agreement([&networks[0], &networks[1]], &mut *source, Size::square(side), TILES, observer)?;
    let Some(equal) = found.share() else {
        anyhow::bail!("the raster has no valid pixel to compare precisions on");
    };
    let seconds = seconds.map(|time| time.as_secs_f64() / TILES as f64);
    Ok((key(&fingerprint, device), Verdict { equal, pixels, seconds }))
}

/// The precision that a run computes in; what `auto` found is told.
pub(crate) fn resolve(
    choice: PrecisionChoice,
    model: &NetworkName,
    fingerprint: &str,
    device: Device,
) -> (InferencePrecision, Option<String>) {
    match choice {
        PrecisionChoice::F32 => (InferencePrecision::F32, None),
        PrecisionChoice::Bf16 => (InferencePrecision::Bf16, None),
        PrecisionChoice::Auto => {
            let verdict = Verdicts::open().ok().and_then(|verdicts| verdicts.get(&key(fingerprint, device)));
            match verdict {
                Some(verdict) if verdict.passed() && verdict.seconds[1] < verdict.seconds[0] => {
                    let equal = 100.0 * verdict.equal;
                    let note = format!("precision auto: bf16, which decides {equal:.3} % of pixels alike");
                    (InferencePrecision::Bf16, Some(note))
                }
                Some(verdict) => {
                    let equal = 100.0 * verdict.equal;
                    let note = format!(
                        "precision auto: f32, for bf16 decides {equal:.3} % of pixels alike in {:.2} times the time",
                        verdict.seconds[1] / verdict.seconds[0]
                    );
                    (InferencePrecision::F32, Some(note))
                }
                None => {
                    let note = format!(
                        "precision auto: f32, for `rs-seg doctor --precision-check {model}` has not been run here"
                    );
                    (InferencePrecision::F32, Some(note))
                }
            }
        }
    }
}

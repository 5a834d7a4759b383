//! A plan for programs.

use super::cut::Storage;
use super::estimate::Quantiles;
use super::text::{notes, parts};
use super::{Ask, Estimate};
use serde_json::{Map, Value, json};

/// The plan, with all times in seconds.
pub(crate) fn plan(ask: &Ask, estimate: &Estimate) -> Value {
    let (question, cut, data, cost) = (&ask.question, &estimate.cut, &estimate.data, &estimate.cost);
    let quantiles = |q: Quantiles| json!({"median": q.median, "p5": q.p5, "p95": q.p95});
    let times = |q: Quantiles, factor: f64| json!({"median": q.median * factor, "p5": q.p5 * factor, "p95": q.p95 * factor});
    let went =
        parts(estimate).map(|(what, seconds)| (what.replace(", ", " ").replace(' ', "_"), json!(seconds)));
    json!({
        "made_from": ask.figures,
        "pixels": question.scene.pixels,
        "tile": {"side": question.tiles.side, "overlap": question.tiles.overlap, "seconds": question.tile_seconds},
        "sheet": match question.storage {
            Storage::Sheets(side) => json!(side),
            Storage::Mosaic => Value::Null,
        },
        "tiles": cut.tiles,
        "tiles_in_parts": cut.tiles_in_parts,
        "tiles_repeated": cut.repeated,
        "shards": cut.shards.len(),
        "shards_empty": estimate.shards_asked - cut.shards.len() as u64,
        "longest_shard_seconds": estimate.longest_shard,
        "workers": estimate.workers,
        "runs": estimate.runs,
        "wall_seconds": quantiles(estimate.wall),
        "ideal_seconds": estimate.ideal,
        "worker_hours": times(estimate.worker_time, 1.0 / 3600.0),
        "core_hours": times(estimate.worker_time, question.machine.cores as f64 / 3600.0),
        "gpu_hours": times(estimate.worker_time, question.machine.gpus as f64 / 3600.0),
        "failures": quantiles(estimate.failures),
        "in_time": estimate.in_time,
        "worker_seconds": Map::from_iter(went),
        "bytes": {
            "source": data.stored,
            "read": data.read,
            "times_read": data.times_read,
            "read_per_second": data.rate,
            "read_per_second_a_worker": data.rate_per_worker,
            "results_at_most": data.results,
            "parts_at_most": data.parts,
        },
        "cost": {"workers": cost.workers.map(quantiles), "reading": cost.reading},
        "notes": notes(estimate),
    })
}

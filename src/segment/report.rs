//! What is told about a run: the plan before it, what it did after it.

use super::Prepared;
use crate::value::DeviceArg;
use seg_label::Legend;
use seg_nn::InferencePrecision;
use seg_run::{Outcome, Reach, Rss};
use serde_json::{Value, json};
use std::fmt::Write as _;

const MIB: f64 = 1_048_576.0;

/// What a precision is called.
pub(crate) const fn precision(precision: InferencePrecision) -> &'static str {
    match precision {
        InferencePrecision::F32 => "f32",
        InferencePrecision::Bf16 => "bf16",
    }
}

/// The part of the workers' time that the network took.
pub(crate) fn network_share(outcome: &Outcome, workers: usize) -> f64 {
    let available = outcome.wall.as_secs_f64() * workers as f64;
    if available > 0.0 { (outcome.network.as_secs_f64() / available).min(1.0) } else { 0.0 }
}

/// What was done, in a line.
pub(crate) fn summary(outcome: &Outcome, workers: usize) -> String {
    format!(
        "{} tiles in {:.1} s, {:.0} % of it in the network; {} tiles without data left out; peak memory {:.0} MiB",
        outcome.computed,
        outcome.wall.as_secs_f64(),
        100.0 * network_share(outcome, workers),
        outcome.skipped,
        Rss::read().peak as f64 / MIB,
    )
}

/// Pixels and share of each class among pixels with data.
pub(crate) fn shares(legend: &Legend, pixels: &[u64]) -> Vec<Value> {
    let (classes, _) = pixels.split_at(legend.len());
    let total: u64 = classes.iter().sum();
    let share = |pixels: u64| if total == 0 { Value::Null } else { json!(pixels as f64 / total as f64) };
    let rows = legend.classes().iter().zip(classes);
    rows.map(|(c, &n)| json!({"id": c.id.0, "name": c.name, "pixels": n, "share": share(n)})).collect()
}

/// The same as a table.
pub(crate) fn shares_text(legend: &Legend, pixels: &[u64]) -> String {
    let widest = legend.names().map(|name| name.chars().count()).max().unwrap_or(0).max("no data".len());
    let (classes, rest) = pixels.split_at(legend.len());
    let total: u64 = classes.iter().sum();
    let mut text = String::new();
    for (class, &pixels) in legend.classes().iter().zip(classes) {
        let percent = if total == 0 { 0.0 } else { 100.0 * pixels as f64 / total as f64 };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{:>3}  {:widest$}  {percent:5.1} %  {pixels} pixels", class.id.0, class.name);
    }
    let _ = write!(text, "     {:widest$}           {} pixels", "no data", rest.iter().sum::<u64>());
    text
}

/// The plan for machines; `in_area` of the tiles touch the area that is wanted.
pub(crate) fn plan_json(prepared: &Prepared, in_area: u64, device: tch::Device) -> Value {
    let (plan, source) = (&prepared.plan, prepared.seen());
    // A shard for which nothing is left has no plan of its own.
    let (tiles, in_area) = prepared.window.map_or((0, 0), |_| (plan.tiles(), in_area));
    json!({
        "raster": {"width": plan.result.width, "height": plan.result.height},
        "part": prepared.window,
        "tile": {"width": plan.grid.tile_size().width, "height": plan.grid.tile_size().height},
        "tiles": tiles,
        "tiles_in_area": in_area,
        "column_strips": plan.columns.len(),
        "workers": plan.workers,
        "readers": plan.readers,
        "in_flight": plan.in_flight,
        "memory_bytes": plan.memory(),
        "memory_limit_bytes": plan.budget,
        "memory": plan.lines,
        "disk_bytes_at_most": plan.disk,
        "seconds": prepared.seconds(in_area),
        "overlap": super::tiling::overlap(&plan.grid),
        "reach_pixels": match prepared.tiling.reach {
            Some(Reach::Pixels(pixels)) => json!(pixels),
            _ => Value::Null,
        },
        "precision": precision(prepared.precision),
        "device": DeviceArg::from(device).to_string(),
        "bands": source.bands,
        "sample_bytes": source.dtype.bytes(),
        "block": {"width": source.block.width, "height": source.block.height},
        "gsd_m": prepared.meters_per_pixel(),
        "notes": prepared.notes,
    })
}

/// The plan for people; `in_area` of the tiles touch the area that is wanted.
pub(crate) fn plan_text(prepared: &Prepared, in_area: u64) -> String {
    let plan = &prepared.plan;
    if prepared.window.is_none() {
        return "nothing to compute".to_owned();
    }
    let repeated = plan.tiles() as f64 / plan.tiles_once().max(1) as f64 - 1.0;
    let strips = match plan.columns.len() {
        1 => String::new(),
        n => format!(", in {n} column strips that compute {:.1} % of the tiles again", 100.0 * repeated),
    };
    let area = match plan.tiles() - in_area {
        0 => String::new(),
        _ => format!(", {in_area} of them in the area"),
    };
    let mut text = format!(
        "{} pixels: {} tiles of {}{area}{strips}; {} workers, {} tiles in flight; about {:.0} s\n\
         memory at most {:.0} MiB of {:.0} MiB allowed; disk at most {:.0} MiB before compression",
        plan.result,
        plan.tiles(),
        plan.grid.tile_size(),
        plan.workers,
        plan.in_flight,
        prepared.seconds(in_area),
        plan.memory() as f64 / MIB,
        plan.budget as f64 / MIB,
        plan.disk as f64 / MIB,
    );
    for line in &plan.lines {
        let _ = write!(text, "\n{:>8.1} MiB  {}", line.bytes as f64 / MIB, line.what);
    }
    text
}

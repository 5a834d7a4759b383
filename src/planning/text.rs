//! A plan as a table.

use super::estimate::GIGA;
use super::{Estimate, Figure};
use std::fmt::Write as _;

const HOUR: f64 = 3600.0;
/// Above this, a part of the workers' time is worth a word.
const MUCH: f64 = 0.1;

/// A time in the two units that matter.
pub(crate) fn time(seconds: f64) -> String {
    let (minute, day) = (60.0, 24.0 * HOUR);
    let two = |large: f64, large_unit: &str, small: f64, small_unit: &str| {
        let total = (seconds / small).round();
        let parts = large / small;
        let (whole, rest) = ((total / parts).floor(), total % parts);
        if rest == 0.0 {
            format!("{whole} {large_unit}")
        } else {
            format!("{whole} {large_unit} {rest} {small_unit}")
        }
    };
    match seconds {
        s if s >= 1000.0 * day => format!("{:.0} d", s / day),
        s if s >= day => two(day, "d", HOUR, "h"),
        s if s >= HOUR => two(HOUR, "h", minute, "min"),
        s if s >= 2.0 * minute => two(minute, "min", 1.0, "s"),
        s if s >= 10.0 => format!("{s:.0} s"),
        s => format!("{} s", short(s)),
    }
}

/// Bytes in thousands.
pub(crate) fn bytes(bytes: f64) -> String {
    let units = [("PB", 1e15), ("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)];
    match units.iter().find(|(_, size)| bytes >= *size) {
        Some((unit, size)) => format!("{} {unit}", short(bytes / size)),
        None => format!("{bytes:.0} B"),
    }
}

/// A count with spaces between thousands.
pub(crate) fn count(number: f64) -> String {
    let digits = format!("{:.0}", number.round());
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// Three digits that count.
pub(crate) fn short(number: f64) -> String {
    match number.abs() {
        0.0 => "0".to_owned(),
        n if n >= 1000.0 => count(number),
        n if n >= 100.0 => format!("{number:.0}"),
        n if n >= 10.0 => trimmed(format!("{number:.1}")),
        n if n >= 1.0 => trimmed(format!("{number:.2}")),
        n => {
            let places = (2.0 - n.log10().floor()).clamp(0.0, 12.0) as usize;
            trimmed(format!("{number:.places$}"))
        }
    }
}

fn trimmed(text: String) -> String {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// The plan for people.
pub(crate) fn plan(figures: &[Figure], estimate: &Estimate, cores: u64, gpus: u64) -> String {
    let mut table = Table(String::new());
    table.head("made from");
    for figure in figures {
        table.row(figure.what, &[figure.origin.word(), &figure.value]);
    }
    let cut = &estimate.cut;
    table.head("work");
    let whole = percent(cut.tiles / cut.tiles_in_parts - 1.0);
    table.row(
        "tiles",
        &[&count(cut.tiles), &format!("{whole} % of it since tiles and sheets are computed wholly")],
    );
    let overlap =
        format!("a pixel is computed {} times, since tiles overlap", short(estimate.computed_again));
    table.row("", &["", &overlap]);
    if cut.repeated > 0.0 {
        let again = format!("{} % of the tiles, at borders of shards", percent(cut.repeated / cut.tiles));
        table.row("tiles computed again", &[&count(cut.repeated), &again]);
    }
    let longest = format!("the longest takes {} by itself", time(estimate.longest_shard));
    table.row("shards", &[&count(cut.shards.len() as f64), &longest]);
    table.row("workers", &[&count(estimate.workers as f64)]);

    table.head(&format!("time, of {} simulated runs", estimate.runs));
    table.row("", &["median", "5 %", "95 %"]);
    let wall = estimate.wall;
    table.row("wall time", &[&time(wall.median), &time(wall.p5), &time(wall.p95)]);
    let each = |factor: f64| {
        [estimate.worker_time.median, estimate.worker_time.p5, estimate.worker_time.p95]
            .map(|seconds| short(seconds / HOUR * factor))
    };
    let hours = |what: &str, factor: u64, table: &mut Table| {
        let [median, low, high] = each(factor as f64);
        table.row(what, &[&median, &low, &high]);
    };
    hours("worker-hours", 1, &mut table);
    if cores > 0 {
        hours("core-hours", cores, &mut table);
    }
    if gpus > 0 {
        hours("GPU-hours", gpus, &mut table);
    }
    let failures = estimate.failures;
    table.row("failures", &[&short(failures.median), &short(failures.p5), &short(failures.p95)]);
    if let Some(share) = estimate.in_time {
        table.row("done in time", &[&format!("{} % of the runs", percent(share))]);
    }

    table.head("where worker-hours go, on average");
    for (what, seconds) in parts(estimate) {
        table.row(what, &[&short(seconds / HOUR), &format!("{} %", percent(seconds / all(estimate)))]);
    }

    table.head("data");
    let data = &estimate.data;
    table.row("at the source", &[&bytes(data.stored)]);
    let why = if data.fits_cache {
        "a row of blocks fits the cache"
    } else {
        "a row of blocks does not fit the cache: the most that is read"
    };
    table.row("read", &[&bytes(data.read), &format!("{} times: {why}", short(data.times_read))]);
    let rate = |rate: f64| format!("{} MB/s", short(rate / 1e6));
    table
        .row("read in a second", &[&rate(data.rate), &format!("{} each worker", rate(data.rate_per_worker))]);
    table.row("results", &[&bytes(data.results), "at most, before compression"]);
    if data.parts > 0.0 {
        table.row("parts until merged", &[&bytes(data.parts), "at most, before compression"]);
    }

    let cost = estimate.cost;
    if cost.workers.is_some() || cost.reading.is_some() {
        table.head("cost, in the currency of the prices");
        if let Some(workers) = cost.workers {
            let [median, low, high] = [workers.median, workers.p5, workers.p95].map(short);
            table.row("workers, to the end", &[&median, &format!("{low} to {high}")]);
            let idle = workers.median * estimate.mean.idle / all(estimate);
            table.row("of it idle", &[&short(idle), "saved where idle workers are given back at once"]);
        }
        if let Some(reading) = cost.reading {
            table.row("reading", &[&short(reading), &format!("{} GB", short(data.read / GIGA))]);
        }
    }
    for (place, note) in notes(estimate).into_iter().enumerate() {
        let gap = if place == 0 { "\n\n" } else { "\n" };
        let _ = write!(table.0, "{gap}note: {note}");
    }
    table.0
}

/// What takes the workers' time, in seconds on average.
pub(crate) fn parts(estimate: &Estimate) -> [(&'static str, f64); 6] {
    let mean = &estimate.mean;
    [
        ("tiles, each once", mean.computing - estimate.repeated),
        ("tiles computed again", estimate.repeated),
        ("starting", mean.startup),
        ("lost to failures", mean.lost),
        ("away after failures", mean.away),
        ("idle at the end", mean.idle),
    ]
}

/// What could be better, in words.
pub(crate) fn notes(estimate: &Estimate) -> Vec<String> {
    let (all, mean, cut) = (all(estimate), &estimate.mean, &estimate.cut);
    let shards = cut.shards.len();
    let mut notes = Vec::new();
    if estimate.shards_asked > shards as u64 {
        notes.push(format!(
            "there is work for {shards} shards only: {} would be empty",
            count((estimate.shards_asked - shards as u64) as f64)
        ));
    }
    if estimate.workers > shards {
        notes.push(format!(
            "{} workers have nothing to do: there are {shards} shards",
            estimate.workers - shards
        ));
    } else if mean.idle > MUCH * all {
        notes.push(format!(
            "workers idle {} % of their time: more and smaller shards would even that out",
            percent(mean.idle / all)
        ));
    }
    if cut.repeated > MUCH * cut.tiles {
        notes.push(format!(
            "{} % of the tiles are computed again at borders of shards: fewer shards, or sheets by themselves (--sheet)",
            percent(cut.repeated / cut.tiles)
        ));
    }
    if mean.startup > MUCH * all {
        notes.push(format!(
            "starting takes {} % of the time: fewer shards start less often",
            percent(mean.startup / all)
        ));
    }
    if mean.lost + mean.away > MUCH * all {
        notes.push(format!(
            "failures take {} % of the time: steadier machines, or a shorter restart",
            percent((mean.lost + mean.away) / all)
        ));
    }
    notes
}

fn all(estimate: &Estimate) -> f64 {
    (estimate.mean.wall * estimate.workers as f64).max(f64::MIN_POSITIVE)
}

fn percent(share: f64) -> String {
    short((1000.0 * share).round() / 10.0)
}

struct Table(String);

impl Table {
    fn head(&mut self, text: &str) {
        let gap = if self.0.is_empty() { "" } else { "\n\n" };
        // Writing to a string cannot fail.
        let _ = write!(self.0, "{gap}{text}");
    }

    fn row(&mut self, what: &str, cells: &[&str]) {
        let mut line = format!("  {what:<22}");
        for (place, cell) in cells.iter().enumerate() {
            let gap = if place == 0 { "" } else { "  " };
            let _ = write!(line, "{gap}{cell:<14}");
        }
        let _ = write!(self.0, "\n{}", line.trim_end());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_the_units_that_matter() {
        for (seconds, expected) in [
            (0.0213, "0.0213 s"),
            (59.0, "59 s"),
            (119.0, "119 s"),
            (150.0, "2 min 30 s"),
            (3600.0, "1 h"),
            (7150.0, "1 h 59 min"),
            (3599.9, "60 min"),
            (86_400.0 * 3.5, "3 d 12 h"),
            (86_399.0, "24 h"),
            (1e9, "11574 d"),
        ] {
            assert_eq!(time(seconds), expected);
        }
    }

    #[test]
    fn numbers_have_three_digits_that_count() {
        for (number, expected) in [
            (0.0, "0"),
            (0.001_234, "0.00123"),
            (1.0, "1"),
            (1.5, "1.5"),
            (12.34, "12.3"),
            (123.4, "123"),
            (1234.5, "1 235"),
            (1e7, "10 000 000"),
        ] {
            assert_eq!(short(number), expected);
        }
        assert_eq!(bytes(10e12), "10 TB");
        assert_eq!(bytes(999.0), "999 B");
        assert_eq!(count(999.6), "1 000");
    }
}

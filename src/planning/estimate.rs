//! The plan: the area cut into shards, run many times, and added up.

use super::cut::{Cut, Storage, cut};
use super::question::{FleetSize, Question};
use super::reading::times_read;
use super::simulate::{Fleet, Halted, Ledger, MOST_FAILURES, ShardWork, simulate};
use super::text::count;
use crate::diagnostic::Advice;
use crate::value::{MOST_COUNTED, MOST_WORKERS};
use seg_grid::Observer;

/// What is to be expected.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Estimate {
    pub workers: usize,
    /// Shards that were asked for, or chosen; those beyond the cut's are empty.
    pub shards_asked: u64,
    pub cut: Cut,
    /// How often a pixel goes through the network, since tiles overlap.
    pub computed_again: f64,
    /// Wall time in seconds.
    pub wall: Quantiles,
    /// Seconds of all workers.
    pub worker_time: Quantiles,
    pub failures: Quantiles,
    /// Where the time of all workers goes, in seconds, on average over the runs.
    pub mean: Ledger,
    /// The part of `mean.computing` that computes what another shard computes too.
    pub repeated: f64,
    /// Seconds without failures and with all workers busy to the end.
    pub ideal: f64,
    /// The longest shard, start included, in seconds.
    pub longest_shard: f64,
    /// The share of runs that are done in time.
    pub in_time: Option<f64>,
    pub runs: usize,
    pub data: Data,
    pub cost: Cost,
}

/// What many runs say of a figure.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Quantiles {
    pub p5: f64,
    pub median: f64,
    pub p95: f64,
}

/// How many runs are simulated: at most so many, and none after so many events of all together.
#[derive(Debug, Clone, Copy)]
struct Budget {
    runs: usize,
    events: u64,
}

/// Bytes, and bytes in a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Data {
    /// At the source, each pixel once.
    pub stored: f64,
    /// What is read of it, with what is read more than once.
    pub read: f64,
    /// How often a pixel is read.
    pub times_read: f64,
    /// Whether that is once since a row of blocks fits the cache.
    pub fits_cache: bool,
    /// All workers together.
    pub rate: f64,
    pub rate_per_worker: f64,
    /// Before compression.
    pub results: f64,
    /// Before compression, until the results are put together.
    pub parts: f64,
}

/// What it costs, in the currency of the prices.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Cost {
    pub workers: Option<Quantiles>,
    pub reading: Option<f64>,
}

/// Shards a worker gets where the user does not say: enough to even out, few enough to start seldom.
pub(crate) const SHARDS_A_WORKER: usize = 8;
// What is chosen for the user keeps the limit of what the user may choose.
const _: () = assert!(SHARDS_A_WORKER * MOST_WORKERS <= MOST_COUNTED);
/// Events that all runs together may have, so that a plan takes seconds: shards and failures.
const MOST_SIMULATED: u64 = 4_000_000;
/// The same for each step of the search of a number of workers.
const MOST_SEARCHED: u64 = 1_000_000;
/// Runs for such a step.
const SEARCH_RUNS: usize = 40;
/// The search ends where one more worker in so many makes the difference.
const CLOSE: usize = 1000;
/// A strip that has to be begun this often on average will not be done.
const MOST_ATTEMPTS: f64 = 100.0;
/// What to do where workers fail all the time.
const FAILING_HINT: &str = "give the failures of one worker in an hour: 0.01 is one in 100 hours";
/// What GB and MB count in.
pub(crate) const GIGA: f64 = 1e9;

/// Plans.
///
/// # Errors
/// If no number of workers is done in time, workers fail before they finish anything, or the observer cancels.
pub(crate) fn estimate(question: &Question, observer: &dyn Observer) -> anyhow::Result<Estimate> {
    let budget = Budget { runs: question.trials.runs, events: MOST_SIMULATED };
    let with = |workers, deadline| with_workers(question, workers, deadline, budget, observer);
    let (workers, deadline) = match question.size {
        FleetSize::Workers(workers, deadline) => (workers, deadline),
        FleetSize::Deadline(deadline) => (workers_for(question, deadline, observer)?, Some(deadline)),
    };
    let mut found = with(workers, deadline)?;
    if let FleetSize::Deadline(seconds) = question.size {
        // The search had fewer runs.
        while found.wall.p95 > seconds && found.workers < MOST_WORKERS {
            let more = found.workers + (found.workers / 100).max(1);
            found = with(more.min(MOST_WORKERS), deadline)?;
        }
    }
    Ok(found)
}

/// The least number of workers, to a thousandth, with which 95 of 100 runs are done in time.
fn workers_for(question: &Question, deadline: f64, observer: &dyn Observer) -> anyhow::Result<usize> {
    let budget = Budget { runs: SEARCH_RUNS.min(question.trials.runs), events: MOST_SEARCHED };
    let with = |workers| with_workers(question, workers, None, budget, observer);
    let one = cut_for(question, 1)?;
    let least =
        (one.tiles * question.tile_seconds / deadline).ceil().clamp(1.0, MOST_WORKERS as f64) as usize;
    let (mut below, mut workers) = (least - 1, least);
    loop {
        let tried = with(workers)?;
        if tried.wall.p95 <= deadline {
            break;
        }
        if workers >= MOST_WORKERS || workers > tried.cut.shards.len() {
            let what = format!(
                "no number of workers is done in {}: the longest of {} shards takes {} by itself",
                super::text::time(deadline),
                tried.cut.shards.len(),
                super::text::time(tried.longest_shard),
            );
            let hint = "allow more time, cut smaller with --shards, or use faster workers";
            return Err(Advice::new(what, hint).into());
        }
        below = workers;
        workers = (workers * 2).min(MOST_WORKERS);
    }
    while workers - below > 1 + below / CLOSE {
        let middle = usize::midpoint(below, workers);
        if with(middle)?.wall.p95 <= deadline {
            workers = middle;
        } else {
            below = middle;
        }
    }
    Ok(workers)
}

fn with_workers(
    question: &Question,
    workers: usize,
    deadline: Option<f64>,
    budget: Budget,
    observer: &dyn Observer,
) -> anyhow::Result<Estimate> {
    let shards_asked = question.shards.unwrap_or((SHARDS_A_WORKER * workers) as u64);
    let cut = cut_for(question, shards_asked)?;
    let machine = question.machine;
    let fleet = Fleet {
        workers,
        startup: machine.startup,
        restart_delay: machine.restart_delay,
        failure_rate: machine.failures_per_hour / 3600.0,
        spread: machine.spread,
    };
    let work = cut.work(question.tile_seconds);
    let strip = work.iter().map(|shard| shard.seconds / f64::from(shard.strips)).fold(0.0, f64::max);
    let attempts = (fleet.failure_rate * (fleet.startup + strip)).exp();
    if attempts > MOST_ATTEMPTS {
        let what = format!(
            "with {} failures an hour a worker would begin each strip of {} {attempts:.0} times",
            machine.failures_per_hour,
            super::text::time(strip),
        );
        return Err(Advice::new(what, FAILING_HINT).into());
    }
    let ledgers = simulated(&work, fleet, budget, question.trials.seed, observer)?;
    let walls: Vec<f64> = ledgers.iter().map(|ledger| ledger.wall).collect();
    let mean = mean(&ledgers);
    let wall = Quantiles::of(walls.clone());
    let worker_time = wall.times(workers as f64);
    let tiles = cut.tiles + cut.repeated;
    let data = data(question, &cut, &wall, workers);
    Ok(Estimate {
        workers,
        shards_asked,
        computed_again: (question.tiles.side as f64 / question.tiles.stride() as f64).powi(2),
        wall,
        worker_time,
        failures: Quantiles::of(ledgers.iter().map(|ledger| ledger.failures as f64).collect()),
        repeated: mean.computing * cut.repeated / tiles,
        mean,
        ideal: tiles * question.tile_seconds / workers as f64,
        longest_shard: fleet.startup + work.iter().map(|shard| shard.seconds).fold(0.0, f64::max),
        in_time: deadline.map(|deadline| share_until(&walls, deadline)),
        runs: ledgers.len(),
        data,
        cost: Cost {
            workers: question.prices.hour.map(|price| worker_time.times(price / 3600.0)),
            reading: question.prices.gigabyte.map(|price| price * data.read / GIGA),
        },
        cut,
    })
}

/// Simulates runs; fewer where each has so many shards and failures that all would take too long.
fn simulated(
    work: &[ShardWork],
    fleet: Fleet,
    budget: Budget,
    seed: u64,
    observer: &dyn Observer,
) -> anyhow::Result<Vec<Ledger>> {
    let (mut ledgers, mut events) = (Vec::new(), 0);
    while ledgers.len() < budget.runs && events < budget.events {
        let seed = seed.wrapping_add(ledgers.len() as u64);
        let ledger = simulate(work, fleet, seed, observer).map_err(|halted| match halted {
            Halted::Cancelled => anyhow::Error::from(seg_run::Error::Cancelled),
            Halted::Failing => {
                let what = format!("workers would fail more than {} times", count(MOST_FAILURES as f64));
                Advice::new(what, FAILING_HINT).into()
            }
        })?;
        events += work.len() as u64 + ledger.failures;
        ledgers.push(ledger);
    }
    Ok(ledgers)
}

fn cut_for(question: &Question, shards: u64) -> Result<Cut, Advice> {
    cut(&question.scene, question.tiles, question.storage, shards)
        .map_err(|error| Advice::new(error.to_string(), "look at --tile, --overlap and --sheet"))
}

fn share_until(walls: &[f64], deadline: f64) -> f64 {
    walls.iter().filter(|wall| **wall <= deadline).count() as f64 / walls.len() as f64
}

fn data(question: &Question, cut: &Cut, wall: &Quantiles, workers: usize) -> Data {
    let (scene, bytes) = (&question.scene, question.bytes);
    // A row of tiles touches one row of blocks more than fit its height.
    let rows = question.tiles.side.div_ceil(bytes.block) + 1;
    let fits_cache = cut.row * (rows * bytes.block) as f64 * bytes.decoded <= bytes.cache as f64;
    let again = if fits_cache { 1.0 } else { times_read(question.tiles, bytes.block) };
    let times_read = again * (1.0 + cut.repeated / cut.tiles);
    let read_pixels = match question.storage {
        Storage::Mosaic => scene.pixels,
        Storage::Sheets(_) => cut.written,
    };
    let read = read_pixels * bytes.stored * times_read;
    let rate = read / wall.median;
    let results = cut.written * bytes.result;
    Data {
        stored: scene.pixels * bytes.stored,
        read,
        times_read,
        fits_cache,
        rate,
        rate_per_worker: rate / workers.min(cut.shards.len()) as f64,
        results,
        parts: match question.storage {
            Storage::Mosaic => results,
            Storage::Sheets(_) => 0.0,
        },
    }
}

fn mean(ledgers: &[Ledger]) -> Ledger {
    let count = ledgers.len() as f64;
    let of = |part: fn(&Ledger) -> f64| ledgers.iter().map(part).sum::<f64>() / count;
    Ledger {
        wall: of(|l| l.wall),
        computing: of(|l| l.computing),
        startup: of(|l| l.startup),
        lost: of(|l| l.lost),
        away: of(|l| l.away),
        idle: of(|l| l.idle),
        failures: of(|l| l.failures as f64).round() as u64,
    }
}

impl Quantiles {
    /// Of values in any order: those that 5, 50 and 95 of 100 do not exceed.
    pub(crate) fn of(mut values: Vec<f64>) -> Self {
        values.sort_unstable_by(f64::total_cmp);
        let at = |share: f64| {
            let index = (share * values.len() as f64).ceil() as usize;
            values.get(index.saturating_sub(1)).copied().unwrap_or(0.0)
        };
        Self { p5: at(0.05), median: at(0.5), p95: at(0.95) }
    }

    fn times(self, factor: f64) -> Self {
        Self { p5: self.p5 * factor, median: self.median * factor, p95: self.p95 * factor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planning::cut::{Scene, Tiles};
    use crate::planning::question::{Bytes, Machine, Prices, Trials};
    use seg_grid::{Progress, Silent};
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn estimate(question: &Question) -> anyhow::Result<Estimate> {
        super::estimate(question, &Silent)
    }

    fn question(size: FleetSize) -> Question {
        Question {
            scene: Scene::square(1e10),
            storage: Storage::Sheets(10_000),
            tiles: Tiles { side: 512, overlap: 128 },
            tile_seconds: 0.1,
            size,
            shards: None,
            machine: Machine {
                startup: 0.0,
                restart_delay: 0.0,
                failures_per_hour: 0.0,
                spread: 0.0,
                cores: 1,
                gpus: 0,
            },
            bytes: Bytes { stored: 3.0, decoded: 3.0, result: 1.0, block: 512, cache: 128 << 20 },
            prices: Prices { hour: Some(2.0), gigabyte: Some(0.1) },
            trials: Trials { runs: 100, seed: 0 },
        }
    }

    #[test]
    fn without_failures_all_follows_from_whole_shards() {
        // 100 sheets of 26 x 26 tiles on 9 workers: 72 shards, those of two sheets among them.
        let found = estimate(&question(FleetSize::Workers(9, None))).unwrap();
        assert_eq!((found.cut.shards.len(), found.cut.tiles.round() as u64), (72, 67_600));
        let wall = found.wall;
        assert!(wall.p5.total_cmp(&wall.p95).is_eq() && wall.median >= found.ideal, "{wall:?}");
        assert!((found.mean.computing - 6760.0).abs() < 1e-6);
        assert!((found.mean.idle - (9.0 * wall.median - 6760.0)).abs() < 1e-6);
        let cost = found.cost.workers.unwrap();
        assert!((cost.median - 9.0 * wall.median / 3600.0 * 2.0).abs() < 1e-9);
        assert!((found.data.read - 3e10).abs() < 1.0 && found.data.fits_cache);
        assert!((found.cost.reading.unwrap() - 3.0).abs() < 1e-9);
        assert!((found.data.rate * wall.median - 3e10).abs() < 1.0);
    }

    #[test]
    fn a_deadline_gets_the_fewest_workers_that_keep_it() {
        let asked = Question {
            machine: Machine {
                failures_per_hour: 0.2,
                startup: 30.0,
                restart_delay: 60.0,
                spread: 0.1,
                ..question(FleetSize::Deadline(1.0)).machine
            },
            ..question(FleetSize::Deadline(1200.0))
        };
        let found = estimate(&asked).unwrap();
        assert!(found.wall.p95 <= 1200.0 && found.in_time >= Some(0.95), "{found:?}");
        assert!(found.workers > 6, "6760 s of work: {}", found.workers);
        let fewer = Question { size: FleetSize::Workers(found.workers - 1, Some(1200.0)), ..asked };
        assert!(estimate(&fewer).unwrap().in_time < Some(0.99));
    }

    #[test]
    fn what_cannot_be_is_told() {
        let slow = estimate(&question(FleetSize::Deadline(30.0))).unwrap_err();
        assert!(slow.to_string().contains("no number of workers is done in 30 s"), "{slow}");
        let mut asked = question(FleetSize::Workers(4, None));
        asked.machine.startup = 60.0;
        asked.machine.failures_per_hour = 1000.0;
        let error = estimate(&asked).unwrap_err().to_string();
        assert!(error.contains("1000 failures an hour"), "{error}");
    }

    #[test]
    fn the_more_there_is_to_simulate_the_fewer_runs() {
        let work = vec![ShardWork { seconds: 100.0, strips: 10 }; 1000];
        let fleet = Fleet { workers: 10, startup: 1.0, restart_delay: 0.0, failure_rate: 0.0, spread: 0.1 };
        let runs = |fleet, events| {
            simulated(&work, fleet, Budget { runs: 100, events }, 0, &Silent).map(|ledgers| ledgers.len())
        };
        assert_eq!(runs(fleet, MOST_SIMULATED).unwrap(), 100);
        assert_eq!(runs(fleet, 4500).unwrap(), 5);
        // Some 100 failures in each run count as much as shards.
        assert_eq!(runs(Fleet { failure_rate: 0.001, ..fleet }, 4500).unwrap(), 5);
        assert_eq!(runs(Fleet { failure_rate: 0.01, ..fleet }, 4500).unwrap(), 3);
        let error = runs(Fleet { failure_rate: 1.0, ..fleet }, 4500).unwrap_err().to_string();
        assert_eq!(error, "workers would fail more than 1 000 000 times");
    }

    #[test]
    fn a_plan_ends_when_it_is_asked_to() {
        struct Impatient(AtomicUsize);
        impl Observer for Impatient {
            fn progress(&self, _: Progress) {}
            fn warning(&self, _: &str) {}
            fn cancelled(&self) -> bool {
                self.0.fetch_add(1, Ordering::Relaxed) >= 3
            }
        }
        for size in [FleetSize::Workers(1, None), FleetSize::Deadline(1e6)] {
            let observer = Impatient(AtomicUsize::new(0));
            let asked = Question { shards: Some(10_000), storage: Storage::Sheets(1000), ..question(size) };
            let error = super::estimate(&asked, &observer).unwrap_err();
            assert!(matches!(error.downcast_ref(), Some(seg_run::Error::Cancelled)), "{error}");
            // Within the first run: each looks every 1024 of its 10 000 shards.
            assert_eq!(observer.0.into_inner(), 4);
        }
    }

    #[test]
    fn a_mosaic_wider_than_the_cache_is_read_more_than_once() {
        let asked =
            Question { storage: Storage::Mosaic, shards: Some(2), ..question(FleetSize::Workers(4, None)) };
        let found = estimate(&asked).unwrap().data;
        assert!(!found.fits_cache && found.times_read > 7.0 / 3.0, "{found:?}");
        assert!((found.results - 1e10).abs() < 1.0 && (found.parts - 1e10).abs() < 1.0);
    }

    #[test]
    fn quantiles_are_values_that_so_many_do_not_exceed() {
        let found = Quantiles::of((1..=100).rev().map(f64::from).collect());
        assert_eq!([found.p5, found.median, found.p95].map(|value| value.round() as u64), [5, 50, 95]);
        assert_eq!(Quantiles::of(vec![7.0]).p95.to_bits(), 7.0_f64.to_bits());
    }
}

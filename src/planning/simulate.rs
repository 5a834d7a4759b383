//! Shards on workers that fail, event by event: what a formula does not know is who waits for whom at the end.

use rand::{Rng as _, SeedableRng as _};
use rand_pcg::Pcg64;
use seg_grid::Observer;
use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};

/// One shard as a worker meets it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ShardWork {
    /// Seconds of computing.
    pub seconds: f64,
    /// Strips that it finishes one after another; what is finished outlives a failure.
    pub strips: u32,
}

/// The machines that shards run on; all times are seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Fleet {
    pub workers: usize,
    /// Before the first tile of a shard, and again of each of its retries.
    pub startup: f64,
    /// Until a worker that failed is back.
    pub restart_delay: f64,
    /// Failures in a second of a worker that is starting or computing.
    pub failure_rate: f64,
    /// How much shards of the same size differ: the standard deviation of their time as a share of it.
    pub spread: f64,
}

/// Where the time of all workers went, from the first moment to the last, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Ledger {
    /// Until the last shard is done.
    pub wall: f64,
    /// Computing that counts.
    pub computing: f64,
    /// Starting.
    pub startup: f64,
    /// Computing that a failure undid.
    pub lost: f64,
    /// Being away after a failure.
    pub away: f64,
    /// Having nothing to do.
    pub idle: f64,
    /// Failures.
    pub failures: u64,
}

/// Why a run was not simulated to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Halted {
    /// The observer asked for it.
    Cancelled,
    /// It would hardly have come to an end: [`MOST_FAILURES`].
    Failing,
}

/// What happens to a worker next.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Event {
    /// It has done its shard.
    Done,
    /// It failed, and its shard goes on from this strip.
    Failed { shard: usize, strips_done: u32 },
    /// It is there again.
    Back,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Scheduled {
    at: f64,
    worker: usize,
    event: Event,
}

impl Eq for Scheduled {}

impl Ord for Scheduled {
    /// The earliest is the greatest, as the heap wants it; among equals the order is that of workers.
    fn cmp(&self, other: &Self) -> Ordering {
        other.at.total_cmp(&self.at).then(other.worker.cmp(&self.worker))
    }
}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Failures that a run may have; more are a slip of the finger, and would take minutes to simulate.
pub(crate) const MOST_FAILURES: u64 = 1_000_000;
/// Events after which a run looks whether it should stop.
const LOOK: u64 = 1024;

/// A shard that waits for a worker.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    shard: usize,
    strips_done: u32,
}

struct Run<'a> {
    shards: &'a [ShardWork],
    /// What each shard takes this time.
    seconds: Vec<f64>,
    fleet: Fleet,
    random: Pcg64,
    queue: VecDeque<Waiting>,
    events: BinaryHeap<Scheduled>,
    /// Workers with nothing to do, and since when.
    idle: Vec<Scheduled>,
    ledger: Ledger,
}

/// Runs all shards once: each free worker takes the next, a shard that failed before all others.
///
/// Failures are exponential. A failed shard goes on from its last finished strip, on whichever worker is free first.
///
/// # Errors
/// If the observer cancels, or workers fail so often that it would not come to an end.
pub(crate) fn simulate(
    shards: &[ShardWork],
    fleet: Fleet,
    seed: u64,
    observer: &dyn Observer,
) -> Result<Ledger, Halted> {
    let mut random = Pcg64::seed_from_u64(seed);
    let seconds = shards.iter().map(|shard| shard.seconds * log_normal(&mut random, fleet.spread)).collect();
    let queue = (0..shards.len()).map(|shard| Waiting { shard, strips_done: 0 }).collect();
    // Workers beyond one a shard never do anything: they are counted, not scheduled.
    let busy = fleet.workers.min(shards.len());
    let idle = (0..busy).rev().map(|worker| Scheduled { at: 0.0, worker, event: Event::Back }).collect();
    let mut run = Run {
        shards,
        seconds,
        fleet,
        random,
        queue,
        events: BinaryHeap::new(),
        idle,
        ledger: Ledger::default(),
    };
    run.finish(observer)?;
    run.ledger.idle += (fleet.workers - busy) as f64 * run.ledger.wall;
    Ok(run.ledger)
}

impl Run<'_> {
    fn finish(&mut self, observer: &dyn Observer) -> Result<(), Halted> {
        let mut open = self.shards.len();
        let mut away = Vec::new();
        self.hand_out(0.0);
        let mut events = 0_u64;
        while open > 0 {
            if events.is_multiple_of(LOOK) && observer.cancelled() {
                return Err(Halted::Cancelled);
            }
            if self.ledger.failures > MOST_FAILURES {
                return Err(Halted::Failing);
            }
            events += 1;
            let Some(Scheduled { at, worker, event }) = self.events.pop() else { break };
            match event {
                Event::Done => {
                    open -= 1;
                    self.ledger.wall = at;
                    self.idle.push(Scheduled { at, worker, event });
                }
                Event::Failed { shard, strips_done } => {
                    self.queue.push_front(Waiting { shard, strips_done });
                    self.ledger.failures += 1;
                    let back = Scheduled { at: at + self.fleet.restart_delay, worker, event: Event::Back };
                    away.push((at, back.at));
                    self.events.push(back);
                }
                Event::Back => self.idle.push(Scheduled { at, worker, event }),
            }
            self.hand_out(at);
        }
        let wall = self.ledger.wall;
        self.ledger.away = away.iter().fold(0.0, |sum, (from, to)| sum + to.min(wall) - from.min(wall));
        self.ledger.idle += self.idle.iter().map(|since| wall - since.at.min(wall)).sum::<f64>();
        Ok(())
    }

    /// Gives waiting shards to idle workers.
    fn hand_out(&mut self, now: f64) {
        while let Some(since) = self.idle.pop() {
            let Some(waiting) = self.queue.pop_front() else {
                self.idle.push(since);
                return;
            };
            self.ledger.idle += now - since.at;
            self.begin(waiting, since.worker, now);
        }
    }

    /// Lets a worker begin a shard, or go on with it.
    fn begin(&mut self, Waiting { shard, strips_done }: Waiting, worker: usize, now: f64) {
        let strips = self.shards[shard].strips.max(1);
        let strip = self.seconds[shard] / f64::from(strips);
        let left = f64::from(strips - strips_done) * strip;
        let until_failure = exponential(&mut self.random, self.fleet.failure_rate);
        let startup = self.fleet.startup;
        let (at, event) = if until_failure < startup + left {
            let computed = (until_failure - startup).max(0.0);
            // A rounding error must not finish a shard that failed.
            let finished = ((computed / strip) as u32).min(strips - strips_done - 1);
            let counts = f64::from(finished) * strip;
            self.ledger.startup += until_failure.min(startup);
            self.ledger.computing += counts;
            self.ledger.lost += computed - counts;
            (now + until_failure, Event::Failed { shard, strips_done: strips_done + finished })
        } else {
            self.ledger.startup += startup;
            self.ledger.computing += left;
            (now + startup + left, Event::Done)
        };
        self.events.push(Scheduled { at, worker, event });
    }
}

/// From 0 to 1, without either.
fn uniform(random: &mut Pcg64) -> f64 {
    ((random.next_u64() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
}

/// Seconds until something that happens so often in a second.
fn exponential(random: &mut Pcg64, rate: f64) -> f64 {
    if rate > 0.0 { -uniform(random).ln() / rate } else { f64::INFINITY }
}

/// A factor around 1: its mean is 1, its standard deviation `spread`.
fn log_normal(random: &mut Pcg64, spread: f64) -> f64 {
    if spread <= 0.0 {
        return 1.0;
    }
    let variance = (1.0 + spread * spread).ln();
    // Box and Muller 1958, doi:10.1214/aoms/1177706645.
    let radius = (-2.0 * uniform(random).ln()).sqrt();
    let normal = radius * (std::f64::consts::TAU * uniform(random)).cos();
    (variance.sqrt() * normal - variance / 2.0).exp()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use seg_grid::Silent;

    const PLAIN: Fleet =
        Fleet { workers: 1, startup: 0.0, restart_delay: 0.0, failure_rate: 0.0, spread: 0.0 };

    fn shards(count: usize, seconds: f64, strips: u32) -> Vec<ShardWork> {
        vec![ShardWork { seconds, strips }; count]
    }

    fn simulate(shards: &[ShardWork], fleet: Fleet, seed: u64) -> Ledger {
        super::simulate(shards, fleet, seed, &Silent).unwrap()
    }

    /// The mean of many runs, and the standard error of that mean.
    fn mean(runs: u64, mut of: impl FnMut(u64) -> f64) -> (f64, f64) {
        let values: Vec<f64> = (0..runs).map(&mut of).collect();
        let mean = values.iter().sum::<f64>() / runs as f64;
        let variance = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / (runs - 1) as f64;
        (mean, (variance / runs as f64).sqrt())
    }

    #[track_caller]
    fn holds((mean, error): (f64, f64), expected: f64) {
        assert!((mean - expected).abs() < 4.0 * error + 1e-9, "{mean} +- {error}, expected {expected}");
    }

    #[test]
    fn without_failures_it_is_rounds_of_equal_shards() {
        for (count, workers, rounds) in [(12, 4, 3.0), (13, 4, 4.0), (1, 4, 1.0), (7, 1, 7.0), (4, 4, 1.0)] {
            let fleet = Fleet { workers, startup: 5.0, ..PLAIN };
            let ledger = simulate(&shards(count, 100.0, 10), fleet, 1);
            assert!((ledger.wall - rounds * 105.0).abs() < 1e-9, "{ledger:?}");
            assert!((ledger.computing - count as f64 * 100.0).abs() < 1e-9);
            let idle = workers as f64 * ledger.wall - count as f64 * 105.0;
            assert!((ledger.idle - idle).abs() < 1e-9, "{ledger:?}");
            assert_eq!(ledger.failures, 0);
            assert!(ledger.lost.abs() + ledger.away.abs() < 1e-9);
        }
    }

    /// One shard of one strip on one worker is restarted from scratch: `(1/l + d) (exp(l t) - 1)` on average,
    /// with the failure rate `l`, the time `t` of one attempt and the delay `d` after a failure
    /// (Daly 2006, doi:10.1016/j.future.2004.11.016).
    #[test]
    fn from_scratch_it_takes_the_known_expectation() {
        for (failure_rate, seconds, startup, restart_delay) in
            [(0.01, 100.0, 0.0, 0.0), (0.02, 80.0, 10.0, 0.0), (0.005, 200.0, 0.0, 50.0)]
        {
            let fleet = Fleet { startup, restart_delay, failure_rate, ..PLAIN };
            let found = mean(20_000, |seed| simulate(&shards(1, seconds, 1), fleet, seed).wall);
            let attempt = failure_rate * (startup + seconds);
            holds(found, (1.0 / failure_rate + restart_delay) * attempt.exp_m1());
        }
    }

    /// Exponential failures have no memory: without a start-up each strip is restarted from scratch by itself.
    #[test]
    fn finished_strips_are_worth_what_the_formula_says() {
        let (failure_rate, seconds, strips, restart_delay) = (0.01, 300.0, 10, 20.0);
        let fleet = Fleet { restart_delay, failure_rate, ..PLAIN };
        let found = mean(20_000, |seed| simulate(&shards(1, seconds, strips), fleet, seed).wall);
        let strip = failure_rate * seconds / f64::from(strips);
        let expected = f64::from(strips) * (1.0 / failure_rate + restart_delay) * strip.exp_m1();
        holds(found, expected);
        let whole = (1.0 / failure_rate + restart_delay) * (failure_rate * seconds).exp_m1();
        assert!(expected < whole / 4.0);
    }

    #[test]
    fn failures_are_as_many_as_their_rate_says() {
        let fleet = Fleet { workers: 5, startup: 30.0, restart_delay: 60.0, failure_rate: 0.001, ..PLAIN };
        let (mut failures, mut exposed) = (0.0, 0.0);
        for seed in 0..300 {
            let ledger = simulate(&shards(40, 500.0, 5), fleet, seed);
            failures += ledger.failures as f64;
            exposed += ledger.computing + ledger.lost + ledger.startup;
        }
        let expected: f64 = exposed * 0.001;
        assert!((failures - expected).abs() < 4.0 * expected.sqrt(), "{failures}, expected {expected}");
    }

    #[test]
    fn a_spread_keeps_the_mean() {
        let fleet = Fleet { spread: 0.3, ..PLAIN };
        let found = mean(400, |seed| simulate(&shards(50, 100.0, 4), fleet, seed).wall);
        holds(found, 5000.0);
        let one = mean(20_000, |seed| (simulate(&shards(1, 1.0, 1), fleet, seed).wall - 1.0).powi(2));
        holds(one, 0.09);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        /// All work is done once, and every second of every worker is accounted for.
        #[test]
        fn useful_work_is_all_work_and_no_time_is_left_over(
            count in 1_usize..30, workers in 1_usize..12, seconds in 1.0_f64..500.0, strips in 1_u32..20,
            startup in 0.0_f64..50.0, restart_delay in 0.0_f64..100.0, failure_rate in 0.0_f64..0.004,
            seed in any::<u64>(),
        ) {
            let fleet = Fleet { workers, startup, restart_delay, failure_rate, spread: 0.0 };
            let work = shards(count, seconds, strips);
            let ledger = simulate(&work, fleet, seed);
            let total = count as f64 * seconds;
            prop_assert!((ledger.computing - total).abs() < 1e-6 * total, "{ledger:?}");
            let Ledger { wall, computing, startup, lost, away, idle, .. } = ledger;
            let spent = computing + startup + lost + away + idle;
            prop_assert!((spent - workers as f64 * wall).abs() < 1e-6 * spent, "{ledger:?}");
            prop_assert!(lost >= 0.0 && away >= 0.0 && idle >= -1e-6);
            prop_assert_eq!(ledger, simulate(&work, fleet, seed));
        }
    }
}

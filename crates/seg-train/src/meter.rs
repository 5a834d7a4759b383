//! What a training's steps measured since they were last told.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::learner::StepLosses;
use crate::observer::StepReport;
use crate::settings::LoopSettings;

/// What steps measured that were not told yet; a checkpoint keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Sums {
    steps: u64,
    losses: StepLosses,
}

/// Adds up steps and time.
#[derive(Debug)]
pub(crate) struct Meter {
    steps: u64,
    samples_a_step: f64,
    chips: f64,
    begun: Instant,
    /// When the last report was made, and the last checkpoint.
    reported: Instant,
    saved: Instant,
    waited: Duration,
    waited_in_all: Duration,
    /// Time spent because of other processes, where there are some.
    together: Option<Duration>,
    together_in_all: Duration,
    /// Steps that this process did since the last report.
    timed: u64,
    sums: Sums,
}

impl Meter {
    /// Goes on with what an interrupted training measured.
    pub(crate) fn new(settings: &LoopSettings, world: usize, chips: usize, sums: Sums) -> Self {
        let now = Instant::now();
        Self {
            steps: settings.steps,
            samples_a_step: (settings.batch * settings.accumulate * world) as f64,
            chips: chips as f64,
            begun: now,
            reported: now,
            saved: now,
            waited: Duration::ZERO,
            waited_in_all: Duration::ZERO,
            together: (world > 1).then_some(Duration::ZERO),
            together_in_all: Duration::ZERO,
            timed: 0,
            sums,
        }
    }

    /// What was measured and not told.
    pub(crate) fn sums(&self) -> Sums {
        self.sums
    }

    /// The network waited for samples.
    pub(crate) fn waited(&mut self, time: Duration) {
        self.waited += time;
        self.waited_in_all += time;
    }

    /// Time went by because of other processes.
    pub(crate) fn talked(&mut self, time: Duration) {
        self.together = self.together.map(|sum| sum + time);
        self.together_in_all += time;
    }

    /// A step was done.
    pub(crate) fn count(&mut self, losses: &StepLosses) {
        let add = |sum: Option<f64>, value: Option<f64>| value.map(|value| sum.unwrap_or(0.0) + value);
        let sum = &mut self.sums.losses;
        sum.total += losses.total;
        sum.main += losses.main;
        sum.aux = add(sum.aux, losses.aux);
        sum.cpc = add(sum.cpc, losses.cpc);
        sum.dice = add(sum.dice, losses.dice);
        sum.gradient_norm += losses.gradient_norm;
        self.sums.steps += 1;
        self.timed += 1;
    }

    /// Means since the report before.
    pub(crate) fn report(&mut self, step: u64, lr: f64) -> StepReport {
        let Sums { steps, losses: sum } = std::mem::take(&mut self.sums);
        let (count, time) = (steps.max(1) as f64, self.reported.elapsed().as_secs_f64().max(1e-9));
        let steps_a_second = self.timed as f64 / time;
        let left = (self.steps - step) as f64 / steps_a_second.max(1e-9);
        let report = StepReport {
            step,
            steps: self.steps,
            epoch: step as f64 * self.samples_a_step / self.chips,
            loss: sum.total / count,
            main: sum.main / count,
            aux: sum.aux.map(|sum| sum / count),
            cpc: sum.cpc.map(|sum| sum / count),
            dice: sum.dice.map(|sum| sum / count),
            gradient_norm: sum.gradient_norm / count,
            lr,
            rate: steps_a_second * self.samples_a_step,
            waiting: (self.waited.as_secs_f64() / time).min(1.0),
            communication: self.together.map(|sum| (sum.as_secs_f64() / time).min(1.0)),
            left: Duration::try_from_secs_f64(left).unwrap_or(Duration::MAX),
        };
        self.timed = 0;
        self.waited = Duration::ZERO;
        self.together = self.together.map(|_| Duration::ZERO);
        self.reported = Instant::now();
        report
    }

    /// Time since the last call, for the sum in the checkpoint.
    pub(crate) fn unsaved(&mut self) -> Duration {
        let time = self.saved.elapsed();
        self.saved = Instant::now();
        time
    }

    /// Seconds since the first step.
    pub(crate) fn seconds(&self) -> f64 {
        self.begun.elapsed().as_secs_f64()
    }

    /// Share of them spent waiting for samples.
    pub(crate) fn waiting(&self) -> f64 {
        self.share(self.waited_in_all)
    }

    /// Share of them spent because of other processes, where there are some.
    pub(crate) fn communication(&self) -> Option<f64> {
        self.together.map(|_| self.share(self.together_in_all))
    }

    fn share(&self, time: Duration) -> f64 {
        (time.as_secs_f64() / self.seconds().max(1e-9)).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn losses(total: f64, cpc: Option<f64>) -> StepLosses {
        StepLosses { total, main: total / 2.0, cpc, gradient_norm: 3.0, ..StepLosses::default() }
    }

    fn meter(sums: Sums) -> Meter {
        let settings = LoopSettings { steps: 100, batch: 2, accumulate: 3, ..LoopSettings::default() };
        Meter::new(&settings, 1, 12, sums)
    }

    /// What does not depend on the clock.
    fn told(report: &StepReport) -> [Option<f64>; 7] {
        let StepReport { epoch, loss, main, aux, cpc, gradient_norm, lr, .. } = *report;
        [Some(epoch), Some(loss), Some(main), aux, cpc, Some(gradient_norm), Some(lr)]
    }

    #[test]
    fn reports_are_means_since_the_one_before() {
        let mut meter = meter(Sums::default());
        meter.count(&losses(1.0, Some(0.5)));
        meter.count(&losses(2.0, Some(1.5)));
        let report = meter.report(2, 0.1);
        assert_eq!(told(&report), [Some(1.0), Some(1.5), Some(0.75), None, Some(1.0), Some(3.0), Some(0.1)]);
        assert!(report.rate > 0.0 && (0.0..=1.0).contains(&report.waiting));
        meter.count(&losses(7.0, None));
        assert_eq!(told(&meter.report(3, 0.1))[1..5], [Some(7.0), Some(3.5), None, None]);
    }

    #[test]
    fn an_interruption_between_reports_changes_no_mean() {
        let (mut whole, mut begun) = (meter(Sums::default()), meter(Sums::default()));
        for meter in [&mut whole, &mut begun] {
            meter.count(&losses(0.1, Some(0.3)));
            meter.count(&losses(0.2, Some(0.7)));
        }
        let stored = serde_json::to_string(&begun.sums()).unwrap();
        let mut resumed = meter(serde_json::from_str(&stored).unwrap());
        for meter in [&mut whole, &mut resumed] {
            meter.count(&losses(0.4, Some(0.9)));
        }
        assert_eq!(told(&whole.report(3, 0.1)), told(&resumed.report(3, 0.1)));
        assert_eq!(whole.sums(), Sums::default());
    }

    #[test]
    fn time_is_counted_once() {
        let mut meter = meter(Sums::default());
        std::thread::sleep(Duration::from_millis(2));
        meter.waited(Duration::from_secs(1000));
        assert!(meter.unsaved() >= Duration::from_millis(2));
        assert!(meter.unsaved() < Duration::from_secs(100) && meter.seconds() > 0.0);
        assert!((meter.waiting() - 1.0).abs() < f64::EPSILON);
    }
}

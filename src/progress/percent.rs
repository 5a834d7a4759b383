//! How far the whole run is, over all of its stages.

use seg_grid::Progress;

/// A part of a run, and how much of its time it takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Stage {
    /// As in [`Progress::stage`].
    pub name: &'static str,
    /// Compared with the other stages'.
    pub weight: f64,
}

/// Turns the progress of stages into a percentage that never falls.
#[derive(Debug, Clone, Default)]
pub(crate) struct Percent {
    stages: Vec<Stage>,
    rounds: usize,
    /// Rounds that are done.
    round: usize,
    reached: f64,
}

impl Percent {
    /// For a run of these stages in this order, all of them so many times; without any, the run is one stage of
    /// whatever name.
    pub(crate) fn new(stages: &[Stage], rounds: usize) -> Self {
        Self { stages: stages.to_vec(), rounds, round: 0, reached: 0.0 }
    }

    /// The stages begin once more.
    pub(crate) fn next_round(&mut self) {
        self.round += 1;
    }

    /// The percentage after a step; a stage that was not announced moves nothing.
    pub(crate) fn after(&mut self, step: Progress) -> f64 {
        let share = if step.total == 0 { 1.0 } else { (step.done as f64 / step.total as f64).min(1.0) };
        let done = if self.stages.is_empty() {
            share
        } else if let Some(index) = self.stages.iter().position(|stage| stage.name == step.stage) {
            let whole: f64 = self.stages.iter().map(|stage| stage.weight).sum();
            let before: f64 = self.stages[..index].iter().map(|stage| stage.weight).sum();
            (before + share * self.stages[index].weight) / whole
        } else {
            0.0
        };
        let rounds = self.rounds.max(1);
        let done = (self.round.min(rounds - 1) as f64 + done) / rounds as f64;
        self.reached = self.reached.max((done * 1000.0).round() / 10.0);
        self.reached
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAGES: [Stage; 2] =
        [Stage { name: "infer", weight: 9.0 }, Stage { name: "assemble", weight: 1.0 }];

    #[test]
    fn stages_share_the_whole_run() {
        let mut percent = Percent::new(&STAGES, 1);
        let mut at = |stage, done, total| percent.after(Progress { stage, done, total });
        assert!((at("infer", 0, 20) - 0.0).abs() < 1e-9);
        assert!((at("infer", 10, 20) - 45.0).abs() < 1e-9);
        assert!((at("infer", 20, 20) - 90.0).abs() < 1e-9);
        assert!((at("assemble", 1, 2) - 95.0).abs() < 1e-9);
        assert!((at("infer", 1, 20) - 95.0).abs() < 1e-9, "it never falls");
        assert!((at("unheard of", 1, 2) - 95.0).abs() < 1e-9);
        assert!((at("assemble", 3, 2) - 100.0).abs() < 1e-9);
    }

    #[test]
    fn rounds_share_the_whole_run() {
        let mut percent = Percent::new(&STAGES, 2);
        let half = |percent: &mut Percent| percent.after(Progress { stage: "infer", done: 10, total: 20 });
        assert!((half(&mut percent) - 22.5).abs() < 0.06);
        percent.next_round();
        assert!((half(&mut percent) - 72.5).abs() < 0.06);
        assert!((percent.after(Progress { stage: "assemble", done: 2, total: 2 }) - 100.0).abs() < 1e-9);
    }

    #[test]
    fn a_run_without_announced_stages_is_one_stage() {
        let mut percent = Percent::default();
        assert!((percent.after(Progress { stage: "read", done: 3, total: 20 }) - 15.0).abs() < 1e-9);
        assert!((percent.after(Progress { stage: "read", done: 0, total: 0 }) - 100.0).abs() < 1e-9);
    }
}

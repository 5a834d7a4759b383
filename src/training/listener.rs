//! Tells how a training goes.

use crate::context::Context;
use seg_grid::{Observer, Progress};
use seg_train::{StepReport, TrainObserver, ValidationReport};
use std::time::Duration;

/// Notes and the progress bar of a training.
#[derive(Debug)]
pub(crate) struct Listener<'a> {
    pub context: &'a Context,
    pub shows: Shows,
}

/// Whether a process shows how far the training is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shows {
    Progress,
    /// The first of several does.
    Nothing,
}

/// Validations come between steps: the bar stays with the steps meanwhile.
const HIDDEN_STAGE: &str = "validate";

impl Observer for Listener<'_> {
    fn progress(&self, progress: Progress) {
        if progress.stage != HIDDEN_STAGE && self.shows == Shows::Progress {
            self.context.progress.progress(progress);
        }
    }

    fn warning(&self, message: &str) {
        self.context.progress.warning(message);
    }

    fn cancelled(&self) -> bool {
        self.context.progress.cancelled()
    }
}

impl TrainObserver for Listener<'_> {
    fn step(&self, report: &StepReport) {
        let part =
            |name, value: Option<f64>| value.map_or(String::new(), |value| format!(" {name} {value:.4}"));
        self.context.printer.note(format_args!(
            "step {}/{} (epoch {:.1}): loss {:.4} (main {:.4}{}{}{}), gradient {:.2}, lr {:.2e}, {:.2} samples/s, \
             {:.0} % waiting for data{}, {} left",
            report.step,
            report.steps,
            report.epoch,
            report.loss,
            report.main,
            part("aux", report.aux),
            part("cpc", report.cpc),
            part("dice", report.dice),
            report.gradient_norm,
            report.lr,
            report.rate,
            100.0 * report.waiting,
            report.communication.map_or(String::new(), |share| {
                format!(", {:.0} % communication", 100.0 * share)
            }),
            time(report.left),
        ));
    }

    fn validated(&self, report: &ValidationReport<'_>) {
        let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
        let classes = report.classes.iter().zip(&report.scores.classes);
        let classes: Vec<_> = classes.map(|(name, score)| format!("{name} {}", number(score.iou))).collect();
        self.context.printer.note(format_args!(
            "validation at step {}: mIoU {}, OA {} ({}){}",
            report.step,
            number(report.scores.miou),
            number(report.scores.oa),
            classes.join(", "),
            if report.best { ", the best so far" } else { "" },
        ));
    }

    fn note(&self, text: &str) {
        self.context.printer.note(text);
    }
}

/// Hours, minutes and seconds, as far as they matter.
fn time(left: Duration) -> String {
    let seconds = left.as_secs();
    match (seconds / 3600, seconds / 60 % 60) {
        (0, 0) => format!("{seconds} s"),
        (0, minutes) => format!("{minutes} min {} s", seconds % 60),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_two_units() {
        let text = |seconds| time(Duration::from_secs(seconds));
        assert_eq!((text(59), text(61), text(7260)), ("59 s".into(), "1 min 1 s".into(), "2 h 1 min".into()));
    }
}

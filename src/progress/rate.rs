//! How fast a stage is and how long it will take, in words.

use seg_grid::Progress;
use std::time::Duration;

/// Where a stage began; a resumed one begins in the middle.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    first_done: u64,
    started: Duration,
}

impl Rate {
    /// From the first step of a stage, so long after the start of the run.
    pub(crate) const fn new(first: Progress, started: Duration) -> Self {
        Self { first_done: first.done, started }
    }

    /// A line such as `infer 40 of 200 (20 %), 3.1 a second, 52 s left`.
    pub(crate) fn line(self, step: Progress, elapsed: Duration) -> String {
        let Progress { stage, done, total } = step;
        let share = (100 * done).checked_div(total).unwrap_or(100);
        let seconds = elapsed.saturating_sub(self.started).as_secs_f64();
        let steps = done.saturating_sub(self.first_done) as f64;
        let speed = (steps > 0.0 && seconds > 0.0).then(|| steps / seconds);
        let (rate, left) = match speed {
            Some(rate) if done < total => (
                format!(", {rate:.1} a second"),
                format!(", {} left", duration((total - done) as f64 / rate)),
            ),
            Some(rate) => (format!(", {rate:.1} a second"), String::new()),
            None => (String::new(), String::new()),
        };
        format!("{stage} {done} of {total} ({share} %){rate}{left}")
    }
}

/// `42 s`, `3 min 20 s` or `2 h 05 min`.
fn duration(seconds: f64) -> String {
    let seconds = seconds.ceil() as u64;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resumed_stage_counts_only_what_it_did_itself() {
        let step = |done| Progress { stage: "infer", done, total: 200 };
        let rate = Rate::new(step(100), Duration::from_secs(5));
        assert_eq!(rate.line(step(100), Duration::from_secs(5)), "infer 100 of 200 (50 %)");
        assert_eq!(
            rate.line(step(120), Duration::from_secs(15)),
            "infer 120 of 200 (60 %), 2.0 a second, 40 s left"
        );
        assert_eq!(rate.line(step(200), Duration::from_secs(55)), "infer 200 of 200 (100 %), 2.0 a second");
    }

    #[test]
    fn durations_have_two_units() {
        assert_eq!(duration(59.2), "1 min 00 s");
        assert_eq!(duration(200.0), "3 min 20 s");
        assert_eq!(duration(7500.0), "2 h 05 min");
    }
}

//! When a line is due where there is no bar: often at first, then ever more rarely.

use std::time::Duration;

const FIRST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(300);

/// Says when the next line is due.
#[derive(Debug, Clone)]
pub(crate) struct BackOff {
    due: Duration,
    interval: Duration,
}

impl Default for BackOff {
    fn default() -> Self {
        Self { due: FIRST, interval: FIRST }
    }
}

impl BackOff {
    /// Whether a line is due, so long after the start; if so, the next interval is half as long again.
    pub(crate) fn is_due(&mut self, elapsed: Duration) -> bool {
        if elapsed < self.due {
            return false;
        }
        self.interval = self.interval.mul_f64(1.5).min(LONGEST);
        self.due = elapsed + self.interval;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_is_a_few_lines() {
        let mut back_off = BackOff::default();
        let due: Vec<u64> =
            (0..3600).filter(|&second| back_off.is_due(Duration::from_secs(second))).collect();
        assert_eq!(due[..3], [2, 5, 10]);
        assert!((15..40).contains(&due.len()), "{due:?}");
        let last = &due[due.len() - 2..];
        assert!(last[1] - last[0] <= 300, "{due:?}");
    }
}

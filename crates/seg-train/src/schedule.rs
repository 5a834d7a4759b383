//! The learning rate: a pure function of the step.

use crate::settings::{Curve, ScheduleSettings};

/// The learning rate of step `step` (from 0) of `steps`, for a group that starts from `base`.
///
/// # Examples
/// ```
/// use seg_train::{ScheduleSettings, learning_rate};
///
/// let schedule = ScheduleSettings { warmup_steps: 10, ..ScheduleSettings::default() };
/// assert!(learning_rate(&schedule, 1e-4, 0, 100) < 1e-9);
/// assert!(learning_rate(&schedule, 1e-4, 99, 100) < 3e-6);
/// ```
///
/// # References
/// The poly policy with a minimum and linear warm-up of mmcv's learning-rate hooks, which the authors'
/// configuration names.
pub fn learning_rate(schedule: &ScheduleSettings, base: f64, step: u64, steps: u64) -> f64 {
    let done = step as f64 / steps.max(1) as f64;
    let share = match schedule.curve {
        Curve::Poly => (1.0 - done).max(0.0).powf(schedule.power),
        Curve::Cosine => f64::midpoint(1.0, (std::f64::consts::PI * done.min(1.0)).cos()),
        Curve::Constant => 1.0,
    };
    // A group whose base is below the minimum, such as one that is not to learn, stays there.
    let floor = schedule.min_lr.min(base);
    let rate = (base - floor) * share + floor;
    if step < schedule.warmup_steps {
        let missing = 1.0 - step as f64 / schedule.warmup_steps as f64;
        rate * (1.0 - missing * (1.0 - schedule.warmup_ratio))
    } else {
        rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(schedule: &ScheduleSettings, base: f64, step: u64, expected: f64) {
        let rate = learning_rate(schedule, base, step, 80_000);
        assert!((rate / expected - 1.0).abs() < 1e-9, "{rate} is not {expected}");
    }

    #[test]
    fn poly_with_warm_up_as_published() {
        let paper = ScheduleSettings::default();
        // base 1e-4, (1e-4 - 1e-6) * (1 - t)^0.9 + 1e-6, warm-up below 1500.
        check(&paper, 1e-4, 40_000, 99e-6 * 0.5_f64.powf(0.9) + 1e-6);
        check(&paper, 1e-5, 40_000, 9e-6 * 0.5_f64.powf(0.9) + 1e-6);
        check(&paper, 1e-4, 80_000, 1e-6);
        let at_750 = 99e-6 * (1.0 - 750.0 / 80_000.0_f64).powf(0.9) + 1e-6;
        check(&paper, 1e-4, 750, at_750 * (1.0 - 0.5 * (1.0 - 1e-6)));
        check(&paper, 1e-4, 0, 1e-4 * 1e-6);
    }

    #[test]
    fn a_group_that_does_not_learn_stays_so() {
        for curve in [Curve::Poly, Curve::Cosine, Curve::Constant] {
            let schedule = ScheduleSettings { curve, ..ScheduleSettings::default() };
            assert!(learning_rate(&schedule, 0.0, 30_000, 80_000).abs() < f64::EPSILON);
        }
    }

    #[test]
    fn a_cosine_is_half_way_down_in_the_middle() {
        let schedule = ScheduleSettings { curve: Curve::Cosine, min_lr: 0.0, ..ScheduleSettings::default() };
        check(&schedule, 1e-3, 40_000, 5e-4);
    }
}

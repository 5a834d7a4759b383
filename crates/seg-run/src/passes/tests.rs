//! Passes of networks whose answers are known.

use super::*;
use crate::testing::Toy;
use tch::Device;

/// What a network does to its input.
#[derive(Debug, Clone, Copy)]
enum Habit {
    /// Takes half of each pixel from its left neighbor, so that it matters which way round an image is.
    LooksLeft,
    /// Scales its input where it lies.
    WritesInput,
    /// Does the same on a copy.
    Copies,
}

impl Habit {
    fn network(self) -> impl SegModel {
        let answer = move |xs: &Tensor| {
            let mut xs = xs.shallow_clone();
            Scores::Probabilities(match self {
                Self::LooksLeft => (&xs + xs.roll([1], [3])) * 0.5,
                Self::WritesInput => xs.f_mul_scalar_(0.5).unwrap(),
                Self::Copies => xs * 0.5,
            })
        };
        Toy { channels: 2, multiple: 1, answer }
    }
}

fn image() -> Tensor {
    (Tensor::arange(2 * 8 * 12, (Kind::Float, Device::Cpu)) / 100.0).view([1, 2, 8, 12]) // (B, C, H, W)
}

fn passes(turns: Turns, scales: &[f64], side: usize) -> Passes {
    Passes { sliding: SlidingWindow { side, stride: side.div_ceil(2) }, scales: scales.to_vec(), turns }
}

fn largest_difference(a: &Tensor, b: &Tensor) -> f64 {
    (a - b).abs().max().double_value(&[])
}

#[test]
fn all_eight_turns_look_to_all_sides_alike() {
    let seen = passes(Turns::D4, &[1.0], 100)
        .probabilities(&Habit::LooksLeft.network(), &image(), &|| false)
        .unwrap();
    let xs = image();
    let roll = |by: i64, axis: i64| xs.roll([by], [axis]);
    let around = (roll(1, 3) + roll(-1, 3) + roll(1, 2) + roll(-1, 2)) * 0.125; // (B, C, H, W)
    assert!(largest_difference(&seen, &(&xs * 0.5 + around)) < 1e-6);
    let flipped =
        passes(Turns::Flip, &[1.0], 100).probabilities(&Habit::LooksLeft.network(), &xs, &|| false).unwrap();
    let beside = (xs.roll([1], [3]) + xs.roll([-1], [3])) * 0.25; // (B, C, H, W)
    assert!(largest_difference(&flipped, &(&xs * 0.5 + beside)) < 1e-6);
    assert_eq!((Turns::D4.names().len(), passes(Turns::D4, &[0.5, 1.0], 4).count()), (8, 16));
}

#[test]
fn a_network_that_writes_into_its_input_changes_nothing() {
    for how in [passes(Turns::Flip, &[1.0, 0.5], 100), passes(Turns::D4, &[1.0], 4)] {
        let xs = image();
        let writes = how.probabilities(&Habit::WritesInput.network(), &xs, &|| false).unwrap();
        let copies = how.probabilities(&Habit::Copies.network(), &image(), &|| false).unwrap();
        assert_eq!(writes, copies);
        assert_eq!(xs, image());
    }
}

#[test]
fn whoever_stops_is_told_so() {
    let stopped = passes(Turns::D4, &[1.0], 4).probabilities(&Habit::Copies.network(), &image(), &|| true);
    assert!(matches!(stopped, Err(PassError::Stopped)));
}

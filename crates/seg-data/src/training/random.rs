use rand::{Rng as _, SeedableRng as _};
use rand_pcg::Pcg64;

/// The random numbers of one sample or one epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Random(Pcg64);

impl Random {
    /// Of what these numbers name; any other numbers give an unrelated stream.
    pub(crate) fn of(name: &[u64]) -> Self {
        Self(Pcg64::seed_from_u64(name.iter().fold(0, |hash, part| mixed(hash ^ part))))
    }

    /// 64 random bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// From `low` up to `high`, each as likely; `low` if both are the same.
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// True with this probability.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// A whole number below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.bits()) * end as u128) >> 64) as usize
    }

    /// From 0 up to 1.
    fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// The numbers below `len` in random order.
    pub(crate) fn permutation(&mut self, len: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..len).collect();
        for last in (1..len).rev() {
            order.swap(last, self.below(last + 1));
        }
        order
    }
}

/// A hash whose every bit depends on every bit of the number.
///
/// # References
/// G. L. Steele, D. Lea, C. H. Flood, "Fast splittable pseudorandom number generators", 2014,
/// doi:10.1145/2660193.2660195.
fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn numbers_stay_in_their_range_and_reach_all_of_it() {
        let mut random = Random::of(&[1, 2]);
        let drawn: BTreeSet<_> = (0..200).map(|_| random.below(5)).collect();
        assert_eq!(drawn, (0..5).collect());
        assert!((0..1000).all(|_| (-2.0..3.0).contains(&random.between(-2.0, 3.0))));
        assert!(!random.chance(0.0) && random.chance(1.0));
        let mut order = random.permutation(50);
        assert_ne!(order, (0..50).collect::<Vec<_>>());
        order.sort_unstable();
        assert_eq!(order, (0..50).collect::<Vec<_>>());
    }

    #[test]
    fn another_name_is_another_stream() {
        let names: [&[u64]; 5] = [&[0, 0], &[0, 1], &[1, 0], &[0, 0, 0], &[1, 1]];
        let first: BTreeSet<_> = names.iter().map(|name| Random::of(name).bits()).collect();
        assert_eq!(first.len(), names.len());
        // Another version of the generator would train otherwise.
        assert_eq!(Random::of(&[7, 3, 1]).bits(), 12_793_602_498_587_814_757);
    }
}

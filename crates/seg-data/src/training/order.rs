use crate::training::random::Random;
use std::sync::{Arc, Mutex, PoisonError};

/// Which chip a sample shows: every epoch takes each chip once, in an order of its own.
#[derive(Debug)]
pub(crate) struct Order {
    seed: u64,
    chips: usize,
    /// The last epoch asked for, so that its order is made once.
    last: Mutex<Option<(u64, Arc<Vec<usize>>)>>,
}

impl Order {
    /// Of so many chips, at least one.
    pub(crate) const fn new(seed: u64, chips: usize) -> Self {
        Self { seed, chips, last: Mutex::new(None) }
    }

    /// The epoch and the chip of a sample.
    pub(crate) fn of(&self, number: u64) -> (u64, usize) {
        let chips = self.chips.max(1) as u64;
        let (epoch, position) = (number / chips, (number % chips) as usize);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let order = match &*last {
            Some((known, order)) if *known == epoch => Arc::clone(order),
            _ => {
                let order = Arc::new(Random::of(&[self.seed, epoch]).permutation(self.chips));
                *last = Some((epoch, Arc::clone(&order)));
                order
            }
        };
        (epoch, order.get(position).copied().unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_shows_each_chip_once_in_its_own_order() {
        let epoch = |seed: u64, epoch: u64| {
            let order = Order::new(seed, 20);
            (epoch * 20..(epoch + 1) * 20).map(|number| order.of(number)).collect::<Vec<_>>()
        };
        let chips = |drawn: &[(u64, usize)]| drawn.iter().map(|(_, chip)| *chip).collect::<Vec<_>>();
        let (first, second, other) = (epoch(1, 0), epoch(1, 1), epoch(2, 0));
        assert!(first.iter().all(|(epoch, _)| *epoch == 0) && second.iter().all(|(epoch, _)| *epoch == 1));
        for drawn in [&first, &second, &other] {
            let mut chips = chips(drawn);
            chips.sort_unstable();
            assert_eq!(chips, (0..20).collect::<Vec<_>>());
        }
        assert_ne!(chips(&first), chips(&second));
        assert_ne!(chips(&first), chips(&other));
    }
}

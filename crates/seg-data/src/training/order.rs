use crate::training::random::Random;
use std::sync::{Arc, Mutex, PoisonError};

/// Which chip a sample shows: every epoch takes each chip once, or as often as its chance says, in an order of
/// its own.
#[derive(Debug)]
pub(crate) struct Order {
    seed: u64,
    chips: usize,
    /// How often each chip comes in an epoch on average; `None` is once each.
    chances: Option<Vec<f64>>,
    /// The last epoch asked for, so that its order is made once.
    last: Mutex<Option<(u64, Arc<Epoch>)>>,
}

/// The chips of an epoch, each with the number of times it came before.
type Epoch = Vec<(usize, u64)>;

/// What a sample is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Draw {
    /// The round through the chips.
    pub(crate) epoch: u64,
    /// The chip.
    pub(crate) chip: usize,
    /// How often the epoch has taken this chip before.
    pub(crate) repeat: u64,
}

impl Order {
    /// Of so many chips, at least one; chances are one for each of them and add up to their number.
    pub(crate) const fn new(seed: u64, chips: usize, chances: Option<Vec<f64>>) -> Self {
        Self { seed, chips, chances, last: Mutex::new(None) }
    }

    /// What the sample of this number shows.
    pub(crate) fn of(&self, number: u64) -> Draw {
        let chips = self.chips.max(1) as u64;
        let (epoch, position) = (number / chips, (number % chips) as usize);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let order = match &*last {
            Some((known, order)) if *known == epoch => Arc::clone(order),
            _ => {
                let order = Arc::new(self.epoch(epoch));
                *last = Some((epoch, Arc::clone(&order)));
                order
            }
        };
        let (chip, repeat) = order.get(position).copied().unwrap_or_default();
        Draw { epoch, chip, repeat }
    }

    fn epoch(&self, epoch: u64) -> Epoch {
        let mut random = Random::of(&[self.seed, epoch]);
        let order = random.permutation(self.chips);
        let Some(chances) = &self.chances else { return order.into_iter().map(|chip| (chip, 0)).collect() };
        let drawn = systematic(chances, random.between(0.0, 1.0));
        order.into_iter().filter_map(|position| drawn.get(position).copied()).collect()
    }
}

/// Each chip as often as its chance says, rounded up or down so that the mean over `offset` from 0 to 1 is the
/// chance itself and there are as many draws as chips.
///
/// # References
/// W. G. Madow, L. H. Madow: On the theory of systematic sampling. Ann. Math. Statist. 15 (1944),
/// doi:10.1214/aoms/1177731312.
fn systematic(chances: &[f64], offset: f64) -> Epoch {
    let (mut drawn, mut sum) = (Vec::with_capacity(chances.len()), 0.0);
    for (chip, chance) in chances.iter().enumerate() {
        sum += chance;
        // Rounding must not lose the last draw.
        let end = if chip + 1 == chances.len() { chances.len() as f64 } else { sum };
        let mut repeat = 0;
        while (drawn.len() as f64) + offset < end && drawn.len() < chances.len() {
            drawn.push((chip, repeat));
            repeat += 1;
        }
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(order: &Order, epoch: u64) -> Vec<Draw> {
        let chips = order.chips as u64;
        (epoch * chips..(epoch + 1) * chips).map(|number| order.of(number)).collect()
    }

    #[test]
    fn an_epoch_shows_each_chip_once_in_its_own_order() {
        let chips = |drawn: &[Draw]| drawn.iter().map(|draw| draw.chip).collect::<Vec<_>>();
        let (one, two) = (Order::new(1, 20, None), Order::new(2, 20, None));
        let (first, second, other) = (epoch(&one, 0), epoch(&one, 1), epoch(&two, 0));
        assert!(first.iter().all(|draw| draw.epoch == 0) && second.iter().all(|draw| draw.epoch == 1));
        for drawn in [&first, &second, &other] {
            assert!(drawn.iter().all(|draw| draw.repeat == 0));
            let mut chips = chips(drawn);
            chips.sort_unstable();
            assert_eq!(chips, (0..20).collect::<Vec<_>>());
        }
        assert_ne!(chips(&first), chips(&second));
        assert_ne!(chips(&first), chips(&other));
    }

    #[test]
    fn chips_come_as_often_as_their_chances_say_and_no_draw_comes_twice() {
        let chances = vec![2.5, 0.2, 0.3, 1.0, 1.0];
        let order = Order::new(3, 5, Some(chances.clone()));
        let mut counts = [0_u32; 5];
        for number in 0..2000 {
            let mut drawn = epoch(&order, number);
            assert_eq!(drawn.len(), 5);
            for (chip, chance) in chances.iter().enumerate() {
                let times = drawn.iter().filter(|draw| draw.chip == chip).count();
                assert!((times as f64 - chance).abs() < 1.0, "{times} times for {chance}");
                counts[chip] += times as u32;
            }
            drawn.sort_by_key(|draw| (draw.chip, draw.repeat));
            drawn.dedup();
            assert_eq!(drawn.len(), 5);
        }
        for (count, chance) in counts.iter().zip(&chances) {
            assert!((f64::from(*count) / 2000.0 - chance).abs() < 0.05, "{count} for {chance}");
        }
    }
}

use super::{Shares, Split};
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_pcg::Pcg64;
use std::cmp::Reverse;

/// Deals groups of the given weights out to the splits, pseudo-randomly and close to the shares.
///
/// Groups are taken in shuffled order, heavy ones (to a power of two) first, and each goes to the split that
/// lacks most of what it should have by then. Every split with a share gets a group as long as there are
/// enough of them.
pub(crate) fn deal(weights: &[u64], shares: Shares, seed: u64) -> Vec<Split> {
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.shuffle(&mut Pcg64::seed_from_u64(seed));
    order.sort_by_key(|&i| Reverse(weights[i].max(1).ilog2()));
    let mut dealt = vec![Split::Train; weights.len()];
    let mut given = [0.0; 3];
    let mut total = 0.0;
    for &i in &order {
        // A group without weight still belongs somewhere.
        let weight = weights[i].max(1) as f64;
        total += weight;
        let lack = |split: Split| shares.of(split) * total - given[split as usize];
        let split = Split::ALL
            .into_iter()
            .filter(|&split| shares.of(split) > 0.0)
            .max_by(|&a, &b| lack(a).total_cmp(&lack(b)).then(b.cmp(&a)))
            .unwrap_or(Split::Train);
        given[split as usize] += weight;
        dealt[i] = split;
    }
    fill_empty_splits(&mut dealt, weights, shares, &order);
    dealt
}

/// Takes the lightest group from the split that has most groups, for each split that has none.
fn fill_empty_splits(dealt: &mut [Split], weights: &[u64], shares: Shares, order: &[usize]) {
    let count = |dealt: &[Split], split| dealt.iter().filter(|&&other| other == split).count();
    for empty in Split::ALL {
        if shares.of(empty) == 0.0 || count(dealt, empty) > 0 {
            continue;
        }
        let Some(richest) = Split::ALL.into_iter().rev().max_by_key(|&split| count(dealt, split)) else {
            continue;
        };
        if count(dealt, richest) < 2 {
            continue;
        }
        let lightest = order.iter().copied().filter(|&i| dealt[i] == richest).min_by_key(|&i| weights[i]);
        if let Some(i) = lightest {
            dealt[i] = empty;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn share_of(dealt: &[Split], weights: &[u64], split: Split) -> f64 {
        let of = dealt.iter().zip(weights).filter(|(s, _)| **s == split).map(|(_, &w)| w).sum::<u64>();
        of as f64 / weights.iter().sum::<u64>() as f64
    }

    proptest! {
        /// Shares are met up to two of the heaviest groups.
        #[test]
        fn shares_are_met(
            weights in proptest::collection::vec(1_u64..100, 6..80), seed: u64, train in 0.4..0.9_f64,
        ) {
            let val = (1.0 - train) / 2.0;
            let shares = Shares::new(train, val, 1.0 - train - val).expect("shares");
            let dealt = deal(&weights, shares, seed);
            let off = 2.0 * 100.0 / weights.iter().sum::<u64>() as f64;
            for split in Split::ALL {
                prop_assert!((share_of(&dealt, &weights, split) - shares.of(split)).abs() <= off);
                prop_assert!(dealt.contains(&split));
            }
            prop_assert_eq!(&deal(&weights, shares, seed), &dealt, "the same every time");
        }
    }

    #[test]
    fn the_seed_changes_who_gets_what_and_heavy_groups_are_spread() {
        let weights: Vec<u64> = (0..40).map(|i| if i < 20 { 1000 } else { 10 }).collect();
        let one = deal(&weights, Shares::default(), 1);
        assert_ne!(one, deal(&weights, Shares::default(), 2));
        let heavy = |split| one[..20].iter().filter(|&&s| s == split).count();
        assert_eq!(Split::ALL.map(heavy), [14, 3, 3]);
    }

    #[test]
    fn few_groups_still_fill_every_split() {
        let mut dealt = deal(&[5, 5, 5], Shares::default(), 0);
        dealt.sort_unstable();
        assert_eq!(dealt, Split::ALL);
        assert_eq!(deal(&[5], Shares::default(), 0), [Split::Train]);
        assert!(deal(&[], Shares::default(), 0).is_empty());
    }

    #[test]
    fn a_split_without_a_share_gets_nothing() {
        let shares = Shares::new(0.5, 0.0, 0.5).expect("shares");
        assert!(!deal(&[1; 20], shares, 0).contains(&Split::Val));
    }
}

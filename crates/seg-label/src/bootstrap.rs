use rand::{Rng as _, SeedableRng as _};
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

/// Where a figure lies with 95 % confidence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// How often and from which seed blocks are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resampling {
    /// How often.
    pub replicates: usize,
    /// The seed of the random numbers.
    pub seed: u64,
}

impl Default for Resampling {
    fn default() -> Self {
        Self { replicates: 2000, seed: 0 }
    }
}

/// A figure's least and greatest value.
pub(crate) type Bounds = [f64; 2];

/// The distance of the 97.5 % quantile of the normal distribution from its mean.
const Z: f64 = 1.959_963_984_540_054;
/// Replicates without the figure, such as those that miss a rare class, leave an interval if they are fewer.
const LEAST_DEFINED: f64 = 0.9;

/// Draws blocks with replacement, as many as there are, adds them up and reads figures off the sums: replicates by
/// figure.
fn replicates(
    blocks: &[Vec<u64>],
    how: Resampling,
    figures: &dyn Fn(&[u64]) -> Vec<Option<f64>>,
) -> Vec<Vec<f64>> {
    let mut random = Pcg64::seed_from_u64(how.seed);
    let mut found: Vec<Vec<f64>> = Vec::new();
    let mut sums = vec![0; blocks.first().map_or(0, Vec::len)];
    for _ in 0..how.replicates {
        sums.fill(0);
        for _ in 0..blocks.len() {
            let drawn = ((u128::from(random.next_u64()) * blocks.len() as u128) >> 64) as usize;
            for (sum, value) in sums.iter_mut().zip(&blocks[drawn]) {
                *sum += value;
            }
        }
        let values = figures(&sums);
        found.resize(values.len(), Vec::new());
        for (found, value) in found.iter_mut().zip(values) {
            found.extend(value);
        }
    }
    found
}

/// Intervals of figures from blocks of sums, and from blocks of half the side.
///
/// The interval reaches from the estimate to the 2.5 % and 97.5 % quantiles over replicates, each distance lengthened
/// by two factors. One is that of Student's distribution over the normal one and of the variance's bias, for there are
/// only so many blocks. The other is for what neighboring blocks have in common: where halving the side makes the
/// variance smaller, doubling it would make it larger; 2 v(s) - v(s/2) extrapolates to blocks without neighbors.
///
/// # References
/// B. Efron, R. Tibshirani, "An Introduction to the Bootstrap", 1993, doi:10.1007/978-1-4899-4541-9;
/// T. Hesterberg, "What teachers should know about the bootstrap", 2015, doi:10.1080/00031305.2015.1089789 (the first
/// factor); D. Politis, J. Romano, "Bias-corrected nonparametric spectral estimation", 1995,
/// doi:10.1111/j.1467-9892.1995.tb00223.x (the second).
pub(crate) fn intervals(
    blocks: &[Vec<u64>],
    halves: &[Vec<u64>],
    how: Resampling,
    bounds: &dyn Fn(usize) -> Bounds,
    figures: &dyn Fn(&[u64]) -> Vec<Option<f64>>,
) -> Vec<Option<Interval>> {
    let mut sums = vec![0; blocks.first().map_or(0, Vec::len)];
    for block in blocks {
        sums.iter_mut().zip(block).for_each(|(sum, value)| *sum += value);
    }
    let estimates = figures(&sums);
    let coarse = replicates(blocks, how, figures);
    let fine_how = Resampling { replicates: how.replicates / 2, ..how };
    let fine = if halves.is_empty() { Vec::new() } else { replicates(halves, fine_how, figures) };
    let n = blocks.len() as f64;
    let few = student(n - 1.0) / Z * (n / (n - 1.0)).sqrt();
    let interval = |(i, estimate): (usize, &Option<f64>)| {
        let estimate = (*estimate)?;
        let mut values = coarse.get(i)?.clone();
        if (values.len() as f64) < LEAST_DEFINED * how.replicates as f64 || values.is_empty() {
            return None;
        }
        values.sort_unstable_by(f64::total_cmp);
        let factor = few * shared(variance(&values), fine.get(i).map(|fine| variance(fine)));
        let [least, greatest] = bounds(i);
        let end = |share: f64| {
            let value = quantile(&values, share);
            (value - estimate).mul_add(factor, estimate).clamp(least, greatest)
        };
        let (low, high) = (end(0.025), end(0.975));
        Some(Interval { low: low.min(estimate), high: high.max(estimate) })
    };
    estimates.iter().enumerate().map(interval).collect()
}

/// The factor for what neighboring blocks have in common.
fn shared(coarse: f64, fine: Option<f64>) -> f64 {
    match fine {
        Some(fine) if coarse > 0.0 => (2.0 - (fine / coarse).sqrt()).clamp(1.0, 2.0),
        _ => 1.0,
    }
}

fn variance(values: &[f64]) -> f64 {
    let n = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / n;
    values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n
}

/// Of sorted values, between neighbors in proportion.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let (below, part) = (place.floor() as usize, place.fract());
    let above = (below + 1).min(sorted.len() - 1);
    (sorted[above] - sorted[below]).mul_add(part, sorted[below])
}

/// The 97.5 % quantile of Student's distribution, to four digits from 9 degrees of freedom on.
///
/// # References
/// M. Abramowitz, I. Stegun, "Handbook of Mathematical Functions", 1964, 26.7.5.
fn student(freedom: f64) -> f64 {
    let odd = |coefficients: &[f64]| {
        coefficients.iter().enumerate().map(|(i, c)| c * Z.powi(2 * i as i32 + 1)).sum::<f64>()
    };
    Z + odd(&[1.0, 1.0]) / (4.0 * freedom)
        + odd(&[3.0, 16.0, 5.0]) / (96.0 * freedom.powi(2))
        + odd(&[-15.0, 17.0, 19.0, 3.0]) / (384.0 * freedom.powi(3))
        + odd(&[-945.0, -1920.0, 1482.0, 776.0, 79.0]) / (92160.0 * freedom.powi(4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn student_s_quantile_is_that_of_tables() {
        for (freedom, expected) in [(9.0, 2.262_157), (19.0, 2.093_024), (35.0, 2.030_108), (99.0, 1.984_217)]
        {
            let got = student(freedom);
            assert!((got - expected).abs() < 2e-4, "{freedom}: {got}");
        }
    }

    #[test]
    fn quantiles_lie_between_neighbors() {
        let sorted = [0.0, 1.0, 4.0];
        let found = [0.0, 0.25, 0.75, 1.0].map(|share| (quantile(&sorted, share) * 4.0).round() as u8);
        assert_eq!(found, [0, 2, 10, 16]);
    }

    #[test]
    fn independent_blocks_give_the_interval_of_the_mean() {
        // Shares of 1000 pixels, from a generator with a known spread.
        let blocks: Vec<Vec<u64>> = (0..400_u64).map(|i| vec![400 + (i * 7919) % 201, 1000]).collect();
        let figures = |sums: &[u64]| vec![Some(sums[0] as f64 / sums[1] as f64)];
        let how = Resampling::default();
        let found = intervals(&blocks, &[], how, &|_| [0.0, 1.0], &figures)[0].expect("an interval");
        let deviation = (201.0_f64.powi(2) / 12.0).sqrt() / 1000.0 / 400.0_f64.sqrt();
        let half = (found.high - found.low) / 2.0;
        assert!((half / (1.96 * deviation) - 1.0).abs() < 0.08, "{half} for {}", 1.96 * deviation);
        let again = intervals(&blocks, &[], how, &|_| [0.0, 1.0], &figures);
        assert_eq!(again[0], Some(found), "the same seed, the same interval");
    }

    #[test]
    fn a_figure_that_replicates_often_lack_has_no_interval() {
        let mut blocks = vec![vec![0, 10]; 20];
        blocks[3] = vec![5, 10];
        let figures = |sums: &[u64]| vec![(sums[0] > 0).then_some(0.5), Some(1.0)];
        let found = intervals(&blocks, &[], Resampling::default(), &|_| [0.0, 1.0], &figures);
        assert_eq!(found, [None, Some(Interval { low: 1.0, high: 1.0 })]);
    }
}

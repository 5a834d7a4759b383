use crate::ConfusionMatrix;
use serde::{Deserialize, Serialize};

/// What share of the map a class covers, by the map and corrected by the truth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ClassArea {
    /// Share of the mapped pixels that the map gives the class.
    pub mapped: f64,
    /// Share that the class has when the map's errors are reckoned with.
    pub adjusted: f64,
    /// Standard error of that, had the pixels with a truth been drawn one by one.
    pub standard_error: f64,
}

/// Areas of classes over a whole map, corrected for what the map mistakes where there is a truth.
///
/// The weights are the mapped classes' shares of the whole map, and the pixels with a truth are taken for a random
/// sample of each mapped class. Where that holds, the corrected share is unbiased, however biased the map is.
///
/// # References
/// P. Olofsson et al., "Good practices for estimating area and assessing accuracy of land change", 2014,
/// doi:10.1016/j.rse.2014.02.015: equations 9 and 10.
///
/// ```
/// use seg_label::{AreaEstimate, ConfusionMatrix, Legend};
/// let mut matrix = ConfusionMatrix::new(&Legend::builtin("dubai").expect("known"));
/// for (truth, prediction) in [(0, 0), (0, 0), (1, 0), (1, 1), (1, 1), (1, 1)] {
///     matrix.add(truth, prediction);
/// }
/// // The map says 300 and 700 pixels, but every third of the 300 is of class 1.
/// let areas = AreaEstimate::new(&matrix, &[300, 700, 0, 0, 0]);
/// assert!((areas.classes[0].expect("mapped").adjusted - 0.2).abs() < 1e-12);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct AreaEstimate {
    /// One by one; `None` for all where a mapped class has no truth to correct it by.
    pub classes: Vec<Option<ClassArea>>,
    /// Mapped classes without two pixels of truth, by place: their part of the map cannot be corrected.
    pub unsampled: Vec<usize>,
}

impl AreaEstimate {
    /// From the pixels with a truth and the pixels of the whole map that have each class.
    pub fn new(sample: &ConfusionMatrix, mapped: &[u64]) -> Self {
        let total = mapped.iter().sum::<u64>() as f64;
        let counts = sample.counts();
        let sampled = |stratum: usize| counts.column(stratum).sum() as f64;
        let strata: Vec<usize> = (0..mapped.len()).filter(|&i| mapped[i] > 0).collect();
        let unsampled: Vec<usize> = strata.iter().copied().filter(|&i| sampled(i) < 2.0).collect();
        let class = |class: usize| {
            let (mut adjusted, mut variance) = (0.0, 0.0);
            for &stratum in &strata {
                let (weight, n) = (mapped[stratum] as f64 / total, sampled(stratum));
                let share = counts[[class, stratum]] as f64 / n;
                adjusted += weight * share;
                variance += weight.powi(2) * share * (1.0 - share) / (n - 1.0);
            }
            ClassArea {
                mapped: mapped[class] as f64 / total,
                adjusted,
                standard_error: variance.max(0.0).sqrt(),
            }
        };
        let known = unsampled.is_empty() && !strata.is_empty();
        Self { classes: (0..mapped.len()).map(|i| known.then(|| class(i))).collect(), unsampled }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Class, ClassId, Legend, Rgb};

    /// The example of the paper's section 5: sample counts, mapped pixels, and what it makes of them.
    #[test]
    fn the_paper_s_example_comes_out_as_printed() {
        let class =
            |i: u8| Class { id: ClassId(i), name: i.to_string(), prompt: None, color: Rgb::new(i, 0, 0) };
        let legend = Legend::new((0..4).map(class).collect()).expect("a legend");
        let rows = [[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]];
        let mut sample = ConfusionMatrix::new(&legend);
        for (map, row) in rows.iter().enumerate() {
            for (truth, &count) in row.iter().enumerate() {
                (0..count).for_each(|_| sample.add(truth as u8, map as u8));
            }
        }
        let areas = AreaEstimate::new(&sample, &[200_000, 150_000, 3_200_000, 6_450_000]);
        let found: Vec<_> = areas.classes.iter().map(|area| area.expect("sampled")).collect();
        let adjusted: Vec<_> = found.iter().map(|area| (area.adjusted * 1e7).round() as u64).collect();
        // Pixels of deforestation as printed; together all.
        assert_eq!(adjusted[0], 235_086);
        assert!((found.iter().map(|area| area.adjusted).sum::<f64>() - 1.0).abs() < 1e-12);
        // 68,418 pixels on either side, 1.96 standard errors.
        assert!((1.96 * found[0].standard_error * 1e7 - 68_418.0).abs() < 1.0, "{found:?}");
    }

    #[test]
    fn a_mapped_class_without_truth_leaves_no_estimate() {
        let mut sample = ConfusionMatrix::new(&Legend::builtin("dubai").expect("known"));
        (0..5).for_each(|_| sample.add(0, 0));
        let areas = AreaEstimate::new(&sample, &[10, 0, 7, 0, 0]);
        assert_eq!((areas.unsampled, areas.classes), (vec![2], vec![None; 5]));
    }
}

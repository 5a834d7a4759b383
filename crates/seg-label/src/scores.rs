use crate::{ClassCounts, ClassId, ConfusionMatrix};
use serde::Serialize;

/// What a confusion matrix says about one class.
///
/// With TP, FP and FN its true positives, false positives and misses; all are `None` for a class that is
/// absent, that is, neither in the truth nor predicted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassScore {
    /// The class.
    pub id: ClassId,
    /// TP / (TP + FP + FN).
    pub iou: Option<f64>,
    /// 2 TP / (2 TP + FP + FN).
    pub f1: Option<f64>,
    /// TP / (TP + FP); 0 where the class is in the truth but never predicted, as in scikit-learn.
    pub precision: Option<f64>,
    /// TP / (TP + FN); 0 where the class is predicted but not in the truth.
    pub recall: Option<f64>,
    /// Pixels of the truth, TP + FN.
    pub support: u64,
}

/// How well a prediction agrees with the truth.
///
/// Absent classes are left out of the means. All is `None` where nothing was counted.
///
/// ```
/// use seg_label::{ConfusionMatrix, Legend, Scores};
/// let mut matrix = ConfusionMatrix::new(&Legend::builtin("dubai").expect("known"));
/// for (truth, prediction) in [(0, 0), (0, 0), (0, 1), (1, 1)] {
///     matrix.add(truth, prediction);
/// }
/// let scores = Scores::new(&matrix);
/// assert_eq!(scores.oa, Some(0.75));
/// assert_eq!(scores.miou, Some((2.0 / 3.0 + 0.5) / 2.0));
/// ```
///
/// # References
/// J. Cohen, "A coefficient of agreement for nominal scales", 1960, doi:10.1177/001316446002000104 (kappa).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scores {
    /// Overall accuracy: the share of counted pixels that are right.
    pub oa: Option<f64>,
    /// Mean `IoU`.
    pub miou: Option<f64>,
    /// Mean F1.
    pub mf1: Option<f64>,
    /// Cohen's kappa; `None` where chance alone agrees fully (one class in truth and prediction).
    pub kappa: Option<f64>,
    /// `IoU` weighted by support.
    pub frequency_weighted_iou: Option<f64>,
    /// One by one, in the matrix' order.
    pub classes: Vec<ClassScore>,
}

impl Scores {
    /// Reads off a matrix.
    pub fn new(matrix: &ConfusionMatrix) -> Self {
        Self::without(matrix, &[])
    }

    /// Reads off a matrix, with some classes left out of the means (mIoU, mF1, frequency-weighted `IoU`).
    ///
    /// Their pixels still count in OA and kappa, and as errors of the other classes.
    pub fn without(matrix: &ConfusionMatrix, excluded: &[ClassId]) -> Self {
        Self::of_counts(matrix.ids(), &ClassCounts::of(matrix), excluded)
    }

    /// The same from the sums that scores depend on, in the order of `ids`.
    pub fn of_counts(ids: &[ClassId], counts: &ClassCounts, excluded: &[ClassId]) -> Self {
        let classes: Vec<_> = ids
            .iter()
            .enumerate()
            .map(|(i, &id)| ClassScore::new(id, counts.hits(i), counts.predicted(i), counts.support(i)))
            .collect();
        let kept: Vec<_> = classes.iter().filter(|class| !excluded.contains(&class.id)).collect();
        let total = counts.pixels();
        let oa = ratio(counts.right(), total);
        let by_chance: f64 =
            (0..ids.len()).map(|i| share(counts.support(i), total) * share(counts.predicted(i), total)).sum();
        let weight: u64 = kept.iter().map(|class| class.support).sum();
        Self {
            oa,
            miou: mean(kept.iter().filter_map(|class| class.iou)),
            mf1: mean(kept.iter().filter_map(|class| class.f1)),
            kappa: oa.and_then(|oa| (by_chance < 1.0).then(|| (oa - by_chance) / (1.0 - by_chance))),
            frequency_weighted_iou: (weight > 0).then(|| {
                kept.iter().filter_map(|class| Some(class.iou? * share(class.support, weight))).sum()
            }),
            classes,
        }
    }
}

impl ClassScore {
    fn new(id: ClassId, hits: u64, predicted: u64, support: u64) -> Self {
        let present = predicted + support > 0;
        let or_zero = |value: Option<f64>| present.then(|| value.unwrap_or(0.0));
        Self {
            id,
            iou: ratio(hits, predicted + support - hits),
            f1: ratio(2 * hits, predicted + support),
            precision: or_zero(ratio(hits, predicted)),
            recall: or_zero(ratio(hits, support)),
            support,
        }
    }
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn share(part: u64, whole: u64) -> f64 {
    ratio(part, whole).unwrap_or(0.0)
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, n) = values.fold((0.0, 0_u64), |(sum, n), value| (sum + value, n + 1));
    (n > 0).then(|| sum / n as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Legend;
    use proptest::prelude::*;

    fn matrix(pairs: impl IntoIterator<Item = (u8, u8)>) -> ConfusionMatrix {
        let mut m = ConfusionMatrix::new(&Legend::builtin("dubai").expect("known"));
        pairs.into_iter().for_each(|(t, p)| m.add(t, p));
        m
    }

    fn assert_near(got: Option<f64>, expected: f64) {
        let got = got.expect("a score");
        assert!((got - expected).abs() < 1e-9, "{got} for {expected}");
    }

    /// The pairs of `scripts/golden_scores.py`; the numbers below are what scikit-learn makes of them.
    fn golden() -> ConfusionMatrix {
        matrix((0..1000_u32).map(|i| {
            let truth = (i * i + 3 * i) % 7 % 4;
            let prediction = if i % 3 == 0 { (i * 5 + 1) % 4 } else { truth };
            (if i % 11 == 0 { 255 } else { truth as u8 }, if i % 13 == 0 { 255 } else { prediction as u8 })
        }))
    }

    #[test]
    fn scores_equal_scikit_learn_s() {
        let scores = Scores::new(&golden());
        let expected = [
            // iou, f1, precision, recall, support
            [
                0.656_363_636_363_636_4,
                0.792_535_675_082_327_1,
                0.923_273_657_289_002_6,
                0.694_230_769_230_769_2,
                520.0,
            ],
            [
                0.579_288_025_889_967_6,
                0.733_606_557_377_049_2,
                0.781_659_388_646_288_3,
                0.691_119_691_119_691_1,
                259.0,
            ],
            [0.0, 0.0, 0.0, 0.0, 0.0],
            [
                0.468_421_052_631_578_96,
                0.637_992_831_541_218_7,
                0.597_315_436_241_610_8,
                0.684_615_384_615_384_6,
                130.0,
            ],
        ];
        for (class, expected) in scores.classes.iter().zip(expected) {
            assert_near(class.iou, expected[0]);
            assert_near(class.f1, expected[1]);
            assert_near(class.precision, expected[2]);
            assert_near(class.recall, expected[3]);
            assert_near(Some(class.support as f64), expected[4]);
        }
        assert_eq!(scores.classes[4].iou, None);
        assert_near(scores.oa, 0.691_969_196_919_691_9);
        assert_near(scores.kappa, 0.532_373_043_286_543_7);
        assert_near(scores.miou, 0.426_018_178_721_295_77);
        assert_near(scores.mf1, 0.541_033_766_000_148_7);
        assert_near(scores.frequency_weighted_iou, 0.607_524_121_514_519_1);
    }

    #[test]
    fn ignored_truth_is_neither_a_false_positive_nor_in_a_union() {
        let plain = matrix([(0, 0), (1, 1), (1, 0)]);
        let mut with_ignored = plain.clone();
        (0..5).for_each(|prediction| with_ignored.add(255, prediction));
        assert_eq!(Scores::new(&plain), Scores::new(&with_ignored));
        assert_eq!(with_ignored.ignored(), 5);
    }

    #[test]
    fn a_pixel_without_a_prediction_is_a_miss_and_nobody_s_false_positive() {
        let scores = Scores::new(&matrix([(0, 0), (0, 255), (1, 1)]));
        assert_eq!(scores.classes[0].recall, Some(0.5));
        assert_eq!(scores.classes[0].precision, Some(1.0));
        assert_eq!(scores.classes[1].iou, Some(1.0));
        assert_near(scores.oa, 2.0 / 3.0);
    }

    #[test]
    fn absent_classes_have_no_score_but_missed_and_invented_ones_score_zero() {
        // building is only in the truth, land only predicted, water agrees; road and vegetation are absent.
        let scores = Scores::new(&matrix([(0, 1), (4, 4)]));
        let iou: Vec<_> = scores.classes.iter().map(|class| class.iou).collect();
        assert_eq!(iou, [Some(0.0), Some(0.0), None, None, Some(1.0)]);
        assert_near(scores.miou, 1.0 / 3.0);
        assert_eq!(scores.classes[0].precision, Some(0.0));
        assert_eq!(scores.classes[1].recall, Some(0.0));
        assert_eq!(scores.classes[2].precision, None);
    }

    #[test]
    fn nothing_counted_means_no_score_at_all() {
        let scores = Scores::new(&matrix([(255, 0)]));
        assert_eq!((scores.oa, scores.miou, scores.kappa), (None, None, None));
        assert_eq!(scores.frequency_weighted_iou, None);
    }

    #[test]
    fn one_class_alone_has_no_kappa() {
        let scores = Scores::new(&matrix([(2, 2), (2, 2)]));
        assert_eq!((scores.oa, scores.kappa), (Some(1.0), None));
    }

    #[test]
    fn excluded_classes_leave_the_means_only() {
        let m = matrix([(0, 0), (1, 0), (1, 1), (2, 1)]);
        let (all, without) = (Scores::new(&m), Scores::without(&m, &[ClassId(2)]));
        assert_eq!((all.oa, all.kappa), (without.oa, without.kappa));
        assert_eq!(all.classes, without.classes);
        assert_near(without.miou, f64::midpoint(1.0 / 2.0, 1.0 / 3.0));
    }

    proptest! {
        #[test]
        fn scores_stay_in_their_ranges(pairs in proptest::collection::vec((0_u8..5, 0_u8..5), 1..60)) {
            let scores = Scores::new(&matrix(pairs));
            let unit = 0.0..=1.0;
            for class in &scores.classes {
                for value in [class.iou, class.f1, class.precision, class.recall].into_iter().flatten() {
                    prop_assert!(unit.contains(&value));
                }
                if let (Some(iou), Some(f1)) = (class.iou, class.f1) {
                    prop_assert!((f1 - 2.0 * iou / (1.0 + iou)).abs() < 1e-12);
                }
            }
            prop_assert!(scores.kappa.is_none_or(|kappa| (-1.0..=1.0).contains(&kappa)));
            prop_assert!(scores.oa.is_some_and(|oa| unit.contains(&oa)));
        }

        #[test]
        fn a_perfect_prediction_scores_one(truth in proptest::collection::vec(0_u8..5, 1..60)) {
            let scores = Scores::new(&matrix(truth.iter().map(|&t| (t, t))));
            prop_assert_eq!((scores.oa, scores.miou, scores.mf1), (Some(1.0), Some(1.0), Some(1.0)));
        }
    }
}

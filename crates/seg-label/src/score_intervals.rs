use crate::bootstrap::{Bounds, intervals};
use crate::{BlockPlan, ClassCounts, ClassId, Interval, Resampling, Scores};
use serde::{Deserialize, Serialize};

/// 95 % intervals of one class's scores; `None` where the class is in fewer than 10 blocks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassIntervals {
    /// The class.
    pub id: ClassId,
    /// Blocks in which it is in the truth or predicted.
    pub blocks: usize,
    /// Of its `IoU`.
    pub iou: Option<Interval>,
    /// Of its F1.
    pub f1: Option<Interval>,
    /// Of its precision.
    pub precision: Option<Interval>,
    /// Of its recall.
    pub recall: Option<Interval>,
}

/// 95 % intervals of scores, from a bootstrap over blocks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScoreIntervals {
    /// Of the overall accuracy.
    pub oa: Option<Interval>,
    /// Of the mean `IoU`.
    pub miou: Option<Interval>,
    /// Of the mean F1.
    pub mf1: Option<Interval>,
    /// Of kappa.
    pub kappa: Option<Interval>,
    /// Of the frequency-weighted `IoU`.
    pub frequency_weighted_iou: Option<Interval>,
    /// One by one.
    pub classes: Vec<ClassIntervals>,
}

/// A score of one prediction less that of another, and its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// This prediction's score less the other's.
    pub difference: Option<f64>,
    /// Where it lies; `None` without blocks.
    pub interval: Option<Interval>,
}

/// Figures before those of classes.
const OVERALL: usize = 5;
/// Figures of a class.
const PER_CLASS: usize = 4;
/// Where kappa stands.
const KAPPA: usize = 3;

/// Says by a bootstrap over blocks how far scores are to be trusted; `excluded` is left out of the means.
///
/// ```
/// use seg_label::{BlockPlan, CellCounts, CellGrid, ClassId, ConfusionMatrix, Legend, Resampling, score_intervals};
/// let legend = Legend::builtin("dubai").expect("known");
/// let mut map = CellCounts::new(CellGrid::new(160, 160, 16), 5);
/// for cell in 0..100 {
///     let mut matrix = ConfusionMatrix::new(&legend);
///     (0..10).for_each(|pixel| matrix.add(0, u8::from(pixel < cell % 4)));
///     map.cell(cell).add(&matrix);
/// }
/// let ids: Vec<_> = legend.classes().iter().map(|class| class.id).collect();
/// let plan = BlockPlan::choose(&[&map])?;
/// let found = score_intervals(&ids, &plan, &[], Resampling::default());
/// assert!(found.oa.is_some_and(|oa| oa.low < 0.85 && 0.85 < oa.high));
/// # Ok::<(), seg_label::TooFewBlocks>(())
/// ```
pub fn score_intervals(
    ids: &[ClassId],
    plan: &BlockPlan,
    excluded: &[ClassId],
    how: Resampling,
) -> ScoreIntervals {
    let figures = |sums: &[u64]| figures(ids, sums, excluded);
    let sums = |blocks: &[ClassCounts]| blocks.iter().map(|block| block.sums().to_vec()).collect::<Vec<_>>();
    let found = intervals(&sums(&plan.blocks), &sums(&plan.halves), how, &bounds, &figures);
    let at = |i: usize| found.get(i).copied().flatten();
    let class = |(i, &id): (usize, &ClassId)| {
        let here = |block: &&ClassCounts| block.support(i) + block.predicted(i) > 0;
        let blocks = plan.blocks.iter().filter(here).count();
        let at = |k: usize| at(OVERALL + PER_CLASS * i + k).filter(|_| blocks >= BlockPlan::needed());
        ClassIntervals { id, blocks, iou: at(0), f1: at(1), precision: at(2), recall: at(3) }
    };
    ScoreIntervals {
        oa: at(0),
        miou: at(1),
        mf1: at(2),
        kappa: at(KAPPA),
        frequency_weighted_iou: at(4),
        classes: ids.iter().enumerate().map(class).collect(),
    }
}

/// The difference of two predictions' scores on the same blocks: in the order of the fields of [`ScoreIntervals`], those
/// before classes, then `IoU`, F1, precision and recall of each class. Blocks are drawn for both together, so what both
/// find hard in a block does not count against either.
///
/// Without as many blocks of `other` as of `plan` there are no intervals.
pub fn paired_difference(
    ids: &[ClassId],
    (plan, other): (&BlockPlan, &BlockPlan),
    excluded: &[ClassId],
    how: Resampling,
) -> Vec<Difference> {
    let both = |sums: &[u64]| -> Vec<Option<f64>> {
        let (this, other) = sums.split_at(sums.len() / 2);
        let (this, other) = (figures(ids, this, excluded), figures(ids, other, excluded));
        this.into_iter().zip(other).map(|(this, other)| Some(this? - other?)).collect()
    };
    let joined = |this: &[ClassCounts], other: &[ClassCounts]| -> Vec<Vec<u64>> {
        if this.len() != other.len() {
            return Vec::new();
        }
        this.iter().zip(other).map(|(this, other)| [this.sums(), other.sums()].concat()).collect()
    };
    let (blocks, halves) = (joined(&plan.blocks, &other.blocks), joined(&plan.halves, &other.halves));
    let mut total = vec![0; 6 * ids.len()];
    for block in &blocks {
        total.iter_mut().zip(block).for_each(|(sum, value)| *sum += value);
    }
    let twice = |i: usize| bounds(i).map(|bound| if bound < 1.0 { bound - 1.0 } else { 1.0 - bounds(i)[0] });
    let found = intervals(&blocks, &halves, how, &twice, &both);
    let enough = |i: usize| {
        let Some(class) = i.checked_sub(OVERALL).map(|i| i / PER_CLASS) else { return true };
        let here = |sums: &&Vec<u64>| {
            let n = ids.len();
            [0, 3 * n].iter().any(|at| sums[at + n + class] + sums[at + 2 * n + class] > 0)
        };
        blocks.iter().filter(here).count() >= BlockPlan::needed()
    };
    both(&total)
        .into_iter()
        .enumerate()
        .map(|(i, difference)| Difference {
            difference,
            interval: found.get(i).copied().flatten().filter(|_| enough(i)),
        })
        .collect()
}

/// The scores' least and greatest values.
fn bounds(figure: usize) -> Bounds {
    if figure == KAPPA { [-1.0, 1.0] } else { [0.0, 1.0] }
}

fn figures(ids: &[ClassId], sums: &[u64], excluded: &[ClassId]) -> Vec<Option<f64>> {
    let scores = Scores::of_counts(ids, &ClassCounts::from_sums(sums), excluded);
    let mut all = vec![scores.oa, scores.miou, scores.mf1, scores.kappa, scores.frequency_weighted_iou];
    all.extend(scores.classes.iter().flat_map(|class| [class.iou, class.f1, class.precision, class.recall]));
    all
}

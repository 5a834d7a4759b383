//! Intervals hold what they promise on maps whose errors hang together.

use rand::{Rng as _, SeedableRng as _};
use rand_pcg::Pcg64;
use seg_label::{
    BlockPlan, CellCounts, CellGrid, ClassId, ConfusionMatrix, Interval, Legend, Resampling, score_intervals,
};

const MAPS: u64 = 500;
/// Share of the pixels that are wrong, over all maps that could be drawn.
const WRONG: f64 = 0.2;

/// Noise averaged over squares, thrice, so that it hangs together over a distance; of variance 1.
fn field(random: &mut Pcg64, side: usize, reach: usize) -> Vec<f64> {
    // Sums of uniform numbers are as good as normal ones here.
    let around = 3 * reach;
    let wide = side + 2 * around;
    let unit = |random: &mut Pcg64| (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64 - 0.5;
    let mut values: Vec<f64> = (0..wide * wide).map(|_| unit(random)).collect();
    for _ in 0..3 {
        for transposed in [false, true] {
            let at = |line: usize, i: usize| if transposed { i * wide + line } else { line * wide + i };
            for line in 0..wide {
                let row: Vec<f64> = (0..wide).map(|i| values[at(line, i)]).collect();
                let mut sum: f64 = row[..reach.min(wide)].iter().sum();
                for i in 0..wide {
                    sum += row.get(i + reach).unwrap_or(&0.0);
                    values[at(line, i)] = sum;
                    sum -= if i >= reach { row[i - reach] } else { 0.0 };
                }
            }
        }
    }
    // The variance of such a sum, by its weights along one axis.
    let mut weights = vec![1.0];
    for _ in 0..3 {
        let mut wider = vec![0.0; weights.len() + 2 * reach];
        for (i, weight) in weights.iter().enumerate() {
            (0..=2 * reach).for_each(|k| wider[i + k] += weight);
        }
        weights = wider;
    }
    let spread = weights.iter().map(|w| w * w).sum::<f64>() / 12.0_f64.sqrt();
    let inside = |i: usize| (i / side + around) * wide + i % side + around;
    (0..side * side).map(|i| values[inside(i)] / spread).collect()
}

/// How many of the intervals of the accuracy and of one class's `IoU` hold the value over all maps.
fn coverage(side: usize, reach: usize) -> [f64; 2] {
    let legend = Legend::builtin("dubai").expect("known");
    let ids: Vec<ClassId> = legend.classes().iter().map(|class| class.id).collect();
    let mut covered = [0.0; 2];
    // Of two classes as frequent as each other; what is wrong is the other.
    let iou = (1.0 - WRONG) / (1.0 + WRONG);
    for seed in 0..MAPS {
        let mut random = Pcg64::seed_from_u64(seed * 7919 + reach as u64);
        let errors = field(&mut random, side, reach);
        let grid = CellGrid::new(side, side, CellGrid::side_for((side * side) as u64));
        let mut map = CellCounts::new(grid, ids.len());
        for (cell, rows, columns) in grid.touching(0..side, 0..side) {
            let mut matrix = ConfusionMatrix::new(&legend);
            for (y, x) in rows.flat_map(|y| columns.clone().map(move |x| (y, x))) {
                let truth = u8::from((x / 8 + y / 8) % 2 == 0);
                // The 80 % quantile of the normal distribution.
                let wrong = errors[y * side + x] > 0.841_621;
                matrix.add(truth, if wrong { 1 - truth } else { truth });
            }
            map.cell(cell).add(&matrix);
        }
        let plan = BlockPlan::choose(&[&map]).expect("blocks");
        let found = score_intervals(&ids, &plan, &[], Resampling { replicates: 400, seed });
        let holds = |interval: Option<Interval>, value: f64| {
            interval.is_some_and(|interval| (interval.low..=interval.high).contains(&value))
        };
        covered[0] += f64::from(u8::from(holds(found.oa, 1.0 - WRONG)));
        covered[1] += f64::from(u8::from(holds(found.classes[0].iou, iou)));
    }
    covered.map(|count| count / MAPS as f64)
}

#[test]
fn nine_in_ten_intervals_and_more_hold_the_value_however_errors_hang_together() {
    // Errors hang together over about 1/60 and 1/20 of the map's side.
    for reach in [2, 6] {
        let [oa, iou] = coverage(128, reach);
        assert!((0.90..=0.98).contains(&oa) && (0.90..=0.98).contains(&iou), "{reach}: {oa} and {iou}");
    }
}

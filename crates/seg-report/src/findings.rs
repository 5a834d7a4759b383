use crate::Report;
use crate::sections::{
    AreaReport, BoundaryReport, CalibrationReport, ClassAreaReport, ClassContrast, ComparisonReport,
    ConfusionAccuracy, Contrast, LineReport, ProtocolScores, SceneReport, Uncertainty,
};
use seg_label::{
    AreaEstimate, Assessment, BlockPlan, Calibration, CellCounts, ClassCounts, ClassId, ConfusionMatrix,
    Difference, Interval, LineAgreement, Resampling, ScoreIntervals, Scores, TooFewBlocks, paired_difference,
    score_intervals,
};

/// What was counted, of which a report is made.
#[derive(Debug, Clone)]
pub struct Findings<'a> {
    /// All scenes together.
    pub total: &'a Assessment,
    /// One by one.
    pub scenes: Vec<SceneFindings<'a>>,
    /// Another prediction of the same scenes.
    pub other: Option<OtherFindings<'a>>,
    /// How often predictions are as right as they say.
    pub calibration: Option<&'a Calibration>,
    /// How often they are right near tile lines.
    pub lines: Option<LineFindings<'a>>,
    /// How blocks are drawn.
    pub resampling: Resampling,
}

/// What was counted in one scene.
#[derive(Debug, Clone)]
pub struct SceneFindings<'a> {
    /// Name of the prediction.
    pub prediction: &'a str,
    /// Name of the truth.
    pub truth: &'a str,
    /// The counts of its parts.
    pub cells: &'a CellCounts,
    /// The other prediction's counts of the same parts.
    pub other: Option<&'a CellCounts>,
    /// Pixels of each class in the whole map; empty where there is no map beyond the truth.
    pub mapped: &'a [u64],
    /// Square meters of a pixel.
    pub pixel_area: Option<f64>,
}

/// Another prediction of the same scenes.
#[derive(Debug, Clone)]
pub struct OtherFindings<'a> {
    /// Its names.
    pub names: &'a [String],
    /// Its counts.
    pub matrix: &'a ConfusionMatrix,
}

/// What was counted near tile lines.
#[derive(Debug, Clone, Copy)]
pub struct LineFindings<'a> {
    /// The counts.
    pub agreement: &'a LineAgreement,
    /// Pixels on either side of a line that are called near.
    pub near_px: usize,
}

const ASSUMPTION: &str = "the pixels with a truth are taken for a random sample of each mapped class";
const METHOD: &str = "bootstrap over blocks with expanded percentiles; blocks are the largest that leave 16 or more, since \
                      errors of neighbors hang together, and what neighboring blocks still share is extrapolated from \
                      quarters of blocks";
const SEVERAL: &str =
    "; scenes are taken for independent of each other, and no block reaches from one into another";
/// 95 % of a normal distribution is within so many standard deviations.
const Z: f64 = 1.959_963_984_540_054;

impl Report {
    /// Adds what was found beside the scores; `excluded` as in [`Report::new`].
    pub fn add(&mut self, findings: &Findings<'_>, excluded: &[ClassId]) {
        let matrix = &findings.total.matrix;
        let ids = matrix.ids();
        self.confusion_accuracy = accuracies(matrix);
        self.protocols = protocols(findings.total, excluded, &self.protocol.excluded);
        self.boundary = Some(self.boundaries(findings.total));
        self.scenes = scenes(findings, ids, excluded);
        let maps: Vec<&CellCounts> = findings.scenes.iter().map(|scene| scene.cells).collect();
        let plan = BlockPlan::choose(&maps);
        let intervals =
            plan.as_ref().ok().map(|plan| score_intervals(ids, plan, excluded, findings.resampling));
        self.comparison = findings.other.as_ref().map(|other| {
            let maps: Vec<&CellCounts> = findings.scenes.iter().filter_map(|scene| scene.other).collect();
            let plans = plan.as_ref().ok().zip(BlockPlan::choose(&maps).ok());
            self.contrasts(matrix, other, excluded, plans.as_ref().map(|(a, b)| (*a, b)), findings.resampling)
        });
        let design_effect =
            intervals.as_ref().and_then(|found| design_effect(found.oa?, &ClassCounts::of(matrix)));
        self.add_areas(findings, design_effect);
        self.uncertainty = Some(uncertainty(&plan, intervals, findings.resampling, maps.len()));
        self.calibration = findings.calibration.map(|calibration| CalibrationReport {
            ece: calibration.expected_error(),
            pixels: calibration.pixels(),
            bins: calibration.bins(),
        });
        self.tile_lines = findings.lines.map(|lines| LineReport {
            near_px: lines.near_px,
            near_pixels: lines.agreement.near.pixels,
            near_accuracy: lines.agreement.near.accuracy(),
            elsewhere_pixels: lines.agreement.elsewhere.pixels,
            elsewhere_accuracy: lines.agreement.elsewhere.accuracy(),
        });
    }

    fn boundaries(&self, total: &Assessment) -> BoundaryReport {
        let classes: Vec<_> = (0..self.classes.len()).map(|class| total.boundary.score(class)).collect();
        let scored = self.classes.iter().zip(&classes).filter(|(class, _)| self.in_means(class));
        let kept: Vec<f64> = scored.filter_map(|(_, score)| Some(score.as_ref()?.f1)).collect();
        let mean = (!kept.is_empty()).then(|| kept.iter().sum::<f64>() / kept.len() as f64);
        BoundaryReport { tolerance_px: total.boundary.tolerance(), mean_f1: mean, classes }
    }

    fn contrasts(
        &self,
        matrix: &ConfusionMatrix,
        other: &OtherFindings<'_>,
        excluded: &[ClassId],
        plans: Option<(&BlockPlan, &BlockPlan)>,
        resampling: Resampling,
    ) -> ComparisonReport {
        let ids = matrix.ids();
        let (this, that) = (Scores::without(matrix, excluded), Scores::without(other.matrix, excluded));
        let found =
            plans.map(|plans| paired_difference(ids, plans, excluded, resampling)).unwrap_or_default();
        let contrast = |place: usize, this: Option<f64>, other: Option<f64>| Contrast {
            this,
            other,
            difference: Difference {
                difference: this.zip(other).map(|(this, other)| this - other),
                interval: found.get(place).and_then(|found| found.interval),
            },
        };
        let class = |(i, (this, that)): (usize, (&seg_label::ClassScore, &seg_label::ClassScore))| {
            let at = |k: usize| 5 + 4 * i + k;
            ClassContrast {
                id: this.id,
                name: self.classes[i].name.clone(),
                iou: contrast(at(0), this.iou, that.iou),
                f1: contrast(at(1), this.f1, that.f1),
                precision: contrast(at(2), this.precision, that.precision),
                recall: contrast(at(3), this.recall, that.recall),
            }
        };
        ComparisonReport {
            other: other.names.to_vec(),
            oa: contrast(0, this.oa, that.oa),
            miou: contrast(1, this.miou, that.miou),
            mf1: contrast(2, this.mf1, that.mf1),
            kappa: contrast(3, this.kappa, that.kappa),
            frequency_weighted_iou: contrast(4, this.frequency_weighted_iou, that.frequency_weighted_iou),
            classes: this.classes.iter().zip(&that.classes).enumerate().map(class).collect(),
        }
    }

    /// Areas, or why there are none.
    fn add_areas(&mut self, findings: &Findings<'_>, design_effect: Option<f64>) {
        if findings.scenes.iter().all(|scene| scene.mapped.is_empty()) {
            return;
        }
        let sample = findings.total.whole();
        let mut mapped = vec![0; self.classes.len()];
        for scene in &findings.scenes {
            mapped.iter_mut().zip(scene.mapped).for_each(|(sum, pixels)| *sum += pixels);
        }
        let (map_pixels, sample_pixels) = (mapped.iter().sum::<u64>(), sample.counts().sum());
        if map_pixels <= sample_pixels {
            self.areas_none_because =
                Some("the truth covers the map, so that areas can be read off the truth".to_owned());
            return;
        }
        let estimate = AreaEstimate::new(sample, &mapped);
        if !estimate.unsampled.is_empty() || sample_pixels == 0 {
            let names: Vec<_> = estimate.unsampled.iter().map(|&i| self.classes[i].name.as_str()).collect();
            self.areas_none_because =
                Some(format!("the map has classes without a truth to correct them by: {}", names.join(", ")));
            return;
        }
        let area = pixel_area(findings, map_pixels);
        let class = |(class, found): (&crate::ClassReport, Option<seg_label::ClassArea>)| {
            let found = found?;
            let clustered = design_effect.map(|effect| found.standard_error * effect.sqrt());
            let half = Z * clustered.unwrap_or(found.standard_error);
            Some(ClassAreaReport {
                id: class.id,
                name: class.name.clone(),
                mapped_share: found.mapped,
                adjusted_share: found.adjusted,
                standard_error: found.standard_error,
                standard_error_clustered: clustered,
                interval: Interval {
                    low: (found.adjusted - half).max(0.0),
                    high: (found.adjusted + half).min(1.0),
                },
                mapped_m2: area.map(|area| area * found.mapped),
                adjusted_m2: area.map(|area| area * found.adjusted),
            })
        };
        let classes = self.classes.iter().zip(estimate.classes).filter_map(class).collect();
        let assumption = ASSUMPTION.to_owned();
        self.areas = Some(AreaReport { assumption, map_pixels, sample_pixels, design_effect, classes });
    }
}

/// The area of all mapped pixels, where every scene tells that of a pixel.
fn pixel_area(findings: &Findings<'_>, map_pixels: u64) -> Option<f64> {
    let scene = |scene: &SceneFindings<'_>| Some(scene.pixel_area? * scene.mapped.iter().sum::<u64>() as f64);
    let all: Option<f64> = findings.scenes.iter().map(scene).sum();
    all.filter(|_| map_pixels > 0)
}

/// Times as large as with pixels drawn one by one the variance of the accuracy is.
///
/// # References
/// L. Kish, "Survey Sampling", 1965 (the design effect).
fn design_effect(oa: Interval, counts: &ClassCounts) -> Option<f64> {
    let (pixels, right) = (counts.pixels() as f64, counts.right() as f64);
    let accuracy = right / pixels;
    let single = accuracy * (1.0 - accuracy) / pixels;
    (single > 0.0).then(|| (((oa.high - oa.low) / (2.0 * Z)).powi(2) / single).max(1.0))
}

fn accuracies(matrix: &ConfusionMatrix) -> ConfusionAccuracy {
    let counts = ClassCounts::of(matrix);
    let share = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
    let each = |whole: &dyn Fn(usize) -> u64| {
        (0..counts.classes()).map(|class| share(counts.hits(class), whole(class))).collect()
    };
    ConfusionAccuracy {
        producers: each(&|class| counts.support(class)),
        users: each(&|class| counts.predicted(class)),
    }
}

/// The whole truth and the eroded one, each with and without what is excluded.
fn protocols(total: &Assessment, excluded: &[ClassId], names: &[String]) -> Vec<ProtocolScores> {
    let plan = total.plan();
    let mut matrices = [(plan.eroded, &total.matrix), (plan.also_eroded, &total.variant)];
    matrices.sort_by_key(|(eroded, _)| *eroded);
    let scores = |eroded_px: usize, matrix: &ConfusionMatrix, excluded: &[ClassId], names: &[String]| {
        let scores = Scores::without(matrix, excluded);
        ProtocolScores {
            eroded_px,
            excluded: names.to_vec(),
            miou: scores.miou,
            mf1: scores.mf1,
            oa: scores.oa,
            kappa: scores.kappa,
            frequency_weighted_iou: scores.frequency_weighted_iou,
            pixels: matrix.pixels(),
            ignored: matrix.ignored(),
        }
    };
    let mut protocols = Vec::new();
    for (eroded_px, matrix) in matrices {
        protocols.push(scores(eroded_px, matrix, &[], &[]));
        if !excluded.is_empty() {
            protocols.push(scores(eroded_px, matrix, excluded, names));
        }
    }
    protocols
}

/// Scenes one by one, worst first.
fn scenes(findings: &Findings<'_>, ids: &[ClassId], excluded: &[ClassId]) -> Vec<SceneReport> {
    let scene = |scene: &SceneFindings<'_>| {
        let counts = scene.cells.total();
        let scores = Scores::of_counts(ids, &counts, excluded);
        SceneReport {
            prediction: scene.prediction.to_owned(),
            truth: scene.truth.to_owned(),
            pixels: counts.pixels(),
            miou: scores.miou,
            mf1: scores.mf1,
            oa: scores.oa,
            iou: scores.classes.iter().map(|class| class.iou).collect(),
        }
    };
    let mut scenes: Vec<_> = findings.scenes.iter().map(scene).collect();
    let key = |scene: &SceneReport| scene.miou.unwrap_or(f64::INFINITY);
    scenes.sort_by(|a, b| key(a).total_cmp(&key(b)));
    scenes
}

fn uncertainty(
    plan: &Result<BlockPlan, TooFewBlocks>,
    intervals: Option<ScoreIntervals>,
    resampling: Resampling,
    scenes: usize,
) -> Uncertainty {
    let (blocks, block_side_px, none_because) = match plan {
        Ok(plan) => (plan.blocks.len(), plan.side, None),
        Err(few) => (few.blocks, few.side, Some(few.to_string())),
    };
    let method = if scenes > 1 { format!("{METHOD}{SEVERAL}") } else { METHOD.to_owned() };
    Uncertainty {
        method,
        level: 0.95,
        blocks,
        block_side_px,
        replicates: resampling.replicates,
        seed: resampling.seed,
        none_because,
        intervals,
    }
}

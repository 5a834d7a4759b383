use crate::sections::{
    AreaReport, BoundaryReport, CalibrationReport, ComparisonReport, ConfusionAccuracy, LineReport,
    ProtocolScores, SceneReport, Uncertainty,
};
use seg_label::{ClassId, ConfusionMatrix, Legend, Scores};
use serde::{Deserialize, Serialize};

/// What the counts do not tell about an evaluation.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Evaluation {
    /// Names of the predictions, in the order of `truth`.
    pub prediction: Vec<String>,
    /// Names of the truths.
    pub truth: Vec<String>,
    /// Classes left out of the means.
    pub excluded: Vec<ClassId>,
    /// Pixels of the truth within so many of another class were ignored; 0 is none.
    pub eroded: usize,
    /// How the predictions were made, where they come straight from a network.
    pub test: Option<NetworkTest>,
    /// Pairs of which only a part was compared, since extents differ.
    pub cut: usize,
    /// Truths that were brought to the prediction's grid by nearest neighbors.
    pub resampled: usize,
}

/// What an evaluation found; its JSON is a contract with other programs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Mean `IoU` of the classes in [`Protocol::classes_in_means`].
    pub miou: Option<f64>,
    /// Mean F1 of the same classes.
    pub mf1: Option<f64>,
    /// Overall accuracy.
    pub oa: Option<f64>,
    /// Cohen's kappa.
    pub kappa: Option<f64>,
    /// Pixels counted.
    pub pixels: u64,
    /// Pixels without a truth, counted nowhere.
    pub ignored: u64,
    /// One by one, in legend order.
    pub classes: Vec<ClassReport>,
    /// Rows are the truth, columns the prediction, in legend order.
    pub confusion: Vec<Vec<u64>>,
    /// What was counted and how.
    pub protocol: Protocol,
    /// `IoU` of the classes in the means, weighted by support.
    #[serde(default)]
    pub frequency_weighted_iou: Option<f64>,
    /// Producer's and user's accuracy.
    #[serde(default)]
    pub confusion_accuracy: ConfusionAccuracy,
    /// The means by the protocols that are usual: whole and eroded truth, with and without what is excluded.
    #[serde(default)]
    pub protocols: Vec<ProtocolScores>,
    /// How well borders are found.
    #[serde(default)]
    pub boundary: Option<BoundaryReport>,
    /// How far the scores are to be trusted.
    #[serde(default)]
    pub uncertainty: Option<Uncertainty>,
    /// Areas over the whole map, corrected.
    #[serde(default)]
    pub areas: Option<AreaReport>,
    /// Why there are no areas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub areas_none_because: Option<String>,
    /// Accuracy near the lines of tiles.
    #[serde(default)]
    pub tile_lines: Option<LineReport>,
    /// Whether predictions are as right as they say.
    #[serde(default)]
    pub calibration: Option<CalibrationReport>,
    /// One by one, worst first.
    #[serde(default)]
    pub scenes: Vec<SceneReport>,
    /// Beside another prediction.
    #[serde(default)]
    pub comparison: Option<ComparisonReport>,
}

/// One class of a [`Report`]; scores are `None` (JSON `null`) for an absent class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassReport {
    /// Id in the class rasters.
    pub id: ClassId,
    /// Name.
    pub name: String,
    /// Intersection over union.
    pub iou: Option<f64>,
    /// F1 score.
    pub f1: Option<f64>,
    /// Share of the predicted pixels that are right.
    pub precision: Option<f64>,
    /// Share of the true pixels that were found.
    pub recall: Option<f64>,
    /// Pixels of the truth.
    pub support: u64,
}

/// What was counted and how, so that two reports can be compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Protocol {
    /// Names of the predictions.
    pub prediction: Vec<String>,
    /// Names of the truths.
    pub truth: Vec<String>,
    /// What became of pixels without a truth.
    pub ignored_truth: String,
    /// What became of pixels with a truth but without a prediction.
    pub unpredicted: String,
    /// How many of these there are.
    pub unpredicted_pixels: u64,
    /// Classes that are neither in the truth nor predicted; left out of the means.
    pub absent: Vec<String>,
    /// Classes left out of the means on request; their pixels still count.
    pub excluded: Vec<String>,
    /// Classes that the means are over.
    pub classes_in_means: Vec<String>,
    /// Mean `IoU` as it is without an exclusion.
    pub miou_without_exclusion: Option<f64>,
    /// Mean F1 as it is without an exclusion.
    pub mf1_without_exclusion: Option<f64>,
    /// Pixels of the truth within so many of another class were ignored; 0 is none.
    #[serde(default)]
    pub eroded_px: usize,
    /// Which part of the rasters was compared.
    pub extent: String,
    /// How one raster was brought to the grid of the other.
    pub resample: String,
    /// How a network was tested; absent for a comparison of rasters.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub test: Option<NetworkTest>,
}

/// How a network was tested on chips.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NetworkTest {
    /// The network, as the user named it.
    pub model: String,
    /// The folder of chips.
    pub data: String,
    /// The split that was tested on.
    pub split: String,
    /// Folders that the chips' labels were cut from, as far as the manifest tells.
    pub labels: Vec<String>,
    /// Rasters that the chips were cut from.
    pub images: usize,
    /// Chips.
    pub patches: usize,
    /// Side of the sliding window in pixels.
    pub window: usize,
    /// Pixels from one window to the next.
    pub stride: usize,
    /// Ratios to which each chip was resized.
    pub scales: Vec<f64>,
    /// How each of these was turned.
    pub flips: Vec<String>,
    /// Runs over each chip.
    pub passes: usize,
    /// How scores become classes, in words.
    pub averaging: String,
    /// What became of sides that the network does not take, in words.
    pub padding: String,
}

impl Report {
    /// From counts.
    pub fn new(legend: &Legend, matrix: &ConfusionMatrix, evaluation: &Evaluation) -> Self {
        let scores = Scores::without(matrix, &evaluation.excluded);
        let name = |id: ClassId| legend.get(id).map_or_else(|| id.to_string(), |class| class.name.clone());
        let classes: Vec<_> = scores
            .classes
            .iter()
            .map(|class| ClassReport {
                id: class.id,
                name: name(class.id),
                iou: class.iou,
                f1: class.f1,
                precision: class.precision,
                recall: class.recall,
                support: class.support,
            })
            .collect();
        Self {
            protocol: Protocol::new(matrix, evaluation, &classes),
            miou: scores.miou,
            mf1: scores.mf1,
            oa: scores.oa,
            kappa: scores.kappa,
            pixels: matrix.pixels(),
            ignored: matrix.ignored(),
            classes,
            confusion: matrix.counts().outer_iter().map(|row| row.to_vec()).collect(),
            frequency_weighted_iou: scores.frequency_weighted_iou,
            confusion_accuracy: ConfusionAccuracy::default(),
            protocols: Vec::new(),
            boundary: None,
            uncertainty: None,
            areas: None,
            areas_none_because: None,
            tile_lines: None,
            calibration: None,
            scenes: Vec::new(),
            comparison: None,
        }
    }

    /// As indented JSON, with a line feed at the end.
    pub fn to_json(&self) -> String {
        // Numbers, texts and lists of them: nothing that JSON cannot hold.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// The classes that the means are over.
    pub(crate) fn in_means(&self, class: &ClassReport) -> bool {
        self.protocol.classes_in_means.contains(&class.name)
    }
}

impl Protocol {
    fn new(matrix: &ConfusionMatrix, evaluation: &Evaluation, classes: &[ClassReport]) -> Self {
        let names = |keep: &dyn Fn(&ClassReport) -> bool| {
            classes.iter().filter(|class| keep(class)).map(|class| class.name.clone()).collect()
        };
        let excluded = |class: &ClassReport| evaluation.excluded.contains(&class.id);
        let everything = Scores::new(matrix);
        Self {
            prediction: evaluation.prediction.clone(),
            truth: evaluation.truth.clone(),
            ignored_truth: "counted nowhere".to_owned(),
            unpredicted: "counted as missed".to_owned(),
            unpredicted_pixels: matrix.unpredicted().iter().sum(),
            absent: names(&|class| class.iou.is_none()),
            excluded: names(&excluded),
            classes_in_means: names(&|class| class.iou.is_some() && !excluded(class)),
            miou_without_exclusion: everything.miou,
            mf1_without_exclusion: everything.mf1,
            eroded_px: evaluation.eroded,
            extent: match &evaluation.test {
                None if evaluation.cut == 0 => "whole rasters on one grid".to_owned(),
                None => format!(
                    "what prediction and truth have in common; extents differ in {} of {} pairs",
                    evaluation.cut,
                    evaluation.prediction.len()
                ),
                Some(_) => "whole chips; a pixel in two chips counts twice".to_owned(),
            },
            resample: match evaluation.resampled {
                0 => "none".to_owned(),
                some => format!("{some} truths to the prediction's grid, by nearest neighbors"),
            },
            test: evaluation.test.clone(),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Five classes, of which vegetation and water are absent; one ignored and one unpredicted pixel.
    pub(crate) fn report(excluded: &[ClassId]) -> Report {
        let legend = Legend::builtin("dubai").expect("known");
        let mut matrix = ConfusionMatrix::new(&legend);
        for (truth, prediction) in [(0, 0), (0, 0), (0, 1), (1, 1), (2, 255), (2, 2), (255, 4)] {
            matrix.add(truth, prediction);
        }
        Report::new(&legend, &matrix, &Evaluation { excluded: excluded.to_vec(), ..Evaluation::default() })
    }

    /// Two scenes of 16 cells each, with another prediction, probabilities and a map beyond the truth.
    pub(crate) fn assessed() -> Report {
        use crate::{Findings, OtherFindings, SceneFindings};
        use seg_label::{
            Assessment, AssessmentPlan, Calibration, CellCounts, CellGrid, ClassCounts, MapPair, Resampling,
            ScenePlace,
        };
        let legend = Legend::builtin("dubai").expect("known");
        let mut total = Assessment::new(&legend, AssessmentPlan::default());
        let mut other = ConfusionMatrix::new(&legend);
        let mut calibration = Calibration::default();
        let grid = CellGrid::new(64, 64, 16);
        let mut scenes = Vec::new();
        for scene in 0..2_usize {
            let truth =
                ndarray::Array2::from_shape_fn(
                    (64, 64),
                    |(y, x)| if y == 0 { 255 } else { (x / 20 % 3) as u8 },
                );
            let seen = truth
                .mapv(|id| id)
                .indexed_iter()
                .map(|((y, x), &id)| {
                    if (x * 7 + y * 13 + x * y) % (5 + 3 * scene) == 0 {
                        (x % 4) as u8
                    } else if id == 255 {
                        0
                    } else {
                        id
                    }
                })
                .collect::<Vec<_>>();
            let seen = ndarray::Array2::from_shape_vec((64, 64), seen).expect("fits");
            let maps = MapPair { truth: truth.view(), prediction: seen.view(), rows: 0..64, columns: 0..64 };
            let mut cells = CellCounts::new(grid, 5);
            let found = total.add(&maps, ScenePlace { grid, x: 0, y: 0 }).expect("one size");
            found.cells.iter().for_each(|(cell, counts)| cells.cell(*cell).merge(counts));
            let mut others = CellCounts::new(grid, 5);
            for (i, cell) in cells.cells().iter().enumerate() {
                let mut matrix = ConfusionMatrix::new(&legend);
                (0..cell.pixels()).for_each(|pixel| matrix.add((pixel % 3) as u8, (pixel % 4) as u8));
                others.cell(i).merge(&ClassCounts::of(&matrix));
                other.merge(&matrix).expect("same classes");
            }
            (0..50).for_each(|i| calibration.add(f64::from(i) / 50.0, i % 3 > 0));
            scenes.push((cells, others, vec![5000, 4000, 3000, 300, 0]));
        }
        let names = ["a.tif".to_owned(), "b.tif".to_owned()];
        let evaluation = Evaluation {
            prediction: names.to_vec(),
            truth: names.to_vec(),
            excluded: vec![ClassId(2)],
            ..Evaluation::default()
        };
        let mut report = Report::new(&legend, &total.matrix, &evaluation);
        let findings = Findings {
            total: &total,
            scenes: scenes
                .iter()
                .zip(&names)
                .map(|((cells, others, mapped), name)| SceneFindings {
                    prediction: name,
                    truth: name,
                    cells,
                    other: Some(others),
                    mapped,
                    pixel_area: Some(0.25),
                })
                .collect(),
            other: Some(OtherFindings { names: &names, matrix: &other }),
            calibration: Some(&calibration),
            lines: None,
            resampling: Resampling { replicates: 200, seed: 0 },
        };
        report.add(&findings, &evaluation.excluded);
        report
    }

    #[test]
    fn all_that_was_found_is_told_and_reads_back() {
        let report = assessed();
        assert_eq!(report.protocols.len(), 4, "whole and eroded, with and without");
        assert_eq!(report.protocols[0].eroded_px, 0);
        assert_eq!(
            (report.protocols[1].miou, &report.protocols[1].excluded),
            (report.miou, &report.protocol.excluded)
        );
        assert!(report.protocols[2].ignored > report.protocols[0].ignored);
        let uncertainty = report.uncertainty.as_ref().expect("told");
        let oa = uncertainty.intervals.as_ref().expect("blocks").oa.expect("an interval");
        assert!(report.oa.is_some_and(|value| oa.low < value && value < oa.high));
        assert!(report.scenes[0].miou <= report.scenes[1].miou, "worst first");
        let areas = report.areas.as_ref().expect("the map goes on");
        assert!((areas.classes.iter().map(|class| class.adjusted_share).sum::<f64>() - 1.0).abs() < 1e-12);
        let contrast = &report.comparison.as_ref().expect("compared").miou;
        assert_eq!(contrast.this, report.miou);
        let value = serde_json::to_value(&report).expect("JSON");
        assert_eq!(serde_json::from_value::<Report>(value).expect("reads back"), report);
    }

    #[test]
    fn the_json_has_the_keys_of_the_contract_and_null_for_absent_classes() {
        let json: serde_json::Value = serde_json::from_str(&report(&[]).to_json()).expect("JSON");
        let keys: Vec<_> = json.as_object().expect("an object").keys().map(String::as_str).collect();
        let contract =
            ["miou", "mf1", "oa", "kappa", "pixels", "ignored", "classes", "confusion", "protocol"];
        assert_eq!(keys[..contract.len()], contract);
        let class: Vec<_> = json["classes"][4].as_object().expect("an object").keys().collect();
        assert_eq!(class, ["id", "name", "iou", "f1", "precision", "recall", "support"]);
        assert!(json["classes"][4]["iou"].is_null() && json["classes"][4]["support"] == 0);
        assert_eq!(json["confusion"][0][1], 1);
        assert_eq!((json["pixels"].as_u64(), json["ignored"].as_u64()), (Some(6), Some(1)));
        assert_eq!(json["protocol"]["absent"], serde_json::json!(["vegetation", "water"]));
        assert_eq!(json["protocol"]["unpredicted_pixels"], 1);
    }

    #[test]
    fn the_mean_is_over_present_classes_and_exclusion_tells_both_means() {
        let all = report(&[]);
        let expected = (2.0 / 3.0 + 0.5 + 0.5) / 3.0;
        assert!((all.miou.expect("a mean") - expected).abs() < 1e-12);
        let without = report(&[ClassId(0)]);
        assert_eq!(without.miou, Some(0.5));
        assert_eq!(without.protocol.miou_without_exclusion, all.miou);
        assert_eq!(without.protocol.excluded, ["building"]);
        assert_eq!(without.oa, all.oa);
    }

    pub(crate) fn network_test() -> NetworkTest {
        NetworkTest {
            model: "net.pt".to_owned(),
            data: "chips".to_owned(),
            split: "test".to_owned(),
            labels: vec!["5_Labels_all_noBoundary".to_owned()],
            images: 14,
            patches: 2016,
            window: 512,
            stride: 341,
            scales: vec![0.5, 1.0],
            flips: vec!["none".to_owned(), "horizontal".to_owned()],
            passes: 4,
            averaging: "probabilities".to_owned(),
            padding: "none".to_owned(),
        }
    }

    #[test]
    fn a_test_of_a_network_is_told_in_the_protocol() {
        let mut report = report(&[]);
        report.protocol.test = Some(network_test());
        report.protocol.eroded_px = 3;
        let json: serde_json::Value = serde_json::from_str(&report.to_json()).expect("JSON");
        assert_eq!(json["protocol"]["stride"], 341);
        assert_eq!(json["protocol"]["scales"], serde_json::json!([0.5, 1.0]));
        assert_eq!(json["protocol"]["eroded_px"], 3);
        assert_eq!(serde_json::from_str::<Report>(&report.to_json()).expect("reads back"), report);
    }

    #[test]
    fn a_report_reads_back() {
        let report = report(&[]);
        assert_eq!(serde_json::from_str::<Report>(&report.to_json()).expect("reads back"), report);
    }
}

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
                None => "whole rasters on one grid".to_owned(),
                Some(_) => "whole chips; a pixel in two chips counts twice".to_owned(),
            },
            resample: "none".to_owned(),
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

    #[test]
    fn the_json_has_the_keys_of_the_contract_and_null_for_absent_classes() {
        let json: serde_json::Value = serde_json::from_str(&report(&[]).to_json()).expect("JSON");
        let keys: Vec<_> = json.as_object().expect("an object").keys().map(String::as_str).collect();
        let contract =
            ["miou", "mf1", "oa", "kappa", "pixels", "ignored", "classes", "confusion", "protocol"];
        assert_eq!(keys, contract);
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

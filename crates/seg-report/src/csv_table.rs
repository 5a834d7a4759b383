use crate::{Error, Report};
use seg_label::Interval;

/// Writes the scores of a report as CSV, one row a class, then one for the means and one for all pixels; figures that
/// there are not are empty.
///
/// Numbers are those of the JSON, to the last digit.
///
/// # Errors
/// If the table cannot be written to memory.
///
/// ```
/// use seg_label::{ConfusionMatrix, Legend};
/// use seg_report::{Evaluation, Report, csv};
/// let legend = Legend::builtin("dubai").expect("known");
/// let mut matrix = ConfusionMatrix::new(&legend);
/// matrix.add(0, 0);
/// let text = csv(&Report::new(&legend, &matrix, &Evaluation::default()))?;
/// assert!(text.starts_with("class,id,iou,"));
/// # Ok::<(), seg_report::Error>(())
/// ```
pub fn csv(report: &Report) -> Result<String, Error> {
    let failed = |error: ::csv::Error| Error::WriteCsv { reason: error.to_string() };
    let mut out = ::csv::Writer::from_writer(Vec::new());
    out.write_record(HEAD).map_err(failed)?;
    for (i, class) in report.classes.iter().enumerate() {
        let mut row = Row::of(&class.name);
        let found = report.uncertainty.as_ref().and_then(|uncertainty| uncertainty.intervals.as_ref());
        let found = found.and_then(|found| found.classes.get(i));
        row.set("id", Some(class.id));
        for (name, value, interval) in [
            ("iou", class.iou, found.and_then(|found| found.iou)),
            ("f1", class.f1, found.and_then(|found| found.f1)),
            ("precision", class.precision, found.and_then(|found| found.precision)),
            ("recall", class.recall, found.and_then(|found| found.recall)),
        ] {
            row.figure(name, value, interval);
        }
        let boundary =
            report.boundary.as_ref().and_then(|boundary| boundary.classes.get(i).copied().flatten());
        row.set("boundary_f1", boundary.map(|boundary| boundary.f1));
        row.set("users_accuracy", report.confusion_accuracy.users.get(i).copied().flatten());
        row.set("producers_accuracy", report.confusion_accuracy.producers.get(i).copied().flatten());
        row.set("support", Some(class.support));
        let areas = report.areas.as_ref();
        if let Some(area) = areas.and_then(|areas| areas.classes.iter().find(|area| area.id == class.id)) {
            row.set("mapped_share", Some(area.mapped_share));
            row.figure("adjusted_share", Some(area.adjusted_share), Some(area.interval));
        }
        out.write_record(&row.cells).map_err(failed)?;
    }
    let found = report.uncertainty.as_ref().and_then(|uncertainty| uncertainty.intervals.as_ref());
    let mut mean = Row::of("(mean)");
    mean.figure("iou", report.miou, found.and_then(|found| found.miou));
    mean.figure("f1", report.mf1, found.and_then(|found| found.mf1));
    mean.set("boundary_f1", report.boundary.as_ref().and_then(|boundary| boundary.mean_f1));
    out.write_record(&mean.cells).map_err(failed)?;
    let mut all = Row::of("(all pixels)");
    all.figure("iou", report.frequency_weighted_iou, found.and_then(|found| found.frequency_weighted_iou));
    all.figure("oa", report.oa, found.and_then(|found| found.oa));
    all.figure("kappa", report.kappa, found.and_then(|found| found.kappa));
    all.set("support", Some(report.pixels));
    out.write_record(&all.cells).map_err(failed)?;
    let bytes = out.into_inner().map_err(|error| Error::WriteCsv { reason: error.to_string() })?;
    String::from_utf8(bytes).map_err(|error| Error::WriteCsv { reason: error.to_string() })
}

const HEAD: [&str; 28] = [
    "class",
    "id",
    "iou",
    "iou_low",
    "iou_high",
    "f1",
    "f1_low",
    "f1_high",
    "precision",
    "precision_low",
    "precision_high",
    "recall",
    "recall_low",
    "recall_high",
    "boundary_f1",
    "users_accuracy",
    "producers_accuracy",
    "support",
    "oa",
    "oa_low",
    "oa_high",
    "kappa",
    "kappa_low",
    "kappa_high",
    "mapped_share",
    "adjusted_share",
    "adjusted_share_low",
    "adjusted_share_high",
];

/// A row whose cells are set by their column's name.
struct Row {
    cells: Vec<String>,
}

impl Row {
    fn of(class: &str) -> Self {
        let mut cells = vec![String::new(); HEAD.len()];
        class.clone_into(&mut cells[0]);
        Self { cells }
    }

    fn set(&mut self, column: &str, value: Option<impl ToString>) {
        let place = HEAD.iter().position(|name| *name == column);
        if let (Some(place), Some(value)) = (place, value) {
            self.cells[place] = value.to_string();
        }
    }

    fn figure(&mut self, column: &str, value: Option<f64>, interval: Option<Interval>) {
        self.set(column, value);
        self.set(&format!("{column}_low"), interval.map(|interval| interval.low));
        self.set(&format!("{column}_high"), interval.map(|interval| interval.high));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::assessed;

    #[test]
    fn the_numbers_are_those_of_the_json() {
        let report = assessed();
        let text = csv(&report).expect("written");
        let json = serde_json::to_value(&report).expect("JSON");
        let mut reader = ::csv::Reader::from_reader(text.as_bytes());
        let head = reader.headers().expect("a head").clone();
        let rows: Vec<_> = reader.records().map(|row| row.expect("a row")).collect();
        let at = |row: usize, column: &str| {
            let place = head.iter().position(|name| name == column).expect("a column");
            rows[row][place].parse::<f64>().ok()
        };
        for class in 0..5 {
            for figure in ["iou", "f1", "precision", "recall", "support"] {
                assert_eq!(at(class, figure), json["classes"][class][figure].as_f64(), "{class} {figure}");
            }
            let interval = &json["uncertainty"]["intervals"]["classes"][class]["iou"];
            assert_eq!(at(class, "iou_low"), interval["low"].as_f64());
            assert_eq!(at(class, "iou_high"), interval["high"].as_f64());
        }
        assert!(at(0, "iou_low").is_some(), "{text}");
        assert_eq!((at(5, "iou"), at(6, "oa")), (json["miou"].as_f64(), json["oa"].as_f64()));
        assert_eq!(at(6, "kappa"), json["kappa"].as_f64());
    }
}

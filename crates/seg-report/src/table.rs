use crate::summary::summary;
use crate::{ClassReport, NetworkTest, Report};
use std::fmt::Write as _;

/// Writes a report for a terminal: aligned columns, legible without color.
///
/// ```
/// use seg_label::{ConfusionMatrix, Legend};
/// use seg_report::{Evaluation, Report, table};
/// let legend = Legend::builtin("dubai").expect("known");
/// let mut matrix = ConfusionMatrix::new(&legend);
/// matrix.add(0, 0);
/// let text = table(&Report::new(&legend, &matrix, &Evaluation::default()));
/// assert!(text.contains("water           absent: not counted in the mean\n"), "{text}");
/// ```
pub fn table(report: &Report) -> String {
    let mean_name = mean_name(report);
    let names = report.classes.iter().map(|class| class.name.as_str()).chain([mean_name.as_str(), "class"]);
    let width = names.map(|name| name.chars().count()).max().unwrap_or(0);
    let mut out = String::new();
    let digits = report.classes.iter().map(|class| class.support.to_string().len()).max().unwrap_or(0).max(6);
    line(&mut out, &format!("{:<width$}     IoU      F1  precision  recall  {:>digits$}", "class", "pixels"));
    for class in &report.classes {
        line(&mut out, &class_line(report, class, width, digits));
    }
    line(&mut out, &format!("{mean_name:<width$}  {:>6}  {:>6}", number(report.miou), number(report.mf1)));
    line(&mut out, "");
    line(&mut out, &format!("overall accuracy {}, kappa {}", number(report.oa), number(report.kappa)));
    for note in summary(report).into_iter().chain(notes(report)) {
        line(&mut out, &note);
    }
    out
}

fn line(out: &mut String, text: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{}", text.trim_end());
}

fn class_line(report: &Report, class: &ClassReport, width: usize, digits: usize) -> String {
    let name = &class.name;
    if class.iou.is_none() {
        return format!("{name:<width$}  absent: not counted in the mean");
    }
    let mark = if report.in_means(class) { "" } else { "  excluded from the mean" };
    format!(
        "{name:<width$}  {:>6}  {:>6}  {:>9}  {:>6}  {:>digits$}{mark}",
        number(class.iou),
        number(class.f1),
        number(class.precision),
        number(class.recall),
        class.support,
    )
}

/// Four digits, or a dash where there is no score.
pub(crate) fn number(score: Option<f64>) -> String {
    score.map_or_else(|| "-".to_owned(), |score| format!("{score:.4}"))
}

fn pixels(count: u64) -> String {
    format!("{count} pixel{}", if count == 1 { "" } else { "s" })
}

/// How the line of means is called: it says how many classes it is over.
pub(crate) fn mean_name(report: &Report) -> String {
    let (counted, all) = (report.protocol.classes_in_means.len(), report.classes.len());
    if counted == all { "mean".to_owned() } else { format!("mean of {counted} of {all}") }
}

/// What the reader must know to compare the numbers.
pub(crate) fn notes(report: &Report) -> Vec<String> {
    let protocol = &report.protocol;
    let mut notes = vec![format!(
        "{} counted; {} without a truth {}",
        pixels(report.pixels),
        report.ignored,
        protocol.ignored_truth
    )];
    if protocol.eroded_px > 0 {
        notes.push(format!(
            "the truth within {} of another class is ignored",
            pixels(protocol.eroded_px as u64)
        ));
    }
    if let Some(test) = &protocol.test {
        notes.extend(test_notes(test));
    }
    if protocol.unpredicted_pixels > 0 {
        notes.push(format!(
            "{} with a truth but no prediction: {}",
            pixels(protocol.unpredicted_pixels),
            protocol.unpredicted
        ));
    }
    if !protocol.absent.is_empty() {
        notes.push(format!(
            "absent (neither in the truth nor predicted), not counted in the mean: {}",
            protocol.absent.join(", ")
        ));
    }
    if !protocol.excluded.is_empty() {
        notes.push(format!(
            "excluded from the mean, but counted as errors of other classes and in the accuracy: {} (mean IoU with them {}, mean F1 {})",
            protocol.excluded.join(", "),
            number(protocol.miou_without_exclusion),
            number(protocol.mf1_without_exclusion)
        ));
    }
    notes
}

/// How a network was tested.
fn test_notes(test: &NetworkTest) -> Vec<String> {
    let scales: Vec<_> = test.scales.iter().map(f64::to_string).collect();
    let mut notes = vec![
        format!("{} {} chips of {} images in {}", test.patches, test.split, test.images, test.data),
        format!(
            "window {}, stride {}; {} pass{} a chip: scales {}, flips {}",
            test.window,
            test.stride,
            test.passes,
            if test.passes == 1 { "" } else { "es" },
            scales.join(", "),
            test.flips.join(", ")
        ),
    ];
    if !test.labels.is_empty() {
        notes.push(format!("labels: {}", test.labels.join(", ")));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::{network_test, report};
    use seg_label::ClassId;

    #[test]
    fn the_table_is_aligned_and_says_what_is_absent() {
        let expected = "\
class              IoU      F1  precision  recall  pixels
building        0.6667  0.8000     1.0000  0.6667       3
land            0.5000  0.6667     0.5000  1.0000       1
road            0.5000  0.6667     1.0000  0.5000       2
vegetation      absent: not counted in the mean
water           absent: not counted in the mean
mean of 3 of 5  0.5556  0.7111

overall accuracy 0.6667, kappa 0.5385
6 pixels counted; 1 without a truth counted nowhere
1 pixel with a truth but no prediction: counted as missed
absent (neither in the truth nor predicted), not counted in the mean: vegetation, water
";
        assert_eq!(table(&report(&[])), expected);
    }

    #[test]
    fn how_a_network_was_tested_is_told() {
        let mut report = report(&[]);
        report.protocol.test = Some(network_test());
        report.protocol.eroded_px = 3;
        let text = table(&report);
        for line in [
            "the truth within 3 pixels of another class is ignored\n",
            "2016 test chips of 14 images in chips\n",
            "window 512, stride 341; 4 passes a chip: scales 0.5, 1, flips none, horizontal\n",
            "labels: 5_Labels_all_noBoundary\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }

    #[test]
    fn an_excluded_class_is_marked_and_both_means_are_told() {
        let text = table(&report(&[ClassId(0)]));
        assert!(text.contains("3  excluded from the mean\n"), "{text}");
        assert!(text.contains("mean IoU with them 0.5556"), "{text}");
    }
}

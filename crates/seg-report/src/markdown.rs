use crate::Report;
use crate::summary::{range, summary};
use crate::table::{mean_name, notes, number};
use std::fmt::Write as _;

/// Writes a report as Markdown: scores, notes and the confusion matrix.
///
/// ```
/// use seg_label::{ConfusionMatrix, Legend};
/// use seg_report::{Evaluation, Report, markdown};
/// let legend = Legend::builtin("dubai").expect("known");
/// let text = markdown(&Report::new(&legend, &ConfusionMatrix::new(&legend), &Evaluation::default()));
/// assert!(text.starts_with("# Evaluation\n"));
/// ```
pub fn markdown(report: &Report) -> String {
    let mut out = String::from("# Evaluation\n\n");
    let found = report.uncertainty.as_ref().and_then(|uncertainty| uncertainty.intervals.as_ref());
    let boundary = report.boundary.as_ref();
    let mut head = vec!["class".to_owned(), "IoU".to_owned()];
    head.extend(found.map(|_| "IoU, 95 %".to_owned()));
    head.extend(["F1", "precision", "recall"].map(str::to_owned));
    head.extend(boundary.map(|boundary| format!("boundary F, {} px", boundary.tolerance_px)));
    head.push("pixels".to_owned());
    row(&mut out, &head);
    row(&mut out, ["---"].into_iter().chain(head[1..].iter().map(|_| "---:")));
    for (i, class) in report.classes.iter().enumerate() {
        let score = |score| if class.iou.is_none() { "absent".to_owned() } else { number(score) };
        let mut cells = vec![escaped(&class.name), score(class.iou)];
        cells.extend(found.map(|found| range(found.classes.get(i).and_then(|class| class.iou))));
        cells.extend([class.f1, class.precision, class.recall].map(score));
        let border = |boundary: &crate::BoundaryReport| boundary.classes.get(i).copied().flatten();
        cells.extend(boundary.map(|boundary| number(border(boundary).map(|score| score.f1))));
        cells.push(class.support.to_string());
        row(&mut out, &cells);
    }
    let mut means = vec![format!("**{}**", mean_name(report)), number(report.miou)];
    means.extend(found.map(|found| range(found.miou)));
    means.extend([number(report.mf1), String::new(), String::new()]);
    means.extend(boundary.map(|boundary| number(boundary.mean_f1)));
    means.push(String::new());
    row(&mut out, &means);
    // Writing to a string cannot fail.
    let _ = writeln!(out, "\nOverall accuracy {}, kappa {}.\n", number(report.oa), number(report.kappa));
    for note in summary(report).into_iter().chain(notes(report)) {
        let _ = writeln!(out, "* {}", escaped(&note));
    }
    protocols(&mut out, report);
    out.push_str("\n## Confusion matrix\n\nRows are the truth, columns the prediction, in pixels.\n\n");
    let names: Vec<_> = report.classes.iter().map(|class| escaped(&class.name)).collect();
    row(&mut out, [String::new()].into_iter().chain(names.iter().cloned()));
    row(&mut out, ["---"].into_iter().chain(names.iter().map(|_| "---:")));
    for (name, counts) in names.iter().zip(&report.confusion) {
        row(&mut out, [name.clone()].into_iter().chain(counts.iter().map(u64::to_string)));
    }
    out
}

/// The means by the usual protocols.
fn protocols(out: &mut String, report: &Report) {
    if report.protocols.is_empty() {
        return;
    }
    out.push_str("\n## By protocol\n\n");
    row(out, ["truth", "without", "mean IoU", "mean F1", "accuracy", "kappa", "pixels"]);
    row(out, ["---", "---", "---:", "---:", "---:", "---:", "---:"]);
    for scores in &report.protocols {
        let truth = match scores.eroded_px {
            0 => "whole".to_owned(),
            px => format!("eroded by {px} px"),
        };
        let figures = [scores.miou, scores.mf1, scores.oa, scores.kappa].map(number);
        let cells = [truth, escaped(&scores.excluded.join(", "))].into_iter().chain(figures);
        row(out, cells.chain([scores.pixels.to_string()]));
    }
}

fn row<T: AsRef<str>>(out: &mut String, cells: impl IntoIterator<Item = T>) {
    out.push('|');
    for cell in cells {
        let _ = write!(out, " {} |", cell.as_ref());
    }
    out.push('\n');
}

/// Class names are the user's: what Markdown would read as its own is escaped.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '|' | '*' | '_' | '`' | '<' | '[' | '\\') {
            out.push('\\');
        }
        out.push(if c.is_control() { ' ' } else { c });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::report;

    #[test]
    fn every_row_of_a_table_has_as_many_cells_as_its_head() {
        let text = markdown(&report(&[]));
        let cells: Vec<_> =
            text.lines().filter(|line| line.starts_with('|')).map(|line| line.matches('|').count()).collect();
        assert_eq!(cells, [7; 15].map(|n: usize| n), "{text}");
        assert!(text.contains("| water | absent | absent | absent | absent | 0 |"));
    }

    #[test]
    fn names_cannot_break_the_table() {
        assert_eq!(escaped("low_veg|\n<b>"), "low\\_veg\\| \\<b>");
    }
}

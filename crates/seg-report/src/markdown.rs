use crate::Report;
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
    row(&mut out, ["class", "IoU", "F1", "precision", "recall", "pixels"]);
    row(&mut out, ["---", "---:", "---:", "---:", "---:", "---:"]);
    for class in &report.classes {
        let scores = [class.iou, class.f1, class.precision, class.recall]
            .map(|score| if class.iou.is_none() { "absent".to_owned() } else { number(score) });
        let name = escaped(&class.name);
        row(&mut out, [name].into_iter().chain(scores).chain([class.support.to_string()]));
    }
    let mean = format!("**{}**", mean_name(report));
    row(&mut out, [mean.as_str(), &number(report.miou), &number(report.mf1), "", "", ""]);
    // Writing to a string cannot fail.
    let _ = writeln!(out, "\nOverall accuracy {}, kappa {}.\n", number(report.oa), number(report.kappa));
    for note in notes(report) {
        let _ = writeln!(out, "* {}", escaped(&note));
    }
    out.push_str("\n## Confusion matrix\n\nRows are the truth, columns the prediction, in pixels.\n\n");
    let names: Vec<_> = report.classes.iter().map(|class| escaped(&class.name)).collect();
    row(&mut out, [String::new()].into_iter().chain(names.iter().cloned()));
    row(&mut out, ["---"].into_iter().chain(names.iter().map(|_| "---:")));
    for (name, counts) in names.iter().zip(&report.confusion) {
        row(&mut out, [name.clone()].into_iter().chain(counts.iter().map(u64::to_string)));
    }
    out
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

//! What was found beside the scores, in one line each.

use crate::Report;
use crate::sections::Contrast;
use crate::table::number;
use seg_label::Interval;

/// Lines for a terminal or a text, as many as there is something to say.
pub(crate) fn summary(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    for scores in report.protocols.iter().filter(|scores| scores.excluded == report.protocol.excluded) {
        if scores.eroded_px != report.protocol.eroded_px {
            let truth = match scores.eroded_px {
                0 => "by the whole truth".to_owned(),
                px => format!("by the truth eroded by {px} px"),
            };
            lines.push(format!(
                "{truth}: mean IoU {}, mean F1 {}, accuracy {}",
                number(scores.miou),
                number(scores.mf1),
                number(scores.oa)
            ));
        }
    }
    if let Some(boundary) = &report.boundary {
        lines.push(format!(
            "borders within {} px: mean F {}",
            boundary.tolerance_px,
            number(boundary.mean_f1)
        ));
    }
    lines.extend(intervals(report));
    if let Some(comparison) = &report.comparison {
        lines.push(format!("less {}: {}", comparison.other.join(", "), contrasts(comparison)));
    }
    if let Some(lines_report) = &report.tile_lines {
        lines.push(format!(
            "accuracy within {} px of tile lines {}, elsewhere {}",
            lines_report.near_px,
            number(lines_report.near_accuracy),
            number(lines_report.elsewhere_accuracy)
        ));
    }
    if let Some(calibration) = &report.calibration {
        lines.push(format!("expected calibration error {}", number(calibration.ece)));
    }
    lines
}

fn intervals(report: &Report) -> Option<String> {
    let uncertainty = report.uncertainty.as_ref()?;
    let Some(found) = &uncertainty.intervals else {
        return Some(format!("no intervals: {}", uncertainty.none_because.as_deref().unwrap_or_default()));
    };
    Some(format!(
        "95 % intervals from {} blocks of about {} px: mean IoU {}, accuracy {}",
        uncertainty.blocks,
        uncertainty.block_side_px,
        range(found.miou),
        range(found.oa)
    ))
}

fn contrasts(comparison: &crate::ComparisonReport) -> String {
    let one = |name: &str, contrast: &Contrast| {
        let difference = contrast.difference;
        let value = difference.difference.map_or_else(|| "-".to_owned(), |value| format!("{value:+.4}"));
        format!("{name} {value} ({})", range(difference.interval))
    };
    [one("mean IoU", &comparison.miou), one("accuracy", &comparison.oa)].join(", ")
}

/// Both ends of an interval.
pub(crate) fn range(interval: Option<Interval>) -> String {
    interval.map_or_else(
        || "no interval".to_owned(),
        |interval| format!("{:.4} to {:.4}", interval.low, interval.high),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::{assessed, report};

    #[test]
    fn all_that_was_found_has_a_line() {
        assert!(summary(&report(&[])).is_empty());
        let text = summary(&assessed()).join("\n");
        for part in [
            "by the truth eroded by 3 px: mean IoU 0.",
            "borders within 3 px: mean F 0.",
            "95 % intervals from 32 blocks of about 16 px: mean IoU 0.",
            "less a.tif, b.tif: mean IoU +0.",
            "expected calibration error 0.",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}

//! Pages: one file each, without network, for screens and paper.

mod page;
mod pictures;
mod sections;
mod svg;
mod training;

pub use pictures::{Standing, Strip};
pub use training::{TrainingCurves, TrainingPage, ValidationPoint, training_html};

use crate::table::notes;
use crate::{Error, Report};
use page::{Figure, Page, Section, Tile};
use seg_label::Legend;

/// Writes a report as a page: one HTML file with charts, tables and pictures, which asks nothing of the network.
///
/// # Errors
/// If a picture cannot be encoded or the page cannot be written.
///
/// ```
/// use seg_label::{ConfusionMatrix, Legend};
/// use seg_report::{Evaluation, Report, html};
/// let legend = Legend::builtin("dubai").expect("known");
/// let mut matrix = ConfusionMatrix::new(&legend);
/// matrix.add(0, 0);
/// let page = html(&Report::new(&legend, &matrix, &Evaluation::default()), &legend, &[])?;
/// assert!(page.starts_with("<!doctype html>"));
/// # Ok::<(), seg_report::Error>(())
/// ```
pub fn html(report: &Report, legend: &Legend, strips: &[Strip]) -> Result<String, Error> {
    let intervals = report.uncertainty.as_ref().and_then(|uncertainty| uncertainty.intervals.as_ref());
    let tile = |label: &str, figure: Figure| Tile { label: label.to_owned(), figure };
    let mut tiles = vec![
        tile(
            &capital(&crate::table::mean_name(report)),
            Figure::score(report.miou, intervals.and_then(|found| found.miou)),
        ),
        tile("Mean F1", Figure::score(report.mf1, intervals.and_then(|found| found.mf1))),
        tile("Overall accuracy", Figure::score(report.oa, intervals.and_then(|found| found.oa))),
        tile("Kappa", Figure::score(report.kappa, intervals.and_then(|found| found.kappa))),
    ];
    if let Some(boundary) = &report.boundary {
        let label = format!("Boundary F, {} px", boundary.tolerance_px);
        tiles.push(tile(&label, Figure::score(boundary.mean_f1, None)));
    }
    tiles.push(tile("Pixels counted", Figure::count(report.pixels)));
    let swatches = sections::Swatches::of(report, legend)?;
    let mut all = vec![sections::classes(report, &swatches), protocol(report)];
    all.extend(sections::protocols(report));
    all.extend(sections::comparison(report, &swatches));
    all.push(sections::confusion(report, &swatches));
    all.extend(sections::calibration(report));
    all.extend(sections::tile_lines(report));
    all.extend(sections::areas(report, &swatches));
    all.extend(sections::scenes(report));
    if !strips.is_empty() {
        let views = strips.iter().map(|strip| strip.view(legend)).collect::<Result<_, _>>()?;
        all.push(Section {
            id: "places",
            title: "Worst and best places",
            paragraphs: vec![
                "In the last picture, gray is right, dark is wrong, black was not predicted, and white has no truth."
                    .to_owned(),
            ],
            key: pictures::key(legend)?,
            strips: views,
            ..Section::default()
        });
    }
    let names = |names: &[String]| match names {
        [one] => one.clone(),
        [first, .., last] => format!("{first} to {last} ({} in all)", names.len()),
        [] => "-".to_owned(),
    };
    let page = Page {
        title: "Accuracy report".to_owned(),
        lines: vec![
            format!("Prediction: {}", names(&report.protocol.prediction)),
            format!("Truth: {}", names(&report.protocol.truth)),
        ],
        tiles,
        sections: all,
    };
    page.render()
}

/// What was counted and how.
fn protocol(report: &Report) -> Section {
    let protocol = &report.protocol;
    let mut told = notes(report);
    told.push(format!("extent: {}", protocol.extent));
    told.push(format!("resampling: {}", protocol.resample));
    if let Some(uncertainty) = &report.uncertainty {
        told.push(match &uncertainty.none_because {
            Some(why) => format!("no intervals: {why}"),
            None => format!(
                "intervals hold the value in 95 % of cases: {}; {} blocks of about {} pixels a side, drawn {} times from \
                 seed {}",
                uncertainty.method,
                uncertainty.blocks,
                uncertainty.block_side_px,
                uncertainty.replicates,
                uncertainty.seed
            ),
        });
    }
    Section { id: "protocol", title: "What was counted", notes: told, ..Section::default() }
}

fn capital(text: &str) -> String {
    let text = if text == "mean" { "mean IoU".to_owned() } else { text.replacen("mean", "mean IoU", 1) };
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::assessed;
    use ndarray::{Array2, Array3};

    fn page() -> (Report, String) {
        let report = assessed();
        let strip = Strip {
            standing: Standing::Worst,
            scene: "a.tif".to_owned(),
            place: "columns 0 to 9, rows 0 to 9".to_owned(),
            image: Some((Array3::zeros((3, 10, 10)), Array2::from_elem((10, 10), true))),
            truth: Array2::zeros((10, 10)),
            prediction: Array2::ones((10, 10)),
        };
        let legend = Legend::builtin("dubai").expect("known");
        let text = html(&report, &legend, &[strip]).expect("renders");
        (report, text)
    }

    /// The numbers of a table, row by row, without those of intervals.
    fn numbers(page: &str, id: &str) -> Vec<Vec<Option<f64>>> {
        let table = page.split(&format!("<table id=\"{id}\">")).nth(1).expect("the table");
        let body =
            table.split("<tbody>").nth(1).and_then(|body| body.split("</tbody>").next()).expect("a body");
        let cell = |cell: &str| {
            let value = cell.split("<data value=\"").nth(1)?.split('"').next()?;
            value.parse().ok()
        };
        body.split("<tr").skip(1).map(|row| row.split("<td").skip(1).map(cell).collect()).collect()
    }

    #[test]
    fn the_numbers_of_the_page_are_those_of_the_json() {
        let (report, page) = page();
        let table = numbers(&page, "classes");
        for (class, row) in report.classes.iter().zip(&table) {
            let expected = [class.iou, class.f1, class.precision, class.recall];
            assert_eq!(row[..4], expected, "{}", class.name);
            assert_eq!(row.last().copied().flatten(), Some(class.support as f64));
        }
        assert_eq!(table[5][..2], [report.miou, report.mf1]);
        let confusion = numbers(&page, "confusion");
        for (row, expected) in confusion.iter().zip(&report.confusion) {
            let expected: Vec<_> = expected.iter().map(|&count| Some(count as f64)).collect();
            assert_eq!(row[..5], expected);
        }
        let protocols = numbers(&page, "protocols");
        assert_eq!(protocols.len(), report.protocols.len());
        assert_eq!(protocols[2][0], report.protocols[2].miou);
    }

    #[test]
    fn the_page_needs_nothing_else_and_can_be_read_without_a_mouse() {
        let (_, page) = page();
        for outside in ["http://", "https://", "<script", "@import", "url("] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert_eq!(page.matches("<table").count(), page.matches("tabindex=\"0\"").count());
        assert_eq!(page.matches("<table").count(), page.matches("<caption>").count());
        assert!(
            page.matches("data:image/png;base64,").count() >= 4
                && page.contains("prefers-color-scheme: dark")
        );
    }
}

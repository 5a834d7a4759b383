//! The page of a training.

use super::page::{Cell, Figure, Link, Page, Row, Section, Table, Tile};
use super::sections::strings;
use super::svg::{self, Line, Scale};
use crate::Error;

/// What a training measured.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TrainingCurves {
    /// Curves of losses by name: step and value.
    pub losses: Vec<(String, Vec<[f64; 2]>)>,
    /// Learning rates: step and value.
    pub learning_rate: Vec<[f64; 2]>,
    /// Validations in their order.
    pub validations: Vec<ValidationPoint>,
}

/// What one validation found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ValidationPoint {
    /// After how many steps.
    pub step: u64,
    /// Mean `IoU`.
    pub miou: Option<f64>,
    /// Overall accuracy.
    pub oa: Option<f64>,
    /// `IoU` by class.
    pub iou: Vec<(String, Option<f64>)>,
}

/// The page of a training.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TrainingPage {
    /// What the run is called.
    pub name: String,
    /// Steps done.
    pub steps: u64,
    /// The step of the best validation.
    pub best_step: Option<u64>,
    /// What was measured.
    pub curves: TrainingCurves,
    /// Reports beside the page: what they are of, and where.
    pub reports: Vec<(String, String)>,
}

/// Writes the page of a training: losses, learning rates, and `IoU` of each class over the steps.
///
/// # Errors
/// If the page cannot be written.
///
/// ```
/// use seg_report::{TrainingPage, training_html};
/// let page = training_html(&TrainingPage { name: "run".to_owned(), ..TrainingPage::default() })?;
/// assert!(page.contains("Training of run"));
/// # Ok::<(), seg_report::Error>(())
/// ```
pub fn training_html(training: &TrainingPage) -> Result<String, Error> {
    let curves = &training.curves;
    let best = curves.validations.iter().find(|point| Some(point.step) == training.best_step);
    let mut tiles = vec![Tile { label: "Steps".to_owned(), figure: Figure::count(training.steps) }];
    if let Some(best) = best {
        let tile = |label: &str, figure| Tile { label: label.to_owned(), figure };
        tiles.push(tile("Best mean IoU", Figure::score(best.miou, None)));
        tiles.push(tile("At step", Figure::count(best.step)));
        tiles.push(tile("Its accuracy", Figure::score(best.oa, None)));
    }
    let mut sections = Vec::new();
    if !training.reports.is_empty() {
        let link = |(what, to): &(String, String)| Link { to: to.clone(), text: what.clone() };
        sections.push(Section {
            id: "reports",
            title: "Accuracy reports",
            paragraphs: vec!["Of the checkpoint that is kept:".to_owned()],
            links: training.reports.iter().map(link).collect(),
            ..Section::default()
        });
    }
    let losses: Vec<Line> = curves
        .losses
        .iter()
        .map(|(name, points)| Line { name: name.clone(), points: points.clone() })
        .collect();
    let rate = [Line { name: "learning rate".to_owned(), points: curves.learning_rate.clone() }];
    sections.push(Section {
        id: "losses",
        title: "Losses and learning rate",
        charts: vec![
            svg::curves(&losses, Scale::FromZero, "Losses, means since the report before"),
            svg::curves(&rate, Scale::FromZero, "Learning rate"),
        ],
        ..Section::default()
    });
    if !curves.validations.is_empty() {
        sections.push(validations(curves));
    }
    let page = Page { title: format!("Training of {}", training.name), tiles, sections, lines: Vec::new() };
    page.render()
}

fn validations(curves: &TrainingCurves) -> Section {
    let names: Vec<&String> = curves
        .validations
        .first()
        .map_or_else(Vec::new, |point| point.iou.iter().map(|(name, _)| name).collect());
    let at = |point: &ValidationPoint, class: usize| point.iou.get(class).and_then(|(_, iou)| *iou);
    let line = |(class, name): (usize, &&String)| Line {
        name: (*name).clone(),
        points: curves
            .validations
            .iter()
            .filter_map(|point| Some([point.step as f64, at(point, class)?]))
            .collect(),
    };
    let points =
        curves.validations.iter().filter_map(|point| Some([point.step as f64, point.miou?])).collect();
    let mean = Line { name: "mean".to_owned(), points };
    let classes: Vec<Line> = names.iter().enumerate().map(line).collect();
    let row = |point: &ValidationPoint| {
        let mut cells: Vec<Cell> =
            [point.miou, point.oa].iter().map(|&value| Figure::score(value, None).into()).collect();
        cells.extend((0..names.len()).map(|class| Cell::from(Figure::score(at(point, class), None))));
        Row { name: point.step.to_string(), cells, ..Row::default() }
    };
    let mut head = strings(&["Step", "Mean IoU", "Accuracy"]);
    head.extend(names.iter().map(|name| format!("IoU {name}")));
    Section {
        id: "validation",
        title: "Validation",
        charts: vec![
            svg::curves(&[mean], Scale::Unit, "Mean IoU"),
            svg::curves(&classes, Scale::Unit, "IoU of each class"),
        ],
        tables: vec![Table {
            id: "validations",
            caption: "Validations".to_owned(),
            head,
            rows: curves.validations.iter().map(row).collect(),
        }],
        ..Section::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_links_and_classes_are_on_the_page() {
        let point = |step: u64, iou: Option<f64>| ValidationPoint {
            step,
            miou: Some(0.5),
            oa: Some(0.75),
            iou: vec![("road <1>".to_owned(), iou), ("water".to_owned(), None)],
        };
        let page = TrainingPage {
            name: "run".to_owned(),
            steps: 20,
            best_step: Some(20),
            curves: TrainingCurves {
                losses: vec![("total".to_owned(), vec![[10.0, 2.0], [20.0, 1.0]])],
                learning_rate: vec![[10.0, 1e-4], [20.0, 1e-5]],
                validations: vec![point(10, None), point(20, Some(0.25))],
            },
            reports: vec![("val".to_owned(), "val/report.html".to_owned())],
        };
        let html = training_html(&page).expect("renders");
        for part in
            ["href=\"val&#x2f;report.html\"", "IoU road &lt;1&gt;", "<data value=\"0.25\">", "Learning rate"]
        {
            assert!(html.contains(part), "{part}: {html}");
        }
    }
}

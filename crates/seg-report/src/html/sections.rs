//! The parts of a report's page.

use super::page::{Cell, Figure, Row, Section, Table};
use super::pictures::swatch_of;
use super::svg::{self, Bar};
use crate::sections::Contrast;
use crate::{Error, Report};
use seg_label::Legend;

/// More classes than these make a table of all against all that nobody reads.
const LARGEST_CONFUSION: usize = 40;

/// What classes look like, in legend order.
pub(super) struct Swatches(Vec<Option<String>>);

impl Swatches {
    pub(super) fn of(report: &Report, legend: &Legend) -> Result<Self, Error> {
        Ok(Self(report.classes.iter().map(|class| swatch_of(legend, class.id)).collect::<Result<_, _>>()?))
    }

    fn at(&self, class: usize) -> Option<String> {
        self.0.get(class).cloned().flatten()
    }
}

/// Scores class by class.
pub(super) fn classes(report: &Report, swatches: &Swatches) -> Section {
    let found = report.uncertainty.as_ref().and_then(|uncertainty| uncertainty.intervals.as_ref());
    let boundary = report.boundary.as_ref();
    let mut rows: Vec<Row> = report
        .classes
        .iter()
        .enumerate()
        .map(|(i, class)| {
            let interval = found.and_then(|found| found.classes.get(i));
            let absent = class.iou.is_none();
            let score = |value, interval| {
                if absent { Figure::text("absent").into() } else { Figure::score(value, interval).into() }
            };
            let mut cells: Vec<Cell> = vec![
                score(class.iou, interval.and_then(|found| found.iou)),
                score(class.f1, interval.and_then(|found| found.f1)),
                score(class.precision, interval.and_then(|found| found.precision)),
                score(class.recall, interval.and_then(|found| found.recall)),
            ];
            if let Some(boundary) = boundary {
                let f1 = boundary.classes.get(i).copied().flatten().map(|score| score.f1);
                cells.push(Figure::score(f1, None).into());
            }
            cells.push(Figure::count(class.support).into());
            let mark = if report.in_means(class) || absent { "" } else { " (not in the means)" };
            Row { name: format!("{}{mark}", class.name), swatch: swatches.at(i), cells, sum: false }
        })
        .collect();
    let mut means: Vec<Cell> = vec![
        Figure::score(report.miou, found.and_then(|found| found.miou)).into(),
        Figure::score(report.mf1, found.and_then(|found| found.mf1)).into(),
        Figure::text("").into(),
        Figure::text("").into(),
    ];
    if let Some(boundary) = boundary {
        means.push(Figure::score(boundary.mean_f1, None).into());
    }
    means.push(Figure::text("").into());
    rows.push(Row { name: crate::table::mean_name(report), cells: means, sum: true, swatch: None });
    let mut head = strings(&["Class", "IoU", "F1", "Precision", "Recall"]);
    head.extend(boundary.map(|boundary| format!("Boundary F, {} px", boundary.tolerance_px)));
    head.push("Pixels of the truth".to_owned());
    let bars: Vec<Bar> = report
        .classes
        .iter()
        .enumerate()
        .map(|(i, class)| Bar {
            name: class.name.clone(),
            value: class.iou,
            interval: found.and_then(|found| found.classes.get(i)?.iou),
        })
        .collect();
    let caption = if found.is_some() { "IoU of each class with 95 % intervals" } else { "IoU of each class" };
    let table = Table {
        id: "classes",
        caption: "Scores class by class; 95 % intervals in brackets".to_owned(),
        head,
        rows,
    };
    let weighted =
        report.frequency_weighted_iou.map_or_else(|| "–".to_owned(), |value| format!("{value:.4}"));
    Section {
        id: "scores",
        title: "Scores",
        paragraphs: vec![format!("IoU weighted by the classes' pixels: {weighted}.")],
        charts: vec![svg::bars(&bars, caption)],
        tables: vec![table],
        ..Section::default()
    }
}

/// The means by the usual protocols.
pub(super) fn protocols(report: &Report) -> Option<Section> {
    let row = |scores: &crate::ProtocolScores| {
        let truth = match scores.eroded_px {
            0 => "whole truth".to_owned(),
            px => format!("truth eroded by {px} px"),
        };
        let classes = match &scores.excluded[..] {
            [] => String::new(),
            names => format!(", without {}", names.join(", ")),
        };
        let figures = [scores.miou, scores.mf1, scores.oa, scores.kappa, scores.frequency_weighted_iou];
        let mut cells: Vec<Cell> = figures.iter().map(|&value| Figure::score(value, None).into()).collect();
        cells.extend([scores.pixels, scores.ignored].map(|count| Figure::count(count).into()));
        Row { name: truth + &classes, cells, ..Row::default() }
    };
    let head = ["Protocol", "Mean IoU", "Mean F1", "Accuracy", "Kappa", "Weighted IoU", "Pixels", "Ignored"];
    let table = Table {
        id: "protocols",
        caption: "The same maps by the protocols that are usual".to_owned(),
        head: strings(&head),
        rows: report.protocols.iter().map(row).collect(),
    };
    let text = "Published numbers differ by several points by the protocol alone: compare like with like.";
    (!report.protocols.is_empty()).then(|| Section {
        id: "protocols-section",
        title: "By protocol",
        paragraphs: vec![text.to_owned()],
        tables: vec![table],
        ..Section::default()
    })
}

/// What was taken for what.
pub(super) fn confusion(report: &Report, swatches: &Swatches) -> Section {
    let section = Section { id: "confusion-section", title: "Confusion", ..Section::default() };
    if report.classes.len() > LARGEST_CONFUSION {
        let text =
            format!("{} classes are too many for a table; report.json has all counts.", report.classes.len());
        return Section { paragraphs: vec![text], ..section };
    }
    let accuracy = &report.confusion_accuracy;
    let row = |(i, counts): (usize, &Vec<u64>)| {
        let support = report.classes[i].support;
        let cell = |(j, &count): (usize, &u64)| Cell {
            figure: Figure::count(count),
            shade: (support > 0).then(|| (0.75 * count as f64 / support as f64 * 1000.0).round() / 1000.0),
            diagonal: i == j,
        };
        let mut cells: Vec<Cell> = counts.iter().enumerate().map(cell).collect();
        cells.push(Figure::count(support - counts.iter().sum::<u64>()).into());
        cells.push(Figure::score(accuracy.producers.get(i).copied().flatten(), None).into());
        Row { name: report.classes[i].name.clone(), swatch: swatches.at(i), cells, sum: false }
    };
    let mut rows: Vec<Row> = report.confusion.iter().enumerate().map(row).collect();
    let mut users: Vec<Cell> =
        accuracy.users.iter().map(|&value| Figure::score(value, None).into()).collect();
    users.extend([Figure::text("").into(), Figure::text("").into()]);
    rows.push(Row { name: "user's accuracy".to_owned(), cells: users, sum: true, swatch: None });
    let mut head = vec!["Truth".to_owned()];
    head.extend(report.classes.iter().map(|class| class.name.clone()));
    head.extend(strings(&["(none)", "Producer's accuracy"]));
    let caption =
        "Pixels; rows are the truth, columns the prediction, the darker the larger the share of the row"
            .to_owned();
    Section { tables: vec![Table { id: "confusion", caption, head, rows }], ..section }
}

/// Whether predictions are as right as they say.
pub(super) fn calibration(report: &Report) -> Option<Section> {
    let calibration = report.calibration.as_ref()?;
    let row = |bin: &seg_label::CalibrationBin| Row {
        name: if bin.from < bin.to { format!("{:.3} to {:.3}", bin.from, bin.to) } else { "1".to_owned() },
        cells: vec![
            Figure::count(bin.pixels).into(),
            Figure::score(bin.confidence, None).into(),
            Figure::score(bin.accuracy, None).into(),
        ],
        ..Row::default()
    };
    let error = calibration.ece.map_or_else(|| "–".to_owned(), |value| format!("{value:.4}"));
    Some(Section {
        id: "calibration-section",
        title: "Calibration",
        paragraphs: vec![format!(
            "Expected calibration error {error}. On the dashed line predictions are as often right as they say; gray is how \
             many pixels there are."
        )],
        charts: vec![svg::reliability(&calibration.bins, "Share of right pixels by probability")],
        tables: vec![Table {
            id: "calibration",
            caption: "Pixels by the probability of their predicted class".to_owned(),
            head: strings(&["Probability", "Pixels", "Mean probability", "Share right"]),
            rows: calibration.bins.iter().map(row).collect(),
        }],
        ..Section::default()
    })
}

/// Near the lines of tiles and elsewhere.
pub(super) fn tile_lines(report: &Report) -> Option<Section> {
    let lines = report.tile_lines.as_ref()?;
    let row = |name: String, pixels: u64, accuracy: Option<f64>| Row {
        name,
        cells: vec![Figure::count(pixels).into(), Figure::score(accuracy, None).into()],
        ..Row::default()
    };
    Some(Section {
        id: "lines-section",
        title: "Along tile lines",
        tables: vec![Table {
            id: "lines",
            caption: "Where tiles of the prediction met, and elsewhere".to_owned(),
            head: strings(&["Where", "Pixels", "Accuracy"]),
            rows: vec![
                row(format!("within {} px of a line", lines.near_px), lines.near_pixels, lines.near_accuracy),
                row("elsewhere".to_owned(), lines.elsewhere_pixels, lines.elsewhere_accuracy),
            ],
        }],
        ..Section::default()
    })
}

/// Areas over the whole map.
pub(super) fn areas(report: &Report, swatches: &Swatches) -> Option<Section> {
    let section = Section { id: "areas-section", title: "Areas", ..Section::default() };
    let Some(areas) = &report.areas else {
        let why = report.areas_none_because.as_ref()?;
        return Some(Section { paragraphs: vec![format!("No corrected areas: {why}.")], ..section });
    };
    let row = |area: &crate::ClassAreaReport| {
        let place = report.classes.iter().position(|class| class.id == area.id);
        Row {
            name: area.name.clone(),
            swatch: place.and_then(|place| swatches.at(place)),
            cells: vec![
                Figure::score(Some(area.mapped_share), None).into(),
                Figure::score(Some(area.adjusted_share), Some(area.interval)).into(),
                Figure::shown(Some(area.standard_error), |value| format!("{value:.5}")).into(),
                Figure::shown(area.mapped_m2, square).into(),
                Figure::shown(area.adjusted_m2, square).into(),
            ],
            sum: false,
        }
    };
    let effect = areas.design_effect.map_or_else(
        || "Intervals are those of pixels drawn one by one, which is too narrow for neighbors.".to_owned(),
        |effect| {
            format!("Neighbors are alike: variances are taken {effect:.1} times as large (design effect).")
        },
    );
    let head =
        ["Class", "Share mapped", "Share corrected", "Standard error", "Area mapped", "Area corrected"];
    Some(Section {
        paragraphs: vec![
            format!(
                "Corrected for what the map mistakes (Olofsson et al. 2014, doi:10.1016/j.rse.2014.02.015). Assumed: {}.",
                areas.assumption
            ),
            effect,
        ],
        tables: vec![Table {
            id: "areas",
            caption: "Shares of the whole map; standard errors for pixels drawn one by one".to_owned(),
            head: strings(&head),
            rows: areas.classes.iter().map(row).collect(),
        }],
        ..section
    })
}

/// One by one, worst first.
pub(super) fn scenes(report: &Report) -> Option<Section> {
    let row = |scene: &crate::SceneReport| {
        let mut cells: Vec<Cell> = [scene.miou, scene.mf1, scene.oa]
            .iter()
            .map(|&value| Figure::score(value, None).into())
            .collect();
        cells.push(Figure::count(scene.pixels).into());
        cells.extend(scene.iou.iter().map(|&value| Cell::from(Figure::score(value, None))));
        Row { name: scene.prediction.clone(), cells, ..Row::default() }
    };
    let mut head = strings(&["Scene", "Mean IoU", "Mean F1", "Accuracy", "Pixels"]);
    head.extend(report.classes.iter().map(|class| format!("IoU {}", class.name)));
    (report.scenes.len() > 1).then(|| Section {
        id: "scenes-section",
        title: "Scene by scene",
        tables: vec![Table {
            id: "scenes",
            caption: "Worst first".to_owned(),
            head,
            rows: report.scenes.iter().map(row).collect(),
        }],
        ..Section::default()
    })
}

/// Beside another prediction.
pub(super) fn comparison(report: &Report, swatches: &Swatches) -> Option<Section> {
    let comparison = report.comparison.as_ref()?;
    let cells = |contrast: &Contrast| -> [Cell; 3] {
        let difference = contrast.difference;
        let mut shown = Figure::score(difference.difference, difference.interval);
        if difference.difference.is_some_and(|value| value > 0.0) {
            shown.text.insert(0, '+');
        }
        [Figure::score(contrast.this, None).into(), Figure::score(contrast.other, None).into(), shown.into()]
    };
    let row = |name: &str, swatch: Option<String>, contrasts: &[&Contrast]| Row {
        name: name.to_owned(),
        swatch,
        cells: contrasts.iter().flat_map(|contrast| cells(contrast)).collect(),
        sum: false,
    };
    let overall = [
        ("Mean IoU", &comparison.miou),
        ("Mean F1", &comparison.mf1),
        ("Overall accuracy", &comparison.oa),
        ("Kappa", &comparison.kappa),
        ("Weighted IoU", &comparison.frequency_weighted_iou),
    ];
    let classes = comparison.classes.iter().enumerate();
    Some(Section {
        id: "comparison-section",
        title: "Beside the other prediction",
        paragraphs: vec![
            format!("The other: {}.", comparison.other.join(", ")),
            "Differences are this less the other, with 95 % intervals from blocks drawn for both together; where the \
             interval holds 0, the difference may be chance."
                .to_owned(),
        ],
        tables: vec![
            Table {
                id: "comparison",
                caption: "All classes together".to_owned(),
                head: strings(&["Figure", "This", "Other", "Difference"]),
                rows: overall.iter().map(|(name, contrast)| row(name, None, &[contrast])).collect(),
            },
            Table {
                id: "comparison-classes",
                caption: "Class by class".to_owned(),
                head: strings(&["Class", "IoU", "Other IoU", "Difference", "F1", "Other F1", "Difference"]),
                rows: classes
                    .map(|(i, class)| row(&class.name, swatches.at(i), &[&class.iou, &class.f1]))
                    .collect(),
            },
        ],
        ..Section::default()
    })
}

fn square(area: f64) -> String {
    if area >= 1e6 { format!("{:.2} km²", area / 1e6) } else { format!("{area:.0} m²") }
}

pub(super) fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

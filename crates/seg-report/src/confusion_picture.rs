use crate::Error;
use crate::canvas::{Canvas, latin_1};
use crate::paint::{self, BLACK, GRAY, WHITE};
use embedded_graphics::mono_font::MonoFont;
use embedded_graphics::mono_font::iso_8859_1::{FONT_6X10, FONT_9X15, FONT_10X20};
use seg_label::{ConfusionMatrix, Legend, Rgb};

const MARGIN: usize = 14;
/// Between a name and its row or column, and between neighboring parts.
const GAP: usize = 6;
/// Longer names are cut off.
const LONGEST_NAME: usize = 22;
const PREDICTED: &str = "predicted";
const TRUTH: &str = "truth";
const UNIT: &str = "% of row";
/// The title of the column without a prediction.
const NONE: &str = "(none)";
/// White to dark blue, at even steps.
const RAMP: [Rgb; 5] = [
    Rgb::new(247, 251, 255),
    Rgb::new(198, 219, 239),
    Rgb::new(107, 174, 214),
    Rgb::new(33, 113, 181),
    Rgb::new(8, 48, 107),
];
/// From this share on, the ramp is too dark for black letters.
const DARK: f64 = 0.55;

/// Draws a confusion matrix as a heat map of shares of each row, as PNG.
///
/// Rows are the truth and columns the prediction; a cell has the share in percent of its row's pixels, so that
/// the diagonal has the recalls. A row without pixels is gray. A last column `(none)` has the pixels that
/// nothing was predicted for, if there are any. Of more than 20 classes only the colors are shown.
///
/// # Errors
/// If the picture cannot be encoded.
///
/// ```
/// use seg_label::{ConfusionMatrix, Legend};
/// let legend = Legend::builtin("dubai").expect("known");
/// let mut matrix = ConfusionMatrix::new(&legend);
/// matrix.add(0, 0);
/// matrix.add(0, 1);
/// let png = seg_report::confusion_png(&matrix, &legend)?;
/// assert!(png.starts_with(b"\x89PNG"));
/// # Ok::<(), seg_report::Error>(())
/// ```
pub fn confusion_png(matrix: &ConfusionMatrix, legend: &Legend) -> Result<Vec<u8>, Error> {
    paint::encode(&draw(matrix, legend))
}

/// Sizes in pixels that depend on the number of classes.
struct Layout {
    font: &'static MonoFont<'static>,
    cell_width: usize,
    cell_height: usize,
    /// Whether cells have numbers.
    numbers: bool,
}

impl Layout {
    const fn of(classes: usize) -> Self {
        match classes {
            0..=9 => Self { font: &FONT_10X20, cell_width: 78, cell_height: 48, numbers: true },
            10..=20 => Self { font: &FONT_9X15, cell_width: 54, cell_height: 36, numbers: true },
            _ => Self { font: &FONT_6X10, cell_width: 14, cell_height: 14, numbers: false },
        }
    }

    fn text_width(&self, letters: usize) -> usize {
        letters * self.font.character_size.width as usize
    }

    fn text_height(&self) -> usize {
        self.font.character_size.height as usize
    }
}

fn draw(matrix: &ConfusionMatrix, legend: &Legend) -> Canvas {
    let table = shares(matrix);
    let rows = table.len();
    let columns = table.first().map_or(0, Vec::len);
    let layout = Layout::of(rows);
    let mut names: Vec<_> = matrix.ids().iter().map(|&id| label(legend, id)).collect();
    names.resize(columns, (NONE.to_owned(), None));
    let longest = names.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let upright = layout.text_width(longest) + 2 * GAP > layout.cell_width;

    let (text, swatch) = (layout.text_height(), layout.text_height().min(14));
    let names_width = layout.text_width(longest);
    let names_height = if upright { names_width } else { text };
    // Title, names, swatch, cells: from the left as from the top.
    let left = MARGIN + text + GAP + names_width + GAP + swatch + GAP;
    let top = MARGIN + text + GAP + names_height + GAP + swatch + GAP;
    let (width, height) = (columns * layout.cell_width, rows * layout.cell_height);
    let mut canvas = Canvas::white(left + width + 1 + MARGIN, top + height + 1 + MARGIN);

    let middle = |side: usize, title: &str| side.saturating_sub(layout.text_width(title.len())) / 2;
    let (predicted, truth) = (left + middle(width, PREDICTED), top + height - middle(height, TRUTH));
    paint::text(&mut canvas, predicted, MARGIN, PREDICTED, layout.font, BLACK);
    paint::upright(&mut canvas, MARGIN, truth, TRUTH, layout.font, BLACK);
    paint::text(&mut canvas, MARGIN, top - GAP - text, UNIT, layout.font, GRAY);
    for (i, (name, color)) in names.iter().enumerate() {
        let letters = layout.text_width(name.chars().count());
        let x = left + i * layout.cell_width;
        let names_top = MARGIN + text + GAP;
        if upright {
            let x = x + (layout.cell_width - text) / 2;
            paint::upright(&mut canvas, x, names_top + names_height, name, layout.font, BLACK);
        } else {
            let x = x + (layout.cell_width - letters) / 2;
            paint::text(&mut canvas, x, names_top, name, layout.font, BLACK);
        }
        let Some(color) = *color else { continue };
        let swatch_x = x + (layout.cell_width - swatch) / 2;
        canvas.swatch(swatch_x, top - GAP - swatch, swatch, |_, _| color);
        let y = top + i * layout.cell_height;
        let text_y = y + (layout.cell_height - text) / 2;
        let text_x = left - 2 * GAP - swatch - letters;
        paint::text(&mut canvas, text_x, text_y, name, layout.font, BLACK);
        canvas.swatch(left - GAP - swatch, y + (layout.cell_height - swatch) / 2, swatch, |_, _| color);
    }
    for (row, shares) in table.iter().enumerate() {
        for (column, &share) in shares.iter().enumerate() {
            let place = (left + column * layout.cell_width, top + row * layout.cell_height);
            cell(&mut canvas, place, share, row == column, &layout);
        }
    }
    canvas
}

fn cell(canvas: &mut Canvas, (x, y): (usize, usize), share: Option<f64>, diagonal: bool, layout: &Layout) {
    let (width, height) = (layout.cell_width, layout.cell_height);
    paint::rectangle(canvas, x, y, width + 1, height + 1, GRAY);
    let color = share.map_or(Rgb::new(225, 225, 225), heat);
    paint::rectangle(canvas, x + 1, y + 1, width - 1, height - 1, color);
    if diagonal && layout.numbers {
        // A second line within the first.
        paint::rectangle(canvas, x + 1, y + 1, width - 1, height - 1, BLACK);
        paint::rectangle(canvas, x + 2, y + 2, width - 3, height - 3, color);
    }
    if layout.numbers {
        let number = percent(share);
        let ink = match share {
            Some(share) if share >= DARK => WHITE,
            Some(share) if share > 0.0 => BLACK,
            _ => GRAY,
        };
        let x = x + (width + 1 - layout.text_width(number.chars().count())) / 2;
        paint::text(canvas, x, y + (height + 1 - layout.text_height()) / 2, &number, layout.font, ink);
    }
}

/// Each cell's share of its row, with a last column for no prediction if that ever happened.
fn shares(matrix: &ConfusionMatrix) -> Vec<Vec<Option<f64>>> {
    let some_missed = matrix.unpredicted().iter().any(|&pixels| pixels > 0);
    let rows = matrix.counts();
    let rows = rows.rows().into_iter().zip(matrix.unpredicted());
    rows.map(|(row, &missed)| {
        let all = row.sum() + missed;
        let share = |&pixels: &u64| (all > 0).then(|| pixels as f64 / all as f64);
        row.iter().chain(some_missed.then_some(&missed)).map(share).collect()
    })
    .collect()
}

/// A share in four letters at most: nothing but all is "100", nothing but none is "0".
fn percent(share: Option<f64>) -> String {
    match share {
        None => "-".to_owned(),
        Some(0.0) => "0".to_owned(),
        Some(1.0) => "100".to_owned(),
        Some(share) if share < 0.0005 => "<0.1".to_owned(),
        // Not rounded up to what it is not.
        Some(share) => format!("{:.1}", (share * 100.0).min(99.9)),
    }
}

/// A class's name and color; its number if the legend has no such class.
fn label(legend: &Legend, id: seg_label::ClassId) -> (String, Option<Rgb>) {
    let class = legend.get(id);
    let name = class.map_or_else(|| id.to_string(), |class| latin_1(&class.name));
    let name = if name.chars().count() > LONGEST_NAME {
        name.chars().take(LONGEST_NAME - 2).chain("..".chars()).collect()
    } else {
        name
    };
    (name, Some(class.map_or(GRAY, |class| class.color)))
}

fn heat(share: f64) -> Rgb {
    let place = share.clamp(0.0, 1.0) * (RAMP.len() - 1) as f64;
    let from = (place as usize).min(RAMP.len() - 2);
    let part = place - from as f64;
    let mix = |a: u8, b: u8| (f64::from(b) - f64::from(a)).mul_add(part, f64::from(a)).round() as u8;
    let (a, b) = (RAMP[from], RAMP[from + 1]);
    Rgb::new(mix(a.r, b.r), mix(a.g, b.g), mix(a.b, b.b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use seg_label::{Class, ClassId};

    fn legend(classes: u8) -> Legend {
        let class = |i: u8| Class {
            id: ClassId(i),
            name: format!("class {i}"),
            prompt: None,
            color: Rgb::new(i, 40, 200),
        };
        Legend::new((0..classes).map(class).collect()).expect("a legend")
    }

    #[test]
    fn a_row_is_shares_of_its_truth() {
        let legend = legend(3);
        let mut matrix = ConfusionMatrix::new(&legend);
        for (truth, prediction) in [(0, 0), (0, 0), (0, 1), (0, 255), (1, 1)] {
            matrix.add(truth, prediction);
        }
        let half = [Some(0.5), Some(0.25), Some(0.0), Some(0.25)];
        assert_eq!(shares(&matrix), [half, [Some(0.0), Some(1.0), Some(0.0), Some(0.0)], [None; 4]]);
    }

    #[test]
    fn only_all_is_100_and_only_nothing_is_0() {
        let texts = [None, Some(0.0), Some(1e-9), Some(0.123), Some(0.999_99), Some(1.0)].map(percent);
        assert_eq!(texts, ["-", "0", "<0.1", "12.3", "99.9", "100"]);
    }

    #[test]
    fn the_ramp_goes_from_white_to_blue() {
        assert_eq!((heat(0.0), heat(0.5), heat(1.0)), (RAMP[0], RAMP[2], RAMP[4]));
        assert_eq!(heat(0.125), Rgb::new(223, 235, 247));
    }

    #[test]
    fn a_class_that_the_legend_lacks_is_shown_by_its_number() {
        assert_eq!(label(&legend(2), ClassId(7)), ("7".to_owned(), Some(GRAY)));
        let long = Class { name: "a".repeat(40), ..legend(1).classes()[0].clone() };
        let (name, _) = label(&Legend::new(vec![long]).expect("a legend"), ClassId(0));
        assert_eq!(name, format!("{}..", "a".repeat(20)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn any_number_of_classes_is_drawn(classes in 1_u8..=254, pixels: Vec<(u8, u8)>) {
            let legend = legend(classes);
            let mut matrix = ConfusionMatrix::new(&legend);
            for (truth, prediction) in pixels {
                matrix.add(truth, prediction);
            }
            let canvas = draw(&matrix, &legend);
            prop_assert!(canvas.width() < 4000 && canvas.height() < 4000);
        }
    }
}

use crate::Error;
use crate::canvas::{Canvas, LETTER_WIDTH, LINE_HEIGHT};
use crate::paint::{self, GRAY};
use ndarray::{ArrayView2, ArrayView3};
use seg_label::{ClassId, IGNORE_INDEX, Legend, Rgb};

const MARGIN: usize = 12;
const SWATCH: usize = 20;
/// The longest side of a panel; larger images are thinned out.
const LONGEST: usize = 640;
/// Images of less than half of this are shown with larger pixels.
const LEAST: usize = 256;
/// Room for the captions and the legend where the panels are narrow.
const LEAST_WIDTH: usize = 420;
const CAPTIONS: [&str; 3] = ["image", "truth", "predicted"];

/// Draws a sample's image, truth and prediction side by side, as PNG.
///
/// The image (3, H, W) has red, green and blue in 0..=1; truth and prediction (H, W) are class ids, in the
/// legend's colors. What is 255 or in no legend is gray. Below are the classes that occur.
///
/// # Errors
/// If the parts differ in size or the image has not three bands.
///
/// ```
/// use ndarray::{Array2, Array3};
/// use seg_label::Legend;
/// let legend = Legend::builtin("dubai").expect("known");
/// let image = Array3::from_elem((3, 64, 64), 0.5);
/// let (truth, predicted) = (Array2::from_elem((64, 64), 255), Array2::from_elem((64, 64), 4));
/// let png = seg_report::sample_png(image.view(), truth.view(), predicted.view(), &legend)?;
/// assert!(png.starts_with(b"\x89PNG"));
/// # Ok::<(), seg_report::Error>(())
/// ```
#[expect(clippy::needless_pass_by_value, reason = "a view is a reference already")]
pub fn sample_png(
    image: ArrayView3<'_, f32>,
    truth: ArrayView2<'_, u8>,
    predicted: ArrayView2<'_, u8>,
    legend: &Legend,
) -> Result<Vec<u8>, Error> {
    let size = &image.shape()[1..];
    for (what, shape) in [("a truth", truth.shape()), ("a prediction", predicted.shape())] {
        if shape != size {
            return Err(Error::PreviewShape { image: size.to_vec(), what, got: shape.to_vec() });
        }
    }
    if image.shape()[0] != 3 {
        return Err(Error::PreviewShape { image: image.shape().to_vec(), what: "bands", got: vec![3] });
    }
    paint::encode(&draw(&image, &truth, &predicted, legend))
}

fn draw(
    image: &ArrayView3<'_, f32>,
    truth: &ArrayView2<'_, u8>,
    predicted: &ArrayView2<'_, u8>,
    legend: &Legend,
) -> Canvas {
    let (_, height, width) = image.dim();
    let longest = height.max(width).max(1);
    // Every `step`th pixel, each as a square of `side`.
    let step = longest.div_ceil(LONGEST);
    let side = (LEAST / longest).max(1);
    let (panel_width, panel_height) = (width.div_ceil(step) * side, height.div_ceil(step) * side);
    // Panels stand apart enough for their captions.
    let pitch = (panel_width + MARGIN).max((LEAST_WIDTH - MARGIN) / 3);
    let entries = entries(truth, predicted, legend);
    let letters = entries.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let entry_width = SWATCH + LETTER_WIDTH * (letters + 3);
    let canvas_width = MARGIN + (3 * pitch).max(entry_width);
    let columns = ((canvas_width - MARGIN) / entry_width).max(1);
    let panels_top = MARGIN + LINE_HEIGHT;
    let legend_top = panels_top + panel_height + MARGIN;
    let rows = entries.len().div_ceil(columns);
    let mut canvas = Canvas::white(canvas_width, legend_top + rows * LINE_HEIGHT + MARGIN / 2);

    let color_of = |id: u8| legend.get(ClassId(id)).map_or(GRAY, |class| class.color);
    for (i, caption) in CAPTIONS.iter().enumerate() {
        let x = MARGIN + i * pitch;
        canvas.text(x, MARGIN, caption);
        // A frame, so that white shows on white.
        paint::rectangle(&mut canvas, x - 1, panels_top - 1, panel_width + 2, panel_height + 2, GRAY);
    }
    for y in 0..panel_height {
        for x in 0..panel_width {
            let at = [y / side * step, x / side * step];
            let [r, g, b] = [0, 1, 2].map(|band| byte(image[[band, at[0], at[1]]]));
            let colors = [Rgb { r, g, b }, color_of(truth[at]), color_of(predicted[at])];
            for (i, color) in colors.into_iter().enumerate() {
                canvas.set(MARGIN + i * pitch + x, panels_top + y, color);
            }
        }
    }
    for (i, (name, color)) in entries.iter().enumerate() {
        let (x, y) = (MARGIN + i % columns * entry_width, legend_top + i / columns * LINE_HEIGHT);
        canvas.swatch(x, y, SWATCH, |_, _| *color);
        canvas.text(x + SWATCH + LETTER_WIDTH, y, name);
    }
    canvas
}

/// The classes that occur, in the legend's order; the last is what is gray, if anything is.
fn entries(
    truth: &ArrayView2<'_, u8>,
    predicted: &ArrayView2<'_, u8>,
    legend: &Legend,
) -> Vec<(String, Rgb)> {
    let mut occurs = [false; 256];
    truth.iter().chain(predicted).for_each(|&id| occurs[usize::from(id)] = true);
    let here = legend.classes().iter().filter(|class| occurs[usize::from(class.id.0)]);
    let mut entries: Vec<_> = here.map(|class| (class.name.clone(), class.color)).collect();
    let mut gray = (0..=IGNORE_INDEX).filter(|&id| legend.get(ClassId(id)).is_none());
    if gray.any(|id| occurs[usize::from(id)]) {
        entries.push(("no class".to_owned(), GRAY));
    }
    entries
}

/// NaN becomes 0.
fn byte(value: f32) -> u8 {
    (value * 255.0).round() as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, Array3};

    fn pixel(canvas: &Canvas, x: usize, y: usize) -> Rgb {
        let at = (y * canvas.width() + x) * 3;
        Rgb::new(canvas.bytes()[at], canvas.bytes()[at + 1], canvas.bytes()[at + 2])
    }

    #[test]
    fn image_truth_and_prediction_are_where_they_should_be() {
        let legend = Legend::builtin("dubai").expect("known");
        let mut image = Array3::from_elem((3, 300, 400), 0.2);
        image[[0, 0, 0]] = f32::NAN;
        image[[1, 0, 0]] = 7.0;
        image[[2, 0, 0]] = -7.0;
        let mut truth = Array2::from_elem((300, 400), 4);
        truth[[0, 0]] = 255;
        let predicted = Array2::from_elem((300, 400), 0);
        let canvas = draw(&image.view(), &truth.view(), &predicted.view(), &legend);
        let top = MARGIN + LINE_HEIGHT;
        let lefts = [MARGIN, MARGIN + 412, MARGIN + 824];
        assert_eq!(
            lefts.map(|x| pixel(&canvas, x + 9, top)),
            [Rgb::new(51, 51, 51), legend.classes()[4].color, legend.classes()[0].color]
        );
        assert_eq!(pixel(&canvas, lefts[0], top), Rgb::new(0, 255, 0));
        assert_eq!(pixel(&canvas, lefts[1], top), GRAY);
        let names: Vec<_> =
            entries(&truth.view(), &predicted.view(), &legend).into_iter().map(|e| e.0).collect();
        assert_eq!(names, [&legend.classes()[0].name, &legend.classes()[4].name, "no class"]);
    }

    #[test]
    fn any_size_is_drawn() {
        let legend = Legend::builtin("potsdam").expect("known");
        for (height, width) in [(0, 0), (1, 1), (3, 5000), (2000, 700), (65, 64)] {
            let image = Array3::zeros((3, height, width));
            let classes = Array2::zeros((height, width));
            let canvas = draw(&image.view(), &classes.view(), &classes.view(), &legend);
            assert!(canvas.width() >= 400 && canvas.width() < 2000 && canvas.height() < 800);
        }
    }

    #[test]
    fn parts_of_different_sizes_are_refused() {
        let legend = Legend::builtin("potsdam").expect("known");
        let (right, wrong) = (Array2::zeros((4, 4)), Array2::zeros((4, 5)));
        let image = Array3::zeros((3, 4, 4));
        let show = |image: &Array3<f32>, truth: &Array2<u8>, predicted: &Array2<u8>| {
            sample_png(image.view(), truth.view(), predicted.view(), &legend)
        };
        assert!(show(&image, &right, &right).is_ok());
        assert!(matches!(show(&image, &wrong, &right), Err(Error::PreviewShape { what: "a truth", .. })));
        assert!(matches!(
            show(&image, &right, &wrong),
            Err(Error::PreviewShape { what: "a prediction", .. })
        ));
        let gray = Array3::zeros((1, 4, 4));
        assert!(matches!(show(&gray, &right, &right), Err(Error::PreviewShape { what: "bands", .. })));
    }
}

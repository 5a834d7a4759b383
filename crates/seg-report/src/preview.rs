use crate::Error;
use crate::canvas::{Canvas, LETTER_WIDTH, LINE_HEIGHT};
use ndarray::{ArrayView2, ArrayView3};
use seg_label::{ClassId, Legend, Rgb};

/// The longest side in pixels that an image or class map is drawn with; larger ones are thinned out.
pub const PANEL_SIDE: usize = 980;

/// What a preview shows; all of one size, already decimated.
#[derive(Debug, Clone, Copy)]
pub struct Preview<'a> {
    /// Red, green and blue, (3, H, W).
    pub image: ArrayView3<'a, u8>,
    /// Where the image was measured, (H, W).
    pub valid: ArrayView2<'a, bool>,
    /// Class ids, (H, W); what is in no legend is drawn as no data.
    pub classes: ArrayView2<'a, u8>,
    /// Names and colors.
    pub legend: &'a Legend,
}

const MARGIN: usize = 12;
const SWATCH: usize = 20;
/// Room for the legend where the panels are small.
const LEAST_WIDTH: usize = 500;
/// What the canvas is never larger than.
const LONGEST: usize = 2000;
const CHECKER: usize = 8;

/// Draws an image beside its classes, with the legend and the classes' shares below, as PNG.
///
/// No side is longer than 2000 pixels. Pixels without data are a gray checkerboard.
///
/// # Errors
/// If the parts differ in size.
///
/// ```
/// use ndarray::{Array2, Array3};
/// use seg_label::Legend;
/// use seg_report::{Preview, preview_png};
/// let legend = Legend::builtin("dubai").expect("known");
/// let png = preview_png(&Preview {
///     image: Array3::zeros((3, 40, 60)).view(),
///     valid: Array2::from_elem((40, 60), true).view(),
///     classes: Array2::from_elem((40, 60), 4).view(),
///     legend: &legend,
/// })?;
/// assert!(png.starts_with(b"\x89PNG"));
/// # Ok::<(), seg_report::Error>(())
/// ```
pub fn preview_png(preview: &Preview<'_>) -> Result<Vec<u8>, Error> {
    check_shapes(preview)?;
    encode(&draw(preview))
}

fn check_shapes(preview: &Preview<'_>) -> Result<(), Error> {
    let image = &preview.image.shape()[1..];
    for (what, shape) in [("a mask", preview.valid.shape()), ("classes", preview.classes.shape())] {
        if shape != image {
            return Err(Error::PreviewShape { image: image.to_vec(), what, got: shape.to_vec() });
        }
    }
    if preview.image.shape()[0] == 3 {
        Ok(())
    } else {
        Err(Error::PreviewShape { image: preview.image.shape().to_vec(), what: "bands", got: vec![3] })
    }
}

fn draw(preview: &Preview<'_>) -> Canvas {
    let (_, height, width) = preview.image.dim();
    // Every `step`th pixel, so that both panels fit.
    let step = width.max(height).div_ceil(PANEL_SIDE).max(1);
    let (panel_width, panel_height) = (width.div_ceil(step), height.div_ceil(step));
    let canvas_width = (2 * panel_width + 3 * MARGIN).max(LEAST_WIDTH);
    let entries = entries(preview);
    let letters = entries.iter().map(|entry| entry.text.chars().count()).max().unwrap_or(0);
    let entry_width = SWATCH + LETTER_WIDTH * (letters + 3);
    let columns = ((canvas_width - MARGIN) / entry_width).max(1);
    let top = panel_height + 2 * MARGIN;
    let rows = entries.len().div_ceil(columns).min((LONGEST - top - MARGIN) / LINE_HEIGHT);
    let mut canvas = Canvas::white(canvas_width, top + rows * LINE_HEIGHT + MARGIN);

    let colors = color_table(preview.legend);
    for y in 0..panel_height {
        for x in 0..panel_width {
            let at = [y * step, x * step];
            let [r, g, b] = [0, 1, 2].map(|band| preview.image[[band, at[0], at[1]]]);
            let image = if preview.valid[at] { Rgb { r, g, b } } else { checker(x, y) };
            canvas.set(MARGIN + x, MARGIN + y, image);
            let class = colors[usize::from(preview.classes[at])].unwrap_or_else(|| checker(x, y));
            canvas.set(2 * MARGIN + panel_width + x, MARGIN + y, class);
        }
    }
    for (i, entry) in entries.iter().enumerate().take(rows * columns) {
        // Down the columns, as a list is read.
        let (x, y) = (MARGIN + i / rows * entry_width, top + i % rows * LINE_HEIGHT);
        canvas.swatch(x, y, SWATCH, |dx, dy| entry.color.unwrap_or_else(|| checker(dx, dy)));
        canvas.text(x + SWATCH + LETTER_WIDTH, y, &entry.text);
    }
    canvas
}

/// One line of the legend.
struct Entry {
    color: Option<Rgb>,
    text: String,
}

fn entries(preview: &Preview<'_>) -> Vec<Entry> {
    let mut counts = [0_u64; 256];
    preview.classes.iter().for_each(|&id| counts[usize::from(id)] += 1);
    let ids = preview.legend.classes().iter().map(|class| usize::from(class.id.0));
    let classified: u64 = ids.map(|id| counts[id]).sum();
    let all = preview.classes.len() as u64;
    let percent = |part: u64, whole: u64| 100.0 * part as f64 / whole.max(1) as f64;
    let mut entries: Vec<_> = preview
        .legend
        .classes()
        .iter()
        .map(|class| Entry {
            color: Some(class.color),
            text: format!("{} {:.1} %", class.name, percent(counts[usize::from(class.id.0)], classified)),
        })
        .collect();
    if classified < all {
        entries.push(Entry {
            color: None,
            text: format!("no data {:.1} % of all", percent(all - classified, all)),
        });
    }
    entries
}

fn color_table(legend: &Legend) -> Vec<Option<Rgb>> {
    (0..=255).map(|id| legend.get(ClassId(id)).map(|class| class.color)).collect()
}

const fn checker(x: usize, y: usize) -> Rgb {
    let level = if (x / CHECKER + y / CHECKER).is_multiple_of(2) { 200 } else { 232 };
    Rgb::new(level, level, level)
}

fn encode(canvas: &Canvas) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, canvas.width() as u32, canvas.height() as u32);
    encoder.set_color(png::ColorType::Rgb);
    let write = |source| Error::EncodePng { source };
    let mut writer = encoder.write_header().map_err(write)?;
    writer.write_image_data(canvas.bytes()).map_err(write)?;
    writer.finish().map_err(write)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, Array3};
    use proptest::prelude::*;
    use seg_label::Class;

    fn show(height: usize, width: usize, id: u8, legend: &Legend) -> Canvas {
        let image = Array3::from_elem((3, height, width), 90);
        let mut valid = Array2::from_elem((height, width), true);
        valid[[0, 0]] = false;
        let classes = Array2::from_elem((height, width), id);
        draw(&Preview { image: image.view(), valid: valid.view(), classes: classes.view(), legend })
    }

    fn pixel(canvas: &Canvas, x: usize, y: usize) -> Rgb {
        let at = (y * canvas.width() + x) * 3;
        Rgb::new(canvas.bytes()[at], canvas.bytes()[at + 1], canvas.bytes()[at + 2])
    }

    #[test]
    fn image_classes_and_missing_pixels_are_where_they_should_be() {
        let legend = Legend::builtin("dubai").expect("known");
        let canvas = show(300, 400, 4, &legend);
        assert_eq!(pixel(&canvas, MARGIN + 5, MARGIN + 5), Rgb::new(90, 90, 90));
        assert_eq!(pixel(&canvas, MARGIN, MARGIN), Rgb::new(200, 200, 200));
        assert_eq!(pixel(&canvas, 2 * MARGIN + 400, MARGIN), Rgb::new(226, 169, 41));
        assert_eq!(entries_text(&legend, 4), "water 100.0 %");
        assert_eq!(pixel(&show(300, 400, 99, &legend), 2 * MARGIN + 400, MARGIN), Rgb::new(200, 200, 200));
    }

    fn entries_text(legend: &Legend, at: usize) -> String {
        let classes = Array2::from_elem((2, 2), at as u8);
        let (image, valid) = (Array3::zeros((3, 2, 2)), Array2::from_elem((2, 2), true));
        let preview = Preview { image: image.view(), valid: valid.view(), classes: classes.view(), legend };
        entries(&preview)[at].text.clone()
    }

    #[test]
    fn parts_of_different_sizes_are_refused() {
        let legend = Legend::builtin("dubai").expect("known");
        let image = Array3::zeros((3, 4, 4));
        let valid = Array2::from_elem((4, 4), true);
        let classes = Array2::from_elem((4, 5), 0);
        let preview =
            Preview { image: image.view(), valid: valid.view(), classes: classes.view(), legend: &legend };
        assert!(matches!(preview_png(&preview), Err(Error::PreviewShape { what: "classes", .. })));
    }

    #[test]
    fn the_png_reads_back() {
        let legend = Legend::builtin("dubai").expect("known");
        let canvas = show(30, 40, 1, &legend);
        let bytes = encode(&canvas).expect("encodes");
        let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().expect("a PNG");
        let mut pixels = vec![0; reader.output_buffer_size().expect("fits")];
        reader.next_frame(&mut pixels).expect("decodes");
        assert_eq!(pixels, canvas.bytes());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn no_side_is_longer_than_2000(height in 1_usize..2500, width in 1_usize..2500, n in 1_u8..255) {
            let class = |i: u8| Class {
                id: ClassId(i), name: format!("class number {i}"), prompt: None, color: Rgb::new(i, 0, 0),
            };
            let legend = Legend::new((0..n).map(class).collect()).expect("a legend");
            let canvas = show(height, width, 0, &legend);
            prop_assert!(canvas.width() <= LONGEST && canvas.height() <= LONGEST);
        }
    }
}

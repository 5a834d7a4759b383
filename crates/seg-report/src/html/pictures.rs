//! Small pictures inside of a page.

use crate::Error;
use crate::canvas::Canvas;
use crate::html::page::{KeyEntry, Panel, StripView};
use crate::paint;
use crate::stretch;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ndarray::{Array2, Array3};
use seg_label::{ClassId, IGNORE_INDEX, Legend, Rgb};

/// What is to be seen at a place of a scene.
#[derive(Debug, Clone)]
pub struct Strip {
    /// Among which places it stands.
    pub standing: Standing,
    /// What the scene is called.
    pub scene: String,
    /// Where in it.
    pub place: String,
    /// The image (C, H, W), and where it has data, (H, W).
    pub image: Option<(Array3<f32>, Array2<bool>)>,
    /// Class ids of the truth, (H, W).
    pub truth: Array2<u8>,
    /// Class ids of the prediction, (H, W).
    pub prediction: Array2<u8>,
}

/// Among which places one stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The worst.
    Worst,
    /// The best.
    Best,
}

const NONE: Rgb = Rgb::new(255, 255, 255);
const RIGHT: Rgb = Rgb::new(222, 222, 222);
const WRONG: Rgb = Rgb::new(150, 50, 0);
const MISSING: Rgb = Rgb::new(0, 0, 0);
/// Longer sides are thinned out.
const LONGEST: usize = 384;
/// Side of a swatch.
const SWATCH: usize = 16;

impl Strip {
    /// The pictures of a strip as data URIs.
    pub(crate) fn view(&self, legend: &Legend) -> Result<StripView, Error> {
        let mut panels = Vec::new();
        if let Some((image, valid)) = &self.image {
            panels.push(panel("image", "the image", &picture_of(image, valid))?);
        }
        panels.push(panel("truth", "classes of the truth", &classes(&self.truth, legend))?);
        panels.push(panel("prediction", "predicted classes", &classes(&self.prediction, legend))?);
        panels.push(panel(
            "error",
            "dark where the prediction is wrong",
            &errors(&self.truth, &self.prediction),
        )?);
        let labeled = self.truth.iter().filter(|&&id| id != IGNORE_INDEX).count();
        let right = self.truth.iter().zip(&self.prediction);
        let right = right.filter(|(truth, seen)| **truth != IGNORE_INDEX && truth == seen).count();
        let accuracy = 100.0 * right as f64 / labeled.max(1) as f64;
        let standing = if self.standing == Standing::Worst { "Worst" } else { "Best" };
        Ok(StripView {
            title: format!("{standing}: {accuracy:.1} % of the picture right"),
            place: [self.scene.as_str(), self.place.as_str()].join(" "),
            panels,
        })
    }
}

/// The classes of a legend as they look in pictures.
pub(crate) fn key(legend: &Legend) -> Result<Vec<KeyEntry>, Error> {
    let entry = |(place, class): (usize, &seg_label::Class)| {
        let picture = swatch(place, class.color)?;
        Ok(KeyEntry { picture, name: class.name.clone() })
    };
    legend.classes().iter().enumerate().map(entry).collect()
}

/// A square of a class's color and pattern.
pub(crate) fn swatch(place: usize, color: Rgb) -> Result<String, Error> {
    uri(&draw(SWATCH, SWATCH, |x, y| patterned(place, color, x, y)))
}

fn panel(caption: &'static str, alt: &str, canvas: &Canvas) -> Result<Panel, Error> {
    Ok(Panel { picture: uri(canvas)?, alt: alt.to_owned(), caption })
}

fn uri(canvas: &Canvas) -> Result<String, Error> {
    Ok(format!("data:image/png;base64,{}", STANDARD.encode(paint::encode(canvas)?)))
}

fn draw(width: usize, height: usize, color: impl Fn(usize, usize) -> Rgb) -> Canvas {
    let mut canvas = Canvas::white(width, height);
    for y in 0..height {
        for x in 0..width {
            canvas.set(x, y, color(x, y));
        }
    }
    canvas
}

/// Every `step`th pixel.
fn thinned(height: usize, width: usize, color: impl Fn(usize, usize) -> Rgb) -> Canvas {
    let step = height.max(width).div_ceil(LONGEST).max(1);
    draw(width.div_ceil(step), height.div_ceil(step), |x, y| color(x * step, y * step))
}

fn picture_of(image: &Array3<f32>, valid: &Array2<bool>) -> Canvas {
    let bytes = stretch(&image.view(), &valid.view());
    let (bands, height, width) = bytes.dim();
    // Of fewer than three bands the last is shown again.
    let [r, g, b] = [0, 1, 2].map(|band: usize| band.min(bands.saturating_sub(1)));
    thinned(height, width, |x, y| {
        if bands == 0 { NONE } else { Rgb::new(bytes[[r, y, x]], bytes[[g, y, x]], bytes[[b, y, x]]) }
    })
}

fn classes(ids: &Array2<u8>, legend: &Legend) -> Canvas {
    let mut places: [Option<(usize, Rgb)>; 256] = [None; 256];
    for (place, class) in legend.classes().iter().enumerate() {
        places[usize::from(class.id.0)] = Some((place, class.color));
    }
    let (height, width) = ids.dim();
    thinned(height, width, |x, y| {
        places[usize::from(ids[[y, x]])].map_or(NONE, |(place, color)| patterned(place, color, x, y))
    })
}

fn errors(truth: &Array2<u8>, prediction: &Array2<u8>) -> Canvas {
    let (height, width) = truth.dim();
    thinned(height, width, |x, y| match (truth[[y, x]], prediction[[y, x]]) {
        (IGNORE_INDEX, _) => NONE,
        (_, IGNORE_INDEX) => MISSING,
        (truth, seen) if truth == seen => RIGHT,
        _ => WRONG,
    })
}

/// The color of a class with a pattern of its place in the legend, so that classes can be told apart without their hue.
fn patterned(place: usize, color: Rgb, x: usize, y: usize) -> Rgb {
    let marked = match place % 8 {
        0 => false,
        1 => y.is_multiple_of(6),
        2 => x.is_multiple_of(6),
        3 => (x + y).is_multiple_of(6),
        4 => (x + 6 - y % 6).is_multiple_of(6),
        5 => x % 6 < 2 && y % 6 < 2,
        6 => x.is_multiple_of(6) || y.is_multiple_of(6),
        _ => (x + y).is_multiple_of(8) || (x + 8 - y % 8).is_multiple_of(8),
    };
    if !marked {
        return color;
    }
    let bright = (u32::from(color.r) * 299 + u32::from(color.g) * 587 + u32::from(color.b) * 114) / 1000;
    // Dark lines on bright colors, bright ones on dark.
    let mix = |v: u8| {
        if bright > 110 { (u32::from(v) * 2 / 5) as u8 } else { (255 - (255 - u32::from(v)) * 2 / 5) as u8 }
    };
    Rgb::new(mix(color.r), mix(color.g), mix(color.b))
}

/// The swatch of a class by its id, if the legend has it.
pub(crate) fn swatch_of(legend: &Legend, id: ClassId) -> Result<Option<String>, Error> {
    let place = legend.classes().iter().position(|class| class.id == id);
    place.map(|place| swatch(place, legend.classes()[place].color)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_of_one_gray_differ_by_their_pattern() {
        let gray = Rgb::new(120, 120, 120);
        let pattern = |place: usize| -> Vec<Rgb> {
            (0..24 * 24).map(|i| patterned(place, gray, i % 24, i / 24)).collect()
        };
        let patterns: std::collections::BTreeSet<_> = (0..8).map(pattern).map(|p| format!("{p:?}")).collect();
        assert_eq!(patterns.len(), 8);
    }

    #[test]
    fn a_strip_of_any_size_is_drawn() {
        let legend = Legend::builtin("dubai").expect("known");
        for (height, width) in [(1, 1), (300, 900), (5, 7)] {
            let strip = Strip {
                standing: Standing::Worst,
                scene: "a".to_owned(),
                place: String::new(),
                image: Some((Array3::zeros((1, height, width)), Array2::from_elem((height, width), true))),
                truth: Array2::from_elem((height, width), 77),
                prediction: Array2::zeros((height, width)),
            };
            let view = strip.view(&legend).expect("drawn");
            assert_eq!(view.panels.len(), 4);
            assert!(view.title.contains("0.0 % of the picture right"), "{}", view.title);
        }
    }
}

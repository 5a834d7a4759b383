use crate::Error;
use crate::canvas::{Canvas, latin_1};
use embedded_graphics::Pixel;
use embedded_graphics::mono_font::{MonoFont, MonoTextStyle};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::{DrawTarget, Drawable as _, OriginDimensions, Point, Size};
use embedded_graphics::text::{Baseline, Text};
use seg_label::Rgb;
use std::convert::Infallible;

pub(crate) const BLACK: Rgb = Rgb::new(0, 0, 0);
pub(crate) const WHITE: Rgb = Rgb::new(255, 255, 255);
pub(crate) const GRAY: Rgb = Rgb::new(128, 128, 128);

/// A filled rectangle.
pub(crate) fn rectangle(canvas: &mut Canvas, x: usize, y: usize, width: usize, height: usize, color: Rgb) {
    for y in y..y + height {
        for x in x..x + width {
            canvas.set(x, y, color);
        }
    }
}

/// Text from its upper left corner; letters outside of Latin-1 become question marks.
pub(crate) fn text(canvas: &mut Canvas, x: usize, y: usize, text: &str, font: &MonoFont<'_>, color: Rgb) {
    write(canvas, Point::new(x as i32, y as i32), text, font, color);
}

/// Text that is read from below, from its lower left corner on the canvas.
pub(crate) fn upright(canvas: &mut Canvas, x: usize, y: usize, text: &str, font: &MonoFont<'_>, color: Rgb) {
    let turned = &mut Turned { canvas, x: x as i32, y: y as i32 };
    write(turned, Point::zero(), text, font, color);
}

fn write<D: DrawTarget<Color = Rgb888, Error = Infallible>>(
    target: &mut D,
    place: Point,
    text: &str,
    font: &MonoFont<'_>,
    color: Rgb,
) {
    let style = MonoTextStyle::new(font, Rgb888::new(color.r, color.g, color.b));
    // Drawing on memory cannot fail.
    let _ = Text::with_baseline(&latin_1(text), place, style, Baseline::Top).draw(target);
}

/// A canvas turned a quarter, so that what is written to the right goes up.
struct Turned<'a> {
    canvas: &'a mut Canvas,
    /// Where the origin is on the canvas.
    x: i32,
    y: i32,
}

impl OriginDimensions for Turned<'_> {
    fn size(&self) -> Size {
        Size::new(self.canvas.height() as u32, self.canvas.width() as u32)
    }
}

impl DrawTarget for Turned<'_> {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        let (x, y) = (self.x, self.y);
        let turned = pixels
            .into_iter()
            .map(|Pixel(place, color)| Pixel(Point::new(x + place.y, y - 1 - place.x), color));
        self.canvas.draw_iter(turned)
    }
}

/// The canvas as PNG.
pub(crate) fn encode(canvas: &Canvas) -> Result<Vec<u8>, Error> {
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
    use embedded_graphics::mono_font::iso_8859_1::FONT_6X10;

    #[test]
    fn upright_text_is_text_turned_a_quarter() {
        let (mut flat, mut turned) = (Canvas::white(60, 20), Canvas::white(20, 60));
        text(&mut flat, 0, 0, "truth", &FONT_6X10, BLACK);
        upright(&mut turned, 0, 60, "truth", &FONT_6X10, BLACK);
        let pixel = |canvas: &Canvas, x: usize, y: usize| canvas.bytes()[(y * canvas.width() + x) * 3];
        assert!(flat.bytes().contains(&0));
        for y in 0..20 {
            for x in 0..60 {
                assert_eq!(pixel(&flat, x, y), pixel(&turned, y, 59 - x), "{x}, {y}");
            }
        }
    }

    #[test]
    fn a_rectangle_ends_where_it_should() {
        let mut canvas = Canvas::white(4, 4);
        rectangle(&mut canvas, 1, 2, 2, 9, BLACK);
        let dark: Vec<_> = (0..16).filter(|&at| canvas.bytes()[at * 3] == 0).collect();
        assert_eq!(dark, [9, 10, 13, 14]);
    }
}

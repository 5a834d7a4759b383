use embedded_graphics::Pixel;
use embedded_graphics::mono_font::MonoTextStyle;
use embedded_graphics::mono_font::iso_8859_1::FONT_10X20;
use embedded_graphics::pixelcolor::{Rgb888, RgbColor as _};
use embedded_graphics::prelude::{DrawTarget, Drawable as _, OriginDimensions, Point, Size};
use embedded_graphics::text::{Baseline, Text};
use seg_label::Rgb;
use std::convert::Infallible;

/// The width of a letter in pixels.
pub(crate) const LETTER_WIDTH: usize = 10;
/// The height of a line of text in pixels.
pub(crate) const LINE_HEIGHT: usize = 26;

/// A picture in memory that text can be drawn on; what falls outside of it is dropped.
#[derive(Debug)]
pub(crate) struct Canvas {
    width: usize,
    height: usize,
    /// Row by row, three bytes a pixel.
    bytes: Vec<u8>,
}

impl Canvas {
    pub(crate) fn white(width: usize, height: usize) -> Self {
        Self { width, height, bytes: vec![255; width * height * 3] }
    }

    pub(crate) const fn width(&self) -> usize {
        self.width
    }

    pub(crate) const fn height(&self) -> usize {
        self.height
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn set(&mut self, x: usize, y: usize, color: Rgb) {
        if x < self.width && y < self.height {
            let at = (y * self.width + x) * 3;
            self.bytes[at..at + 3].copy_from_slice(&[color.r, color.g, color.b]);
        }
    }

    /// A filled square with a thin gray frame, so that white shows on white.
    pub(crate) fn swatch(&mut self, x: usize, y: usize, side: usize, color: impl Fn(usize, usize) -> Rgb) {
        for dy in 0..side {
            for dx in 0..side {
                let frame = dx == 0 || dy == 0 || dx + 1 == side || dy + 1 == side;
                self.set(x + dx, y + dy, if frame { Rgb::new(128, 128, 128) } else { color(dx, dy) });
            }
        }
    }

    /// Black text from its upper left corner; letters outside of Latin-1 become question marks.
    pub(crate) fn text(&mut self, x: usize, y: usize, text: &str) {
        let style = MonoTextStyle::new(&FONT_10X20, Rgb888::BLACK);
        let place = Point::new(x as i32, y as i32);
        // Drawing on memory cannot fail.
        let _ = Text::with_baseline(&latin_1(text), place, style, Baseline::Top).draw(self);
    }
}

/// The text in letters that the font has.
pub(crate) fn latin_1(text: &str) -> String {
    text.chars().map(|c| if matches!(c, ' '..='~' | '\u{a0}'..='\u{ff}') { c } else { '?' }).collect()
}

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        Size::new(self.width as u32, self.height as u32)
    }
}

impl DrawTarget for Canvas {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        for Pixel(place, color) in pixels {
            if let (Ok(x), Ok(y)) = (usize::try_from(place.x), usize::try_from(place.y)) {
                self.set(x, y, Rgb::new(color.r(), color.g(), color.b()));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_that_the_font_lacks_become_question_marks() {
        assert_eq!(latin_1("Wäld 水\n"), "Wäld ??");
    }

    #[test]
    fn what_falls_outside_is_dropped() {
        let mut canvas = Canvas::white(5, 5);
        canvas.text(2, 2, "long text");
        canvas.swatch(3, 3, 10, |_, _| Rgb::new(1, 2, 3));
        assert_eq!(canvas.bytes().len(), 75);
        assert_eq!(canvas.bytes()[72..], [1, 2, 3]);
    }
}

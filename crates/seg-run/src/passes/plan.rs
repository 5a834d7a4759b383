//! Windows, scales and turns of a network's passes.

use seg_grid::{Size, Window};

/// How an image is seen piece by piece.
///
/// ```
/// use seg_grid::Size;
/// use seg_run::SlidingWindow;
/// let window = SlidingWindow::of_side(512);
/// assert_eq!(window.stride, 341);
/// let starts: Vec<_> = window.windows(Size { width: 896, height: 512 }).iter().map(|w| w.x).collect();
/// assert_eq!(starts, [0, 341, 384]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlidingWindow {
    /// Its side in pixels; an image that is smaller is seen whole.
    pub side: usize,
    /// Pixels from one window to the next; the last one ends with the image.
    pub stride: usize,
}

/// How each scaled image is turned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turns {
    /// Not at all.
    None,
    /// Once as it is, once with left and right exchanged.
    Flip,
    /// All eight ways to lay a square on itself: four quarter turns, each also flipped.
    D4,
}

/// One way to turn an image: flipped first, then turned to the left by quarters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Turn {
    /// What a report calls it.
    pub(super) name: &'static str,
    /// Whether left and right are exchanged.
    pub(super) flip: bool,
    /// Quarters of a turn.
    pub(super) quarters: i64,
}

const D4: [Turn; 8] = [
    Turn { name: "none", flip: false, quarters: 0 },
    Turn { name: "horizontal", flip: true, quarters: 0 },
    Turn { name: "quarter", flip: false, quarters: 1 },
    Turn { name: "half", flip: false, quarters: 2 },
    Turn { name: "three-quarter", flip: false, quarters: 3 },
    Turn { name: "horizontal, quarter", flip: true, quarters: 1 },
    Turn { name: "horizontal, half", flip: true, quarters: 2 },
    Turn { name: "horizontal, three-quarter", flip: true, quarters: 3 },
];

/// How often, how large and which way round a network sees each image; probabilities are averaged.
#[derive(Debug, Clone, PartialEq)]
pub struct Passes {
    /// What the network sees at once.
    pub sliding: SlidingWindow,
    /// Ratios to which an image is resized.
    pub scales: Vec<f64>,
    /// How each of these is turned.
    pub turns: Turns,
}

/// Passes that make no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct BadPasses {
    /// What is wrong.
    pub problem: String,
}

/// The ratios of the paper's multi-scale test.
const PAPER_SCALES: [f64; 6] = [0.5, 0.75, 1.0, 1.25, 1.5, 1.75];
/// Scales beyond this are slips of the keyboard.
const LARGEST_SCALE: f64 = 16.0;

impl SlidingWindow {
    /// The paper's window: the stride is two thirds of the side, 341 for 512.
    pub const fn of_side(side: usize) -> Self {
        let stride = side * 2 / 3;
        Self { side, stride: if stride == 0 { 1 } else { stride } }
    }

    /// The windows over an image, row by row; all of one size, within the image.
    pub fn windows(&self, image: Size) -> Vec<Window> {
        let (width, height) = (self.side.min(image.width), self.side.min(image.height));
        let columns = self.starts(image.width);
        let row = |y| columns.iter().map(move |&x| Window { x, y, width, height });
        self.starts(image.height).into_iter().flat_map(row).collect()
    }

    fn starts(&self, length: usize) -> Vec<usize> {
        let last = length.saturating_sub(self.side);
        (0..=last.div_ceil(self.stride)).map(|i| (i * self.stride).min(last)).collect()
    }
}

impl Turns {
    /// What a report calls each turn.
    pub fn names(self) -> Vec<&'static str> {
        self.list().iter().map(|turn| turn.name).collect()
    }

    pub(super) const fn list(self) -> &'static [Turn] {
        match self {
            Self::None => D4.split_at(1).0,
            Self::Flip => D4.split_at(2).0,
            Self::D4 => &D4,
        }
    }
}

impl Passes {
    /// One pass at the image's own size.
    pub fn single(sliding: SlidingWindow) -> Self {
        Self { sliding, scales: vec![1.0], turns: Turns::None }
    }

    /// The 12 passes of multi-scale tests: ratios from 0.5 to 1.75, as they are and flipped.
    ///
    /// # References
    /// Rao et al.: DenseCLIP. CVPR 2022, whose test Liu and Wang (Remote Sens. 2024, 16, 2289) follow.
    pub fn paper(sliding: SlidingWindow) -> Self {
        Self { sliding, scales: PAPER_SCALES.to_vec(), turns: Turns::Flip }
    }

    /// How often the network goes over an image.
    pub fn count(&self) -> usize {
        self.scales.len() * self.turns.list().len()
    }

    /// Refuses what makes no sense.
    ///
    /// # Errors
    /// If a window has no pixels, steps leave gaps, or a scale is none.
    pub fn check(&self) -> Result<(), BadPasses> {
        let refuse = |problem: String| Err(BadPasses { problem });
        let SlidingWindow { side, stride } = self.sliding;
        if side == 0 || stride == 0 {
            return refuse(format!("a window of {side} pixels with a stride of {stride} sees nothing"));
        }
        if stride > side {
            return refuse(format!("a stride of {stride} leaves gaps between windows of {side} pixels"));
        }
        if self.scales.is_empty() {
            return refuse("there is no scale".to_owned());
        }
        match self.scales.iter().find(|scale| !(**scale > 0.0 && **scale <= LARGEST_SCALE)) {
            Some(scale) => refuse(format!("{scale} is no scale from 0 to {LARGEST_SCALE}")),
            None => Ok(()),
        }
    }
}

/// An image's size at a scale, rounded to the nearest pixel.
pub fn scaled(image: Size, scale: f64) -> Size {
    let side = |pixels: usize| ((pixels as f64 * scale + 0.5).floor() as usize).max(1);
    Size { width: side(image.width), height: side(image.height) }
}

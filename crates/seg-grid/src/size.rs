use serde::{Deserialize, Serialize};
use std::fmt;

/// Width and height in pixels.
///
/// ```
/// use seg_grid::Size;
/// assert_eq!(Size { width: 3, height: 2 }.area(), 6);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Size {
    /// Pixels along x.
    pub width: usize,
    /// Pixels along y.
    pub height: usize,
}

impl Size {
    /// A square of `side` pixels.
    pub const fn square(side: usize) -> Self {
        Self { width: side, height: side }
    }

    /// The number of pixels.
    pub const fn area(self) -> u64 {
        self.width as u64 * self.height as u64
    }

    /// Whether there is no pixel at all.
    pub const fn is_empty(self) -> bool {
        self.width == 0 || self.height == 0
    }

    /// The largest size of the same shape whose sides are at most `side`, never larger than this one.
    ///
    /// ```
    /// use seg_grid::Size;
    /// assert_eq!(Size { width: 4000, height: 1000 }.fit_within(2000), Size { width: 2000, height: 500 });
    /// ```
    #[must_use]
    pub fn fit_within(self, side: usize) -> Self {
        let longest = self.width.max(self.height).max(1);
        if longest <= side {
            return self;
        }
        let scale = |length: usize| ((length as u128 * side as u128 / longest as u128) as usize).max(1);
        Self { width: scale(self.width), height: scale(self.height) }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} x {}", self.width, self.height)
    }
}

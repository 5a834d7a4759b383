use crate::Size;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A rectangle of pixels: its upper left corner, and its size.
///
/// ```
/// use seg_grid::{Size, Window};
/// let raster = Size { width: 100, height: 80 };
/// let tile = Window { x: 64, y: 64, width: 64, height: 64 };
/// assert_eq!(tile.clip(raster), Some(Window { x: 64, y: 64, width: 36, height: 16 }));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Window {
    /// First column.
    pub x: usize,
    /// First row.
    pub y: usize,
    /// Number of columns.
    pub width: usize,
    /// Number of rows.
    pub height: usize,
}

impl Window {
    /// The window of a whole raster.
    pub const fn whole(size: Size) -> Self {
        Self { x: 0, y: 0, width: size.width, height: size.height }
    }

    /// Width and height.
    pub const fn size(self) -> Size {
        Size { width: self.width, height: self.height }
    }

    /// The number of pixels.
    pub const fn area(self) -> u64 {
        self.size().area()
    }

    /// One past the last column.
    pub const fn right(self) -> usize {
        self.x + self.width
    }

    /// One past the last row.
    pub const fn bottom(self) -> usize {
        self.y + self.height
    }

    /// The part that both windows share, if any.
    pub fn intersect(self, other: Self) -> Option<Self> {
        let (x, y) = (self.x.max(other.x), self.y.max(other.y));
        let (right, bottom) = (self.right().min(other.right()), self.bottom().min(other.bottom()));
        (x < right && y < bottom).then(|| Self { x, y, width: right - x, height: bottom - y })
    }

    /// The part that lies on a raster of this size, if any.
    pub fn clip(self, raster: Size) -> Option<Self> {
        self.intersect(Self::whole(raster))
    }

    /// Whether `other` lies wholly inside.
    pub fn contains(self, other: Self) -> bool {
        other.x >= self.x
            && other.y >= self.y
            && other.right() <= self.right()
            && other.bottom() <= self.bottom()
    }

    /// The window grown by `pixels` on every side, not beyond column and row 0.
    #[must_use]
    pub fn grown(self, pixels: usize) -> Self {
        let (x, y) = (self.x.saturating_sub(pixels), self.y.saturating_sub(pixels));
        Self { x, y, width: self.right() + pixels - x, height: self.bottom() + pixels - y }
    }

    /// The same window in the pixel coordinates of `frame`, which must contain it.
    ///
    /// # Panics
    /// If it starts left of or above `frame`.
    #[must_use]
    pub fn relative_to(self, frame: Self) -> Self {
        assert!(self.x >= frame.x && self.y >= frame.y, "{self} starts outside of {frame}");
        Self { x: self.x - frame.x, y: self.y - frame.y, ..self }
    }

    /// Its columns.
    pub const fn columns(self) -> std::ops::Range<usize> {
        self.x..self.right()
    }

    /// Its rows.
    pub const fn rows(self) -> std::ops::Range<usize> {
        self.y..self.bottom()
    }

    /// The rows and columns to slice an array with.
    pub fn ranges(self) -> (std::ops::Range<usize>, std::ops::Range<usize>) {
        (self.rows(), self.columns())
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at column {}, row {}", self.size(), self.x, self.y)
    }
}

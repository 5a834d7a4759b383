/// How large pixels are on the ground, so that lengths and areas can be given in meters.
#[derive(Debug, Clone, PartialEq)]
pub enum Ground {
    /// Everywhere the same: the steps of one column and of one row, each in x and y.
    Plane {
        /// One column on.
        column: (f64, f64),
        /// One row on.
        row: (f64, f64),
    },
    /// A width and a height for each row of pixels, as on an ellipsoid.
    Rows(Vec<PixelSize>),
}

/// The size of a pixel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PixelSize {
    /// Along the row.
    pub width: f64,
    /// Across the rows.
    pub height: f64,
}

impl Ground {
    /// Pixels as the unit.
    pub const PIXELS: Self = Self::Plane { column: (1.0, 0.0), row: (0.0, 1.0) };

    /// The area of one pixel of a row.
    pub fn pixel_area(&self, row: u32) -> f64 {
        match self {
            Self::Plane { column, row } => (column.0 * row.1 - column.1 * row.0).abs(),
            Self::Rows(rows) => size_at(rows, row).map_or(0.0, |size| size.width * size.height),
        }
    }

    /// The length of a way of so many columns and rows, near one row.
    pub fn length(&self, columns: f64, rows: f64, near: u32) -> f64 {
        match self {
            Self::Plane { column, row } => {
                (columns * column.0 + rows * row.0).hypot(columns * column.1 + rows * row.1)
            }
            Self::Rows(sizes) => {
                size_at(sizes, near).map_or(0.0, |size| (columns * size.width).hypot(rows * size.height))
            }
        }
    }

    /// A vector of columns and rows on the ground, near one row.
    pub(crate) fn vector(&self, columns: f64, rows: f64, near: u32) -> (f64, f64) {
        match self {
            Self::Plane { column, row } => {
                (columns * column.0 + rows * row.0, columns * column.1 + rows * row.1)
            }
            Self::Rows(sizes) => {
                size_at(sizes, near).map_or((0.0, 0.0), |size| (columns * size.width, rows * size.height))
            }
        }
    }
}

fn size_at(rows: &[PixelSize], row: u32) -> Option<PixelSize> {
    rows.get(row as usize).or(rows.last()).copied()
}

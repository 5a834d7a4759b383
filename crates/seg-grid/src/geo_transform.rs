use crate::Window;
use serde::{Deserialize, Serialize};

/// A point in the units of a raster's CRS.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct WorldPoint {
    /// Easting or longitude.
    pub x: f64,
    /// Northing or latitude.
    pub y: f64,
}

/// Ground sampling distance: the size of a pixel in CRS units.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Gsd {
    /// Length of one step along a row.
    pub x: f64,
    /// Length of one step along a column.
    pub y: f64,
}

/// The affine map from pixel corners to the world, GDAL's six terms by name.
///
/// | field | GDAL | meaning |
/// |---|---|---|
/// | `origin_x` | 0 | x of the upper left corner of the upper left pixel |
/// | `pixel_x` | 1 | step in x for one column |
/// | `row_x` | 2 | step in x for one row (0 unless rotated) |
/// | `origin_y` | 3 | y of that corner |
/// | `column_y` | 4 | step in y for one column (0 unless rotated) |
/// | `pixel_y` | 5 | step in y for one row (negative when north is up) |
///
/// ```
/// use seg_grid::GeoTransform;
/// let t = GeoTransform::from_gdal([500_000.0, 0.5, 0.0, 5_400_000.0, 0.0, -0.5]);
/// let corner = t.apply(10.0, 20.0);
/// assert_eq!((corner.x, corner.y), (500_005.0, 5_399_990.0));
/// assert_eq!(t.invert(corner), Some((10.0, 20.0)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GeoTransform {
    /// x of the upper left corner.
    pub origin_x: f64,
    /// Step in x for one column.
    pub pixel_x: f64,
    /// Step in x for one row.
    pub row_x: f64,
    /// y of the upper left corner.
    pub origin_y: f64,
    /// Step in y for one column.
    pub column_y: f64,
    /// Step in y for one row.
    pub pixel_y: f64,
}

impl GeoTransform {
    /// From GDAL's array of six.
    pub const fn from_gdal(t: [f64; 6]) -> Self {
        Self { origin_x: t[0], pixel_x: t[1], row_x: t[2], origin_y: t[3], column_y: t[4], pixel_y: t[5] }
    }

    /// To GDAL's array of six.
    pub const fn to_gdal(self) -> [f64; 6] {
        [self.origin_x, self.pixel_x, self.row_x, self.origin_y, self.column_y, self.pixel_y]
    }

    /// The world position of a pixel corner (column, row), fractions allowed.
    pub fn apply(self, column: f64, row: f64) -> WorldPoint {
        WorldPoint {
            x: self.origin_x + column * self.pixel_x + row * self.row_x,
            y: self.origin_y + column * self.column_y + row * self.pixel_y,
        }
    }

    /// The (column, row) of a world position, or `None` where the map has no inverse.
    pub fn invert(self, point: WorldPoint) -> Option<(f64, f64)> {
        let determinant = self.pixel_x * self.pixel_y - self.row_x * self.column_y;
        if determinant == 0.0 || !determinant.is_finite() {
            return None;
        }
        let (dx, dy) = (point.x - self.origin_x, point.y - self.origin_y);
        Some((
            (dx * self.pixel_y - dy * self.row_x) / determinant,
            (dy * self.pixel_x - dx * self.column_y) / determinant,
        ))
    }

    /// The map of a window cut out of the raster.
    #[must_use]
    pub fn for_window(self, window: Window) -> Self {
        let origin = self.apply(window.x as f64, window.y as f64);
        Self { origin_x: origin.x, origin_y: origin.y, ..self }
    }

    /// The map of squares of `side` pixels.
    #[must_use]
    pub fn of_squares(self, side: usize) -> Self {
        let side = side as f64;
        Self {
            pixel_x: self.pixel_x * side,
            row_x: self.row_x * side,
            column_y: self.column_y * side,
            pixel_y: self.pixel_y * side,
            ..self
        }
    }

    /// Pixel size, also of a rotated raster.
    pub fn gsd(self) -> Gsd {
        Gsd { x: self.pixel_x.hypot(self.column_y), y: self.row_x.hypot(self.pixel_y) }
    }

    /// Whether both maps put every pixel of a `columns` x `rows` raster within `tolerance` of a pixel of the same place.
    pub fn agrees_with(self, other: Self, columns: usize, rows: usize, tolerance: f64) -> bool {
        let gsd = self.gsd();
        let close = |c: f64, r: f64| {
            let (a, b) = (self.apply(c, r), other.apply(c, r));
            (a.x - b.x).abs() <= tolerance * gsd.x && (a.y - b.y).abs() <= tolerance * gsd.y
        };
        let (c, r) = (columns as f64, rows as f64);
        close(0.0, 0.0) && close(c, 0.0) && close(0.0, r) && close(c, r)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pixel_to_world_and_back(
            column in -1e4..1e4_f64, row in -1e4..1e4_f64, gsd in 0.01..50.0_f64, turn in 0.0..6.2_f64,
        ) {
            let (sin, cos) = turn.sin_cos();
            let t = GeoTransform::from_gdal([4e5, gsd * cos, gsd * sin, 5e6, gsd * sin, -gsd * cos]);
            let (c, r) = t.invert(t.apply(column, row)).expect("not singular");
            prop_assert!((c - column).abs() < 1e-5 && (r - row).abs() < 1e-5);
            prop_assert!((t.gsd().x - gsd).abs() < 1e-9);
        }
    }

    #[test]
    fn a_singular_map_has_no_inverse() {
        let t = GeoTransform::from_gdal([0.0, 1.0, 1.0, 0.0, 1.0, 1.0]);
        assert_eq!(t.invert(WorldPoint { x: 1.0, y: 2.0 }), None);
    }
}

use seg_grid::{GeoTransform, Window};

/// A raster that chips are cut from, as far as its place in the world matters.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// The CRS, equal texts meaning equal CRS; `None` if it is not known.
    pub crs: Option<String>,
    /// Of the whole raster; rasters without a CRS but with a geotransform (world files) are taken to share
    /// one CRS.
    pub transform: Option<GeoTransform>,
}

/// A rectangle in a plane that chips of several rasters share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Footprint {
    pub source: usize,
    pub window: Window,
    /// Left and right end, in the plane.
    pub x: (f64, f64),
    /// Lower and upper end, in the plane.
    pub y: (f64, f64),
    /// The size of a pixel along x and y, in the plane.
    pub pixel: (f64, f64),
}

/// How far from each other pixels of neighboring files may lie by rounding alone, in pixels.
const ROUNDING: f64 = 1e-3;

impl Place {
    /// The geotransform, if it says where in the world the raster lies.
    pub(crate) fn placed(&self) -> Option<GeoTransform> {
        let plain = |t: &GeoTransform| {
            let pixels = [t.origin_x, t.origin_y, t.pixel_x.abs() - 1.0, t.pixel_y.abs() - 1.0];
            self.crs.is_none() && pixels.iter().all(|&term| term == 0.0)
        };
        let origin = |t: &GeoTransform| t.invert(t.apply(0.0, 0.0)).is_some();
        self.transform.filter(|t| origin(t) && !plain(t))
    }

    /// The rectangle around a window: in the world where that is known, else in the raster's pixels.
    pub(crate) fn footprint(&self, source: usize, window: Window) -> Footprint {
        let (x0, y0) = (window.x as f64, window.y as f64);
        let (x1, y1) = (window.right() as f64, window.bottom() as f64);
        let Some(t) = self.placed() else {
            return Footprint { source, window, x: (x0, x1), y: (y0, y1), pixel: (1.0, 1.0) };
        };
        let corners = [t.apply(x0, y0), t.apply(x1, y0), t.apply(x0, y1), t.apply(x1, y1)];
        let ends = |values: [f64; 4]| {
            (
                values.into_iter().fold(f64::INFINITY, f64::min),
                values.into_iter().fold(f64::NEG_INFINITY, f64::max),
            )
        };
        Footprint {
            source,
            window,
            x: ends(corners.map(|corner| corner.x)),
            y: ends(corners.map(|corner| corner.y)),
            pixel: (t.pixel_x.abs() + t.row_x.abs(), t.column_y.abs() + t.pixel_y.abs()),
        }
    }
}

impl Footprint {
    /// The pixels between two rectangles, along the axis where there are more; negative where they overlap.
    ///
    /// Between rasters of different pixel sizes, the larger pixels count.
    pub(crate) fn gap(&self, other: &Self) -> f64 {
        if self.source == other.source {
            let (a, b) = (self.window, other.window);
            let along =
                |a: (usize, usize), b: (usize, usize)| (b.0 as f64 - a.1 as f64).max(a.0 as f64 - b.1 as f64);
            return along((a.x, a.right()), (b.x, b.right()))
                .max(along((a.y, a.bottom()), (b.y, b.bottom())));
        }
        let along = |a: (f64, f64), b: (f64, f64), pixel: f64| (b.0 - a.1).max(a.0 - b.1) / pixel;
        let x = along(self.x, other.x, self.pixel.0.max(other.pixel.0));
        let y = along(self.y, other.y, self.pixel.1.max(other.pixel.1));
        // A gap of a hair's breadth is the rounding of corner coordinates: it counts as no gap.
        let gap = x.max(y);
        if (gap - gap.round()).abs() < ROUNDING { gap.round() } else { gap }
    }
}

/// Calls `near` with every pair of footprints that may be less than `buffer` pixels apart.
///
/// All footprints lie in one plane.
pub(crate) fn each_near_pair(footprints: &[Footprint], buffer: usize, mut near: impl FnMut(usize, usize)) {
    let pixel = footprints.iter().map(|f| f.pixel.0).fold(0.0, f64::max);
    let reach = (buffer as f64 + ROUNDING) * pixel;
    let mut order: Vec<usize> = (0..footprints.len()).collect();
    order.sort_by(|&a, &b| footprints[a].x.0.total_cmp(&footprints[b].x.0));
    for (k, &i) in order.iter().enumerate() {
        let end = footprints[i].x.1 + reach;
        for &j in order[k + 1..].iter().take_while(|&&j| footprints[j].x.0 < end) {
            let gap = footprints[i].gap(&footprints[j]);
            if gap < buffer as f64 || gap < 0.0 {
                near(i, j);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(x: f64, y: f64, gsd: f64) -> Place {
        Place {
            crs: Some("EPSG:32633".to_owned()),
            transform: Some(GeoTransform::from_gdal([x, gsd, 0.0, y, 0.0, -gsd])),
        }
    }

    fn window(x: usize, y: usize) -> Window {
        Window { x, y, width: 10, height: 10 }
    }

    #[test]
    fn in_one_raster_the_gap_is_counted_in_pixels() {
        let place = at(0.0, 0.0, 0.3);
        let gap = |b| place.footprint(0, window(20, 20)).gap(&place.footprint(0, b)) as i64;
        assert_eq!(gap(window(20, 20)), -10);
        assert_eq!(gap(window(30, 20)), 0);
        assert_eq!(gap(window(14, 33)), 3);
        assert_eq!(gap(window(0, 26)), 10);
    }

    #[test]
    fn between_rasters_the_gap_is_measured_in_the_world() {
        // The second raster begins where the first ends, 100 pixels of 0.3 m to the east.
        let (west, east) = (at(366_976.75, 5_808_000.0, 0.3), at(366_976.75 + 30.0, 5_808_000.0, 0.3));
        let a = west.footprint(0, window(90, 0));
        let gap = |b: Footprint| a.gap(&b);
        assert!(gap(east.footprint(1, window(0, 0))).abs() < 1e-9);
        assert!((gap(east.footprint(1, window(7, 0))) - 7.0).abs() < 1e-9);
        // Half as many pixels when they are twice as large.
        let coarse = at(366_976.75 + 33.0, 5_808_000.0, 0.6);
        assert!((gap(coarse.footprint(2, window(0, 0))) - 5.0).abs() < 1e-9);
    }

    #[test]
    fn a_turned_raster_is_taken_by_its_bounds() {
        let turned = Place {
            crs: Some("x".to_owned()),
            transform: Some(GeoTransform::from_gdal([0.0, 0.6, 0.8, 0.0, 0.8, -0.6])),
        };
        let footprint = turned.footprint(0, window(0, 0));
        assert_eq!((footprint.x, footprint.y), ((0.0, 14.0), (-6.0, 8.0)));
    }
}

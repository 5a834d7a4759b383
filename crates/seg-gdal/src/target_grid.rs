//! The grids that rasters are resampled to.

use crate::{Crs, Error, GdalMessage, GridReference};
use gdal::spatial_ref::CoordTransform;
use seg_grid::{GeoTransform, Gsd, Size, Window, WorldPoint};

/// Points along each axis of a raster that are transformed to find where it lies.
const PROBES: usize = 33;
/// A share of a pixel that is not worth another row or column.
const SLIVER: f64 = 1e-3;

impl GridReference {
    /// The same place with pixels of another size, in units of the CRS: the upper left corner stays, and the
    /// last row and column may reach beyond; `None` without a geotransform.
    ///
    /// ```
    /// use seg_gdal::GridReference;
    /// use seg_grid::{GeoTransform, Gsd, Size};
    /// let mut fine = GridReference::unplaced(Size { width: 101, height: 60 });
    /// fine.transform = Some(GeoTransform::from_gdal([0.0, 0.5, 0.0, 0.0, 0.0, -0.5]));
    /// let coarse = fine.with_pixels(Gsd { x: 1.0, y: 1.0 }).expect("a place");
    /// assert_eq!(coarse.size, Size { width: 51, height: 30 });
    /// ```
    #[must_use]
    pub fn with_pixels(&self, pixels: Gsd) -> Option<Self> {
        let transform = self.transform?;
        let own = transform.gsd();
        let (across, down) = (pixels.x / own.x, pixels.y / own.y);
        let size = Size {
            width: pixels_in(self.size.width as f64 / across),
            height: pixels_in(self.size.height as f64 / down),
        };
        let transform = GeoTransform {
            pixel_x: transform.pixel_x * across,
            column_y: transform.column_y * across,
            row_x: transform.row_x * down,
            pixel_y: transform.pixel_y * down,
            ..transform
        };
        Some(Self { crs: self.crs.clone(), transform: Some(transform), ..Self::unplaced(size) })
    }

    /// The grid with north up in another CRS that holds this one; `name` is the raster's, for errors.
    ///
    /// Pixels have the side `pixel` in units of that CRS, or that which keeps the raster's diagonal as many pixels
    /// long as it is.
    ///
    /// # Errors
    /// If the raster has no CRS or geotransform, or cannot be brought to the other CRS.
    pub fn warped_to(&self, crs: &Crs, pixel: Option<f64>, name: &str) -> Result<Self, Error> {
        let Some((own, transform)) = self.crs.as_ref().zip(self.transform) else {
            return Err(Error::WarpWithoutPlace { name: name.to_owned(), to: crs.to_string() });
        };
        let failed = |source| Error::WarpGrid {
            name: name.to_owned(),
            from: own.to_string(),
            to: crs.to_string(),
            source,
        };
        let way = way(own, crs)?;
        let outline = outline(self.size, transform, way.as_ref()).map_err(failed)?;
        let (Some(first), Some(last)) = (outline.first(), outline.last()) else {
            return Err(failed(GdalMessage::new("it has no pixels")));
        };
        let (width, height) = (self.size.width as f64, self.size.height as f64);
        let pixel = pixel.unwrap_or_else(|| (last.x - first.x).hypot(last.y - first.y) / width.hypot(height));
        let low = |f: fn(&WorldPoint) -> f64| outline.iter().map(f).fold(f64::INFINITY, f64::min);
        let high = |f: fn(&WorldPoint) -> f64| outline.iter().map(f).fold(f64::NEG_INFINITY, f64::max);
        let (x, y) = (low(|p| p.x), high(|p| p.y));
        let size = Size {
            width: pixels_in((high(|p| p.x) - x) / pixel),
            height: pixels_in((y - low(|p| p.y)) / pixel),
        };
        let transform = GeoTransform::from_gdal([x, pixel, 0.0, y, 0.0, -pixel]);
        if !(pixel > 0.0 && x.is_finite() && y.is_finite()) {
            return Err(failed(GdalMessage::new("its pixels have no size there")));
        }
        Ok(Self { crs: Some(crs.clone()), transform: Some(transform), ..Self::unplaced(size) })
    }

    /// The window of this grid that holds a raster; `None` if they do not meet.
    pub(crate) fn window_of(&self, raster: &Self, name: &str) -> Result<Option<Window>, Error> {
        let place = self.crs.as_ref().zip(self.transform);
        let Some(((crs, transform), from)) = place.zip(raster.transform) else { return Ok(None) };
        let own = raster.crs.as_ref().unwrap_or(crs);
        let failed = |source| Error::WarpGrid {
            name: name.to_owned(),
            from: own.to_string(),
            to: crs.to_string(),
            source,
        };
        let way = way(own, crs)?;
        // Between the points that are looked at, curved edges can reach a little further.
        let margin = if way.is_some() { 1.0 } else { -SLIVER };
        let points = outline(raster.size, from, way.as_ref()).map_err(failed)?;
        let pixels = points.into_iter().filter_map(|point| transform.invert(point));
        let start = [f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY];
        let [left, top, right, bottom] = pixels.fold(start, |[l, t, r, b], (column, row)| {
            [l.min(column), t.min(row), r.max(column), b.max(row)]
        });
        // As a float, what lies outside becomes the nearest edge.
        let first = |v: f64, length: usize| (v - margin).floor().clamp(0.0, length as f64) as usize;
        let last = |v: f64, length: usize| (v + margin).ceil().clamp(0.0, length as f64) as usize;
        let (x, y) = (first(left, self.size.width), first(top, self.size.height));
        let (right, bottom) = (last(right, self.size.width), last(bottom, self.size.height));
        Ok((x < right && y < bottom).then(|| Window { x, y, width: right - x, height: bottom - y }))
    }
}

/// The pixels that a length needs.
fn pixels_in(length: f64) -> usize {
    ((length - SLIVER).ceil() as usize).max(1)
}

/// How coordinates of one CRS become those of another; `None` if they are the same.
fn way(from: &Crs, to: &Crs) -> Result<Option<CoordTransform>, Error> {
    if from.is_same(to) {
        return Ok(None);
    }
    let (own, target) = (from.to_spatial_ref()?, to.to_spatial_ref()?);
    let way = CoordTransform::new(&own, &target).map_err(|error| Error::NoWay {
        from: from.to_string(),
        to: to.to_string(),
        source: error.into(),
    })?;
    Ok(Some(way))
}

/// Points all over a raster in another CRS, its upper left corner first and its lower right one last.
fn outline(
    size: Size,
    transform: GeoTransform,
    way: Option<&CoordTransform>,
) -> Result<Vec<WorldPoint>, GdalMessage> {
    let at = |i: usize, length: usize| i as f64 / (PROBES - 1) as f64 * length as f64;
    let points = (0..PROBES * PROBES)
        .map(|i| transform.apply(at(i % PROBES, size.width), at(i / PROBES, size.height)));
    let (mut x, mut y): (Vec<f64>, Vec<f64>) = points.map(|point| (point.x, point.y)).unzip();
    if let Some(way) = way {
        way.transform_coords(&mut x, &mut y, &mut [])?;
    }
    if x.iter().chain(&y).any(|value| !value.is_finite()) {
        return Err(GdalMessage::new("part of it lies where that CRS is not defined"));
    }
    Ok(x.into_iter().zip(y).map(|(x, y)| WorldPoint { x, y }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(transform: [f64; 6], size: Size, crs: &str) -> GridReference {
        GridReference {
            crs: Some(Crs::parse(crs).unwrap()),
            transform: Some(GeoTransform::from_gdal(transform)),
            ..GridReference::unplaced(size)
        }
    }

    #[test]
    fn a_warped_grid_holds_the_raster_and_its_pixels_are_as_large() {
        let size = Size { width: 400, height: 300 };
        let utm = grid([600_000.0, 0.5, 0.0, 5_400_000.0, 0.0, -0.5], size, "EPSG:32632");
        let next = Crs::parse("EPSG:32633").unwrap();
        let warped = utm.warped_to(&next, None, "a.tif").unwrap();
        let pixel = warped.transform.unwrap().gsd();
        assert!((pixel.x / 0.5 - 1.0).abs() < 0.01 && (pixel.x - pixel.y).abs() < 1e-9, "{pixel:?}");
        // Turned by the convergence of meridians, some degrees.
        assert!(warped.size.width > 400 && warped.size.width < 450, "{}", warped.size);
        assert_eq!(warped.window_of(&utm, "a.tif").unwrap(), Some(Window::whole(warped.size)));
        let told = utm.warped_to(&next, Some(2.0), "a.tif").unwrap();
        assert_eq!(told.size.width, (warped.size.width as f64 * pixel.x / 2.0).ceil() as usize);
        let back = warped.warped_to(utm.crs.as_ref().unwrap(), Some(0.5), "b.tif").unwrap();
        assert!(back.window_of(&utm, "a.tif").unwrap().is_some());
    }

    #[test]
    fn other_pixels_keep_the_corner_also_of_a_turned_raster() {
        let turned = grid([10.0, 0.3, 0.4, 20.0, 0.4, -0.3], Size { width: 10, height: 7 }, "EPSG:25832");
        let coarse = turned.with_pixels(Gsd { x: 1.0, y: 2.0 }).unwrap();
        assert_eq!(coarse.size, Size { width: 5, height: 2 });
        let (a, b) = (turned.transform.unwrap(), coarse.transform.unwrap());
        let (p, q) = (a.apply(6.0, 4.0), b.apply(3.0, 1.0));
        assert!((p.x - q.x).abs() < 1e-9 && (p.y - q.y).abs() < 1e-9);
    }

    #[test]
    fn without_a_place_there_is_no_way() {
        let crs = Crs::parse("EPSG:4326").unwrap();
        let error = GridReference::unplaced(Size::square(3)).warped_to(&crs, None, "a.png").unwrap_err();
        assert!(error.to_string().contains("a.png") && error.hint().is_some(), "{error}");
        let pole = grid([-2e7, 1e5, 0.0, 2e7, 0.0, -1e5], Size::square(400), "EPSG:3035");
        let error = pole.warped_to(&Crs::parse("EPSG:25832").unwrap(), None, "a.tif").unwrap_err();
        assert!(error.hint().is_some(), "{error}");
    }
}

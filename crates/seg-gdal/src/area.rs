use crate::polygons::{Polygons, Shape, Source, bounds_of, open_vectors};
use crate::{Bounds, Crs, Error, GdalMessage, GridReference, Note};
use gdal::spatial_ref::CoordTransform;
use ndarray::Array2;
use seg_grid::{
    GeoTransform, IoError, Patch, RasterSource, Selection, Size, SourceProfile, Window, WorldPoint,
};
use std::fmt::Write as _;

/// Points on each edge of a box that is brought to another CRS, where its edges are curves.
const EDGE_POINTS: usize = 64;

/// The part of an image that a user wants, as polygons.
///
/// ```
/// use seg_gdal::{AreaOfInterest, Bounds, Crs, GridReference};
/// use seg_grid::{GeoTransform, Size, Window};
/// let mut image = GridReference::unplaced(Size::square(100));
/// image.crs = Some(Crs::parse("EPSG:32633")?);
/// image.transform = Some(GeoTransform::from_gdal([500_000.0, 1.0, 0.0, 5_400_000.0, 0.0, -1.0]));
/// let bounds = Bounds { x_min: 500_010.0, y_min: 5_399_980.0, x_max: 500_030.0, y_max: 5_399_990.0 };
/// let area = AreaOfInterest::of_box(bounds, None, "image.tif", &image)?;
/// let inside = area.contains(Window::whole(image.size))?; // (H, W)
/// assert_eq!(inside.iter().filter(|&&inside| inside).count(), 200);
/// # Ok::<(), seg_gdal::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct AreaOfInterest {
    polygons: Polygons,
    transform: GeoTransform,
}

/// A raster of which only an area is wanted.
pub struct SelectedRaster {
    raster: Box<dyn RasterSource>,
    area: AreaOfInterest,
    reach: Reach,
    profile: SourceProfile,
}

/// What of a raster belongs to an area.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Pixels with their center inside.
    Inside,
    /// All of a window that may touch it: for a raster whose pixels are not those of the result.
    Touching,
}

impl AreaOfInterest {
    /// Opens any name that GDAL can open as vectors, for use with an image called `image_name` on a grid.
    ///
    /// # Errors
    /// If it cannot be opened, the layer cannot be told, features are no polygons or there are none, the way to
    /// the image's CRS is unknown, the image has no place, or the polygons lie elsewhere.
    pub fn open(
        name: &str,
        layer: Option<&str>,
        image_name: &str,
        image: &GridReference,
    ) -> Result<Self, Error> {
        let transform = transform_of(name, image_name, image)?;
        let dataset = open_vectors(name)?;
        let source = Source::new(&dataset, name, layer)?;
        let mut polygons = source.read(None, image.crs.as_ref(), |_| Some(1))?;
        if image.crs.is_none() && source.has_crs() {
            polygons
                .notes
                .push(Note::ImageWithoutCrs { name: name.to_owned(), image: image_name.to_owned() });
        }
        Self { polygons, transform }.checked(name, image_name, image)
    }

    /// A box in the image's CRS, or in `crs`: then its edges become the curves that they are in the image's.
    ///
    /// # Errors
    /// If the image has no place, or a CRS is given and the image has none, the box has no counterpart in the
    /// image's CRS, or it lies elsewhere.
    pub fn of_box(
        bounds: Bounds,
        crs: Option<&Crs>,
        image_name: &str,
        image: &GridReference,
    ) -> Result<Self, Error> {
        let name = format!("the box {bounds}");
        let transform = transform_of(&name, image_name, image)?;
        let (way, to) = match (crs, &image.crs) {
            (None, _) => (None, String::new()),
            (Some(from), Some(to)) if from.is_same(to) => (None, String::new()),
            (Some(from), Some(to)) => {
                let (from, target) = (from.to_spatial_ref()?, to.to_spatial_ref()?);
                (Some(CoordTransform::new(&from, &target).map_err(GdalMessage::from)), to.to_string())
            }
            (Some(from), None) => {
                let (crs, image) = (from.to_string(), image_name.to_owned());
                return Err(Error::BoxWithoutCrs { name, crs, image });
            }
        };
        let placed = way.transpose().and_then(|way| Polygons::single(&name, &ring(bounds), way.as_ref()));
        let polygons = placed.map_err(|source| Error::PlaceBox {
            name: name.clone(),
            from: crs.map(Crs::to_string).unwrap_or_default(),
            to,
            source,
        })?;
        Self { polygons, transform }.checked(&name, image_name, image)
    }

    /// The same area for the same image with other pixels.
    #[must_use]
    pub fn on(&self, image: &GridReference) -> Self {
        Self { polygons: self.polygons.clone(), transform: image.transform.unwrap_or(self.transform) }
    }

    /// Which pixels of a window of the image have their center inside, (H, W).
    ///
    /// # Errors
    /// If GDAL cannot burn a polygon.
    pub fn contains(&self, window: Window) -> Result<Array2<bool>, Error> {
        Ok(self.polygons.burn(window, self.transform, 0)?.mapv(|value| value != 0))
    }

    /// Whether a polygon may touch a window of the image, as far as the rectangles around both tell.
    pub fn may_touch(&self, window: Window) -> bool {
        self.polygons.near(bounds_of(window, self.transform))
    }

    /// The rectangle around it in the image's CRS, `None` if it is empty.
    pub fn bounds(&self) -> Option<Bounds> {
        self.polygons.bounds()
    }

    /// What a caller should tell the user.
    pub fn notes(&self) -> &[Note] {
        &self.polygons.notes
    }

    /// A hash of all that decides which pixels are inside.
    pub fn fingerprint(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        self.polygons.hash_into(&mut hasher);
        hasher.update(format!("{:?}", self.transform.to_gdal()).as_bytes());
        hasher.finalize().to_hex().to_string()
    }

    fn checked(self, name: &str, image_name: &str, image: &GridReference) -> Result<Self, Error> {
        let Some(area) = self.bounds() else { return Err(Error::EmptyArea { name: name.to_owned() }) };
        let place = bounds_of(Window::whole(image.size), self.transform);
        if area.touches(place) {
            return Ok(self);
        }
        let (name, image) = (name.to_owned(), image_name.to_owned());
        Err(Error::AreaMisses { name, image, area: area.to_string(), place: place.to_string() })
    }
}

impl SelectedRaster {
    /// Restricts a raster to an area.
    pub fn new(raster: Box<dyn RasterSource>, area: AreaOfInterest, reach: Reach) -> Self {
        let fingerprint = format!("{} in {}", raster.profile().fingerprint, area.fingerprint());
        let profile = SourceProfile { fingerprint, ..raster.profile().clone() };
        Self { raster, area, reach, profile }
    }
}

impl RasterSource for SelectedRaster {
    fn profile(&self) -> &SourceProfile {
        &self.profile
    }

    fn read(&mut self, window: Window) -> Result<Option<Patch>, IoError> {
        self.raster.read(window)
    }

    fn selection(&mut self, window: Window) -> Result<Selection, IoError> {
        match self.reach {
            // A pixel of the result lies between pixels that can be outside of it.
            Reach::Touching if self.area.may_touch(window.grown(1)) => Ok(Selection::All),
            Reach::Inside if self.area.may_touch(window) => Ok(Selection::of(self.area.contains(window)?)),
            _ => Ok(Selection::Nothing),
        }
    }

    fn wanted_squares(&mut self, side: usize) -> Result<Option<Array2<bool>>, IoError> {
        let Size { width, height } = self.profile.size;
        let squares = Size { width: width.div_ceil(side), height: height.div_ceil(side) };
        let AreaOfInterest { polygons, transform } = &self.area;
        let shape = match self.reach {
            Reach::Inside => Shape::Polygons,
            Reach::Touching => Shape::Bounds,
        };
        Ok(Some(polygons.touched(Window::whole(squares), transform.of_squares(side), shape)?))
    }

    fn read_validity(&mut self, window: Window) -> Result<Option<Array2<bool>>, IoError> {
        self.raster.read_validity(window)
    }

    fn read_decimated(&mut self, window: Window, size: Size) -> Result<Patch, IoError> {
        self.raster.read_decimated(window, size)
    }

    fn reopen(&self) -> Result<Box<dyn RasterSource>, IoError> {
        Ok(Box::new(Self {
            raster: self.raster.reopen()?,
            area: self.area.clone(),
            reach: self.reach,
            profile: self.profile.clone(),
        }))
    }
}

/// A box as well-known text, with points along its edges.
fn ring(bounds: Bounds) -> String {
    let Bounds { x_min, y_min, x_max, y_max } = bounds;
    let corners = [(x_min, y_min), (x_max, y_min), (x_max, y_max), (x_min, y_max), (x_min, y_min)];
    let mut text = String::from("POLYGON ((");
    for edge in corners.windows(2) {
        let ((x0, y0), (x1, y1)) = (edge[0], edge[1]);
        for step in 0..EDGE_POINTS {
            let t = step as f64 / EDGE_POINTS as f64;
            let point = WorldPoint { x: x0 + t * (x1 - x0), y: y0 + t * (y1 - y0) };
            // Writing to a string cannot fail.
            let _ = write!(text, "{:?} {:?}, ", point.x, point.y);
        }
    }
    let _ = write!(text, "{x_min:?} {y_min:?}))");
    text
}

fn transform_of(name: &str, image_name: &str, image: &GridReference) -> Result<GeoTransform, Error> {
    image.transform.ok_or_else(|| Error::NoPlace { name: name.to_owned(), image: image_name.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array3;
    use seg_grid::MemoryRaster;

    fn image(transform: [f64; 6], crs: Option<&str>) -> GridReference {
        GridReference {
            crs: crs.map(|crs| Crs::parse(crs).unwrap()),
            transform: Some(GeoTransform::from_gdal(transform)),
            ..GridReference::unplaced(Size { width: 400, height: 300 })
        }
    }

    #[test]
    fn a_box_in_degrees_is_a_curved_quadrilateral_in_utm() {
        // 40 km wide, far from the central meridian: parallels bend by tens of meters.
        let utm = image([300_000.0, 100.0, 0.0, 5_430_000.0, 0.0, -100.0], Some("EPSG:32633"));
        let degrees = Crs::parse("EPSG:4326").unwrap();
        let bounds = Bounds { x_min: 12.4, y_min: 48.8, x_max: 12.7, y_max: 48.9 };
        let area = AreaOfInterest::of_box(bounds, Some(&degrees), "a.tif", &utm).unwrap();
        let inside = area.contains(Window::whole(utm.size)).unwrap();
        let back = CoordTransform::new(
            &utm.crs.as_ref().unwrap().to_spatial_ref().unwrap(),
            &degrees.to_spatial_ref().unwrap(),
        )
        .unwrap();
        let mut hits = 0;
        for ((row, column), &inside) in inside.indexed_iter() {
            let center = utm.transform.unwrap().apply(column as f64 + 0.5, row as f64 + 0.5);
            let (mut x, mut y) = ([center.x], [center.y]);
            back.transform_coords(&mut x, &mut y, &mut []).unwrap();
            let margin = (x[0] - 12.4).min(12.7 - x[0]).min(y[0] - 48.8).min(48.9 - y[0]);
            // A thousandth of a degree is a pixel; the chords between 64 points are far nearer than 1e-6.
            if margin.abs() > 1e-6 {
                assert_eq!(inside, margin > 0.0, "column {column}, row {row}");
            }
            hits += usize::from(inside);
        }
        assert!(hits > 20_000, "{hits}");
    }

    #[test]
    fn on_a_rotated_raster_the_box_stays_upright() {
        let rotated = image([500_000.0, 0.08, 0.04, 5_400_000.0, 0.04, -0.08], Some("EPSG:25832"));
        let bounds = Bounds { x_min: 500_010.0, y_min: 5_399_990.0, x_max: 500_015.0, y_max: 5_399_996.0 };
        let area = AreaOfInterest::of_box(bounds, None, "a.tif", &rotated).unwrap();
        for ((row, column), &inside) in area.contains(Window::whole(rotated.size)).unwrap().indexed_iter() {
            let p = rotated.transform.unwrap().apply(column as f64 + 0.5, row as f64 + 0.5);
            let expected =
                p.x > bounds.x_min && p.x < bounds.x_max && p.y > bounds.y_min && p.y < bounds.y_max;
            assert_eq!(inside, expected, "column {column}, row {row}");
        }
    }

    #[test]
    fn squares_of_a_coarse_look_hold_every_pixel_that_is_wanted() {
        let rotated = image([500_000.0, 0.08, 0.04, 5_400_000.0, 0.04, -0.08], Some("EPSG:25832"));
        let bounds = Bounds { x_min: 500_010.0, y_min: 5_399_990.0, x_max: 500_015.0, y_max: 5_399_996.0 };
        let area = AreaOfInterest::of_box(bounds, None, "a.tif", &rotated).unwrap();
        let inside = area.contains(Window::whole(rotated.size)).unwrap(); // (H, W)
        let pixels = MemoryRaster::new(Array3::zeros((1, 300, 400)));
        for side in [1, 7, 50, 1000] {
            let mut needed = Array2::from_elem((300_usize.div_ceil(side), 400_usize.div_ceil(side)), false); // (H, W)
            for ((y, x), _) in inside.indexed_iter().filter(|(_, inside)| **inside) {
                needed[[y / side, x / side]] = true;
            }
            let all = needed.iter().filter(|needed| **needed).count();
            for reach in [Reach::Inside, Reach::Touching] {
                let mut source = SelectedRaster::new(Box::new(pixels.clone()), area.clone(), reach);
                let found = source.wanted_squares(side).unwrap().unwrap();
                assert!(needed.iter().zip(&found).all(|(needed, found)| !needed || *found), "{side}");
                let more = found.iter().filter(|found| **found).count() - all;
                assert!(more <= 8 * inside.dim().0 / side, "{side}, {reach:?}: {more} besides {all}");
            }
        }
        let mut whole: Box<dyn RasterSource> = Box::new(pixels);
        assert_eq!(whole.wanted_squares(7).unwrap(), None);
    }

    #[test]
    fn what_cannot_be_placed_is_told() {
        let bounds = Bounds { x_min: 0.0, y_min: 0.0, x_max: 1.0, y_max: 1.0 };
        let degrees = Crs::parse("EPSG:4326").unwrap();
        let told = |crs: Option<&Crs>, image: &GridReference| {
            let error = AreaOfInterest::of_box(bounds, crs, "a.tif", image).unwrap_err();
            assert!(error.hint().is_some(), "{error}");
            error.to_string()
        };
        let nowhere = GridReference::unplaced(Size::square(4));
        assert!(told(None, &nowhere).contains("has no geotransform"));
        let without = image([0.0, 1.0, 0.0, 300.0, 0.0, -1.0], None);
        assert!(told(Some(&degrees), &without).contains("which has no CRS"));
        let utm = image([500_000.0, 1.0, 0.0, 5_400_000.0, 0.0, -1.0], Some("EPSG:32633"));
        assert!(told(None, &utm).starts_with("the box 0,0,1,1 does not touch a.tif"));
    }
}

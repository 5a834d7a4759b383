//! Whether rasters lie on one grid, and where on it.

use crate::{Crs, Error, GridReference, Interpretation, RasterProfile};
use seg_grid::{GeoTransform, Size, Window, WorldPoint};

/// Pixels by which a member's pixels may lie beside those of the first.
const TOLERANCE: f64 = 0.01;

/// Members on the grid of the first.
pub(crate) struct Layout {
    first: RasterProfile,
    transform: GeoTransform,
    /// Column and row of each member's upper left pixel, counted from the first's, and its size.
    places: Vec<Place>,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    column: i64,
    row: i64,
    size: Size,
}

impl Layout {
    /// Begins with the first member.
    pub(crate) fn new(first: &RasterProfile) -> Result<Self, Error> {
        let transform = first.transform.filter(|t| t.invert(WorldPoint { x: 0.0, y: 0.0 }).is_some());
        let transform = transform.ok_or_else(|| Error::MemberWithoutPlace { name: first.name.clone() })?;
        let place = Place { column: 0, row: 0, size: first.size };
        Ok(Self { first: first.clone(), transform, places: vec![place] })
    }

    /// Adds a member, if it fits.
    pub(crate) fn add(&mut self, member: &RasterProfile) -> Result<(), Error> {
        let transform =
            member.transform.ok_or_else(|| Error::MemberWithoutPlace { name: member.name.clone() })?;
        if let Some((detail, remedy)) = self.misfit(member, transform) {
            let (first, other) = (self.first.name.clone(), member.name.clone());
            return Err(Error::NotOneMosaic { first, other, detail, remedy });
        }
        let (column, row) = self.pixel(transform, 0.0, 0.0);
        self.places.push(Place { column: column.round() as i64, row: row.round() as i64, size: member.size });
        Ok(())
    }

    /// The grid that holds all members, and where each lies on it.
    pub(crate) fn finish(self) -> (GridReference, Vec<Window>) {
        let left = self.places.iter().map(|place| place.column).min().unwrap_or(0);
        let top = self.places.iter().map(|place| place.row).min().unwrap_or(0);
        let windows: Vec<Window> = self
            .places
            .iter()
            .map(|place| Window {
                x: (place.column - left) as usize,
                y: (place.row - top) as usize,
                width: place.size.width,
                height: place.size.height,
            })
            .collect();
        let origin = self.transform.apply(left as f64, top as f64);
        let transform = GeoTransform { origin_x: origin.x, origin_y: origin.y, ..self.transform };
        let size = Size {
            width: windows.iter().map(|window| window.right()).max().unwrap_or(0),
            height: windows.iter().map(|window| window.bottom()).max().unwrap_or(0),
        };
        let reference = if windows.len() == 1 {
            GridReference::from(&self.first)
        } else {
            GridReference { crs: self.first.crs, transform: Some(transform), ..GridReference::unplaced(size) }
        };
        (reference, windows)
    }

    /// A member's pixel corner in columns and rows of the first.
    fn pixel(&self, transform: GeoTransform, column: f64, row: f64) -> (f64, f64) {
        // `new` looked that there is an inverse.
        self.transform.invert(transform.apply(column, row)).unwrap_or_default()
    }

    /// What keeps a member from lying beside the first, and what helps.
    fn misfit(&self, member: &RasterProfile, transform: GeoTransform) -> Option<(String, String)> {
        let first = &self.first;
        let name = &member.name;
        let same_crs = match (&first.crs, &member.crs) {
            (Some(a), Some(b)) => a.is_same(b),
            (a, b) => a.is_none() && b.is_none(),
        };
        if !same_crs {
            let text = |crs: &Option<Crs>| crs.as_ref().map_or("no CRS".to_owned(), Crs::to_string);
            let detail = format!("it has {}, not {}", text(&member.crs), text(&first.crs));
            let target = first.crs.as_ref().map_or_else(|| "CRS".to_owned(), Crs::to_string);
            return Some((detail, format!("`gdalwarp -t_srs {target} {name} same.tif` brings it there")));
        }
        // An alpha band tells which pixels count, for its own raster alone.
        let bands = |raster: &RasterProfile| -> Vec<_> {
            let data = raster.bands.iter().filter(|band| band.interpretation != Interpretation::Alpha);
            data.map(|band| (band.index, band.interpretation, band.dtype)).collect()
        };
        let beyond = |raster: &RasterProfile| raster.band_count - raster.bands.len();
        if bands(first) != bands(member) || beyond(first) != beyond(member) {
            let detail = format!("it has {}, not {}", member.bands_in_words(), first.bands_in_words());
            let hint =
                "give files with the same bands of the same type: `gdal_translate -b N -ot TYPE` makes them";
            return Some((detail, hint.to_owned()));
        }
        let (own, wanted) = (transform.gsd(), self.transform.gsd());
        let warp = {
            let (x, y) = (self.transform.origin_x, self.transform.origin_y);
            format!(
                "resample it onto the pixels of {}, whose corner is {x} {y}: `gdalwarp -tr {} {} -te ...`",
                first.name, wanted.x, wanted.y
            )
        };
        let (width, height) = (member.size.width as f64, member.size.height as f64);
        let (column, row) = self.pixel(transform, 0.0, 0.0);
        let (right, below) = (self.pixel(transform, width, 0.0), self.pixel(transform, 0.0, height));
        let near = |a: f64, b: f64| (a - b).abs() <= TOLERANCE;
        let straight = near(right.1, row) && near(below.0, column);
        let sized = near(right.0 - column, width) && near(below.1 - row, height);
        let long = near(own.x * width, wanted.x * width) && near(own.y * height, wanted.y * height);
        if !(sized || long) {
            let detail = format!("its pixels are {} x {}, not {} x {}", own.x, own.y, wanted.x, wanted.y);
            return Some((detail, warp));
        }
        if !straight || !sized {
            return Some(("it is turned otherwise".to_owned(), warp));
        }
        let (across, down) = (column - column.round(), row - row.round());
        if !near(across, 0.0) || !near(down, 0.0) {
            let detail =
                format!("its pixels lie {across:.3} columns and {down:.3} rows beside those of the other");
            return Some((detail, warp));
        }
        None
    }
}

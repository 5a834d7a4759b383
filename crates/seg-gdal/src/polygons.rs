use crate::messages::watched;
use crate::{Bounds, Crs, Error, GdalMessage, Note};
use gdal::raster::{RasterizeOptions, rasterize};
use gdal::spatial_ref::{CoordTransform, SpatialRef};
use gdal::vector::{Geometry, Layer, LayerAccess, OGRwkbGeometryType, geometry_type_flatten};
use gdal::{Dataset, DatasetOptions, DriverManager, GdalOpenFlags};
use ndarray::Array2;
use seg_grid::{GeoTransform, Window};

/// Polygons in a raster's CRS, each with a value to burn.
///
/// Geometries are kept as bytes, so that threads can share them.
#[derive(Debug, Clone)]
pub(crate) struct Polygons {
    name: String,
    features: Vec<Polygon>,
    pub notes: Vec<Note>,
}

#[derive(Debug, Clone)]
struct Polygon {
    wkb: Vec<u8>,
    bounds: Bounds,
    value: u8,
}

/// Which pixels of a raster a polygon burns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Burn {
    /// Those with their center inside.
    Centers,
    /// All that it touches.
    Touched,
}

/// What stands for polygons in a coarse look at them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// They themselves.
    Polygons,
    /// The rectangles around them.
    Bounds,
}

/// A feature before it has a value: its place in the file, its attribute, its geometry.
pub(crate) struct Source<'a> {
    name: &'a str,
    dataset: &'a Dataset,
    layer: usize,
}

/// Opens vectors to read them.
pub(crate) fn open_vectors(name: &str) -> Result<Dataset, Error> {
    crate::install_log_handler();
    let options = DatasetOptions {
        open_flags: GdalOpenFlags::GDAL_OF_VECTOR | GdalOpenFlags::GDAL_OF_VERBOSE_ERROR,
        ..DatasetOptions::default()
    };
    Dataset::open_ex(name, options)
        .map_err(|error| Error::OpenVectors { name: name.to_owned(), source: error.into() })
}

impl<'a> Source<'a> {
    /// The layer of that name, or the only one.
    pub(crate) fn new(dataset: &'a Dataset, name: &'a str, layer: Option<&str>) -> Result<Self, Error> {
        let layers: Vec<(usize, String)> = dataset
            .layers()
            .enumerate()
            // Tables without geometry, such as the styles that QGIS keeps in a GeoPackage, are nothing to burn.
            .filter(|(_, layer)| layer.defn().geometry_type() != OGRwkbGeometryType::wkbNone)
            .map(|(index, layer)| (index, layer.name()))
            .collect();
        let names: Vec<_> = layers.iter().map(|(_, name)| name.clone()).collect();
        let found = match (layer, &layers[..]) {
            (Some(wanted), _) => layers.iter().find(|(_, name)| name == wanted).map(|(index, _)| *index),
            (None, [(index, _)]) => Some(*index),
            (None, _) => None,
        };
        let ambiguous = || Error::AmbiguousLayer {
            name: name.to_owned(),
            has: format!("the layers {}", names.join(", ")),
        };
        Ok(Self { name, dataset, layer: found.ok_or_else(ambiguous)? })
    }

    /// The layer.
    pub(crate) fn layer(&self) -> Result<Layer<'a>, Error> {
        self.dataset.layer(self.layer).map_err(|e| self.failed(e.into()))
    }

    /// The names of the attributes.
    pub(crate) fn attributes(&self) -> Result<Vec<String>, Error> {
        let layer = self.dataset.layer(self.layer).map_err(|e| self.failed(e.into()))?;
        Ok(layer.defn().fields().map(|field| field.name()).collect())
    }

    /// Reads all polygons whose attribute, as text, `value` turns into a value; others are counted and left out.
    pub(crate) fn read(
        &self,
        attribute: Option<usize>,
        crs: Option<&Crs>,
        mut value: impl FnMut(Option<String>) -> Option<u8>,
    ) -> Result<Polygons, Error> {
        let mut layer = self.dataset.layer(self.layer).map_err(|e| self.failed(e.into()))?;
        let (way, mut notes) = self.way(layer.spatial_ref(), crs)?;
        let (mut features, mut skipped, mut others) = (Vec::new(), 0, Vec::new());
        for (index, feature) in layer.features().enumerate() {
            let text = match attribute {
                Some(field) => feature.field_as_string(field).map_err(|e| self.failed(e.into()))?,
                None => None,
            };
            let value = value(text);
            let (Some(value), Some(geometry)) = (value, feature.geometry().filter(|g| !g.is_empty())) else {
                skipped += 1;
                continue;
            };
            if !is_polygon(geometry) {
                others.push(geometry.geometry_name());
                continue;
            }
            let number = feature.fid().unwrap_or(index as u64);
            features.push(polygon(geometry, way.as_ref(), value).map_err(|source| Error::Reproject {
                name: self.name.to_owned(),
                feature: number,
                source,
            })?);
        }
        if let Some(example) = others.first() {
            let (count, example) = (others.len() as u64, example.to_lowercase());
            return Err(Error::NotPolygons { name: self.name.to_owned(), count, example });
        }
        if skipped > 0 {
            notes.push(Note::FeaturesSkipped { name: self.name.to_owned(), count: skipped });
        }
        Ok(Polygons { name: self.name.to_owned(), features, notes })
    }

    /// Whether the layer says in which CRS it is.
    pub(crate) fn has_crs(&self) -> bool {
        let srs = self.dataset.layer(self.layer).ok().and_then(|layer| layer.spatial_ref());
        srs.and_then(|srs| Crs::of(&srs)).is_some()
    }

    /// How the layer's coordinates become the raster's.
    fn way(
        &self,
        own: Option<SpatialRef>,
        crs: Option<&Crs>,
    ) -> Result<(Option<CoordTransform>, Vec<Note>), Error> {
        let name = self.name.to_owned();
        let Some(target) = crs else { return Ok((None, Vec::new())) };
        let Some((own, from)) = own.and_then(|srs| Crs::of(&srs).map(|crs| (srs, crs))) else {
            return Ok((None, vec![Note::VectorsWithoutCrs { name }]));
        };
        if from.is_same(target) {
            return Ok((None, Vec::new()));
        }
        let way = CoordTransform::new(&own, &target.to_spatial_ref()?).map_err(|e| self.failed(e.into()))?;
        let note = Note::VectorsReprojected { name, from: from.to_string(), to: target.to_string() };
        Ok((Some(way), vec![note]))
    }

    fn failed(&self, source: GdalMessage) -> Error {
        Error::ReadMetadata { name: self.name.to_owned(), what: "features", source }
    }
}

impl Polygons {
    /// A single polygon, given as well-known text.
    pub(crate) fn single(name: &str, wkt: &str, way: Option<&CoordTransform>) -> Result<Self, GdalMessage> {
        let polygon = polygon(&Geometry::from_wkt(wkt)?, way, 1)?;
        Ok(Self { name: name.to_owned(), features: vec![polygon], notes: Vec::new() })
    }

    /// Adds the polygons to a hash.
    pub(crate) fn hash_into(&self, hasher: &mut blake3::Hasher) {
        for polygon in &self.features {
            hasher.update(&(polygon.wkb.len() as u64).to_le_bytes()).update(&polygon.wkb);
            hasher.update(&[polygon.value]);
        }
    }

    /// Burns the polygons into a window: a pixel gets the value of the last one in the file that holds its
    /// center, and `background` if none does; (H, W).
    pub(crate) fn burn(
        &self,
        window: Window,
        transform: GeoTransform,
        background: u8,
    ) -> Result<Array2<u8>, Error> {
        let place = bounds_of(window, transform);
        let near = |polygon: &&Polygon| polygon.bounds.touches(place);
        let failed = |source| Error::Burn { name: self.name.clone(), window, source };
        let (mut geometries, mut values) = (Vec::new(), Vec::new());
        for polygon in self.features.iter().filter(near) {
            geometries.push(Geometry::from_wkb(&polygon.wkb).map_err(|e| failed(e.into()))?);
            values.push(f64::from(polygon.value));
        }
        if geometries.is_empty() {
            return Ok(Array2::from_elem((window.height, window.width), background));
        }
        let place = transform.for_window(window);
        watched(|| burned(window, place, background, Burn::Centers, &geometries, &values))
            .and_then(|result| result)
            .map_err(failed)
    }

    /// Which pixels of a window any of the polygons touches, or the rectangle around it, (H, W).
    pub(crate) fn touched(
        &self,
        window: Window,
        transform: GeoTransform,
        shape: Shape,
    ) -> Result<Array2<bool>, Error> {
        let geometry = |polygon: &Polygon| match shape {
            Shape::Polygons => Geometry::from_wkb(&polygon.wkb),
            Shape::Bounds => {
                let Bounds { x_min, y_min, x_max, y_max } = polygon.bounds;
                Geometry::bbox(x_min, y_min, x_max, y_max)
            }
        };
        let burned = || -> Result<Array2<u8>, GdalMessage> {
            let geometries = self.features.iter().map(geometry).collect::<Result<Vec<_>, _>>()?;
            let values = vec![1.0; geometries.len()];
            burned(window, transform.for_window(window), 0, Burn::Touched, &geometries, &values)
        };
        let touched = watched(burned).and_then(|result| result);
        let touched = touched.map_err(|source| Error::Burn { name: self.name.clone(), window, source })?;
        Ok(touched.mapv(|value| value != 0))
    }

    /// Whether the rectangle around any of the polygons touches `bounds`.
    pub(crate) fn near(&self, bounds: Bounds) -> bool {
        self.features.iter().any(|polygon| polygon.bounds.touches(bounds))
    }

    /// The rectangle around all polygons, `None` if there is none.
    pub(crate) fn bounds(&self) -> Option<Bounds> {
        self.features.iter().map(|polygon| polygon.bounds).reduce(|a, b| Bounds {
            x_min: a.x_min.min(b.x_min),
            y_min: a.y_min.min(b.y_min),
            x_max: a.x_max.max(b.x_max),
            y_max: a.y_max.max(b.y_max),
        })
    }
}

fn burned(
    window: Window,
    transform: GeoTransform,
    background: u8,
    burn: Burn,
    geometries: &[Geometry],
    values: &[f64],
) -> Result<Array2<u8>, GdalMessage> {
    let driver = DriverManager::get_driver_by_name("MEM")?;
    let mut dataset = driver.create_with_band_type::<u8, _>("", window.width, window.height, 1)?;
    dataset.set_geo_transform(&transform.to_gdal())?;
    dataset.rasterband(1)?.fill(f64::from(background), None)?;
    // The options' default: later values replace earlier ones.
    let options = match burn {
        Burn::Centers => RasterizeOptions::default(),
        // At once, not in pieces that hang on how large the cache is.
        Burn::Touched => {
            RasterizeOptions { all_touched: true, chunk_y_size: window.height, ..RasterizeOptions::default() }
        }
    };
    rasterize(&mut dataset, &[1], geometries, values, Some(options))?;
    Ok(dataset.rasterband(1)?.read_band_as::<u8>()?.to_array()?)
}

fn polygon(geometry: &Geometry, way: Option<&CoordTransform>, value: u8) -> Result<Polygon, GdalMessage> {
    let mut geometry = match way {
        Some(way) => geometry.transform(way)?,
        None => geometry.clone(),
    };
    geometry.flatten_to_2d();
    let e = geometry.envelope();
    let bounds = Bounds { x_min: e.MinX, y_min: e.MinY, x_max: e.MaxX, y_max: e.MaxY };
    Ok(Polygon { wkb: geometry.wkb()?, bounds, value })
}

fn is_polygon(geometry: &Geometry) -> bool {
    matches!(
        geometry_type_flatten(geometry.geometry_type()),
        OGRwkbGeometryType::wkbPolygon
            | OGRwkbGeometryType::wkbMultiPolygon
            | OGRwkbGeometryType::wkbCurvePolygon
            | OGRwkbGeometryType::wkbMultiSurface
    )
}

/// The rectangle around a window, also of a rotated raster.
pub(crate) fn bounds_of(window: Window, transform: GeoTransform) -> Bounds {
    let corner = |x: usize, y: usize| transform.apply(x as f64, y as f64);
    let corners = [
        corner(window.x, window.y),
        corner(window.right(), window.y),
        corner(window.x, window.bottom()),
        corner(window.right(), window.bottom()),
    ];
    let fold = |f: fn(f64, f64) -> f64, start: f64| {
        corners.iter().fold([start; 2], |[x, y], point| [f(x, point.x), f(y, point.y)])
    };
    let ([x_min, y_min], [x_max, y_max]) = (fold(f64::min, f64::INFINITY), fold(f64::max, f64::NEG_INFINITY));
    Bounds { x_min, y_min, x_max, y_max }
}

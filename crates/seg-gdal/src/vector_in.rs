use crate::polygons::{Polygons, Source, open_vectors};
use crate::raster_spec::ClassEntry;
use crate::{Error, Note, RasterProfile};
use ndarray::Array2;
use seg_grid::{GeoTransform, Window};
use std::collections::BTreeMap;

/// The value of pixels that no polygon holds.
pub(crate) const NO_CLASS: u8 = 255;
/// The attribute that is read where none is named: the one that vectorized outputs carry.
const OUR_ATTRIBUTE: &str = "class_id";

/// Which of a data set's features are labels, and where they say so.
#[derive(Debug, Clone, Copy, Default)]
pub struct LabelSource<'a> {
    /// The layer, needed if there is more than one.
    pub layer: Option<&'a str>,
    /// The attribute that holds class ids or names; `class_id` if left out.
    pub attribute: Option<&'a str>,
}

/// Label polygons, brought to the CRS of the image they belong to.
///
/// ```no_run
/// use seg_gdal::{ClassEntry, GeoRaster, LabelSource, LabelVectors, ReadOptions};
/// use seg_grid::{Size, Window};
/// let image = GeoRaster::open("orthophoto.tif", &ReadOptions::default())?;
/// let classes = [ClassEntry { id: 0, name: "building", color: [255, 0, 0] }];
/// let source = LabelSource { attribute: Some("kind"), ..LabelSource::default() };
/// let labels = LabelVectors::open("truth.gpkg", source, image.raster_profile(), &classes)?;
/// let ids = labels.burn(Window::whole(Size::square(512)))?; // 255 where there is no polygon
/// # Ok::<(), seg_gdal::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct LabelVectors {
    polygons: Polygons,
    transform: GeoTransform,
}

impl LabelVectors {
    /// Opens any name that GDAL can open as vectors.
    ///
    /// The attribute holds class ids or class names; where polygons overlap, the later feature counts.
    ///
    /// # Errors
    /// If it cannot be opened, the layer or the attribute cannot be told, values are of no class, features
    /// are no polygons, the way to the image's CRS is unknown, or the image has no place.
    pub fn open(
        name: &str,
        source: LabelSource<'_>,
        image: &RasterProfile,
        classes: &[ClassEntry<'_>],
    ) -> Result<Self, Error> {
        let transform = transform_of(name, image)?;
        let dataset = open_vectors(name)?;
        let layer = Source::new(&dataset, name, source.layer)?;
        let has = layer.attributes()?;
        let attribute = source.attribute.unwrap_or(OUR_ATTRIBUTE);
        let Some(field) = has.iter().position(|field| field == attribute) else {
            return Err(Error::NoAttribute { name: name.to_owned(), attribute: attribute.to_owned(), has });
        };
        let mut unknown = BTreeMap::<String, u64>::new();
        let polygons = layer.read(Some(field), image.crs.as_ref(), |text| {
            let text = text?;
            let class = class_of(&text, classes);
            if class.is_none() {
                *unknown.entry(text).or_default() += 1;
            }
            class
        })?;
        if unknown.is_empty() {
            return Ok(Self { polygons, transform });
        }
        Err(Error::UnknownClasses {
            name: name.to_owned(),
            attribute: attribute.to_owned(),
            values: unknown.into_iter().collect(),
            legend: classes.iter().map(|class| format!("{} ({})", class.id, class.name)).collect(),
        })
    }

    /// The class ids of a window of the image, 255 where no polygon holds a pixel's center; (H, W).
    ///
    /// # Errors
    /// If GDAL cannot burn a polygon.
    pub fn burn(&self, window: Window) -> Result<Array2<u8>, Error> {
        self.polygons.burn(window, self.transform, NO_CLASS)
    }

    /// What a caller should tell the user.
    pub fn notes(&self) -> &[Note] {
        &self.polygons.notes
    }
}

/// An attribute's text as a class: its name, or else its id.
fn class_of(text: &str, classes: &[ClassEntry<'_>]) -> Option<u8> {
    let text = text.trim();
    let by_name = classes.iter().find(|class| class.name == text);
    let by_id = || {
        let number: f64 = text.parse().ok()?;
        classes.iter().find(|class| f64::from(class.id).total_cmp(&number).is_eq())
    };
    by_name.or_else(by_id).map(|class| class.id)
}

fn transform_of(name: &str, image: &RasterProfile) -> Result<GeoTransform, Error> {
    image.transform.ok_or_else(|| Error::NoPlace { name: name.to_owned(), image: image.name.clone() })
}

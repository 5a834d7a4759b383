use crate::Error;
use ndarray::Array2;
use seg_gdal::{
    ClassEntry, GridReference, LabelKind, LabelRaster, LabelSource, LabelVectors, RasterProfile,
    check_same_grid,
};
use seg_grid::Window;
use seg_label::{Class, ClassId, Code, Convention, IGNORE_INDEX, Legend, Relabel, Rgb, Tally};
use std::collections::BTreeSet;

/// Where the classes of an image's pixels are written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabelFile {
    /// A raster of ids or colors; any name that GDAL can open.
    Raster(String),
    /// Polygons; any name that GDAL can open.
    Polygons {
        /// The data set.
        name: String,
        /// The attribute that holds class ids or names; `class_id` if left out.
        attribute: Option<String>,
    },
}

/// Labels that are open, for one thread.
#[derive(Debug)]
pub(crate) enum LabelReader {
    Raster { raster: Box<LabelRaster>, by: By },
    Polygons(LabelVectors),
}

/// What a label raster's numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Id,
    Color,
}

impl LabelFile {
    /// How messages call it.
    pub fn name(&self) -> &str {
        match self {
            Self::Raster(name) | Self::Polygons { name, .. } => name,
        }
    }
}

impl LabelReader {
    /// Opens labels that must lie on the image's grid (rasters) or can be brought to it (polygons), and gives
    /// what the user should know about them.
    pub(crate) fn open(
        file: &LabelFile,
        image: &RasterProfile,
        convention: &Convention,
    ) -> Result<(Self, Vec<String>), Error> {
        match file {
            LabelFile::Raster(name) => {
                let (reader, profile, mut said) = Self::open_raster(name, convention)?;
                let notes = check_same_grid(image, &profile).map_err(|source| Error::Grid {
                    image: image.name.clone(),
                    label: name.clone(),
                    source: Box::new(source),
                })?;
                said.extend(notes.iter().map(ToString::to_string));
                Ok((reader, said))
            }
            LabelFile::Polygons { name, attribute } => {
                let classes = class_entries(&convention.legend);
                let source = LabelSource { attribute: attribute.as_deref(), ..LabelSource::default() };
                let vectors = LabelVectors::open(name, source, image, &classes).map_err(opening(name))?;
                let said = vectors.notes().iter().map(ToString::to_string).collect();
                Ok((Self::Polygons(vectors), said))
            }
        }
    }

    /// Opens a label raster for its own sake.
    pub(crate) fn open_raster(
        name: &str,
        convention: &Convention,
    ) -> Result<(Self, RasterProfile, Vec<String>), Error> {
        let raster = LabelRaster::open(name).map_err(opening(name))?;
        let profile = raster.raster_profile().clone();
        let mut said = Vec::new();
        let by = match raster.kind() {
            LabelKind::Ids => By::Id,
            LabelKind::Colors => By::Color,
            LabelKind::Palette => match palette_order(&profile, convention) {
                PaletteOrder::Foreign => By::Id,
                PaletteOrder::Legend => By::Color,
                PaletteOrder::Other => {
                    said.push(format!(
                        "{name} has the legend's colors in another order: classes are read off its colors"
                    ));
                    By::Color
                }
            },
        };
        Ok((Self::Raster { raster: Box::new(raster), by }, profile, said))
    }

    /// Reads ids even where there are colors for them; `None` where there are only colors.
    pub(crate) fn by_id(self) -> Option<Self> {
        match self {
            Self::Raster { raster, .. } if raster.kind() != LabelKind::Colors => {
                Some(Self::Raster { raster, by: By::Id })
            }
            _ => None,
        }
    }

    /// The same labels on another grid, each pixel the nearest of theirs; polygons are on any.
    pub(crate) fn resampled(self, target: &GridReference) -> Result<Self, seg_gdal::Error> {
        match self {
            Self::Raster { raster, by } => {
                Ok(Self::Raster { raster: Box::new(raster.resampled(target)?), by })
            }
            polygons @ Self::Polygons(_) => Ok(polygons),
        }
    }

    /// Whether classes are read off ids.
    pub(crate) const fn is_by_id(&self) -> bool {
        matches!(self, Self::Raster { by: By::Id, .. })
    }

    /// The class ids of a window (H, W), 255 where there is no label; it can reach beyond the raster.
    pub(crate) fn read(
        &self,
        window: Window,
        relabel: &Relabel,
        tally: &mut Tally,
    ) -> Result<Array2<u8>, Error> {
        match self {
            Self::Raster { raster, by } => {
                let name = &raster.raster_profile().name;
                let failed = |source| Error::Raster {
                    action: "read labels of",
                    name: name.clone(),
                    source: Box::new(source),
                };
                if let Some(bytes) = raster.read_bytes(window).map_err(failed)? {
                    let code = |byte: u8| match by {
                        _ if bytes.nodata == Some(byte) => None,
                        By::Id => Some(Code::from_id(byte.into())),
                        By::Color => raster.color_of(byte).map(Code::from_rgb),
                    };
                    return Ok(relabel.apply_bytes(bytes.values, code, tally));
                }
                let (read, code): (_, fn(u32) -> Code) = match by {
                    By::Id => (raster.read_ids(window).map_err(failed)?, Code::from_id),
                    By::Color => (raster.read_colors(window).map_err(failed)?, Code::from_rgb),
                };
                Ok(relabel.apply(&read.codes.view(), &read.valid.view(), code, tally))
            }
            Self::Polygons(vectors) => {
                let ids = vectors.burn(window).map_err(|source| Error::Raster {
                    action: "burn label polygons into",
                    name: "a window".to_owned(),
                    source: Box::new(source),
                })?;
                let ignored = ids.iter().filter(|&&id| id == IGNORE_INDEX).count() as u64;
                tally.merge(Tally { labeled: ids.len() as u64 - ignored, ignored, ..Tally::default() });
                Ok(ids)
            }
        }
    }
}

/// What a color table has to do with the legend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PaletteOrder {
    /// Nothing.
    Foreign,
    /// Classes have their colors at their ids.
    Legend,
    /// Classes have their colors elsewhere too.
    Other,
}

/// A color table shows the legend if it has the colors of two classes, or of the only one: black and white alone
/// would be met in the gray ramp of many a table.
fn palette_order(profile: &RasterProfile, convention: &Convention) -> PaletteOrder {
    let entries =
        profile.bands.iter().filter_map(|band| band.palette.as_ref()).flat_map(|palette| &palette.entries);
    let class = |&[r, g, b, _]: &[u8; 4]| convention.class_of(Code::Color(Rgb::new(r, g, b)));
    let met: Vec<(i64, ClassId)> =
        (0..).zip(entries).filter_map(|(i, entry)| Some((i, class(entry)?))).collect();
    let classes: BTreeSet<_> = met.iter().map(|(_, class)| *class).collect();
    // An entry that is no id of its own, as the many unset ones, contradicts nothing.
    let at_home =
        |(index, class): &(i64, ClassId)| convention.class_of(Code::Id(*index)).is_none_or(|id| id == *class);
    if classes.len() < convention.legend.len().min(2) {
        PaletteOrder::Foreign
    } else if met.iter().all(at_home) {
        PaletteOrder::Legend
    } else {
        PaletteOrder::Other
    }
}

/// The classes as the raster library takes them.
fn class_entries(legend: &Legend) -> Vec<ClassEntry<'_>> {
    legend.classes().iter().map(class_entry).collect()
}

/// A class as the raster library takes it.
pub fn class_entry(class: &Class) -> ClassEntry<'_> {
    ClassEntry { id: class.id.0, name: &class.name, color: [class.color.r, class.color.g, class.color.b] }
}

pub(crate) fn opening(name: &str) -> impl FnOnce(seg_gdal::Error) -> Error + '_ {
    move |source| Error::Raster { action: "open", name: name.to_owned(), source: Box::new(source) }
}

use crate::{Interpretation, RasterProfile};
use std::fmt;

/// Something a caller should tell the user that does not stop the job.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the sentences say what the fields are")]
pub enum Note {
    /// Neither geotransform nor control points.
    NoGeoreference { name: String },
    /// A geotransform without a CRS.
    NoCrs { name: String },
    /// Control points instead of a geotransform.
    ControlPointsOnly { name: String, count: usize },
    /// A CRS in degrees: pixels are not squares on the ground.
    Geographic { name: String, crs: String },
    /// Alpha was read as data because the user named that band.
    AlphaAsData { name: String },
    /// Label polygons without a CRS, taken to be in the image's.
    VectorsWithoutCrs { name: String },
    /// Label polygons that were brought to the image's CRS.
    VectorsReprojected { name: String, from: String, to: String },
    /// An image without a CRS, taken to be in that of the vectors.
    ImageWithoutCrs { name: String, image: String },
    /// Features without geometry, or without a value of the class attribute.
    FeaturesSkipped { name: String, count: u64 },
    /// A label raster without a place of its own that has the image's size.
    LabelsWithoutPlace { name: String },
    /// An image without a place of its own that has its labels' size.
    ImageWithoutPlace { name: String },
    /// A label raster without a CRS that lies where the image does.
    LabelsWithoutCrs { name: String },
}

impl Note {
    pub(crate) fn of(profile: &RasterProfile) -> Vec<Self> {
        let name = profile.name.clone();
        let crs = profile.crs.as_ref();
        match (profile.transform, profile.gcps.len(), crs) {
            (None, 0, _) => vec![Self::NoGeoreference { name }],
            (None, count, _) => vec![Self::ControlPointsOnly { name, count }],
            (Some(_), _, None) => vec![Self::NoCrs { name }],
            (Some(_), _, Some(crs)) if crs.is_geographic() => {
                vec![Self::Geographic { name, crs: crs.to_string() }]
            }
            _ => Vec::new(),
        }
    }

    /// Whether alpha bands are among the bands that were chosen by number.
    pub(crate) fn alpha_as_data(profile: &RasterProfile, chosen: &[crate::BandIndex]) -> Option<Self> {
        let is_alpha = |index: &crate::BandIndex| {
            profile.bands.get(index.position()).is_some_and(|b| b.interpretation == Interpretation::Alpha)
        };
        chosen.iter().any(is_alpha).then(|| Self::AlphaAsData { name: profile.name.clone() })
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoGeoreference { name } => {
                write!(f, "{name} has no georeference, so its output has none either")
            }
            Self::NoCrs { name } => write!(f, "{name} has no CRS, so its output has none either"),
            Self::ControlPointsOnly { name, count } => {
                write!(f, "{name} is placed by {count} control points only; its output carries the same")
            }
            Self::Geographic { name, crs } => {
                write!(f, "{name} is in degrees ({crs}): its pixels are not square on the ground")
            }
            Self::AlphaAsData { name } => {
                write!(f, "a band that {name} marks as alpha is read as data, as asked, and masks nothing")
            }
            Self::VectorsWithoutCrs { name } => {
                write!(f, "{name} has no CRS and is taken to be in that of the image")
            }
            Self::VectorsReprojected { name, from, to } => {
                write!(f, "{name} was brought from {from} to {to}")
            }
            Self::ImageWithoutCrs { name, image } => {
                write!(f, "{image} has no CRS and is taken to be in that of {name}")
            }
            Self::FeaturesSkipped { name, count } => {
                write!(f, "{count} features of {name} have no geometry or no class and were left out")
            }
            Self::LabelsWithoutPlace { name } => {
                write!(f, "{name} has no georeference; it has the image's size and is laid over it")
            }
            Self::ImageWithoutPlace { name } => {
                write!(f, "{name} has no georeference; it has its labels' size and is laid under them")
            }
            Self::LabelsWithoutCrs { name } => {
                write!(f, "{name} has no CRS; it lies where the image does and is taken to be in its CRS")
            }
        }
    }
}

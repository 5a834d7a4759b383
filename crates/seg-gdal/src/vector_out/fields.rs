use super::{ConfidenceFields, PolygonSpec, ReviewFields, VectorFormat};
use crate::GdalMessage;
use gdal::vector::{Feature, FieldDefn, Layer, OGRFieldType};

/// An attribute of polygons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    ClassId,
    ClassName,
    Area,
    Perimeter,
    Pixels,
    ConfidenceMean,
    ConfidenceTenth,
    TouchesEdge,
    Rank,
    Doubt,
}

/// Characters that fields of a Shapefile have.
const DBF_REAL: i32 = 20;
const DBF_TEXT: usize = 80;
const DBF_LONGEST_TEXT: usize = 254;

/// What is told about a polygon.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PolygonRow<'a> {
    /// Its geometry as well-known binary, in the raster's CRS.
    pub wkb: &'a [u8],
    /// The place of its class in the list of classes.
    pub class: usize,
    /// Its area in square meters, if known.
    pub area_m2: Option<f64>,
    /// The length of its outlines in meters, if known.
    pub perimeter_m: Option<f64>,
    /// The pixels that it stands for.
    pub pixels: u64,
    /// How sure the network was of them, 0 to 1: the mean, and what one in ten does not pass.
    pub confidence: Option<(f64, f64)>,
    /// Whether it reaches the edge of the raster.
    pub touches_edge: bool,
    /// Where it stands among those that may be wrong.
    pub review: Option<ReviewRank>,
}

/// Where a polygon stands among those that may be wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReviewRank {
    /// 1 is to be looked at first.
    pub rank: u64,
    /// Its area times what the mean confidence lacks to 1.
    pub doubt: f64,
}

impl Field {
    /// All of them; those of confidence only where it is known, those of a review only where that is what is written.
    pub(crate) fn list(spec: &PolygonSpec<'_>) -> Vec<Self> {
        let all = [
            Self::ClassId,
            Self::ClassName,
            Self::Area,
            Self::Perimeter,
            Self::Pixels,
            Self::ConfidenceMean,
            Self::ConfidenceTenth,
            Self::TouchesEdge,
            Self::Rank,
            Self::Doubt,
        ];
        let is_wanted = |field: &Self| match field {
            Self::ConfidenceMean | Self::ConfidenceTenth => spec.confidence == ConfidenceFields::Present,
            Self::Rank | Self::Doubt => spec.review == ReviewFields::Present,
            _ => true,
        };
        all.into_iter().filter(is_wanted).collect()
    }

    /// Its name; Shapefiles have room for ten characters.
    pub(crate) const fn name(self, format: VectorFormat) -> &'static str {
        let is_short = matches!(format, VectorFormat::Shapefile);
        match self {
            Self::ClassId => "class_id",
            Self::ClassName => "class_name",
            Self::Area => "area_m2",
            Self::Perimeter if is_short => "perim_m",
            Self::Perimeter => "perimeter_m",
            Self::Pixels => "pixels",
            Self::ConfidenceMean if is_short => "conf_mean",
            Self::ConfidenceMean => "confidence_mean",
            Self::ConfidenceTenth if is_short => "conf_p10",
            Self::ConfidenceTenth => "confidence_p10",
            Self::TouchesEdge if is_short => "touch_edge",
            Self::TouchesEdge => "touches_edge",
            Self::Rank => "rank",
            Self::Doubt => "doubt",
        }
    }

    const fn kind(self) -> OGRFieldType::Type {
        match self {
            Self::ClassId | Self::TouchesEdge => OGRFieldType::OFTInteger,
            Self::ClassName => OGRFieldType::OFTString,
            Self::Pixels | Self::Rank => OGRFieldType::OFTInteger64,
            _ => OGRFieldType::OFTReal,
        }
    }

    /// The characters that it takes in a record of a Shapefile: GDAL's defaults, with longer text where a class has
    /// such a name.
    pub(crate) fn dbf_width(self, spec: &PolygonSpec<'_>) -> u64 {
        match self.kind() {
            OGRFieldType::OFTInteger => 9,
            OGRFieldType::OFTInteger64 => 18,
            OGRFieldType::OFTString => {
                let longest = spec.classes.iter().map(|class| class.name.len()).max().unwrap_or(0);
                longest.clamp(DBF_TEXT, DBF_LONGEST_TEXT) as u64
            }
            _ => DBF_REAL as u64,
        }
    }

    /// Adds it to a layer.
    pub(crate) fn add_to(self, layer: &Layer<'_>, format: VectorFormat) -> Result<(), GdalMessage> {
        let kind = self.kind();
        let field = FieldDefn::new(self.name(format), kind)?;
        if format == VectorFormat::Shapefile && kind == OGRFieldType::OFTReal {
            // Text of a fixed width; the default would round square meters of large areas away.
            field.set_width(DBF_REAL);
            field.set_precision(4);
        }
        Ok(field.add_to_layer(layer)?)
    }

    /// Sets its value in a feature.
    pub(crate) fn set(
        self,
        feature: &mut Feature<'_>,
        index: usize,
        row: &PolygonRow<'_>,
        class: (u8, &str),
    ) -> Result<(), GdalMessage> {
        let real = |feature: &mut Feature<'_>, value: Option<f64>| match value {
            Some(value) => feature.set_field_double(index, value),
            None => feature.set_field_null(index),
        };
        match self {
            Self::ClassId => feature.set_field_integer(index, class.0.into()),
            Self::ClassName => feature.set_field_string(index, class.1),
            Self::Area => real(feature, row.area_m2),
            Self::Perimeter => real(feature, row.perimeter_m),
            Self::Pixels => feature.set_field_integer64(index, row.pixels as i64),
            Self::ConfidenceMean => real(feature, row.confidence.map(|(mean, _)| mean)),
            Self::ConfidenceTenth => real(feature, row.confidence.map(|(_, tenth)| tenth)),
            Self::TouchesEdge => feature.set_field_integer(index, row.touches_edge.into()),
            Self::Rank => {
                feature.set_field_integer64(index, row.review.map_or(0, |review| review.rank as i64))
            }
            Self::Doubt => real(feature, row.review.map(|review| review.doubt)),
        }?;
        Ok(())
    }
}

use crate::BandIndex;
use gdal::errors::GdalError;
use seg_grid::{DataType, IoError, Size, Window};
use std::fmt;
use std::path::PathBuf;

/// What GDAL said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GdalMessage(String);

/// What can go wrong between the pixels and us.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum Error {
    /// A raster that GDAL cannot open.
    #[error("cannot open raster {name}")]
    OpenRaster { name: String, source: GdalMessage },
    /// A data set without a band.
    #[error("{name} holds no raster of its own")]
    NoBands { name: String, subdatasets: Vec<String> },
    /// A vector data set that GDAL cannot open.
    #[error("cannot open vectors {name}")]
    OpenVectors { name: String, source: GdalMessage },
    /// A band of complex numbers, or of a type that GDAL itself does not name.
    #[error("band {band} of {name} holds complex numbers, which cannot be segmented")]
    ComplexBand { name: String, band: BandIndex },
    /// A band that the raster lacks.
    #[error("band {band} was asked for, but {name} has {count}")]
    NoSuchBand { name: String, band: BandIndex, count: usize },
    /// Bands that cannot be told from the raster.
    #[error("cannot tell which {needed} of the bands of {name} to read: it has {has}")]
    AmbiguousBands { name: String, needed: usize, count: usize, has: String },
    /// A block that would have to be decoded in memory at once.
    #[error("one block of {name} is {block} pixels, {bytes} bytes once decoded; {budget} bytes are allowed")]
    BlockTooLarge { name: String, block: Size, bytes: u64, budget: u64 },
    /// A file that claims far more pixels than its bytes can hold.
    #[error(
        "{name} claims {size} pixels, {claimed} bytes, but is {stored} bytes long and holds none of them"
    )]
    Implausible { name: String, size: Size, claimed: u64, stored: u64 },
    /// A window that could not be read.
    #[error("cannot read the window of {window} from band {band} of {name}")]
    ReadWindow { name: String, band: BandIndex, window: Window, source: GdalMessage },
    /// A block that could not be read while probing.
    #[error("cannot read the block of {window} in band {band} of {name}")]
    ReadBlock { name: String, band: BandIndex, window: Window, source: GdalMessage },
    /// Something else that GDAL would not tell about a data set.
    #[error("cannot read the {what} of {name}")]
    ReadMetadata { name: String, what: &'static str, source: GdalMessage },
    /// A raster that could not be created.
    #[error("cannot create raster {}", path.display())]
    CreateRaster { path: PathBuf, source: GdalMessage },
    /// A georeference that could not be stored.
    #[error("cannot set the {what} of {}", path.display())]
    SetReference { path: PathBuf, what: &'static str, source: GdalMessage },
    /// Pixels that could not be written.
    #[error("cannot write the window of {window} to {}", path.display())]
    WriteWindow { path: PathBuf, window: Window, source: GdalMessage },
    /// A block that does not fit its place.
    #[error("cannot write {got} to the window of {window} of {}, which takes {expected}", path.display())]
    BlockShape { path: PathBuf, window: Window, expected: String, got: String },
    /// A raster that could not be closed cleanly.
    #[error("cannot finish raster {}", path.display())]
    FinishRaster { path: PathBuf, source: GdalMessage },
    /// A raster that is not what was written.
    #[error("{} does not read back as it was written: its {what} differs", path.display())]
    ReadBack { path: PathBuf, what: &'static str },
    /// A file operation that failed.
    #[error("cannot {action} {}", path.display())]
    File { action: &'static str, path: PathBuf, source: std::io::Error },
    /// A configuration option that GDAL does not take.
    #[error("cannot set the GDAL option {key}")]
    Config { key: String, source: GdalMessage },
    /// A CRS that cannot be understood.
    #[error("cannot understand the CRS {definition}")]
    Crs { definition: String, source: GdalMessage },
    /// Bounds that have no counterpart in another CRS.
    #[error("cannot transform bounds from {from} to {to}")]
    Transform { from: String, to: String, source: proj::ProjError },
    /// Two CRS between which PROJ knows no way.
    #[error("cannot find a way from {from} to {to}")]
    NoTransform { from: String, to: String, source: proj::ProjCreateError },
    /// A label raster whose size is not the image's.
    #[error("{label} is {label_size} pixels, but {image} is {image_size} pixels")]
    SizeMismatch { image: String, label: String, image_size: Size, label_size: Size, remedy: String },
    /// A label raster in another CRS.
    #[error("{label} is in {label_crs}, but {image} is in {image_crs}")]
    CrsMismatch { image: String, label: String, image_crs: String, label_crs: String, remedy: String },
    /// A label raster in another place.
    #[error("the pixels of {label} lie elsewhere than those of {image}: {detail}")]
    PlaceMismatch { image: String, label: String, detail: String, remedy: String },
    /// A label raster that lies on the image's grid, but beside it.
    #[error("{label} and {image} have no pixel in common")]
    NoOverlap { image: String, label: String },
    /// A label raster that is neither ids nor colors.
    #[error("cannot read {name} as labels: it has {has}")]
    NotLabels { name: String, has: String },
    /// A label raster with values that are not whole, or negative.
    #[error("{name} holds {value} at column {x}, row {y}, which is no class code")]
    NotACode { name: String, value: f64, x: usize, y: usize },
    /// A name whose ending is of no format of polygons.
    #[error("cannot tell from the ending of {} what to write", path.display())]
    UnknownVectorFormat { path: PathBuf, endings: Vec<String> },
    /// A format that this GDAL lacks.
    #[error("cannot write {}: this GDAL was built without {driver}", path.display())]
    NoVectorDriver { path: PathBuf, driver: &'static str },
    /// Polygons that could not be written.
    #[error("cannot write polygons to {}", path.display())]
    WritePolygons { path: PathBuf, source: GdalMessage },
    /// Polygons that another run writes.
    #[error("another rs-seg is writing {}", path.display())]
    PolygonsBusy { path: PathBuf },
    /// A name that no layer of the format can have.
    #[error("{} cannot have a layer called {name}: {reason}", path.display())]
    LayerName { path: PathBuf, name: String, reason: String },
    /// A layer that the data set lacks, or has more than one of.
    #[error("cannot tell which layer of {name} to burn: it has {has}")]
    AmbiguousLayer { name: String, has: String },
    /// Polygons for an image without a place.
    #[error("cannot lay {name} over {image}, which has no geotransform")]
    NoPlace { name: String, image: String },
    /// A mosaic of nothing.
    #[error("no raster was given")]
    NoMembers,
    /// A folder without a raster.
    #[error("{} holds no raster that GDAL opens", folder.display())]
    NoRasters { folder: PathBuf },
    /// A member of a mosaic that does not fit the first.
    #[error("cannot put {other} beside {first}: {detail}")]
    NotOneMosaic { first: String, other: String, detail: String, remedy: String },
    /// A member of a mosaic that lies nowhere.
    #[error("cannot put {name} beside others: it has no geotransform")]
    MemberWithoutPlace { name: String },
    /// A member of a mosaic that another program replaced.
    #[error("{name} changed while it was read")]
    MemberChanged { name: String },
    /// A raster that nobody knows the place of, to be brought to another grid.
    #[error("cannot bring {name} to {to}: it has no CRS or no geotransform")]
    WarpWithoutPlace { name: String, to: String },
    /// A raster that has no place in another CRS.
    #[error("cannot bring {name} from {from} to {to}")]
    WarpGrid { name: String, from: String, to: String, source: GdalMessage },
    /// Two CRS between which GDAL knows no way.
    #[error("cannot find a way from {from} to {to}")]
    NoWay { from: String, to: String, source: GdalMessage },
    /// Values between which there is nothing.
    #[error("cannot resample {name}: {what}")]
    CannotResample { name: String, what: &'static str, remedy: String },
    /// An area of interest without a polygon.
    #[error("{name} holds no polygon")]
    EmptyArea { name: String },
    /// An area of interest that lies elsewhere.
    #[error("{name} does not touch {image}: one lies in {area}, the other in {place}")]
    AreaMisses { name: String, image: String, area: String, place: String },
    /// A box in a CRS, for an image without one.
    #[error("cannot bring {name} from {crs} to {image}, which has no CRS")]
    BoxWithoutCrs { name: String, crs: String, image: String },
    /// A box that has no counterpart in the image's CRS.
    #[error("cannot bring {name} from {from} to {to}")]
    PlaceBox { name: String, from: String, to: String, source: GdalMessage },
    /// An attribute that the layer lacks.
    #[error("{name} has no attribute {attribute:?}")]
    NoAttribute { name: String, attribute: String, has: Vec<String> },
    /// Attribute values that no class of the legend has.
    #[error("attribute {attribute} of {name} has values that no class has: {}", counted(values))]
    UnknownClasses { name: String, attribute: String, values: Vec<(String, u64)>, legend: Vec<String> },
    /// Features that are no polygons.
    #[error("{name} holds {count} features that are not polygons, such as a {example}")]
    NotPolygons { name: String, count: u64, example: String },
    /// Polygons of which nobody knows how large they are.
    #[error("{name} has no CRS, so nobody knows how large its polygons are")]
    VectorsWithoutCrs { name: String },
    /// A feature whose geometry could not be used.
    #[error("cannot bring feature {feature} of {name} to the raster's CRS")]
    Reproject { name: String, feature: u64, source: GdalMessage },
    /// A window that could not be burned.
    #[error("cannot burn {name} into the window of {window}")]
    Burn { name: String, window: Window, source: GdalMessage },
    /// A chip whose values the format cannot hold.
    #[error("{} cannot hold {bands} bands of {dtype} as PNG", path.display())]
    NotForPng { path: PathBuf, bands: usize, dtype: DataType },
}

/// Values and how often each was met, at most ten of them.
fn counted(values: &[(String, u64)]) -> String {
    let mut text: Vec<String> =
        values.iter().take(10).map(|(value, count)| format!("{value:?} ({count})")).collect();
    if values.len() > 10 {
        text.push(format!("and {} more", values.len() - 10));
    }
    text.join(", ")
}

impl Error {
    /// What the user can do about it, if we know.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoBands { subdatasets, .. } if !subdatasets.is_empty() => {
                Some(format!("name one of its subdatasets: {}", subdatasets.join(", ")))
            }
            Self::OpenRaster { source, .. } if source.0.contains("missing codec") => Some(
                "this GDAL was built without that codec; where it is at hand, `gdal_translate -co COMPRESS=DEFLATE` helps"
                    .to_owned(),
            ),
            Self::OpenRaster { source, .. } if source.0.contains("No such file") => {
                Some("check the path; a name that GDAL knows, such as /vsicurl/https://..., works too".to_owned())
            }
            Self::OpenRaster { source, .. } if source.0.contains("not recognized") => {
                Some("`gdalinfo --formats` lists what this GDAL reads".to_owned())
            }
            Self::OpenRaster { .. } => {
                Some("the file is damaged or of a kind that this GDAL does not read: try `gdalinfo` on it".to_owned())
            }
            Self::AmbiguousBands { needed: 3, count: 1, .. } => {
                Some("`--bands 1,1,1` reads the one band three times".to_owned())
            }
            Self::AmbiguousBands { needed, count, .. } => {
                let example: Vec<String> = (1..=*needed).map(|i| i.min(*count).to_string()).collect();
                let twice = if needed > count { "; a band can come more than once" } else { "" };
                let example = example.join(",");
                Some(format!("choose them in the model's order, such as `--bands {example}`{twice}"))
            }
            Self::NoSuchBand { count, .. } => Some(format!("bands are numbered from 1 to {count}")),
            Self::ComplexBand { .. } => {
                Some("derive a real band first, such as with `gdal_calc.py --calc \"abs(A)\"`".to_owned())
            }
            Self::BlockTooLarge { name, .. } => {
                Some(format!("store it in tiles: `gdal_translate -co TILED=YES {name} tiled.tif`"))
            }
            Self::Implausible { .. } => Some(
                "the file is damaged, unfinished or empty: check how it was made or downloaded".to_owned(),
            ),
            Self::ReadBlock { .. } | Self::ReadWindow { .. } => {
                Some("the file is damaged or cut short: fetch or make it again".to_owned())
            }
            Self::WriteWindow { source, .. } | Self::FinishRaster { source, .. } if source.is_full_disk() => {
                Some("the disk may be full: free some space, or write to another folder".to_owned())
            }
            Self::NotLabels { .. } => Some(
                "labels are one band of class ids, a palette, or three bands of legend colors".to_owned(),
            ),
            Self::AmbiguousLayer { .. } => {
                Some("leave one layer in the file: `ogr2ogr one.gpkg FILE LAYER`".to_owned())
            }
            Self::VectorsWithoutCrs { name } => {
                Some(format!("give it one: `ogr2ogr -a_srs EPSG:25832 placed.gpkg {name}`"))
            }
            Self::OpenVectors { .. } => {
                Some("check the path; `ogrinfo` tells whether this GDAL reads it".to_owned())
            }
            Self::NotOneMosaic { remedy, .. }
            | Self::CannotResample { remedy, .. }
            | Self::SizeMismatch { remedy, .. }
            | Self::PlaceMismatch { remedy, .. }
            | Self::CrsMismatch { remedy, .. } => Some(remedy.clone()),
            Self::NoOverlap { .. } => Some("check that both are of the same place".to_owned()),
            Self::WarpWithoutPlace { .. } => Some(
                "give it one first, such as with `gdal_translate -a_srs CRS -a_ullr ULX ULY LRX LRY`, or with \
                 `gdalwarp` where it has control points"
                    .to_owned(),
            ),
            Self::WarpGrid { .. } => {
                Some("choose a CRS that is made for the place, or cut the raster first: `gdal_translate -projwin`".to_owned())
            }
            Self::NoRasters { .. } => Some("name the rasters themselves; folders below are not searched".to_owned()),
            Self::MemberWithoutPlace { .. } => Some(
                "segment it alone, or give it a place first, such as with `gdal_translate -a_ullr ULX ULY LRX LRY`"
                    .to_owned(),
            ),
            Self::NoPlace { .. } => Some(
                "give the raster a place first, such as with `gdal_translate -a_ullr ULX ULY LRX LRY -a_srs CRS`"
                    .to_owned(),
            ),
            Self::EmptyArea { .. } => Some("draw at least one polygon, or leave the area out".to_owned()),
            Self::AreaMisses { .. } => {
                Some("both are x before y in the raster's CRS; `--bbox-crs` tells of a box in another".to_owned())
            }
            Self::BoxWithoutCrs { .. } => {
                Some("leave --bbox-crs out and give the box in the raster's own coordinates".to_owned())
            }
            Self::PlaceBox { .. } => Some(
                "the box reaches beyond where the raster's CRS is defined, or is not x before y: try a smaller one"
                    .to_owned(),
            ),
            Self::NoAttribute { has, .. } => {
                Some(format!("`--label-attribute` takes one of {}", has.join(", ")))
            }
            Self::UnknownClasses { legend, .. } => {
                Some(format!("the legend has the classes {}", legend.join(", ")))
            }
            Self::NotForPng { .. } => Some("use `--format gtiff`".to_owned()),
            Self::Transform { .. } | Self::NoTransform { .. } | Self::Crs { .. } | Self::NoWay { .. } => {
                Some("`rs-seg doctor` tells whether PROJ finds its data".to_owned())
            }
            _ => self.hint_on_polygons(),
        }
    }

    /// What to do where polygons cannot be written.
    fn hint_on_polygons(&self) -> Option<String> {
        match self {
            Self::UnknownVectorFormat { endings, .. } => Some(format!("endings are {}", endings.join(", "))),
            Self::WritePolygons { source, .. }
                if ["full", "No space", "I/O", "DBF record"].iter().any(|sign| source.0.contains(sign)) =>
            {
                Some("make room, or write to another disk; nothing is left of this try".to_owned())
            }
            Self::PolygonsBusy { .. } => {
                Some("wait until it has ended, or write to another file".to_owned())
            }
            Self::LayerName { .. } => Some(
                "layers are called as the file, or with --layer-per-class as the classes: call it another name"
                    .to_owned(),
            ),
            Self::NoVectorDriver { .. } => Some(
                "write .gpkg or .fgb, or use a GDAL that has it; `ogrinfo --formats` lists them".to_owned(),
            ),
            _ => None,
        }
    }
}

impl From<Error> for IoError {
    fn from(error: Error) -> Self {
        let hint = error.hint();
        let action = error.to_string();
        match error {
            Error::OpenRaster { source, .. }
            | Error::ReadWindow { source, .. }
            | Error::ReadBlock { source, .. }
            | Error::ReadMetadata { source, .. }
            | Error::CreateRaster { source, .. }
            | Error::SetReference { source, .. }
            | Error::WriteWindow { source, .. }
            | Error::FinishRaster { source, .. } => Self { action, hint, cause: Box::new(source) },
            Error::File { source, .. } => Self { action, hint, cause: Box::new(source) },
            other => Self { action: "cannot use this raster".to_owned(), hint, cause: Box::new(other) },
        }
    }
}

impl fmt::Display for GdalMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for GdalMessage {}

impl GdalMessage {
    /// Whether it tells of a file that could not grow.
    fn is_full_disk(&self) -> bool {
        ["rite error", "No space", "File too large"].iter().any(|words| self.0.contains(words))
    }

    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl From<GdalError> for GdalMessage {
    /// GDAL's own words, without the names of C functions and classes around them.
    fn from(error: GdalError) -> Self {
        let text = match error {
            GdalError::CplError { msg, .. }
            | GdalError::NullPointer { msg, .. }
            | GdalError::BadArgument(msg)
            | GdalError::InvalidCoordinateRange { msg: Some(msg), .. } => msg,
            other => other.to_string(),
        };
        Self(if text.is_empty() { "GDAL gave no reason".to_owned() } else { text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error as _;

    #[test]
    fn a_cause_is_told_once() {
        let source = GdalMessage::new("TIFFReadEncodedStrip() failed");
        let window = Window::whole(Size::square(4));
        let error = Error::ReadBlock { name: "a.tif".to_owned(), band: BandIndex::FIRST, window, source };
        assert_eq!(error.to_string(), "cannot read the block of 4 x 4 at column 0, row 0 in band 1 of a.tif");
        let io = IoError::from(error);
        assert_eq!(io.source().expect("a cause").to_string(), "TIFFReadEncodedStrip() failed");
        assert!(io.hint.is_some());
    }

    #[test]
    fn gdal_s_message_is_not_lost() {
        let message = GdalMessage::from(GdalError::BadArgument("no such thing".to_owned()));
        assert_eq!(message.to_string(), "no such thing");
    }
}

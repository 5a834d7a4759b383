use crate::labels::{LabelReader, opening};
use crate::tile::gather::Input;
use crate::tile::job::TileJob;
use crate::{Error, LabelFile, Place, SplitSource};
use seg_gdal::{BandSelection, Crs, GeoRaster, GridReference, MaskKind, ReadOptions};
use seg_grid::{DataType, RasterSource as _, Size, TileGrid};

/// A raster that was found fit to be cut.
#[derive(Debug)]
pub(crate) struct Source {
    pub name: String,
    pub label: Option<LabelFile>,
    pub reference: GridReference,
    pub grid: TileGrid,
    pub bands: usize,
    pub dtype: DataType,
    /// What the user should know about its labels, each with the name that it is about.
    pub notes: Vec<(String, String)>,
    /// Whether pixels can be without data.
    pub has_holes: bool,
}

impl Source {
    /// Opens a raster and its labels, checks that they fit, and closes them again.
    pub(crate) fn check(input: &Input, job: &TileJob) -> Result<Self, Error> {
        let name = input.image.clone();
        let raster = open_image(&name)?;
        let profile = raster.raster_profile().clone();
        let mut notes = Vec::new();
        if let Some(label) = &input.label {
            let convention = job.convention.as_ref().ok_or(Error::NoLegend)?;
            let (reader, said) = LabelReader::open(label, &profile, convention)?;
            let said = said.into_iter().chain(doubt_about_ids(job, &reader, label));
            notes.extend(said.map(|note| (label.name().to_owned(), note)));
        }
        let grid = TileGrid::new(profile.size, Size::square(job.size), job.overlap, job.edge)
            .map_err(|source| Error::Tiling { name: name.clone(), source })?;
        let has_holes = raster.profile().dtype.is_float()
            || profile.bands.iter().any(|band| band.mask != MaskKind::AllValid);
        Ok(Self {
            label: input.label.clone(),
            reference: GridReference::from(&profile),
            grid,
            bands: raster.profile().bands,
            dtype: raster.profile().dtype,
            has_holes,
            notes,
            name,
        })
    }

    /// Where it lies, for the split.
    pub(crate) fn split_source(&self) -> SplitSource {
        let place =
            Place { crs: self.reference.crs.as_ref().map(crs_text), transform: self.reference.transform };
        SplitSource { name: self.name.clone(), place }
    }
}

/// Opens an image with all its bands, a palette as colors.
pub(crate) fn open_image(name: &str) -> Result<GeoRaster, Error> {
    let options = ReadOptions::default();
    let raster = GeoRaster::open(name, &options).map_err(opening(name))?;
    match &raster.raster_profile().bands[..] {
        [only] if only.palette.is_some() => {
            let options = ReadOptions { bands: BandSelection::Auto { needed: 3 }, ..options };
            GeoRaster::open(name, &options).map_err(opening(name))
        }
        _ => Ok(raster),
    }
}

/// The code of an authority, or well-known text.
pub(crate) fn crs_text(crs: &Crs) -> String {
    let name = crs.to_string();
    if name.contains(':') { name } else { crs.wkt().to_owned() }
}

/// A legend whose ids count from 0 reads the ids of a data set that counts from 1 without an error.
fn doubt_about_ids(job: &TileJob, reader: &LabelReader, label: &LabelFile) -> Option<String> {
    (reader.is_by_id() && job.is_in_doubt()).then(|| {
        format!(
            "the ids of {} are read as the legend's, from 0; if they count from 1, as those of the data set do, \
             name it with --dataset",
            label.name()
        )
    })
}

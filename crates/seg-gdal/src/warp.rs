//! Rasters as GDAL's warper shows them on another grid, without a file.

use crate::data_name::DataName;
use crate::warp_source::warp_source;
use crate::xml::escape;
use crate::{BandIndex, BandSelection, Crs, Error, GeoRaster, GridReference, MaskKind, ReadOptions};
use seg_grid::{DataType, RasterSource as _, Size};
use std::fmt::Write as _;

/// How pixels of another size are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resampling {
    /// The mean of all pixels below: for larger ones.
    Average,
    /// Between the four around: for pixels that are as large, or smaller.
    Bilinear,
    /// The nearest: for values that have no mean, such as classes.
    Nearest,
}

/// A raster on another grid: what GDAL opens, and what reading a block of it takes.
pub(crate) struct Warped {
    pub name: DataName,
    /// Bytes that making one block takes.
    pub bytes: u64,
}

/// Pixels of the raster along a side that are read for one block at most, as far as blocks can be made smaller.
const READ_SIDE: f64 = 1024.0;
const BLOCK_SIDES: [usize; 6] = [512, 256, 128, 64, 32, 16];
/// How far GDAL may be from PROJ, in pixels; its own tools take the same.
const MAX_ERROR: f64 = 0.125;

impl Resampling {
    pub(crate) const fn gdal_name(self) -> &'static str {
        match self {
            Self::Average => "Average",
            Self::Bilinear => "Bilinear",
            Self::Nearest => "NearestNeighbour",
        }
    }
}

impl Warped {
    /// Describes the bands of `raster` that were chosen, on another grid.
    pub(crate) fn new(raster: &GeoRaster, target: &GridReference, how: Resampling) -> Result<Self, Error> {
        let profile = raster.raster_profile();
        let name = &profile.name;
        let plan = raster.band_plan();
        let refused = |what: &'static str, hint: &'static str| Error::CannotResample {
            name: name.clone(),
            what,
            remedy: hint.to_owned(),
        };
        if plan.palette.is_some() {
            let hint = "expand the palette first: `gdal_translate -expand rgb`";
            return Err(refused("the colors of a palette have no mean", hint));
        }
        if plan.bands.iter().any(|band| band.dtype == Some(DataType::Int8)) {
            let hint = "convert it first: `gdal_translate -ot Int16`";
            return Err(refused("its values are signed bytes", hint));
        }
        let (Some(from), Some(to)) = (profile.transform, target.transform) else {
            return Err(Error::WarpWithoutPlace { name: name.clone(), to: "another grid".to_owned() });
        };
        let bands = plan.distinct();
        let source = warp_source(raster);
        let scale = target.scale_of(profile.size, profile.crs.as_ref(), from);
        let block = block_of(scale, target.size);
        let list = |t: [f64; 6]| t.map(|v| format!("{v:?}")).join(", ");
        let crs = |crs: &Crs| escape(crs.faithful_text());
        let Size { width, height } = target.size;
        let mut xml = format!(
            "<VRTDataset rasterXSize=\"{width}\" rasterYSize=\"{height}\" subClass=\"VRTWarpedDataset\">"
        );
        // Writing to a string cannot fail, here and below.
        let mut add = |text: std::fmt::Arguments<'_>| {
            let _ = xml.write_fmt(text);
        };
        if let Some(target) = &target.crs {
            add(format_args!("<SRS>{}</SRS>", crs(target)));
        }
        add(format_args!("<GeoTransform>{}</GeoTransform>", list(to.to_gdal())));
        for (i, band) in bands.iter().enumerate() {
            let dtype = band.dtype.map_or("Float32", gdal_name);
            add(format_args!(
                "<VRTRasterBand dataType=\"{dtype}\" band=\"{}\" subClass=\"VRTWarpedRasterBand\"/>",
                i + 1
            ));
        }
        let number = bands.len() + 1;
        add(format_args!(
            "<VRTRasterBand dataType=\"Byte\" band=\"{number}\" subClass=\"VRTWarpedRasterBand\">\
             <ColorInterp>Alpha</ColorInterp></VRTRasterBand>\
             <BlockXSize>{0}</BlockXSize><BlockYSize>{0}</BlockYSize>\
             <GDALWarpOptions><ResampleAlg>{1}</ResampleAlg>\
             <Option name=\"INIT_DEST\">0</Option><Option name=\"UNIFIED_SRC_NODATA\">PARTIAL</Option>\
             <Option name=\"DST_ALPHA_MAX\">255</Option>",
            block.width,
            how.gdal_name(),
        ));
        add(format_args!("<SourceDataset relativeToVRT=\"0\">{}</SourceDataset>", escape(&source)));
        let way = match (&profile.crs, &target.crs) {
            (Some(a), Some(b)) if !a.is_same(b) => format!(
                "<ReprojectTransformer><ReprojectionTransformer><SourceSRS>{}</SourceSRS>\
                 <TargetSRS>{}</TargetSRS></ReprojectionTransformer></ReprojectTransformer>",
                crs(a),
                crs(b)
            ),
            _ => String::new(),
        };
        let affine = format!(
            "<GenImgProjTransformer><SrcGeoTransform>{}</SrcGeoTransform><DstGeoTransform>{}</DstGeoTransform>{way}\
             </GenImgProjTransformer>",
            list(from.to_gdal()),
            list(to.to_gdal())
        );
        if way.is_empty() {
            add(format_args!("<Transformer>{affine}</Transformer><BandList>"));
        } else {
            add(format_args!(
                "<Transformer><ApproxTransformer><MaxError>{MAX_ERROR}</MaxError><BaseTransformer>{affine}\
                 </BaseTransformer></ApproxTransformer></Transformer><BandList>"
            ));
        }
        for (i, band) in bands.iter().enumerate() {
            // NaN is no measurement, whether the file says so or not.
            let nan = band.dtype.is_some_and(DataType::is_float).then_some(f64::NAN);
            // Where a mask stands in front of the nodata value, GDAL's mask does not tell of it.
            let hidden = if band.mask == MaskKind::Nodata { None } else { band.nodata };
            let nodata = hidden.or(nan).map_or(String::new(), |v| {
                format!("<SrcNoDataReal>{}</SrcNoDataReal><SrcNoDataImag>0</SrcNoDataImag>", number_text(v))
            });
            add(format_args!("<BandMapping src=\"{0}\" dst=\"{0}\">{nodata}</BandMapping>", i + 1));
        }
        add(format_args!("</BandList><DstAlphaBand>{number}</DstAlphaBand></GDALWarpOptions></VRTDataset>"));
        let value = bands.iter().filter_map(|band| band.dtype).map(DataType::bytes).sum::<usize>() as f64;
        // Values, and for each pixel a density and bits of validity; what is read, what is made.
        let read = (block.width as f64 * scale + 4.0).powi(2) * (value + 4.0 + 1.0);
        let made = block.area() as f64 * (value + 4.0 + 1.0);
        let bytes = (read + made) as u64 + raster.profile().block_bytes;
        Ok(Self { name: DataName::described(name, xml), bytes })
    }

    /// How its bands are read, to be those of the raster it was made from.
    pub(crate) fn options(raster: &GeoRaster) -> ReadOptions {
        let plan = raster.band_plan();
        let distinct = plan.distinct();
        let place = |band: BandIndex| distinct.iter().position(|other| other.index == band).unwrap_or(0);
        let bands = plan.bands.iter().map(|band| BandIndex::from_position(place(band.index)));
        ReadOptions { bands: BandSelection::Explicit(bands.collect()), ..raster.options().clone() }
    }
}

impl GridReference {
    /// The raster's pixels along a side of one of this grid, at its middle.
    fn scale_of(&self, raster: Size, crs: Option<&Crs>, from: seg_grid::GeoTransform) -> f64 {
        let (Some(to), Some(own)) = (self.transform, crs.or(self.crs.as_ref())) else { return 1.0 };
        let Some(target) = &self.crs else {
            return (to.gsd().x / from.gsd().x).max(to.gsd().y / from.gsd().y);
        };
        // What it would take to hold the raster with pixels as large as its own.
        let place = Self { crs: Some(own.clone()), transform: Some(from), ..Self::unplaced(raster) };
        let even = place.warped_to(target, None, "").ok().and_then(|grid| grid.transform);
        even.map_or(1.0, |even| (to.gsd().x / even.gsd().x).max(to.gsd().y / even.gsd().y))
    }
}

fn block_of(scale: f64, raster: Size) -> Size {
    let fits = |side: &usize| *side as f64 * scale <= READ_SIDE;
    let side = BLOCK_SIDES.into_iter().find(fits).unwrap_or(16);
    Size::square(side.min(raster.width.max(raster.height).next_multiple_of(16)))
}

/// A number that GDAL reads back as it was.
fn number_text(value: f64) -> String {
    if value.is_nan() { "nan".to_owned() } else { format!("{value:?}") }
}

pub(crate) const fn gdal_name(dtype: DataType) -> &'static str {
    match dtype {
        DataType::UInt8 => "Byte",
        DataType::Int8 => "Int8",
        DataType::UInt16 => "UInt16",
        DataType::Int16 => "Int16",
        DataType::UInt32 => "UInt32",
        DataType::Int32 => "Int32",
        DataType::UInt64 => "UInt64",
        DataType::Int64 => "Int64",
        DataType::Float32 => "Float32",
        DataType::Float64 => "Float64",
    }
}

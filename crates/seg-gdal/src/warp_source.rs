//! A raster as GDAL's warper reads it: the bands that were chosen, under one mask.

use crate::data_name::HANDLE;
use crate::warp::gdal_name;
use crate::xml::escape;
use crate::{GeoRaster, Interpretation, MaskKind};
use seg_grid::Size;
use std::fmt::Write as _;

/// A VRT of the bands that were chosen, whose mask is what all their masks have in common: by itself the warper
/// takes a mask for each band, and would make colors of half a measurement.
pub(crate) fn warp_source(raster: &GeoRaster) -> String {
    let profile = raster.raster_profile();
    let chosen = raster.band_plan().distinct();
    let masks = masks(raster);
    let Size { width, height } = profile.size;
    // GDAL shares handles of one name, which threads must not: a number makes each another name.
    let mut xml = format!("<VRTDataset rasterXSize=\"{width}\" rasterYSize=\"{height}\"><!-- {HANDLE} -->");
    let source = |band: &str| {
        format!(
            "<SimpleSource><SourceFilename relativeToVRT=\"0\" shared=\"0\">{}</SourceFilename>\
                 <SourceBand>{band}</SourceBand></SimpleSource>",
            escape(&profile.name)
        )
    };
    for (i, band) in chosen.iter().enumerate() {
        let dtype = band.dtype.map_or("Float32", gdal_name);
        // Writing to a string cannot fail, here and below.
        let _ = write!(
            xml,
            "<VRTRasterBand dataType=\"{dtype}\" band=\"{}\">{}</VRTRasterBand>",
            i + 1,
            source(&band.index.to_string())
        );
    }
    let sources: String = masks.iter().map(|mask| source(mask)).collect();
    // Products of zeros and others, cut off at 255: zero where any is.
    let kind = match masks.len() {
        0 => return xml + "</VRTDataset>",
        1 => ">",
        _ => " subClass=\"VRTDerivedRasterBand\"><PixelFunctionType>mul</PixelFunctionType>",
    };
    let _ = write!(
        xml,
        "<MaskBand><VRTRasterBand dataType=\"Byte\"{kind}{sources}</VRTRasterBand></MaskBand></VRTDataset>"
    );
    xml
}

/// The masks that count for the bands that were chosen, as a VRT calls them.
fn masks(raster: &GeoRaster) -> Vec<String> {
    let chosen = raster.band_plan().distinct();
    let mut masks = Vec::new();
    let bands = &raster.raster_profile().bands;
    let alpha = bands.iter().find(|band| band.interpretation == Interpretation::Alpha);
    if let Some(alpha) = alpha.filter(|alpha| !chosen.iter().any(|band| band.index == alpha.index)) {
        masks.push(alpha.index.to_string());
    }
    let mut seen = Vec::new();
    for band in chosen {
        let shared = matches!(band.mask, MaskKind::Shared | MaskKind::NodataOfAllBands);
        let of_its_own = matches!(band.mask, MaskKind::Own | MaskKind::Nodata);
        if of_its_own || shared && !seen.contains(&band.mask) {
            masks.push(format!("mask,{}", band.index));
            seen.push(band.mask);
        }
    }
    masks
}

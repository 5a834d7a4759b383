use crate::bands::BandPlan;
use crate::{BandIndex, Interpretation, MaskKind, RasterProfile};
use seg_grid::DataType;

/// How to tell which pixels were measured: those at which every one of these says so.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ValidityPlan {
    /// Masks that are cheap next to the pixels, so they are read first.
    pub first: Vec<MaskSource>,
    /// Masks that GDAL derives from the pixels, read when these are in its cache.
    pub after: Vec<MaskSource>,
    /// Nodata values that we compare with ourselves, by position in the bands read.
    pub nodata: Vec<(usize, f32)>,
    /// Whether values can be NaN or infinite.
    pub floats: bool,
}

/// Where a mask is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MaskSource {
    /// GDAL's mask of a band.
    MaskOf(BandIndex),
    /// An alpha band's own values.
    Alpha(BandIndex),
}

impl ValidityPlan {
    /// Decides which masks count for the bands that are read.
    pub(crate) fn new(profile: &RasterProfile, plan: &BandPlan) -> Self {
        let chosen = plan.distinct();
        let (mut first, mut after, mut nodata) = (Vec::new(), Vec::new(), Vec::new());
        let alpha = profile.bands.iter().find(|band| band.interpretation == Interpretation::Alpha);
        if let Some(alpha) = alpha
            && !chosen.iter().any(|band| band.index == alpha.index)
        {
            first.push(MaskSource::Alpha(alpha.index));
        }
        for band in chosen {
            let mask = MaskSource::MaskOf(band.index);
            let already = |kind| first.iter().chain(&after).any(|m| is_kind(profile, *m, kind));
            match band.mask {
                MaskKind::Shared if !already(MaskKind::Shared) => first.push(mask),
                MaskKind::Own => first.push(mask),
                MaskKind::NodataOfAllBands if !already(MaskKind::NodataOfAllBands) => after.push(mask),
                MaskKind::Nodata if !exact(band.dtype) => after.push(mask),
                // `Alpha` was dealt with: either masks above, or is read as data and masks nothing.
                _ => {}
            }
            // Where a mask stands in front of the nodata value, GDAL looks at the mask only.
            let ours = match band.mask {
                MaskKind::Nodata => exact(band.dtype),
                MaskKind::NodataOfAllBands => false,
                _ => true,
            };
            if ours
                && let Some(value) = band.nodata
                && let Some(position) = plan.bands.iter().position(|b| b.index == band.index)
            {
                nodata.push((position, value as f32));
            }
        }
        let floats = plan.bands.iter().any(|band| band.dtype.is_some_and(DataType::is_float));
        Self { first, after, nodata, floats }
    }
}

/// Whether f32 holds all values of a type.
fn exact(dtype: Option<DataType>) -> bool {
    matches!(dtype, Some(DataType::UInt8 | DataType::Int8 | DataType::UInt16 | DataType::Int16))
}

fn is_kind(profile: &RasterProfile, source: MaskSource, kind: MaskKind) -> bool {
    matches!(source, MaskSource::MaskOf(index)
        if profile.bands.get(index.position()).is_some_and(|band| band.mask == kind))
}

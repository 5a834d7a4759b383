use crate::labels::LabelReader;
use crate::statistics::Moments;
use crate::tile::job::TileJob;
use crate::tile::out_folder::{IMAGES, LABELS, OutFolder};
use crate::tile::source::{Source, crs_text, open_image};
use crate::{ChipRecord, Error, Split};
use ndarray::{Array2, Zip};
use seg_gdal::{
    BandIndex, BandProfile, ChipFormat, GeoRaster, GridReference, Interpretation, MaskKind, Palette,
    RawPatch, RawValues, write_chip,
};
use seg_grid::{DataType, Size, Window};
use seg_label::{Convention, IGNORE_INDEX, Legend, Tally};
use std::collections::BTreeMap;
use std::path::Path;

/// A chip to cut.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Order<'a> {
    pub source: &'a Source,
    /// The place of `source` among all.
    pub index: usize,
    /// How the chip's file is called, before its place and ending.
    pub name: &'a str,
    pub window: Window,
    pub split: Split,
}

/// What became of a chip.
#[derive(Debug)]
pub(crate) struct Cut {
    pub record: ChipRecord,
    /// Of a training chip.
    pub moments: Option<Moments>,
}

/// The raster and labels that a thread has open.
#[derive(Debug)]
pub(crate) struct Handles {
    raster: GeoRaster,
    label: Option<LabelReader>,
}

impl Handles {
    /// Opens what a chip is cut from.
    pub(crate) fn open(order: &Order<'_>, job: &TileJob) -> Result<Self, Error> {
        let raster = open_image(&order.source.name)?;
        let label = match (&order.source.label, &job.convention) {
            (Some(label), Some(convention)) => {
                Some(LabelReader::open(label, raster.raster_profile(), convention)?.0)
            }
            (Some(_), None) => return Err(Error::NoLegend),
            (None, _) => None,
        };
        Ok(Self { raster, label })
    }
}

/// Reads and writes one chip.
pub(crate) fn cut(
    order: &Order<'_>,
    handles: &mut Handles,
    job: &TileJob,
    out: &OutFolder,
) -> Result<Cut, Error> {
    let read = handles.raster.read_measured(order.window).map_err(|source| Error::Raster {
        action: "read",
        name: order.source.name.clone(),
        source: Box::new(source),
    })?;
    let patch = read.ok_or_else(|| Error::Changed { name: order.source.name.clone() })?;
    let valid = patch.valid.iter().filter(|&&valid| valid).count() as f64 / patch.valid.len() as f64;
    let ids = match (&handles.label, &job.convention) {
        (Some(label), Some(convention)) => {
            Some((read_labels(label, order.window, convention, &patch.valid)?, &convention.legend))
        }
        _ => None,
    };
    let ending = match job.format {
        ChipFormat::GTiff => "tif",
        ChipFormat::Png => "png",
    };
    let file = format!("{}_x{}_y{}.{ending}", order.name, order.window.x, order.window.y);
    let reference = order.source.reference.for_window(order.window);
    let moments = (order.split == Split::Train).then(|| Moments::of(&patch.seen(), &patch.valid.view()));
    let image = format!("{IMAGES}/{file}");
    write(
        &out.part(&image),
        with_validity(patch.raw, &patch.valid),
        &reference,
        job.format,
        &job.creation_options,
    )?;
    let label = ids.as_ref().map(|_| format!("{LABELS}/{file}"));
    let (mut histogram, mut ignored) = (BTreeMap::new(), None);
    if let (Some((ids, legend)), Some(label)) = (ids, &label) {
        (histogram, ignored) = count(&ids, legend);
        write(&out.part(label), label_patch(ids, legend), &reference, job.format, &[])?;
    }
    Ok(Cut {
        record: ChipRecord {
            image,
            label,
            label_source: order.source.label.as_ref().map(|label| label.name().to_owned()),
            source: order.source.name.clone(),
            window: order.window,
            split: order.split,
            valid,
            histogram,
            ignored,
            crs: reference.crs.as_ref().map(crs_text),
            transform: reference.transform.map(seg_grid::GeoTransform::to_gdal),
        },
        moments,
    })
}

/// The classes of a window; what the image does not show is not to be learned.
fn read_labels(
    label: &LabelReader,
    window: Window,
    convention: &Convention,
    valid: &Array2<bool>,
) -> Result<Array2<u8>, Error> {
    // What the codes are was counted before.
    let mut ids = label.read(window, &convention.relabel, &mut Tally::default())?;
    Zip::from(&mut ids).and(valid).for_each(|id, &valid| {
        if !valid {
            *id = IGNORE_INDEX;
        }
    });
    Ok(ids)
}

fn count(ids: &Array2<u8>, legend: &Legend) -> (BTreeMap<String, u64>, Option<u64>) {
    let mut counts = [0_u64; 256];
    ids.iter().for_each(|&id| counts[usize::from(id)] += 1);
    let of_class = |class: &seg_label::Class| {
        let pixels = counts[usize::from(class.id.0)];
        (pixels > 0).then(|| (class.name.clone(), pixels))
    };
    (legend.classes().iter().filter_map(of_class).collect(), Some(counts[usize::from(IGNORE_INDEX)]))
}

/// The raster's own values, with an alpha band (or NaN) where nothing else in the chip would tell which pixels
/// have no data.
fn with_validity(mut raw: RawPatch, valid: &Array2<bool>) -> RawPatch {
    let told = raw.bands.iter().all(|(band, _)| band.nodata.is_some());
    if told || valid.iter().all(|&valid| valid) {
        return raw;
    }
    for (_, values) in &mut raw.bands {
        match values {
            RawValues::Float32(values) => blank(values, valid, f32::NAN),
            RawValues::Float64(values) => blank(values, valid, f64::NAN),
            _ => {}
        }
    }
    let alpha = match raw.bands.first().map(|(_, values)| values.dtype()) {
        Some(DataType::UInt8) => {
            RawValues::UInt8(valid.iter().map(|&valid| if valid { u8::MAX } else { 0 }).collect())
        }
        Some(DataType::UInt16) => {
            RawValues::UInt16(valid.iter().map(|&valid| if valid { u16::MAX } else { 0 }).collect())
        }
        _ => return raw,
    };
    let index = BandIndex::from_position(raw.bands.len());
    let profile =
        BandProfile { interpretation: Interpretation::Alpha, ..plain_band(index, alpha.dtype(), raw.size) };
    raw.bands.push((profile, alpha));
    raw
}

fn blank<T: Copy>(values: &mut [T], valid: &Array2<bool>, nothing: T) {
    for (value, &valid) in values.iter_mut().zip(valid) {
        if !valid {
            *value = nothing;
        }
    }
}

/// A label chip: bytes in the legend's colors, 255 for what is ignored.
fn label_patch(ids: Array2<u8>, legend: &Legend) -> RawPatch {
    let (height, width) = ids.dim();
    let size = Size { width, height };
    let mut entries = vec![[0, 0, 0, 0]; 256];
    for class in legend.classes() {
        entries[usize::from(class.id.0)] = [class.color.r, class.color.g, class.color.b, 255];
    }
    let profile = BandProfile {
        nodata: Some(f64::from(IGNORE_INDEX)),
        interpretation: Interpretation::Palette,
        palette: Some(Palette { entries }),
        ..plain_band(BandIndex::FIRST, DataType::UInt8, size)
    };
    RawPatch { size, bands: vec![(profile, RawValues::UInt8(ids.into_iter().collect()))] }
}

/// A band of which nothing is known but its type.
pub(crate) fn plain_band(index: BandIndex, dtype: DataType, block: Size) -> BandProfile {
    BandProfile {
        index,
        dtype: Some(dtype),
        nodata: None,
        interpretation: Interpretation::Undefined,
        description: String::new(),
        mask: MaskKind::AllValid,
        block,
        palette: None,
    }
}

/// The creation options of a chip: what was asked for, and how GeoTIFF is compressed where that is not.
fn options(format: ChipFormat, asked: &[String]) -> Vec<String> {
    let key = |option: &String| option.split('=').next().unwrap_or_default().to_ascii_uppercase();
    let compressed = format == ChipFormat::Png || asked.iter().any(|option| key(option) == "COMPRESS");
    let default = (!compressed).then(|| "COMPRESS=DEFLATE".to_owned());
    asked.iter().cloned().chain(default).collect()
}

fn write(
    path: &Path,
    patch: RawPatch,
    reference: &GridReference,
    format: ChipFormat,
    asked: &[String],
) -> Result<(), Error> {
    let options = options(format, asked);
    write_chip(path, patch, reference, format, &options).map_err(|source| Error::Raster {
        action: "write chip",
        name: path.display().to_string(),
        source: Box::new(source),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_comes_before_the_usual_compression() {
        let of = |format, asked: &[&str]| {
            options(format, &asked.iter().map(|option| (*option).to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(of(ChipFormat::GTiff, &[]), ["COMPRESS=DEFLATE"]);
        assert_eq!(of(ChipFormat::GTiff, &["compress=none"]), ["compress=none"]);
        assert_eq!(of(ChipFormat::GTiff, &["TILED=YES"]), ["TILED=YES", "COMPRESS=DEFLATE"]);
        assert_eq!(of(ChipFormat::Png, &["ZLEVEL=1"]), ["ZLEVEL=1"]);
    }
}

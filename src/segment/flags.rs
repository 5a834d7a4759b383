use super::tiling::{self, Tiling};
use super::{AreaRequest, Job, OverlapChoice, report};
use crate::value::{BlendChoice, DeviceArg, FlipChoice};
use clap::ValueEnum;
use seg_grid::Blend;
use seg_nn::{InferencePrecision, ModelCard};
use seg_run::Overlap;
use std::collections::BTreeMap;

/// The flags of `infer` that decide the classes, with their values as the command line takes them.
///
/// What only decides how fast they come is left out: threads, batch, memory. So are names of outputs. What `auto`
/// found stands for it.
pub(crate) fn deciding(
    job: &Job,
    card: &ModelCard,
    tiling: &Tiling,
    precision: InferencePrecision,
) -> BTreeMap<String, String> {
    let scales: Vec<_> = job.passes.scales.iter().map(ToString::to_string).collect();
    let mut flags = BTreeMap::from([
        ("tile", tiling::side(job, card).to_string()),
        ("overlap", overlap(job.overlap, tiling)),
        ("scaling", job.scaling.to_string()),
        ("device", DeviceArg::from(job.device).to_string()),
        ("gsd", job.pixel_size.to_string()),
        ("precision", report::precision(precision).to_owned()),
        ("scales", scales.join(",")),
    ]);
    flags.extend(word(|choice: &BlendChoice| choice.blend() == job.blend).map(|name| ("blend", name)));
    flags.extend(word(|choice: &FlipChoice| choice.turns() == job.passes.turns).map(|name| ("tta", name)));
    if let Blend::HannBeyond { margin } = tiling.blend {
        flags.insert("margin", margin.to_string());
    }
    flags.extend(job.t_srs.as_ref().map(|crs| ("t-srs", crs.wkt().to_owned())));
    match &job.area {
        Some(AreaRequest::Box(bounds, crs)) => {
            flags.insert(
                "bbox",
                [bounds.x_min, bounds.y_min, bounds.x_max, bounds.y_max].map(|v| v.to_string()).join(","),
            );
            flags.extend(crs.as_ref().map(|crs| ("bbox-crs", crs.wkt().to_owned())));
        }
        Some(AreaRequest::Polygons(name)) => {
            flags.insert("aoi", name.clone());
        }
        None => {}
    }
    if let Some(bands) = &job.bands {
        let bands: Vec<_> = bands.iter().map(ToString::to_string).collect();
        flags.insert("bands", bands.join(","));
    }
    flags.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// What the command line calls the choice that fits.
fn word<T: ValueEnum>(fits: impl Fn(&T) -> bool) -> Option<String> {
    let choice = T::value_variants().iter().find(|choice| fits(choice))?;
    choice.to_possible_value().map(|value| value.get_name().to_owned())
}

fn overlap(overlap: OverlapChoice, tiling: &Tiling) -> String {
    match overlap {
        OverlapChoice::Told(Overlap::Pixels(pixels)) => pixels.to_string(),
        OverlapChoice::Told(Overlap::Percent(percent)) => format!("{percent}%"),
        OverlapChoice::Usual | OverlapChoice::Auto => tiling::overlap(&tiling.grid).to_string(),
    }
}

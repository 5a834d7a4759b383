use super::{Job, PixelSize, TILE};
use crate::value::{BlendChoice, DeviceArg};
use clap::ValueEnum as _;
use seg_nn::ModelCard;
use seg_run::Overlap;
use std::collections::BTreeMap;

/// The flags of `infer` that decide the classes, with their values as the command line takes them.
///
/// What only decides how fast they come is left out: threads, batch, memory. So are names of outputs.
pub(crate) fn deciding(job: &Job, card: &ModelCard) -> BTreeMap<String, String> {
    let mut flags = BTreeMap::from([
        ("tile", job.tile.or(card.tile_px).unwrap_or(TILE).to_string()),
        ("overlap", overlap(job.overlap)),
        ("scaling", job.scaling.to_string()),
        ("device", DeviceArg::from(job.device).to_string()),
        ("gsd", if job.pixel_size == PixelSize::Model { "model" } else { "native" }.to_owned()),
    ]);
    let blend = BlendChoice::value_variants().iter().find(|choice| choice.blend() == job.blend);
    if let Some(name) = blend.and_then(clap::ValueEnum::to_possible_value) {
        flags.insert("blend", name.get_name().to_owned());
    }
    if let Some(bands) = &job.bands {
        let bands: Vec<_> = bands.iter().map(ToString::to_string).collect();
        flags.insert("bands", bands.join(","));
    }
    flags.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn overlap(overlap: Overlap) -> String {
    match overlap {
        Overlap::Pixels(pixels) => pixels.to_string(),
        Overlap::Percent(percent) => format!("{percent}%"),
    }
}

//! What a configuration says to the crates that know nothing of networks.

use seg_data::InputScale;
use seg_label::{Class, ClassId, Legend, Rgb};
use seg_nn::{Config, ParameterGroup, TowerTraining, Transfer};

use crate::{Error, TrainSettings};

/// Class names in the order of the network's channels.
pub(crate) fn names(config: &Config) -> Vec<String> {
    config.class.iter().map(|class| class.name.clone()).collect()
}

/// The classes, numbered in the order of the network's channels.
pub(crate) fn legend(config: &Config) -> Result<Legend, Error> {
    let class = |(channel, class): (usize, &seg_nn::ClassSpec)| Class {
        id: ClassId(channel as u8),
        name: class.name.clone(),
        prompt: class.prompt.clone(),
        color: Rgb { r: class.color[0], g: class.color[1], b: class.color[2] },
    };
    Ok(Legend::new(config.class.iter().enumerate().map(class).collect())?)
}

/// How pixel values become the network's input.
pub(crate) fn input_scale(config: &Config) -> InputScale {
    let input = &config.input;
    InputScale { divide: input.divide, mean: input.mean.clone(), std: input.std.clone() }
}

/// How much each class weighs in the losses, in words.
pub(crate) fn weights_note(config: &Config, settings: &TrainSettings) -> String {
    let weights = settings.loss.class_weights.iter().flatten();
    let listed: Vec<_> =
        names(config).iter().zip(weights).map(|(name, weight)| format!("{name} {weight:.2}")).collect();
    format!("class weights: {}", listed.join(", "))
}

/// Names that are told one by one before the rest becomes a count.
const TOLD_ITEMS: usize = 8;

/// What was taken over from another network, in words.
pub(crate) fn transfer_notes(transfer: &Transfer) -> Vec<String> {
    let mut notes = vec![format!("{} weights taken over", transfer.taken)];
    let mut list = |what: &str, items: &[String]| {
        if !items.is_empty() {
            let told = items[..items.len().min(TOLD_ITEMS)].join(", ");
            let more = match items.len().saturating_sub(TOLD_ITEMS) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            notes.push(format!("{what}: {told}{more}"));
        }
    };
    list("classes kept", &transfer.classes_kept);
    list("classes new", &transfer.classes_new);
    let own: Vec<_> =
        transfer.reinitialized.iter().filter(|key| !of_text_tower(transfer, key)).cloned().collect();
    list("begun anew", &own);
    list("begun anew in part", &transfer.partial);
    list("not in the network", &transfer.unused);
    if transfer.missing_text_tower {
        notes.push("the text tower begins anew: the network was stored without it".to_owned());
    }
    notes
}

/// Whether a weight begins anew because the whole text tower does, which is told as one.
fn of_text_tower(transfer: &Transfer, key: &str) -> bool {
    transfer.missing_text_tower && (ParameterGroup::of(key) == ParameterGroup::Text || key == "contexts")
}

/// What is wrong with a text tower that begins anew and does not learn.
pub(crate) fn frozen_tower_warning(config: &Config, transfer: &Transfer) -> Option<&'static str> {
    let tower = config.model.text.as_ref().map(|text| text.tower);
    (transfer.missing_text_tower && tower == Some(TowerTraining::Frozen)).then_some(
        "the text tower does not learn and was not stored with the network: class texts mean nothing to it; \
         begin with a checkpoint that has it, or set model.text.tower=trained",
    )
}

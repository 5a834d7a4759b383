//! What weights are called elsewhere, as tables.

use std::collections::BTreeMap;

/// Who named the weights of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// This crate; OpenAI's CLIP and `open_clip` have the same names for its encoders.
    Own,
    /// The authors of BEMSeg, in mmsegmentation; CLIP-FPN and `DenseCLIP` have the same names.
    Mmseg,
    /// Semantic FPN on `ResNet`-50 V1c, in mmsegmentation.
    MmsegResNet,
    /// `ResNet`-50 V1c alone, as mmclassification and mmsegmentation have it.
    ResNet,
}

/// What a name begins with, and what this crate has in place of it; `#` is a number that stays.
///
/// Whole parts of a name are compared; what comes after them stays as it is.
#[derive(Debug, Clone, Copy)]
struct Rule(&'static str, &'static str);

const OWN: [Rule; 13] = [
    Rule("visual", "visual"),
    Rule("transformer", "transformer"),
    Rule("token_embedding", "token_embedding"),
    Rule("positional_embedding", "positional_embedding"),
    Rule("text_projection", "text_projection"),
    Rule("ln_final", "ln_final"),
    Rule("logit_scale", "logit_scale"),
    Rule("contexts", "contexts"),
    Rule("gamma_t", "gamma_t"),
    Rule("gamma_v", "gamma_v"),
    Rule("bff_text", "bff_text"),
    Rule("bff_image", "bff_image"),
    Rule("fpn", "fpn"),
];
/// Decoders of this crate; each has what is below `head`.
const OWN_DECODERS: [Rule; 4] =
    [Rule("head", "head"), Rule("psp", "psp"), Rule("aspp", "aspp"), Rule("aux", "aux")];

/// CLIP's modified `ResNet` as a backbone.
const CLIP_BACKBONE: [Rule; 11] = [
    Rule("backbone.conv1", "visual.conv1"),
    Rule("backbone.bn1", "visual.bn1"),
    Rule("backbone.conv2", "visual.conv2"),
    Rule("backbone.bn2", "visual.bn2"),
    Rule("backbone.conv3", "visual.conv3"),
    Rule("backbone.bn3", "visual.bn3"),
    Rule("backbone.layer1", "visual.layer1"),
    Rule("backbone.layer2", "visual.layer2"),
    Rule("backbone.layer3", "visual.layer3"),
    Rule("backbone.layer4", "visual.layer4"),
    Rule("backbone.attnpool", "visual.attnpool"),
];
/// The text side of the authors' network; one stack serves both directions there.
const TEXT_SIDE: [Rule; 16] = [
    Rule("text_encoder.token_embedding", "token_embedding"),
    Rule("text_encoder.positional_embedding", "positional_embedding"),
    Rule("text_encoder.transformer", "transformer"),
    Rule("text_encoder.ln_final", "ln_final"),
    Rule("text_encoder.text_projection", "text_projection"),
    Rule("contexts", "contexts"),
    Rule("gamma", "gamma_t"),
    Rule("gamma2", "gamma_v"),
    Rule("context_decoder.memory_proj.0", "bff_text.kv_in_norm"),
    Rule("context_decoder.memory_proj.1", "bff_text.kv_in_proj"),
    Rule("context_decoder.memory_proj.2", "bff_text.kv_mid_norm"),
    Rule("context_decoder.text_proj.0", "bff_text.q_in_norm"),
    Rule("context_decoder.text_proj.1", "bff_text.q_in_proj"),
    Rule("context_decoder.out_proj.0", "bff_text.out_norm"),
    Rule("context_decoder.out_proj.1", "bff_text.out_proj"),
    Rule("context_decoder.decoder.#.norm1", "bff_text.layers.#.norm1"),
];
const FUSION_LAYERS: [Rule; 12] = [
    Rule("context_decoder.decoder.#.norm2", "bff_text.layers.#.norm2"),
    Rule("context_decoder.decoder.#.norm3", "bff_text.layers.#.norm3"),
    Rule("context_decoder.decoder.#.self_attn.q_proj", "bff_text.layers.#.self_q"),
    Rule("context_decoder.decoder.#.self_attn.k_proj", "bff_text.layers.#.self_k"),
    Rule("context_decoder.decoder.#.self_attn.v_proj", "bff_text.layers.#.self_v"),
    Rule("context_decoder.decoder.#.self_attn.proj", "bff_text.layers.#.self_o"),
    Rule("context_decoder.decoder.#.cross_attn.q_proj", "bff_text.layers.#.cross_q"),
    Rule("context_decoder.decoder.#.cross_attn.k_proj", "bff_text.layers.#.cross_k"),
    Rule("context_decoder.decoder.#.cross_attn.v_proj", "bff_text.layers.#.cross_v"),
    Rule("context_decoder.decoder.#.cross_attn.proj", "bff_text.layers.#.cross_o"),
    Rule("context_decoder.decoder.#.mlp.0", "bff_text.layers.#.fc1"),
    Rule("context_decoder.decoder.#.mlp.3", "bff_text.layers.#.fc2"),
];
/// Neck and head of Semantic FPN in mmsegmentation: where a level is brought up, its convolutions take turns
/// with steps that have no weights but a number.
const SEMANTIC_FPN: [Rule; 10] = [
    Rule("neck.lateral_convs.#.conv", "fpn.lateral.#"),
    Rule("neck.fpn_convs.#.conv", "fpn.smooth.#"),
    Rule("decode_head.scale_heads.0.0", "head.scale.0.0"),
    Rule("decode_head.scale_heads.1.0", "head.scale.1.0"),
    Rule("decode_head.scale_heads.2.0", "head.scale.2.0"),
    Rule("decode_head.scale_heads.2.2", "head.scale.2.1"),
    Rule("decode_head.scale_heads.3.0", "head.scale.3.0"),
    Rule("decode_head.scale_heads.3.2", "head.scale.3.1"),
    Rule("decode_head.scale_heads.3.4", "head.scale.3.2"),
    Rule("decode_head.conv_seg", "head.classify"),
];
/// A `ResNet` with three convolutions before its stages.
const RESNET: [Rule; 10] = [
    Rule("stem.0", "visual.conv1"),
    Rule("stem.1", "visual.bn1"),
    Rule("stem.3", "visual.conv2"),
    Rule("stem.4", "visual.bn2"),
    Rule("stem.6", "visual.conv3"),
    Rule("stem.7", "visual.bn3"),
    Rule("layer1", "visual.layer1"),
    Rule("layer2", "visual.layer2"),
    Rule("layer3", "visual.layer3"),
    Rule("layer4", "visual.layer4"),
];
const RESNET_BACKBONE: [Rule; 10] = [
    Rule("backbone.stem.0", "visual.conv1"),
    Rule("backbone.stem.1", "visual.bn1"),
    Rule("backbone.stem.3", "visual.conv2"),
    Rule("backbone.stem.4", "visual.bn2"),
    Rule("backbone.stem.6", "visual.conv3"),
    Rule("backbone.stem.7", "visual.bn3"),
    Rule("backbone.layer1", "visual.layer1"),
    Rule("backbone.layer2", "visual.layer2"),
    Rule("backbone.layer3", "visual.layer3"),
    Rule("backbone.layer4", "visual.layer4"),
];

/// What is below `visual` in every network of this crate.
const VISUAL: [Rule; 11] = [
    Rule("conv1", "conv1"),
    Rule("bn1", "bn1"),
    Rule("conv2", "conv2"),
    Rule("bn2", "bn2"),
    Rule("conv3", "conv3"),
    Rule("bn3", "bn3"),
    Rule("layer1", "layer1"),
    Rule("layer2", "layer2"),
    Rule("layer3", "layer3"),
    Rule("layer4", "layer4"),
    Rule("attnpool", "attnpool"),
];

/// Names of what is part of a file but no weight: CLIP's archive tells its sizes, and masks follow from them.
const NO_WEIGHTS: [&str; 4] = ["input_resolution", "context_length", "vocab_size", "attn_mask"];

/// Weights that no computation needs: CLIP's temperature, and how often a batch norm was trained.
const NOT_NEEDED: [&str; 2] = ["logit_scale", "num_batches_tracked"];

impl Naming {
    const ALL: [Self; 4] = [Self::Own, Self::Mmseg, Self::MmsegResNet, Self::ResNet];

    const fn tables(self) -> &'static [&'static [Rule]] {
        match self {
            Self::Own => &[&OWN, &OWN_DECODERS],
            Self::Mmseg => &[&CLIP_BACKBONE, &TEXT_SIDE, &FUSION_LAYERS, &SEMANTIC_FPN],
            Self::MmsegResNet => &[&RESNET_BACKBONE, &SEMANTIC_FPN],
            Self::ResNet => &[&RESNET],
        }
    }

    /// The naming that knows most of the names; none if all know none.
    pub(super) fn of<'a>(names: &(impl Iterator<Item = &'a String> + Clone)) -> Option<Self> {
        let known = |naming: Self| names.clone().filter(|name| naming.own_name(name).is_some()).count();
        // The first of equals.
        let best = Self::ALL.into_iter().rev().max_by_key(|naming| known(*naming))?;
        (known(best) > 0).then_some(best)
    }

    /// What this crate calls a weight.
    pub(super) fn own_name(self, name: &str) -> Option<String> {
        self.tables().iter().copied().flatten().find_map(|rule| rule.apply(name))
    }

    /// Whether the image encoder is a `ResNet` that was trained without texts.
    pub(super) const fn is_resnet(self) -> bool {
        matches!(self, Self::MmsegResNet | Self::ResNet)
    }
}

impl std::fmt::Display for Naming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Own => "CLIP and rs-seg",
            Self::Mmseg => "the authors' BEMSeg",
            Self::MmsegResNet => "mmsegmentation's Semantic FPN",
            Self::ResNet => "mmclassification's ResNet V1c",
        })
    }
}

impl Rule {
    fn apply(self, name: &str) -> Option<String> {
        let Self(from, to) = self;
        let mut rest = name.split('.');
        let mut numbers = Vec::new();
        for part in from.split('.') {
            let given = rest.next()?;
            match part {
                "#" if given.bytes().all(|byte| byte.is_ascii_digit()) => numbers.push(given),
                same if same == given => {}
                _ => return None,
            }
        }
        let mut numbers = numbers.into_iter();
        let own = to.split('.').map(|part| if part == "#" { numbers.next().unwrap_or(part) } else { part });
        Some(own.chain(rest).collect::<Vec<_>>().join("."))
    }
}

/// Whether a name stands for something that is part of a file but no weight.
pub(super) fn is_no_weight(name: &str) -> bool {
    NO_WEIGHTS.contains(&last_part(name))
}

/// Whether a weight by this crate's name is computed with in some network of this crate.
pub(super) fn is_part_of_network(key: &str) -> bool {
    let below = key.strip_prefix("visual.");
    let visual = below.is_none_or(|name| VISUAL.iter().any(|rule| rule.apply(name).is_some()));
    visual && !is_not_needed(key)
}

/// Whether no computation needs the weight.
pub(super) fn is_not_needed(key: &str) -> bool {
    NOT_NEEDED.contains(&last_part(key))
}

fn last_part(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// The entries of a map by this crate's names, and the names that are not known.
pub(super) fn rename<T>(
    naming: Naming,
    entries: BTreeMap<String, T>,
) -> Result<(BTreeMap<String, T>, Vec<String>), String> {
    let (mut known, mut unknown) = (BTreeMap::new(), Vec::new());
    for (name, value) in entries {
        match naming.own_name(&name) {
            Some(own) if known.contains_key(&own) => return Err(own),
            Some(own) => drop(known.insert(own, value)),
            None if is_no_weight(&name) => {}
            None => unknown.push(name),
        }
    }
    // A mask is below the parts whose names are taken over.
    known.retain(|own, _| !is_no_weight(own));
    Ok((known, unknown))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_others_become_ours() {
        let own = |naming: Naming, name: &str| naming.own_name(name).unwrap_or_default();
        for (naming, name, expected) in [
            (Naming::Own, "visual.layer1.0.bn1.running_mean", "visual.layer1.0.bn1.running_mean"),
            (Naming::Mmseg, "backbone.layer3.5.conv2.weight", "visual.layer3.5.conv2.weight"),
            (Naming::Mmseg, "gamma", "gamma_t"),
            (Naming::Mmseg, "gamma2", "gamma_v"),
            (
                Naming::Mmseg,
                "text_encoder.transformer.resblocks.0.ln_1.bias",
                "transformer.resblocks.0.ln_1.bias",
            ),
            (
                Naming::Mmseg,
                "context_decoder.decoder.2.cross_attn.proj.bias",
                "bff_text.layers.2.cross_o.bias",
            ),
            (Naming::Mmseg, "context_decoder.decoder.0.mlp.3.weight", "bff_text.layers.0.fc2.weight"),
            (Naming::Mmseg, "neck.fpn_convs.3.conv.bias", "fpn.smooth.3.bias"),
            (Naming::Mmseg, "decode_head.scale_heads.3.4.bn.weight", "head.scale.3.2.bn.weight"),
            (Naming::MmsegResNet, "backbone.stem.3.weight", "visual.conv2.weight"),
            (Naming::ResNet, "layer1.0.downsample.0.weight", "visual.layer1.0.downsample.0.weight"),
        ] {
            assert_eq!(own(naming, name), expected);
        }
        for unknown in
            ["backbone.layer5.0.conv1.weight", "gamma3", "decode_head.scale_heads.1.2.bn.bias", "conv1"]
        {
            assert_eq!(Naming::Mmseg.own_name(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn the_naming_that_knows_most_is_chosen() {
        let of = |names: &[&str]| {
            let names = names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
            Naming::of(&names.iter())
        };
        assert_eq!(of(&["visual.conv1.weight", "logit_scale"]), Some(Naming::Own));
        assert_eq!(of(&["stem.0.weight", "layer1.0.conv1.weight", "fc.weight"]), Some(Naming::ResNet));
        assert_eq!(
            of(&["backbone.stem.0.weight", "backbone.layer1.0.conv1.weight"]),
            Some(Naming::MmsegResNet)
        );
        assert_eq!(of(&["backbone.conv1.weight", "backbone.layer1.0.conv1.weight"]), Some(Naming::Mmseg));
        assert_eq!(of(&["features.0.weight"]), None);
    }

    #[test]
    fn two_weights_of_one_name_are_refused() {
        let entries = BTreeMap::from([("layer1.0.x".to_owned(), 1), ("fc.weight".to_owned(), 2)]);
        let (known, unknown) = rename(Naming::ResNet, entries).unwrap();
        assert_eq!((known["visual.layer1.0.x"], unknown), (1, vec!["fc.weight".to_owned()]));
        let twice = BTreeMap::from([("gamma.x".to_owned(), 1), ("gamma".to_owned(), 2)]);
        assert!(rename(Naming::Mmseg, twice).is_ok());
    }
}

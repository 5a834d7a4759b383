//! The network that the reference program builds for its command line.

use serde::Deserialize;

use super::file::{Description, Scene, WeightSource};
use crate::config::{
    BemSegConfig, Config, DecoderConfig, EncoderConfig, EncoderKind, FusionConfig, FusionKind, FusionStacks,
    PoolConfig, SemanticFpnConfig, TextConfig, TokenizerKind, TowerTraining,
};

/// The arguments of the reference program, of which others than these do not change what is compared.
#[derive(Debug, Deserialize)]
struct Arguments {
    model: Model,
    profile: Profile,
    seed: u64,
    classes: usize,
    n_tok: usize,
    n_ctx: usize,
    gamma: f64,
    shared: bool,
    head_channels: usize,
    pos_grid: Option<usize>,
    init: Init,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Model {
    Bemseg,
    Denseclip,
    Clipfpn,
    ClipfpnPlain,
}

/// How large the network is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Profile {
    /// As published.
    Full,
    /// An eighth as wide.
    Small,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Init {
    Hash,
    Torch,
}

const POTSDAM: &str = include_str!("../../../../configs/bemseg-rn50-potsdam.toml");
const LOVEDA: &str = include_str!("../../../../configs/bemseg-rn50-loveda.toml");

/// Reads the arguments, a JSON object, or tells what is wrong with them.
pub(super) fn of_arguments(json: &str) -> Result<Description, String> {
    let arguments: Arguments =
        serde_json::from_str(json).map_err(|error| format!("its arguments cannot be understood: {error}"))?;
    let (text, name) = match arguments.classes {
        6 => (POTSDAM, "bemseg-rn50-potsdam.toml"),
        7 => (LOVEDA, "bemseg-rn50-loveda.toml"),
        other => return Err(format!("it has {other} classes, not 6 or 7")),
    };
    let mut config = Config::parse(text, name.as_ref()).map_err(|error| error.to_string())?;
    if arguments.profile == Profile::Small {
        make_small(&mut config.model);
    }
    arguments.apply(&mut config.model);
    Ok(Description {
        config,
        seed: arguments.seed,
        scene: Scene::Blocks,
        gamma: arguments.gamma,
        weights: match arguments.init {
            Init::Hash => WeightSource::ClosedForm,
            Init::Torch => WeightSource::File,
        },
        contrasts: arguments.model == Model::Bemseg,
    })
}

impl Arguments {
    fn apply(&self, model: &mut BemSegConfig) {
        if let Some(pool) = &mut model.pool {
            // CLIP's table has 7 × 7 places for images of 224 pixels, the small one's 2 × 2 for 64.
            let own = if self.profile == Profile::Full { 7 } else { 2 };
            pool.positional_grid = self.pos_grid.unwrap_or(own);
        }
        if let Some(text) = &mut model.text {
            (text.n_tok, text.n_ctx) = (self.n_tok, self.n_ctx);
        }
        if let Some(fusion) = &mut model.fusion {
            fusion.stacks = if self.shared { FusionStacks::Shared } else { FusionStacks::Separate };
            match self.model {
                Model::Bemseg => fusion.kind = FusionKind::Both,
                Model::Denseclip => fusion.kind = FusionKind::Text,
                Model::Clipfpn | Model::ClipfpnPlain => fusion.kind = FusionKind::None,
            }
        }
        if let (DecoderConfig::SemanticFpn(decoder), Profile::Full) = (&mut model.decoder, self.profile) {
            decoder.head_width = self.head_channels;
        }
        if self.model == Model::ClipfpnPlain {
            (model.pool, model.text, model.fusion) = (None, None, None);
        }
    }
}

/// An eighth of the width, a toy vocabulary and two layers of text.
fn make_small(model: &mut BemSegConfig) {
    model.encoder = EncoderConfig {
        kind: EncoderKind::Clip,
        output_stride: 32,
        stem_width: 8,
        widths: [8, 16, 32, 64],
        depths: [1, 2, 1, 1],
    };
    model.pool = Some(PoolConfig { heads: 4, embed_dim: 64, positional_grid: 2 });
    model.text = Some(TextConfig {
        tokenizer: TokenizerKind::Words,
        tower: TowerTraining::Trained,
        vocab: 64,
        width: 32,
        heads: 2,
        layers: 2,
        context_length: 77,
        n_tok: 8,
        n_ctx: 8,
    });
    model.fusion = Some(FusionConfig {
        kind: FusionKind::Both,
        stacks: FusionStacks::Separate,
        width: 32,
        heads: 4,
        layers: 3,
        dropout: 0.0,
    });
    model.decoder =
        DecoderConfig::SemanticFpn(SemanticFpnConfig { fpn_width: 16, head_width: 16, dropout: 0.0 });
}

//! Configuration files: what network to build, for which classes and which input.

mod check;
mod decoder;
mod encoder;

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::card::{ClassSpec, InputSpec, ModelCard, OutputKind};
use crate::complaint::Complaint;
use crate::error::Error;

pub use decoder::{AtrousPoolingConfig, DecoderConfig, PyramidPoolingConfig, SemanticFpnConfig};
pub(crate) use encoder::Stage;
pub use encoder::{EncoderConfig, EncoderKind};

/// A whole configuration file.
///
/// The sections that only training or inference reads stand as they were written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// The network.
    pub model: BemSegConfig,
    /// How pixels become its input.
    pub input: InputSpec,
    /// The classes, in the order of its output channels.
    pub class: Vec<ClassSpec>,
    /// Where the samples are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<toml::Table>,
    /// How samples are varied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub augment: Option<toml::Table>,
    /// What is minimized.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<toml::Table>,
    /// How weights are changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optimizer: Option<toml::Table>,
    /// How the learning rate changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<toml::Table>,
    /// How long and how often.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train: Option<toml::Table>,
    /// Defaults of inference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub infer: Option<toml::Table>,
    /// Defaults of vectorizing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vectorize: Option<toml::Table>,
}

/// A network of the BEMSeg family.
///
/// BEMSeg fuses both ways, DenseCLIP only into the text (`fusion.kind = "text"`), CLIP-FPN not at all
/// (`"none"`); without `text` and `pool` it is a plain feature pyramid on CLIP's image encoder. With the encoder
/// `v1c` it is what they are compared with: Semantic FPN, `PSPNet` or `DeepLabV3+`, as `decoder.kind` tells.
///
/// # References
/// Liu and Wang: Bidirectional feature fusion and enhanced alignment based multimodal semantic segmentation
/// for remote sensing images. Remote Sens. 2024, 16, 2289, section 3.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BemSegConfig {
    /// The network's name.
    pub name: String,
    /// The side of its tiles in pixels.
    pub tile_px: usize,
    /// The image encoder.
    pub encoder: EncoderConfig,
    /// What brings image features into the space of texts; goes with `text`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<PoolConfig>,
    /// The text tower; goes with `pool`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<TextConfig>,
    /// How image and text features meet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fusion: Option<FusionConfig>,
    /// What makes logits of the encoder's maps.
    pub decoder: DecoderConfig,
}

/// The attention pool that gives every place of the image an embedding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PoolConfig {
    /// Attention heads.
    pub heads: usize,
    /// Width of image and text embeddings.
    pub embed_dim: usize,
    /// Side of the grid of trained positions; other sizes are interpolated.
    pub positional_grid: usize,
}

/// The text tower: CLIP's text transformer with learned context vectors before the prompt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TextConfig {
    /// How prompts become tokens.
    pub tokenizer: TokenizerKind,
    /// Whether the tower learns.
    pub tower: TowerTraining,
    /// Number of tokens that exist.
    pub vocab: usize,
    /// Width of the transformer.
    pub width: usize,
    /// Attention heads.
    pub heads: usize,
    /// Layers.
    pub layers: usize,
    /// Rows of the table of positions.
    pub context_length: usize,
    /// Tokens of a prompt, start and end included.
    pub n_tok: usize,
    /// Learned context vectors.
    pub n_ctx: usize,
}

/// How prompts become tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenizerKind {
    /// CLIP's byte-pair encoding.
    Clip,
    /// One token a word, by its hash: for small towers that are trained along.
    Words,
}

impl std::fmt::Display for TokenizerKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Clip => "clip",
            Self::Words => "words",
        })
    }
}

/// Whether the text tower learns; its context vectors always do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TowerTraining {
    /// It stays as it was trained before.
    Frozen,
    /// It learns with the rest.
    Trained,
}

/// Bidirectional feature fusion (section 3.2).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FusionConfig {
    /// Which features are changed.
    pub kind: FusionKind,
    /// Whether both directions have weights of their own.
    #[serde(default)]
    pub stacks: FusionStacks,
    /// Width inside.
    pub width: usize,
    /// Attention heads.
    pub heads: usize,
    /// Layers of a stack.
    pub layers: usize,
    /// Share of values dropped in training.
    pub dropout: f64,
}

/// Which features fusion changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FusionKind {
    /// Text by image and image by text: BEMSeg.
    Both,
    /// Text by image: DenseCLIP.
    Text,
    /// None: CLIP-FPN.
    None,
}

/// Whether the two directions of fusion have weights of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FusionStacks {
    /// One stack each, as in the paper's parameter count.
    #[default]
    Separate,
    /// One stack for both, as in the authors' released code.
    Shared,
}

/// What the sides of an input must be multiples of: the encoder's last stride.
pub(crate) const INPUT_MULTIPLE: usize = 32;

impl Config {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// When it cannot be read, has an unknown key or a value that cannot be meant.
    pub fn read(path: &Path) -> Result<Self, Error> {
        Self::parse(&fs::read_to_string(path).map_err(Error::read(path))?, path)
    }

    /// Reads a configuration from a text; `path` is only for messages.
    ///
    /// # Errors
    /// When it has an unknown key or a value that cannot be meant.
    pub fn parse(text: &str, path: &Path) -> Result<Self, Error> {
        let mut config: Self = toml::from_str(text).map_err(|error| Error::toml(path, text, &error))?;
        config.input = config.input.with_default_dtypes();
        config.check().map_err(|complaint| complaint.in_file(path))?;
        Ok(config)
    }

    /// The configuration as TOML, every default written out.
    ///
    /// # Errors
    /// When a section cannot be written as TOML, which none that was read can't.
    pub fn to_toml(&self) -> Result<String, Error> {
        toml::to_string(self)
            .map_err(|error| Complaint::new("config", format!("cannot be written as TOML: {error}")).into())
    }

    /// What inference needs to know of the network.
    pub fn card(&self) -> ModelCard {
        ModelCard {
            name: self.model.name.clone(),
            classes: self.class.clone(),
            input: self.input.clone(),
            tile_px: Some(self.model.tile_px),
            input_multiple: INPUT_MULTIPLE,
            output: OutputKind::Logits,
            seen: Vec::new(),
        }
    }
}

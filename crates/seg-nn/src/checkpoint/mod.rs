//! Checkpoints: a safetensors file that alone suffices to run a network.
//!
//! Its metadata has one entry, `rs-seg`, a JSON object: the schema, the whole configuration as TOML (network,
//! input, classes), the training step, metrics, provenance and what training needs to go on. One entry, because
//! safetensors writes several in random order and equal networks shall make equal files. Tensors whose names
//! start with `train/` are training's own and no part of the network.

mod pack;
mod read;
mod save;
mod transfer;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use pack::{Packing, pack};
pub use read::Checkpoint;
pub(crate) use read::build_for_inference;
pub use save::{CheckpointContents, StoredPrecision, StoredTower, init_untrained, save_checkpoint};
pub use transfer::{Transfer, transfer};

/// The metadata entry.
#[derive(Debug, Serialize, Deserialize)]
struct Metadata {
    schema: u32,
    name: String,
    config: String,
    step: u64,
    #[serde(default)]
    metrics: Map<String, Value>,
    #[serde(default)]
    provenance: Map<String, Value>,
    #[serde(default, rename = "training-state", skip_serializing_if = "Map::is_empty")]
    training_state: Map<String, Value>,
}

/// The schema that this program writes and reads.
const SCHEMA: u32 = 1;
pub(crate) const METADATA_KEY: &str = "rs-seg";
const EMBEDDINGS_KEY: &str = "class_embeddings";
/// What the names of training's own tensors start with.
const TRAINING_PREFIX: &str = "train/";

/// Whether a weight belongs to the text tower or its contexts.
pub(crate) fn is_text_tower(key: &str) -> bool {
    let part = key.split('.').next().unwrap_or(key);
    matches!(
        part,
        "contexts"
            | "token_embedding"
            | "positional_embedding"
            | "transformer"
            | "ln_final"
            | "text_projection"
            | "logit_scale"
    )
}

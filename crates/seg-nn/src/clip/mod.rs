//! CLIP's text tower and attention pool, with the names of OpenAI's weights.
//!
//! # References
//! Radford et al.: Learning transferable visual models from natural language supervision. ICML 2021,
//! arXiv:2103.00020.

mod attention_pool;
mod text;
mod tokenizer;

pub(crate) use attention_pool::AttentionPool;
pub(crate) use text::{ResidualAttentionBlock, TextTower};
pub use tokenizer::tokenize;

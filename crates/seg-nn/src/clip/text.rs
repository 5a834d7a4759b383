//! CLIP's text tower with learned context vectors: a prompt becomes an embedding.
//!
//! # References
//! Zhou et al.: Learning to prompt for vision-language models. IJCV 2022, arXiv:2109.01134 (the contexts).

use tch::Tensor;
use tch::nn::Path;

use crate::config::{TextConfig, TowerTraining};
use crate::groups::ParameterGroup;
use crate::layers::{Bias, Forward, LayerNorm, Linear, Mask, Weight, attention};

/// Embeds the prompts of all classes.
#[derive(Debug, Clone)]
pub(crate) struct TextTower {
    pub(crate) contexts: Weight,
    pub(crate) token_embedding: Weight,
    pub(crate) positional_embedding: Weight,
    pub(crate) resblocks: Vec<ResidualAttentionBlock>,
    pub(crate) ln_final: LayerNorm,
    pub(crate) text_projection: Weight,
    /// Not used: it is part of CLIP's weights.
    pub(crate) logit_scale: Weight,
    /// Start, words, end and padding of each class, (K, n-tok).
    token_ids: Weight,
    /// Row of each class's end token among all K (n-tok + n-ctx) tokens.
    end_rows: Weight,
}

/// A transformer layer that normalizes first.
#[derive(Debug, Clone)]
pub(crate) struct ResidualAttentionBlock {
    pub(crate) ln_1: LayerNorm,
    pub(crate) in_proj: Linear,
    pub(crate) out_proj: Linear,
    pub(crate) ln_2: LayerNorm,
    pub(crate) c_fc: Linear,
    pub(crate) c_proj: Linear,
    heads: i64,
}

impl TextTower {
    /// Builds the tower for prompts that are tokens already, each `n_tok` long.
    pub(crate) fn new(vs: &Path, embed_dim: i64, config: &TextConfig, token_ids: &[Vec<i64>]) -> Self {
        let width = config.width as i64;
        let tower = vs.set_group(ParameterGroup::Text.index());
        let blocks = &tower / "transformer" / "resblocks";
        let weight = |name: &str, shape: &[i64]| Weight::new(tower.zeros(name, shape));
        let this = Self {
            contexts: Weight::new(vs.zeros("contexts", &[1, config.n_ctx as i64, width])),
            token_embedding: Weight::new(
                (&tower / "token_embedding").zeros("weight", &[config.vocab as i64, width]),
            ),
            positional_embedding: weight("positional_embedding", &[config.context_length as i64, width]),
            resblocks: (0..config.layers)
                .map(|layer| ResidualAttentionBlock::new(&(&blocks / layer), width, config.heads as i64))
                .collect(),
            ln_final: LayerNorm::new(&(&tower / "ln_final"), width),
            text_projection: weight("text_projection", &[width, embed_dim]),
            logit_scale: weight("logit_scale", &[]),
            token_ids: Weight::new(token_table(token_ids).to_device(vs.device())),
            end_rows: Weight::new(end_rows(token_ids, config).to_device(vs.device())),
        };
        if config.tower == TowerTraining::Frozen {
            this.freeze();
        }
        this
    }

    /// The embeddings of all classes, (K, D).
    pub(crate) fn forward(&self) -> Forward {
        let words = Tensor::f_embedding(&self.token_embedding, &self.token_ids, -1, false, false)?;
        let (classes, _, _) = words.size3()?; // (K, n-tok, W)
        let contexts = self.contexts.f_expand([classes, -1, -1], false)?; // (K, n-ctx, W)
        let start = words.f_slice(1, 0, 1, 1)?; // (K, 1, W)
        let rest = words.f_slice(1, 1, None::<i64>, 1)?; // (K, n-tok - 1, W)
        let xs = Tensor::f_cat(&[start, contexts, rest], 1)?; // (K, L, W) with L = n-tok + n-ctx
        let (_, length, width) = xs.size3()?;
        let xs = xs.f_add(&self.positional_embedding.f_slice(0, 0, length, 1)?)?;
        let xs = self.resblocks.iter().try_fold(xs, |xs, block| block.forward(&xs))?;
        let xs = self.ln_final.forward(&xs)?.f_reshape([-1, width])?; // (K, L, W) -> (K L, W)
        let ends = xs.f_index_select(0, &self.end_rows)?; // (K, W)
        ends.f_matmul(&self.text_projection) // (K, D)
    }

    /// Stops the tower from learning; its contexts go on.
    fn freeze(&self) {
        let blocks = self.resblocks.iter().flat_map(ResidualAttentionBlock::weights);
        let rest = [&self.token_embedding, &self.positional_embedding, &self.text_projection];
        let norm = [&self.ln_final.weight, &self.ln_final.bias, &self.logit_scale];
        for weight in blocks.chain(rest).chain(norm) {
            let _same = weight.set_requires_grad(false);
        }
    }

    /// Tokens that go through the tower.
    pub(crate) fn tokens(&self) -> i64 {
        let per_class = self.token_ids.size()[1] + self.contexts.size()[1];
        self.token_ids.size()[0] * per_class
    }
}

fn token_table(token_ids: &[Vec<i64>]) -> Tensor {
    Tensor::from_slice(&token_ids.concat()).view([token_ids.len() as i64, -1])
}

/// The end token has the greatest id, and the contexts stand before it.
fn end_rows(token_ids: &[Vec<i64>], config: &TextConfig) -> Tensor {
    let length = config.n_tok + config.n_ctx;
    let rows = token_ids.iter().enumerate().map(|(class, ids)| {
        let end = ids.iter().enumerate().max_by_key(|(at, id)| (**id, std::cmp::Reverse(*at)));
        (class * length + config.n_ctx + end.map_or(0, |(at, _)| at)) as i64
    });
    Tensor::from_slice(&rows.collect::<Vec<_>>())
}

impl ResidualAttentionBlock {
    fn new(vs: &Path, width: i64, heads: i64) -> Self {
        let (attn, mlp) = (vs / "attn", vs / "mlp");
        Self {
            ln_1: LayerNorm::new(&(vs / "ln_1"), width),
            in_proj: Linear {
                weight: Weight::new(attn.zeros("in_proj_weight", &[3 * width, width])),
                bias: Some(Weight::new(attn.zeros("in_proj_bias", &[3 * width]))),
            },
            out_proj: Linear::new(&(&attn / "out_proj"), width, width, Bias::With),
            ln_2: LayerNorm::new(&(vs / "ln_2"), width),
            c_fc: Linear::new(&(&mlp / "c_fc"), width, 4 * width, Bias::With),
            c_proj: Linear::new(&(&mlp / "c_proj"), 4 * width, width, Bias::With),
            heads,
        }
    }

    fn forward(&self, xs: &Tensor) -> Forward {
        let qkv = self.in_proj.forward(&self.ln_1.forward(xs)?)?.f_chunk(3, -1)?; // three of (K, L, W)
        let ys = attention(&qkv[0], &qkv[1], &qkv[2], self.heads, Mask::Causal)?;
        let xs = xs.f_add(&self.out_proj.forward(&ys)?)?;
        let ys = quick_gelu(&self.c_fc.forward(&self.ln_2.forward(&xs)?)?)?; // (K, L, 4 W)
        xs.f_add(&self.c_proj.forward(&ys)?)
    }

    fn weights(&self) -> Vec<&Weight> {
        let linears = [&self.in_proj, &self.out_proj, &self.c_fc, &self.c_proj];
        let norms = [&self.ln_1, &self.ln_2];
        let linears =
            linears.into_iter().flat_map(|linear| std::iter::once(&linear.weight).chain(&linear.bias));
        linears.chain(norms.into_iter().flat_map(|norm| [&norm.weight, &norm.bias])).collect()
    }
}

/// CLIP's activation: x σ(1.702 x).
fn quick_gelu(xs: &Tensor) -> Forward {
    xs.f_mul(&xs.f_mul_scalar(1.702)?.f_sigmoid()?)
}

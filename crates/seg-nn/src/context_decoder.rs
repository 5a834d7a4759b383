//! Bidirectional feature fusion: one stack updates queries by what it sees in a memory.
//!
//! # References
//! Liu and Wang, Remote Sens. 2024, 16, 2289, section 3.2, equations (1) to (3). The paper's text normalizes
//! after each sum, the authors' code before; this follows the code.

use tch::nn::Path;
use tch::{Kind, Tensor};

use crate::config::FusionConfig;
use crate::groups::ParameterGroup;
use crate::layers::{Bias, Forward, LayerNorm, Linear, Mask, Mode, attention};

/// One direction of the fusion: queries (B, N, D) updated from a memory (B, M, D) → (B, N, D).
#[derive(Debug, Clone)]
pub(crate) struct ContextDecoder {
    pub(crate) kv_in_norm: LayerNorm,
    pub(crate) kv_in_proj: Linear,
    pub(crate) kv_mid_norm: LayerNorm,
    pub(crate) q_in_norm: LayerNorm,
    pub(crate) q_in_proj: Linear,
    pub(crate) layers: Vec<DecoderLayer>,
    pub(crate) out_norm: LayerNorm,
    pub(crate) out_proj: Linear,
}

/// Self-attention, cross-attention to the memory and two linear maps, each added to its input.
#[derive(Debug, Clone)]
pub(crate) struct DecoderLayer {
    pub(crate) norm1: LayerNorm,
    pub(crate) norm2: LayerNorm,
    pub(crate) norm3: LayerNorm,
    pub(crate) self_q: Linear,
    pub(crate) self_k: Linear,
    pub(crate) self_v: Linear,
    pub(crate) self_o: Linear,
    pub(crate) cross_q: Linear,
    pub(crate) cross_k: Linear,
    pub(crate) cross_v: Linear,
    pub(crate) cross_o: Linear,
    pub(crate) fc1: Linear,
    pub(crate) fc2: Linear,
    heads: i64,
    dropout: f64,
}

impl ContextDecoder {
    pub(crate) fn new(vs: &Path, embed_dim: i64, config: &FusionConfig) -> Self {
        let width = config.width as i64;
        let norm = |name: &str, width| LayerNorm::new(&(vs / name), width);
        let linear = |name: &str, input, output| Linear::new(&(vs / name), input, output, Bias::With);
        let layers = vs / "layers";
        Self {
            kv_in_norm: norm("kv_in_norm", embed_dim),
            kv_in_proj: linear("kv_in_proj", embed_dim, width),
            kv_mid_norm: norm("kv_mid_norm", width),
            q_in_norm: norm("q_in_norm", embed_dim),
            q_in_proj: linear("q_in_proj", embed_dim, width),
            layers: (0..config.layers).map(|layer| DecoderLayer::new(&(&layers / layer), config)).collect(),
            out_norm: norm("out_norm", width),
            out_proj: linear("out_proj", width, embed_dim),
        }
    }

    pub(crate) fn forward(&self, queries: &Tensor, memory: &Tensor, mode: Mode) -> Forward {
        let memory = self.kv_in_proj.forward(&self.kv_in_norm.forward(memory)?)?; // (B, M, D) -> (B, M, W)
        let memory = self.kv_mid_norm.forward(&memory)?;
        let xs = self.q_in_proj.forward(&self.q_in_norm.forward(queries)?)?; // (B, N, D) -> (B, N, W)
        let xs = self.layers.iter().try_fold(xs, |xs, layer| layer.forward(&xs, &memory, mode))?;
        self.out_proj.forward(&self.out_norm.forward(&xs)?) // (B, N, W) -> (B, N, D)
    }

    pub(crate) fn for_inference(&self, kind: Kind) -> Forward<Self> {
        let layers =
            self.layers.iter().map(|layer| layer.for_inference(kind)).collect::<Forward<Vec<_>>>()?;
        Ok(Self {
            kv_in_norm: self.kv_in_norm.for_inference(kind)?,
            kv_in_proj: self.kv_in_proj.for_inference(kind)?,
            kv_mid_norm: self.kv_mid_norm.for_inference(kind)?,
            q_in_norm: self.q_in_norm.for_inference(kind)?,
            q_in_proj: self.q_in_proj.for_inference(kind)?,
            layers,
            out_norm: self.out_norm.for_inference(kind)?,
            out_proj: self.out_proj.for_inference(kind)?,
        })
    }
}

impl DecoderLayer {
    fn new(vs: &Path, config: &FusionConfig) -> Self {
        let width = config.width as i64;
        let norms = vs.set_group(ParameterGroup::FusionNorm.index());
        let norm = |name: &str| LayerNorm::new(&(&norms / name), width);
        let square = |name: &str, bias| Linear::new(&(vs / name), width, width, bias);
        Self {
            norm1: norm("norm1"),
            norm2: norm("norm2"),
            norm3: norm("norm3"),
            self_q: square("self_q", Bias::Without),
            self_k: square("self_k", Bias::Without),
            self_v: square("self_v", Bias::Without),
            self_o: square("self_o", Bias::With),
            cross_q: square("cross_q", Bias::Without),
            cross_k: square("cross_k", Bias::Without),
            cross_v: square("cross_v", Bias::Without),
            cross_o: square("cross_o", Bias::With),
            fc1: Linear::new(&(vs / "fc1"), width, 4 * width, Bias::With),
            fc2: Linear::new(&(vs / "fc2"), 4 * width, width, Bias::With),
            heads: config.heads as i64,
            dropout: config.dropout,
        }
    }

    fn forward(&self, xs: &Tensor, memory: &Tensor, mode: Mode) -> Forward {
        let drop = |ys: Tensor| if mode.is_train() { ys.f_dropout(self.dropout, true) } else { Ok(ys) };
        let ys = self.norm1.forward(xs)?;
        let (q, k) = (self.self_q.forward(&ys)?, self.self_k.forward(&ys)?);
        let ys = attention(&q, &k, &self.self_v.forward(&ys)?, self.heads, Mask::None)?;
        let xs = xs.f_add(&drop(self.self_o.forward(&ys)?)?)?;

        let ys = self.norm2.forward(&xs)?;
        let (q, k) = (self.cross_q.forward(&ys)?, self.cross_k.forward(memory)?);
        let ys = attention(&q, &k, &self.cross_v.forward(memory)?, self.heads, Mask::None)?;
        let xs = xs.f_add(&drop(self.cross_o.forward(&ys)?)?)?;

        let ys = self.fc1.forward(&self.norm3.forward(&xs)?)?.f_gelu("none")?; // (B, N, W) -> (B, N, 4 W)
        let ys = self.fc2.forward(&drop(ys)?)?; // (B, N, 4 W) -> (B, N, W)
        xs.f_add(&drop(ys)?)
    }

    fn for_inference(&self, kind: Kind) -> Forward<Self> {
        Ok(Self {
            norm1: self.norm1.for_inference(kind)?,
            norm2: self.norm2.for_inference(kind)?,
            norm3: self.norm3.for_inference(kind)?,
            self_q: self.self_q.for_inference(kind)?,
            self_k: self.self_k.for_inference(kind)?,
            self_v: self.self_v.for_inference(kind)?,
            self_o: self.self_o.for_inference(kind)?,
            cross_q: self.cross_q.for_inference(kind)?,
            cross_k: self.cross_k.for_inference(kind)?,
            cross_v: self.cross_v.for_inference(kind)?,
            cross_o: self.cross_o.for_inference(kind)?,
            fc1: self.fc1.for_inference(kind)?,
            fc2: self.fc2.for_inference(kind)?,
            ..*self
        })
    }
}

//! CLIP's attention pool, asked at every place: an embedding for the image and one for each of its places.
//!
//! # References
//! Rao et al.: `DenseCLIP`, CVPR 2022, arXiv:2112.01518, section 3.2.

use seg_torch::Interpolation;
use tch::nn::Path;
use tch::{Kind, Tensor};

use crate::config::PoolConfig;
use crate::layers::{Bias, Forward, Linear, Mask, Weight, attention, map_like, upsample_like};

/// One multi-head attention in which the mean and all places are queries.
#[derive(Debug, Clone)]
pub(crate) struct AttentionPool {
    pub(crate) positional_embedding: Weight,
    pub(crate) k_proj: Linear,
    pub(crate) q_proj: Linear,
    pub(crate) v_proj: Linear,
    pub(crate) c_proj: Linear,
    heads: i64,
    grid: i64,
}

/// What the pool makes of an image's features.
#[derive(Debug)]
pub(crate) struct Embeddings {
    /// Of the whole image, (B, D).
    pub(crate) global: Tensor,
    /// Of each place, (B, D, h, w).
    pub(crate) dense: Tensor,
}

impl AttentionPool {
    pub(crate) fn new(vs: &Path, channels: i64, config: &PoolConfig) -> Self {
        let grid = config.positional_grid as i64;
        let linear = |name: &str, output| Linear::new(&(vs / name), channels, output, Bias::With);
        Self {
            positional_embedding: Weight::new(vs.zeros("positional_embedding", &[1 + grid * grid, channels])),
            k_proj: linear("k_proj", channels),
            q_proj: linear("q_proj", channels),
            v_proj: linear("v_proj", channels),
            c_proj: linear("c_proj", config.embed_dim as i64),
            heads: config.heads as i64,
            grid,
        }
    }

    pub(crate) fn forward(&self, xs: &Tensor) -> Forward<Embeddings> {
        let places = xs.f_flatten(2, -1)?.f_transpose(1, 2)?; // (B, C, h, w) -> (B, h w, C)
        let mean = places.f_mean_dim(Some([1i64].as_slice()), true, None::<Kind>)?; // (B, 1, C)
        let tokens = Tensor::f_cat(&[mean, places], 1)?; // (B, 1 + h w, C)
        let tokens = tokens.f_add(&self.positions(xs)?)?;
        let (q, k) = (self.q_proj.forward(&tokens)?, self.k_proj.forward(&tokens)?);
        let ys = attention(&q, &k, &self.v_proj.forward(&tokens)?, self.heads, Mask::None)?;
        let ys = self.c_proj.forward(&ys)?; // (B, 1 + h w, D)
        let global = ys.f_select(1, 0)?; // (B, D)
        let dense = ys.f_slice(1, 1, None::<i64>, 1)?.f_transpose(1, 2)?; // (B, D, h w)
        let (_, channels, _) = dense.size3()?;
        Ok(Embeddings { global, dense: map_like(&dense, channels, xs)? }) // (B, D, h, w)
    }

    pub(crate) fn for_inference(&self, kind: Kind) -> Forward<Self> {
        Ok(Self {
            positional_embedding: self.positional_embedding.for_inference(kind)?,
            k_proj: self.k_proj.for_inference(kind)?,
            q_proj: self.q_proj.for_inference(kind)?,
            v_proj: self.v_proj.for_inference(kind)?,
            c_proj: self.c_proj.for_inference(kind)?,
            ..*self
        })
    }

    /// The table of positions for a grid of h × w places: (1 + h w, C).
    fn positions(&self, xs: &Tensor) -> Forward {
        let table = &self.positional_embedding;
        let (_, _, height, width) = xs.size4()?;
        if [height, width] == [self.grid; 2] {
            return Ok(table.shallow_clone());
        }
        let places = table.f_slice(0, 1, None::<i64>, 1)?; // (g g, C)
        let map = places.f_transpose(0, 1)?.f_reshape([1, -1, self.grid, self.grid])?; // (1, C, g, g)
        let map = upsample_like(&map, xs, 1, Interpolation::Bilinear)?; // (1, C, h, w)
        let places = map.f_flatten(2, -1)?.f_squeeze_dim(0)?.f_transpose(0, 1)?; // (h w, C)
        Tensor::f_cat(&[table.f_slice(0, 0, 1, 1)?, places], 0)
    }
}

//! What BEMSeg adds to a feature pyramid: class texts, their fusion with the image, and the score map.
//!
//! # References
//! Liu and Wang, Remote Sens. 2024, 16, 2289, sections 3.2 and 3.3, equations (1) to (4).

use tch::nn::Path;
use tch::{Kind, Tensor};

use crate::card::ClassSpec;
use crate::clip::{AttentionPool, TextTower, tokenize};
use crate::config::{Config, FusionConfig, FusionKind, FusionStacks, PoolConfig, TextConfig};
use crate::context_decoder::ContextDecoder;
use crate::error::Error;
use crate::groups::ParameterGroup;
use crate::layers::{Forward, Mode, Weight, map_like};
use crate::tap::Tap;

/// Where a network takes the embeddings of its classes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextPart {
    /// From its text tower, so that the contexts can learn.
    Tower,
    /// From `class_embeddings` that a tower computed before: enough for inference.
    Embeddings,
}

/// Aligns image and text: features at stride 32 → cosines to every class.
#[derive(Debug, Clone)]
pub(crate) struct Alignment {
    pub(crate) attnpool: AttentionPool,
    pub(crate) text: ClassText,
    pub(crate) fusion: Option<Fusion>,
}

/// The embeddings of the classes.
#[derive(Debug, Clone)]
pub(crate) enum ClassText {
    Tower(Box<TextTower>),
    Embeddings(Weight),
}

/// Bidirectional feature fusion, or one direction of it.
#[derive(Debug, Clone)]
pub(crate) struct Fusion {
    pub(crate) gamma_t: Weight,
    pub(crate) bff_text: ContextDecoder,
    pub(crate) image: Option<ImageFusion>,
}

/// The direction that updates the image by the texts.
#[derive(Debug, Clone)]
pub(crate) struct ImageFusion {
    pub(crate) gamma_v: Weight,
    /// Its stack, or none where the text's is used for both.
    pub(crate) bff_image: Option<ContextDecoder>,
}

const NORM_EPS: f64 = 1e-12;

impl Alignment {
    pub(crate) fn new(
        vs: &Path,
        config: &Config,
        sections: (&PoolConfig, &TextConfig),
        part: TextPart,
    ) -> Result<Self, Error> {
        let (pool, text) = sections;
        let embed_dim = pool.embed_dim as i64;
        let backbone = vs.set_group(ParameterGroup::Backbone.index());
        let channels = config.model.stage_channels()[3];
        let text = match part {
            TextPart::Tower => {
                let ids = tokenize(config.class.iter().map(ClassSpec::prompt_text), text)?;
                ClassText::Tower(Box::new(TextTower::new(vs, embed_dim, text, &ids)))
            }
            TextPart::Embeddings => {
                let shape = [config.class.len() as i64, embed_dim];
                ClassText::Embeddings(Weight::new(vs.zeros_no_train("class_embeddings", &shape)))
            }
        };
        Ok(Self {
            attnpool: AttentionPool::new(&(&backbone / "visual" / "attnpool"), channels, pool),
            text,
            fusion: config.model.fusion.as_ref().and_then(|fusion| Fusion::new(vs, embed_dim, fusion)),
        })
    }

    /// The score map of equation (4): (B, C4, h, w) → cosines (B, K, h, w).
    pub(crate) fn forward(&self, x4: &Tensor, mode: Mode, tap: &mut dyn Tap) -> Forward {
        let embeddings = self.attnpool.forward(x4)?;
        tap.record("global_feat", &embeddings.global);
        tap.record("dense", &embeddings.dense);
        let q = self.text.embeddings()?; // (K, D)
        tap.record("text", &q);
        let classes = q.size()[0];
        let one_each = embeddings.global.f_unsqueeze(1)?.f_expand([-1, classes, -1], false)?; // (B, D) -> (B, K, D)
        let q = q.f_unsqueeze(0)?.f_expand_as(&one_each)?; // (K, D) -> (B, K, D)
        let x = embeddings.dense.f_flatten(2, -1)?.f_transpose(1, 2)?; // (B, D, h, w) -> (B, h w, D)
        let (t, v) = match &self.fusion {
            Some(fusion) => fusion.forward(&q, &x, &embeddings.global, mode, tap)?,
            None => (q, x),
        };
        tap.record("t", &t);
        tap.record("v", &v);
        let scores = unit_length(&v)?.f_matmul(&unit_length(&t)?.f_transpose(1, 2)?)?; // (B, h w, K)
        let scores = map_like(&scores.f_transpose(1, 2)?, classes, &embeddings.dense)?; // (B, K, h, w)
        tap.record("score", &scores);
        Ok(scores)
    }

    /// The same with the text tower's output in place of the tower.
    pub(crate) fn for_inference(&self, kind: Kind) -> Forward<Self> {
        let embeddings = Weight::new(self.text.embeddings()?).for_inference(kind)?;
        Ok(Self {
            attnpool: self.attnpool.for_inference(kind)?,
            text: ClassText::Embeddings(embeddings),
            fusion: self.fusion.as_ref().map(|fusion| fusion.for_inference(kind)).transpose()?,
        })
    }
}

impl ClassText {
    /// The embeddings of all classes, (K, D).
    pub(crate) fn embeddings(&self) -> Forward {
        match self {
            Self::Tower(tower) => tower.forward(),
            Self::Embeddings(embeddings) => Ok(embeddings.shallow_clone()),
        }
    }
}

impl Fusion {
    fn new(vs: &Path, embed_dim: i64, config: &FusionConfig) -> Option<Self> {
        let stack = |name: &str| ContextDecoder::new(&(vs / name), embed_dim, config);
        let image = match config.kind {
            FusionKind::None => return None,
            FusionKind::Text => None,
            FusionKind::Both => Some(ImageFusion {
                gamma_v: Weight::new(vs.zeros("gamma_v", &[embed_dim])),
                bff_image: (config.stacks == FusionStacks::Separate).then(|| stack("bff_image")),
            }),
        };
        let gamma_t = Weight::new(vs.zeros("gamma_t", &[embed_dim]));
        Some(Self { gamma_t, bff_text: stack("bff_text"), image })
    }

    /// Equations (1) to (3): both directions start from unfused features; the text's memory is the whole
    /// image's embedding and that of every place.
    fn forward(
        &self,
        q: &Tensor,
        x: &Tensor,
        global: &Tensor,
        mode: Mode,
        tap: &mut dyn Tap,
    ) -> Forward<(Tensor, Tensor)> {
        let memory = Tensor::f_cat(&[&global.f_unsqueeze(1)?, x], 1)?; // (B, 1 + h w, D)
        let t_post = self.bff_text.forward(q, &memory, mode)?; // (B, K, D)
        tap.record("t_post", &t_post);
        let t = q.f_add(&t_post.f_mul(&self.gamma_t)?)?;
        let Some(image) = &self.image else {
            return Ok((t, x.shallow_clone()));
        };
        let stack = image.bff_image.as_ref().unwrap_or(&self.bff_text);
        let v_post = stack.forward(x, q, mode)?; // (B, h w, D)
        tap.record("v_post", &v_post);
        let v = x.f_add(&v_post.f_mul(&image.gamma_v)?)?;
        Ok((t, v))
    }
}

impl Fusion {
    fn for_inference(&self, kind: Kind) -> Forward<Self> {
        let image = |image: &ImageFusion| -> Forward<ImageFusion> {
            let stack = image.bff_image.as_ref().map(|stack| stack.for_inference(kind)).transpose()?;
            Ok(ImageFusion { gamma_v: image.gamma_v.for_inference(kind)?, bff_image: stack })
        };
        Ok(Self {
            gamma_t: self.gamma_t.for_inference(kind)?,
            bff_text: self.bff_text.for_inference(kind)?,
            image: self.image.as_ref().map(image).transpose()?,
        })
    }
}

/// Vectors of the last dimension divided by their length: (…, D) -> (…, D).
pub(crate) fn unit_length(xs: &Tensor) -> Forward {
    let length = xs.f_norm_scalaropt_dim(2.0, [-1i64].as_slice(), true)?.f_clamp_min(NORM_EPS)?; // (…, 1)
    xs.f_div(&length)
}

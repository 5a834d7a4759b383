//! The image encoder's section.

use serde::{Deserialize, Serialize};

use super::BemSegConfig;

/// The image encoder: a residual network with three convolutions as stem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct EncoderConfig {
    /// Which residual network.
    #[serde(default)]
    pub kind: EncoderKind,
    /// The stride of its last map: 32, or 8 where dilated convolutions keep the last two stages large.
    #[serde(default = "coarsest")]
    pub output_stride: usize,
    /// Channels after the stem; its first two convolutions have half.
    pub stem_width: usize,
    /// Inner channels of the blocks of each stage; they put out four times as many.
    pub widths: [usize; 4],
    /// Blocks of each stage.
    pub depths: [usize; 4],
}

/// Which residual network an encoder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EncoderKind {
    /// CLIP's, which averages where it halves the size.
    #[default]
    Clip,
    /// `ResNet` V1c, which has strides in its 3×3 convolutions and largest values after its stem.
    V1c,
}

impl std::fmt::Display for EncoderKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Clip => "clip",
            Self::V1c => "v1c",
        })
    }
}

/// The stride of an encoder's last map where none is given.
fn coarsest() -> usize {
    32
}

impl EncoderConfig {
    /// Stride and dilation of each stage's 3×3 convolutions; the stride is that of its first block.
    pub(crate) fn stages(&self) -> [Stage; 4] {
        let stage = |stride, dilation| Stage { stride, dilation };
        match self.output_stride {
            8 => [stage(1, 1), stage(2, 1), stage(1, 2), stage(1, 4)],
            _ => [stage(1, 1), stage(2, 1), stage(2, 1), stage(2, 1)],
        }
    }
}

/// How a stage looks at its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stage {
    /// The stride of its first block.
    pub(crate) stride: i64,
    /// The dilation of its 3×3 convolutions; the first block's has half.
    pub(crate) dilation: i64,
}

impl BemSegConfig {
    /// The channels of the encoder's four stages.
    pub(crate) fn stage_channels(&self) -> [i64; 4] {
        self.encoder.widths.map(|width| 4 * width as i64)
    }
}

//! Whether a network can be built from a configuration.

use super::{
    BemSegConfig, Config, DecoderConfig, EncoderConfig, FusionConfig, INPUT_MULTIPLE, PoolConfig, TextConfig,
    TokenizerKind,
};
use crate::card::check_classes;
use crate::complaint::Complaint;

/// The widest that a layer may be and the deepest that a stage may be: far above what is of use.
const WIDEST: usize = 8192;
const DEEPEST: usize = 256;
/// Maps that a decoder puts side by side at most.
const MOST_MAPS: usize = 16;
/// The most weights that a network may have, so that a damaged file does not ask for all memory; CLIP's largest
/// has a fifth of it.
const MOST_WEIGHTS: usize = 2 << 30;

impl Config {
    pub(crate) fn check(&self) -> Result<(), Complaint> {
        self.input.check()?;
        check_classes(&self.class)?;
        self.model.check()
    }
}

impl BemSegConfig {
    fn check(&self) -> Result<(), Complaint> {
        if self.tile_px == 0 || !self.tile_px.is_multiple_of(INPUT_MULTIPLE) {
            let problem = format!("{} is not a multiple of {INPUT_MULTIPLE}", self.tile_px);
            return Err(Complaint::new("model.tile-px", problem));
        }
        self.encoder.check()?;
        self.decoder.check()?;
        let expected = if matches!(self.decoder, DecoderConfig::SemanticFpn(_)) { 32 } else { 8 };
        if self.encoder.output_stride != expected {
            let problem =
                format!("{} does not go with this decoder, {expected} does", self.encoder.output_stride);
            return Err(Complaint::new("model.encoder.output-stride", problem));
        }
        let weights = self.least_weights();
        if weights > MOST_WEIGHTS {
            let problem = format!("a network of more than {weights} weights is more than {MOST_WEIGHTS}");
            return Err(Complaint::new("model", problem));
        }
        match (&self.pool, &self.text, &self.fusion) {
            (Some(_), Some(_), _) if !matches!(self.decoder, DecoderConfig::SemanticFpn(_)) => {
                Err(Complaint::new("model.text", "only the decoder \"semantic-fpn\" takes a score map"))
            }
            (Some(pool), Some(text), fusion) => {
                pool.check(self.stage_channels()[3] as usize)?;
                text.check()?;
                fusion.as_ref().map_or(Ok(()), FusionConfig::check)
            }
            (None, None, None) => Ok(()),
            (None, Some(_), _) => Err(Complaint::new("model.pool", "a text tower needs an attention pool")),
            (Some(_), None, _) => Err(Complaint::new("model.text", "an attention pool needs a text tower")),
            (None, None, Some(_)) => Err(Complaint::new("model.fusion", "fusion needs [model.text]")),
        }
    }
}

impl BemSegConfig {
    /// The weights of the large matrices, of which the rest is a small part; too large to count is the largest.
    fn least_weights(&self) -> usize {
        let product =
            |factors: &[usize]| factors.iter().fold(1_usize, |all, &factor| all.saturating_mul(factor));
        let sum = |terms: &[usize]| terms.iter().fold(0_usize, |all, &term| all.saturating_add(term));
        // A block has 4 w² in its first convolution, 9 w² in its second and 4 w² in its third.
        let stage = |(width, depth): (&usize, &usize)| product(&[17, *width, *width, *depth]);
        let stages: Vec<usize> = self.encoder.widths.iter().zip(&self.encoder.depths).map(stage).collect();
        let last = self.encoder.widths[3].saturating_mul(4);
        let pool = self.pool.as_ref().map_or(0, |pool| {
            sum(&[product(&[3, last, last]), product(&[pool.positional_grid, pool.positional_grid, last])])
        });
        let text = self.text.as_ref().map_or(0, |text| {
            sum(&[product(&[text.vocab, text.width]), product(&[12, text.width, text.width, text.layers])])
        });
        let fusion = self
            .fusion
            .as_ref()
            .map_or(0, |fusion| product(&[16, fusion.width, fusion.width, fusion.layers]));
        let decoder = match &self.decoder {
            DecoderConfig::SemanticFpn(config) => sum(&[
                product(&[36, config.fpn_width, config.fpn_width]),
                product(&[9, config.head_width, config.fpn_width]),
            ]),
            DecoderConfig::PyramidPooling(config) => {
                let pooled = product(&[config.bins.len(), config.head_width]);
                sum(&[product(&[9, config.head_width, sum(&[last, pooled])]), product(&[last, pooled])])
            }
            DecoderConfig::AtrousPooling(config) => {
                let maps = config.dilations.len().saturating_add(1);
                sum(&[
                    product(&[9, config.head_width, config.head_width, maps]),
                    product(&[last, config.head_width, maps]),
                ])
            }
        };
        sum(&[
            sum(&stages),
            product(&[10, self.encoder.stem_width, self.encoder.stem_width]),
            pool,
            text,
            fusion,
            decoder,
        ])
    }
}

impl EncoderConfig {
    fn check(&self) -> Result<(), Complaint> {
        if ![8, 32].contains(&self.output_stride) {
            let problem = format!("{} is neither 8 nor 32", self.output_stride);
            return Err(Complaint::new("model.encoder.output-stride", problem));
        }
        within("model.encoder.stem-width", self.stem_width, WIDEST)?;
        if !self.stem_width.is_multiple_of(2) {
            let problem = format!("{} is not even", self.stem_width);
            return Err(Complaint::new("model.encoder.stem-width", problem));
        }
        self.widths.iter().try_for_each(|width| within("model.encoder.widths", *width, WIDEST / 4))?;
        self.depths.iter().try_for_each(|depth| within("model.encoder.depths", *depth, DEEPEST))
    }
}

impl PoolConfig {
    fn check(&self, channels: usize) -> Result<(), Complaint> {
        within("model.pool.embed-dim", self.embed_dim, WIDEST)?;
        within("model.pool.positional-grid", self.positional_grid, DEEPEST)?;
        divides("model.pool.heads", self.heads, channels)
    }
}

impl TextConfig {
    fn check(&self) -> Result<(), Complaint> {
        within("model.text.width", self.width, WIDEST)?;
        within("model.text.layers", self.layers, DEEPEST)?;
        within("model.text.context-length", self.context_length, WIDEST)?;
        divides("model.text.heads", self.heads, self.width)?;
        if self.n_tok < 3 {
            return Err(Complaint::new("model.text.n-tok", "start, one word and end are 3 tokens"));
        }
        if self.n_tok.saturating_add(self.n_ctx) > self.context_length {
            let problem = format!("{} is less than n-tok and n-ctx together", self.context_length);
            return Err(Complaint::new("model.text.context-length", problem));
        }
        match self.tokenizer {
            TokenizerKind::Clip if self.vocab != 49_408 => {
                Err(Complaint::new("model.text.vocab", "the clip tokenizer has 49408 tokens"))
            }
            TokenizerKind::Words if !(16..=1 << 20).contains(&self.vocab) => {
                Err(Complaint::new("model.text.vocab", "the words tokenizer has 16 to 1048576 tokens"))
            }
            TokenizerKind::Clip | TokenizerKind::Words => Ok(()),
        }
    }
}

impl FusionConfig {
    fn check(&self) -> Result<(), Complaint> {
        within("model.fusion.width", self.width, WIDEST)?;
        within("model.fusion.layers", self.layers, DEEPEST)?;
        divides("model.fusion.heads", self.heads, self.width)?;
        share("model.fusion.dropout", self.dropout)
    }
}

impl DecoderConfig {
    fn check(&self) -> Result<(), Complaint> {
        let several = |key: &str, values: &[usize], most: usize| {
            within(&format!("{key} (how many)"), values.len(), MOST_MAPS)?;
            values.iter().try_for_each(|value| within(key, *value, most))
        };
        let (head_width, aux_width, dropout) = match self {
            Self::SemanticFpn(config) => {
                within("model.decoder.fpn-width", config.fpn_width, WIDEST)?;
                (config.head_width, 0, config.dropout)
            }
            Self::PyramidPooling(config) => {
                several("model.decoder.bins", &config.bins, DEEPEST)?;
                (config.head_width, config.aux_width, config.dropout)
            }
            Self::AtrousPooling(config) => {
                several("model.decoder.dilations", &config.dilations, DEEPEST)?;
                if config.dilations[0] != 1 {
                    return Err(Complaint::new("model.decoder.dilations", "the first is 1"));
                }
                within("model.decoder.fine-width", config.fine_width, WIDEST)?;
                (config.head_width, config.aux_width, config.dropout)
            }
        };
        within("model.decoder.head-width", head_width, WIDEST)?;
        if aux_width > 0 {
            within("model.decoder.aux-width", aux_width, WIDEST)?;
        }
        share("model.decoder.dropout", dropout)
    }
}

fn within(key: &str, value: usize, most: usize) -> Result<(), Complaint> {
    if (1..=most).contains(&value) {
        Ok(())
    } else {
        Err(Complaint::new(key, format!("{value} is not between 1 and {most}")))
    }
}

fn divides(key: &str, heads: usize, width: usize) -> Result<(), Complaint> {
    if heads == 0 || !width.is_multiple_of(heads) {
        return Err(Complaint::new(key, format!("{heads} heads do not divide a width of {width}")));
    }
    Ok(())
}

fn share(key: &str, value: f64) -> Result<(), Complaint> {
    if (0.0..1.0).contains(&value) {
        Ok(())
    } else {
        Err(Complaint::new(key, format!("{value} is not in [0, 1)")))
    }
}

//! The decoder's section: one table whose `kind` tells which other keys it has.

use serde::{Deserialize, Serialize};

/// What makes logits of the encoder's maps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Table", into = "Table")]
pub enum DecoderConfig {
    /// `kind = "semantic-fpn"`, or none: feature pyramid and head.
    SemanticFpn(SemanticFpnConfig),
    /// `kind = "pspnet"`.
    PyramidPooling(PyramidPoolingConfig),
    /// `kind = "deeplabv3plus"`.
    AtrousPooling(AtrousPoolingConfig),
}

/// Semantic FPN: a feature pyramid whose maps are summed up at stride 4.
#[derive(Debug, Clone, PartialEq)]
pub struct SemanticFpnConfig {
    /// Channels of the pyramid.
    pub fpn_width: usize,
    /// Channels of the head.
    pub head_width: usize,
    /// Share of channels dropped in training before the last layer.
    pub dropout: f64,
}

/// `PSPNet`: the last map beside its means over grids of a few cells.
#[derive(Debug, Clone, PartialEq)]
pub struct PyramidPoolingConfig {
    /// Cells along each side of the grids.
    pub bins: Vec<usize>,
    /// Channels of each grid's map and of the head.
    pub head_width: usize,
    /// Channels of the head on the third map that only training has; 0 is none.
    pub aux_width: usize,
    /// Share of channels dropped in training before the last layer.
    pub dropout: f64,
}

/// `DeepLabV3+`: the last map seen through convolutions of several dilations, refined by the first.
#[derive(Debug, Clone, PartialEq)]
pub struct AtrousPoolingConfig {
    /// Dilations; the first is 1, a convolution of 1×1.
    pub dilations: Vec<usize>,
    /// Channels of each dilation's map and of the head.
    pub head_width: usize,
    /// Channels that the first map is brought to.
    pub fine_width: usize,
    /// Channels of the head on the third map that only training has; 0 is none.
    pub aux_width: usize,
    /// Share of channels dropped in training before the last layer.
    pub dropout: f64,
}

/// The section as it is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Table {
    #[serde(default)]
    kind: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fpn_width: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bins: Option<Vec<usize>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dilations: Option<Vec<usize>>,
    head_width: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fine_width: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    aux_width: Option<usize>,
    dropout: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    #[default]
    #[serde(rename = "semantic-fpn")]
    SemanticFpn,
    PspNet,
    DeepLabV3Plus,
}

impl DecoderConfig {
    /// Share of channels dropped in training before the last layer.
    pub fn dropout_mut(&mut self) -> &mut f64 {
        match self {
            Self::SemanticFpn(config) => &mut config.dropout,
            Self::PyramidPooling(config) => &mut config.dropout,
            Self::AtrousPooling(config) => &mut config.dropout,
        }
    }
}

impl TryFrom<Table> for DecoderConfig {
    type Error = String;

    fn try_from(table: Table) -> Result<Self, String> {
        let Table { kind, fpn_width, bins, dilations, head_width, fine_width, aux_width, dropout } = table;
        let foreign = |given: &[(&str, bool)]| match given.iter().find(|(_, given)| *given) {
            Some((key, _)) => Err(format!("a decoder of this kind has no `{key}`")),
            None => Ok(()),
        };
        let missing = |key: &str| format!("missing field `{key}`");
        match kind {
            Kind::SemanticFpn => {
                foreign(&[
                    ("bins", bins.is_some()),
                    ("dilations", dilations.is_some()),
                    ("fine-width", fine_width.is_some()),
                    ("aux-width", aux_width.is_some()),
                ])?;
                let fpn_width = fpn_width.ok_or_else(|| missing("fpn-width"))?;
                Ok(Self::SemanticFpn(SemanticFpnConfig { fpn_width, head_width, dropout }))
            }
            Kind::PspNet => {
                foreign(&[
                    ("fpn-width", fpn_width.is_some()),
                    ("dilations", dilations.is_some()),
                    ("fine-width", fine_width.is_some()),
                ])?;
                let bins = bins.ok_or_else(|| missing("bins"))?;
                let aux_width = aux_width.unwrap_or_default();
                Ok(Self::PyramidPooling(PyramidPoolingConfig { bins, head_width, aux_width, dropout }))
            }
            Kind::DeepLabV3Plus => {
                foreign(&[("fpn-width", fpn_width.is_some()), ("bins", bins.is_some())])?;
                let dilations = dilations.ok_or_else(|| missing("dilations"))?;
                let fine_width = fine_width.ok_or_else(|| missing("fine-width"))?;
                let aux_width = aux_width.unwrap_or_default();
                Ok(Self::AtrousPooling(AtrousPoolingConfig {
                    dilations,
                    head_width,
                    fine_width,
                    aux_width,
                    dropout,
                }))
            }
        }
    }
}

impl From<DecoderConfig> for Table {
    fn from(config: DecoderConfig) -> Self {
        let empty = |kind, head_width, dropout| Self {
            kind,
            fpn_width: None,
            bins: None,
            dilations: None,
            head_width,
            fine_width: None,
            aux_width: None,
            dropout,
        };
        match config {
            DecoderConfig::SemanticFpn(SemanticFpnConfig { fpn_width, head_width, dropout }) => {
                Self { fpn_width: Some(fpn_width), ..empty(Kind::SemanticFpn, head_width, dropout) }
            }
            DecoderConfig::PyramidPooling(PyramidPoolingConfig { bins, head_width, aux_width, dropout }) => {
                let table = empty(Kind::PspNet, head_width, dropout);
                Self { bins: Some(bins), aux_width: Some(aux_width), ..table }
            }
            DecoderConfig::AtrousPooling(config) => {
                let AtrousPoolingConfig { dilations, head_width, fine_width, aux_width, dropout } = config;
                Self {
                    dilations: Some(dilations),
                    fine_width: Some(fine_width),
                    aux_width: Some(aux_width),
                    ..empty(Kind::DeepLabV3Plus, head_width, dropout)
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::DecoderConfig;

    fn parse(text: &str) -> Result<DecoderConfig, String> {
        toml::from_str(text).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn the_kind_tells_the_other_keys() {
        let fpn = parse("fpn-width = 8\nhead-width = 4\ndropout = 0.1").unwrap();
        let psp = parse("kind = \"pspnet\"\nbins = [1, 2]\nhead-width = 4\ndropout = 0.1").unwrap();
        let text =
            "kind = \"deeplabv3plus\"\ndilations = [1, 6]\nfine-width = 4\nhead-width = 4\ndropout = 0";
        let deep = parse(text).unwrap();
        for config in [fpn, psp, deep] {
            assert_eq!(parse(&toml::to_string(&config).unwrap()).unwrap(), config);
        }
    }

    #[test]
    fn keys_of_another_kind_are_told() {
        let error = |text: &str| parse(text).unwrap_err();
        let fpn = "fpn-width = 8\nhead-width = 4\ndropout = 0.1";
        assert_eq!(error(&format!("{fpn}\nbins = [1]")), "a decoder of this kind has no `bins`");
        assert_eq!(error(&format!("{fpn}\nkind = \"pspnet\"")), "a decoder of this kind has no `fpn-width`");
        assert_eq!(error("head-width = 4\ndropout = 0.1"), "missing field `fpn-width`");
        assert!(error(&fpn.replace("fpn-width", "fpn-with")).starts_with("unknown field `fpn-with`"));
    }
}

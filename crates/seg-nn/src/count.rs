//! How many parameters a network has and how many multiplications an image costs.
//!
//! Multiplications are counted from the built network's own weights, in fvcore's way, which the paper's
//! numbers follow: a multiplication with its addition is one; batch norm is two for each value, layer norm
//! five, bilinear interpolation four, nearest and means over cells one; activations, sums and soft-max are free. fvcore does not
//! see the products inside the text tower's attention (0.02 G of 70 G), so they are left out here too.

use serde::Serialize;
use serde_json::Value;
use tch::Device;
use tch::nn::VarStore;

use crate::alignment::{Alignment, ClassText, TextPart};
use crate::bemseg::BemSeg;
use crate::checkpoint::is_text_tower;
use crate::clip::{AttentionPool, ResidualAttentionBlock, TextTower};
use crate::complaint::Complaint;
use crate::config::{Config, INPUT_MULTIPLE};
use crate::context_decoder::{ContextDecoder, DecoderLayer};
use crate::decoder::{
    AtrousPooling, ConvUnit, Decoder, Fpn, PyramidPooling, SemanticFpn, SemanticFpnHead, SeparableUnit,
};
use crate::error::Error;
use crate::layers::{Conv2d, ConvNorm, Linear};
use crate::resnet::{Bottleneck, ResNet};

/// What there is to say about a network without running it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelFacts {
    /// Its name.
    pub name: String,
    /// Parameters without the text tower, its contexts included.
    pub parameters: u64,
    /// Parameters of the text tower.
    pub parameters_text_encoder: u64,
    /// Multiplications of one image, the text tower included.
    pub macs: u64,
    /// Multiplications of one image when the class embeddings are known.
    pub macs_image_only: u64,
    /// The names of the classes.
    pub classes: Vec<String>,
    /// Its input.
    pub input: InputFacts,
    /// The configuration's sections on training, and what the caller adds.
    pub training: Value,
    /// The same numbers part by part.
    pub parts: Vec<PartFacts>,
}

/// A network's input.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InputFacts {
    /// Number of bands.
    pub bands: usize,
    /// Meters per pixel, where the network was made for some.
    pub gsd: Option<f64>,
    /// Mean of each band after the division.
    pub mean: Vec<f64>,
    /// Standard deviation of each band after the division.
    pub std: Vec<f64>,
}

/// One part of a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartFacts {
    /// What it is.
    pub name: &'static str,
    /// Its parameters.
    pub parameters: u64,
    /// Its multiplications for one image.
    pub macs: u64,
}

/// Pixels of a map.
#[derive(Debug, Clone, Copy)]
struct Area(i64);

const BATCH_NORM: i64 = 2;
const LAYER_NORM: i64 = 5;
const BILINEAR: i64 = 4;
const NEAREST: i64 = 1;
const CELL_MEAN: i64 = 1;

/// Builds a network and counts it for a square image of `side_px` pixels.
///
/// # Errors
/// When the network cannot be built or the side is not a multiple of 32.
pub fn describe(config: &Config, side_px: usize) -> Result<ModelFacts, Error> {
    if side_px == 0 || !side_px.is_multiple_of(INPUT_MULTIPLE) {
        let problem = format!("{side_px} is not a multiple of {INPUT_MULTIPLE}");
        return Err(Complaint::new("size", problem).into());
    }
    let vs = VarStore::new(Device::Cpu);
    let network = BemSeg::new(&vs.root(), config, TextPart::Tower)?;
    let parts = parts(&network, &vs, Area((side_px * side_px) as i64));
    let text = |part: &&PartFacts| part.name == TEXT_TOWER;
    let sum = |number: fn(&PartFacts) -> u64| parts.iter().map(number).sum::<u64>();
    let text_parameters = parts.iter().find(text).map_or(0, |part| part.parameters);
    let text_macs = parts.iter().find(text).map_or(0, |part| part.macs);
    let input = &config.input;
    Ok(ModelFacts {
        name: config.model.name.clone(),
        parameters: sum(|part| part.parameters) - text_parameters,
        parameters_text_encoder: text_parameters,
        macs: sum(|part| part.macs),
        macs_image_only: sum(|part| part.macs) - text_macs,
        classes: config.class.iter().map(|class| class.name.clone()).collect(),
        input: InputFacts {
            bands: input.bands,
            gsd: input.gsd_m,
            mean: input.mean.clone(),
            std: input.std.clone(),
        },
        training: training_sections(config),
        parts,
    })
}

const TEXT_TOWER: &str = "text tower";

fn training_sections(config: &Config) -> Value {
    let sections = [
        ("data", &config.data),
        ("augment", &config.augment),
        ("loss", &config.loss),
        ("optimizer", &config.optimizer),
        ("schedule", &config.schedule),
        ("train", &config.train),
    ];
    let given = sections.into_iter().filter_map(|(name, section)| {
        let section = serde_json::to_value(section.as_ref()?).ok()?;
        Some((name.to_owned(), section))
    });
    Value::Object(given.collect())
}

fn parts(network: &BemSeg, vs: &VarStore, image: Area) -> Vec<PartFacts> {
    let trainable = |key: &str| {
        !["running_mean", "running_var", "num_batches_tracked"].iter().any(|buffer| key.ends_with(buffer))
    };
    let variables = vs.variables();
    let parameters = |belongs: &dyn Fn(&str) -> bool| {
        let of_part = variables.iter().filter(|(key, _)| trainable(key) && belongs(key));
        of_part.map(|(_, tensor)| tensor.numel() as u64).sum::<u64>()
    };
    let prefixed = |prefix: &'static str| parameters(&|key: &str| key.starts_with(prefix));
    let pool_parameters = prefixed("visual.attnpool.");
    let mut parts = Vec::new();
    let mut add = |name, parameters, macs: i64| {
        if parameters > 0 || macs > 0 {
            parts.push(PartFacts { name, parameters, macs: macs as u64 });
        }
    };
    add("encoder", prefixed("visual.") - pool_parameters, encoder_macs(&network.visual, image));
    if let Some(alignment) = &network.alignment {
        let places = image.shrunk(32).0;
        let macs = AlignmentMacs::count(alignment, places, network.classes as i64);
        let tower = parameters(&|key: &str| is_text_tower(key) && key != "contexts");
        add("attention pool", pool_parameters, macs.pool);
        add("text contexts", prefixed("contexts"), 0);
        add(TEXT_TOWER, tower, macs.tower);
        add("fusion into text", prefixed("bff_text.") + prefixed("gamma_t"), macs.into_text);
        add("fusion into image", prefixed("bff_image.") + prefixed("gamma_v"), macs.into_image);
        add("score map", 0, macs.score);
    }
    let upsampled = BILINEAR * network.classes as i64 * image.0;
    match &network.decoder {
        Decoder::SemanticFpn(decoder) => {
            let SemanticFpn { fpn, head } = &**decoder;
            add("feature pyramid", prefixed("fpn."), fpn_macs(fpn, image));
            add("head", prefixed("head."), head_macs(head, image) + upsampled);
        }
        Decoder::PyramidPooling(decoder) => {
            let [pooling, head] = pspnet_macs(decoder, image.shrunk(8));
            add("pyramid pooling", prefixed("psp."), pooling);
            add("head", prefixed("head."), head + upsampled);
        }
        Decoder::AtrousPooling(decoder) => {
            let [pooling, head] = deeplab_macs(decoder, image);
            add("atrous pooling", prefixed("aspp."), pooling);
            add("head", prefixed("head."), head + upsampled);
        }
    }
    // Inference does without it.
    add("auxiliary head", prefixed("aux."), 0);
    parts
}

impl Area {
    fn shrunk(self, stride: i64) -> Self {
        Self(self.0 / (stride * stride))
    }
}

/// The multiplications of the alignment's parts.
struct AlignmentMacs {
    pool: i64,
    tower: i64,
    into_text: i64,
    into_image: i64,
    score: i64,
}

impl AlignmentMacs {
    fn count(alignment: &Alignment, places: i64, classes: i64) -> Self {
        let fusion = alignment.fusion.as_ref();
        let image = fusion.and_then(|fusion| {
            let image = fusion.image.as_ref()?;
            Some(image.bff_image.as_ref().unwrap_or(&fusion.bff_text))
        });
        Self {
            pool: pool_macs(&alignment.attnpool, places),
            tower: match &alignment.text {
                ClassText::Tower(tower) => tower_macs(tower, classes),
                ClassText::Embeddings(_) => 0,
            },
            into_text: fusion.map_or(0, |fusion| stack_macs(&fusion.bff_text, classes, places + 1)),
            into_image: image.map_or(0, |stack| stack_macs(stack, places, classes)),
            score: places * classes * alignment.attnpool.c_proj.weight.size()[0],
        }
    }
}

fn conv(conv: &Conv2d, output: Area) -> i64 {
    output.0 * conv.weight.numel() as i64
}

fn conv_norm(unit: &ConvNorm, output: Area) -> i64 {
    let channels = unit.conv.weight.size()[0];
    conv(&unit.conv, output) + unit.norm.as_ref().map_or(0, |_| BATCH_NORM * channels * output.0)
}

fn conv_unit(unit: &ConvUnit, output: Area) -> i64 {
    conv_norm(&unit.0, output)
}

fn separable(unit: &SeparableUnit, output: Area) -> i64 {
    conv_unit(&unit.depthwise, output) + conv_unit(&unit.pointwise, output)
}

/// Means over the cells of a grid, which are not free as the mean over all is, counted for each value of the map that `unit` then sees.
fn cell_means(unit: &ConvUnit, input: Area) -> i64 {
    CELL_MEAN * unit.0.conv.weight.size()[1] * input.0
}

fn bilinear(channels: i64, output: Area) -> i64 {
    BILINEAR * channels * output.0
}

fn linear(linear: &Linear, rows: i64) -> i64 {
    rows * linear.weight.numel() as i64
}

/// The two products of attention.
fn products(queries: i64, keys: i64, width: i64) -> i64 {
    2 * queries * keys * width
}

fn encoder_macs(visual: &ResNet, image: Area) -> i64 {
    let half = image.shrunk(2);
    let stem = [&visual.conv1, &visual.conv2, &visual.conv3].map(|unit| conv_norm(unit, half));
    let stages = [&visual.layer1, &visual.layer2, &visual.layer3, &visual.layer4];
    let mut area = image.shrunk(4);
    let mut macs = stem.iter().sum();
    for block in stages.into_iter().flatten() {
        let (of_block, after) = bottleneck_macs(block, area);
        macs += of_block;
        area = after;
    }
    macs
}

/// The multiplications of a block, and the pixels of what it puts out.
fn bottleneck_macs(block: &Bottleneck, area: Area) -> (i64, Area) {
    let middle = area.shrunk(block.conv2.conv.stride);
    let after = middle.shrunk(block.pool);
    let branch =
        conv_norm(&block.conv1, area) + conv_norm(&block.conv2, middle) + conv_norm(&block.conv3, after);
    (branch + block.downsample.as_ref().map_or(0, |unit| conv_norm(unit, after)), after)
}

fn pool_macs(pool: &AttentionPool, places: i64) -> i64 {
    let tokens = places + 1;
    let linears = [&pool.q_proj, &pool.k_proj, &pool.v_proj, &pool.c_proj].map(|map| linear(map, tokens));
    linears.iter().sum::<i64>() + products(tokens, tokens, pool.q_proj.weight.size()[0])
}

fn tower_macs(tower: &TextTower, classes: i64) -> i64 {
    let (tokens, width) = (tower.tokens(), tower.ln_final.weight.size()[0]);
    let block = |block: &ResidualAttentionBlock| {
        let maps = [&block.in_proj, &block.out_proj, &block.c_fc, &block.c_proj];
        maps.map(|map| linear(map, tokens)).iter().sum::<i64>() + 2 * LAYER_NORM * tokens * width
    };
    let blocks = tower.resblocks.iter().map(block).sum::<i64>();
    blocks + LAYER_NORM * tokens * width + classes * tower.text_projection.numel() as i64
}

fn stack_macs(stack: &ContextDecoder, queries: i64, memory: i64) -> i64 {
    let (width, embed_dim) = (stack.out_proj.weight.size()[1], stack.out_proj.weight.size()[0]);
    let input = linear(&stack.kv_in_proj, memory) + linear(&stack.q_in_proj, queries);
    let input_norms = LAYER_NORM * (memory * (embed_dim + width) + queries * embed_dim);
    let output = linear(&stack.out_proj, queries) + LAYER_NORM * queries * width;
    let layer = |layer: &DecoderLayer| {
        let of_queries = [
            &layer.self_q,
            &layer.self_k,
            &layer.self_v,
            &layer.self_o,
            &layer.cross_q,
            &layer.cross_o,
            &layer.fc1,
            &layer.fc2,
        ];
        let of_memory = [&layer.cross_k, &layer.cross_v];
        of_queries.map(|map| linear(map, queries)).iter().sum::<i64>()
            + of_memory.map(|map| linear(map, memory)).iter().sum::<i64>()
            + products(queries, queries, width)
            + products(queries, memory, width)
            + 3 * LAYER_NORM * queries * width
    };
    input + input_norms + stack.layers.iter().map(layer).sum::<i64>() + output
}

fn fpn_macs(fpn: &Fpn, image: Area) -> i64 {
    let width = fpn.smooth[0].weight.size()[0];
    let mut macs = 0;
    for (level, stride) in [4, 8, 16, 32].into_iter().enumerate() {
        let area = image.shrunk(stride);
        macs += conv(&fpn.lateral[level], area) + conv(&fpn.smooth[level], area);
        if level < 3 {
            macs += NEAREST * width * area.0;
        }
    }
    macs
}

fn head_macs(head: &SemanticFpnHead, image: Area) -> i64 {
    let quarter = image.shrunk(4);
    let width = head.classify.weight.size()[1];
    let mut macs = conv_unit(&head.scale[0][0], quarter);
    for (level, stride) in [(1, 8), (2, 16), (3, 32)] {
        let mut area = image.shrunk(stride);
        for unit in &head.scale[level] {
            macs += conv_unit(unit, area);
            area = Area(4 * area.0);
            macs += bilinear(width, area);
        }
    }
    macs + conv(&head.classify, quarter)
}

/// Of the pooled maps, and of what follows, for a last map of `area`.
fn pspnet_macs(decoder: &PyramidPooling, area: Area) -> [i64; 2] {
    let width = decoder.classify.weight.size()[1];
    let means = cell_means(&decoder.levels[0].unit, area);
    let level = |bins: i64, unit| {
        let of_cells = if bins > 1 { means } else { 0 };
        of_cells + conv_unit(unit, Area(bins * bins)) + bilinear(width, area)
    };
    let pooling = decoder.levels.iter().map(|of| level(of.bins, &of.unit)).sum();
    [pooling, conv_unit(&decoder.bottleneck, area) + conv(&decoder.classify, area)]
}

/// Of the pooled maps, and of what follows.
fn deeplab_macs(decoder: &AtrousPooling, image: Area) -> [i64; 2] {
    let (eighth, quarter) = (image.shrunk(8), image.shrunk(4));
    let width = decoder.classify.weight.size()[1];
    let far = decoder.far.iter().map(|unit| separable(unit, eighth)).sum::<i64>();
    let pooling = conv_unit(&decoder.image, Area(1)) + bilinear(width, eighth);
    let head = conv_unit(&decoder.bottleneck, eighth)
        + bilinear(width, quarter)
        + conv_unit(&decoder.fine, quarter)
        + decoder.refine.iter().map(|unit| separable(unit, quarter)).sum::<i64>()
        + conv(&decoder.classify, quarter);
    [pooling + conv_unit(&decoder.near, eighth) + far, head]
}

//! Every intermediate tensor equals that of a reference program in `PyTorch`.
//!
//! `tests/data/parity/` holds the tensors of a tiny network, made by the script beside them; the larger
//! references lie outside of the repository and are compared where they are at hand. No reference holds
//! weights: they follow from the seed (`hash_fill`).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use seg_nn::{
    BemSeg, Config, DecoderConfig, EncoderConfig, FusionConfig, FusionKind, FusionStacks, Mode, PoolConfig,
    SegModel as _, TextConfig, TextPart, TokenizerKind, TowerTraining, hash_fill_all, tokenize,
};
use serde_json::Value;
use tch::nn::VarStore;
use tch::{Device, Kind, Tensor};

use crate::configs::config as read_config;

const TOLERANCE: f64 = 1e-4;
/// Batch statistics of the few places of a small image make rounding errors larger: `PyTorch` 2.13 and 2.15
/// differ by as much from each other.
const TRAIN_TOLERANCE: f64 = 3e-4;

pub(crate) struct Golden {
    pub(crate) name: String,
    pub(crate) config: Config,
    seed: u64,
    pub(crate) tensors: BTreeMap<String, Tensor>,
}

impl Golden {
    fn read(path: &Path, config: impl Fn(&BTreeMap<String, String>) -> (Config, u64)) -> Self {
        let bytes = fs::read(path).unwrap();
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let (mut config, seed) = config(&header.metadata().clone().unwrap().into_iter().collect());
        if let Some(fusion) = &mut config.model.fusion {
            fusion.dropout = 0.0;
        }
        config.model.decoder.dropout = 0.0;
        Self {
            name: path.file_name().unwrap().to_string_lossy().into_owned(),
            config,
            seed,
            tensors: Tensor::read_safetensors(path).unwrap().into_iter().collect(),
        }
    }

    pub(crate) fn network(&self) -> (VarStore, BemSeg) {
        let vs = VarStore::new(Device::Cpu);
        let network = BemSeg::new(&vs.root(), &self.config, TextPart::Tower).unwrap();
        hash_fill_all(&vs, self.seed, 0.5).unwrap();
        (vs, network)
    }

    /// Compares all of this file's tensors whose names start with `prefix`, and returns the largest error.
    fn compare(&self, prefix: &str, got: &BTreeMap<&'static str, Tensor>) -> f64 {
        let tolerance = if prefix == "train/" { TRAIN_TOLERANCE } else { TOLERANCE };
        let mut largest = 0.0f64;
        let mut compared = 0;
        for (key, expected) in &self.tensors {
            let Some(tensor) = key.strip_prefix(prefix).and_then(|name| got.get(name)) else { continue };
            assert_eq!(tensor.size(), expected.size(), "{}: {key}", self.name);
            let error = relative_error(tensor, expected);
            assert!(error <= tolerance, "{}: {key} differs by {error:.2e}", self.name);
            largest = largest.max(error);
            compared += 1;
        }
        assert!(compared >= 2, "{}: only {compared} tensors of {prefix} compared", self.name);
        largest
    }

    fn check(&self) {
        let _no_grad = tch::no_grad_guard();
        let (vs, network) = self.network();
        let image = &self.tensors["input"];
        if let (Some(ids), Some(text)) = (self.tensors.get("token_ids"), &self.config.model.text) {
            let prompts = self.config.class.iter().map(|class| class.name.as_str());
            assert_eq!(Tensor::from_slice(&tokenize(prompts, text).unwrap().concat()), ids.flatten(0, -1));
        }
        let eval = run(&network, image, Mode::Eval);
        let largest = self.compare("eval/", &eval);

        let prepared = run(&network.prepare().unwrap(), image, Mode::Eval);
        let largest_prepared = self.compare("eval/", &prepared);
        let scores = network.prepare().unwrap().forward(image).unwrap();
        let error = relative_error(scores.tensor(), &eval["logits"]);
        assert!(error <= TOLERANCE, "{}: prepared logits differ by {error:.2e}", self.name);

        let train = run(&network, image, Mode::Train);
        let largest_train = self.compare("train/", &train);
        let variables = vs.variables();
        for (key, expected) in &self.tensors {
            if let Some(name) = key.strip_prefix("train/after/") {
                let error = relative_error(&variables[name], expected);
                assert!(error <= TOLERANCE, "{}: {key} differs by {error:.2e}", self.name);
            }
        }
        eprintln!(
            "{}: eval {largest:.1e}, prepared {largest_prepared:.1e}, train {largest_train:.1e}",
            self.name
        );
    }
}

fn run(network: &BemSeg, image: &Tensor, mode: Mode) -> BTreeMap<&'static str, Tensor> {
    let mut tensors = BTreeMap::new();
    let output = network.forward_with(image, mode, &mut tensors).unwrap();
    let (_, _, height, width) = image.size4().unwrap();
    tensors.insert("logits", output.logits(height, width).unwrap());
    tensors
}

/// max|a - b| / max|b|
pub(crate) fn relative_error(a: &Tensor, b: &Tensor) -> f64 {
    let largest = |tensor: Tensor| tensor.abs().max().to_kind(Kind::Double).double_value(&[]);
    largest(a - b) / largest(b.shallow_clone())
}

/// The network that the reference program builds for its command line.
fn oracle_config(metadata: &BTreeMap<String, String>) -> (Config, u64) {
    let args: Value = serde_json::from_str(&metadata["args"]).unwrap();
    let full = args["profile"] == "full";
    let file = if args["classes"] == 7 { "bemseg-rn50-loveda.toml" } else { "bemseg-rn50-potsdam.toml" };
    let mut config = read_config(file);
    let model = &mut config.model;
    if !full {
        model.encoder = EncoderConfig { stem_width: 8, widths: [8, 16, 32, 64], depths: [1, 2, 1, 1] };
        model.pool = Some(PoolConfig { heads: 4, embed_dim: 64, positional_grid: 2 });
        model.text = Some(TextConfig {
            tokenizer: TokenizerKind::Words,
            tower: TowerTraining::Trained,
            vocab: 64,
            width: 32,
            heads: 2,
            layers: 2,
            context_length: 77,
            n_tok: 8,
            n_ctx: 8,
        });
        model.fusion = Some(FusionConfig {
            kind: FusionKind::Both,
            stacks: FusionStacks::Separate,
            width: 32,
            heads: 4,
            layers: 3,
            dropout: 0.0,
        });
        model.decoder = DecoderConfig { fpn_width: 16, head_width: 16, dropout: 0.0 };
    }
    let grid = args["pos_grid"].as_u64().unwrap_or(if full { 7 } else { 2 });
    model.pool.as_mut().unwrap().positional_grid = grid as usize;
    let fusion = model.fusion.as_mut().unwrap();
    if args["shared"] == true {
        fusion.stacks = FusionStacks::Shared;
    }
    match args["model"].as_str().unwrap() {
        "bemseg" => {}
        "denseclip" => fusion.kind = FusionKind::Text,
        "clipfpn" => fusion.kind = FusionKind::None,
        _ => (model.pool, model.text, model.fusion) = (None, None, None),
    }
    (config, args["seed"].as_u64().unwrap())
}

/// A tiny network whose configuration the reference wrote into its file.
fn own_config(metadata: &BTreeMap<String, String>) -> (Config, u64) {
    let config = Config::parse(&metadata["config"], "parity".as_ref()).unwrap();
    (config, metadata["seed"].parse().unwrap())
}

fn goldens(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|ending| ending == "safetensors")).collect()
}

/// The references that lie outside of the repository; none where they are not at hand.
pub(crate) fn larger_goldens() -> impl Iterator<Item = Golden> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/oracle/golden");
    let files = if folder.is_dir() {
        goldens(&folder)
    } else {
        eprintln!("skipped: the reference tensors are not at hand");
        Vec::new()
    };
    files.into_iter().map(|path| Golden::read(&path, oracle_config))
}

#[test]
fn tiny_networks_equal_the_reference() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/parity");
    let files = goldens(&folder);
    assert!(!files.is_empty());
    for path in files {
        Golden::read(&path, own_config).check();
    }
}

#[test]
fn larger_networks_equal_the_reference() {
    for golden in larger_goldens() {
        golden.check();
    }
}

#[test]
fn keys_and_shapes_equal_the_reference() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/oracle/keys_bemseg.txt");
    let Ok(text) = fs::read_to_string(&path) else {
        eprintln!("skipped: the reference keys are not at hand");
        return;
    };
    let vs = VarStore::new(Device::Cpu);
    let _network =
        BemSeg::new(&vs.root(), &read_config("bemseg-rn50-potsdam.toml"), TextPart::Tower).unwrap();
    let got = vs.variables().into_iter().map(|(key, tensor)| (key, format!("{:?}", tensor.size())));
    let expected = text.lines().filter_map(|line| line.split_once('\t'));
    let expected = expected.map(|(key, shape)| (key.to_owned(), shape.to_owned()));
    assert_eq!(got.collect::<BTreeMap<_, _>>(), expected.collect::<BTreeMap<_, _>>());
}

#[test]
fn forks_compute_the_same_bits_on_other_threads() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/parity");
    let golden = Golden::read(&goldens(&folder)[0], own_config);
    let network = golden.network().1.prepare().unwrap();
    let forward = |network: &dyn seg_nn::SegModel, image: &Tensor| {
        seg_torch::set_intra_op_threads(1);
        network.forward(image).unwrap().tensor().shallow_clone()
    };
    let image = &golden.tensors["input"];
    let expected = forward(&network, image);
    let workers = (0..4).map(|_| {
        let (fork, image) = (network.fork(), image.shallow_clone());
        std::thread::spawn(move || forward(&*fork, &image))
    });
    for worker in workers.collect::<Vec<_>>() {
        assert_eq!(worker.join().unwrap(), expected);
    }
}

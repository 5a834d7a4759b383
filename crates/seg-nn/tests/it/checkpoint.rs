//! Checkpoints: written, read, damaged.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use seg_nn::{
    BemSeg, Checkpoint, CheckpointContents, Config, Criterion, DecoderConfig, Error, LossSettings, Mode,
    SegModel as _, SemanticFpnConfig, StoredPrecision, StoredTower, TextPart, TowerTraining, init_untrained,
    initialize, load, load_bytes, save_checkpoint,
};
use serde_json::{Map, Value};
use tch::nn::VarStore;
use tch::{Device, Kind, Tensor};
use tempfile::TempDir;

/// The compact network, made tiny.
pub(crate) fn tiny() -> Config {
    let mut config = crate::configs::config("bemseg-small.toml");
    config.model.encoder.stem_width = 8;
    config.model.encoder.widths = [4, 4, 8, 8];
    config.model.encoder.depths = [1; 4];
    config.model.pool.as_mut().unwrap().embed_dim = 16;
    config.model.fusion.as_mut().unwrap().width = 16;
    config.model.decoder =
        DecoderConfig::SemanticFpn(SemanticFpnConfig { fpn_width: 8, head_width: 8, dropout: 0.1 });
    config
}

pub(crate) fn image() -> Tensor {
    (Tensor::arange(3 * 64 * 64, (Kind::Float, Device::Cpu)) * 0.37).sin().view([1, 3, 64, 64])
}

pub(crate) fn save(
    path: &Path,
    config: &Config,
    precision: StoredPrecision,
    text_tower: StoredTower,
) -> BemSeg {
    let vs = VarStore::new(Device::Cpu);
    let network = BemSeg::new(&vs.root(), config, TextPart::Tower).unwrap();
    initialize(&vs, 7).unwrap();
    let contents = CheckpointContents {
        config,
        network: &network,
        weights: &vs,
        step: 42,
        metrics: Map::from_iter([("miou".to_owned(), Value::from(0.5))]),
        provenance: Map::from_iter([("data".to_owned(), Value::from("none"))]),
        training: BTreeMap::new(),
        training_state: Map::new(),
        precision,
        text_tower,
    };
    save_checkpoint(path, &contents).unwrap();
    network
}

fn scores(path: &Path) -> Tensor {
    load(path, Device::Cpu).unwrap().network.forward(&image()).unwrap().tensor().shallow_clone()
}

fn largest_difference(a: &Tensor, b: &Tensor) -> f64 {
    (a - b).abs().max().double_value(&[])
}

#[test]
fn what_is_written_is_read() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("a.safetensors");
    let config = tiny();
    let network = save(&path, &config, StoredPrecision::F32, StoredTower::Kept);

    let checkpoint = Checkpoint::read(&path).unwrap();
    assert_eq!((checkpoint.step, &checkpoint.config), (42, &config));
    assert_eq!(checkpoint.metrics["miou"], 0.5);
    assert_eq!(checkpoint.provenance["data"], "none");
    let vs = VarStore::new(Device::Cpu);
    let again = BemSeg::new(&vs.root(), &config, TextPart::Tower).unwrap();
    checkpoint.fill(&vs).unwrap();
    let forward = |network: &BemSeg| network.forward(&image()).unwrap().tensor().shallow_clone();
    assert_eq!(forward(&again), forward(&network));

    let model = load(&path, Device::Cpu).unwrap();
    assert_eq!(model.card, config.card());
    assert_eq!(model.fingerprint, checkpoint.fingerprint);
    assert!(largest_difference(&scores(&path), &forward(&network)) < 1e-5);
}

#[test]
fn half_precision_and_no_tower_are_smaller_and_nearly_equal() {
    let dir = TempDir::new().unwrap();
    let (whole, compact) = (dir.path().join("whole.safetensors"), dir.path().join("compact.safetensors"));
    save(&whole, &tiny(), StoredPrecision::F32, StoredTower::Kept);
    save(&compact, &tiny(), StoredPrecision::F16, StoredTower::LeftOut);
    let size = |path: &Path| fs::metadata(path).unwrap().len();
    assert!(size(&compact) * 3 < size(&whole));
    let difference = largest_difference(&scores(&whole), &scores(&compact));
    assert!(difference > 0.0 && difference < 1e-2, "{difference}");

    // Training needs the tower that was left out.
    let vs = VarStore::new(Device::Cpu);
    BemSeg::new(&vs.root(), &tiny(), TextPart::Tower).unwrap();
    let error = Checkpoint::read(&compact).unwrap().fill(&vs).unwrap_err();
    assert!(error.to_string().contains("missing contexts, ln_final.bias"), "{error}");
}

/// A checkpoint in the middle of training, its weights as `precision` says.
fn save_in_training(
    path: &Path,
    precision: StoredPrecision,
    training: &BTreeMap<String, Tensor>,
) -> Result<(), Error> {
    let (config, vs) = (tiny(), VarStore::new(Device::Cpu));
    let network = BemSeg::new(&vs.root(), &config, TextPart::Tower).unwrap();
    initialize(&vs, 7).unwrap();
    let contents = CheckpointContents {
        config: &config,
        network: &network,
        weights: &vs,
        step: 42,
        metrics: Map::new(),
        provenance: Map::new(),
        training: training.iter().map(|(key, tensor)| (key.clone(), tensor.shallow_clone())).collect(),
        training_state: Map::from_iter([("epoch".to_owned(), Value::from(3))]),
        precision,
        text_tower: StoredTower::Kept,
    };
    save_checkpoint(path, &contents)
}

#[test]
fn what_training_needs_comes_back_as_it_was() {
    let dir = TempDir::new().unwrap();
    let (path, plain) = (dir.path().join("a.safetensors"), dir.path().join("plain.safetensors"));
    // More than what is written at once, in an order of its own.
    let moments = (Tensor::arange((1 << 21) + 6, (Kind::Float, Device::Cpu)) * 0.1).sin().view([2, -1]).tr();
    let kinds = [Kind::Double, Kind::Int64, Kind::Int, Kind::Uint8, Kind::Bool, Kind::Half, Kind::BFloat16];
    let kinds = kinds.iter().map(|kind| (format!("{kind:?}"), moments.slice(0, 0, 5, 1).to_kind(*kind)));
    let mut training: BTreeMap<_, _> = kinds.collect();
    training.insert("head.classify.weight/m".to_owned(), moments);
    training.insert("nothing".to_owned(), Tensor::zeros([0, 3], (Kind::Float, Device::Cpu)));
    save_in_training(&path, StoredPrecision::F16, &training).unwrap();
    save(&plain, &tiny(), StoredPrecision::F16, StoredTower::Kept);

    let checkpoint = Checkpoint::read(&path).unwrap();
    assert_eq!(checkpoint.training_state["epoch"], 3);
    let again = checkpoint.training_tensors().unwrap();
    assert!(again.keys().eq(training.keys()));
    for (key, tensor) in &again {
        assert_eq!((tensor.kind(), tensor), (training[key].kind(), &training[key]), "{key}");
    }
    let plain_checkpoint = Checkpoint::read(&plain).unwrap();
    assert!(plain_checkpoint.training_state.is_empty());
    assert!(plain_checkpoint.training_tensors().unwrap().is_empty());
    // The network is the same.
    let vs = VarStore::new(Device::Cpu);
    BemSeg::new(&vs.root(), &tiny(), TextPart::Tower).unwrap();
    checkpoint.fill(&vs).unwrap();
    assert_eq!(scores(&path), scores(&plain));
}

#[test]
fn a_type_that_is_not_stored_is_told() {
    let dir = TempDir::new().unwrap();
    let training = BTreeMap::from([("x".to_owned(), Tensor::zeros([1], (Kind::ComplexFloat, Device::Cpu)))]);
    let path = dir.path().join("a.safetensors");
    let error = save_in_training(&path, StoredPrecision::F32, &training).unwrap_err();
    assert!(error.to_string().contains("train/x is stored as ComplexFloat"), "{error}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "no temporary file stays");
}

#[test]
fn a_network_in_memory_infers_and_learns_on() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("a.safetensors");
    let network = save(&path, &tiny(), StoredPrecision::F32, StoredTower::Kept);
    let bytes = fs::read(&path).unwrap();
    let model = load_bytes(bytes.clone(), "built-in", Device::Cpu).unwrap();
    assert_eq!(model.fingerprint, load(&path, Device::Cpu).unwrap().fingerprint);
    assert_eq!(model.network.forward(&image()).unwrap().tensor(), &scores(&path));

    let checkpoint = Checkpoint::from_bytes(bytes.clone(), "built-in").unwrap();
    assert_eq!(checkpoint.text_part(), TextPart::Embeddings);
    for part in [TextPart::Tower, TextPart::Embeddings] {
        let vs = VarStore::new(Device::Cpu);
        let again = BemSeg::new(&vs.root(), &checkpoint.config, part).unwrap();
        checkpoint.fill(&vs).unwrap();
        assert_eq!(vs.variables().contains_key("contexts"), part == TextPart::Tower);
        let difference = largest_difference(
            &again.class_embeddings().unwrap().unwrap(),
            &network.class_embeddings().unwrap().unwrap(),
        );
        assert!(difference < 1e-6, "{part:?}: {difference}");
    }
    let error = Checkpoint::from_bytes(bytes[..200].to_vec(), "built-in").unwrap_err();
    assert!(error.to_string().starts_with("built-in is not a whole safetensors file"), "{error}");
}

#[test]
fn equal_seeds_make_equal_files() {
    let dir = TempDir::new().unwrap();
    let untrained = |name: &str, seed| {
        let path = dir.path().join(name);
        init_untrained(&tiny(), seed, &path).unwrap();
        fs::read(path).unwrap()
    };
    assert_eq!(untrained("a.safetensors", 0), untrained("b.safetensors", 0));
    assert_ne!(untrained("a.safetensors", 0), untrained("c.safetensors", 1));
    let names = fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(names, 3, "no temporary file stays");
}

#[test]
fn a_frozen_tower_does_not_learn_but_its_contexts_do() {
    let gradients = |tower| {
        let mut config = tiny();
        config.model.text.as_mut().unwrap().tower = tower;
        let vs = VarStore::new(Device::Cpu);
        let network = BemSeg::new(&vs.root(), &config, TextPart::Tower).unwrap();
        initialize(&vs, 0).unwrap();
        let output = network.forward_with(&image(), Mode::Train, &mut ()).unwrap();
        let criterion = Criterion::new(&LossSettings::default(), config.class.len()).unwrap();
        let labels = Tensor::arange(64 * 64, (Kind::Int64, Device::Cpu)).remainder(5).view([1, 64, 64]);
        criterion.losses(&output, &labels, &mut None).unwrap().total.backward();
        let variables = vs.variables();
        let learns = |key: &str| {
            let gradient = variables[key].grad();
            gradient.defined() && gradient.abs().max().double_value(&[]) > 0.0
        };
        [
            "contexts",
            "token_embedding.weight",
            "transformer.resblocks.0.mlp.c_fc.weight",
            "text_projection",
            "visual.conv1.weight",
            "gamma_v",
        ]
        .map(learns)
    };
    assert_eq!(gradients(TowerTraining::Frozen), [true, false, false, false, true, true]);
    assert_eq!(gradients(TowerTraining::Trained), [true; 6]);
}

#[test]
fn damaged_files_are_told() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("a.safetensors");
    save(&path, &tiny(), StoredPrecision::F32, StoredTower::LeftOut);
    let whole = fs::read(&path).unwrap();
    for bytes in [&whole[..0], &whole[..5], &whole[..100], &whole[..whole.len() - 1], b"hello, world"] {
        fs::write(&path, bytes).unwrap();
        let error = load(&path, Device::Cpu).unwrap_err();
        assert!(matches!(error, Error::NotSafetensors { .. }), "{error}");
        assert!(error.hint().is_some());
    }
}

#[test]
fn files_that_are_no_checkpoints_of_this_network_are_told() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("a.safetensors");
    let error = || load(&path, Device::Cpu).unwrap_err();
    let tensors = [("x", Tensor::zeros([2], (Kind::Float, Device::Cpu)))];
    Tensor::write_safetensors(&tensors, &path).unwrap();
    assert!(matches!(error(), Error::NotACheckpoint { .. }), "{}", error());

    save(&path, &tiny(), StoredPrecision::F32, StoredTower::LeftOut);
    let whole = fs::read(&path).unwrap();
    // Replaces text in the header by text of the same length.
    let patched = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        let at = whole.windows(from.len()).position(|part| part == from.as_bytes()).unwrap();
        let mut bytes = whole.clone();
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        fs::write(&path, bytes).unwrap();
        error().to_string()
    };
    let schema = patched("\\\"schema\\\":1", "\\\"schema\\\":9");
    assert!(schema.ends_with("a checkpoint of schema 9, this rs-seg reads schema 1"), "{schema}");
    let config = patched("stem-width", "stem-wodth");
    assert!(config.contains("metadata \"config\"") && config.contains("stem-wodth"), "{config}");
    let shape = patched("head-width = 8", "head-width = 9");
    assert!(
        shape.contains("head.classify.weight has shape [5, 8, 1, 1], the network's is [5, 9, 1, 1]"),
        "{shape}"
    );
    let keys = patched("\"gamma_t\"", "\"gamma_x\"");
    assert!(keys.ends_with("missing gamma_t; unexpected gamma_x"), "{keys}");
}

#[test]
fn nothing_stands_where_writing_failed() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("no such folder/a.safetensors");
    let error = init_untrained(&tiny(), 0, &path).unwrap_err();
    assert!(matches!(error, Error::Write { .. }), "{error}");
    assert!(!path.exists());
}

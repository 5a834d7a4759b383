//! Checkpoints: written, read, damaged.

use std::fs;
use std::path::Path;

use seg_nn::{
    BemSeg, Checkpoint, CheckpointContents, Config, Error, SegModel as _, StoredPrecision, StoredTower,
    TextPart, TowerTraining, init_untrained, initialize, load, save_checkpoint,
};
use serde_json::{Map, Value};
use tch::nn::VarStore;
use tch::{Device, Kind, Tensor};
use tempfile::TempDir;

/// The compact network, made tiny.
fn tiny() -> Config {
    let mut config = crate::configs::config("bemseg-small.toml");
    config.model.encoder.stem_width = 8;
    config.model.encoder.widths = [4, 4, 8, 8];
    config.model.encoder.depths = [1; 4];
    config.model.pool.as_mut().unwrap().embed_dim = 16;
    config.model.fusion.as_mut().unwrap().width = 16;
    config.model.decoder.fpn_width = 8;
    config.model.decoder.head_width = 8;
    config
}

fn image() -> Tensor {
    (Tensor::arange(3 * 64 * 64, (Kind::Float, Device::Cpu)) * 0.37).sin().view([1, 3, 64, 64])
}

fn save(path: &Path, config: &Config, precision: StoredPrecision, text_tower: StoredTower) -> BemSeg {
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
        let output = network.forward_with(&image(), seg_nn::Mode::Train, &mut ()).unwrap();
        (output.logits4.square().mean(Kind::Float) + output.score.unwrap().sum(Kind::Float)).backward();
        let variables = vs.variables();
        let learned = |key: &str| variables[key].grad().defined();
        (
            learned("contexts"),
            learned("transformer.resblocks.0.mlp.c_fc.weight"),
            learned("visual.conv1.weight"),
        )
    };
    assert_eq!(gradients(TowerTraining::Frozen), (true, false, true));
    assert_eq!(gradients(TowerTraining::Trained), (true, true, true));
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

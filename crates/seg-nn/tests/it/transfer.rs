//! Networks that start from another one's weights.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use seg_nn::{
    BemSeg, Checkpoint, Config, DecoderConfig, Error, Mode, StoredPrecision, StoredTower, TextPart, Transfer,
    initialize, transfer,
};
use tch::nn::VarStore;
use tch::{Device, Tensor};
use tempfile::TempDir;

use crate::checkpoint::{image, save, tiny};

/// A checkpoint of the tiny network and a place for it.
fn base(tower: StoredTower) -> (TempDir, Checkpoint) {
    let dir = TempDir::new().unwrap();
    let path: PathBuf = dir.path().join("base.safetensors");
    save(&path, &tiny(), StoredPrecision::F32, tower);
    (dir, Checkpoint::read(&path).unwrap())
}

/// A fresh network, and its weights before the transfer.
fn fresh(config: &Config) -> (VarStore, BemSeg, BTreeMap<String, Tensor>) {
    let vs = VarStore::new(Device::Cpu);
    let network = BemSeg::new(&vs.root(), config, TextPart::Tower).unwrap();
    initialize(&vs, 99).unwrap();
    let before = vs.variables().into_iter().map(|(key, tensor)| (key, tensor.detach().copy())).collect();
    (vs, network, before)
}

/// The checkpoint's own network.
fn origin(checkpoint: &Checkpoint) -> HashMap<String, Tensor> {
    let vs = VarStore::new(Device::Cpu);
    BemSeg::new(&vs.root(), &checkpoint.config, checkpoint.text_part()).unwrap();
    checkpoint.fill(&vs).unwrap();
    vs.variables()
}

fn renamed(names: &[&str]) -> Config {
    let mut config = tiny();
    let template = config.class[0].clone();
    config.class = names
        .iter()
        .zip(0..)
        .map(|(name, id)| {
            let mut class = template.clone();
            (class.id, class.name, class.prompt) = (id, (*name).to_owned(), None);
            class
        })
        .collect();
    config
}

fn check_whole(transfer: &Transfer, vs: &VarStore) {
    assert_eq!(transfer.taken + transfer.reinitialized.len() + transfer.partial.len(), vs.len());
}

const PARTIAL: [&str; 3] = ["fpn.lateral.3.weight", "head.classify.bias", "head.classify.weight"];

#[test]
fn equal_classes_take_everything() {
    let (_dir, checkpoint) = base(StoredTower::Kept);
    let (vs, network, _) = fresh(&tiny());
    let result = transfer(&checkpoint, &tiny(), &vs).unwrap();
    assert_eq!((result.taken, result.classes_kept.len()), (vs.len(), 5));
    assert!(result.reinitialized.is_empty() && result.partial.is_empty() && result.classes_new.is_empty());
    let (again, expected, _) = fresh(&tiny());
    checkpoint.fill(&again).unwrap();
    let logits = |network: &BemSeg| network.forward_with(&image(), Mode::Eval, &mut ()).unwrap().logits4;
    assert_eq!(logits(&network), logits(&expected));
    assert!(network.class_embeddings().unwrap().unwrap().requires_grad());
}

#[test]
fn classes_take_their_rows_along_by_name() {
    // The compact network's: building, land, road, vegetation, water.
    let (_dir, checkpoint) = base(StoredTower::Kept);
    let config = renamed(&["water", "meadow", "building"]);
    let (vs, _, before) = fresh(&config);
    let result = transfer(&checkpoint, &config, &vs).unwrap();
    check_whole(&result, &vs);
    assert_eq!(result.partial, PARTIAL);
    assert_eq!(
        (result.classes_kept.join(" "), result.classes_new.join(" ")),
        ("water building".into(), "meadow".into())
    );
    assert!(!result.missing_text_tower && result.reinitialized.is_empty());

    let (old, new) = (origin(&checkpoint), vs.variables());
    let row = |tensor: &Tensor, row: i64| tensor.detach().narrow(0, row, 1);
    for key in ["head.classify.weight", "head.classify.bias"] {
        assert_eq!(row(&new[key], 0), row(&old[key], 4));
        assert_eq!(row(&new[key], 1), row(&before[key], 1));
        assert_eq!(row(&new[key], 2), row(&old[key], 0));
    }
    let key = "fpn.lateral.3.weight";
    let columns = |tensor: &Tensor, from: i64, count: i64| tensor.detach().narrow(1, from, count);
    assert_eq!(columns(&new[key], 0, 32), columns(&old[key], 0, 32));
    assert_eq!(columns(&new[key], 32, 1), columns(&old[key], 36, 1));
    assert_eq!(columns(&new[key], 33, 1), columns(&before[key], 33, 1));
    assert_eq!(columns(&new[key], 34, 1), columns(&old[key], 32, 1));
    assert_ne!(new["visual.conv1.weight"], before["visual.conv1.weight"]);
}

#[test]
fn as_many_other_classes_start_anew() {
    let (_dir, checkpoint) = base(StoredTower::Kept);
    let config = renamed(&["a", "b", "c", "d", "e"]);
    let (vs, _, before) = fresh(&config);
    let result = transfer(&checkpoint, &config, &vs).unwrap();
    check_whole(&result, &vs);
    assert_eq!(result.reinitialized, ["head.classify.bias", "head.classify.weight"]);
    assert_eq!(result.partial, ["fpn.lateral.3.weight"]);
    assert!(result.classes_kept.is_empty());
    assert_eq!(vs.variables()["head.classify.weight"].detach(), before["head.classify.weight"]);

    let permuted = renamed(&["water", "vegetation", "road", "land", "building"]);
    let (vs, ..) = fresh(&permuted);
    let result = transfer(&checkpoint, &permuted, &vs).unwrap();
    assert_eq!(result.taken, vs.len());
    let (old, new) = (origin(&checkpoint), vs.variables());
    assert_eq!(new["head.classify.weight"].detach(), old["head.classify.weight"].detach().flip([0]));
}

#[test]
fn only_weights_with_a_slice_for_each_class_change_with_the_classes() {
    for plain in [false, true] {
        let shapes = |names: &[&str]| {
            let mut config = renamed(names);
            if plain {
                (config.model.pool, config.model.text, config.model.fusion) = (None, None, None);
            }
            let variables = fresh(&config).0.variables().into_iter();
            variables.map(|(key, tensor)| (key, tensor.size())).collect::<BTreeMap<_, _>>()
        };
        let (three, four) = (shapes(&["a", "b", "c"]), shapes(&["a", "b", "c", "d"]));
        let changed = three.iter().filter(|(key, shape)| four[*key] != **shape).map(|(key, _)| key.as_str());
        let expected = if plain { &PARTIAL[1..] } else { &PARTIAL };
        assert_eq!(changed.collect::<Vec<_>>(), expected);
    }
}

#[test]
fn a_tower_that_was_left_out_starts_anew() {
    let (_dir, checkpoint) = base(StoredTower::LeftOut);
    let (vs, _, before) = fresh(&tiny());
    let result = transfer(&checkpoint, &tiny(), &vs).unwrap();
    check_whole(&result, &vs);
    assert!(result.missing_text_tower && result.partial.is_empty());
    assert!(result.reinitialized.iter().any(|key| key == "contexts"));
    let variables = vs.variables();
    for key in &result.reinitialized {
        assert_eq!(variables[key].detach(), before[key], "{key}");
    }
    assert_eq!(variables["gamma_t"].detach(), origin(&checkpoint)["gamma_t"].detach());
}

#[test]
fn networks_that_differ_otherwise_are_told() {
    let (_dir, checkpoint) = base(StoredTower::Kept);
    let error = |change: &dyn Fn(&mut Config)| {
        let mut config = tiny();
        change(&mut config);
        let (vs, _, before) = fresh(&config);
        let error = transfer(&checkpoint, &config, &vs).unwrap_err();
        for (key, tensor) in vs.variables() {
            assert_eq!(tensor.detach(), before[&key], "{key} changed before the error");
        }
        error
    };
    let bands = error(&|config| {
        config.input.bands = 4;
        (config.input.mean, config.input.std) = (vec![0.0; 4], vec![1.0; 4]);
    });
    assert!(bands.to_string().ends_with("takes 3 bands, the network takes 4"), "{bands}");
    assert!(bands.hint().unwrap().contains("[input]"));
    let shape = error(&|config| {
        let DecoderConfig::SemanticFpn(decoder) = &mut config.model.decoder else { unreachable!() };
        decoder.head_width = 16;
    });
    assert!(matches!(shape, Error::Shape { .. }), "{shape}");
    let heads = error(&|config| config.model.fusion.as_mut().unwrap().heads = 2);
    assert!(heads.to_string().ends_with("model.fusion.heads is 4, the network's is 2"), "{heads}");
    let keys = error(&|config| config.model.encoder.depths = [2, 1, 1, 1]);
    assert!(keys.to_string().contains("missing visual.layer1.1.bn1.bias"), "{keys}");
}

//! Weights of other programs' files: made by PyTorch and `open_clip` (`tests/data/import/make_import.py`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use seg_nn::import::{
    CLIP_RN50_SHA256, FileKind, Import, ImportProblem, MissingWeights, Naming, Origin, StateDict, Weights,
    WeightsFacts, WeightsKind, config_of, import_network, missing_of_encoders, save_weights,
};
use seg_nn::{
    BemSeg, Checkpoint, Config, DecoderConfig, EncoderKind, Error, FusionKind, FusionStacks, StoredPrecision,
    TextPart, initialize,
};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tch::nn::VarStore;
use tch::{Device, Kind, Tensor};

pub(crate) fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/import").join(name)
}

fn read(name: &str) -> StateDict {
    StateDict::read(&file(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn weights(name: &str) -> Weights {
    Weights::of(read(name)).unwrap()
}

fn problem(name: &str) -> ImportProblem {
    match StateDict::read(&file(name)).unwrap_err() {
        Error::Import { problem, .. } => problem,
        other => panic!("{name}: {other}"),
    }
}

/// A tensor as the script notes it: its shape, and the first half of its numbers' sha256.
fn facts(tensor: &Tensor) -> Value {
    let mut bytes = vec![0; tensor.numel() * tensor.kind().elt_size_in_bytes()];
    tensor.contiguous().copy_data_u8(&mut bytes, tensor.numel());
    let digest = format!("{:x}", Sha256::digest(&bytes));
    serde_json::json!([tensor.size(), digest[..32]])
}

/// The network of the fixtures, its vocabulary too small for CLIP's tokens.
fn config(stacks: FusionStacks) -> Config {
    let mut config = crate::configs::config("bemseg-small.toml");
    let model = &mut config.model;
    model.encoder.stem_width = 2;
    (model.encoder.widths, model.encoder.depths) = ([2, 4, 8, 16], [1; 4]);
    let pool = model.pool.as_mut().unwrap();
    (pool.heads, pool.embed_dim, pool.positional_grid) = (1, 8, 4);
    let text = model.text.as_mut().unwrap();
    (text.vocab, text.width, text.heads, text.layers) = (64, 8, 1, 1);
    (text.context_length, text.n_tok, text.n_ctx) = (6, 4, 2);
    let fusion = model.fusion.as_mut().unwrap();
    (fusion.width, fusion.heads, fusion.layers, fusion.stacks) = (8, 1, 1, stacks);
    set_widths(&mut model.decoder, [8, 8]);
    config.class.truncate(3);
    config
}

/// Pyramid and head of these channels.
fn set_widths(decoder: &mut DecoderConfig, [fpn, head]: [usize; 2]) {
    let DecoderConfig::SemanticFpn(config) = decoder else { unreachable!() };
    (config.fpn_width, config.head_width) = (fpn, head);
}

fn network(config: &Config) -> VarStore {
    let vs = VarStore::new(Device::Cpu);
    BemSeg::new(&vs.root(), config, TextPart::Tower).unwrap();
    initialize(&vs, 5).unwrap();
    vs
}

fn copies(vs: &VarStore) -> BTreeMap<String, Tensor> {
    vs.variables().into_iter().map(|(key, tensor)| (key, tensor.detach().copy())).collect()
}

#[test]
fn every_tensor_is_read_as_python_reads_it() {
    let text = std::fs::read_to_string(file("expected.json")).unwrap();
    let expected: BTreeMap<String, BTreeMap<String, Value>> = serde_json::from_str(&text).unwrap();
    assert_eq!(expected.len(), 9, "files that are read");
    for (name, expected) in expected {
        let state = read(&name);
        let mut found: BTreeMap<_, _> =
            state.tensors.iter().map(|(key, tensor)| (key.clone(), facts(tensor))).collect();
        if state.kind == FileKind::TorchScript {
            // What a program computes with is no part of its state, masks for one.
            found.retain(|key, _| expected.contains_key(key));
        }
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn types_strides_and_shared_memory_are_kept() {
    let tensors = read("views.pt").tensors;
    let numbers = |key: &str| Vec::<f32>::try_from(tensors[key].flatten(0, -1).to_kind(Kind::Float)).unwrap();
    assert_eq!(numbers("visual_part"), [8.0, 9.0, 10.0, 14.0, 15.0, 16.0]);
    assert_eq!(
        (tensors["transposed"].size(), &numbers("transposed")[..3]),
        (vec![6, 4], &[0.0, 6.0, 12.0][..])
    );
    assert_eq!(numbers("expanded"), [1.5; 6]);
    for floating in ["half", "bfloat", "double"] {
        assert_eq!((tensors[floating].kind(), numbers(floating)), (Kind::Float, vec![1.0, -2.0]));
    }
    assert_eq!(tensors["long"].int64_value(&[1]), -(1 << 40));
    assert_eq!((tensors["bool"].kind(), tensors["empty"].size()), (Kind::Bool, vec![0, 3]));
}

#[test]
fn what_a_file_is_shows_by_its_content() {
    for (name, kind) in [
        ("clip-script.pt", FileKind::TorchScript),
        ("clip-state.pt", FileKind::TorchSave),
        ("mmseg.pth", FileKind::TorchSave),
        ("clip.safetensors", FileKind::Safetensors),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let renamed = folder.path().join("weights.bin");
        std::fs::copy(file(name), &renamed).unwrap();
        assert_eq!(StateDict::read(&renamed).unwrap().kind, kind, "{name}");
    }
    assert_eq!(read("mmseg.pth").beside, ["meta", "optimizer"]);
}

#[test]
fn files_that_cannot_be_read_say_why() {
    assert_eq!(problem("legacy.pt"), ImportProblem::Legacy);
    assert_eq!(problem("big-endian.pt"), ImportProblem::BigEndian);
    assert_eq!(problem("no-archive.pt"), ImportProblem::NoDescription);
    assert_eq!(problem("make_import.py"), ImportProblem::UnknownKind);
    assert!(matches!(problem("truncated.pt"), ImportProblem::Damaged(_)));
    let error = StateDict::read(&file("legacy.pt")).unwrap_err();
    assert!(error.hint().unwrap().contains("torch.save(sd, path)"), "{error}");
    let error = Weights::of(read("views.pt")).unwrap_err();
    assert!(error.to_string().contains("15 tensors have names that are not known"), "{error}");
}

#[test]
fn a_changed_number_is_found() {
    let mut bytes = std::fs::read(file("clip-state.pt")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("changed.pt");
    std::fs::write(&path, bytes).unwrap();
    let error = StateDict::read(&path).unwrap_err();
    assert!(error.to_string().contains("damaged or cut short"), "{error}");
}

#[test]
fn clip_is_the_same_from_every_file() {
    let script = weights("clip-script.pt");
    assert_eq!((script.kind, script.naming), (WeightsKind::Clip, Some(Naming::Own)));
    assert_eq!(script.is_clip_rn50(FileKind::TorchScript), Some(false));
    assert_ne!(script.sha256, CLIP_RN50_SHA256);
    let folder = tempfile::tempdir().unwrap();
    let saved = |name: &str| {
        let weights = weights(name);
        assert_eq!(
            (weights.kind, weights.unknown.len()),
            (WeightsKind::Clip, 0),
            "{name}: {:?}",
            weights.unknown
        );
        let out = folder.path().join("out.safetensors");
        save_weights(&weights, StoredPrecision::F32, &out).unwrap();
        let tensors = Tensor::read_safetensors(&out).unwrap().into_iter().collect::<BTreeMap<_, _>>();
        assert_eq!(WeightsFacts::read(&out).unwrap().unwrap().tensors, tensors.len());
        assert!(!tensors.keys().any(|key| key.ends_with("vocab_size") || key.ends_with("attn_mask")));
        tensors
    };
    let [one, two, three] = ["clip-script.pt", "clip-state.pt", "clip.safetensors"].map(saved);
    assert_eq!(one.keys().collect::<Vec<_>>(), two.keys().collect::<Vec<_>>());
    for (key, tensor) in &one {
        assert!(tensor.equal(&two[key]) && tensor.equal(&three[key]), "{key}");
    }
}

#[test]
fn encoders_begin_a_network() {
    let mut config = config(FusionStacks::Separate);
    for (name, resized) in [("clip-script.pt", true), ("clip.safetensors", true), ("resnet.pth", false)] {
        // Names and shapes are the same for both kinds, what they compute is not.
        let (other, theirs) = (EncoderKind::V1c, EncoderKind::Clip);
        let (theirs, other) = if resized { (theirs, other) } else { (other, theirs) };
        config.model.encoder.kind = other;
        let error = Origin::read(&file(name)).unwrap().transfer(&config, &network(&config)).unwrap_err();
        assert!(error.to_string().contains("model.encoder.kind is"), "{error}");
        config.model.encoder.kind = theirs;
        let vs = network(&config);
        let before = copies(&vs);
        let origin = Origin::read(&file(name)).unwrap();
        assert!(origin.config().is_none() && origin.step() == 0);
        let transfer = origin.transfer(&config, &vs).unwrap();
        assert_eq!(transfer.taken + transfer.reinitialized.len(), vs.len());
        assert_eq!(transfer.missing_text_tower, !resized, "{name}");
        let (after, given) = (copies(&vs), read(name).tensors);
        let theirs = if resized { "visual.conv2.weight" } else { "stem.3.weight" };
        assert!(after["visual.conv2.weight"].equal(&given[theirs]));
        assert!(after["fpn.smooth.0.weight"].equal(&before["fpn.smooth.0.weight"]));
        assert!(after["contexts"].equal(&before["contexts"]));
        let table = &after["visual.attnpool.positional_embedding"];
        if resized {
            // Of 2 x 2 places 4 x 4 are made; the first is a corner, so it is the given one.
            let small = &given["visual.attnpool.positional_embedding"];
            assert!(table.narrow(0, 0, 2).equal(&small.narrow(0, 0, 2)));
            let quarter = (small.get(1) * 0.75 + small.get(2) * 0.25 - table.get(2)).abs().max();
            assert!(quarter.double_value(&[]) < 1e-6);
            // Of ten rows for tokens the first six are needed.
            let rows = given["positional_embedding"].narrow(0, 0, 6);
            assert!(after["positional_embedding"].equal(&rows));
        } else {
            assert!(table.equal(&before["visual.attnpool.positional_embedding"]));
        }
    }
}

#[test]
fn a_file_of_weights_begins_the_same_network() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("clip.safetensors");
    save_weights(&weights("clip-script.pt"), StoredPrecision::F16, &out).unwrap();
    let config = config(FusionStacks::Separate);
    let [direct, through] = [file("clip-script.pt"), out.clone()].map(|path| {
        let vs = network(&config);
        let transfer = Origin::read(&path).unwrap().transfer(&config, &vs).unwrap();
        (transfer, copies(&vs))
    });
    assert_eq!(direct.0, through.0);
    for (key, tensor) in &direct.1 {
        assert!(tensor.equal(&through.1[key]), "{key}: halves are told exactly by halves");
    }
    // It is no network.
    let error = seg_nn::load(&out, Device::Cpu).unwrap_err();
    assert!(error.to_string().ends_with("holds CLIP's encoders, no whole network"), "{error}");
    assert!(error.hint().unwrap().contains("train --init"));
    let error = StateDict::read(&out).unwrap_err();
    assert!(error.to_string().contains("a file of weights of rs-seg already"), "{error}");
}

#[test]
fn encoders_that_do_not_fit_change_nothing() {
    let mut deeper = config(FusionStacks::Separate);
    deeper.model.encoder.depths = [2, 1, 1, 1];
    let mut wider = config(FusionStacks::Separate);
    wider.model.encoder.widths[0] = 4;
    let mut longer = config(FusionStacks::Separate);
    longer.model.text.as_mut().unwrap().n_tok = 10;
    longer.model.text.as_mut().unwrap().context_length = 12;
    for (config, expected) in [
        (deeper, "clip-script.pt lacks weights: missing visual.layer1.1.bn1.bias"),
        (wider, "visual.layer1.0.bn1.bias has shape [2], the network's is [4]"),
        (longer, "positional_embedding has shape [10, 8], the network's is [12, 8]"),
    ] {
        let vs = network(&config);
        let before = copies(&vs);
        let error = Origin::read(&file("clip-script.pt")).unwrap().transfer(&config, &vs).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(copies(&vs).iter().all(|(key, tensor)| tensor.equal(&before[key])));
    }
}

#[test]
fn the_authors_network_becomes_a_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("bemseg.safetensors");
    let config = config(FusionStacks::Shared);
    let import = |missing, config| Import { config: Some(config), missing, precision: StoredPrecision::F32 };
    let weights = weights("mmseg.pth");
    assert_eq!((weights.kind, weights.naming), (WeightsKind::Network, Some(Naming::Mmseg)));
    let filled = import_network(&weights, import(MissingWeights::Refused, &config), &out).unwrap();
    assert!(filled.kept.is_empty() && filled.unused.is_empty(), "{filled:?}");
    // Their text encoder has no temperature, and older norms do not count.
    let counter = |key: &String| key == "logit_scale" || key.ends_with("num_batches_tracked");
    assert!(filled.not_needed.iter().all(counter) && filled.not_needed.len() > 20);
    assert_eq!(filled.resized, ["visual.attnpool.positional_embedding"]);

    let checkpoint = Checkpoint::read(&out).unwrap();
    assert_eq!((&checkpoint.config, checkpoint.step), (&config, 0));
    assert_eq!(checkpoint.provenance["imported-from"]["file"], "mmseg.pth");
    let vs = VarStore::new(Device::Cpu);
    BemSeg::new(&vs.root(), &config, TextPart::Tower).unwrap();
    checkpoint.fill(&vs).unwrap();
    let (ours, theirs) = (vs.variables(), read("mmseg.pth").tensors);
    for (own, name) in [
        ("gamma_v", "gamma2"),
        ("bff_text.layers.0.cross_k.weight", "context_decoder.decoder.0.cross_attn.k_proj.weight"),
        ("fpn.lateral.3.weight", "neck.lateral_convs.3.conv.weight"),
        ("head.scale.3.2.bn.running_var", "decode_head.scale_heads.3.4.bn.running_var"),
        ("head.classify.bias", "decode_head.conv_seg.bias"),
        ("token_embedding.weight", "text_encoder.token_embedding.weight"),
    ] {
        assert!(ours[own].detach().equal(&theirs[name]), "{own}");
    }

    // A stack for each direction is more than the file has.
    let mut separate = config.clone();
    separate.model.fusion.as_mut().unwrap().stacks = FusionStacks::Separate;
    let error = import_network(&weights, import(MissingWeights::Refused, &separate), &out).unwrap_err();
    assert!(error.to_string().contains("lacks weights: missing bff_image.kv_in_norm.bias"), "{error}");
    let filled = import_network(&weights, import(MissingWeights::Drawn, &separate), &out).unwrap();
    assert!(filled.kept.iter().all(|key| key.starts_with("bff_image.")));
    assert!(filled.kept.len() > 20);

    let error = config_of(&weights).unwrap_err();
    assert!(error.to_string().contains("there are 3 classes"), "{error}");
    assert!(error.hint().unwrap().contains("--config"));
    let encoders = self::weights("clip-state.pt");
    let error = import_network(&encoders, import(MissingWeights::Refused, &config), &out).unwrap_err();
    assert!(error.to_string().contains("it holds CLIP's encoders, no whole network"), "{error}");
}

/// Writes a network's weights under the names that they have, as any program would.
fn write_state(config: &Config, path: &Path) {
    let vs = network(config);
    let tensors: Vec<_> = copies(&vs).into_iter().collect();
    Tensor::write_safetensors(&tensors, path).unwrap();
}

#[test]
fn shapes_tell_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.safetensors");
    for (base, kind, stacks) in [
        ("bemseg-rn50-potsdam.toml", Some(FusionKind::Both), FusionStacks::Separate),
        ("bemseg-rn50-loveda.toml", Some(FusionKind::Both), FusionStacks::Shared),
        ("bemseg-rn50-potsdam.toml", Some(FusionKind::Text), FusionStacks::Shared),
        ("bemseg-rn50-loveda.toml", None, FusionStacks::Separate),
    ] {
        let mut config = crate::configs::config(base);
        let model = &mut config.model;
        model.name = "net".to_owned();
        model.encoder.stem_width = 16;
        (model.encoder.widths, model.encoder.depths) = ([16, 16, 32, 64], [2, 1, 3, 1]);
        let pool = model.pool.as_mut().unwrap();
        (pool.heads, pool.embed_dim, pool.positional_grid) = (4, 24, 7);
        let text = model.text.as_mut().unwrap();
        (text.width, text.heads, text.layers) = (64, 1, 2);
        match kind {
            Some(kind) => {
                let fusion = model.fusion.as_mut().unwrap();
                (fusion.kind, fusion.stacks) = (kind, stacks);
                (fusion.width, fusion.heads, fusion.layers) = (128, 2, 2);
            }
            None => model.fusion = None,
        }
        set_widths(&mut model.decoder, [16, 24]);
        write_state(&config, &path);
        let weights = Weights::of(StateDict::read(&path).unwrap()).unwrap();
        assert_eq!(config_of(&weights).unwrap(), config, "{base} {kind:?}");
        // A training begins with it as with any checkpoint.
        let origin = Origin::read(&path).unwrap();
        assert_eq!(origin.config(), Some(&config));
    }
}

#[test]
fn a_plain_pyramid_has_no_texts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.safetensors");
    let mut config = crate::configs::config("bemseg-rn50-potsdam.toml");
    let model = &mut config.model;
    model.name = "net".to_owned();
    (model.pool, model.text, model.fusion) = (None, None, None);
    (model.encoder.stem_width, model.encoder.widths) = (8, [8; 4]);
    set_widths(&mut model.decoder, [16, 8]);
    write_state(&config, &path);
    assert_eq!(config_of(&Weights::of(StateDict::read(&path).unwrap()).unwrap()).unwrap(), config);
}

/// Writes tensors to a file and reads them as weights.
fn through_a_file(tensors: BTreeMap<String, Tensor>) -> Result<Weights, Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    Tensor::write_safetensors(&tensors.into_iter().collect::<Vec<_>>(), &path).unwrap();
    Weights::of(StateDict::read(&path)?)
}

#[test]
fn a_network_of_another_kind_of_encoder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("net.safetensors");
    let mut config = config(FusionStacks::Shared);
    config.model.encoder.kind = EncoderKind::V1c;
    let import =
        Import { config: Some(&config), missing: MissingWeights::Drawn, precision: StoredPrecision::F32 };
    let error = import_network(&weights("mmseg.pth"), import, &out).unwrap_err();
    assert!(
        error.to_string().ends_with("image encoder is of kind clip, the configuration's is v1c"),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("--config") && !out.exists());
}

#[test]
fn parts_that_a_configuration_has_not_are_never_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("net.safetensors");
    let full = config(FusionStacks::Separate);
    let mut tensors = copies(&network(&full));
    for extra in ["visual.fc.weight", "optimizer.step"] {
        tensors.insert(extra.to_owned(), Tensor::ones([1], (Kind::Float, Device::Cpu)));
    }
    let weights = through_a_file(tensors).unwrap();
    let import = |config: &Config| {
        let import =
            Import { config: Some(config), missing: MissingWeights::Drawn, precision: StoredPrecision::F32 };
        import_network(&weights, import, &out)
    };
    let mut one_stack = full.clone();
    one_stack.model.fusion.as_mut().unwrap().kind = FusionKind::Text;
    let mut no_texts = full.clone();
    (no_texts.model.pool, no_texts.model.text, no_texts.model.fusion) = (None, None, None);
    for (config, example) in
        [(one_stack, "bff_image.kv_in_norm.bias"), (no_texts, "bff_image.kv_in_norm.bias")]
    {
        let error = import(&config).unwrap_err();
        assert!(error.to_string().contains(example) && error.hint().unwrap().contains("--config"), "{error}");
        assert!(!out.exists());
    }
    // Names that are in none of our networks are told.
    assert_eq!(weights.unknown, ["optimizer.step"]);
    assert_eq!(import(&full).unwrap().unused, ["visual.fc.weight"]);
}

#[test]
fn weights_that_are_no_numbers_are_named() {
    let mut tensors = read("clip.safetensors").tensors;
    let conv = tensors["visual.conv1.weight"].copy();
    let _row = conv.get(0).get(0).get(0).fill_(f64::NAN);
    tensors.insert("visual.conv1.weight".to_owned(), conv);
    let error = through_a_file(tensors).unwrap_err();
    assert!(
        error.to_string().contains("its weight visual.conv1.weight has 3 values that are not finite"),
        "{error}"
    );
}

#[test]
fn encoders_that_no_training_takes_are_told() {
    for name in ["clip-script.pt", "clip-state.pt", "clip.safetensors", "resnet.pth"] {
        assert_eq!(missing_of_encoders(&weights(name)).unwrap(), [""; 0], "{name}");
    }
    let changed = |name: &str, change: &dyn Fn(&mut BTreeMap<String, Tensor>)| {
        let mut tensors = read(name).tensors;
        change(&mut tensors);
        missing_of_encoders(&through_a_file(tensors).unwrap())
    };
    let zeros = |size: &[i64]| Tensor::zeros(size, (Kind::Float, Device::Cpu));
    let put = |name: &'static str, size: &'static [i64]| {
        move |tensors: &mut BTreeMap<String, Tensor>| drop(tensors.insert(name.to_owned(), zeros(size)))
    };
    let lacking = changed("clip.safetensors", &|tensors| drop(tensors.remove("visual.layer3.0.bn2.bias")));
    assert_eq!(lacking.unwrap(), ["visual.layer3.0.bn2.bias"]);
    let lacking = changed("clip.safetensors", &|tensors| drop(tensors.remove("visual.conv3.weight")));
    assert_eq!(lacking.unwrap(), ["visual.conv3.weight"]);
    let told = |error: Result<Vec<String>, Error>, part: &str| {
        let error = error.unwrap_err();
        assert!(error.to_string().contains(part) && error.hint().is_some(), "{error}");
    };
    told(changed("clip.safetensors", &put("visual.class_embedding", &[8])), "vision transformer");
    told(changed("clip.safetensors", &put("visual.attnpool.positional_embedding", &[6, 64])), "6 rows");
    told(
        changed("clip.safetensors", &put("visual.conv2.weight", &[1, 1, 7, 7])),
        "visual.conv2.weight has shape",
    );
    let torchvision = |tensors: &mut BTreeMap<String, Tensor>| {
        tensors.retain(|name, _| !name.starts_with("stem."));
        tensors.insert("conv1.weight".to_owned(), zeros(&[8, 3, 7, 7]));
    };
    told(changed("resnet.pth", &torchvision), "one convolution of 7 x 7");
}

#[test]
fn names_before_all_names_are_taken_off() {
    for wrappers in ["model.", "_orig_mod.", "module._orig_mod.", "model.module."] {
        let tensors = read("clip.safetensors").tensors;
        let wrapped = tensors.into_iter().map(|(name, tensor)| (format!("{wrappers}{name}"), tensor));
        let weights = through_a_file(wrapped.collect()).unwrap();
        assert_eq!((weights.kind, weights.unknown.len()), (WeightsKind::Clip, 0), "{wrappers}");
    }
}

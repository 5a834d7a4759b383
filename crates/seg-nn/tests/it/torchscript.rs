//! TorchScript networks with their NET.toml.

use std::fs;
use std::path::{Path, PathBuf};

use seg_nn::{Error, NetworkFile, OutputKind, Scores, load};
use tch::{CModule, Device, Kind, Tensor};
use tempfile::TempDir;

const DESCRIPTION: &str = r##"
[model]
output = "logits"
stride = 4
tile-px = 64
[input]
bands = 3
divide = 255.0
mean = [0.0, 0.0, 0.0]
std = [1.0, 1.0, 1.0]
gsd-m = 0.09
[[class]]
id = 0
name = "ground"
color = "#ffffff"
[[class]]
id = 7
name = "building"
prompt = "a building"
color = "#0000FF"
"##;

fn image(height: i64, width: i64) -> Tensor {
    let values = Tensor::arange(3 * height * width, (Kind::Float, Device::Cpu));
    (values * 0.37).sin().view([1, 3, height, width])
}

/// Writes a network that computes `function` and its description into a folder.
fn net(dir: &Path, description: &str, function: fn(&Tensor) -> Vec<Tensor>) -> PathBuf {
    let path = dir.join("net.pt");
    let example = image(32, 32);
    let module =
        CModule::create_by_tracing("net", "forward", &[example], &mut |xs| function(&xs[0])).unwrap();
    module.save(&path).unwrap();
    fs::write(dir.join("net.toml"), description).unwrap();
    path
}

fn two_bands(xs: &Tensor) -> Vec<Tensor> {
    vec![(xs.slice(1, 0, 2, 1) * 3.0).tanh()]
}

fn at_stride_four(xs: &Tensor) -> Vec<Tensor> {
    vec![xs.slice(1, 0, 2, 1).avg_pool2d([4, 4], [4, 4], [0, 0], false, true, None)]
}

fn error_of(function: fn(&Tensor) -> Vec<Tensor>) -> Error {
    let dir = TempDir::new().unwrap();
    let model = load(&net(dir.path(), DESCRIPTION, function), Device::Cpu).unwrap();
    model.network.forward(&image(32, 32)).unwrap_err()
}

fn description_error(change: impl Fn(&str) -> String) -> String {
    let dir = TempDir::new().unwrap();
    let error = load(&net(dir.path(), &change(DESCRIPTION), two_bands), Device::Cpu).unwrap_err();
    error.to_string().replace(dir.path().to_str().unwrap(), "DIR")
}

#[test]
fn the_description_becomes_the_card() {
    let dir = TempDir::new().unwrap();
    let model = load(&net(dir.path(), DESCRIPTION, two_bands), Device::Cpu).unwrap();
    let card = &model.card;
    assert_eq!((card.name.as_str(), card.tile_px, card.input_multiple), ("net", Some(64), 4));
    assert_eq!(card.output, OutputKind::Logits);
    assert_eq!(card.classes[1].color, [0, 0, 255]);
    assert_eq!((card.classes[0].prompt_text(), card.classes[1].prompt_text()), ("ground", "a building"));
    assert_eq!(card.input.dtypes, ["uint8"]);
    assert_eq!(card.input.gsd_m, Some(0.09));
    assert_eq!(model.fingerprint, NetworkFile::read(&dir.path().join("net.pt")).unwrap().fingerprint);
    let network = &model.network;
    assert_eq!((network.num_classes(), network.bands(), network.input_multiple()), (2, 3, 4));
}

#[test]
fn scores_are_the_networks_own_and_the_same_every_time() {
    let dir = TempDir::new().unwrap();
    let model = load(&net(dir.path(), DESCRIPTION, two_bands), Device::Cpu).unwrap();
    let xs = image(64, 32);
    let first = model.network.forward(&xs).unwrap();
    assert!(matches!(first, Scores::Logits(_)));
    assert_eq!(first.tensor(), &two_bands(&xs)[0]);
    for _ in 0..3 {
        assert_eq!(model.network.forward(&xs).unwrap().tensor(), first.tensor());
    }
    let sums = first.into_probabilities().unwrap().sum_dim_intlist(1, false, None::<Kind>);
    assert!((sums - 1.0).abs().max().double_value(&[]) < 1e-6);
}

#[test]
fn forks_run_at_the_same_time() {
    let dir = TempDir::new().unwrap();
    let model = load(&net(dir.path(), DESCRIPTION, two_bands), Device::Cpu).unwrap();
    let expected = two_bands(&image(64, 64)).remove(0);
    let workers = (0..4).map(|_| {
        let network = model.network.fork();
        std::thread::spawn(move || network.forward(&image(64, 64)).unwrap().tensor().shallow_clone())
    });
    for worker in workers.collect::<Vec<_>>() {
        assert_eq!(worker.join().unwrap(), expected);
    }
}

#[test]
fn a_smaller_output_is_brought_to_the_inputs_size() {
    let dir = TempDir::new().unwrap();
    let model = load(&net(dir.path(), DESCRIPTION, at_stride_four), Device::Cpu).unwrap();
    let xs = image(32, 64);
    let scores = model.network.forward(&xs).unwrap();
    let expected = at_stride_four(&xs)[0].upsample_bilinear2d([32, 64], false, None, None);
    assert_eq!(scores.tensor(), &expected);
}

#[test]
fn outputs_that_do_not_fit_are_told() {
    let classes = error_of(|xs| vec![xs * 2.0]);
    assert!(classes.to_string().contains("expected 2 channels"), "{classes}");
    let flat = error_of(|xs| vec![xs.sum_dim_intlist([2i64, 3].as_slice(), false, None::<Kind>)]);
    assert!(flat.to_string().contains("expected (B, K, H, W)"), "{flat}");
    let integers = error_of(|xs| vec![xs.slice(1, 0, 2, 1).to_kind(Kind::Int64)]);
    assert!(integers.to_string().contains("floating-point"), "{integers}");
    let cropped = error_of(|xs| vec![xs.slice(1, 0, 2, 1).slice(2, 0, 24, 1)]);
    assert!(cropped.to_string().contains("whole fraction"), "{cropped}");
    assert!(cropped.hint().is_some());
}

/// A file made by `tests/data/parity/make_parity.py`, under the name of a described network.
fn fixture(dir: &Path, name: &str) -> PathBuf {
    let path = net(dir, DESCRIPTION, two_bands);
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/parity").join(name), &path)
        .unwrap();
    path
}

#[test]
fn a_network_that_returns_two_tensors_is_told() {
    let dir = TempDir::new().unwrap();
    let model = load(&fixture(dir.path(), "pair.pt"), Device::Cpu).unwrap();
    let error = model.network.forward(&image(32, 32)).unwrap_err();
    assert!(error.to_string().ends_with("net.pt returned a Tuple, not one tensor"), "{error}");
    assert!(error.hint().is_some());
}

#[test]
fn a_file_of_weights_without_a_program_is_told() {
    let dir = TempDir::new().unwrap();
    let error = load(&fixture(dir.path(), "weights.pt"), Device::Cpu).unwrap_err();
    assert!(error.to_string().contains("net.pt as TorchScript"), "{error}");
    assert!(error.hint().unwrap().contains("weights without a program"), "{error}");
}

#[test]
fn inputs_that_do_not_fit_are_told() {
    let dir = TempDir::new().unwrap();
    let model = load(&net(dir.path(), DESCRIPTION, two_bands), Device::Cpu).unwrap();
    let error = |xs: &Tensor| model.network.forward(xs).unwrap_err().to_string();
    assert!(error(&image(30, 32)).contains("multiples of 4"));
    assert!(error(&image(32, 32).slice(1, 0, 2, 1)).contains("(B, 3, H, W)"));
    assert!(error(&image(32, 32).to_kind(Kind::Double)).contains("Float"));
    assert!(error(&image(32, 32).squeeze()).contains("[3, 32, 32]"));
}

#[test]
fn mistakes_in_the_description_name_key_and_file() {
    let replaced = |from: &'static str, to: &'static str| {
        move |text: &str| {
            assert!(text.contains(from));
            text.replacen(from, to, 1)
        }
    };
    let error = description_error(replaced("stride = 4", "strid = 4"));
    assert!(error.starts_with("DIR/net.toml, line 4: unknown field `strid`"), "{error}");
    let error = description_error(replaced("std = [1.0, 1.0, 1.0]", "std = [1.0, 0.0, 1.0]"));
    assert_eq!(error, "DIR/net.toml: input.std: 0 is not a number above 0");
    let error = description_error(replaced("id = 7", "id = 0"));
    assert_eq!(error, "DIR/net.toml: class[1].id: 0 is given twice");
    let error = description_error(replaced("#ffffff", "white"));
    assert!(error.contains("line 15: color \"white\" is not of the form #rrggbb"), "{error}");
    let error = description_error(replaced("tile-px = 64", "tile-px = 30"));
    assert_eq!(error, "DIR/net.toml: model.tile-px: 30 is not a multiple of the stride 4");
    let error = description_error(replaced("\"logits\"", "\"scores\""));
    assert!(error.contains("line 3: unknown variant `scores`"), "{error}");
}

#[test]
fn a_missing_description_is_told_with_an_example_that_works() {
    let dir = TempDir::new().unwrap();
    let path = net(dir.path(), DESCRIPTION, two_bands);
    fs::remove_file(dir.path().join("net.toml")).unwrap();
    let error = load(&path, Device::Cpu).unwrap_err();
    assert!(matches!(error, Error::NoDescription { .. }), "{error}");
    let hint = error.hint().unwrap();
    fs::write(dir.path().join("net.toml"), hint.split_once(":\n").unwrap().1).unwrap();
    assert_eq!(load(&path, Device::Cpu).unwrap().card.input_multiple, 1);
}

#[test]
fn files_that_are_no_torchscript_are_told() {
    let dir = TempDir::new().unwrap();
    let path = net(dir.path(), DESCRIPTION, two_bands);
    let whole = fs::read(&path).unwrap();
    for (what, bytes) in
        [("text", b"hello".as_slice()), ("empty", b""), ("cut short", &whole[..whole.len() / 2])]
    {
        fs::write(&path, bytes).unwrap();
        let error = load(&path, Device::Cpu).unwrap_err();
        assert!(error.to_string().contains("net.pt as TorchScript"), "{what}: {error}");
        assert!(!error.to_string().contains('\n') && error.hint().is_some(), "{what}: {error}");
        // What tells one network from another needs no network.
        let file = NetworkFile::read(&path).unwrap();
        assert_eq!((file.card.tile_px, file.fingerprint.len()), (Some(64), 64));
        assert!(file.build(Device::Cpu).is_err());
    }
    let missing = load(&dir.path().join("none.pt"), Device::Cpu).unwrap_err();
    assert!(matches!(missing, Error::Read { .. }), "{missing}");
    assert!(matches!(load(dir.path(), Device::Cpu), Err(Error::UnknownFormat { .. })));
}

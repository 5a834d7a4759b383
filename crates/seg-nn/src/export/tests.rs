use tch::{Device, Kind, Tensor};

use super::{describe, export};
use crate::card::ModelCard;
use crate::{Checkpoint, Config, OutputKind, SeenBand, init_untrained, load};

/// What all have besides their decoders.
const REST: &str = r##"
[input]
bands = 3
divide = 255.0
mean = [0.4, 0.45, 0.5]
std = [0.2, 0.25, 0.3]
gsd-m = 0.05

[[class]]
id = 7
name = "roof"
color = "#be3c32"

[[class]]
id = 1
name = "grass & <trees>"
color = "#3c8c3c"
"##;
const RESNET: &str = r#"
[model]
name = "tiny"
tile-px = 64
encoder = { kind = "v1c", output-stride = 8, stem-width = 4, widths = [4, 4, 8, 8], depths = [1, 1, 1, 1] }
"#;

fn image(batch: i64, height: i64, width: i64) -> Tensor {
    let values = Tensor::arange(batch * 3 * height * width, (Kind::Float, Device::Cpu));
    ((values * 0.37).sin() * 127.0 + 128.0).round().view([batch, 3, height, width])
}

/// An exported network computes what the checkpoint does, for any batch and size.
fn check(text: &str) -> ModelCard {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::parse(text, "tiny.toml".as_ref()).unwrap();
    let path = folder.path().join("net.safetensors");
    init_untrained(&config, 3, &path).unwrap();
    let own = load(&path, Device::Cpu).unwrap();
    let out = folder.path().join("exported net.pt");
    export(&Checkpoint::read(&path).unwrap(), &out).unwrap();
    let exported = load(&out, Device::Cpu).unwrap();
    assert_eq!(exported.card.classes, own.card.classes);
    assert_eq!(exported.card.output, OutputKind::Probabilities);
    assert_eq!(
        (exported.card.tile_px, exported.card.input_multiple),
        (own.card.tile_px, own.card.input_multiple)
    );
    let input = &own.card.input;
    for (batch, height, width) in [(1, 64, 64), (3, 96, 32), (1, 224, 192)] {
        let raw = image(batch, height, width);
        let of_bands = |values: &[f64]| {
            let values: Vec<f32> = values.iter().map(|&value| value as f32).collect();
            Tensor::from_slice(&values).view([1, -1, 1, 1]) // (1, C, 1, 1)
        };
        let normalized = (&raw / input.divide - of_bands(&input.mean)) / of_bands(&input.std);
        let expected = own.network.forward(&normalized).unwrap().into_probabilities().unwrap();
        let found = exported.network.forward(&raw).unwrap().into_probabilities().unwrap();
        let error = (found - expected).abs().max().double_value(&[]);
        assert!(error < 1e-4, "{batch} x {height} x {width}: {error}");
    }
    let fill = Tensor::from_slice(&exported.card.input.fill).view([1, -1, 1, 1]).to_kind(Kind::Float);
    let unmeasured = fill.expand([1, 3, 64, 64], false);
    let zeros = Tensor::zeros([1, 3, 64, 64], (Kind::Float, Device::Cpu));
    let expected = own.network.forward(&zeros).unwrap().into_probabilities().unwrap();
    let found = exported.network.forward(&unmeasured).unwrap().into_probabilities().unwrap();
    assert!((found - expected).abs().max().double_value(&[]) < 1e-4, "pixels without data");
    exported.card
}

#[test]
fn an_exported_network_is_the_checkpoint_s_for_any_batch_and_size() {
    let card = check(include_str!("../../../../configs/bemseg-small.toml"));
    assert_eq!(card.input.divide.to_bits(), 1.0_f64.to_bits());
}

#[test]
fn so_are_networks_with_pooled_grids_and_dilated_maps() {
    check(&format!(
        "{RESNET}decoder = {{ kind = \"pspnet\", bins = [1, 2, 3], head-width = 8, dropout = 0.1 }}\n{REST}"
    ));
    check(&format!(
        "{RESNET}decoder = {{ kind = \"deeplabv3plus\", dilations = [1, 6], fine-width = 4, head-width = 8, \
         dropout = 0.1 }}\n{REST}"
    ));
}

#[test]
fn descriptions_have_what_their_readers_look_for() {
    let decoder = "decoder = { kind = \"pspnet\", bins = [1], head-width = 4, dropout = 0.1 }";
    let config = Config::parse(&format!("{RESNET}{decoder}\n{REST}"), "tiny.toml".as_ref()).unwrap();
    let seen = vec![SeenBand { mean: 99.0, std: 40.0, p1: 3.0, p99: 250.0 }; 3];
    let card = ModelCard { seen, ..config.card() };
    let text = describe::toml(&card).unwrap();
    let table: toml::Table = toml::from_str(&text).unwrap();
    assert_eq!(table["seen"].as_array().map(Vec::len), Some(3), "{text}");
    assert_eq!(table["model"]["tile-px"].as_integer(), Some(64));

    let keys: serde_json::Value = serde_json::from_str(&describe::plugin_metadata(&card)).unwrap();
    assert_eq!(keys["resolution"], "5.0");
    assert_eq!(keys["class_names"], r#"{"0":"roof","1":"grass & <trees>"}"#);
    let std: Vec<f64> = serde_json::from_str(keys["standardization_std"].as_str().unwrap()).unwrap();
    assert!(std.iter().all(|std| (200.0 / 255.0 / std - 200.0).abs() < 1e-9), "pixels as they stand");
}

//! The repository's configuration files and what their networks cost.

use std::fs;
use std::path::{Path, PathBuf};

use seg_nn::{Config, FusionKind, ModelFacts, describe};

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs")
}

pub(crate) fn config(name: &str) -> Config {
    Config::read(&folder().join(name)).unwrap()
}

/// A network of the family on RN50 with six classes.
fn facts(change: impl Fn(&mut Config)) -> ModelFacts {
    let mut config = config("bemseg-rn50-potsdam.toml");
    change(&mut config);
    describe(&config, 512).unwrap()
}

fn check(facts: &ModelFacts, millions: f64, billions: f64) {
    let got = (facts.parameters as f64 / 1e6, facts.macs as f64 / 1e9);
    assert!((got.0 - millions).abs() < 0.000_6, "{}: {} M instead of {millions}", facts.name, got.0);
    assert!((got.1 - billions).abs() < 0.006, "{}: {} G instead of {billions}", facts.name, got.1);
}

/// All configuration files, those of the ablation among them; legends are no configurations.
fn files() -> Vec<PathBuf> {
    let of = |folder: PathBuf| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files = of(folder()).chain(of(folder().join("ablation"))).collect::<Vec<_>>();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "toml"));
    files.sort();
    files
}

#[test]
fn every_file_is_read_and_written_back() {
    for path in files() {
        let config = Config::read(&path).unwrap();
        assert_eq!(Some(config.model.name.as_str()), path.file_stem().unwrap().to_str());
        assert_eq!(Config::parse(&config.to_toml().unwrap(), &path).unwrap(), config);
    }
    assert_eq!(files().len(), 3 * 6 + 1 + 2 * 4 + 1);
}

#[test]
fn networks_for_one_data_set_differ_in_network_and_loss_only() {
    for data in ["potsdam", "vaihingen", "loveda"] {
        let ending = format!("-{data}.toml");
        let first = config(&format!("bemseg-rn50{ending}"));
        let of_data = files().into_iter().filter(|path| path.to_string_lossy().ends_with(&ending));
        for path in of_data {
            let other = Config::read(&path).unwrap();
            let same = Config { model: first.model.clone(), loss: first.loss.clone(), ..other.clone() };
            assert_eq!(same, first, "{}", path.display());
            assert_eq!(other.model.tile_px, first.model.tile_px);
        }
    }
}

#[test]
fn bemseg_costs_what_the_paper_says() {
    let facts = facts(|_| {});
    check(&facts, 54.124, 70.22);
    assert!((facts.parameters_text_encoder as f64 / 1e6 - 63.69).abs() < 0.01, "{facts:?}");
    assert!(facts.macs_image_only < facts.macs);
    assert_eq!(facts.parts.iter().map(|part| part.macs).sum::<u64>(), facts.macs);
    let names = facts.parts.iter().map(|part| part.name).collect::<Vec<_>>();
    assert_eq!(
        names,
        [
            "encoder",
            "attention pool",
            "text contexts",
            "text tower",
            "fusion into text",
            "fusion into image",
            "score map",
            "feature pyramid",
            "head"
        ]
    );
}

#[test]
fn the_rest_of_the_family_costs_what_the_reference_says() {
    let fusion = |kind| move |config: &mut Config| config.model.fusion.as_mut().unwrap().kind = kind;
    check(&facts(fusion(FusionKind::Text)), 50.175, 69.27);
    check(&facts(fusion(FusionKind::None)), 46.225, 69.08);
    let plain =
        facts(|config| (config.model.pool, config.model.text, config.model.fusion) = (None, None, None));
    check(&plain, 31.006, 61.40);
    assert_eq!((plain.parameters_text_encoder, plain.macs), (0, plain.macs_image_only));
    let of_file = |name: &str| describe(&config(name), 512).unwrap();
    check(&of_file("denseclip-rn50-potsdam.toml"), 50.175, 69.27);
    check(&of_file("clip-fpn-rn50-potsdam.toml"), 46.225, 69.08);
    check(&of_file("clip-fpn-plain-rn50-potsdam.toml"), 31.006, 61.40);
    check(&of_file("ablation/bemseg-b-potsdam.toml"), 54.124, 70.22);
}

#[test]
fn networks_on_resnet_v1c_cost_what_their_reference_says() {
    let of_file = |name: &str| describe(&config(name), 512).unwrap();
    check(&of_file("semantic-fpn-r50-potsdam.toml"), 28.496, 45.41);
    // The multiplications are those of inference, which does without the auxiliary head.
    let auxiliary = |facts: &ModelFacts| {
        let part = facts.parts.iter().find(|part| part.name == "auxiliary head").unwrap();
        (part.parameters as f64 / 1e6, part.macs)
    };
    let facts = of_file("pspnet-r50-potsdam.toml");
    check(&facts, 48.965, 178.64);
    assert!((auxiliary(&facts).0 - 2.361).abs() < 0.001 && auxiliary(&facts).1 == 0);
    let facts = of_file("deeplabv3plus-r50-potsdam.toml");
    check(&facts, 43.580, 176.51);
    assert!((auxiliary(&facts).0 - 2.361).abs() < 0.001 && auxiliary(&facts).1 == 0);
}

#[test]
fn the_compact_network_is_compact() {
    let facts = describe(&config("bemseg-small.toml"), 512).unwrap();
    assert!(facts.macs_image_only <= 4_000_000_000, "{facts:#?}");
    assert!(facts.parameters <= 5_500_000, "{facts:#?}");
}

#[test]
fn a_misspelt_section_or_key_is_told() {
    let text = fs::read_to_string(folder().join("bemseg-small.toml")).unwrap();
    let error = |text: &str| Config::parse(text, "c.toml".as_ref()).unwrap_err().to_string();
    let section = error(&format!("{text}\n[optimiser]\nlr = 1\n"));
    assert!(
        section.starts_with("c.toml, line ") && section.contains("unknown field `optimiser`"),
        "{section}"
    );
    let key = error(&text.replace("fpn-width", "fpn-with"));
    assert!(key.contains("unknown field `fpn-with`"), "{key}");
    let heads = error(&text.replace("heads = 8", "heads = 7"));
    assert_eq!(heads, "c.toml: model.pool.heads: 7 heads do not divide a width of 512");
    // Sections that the network does not read stand as they were written.
    let mut config = config("bemseg-small.toml");
    config.optimizer = Some(toml::from_str("lr = 1").unwrap());
    assert_eq!(Config::parse(&config.to_toml().unwrap(), "c.toml".as_ref()).unwrap(), config);
}

#[test]
fn a_size_that_does_not_fit_is_told() {
    let error = describe(&config("bemseg-small.toml"), 100).unwrap_err();
    assert_eq!(error.to_string(), "cannot build the network: size: 100 is not a multiple of 32");
}

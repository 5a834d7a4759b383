//! Every configuration in `configs/` trains on a miniature of its data set.

use crate::miniature::{Unpacked, write_folder, write_loveda, write_potsdam, write_vaihingen};
use crate::program::{Run, rs_seg_in};
use seg_label::Legend;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// What makes a network narrow, where its configuration has the key: of each data set only the main network, which
/// takes half a minute, is trained as it is.
const NARROW: [(&str, &str, &str); 5] = [
    ("encoder", "stem-width", "16"),
    ("encoder", "widths", "[8, 16, 32, 64]"),
    ("text", "width", "64"),
    ("text", "layers", "1"),
    ("decoder", "head-width", "32"),
];

/// Configurations below `configs/`, but for the legends.
fn configurations() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("configs")];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "legends") {
                open.push(path);
            } else if path.extension().is_some_and(|ending| ending == "toml") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// What a configuration is for: a public data set by its name, or else by its classes; any other folder.
fn data_set(config: &Path, classes: &Legend) -> &'static str {
    let sets = ["potsdam", "vaihingen", "loveda"];
    let name = config.file_stem().expect("a name").to_string_lossy().into_owned();
    let names = |legend: &Legend| legend.names().map(str::to_owned).collect::<Vec<_>>();
    let of_classes = |set: &&str| Legend::builtin(set).is_some_and(|legend| names(&legend) == names(classes));
    sets.into_iter()
        .find(|set| name.contains(set))
        .or_else(|| sets.into_iter().find(of_classes))
        .unwrap_or("folder")
}

#[track_caller]
fn run(folder: &Path, arguments: &[&str]) -> Run {
    let run = rs_seg_in(folder, arguments);
    assert_eq!(run.code, Some(0), "{arguments:?}: {run:?}");
    run
}

/// Cuts a chip from each raster of the miniature that a configuration is for.
fn cut(folder: &Path, set: &str, classes: &Legend) {
    let data = folder.join("data");
    let mut arguments = vec!["tile", "data", "--dataset", set, "--size", "96", "--out", "chips", "--quiet"];
    match set {
        "potsdam" => write_potsdam(&data),
        "vaihingen" => write_vaihingen(&data, Unpacked::Flat),
        "loveda" => write_loveda(&data),
        _ => {
            write_folder(&data, classes);
            fs::write(folder.join("legend.toml"), classes.to_toml()).expect("writes");
            let names = "(?<train>train)|(?<val>val)|(?<test>test)";
            arguments.extend(["--legend", "legend.toml", "--split-by", names]);
        }
    }
    if ["potsdam", "vaihingen"].contains(&set) {
        arguments.extend(["--label-variant", "no-boundary"]);
    }
    run(folder, &arguments);
}

/// Takes one step with every configuration for a data set, and looks at what it leaves.
fn train_all(set: &str) {
    let mut ground: Option<(TempDir, Legend)> = None;
    for config in configurations() {
        let text = fs::read_to_string(&config).expect("a configuration");
        let classes =
            Legend::from_toml_str(&text).unwrap_or_else(|error| panic!("{}: {error}", config.display()));
        if data_set(&config, &classes) != set {
            continue;
        }
        // Chips are cut once for all that have their classes.
        let same = ground.take().filter(|(_, legend)| *legend == classes);
        let (folder, _) = ground.insert(same.unwrap_or_else(|| {
            let folder = tempfile::tempdir().expect("a folder");
            cut(folder.path(), set, &classes);
            (folder, classes.clone())
        }));
        train(folder.path(), &config, &text, set);
    }
    assert!(ground.is_some(), "no configuration for {set} was found");
}

fn train(folder: &Path, config: &Path, text: &str, set: &str) {
    let path = config.to_string_lossy();
    let mut arguments = vec!["train", "--config", &path, "--data", "chips", "--out", "run", "--json"];
    for setting in
        ["train.steps=1", "train.batch=2", "train.accumulate=1", "train.crop-px=64", "train.validate-every=0"]
    {
        arguments.extend(["--set", setting]);
    }
    let whole = run(folder, &["model", "info", &path, "--json"]).json();
    let main = format!("bemseg-rn50-{set}");
    let narrow = if path.ends_with(&format!("/{main}.toml")) { Vec::new() } else { narrower(text) };
    arguments.extend(narrow.iter().flat_map(|setting| ["--set", setting]));
    let told = run(folder, &[&arguments[..], &["--overwrite"]].concat()).json();
    assert_eq!(told["steps"], 1, "{path}: {told}");
    let facts = run(folder, &["model", "info", "run/last.safetensors", "--json"]).json();
    let classes = Legend::from_toml_str(text).expect("classes");
    let found: Vec<_> = facts["classes"].as_array().expect("classes").iter().map(name_of).collect();
    assert_eq!(found, classes.names().collect::<Vec<_>>(), "{path}");
    assert_eq!(whole["classes"], facts["classes"], "{path}");
    assert_eq!(narrow.is_empty(), whole["parameters"] == facts["parameters"], "{path}");
    assert_eq!(facts["training"]["step"], 1, "{path}: {facts}");
}

/// Settings that make a network narrow.
fn narrower(text: &str) -> Vec<String> {
    let config: toml::Table = toml::from_str(text).expect("TOML");
    let has = |section: &str, key: &str| {
        config["model"].get(section).is_some_and(|section| section.get(key).is_some())
    };
    // A network that is small already stays as it is.
    let small = config["model"]["encoder"].get("stem-width").and_then(toml::Value::as_integer) < Some(64);
    let wanted = NARROW.iter().filter(|(section, key, _)| !small && has(section, key));
    wanted.map(|(section, key, value)| format!("model.{section}.{key}={value}")).collect()
}

/// A class is told by its name alone, or with more about it.
fn name_of(class: &serde_json::Value) -> String {
    class.as_str().or_else(|| class["name"].as_str()).expect("a name").to_owned()
}

#[test]
fn configurations_for_potsdam_take_a_step() {
    train_all("potsdam");
}

#[test]
fn configurations_for_vaihingen_take_a_step() {
    train_all("vaihingen");
}

#[test]
fn configurations_for_loveda_take_a_step() {
    train_all("loveda");
}

#[test]
fn configurations_for_other_folders_take_a_step() {
    train_all("folder");
}

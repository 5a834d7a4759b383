//! Networks, losses and loops of other kinds; what a training finds, and how it ends.

use super::fixture::{Ground, LEGEND, metrics, tensors};
use std::fs;
use tch::Kind;

fn number(value: &serde_json::Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value}"))
}

#[test]
fn it_learns_and_infer_and_eval_agree() {
    let ground = Ground::new();
    let settings = ["train.steps=80", "train.accumulate=1", "train.validate-every=40", "train.log-every=20"];
    let settings: Vec<_> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
    let run = ground.train("run", &[&settings[..], &["--json"]].concat());
    let told = run.json();
    let miou = number(&told["miou"]);
    assert!(miou > 0.6, "chance is about 0.2: {told}");
    assert_eq!((&told["steps"], &told["stopped_early"]), (&80.into(), &false.into()));

    let lines = metrics(&ground.path("run"));
    let losses: Vec<_> =
        lines.iter().filter(|line| line["event"] == "step").map(|line| number(&line["loss"])).collect();
    assert!(losses.last() < losses.first(), "{losses:?}");
    let best = lines.iter().filter(|line| line["event"] == "validation").map(|line| number(&line["miou"]));
    assert!((best.fold(0.0, f64::max) - miou).abs() < 1e-12);

    let model = ["--model", "run/best.safetensors", "--out", "classes.tif", "--overlap", "0"];
    let run = ground.run(&[&["infer", "images/val.vrt"][..], &model].concat());
    assert_eq!(run.code, Some(0), "{run:?}");
    let run = ground.run(&[
        "eval",
        "--pred",
        "classes.tif",
        "--truth",
        "labels/val.vrt",
        "--legend",
        "legend.toml",
        "--json",
    ]);
    let scores = run.json();
    let evaluated = number(&scores["miou"]);
    assert!((evaluated - miou).abs() < 1e-3, "{evaluated}, {miou} in training: {scores}");

    // What it learned is kept by another training that begins with it; a class that it does not know is new.
    let legend = LEGEND.replace("grass", "meadow");
    fs::write(ground.path("other.toml"), &legend).unwrap();
    let chips =
        fs::read_to_string(ground.path("chips/manifest.jsonl")).unwrap().replace("\"grass\"", "\"meadow\"");
    fs::write(ground.path("chips/manifest.jsonl"), chips).unwrap();
    fs::write(ground.path("chips/legend.toml"), legend).unwrap();
    let other = ["--init", "run/best.safetensors", "--legend", "other.toml", "--set", "train.steps=1"];
    let run = ground.train("next", &other);
    for told in ["classes kept: roof, water", "classes new: meadow", "begun anew in part: "] {
        assert!(run.stderr.contains(told), "{told}: {run:?}");
    }
}

const BALANCED: [&str; 6] = [
    "--set",
    "data.source-balance=0.5",
    "--set",
    "data.class-balance=0.5",
    "--set",
    "loss.class-weight-power=0.5",
];

#[test]
fn every_kind_of_network_and_loss_trains() {
    let ground = Ground::new();
    let two = ["--set", "train.steps=2", "--set", "train.validate-every=2", "--json"];
    for (name, how) in [
        ("bf16", &["--set", "train.precision=bf16"][..]),
        ("quicker", &["--set", "train.precision=auto"]),
        ("balanced", &BALANCED),
        ("without-contrast", &["--set", "loss.cpc-weight=0"]),
        ("without-fusion", &["--set", "model.fusion.kind=none", "--set", "train.ema=0"]),
        ("one-way", &["--set", "model.fusion.kind=text", "--set", "loss.cpc-absent=mask"]),
        ("frozen", &["--set", "model.text.tower=frozen", "--set", "train.crop-px=96"]),
        ("plain", &["--config", "plain.toml"]),
    ] {
        let out = ["train", "--data", "chips", "--threads", "1", "--out", name];
        let config: &[&str] = if name == "plain" { &[] } else { &["--config", "tiny.toml"] };
        let run = ground.run(&[&out, config, &two, how].concat());
        assert_eq!(run.code, Some(0), "{name}: {run:?}");
        let line = metrics(&ground.path(name)).remove(0);
        assert!(number(&line["loss"]).is_finite() && number(&line["gradient-norm"]) > 0.0, "{name}: {line}");
        assert_eq!(line["aux"].is_null(), name == "plain", "{name}: {line}");
        assert_eq!(line["cpc"].is_null(), ["plain", "without-contrast"].contains(&name), "{name}: {line}");
        let all = tensors(&ground.path(name).join("last.safetensors"));
        assert!(
            all.values().all(|tensor| tensor.kind() == Kind::Float || !tensor.is_floating_point()),
            "{name}"
        );
        assert_eq!(all.keys().any(|key| key.starts_with("train/raw/")), name != "without-fusion", "{name}");
        let config = fs::read_to_string(ground.path(name).join("config.toml")).unwrap();
        assert!(!config.contains("precision = \"auto\""), "{name}: the file tells which one ran: {config}");
        // What was kept is enough to go on.
        let run = ground.run(&["train", "--resume", "--threads", "1", "--out", name]);
        assert_eq!(run.code, Some(0), "{name}: {run:?}");
    }
}

#[test]
fn networks_of_fewer_bands_are_validated_with_a_picture() {
    let ground = Ground::new();
    for (bands, name) in [("[1]", "one"), ("[3,1]", "two")] {
        let count = bands.matches(|c: char| c.is_ascii_digit()).count();
        let numbers = |value: &str| format!("[{}]", vec![value; count].join(","));
        let settings = [
            format!("data.bands={bands}"),
            format!("input.bands={count}"),
            format!("input.mean={}", numbers("0.4")),
            format!("input.std={}", numbers("0.25")),
            "augment.photometric=false".to_owned(),
            "train.steps=2".to_owned(),
        ];
        let settings: Vec<_> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
        ground.train(name, &settings);
        assert!(ground.path(name).join("best.safetensors").exists());
    }
}

#[test]
fn it_stops_where_nothing_gets_better_and_stays_so() {
    let ground = Ground::new();
    let settings = ["train.steps=60", "train.early-stop=2", "train.validate-every=1", "optimizer.lr=1e-9"];
    let settings: Vec<_> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
    let told = ground.train("run", &[&settings[..], &["--json"]].concat()).json();
    let (steps, best) = (told["steps"].as_u64().unwrap(), told["best_step"].as_u64().unwrap());
    assert!(told["stopped_early"] == true && steps == best + 2 && steps < 60, "{told}");
    let before = tensors(&ground.path("run/last.safetensors"));
    let again = ground.train("run", &[&settings[..], &["--json", "--resume"]].concat()).json();
    for key in ["steps", "best_step", "miou", "stopped_early"] {
        assert_eq!(told[key], again[key], "{key}");
    }
    let after = tensors(&ground.path("run/last.safetensors"));
    assert!(super::fixture::differing(&before, &after).is_empty());
}

#[test]
fn without_validation_no_chips_are_needed_for_it() {
    let ground = Ground::new();
    let manifest = fs::read_to_string(ground.path("chips/manifest.jsonl")).unwrap();
    let train: String = manifest.split_inclusive('\n').filter(|line| line.contains("\"train\"")).collect();
    fs::write(ground.path("chips/manifest.jsonl"), train).unwrap();
    let run = ground.train("run", &["--set", "train.validate-every=0", "--set", "train.steps=2"]);
    assert_eq!(run.stdout, "run/last.safetensors\n");
    assert!(!ground.path("run/best.safetensors").exists());
    let told = ground
        .train("run", &["--set", "train.validate-every=0", "--set", "train.steps=2", "--resume", "--json"]);
    assert!(told.json()["miou"].is_null() && told.json()["best"].is_null(), "{told:?}");
}

#[test]
fn several_seeds_have_a_folder_each_and_a_spread() {
    let ground = Ground::new();
    let told = ground.train("runs", &["--seeds", "0,1", "--set", "train.steps=2", "--json"]).json();
    let runs = told["runs"].as_array().unwrap();
    let folders: Vec<_> = runs.iter().map(|run| run["folder"].as_str().unwrap()).collect();
    assert_eq!(folders, ["runs/seed-0", "runs/seed-1"]);
    let [one, other] = [0, 1].map(|seed: usize| number(&runs[seed]["miou"]));
    assert!((number(&told["miou"]["mean"]) - f64::midpoint(one, other)).abs() < 1e-12, "{told}");
    assert!((number(&told["miou"]["deviation"]) - (one - other).abs() / 2f64.sqrt()).abs() < 1e-12, "{told}");
    let config = fs::read_to_string(ground.path("runs/seed-1/config.toml")).unwrap();
    assert!(config.contains("seed = 1"), "{config}");
    let head = |seed: &str| {
        tensors(&ground.path(&format!("runs/{seed}/last.safetensors"))).remove("head.classify.weight")
    };
    assert_ne!(head("seed-0"), head("seed-1"));
    // A folder that is taken is told before any of the others is trained.
    let run = ground.try_train("runs", &["--seeds", "2,0", "--set", "train.steps=2"]);
    assert!(run.code == Some(1) && run.stderr.contains("runs/seed-0"), "{run:?}");
    assert!(!ground.path("runs/seed-2").exists());
    // The same command with --resume trains what is left.
    let all = ["--seeds", "0,1,2", "--set", "train.steps=2", "--resume", "--json"];
    let again = ground.train("runs", &all).json();
    assert_eq!(again["runs"][0]["miou"], runs[0]["miou"]);
    assert_eq!(again["runs"][2]["steps"], 2);
    let run = ground.run(&["train", "--seeds", "0,7", "--resume", "--threads", "1", "--out", "runs"]);
    assert!(run.code == Some(1) && run.stderr.contains("runs/seed-7"), "{run:?}");
    // One of them alone is what it was among others.
    ground.train("alone", &["--set", "train.seed=1", "--set", "train.steps=2"]);
    ground.assert_same_run("alone", "runs/seed-1");
}

#[test]
fn a_number_that_is_none_ends_it_with_the_batch_saved() {
    let ground = Ground::new();
    let settings =
        ["optimizer.lr=1e30", "optimizer.clip-norm=0", "schedule.warmup-steps=2", "train.checkpoint-every=1"];
    let settings: Vec<_> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
    let run = ground.try_train("run", &settings);
    assert_eq!(run.code, Some(1), "{run:?}");
    let error = run.stderr.lines().find(|line| line.starts_with("error: ")).unwrap();
    assert!(error.contains(" of step 1 is not finite (inf)"), "{error}");
    assert!(
        run.stderr.contains("with a lower optimizer.lr")
            && run.stderr.contains("run/bad-batch-1.safetensors"),
        "{run:?}"
    );

    let batch = tensors(&ground.path("run/bad-batch-1.safetensors"));
    assert_eq!(batch.keys().collect::<Vec<_>>(), ["images/0", "images/1", "labels/0", "labels/1"]);
    assert_eq!((batch["images/1"].size(), batch["labels/1"].size()), (vec![2, 3, 64, 64], vec![2, 64, 64]));
    let line = metrics(&ground.path("run")).pop().unwrap();
    assert_eq!((&line["event"], &line["step"]), (&"not-finite".into(), &1.into()));
    assert_eq!(line["chips"].as_array().unwrap().len(), 4);

    // The checkpoint is the one before, and what it holds can be used.
    let all = tensors(&ground.path("run/last.safetensors"));
    assert!(all.values().all(|tensor| tensor.isfinite().all().int64_value(&[]) == 1));
    let run = ground.run(&["model", "info", "run/last.safetensors", "--json"]);
    assert_eq!(run.json()["training"]["step"], 0, "{run:?}");
    let run = ground.try_train("run", &[&settings[..], &["--resume"]].concat());
    assert!(run.code == Some(1) && run.stderr.contains(" of step 1 is not finite"), "{run:?}");
    assert_eq!(metrics(&ground.path("run")).len(), 1);
}

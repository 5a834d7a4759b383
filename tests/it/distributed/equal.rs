//! Several processes learn what one does that accumulates as many batches.

use super::crew::{assert_near, train, train_alone};
use crate::train::fixture::{Ground, metrics};

const SGD: [&str; 8] = [
    "optimizer.kind=\"sgd\"",
    "optimizer.lr=0.02",
    "optimizer.weight-decay=0.0",
    "optimizer.clip-norm=0.0",
    "train.ema=0.0",
    "train.validate-every=0",
    "model.fusion.dropout=0.0",
    "model.decoder.dropout=0.0",
];

fn with<'a>(settings: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [settings, more].concat()
}

#[test]
fn two_processes_learn_what_one_does_with_twice_the_batches() {
    let ground = Ground::new();
    // After one step without decay, the velocity is the gradient.
    let gradient = ["train.steps=1", "train.log-every=1"];
    train_alone(&ground, "gradient", &with(&with(&SGD, &gradient), &["train.accumulate=2"]), &[]);
    train(&ground, 2, "gradients", &with(&with(&SGD, &gradient), &["train.accumulate=1"]), &[]);
    assert!(assert_near(&ground, ["gradient", "gradients"], "train/sgd/momentum/", 1e-5) > 50);

    let steps = ["train.steps=20", "train.log-every=5"];
    train_alone(&ground, "one", &with(&with(&SGD, &steps), &["train.accumulate=2"]), &[]);
    let told = train(&ground, 2, "two", &with(&with(&SGD, &steps), &["train.accumulate=1"]), &[]);
    assert!(assert_near(&ground, ["one", "two"], "", 1e-5) > 100);
    // What the contrastive loss remembers is there under the same names.
    assert_eq!(assert_near(&ground, ["one", "two"], "train/contrast/", 1e-4), 4);
    assert!(told.stderr.contains("2 processes: a step learns from 4 samples"), "{}", told.stderr);
    assert!(told.stderr.contains("% communication"), "{}", told.stderr);
    let [one, two] = ["one", "two"].map(|run| metrics(&ground.path(run)));
    for (one, two) in one.iter().zip(&two) {
        for key in ["loss", "main", "aux", "cpc", "dice", "epoch"] {
            let [one, two] = [one, two].map(|line| line[key].as_f64().expect(key));
            assert!((one - two).abs() <= 1e-4 * one.abs(), "{key}: {one} and {two}");
        }
        assert!(one.get("communication").is_none() && two["communication"].as_f64().is_some());
    }
}

#[test]
fn three_processes_that_accumulate_drop_out_and_average_learn_it_too() {
    let ground = Ground::new();
    // AdamW divides by a gradient's size, that of one which is nothing but rounding too.
    let settings =
        [&SGD[..2], &["train.steps=3", "train.validate-every=3", "train.check-ranks-every=1"]].concat();
    train_alone(&ground, "one", &with(&settings, &["train.accumulate=6"]), &[]);
    train(&ground, 3, "three", &with(&settings, &["train.accumulate=2"]), &[]);
    assert!(assert_near(&ground, ["one", "three"], "train/raw/", 1e-4) > 50);
    assert_eq!(assert_near(&ground, ["one", "three"], "train/contrast/", 1e-3), 12);
    let pixels = |run: &str| {
        let lines = metrics(&ground.path(run));
        let validation = lines.iter().find(|line| line["event"] == "validation").expect("one").clone();
        let pixels: u64 = validation["confusion"]
            .as_array()
            .expect("rows")
            .iter()
            .flat_map(|row| row.as_array().expect("a row"))
            .map(|count| count.as_u64().expect("a count"))
            .sum();
        pixels
    };
    assert_eq!(pixels("one"), pixels("three"));
}

#[test]
fn joint_batch_norms_train_and_are_the_same_everywhere() {
    let ground = Ground::new();
    let settings = [
        "train.steps=4",
        "train.sync-batch-norm=true",
        "train.check-ranks-every=1",
        "train.validate-every=4",
    ];
    train(&ground, 2, "joint", &settings, &[]);
    train(&ground, 2, "own", &with(&settings[..1], &settings[2..]), &[]);
    let [joint, own] = ["joint", "own"].map(|run| {
        let tensors = crate::train::fixture::tensors(&ground.path(run).join("last.safetensors"));
        let (_, mean) = tensors.iter().find(|(name, _)| name.ends_with("running_mean")).expect("one");
        mean.copy()
    });
    assert_ne!(joint, own);
}

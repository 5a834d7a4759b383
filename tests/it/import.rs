//! `rs-seg model import`, and trainings that begin with what it makes.

use crate::program::rs_seg;
use crate::train::fixture::{Ground, tensors};
use std::fs;
use std::path::Path;

/// A file that PyTorch wrote.
fn made(name: &str) -> String {
    format!("{}/crates/seg-nn/tests/data/import/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// A ground whose network has the encoders of those files.
fn ground() -> Ground {
    let ground = Ground::new();
    let text = fs::read_to_string(ground.path("tiny.toml")).expect("a configuration");
    let text = [
        ("stem-width = 4, widths = [4, 4, 8, 8]", "stem-width = 2, widths = [2, 4, 8, 16]"),
        ("heads = 4, embed-dim = 16, positional-grid = 2", "heads = 1, embed-dim = 8, positional-grid = 4"),
        (
            "width = 16\nheads = 2\nlayers = 1\ncontext-length = 8",
            "width = 8\nheads = 1\nlayers = 1\ncontext-length = 6",
        ),
        (
            "kind = \"both\", width = 16, heads = 2",
            "kind = \"both\", stacks = \"shared\", width = 8, heads = 1",
        ),
    ]
    .iter()
    .fold(text, |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    fs::write(ground.path("tiny.toml"), text).expect("writes");
    ground
}

#[test]
fn a_training_begins_with_clip() {
    let ground = ground();
    let imported =
        ground.run(&["model", "import", &made("clip-script.pt"), "--out", "clip.safetensors", "--json"]);
    assert_eq!(imported.code, Some(0), "{imported:?}");
    let json = imported.json();
    assert_eq!((json["weights"].as_str(), json["unused"].as_array().map(Vec::len)), (Some("clip"), Some(0)));
    assert!(imported.stderr.contains("warning: not OpenAI's RN50.pt (sha256"), "{imported:?}");

    let info = ground.run(&["model", "info", "clip.safetensors"]);
    assert!(
        info.stdout.starts_with("weights of CLIP's encoders") && info.stdout.contains("clip-script.pt"),
        "{info:?}"
    );
    let info = ground.run(&["model", "info", "clip.safetensors", "--json"]).json();
    assert_eq!((info["sha256"].as_str(), info["weights"].as_str()), (json["sha256"].as_str(), Some("clip")));

    let one_step =
        ["--set", "train.steps=1", "--set", "optimizer.lr=1e-12", "--set", "train.validate-every=0"];
    let begin = |out, from: &str| ground.train(out, &[&["--init", from], &one_step[..]].concat());
    let run = begin("through", "clip.safetensors");
    assert!(
        run.stderr.contains("weights taken over") && run.stderr.contains("begun anew: bff_text"),
        "{run:?}"
    );
    begin("direct", &made("clip-script.pt"));
    let [through, direct] =
        ["through", "direct"].map(|run| tensors(&ground.path(run).join("last.safetensors")));
    assert_eq!(through.len(), direct.len());
    assert!(through.iter().all(|(name, tensor)| tensor.equal(&direct[name])));
    let theirs = tensors(&ground.path("clip.safetensors"));
    let moved =
        (&theirs["visual.conv1.weight"] - &through["visual.conv1.weight"]).abs().max().double_value(&[]);
    assert!(moved < 1e-6, "the first step is tiny: {moved}");

    // They tell no network, and are none.
    let alone = ground.run(&["train", "--init", "clip.safetensors", "--data", "chips", "--out", "alone"]);
    assert!(alone.stderr.contains("holds encoders alone") && alone.stderr.contains("--config"), "{alone:?}");
    let infer =
        ground.run(&["infer", "images/val.vrt", "--model", "clip.safetensors", "--out", "classes.tif"]);
    assert!(infer.stderr.contains("holds CLIP's encoders, no whole network"), "{infer:?}");
    assert!(infer.stderr.contains("hint: a training begins with it: `rs-seg train --init"), "{infer:?}");
    let other =
        ground.try_train("other", &["--init", "clip.safetensors", "--set", "model.encoder.stem-width=4"]);
    assert!(other.stderr.contains("visual.bn1.bias has shape [1], the network's is [2]"), "{other:?}");
}

#[test]
fn the_authors_network_segments_and_goes_on_learning() {
    let ground = ground();
    let import = ["model", "import", &made("mmseg.pth"), "--config", "tiny.toml", "--out", "net.safetensors"];
    let run = ground.run(&import);
    assert_eq!((run.code, run.stdout.trim_end()), (Some(0), "net.safetensors"), "{run:?}");
    assert!(run.stderr.contains("beside them and not read: meta, optimizer"), "{run:?}");
    let infer = ground.run(&[
        "infer",
        "images/val.vrt",
        "--model",
        "net.safetensors",
        "--overlap",
        "16",
        "--out",
        "classes.tif",
    ]);
    assert_eq!(infer.code, Some(0), "{infer:?}");
    let train = ground.try_train("run", &["--init", "net.safetensors", "--set", "train.steps=1"]);
    assert_eq!(train.code, Some(0), "{train:?}");
    assert!(train.stderr.contains("classes kept: water, roof, grass"), "{train:?}");

    let again = ground.run(&import);
    assert!(again.stderr.contains("net.safetensors exists"), "{again:?}");
    let own = ground.run(&["model", "import", "net.safetensors", "--out", "own.safetensors"]);
    assert!(own.stderr.contains("it is a checkpoint of rs-seg already"), "{own:?}");
    let without = ground.run(&["model", "import", &made("mmseg.pth"), "--out", "other.safetensors"]);
    assert!(
        without.stderr.contains("there are 3 classes") && without.stderr.contains("--config"),
        "{without:?}"
    );
    let mut plain = fs::read_to_string(ground.path("tiny.toml")).expect("a configuration");
    plain = plain.replace("stacks = \"shared\"", "stacks = \"separate\"");
    fs::write(ground.path("separate.toml"), plain).expect("writes");
    let separate =
        ["model", "import", &made("mmseg.pth"), "--config", "separate.toml", "--out", "sep.safetensors"];
    let missing = ground.run(&separate);
    assert_eq!(missing.code, Some(1));
    assert!(missing.stderr.contains("lacks weights: missing bff_image."), "{missing:?}");
    let drawn = ground.run(&[&separate[..], &["--allow-missing", "--store", "f16"]].concat());
    assert_eq!(drawn.code, Some(0), "{drawn:?}");
    assert!(drawn.stderr.contains("weights are missing and were drawn"), "{drawn:?}");
    assert!(Path::new(&ground.path("sep.safetensors")).exists());
}

#[test]
fn a_checksum_that_is_told_must_be_the_file_s() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("clip.safetensors");
    let import = ["model", "import", &made("clip-state.pt"), "--out", out.to_str().expect("UTF-8")];
    let wrong = rs_seg(&[&import[..], &["--sha256", &"0".repeat(64)]].concat());
    assert_eq!(wrong.code, Some(1));
    assert!(wrong.stderr.contains("expected 0000") && !out.exists(), "{wrong:?}");
    let sum =
        rs_seg(&[&import[..], &["--json"]].concat()).json()["sha256"].as_str().expect("a sum").to_uppercase();
    let right = rs_seg(&[&import[..], &["--overwrite", "--sha256", &sum]].concat());
    assert_eq!(right.code, Some(0), "{right:?}");
}

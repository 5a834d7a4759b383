//! What cannot be trained is refused before anything is written, and a training that is there stays as it is.

use super::fixture::{Ground, LEGEND, contents, tensors};
use crate::program::Run;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

/// Asserts that a training fails with an error that says all this and a hint, or none where that is said so.
#[track_caller]
fn assert_refused(run: &Run, says: &[&str], hint: Option<&str>) {
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""), "{run:?}");
    let error: Vec<_> = run.stderr.lines().skip_while(|line| !line.starts_with("error: ")).collect();
    assert!(error.len() <= 3, "{run:?}");
    for part in says {
        assert!(
            error.iter().any(|line| !line.starts_with("hint: ") && line.contains(part)),
            "{part}: {run:?}"
        );
    }
    let told = error.iter().find_map(|line| line.strip_prefix("hint: "));
    match (hint, told) {
        (Some(hint), Some(told)) => assert!(told.contains(hint), "{hint}: {run:?}"),
        (expected, told) => assert_eq!(expected, told, "{run:?}"),
    }
}

/// A training that is refused, in place of one that is there.
#[track_caller]
fn refuse(ground: &Ground, more: &[&str], says: &[&str], hint: Option<&str>) {
    let before = contents(&ground.path("run"));
    assert_refused(&ground.try_train("run", &[more, &["--overwrite"]].concat()), says, hint);
    assert!(before == contents(&ground.path("run")), "{more:?}");
}

/// The same in a folder that is not there either.
#[track_caller]
fn refuse_new(ground: &Ground, more: &[&str], says: &[&str], hint: Option<&str>) {
    refuse(ground, more, says, hint);
    assert_refused(&ground.try_train("new", more), says, hint);
    assert!(!ground.path("new").exists(), "something was written for {more:?}");
}

/// Chips and a finished training of two steps.
fn trained() -> Ground {
    let ground = Ground::new();
    ground.train("run", &["--set", "train.steps=2"]);
    ground
}

#[test]
fn settings_that_cannot_be_meant() {
    let ground = trained();
    for (setting, says) in [
        ("train.stepz=5", &["section [train]", "unknown field `stepz`"][..]),
        ("loss.lambda=1", &["section [loss]", "unknown field `lambda`"]),
        ("augment.flipp=1", &["section [augment]", "unknown field `flipp`"]),
        ("train.steps=many", &["section [train]", "invalid type: string \"many\""]),
        ("augment.flip=2", &["augment.flip: 2 is not between 0 and 1"]),
        ("loss.tau=0", &["loss.tau: 0 is not a number above 0"]),
        ("model.tile-px=100", &["model.tile-px: 100 is not a multiple of 32"]),
    ] {
        refuse(&ground, &["--set", setting], says, None);
    }
    // Two classes of one color could not be told apart in any picture.
    let text = fs::read_to_string(ground.path("tiny.toml")).unwrap().replace("#324696", "#be3c32");
    fs::write(ground.path("twins.toml"), text).unwrap();
    let run = ground.run(&["train", "--config", "twins.toml", "--data", "chips", "--out", "new"]);
    assert_refused(&run, &["twins.toml: class: "], None);
    let usage = ground.try_train("new", &["--set", "lr=1"]);
    assert!(usage.code == Some(2) && usage.stderr.contains("SECTION.KEY=VALUE"), "{usage:?}");
    refuse(
        &ground,
        &["--set", "model.encoder=5"],
        &["tiny.toml", "invalid type: integer `5`"],
        Some("`--set` takes"),
    );
    refuse(
        &ground,
        &["--set", "model.name.x=1"],
        &["cannot set model.name.x: name is no section"],
        Some("`--set` takes"),
    );
}

#[test]
fn weights_that_do_not_fit() {
    let ground = trained();
    let best = fs::read(ground.path("run/best.safetensors")).unwrap();
    fs::write(ground.path("cut.safetensors"), &best[..best.len() / 2]).unwrap();
    refuse_new(
        &ground,
        &["--init", "cut.safetensors"],
        &["cut.safetensors is not a whole safetensors file"],
        Some("cut short"),
    );
    refuse(
        &ground,
        &["--init", "none.safetensors"],
        &["cannot read none.safetensors"],
        Some("check the path"),
    );
    for (setting, says) in [
        ("model.encoder.widths=[4,4,8,16]", "has shape"),
        ("model.decoder.fpn-width=16", "has shape"),
        ("model.pool.heads=8", "model.pool.heads is 4, the network's is 8"),
    ] {
        let how = ["--init", "run/best.safetensors", "--set", setting];
        let run = ground.try_train("new", &how);
        assert_refused(
            &run,
            &["run/best.safetensors", says],
            run.stderr.lines().find_map(|line| line.strip_prefix("hint: ")),
        );
        assert!(!ground.path("new").exists() && run.stderr.contains("hint: "), "{run:?}");
    }
    // Of the run itself: what is left of it is not touched.
    let last = fs::read(ground.path("run/last.safetensors")).unwrap();
    fs::write(ground.path("run/last.safetensors"), &last[..last.len() - 1]).unwrap();
    let before = contents(&ground.path("run"));
    for how in [&["--set", "train.steps=2", "--resume"][..], &["--resume"]] {
        assert_refused(
            &ground.try_train("run", how),
            &["run/last.safetensors is not a whole safetensors file"],
            Some("cut short"),
        );
    }
    // A checkpoint for inference holds nothing to go on with.
    fs::write(ground.path("run/last.safetensors"), best).unwrap();
    let run = ground.try_train("run", &["--set", "train.steps=2", "--resume"]);
    assert_refused(&run, &["holds no state of a training"], Some("--init begins from any"));
    let changed = |name: &str| name == "last.safetensors";
    let after = contents(&ground.path("run"));
    assert!(before.iter().filter(|(name, _)| !changed(name)).all(|(name, bytes)| after[name] == *bytes));
}

#[test]
fn chips_that_do_not_fit() {
    let ground = trained();
    let replace = |name: &str, from: &str, to: &str| {
        let text = fs::read_to_string(ground.path(name)).unwrap();
        assert!(text.contains(from), "{name}: {text}");
        fs::write(ground.path(name), text.replacen(from, to, 1000)).unwrap();
        text
    };
    fs::write(
        ground.path("more.toml"),
        format!("{LEGEND}\n[[class]]\nid = 3\nname = \"road\"\ncolor = \"#000000\"\n"),
    )
    .unwrap();
    refuse(
        &ground,
        &["--legend", "more.toml"],
        &["the model has the class road, the labels of chips do not"],
        Some("the labels have roof, grass, water"),
    );
    let (two, _) = LEGEND.split_once("\n[[class]]\nid = 2").unwrap();
    fs::write(ground.path("less.toml"), two).unwrap();
    refuse(
        &ground,
        &["--legend", "less.toml"],
        &["the labels of chips have the class water, the model does not"],
        Some("the model has roof, grass"),
    );
    refuse(
        &ground,
        &["--set", "data.train=test"],
        &["chips has no test chips"],
        Some("9 train, 4 val, 0 test"),
    );
    refuse(
        &ground,
        &["--set", "data.val=test"],
        &["chips has no test chips"],
        Some("9 train, 4 val, 0 test"),
    );
    refuse(
        &ground,
        &["--set", "data.exclude=[\"train\"]"],
        &["chips has no train chips"],
        Some("check the patterns"),
    );
    refuse(
        &ground,
        &["--set", "input.dtypes=[\"uint16\"]"],
        &["holds uint8 values, the model takes uint16"],
        Some("input.dtypes = [\"uint8\"]"),
    );
    // Chips that would be cut out of themselves.
    let again = ["chips/images", "--labels", "chips/labels", "--legend", "legend.toml", "--out", "chips"];
    let run = ground.run(&[&["tile"], &again[..], &["--size", "32", "--overwrite"]].concat());
    assert_refused(&run, &["is read and lies in chips, which is written"], Some("--out"));
    assert_eq!(contents(&ground.path("chips/images")).len(), 13);
    let out = ["train", "--config", "tiny.toml", "--out", "new"];
    assert_refused(
        &ground.run(&[&out[..], &["--data", "images"]].concat()),
        &["images holds no manifest.jsonl"],
        Some("`rs-seg tile "),
    );
    assert_refused(&ground.run(&out), &["no folder of chips was given"], Some("--data"));

    // Nothing of a class is left in the training chips.
    let manifest = replace("chips/manifest.jsonl", "\"water\":", "\"grass\":");
    refuse(&ground, &[], &["no train chip shows the class water"], Some("absent-classes"));
    fs::write(ground.path("chips/manifest.jsonl"), &manifest).unwrap();

    let line = manifest.lines().find(|line| line.contains("\"val\"")).unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    let chip = |part: &str| ground.path("chips").join(line[part].as_str().unwrap());
    let label = fs::read(chip("label")).unwrap();
    let ids = [&b"P5\n64 64\n255\n"[..], &[9; 64 * 64]].concat();
    fs::write(chip("label"), ids).unwrap();
    refuse_new(&ground, &[], &["has ids that legend.toml does not have: 9"], Some("tile again"));
    fs::write(chip("label"), label).unwrap();
    fs::rename(chip("image"), ground.path("away.tif")).unwrap();
    refuse(&ground, &[], &["names the chip", "which is not there"], Some("tile again"));
    fs::write(chip("image"), "no raster").unwrap();
    refuse(&ground, &[], &["cannot open", "not recognized"], Some("gdalinfo"));
    fs::rename(ground.path("away.tif"), chip("image")).unwrap();
    ground.train("new", &["--set", "train.steps=1"]);
}

#[test]
fn folders_that_cannot_be_used() {
    let ground = trained();
    let same = ["--set", "train.steps=2"];
    let before = contents(&ground.path("run"));
    assert_refused(&ground.try_train("run", &same), &["run holds a training already"], Some("--resume"));
    for (other, keys) in [
        (
            &["--set", "optimizer.lr=1e-4", "--set", "train.batch=3"][..],
            "optimizer.lr, train.batch, train.steps",
        ),
        (&["--set", "train.steps=2", "--set", "model.decoder.dropout=0"], "model.decoder.dropout"),
        (&["--set", "train.steps=2", "--set", "train.seed=3"], "train.seed"),
    ] {
        let says = format!("run cannot be resumed, it was begun with other settings: {keys}");
        assert_refused(
            &ground.try_train("run", &[other, &["--resume"]].concat()),
            &[&says],
            Some("leave out --config"),
        );
    }
    // Other chips under the same name.
    let manifest = fs::read(ground.path("chips/manifest.jsonl")).unwrap();
    fs::write(ground.path("chips/manifest.jsonl"), [&manifest[..], b"\n"].concat()).unwrap();
    assert_refused(
        &ground.try_train("run", &[&same[..], &["--resume"]].concat()),
        &["the chips of chips are not those it was begun with"],
        Some("--init run/last.safetensors"),
    );
    fs::write(ground.path("chips/manifest.jsonl"), manifest).unwrap();
    // Cut again from other imagery: the manifest is the same.
    let image = fs::read_dir(ground.path("chips/images")).unwrap().next().unwrap().unwrap().path();
    let pixels = fs::read(&image).unwrap();
    fs::write(&image, [&pixels[..], b"more"].concat()).unwrap();
    assert_refused(
        &ground.try_train("run", &[&same[..], &["--resume"]].concat()),
        &["the chips of chips are not those it was begun with"],
        Some("--data"),
    );
    fs::write(&image, pixels).unwrap();
    assert!(before == contents(&ground.path("run")));

    // Called somewhere else, where the chips have another name.
    let path = ground.path("run");
    let elsewhere = ["train", "--resume", "--out", path.to_str().unwrap()];
    let run = crate::program::rs_seg_in(&ground.path("images"), &elsewhere);
    assert_refused(&run, &["was begun with the chips of chips, which are not there"], Some("give --data"));

    // Nothing to go on with.
    let resume = |out: &str| ground.run(&["train", "--resume", "--out", out, "--data", "chips"]);
    assert_refused(
        &resume("none"),
        &["none holds no training to resume", "last.safetensors is missing"],
        Some("without --resume"),
    );
    assert!(!ground.path("none").exists());

    // Files of the training that would be removed are not read by the new one.
    for how in [["--init", "run/best.safetensors"], ["--config", "run/config.toml"]] {
        let out = ["train", "--data", "chips", "--out", "run", "--overwrite"];
        let says = format!("--overwrite would remove {}, which this training reads", how[1]);
        assert_refused(&ground.run(&[&out[..], &how].concat()), &[&says], Some("another folder"));
    }
    assert!(before == contents(&ground.path("run")));
    assert_refused(
        &ground.try_train("new", &["--seeds", "1,2,1"]),
        &["--seeds names 1 twice"],
        Some("trained once"),
    );

    // What somebody keeps of a training is not thrown away unasked.
    fs::create_dir(ground.path("kept")).unwrap();
    fs::copy(ground.path("run/best.safetensors"), ground.path("kept/best.safetensors")).unwrap();
    for how in [&[][..], &["--resume"]] {
        assert_refused(
            &ground.try_train("kept", how),
            &["kept holds a training already", "best.safetensors"],
            Some("--overwrite"),
        );
    }
    assert_eq!(contents(&ground.path("kept")).len(), 1);
    ground.train("kept", &[&same[..], &["--overwrite"]].concat());
    assert!(!tensors(&ground.path("kept/last.safetensors")).is_empty());

    // One that another process trains in.
    let lock = fs::File::options().write(true).open(ground.path("run/lock")).unwrap();
    lock.lock().unwrap();
    assert_refused(
        &ground.try_train("run", &[&same[..], &["--resume"]].concat()),
        &["another rs-seg trains in run"],
        Some("wait"),
    );
    drop(lock);

    // Folders that cannot be made or written; nothing stops a superuser, who is not asked.
    assert_refused(
        &ground.try_train("tiny.toml/run", &same),
        &["cannot make the folder tiny.toml/run"],
        None,
    );
    fs::create_dir(ground.path("fixed")).unwrap();
    fs::set_permissions(ground.path("fixed"), fs::Permissions::from_mode(0o555)).unwrap();
    if fs::write(ground.path("fixed/probe"), "").is_err() {
        assert_refused(
            &ground.try_train("fixed/run", &same),
            &["cannot make the folder", "Permission denied"],
            None,
        );
        assert_refused(
            &ground.try_train("fixed", &same),
            &["cannot write fixed/lock", "Permission denied"],
            None,
        );
    }
    fs::set_permissions(ground.path("fixed"), fs::Permissions::from_mode(0o755)).unwrap();
}

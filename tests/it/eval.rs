//! `rs-seg eval --model` from chips to a report.

use crate::miniature::{write_folder, write_loveda, write_potsdam};
use crate::program::{Run, command, rs_seg_in};
use crate::scene::write_probe_of;
use seg_gdal::{LabelKind, LabelRaster};
use seg_label::Legend;
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// Chips of a miniature, and the probe for its classes.
fn ground(legend: &str, write: fn(&Path), tile: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    write(&folder.path().join("data"));
    write_probe_of(folder.path(), &Legend::builtin(legend).expect("known"));
    let arguments: Vec<_> =
        ["tile", "data", "--out", "chips", "--quiet"].into_iter().chain(tile.split(' ')).collect();
    let run = rs_seg_in(folder.path(), &arguments);
    assert_eq!(run.code, Some(0), "{run:?}");
    folder
}

fn potsdam() -> TempDir {
    ground("potsdam", write_potsdam, "--dataset potsdam --label-variant no-boundary --size 96")
}

fn eval(folder: &Path, more: &[&str]) -> Run {
    rs_seg_in(folder, &[&["eval", "--model", "probe.pt", "--data", "chips"][..], more].concat())
}

#[track_caller]
fn evaluated(folder: &Path, more: &[&str]) -> Value {
    let run = eval(folder, &[more, &["--json", "--progress", "none"]].concat());
    assert_eq!(run.code, Some(0), "{more:?}: {run:?}");
    run.json()
}

#[test]
fn the_probe_is_right_by_the_paper_s_protocol_and_the_report_names_it() {
    let folder = potsdam();
    let told = evaluated(folder.path(), &["--protocol", "paper", "--exclude", "clutter", "--out", "report"]);
    assert_eq!((&told["miou"], &told["mf1"], &told["oa"]), (&json!(1.0), &json!(1.0), &json!(1.0)), "{told}");
    assert_eq!(told["protocol"]["miou_without_exclusion"], 1.0);
    assert!(
        told["ignored"].as_u64() > Some(0) && told["classes"].as_array().map(Vec::len) == Some(6),
        "{told}"
    );
    let expected = json!({
        "split": "test", "images": 2, "patches": 2, "window": 512, "stride": 341,
        "scales": [0.5, 0.75, 1.0, 1.25, 1.5, 1.75], "flips": ["none", "horizontal"], "passes": 12,
        "labels": ["data/5_Labels_all_noBoundary"], "eroded_px": 0, "excluded": ["clutter"], "model": "probe.pt",
        "data": "chips",
    });
    for (key, value) in expected.as_object().expect("an object") {
        assert_eq!(&told["protocol"][key], value, "{key}: {told}");
    }
    assert!(told["timing"]["patches_per_second"].as_f64() > Some(0.0), "{told}");
    // The file has no clock in it.
    let report: Value = serde_json::from_str(
        &fs::read_to_string(folder.path().join("report/report.json")).expect("a report"),
    )
    .expect("JSON");
    assert!(report["timing"].is_null() && report["confusion"] == told["confusion"], "{report}");
    let text = fs::read_to_string(folder.path().join("report/report.md")).expect("a report");
    assert!(text.contains("12 passes a chip"), "{text}");
}

#[test]
fn windows_scales_and_threads_are_flags() {
    let folder = potsdam();
    let single = evaluated(folder.path(), &["--threads", "1"]);
    assert_eq!((&single["miou"], &single["protocol"]["passes"]), (&json!(1.0), &json!(1)), "{single}");
    for more in [
        &["--threads", "3", "--protocol", "single"][..],
        &["--window", "40", "--stride", "7"],
        &["--scales", "1,2", "--tta", "flip", "--window", "64"],
    ] {
        let told = evaluated(folder.path(), more);
        assert_eq!(told["confusion"], single["confusion"], "{more:?}");
    }
    let told = evaluated(folder.path(), &["--window", "64", "--tta", "flip", "--split", "train"]);
    assert_eq!((&told["protocol"]["stride"], &told["protocol"]["images"]), (&json!(42), &json!(3)), "{told}");
    // Labels that are eroded already lose the pixels around what was eroded too.
    let eroded = evaluated(folder.path(), &["--eroded", "9"]);
    assert!(eroded["ignored"].as_u64() > single["ignored"].as_u64(), "{eroded}");
    let table = eval(folder.path(), &["--eroded", "9"]);
    assert!(table.stdout.contains("within 9 pixels of another class is ignored"), "{table:?}");
    assert!(table.stderr.contains("patches per second"), "{table:?}");
}

#[test]
fn saved_predictions_are_colors_for_isprs_and_ids_for_loveda() {
    let folder = potsdam();
    let told = evaluated(folder.path(), &["--save-predictions", "seen"]);
    let seen = folder.path().join("seen/top_potsdam_2_13_RGB_x0_y0.png");
    let kind = |path: &Path| LabelRaster::open(&path.to_string_lossy()).expect("opens").kind();
    assert_eq!(kind(&seen), LabelKind::Colors);
    // They lie where the chips lie, and tell the same again.
    fs::create_dir(folder.path().join("truth")).expect("a folder");
    for tile in ["2_13", "7_13"] {
        let name = format!("top_potsdam_{tile}_RGB_x0_y0.tif");
        fs::copy(folder.path().join("chips/labels").join(&name), folder.path().join("truth").join(&name))
            .expect("copies");
    }
    let again = ["eval", "--pred", "seen", "--truth", "truth", "--legend", "potsdam", "--json"];
    let again = rs_seg_in(folder.path(), &again);
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_eq!(again.json()["confusion"], told["confusion"]);
    let refused = eval(folder.path(), &["--save-predictions", "seen"]);
    assert!(refused.code == Some(1) && refused.stderr.contains("--overwrite"), "{refused:?}");
    let refused = eval(folder.path(), &["--save-predictions", "chips/images", "--overwrite"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert_eq!(eval(folder.path(), &["--save-predictions", "seen", "--overwrite"]).code, Some(0));
    fs::write(folder.path().join("seen/of_earlier_chips.png"), "a picture").expect("writes");
    let mixed = eval(folder.path(), &["--save-predictions", "seen", "--overwrite"]);
    assert!(mixed.code == Some(1) && mixed.stderr.contains("1 PNG files of no chip"), "{mixed:?}");

    let folder = ground("loveda", write_loveda, "--dataset loveda --size 96");
    let told = evaluated(folder.path(), &["--split", "val", "--save-predictions", "seen"]);
    assert_eq!(told["miou"], 1.0, "{told}");
    let mut files: Vec<_> = fs::read_dir(folder.path().join("seen"))
        .expect("a folder")
        .map(|e| e.expect("a file").path())
        .collect();
    files.sort();
    assert_eq!(files.len(), 2, "{files:?}");
    assert!(files.iter().all(|file| kind(file) == LabelKind::Ids), "{files:?}");
}

#[test]
fn the_test_of_loveda_is_predicted_without_labels() {
    let folder = tempfile::tempdir().expect("a folder");
    write_loveda(&folder.path().join("data"));
    write_probe_of(folder.path(), &Legend::builtin("loveda").expect("known"));
    // With the other splits beside it and alone.
    for data in ["data", "data/Test"] {
        let tile = ["tile", data, "--dataset", "loveda", "--size", "96", "--out", "chips", "--overwrite"];
        assert_eq!(rs_seg_in(folder.path(), &tile).code, Some(0), "{data}");
        let told = evaluated(folder.path(), &["--save-predictions", "seen", "--overwrite"]);
        assert_eq!((&told["miou"], &told["oa"]), (&Value::Null, &Value::Null), "{told}");
        assert_eq!(fs::read_dir(folder.path().join("seen")).expect("a folder").count(), 2);
        let said = eval(folder.path(), &["--save-predictions", "seen", "--overwrite"]);
        assert!(
            said.code == Some(0) && said.stderr.contains("have no labels, so there are no scores"),
            "{said:?}"
        );
    }
    let scored = eval(folder.path(), &[]);
    assert!(scored.code == Some(1) && scored.stderr.contains("--save-predictions"), "{scored:?}");
}

#[test]
fn what_does_not_fit_is_told_with_the_way_out() {
    let folder = potsdam();
    let none = eval(folder.path(), &["--split", "val"]);
    assert!(
        none.code == Some(1) && none.stderr.contains("no val chips") && none.stderr.contains("--split"),
        "{none:?}"
    );
    write_probe_of(folder.path(), &Legend::builtin("loveda").expect("known"));
    let other = eval(folder.path(), &[]);
    assert!(other.code == Some(1) && other.stderr.contains("water"), "{other:?}");
    assert!(other.stderr.contains("hint: the model has background"), "{other:?}");
    for (wrong, code) in [
        (&["--stride", "600"][..], 1),
        (&["--protocol", "paper", "--scales", "1"], 2),
        (&["--pred", "chips/labels"], 2),
        (&["--legend", "potsdam"], 2),
        (&["--scales", "0"], 2),
    ] {
        write_probe_of(folder.path(), &Legend::builtin("potsdam").expect("known"));
        let run = eval(folder.path(), wrong);
        assert_eq!(run.code, Some(code), "{wrong:?}: {run:?}");
    }
    // What fails leaves no folder.
    let run = eval(folder.path(), &["--stride", "600", "--save-predictions", "a/b", "--out", "c/d"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(!folder.path().join("a").exists() && !folder.path().join("c").exists(), "{run:?}");
    let alone = rs_seg_in(folder.path(), &["eval", "--pred", "a.tif", "--truth", "b.tif", "--window", "64"]);
    assert_eq!(alone.code, Some(2), "{alone:?}");
}

#[test]
fn the_embedded_network_is_tested_where_its_classes_are() {
    let dubai = |root: &Path| write_folder(root, &Legend::builtin("dubai").expect("known"));
    let splits =
        "--legend dubai --dataset folder --size 96 --split-by (?<train>train)|(?<val>val)|(?<test>test)";
    let folder = ground("dubai", dubai, splits);
    let run = rs_seg_in(folder.path(), &["eval", "--model", "default", "--data", "chips", "--json"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let told = run.json();
    assert_eq!((&told["pixels"], &told["protocol"]["model"]), (&json!(96 * 96), &json!("default")), "{told}");
}

#[test]
fn a_test_that_is_interrupted_leaves_no_predictions() {
    let folder = potsdam();
    let arguments =
        ["eval", "--model", "probe.pt", "--data", "chips", "--split", "train", "--progress", "json"];
    // Thousands of windows.
    let slow =
        ["--window", "8", "--stride", "1", "--tta", "flip", "--threads", "1", "--save-predictions", "seen"];
    let mut job = command(&[&arguments[..], &slow].concat())
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut lines = BufReader::new(job.stderr.take().expect("piped")).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("\"stage\":\"check\"")), "it ended before it began");
    let killed = Command::new("kill").args(["-INT", &job.id().to_string()]).status().expect("kill runs");
    assert!(killed.success());
    let last = lines.last().expect("an event");
    assert_eq!(job.wait().expect("ends").code(), Some(130), "{last}");
    assert!(last.contains("\"interrupted\"") && !folder.path().join("seen").exists(), "{last}");
}

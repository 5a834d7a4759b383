//! What a network learned from is told by its checkpoint, and rasters that are otherwise by `infer`.

use super::fixture::Ground;
use crate::program::rs_seg_in;
use crate::scene::{Scene, write_probe};
use std::fs;
use std::process::Command;

const UNLIKE: &str = "is not like what the network learned from";

#[test]
fn a_raster_that_is_darker_than_the_training_s_is_told_band_by_band() {
    let ground = Ground::new();
    ground.train("run", &["--set", "train.steps=1", "--set", "train.validate-every=1"]);
    let told = ground.run(&["model", "info", "run/best.safetensors", "--json"]).json();
    let seen = told["training"]["provenance"]["input-values"].as_array().expect("values").clone();
    assert_eq!(seen.len(), 3, "{told}");
    for band in &seen {
        let number = |key: &str| band[key].as_f64().expect("a number");
        assert!(number("p1") <= number("mean") && number("mean") <= number("p99"), "{band}");
        assert!(number("std") > 1.0 && number("p1") >= 0.0 && number("p99") <= 255.0, "{band}");
    }
    let packed = ground.run(&["model", "pack", "run/best.safetensors", "--out", "small.safetensors"]);
    assert_eq!(packed.code, Some(0), "{packed:?}");
    let exported = ground.run(&["model", "export", "small.safetensors", "--out", "net.pt"]);
    assert_eq!(exported.code, Some(0), "{exported:?}");
    let scaled = Command::new("gdal_translate")
        .args(["-q", "-ot", "Byte", "-scale", "0", "250", "0", "20", "images/val.vrt", "dark.tif"])
        .current_dir(ground.path(""))
        .status();
    assert!(scaled.expect("gdal_translate runs").success());
    for model in ["run/best.safetensors", "small.safetensors", "net.pt"] {
        let infer = |raster: &str| {
            let fixed =
                ["infer", raster, "--model", model, "--out", "c.tif", "--overlap", "0", "--overwrite"];
            let run = ground.run(&fixed);
            assert_eq!(run.code, Some(0), "{run:?}");
            run.stderr
        };
        assert!(!infer("images/val.vrt").contains(UNLIKE), "{model}");
        let dark = infer("dark.tif");
        for band in 1..=3 {
            assert_eq!(dark.matches(&format!("band {band} {UNLIKE}: mean ")).count(), 1, "{model}: {dark}");
        }
        assert!(dark.contains("in training mean "), "{dark}");
    }
}

#[test]
fn a_training_ends_with_its_page_and_a_report_on_its_chips() {
    let ground = Ground::new();
    ground.train("run", &["--set", "train.steps=2", "--set", "train.validate-every=1"]);
    let read = |name: &str| fs::read_to_string(ground.path("run").join(name)).expect(name);
    let page = read("training.html");
    for part in ["Learning rate", "IoU of each class", "report-val.html", "<table id=\"validations\">"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let report: serde_json::Value = serde_json::from_str(&read("report-val.json")).expect("JSON");
    assert_eq!(report["protocol"]["split"], "val", "{report}");
    assert!(
        report["calibration"]["ece"].is_number() && read("report-val.html").contains("Worst"),
        "{report}"
    );
    // They are the training's own: another one replaces them.
    ground.train("run", &["--set", "train.steps=1", "--overwrite"]);
    assert!(read("training.html").contains("<data value=\"1\">1</data>"));
}

#[test]
fn without_known_values_the_normalization_tells_and_pixel_sizes_are_compared() {
    let folder = tempfile::tempdir().expect("a folder");
    Scene::write(folder.path(), 300, 200);
    write_probe(folder.path());
    let infer = |more: &[&str]| {
        let fixed = ["infer", "scene.vrt", "--model", "probe.pt", "--out", "c.tif", "--overwrite"];
        let run = rs_seg_in(folder.path(), &[&fixed[..], more].concat());
        assert_eq!(run.code, Some(0), "{run:?}");
        run.stderr
    };
    assert!(!infer(&[]).contains("warning"));
    let raw = infer(&["--scaling", "none"]);
    for band in 1..=3 {
        assert_eq!(raw.matches(&format!("band {band} is hardly like")).count(), 1, "{raw}");
    }
    let toml = fs::read_to_string(folder.path().join("probe.toml")).expect("a description");
    // The pixels of the scene, which lies askew, have 0.0894 m.
    for (gsd, told) in [("0.09", false), ("0.3", true), ("0.05", true)] {
        let changed = toml.replace("bands = 3", &format!("bands = 3\ngsd-m = {gsd}"));
        fs::write(folder.path().join("probe.toml"), changed).expect("writes");
        let said = infer(&[]);
        assert_eq!(said.contains(&format!("the network learned from {gsd} m")), told, "{said}");
    }
}

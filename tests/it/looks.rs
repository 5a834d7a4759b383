//! How a network looks at a raster: overlap, turns, scales, precision, and whether tiles can be seen.

use crate::infer::ids;
use crate::program::{command, rs_seg_in};
use crate::scene::{Scene, write_blur, write_probe};
use serde_json::Value;
use std::path::Path;

fn infer(folder: &Path, network: &str, out: &str, more: &[&str]) -> (Vec<u8>, Value) {
    let fixed = ["infer", "scene.vrt", "--model", network, "--quiet", "--json", "--overwrite", "--out", out];
    let run = rs_seg_in(folder, &[&fixed[..], more].concat());
    assert_eq!(run.code, Some(0), "{more:?}: {run:?}");
    (ids(&folder.join(out)), serde_json::from_str(&run.stdout).expect("JSON"))
}

fn differing(a: &[u8], b: &[u8]) -> usize {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).filter(|(a, b)| a != b).count()
}

#[test]
fn with_the_overlap_that_a_network_needs_tiles_are_as_one() {
    let folder = tempfile::tempdir().expect("a folder");
    Scene::write(folder.path(), 700, 410);
    write_blur(folder.path());
    let (whole, _) = infer(folder.path(), "blur.pt", "whole.tif", &["--tile", "700"]);
    let plan = ["infer", "scene.vrt", "--model", "blur.pt", "--tile", "128", "--overlap", "auto"];
    let run = rs_seg_in(folder.path(), &[&plan[..], &["--dry-run", "--json"]].concat());
    let planned: Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!((&planned["reach_pixels"], &planned["overlap"]), (&14.into(), &30.into()), "{planned}");
    for blend in ["hann", "crop"] {
        let (tiles, _) = infer(
            folder.path(),
            "blur.pt",
            "tiles.tif",
            &["--tile", "128", "--overlap", "auto", "--blend", blend],
        );
        assert_eq!(differing(&whole, &tiles), 0, "{blend}");
    }
    let beyond = ["--tile", "128", "--overlap", "64", "--margin", "14"];
    let (tiles, _) = infer(folder.path(), "blur.pt", "tiles.tif", &beyond);
    assert_eq!(differing(&whole, &tiles), 0, "a ramp beyond the reach");
    let (tiles, _) = infer(folder.path(), "blur.pt", "tiles.tif", &["--tile", "128", "--overlap", "0"]);
    assert!(differing(&whole, &tiles) > 100, "without overlap tiles differ, or the test shows nothing");
}

#[test]
fn a_look_for_seams_tells_blocks_from_the_scene() {
    let folder = tempfile::tempdir().expect("a folder");
    Scene::write(folder.path(), 600, 500);
    write_blur(folder.path());
    let ratio = |more: &[&str]| {
        let (_, done) =
            infer(folder.path(), "blur.pt", "c.tif", &[&["--check-seams", "--tile", "100"], more].concat());
        done["seams"]["ratio"].as_f64().expect("a ratio")
    };
    let (blocks, none) = (ratio(&["--overlap", "0"]), ratio(&["--overlap", "auto"]));
    // The scene is made of blocks itself, whose borders lie on few tile lines.
    assert!(blocks > 1.3 * none, "{blocks} {none}");
}

#[test]
fn turns_and_scales_are_averaged() {
    let folder = tempfile::tempdir().expect("a folder");
    let scene = Scene::write(folder.path(), 301, 250);
    write_probe(folder.path());
    let how = |more: &[&str]| infer(folder.path(), "probe.pt", "c.tif", &[&["--tile", "128"], more].concat());
    // A network that sees single pixels sees them whichever way round.
    for tta in ["flip", "d4"] {
        assert_eq!(how(&["--tta", tta]).0, scene.classes, "{tta}");
    }
    // Coarser looks blur borders and nothing else.
    let (scaled, _) = how(&["--scales", "0.5,1"]);
    let changed = differing(&scaled, &scene.classes);
    assert!(changed > 0 && changed < scene.classes.len() / 4, "{changed}");
    let (paper, done) = how(&["--protocol", "paper"]);
    assert!(differing(&paper, &scene.classes) < scene.classes.len() / 4, "{done}");
    assert_eq!(done["tiles"], done["tiles_computed"]);
    // Not the network's result, so nothing that a run without them left may be resumed with them.
    let refused = rs_seg_in(
        folder.path(),
        &[
            "infer",
            "scene.vrt",
            "--model",
            "probe.pt",
            "--out",
            "x.tif",
            "--protocol",
            "paper",
            "--tta",
            "d4",
        ],
    );
    assert_eq!(refused.code, Some(2), "{refused:?}");
}

#[test]
fn bfloat16_is_taken_where_it_was_found_to_decide_alike() {
    let folder = tempfile::tempdir().expect("a folder");
    let scene = Scene::write(folder.path(), 300, 200);
    write_probe(folder.path());
    let cached = |arguments: &[&str]| {
        let output = command(arguments).current_dir(folder.path()).env("RS_SEG_CACHE", "cache").output();
        let output = output.expect("runs");
        assert!(output.status.success(), "{output:?}");
        (
            serde_json::from_slice::<Value>(&output.stdout).expect("JSON"),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let auto = [
        "infer",
        "scene.vrt",
        "--model",
        "probe.pt",
        "--out",
        "c.tif",
        "--precision",
        "auto",
        "--json",
        "--overwrite",
    ];
    let (done, told) = cached(&auto);
    assert_eq!(done["precision"], "f32");
    assert!(told.contains("--precision-check probe.pt"), "{told}");
    let (checked, _) =
        cached(&["doctor", "--precision-check", "probe.pt", "--precision-image", "scene.vrt", "--json"]);
    let check = &checked["precision_check"];
    assert!(check["equal"].as_f64().expect("a share") > 0.99, "{check}");
    let (done, told) = cached(&auto);
    let quicker = check["seconds_bf16"].as_f64() < check["seconds_f32"].as_f64();
    let expected = if check["passed"] == true && quicker { "bf16" } else { "f32" };
    assert_eq!(done["precision"], expected, "{check} {told}");
    let (half, done) = infer(folder.path(), "probe.pt", "c.tif", &["--precision", "bf16"]);
    assert_eq!(done["precision"], "bf16");
    assert!(differing(&half, &scene.classes) < scene.classes.len() / 100);
}

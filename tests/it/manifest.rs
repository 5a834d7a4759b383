//! The manifest that `rs-seg infer` leaves, and `rs-seg verify`, which reads it.

use crate::program::{Run, rs_seg_in};
use crate::scene::{Scene, write_probe};
use seg_gdal::{
    ClassEntry, Content, GeoRaster, GridReference, OutputFormat, RasterSpec, RasterWriter, ReadOptions,
};
use seg_grid::{Block, RasterSource as _, Window};
use serde_json::Value;
use std::fs;
use std::path::Path;

const TILING: [&str; 4] = ["--tile", "128", "--overlap", "32"];

fn folder_with_scene(width: usize, height: usize) -> (tempfile::TempDir, Scene) {
    let folder = tempfile::tempdir().expect("a folder");
    let scene = Scene::write(folder.path(), width, height);
    write_probe(folder.path());
    (folder, scene)
}

fn infer(folder: &Path, more: &[&str]) -> Run {
    let fixed = ["infer", "scene.vrt", "--model", "probe.pt", "--quiet", "--out", "classes.tif"];
    let run = rs_seg_in(folder, &[&fixed[..], &TILING, more].concat());
    assert_eq!(run.code, Some(0), "{more:?}: {run:?}");
    run
}

fn manifest(folder: &Path) -> Value {
    serde_json::from_slice(&fs::read(folder.join("classes.tif.json")).expect("a manifest")).expect("JSON")
}

/// Verifies with some flags; the result for machines, and the exit status.
fn verify(folder: &Path, more: &[&str]) -> (Value, Option<i32>) {
    let run = rs_seg_in(folder, &[&["verify", "classes.tif", "--json"][..], more].concat());
    (run.json(), run.code)
}

#[test]
fn a_manifest_names_all_that_made_the_outputs_and_no_more() {
    let (folder, scene) = folder_with_scene(700, 650);
    let all = ["--probabilities", "p.tif", "--confidence", "c.tif", "--preview", "p.png", "--overwrite"];
    let bytes = |how: &[&str]| {
        infer(folder.path(), &[&all[..], how].concat());
        fs::read(folder.path().join("classes.tif.json")).expect("a manifest")
    };
    let first = bytes(&["--threads", "1", "--batch", "1", "--max-memory", "1GiB"]);
    assert_eq!(first, bytes(&["--threads", "3", "--batch", "7", "--max-memory", "4GiB"]));
    let told = manifest(folder.path());
    assert_eq!((&told["manifest"], &told["schema"]), (&Value::from("rs-seg infer"), &Value::from(1)));
    assert_eq!((&told["input"]["name"], &told["input"]["width"]), (&"scene.vrt".into(), &700.into()));
    assert_eq!(told["input"]["bands"], serde_json::json!([1, 2, 3]));
    assert_eq!(told["input"]["crs"], "EPSG:25832");
    assert_eq!(
        told["input"]["geotransform"],
        serde_json::json!([500_000.0, 0.08, 0.04, 5_400_000.0, 0.04, -0.08])
    );
    assert_eq!((&told["flags"]["tile"], &told["flags"]["overlap"]), (&"128".into(), &"32".into()));
    assert_eq!((&told["flags"]["blend"], &told["software"]["precision"]), (&"hann".into(), &"f32".into()));
    let grid = &told["grid"];
    let tiles = grid["columns"].as_u64().zip(grid["rows"].as_u64()).map(|(x, y)| x * y);
    assert_eq!(grid["computed"].as_u64(), tiles);
    for (id, class) in told["classes"].as_array().expect("classes").iter().enumerate() {
        let pixels = scene.classes.iter().filter(|&&c| usize::from(c) == id).count();
        assert_eq!((&class["name"], &class["pixels"]), (&format!("class {id}").into(), &pixels.into()));
    }
    let outputs = told["outputs"].as_array().expect("outputs");
    let files: Vec<_> = outputs.iter().map(|output| output["file"].as_str().expect("a name")).collect();
    assert_eq!(
        files,
        ["classes.tif", "classes.tif.aux.xml", "p.tif", "c.tif", "classes.qml", "p.png"]
            .iter()
            .filter(|name| folder.path().join(name).exists())
            .copied()
            .collect::<Vec<_>>()
    );
    assert!(files.contains(&"classes.qml") && files.contains(&"p.png"), "{files:?}");
    for output in outputs {
        let path = folder.path().join(output["file"].as_str().expect("a name"));
        let sum = std::process::Command::new("sha256sum").arg(&path).output().expect("sha256sum runs");
        let sum = String::from_utf8(sum.stdout).expect("text");
        assert_eq!(sum.split_whitespace().next(), output["sha256"].as_str(), "{output}");
        assert_eq!(fs::metadata(&path).expect("a file").len(), output["bytes"].as_u64().expect("a size"));
    }
    let text = String::from_utf8(first).expect("text");
    assert!(!text.contains("threads") && !text.contains("memory"), "{text}");
}

#[test]
fn a_stranger_s_file_is_not_replaced_and_a_manifest_never_tells_of_another_raster() {
    for name in ["classes.tif.json", "classes.qml"] {
        let (folder, _) = folder_with_scene(100, 80);
        let path = folder.path().join(name);
        fs::write(&path, "somebody else's").expect("writes");
        let arguments = ["infer", "scene.vrt", "--model", "probe.pt", "--out", "classes.tif"];
        let run = rs_seg_in(folder.path(), &arguments);
        assert_eq!(run.code, Some(1), "{run:?}");
        assert!(run.stderr.contains(&format!("{name} exists")), "{run:?}");
        assert_eq!(fs::read(&path).expect("still there"), b"somebody else's");
        assert!(!folder.path().join("classes.tif").exists());
    }
    let (folder, _) = folder_with_scene(300, 80);
    infer(folder.path(), &["--no-manifest"]);
    let path = folder.path().join("classes.tif.json");
    assert!(!path.exists());
    let run = rs_seg_in(folder.path(), &["verify", "classes.tif"]);
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains("has no manifest") && run.stderr.contains("--no-manifest"), "{run:?}");
    infer(folder.path(), &["--overwrite"]);
    assert!(path.exists());
    infer(folder.path(), &["--overwrite", "--no-manifest"]);
    assert!(!path.exists(), "it would tell of the raster before");
    fs::write(&path, "{\"type\": \"Feature\"}").expect("writes");
    infer(folder.path(), &["--overwrite", "--no-manifest"]);
    assert!(path.exists(), "it is nobody's manifest");
}

/// Writes the class raster anew, with the ids of a window changed.
fn alter(folder: &Path, window: Window) {
    let path = folder.join("classes.tif");
    let mut raster = GeoRaster::open(&path.to_string_lossy(), &ReadOptions::default()).expect("opens");
    let reference = GridReference::from(raster.raster_profile());
    let whole = Window::whole(raster.profile().size);
    let patch = raster.read(whole).expect("reads").expect("data");
    let mut ids = patch.values.mapv(|id| id as u8); // (1, H, W)
    let (rows, columns) = window.ranges();
    ids.slice_mut(ndarray::s![.., rows, columns]).mapv_inplace(|id| (id + 1) % 6);
    let spec = RasterSpec {
        reference: &reference,
        content: Content::Classes,
        classes: &[ClassEntry { id: 0, name: "class 0", color: [1, 2, 3] }],
        format: OutputFormat::GTiff,
        creation_options: &[],
        metadata: &[],
    };
    let mut writer = RasterWriter::create(&folder.join("altered.part"), &spec).expect("creates");
    writer.write(whole, &Block::U8(ids)).expect("writes");
    writer.finish().expect("finishes").rename(&path).expect("renames");
}

#[test]
fn what_was_made_is_verified_and_one_altered_block_is_found_with_its_place() {
    let (folder, _) = folder_with_scene(1100, 1300);
    infer(folder.path(), &[]);
    let (told, code) = verify(folder.path(), &["--sample", "5"]);
    assert_eq!((code, &told["equal"], &told["tiles_checked"]), (Some(0), &true.into(), &5.into()));
    assert_eq!(told["differs"], serde_json::json!([]));
    assert!(
        told["pixels"].as_u64().is_some_and(|pixels| pixels > 4 * 90 * 90 && pixels < 1_430_000),
        "{told}"
    );
    let (told, code) = verify(folder.path(), &["--sample", "all"]);
    assert_eq!((code, &told["pixels"], &told["differing"]), (Some(0), &1_430_000.into(), &0.into()));
    assert_ne!(
        verify(folder.path(), &["--sample", "3"]).0["pixels"],
        verify(folder.path(), &["--sample", "3", "--seed", "12"]).0["pixels"],
        "other tiles"
    );

    alter(folder.path(), Window { x: 512, y: 512, width: 512, height: 512 });
    let (told, code) = verify(folder.path(), &["--sample", "all"]);
    assert_eq!((code, &told["equal"], &told["differing"]), (Some(1), &false.into(), &262_144.into()));
    assert_eq!(
        told["windows"],
        serde_json::json!([{"x": 512, "y": 512, "width": 512, "height": 512, "pixels": 262_144}])
    );
    assert_eq!(told["files"][0]["state"], "altered");
    let run = rs_seg_in(folder.path(), &["verify", "classes.tif", "--sample", "all"]);
    assert!(run.stdout.contains("512 x 512 at column 512, row 512: 262144 differ"), "{run:?}");
    assert!(run.stderr.contains("is not what its manifest says"), "{run:?}");
}

#[test]
fn an_altered_file_is_told_even_where_the_classes_are_equal() {
    let (folder, _) = folder_with_scene(150, 130);
    infer(folder.path(), &[]);
    let side_car = folder.path().join("classes.tif.aux.xml");
    let text = fs::read_to_string(&side_car).expect("a side-car");
    fs::write(&side_car, text.replace("class 1", "class 2")).expect("writes");
    let (told, code) = verify(folder.path(), &[]);
    assert_eq!((code, &told["differing"]), (Some(1), &0.into()));
    let altered: Vec<_> =
        told["files"].as_array().expect("files").iter().filter(|f| f["state"] == "altered").collect();
    assert_eq!(altered.len(), 1, "{told}");
    assert!(altered[0]["file"].as_str().expect("a name").ends_with("classes.tif.aux.xml"));
}

#[test]
fn another_input_or_network_is_refused_unless_it_is_named() {
    let (folder, _) = folder_with_scene(200, 150);
    infer(folder.path(), &[]);
    // A copy under another name is the same raster.
    let copy = fs::read_to_string(folder.path().join("scene.vrt")).expect("a scene");
    fs::write(folder.path().join("copy of scene.vrt"), &copy).expect("writes");
    let (told, code) = verify(folder.path(), &["--input", "copy of scene.vrt"]);
    assert_eq!((code, &told["differs"]), (Some(0), &serde_json::json!([])), "{told}");

    let toml = fs::read_to_string(folder.path().join("probe.toml")).expect("a description");
    fs::write(folder.path().join("probe.toml"), format!("# touched\n{toml}")).expect("writes");
    let run = rs_seg_in(folder.path(), &["verify", "classes.tif"]);
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains("probe.pt has changed") && run.stderr.contains("--model"), "{run:?}");
    let run = rs_seg_in(folder.path(), &["verify", "classes.tif", "--model", "probe.pt"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stderr.contains("warning") && run.stderr.contains("not the network of that run"), "{run:?}");
    fs::write(folder.path().join("probe.toml"), toml).expect("writes");

    Scene::write(folder.path(), 200, 151);
    let run = rs_seg_in(folder.path(), &["verify", "classes.tif"]);
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains("200 x 151") && run.stderr.contains("--input"), "{run:?}");

    // A flag that this version does not have.
    let path = folder.path().join("classes.tif.json");
    let text = fs::read_to_string(&path).expect("a manifest");
    fs::write(&path, text.replace("\"blend\": \"hann\"", "\"magic\": \"yes\"")).expect("writes");
    let run = rs_seg_in(folder.path(), &["verify", "classes.tif"]);
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains("--magic") && run.stderr.contains("the rs-seg that wrote it"), "{run:?}");
}

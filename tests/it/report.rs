//! `rs-seg eval` from class rasters to a report.

use crate::program::{Run, rs_seg_in};
use ndarray::Array3;
use seg_gdal::{ClassEntry, Content, Crs, GridReference, OutputFormat, RasterSpec, RasterWriter};
use seg_grid::{Block, GeoTransform, Size, Window};
use serde_json::Value;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const SIZE: Size = Size { width: 160, height: 128 };
const CLASSES: [ClassEntry<'static>; 5] = [
    ClassEntry { id: 0, name: "building", color: [60, 16, 152] },
    ClassEntry { id: 1, name: "land", color: [132, 41, 246] },
    ClassEntry { id: 2, name: "road", color: [110, 193, 228] },
    ClassEntry { id: 3, name: "vegetation", color: [254, 221, 58] },
    ClassEntry { id: 4, name: "water", color: [226, 169, 41] },
];

/// Writes classes with the upper left corner so many pixels right of and below the scene's.
fn write(path: &Path, size: Size, [right, below]: [f64; 2], class: impl Fn(usize, usize) -> u8) {
    let mut reference = GridReference::unplaced(size);
    let (x, y) = (500_000.0 + 0.5 * right, 5_400_000.0 - 0.5 * below);
    reference.transform = Some(GeoTransform::from_gdal([x, 0.5, 0.0, y, 0.0, -0.5]));
    reference.crs = Some(Crs::parse("EPSG:25832").expect("known"));
    let spec = RasterSpec {
        reference: &reference,
        content: Content::Classes,
        classes: &CLASSES,
        format: OutputFormat::GTiff,
        creation_options: &[],
        metadata: &[],
    };
    let mut writer = RasterWriter::create(&path.with_extension("part"), &spec).expect("creates");
    let values = Array3::from_shape_fn((1, size.height, size.width), |(_, y, x)| class(x, y));
    writer.write(Window::whole(size), &Block::U8(values)).expect("writes");
    writer.finish().expect("finishes").rename(path).expect("renames");
}

fn truth(x: usize, y: usize) -> u8 {
    if y < 3 { 255 } else { ((x / 37 + y / 29) % 3) as u8 }
}

/// A truth, a good and a bad prediction.
fn ground() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let wrong =
        |x: usize, y: usize, every: usize| (x / 5 * 7 + y / 5 * 11 + x * y / 400).is_multiple_of(every);
    write(&folder.path().join("truth.tif"), SIZE, [0.0; 2], truth);
    for (name, every) in [("good.tif", 11), ("bad.tif", 4)] {
        let seen = |x: usize, y: usize| match truth(x, y) {
            255 => 0,
            id if wrong(x, y, every) => (id + 1) % 4,
            id => id,
        };
        write(&folder.path().join(name), SIZE, [0.0; 2], seen);
    }
    folder
}

fn eval(folder: &Path, more: &[&str]) -> Run {
    rs_seg_in(
        folder,
        &[&["eval", "--pred", "good.tif", "--truth", "truth.tif", "--legend", "dubai"], more].concat(),
    )
}

#[track_caller]
fn told(folder: &Path, more: &[&str]) -> Value {
    let run = eval(folder, &[more, &["--json", "--progress", "none"]].concat());
    assert_eq!(run.code, Some(0), "{more:?}: {run:?}");
    run.json()
}

#[test]
fn a_report_is_four_files_of_the_same_numbers() {
    let folder = ground();
    let told = told(folder.path(), &["--out", "report", "--exclude", "building"]);
    let read = |ending: &str| {
        fs::read_to_string(folder.path().join(format!("report/report.{ending}"))).expect("a report")
    };
    let json: Value = serde_json::from_str(&read("json")).expect("JSON");
    assert_eq!(json, told);
    let (html, text, table) = (read("html"), read("md"), read("csv"));
    for class in json["classes"].as_array().expect("classes") {
        let Some(iou) = class["iou"].as_f64() else { continue };
        assert!(html.contains(&format!("<data value=\"{iou}\">{iou:.4}</data>")), "{class}");
        assert!(table.contains(&format!(",{iou},")) && text.contains(&format!("| {iou:.4} |")), "{class}");
    }
    // Whole and eroded, with and without what is excluded.
    let protocols = json["protocols"].as_array().expect("protocols");
    let eroded: Vec<_> = protocols.iter().map(|scores| scores["eroded_px"].as_u64()).collect();
    assert_eq!(eroded, [Some(0), Some(0), Some(3), Some(3)]);
    assert_eq!(protocols[1]["miou"], json["miou"]);
    let oa = &json["uncertainty"]["intervals"]["oa"];
    assert!(oa["low"].as_f64() < json["oa"].as_f64() && json["oa"].as_f64() < oa["high"].as_f64(), "{json}");
    // Three rows have no truth: the area is that of the map, corrected.
    assert_eq!(json["areas"]["map_pixels"], 160 * 128);
    assert!(json["boundary"]["mean_f1"].as_f64() > Some(0.3), "{json}");
    // The whole truth eroded by hand is the protocol's second half.
    let eroded = told_eroded(folder.path());
    assert_eq!(eroded["miou"], protocols[3]["miou"]);
    assert_eq!(eroded["protocols"], json["protocols"]);
}

fn told_eroded(folder: &Path) -> Value {
    told(folder, &["--eroded", "3", "--exclude", "building"])
}

#[test]
fn another_prediction_is_compared_class_by_class() {
    let folder = ground();
    let json = told(folder.path(), &["--compare", "bad.tif"]);
    let oa = &json["comparison"]["oa"];
    assert_eq!(oa["this"], json["oa"]);
    assert!(oa["interval"]["low"].as_f64() > Some(0.0), "{oa}");
    let reversed = rs_seg_in(
        folder.path(),
        &[
            "eval",
            "--pred",
            "bad.tif",
            "--truth",
            "truth.tif",
            "--compare",
            "good.tif",
            "--legend",
            "dubai",
            "--json",
        ],
    );
    let reversed = reversed.json();
    let back = &reversed["comparison"]["oa"];
    assert_eq!((&back["this"], &back["other"]), (&oa["other"], &oa["this"]));
    assert!(back["interval"]["high"].as_f64() < Some(0.0), "{back}");
    let same = told(folder.path(), &["--compare", "good.tif"]);
    for class in same["comparison"]["classes"].as_array().expect("classes") {
        let difference = &class["iou"]["difference"];
        assert!(difference.is_null() || difference.as_f64() == Some(0.0), "{class}");
    }
}

#[test]
fn a_map_of_the_errors_lies_where_the_prediction_lies() {
    let folder = ground();
    let run = eval(folder.path(), &["--error-map", "wrong.tif"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let json =
        rs_seg_in(folder.path(), &["eval", "--pred", "wrong.tif", "--truth", "wrong.tif", "--json"]).json();
    let scores = told(folder.path(), &[]);
    let pixels = |class: usize| json["classes"][class]["support"].as_u64().expect("counted") as f64;
    let right = pixels(0) / (pixels(0) + pixels(1));
    assert!((right - scores["oa"].as_f64().expect("counted")).abs() < 1e-12, "{json}");
    let again = eval(folder.path(), &["--error-map", "wrong.tif"]);
    assert!(again.code == Some(1) && again.stderr.contains("--overwrite"), "{again:?}");
}

#[test]
fn a_review_lists_what_is_doubtful_and_large_first() {
    let folder = ground();
    let refused = eval(folder.path(), &["--review", "review.gpkg"]);
    assert!(
        refused.code == Some(1) && refused.stderr.contains("hint: `rs-seg infer --confidence FILE`"),
        "{refused:?}"
    );
    // Confidence falls to the right.
    let path = folder.path().join("sure.tif");
    let mut reference = GridReference::unplaced(SIZE);
    reference.transform = Some(GeoTransform::from_gdal([500_000.0, 0.5, 0.0, 5_400_000.0, 0.0, -0.5]));
    reference.crs = Some(Crs::parse("EPSG:25832").expect("known"));
    let spec = RasterSpec {
        reference: &reference,
        content: Content::Confidence,
        classes: &CLASSES,
        format: OutputFormat::GTiff,
        creation_options: &[],
        metadata: &[],
    };
    let mut writer = RasterWriter::create(&path.with_extension("part"), &spec).expect("creates");
    let sure = Array3::from_shape_fn((2, SIZE.height, SIZE.width), |(_, _, x)| 254 - x as u8);
    writer.write(Window::whole(SIZE), &Block::U8(sure)).expect("writes");
    writer.finish().expect("finishes").rename(&path).expect("renames");
    let run = eval(folder.path(), &["--review", "review.geojson", "--probabilities", "sure.tif"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let text = fs::read_to_string(folder.path().join("review.geojson")).expect("a review");
    let review: Value = serde_json::from_str(&text).expect("JSON");
    let features = review["features"].as_array().expect("features");
    let number = |feature: &Value, key: &str| feature["properties"][key].as_f64().expect("a number");
    assert!(features.len() > 10, "{}", features.len());
    for (i, pair) in features.windows(2).enumerate() {
        assert!(number(&pair[0], "doubt") >= number(&pair[1], "doubt"));
        assert!((number(&pair[0], "rank") - (i + 1) as f64).abs() < 1e-9);
        let doubt = number(&pair[0], "area_m2") * (1.0 - number(&pair[0], "confidence_mean"));
        assert!((number(&pair[0], "doubt") - doubt).abs() < 1e-6 * doubt.max(1.0), "{}", pair[0]);
    }
}

#[test]
fn what_does_not_lie_on_one_grid_is_told_with_the_way_out() {
    let folder = ground();
    let path = |name: &str| folder.path().join(name);
    let against = |truth: &str, more: &[&str]| {
        let legend = ["--legend", "dubai", "--json", "--progress", "none"];
        rs_seg_in(
            folder.path(),
            &[&["eval", "--pred", "good.tif", "--truth", truth], &legend[..], more].concat(),
        )
    };
    let part = Size { width: 60, height: 50 };
    write(&path("part.tif"), part, [40.0, 30.0], |x, y| truth(x + 40, y + 30));
    let cut = against("part.tif", &[]);
    assert_eq!(cut.code, Some(0), "{cut:?}");
    assert_eq!(cut.json()["pixels"], 60 * 50);
    assert!(cut.json()["protocol"]["extent"].as_str().is_some_and(|text| text.contains("have in common")));
    write(&path("moved.tif"), SIZE, [0.3, 0.0], truth);
    let moved = against("moved.tif", &[]);
    assert!(moved.code == Some(1) && moved.stderr.contains("hint: `--resample nearest`"), "{moved:?}");
    let nearest = against("moved.tif", &["--resample", "nearest"]);
    assert_eq!(nearest.code, Some(0), "{nearest:?}");
    assert!(nearest.json()["protocol"]["resample"].as_str().is_some_and(|text| text.contains("nearest")));
    write(&path("far.tif"), SIZE, [5000.0, 0.0], truth);
    for more in [&[][..], &["--resample", "nearest"]] {
        let far = against("far.tif", more);
        assert!(far.code == Some(1) && far.stderr.contains("have no pixel in common"), "{far:?}");
    }
}

#[test]
fn fewer_than_ten_blocks_have_no_intervals_and_it_is_said_why() {
    let folder = ground();
    let small = Size { width: 40, height: 40 };
    write(&folder.path().join("a.tif"), small, [0.0; 2], |x, _| u8::from(x > 20));
    let run = rs_seg_in(folder.path(), &["eval", "--pred", "a.tif", "--truth", "a.tif", "--legend", "dubai"]);
    assert!(run.stdout.contains("no intervals: the truth covers 9 blocks of 16 x 16 pixels"), "{run:?}");
}

//! Every raster of a collection of odd ones, where it is at hand: segmented on its own grid, or refused with a reason.
//!
//! `tests/data/odd/outcomes.csv` tells what is expected of each: `file,bands,scaling,outcome,reason`. Rasters
//! of more than 64 megapixels are planned, not computed, to keep the test quick.

use crate::program::{Run, rs_seg_in};
use crate::scene::write_probe;
use seg_gdal::{GeoRaster, RasterProfile, ReadOptions};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a refusal may take.
const PATIENCE: Duration = Duration::from_secs(10);

struct Expected<'a> {
    file: &'a str,
    bands: &'a str,
    scaling: &'a str,
    outcome: &'a str,
    reason: &'a str,
}

fn table(text: &str) -> Vec<Expected<'_>> {
    let rows = text.lines().skip(1).map(|line| {
        let mut fields = line.splitn(5, ',');
        let mut next = || fields.next().unwrap_or_default();
        Expected { file: next(), bands: next(), scaling: next(), outcome: next(), reason: next() }
    });
    rows.collect()
}

fn collection() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?.join("shared/data/rasters");
    folder.is_dir().then_some(folder)
}

fn profile(path: &Path) -> RasterProfile {
    GeoRaster::open(&path.to_string_lossy(), &ReadOptions::default()).expect("opens").raster_profile().clone()
}

fn same_place(a: &RasterProfile, b: &RasterProfile) -> bool {
    let same_crs = match (&a.crs, &b.crs) {
        (Some(a), Some(b)) => a.is_same(b),
        (a, b) => a.is_none() && b.is_none(),
    };
    a.size == b.size && a.transform == b.transform && a.gcps.len() == b.gcps.len() && same_crs
}

fn check(
    input: &Path,
    expected: &Expected<'_>,
    folder: &Path,
    run: &Run,
    took: Duration,
) -> Result<(), String> {
    let left: Vec<String> = fs::read_dir(folder)
        .map_err(|e| e.to_string())?
        .filter_map(|e| Some(e.ok()?.file_name().to_string_lossy().into_owned()))
        .filter(|name| !name.starts_with("probe."))
        .collect();
    let tell = |what: &str| Err(format!("{}: {what}: {run:?}, left {left:?}", expected.file));
    if run.stderr.contains("panicked") || run.stderr.contains("please report") {
        return tell("a bug");
    }
    match expected.outcome {
        "refused" if run.code != Some(1) => tell("not refused"),
        "refused" if !run.stderr.contains(expected.reason) => tell("another reason"),
        "refused" if !run.stderr.contains(expected.file.rsplit('/').next().unwrap_or_default()) => {
            tell("no name")
        }
        "refused" if took > PATIENCE => tell("too slow"),
        "refused" if !left.is_empty() => tell("something is left"),
        "segmented" if run.code != Some(0) => tell("not segmented"),
        "segmented" if left.iter().any(|name| !outputs(name)) => tell("something else is left"),
        "segmented" if !same_place(&profile(input), &profile(&folder.join("out.tif"))) => {
            tell("another place")
        }
        "planned" if run.code != Some(0) || !left.is_empty() => tell("not planned"),
        "refused" | "segmented" | "planned" => Ok(()),
        _ => tell("an outcome that the table does not know"),
    }
}

/// Whether a file is one that a finished run leaves.
fn outputs(name: &str) -> bool {
    ["out.tif", "out.tif.aux.xml", "out.tif.json", "out.qml"].contains(&name)
}

#[test]
#[expect(clippy::print_stdout, reason = "a skipped check says so")]
fn odd_rasters_end_as_the_table_says() {
    let Some(collection) = collection() else {
        println!("skipped: the collection of odd rasters is not at hand");
        return;
    };
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/odd/outcomes.csv"))
        .expect("a table");
    let expected = table(&text);
    assert_eq!(expected.len(), 125);
    let mut wrong = Vec::new();
    for expected in expected {
        let folder = tempfile::tempdir().expect("a folder");
        write_probe(folder.path());
        let input = collection.join(expected.file);
        let name = input.to_string_lossy();
        let mut arguments = vec!["infer", &*name, "--model", "probe.pt", "--quiet", "--out", "out.tif"];
        if !expected.bands.is_empty() {
            arguments.extend(["--bands", expected.bands]);
        }
        if !expected.scaling.is_empty() {
            arguments.extend(["--scaling", expected.scaling]);
        }
        if expected.outcome == "planned" {
            arguments.push("--dry-run");
        }
        // Commas separate the table's fields, so its lists have semicolons.
        let arguments: Vec<String> = arguments
            .iter()
            .map(|a| if a.contains(".tif") { (*a).to_owned() } else { a.replace(';', ",") })
            .collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let start = Instant::now();
        let run = rs_seg_in(folder.path(), &arguments);
        wrong.extend(check(&input, &expected, folder.path(), &run, start.elapsed()).err());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

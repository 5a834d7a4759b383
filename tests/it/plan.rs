//! `rs-seg plan`: what a country takes.

use crate::program::{Run, rs_seg, rs_seg_in};
use serde_json::Value;
use std::fs;

/// The plan as JSON.
#[track_caller]
fn planned(flags: &[&str]) -> Value {
    let run = rs_seg(&[&["plan", "--json"], flags].concat());
    assert_eq!(run.code, Some(0), "{run:?}");
    run.json()
}

#[track_caller]
fn number(plan: &Value, pointer: &str) -> f64 {
    plan.pointer(pointer).and_then(Value::as_f64).unwrap_or_else(|| panic!("{pointer}: {plan}"))
}

/// Where a figure comes from.
fn origin<'a>(plan: &'a Value, what: &str) -> &'a str {
    let figures = plan["made_from"].as_array().expect("figures");
    let figure = figures.iter().find(|figure| figure["what"] == what).unwrap_or_else(|| panic!("{what}"));
    figure["origin"].as_str().expect("a word")
}

fn refused(flags: &[&str], words: &str) -> Run {
    let run = rs_seg(&[&["plan"], flags].concat());
    assert!(run.stderr.contains(words), "{words}: {run:?}");
    assert_eq!(run.stdout, "");
    run
}

const GERMANY: [&str; 6] = ["--area", "357022km2", "--gsd", "0.2", "--tile-seconds", "0.01s"];
const STEADY: [&str; 4] = ["--spread", "0", "--startup", "0s"];

#[test]
fn without_failures_a_plan_is_arithmetic() {
    let sheets = ["--sheet", "10000", "--workers", "10", "--shards", "1000", "--price-hour", "2"];
    let plan = planned(&[&GERMANY[..], &STEADY, &sheets].concat());
    // 357022 km2 are 89256 sheets of 2 km, each of 26 x 26 tiles.
    let sheets = (357_022e6_f64 / 4e6).ceil();
    assert!((number(&plan, "/tiles") - sheets * 676.0).abs() < 0.5, "{plan}");
    let longest = (sheets / 1000.0).ceil() * 6.76;
    assert!((number(&plan, "/longest_shard_seconds") - longest).abs() < 1e-6);
    let (ideal, wall) = (number(&plan, "/ideal_seconds"), number(&plan, "/wall_seconds/median"));
    assert!((ideal - sheets * 0.676).abs() < 1e-3);
    assert!(wall >= ideal && wall <= ideal + longest, "{wall}");
    assert!(number(&plan, "/wall_seconds/p95").to_bits() == wall.to_bits());
    assert!((number(&plan, "/cost/workers/median") - 20.0 * wall / 3600.0).abs() < 1e-6);
    assert!((number(&plan, "/bytes/source") - 357_022e6 / 0.04 * 3.0).abs() < 1e6);
    let went: f64 =
        plan["worker_seconds"].as_object().expect("parts").values().filter_map(Value::as_f64).sum();
    assert!((went / (10.0 * wall) - 1.0).abs() < 1e-9);
    assert_eq!((origin(&plan, "area"), origin(&plan, "bands")), ("given", "assumed"));
}

#[test]
fn failures_and_borders_are_waste_that_is_told() {
    let flags = [&GERMANY[..], &["--workers", "100", "--shards", "1000"]].concat();
    let (steady, failing) = (planned(&flags), planned(&[&flags[..], &["--failure-rate", "0.5"]].concat()));
    assert!(number(&failing, "/wall_seconds/median") > number(&steady, "/wall_seconds/median"));
    assert!(
        number(&failing, "/failures/p5") > 0.0 && number(&failing, "/worker_seconds/lost_to_failures") > 0.0
    );
    let share = number(&steady, "/tiles_repeated") / number(&steady, "/tiles");
    assert!((0.001..0.03).contains(&share), "{share}");
    let small = ["--area", "20km2", "--gsd", "0.2", "--tile-seconds", "0.01s", "--shards", "1000"];
    let small = planned(&small);
    assert!(small["notes"].to_string().contains("at borders of shards"), "{small}");
    // The same again, to the digit.
    assert_eq!(failing, planned(&[&flags[..], &["--failure-rate", "0.5"]].concat()));
    let idle = planned(&[&GERMANY[..], &["--workers", "100", "--shards", "10"]].concat());
    assert!(idle["notes"].to_string().contains("90 workers have nothing to do"), "{idle}");
}

#[test]
fn a_deadline_asks_for_workers() {
    let plan = planned(
        &[&GERMANY[..], &["--sheet", "10000", "--deadline", "24h", "--failure-rate", "0.01"]].concat(),
    );
    let workers = number(&plan, "/workers");
    assert!((6.0..12.0).contains(&workers), "{workers}: 603000 s of work");
    assert!(number(&plan, "/wall_seconds/p95") <= 86_400.0 && number(&plan, "/in_time") >= 0.95);
}

#[test]
fn what_infer_measured_is_taken_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let scene = "examples/data/haiti.tif";
    let measured = rs_seg(&["infer", scene, "--dry-run", "--json", "--tile", "256", "--quiet"]);
    assert_eq!(measured.code, Some(0), "{measured:?}");
    let file = folder.path().join("plan.json");
    fs::write(&file, &measured.stdout).expect("a file");
    let measured = measured.json();
    let plan = planned(&["--area", "100km2", "--from", file.to_str().expect("UTF-8")]);
    let seconds = number(&measured, "/seconds") / number(&measured, "/tiles_in_area");
    assert!((number(&plan, "/tile/seconds") / seconds - 1.0).abs() < 1e-9);
    assert_eq!((plan["tile"]["side"].as_u64(), plan["tile"]["overlap"].as_u64()), (Some(256), Some(64)));
    let meters = number(&measured, "/gsd_m");
    assert!((number(&plan, "/pixels") / (1e8 / (meters * meters)) - 1.0).abs() < 1e-9);
    for what in ["a tile takes", "tile, px", "pixel on the ground", "bands", "cores of a worker"] {
        assert_eq!(origin(&plan, what), "measured", "{what}");
    }
    let here = planned(&["--area", "100km2", "--gsd", "0.5", "--scene", scene, "--tile", "256", "--quiet"]);
    assert_eq!((origin(&here, "a tile takes"), origin(&here, "pixel on the ground")), ("measured", "given"));
}

#[test]
fn polygons_are_measured_on_the_ellipsoid() {
    let folder = tempfile::tempdir().expect("a folder");
    let square = r#"{"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {}, "geometry":
        {"type": "Polygon", "coordinates": [[[8, 50], [9, 50], [9, 51], [8, 51], [8, 50]]]}}]}"#;
    fs::write(folder.path().join("aoi.geojson"), square).expect("a file");
    let flags = ["plan", "--aoi", "aoi.geojson", "--gsd", "1", "--tile-seconds", "0.1", "--json"];
    let run = rs_seg_in(folder.path(), &flags);
    let plan = run.json();
    // A degree at 50.5 degrees: 70.95 km by 111.24 km (WGS 84).
    assert!((number(&plan, "/pixels") / 7.892e9 - 1.0).abs() < 2e-3, "{plan}");
    assert!(number(&plan, "/tiles") > number(&plan, "/tiles_in_parts"));
    assert_eq!(origin(&plan, "area of the polygons"), "measured");
}

#[test]
fn what_cannot_be_planned_is_told_with_the_way_out() {
    let needed = &GERMANY[..2];
    assert_eq!(refused(&[&GERMANY[..3], &["0", "--tile-seconds", "1s"]].concat(), "above 0").code, Some(2));
    assert_eq!(refused(&["--tile-seconds", "1s"], "--area").code, Some(2));
    assert_eq!(refused(&[needed, &["--gsd", "1"]].concat(), "--tile-seconds").code, Some(2));
    // More workers than anybody has, and more shards than there can be; the default keeps that limit.
    let workers = [&GERMANY[..], &["--workers", "100001"]].concat();
    assert_eq!(refused(&workers, "'--workers <N>': a whole number from 1 to 100000").code, Some(2));
    let shards = [&GERMANY[..], &["--shards", "1000001"]].concat();
    assert_eq!(refused(&shards, "'--shards <N>': a whole number from 1 to 1000000").code, Some(2));
    let overlap = [&GERMANY[..], &["--tile", "256", "--overlap", "256"]].concat();
    assert_eq!(refused(&overlap, "hint: --overlap is less than --tile").code, Some(1));
    let no_pixel = [needed, &["--tile-seconds", "1s"]].concat();
    assert_eq!(refused(&no_pixel, "hint: give it in meters: --gsd 0.2").code, Some(1));
    let late = [&GERMANY[..], &["--deadline", "1min"]].concat();
    assert_eq!(refused(&late, "no number of workers is done in 60 s").code, Some(1));
    let broken = [&GERMANY[..], &["--failure-rate", "900"]].concat();
    assert_eq!(refused(&broken, "hint: give the failures of one worker in an hour").code, Some(1));
    let nothing = ["--area", "0.001m2", "--gsd", "1", "--tile-seconds", "1s"];
    assert_eq!(refused(&nothing, "less than one pixel").code, Some(1));
    let all = ["--area", "1000000000000000km2", "--gsd", "1", "--tile-seconds", "1s"];
    assert_eq!(refused(&all, "more than 1e19 pixels").code, Some(1));
    let wrong = ["--area", "1km2", "--gsd", "1", "--from", "Cargo.toml"];
    assert_eq!(refused(&wrong, "hint: make one: rs-seg infer").code, Some(1));
    assert_eq!(
        refused(&["--area", "1km2", "--gsd", "1", "--from", "no.json"], "cannot read no.json").code,
        Some(1)
    );
    assert_eq!(refused(&["--aoi", "no.gpkg", "--gsd", "1", "--tile-seconds", "1s"], "no.gpkg").code, Some(1));
}

#[test]
fn imagery_by_bytes_is_as_many_pixels_as_it_holds() {
    let plan =
        planned(&["--bytes", "10TB", "--compression", "10", "--tile-seconds", "0.01s", "--sheet", "10000"]);
    assert!((number(&plan, "/pixels") / (10e12 * 10.0 / 3.0) - 1.0).abs() < 1e-9);
    assert!((number(&plan, "/bytes/source") / 10e12 - 1.0).abs() < 1e-9);
    assert!((number(&plan, "/bytes/results_at_most") / (10e13 / 3.0) - 1.0).abs() < 1e-4);
}

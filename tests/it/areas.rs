//! `rs-seg infer --bbox` and `--aoi`: a part of a raster.

use crate::infer::{ids, infer};
use crate::program::rs_seg_in;
use crate::scene::{Scene, write_probe};
use serde_json::json;
use std::fs;
use std::path::Path;

const TILING: [&str; 4] = ["--tile", "64", "--overlap", "16"];

/// The ids of the whole scene where `inside` holds at a pixel's center in world coordinates, else nodata.
fn masked(scene: &Scene, inside: impl Fn(f64, f64) -> bool) -> Vec<u8> {
    let world = |i: usize| {
        let (c, r) = ((i % scene.width) as f64 + 0.5, (i / scene.width) as f64 + 0.5);
        (500_000.0 + 0.08 * c + 0.04 * r, 5_400_000.0 + 0.04 * c - 0.08 * r)
    };
    let pixel = |(i, &class): (usize, &u8)| {
        let (x, y) = world(i);
        if inside(x, y) { class } else { 255 }
    };
    scene.classes.iter().enumerate().map(pixel).collect()
}

/// Runs with `--json`, and gives tiles computed and skipped.
fn counted(folder: &Path, more: &[&str]) -> (u64, u64) {
    let fixed = ["infer", "scene.vrt", "--model", "probe.pt", "--quiet", "--json", "--out", "part.tif"];
    let run = rs_seg_in(folder, &[&fixed[..], &TILING, more, &["--overwrite"]].concat());
    assert_eq!(run.code, Some(0), "{more:?}: {run:?}");
    let told = run.json();
    let number = |key: &str| told[key].as_u64().expect("a number");
    assert_eq!(number("tiles"), number("tiles_computed") + number("skipped"));
    (number("tiles_computed"), number("skipped"))
}

#[test]
fn a_box_on_a_rotated_raster_gives_the_classes_of_the_whole_inside_and_nodata_outside() {
    let folder = tempfile::tempdir().expect("a folder");
    let scene = Scene::write(folder.path(), 420, 330);
    write_probe(folder.path());
    let out = folder.path().join("part.tif");
    let (computed, skipped) =
        counted(folder.path(), &["--bbox", "500010.013,5399990.007,500018.009,5399997.511"]);
    let expected =
        masked(&scene, |x, y| x > 500_010.013 && x < 500_018.009 && y > 5_399_990.007 && y < 5_399_997.511);
    assert!(expected.contains(&255) && expected.iter().any(|&id| id != 255));
    assert_eq!(ids(&out), expected);
    let fixed = ["infer", "scene.vrt", "--model", "probe.pt", "--dry-run", "--json"];
    let area = ["--bbox", "500010.013,5399990.007,500018.009,5399997.511"];
    let plan = rs_seg_in(folder.path(), &[&fixed[..], &TILING, &area].concat()).json();
    assert_eq!((&plan["tiles"], &plan["tiles_in_area"]), (&json!(computed + skipped), &json!(computed)));
    let plan = rs_seg_in(folder.path(), &[&fixed[..5], &TILING, &area].concat());
    assert!(plan.stdout.contains(&format!(", {computed} of them in the area; ")), "{plan:?}");
    // 8 x 7.5 m of 0.0894 m are some 90 x 84 pixels, turned.
    assert!((4..=20).contains(&computed) && skipped > computed, "{computed} computed, {skipped} skipped");
    // The rectangle around the turned raster has corners where no pixel lies.
    let corner = ["--bbox", "499999,5400016,500000,5400016.5", "--model", "probe.pt", "--out", "corner.tif"];
    let run = rs_seg_in(folder.path(), &[&["infer", "scene.vrt"][..], &corner].concat());
    assert!(run.code == Some(0) && run.stderr.contains("no pixel with data lies in the area"), "{run:?}");
    assert_eq!(counted(folder.path(), &["--bbox", "0,0,1e6,1e7"]).1, 0);
    assert_eq!(ids(&out), scene.classes);
}

#[test]
fn the_surroundings_of_an_area_are_seen_by_the_network() {
    let folder = tempfile::tempdir().expect("a folder");
    // The embedded network looks far around each pixel: without its surroundings it would say something else.
    let scene = format!("{}/examples/data/haiti.tif", env!("CARGO_MANIFEST_DIR"));
    let fixed = ["infer", &scene, "--bands", "3,2,1", "--quiet", "--tile", "256", "--overlap", "64", "--out"];
    let run = |out: &str, more: &[&str]| {
        let run = rs_seg_in(folder.path(), &[&fixed[..], &[out], more].concat());
        assert_eq!(run.code, Some(0), "{run:?}");
        ids(&folder.path().join(out))
    };
    let whole = run("whole.tif", &[]);
    let (x, y) = middle(&scene);
    let bbox = format!("{},{},{},{}", x - 301.3, y - 201.3, x + 301.3, y + 201.3);
    let part = run("part.tif", &["--bbox", &bbox]);
    let inside = part.iter().filter(|&&id| id != 255).count();
    // 602.6 x 402.6 m of 5 m.
    assert!((9_600..=9_801).contains(&inside), "{inside}");
    assert!(part.iter().zip(&whole).all(|(part, whole)| *part == 255 || part == whole));
}

fn middle(raster: &str) -> (f64, f64) {
    let raster = seg_gdal::GeoRaster::open(raster, &seg_gdal::ReadOptions::default()).expect("opens");
    let profile = raster.raster_profile();
    let size = profile.size;
    let point = profile.transform.expect("a place").apply(size.width as f64 / 2.0, size.height as f64 / 2.0);
    (point.x, point.y)
}

#[test]
fn polygons_are_an_area_and_a_run_of_another_area_is_not_resumed() {
    let folder = tempfile::tempdir().expect("a folder");
    let scene = Scene::write(folder.path(), 300, 200);
    write_probe(folder.path());
    // A triangle, with x + y growing to the upper right.
    let ring = "[[500002.003,5399998.011],[500016.003,5399998.011],[500002.003,5399984.011],[500002.003,5399998.011]]";
    let aoi = |ring: &str| {
        format!(
            r#"{{"type":"FeatureCollection","crs":{{"type":"name","properties":{{"name":"urn:ogc:def:crs:EPSG::25832"}}}},"features":[{{"type":"Feature","properties":{{}},"geometry":{{"type":"Polygon","coordinates":[{ring}]}}}}]}}"#
        )
    };
    fs::write(folder.path().join("my area.geojson"), aoi(ring)).unwrap();
    let (computed, skipped) = counted(folder.path(), &["--aoi", "my area.geojson"]);
    assert!(computed > 0 && skipped > 0);
    let inside = |x: f64, y: f64| {
        let (dx, dy) = (x - 500_002.003, y - 5_399_984.011);
        dx > 0.0 && dy < 14.0 && dx < dy
    };
    assert_eq!(ids(&folder.path().join("part.tif")), masked(&scene, inside));

    let work = folder.path().join("part.tif.rs-seg-work");
    fs::create_dir(&work).unwrap();
    let key = r#"{"key":{"area":"another"},"columns":[{"start":0,"end":300}]}"#;
    fs::write(work.join("run.json"), key).unwrap();
    let again = ["infer", "scene.vrt", "--model", "probe.pt", "--overwrite", "--resume", "--out", "part.tif"];
    let run = rs_seg_in(folder.path(), &[&again[..], &["--aoi", "my area.geojson"]].concat());
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains("area") && run.stderr.contains("differ"), "{run:?}");
}

#[test]
fn an_area_that_cannot_be_laid_over_the_raster_is_refused_with_the_way_out() {
    let folder = tempfile::tempdir().expect("a folder");
    Scene::write(folder.path(), 60, 50);
    write_probe(folder.path());
    fs::write(folder.path().join("none.geojson"), r#"{"type":"FeatureCollection","features":[]}"#).unwrap();
    let far = r#"{"type":"Polygon","coordinates":[[[10,10],[11,10],[11,11],[10,10]]]}"#;
    fs::write(folder.path().join("far.geojson"), far).unwrap();
    let refused = |input: &str, area: &[&str], reason: &str| {
        let fixed = ["infer", input, "--model", "probe.pt", "--out", "out.tif"];
        let run = rs_seg_in(folder.path(), &[&fixed[..], area].concat());
        assert_eq!(run.code, Some(1), "{area:?}: {run:?}");
        assert!(run.stderr.contains(reason) && run.stderr.contains("hint: "), "{area:?}: {run:?}");
    };
    refused("scene.vrt", &["--bbox", "1,2,3,4"], "the box 1,2,3,4 does not touch scene.vrt");
    refused("scene.vrt", &["--bbox", "1,2,3,4", "--bbox-crs", "EPSG:4326"], "does not touch scene.vrt");
    refused("scene.vrt", &["--bbox", "1,2,3,4", "--bbox-crs", "nonsense"], "--bbox-crs");
    refused(
        "scene.vrt",
        &["--bbox", "1,2,3,400", "--bbox-crs", "EPSG:4326"],
        "cannot bring the box 1,2,3,400",
    );
    refused("scene.vrt", &["--aoi", "none.geojson"], "holds no polygon");
    refused("scene.vrt", &["--aoi", "far.geojson"], "far.geojson does not touch scene.vrt");
    refused("scene.vrt", &["--aoi", "no such.gpkg"], "no such.gpkg");
    refused("scene.ppm", &["--bbox", "1,2,3,4"], "has no geotransform");
    let vrt = fs::read_to_string(folder.path().join("scene.vrt")).unwrap();
    fs::write(folder.path().join("no crs.vrt"), vrt.replace("<SRS>EPSG:25832</SRS>", "")).unwrap();
    refused("no crs.vrt", &["--bbox", "1,2,3,4", "--bbox-crs", "EPSG:4326"], "no crs.vrt, which has no CRS");
    // Without a CRS the raster's own coordinates are all there is.
    let own = ["--bbox", "500000,5399998,500003,5400001", "--out", "own.tif", "--model", "probe.pt"];
    let run = rs_seg_in(folder.path(), &[&["infer", "no crs.vrt"][..], &own].concat());
    assert_eq!(run.code, Some(0), "{run:?}");
    let found = ids(&folder.path().join("own.tif"));
    assert!(found.contains(&255) && found.iter().any(|&id| id != 255));
    assert!(!infer(folder.path(), "all.tif", &[]).is_empty());
}

//! `rs-seg vectorize`, read back by GDAL.

mod files;

use crate::program::{Run, command, rs_seg_in};
use crate::scene::Scene;
use ndarray::Array2;
use seg_gdal::{
    BandIndex, BandProfile, ChipFormat, ClassEntry, Crs, GeoRaster, GridReference, LabelSource, LabelVectors,
    RawPatch, RawValues, ReadOptions, write_chip,
};
use seg_grid::{DataType, GeoTransform, Size, Window};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

const CLASSES: [ClassEntry<'_>; 4] = [
    ClassEntry { id: 0, name: "building", color: [200, 0, 0] },
    ClassEntry { id: 1, name: "water & ice", color: [0, 0, 200] },
    ClassEntry { id: 2, name: "road", color: [90, 90, 90] },
    ClassEntry { id: 7, name: "tree", color: [0, 120, 0] },
];
const NODATA: u8 = 255;

/// A picture of blobs, stripes, specks, nested rings and nodata.
fn picture(width: usize, height: usize) -> Array2<u8> {
    Array2::from_shape_fn((height, width), |(y, x)| {
        let (dx, dy) = (x as f64 - 30.0, y as f64 - 30.0);
        let ring = (dx.hypot(dy) / 6.0) as usize;
        match () {
            () if x > 80 && y > 60 => NODATA,
            () if ring < 4 => CLASSES[ring % 3].id,
            () if (x * 7 + y * 13) % 41 == 0 => 7,
            () if (x + y / 2) % 23 < 2 => 2,
            () => u8::from((x / 17 + y / 11) % 2 == 0),
        }
    })
}

fn placed(size: Size, crs: Option<&str>, transform: [f64; 6]) -> GridReference {
    GridReference {
        crs: crs.map(|crs| Crs::parse(crs).expect("a CRS")),
        transform: Some(GeoTransform::from_gdal(transform)),
        ..GridReference::unplaced(size)
    }
}

fn size_of(classes: &Array2<u8>) -> Size {
    let (height, width) = classes.dim();
    Size { width, height }
}

fn write(path: &Path, classes: &Array2<u8>, reference: &GridReference) {
    let patch = RawPatch::of_classes(classes.clone(), &CLASSES);
    write_chip(path, patch, reference, ChipFormat::GTiff, &[]).expect("written");
}

/// A class raster half a meter a pixel, and the legend that says what it shows.
fn ground() -> (TempDir, Array2<u8>) {
    let folder = tempfile::tempdir().expect("a folder");
    let classes = picture(120, 90);
    let utm = placed(size_of(&classes), Some("EPSG:32633"), [400_000.0, 0.5, 0.0, 5_600_000.0, 0.0, -0.5]);
    write(&folder.path().join("classes.tif"), &classes, &utm);
    let class = |class: &ClassEntry<'_>| {
        let [r, g, b] = class.color;
        format!(
            "[[class]]\nid = {}\nname = \"{}\"\ncolor = \"#{r:02x}{g:02x}{b:02x}\"\n",
            class.id, class.name
        )
    };
    let legend: String = CLASSES.iter().map(class).collect();
    fs::write(folder.path().join("legend.toml"), legend).expect("written");
    (folder, classes)
}

fn vectorize(folder: &Path, more: &str) -> Run {
    let given = ["vectorize", "classes.tif", "--legend", "legend.toml"];
    let more: Vec<&str> = more.split_whitespace().collect();
    rs_seg_in(folder, &[&given[..], &more, &["--json", "--progress", "none"]].concat())
}

#[track_caller]
fn vectorized(folder: &Path, more: &str) -> Value {
    let run = vectorize(folder, more);
    assert_eq!(run.code, Some(0), "{more}: {run:?}");
    run.json()
}

/// The polygons painted on the raster's grid by GDAL.
fn painted(folder: &Path, polygons: &str, raster: &str) -> Array2<u8> {
    let raster =
        GeoRaster::open(&folder.join(raster).to_string_lossy(), &ReadOptions::default()).expect("opens");
    let profile = raster.raster_profile();
    let name = folder.join(polygons);
    let source = LabelSource { attribute: Some("class_id"), ..LabelSource::default() };
    let labels = LabelVectors::open(&name.to_string_lossy(), source, profile, &CLASSES).expect("polygons");
    labels.burn(Window::whole(profile.size)).expect("painted")
}

fn sum(told: &Value, key: &str) -> f64 {
    let classes = told["classes"].as_array().expect("classes");
    classes.iter().map(|class| class[key].as_f64().expect("a number")).sum()
}

/// What `ogrinfo` says.
fn ogrinfo(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("ogrinfo").args(arguments).current_dir(folder).output().expect("ogrinfo runs");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn polygons_of_every_format_paint_the_raster() {
    let (folder, classes) = ground();
    for out in ["p.gpkg", "p.fgb", "p.geojson", "p.geojsonl", "p.shp", "a name with ü.gpkg"] {
        for connectedness in ["4", "8"] {
            let given = ["vectorize", "classes.tif", "--legend", "legend.toml", "--out", out, "--overwrite"];
            let more = ["--connectedness", connectedness, "--json", "--progress", "none"];
            let run = rs_seg_in(folder.path(), &[&given[..], &more].concat());
            assert_eq!(run.code, Some(0), "{out}: {run:?}");
            let valid = classes.iter().filter(|class| **class != NODATA).count();
            assert!((sum(&run.json(), "area_m2") - valid as f64 * 0.25).abs() < 1e-6, "{out}");
            assert_eq!(painted(folder.path(), out, "classes.tif"), classes, "{out} {connectedness}");
        }
    }
    let left: Vec<_> = fs::read_dir(folder.path())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .filter(|name| name.starts_with('.'))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn generalized_polygons_cover_the_same_ground() {
    let (folder, classes) = ground();
    let raw = vectorized(folder.path(), "--out raw.fgb");
    let told = vectorized(folder.path(), "--out some.fgb --min-area 20px --fill-holes 10m2 --simplify 1.5px");
    assert!(told["merged"].as_u64() > Some(10) && told["holes_filled"].as_u64() > Some(0), "{told}");
    assert!(told["polygons"].as_u64() < raw["polygons"].as_u64());
    assert!((sum(&told, "area_m2") - sum(&raw, "area_m2")).abs() < 1e-6, "{told}");
    let painted = painted(folder.path(), "some.fgb", "classes.tif");
    for (before, after) in classes.iter().zip(&painted) {
        assert_eq!(*before == NODATA, *after == NODATA, "the outline moved");
    }
    let smallest = ogrinfo(folder.path(), &["-q", "some.fgb", "-sql", "SELECT MIN(pixels) FROM some"]);
    let smallest: u64 =
        smallest.rsplit("= ").next().and_then(|text| text.trim().parse().ok()).expect("a number");
    assert!(smallest >= 20, "{smallest}");
}

#[test]
fn bytes_do_not_depend_on_threads_or_memory() {
    let (folder, _) = ground();
    let wanted = "--min-area 5m2 --simplify 1m";
    for ending in ["gpkg", "fgb"] {
        let mut bytes = Vec::new();
        for (at, how) in ["--threads 1", "--threads 3", "--threads 2 --max-memory 400MiB"].iter().enumerate()
        {
            // The layer has the file's name.
            fs::create_dir_all(folder.path().join(at.to_string())).expect("a folder");
            let out = format!("{at}/p.{ending}");
            vectorized(folder.path(), &format!("{wanted} {how} --out {out}"));
            bytes.push(fs::read(folder.path().join(out)).expect("a file"));
        }
        assert!(bytes.windows(2).all(|pair| pair[0] == pair[1]), "{ending}");
    }
}

#[test]
fn a_geopackage_brings_its_style_and_attributes() {
    let (folder, _) = ground();
    vectorized(folder.path(), "--out p.gpkg");
    let styles = ogrinfo(folder.path(), &["p.gpkg", "layer_styles", "-al"]);
    for part in [
        "f_table_name (String) = p",
        "f_geometry_column (String) = geom",
        "useAsDefault",
        "attr=\"class_id\"",
        "label=\"water &amp; ice\"",
        "value=\"200,0,0,255\"",
    ] {
        assert!(styles.contains(part), "{part}: {styles}");
    }
    let layer = ogrinfo(folder.path(), &["-so", "p.gpkg", "p"]);
    for field in ["class_id: Integer", "class_name: String", "area_m2: Real", "perimeter_m", "touches_edge"] {
        assert!(layer.contains(field), "{field}: {layer}");
    }
    assert!(layer.contains("ETRS89 / UTM") || layer.contains("WGS 84 / UTM zone 33N"), "{layer}");
    assert!(!layer.contains("confidence"), "there is none");
    // One layer a class, and some classes only.
    vectorized(folder.path(), "--out some.gpkg --layer-per-class --classes road,7");
    let layers = ogrinfo(folder.path(), &["-q", "some.gpkg"]);
    assert!(layers.contains(": road (Polygon)") && layers.contains(": tree (Polygon)"), "{layers}");
    assert!(!layers.contains("building"), "{layers}");
}

#[test]
fn rotated_grids_and_rasters_without_a_crs_have_polygons() {
    let (folder, classes) = ground();
    let path = folder.path().join("odd.tif");
    for (crs, transform) in [
        (Some("EPSG:32633"), [4e5, 0.4, 0.3, 5.6e6, 0.3, -0.4]),
        (Some("EPSG:2230"), [6.2e6, 1.0, 0.0, 1.9e6, 0.0, 1.0]),
        (None, [10.0, 2.0, 0.0, 20.0, 0.0, -2.0]),
    ] {
        write(&path, &classes, &placed(size_of(&classes), crs, transform));
        let arguments =
            ["vectorize", "odd.tif", "--legend", "legend.toml", "--out", "odd.gpkg", "--overwrite"];
        let run = rs_seg_in(folder.path(), &[&arguments[..], &["--json", "--progress", "none"]].concat());
        assert_eq!(run.code, Some(0), "{run:?}");
        assert_eq!(painted(folder.path(), "odd.gpkg", "odd.tif"), classes, "{crs:?}");
        let area = &run.json()["classes"][0]["area_m2"];
        match crs {
            Some(_) => assert!(area.as_f64() > Some(0.0), "{area}"),
            None => assert!(area.is_null() && run.stderr.contains("has no CRS"), "{run:?}"),
        }
    }
}

#[test]
fn degrees_are_measured_on_the_ellipsoid() {
    let (folder, classes) = ground();
    let degrees = placed(size_of(&classes), Some("EPSG:4326"), [13.0, 1e-5, 0.0, 52.0, 0.0, -1e-5]);
    write(&folder.path().join("classes.tif"), &classes, &degrees);
    let told = vectorized(folder.path(), "--out p.gpkg --min-area 3m2");
    // A pixel is 0.68678 m by 1.11267 m there: a cos(lat) / sqrt(1 - e2 sin2(lat)) and a (1 - e2) / (...)^1.5 per degree.
    let valid = classes.iter().filter(|class| **class != NODATA).count() as f64;
    let expected = valid * 0.686_78 * 1.112_67;
    assert!((sum(&told, "area_m2") / expected - 1.0).abs() < 1e-4, "{told} {expected}");
    // Pixels whose middles are on the poles have an area, and those far beyond have none.
    for (north, is_known) in [(91.0, true), (200.0, false)] {
        let placed =
            placed(size_of(&classes), Some("EPSG:4326"), [-180.0, 3.0, 0.0, north, 0.0, -182.0 / 90.0]);
        write(&folder.path().join("globe.tif"), &classes, &placed);
        let arguments = ["vectorize", "globe.tif", "--out", "g.fgb", "--overwrite", "--json"];
        let run = rs_seg_in(folder.path(), &[&arguments[..], &["--legend", "legend.toml"]].concat());
        let area = &run.json()["classes"][0]["area_m2"];
        assert_eq!(area.as_f64() > Some(0.0), is_known, "{run:?}");
        assert_eq!(run.stderr.contains("latitudes beyond the poles"), !is_known, "{run:?}");
    }
    // 3 m2 are almost four pixels.
    let smallest = ogrinfo(folder.path(), &["-q", "p.gpkg", "-sql", "SELECT MIN(pixels) FROM p"]);
    assert!(smallest.trim_end().ends_with("= 4"), "{smallest}");
}

#[test]
fn what_cannot_be_done_is_told_and_leaves_nothing() {
    let (folder, classes) = ground();
    let path = folder.path();
    let whole = placed(size_of(&classes), Some("EPSG:32633"), [4e5, 0.5, 0.0, 5.6e6, 0.0, -0.5]);
    let other =
        GridReference { transform: Some(GeoTransform::from_gdal([0.0, 1.0, 0.0, 0.0, 0.0, -1.0])), ..whole };
    write(&path.join("elsewhere.tif"), &classes, &other);
    fs::write(path.join("there.gpkg"), "mine").expect("written");
    let mut few = String::from("[[class]]\nid = 0\nname = \"building\"\ncolor = \"#c80000\"\n");
    few.push_str("[[class]]\nid = 1\nname = \"water\"\ncolor = \"#0000c8\"\n");
    fs::write(path.join("few.toml"), few).expect("written");
    for (arguments, error, hint) in [
        ("classes.tif --out p.dwg", "ending of p.dwg", ".gpkg"),
        ("classes.tif --out there.gpkg", "there.gpkg exists", "--overwrite"),
        ("classes.tif --out none/p.gpkg", "the folder none does not exist", "mkdir"),
        ("missing.tif --out p.gpkg", "missing.tif", "path"),
        ("classes.tif --legend few.toml --out p.gpkg", "its legend lacks", "--legend"),
        ("classes.tif --legend legend.toml --out p.fgb --layer-per-class", "one layer", "GeoPackage"),
        ("classes.tif --legend legend.toml --out p.gpkg --classes pond", "no class pond", "water & ice"),
        ("classes.tif --out p.gpkg --confidence elsewhere.tif", "elsewhere", "tile"),
        ("classes.tif --out p.gpkg --max-memory 10MiB", "at least", "--max-memory"),
        ("classes.tif --out classes.tif --overwrite", "ending of classes.tif", ".gpkg"),
    ] {
        let run = rs_seg_in(path, &[&["vectorize"][..], &arguments.split(' ').collect::<Vec<_>>()].concat());
        assert_eq!(run.code, Some(1), "{arguments}: {run:?}");
        assert!(run.stderr.contains(error), "{arguments}: {}", run.stderr);
        assert!(run.stderr.contains(hint) || hint == "tile", "{arguments}: {}", run.stderr);
        assert!(!run.stderr.contains("bug"), "{arguments}: {}", run.stderr);
    }
    assert_eq!(fs::read_to_string(path.join("there.gpkg")).expect("still there"), "mine");
    let parquet = vectorize(path, "--out p.parquet");
    if parquet.code != Some(0) {
        assert!(parquet.stderr.contains("this GDAL was built without Parquet"), "{parquet:?}");
        assert!(parquet.stderr.contains(".gpkg"), "{parquet:?}");
    }
    assert!(!path.join("p.gpkg").exists() && !path.join(".p.gpkg.part").exists());
}

/// A raster of floats, with and without fractions.
#[test]
fn floats_are_classes_where_they_are_whole() {
    let (folder, classes) = ground();
    let path = folder.path().join("classes.tif");
    let floats = |odd: f32| {
        let values = classes.iter().map(|class| if *class == NODATA { f32::NAN } else { f32::from(*class) });
        let mut values: Vec<f32> = values.collect();
        values[5] += odd;
        let (_, template) = &RawPatch::of_classes(classes.clone(), &CLASSES).bands[0];
        assert_eq!(template.dtype(), DataType::UInt8);
        let band = BandProfile {
            dtype: Some(DataType::Float32),
            nodata: Some(f64::NAN),
            palette: None,
            interpretation: seg_gdal::Interpretation::Gray,
            ..RawPatch::of_classes(classes.clone(), &CLASSES).bands[0].0.clone()
        };
        assert_eq!(band.index, BandIndex::FIRST);
        let patch = RawPatch { size: size_of(&classes), bands: vec![(band, RawValues::Float32(values))] };
        let utm = placed(size_of(&classes), Some("EPSG:32633"), [4e5, 0.5, 0.0, 5.6e6, 0.0, -0.5]);
        write_chip(&path, patch, &utm, ChipFormat::GTiff, &[]).expect("written");
    };
    floats(0.0);
    vectorized(folder.path(), "--out p.gpkg");
    assert_eq!(painted(folder.path(), "p.gpkg", "classes.tif"), classes);
    floats(0.5);
    let run = vectorize(folder.path(), "--out p.gpkg --overwrite");
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stderr.contains("at column 5, row 0, which is no class code"), "{run:?}");
    assert_eq!(painted_before(folder.path()), classes, "the earlier file is untouched");
}

fn painted_before(folder: &Path) -> Array2<u8> {
    let (fresh, _) = ground();
    fs::copy(folder.join("p.gpkg"), fresh.path().join("p.gpkg")).expect("copied");
    let utm = placed(Size { width: 120, height: 90 }, Some("EPSG:32633"), [4e5, 0.5, 0.0, 5.6e6, 0.0, -0.5]);
    write(&fresh.path().join("classes.tif"), &picture(120, 90), &utm);
    painted(fresh.path(), "p.gpkg", "classes.tif")
}

#[test]
fn without_a_legend_classes_are_called_by_their_ids() {
    let (folder, classes) = ground();
    let run = rs_seg_in(folder.path(), &["vectorize", "classes.tif", "--out", "p.gpkg", "--json"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(painted(folder.path(), "p.gpkg", "classes.tif"), classes);
    let styles = ogrinfo(folder.path(), &["p.gpkg", "layer_styles", "-al"]);
    assert!(styles.contains("label=\"7\"") && !styles.contains("label=\"8\""), "{styles}");
}

#[test]
fn infer_writes_polygons_of_its_classes_with_their_confidence() {
    let folder = tempfile::tempdir().expect("a folder");
    Scene::write(folder.path(), 150, 110);
    crate::scene::write_probe(folder.path());
    let arguments = ["infer", "scene.vrt", "--model", "probe.pt", "--out", "classes.tif", "--tile", "64"];
    let more = ["--overlap", "16", "--vector", "polygons.gpkg", "--confidence", "sure.tif", "--json"];
    let run = rs_seg_in(folder.path(), &[&arguments[..], &more, &["--progress", "none"]].concat());
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(run.json()["outputs"]["vector"], "polygons.gpkg");
    let again = ["vectorize", "classes.tif", "--out", "again.gpkg", "--confidence", "sure.tif"];
    assert_eq!(rs_seg_in(folder.path(), &again).code, Some(0));
    let query = |name: &str| {
        let sql = format!("SELECT class_name, pixels, confidence_mean, confidence_p10, area_m2 FROM {name}");
        let file = format!("{name}.gpkg");
        ogrinfo(folder.path(), &["-q", &file, "-sql", &sql])
    };
    let polygons = query("polygons");
    assert_eq!(polygons, query("again"), "one way leads to both");
    assert!(
        polygons.contains("confidence_mean (Real) = 1") || polygons.contains("confidence_mean (Real) = 0.")
    );
    let manifest = fs::read_to_string(folder.path().join("classes.tif.json")).expect("a manifest");
    assert!(manifest.contains("\"vector\"") && manifest.contains("polygons.gpkg"), "{manifest}");
    // A second run is refused before it begins.
    let run = rs_seg_in(
        folder.path(),
        &[&arguments[..4], &["--out", "b.tif", "--vector", "polygons.gpkg"]].concat(),
    );
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stderr.contains("polygons.gpkg exists") && !folder.path().join("b.tif").exists(), "{run:?}");
}

#[test]
fn a_signal_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let classes = Array2::from_shape_fn((3000, 3000), |(y, x)| (x * 31 % 7 + y * 17 % 5) as u8 % 3);
    write(&folder.path().join("classes.tif"), &classes, &GridReference::unplaced(size_of(&classes)));
    let arguments = ["vectorize", "classes.tif", "--out", "p.gpkg", "--threads", "1", "--progress", "json"];
    let mut job = command(&arguments)
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(job.stderr.take().expect("piped")));
    assert!(lines.any(|line| line.expect("UTF-8").contains("\"progress\"")), "the job ended before it began");
    let id = job.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().expect("kill runs").success());
    drop(lines.last());
    assert_eq!(job.wait().expect("it ends").code(), Some(130));
    let left: Vec<_> =
        fs::read_dir(folder.path()).expect("a folder").map(|e| e.expect("an entry").file_name()).collect();
    assert_eq!(left, ["classes.tif"]);
}

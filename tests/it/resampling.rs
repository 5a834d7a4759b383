//! `rs-seg infer --gsd` and `--t-srs`: other pixels for the network.

use crate::infer::ids;
use crate::program::{Run, rs_seg_in};
use crate::scene::write_probe;
use seg_gdal::{GeoRaster, RasterProfile, ReadOptions};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

const WIDTH: usize = 300;
const HEIGHT: usize = 240;

/// The dimmed colors of the probe's classes.
const COLORS: [[u8; 3]; 6] =
    [[229, 229, 229], [25, 25, 229], [25, 229, 229], [25, 229, 25], [229, 229, 25], [229, 25, 25]];

/// Large fields of one class each.
fn class(x: usize, y: usize) -> u8 {
    ((x / 43 + 2 * (y / 37) + (x / 43) * (y / 37)) % 6) as u8
}

/// Writes `fields.ppm` and `fields.vrt`, whose pixels have the side `pixel`; `enlarged` times as many each way.
fn fields(folder: &Path, name: &str, pixel: f64, enlarged: usize, crs: &str, origin: [f64; 2]) {
    let (width, height) = (WIDTH * enlarged, HEIGHT * enlarged);
    let mut ppm = format!("P6\n{width} {height}\n255\n").into_bytes();
    for y in 0..height {
        for x in 0..width {
            ppm.extend(COLORS[usize::from(class(x / enlarged, y / enlarged))]);
        }
    }
    fs::write(folder.join(format!("{name}.ppm")), ppm).expect("as set up");
    let mut bands = String::new();
    for (i, color) in ["Red", "Green", "Blue"].iter().enumerate() {
        write!(
            bands,
            "<VRTRasterBand dataType=\"Byte\" band=\"{n}\"><ColorInterp>{color}</ColorInterp><SimpleSource>\
             <SourceFilename relativeToVRT=\"1\">{name}.ppm</SourceFilename><SourceBand>{n}</SourceBand>\
             </SimpleSource></VRTRasterBand>",
            n = i + 1
        )
        .expect("writes to a string");
    }
    let [x, y] = origin;
    let vrt = format!(
        "<VRTDataset rasterXSize=\"{width}\" rasterYSize=\"{height}\"><SRS>{crs}</SRS>\
         <GeoTransform>{x}, {pixel}, 0, {y}, 0, -{pixel}</GeoTransform>{bands}</VRTDataset>"
    );
    fs::write(folder.join(format!("{name}.vrt")), vrt).expect("as set up");
}

fn run(folder: &Path, input: &str, more: &[&str]) -> Run {
    let fixed =
        ["infer", input, "--model", "probe.pt", "--overwrite", "--json", "--tile", "64", "--overlap", "16"];
    rs_seg_in(folder, &[&fixed[..], &["--out", "out.tif"], more].concat())
}

#[track_caller]
fn segment(folder: &Path, input: &str, more: &[&str]) -> Vec<u8> {
    let run = run(folder, input, more);
    assert_eq!(run.code, Some(0), "{more:?}: {run:?}");
    ids(&folder.join("out.tif"))
}

fn profile(path: &Path) -> RasterProfile {
    GeoRaster::open(&path.to_string_lossy(), &ReadOptions::default()).expect("opens").raster_profile().clone()
}

/// Whether all pixels within `reach` have the same class.
fn inside(x: usize, y: usize, enlarged: usize, reach: usize) -> bool {
    let at = |x: usize, y: usize| class(x / enlarged, y / enlarged);
    let (right, bottom) = ((x + reach).min(WIDTH * enlarged - 1), (y + reach).min(HEIGHT * enlarged - 1));
    let (left, top) = (x.saturating_sub(reach), y.saturating_sub(reach));
    [(left, top), (right, top), (left, bottom), (right, bottom)].iter().all(|&(a, b)| at(a, b) == at(x, y))
}

const HERE: [f64; 2] = [500_000.0, 5_400_000.0];

#[test]
fn an_enlarged_raster_gives_the_classes_of_the_native_one_on_its_own_grid() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_probe(folder);
    fields(folder, "native", 0.5, 1, "EPSG:32633", HERE);
    fields(folder, "double", 0.25, 2, "EPSG:32633", HERE);
    let native = segment(folder, "native.vrt", &[]);
    let back = segment(folder, "double.vrt", &["--gsd", "0.5"]);
    assert_eq!(profile(&folder.join("out.tif")).size, profile(&folder.join("double.vrt")).size);
    assert_eq!(profile(&folder.join("out.tif")).transform, profile(&folder.join("double.vrt")).transform);
    let mut compared = 0;
    for (i, &id) in back.iter().enumerate() {
        let (x, y) = (i % (2 * WIDTH), i / (2 * WIDTH));
        if inside(x, y, 2, 2) {
            assert_eq!(id, native[(y / 2) * WIDTH + x / 2], "column {x}, row {y}");
            compared += 1;
        }
    }
    assert!(compared * 10 > back.len() * 8, "{compared} of {}", back.len());
    // The other way: a network that wants finer pixels than there are, and an odd ratio.
    for gsd in ["0.2", "1.3"] {
        let found = segment(folder, "native.vrt", &["--gsd", gsd]);
        let reach = 3;
        for (i, &id) in found.iter().enumerate() {
            let (x, y) = (i % WIDTH, i / WIDTH);
            assert!(!inside(x, y, 1, reach) || id == class(x, y), "{gsd}: column {x}, row {y}");
        }
        assert!(!found.contains(&255));
    }
    // Pixels that have the size within a hundredth are not touched.
    let before = fs::read(folder.join("out.tif")).unwrap();
    assert_eq!(segment(folder, "native.vrt", &["--gsd", "0.503"]), native);
    assert_ne!(fs::read(folder.join("out.tif")).unwrap(), before);
}

#[test]
fn bytes_on_the_way_back_depend_on_nothing_and_nodata_stays_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_probe(folder);
    fields(folder, "double", 0.25, 4, "EPSG:32633", HERE);
    // The first and last columns of a class of its own color become nodata.
    let vrt = fs::read_to_string(folder.join("double.vrt")).unwrap();
    let vrt = vrt.replacen("<ColorInterp>Red", "<NoDataValue>229</NoDataValue><ColorInterp>Red", 1);
    fs::write(folder.join("double.vrt"), vrt).unwrap();
    let all = |how: &[&str]| {
        let more = ["--gsd", "0.6", "--probabilities", "p.tif", "--probability-type", "float32"];
        let classes = segment(folder, "double.vrt", &[&more[..], how].concat());
        (classes, fs::read(folder.join("out.tif")).unwrap(), fs::read(folder.join("p.tif")).unwrap())
    };
    let first = all(&["--threads", "1", "--batch", "1"]);
    assert!(first == all(&["--threads", "3", "--batch", "7", "--preview", "p.png"]));
    for (i, &id) in first.0.iter().enumerate() {
        let class = class(i % (4 * WIDTH) / 4, i / (4 * WIDTH) / 4);
        assert_eq!(id == 255, COLORS[usize::from(class)][0] == 229, "{i}");
    }
    // An area counts on the raster's own pixels, and spares tiles.
    let bbox = ["--bbox", "500020,5399960,500040.3,5399980"];
    let told = run(folder, "double.vrt", &[&["--gsd", "0.6"][..], &bbox].concat()).json();
    assert!(told["skipped"].as_u64() > told["tiles_computed"].as_u64(), "{told}");
    let part = ids(&folder.join("out.tif"));
    for (i, (&id, &whole)) in part.iter().zip(&first.0).enumerate() {
        let (x, y) = (
            500_000.0 + ((i % (4 * WIDTH)) as f64 + 0.5) * 0.25,
            5_400_000.0 - ((i / (4 * WIDTH)) as f64 + 0.5) * 0.25,
        );
        let inside = x > 500_020.0 && x < 500_040.3 && y > 5_399_960.0 && y < 5_399_980.0;
        assert_eq!(id, if inside { whole } else { 255 }, "{i}");
    }
}

#[test]
fn another_crs_gives_the_output_on_the_warped_grid() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_probe(folder);
    fields(folder, "degrees", 5e-6, 1, "EPSG:4326", [13.4, 52.5]);
    let refused = run(folder, "degrees.vrt", &["--gsd", "0.5"]);
    assert!(refused.code == Some(1) && refused.stderr.contains("--t-srs"), "{refused:?}");
    let found =
        segment(folder, "degrees.vrt", &["--t-srs", "EPSG:32633", "--gsd", "0.5", "--preview", "p.png"]);
    let out = profile(&folder.join("out.tif"));
    assert!(out.crs.as_ref().unwrap().is_same(&seg_gdal::Crs::parse("EPSG:32633").unwrap()));
    let gsd = out.transform.unwrap().gsd();
    assert!((gsd.x - 0.5).abs() < 1e-12 && (gsd.y - 0.5).abs() < 1e-12);
    // 1.5 thousandths of a degree of longitude, 1.2 of latitude, at 52.5 degrees north.
    let data = found.iter().filter(|&&id| id != 255).count() as f64 * 0.25;
    let expected = 0.0015 * 67_900.0 * 0.0012 * 111_270.0;
    // A mean of what lies below counts pixels of the border that are covered in part.
    assert!((1.0..1.02).contains(&(data / expected)), "{data} instead of {expected} square meters");
    assert!(found.contains(&255));
    let plain = segment(folder, "degrees.vrt", &["--t-srs", "EPSG:4326"]);
    assert_eq!(plain.len(), WIDTH * HEIGHT);
    fs::rename(folder.join("degrees.vrt"), folder.join("some where.vrt")).unwrap();
    assert!(!segment(folder, "some where.vrt", &["--t-srs", "EPSG:3857"]).is_empty());
    let refused = run(folder, "degrees.ppm", &["--t-srs", "EPSG:32633"]);
    assert!(refused.code == Some(1) && refused.stderr.contains("hint: "), "{refused:?}");
    let refused = run(folder, "degrees.ppm", &["--gsd", "0.5"]);
    assert!(refused.code == Some(1) && refused.stderr.contains("without a CRS"), "{refused:?}");
    let refused = run(folder, "some where.vrt", &["--t-srs", "EPSG:1"]);
    assert!(refused.code == Some(1) && refused.stderr.contains("--t-srs"), "{refused:?}");
}

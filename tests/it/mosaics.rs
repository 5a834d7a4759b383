//! `rs-seg infer` on several rasters: one mosaic, or refused with both names.

use crate::infer::{ids, infer};
use crate::program::{Run, rs_seg_in};
use crate::scene::{Scene, write_probe};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

const TILING: [&str; 4] = ["--tile", "64", "--overlap", "16"];

/// A part of the scene on its own pixels, as a VRT.
struct Part {
    x: usize,
    y: usize,
    width: usize,
    height: usize,
    /// GDAL's terms of the whole scene's place.
    place: [f64; 6],
    crs: &'static str,
    /// Of the red band.
    nodata: Option<u8>,
    bands: &'static [&'static str],
    dtype: &'static str,
}

impl Part {
    fn new([x, y, width, height]: [usize; 4]) -> Self {
        Self {
            x,
            y,
            width,
            height,
            place: [500_000.0, 0.08, 0.04, 5_400_000.0, 0.04, -0.08],
            crs: "EPSG:25832",
            nodata: None,
            bands: &["Red", "Green", "Blue"],
            dtype: "Byte",
        }
    }

    fn write(&self, path: &Path) {
        let Self { x, y, width, height, place, .. } = self;
        let (column, row) = (*x as f64, *y as f64);
        let origin = [0, 3].map(|i| place[i] + column * place[i + 1] + row * place[i + 2]);
        let [x_step, x_turn] = [place[1], place[2]];
        let [y_turn, y_step] = [place[4], place[5]];
        let mut vrt = format!(
            "<VRTDataset rasterXSize=\"{width}\" rasterYSize=\"{height}\"><SRS>{}</SRS><GeoTransform>\
             {}, {x_step}, {x_turn}, {}, {y_turn}, {y_step}</GeoTransform>",
            self.crs, origin[0], origin[1]
        );
        let scene = fs::canonicalize(path.parent().expect("as set up")).expect("as set up");
        let scene =
            scene.ancestors().find(|folder| folder.join("scene.ppm").exists()).expect("as set up").to_owned();
        for (band, name) in self.bands.iter().enumerate() {
            let nodata = self.nodata.filter(|_| band == 0);
            let nodata = nodata.map_or(String::new(), |value| format!("<NoDataValue>{value}</NoDataValue>"));
            write!(
                vrt,
                "<VRTRasterBand dataType=\"{}\" band=\"{n}\">{nodata}<ColorInterp>{name}</ColorInterp><SimpleSource>\
                 <SourceFilename>{}/scene.ppm</SourceFilename><SourceBand>{of}</SourceBand>\
                 <SrcRect xOff=\"{x}\" yOff=\"{y}\" xSize=\"{width}\" ySize=\"{height}\"/>\
                 <DstRect xOff=\"0\" yOff=\"0\" xSize=\"{width}\" ySize=\"{height}\"/></SimpleSource></VRTRasterBand>",
                self.dtype,
                scene.display(),
                n = band + 1,
                of = band.min(2) + 1,
            )
            .expect("as set up");
        }
        fs::write(path, vrt + "</VRTDataset>").expect("as set up");
    }
}

fn segment(folder: &Path, inputs: &[&str], more: &[&str]) -> Run {
    let fixed = ["--model", "probe.pt", "--out", "mosaic.tif", "--overwrite", "--json"];
    rs_seg_in(folder, &[&["infer"], inputs, &fixed[..], &TILING, more].concat())
}

#[track_caller]
fn classes(folder: &Path, inputs: &[&str], more: &[&str]) -> Vec<u8> {
    let run = segment(folder, inputs, more);
    assert_eq!(run.code, Some(0), "{run:?}");
    ids(&folder.join("mosaic.tif"))
}

fn scene(width: usize, height: usize) -> (tempfile::TempDir, Scene) {
    let folder = tempfile::tempdir().expect("a folder");
    let scene = Scene::write(folder.path(), width, height);
    write_probe(folder.path());
    (folder, scene)
}

#[test]
fn four_quarters_give_the_whole_in_any_order_from_names_a_folder_or_a_list() {
    let (folder, scene) = scene(331, 257);
    let folder = folder.path();
    let whole = infer(folder, "whole.tif", &TILING);
    let sheets = folder.join("my sheets");
    fs::create_dir(&sheets).unwrap();
    let parts = [
        ("d", [150, 100, 181, 157]),
        ("c", [0, 100, 150, 157]),
        ("b", [150, 0, 181, 100]),
        ("a", [0, 0, 150, 100]),
    ];
    for (name, part) in parts {
        Part::new(part).write(&sheets.join(format!("{name}.vrt")));
    }
    fs::write(sheets.join("notes.txt"), "no raster").unwrap();
    fs::write(folder.join("list.txt"), "# all sheets\nmy sheets/c.vrt\nmy sheets/d.vrt\n").unwrap();
    assert_eq!(classes(folder, &["my sheets"], &[]), scene.classes);
    // The upper left sheet is first by its name: the grid's corner is its corner, and all bytes are the same.
    assert_eq!(fs::read(folder.join("mosaic.tif")).unwrap(), whole);
    let some = ["my sheets/b.vrt", "my sheets/a.vrt"];
    assert_eq!(classes(folder, &some, &["--list", "list.txt"]), scene.classes);
    let (place, back) = (profile(&folder.join("whole.tif")), profile(&folder.join("mosaic.tif")));
    assert!(place.transform.unwrap().agrees_with(back.transform.unwrap(), 331, 257, 1e-6));
    // What no sheet covers is nodata, and tiles there are skipped.
    let diagonal = ["my sheets/a.vrt", "my sheets/d.vrt"];
    let found = classes(folder, &diagonal, &[]);
    for (i, (&found, &class)) in found.iter().zip(&scene.classes).enumerate() {
        let covered = (i % 331 < 150) == (i / 331 < 100);
        assert_eq!(found, if covered { class } else { 255 }, "{i}");
    }
    let run = segment(folder, &diagonal, &[]);
    // Of 7 x 6 tiles, those that lie wholly in the other two quarters.
    assert!(run.json()["skipped"].as_u64() > Some(8), "{run:?}");
    // Percentiles and the preview are of the mosaic.
    let run = segment(folder, &["my sheets"], &["--scaling", "percentile=0,100", "--preview", "p.png"]);
    assert_eq!(run.code, Some(0), "{run:?}");
}

fn profile(path: &Path) -> seg_gdal::RasterProfile {
    let options = seg_gdal::ReadOptions::default();
    seg_gdal::GeoRaster::open(&path.to_string_lossy(), &options).expect("opens").raster_profile().clone()
}

#[test]
fn later_rasters_lie_over_earlier_ones_where_they_have_data() {
    let (folder, scene) = scene(120, 90);
    let folder = folder.path();
    Part::new([0, 0, 120, 90]).write(&folder.join("whole.vrt"));
    // The same place, but other pixels of the scene, and nodata where red is 25.
    let mut patch = Part { nodata: Some(25), ..Part::new([40, 30, 50, 40]) };
    let (dx, dy) = (20.0, 10.0);
    patch.place[0] -= dx * patch.place[1] + dy * patch.place[2];
    patch.place[3] -= dx * patch.place[4] + dy * patch.place[5];
    patch.write(&folder.join("patch.vrt"));
    let ppm = fs::read(folder.join("scene.ppm")).unwrap();
    let red = |x: usize, y: usize| ppm[ppm.len() - 3 * 120 * 90 + 3 * (y * 120 + x)];
    let at = |x: usize, y: usize| scene.classes[y * 120 + x];
    let over = classes(folder, &["whole.vrt", "patch.vrt"], &[]);
    let mut holes = 0;
    for y in 0..90 {
        for x in 0..120 {
            let covered = (20..70).contains(&x) && (20..60).contains(&y);
            let hole = covered && red(x + 20, y + 10) == 25;
            holes += usize::from(hole);
            let expected = if covered && !hole { at(x + 20, y + 10) } else { at(x, y) };
            assert_eq!(over[y * 120 + x], expected, "column {x}, row {y}");
        }
    }
    assert!(holes > 0);
    assert_eq!(classes(folder, &["patch.vrt", "whole.vrt"], &[]), scene.classes);
}

#[test]
fn rasters_that_do_not_fit_are_refused_by_both_names() {
    let (folder, _) = scene(100, 80);
    let folder = folder.path();
    let west = || Part::new([0, 0, 50, 80]);
    west().write(&folder.join("west.vrt"));
    let east = || Part::new([50, 0, 50, 80]);
    let refused = |part: Part, reason: &str| {
        part.write(&folder.join("east.vrt"));
        let run = segment(folder, &["west.vrt", "east.vrt"], &[]);
        assert_eq!(run.code, Some(1), "{reason}: {run:?}");
        for text in ["west.vrt", "east.vrt", reason, "hint: "] {
            assert!(run.stderr.contains(text), "{text}: {run:?}");
        }
    };
    refused(Part { crs: "EPSG:25833", ..east() }, "EPSG:25833");
    refused(Part { crs: "", ..east() }, "no CRS");
    refused(Part { bands: &["Red", "Green"], ..east() }, "2 bands");
    refused(Part { bands: &["Blue", "Green", "Red"], ..east() }, "1 blue");
    refused(Part { dtype: "UInt16", ..east() }, "uint16");
    // An alpha band is the raster's own affair: here it is the scene's blue band, which is nowhere 0.
    Part { bands: &["Red", "Green", "Blue", "Alpha"], ..east() }.write(&folder.join("east.vrt"));
    assert!(!classes(folder, &["west.vrt", "east.vrt"], &[]).contains(&255));
    let placed = |place: [f64; 6]| Part { place, ..east() };
    refused(placed([500_000.0, 0.16, 0.08, 5_400_000.0, 0.08, -0.16]), "its pixels are");
    refused(placed([500_000.0, 0.08, -0.04, 5_400_000.0, -0.04, -0.08]), "turned");
    refused(placed([500_000.02, 0.08, 0.04, 5_400_000.01, 0.04, -0.08]), "0.250 columns");
    east().write(&folder.join("east.vrt"));
    let text = fs::read_to_string(folder.join("east.vrt")).unwrap();
    let (before, rest) = text.split_once("<GeoTransform>").unwrap();
    let after = rest.split_once("</GeoTransform>").unwrap().1;
    fs::write(folder.join("east.vrt"), format!("{before}{after}")).unwrap();
    let run = segment(folder, &["west.vrt", "east.vrt"], &[]);
    assert!(
        run.code == Some(1) && run.stderr.contains("east.vrt") && run.stderr.contains("hint: "),
        "{run:?}"
    );
    let run = segment(folder, &["west.vrt", "no such.tif"], &[]);
    assert!(run.code == Some(1) && run.stderr.contains("cannot open raster no such.tif"), "{run:?}");
    // Files without a CRS fit by their geotransforms.
    for (name, part) in [("west.vrt", west()), ("east.vrt", east())] {
        Part { crs: "", ..part }.write(&folder.join(name));
    }
    assert!(!classes(folder, &["west.vrt", "east.vrt"], &[]).contains(&255));
    let run = segment(folder, &[], &[]);
    assert_eq!(run.code, Some(2), "{run:?}");
}

#[test]
fn an_output_replaces_no_member_and_other_members_are_not_resumed() {
    let (folder, _) = scene(100, 80);
    let folder = folder.path();
    Part::new([0, 0, 50, 80]).write(&folder.join("west.vrt"));
    Part::new([50, 0, 50, 80]).write(&folder.join("east.vrt"));
    let run = rs_seg_in(
        folder,
        &["infer", "west.vrt", "east.vrt", "--model", "probe.pt", "--overwrite", "--out", "east.vrt"],
    );
    assert!(run.code == Some(1) && run.stderr.contains("would replace the input"), "{run:?}");
    let work = folder.join("mosaic.tif.rs-seg-work");
    fs::create_dir(&work).unwrap();
    fs::write(work.join("run.json"), r#"{"key":{"input":"another"},"columns":[]}"#).unwrap();
    let run = segment(folder, &["west.vrt", "east.vrt"], &["--resume"]);
    assert!(run.code == Some(1) && run.stderr.contains("input"), "{run:?}");
}

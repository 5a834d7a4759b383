//! `rs-seg infer` from file to file.

use crate::program::{command, rs_seg_in};
use crate::scene::{Scene, write_probe};
use seg_gdal::{BandIndex, BandSelection, GeoRaster, ReadOptions};
use seg_grid::{RasterSource as _, Window};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// Reads the ids of a class raster; pixels without data are 255.
pub(crate) fn ids(path: &Path) -> Vec<u8> {
    let options =
        ReadOptions { bands: BandSelection::Explicit(vec![BandIndex::FIRST]), ..ReadOptions::default() };
    let mut raster = GeoRaster::open(&path.to_string_lossy(), &options).expect("opens");
    let size = raster.profile().size;
    let Some(patch) = raster.read(Window::whole(size)).expect("reads") else {
        return vec![255; size.area() as usize];
    };
    patch.values.iter().zip(&patch.valid).map(|(id, valid)| if *valid { *id as u8 } else { 255 }).collect()
}

pub(crate) fn infer(folder: &Path, out: &str, more: &[&str]) -> Vec<u8> {
    let fixed = ["infer", "scene.vrt", "--model", "probe.pt", "--quiet", "--out", out];
    let run = rs_seg_in(folder, &[&fixed[..], more].concat());
    assert_eq!(run.code, Some(0), "{more:?}: {run:?}");
    fs::read(folder.join(out)).expect("an output")
}

#[test]
fn the_probe_finds_every_true_class_on_even_and_odd_tiles() {
    let folder = tempfile::tempdir().expect("a folder");
    let scene = Scene::write(folder.path(), 1033, 777);
    assert_eq!((scene.width, scene.height), (1033, 777));
    write_probe(folder.path());
    for tiling in [
        &["--tile", "512", "--overlap", "128"][..],
        &["--tile", "333", "--overlap", "33", "--blend", "gaussian"],
        &["--tile", "97", "--overlap", "40%", "--blend", "average"],
        &["--tile", "511", "--overlap", "0", "--blend", "none"],
        &["--tile", "2000", "--overlap", "1", "--blend", "crop"],
    ] {
        infer(folder.path(), "classes.tif", &[tiling, &["--overwrite"]].concat());
        assert_eq!(ids(&folder.path().join("classes.tif")), scene.classes, "{tiling:?}");
    }
}

#[test]
fn bytes_do_not_depend_on_threads_queue_or_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    Scene::write(folder.path(), 700, 650);
    write_probe(folder.path());
    let probabilities =
        ["--probabilities", "p.tif", "--confidence", "c.tif", "--tile", "128", "--overlap", "32"];
    let all = |name: &str, how: &[&str]| {
        let classes = infer(folder.path(), name, &[&probabilities[..], how, &["--overwrite"]].concat());
        [
            classes,
            fs::read(folder.path().join("p.tif")).unwrap(),
            fs::read(folder.path().join("c.tif")).unwrap(),
        ]
    };
    let first = all("a.tif", &["--threads", "1", "--batch", "1", "--max-memory", "1GiB"]);
    assert_eq!(first, all("a.tif", &["--threads", "2", "--batch", "7", "--max-memory", "4GiB"]));
    assert_eq!(first, all("a.tif", &["--threads", "3"]));
}

#[test]
fn what_was_not_measured_is_nodata_and_the_grid_is_the_input_s() {
    let folder = tempfile::tempdir().expect("a folder");
    let scene = Scene::write(folder.path(), 300, 200);
    write_probe(folder.path());
    // The dimmed palette's smallest channel value with noise is 13 to 37; 25 is nodata in the red band.
    let vrt = fs::read_to_string(folder.path().join("scene.vrt")).unwrap();
    let masked = vrt.replacen("<ColorInterp>Red", "<NoDataValue>25</NoDataValue><ColorInterp>Red", 1);
    fs::write(folder.path().join("scene.vrt"), masked).unwrap();
    infer(folder.path(), "classes.tif", &[]);
    let found = ids(&folder.path().join("classes.tif"));
    let ppm = fs::read(folder.path().join("scene.ppm")).unwrap();
    let pixels = &ppm[ppm.len() - 3 * 300 * 200..];
    for (i, (&found, &truth)) in found.iter().zip(&scene.classes).enumerate() {
        assert_eq!(found, if pixels[3 * i] == 25 { 255 } else { truth }, "pixel {i}");
    }
    assert!(found.contains(&255));
    let place = |name: &str| {
        let raster =
            GeoRaster::open(&folder.path().join(name).to_string_lossy(), &ReadOptions::default()).unwrap();
        let profile = raster.raster_profile();
        (profile.size, profile.transform, profile.crs.as_ref().map(ToString::to_string))
    };
    assert_eq!(place("scene.vrt"), place("classes.tif"));
}

#[test]
fn a_run_that_was_stopped_goes_on_to_the_same_bytes() {
    let folder = tempfile::tempdir().expect("a folder");
    Scene::write(folder.path(), 1100, 2100);
    write_probe(folder.path());
    let tiling = ["--tile", "64", "--overlap", "40"];
    let whole = infer(folder.path(), "whole.tif", &tiling);
    let arguments = ["infer", "scene.vrt", "--model", "probe.pt", "--out", "cut.tif", "--progress", "json"];
    let mut job = command(&[&arguments[..], &tiling].concat())
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut lines = BufReader::new(job.stderr.take().expect("piped")).lines().map_while(Result::ok);
    let work = folder.path().join("cut.tif.rs-seg-work");
    let strips = || {
        fs::read_dir(&work).is_ok_and(|mut entries| {
            entries.any(|e| e.is_ok_and(|e| e.path().extension().is_some_and(|x| x == "strip")))
        })
    };
    assert!(
        lines.any(|line| line.contains("\"progress\"") && strips()),
        "the job ended before a strip was stored"
    );
    assert!(
        Command::new("kill").args(["-KILL", &job.id().to_string()]).status().expect("kill runs").success()
    );
    job.wait().expect("ends");
    assert!(!folder.path().join("cut.tif").exists());
    let refused =
        rs_seg_in(folder.path(), &["infer", "scene.vrt", "--model", "probe.pt", "--out", "cut.tif"]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("--resume"), "{refused:?}");
    let resumed = rs_seg_in(
        folder.path(),
        &[
            &["infer", "scene.vrt", "--model", "probe.pt", "--out", "cut.tif", "--resume", "--json"][..],
            &tiling,
        ]
        .concat(),
    );
    assert_eq!(resumed.code, Some(0), "{resumed:?}");
    let told = resumed.json();
    assert!(told["tiles_computed"].as_u64() < told["tiles"].as_u64(), "{told}");
    assert_eq!(fs::read(folder.path().join("cut.tif")).unwrap(), whole);
    assert!(!work.exists());
}

#[test]
fn a_cancelled_run_leaves_nothing_when_asked_to() {
    let folder = tempfile::tempdir().expect("a folder");
    Scene::write(folder.path(), 1100, 2100);
    write_probe(folder.path());
    let arguments = ["infer", "scene.vrt", "--model", "probe.pt", "--out", "cut.tif", "--progress", "json"];
    let more = ["--tile", "64", "--overlap", "40", "--discard-on-cancel"];
    let mut job = command(&[&arguments[..], &more].concat())
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut lines = BufReader::new(job.stderr.take().expect("piped")).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("\"progress\"")));
    assert!(
        Command::new("kill").args(["-TERM", &job.id().to_string()]).status().expect("kill runs").success()
    );
    let _rest: Vec<String> = lines.collect();
    assert_eq!(job.wait().expect("ends").code(), Some(130));
    let mut left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["probe.pt", "probe.toml", "scene.ppm", "scene.vrt"]);
}

#[test]
fn an_output_never_replaces_what_the_run_reads_or_another_output() {
    let folder = tempfile::tempdir().expect("a folder");
    Scene::write(folder.path(), 100, 80);
    write_probe(folder.path());
    fs::hard_link(folder.path().join("probe.pt"), folder.path().join("link.pt")).unwrap();
    fs::create_dir(folder.path().join("dir")).unwrap();
    let before = |name: &str| fs::read(folder.path().join(name)).unwrap();
    let (scene, probe) = (before("scene.vrt"), before("probe.pt"));
    for outputs in [
        &["--out", "scene.vrt"][..],
        &["--out", "dir/../probe.pt"],
        &["--out", "link.pt"],
        &["--out", "a.tif", "--confidence", "./a.tif"],
        &["--out", "a.tif", "--preview", "a.tif.aux.xml"],
        &["--out", "dir"],
    ] {
        let run = rs_seg_in(
            folder.path(),
            &[&["infer", "scene.vrt", "--model", "probe.pt", "--overwrite"][..], outputs].concat(),
        );
        assert_eq!(run.code, Some(1), "{outputs:?}: {run:?}");
        assert!(run.stderr.contains("hint: "), "{run:?}");
    }
    assert!(
        scene == before("scene.vrt") && probe == before("probe.pt") && !folder.path().join("a.tif").exists()
    );
    fs::write(folder.path().join("b.tif.aux.xml"), "somebody else's").unwrap();
    let run = rs_seg_in(folder.path(), &["infer", "scene.vrt", "--model", "probe.pt", "--out", "b.tif"]);
    assert_eq!((run.code, before("b.tif.aux.xml")), (Some(1), b"somebody else's".to_vec()), "{run:?}");
}

#[test]
fn two_runs_do_not_work_on_one_output() {
    let folder = tempfile::tempdir().expect("a folder");
    Scene::write(folder.path(), 100, 80);
    write_probe(folder.path());
    let work = folder.path().join("a.tif.rs-seg-work");
    fs::create_dir(&work).unwrap();
    let lock = fs::File::create(work.join("lock")).unwrap();
    lock.lock().unwrap();
    for how in ["--resume", "--discard"] {
        let run =
            rs_seg_in(folder.path(), &["infer", "scene.vrt", "--model", "probe.pt", "--out", "a.tif", how]);
        assert_eq!(run.code, Some(1));
        assert!(run.stderr.contains("another rs-seg"), "{run:?}");
    }
    drop(lock);
    infer(folder.path(), "a.tif", &["--discard"]);
    assert!(!work.exists());
}

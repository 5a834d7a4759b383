//! A job that is asked to stop: by a signal, or because nobody listens any more.

use crate::program::{command, rs_seg_in};
use crate::scene::{Scene, write_probe};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const SCENE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/haiti.tif");
const CONFIG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/configs/bemseg-small.toml");

/// A job of many small tiles, and what it says, up to its first progress.
fn start(folder: &Path) -> (Child, impl Iterator<Item = String>) {
    let made = rs_seg_in(folder, &["model", "init", CONFIG, "--out", "net.safetensors"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    let arguments = ["infer", SCENE, "--model", "net.safetensors", "--out", "classes.tif"];
    let slow = ["--tile", "64", "--overlap", "48", "--bands", "3,2,1", "--progress", "json"];
    let mut job = command(&[&arguments[..], &slow].concat())
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut lines =
        BufReader::new(job.stderr.take().expect("piped")).lines().map(|line| line.expect("UTF-8"));
    assert!(lines.any(|line| line.contains("\"progress\"")), "the job ended before it began");
    (job, lines)
}

#[test]
fn a_signal_ends_a_job_with_130_and_no_output() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut job, lines) = start(folder.path());
    let killed = Command::new("kill").args(["-INT", &job.id().to_string()]).status().expect("kill runs");
    assert!(killed.success());
    let last = lines.last().expect("an event");
    assert_eq!(job.wait().expect("ends").code(), Some(130), "{last}");
    assert!(last.contains("\"interrupted\""), "{last}");
    assert!(!folder.path().join("classes.tif").exists());
}

#[test]
fn a_signal_ends_a_plan_with_130() {
    let work = ["--area", "357022km2", "--gsd", "0.2", "--sheet", "500", "--tile-seconds", "0.01s"];
    // All that may be asked for, which takes seconds.
    let most = ["--shards", "1000000", "--workers", "100000", "--runs", "1000000", "--progress", "json"];
    let mut job = command(&[&["plan"][..], &work, &most].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut lines =
        BufReader::new(job.stderr.take().expect("piped")).lines().map(|line| line.expect("UTF-8"));
    assert!(lines.any(|line| line.contains("\"start\"")), "it ended before it began");
    let killed = Command::new("kill").args(["-TERM", &job.id().to_string()]).status().expect("kill runs");
    assert!(killed.success());
    let last = lines.last().expect("an event");
    let output = job.wait_with_output().expect("ends");
    assert_eq!((output.status.code(), output.stdout), (Some(130), Vec::new()), "{last}");
    assert!(last.contains("\"interrupted\""), "{last}");
}

#[test]
fn a_job_that_nobody_listens_to_ends() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut job, lines) = start(folder.path());
    drop(lines);
    assert_eq!(job.wait().expect("ends").code(), Some(1));
    assert!(!folder.path().join("classes.tif").exists());
}

#[test]
fn a_job_whose_work_folder_was_removed_ends_and_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut job, lines) = start(folder.path());
    fs::remove_dir_all(folder.path().join("classes.tif.rs-seg-work")).expect("there");
    let told: Vec<String> = lines.collect();
    assert_eq!(job.wait().expect("ends").code(), Some(1), "{told:?}");
    let last = told.last().expect("an event");
    assert!(last.contains("cannot write classes.tif.rs-seg-work"), "{last}");
    assert!(!told.iter().any(|line| line.contains("stay")), "{told:?}");
    assert_eq!(names(folder.path()), ["net.safetensors"]);
}

#[test]
fn results_that_cannot_be_printed_are_told_and_the_raster_is_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    Scene::write(folder.path(), 60, 50);
    write_probe(folder.path());
    let full = fs::File::options().write(true).open("/dev/full").expect("a device that is always full");
    let done = command(&["infer", "scene.vrt", "--model", "probe.pt", "--out", "c.tif", "-q"])
        .current_dir(folder.path())
        .stdout(full)
        .output()
        .expect("runs");
    let told = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(1), "{told}");
    assert!(told.contains("cannot write to standard output"), "{told}");
    let checked = rs_seg_in(folder.path(), &["verify", "c.tif", "--sample", "all"]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
}

#[test]
fn a_file_that_cannot_grow_ends_a_job_with_a_reason_and_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    Scene::write(folder.path(), 700, 500);
    write_probe(folder.path());
    let limited = |arguments: &[&str]| {
        // Files may have 8 KiB at most; without the signal that this would raise, writing fails as on a full disk.
        let script = format!("trap '' XFSZ; ulimit -f 16; exec {} \"$@\"", env!("CARGO_BIN_EXE_rs-seg"));
        let done = Command::new("sh")
            .args([&["-c", &script, "sh"][..], arguments].concat())
            .current_dir(folder.path())
            .output()
            .expect("sh runs");
        let told = String::from_utf8(done.stderr).expect("UTF-8");
        assert_eq!(done.status.code(), Some(1), "{told}");
        told
    };
    let before = names(folder.path());
    let told = limited(&["tile", "scene.vrt", "--size", "128", "--out", "chips", "--co", "COMPRESS=NONE"]);
    assert!(told.contains("cannot write chip chips/") && told.contains("the disk may be full"), "{told}");
    let told = limited(&["infer", "scene.vrt", "--model", "probe.pt", "--out", "c.tif", "-q"]);
    assert!(told.contains("cannot write c.tif.rs-seg-work/classes-x0-y0-"), "{told}");
    assert_eq!(names(folder.path()), before);
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
    names.sort();
    names
}

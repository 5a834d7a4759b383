//! A job that is asked to stop: by a signal, or because nobody listens any more.

use crate::program::{command, rs_seg_in};
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
fn a_job_that_nobody_listens_to_ends() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut job, lines) = start(folder.path());
    drop(lines);
    assert_eq!(job.wait().expect("ends").code(), Some(1));
    assert!(!folder.path().join("classes.tif").exists());
}

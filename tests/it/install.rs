//! `make install`: a tree that runs wherever it is moved.

use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn output(command: &mut Command) -> Output {
    let output = command.output().expect("it starts");
    assert!(output.status.success(), "{command:?}: {output:?}");
    output
}

fn text(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).expect("UTF-8")
}

#[test]
fn what_is_installed_runs_under_another_path_with_an_empty_environment() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut install = Command::new("scripts/install");
    install.current_dir(ROOT).env("RS_SEG", env!("CARGO_BIN_EXE_rs-seg"));
    output(install.env("DESTDIR", folder.path().join("stage")).env("PREFIX", "/usr"));
    let moved = folder.path().join("über all");
    fs::rename(folder.path().join("stage/usr"), &moved).expect("moves");

    // That it runs here says nothing while the folder of the build is there too: its name must be gone.
    let program = moved.join("bin/rs-seg");
    let headers = output(Command::new("readelf").arg("-d").arg(&program));
    let runpath = text(&headers).lines().find(|line| line.contains("RUNPATH")).expect("a path for libraries");
    assert!(runpath.ends_with("[$ORIGIN/../lib/rs-seg]"), "{runpath}");
    let doctor = output(Command::new(&program).args(["doctor", "--json"]).env_clear());
    let doctor: Value = serde_json::from_slice(&doctor.stdout).expect("JSON");
    let libtorch = doctor["libtorch"]["path"].as_str().expect("a path");
    assert!(Path::new(libtorch).starts_with(fs::canonicalize(&moved).expect("is there")), "{libtorch}");

    let scene = Path::new(ROOT).join("examples/data/haiti.tif");
    let infer = ["infer", "--bands", "3,2,1", "--out", "classes.tif"];
    output(Command::new(&program).args(infer).arg(scene).current_dir(folder.path()).env_clear());
    assert!(folder.path().join("classes.tif").exists());

    for file in [
        "share/man/man1/rs-seg-infer.1",
        "share/bash-completion/completions/rs-seg",
        "share/rs-seg/configs/bemseg-small.toml",
        concat!("share/rs-seg/qgis/rs_seg-", env!("CARGO_PKG_VERSION"), ".zip"),
        "share/doc/rs-seg/LICENSE",
    ] {
        assert!(moved.join(file).is_file(), "{file}");
    }
}

#[test]
fn a_place_that_cannot_be_written_is_told() {
    let mut install = Command::new("scripts/install");
    install.current_dir(ROOT).env("RS_SEG", env!("CARGO_BIN_EXE_rs-seg")).env("PREFIX", "/proc/rs-seg");
    let failed = install.output().expect("it starts");
    let stderr = String::from_utf8_lossy(&failed.stderr);
    assert_eq!(failed.status.code(), Some(1));
    assert!(stderr.starts_with("error: cannot write to /proc/rs-seg\nhint: "), "{stderr}");
}

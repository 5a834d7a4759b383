//! GPUs that are not there, and a libtorch that does not fit.

use crate::program::{Run, command, rs_seg};
use std::fs;
use std::path::Path;

const DRY_RUN: [&str; 5] = ["infer", "examples/data/haiti.tif", "--bands", "3,2,1", "--dry-run"];

/// Runs the program with a libtorch of CUDA named.
fn with_libtorch(named: &Path, arguments: &[&str]) -> Run {
    let mut command = command(arguments);
    let output = command.env("RS_SEG_LIBTORCH", named).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    let output = output.expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Run { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

#[test]
fn without_a_gpu_doctor_says_why_and_where_networks_run() {
    let found = rs_seg(&["doctor", "--json"]).json();
    assert_eq!((&found["device"], &found["cuda"]["loaded"]), (&"cpu".into(), &false.into()));
    let gpu = &found["devices"][1];
    assert_eq!((&gpu["id"], &gpu["usable"]), (&"cuda:0".into(), &false.into()));
    let why = gpu["why"].as_str().expect("a reason");
    assert!(why.contains("GPU"), "{why}");
    let text = rs_seg(&["doctor"]).stdout;
    for line in [format!("CUDA      not loaded: {why}"), "with --device auto networks run on cpu".to_owned()]
    {
        assert!(text.contains(&line), "{text}");
    }
}

#[test]
fn a_gpu_that_was_asked_for_and_is_not_there_is_an_error() {
    for device in ["cuda", "cuda:99"] {
        let run = rs_seg(&[&DRY_RUN[..], &["--device", device]].concat());
        assert_eq!(run.code, Some(1), "{run:?}");
        assert!(
            run.stderr.contains("error: device cuda:") && run.stderr.contains("is not usable: "),
            "{run:?}"
        );
        assert!(run.stderr.contains("hint: "), "{run:?}");
    }
}

#[test]
fn a_named_libtorch_that_is_none_is_an_error_for_whoever_might_need_it() {
    let run = with_libtorch(Path::new("/nonexistent"), &DRY_RUN);
    let lines: Vec<_> = run.stderr.lines().collect();
    assert_eq!((run.code, lines.len()), (Some(1), 3), "{run:?}");
    assert_eq!(lines[0], "error: RS_SEG_LIBTORCH names /nonexistent, which cannot be used");
    assert_eq!(lines[1], "caused by: there is no such folder");
    assert!(lines[2].starts_with("hint: `make setup-cuda` gets libtorch"), "{run:?}");

    let on_processor =
        with_libtorch(Path::new("/nonexistent"), &[&DRY_RUN[..], &["--device", "cpu"]].concat());
    assert_eq!(on_processor.code, Some(0), "{on_processor:?}");

    let doctor = with_libtorch(Path::new("/nonexistent"), &["doctor", "--json"]);
    assert_eq!(doctor.code, Some(0));
    let problems = doctor.json()["problems"].to_string();
    assert!(problems.contains("/nonexistent") && problems.contains("no such folder"), "{problems}");
}

#[test]
fn a_named_libtorch_of_another_version_is_an_error_that_tells_both() {
    let folder = tempfile::tempdir().expect("a folder");
    let torch = folder.path().join("my packages/torch");
    fs::create_dir_all(torch.join("lib")).expect("a folder");
    fs::write(torch.join("lib/libtorch_cuda.so"), "").expect("a file");
    fs::write(torch.join("version.py"), "__version__ = '2.0.1+cu118'\n").expect("a file");
    let run = with_libtorch(&torch, &DRY_RUN);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stderr.contains("my packages/torch, which cannot be used"), "{run:?}");
    assert!(run.stderr.contains("caused by: it is libtorch 2.0.1+cu118, rs-seg is made for 2."), "{run:?}");
    assert!(run.stderr.contains("hint: ") && run.stderr.contains("pip install torch==2."), "{run:?}");
}

//! What every command has in common: help, exit status, messages, events, closed pipes.

use crate::program::{command, rs_seg, rs_seg_in};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::Read as _;
use std::process::Stdio;

/// An `infer` that fails since neither raster nor network is there.
const FAILING: [&str; 6] = ["infer", "no-such.tif", "--model", "no-such.safetensors", "--out", "classes.tif"];

fn commands() -> Vec<Value> {
    rs_seg(&["describe", "--json"]).json()["commands"].as_array().expect("commands").clone()
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

/// Long flags that a help text explains.
fn flags_in_help(help: &str) -> BTreeSet<String> {
    let explained = help.lines().filter(|line| line.trim_start().starts_with('-'));
    let flags = explained
        .flat_map(|line| line.split([' ', ',', '=', '.']).filter_map(|word| word.strip_prefix("--")));
    flags.map(str::to_owned).collect()
}

#[test]
fn the_version_is_one_line() {
    let run = rs_seg(&["--version"]);
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (Some(0), concat!("rs-seg ", env!("CARGO_PKG_VERSION"), "\n"))
    );
}

#[test]
fn wrong_usage_ends_in_2_and_help_in_0() {
    for wrong in [&[][..], &["segment"], &["infer"], &["infer", "a.tif", "--tile", "0"], &["model"]] {
        let run = rs_seg(wrong);
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{wrong:?}");
    }
    assert_eq!(rs_seg(&["help"]).code, Some(0));
}

#[test]
fn describe_and_help_know_the_same_flags() {
    let global = rs_seg(&["describe", "--json"]).json()["global"].as_array().expect("global").clone();
    let long = |parameter: &Value| parameter["long"].as_str().map(str::to_owned);
    for command in commands() {
        let mut arguments: Vec<_> = text(&command["name"]).split(' ').collect();
        arguments.push("--help");
        let help = rs_seg(&arguments);
        assert_eq!(help.code, Some(0), "{arguments:?}");
        let own = command["parameters"].as_array().expect("parameters").iter();
        let described: BTreeSet<_> = own.chain(&global).filter_map(long).chain(["help".to_owned()]).collect();
        assert_eq!(flags_in_help(&help.stdout), described, "{arguments:?}");
    }
}

#[test]
fn describe_tells_programs_what_they_need() {
    let commands = commands();
    let infer = commands.iter().find(|command| command["name"] == "infer").expect("infer");
    let parameters = infer["parameters"].as_array().expect("parameters");
    let find = |name: &str| parameters.iter().find(|p| p["name"] == name).unwrap_or_else(|| panic!("{name}"));
    assert_eq!(find("input")["position"], 1);
    assert_eq!(find("input")["required_unless"], "list");
    assert_eq!(find("input")["multiple"], true);
    assert_eq!(find("input")["file"]["content"], "raster");
    assert_eq!(find("out")["required_unless"], "dry-run");
    assert_eq!(find("out")["file"]["direction"], "output");
    assert_eq!(find("tile")["unit"], "pixels");
    assert_eq!(find("scaling")["default"], "model");
    assert_eq!(find("blend")["choices"][0]["value"], "hann");
    assert_eq!(find("co")["multiple"], true);
    assert_eq!(find("batch")["advanced"], true);
    assert_eq!(find("dry-run")["type"], "flag");
    assert_eq!(
        (&infer["title"], &infer["group"]),
        (&"Segment rasters of any size".into(), &"classes".into())
    );
    let basic = |name: &str| find(name)["basic"] == true;
    assert!(["input", "model", "out", "bbox", "bands"].into_iter().all(basic));
    assert!(!["tile", "blend", "batch", "config"].into_iter().any(basic));
}

#[test]
fn an_error_is_three_lines_at_most() {
    let run = rs_seg(&FAILING);
    let lines: Vec<_> = run.stderr.lines().collect();
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""), "{run:?}");
    assert!(lines[0].starts_with("error: ") && lines[0].contains("no-such"), "{lines:?}");
    let known =
        |line: &&str| ["error: ", "caused by: ", "hint: "].iter().any(|start| line.starts_with(start));
    assert!(lines.len() <= 3 && lines.iter().all(known), "{lines:?}");
}

#[test]
fn with_json_progress_every_line_is_an_event() {
    let run = rs_seg(&[&FAILING[..], &["--progress", "json", "-vv"]].concat());
    let events = run.events();
    let last = events.last().expect("an event");
    assert_eq!(run.code, Some(1));
    assert!(events.iter().all(|event| event["event"].is_string()), "{events:?}");
    assert_eq!((&last["event"], &last["code"]), (&"error".into(), &"failed".into()), "{last}");
    assert!(text(&last["message"]).contains("no-such"), "{last}");
}

#[test]
fn a_made_network_is_told_as_a_result_event() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/configs/bemseg-small.toml");
    let arguments = ["model", "init", config, "--out", "net.safetensors", "--progress", "json", "--json"];
    let run = rs_seg_in(folder.path(), &arguments);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(run.json()["outputs"]["model"], "net.safetensors");
    assert_eq!(run.events().last().expect("an event")["outputs"]["model"], "net.safetensors");

    let again = rs_seg_in(folder.path(), &arguments[..5]);
    assert_eq!(again.code, Some(1));
    assert!(
        again.stderr.contains("net.safetensors exists") && again.stderr.contains("--overwrite"),
        "{again:?}"
    );

    let facts = rs_seg_in(folder.path(), &["model", "info", "net.safetensors", "--json"]).json();
    assert!(facts["parameters"].as_u64().expect("a number") > 0, "{facts}");
    assert!(facts["training"]["provenance"]["untrained-seed"] == 0, "{facts}");
}

#[test]
fn a_misspelt_key_of_a_training_is_told_with_the_network() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/configs/bemseg-small.toml");
    let text = std::fs::read_to_string(config).expect("reads");
    assert!(text.contains("[loss]\n"));
    let text = text.replace("[loss]\n", "[loss]\nauxweight = 0.3\n");
    std::fs::write(folder.path().join("mine.toml"), text).expect("writes");
    let run = rs_seg_in(folder.path(), &["model", "info", "mine.toml"]);
    assert!(run.code == Some(1) && run.stderr.contains("unknown field `auxweight`"), "{run:?}");
}

#[test]
fn a_reader_that_went_away_is_no_failure_of_ours() {
    let mut child = command(&["describe", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    drop(child.stdout.take());
    let mut stderr = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut stderr).expect("UTF-8");
    assert_eq!((child.wait().expect("ends").code(), stderr.as_str()), (Some(0), ""));
}

#[test]
fn nobody_hearing_the_error_changes_nothing() {
    let mut child = command(&FAILING).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    drop(child.stderr.take());
    assert_eq!(child.wait().expect("ends").code(), Some(1));
}

#[test]
fn doctor_finds_the_libraries_that_run() {
    let found = rs_seg(&["doctor", "--json"]).json();
    for library in ["gdal", "proj", "libtorch"] {
        let version = text(&found[library]["version"]);
        assert!(version.starts_with(|c: char| c.is_ascii_digit()), "{library}: {version}");
        assert!(text(&found[library]["path"]).contains(".so"), "{library}");
    }
    assert_eq!(found["devices"][0]["id"], "cpu");
    assert_eq!(found["devices"][0]["usable"], true);
    assert!(found["problems"].is_array());
    assert!(rs_seg(&["doctor"]).stdout.contains("GDAL"));
}

#[test]
fn completions_and_man_pages_name_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(rs_seg(&["completions", shell]).stdout.contains("infer"), "{shell}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(rs_seg_in(folder.path(), &["man", "--out", "man"]).code, Some(0));
    for page in ["rs-seg.1", "rs-seg-infer.1", "rs-seg-model-info.1"] {
        assert!(folder.path().join("man").join(page).is_file(), "{page}");
    }
    assert!(rs_seg(&["man"]).stdout.contains("rs-seg"));
}

//! A process that is lost ends the others in time, and what was learned is not lost with it.

use super::crew::{Crew, Ended, Member, arguments, free_port, told, train};
use crate::program::command;
use crate::train::fixture::{Ground, tensors};
use std::fs;
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt as _;
use std::time::{Duration, Instant};

const SETTINGS: [&str; 4] =
    ["train.steps=40", "train.log-every=1", "train.checkpoint-every=5", "train.validate-every=20"];
/// Those whose connections close notice at once; one that is only silent takes the whole time.
const LONG: [&str; 2] = ["--dist-timeout", "100s"];
const SHORT: [&str; 2] = ["--dist-timeout", "3s"];
/// Long enough for all to start on a machine that has more to do.
const SILENCE: [&str; 2] = ["--dist-timeout", "20s"];

#[track_caller]
fn assert_told(survivor: &Ended) {
    assert_eq!(survivor.status.code(), Some(1), "{survivor:?}");
    assert!(
        survivor.stderr.contains("error: another process of this training was lost while "),
        "{survivor:?}"
    );
    assert!(survivor.stderr.contains("hint: see what the other processes said before"), "{survivor:?}");
}

#[test]
fn one_that_is_killed_ends_the_others_and_a_restart_goes_on() {
    let ground = Ground::new();
    train(&ground, 2, "whole", &SETTINGS, &[]);
    // The first has the store and writes; the second does neither.
    for killed in [0, 1] {
        let out = format!("killed{killed}");
        let mut crew = Crew::start(&ground, 2, &arguments(&out, &SETTINGS, &LONG), 7);
        crew.0[killed].child.kill().expect("kills");
        let begun = Instant::now();
        let mut ended = crew.end();
        assert_eq!(ended[killed].status.signal(), Some(9), "{ended:?}");
        assert_told(&ended.swap_remove(1 - killed));
        assert!(
            begun.elapsed() < Duration::from_secs(90),
            "a closed connection is noticed before the timeout"
        );
        let told = train(&ground, 2, &out, &SETTINGS, &["--resume"]);
        assert!(told.stderr.contains("resumed at step "), "{}", told.stderr);
        ground.assert_same_run("whole", &out);
    }
}

#[test]
fn one_that_is_killed_while_a_checkpoint_is_written_leaves_a_whole_one() {
    let ground = Ground::new();
    let often: Vec<_> =
        ["train.checkpoint-every=1"].into_iter().chain(SETTINGS).filter(|s| !s.ends_with("=5")).collect();
    train(&ground, 2, "whole", &often, &[]);
    let mut crew = Crew::start(&ground, 2, &arguments("killed", &often, &LONG), 3);
    let folder = ground.path("killed");
    let is_written = || {
        let mut entries = fs::read_dir(&folder).expect("a folder").flatten();
        entries.any(|entry| entry.file_name().to_string_lossy().starts_with(".rs-seg-"))
    };
    while !is_written() {
        assert!(crew.0[0].child.try_wait().expect("waits").is_none(), "it ended before it was killed");
    }
    crew.0[0].child.kill().expect("kills");
    let mut ended = crew.end();
    assert_eq!(ended[0].status.signal(), Some(9), "{ended:?}");
    assert_told(&ended.swap_remove(1));
    assert!(!tensors(&folder.join("last.safetensors")).is_empty());
    train(&ground, 2, "killed", &often, &["--resume"]);
    ground.assert_same_run("whole", "killed");
}

#[test]
fn one_that_never_comes_is_named_after_the_timeout() {
    let ground = Ground::new();
    let port = free_port();
    for rank in [0, 1] {
        let arguments = arguments("run", &SETTINGS, &SHORT);
        let mut alone = command(&arguments);
        told(&mut alone, rank, 2, ("127.0.0.1", port));
        let output = alone.current_dir(ground.path("")).output().expect("runs");
        let text = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(1), "{text}");
        let expected = match rank {
            0 => "error: of 2 processes, these did not come within 3 s: 1".to_owned(),
            _ => format!("rank 1: error: cannot meet the other processes at 127.0.0.1:{port}: "),
        };
        assert!(text.starts_with(&expected) && text.contains("hint: "), "{text}");
        assert_eq!(text.lines().count(), 2, "nothing else is told: {text}");
    }
    assert!(!ground.path("run").exists());
}

#[test]
fn what_listens_and_never_answers_is_left_in_time_and_at_a_signal() {
    let ground = Ground::new();
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("an address").port();
    let start = |timeout: &[&str]| {
        let mut command = command(&arguments("run", &SETTINGS, timeout));
        told(&mut command, 1, 2, ("127.0.0.1", port));
        let (mut member, stderr) = Member::start(command, &ground.path(""));
        member.listen(stderr, String::new());
        member
    };
    let late = start(&SHORT).end();
    assert_eq!(late.status.code(), Some(1), "{late:?}");
    assert!(late.stderr.contains("error: cannot meet the other processes at 127.0.0.1:"), "{late:?}");
    let stopped = start(&["--dist-timeout", "3600s"]);
    // It asks whether anyone is there before it hears a signal.
    let (_connection, _) = silent.accept().and_then(|_| silent.accept()).expect("it connects");
    stopped.signal("-INT");
    let stopped = stopped.end();
    assert_eq!(stopped.status.code(), Some(130), "{stopped:?}");
    assert!(stopped.stderr.contains("error: stopped while meeting the other processes"), "{stopped:?}");
}

#[test]
fn one_that_is_killed_at_its_start_ends_the_others() {
    let ground = Ground::new();
    let mut crew = Crew::start(&ground, 3, &arguments("run", &SETTINGS, &SILENCE), 0);
    crew.0[2].child.kill().expect("kills");
    let ended = crew.end();
    for survivor in &ended[..2] {
        assert_eq!(survivor.status.code(), Some(1), "{ended:?}");
        // Wherever it was by then; the store is gone with the first one.
        let ways = ["did not come within", "cannot meet the other processes", "was lost while"];
        assert!(ways.iter().any(|way| survivor.stderr.contains(way)), "{ended:?}");
    }
}

#[test]
fn one_that_says_nothing_any_more_is_lost_after_the_timeout() {
    let ground = Ground::new();
    let endless = [&["train.steps=100000"], &SETTINGS[1..]].concat();
    let crew = Crew::start(&ground, 2, &arguments("run", &endless, &SILENCE), 5);
    crew.0[1].signal("-STOP");
    let mut members = crew.0.into_iter();
    let (first, silent) = (members.next().expect("two"), members.next().expect("two"));
    assert_told(&first.end());
    silent.signal("-KILL");
    drop(silent.end());
}

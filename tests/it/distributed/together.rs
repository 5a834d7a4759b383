//! What ends one process of a training ends all, and they go on together.

use super::crew::{Crew, arguments, told, train, train_alone};
use crate::program::command;
use crate::train::fixture::{Ground, metrics, tensors};
use std::fs;

const SETTINGS: [&str; 4] =
    ["train.steps=12", "train.log-every=1", "train.checkpoint-every=4", "train.validate-every=6"];
/// So many steps that none of them is the last before it is stopped.
const LONG: [&str; 3] = ["train.steps=100000", "train.log-every=1", "train.validate-every=0"];

#[test]
fn a_signal_to_any_ends_all_and_they_go_on_exactly() {
    let ground = Ground::new();
    train(&ground, 2, "whole", &SETTINGS, &[]);
    for rank in [0, 1] {
        let out = format!("cut{rank}");
        let crew = Crew::start(&ground, 2, &arguments(&out, &SETTINGS, &[]), 2);
        crew.0[rank].signal("-INT");
        let ended = crew.end();
        // One that got no signal itself was stopped by the other.
        assert_eq!(ended[rank].status.code(), Some(130), "{ended:?}");
        assert_eq!(ended[1 - rank].status.code(), Some(1), "{ended:?}");
        assert!(ended[0].stderr.contains("error: stopped at step "), "{ended:?}");
        assert!(ended[1].stderr.starts_with("rank 1: error: stopped at step "), "{ended:?}");
        train(&ground, 2, &out, &SETTINGS, &["--resume"]);
        ground.assert_same_run("whole", &out);
    }
}

#[test]
fn a_loss_that_is_not_finite_ends_all() {
    let ground = Ground::new();
    let settings =
        [&LONG[..], &["optimizer.kind=\"sgd\"", "optimizer.lr=1e30", "optimizer.clip-norm=0.0"]].concat();
    let ended = Crew::start(&ground, 2, &arguments("run", &settings, &[]), 0).end();
    for one in &ended {
        assert_eq!(one.status.code(), Some(1), "{ended:?}");
        assert!(one.stderr.contains("is not finite"), "{ended:?}");
    }
    assert!(ended[1].stderr.starts_with("rank 1: error: "), "{ended:?}");
}

#[test]
fn one_that_was_started_otherwise_or_cannot_read_ends_all() {
    let ground = Ground::new();
    let other = [&LONG[..], &["train.seed=7"]].concat();
    let crew = Crew::start_unlike(&ground, 2, 0, |rank| {
        let settings = if rank == 0 { &LONG[..] } else { &other };
        arguments("run", settings, &[])
    });
    for one in crew.end() {
        assert_eq!(one.status.code(), Some(1), "{one:?}");
        assert!(one.stderr.contains("not started like process 0: process 1 (other train.seed)"), "{one:?}");
        assert!(one.stderr.contains("hint: start all processes with the same arguments"), "{one:?}");
    }
    assert!(!ground.path("run/last.safetensors").exists());

    // What is done together every so many steps.
    for setting in ["train.check-ranks-every=2", "train.checkpoint-every=2"] {
        let other = [&LONG[..], &[setting]].concat();
        let crew = Crew::start_unlike(&ground, 2, 0, |rank| {
            let settings = if rank == 0 { &LONG[..] } else { &other };
            arguments("run", settings, &[])
        });
        let name = setting.split('=').next().expect("a name");
        for one in crew.end() {
            assert_eq!(one.status.code(), Some(1), "{one:?}");
            assert!(one.stderr.contains(&format!("process 1 (other {name})")), "{one:?}");
        }
    }

    // More or fewer trainings would not end together.
    for seeds in ["1,2", "2,1"] {
        let crew = Crew::start_unlike(&ground, 2, 0, |rank| {
            let seeds = ["--seeds", seeds];
            arguments("run", &LONG, if rank == 0 { &[] } else { &seeds })
        });
        for one in crew.end() {
            assert_eq!(one.status.code(), Some(1), "{one:?}");
            let expected = "error: process 1 was started with another --seeds than process 0";
            assert!(one.stderr.contains(expected), "{one:?}");
        }
    }

    // A chip that is gone from one machine alone.
    let link = ground.path("elsewhere");
    fs::create_dir(&link).expect("makes a folder");
    for entry in fs::read_dir(ground.path("chips")).expect("chips") {
        let entry = entry.expect("an entry");
        let name = entry.file_name();
        if name != "images" {
            std::os::unix::fs::symlink(entry.path(), link.join(name)).expect("links");
        }
    }
    let crew = Crew::start_unlike(&ground, 2, 0, |rank| {
        let mut arguments = arguments("run", &LONG, &[]);
        if rank == 1 {
            let data = arguments.iter().position(|argument| *argument == "chips").expect("chips");
            arguments[data] = "elsewhere";
        }
        arguments
    });
    let ended = crew.end();
    assert!(ended.iter().all(|one| one.status.code() == Some(1)), "{ended:?}");
    assert!(ended[0].stderr.contains("error: process 1 failed: "), "{ended:?}");
    assert!(ended[1].stderr.starts_with("rank 1: error: "), "{ended:?}");
}

#[test]
fn what_one_is_refused_before_the_start_is_told_by_all() {
    let ground = Ground::new();
    let short = ["train.steps=2", "train.log-every=1", "train.validate-every=0"];
    train_alone(&ground, "taken", &short, &[]);
    let before = fs::read(ground.path("taken/last.safetensors")).expect("a checkpoint");
    let refused = |out: &str, more: [&[&str]; 2]| {
        let crew = Crew::start_unlike(&ground, 2, 0, |rank| arguments(out, &short, more[rank]));
        let ended = crew.end();
        assert!(ended.iter().all(|one| one.status.code() == Some(1)), "{ended:?}");
        ended
    };
    // The folder, which the first alone looks at.
    let ended = refused("taken", [&[], &[]]);
    assert!(ended[0].stderr.contains("taken") && ended[0].stderr.contains("--resume"), "{ended:?}");
    assert!(ended[1].stderr.starts_with("rank 1: error: process 0 failed: "), "{ended:?}");
    assert_eq!(fs::read(ground.path("taken/last.safetensors")).expect("a checkpoint"), before);
    // A network that one of them has not.
    let ended = refused("new", [&[], &["--init", "gone.safetensors"]]);
    assert!(
        ended[0].stderr.contains("error: process 1 failed: ") && ended[0].stderr.contains("gone"),
        "{ended:?}"
    );
    assert!(ended[1].stderr.contains("gone.safetensors"), "{ended:?}");
    // A device that one of them has not.
    let ended = refused("new", [&[], &["--device", "cuda"]]);
    assert!(ended[0].stderr.contains("error: process 1 failed: "), "{ended:?}");
    // Checkpoints that are not the same: each sees its own folder.
    train_alone(&ground, "own", &short, &[]);
    let crew =
        Crew::start_unlike(&ground, 2, 0, |rank| arguments(["taken", "own"][rank], &short, &["--resume"]));
    for one in crew.end() {
        assert!(one.stderr.contains("process 1 (other checkpoint in --out)"), "{one:?}");
    }
    // Weights and wishes that are not the same.
    let ended = refused("new", [&["--init", "taken/last.safetensors"], &[]]);
    assert!(ended[0].stderr.contains("not started like process 0: process 1 (other --init)"), "{ended:?}");
    let ended = refused("new", [&["--overwrite"], &[]]);
    assert!(ended[1].stderr.contains("(other --resume or --overwrite)"), "{ended:?}");
    assert!(!ground.path("new/last.safetensors").exists());
}

#[test]
fn a_launcher_that_starts_all_anew_goes_on_without_being_told() {
    let ground = Ground::new();
    train(&ground, 2, "whole", &SETTINGS, &[]);
    let crew = Crew::start(&ground, 2, &arguments("killed", &SETTINGS, &[]), 5);
    for member in &crew.0 {
        member.signal("-KILL");
    }
    drop(crew.end());
    let port = super::crew::free_port();
    let again = Crew::start_each(&ground, 2, 0, |rank| {
        let mut command = command(&arguments("killed", &SETTINGS, &[]));
        told(&mut command, rank, 2, ("127.0.0.1", port));
        command.env("TORCHELASTIC_RESTART_COUNT", "1");
        command
    });
    let ended = again.succeed();
    assert!(ended[0].stderr.contains("resumed at step 4 of 12"), "{ended:?}");
    ground.assert_same_run("whole", "killed");
}

#[test]
fn another_number_of_processes_goes_on_and_says_so() {
    let ground = Ground::new();
    let first = ["train.steps=8", "train.checkpoint-every=100", "train.log-every=1"];
    let crew = Crew::start(&ground, 2, &arguments("run", &first, &[]), 3);
    crew.0[0].signal("-INT");
    drop(crew.end());
    // Two processes that accumulate two each have four memories.
    let held = tensors(&ground.path("run/last.safetensors"));
    assert!((0..4).all(|n| held.contains_key(&format!("train/contrast/{n}/cpc.bank"))), "{:?}", held.keys());
    let run = ground.run(&arguments("run", &first, &["--resume"]));
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(
        run.stderr.contains("begun by 2 processes, resumed by 1: the samples of a step differ"),
        "{run:?}"
    );
    let lines = metrics(&ground.path("run"));
    assert_eq!(lines.iter().filter(|line| line["event"] == "step").count(), 8);

    train_alone(&ground, "alone", &first, &[]);
    let told = train(&ground, 3, "alone", &first, &["--resume"]);
    assert!(told.stderr.contains("begun by 1 processes, resumed by 3"), "{}", told.stderr);
}

#[test]
fn variables_that_cannot_be_meant_are_told() {
    let ground = Ground::new();
    let mut wrong = command(&arguments("run", &[], &[]));
    told(&mut wrong, 5, 2, ("127.0.0.1", 29500));
    let output = wrong.current_dir(ground.path("")).output().expect("runs");
    let text = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains("RANK is \"5\", which is not below 2, the number of processes (WORLD_SIZE)"),
        "{text}"
    );
    assert!(text.contains("hint: ") && !ground.path("run").exists(), "{text}");
}

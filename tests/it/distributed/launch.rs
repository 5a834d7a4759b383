//! A launcher that starts processes anew lets go on what its own launch began, and nothing else.

use super::crew::{Crew, Ended, Member, arguments, free_port, told, train_alone};
use crate::program::command;
use crate::train::fixture::Ground;
use seg_torch::distributed::{Group, Rendezvous, Serves};
use std::fs;
use std::process::Command;
use std::thread;
use std::time::Duration;

const SETTINGS: [&str; 3] = ["train.steps=12", "train.log-every=1", "train.checkpoint-every=4"];

/// The store of a launcher, which lives as long as the test.
fn store() -> u16 {
    let port = free_port();
    let meeting = Rendezvous {
        host: "127.0.0.1".to_owned(),
        port,
        rank: 0,
        world: 2,
        local_rank: None,
        local_world: None,
        cores: None,
        store: Serves::First,
        restarts: 0,
        run: "launcher".to_owned(),
        interface: None,
    };
    // Nobody will come: the store is there meanwhile.
    thread::spawn(move || Group::meet(&meeting, Duration::from_secs(3600), &|| false).map(drop));
    port
}

/// What `torchrun` tells at a start of a launch.
fn start(command: &mut Command, (rank, world): (usize, usize), store: u16, restarts: u64) {
    told(command, rank, world, ("127.0.0.1", store));
    command
        .env("TORCHELASTIC_USE_AGENT_STORE", "True")
        .env("TORCHELASTIC_RESTART_COUNT", restarts.to_string());
}

fn launch(ground: &Ground, world: usize, (port, restarts): (u16, u64), more: &[&str]) -> Vec<Ended> {
    let crew = Crew::start_each(ground, world, 0, |rank| {
        let mut command = command(&arguments("run", &SETTINGS, more));
        start(&mut command, (rank, world), port, restarts);
        command
    });
    crew.end()
}

#[test]
fn an_older_training_is_refused_by_every_start() {
    let ground = Ground::new();
    train_alone(&ground, "run", &["train.steps=3"], &[]);
    let before = fs::read(ground.path("run/last.safetensors")).expect("a checkpoint");
    for world in [1, 2] {
        let port = store();
        for restarts in [0, 1] {
            let ended = launch(&ground, world, (port, restarts), &[]);
            assert_eq!(ended[0].status.code(), Some(1), "{ended:?}");
            assert!(ended[0].stderr.contains("hint: --resume goes on with it"), "{ended:?}");
        }
    }
    assert_eq!(fs::read(ground.path("run/last.safetensors")).expect("a checkpoint"), before);
}

#[test]
fn what_replaced_an_older_training_goes_on() {
    let ground = Ground::new();
    for world in [1, 2] {
        train_alone(&ground, "run", &["train.steps=3"], &["--overwrite"]);
        let port = store();
        let killed = Crew::start_each(&ground, world, 5, |rank| {
            let mut command = command(&arguments("run", &SETTINGS, &["--overwrite"]));
            start(&mut command, (rank, world), port, 0);
            command
        });
        killed.0.iter().for_each(|member: &Member| member.signal("-KILL"));
        drop(killed.end());
        let ended = launch(&ground, world, (port, 1), &["--overwrite"]);
        assert!(ended.iter().all(|one| one.status.success()), "{ended:?}");
        assert!(ended[0].stderr.contains("resumed at step 4 of 12"), "{ended:?}");
        // Another launch replaces it, even at its second start.
        let ended = launch(&ground, world, (store(), 1), &["--overwrite"]);
        assert!(ended.iter().all(|one| one.status.success()), "{ended:?}");
        assert!(!ended[0].stderr.contains("resumed at step"), "{ended:?}");
    }
}

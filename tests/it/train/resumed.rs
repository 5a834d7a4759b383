//! However often a training is interrupted, its weights are the same to the last bit.

use super::fixture::{Ground, contents, differing, drawn, metrics, tensors};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;
use std::time::Duration;

#[test]
fn killed_ten_times_it_learns_the_same() {
    let ground = Ground::new();
    let settings = ["--set", "train.steps=60", "--set", "train.validate-every=7"];
    ground.train("whole", &settings);
    for kill in 0..10 {
        let how = if kill == 0 { &[][..] } else { &["--resume"] };
        let (mut job, lines) = ground.start("killed", &[&settings[..], how].concat(), 1 + drawn(kill, 3));
        std::thread::sleep(Duration::from_millis(drawn(100 + kill, 8)));
        job.kill().expect("kills");
        drop(lines);
        assert_eq!(job.wait().expect("ends").signal(), Some(9), "the training is too short to be killed");
    }
    let run = ground.train("killed", &[&settings[..], &["--resume"]].concat());
    assert!(run.stderr.contains("resumed at step "), "{run:?}");
    ground.assert_same_run("whole", "killed");

    let lines = metrics(&ground.path("killed"));
    let steps = |event: &str| -> Vec<u64> {
        lines
            .iter()
            .filter(|line| line["event"] == event)
            .map(|line| line["step"].as_u64().expect("a step"))
            .collect()
    };
    assert_eq!(steps("step"), (2..=60).step_by(2).collect::<Vec<_>>());
    assert_eq!(steps("validation"), (7..=56).step_by(7).chain([60]).collect::<Vec<_>>());
    let tensors = tensors(&ground.path("killed/last.safetensors"));
    for kept in
        ["train/raw/", "train/adamw/first/", "train/adamw/second/", "train/contrast/0/", "train/contrast/1/"]
    {
        assert!(tensors.keys().any(|name| name.starts_with(kept)), "{kept}");
    }
    let left: BTreeSet<_> =
        contents(&ground.path("killed")).into_keys().filter(|name| name.starts_with('.')).collect();
    assert_eq!(left, BTreeSet::new(), "halves of checkpoints");
}

#[test]
fn a_signal_ends_it_with_130_and_a_way_to_go_on() {
    let ground = Ground::new();
    let settings = ["train.steps=30", "train.ema=0", "train.accumulate=1", "train.checkpoint-every=100"];
    let settings: Vec<_> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
    ground.train("whole", &settings);
    let (mut job, lines) = ground.start("cut", &settings, 2);
    let killed = Command::new("kill").args(["-INT", &job.id().to_string()]).status().expect("kill runs");
    assert!(killed.success());
    let said: Vec<_> = lines.collect();
    assert_eq!(job.wait().expect("ends").code(), Some(130), "{said:?}");
    assert!(
        said.last()
            .is_some_and(|line| line.starts_with("error: stopped at step ") && line.contains("--resume")),
        "{said:?}"
    );
    let early = fs::read(ground.path("cut/last.safetensors")).unwrap();

    // The configuration and the chips are those that it was begun with.
    let run = ground.run(&["train", "--resume", "--out", "cut", "--threads", "1"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), "cut/best.safetensors\n"), "{run:?}");
    ground.assert_same_run("whole", "cut");

    // As if it had been killed long after its last checkpoint, and after a better one was found.
    fs::write(ground.path("cut/last.safetensors"), early).unwrap();
    ground.train("cut", &[&settings[..], &["--resume"]].concat());
    ground.assert_same_run("whole", "cut");

    // One that is done stays as it is.
    let done = contents(&ground.path("cut"));
    let run = ground.run(&["train", "--resume", "--out", "cut", "--threads", "1", "--json"]);
    assert_eq!((run.code, &run.json()["steps"]), (Some(0), &30.into()), "{run:?}");
    assert!(done == contents(&ground.path("cut")));
    let run = ground.run(&["train", "--resume", "--out", "cut", "--threads", "2"]);
    assert!(run.stderr.contains("begun with 1 threads, resumed with 2"), "{run:?}");
}

#[test]
fn weights_follow_from_settings_and_seed_and_nothing_else() {
    let ground = Ground::new();
    ground.train("one", &[]);
    ground.train("same", &["--set", "train.workers=3", "--set", "train.queue=1"]);
    ground.assert_same_run("one", "same");
    ground.train("other", &["--set", "train.seed=1"]);
    let [one, other] = ["one", "other"].map(|run| tensors(&ground.path(run).join("last.safetensors")));
    let differing = differing(&one, &other);
    assert!(differing.contains(&"head.classify.weight".to_owned()), "{differing:?}");

    // Workers and checkpoints change no weight, so that they may change meanwhile.
    let (mut job, lines) = ground.start("moved", &[], 1);
    job.kill().expect("kills");
    drop(lines);
    job.wait().expect("ends");
    ground.train("moved", &["--resume", "--set", "train.workers=2", "--set", "train.checkpoint-every=1"]);
    ground.assert_same_run("one", "moved");
}

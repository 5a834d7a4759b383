//! Trainings in this process, stopped where a signal would hardly ever come.

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use seg_data::Split;
use seg_grid::{Observer, Silent, Size};
use serde_json::Value;
use tch::Tensor;

use super::*;
use crate::testing::{alone, assert_same, tiny, write_chips};
use crate::{StepReport, ValidationReport};

/// Asks to stop after so many tellings of a stage's progress.
struct StopAt {
    stage: &'static str,
    left: AtomicUsize,
}

impl StopAt {
    fn new(stage: &'static str, tellings: usize) -> Self {
        Self { stage, left: AtomicUsize::new(tellings) }
    }
}

impl Observer for StopAt {
    fn progress(&self, progress: Progress) {
        if progress.stage == self.stage {
            let _done =
                self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        }
    }

    fn warning(&self, _: &str) {}

    fn cancelled(&self) -> bool {
        self.left.load(Ordering::Relaxed) == 0
    }
}

impl TrainObserver for StopAt {
    fn step(&self, _: &StepReport) {}

    fn validated(&self, _: &ValidationReport<'_>) {}

    fn note(&self, _: &str) {}
}

const SETTINGS: &str =
    "steps = 9\nbatch = 2\nema = 0.5\nvalidate-every = 3\nlog-every = 2\ncheckpoint-every = 4";

fn job(folder: &Path, out: &str, start: Start) -> TrainJob {
    let chips = folder.join("chips");
    if !chips.exists() {
        let size = Size::square(64);
        write_chips(
            &chips,
            &[(Split::Train, size), (Split::Train, size), (Split::Val, size), (Split::Val, size)],
        );
    }
    let (config, settings) = tiny(SETTINGS);
    TrainJob {
        config,
        settings,
        data: chips,
        out: folder.join(out),
        start,
        device: Device::Cpu,
        threads: 1,
        group: None,
        launch: Some("first".to_owned()),
    }
}

const FRESH: Start = Start::Fresh { existing: Existing::Refuse };

fn tensors(run: &Path, name: &str) -> BTreeMap<String, Tensor> {
    Tensor::read_safetensors(run.join(name)).unwrap().into_iter().collect()
}

/// The lines of the metrics without what a clock measured.
fn metrics(run: &Path) -> Vec<Value> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for line in lines.iter_mut().filter_map(Value::as_object_mut) {
        line.retain(|key, _| !["samples-per-second", "waiting"].contains(&key.as_str()));
    }
    lines
}

#[test]
fn stopped_after_every_step_or_in_every_validation_it_learns_the_same() {
    let _turn = alone();
    let folder = tempfile::tempdir().unwrap();
    let whole = train(&job(folder.path(), "whole", FRESH), &Silent).unwrap();
    assert_eq!((whole.steps, whole.stopped_early), (9, false));
    // Of a resumed training's validations the first is the one that was stopped, of two chips.
    for (stage, tellings, expected) in
        [("train", 1, &[1, 2, 3, 4, 5, 6, 7, 8, 9][..]), ("validate", 3, &[3, 6, 9])]
    {
        let (mut stopped, mut start) = (Vec::new(), FRESH);
        let summary = loop {
            let tellings = if stopped.is_empty() { 1 } else { tellings };
            let job = job(folder.path(), stage, std::mem::replace(&mut start, Start::Resume));
            match train(&job, &StopAt::new(stage, tellings)) {
                Ok(summary) => break summary,
                Err(Error::Cancelled { step, .. }) => stopped.push(step),
                Err(error) => panic!("{error}"),
            }
        };
        assert_eq!(stopped, expected, "{stage}");
        assert_eq!((summary.steps, summary.miou, summary.best_step), (9, whole.miou, whole.best_step));
        for name in ["last.safetensors", "best.safetensors"] {
            assert_same(&tensors(&whole.folder, name), &tensors(&summary.folder, name));
        }
        assert_eq!(metrics(&whole.folder), metrics(&summary.folder), "{stage}");
    }
}
#[test]
fn a_score_that_is_none_is_no_best() {
    let _turn = alone();
    let folder = tempfile::tempdir().unwrap();
    let job = job(folder.path(), "run", FRESH);
    for chip in ["labels/2.pgm", "labels/3.pgm"] {
        let label = [&b"P5\n64 64\n255\n"[..], &[255; 64 * 64]].concat();
        fs::write(job.data.join(chip), label).unwrap();
    }
    let summary = train(&job, &Silent).unwrap();
    assert_eq!((summary.steps, summary.miou, summary.best), (9, None, None));
    assert!(!job.out.join("best.safetensors").exists());
    assert!(metrics(&job.out).iter().any(|line| line["event"] == "validation" && line["miou"].is_null()));
}

#[test]
fn what_is_refused_leaves_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    let job = job(folder.path(), "run", FRESH);
    fs::remove_file(job.data.join("images/0.ppm")).unwrap();
    assert!(matches!(train(&job, &Silent), Err(Error::Data(_))));
    assert!(!job.out.exists());
    assert!(matches!(resumable(&job.out), Err(Error::NothingToResume { .. })));
}

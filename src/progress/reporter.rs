//! The observer of the command line: a bar, lines or JSON events.

use super::back_off::BackOff;
use super::percent::{Percent, Stage};
use super::rate::Rate;
use crate::cli::GlobalArgs;
use crate::stderr::{LineFormat, Stderr};
use crate::value::ProgressChoice;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use seg_grid::{Observer, Progress};
use serde_json::{Value, json};
use std::io::{self, IsTerminal as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How progress is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Bar,
    Lines,
    Events,
    Off,
}

/// Why a command was asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// SIGINT or SIGTERM.
    Signal,
    /// Nobody reads standard error any more.
    ClosedPipe,
}

/// Tells how far a command is, and whether it should stop.
#[derive(Debug)]
pub(crate) struct Reporter {
    stderr: Arc<Stderr>,
    style: Style,
    started: Instant,
    state: Mutex<State>,
    interrupted: Arc<AtomicBool>,
    told_to_wait: AtomicBool,
}

#[derive(Debug)]
struct State {
    percent: Percent,
    stage: Option<(&'static str, Rate)>,
    back_off: BackOff,
    last_event: Option<Duration>,
    bar: ProgressBar,
}

/// Events closer than this to the one before are left out, but for the last step of a stage.
const EVENT_INTERVAL: Duration = Duration::from_millis(100);
const BAR: &str = "[{bar:30}] {msg}";

impl Reporter {
    /// As the flags and the terminal have it.
    pub(crate) fn new(stderr: Arc<Stderr>, global: &GlobalArgs, interrupted: Arc<AtomicBool>) -> Self {
        let style = match global.progress {
            ProgressChoice::Json => Style::Events,
            ProgressChoice::None => Style::Off,
            ProgressChoice::Auto if global.quiet => Style::Off,
            ProgressChoice::Auto | ProgressChoice::Bar if io::stderr().is_terminal() => Style::Bar,
            ProgressChoice::Auto | ProgressChoice::Bar => Style::Lines,
        };
        let state = State {
            percent: Percent::default(),
            stage: None,
            back_off: BackOff::default(),
            last_event: None,
            bar: ProgressBar::hidden(),
        };
        Self {
            stderr,
            style,
            started: Instant::now(),
            state: Mutex::new(state),
            interrupted,
            told_to_wait: AtomicBool::new(false),
        }
    }

    /// Says what is about to be done; percentages count over all of these stages.
    pub(crate) fn start(&self, command: &str, stages: &[Stage]) {
        self.start_rounds(command, stages, 1);
    }

    /// The same for stages that come so many times.
    pub(crate) fn start_rounds(&self, command: &str, stages: &[Stage], rounds: usize) {
        self.state().percent = Percent::new(stages, rounds);
        if self.style == Style::Events {
            let names: Vec<_> = stages.iter().map(|stage| stage.name).collect();
            let version = env!("CARGO_PKG_VERSION");
            self.stderr
                .event(&json!({"event": "start", "command": command, "version": version, "stages": names}));
        }
    }

    /// The stages begin once more.
    pub(crate) fn next_round(&self) {
        self.state().percent.next_round();
    }

    /// Says what was made, such as `{"classes": "classes.tif"}`; the last call of a command.
    pub(crate) fn result(&self, outputs: &Value) {
        self.end();
        if self.style == Style::Events {
            self.stderr.event(&json!({"event": "result", "outputs": outputs}));
        }
    }

    /// Takes the bar away.
    pub(crate) fn end(&self) {
        self.stderr.set_bar(None);
        self.state().bar.finish_and_clear();
    }

    /// Why the command was asked to stop, if it was.
    pub(crate) fn stopped(&self) -> Option<Stopped> {
        if self.interrupted.load(Ordering::Relaxed) {
            Some(Stopped::Signal)
        } else {
            self.stderr.closed().then_some(Stopped::ClosedPipe)
        }
    }

    /// Where everything else for standard error goes.
    pub(crate) fn stderr(&self) -> &Stderr {
        &self.stderr
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn draw(&self, state: &mut State, step: Progress, first: FirstStep, line: String) {
        if first == FirstStep::Yes {
            state.bar.finish_and_clear();
            let style = ProgressStyle::with_template(BAR).unwrap_or_else(|_| ProgressStyle::default_bar());
            let bar = ProgressBar::with_draw_target(Some(step.total), ProgressDrawTarget::stderr());
            state.bar = bar.with_style(style.progress_chars("=> "));
            self.stderr.set_bar(Some(state.bar.clone()));
        }
        state.bar.set_position(step.done);
        state.bar.set_message(line);
        if step.done >= step.total {
            self.stderr.set_bar(None);
            state.bar.finish_and_clear();
        }
    }
}

/// Whether a step is the first of its stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FirstStep {
    Yes,
    No,
}

impl Observer for Reporter {
    fn progress(&self, step: Progress) {
        if self.style == Style::Off {
            return;
        }
        let elapsed = self.started.elapsed();
        let mut state = self.state();
        let percent = state.percent.after(step);
        let (rate, first) = match state.stage {
            Some((name, rate)) if name == step.stage => (rate, FirstStep::No),
            _ => (Rate::new(step, elapsed), FirstStep::Yes),
        };
        state.stage = Some((step.stage, rate));
        let last = step.done >= step.total;
        let event = json!({
            "event": "progress", "stage": step.stage, "done": step.done, "total": step.total, "percent": percent,
        });
        match self.style {
            Style::Bar => self.draw(&mut state, step, first, rate.line(step, elapsed)),
            Style::Events => {
                let soon = state.last_event.is_some_and(|at| elapsed < at + EVENT_INTERVAL);
                if !soon || last || first == FirstStep::Yes {
                    state.last_event = Some(elapsed);
                    self.stderr.event(&event);
                }
            }
            Style::Lines if state.back_off.is_due(elapsed) || last => match self.stderr.format() {
                LineFormat::Text => self.stderr.line(&rate.line(step, elapsed)),
                LineFormat::Events => self.stderr.event(&event),
            },
            Style::Lines | Style::Off => {}
        }
    }

    fn warning(&self, message: &str) {
        match self.stderr.format() {
            LineFormat::Text => self.stderr.line(&format!("warning: {message}")),
            LineFormat::Events => self.stderr.event(&json!({"event": "warning", "message": message})),
        }
    }

    fn cancelled(&self) -> bool {
        let stopped = self.stopped();
        if stopped == Some(Stopped::Signal) && !self.told_to_wait.swap(true, Ordering::Relaxed) {
            let message = "interrupted: finishing what is on its way; once more to stop at once";
            match self.stderr.format() {
                LineFormat::Text => self.stderr.line(message),
                LineFormat::Events => self.warning(message),
            }
        }
        stopped.is_some()
    }
}

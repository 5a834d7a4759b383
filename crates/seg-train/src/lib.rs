//! The only crate where chips meet tensors: it trains networks, exactly resumable, and tests them.
//!
//! * [`TrainSettings`] are the sections of a configuration file that only training reads.
//! * [`train`] does a [`TrainJob`]: samples from [`seg_data`], a network and losses from [`seg_nn`], and a
//!   folder with metrics, TensorBoard events and checkpoints.
//! * A [`TrainObserver`] hears of steps and validations, and can stop the training, which then goes on with
//!   [`Start::Resume`] as if nothing had been.
//! * [`evaluate`] tests a network on chips by [`Passes`](seg_run::Passes): sliding window, scales, turns.
//! * [`learning_rate`] is the schedule, a pure function of the step.

mod average;
mod chip_work;
mod chips;
mod classes;
mod crew;
mod error;
mod evaluate;
mod learner;
mod meter;
mod observer;
mod optimizer;
mod recorder;
mod run_folder;
mod saved_run;
mod schedule;
mod settings;
mod summary;
mod tensor;
#[cfg(test)]
mod testing;
mod together;
mod trainer;
mod validate;

pub use error::Error;
pub use evaluate::{ChipScene, EvaluateJob, Evaluated, SeenChip, evaluate, look};
pub use observer::{StepReport, TrainObserver, ValidationReport};
pub use run_folder::{Existing, metrics, page, report_stem};
pub use schedule::learning_rate;
pub use settings::{
    Curve, LoopSettings, OptimizerKind, OptimizerSettings, Precision, ScheduleSettings, TrainSettings,
};
pub use summary::TrainSummary;
pub use trainer::{Start, TrainJob, begun_by, check_folder, is_begun, resumable, train};

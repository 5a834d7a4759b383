//! What a training could not do.

use std::io;
use std::path::{Path, PathBuf};

use seg_nn::is_out_of_memory;
use tch::TchError;

use crate::run_folder;

/// What this crate could not do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A section of a configuration file cannot be understood.
    #[error("{}: section [{name}] cannot be understood", path.display())]
    Section {
        /// The file.
        path: PathBuf,
        /// The section.
        name: &'static str,
        /// What is wrong with it.
        source: Box<toml::de::Error>,
    },
    /// A setting has a value that cannot be meant.
    #[error("{}: {key}: {problem}", path.display())]
    Setting {
        /// The file.
        path: PathBuf,
        /// The key, such as `train.ema`.
        key: String,
        /// What is wrong with its value.
        problem: String,
    },
    /// Settings cannot be written as TOML.
    #[error("cannot write the settings as TOML")]
    NotToml {
        /// Why.
        source: Box<toml::ser::Error>,
    },
    /// A file or folder of the run.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was being done.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A run folder that is there already.
    #[error("{} holds a training already: {} is there", path.display(), file.display())]
    Exists {
        /// The folder.
        path: PathBuf,
        /// One of its files: the checkpoint that can be resumed where there is one.
        file: PathBuf,
    },
    /// A folder that another process trains in.
    #[error("another rs-seg trains in {}", path.display())]
    Busy {
        /// The folder.
        path: PathBuf,
    },
    /// There is nothing to go on with.
    #[error("{} holds no training to resume: {} is missing", path.display(), checkpoint.display())]
    NothingToResume {
        /// The folder.
        path: PathBuf,
        /// The checkpoint that was looked for.
        checkpoint: PathBuf,
    },
    /// A run that was begun otherwise than it shall go on.
    #[error("{} cannot be resumed, it was begun with other settings: {differing}", path.display())]
    OtherRun {
        /// The folder.
        path: PathBuf,
        /// What differs.
        differing: String,
    },
    /// A checkpoint without what resuming needs.
    #[error("{} cannot be resumed: it holds no state of a training", path.display())]
    NotResumable {
        /// The checkpoint.
        path: PathBuf,
    },
    /// A checkpoint whose state of training does not fit.
    #[error("{} cannot be resumed: {problem}", path.display())]
    State {
        /// The checkpoint.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// Chips that are not those that a run was begun with.
    #[error("{} cannot be resumed: the chips of {} are not those it was begun with", path.display(), data.display())]
    OtherChips {
        /// The folder of the run.
        path: PathBuf,
        /// The folder of the chips.
        data: PathBuf,
    },
    /// A loss, gradient or weight that is not a number.
    #[error("{what} of step {step} is not finite ({value})")]
    NotFinite {
        /// Which.
        what: &'static str,
        /// The step.
        step: u64,
        /// Its value.
        value: f64,
        /// The folder of the run.
        run: PathBuf,
        /// Where the batch was saved, if it could be.
        batch: Option<PathBuf>,
    },
    /// A test that makes no sense.
    #[error("the network cannot be tested so: {0}")]
    Passes(#[from] seg_run::BadPasses),
    /// A chip that a network could not be run on.
    #[error("cannot segment {chip}")]
    Chip {
        /// Its image.
        chip: String,
        /// Why.
        source: Box<Self>,
    },
    /// Samples could not be had.
    #[error(transparent)]
    Data(#[from] seg_data::Error),
    /// The network could not be built, run, read or written.
    #[error(transparent)]
    Network(#[from] seg_nn::Error),
    /// libtorch refused something.
    #[error(transparent)]
    Torch {
        /// Why.
        #[from]
        source: seg_torch::Error,
    },
    /// libtorch failed.
    #[error("cannot {action}: {reason}")]
    Compute {
        /// What was being done.
        action: &'static str,
        /// What libtorch says.
        reason: String,
    },
    /// The classes of the configuration are no legend.
    #[error("the classes of the configuration cannot be used")]
    Legend(#[from] seg_label::Error),
    /// The event file could not be read or written.
    #[error(transparent)]
    Events(#[from] seg_events::Error),
    /// A picture could not be made.
    #[error(transparent)]
    Picture(#[from] seg_report::Error),
    /// Another process of the training could not go on.
    #[error("process {rank} failed: {message}")]
    OtherProcess {
        /// Its number.
        rank: usize,
        /// What it says.
        message: String,
    },
    /// Processes of a training that were started otherwise than the first.
    #[error("not started like process 0: {ranks} (other {differing})")]
    OtherJobs {
        /// `process 1`, or `processes 1, 2`.
        ranks: String,
        /// What is not the same.
        differing: String,
    },
    /// Processes of a training whose weights have drifted away.
    #[error("after step {step} the weights of {ranks} are not those of process 0")]
    OtherWeights {
        /// Steps done.
        step: u64,
        /// Their numbers.
        ranks: String,
    },
    /// The caller asked the training to stop.
    #[error("stopped at step {step}; {} goes on from there with --resume", path.display())]
    Cancelled {
        /// Steps done.
        step: u64,
        /// The folder of the run.
        path: PathBuf,
    },
}

/// What helps where memory is short.
const LESS_MEMORY: &str =
    "use a smaller train.batch with a larger train.accumulate, or a smaller train.crop-px";

/// What seg-torch says of a lost process, inside of a network where it is a text.
const LOST: &str = "another process of this training was lost";
const LOST_HINT: &str = "see what the other processes said before; start all of them again with --resume";

impl From<seg_run::PassError> for Error {
    fn from(error: seg_run::PassError) -> Self {
        match error {
            seg_run::PassError::Passes(error) => error.into(),
            seg_run::PassError::Network(error) => error.into(),
            seg_run::PassError::Stopped => seg_data::Error::Cancelled.into(),
        }
    }
}

impl Error {
    /// What the user can do about it, where there is something.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Exists { path, file } if *file == run_folder::last(path) => {
                "--resume goes on with it, --overwrite begins anew; or choose another folder"
            }
            Self::Exists { .. } => "--overwrite removes it and begins anew; or choose another folder",
            Self::Busy { .. } => "wait until it has ended, or choose another folder",
            Self::NothingToResume { .. } => "begin it without --resume",
            Self::OtherRun { .. } => {
                "leave out --config and --set to go on as it was begun, or begin anew in another folder"
            }
            Self::NotResumable { .. } => {
                "only last.safetensors of a run can be resumed; --init begins from any"
            }
            Self::OtherChips { path, .. } => {
                return Some(format!(
                    "give --data with those chips, or begin anew in another folder with --init {}",
                    run_folder::last(path).display()
                ));
            }
            Self::State { .. } => "--init begins a new training with its weights",
            Self::NotFinite { run, batch, .. } => {
                let batch = batch
                    .as_ref()
                    .map_or(String::new(), |path| format!("; the batch is in {}", path.display()));
                return Some(format!(
                    "begin anew in another folder with a lower optimizer.lr or with optimizer.clip-norm, and with \
                     --init {} to keep what was learned{batch}",
                    run_folder::last(run).display()
                ));
            }
            Self::OtherJobs { .. } => {
                "start all processes with the same arguments, and let all of them see the same folders"
            }
            Self::OtherWeights { .. } => {
                "see that all machines have the same kind of processor or GPU and the same libtorch; --resume goes on \
                 from the last checkpoint"
            }
            Self::Network(error) if error.to_string().contains(LOST) => LOST_HINT,
            Self::Passes(_) => "`--scales` takes ratios such as 0.5,1,1.5; `--stride` is at most `--window`",
            Self::Chip { source, .. } => {
                let of_source = source.hint();
                return if of_source.as_deref() == Some(LESS_MEMORY) {
                    Some("use fewer `--threads` or a smaller `--window`".to_owned())
                } else {
                    of_source
                };
            }
            Self::Compute { reason, .. } if is_out_of_memory(reason) => LESS_MEMORY,
            Self::Network(error) if is_out_of_memory(&error.to_string()) => LESS_MEMORY,
            Self::Data(error) => return error.hint(),
            Self::Network(error) => return error.hint(),
            Self::Torch { source } => return source.hint(),
            Self::Legend(error) => return error.hint(),
            Self::Events(error) => return error.hint(),
            _ => return None,
        };
        Some(text.to_owned())
    }

    /// Whether the processes cannot talk to each other any more.
    pub fn is_loss_of_peer(&self) -> bool {
        match self {
            Self::Torch { source } => matches!(source, seg_torch::Error::PeerLost { .. }),
            Self::Network(error) => error.to_string().contains(LOST),
            _ => false,
        }
    }

    /// For `map_err`: a failure of libtorch while `action` was done.
    pub(crate) fn torch(action: &'static str) -> impl Fn(TchError) -> Self {
        move |error| {
            let text = error.to_string();
            Self::Compute { action, reason: text.lines().next().unwrap_or_default().to_owned() }
        }
    }

    /// For `map_err`: a file of the run.
    pub(crate) fn file(action: &'static str, path: &Path) -> impl Fn(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::File { action, path: path.clone(), source }
    }
}

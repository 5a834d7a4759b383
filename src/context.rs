//! What every command gets besides its own arguments.

use crate::cli::{GdalArgs, GlobalArgs};
use crate::diagnostic::Advice;
use crate::printer::Printer;
use crate::progress::Reporter;
use crate::stderr::Stderr;
use crate::value::DeviceArg;
use crate::{interrupt, logging};
use seg_grid::Observer as _;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::thread;

/// What becomes of an output that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existing {
    /// It stays, and the command is refused.
    Refuse,
    /// It is replaced when the new one is whole.
    Replace,
}

/// What a result looks like on standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResultFormat {
    /// Text for people.
    Text,
    /// One JSON value.
    Json,
}

/// Where the number of threads comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ThreadsOf {
    /// The flag.
    User,
    /// The processor's cores.
    Machine,
}

/// What every command gets besides its own arguments.
#[derive(Debug)]
pub(crate) struct Context {
    /// Results to standard output, notes to standard error.
    pub printer: Printer,
    /// Tells how far the command is, and whether it should stop: a [`seg_grid::Observer`].
    pub progress: Reporter,
    /// Processor threads to use.
    pub threads: usize,
    /// Where that number comes from.
    threads_of: ThreadsOf,
    /// Where networks are to run; [`Context::network_device`] finds what that is here.
    pub device: DeviceArg,
    /// What becomes of outputs that exist.
    pub existing: Existing,
    /// What the result looks like.
    pub format: ResultFormat,
}

impl Context {
    /// Sets up the log, the signals and the progress that the flags ask for.
    pub(crate) fn new(global: &GlobalArgs) -> anyhow::Result<Self> {
        let stderr = Arc::new(Stderr::new(global.progress, global.log_format));
        logging::install(&stderr, global)?;
        let interrupted = interrupt::install()?;
        Ok(Self {
            printer: Printer::new(Arc::clone(&stderr), global.quiet),
            progress: Reporter::new(stderr, global, interrupted),
            threads: global
                .threads
                .or_else(|| thread::available_parallelism().ok())
                .map_or(1, NonZeroUsize::get),
            threads_of: if global.threads.is_some() { ThreadsOf::User } else { ThreadsOf::Machine },
            device: global.device,
            existing: if global.overwrite { Existing::Replace } else { Existing::Refuse },
            format: if global.json { ResultFormat::Json } else { ResultFormat::Text },
        })
    }

    /// Threads for a process that was given so many cores, unless the user says how many.
    pub(crate) fn threads_of(&self, cores: usize) -> usize {
        match self.threads_of {
            ThreadsOf::User => self.threads,
            ThreadsOf::Machine => self.threads.min(cores).max(1),
        }
    }

    /// Threads for each of several processes on this machine, which share its cores unless the user says how many.
    pub(crate) fn threads_beside(&self, processes: usize) -> usize {
        match self.threads_of {
            ThreadsOf::User => self.threads,
            ThreadsOf::Machine => (self.threads / processes.max(1)).max(1),
        }
    }

    /// Where networks run; a GPU that is there and cannot be used is told. To be called before the first tensor.
    pub(crate) fn network_device(&self) -> anyhow::Result<tch::Device> {
        self.choose_device(self.device)
    }

    /// The same for a device that something else than the flag names.
    pub(crate) fn choose_device(&self, wanted: DeviceArg) -> anyhow::Result<tch::Device> {
        let chosen = seg_nn::choose_device(&wanted.to_string())?;
        if let Some(warning) = &chosen.warning {
            self.progress.warning(warning);
        }
        Ok(chosen.device)
    }

    /// Hands `--config KEY=VALUE` to GDAL; call it before the first raster is opened.
    pub(crate) fn configure_gdal(args: &GdalArgs) -> anyhow::Result<()> {
        for option in &args.config {
            seg_gdal::set_config(&option.key, &option.value)?;
        }
        Ok(())
    }

    /// Refuses an output that exists without `--overwrite`, and one in a folder that does not exist.
    ///
    /// Only for files that this program writes, never for names that GDAL opens.
    pub(crate) fn check_output(&self, path: &Path) -> anyhow::Result<()> {
        Self::check_writable(path, self.existing)
    }

    /// The same where something else than the flag decides about outputs that exist.
    pub(crate) fn check_writable(path: &Path, existing: Existing) -> anyhow::Result<()> {
        if path.is_dir() {
            let what = format!("{} is a folder, not a file to write", path.display());
            return Err(Advice::new(what, "name a file in it").into());
        }
        if existing == Existing::Refuse && path.exists() {
            let hint = "--overwrite replaces it when the new one is whole";
            return Err(Advice::new(format!("{} exists", path.display()), hint).into());
        }
        Self::check_folder_of(path)
    }

    /// Refuses an output in a folder that does not exist, or that takes no files.
    pub(crate) fn check_folder_of(path: &Path) -> anyhow::Result<()> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
            let what =
                format!("cannot write {}: the folder {} does not exist", path.display(), folder.display());
            return Err(Advice::new(what, format!("make it: mkdir -p {}", folder.display())).into());
        }
        // Before hours of work, not after them: a file for a moment tells whether the folder takes files.
        let folder = folder.unwrap_or(Path::new("."));
        match tempfile::NamedTempFile::new_in(folder) {
            Ok(_) => Ok(()),
            Err(source) => {
                let what = format!("cannot write to the folder {}: {source}", folder.display());
                Err(Advice::new(what, "choose another folder, or allow writing there").into())
            }
        }
    }
}

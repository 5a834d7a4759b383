//! One launch of processes by `torchrun`, however often it starts them anew.

use std::ffi::{CStr, c_char};
use std::time::{Duration, SystemTime};

use super::ffi;
use super::group::{c_text, milliseconds};
use super::patience::wait_for;
use super::rendezvous::Variables;
use crate::error::Error;
use crate::ffi::{OK, last_error};

/// The launcher of this process, which starts all of its processes anew when it loses one.
///
/// # Examples
/// ```
/// use seg_torch::distributed::Launcher;
///
/// let variables = [("MASTER_ADDR", "node1"), ("MASTER_PORT", "29500"), ("TORCHELASTIC_RESTART_COUNT", "2")];
/// let lookup = |name: &str| variables.iter().find(|v| v.0 == name).map(|v| v.1.to_owned());
/// let launcher = Launcher::from_lookup(lookup)?;
/// assert_eq!(launcher.restarts, 2);
/// // It has no store of its own that could remember this launch.
/// assert!(launcher.store.is_none());
/// # Ok::<(), seg_torch::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launcher {
    /// How often it started them anew.
    pub restarts: u64,
    /// Its store, which lives as long as it does; there is none where the first process has the store.
    pub store: Option<LauncherStore>,
}

/// The store of a launcher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LauncherStore {
    host: String,
    port: u16,
    /// What keeps a training's keys in a store that others use too.
    run: String,
}

/// More than a name has bytes.
const NAME: usize = 128;

impl Launcher {
    /// Reads the environment of this process.
    ///
    /// # Errors
    /// As [`from_lookup`](Self::from_lookup).
    pub fn from_environment() -> Result<Self, Error> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// Reads variables by their names.
    ///
    /// # Errors
    /// When a variable has a value that cannot be meant.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let variables = Variables(&lookup);
        let store = match (variables.launcher_has_store()?, variables.text("MASTER_ADDR")) {
            (true, Some(host)) => {
                Some(LauncherStore { host, port: variables.port("MASTER_ADDR is")?, run: variables.run() })
            }
            _ => None,
        };
        Ok(Self { restarts: variables.restarts()?, store })
    }
}

impl LauncherStore {
    /// The name of this launch, which is the same after every restart and that of no other launch.
    ///
    /// # Errors
    /// When the store does not answer within the timeout, or the caller stops.
    pub fn launch(&self, timeout: Duration, cancelled: &dyn Fn() -> bool) -> Result<String, Error> {
        let late = || self.failed("the launcher's store gives no answer".to_owned());
        let own = self.clone();
        let work = move || own.ask(timeout).map_err(|reason| own.failed(reason));
        wait_for(timeout, cancelled, "asking the launcher", late, work)
    }

    fn failed(&self, reason: String) -> Error {
        Error::Meet { host: self.host.clone(), port: self.port, reason }
    }

    /// Asks for the name, or gives it one.
    fn ask(&self, timeout: Duration) -> Result<String, String> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_nanos());
        let offered = format!("{}-{now:x}", std::process::id());
        let (host, prefix) = (c_text(&self.host)?, c_text(&format!("rs-seg/{}", self.run))?);
        let offered = c_text(&offered)?;
        let mut name = [0 as c_char; NAME];
        // SAFETY: the texts end in NUL and live during the call, which writes at most so many bytes, NUL included.
        let status = unsafe {
            ffi::seg_torch_launch_name(
                host.as_ptr(),
                self.port,
                prefix.as_ptr(),
                offered.as_ptr(),
                milliseconds(timeout),
                name.as_mut_ptr(),
                name.len(),
            )
        };
        match status {
            // SAFETY: on success it ends in NUL, within its bytes.
            OK => Ok(unsafe { CStr::from_ptr(name.as_ptr()) }.to_string_lossy().into_owned()),
            _ => Err(last_error()),
        }
    }
}

//! How the program ends: 0 done, 1 failed, 2 wrong usage, 130 interrupted.

use crate::diagnostic::Diagnostic;
use crate::progress::{Reporter, Stopped};
use crate::stderr::Stderr;
use crate::value::{LogFormat, ProgressChoice};
use std::io::{self, Write as _};
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::{Mutex, PoisonError};

/// The status of a run that a signal ended.
pub(crate) const INTERRUPTED: i32 = 130;
const DONE: i32 = 0;
const FAILED: i32 = 1;

/// Where and why the last panic was.
static LAST_PANIC: Mutex<Option<(String, String)>> = Mutex::new(None);

/// Ends the program without taking libtorch apart first, which takes a fifth as long as loading it, for nothing.
pub(crate) fn end(status: i32) -> ! {
    // Results are flushed as they are printed, and only what nobody reads is left.
    let _ = io::stdout().flush();
    signal_hook::low_level::exit(status)
}

/// Tells what is wrong with the command line, or prints the help or version that was asked for.
pub(crate) fn usage(error: &clap::Error) -> i32 {
    // Where it cannot be told, nobody is there to hear.
    let _ = error.print();
    error.exit_code()
}

/// Tells why no command could be run.
pub(crate) fn before(error: &anyhow::Error) -> i32 {
    Diagnostic::new(error).tell(&Stderr::new(ProgressChoice::None, LogFormat::Text));
    FAILED
}

/// Runs a command, tells its error, and turns a bug into an error.
pub(crate) fn after(progress: &Reporter, command: impl FnOnce() -> anyhow::Result<()>) -> i32 {
    if std::env::var_os("RUST_BACKTRACE").is_none() {
        panic::set_hook(Box::new(remember));
    }
    let outcome = panic::catch_unwind(AssertUnwindSafe(command));
    progress.end();
    let (diagnostic, status) = match outcome {
        Ok(Ok(())) => return DONE,
        Ok(Err(error)) if is_closed_stdout(&error) => return DONE,
        Ok(Err(error)) => match progress.stopped() {
            Some(Stopped::Signal) => {
                (Diagnostic { code: "interrupted", ..Diagnostic::new(&error) }, INTERRUPTED)
            }
            Some(Stopped::ClosedPipe) | None => (Diagnostic::new(&error), FAILED),
        },
        Err(_) => (bug(LAST_PANIC.lock().unwrap_or_else(PoisonError::into_inner).take()), FAILED),
    };
    diagnostic.tell(progress.stderr());
    status
}

/// Whether the reader of the results went away, such as `head`: no fault of anyone's.
fn is_closed_stdout(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Keeps a panic for [`bug`]; panics of libtorch that the network's caller handles are never told.
fn remember(info: &PanicHookInfo<'_>) {
    let payload = info.payload();
    let text = payload.downcast_ref::<&str>().copied();
    let message =
        text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    tracing::debug!(place, "panic: {message}");
    // The scope of a thread that panicked panics too, and says nothing about why.
    if message != "a scoped thread panicked" {
        let panic = (message.to_owned(), place);
        *LAST_PANIC.lock().unwrap_or_else(PoisonError::into_inner) = Some(panic);
    }
}

fn bug(panic: Option<(String, String)>) -> Diagnostic {
    Diagnostic {
        code: "bug",
        message: "this is a bug in rs-seg, not your fault".to_owned(),
        cause: panic.map(|(message, place)| format!("{message} ({place})")),
        hint: Some(
            "please report it with the command, this message and the output of `rs-seg doctor`".to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bug_asks_for_a_report_and_names_the_place() {
        let bug = bug(Some(("index out of bounds".to_owned(), "src/x.rs:1:2".to_owned())));
        assert_eq!(bug.cause.as_deref(), Some("index out of bounds (src/x.rs:1:2)"));
        assert!(bug.hint.is_some_and(|hint| hint.contains("report")));
    }

    #[test]
    fn a_closed_reader_is_told_from_other_faults() {
        let closed = anyhow::Error::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert!(is_closed_stdout(&closed));
        assert!(is_closed_stdout(&closed.context("cannot write to standard output")));
        assert!(!is_closed_stdout(&anyhow::anyhow!("broken pipe")));
    }
}

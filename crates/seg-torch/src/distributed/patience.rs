//! Calls of libtorch that wait for others and cannot be stopped, and a caller that can.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::Error;

/// How often the caller is asked whether it still wants to wait.
const SLICE: Duration = Duration::from_millis(50);

/// Does something in a thread of its own, and leaves that alone when time is up, which is the error `late`, or when the
/// caller wants to stop.
pub(super) fn wait_for<T: Send + 'static>(
    limit: Duration,
    cancelled: &dyn Fn() -> bool,
    action: &'static str,
    late: impl FnOnce() -> Error,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let begun = Instant::now();
    let (give, take) = mpsc::channel();
    // Nobody takes what comes too late: it is dropped in the thread.
    thread::spawn(move || give.send(work()));
    loop {
        if cancelled() {
            return Err(Error::Cancelled { action });
        }
        let left = limit.saturating_sub(begun.elapsed());
        match take.recv_timeout(SLICE.min(left)) {
            Ok(done) => return done,
            Err(RecvTimeoutError::Timeout) if left > SLICE => {}
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return Err(late()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    fn late() -> Error {
        Error::Setting { action: "end", reason: "late".to_owned() }
    }

    #[test]
    fn what_is_done_in_time_is_returned() {
        assert_eq!(wait_for(LONG, &|| false, "counting", late, || Ok(3)).unwrap(), 3);
        let failed = || Err::<(), _>(Error::Device { device: "x".to_owned() });
        let failed = wait_for(LONG, &|| false, "failing", late, failed);
        assert!(matches!(failed, Err(Error::Device { .. })));
    }

    #[test]
    fn what_hangs_is_left_alone() {
        let hang = || {
            thread::sleep(LONG);
            Ok(())
        };
        let begun = Instant::now();
        let ended = wait_for(Duration::from_millis(120), &|| false, "hanging", late, hang);
        assert!(matches!(ended, Err(Error::Setting { .. })));
        let asked = AtomicBool::new(false);
        let second_time = || asked.swap(true, Ordering::Relaxed);
        let ended = wait_for(LONG, &second_time, "hanging", late, hang);
        assert!(matches!(ended, Err(Error::Cancelled { action: "hanging" })));
        assert!(begun.elapsed() < LONG);
    }
}

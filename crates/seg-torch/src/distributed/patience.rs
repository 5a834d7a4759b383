//! Calls of libtorch that wait for others and cannot be stopped, and a caller that can.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::Error;

/// How often the caller is asked whether it still wants to wait.
const SLICE: Duration = Duration::from_millis(50);

/// Why nothing came of it.
#[derive(Debug)]
pub(super) enum Impatience {
    /// It took longer than it may.
    TimeUp,
    /// The caller does not want it any more.
    Cancelled,
    /// It failed.
    Failed(Error),
}

/// Does something in a thread of its own, and leaves that alone when time is up or the caller wants to stop.
pub(super) fn wait_for<T: Send + 'static>(
    limit: Duration,
    cancelled: &dyn Fn() -> bool,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Impatience> {
    let begun = Instant::now();
    let (give, take) = mpsc::channel();
    // Nobody takes what comes too late: it is dropped in the thread.
    thread::spawn(move || give.send(work()));
    loop {
        if cancelled() {
            return Err(Impatience::Cancelled);
        }
        let left = limit.saturating_sub(begun.elapsed());
        match take.recv_timeout(SLICE.min(left)) {
            Ok(done) => return done.map_err(Impatience::Failed),
            Err(RecvTimeoutError::Timeout) if left > SLICE => {}
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                return Err(Impatience::TimeUp);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    #[test]
    fn what_is_done_in_time_is_returned() {
        assert_eq!(wait_for(LONG, &|| false, || Ok(3)).unwrap(), 3);
        let failed = wait_for(LONG, &|| false, || Err::<(), _>(Error::Device { device: "x".to_owned() }));
        assert!(matches!(failed, Err(Impatience::Failed(Error::Device { .. }))));
    }

    #[test]
    fn what_hangs_is_left_alone() {
        let hang = || {
            thread::sleep(LONG);
            Ok(())
        };
        let begun = Instant::now();
        assert!(matches!(wait_for(Duration::from_millis(120), &|| false, hang), Err(Impatience::TimeUp)));
        let asked = AtomicBool::new(false);
        let second_time = || asked.swap(true, Ordering::Relaxed);
        assert!(matches!(wait_for(LONG, &second_time, hang), Err(Impatience::Cancelled)));
        assert!(begun.elapsed() < LONG);
    }
}

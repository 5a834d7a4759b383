use std::sync::{Mutex, MutexGuard, PoisonError};

/// What each thread of a pool has open, so that a file is not opened anew for every window.
#[derive(Debug)]
pub(crate) struct Slots<T>(Vec<Mutex<Option<(usize, T)>>>);

impl<T> Slots<T> {
    /// One for each thread of the current pool.
    pub(crate) fn new() -> Self {
        Self((0..rayon::current_num_threads()).map(|_| Mutex::new(None)).collect())
    }

    /// Gives `work` what this thread has open under `number`, after opening it if it is something else.
    pub(crate) fn with<R, E>(
        &self,
        number: usize,
        open: impl FnOnce() -> Result<T, E>,
        work: impl FnOnce(&mut T) -> Result<R, E>,
    ) -> Result<R, E> {
        let thread = rayon::current_thread_index().unwrap_or(0) % self.0.len();
        let mut slot: MutexGuard<'_, _> = self.0[thread].lock().unwrap_or_else(PoisonError::into_inner);
        let (_, value) = match slot.take() {
            Some(kept) if kept.0 == number => slot.insert(kept),
            _ => slot.insert((number, open()?)),
        };
        work(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_open_is_kept_until_another_is_asked_for() {
        let slots = Slots::new();
        let mut opened = Vec::new();
        for number in [1, 1, 2, 2, 1] {
            let got: Result<_, ()> = slots.with(
                number,
                || {
                    opened.push(number);
                    Ok(number * 10)
                },
                |value| Ok(*value),
            );
            assert_eq!(got, Ok(number * 10));
        }
        assert_eq!(opened, [1, 2, 1]);
    }
}

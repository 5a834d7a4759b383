//! How chips are dealt out to threads that run a network.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use seg_grid::{Observer, Progress};
use seg_nn::SegModel;

use crate::Error;

/// A network that goes over chips.
#[derive(Clone, Copy)]
pub(crate) struct ChipWork<'a> {
    pub(crate) network: &'a dyn SegModel,
    /// How many chips there are.
    pub(crate) chips: usize,
    pub(crate) threads: usize,
    /// What progress calls it.
    pub(crate) stage: &'static str,
    pub(crate) observer: &'a dyn Observer,
}

impl ChipWork<'_> {
    /// Does `each` for every chip by its number, and gives `merge` what came of it, in any order; returns how many
    /// were done before the observer cancelled.
    ///
    /// Every chip is computed on one thread, so that what comes of it does not depend on the number of threads.
    pub(crate) fn run<T: Send>(
        &self,
        each: impl Fn(&dyn SegModel, usize) -> Result<T, Error> + Sync,
        merge: impl FnMut(T) -> Result<(), Error> + Send,
    ) -> Result<usize, Error> {
        let (total, observer, stage) = (self.chips, self.observer, self.stage);
        let (merge, next, done) = (Mutex::new(Ok(merge)), AtomicUsize::new(0), AtomicUsize::new(0));
        let work = |network: Box<dyn SegModel>| {
            seg_torch::set_intra_op_threads(1);
            loop {
                let chip = next.fetch_add(1, Ordering::Relaxed);
                if chip >= total || observer.cancelled() {
                    return;
                }
                let outcome = each(&*network, chip);
                let mut merge = merge.lock().unwrap_or_else(PoisonError::into_inner);
                let merged = match (&mut *merge, outcome) {
                    (Ok(merge), Ok(outcome)) => merge(outcome),
                    (Ok(_), Err(error)) => Err(error),
                    (Err(_), _) => return,
                };
                if let Err(error) = merged {
                    *merge = Err(error);
                    return;
                }
                let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                observer.progress(Progress { stage, done: done as u64, total: total as u64 });
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..self.threads.min(total).max(1) {
                let fork = self.network.fork();
                scope.spawn(|| work(fork));
            }
        });
        merge.into_inner().unwrap_or_else(PoisonError::into_inner)?;
        Ok(done.into_inner())
    }
}

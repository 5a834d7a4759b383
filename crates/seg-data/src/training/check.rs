use crate::{ChipSet, Error};
use rayon::prelude::*;
use seg_grid::{Observer, Progress, Window};
use std::sync::atomic::{AtomicU64, Ordering};

/// Reads every label of a set, and of every image its size and bands, before training time is spent.
///
/// It works on the threads of the current pool. The first chip that is wrong, in the order of the manifest, is the
/// one told.
///
/// # Errors
/// If a file cannot be opened or read, has another size than the manifest says, too few bands, or ids that its
/// folder's legend does not have, or if the observer cancels.
pub fn check_chips(set: &ChipSet, observer: &dyn Observer) -> Result<(), Error> {
    let done = AtomicU64::new(0);
    let total = set.len() as u64;
    let check = |chip: usize| {
        if observer.cancelled() {
            return Err(Error::Cancelled);
        }
        set.open_image(chip)?;
        set.read_label(chip, Window::whole(set.size(chip)))?;
        observer.progress(Progress { stage: "check", done: done.fetch_add(1, Ordering::Relaxed) + 1, total });
        Ok(())
    };
    let outcomes: Vec<_> = (0..set.len()).into_par_iter().map(check).collect();
    outcomes.into_iter().collect()
}

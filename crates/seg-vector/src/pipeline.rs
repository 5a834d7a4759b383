use crate::{ClassSource, Error};
use crossbeam_channel::{bounded, unbounded};
use seg_grid::{IoError, Observer, Progress};
use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Bands that are in memory beside those of the workers: the one that is put together with the others, and one that
/// waits for that, so that workers have something to do meanwhile.
pub(crate) const WAITING: usize = 2;

/// The same source for each of the workers.
///
/// # Errors
/// If it cannot be opened so often.
pub(crate) fn reopened(source: &dyn ClassSource, workers: usize) -> Result<Vec<Box<dyn ClassSource>>, Error> {
    (0..workers.max(1)).map(|_| source.reopen().map_err(Error::Read)).collect()
}

/// Works on bands on several threads, one for each source, and hands out the results in the order of the
/// bands; as many bands are in memory as there are sources, and [`WAITING`].
///
/// # Errors
/// If a band cannot be read, `each` fails, or the observer wants an end.
///
/// # Panics
/// If `work` does: the caller panics with the same words, when all threads have ended.
pub(crate) fn in_order<R: Send>(
    sources: Vec<Box<dyn ClassSource>>,
    bands: &[Range<usize>],
    (stage, observer): (&'static str, &dyn Observer),
    work: impl Fn(&mut dyn ClassSource, Range<usize>) -> Result<R, IoError> + Sync,
    mut each: impl FnMut(usize, R) -> Result<(), Error>,
) -> Result<(), Error> {
    let workers = sources.len();
    let next = AtomicUsize::new(0);
    let is_over = AtomicBool::new(false);
    // A worker takes a permit before it takes a band, and gets it back when the band is done with.
    let permits = workers + WAITING;
    let (give, take) = bounded(permits);
    for _ in 0..permits {
        let _ = give.send(());
    }
    let (done, results) = unbounded();
    std::thread::scope(|scope| {
        for mut source in sources {
            let (take, done, next, is_over, work) = (take.clone(), done.clone(), &next, &is_over, &work);
            scope.spawn(move || {
                while take.recv().is_ok() && !is_over.load(Ordering::Relaxed) {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(band) = bands.get(index) else { return };
                    // Left to itself a panic would end this thread alone, and the others would wait for its band.
                    let worked = catch_unwind(AssertUnwindSafe(|| work(source.as_mut(), band.clone())));
                    let is_panic = worked.is_err();
                    if done.send((index, worked)).is_err() || is_panic {
                        return;
                    }
                }
            });
        }
        drop((take, done));
        let mut waiting = BTreeMap::new();
        let mut turn = 0;
        let mut outcome = Ok(());
        let mut panic = None;
        for (index, worked) in results {
            let result = match worked {
                Ok(result) => result,
                Err(payload) => {
                    panic = Some(payload);
                    break;
                }
            };
            waiting.insert(index, result);
            while let Some(result) = waiting.remove(&turn) {
                outcome = match result {
                    _ if observer.cancelled() => Err(Error::Cancelled),
                    Ok(result) => each(turn, result),
                    Err(error) => Err(Error::Read(error)),
                };
                turn += 1;
                observer.progress(Progress { stage, done: turn as u64, total: bands.len() as u64 });
                let _ = give.try_send(());
                if outcome.is_err() {
                    break;
                }
            }
            if outcome.is_err() || turn == bands.len() {
                break;
            }
        }
        is_over.store(true, Ordering::Relaxed);
        // Whoever waits for a permit wakes up and sees that it is over.
        drop(give);
        if let Some(payload) = panic {
            resume_unwind(payload);
        }
        outcome
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ClassArray;
    use ndarray::Array2;
    use seg_grid::Silent;
    use std::time::Duration;

    #[test]
    fn a_worker_that_panics_ends_them_all() {
        let (told, ended) = bounded(1);
        std::thread::spawn(move || {
            let source = ClassArray { classes: Array2::zeros((64, 4)), confidence: None };
            let bands: Vec<_> = (0..64).map(|row| row..row + 1).collect();
            let work = |source: &mut dyn ClassSource, rows: Range<usize>| {
                assert!(rows.start != 20, "row 20");
                source.classes(rows)
            };
            let sources = reopened(&source, 3).expect("an array");
            let run = || in_order(sources, &bands, ("trace", &Silent), work, |_, _| Ok(()));
            let payload = catch_unwind(AssertUnwindSafe(run)).err();
            let words =
                payload.and_then(|payload| payload.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            told.send(words).expect("the test waits");
        });
        let words = ended.recv_timeout(Duration::from_secs(60)).expect("no thread waits for ever");
        assert_eq!(words.as_deref(), Some("row 20"));
    }
}

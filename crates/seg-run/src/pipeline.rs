use crate::scratch::Scratch;
use crate::{Error, Network, Plan, WorkFolder};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use ndarray::{Array2, Array3, s};
use seg_grid::{IoError, Observer, Patch, Progress, RasterSource, Selection, Stitcher, Tile, Window};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// What a prediction did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Tiles that went through the network.
    pub computed: u64,
    /// Tiles without a valid pixel, or without one that is wanted.
    pub skipped: u64,
    /// Pixels with a measurement for which the network gave no number; they are nodata.
    pub not_a_number: u64,
    /// Time in the network, summed over workers.
    pub network: Duration,
    /// Wall time.
    pub wall: Duration,
    /// Bytes of finished strips.
    pub stored: u64,
}

/// A tile on its way to the stitcher.
struct Parcel {
    /// Position in the strip's order.
    turn: u64,
    /// Which pixels were measured and are wanted, (H, W).
    valid: Array2<bool>,
    /// Probabilities, (K, H, W); `None` for a tile without a measured pixel.
    scores: Option<Array3<f32>>,
    network: Duration,
}

/// A tile read and not yet computed.
struct Job {
    turn: u64,
    patch: Patch,
    selection: Selection,
}

/// Raises a flag if its thread panics, so that the others do not wait for what will never come.
struct Alarm<'a>(&'a AtomicBool);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

/// How often a waiting stitcher looks whether it should stop.
const LOOK: Duration = Duration::from_millis(50);
/// Tiles after which the heap is trimmed: it would grow, since buffers are taken in one thread and freed in another.
const TRIM: u64 = 32;
/// How long a batch waits for one more tile.
const PATIENCE: Duration = Duration::from_millis(20);

/// Computes all strips that the work folder lacks.
///
/// Readers fetch tiles, workers run the network, and this thread adds tiles up in index order; queues hold at
/// most `plan.in_flight` tiles together. `ids` are the class ids in the network's order.
///
/// # Errors
/// If a tile cannot be read, computed or stored, or the observer cancels; strips stored until then stay.
pub fn predict(
    network: &Network,
    source: &dyn RasterSource,
    plan: &Plan,
    ids: &[u8],
    work: &WorkFolder,
    observer: &dyn Observer,
) -> Result<Outcome, Error> {
    let start = Instant::now();
    let mut outcome = Outcome::default();
    let mut before = 0;
    for columns in &plan.columns {
        let strip = ColumnStrip::new(plan, ids, work, columns.clone());
        before = strip.run(network, source, observer, before, &mut outcome)?;
    }
    outcome.wall = start.elapsed();
    Ok(outcome)
}

/// One column strip: the tiles that touch it, from the first row that is not stored.
struct ColumnStrip<'a> {
    plan: &'a Plan,
    ids: &'a [u8],
    work: &'a WorkFolder,
    /// Pixel columns of the result.
    pixels: Range<usize>,
    /// Tile columns that touch it.
    columns: Range<usize>,
    /// Tile rows left to do.
    rows: Range<usize>,
    /// First pixel row of the result left to do.
    from: usize,
}

impl<'a> ColumnStrip<'a> {
    fn new(plan: &'a Plan, ids: &'a [u8], work: &'a WorkFolder, pixels: Range<usize>) -> Self {
        let rows = plan.part.rows();
        let from = work.first_missing_row(&plan.outputs, &pixels, &rows);
        let end = plan.tile_rows(rows.clone()).end;
        // Every tile that touches an unfinished row is computed again, in the same order.
        let first = if from == rows.end { end } else { plan.tile_rows(from..rows.end).start };
        let columns = plan.tile_columns(pixels.clone());
        Self { plan, ids, work, pixels, columns, rows: first..end, from }
    }

    fn turns(&self) -> u64 {
        (self.rows.len() * self.columns.len()) as u64
    }

    fn tile(&self, turn: u64) -> Tile {
        let across = self.columns.len() as u64;
        self.plan
            .grid
            .at(self.columns.start + (turn % across) as usize, self.rows.start + (turn / across) as usize)
    }

    fn run(
        &self,
        network: &Network,
        source: &dyn RasterSource,
        observer: &dyn Observer,
        before: u64,
        outcome: &mut Outcome,
    ) -> Result<u64, Error> {
        let stored_rows = self.rows.start - self.plan.tile_rows(self.plan.part.rows()).start;
        let before = before + (stored_rows * self.columns.len()) as u64;
        let plan = self.plan;
        let readers = (0..plan.readers).map(|_| source.reopen()).collect::<Result<Vec<_>, _>>()?;
        let networks: Vec<Network> = (0..plan.workers).map(|_| network.fork()).collect();
        let (credit, credits) = bounded::<()>(plan.in_flight);
        for _ in 0..plan.in_flight {
            // The channel has room for exactly these.
            let _ = credit.send(());
        }
        let (jobs, waiting) = bounded::<Job>(plan.in_flight);
        let (parcels, done) = bounded::<Result<Parcel, Error>>(plan.in_flight + plan.readers + plan.workers);
        let next = AtomicU64::new(0);
        let stop = AtomicBool::new(false);
        let gathering = Mutex::new(());
        thread::scope(|scope| {
            for reader in readers {
                let (credits, jobs, parcels) = (credits.clone(), jobs.clone(), parcels.clone());
                let (next, stop) = (&next, &stop);
                scope.spawn(move || self.read(reader, &credits, next, stop, &jobs, &parcels));
            }
            for network in networks {
                let (waiting, parcels) = (waiting.clone(), parcels.clone());
                let (gathering, stop) = (&gathering, &stop);
                scope.spawn(move || {
                    let gather = || gather(plan.images, &waiting, gathering);
                    work_off(&network, plan.images, gather, stop, &parcels);
                });
            }
            drop((jobs, waiting, parcels, credits));
            let scratch =
                Scratch::new(plan, self.ids, self.work.path(), self.pixels.clone(), self.from, source);
            let result = scratch
                .and_then(|scratch| self.stitch(scratch, &done, &credit, &stop, observer, before, outcome));
            stop.store(true, Ordering::Relaxed);
            // Whoever waits for a credit or for room in a queue wakes up and finds the other end gone.
            drop((credit, done));
            result
        })?;
        Ok(before + self.turns())
    }

    /// Reads tiles in turn, as long as there is a credit for another one in flight.
    fn read(
        &self,
        mut source: Box<dyn RasterSource>,
        credits: &Receiver<()>,
        next: &AtomicU64,
        stop: &AtomicBool,
        jobs: &Sender<Job>,
        parcels: &Sender<Result<Parcel, Error>>,
    ) {
        let _alarm = Alarm(stop);
        while credits.recv().is_ok() && !stop.load(Ordering::Relaxed) {
            let turn = next.fetch_add(1, Ordering::Relaxed);
            if turn >= self.turns() {
                return;
            }
            let sent = match read_selected(&mut *source, self.tile(turn).read) {
                Ok(Some((patch, selection))) => jobs.send(Job { turn, patch, selection }).is_ok(),
                Ok(None) => {
                    let Window { width, height, .. } = self.tile(turn).read;
                    let valid = Array2::from_elem((height, width), false);
                    parcels.send(Ok(Parcel { turn, valid, scores: None, network: Duration::ZERO })).is_ok()
                }
                Err(error) => {
                    // The stitcher ends the run at the first error; if it has already, nobody listens.
                    let _ = parcels.send(Err(error.into()));
                    false
                }
            };
            if !sent {
                return;
            }
        }
    }

    /// Adds tiles up in turn and stores what is final.
    #[expect(clippy::too_many_arguments, reason = "the ends of four queues")]
    fn stitch(
        &self,
        mut scratch: Scratch<'_>,
        done: &Receiver<Result<Parcel, Error>>,
        credit: &Sender<()>,
        stop: &AtomicBool,
        observer: &dyn Observer,
        before: u64,
        outcome: &mut Outcome,
    ) -> Result<(), Error> {
        let plan = self.plan;
        let seen = plan.seen_columns(self.pixels.clone());
        let mut stitcher = Stitcher::for_strip(&plan.grid, plan.blend, self.ids.len(), seen, self.rows.start);
        let mut early: BTreeMap<u64, Parcel> = BTreeMap::new();
        let mut turn = 0;
        while turn < self.turns() {
            if observer.cancelled() {
                return Err(Error::Cancelled);
            }
            match done.recv_timeout(LOOK) {
                Ok(parcel) => {
                    let parcel = parcel?;
                    early.insert(parcel.turn, parcel);
                }
                // A thread that panics raises this flag; its panic goes on where the threads are joined.
                Err(_) if stop.load(Ordering::Relaxed) => return Err(Error::Cancelled),
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return Err(Error::Cancelled),
            }
            while let Some(parcel) = early.remove(&turn) {
                let at = self.tile(turn);
                outcome.network += parcel.network;
                match parcel.scores {
                    Some(_) => outcome.computed += 1,
                    None => outcome.skipped += 1,
                }
                let finished = stitcher
                    .push(&at, parcel.scores.as_ref().map(|scores| scores.view()))
                    .map_err(Error::Stitch)?;
                if finished.window.area() > 0 {
                    let (y, x) = finished.window.relative_to(at.read).ranges();
                    let valid = parcel.valid.slice(s![y, x]);
                    scratch.put(&finished, &valid);
                }
                turn += 1;
                if turn % self.columns.len() as u64 == 0 {
                    scratch.row_done()?;
                }
                if turn.is_multiple_of(TRIM) {
                    seg_torch::trim_heap();
                }
                // Readers that have ended leave no one to take the credit.
                let _ = credit.try_send(());
                observer.progress(Progress { stage: "infer", done: before + turn, total: plan.tiles() });
            }
        }
        outcome.not_a_number += scratch.not_a_number;
        outcome.stored += scratch.stored;
        Ok(())
    }
}

/// Reads a window unless no pixel of it is wanted; `None` if no wanted pixel of it was measured.
fn read_selected(
    source: &mut dyn RasterSource,
    window: Window,
) -> Result<Option<(Patch, Selection)>, IoError> {
    let selection = source.selection(window)?;
    if selection == Selection::Nothing {
        return Ok(None);
    }
    let Some(patch) = source.read(window)? else { return Ok(None) };
    let wanted = match &selection {
        Selection::Pixels(wanted) => wanted.iter().zip(&patch.valid).any(|(wanted, valid)| *wanted && *valid),
        _ => true,
    };
    Ok(wanted.then_some((patch, selection)))
}

/// Takes up to `images` tiles that wait, one worker at a time, so that each has a full batch; none at the end.
fn gather(images: usize, waiting: &Receiver<Job>, gathering: &Mutex<()>) -> Vec<Job> {
    let _turn = gathering.lock().unwrap_or_else(PoisonError::into_inner);
    let mut jobs: Vec<Job> = waiting.recv().into_iter().collect();
    // Without end it must not wait: the rest may be tiles without data, which wait for these to be stitched.
    while !jobs.is_empty() && jobs.len() < images {
        match waiting.recv_timeout(PATIENCE) {
            Ok(job) => jobs.push(job),
            Err(_) => break,
        }
    }
    jobs
}

/// Runs the network on all that is gathered, `images` at once.
fn work_off(
    network: &Network,
    images: usize,
    gather: impl Fn() -> Vec<Job>,
    stop: &AtomicBool,
    parcels: &Sender<Result<Parcel, Error>>,
) {
    let _alarm = Alarm(stop);
    seg_torch::set_intra_op_threads(1);
    loop {
        let mut jobs = gather();
        if jobs.is_empty() || stop.load(Ordering::Relaxed) {
            return;
        }
        let start = Instant::now();
        for job in &mut jobs {
            network.normalize(&mut job.patch);
        }
        let patches: Vec<&Array3<f32>> = jobs.iter().map(|job| &job.patch.values).collect();
        let scores = network.probabilities(&patches, images, &|| stop.load(Ordering::Relaxed));
        let each = start.elapsed() / jobs.len() as u32;
        match scores {
            Ok(scores) => {
                for (job, scores) in jobs.into_iter().zip(scores) {
                    let Job { turn, patch: Patch { mut valid, .. }, selection } = job;
                    // The network has seen what is not wanted too, as in a run over everything.
                    selection.restrict(&mut valid);
                    let parcel = Parcel { turn, valid, scores: Some(scores), network: each };
                    if parcels.send(Ok(parcel)).is_err() {
                        return;
                    }
                }
            }
            Err(error) => {
                // The stitcher ends the run at the first error; if it has already, nobody listens.
                let _ = parcels.send(Err(error));
                return;
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;

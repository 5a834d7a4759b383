use crate::training::order::Order;
use crate::training::queue::Queue;
use crate::training::sample::{Recipe, Sample};
use crate::{AugmentSettings, ChipSet, Error, InputScale};
use ndarray::{Array3, Array4, Axis};
use seg_label::IGNORE_INDEX;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

/// Which stream of samples is loaded, and how far ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoaderPlan {
    /// Another seed is another stream.
    pub seed: u64,
    /// Samples in a batch.
    pub batch: usize,
    /// Side of a sample in pixels.
    pub crop: usize,
    /// Which batches of the stream are loaded here.
    pub share: BatchShare,
    /// The number of the first sample, of those loaded here, so that a stream is taken up where it was left.
    pub first_sample: u64,
    /// Threads that work; they change nothing but the speed.
    pub workers: usize,
    /// Batches that are worked on or wait at a time.
    ///
    /// They take `queue x batch x crop² x (4 x bands + 1)` bytes, and a worker a few times its part of a chip.
    pub queue: usize,
}

/// The batches of one of several processes: they are dealt out in turn.
///
/// # Examples
/// ```
/// use seg_data::BatchShare;
///
/// // The second of two processes has the batches 1, 3, 5 and so on; these are of four samples.
/// let share = BatchShare { place: 1, of: 2 };
/// assert_eq!((share.number(0, 4), share.number(3, 4), share.number(4, 4)), (4, 7, 12));
/// assert_eq!(BatchShare::ALL.number(5, 4), 5);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchShare {
    /// From 0.
    pub place: usize,
    /// How many processes share the stream.
    pub of: usize,
}

impl BatchShare {
    /// All of a stream.
    pub const ALL: Self = Self { place: 0, of: 1 };

    /// The number in the stream of the sample that is loaded here as number `own`.
    pub const fn number(self, own: u64, batch: usize) -> u64 {
        let batch = batch as u64;
        (own / batch * self.of as u64 + self.place as u64) * batch + own % batch
    }
}

/// Samples to learn from at once.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Network input (B, C, H, W), 0 where there are no data.
    pub images: Array4<f32>,
    /// Class indices (B, H, W), 255 where nothing is to be learned.
    pub labels: Array3<u8>,
    /// The number of the first sample in the stream; the others follow.
    pub first_sample: u64,
    /// The chip of each sample, as [`ChipSet::chip`] counts.
    pub chips: Vec<usize>,
}

/// An endless stream of batches, made by threads in the background that end with it.
///
/// The stream depends on the set, the settings, the seed and the first sample, not on the number of threads.
#[derive(Debug)]
pub struct Loader {
    queue: Arc<Queue<Made>>,
    workers: Vec<JoinHandle<()>>,
    bands: usize,
    plan: LoaderPlan,
}

/// The chip and what was made of it.
type Made = (usize, Result<Sample, Error>);

/// Ends all waiting when a thread ends, whether it was told to or not.
struct Closing<'a>(&'a Queue<Made>);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Loader {
    /// Starts the threads.
    ///
    /// # Errors
    /// If a setting cannot be used, photometric distortion is asked for without three bands, or a thread cannot be
    /// started.
    #[expect(clippy::needless_pass_by_value, reason = "the threads keep the set")]
    pub fn start(
        set: Arc<ChipSet>,
        augment: AugmentSettings,
        scale: InputScale,
        plan: LoaderPlan,
    ) -> Result<Self, Error> {
        if plan.batch == 0 {
            return Err(Error::Setting { key: "batch", must: "at least 1".to_owned(), got: "0".to_owned() });
        }
        let bands = set.bands();
        let recipe = Arc::new(Recipe::new(bands, augment, scale, plan.seed, plan.crop)?);
        let order = Arc::new(set.order(plan.seed));
        let capacity = (plan.queue.max(1) * plan.batch) as u64;
        let queue = Arc::new(Queue::new(plan.first_sample, capacity));
        // Made first, so that an error ends the threads that run by then.
        let mut loader = Self { queue, workers: Vec::new(), bands, plan };
        for number in 0..plan.workers.max(1) {
            let (set, recipe, order) = (Arc::clone(&set), Arc::clone(&recipe), Arc::clone(&order));
            let queue = Arc::clone(&loader.queue);
            let worker = Builder::new()
                .name(format!("loader-{number}"))
                .spawn(move || work(&set, &recipe, &order, &queue, plan))
                .map_err(|source| Error::LoaderThread { source })?;
            loader.workers.push(worker);
        }
        Ok(loader)
    }

    /// The next batch, after waiting for it.
    ///
    /// After an error the next call gives the batch after the one that failed.
    ///
    /// # Errors
    /// If a chip of the batch cannot be read, or a thread ended unexpectedly.
    #[expect(
        clippy::should_implement_trait,
        reason = "an endless stream of results is no iterator to collect"
    )]
    pub fn next(&mut self) -> Result<Batch, Error> {
        let (count, crop) = (self.plan.batch, self.plan.crop);
        let mut images = Array4::zeros((count, self.bands, crop, crop)); // (B, C, H, W)
        let mut labels = Array3::from_elem((count, crop, crop), IGNORE_INDEX); // (B, H, W)
        let (mut first_sample, mut chips, mut failed) = (None, Vec::with_capacity(count), None);
        for place in 0..count {
            let (number, (chip, sample)) = self.queue.next().ok_or(Error::LoaderEnded)?;
            first_sample.get_or_insert(self.plan.share.number(number, count));
            chips.push(chip);
            match sample {
                Ok(sample) => {
                    images.index_axis_mut(Axis(0), place).assign(&sample.image);
                    labels.index_axis_mut(Axis(0), place).assign(&sample.label);
                }
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        match failed {
            Some(error) => Err(error),
            None => Ok(Batch { images, labels, first_sample: first_sample.unwrap_or_default(), chips }),
        }
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        self.queue.close();
        for worker in self.workers.drain(..) {
            // A thread that panicked has said so.
            let _ = worker.join();
        }
    }
}

fn work(set: &ChipSet, recipe: &Recipe, order: &Order, queue: &Queue<Made>, plan: LoaderPlan) {
    let _closing = Closing(queue);
    while let Some(number) = queue.take() {
        let draw = order.of(plan.share.number(number, plan.batch));
        queue.put(number, (draw.chip, recipe.sample(set, draw)));
    }
}

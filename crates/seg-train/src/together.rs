//! The step of a learner among other processes: each has its share of the samples, and all have the same gradients.

use std::sync::Arc;

use seg_data::Batch;
use seg_torch::distributed::{JointStatistics, Reducer};
use tch::{Device, Tensor};

use crate::Error;
use crate::crew::Crew;
use crate::learner::{Learner, StepLosses};
use crate::settings::LoopSettings;

/// Where a learner is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) device: Device,
    pub(crate) rank: usize,
    pub(crate) world: usize,
}

/// The other processes, and what gradients are averaged with.
#[derive(Debug)]
pub(crate) struct Together {
    crew: Arc<Crew>,
    reducer: Reducer,
    /// Whether batch norms learn from the batches of all.
    joint: bool,
}

impl Place {
    /// One process alone.
    pub(crate) const fn alone(device: Device) -> Self {
        Self { device, rank: 0, world: 1 }
    }

    /// The number in a step, of all processes, of the batch that has the number `own` in this one.
    pub(crate) const fn number(&self, own: usize) -> usize {
        own * self.world + self.rank
    }
}

impl Together {
    /// With weights that learn, which become those of the first process.
    pub(crate) fn new(crew: &Arc<Crew>, weights: &[&Tensor], settings: &LoopSettings) -> Result<Self, Error> {
        let reducer = Reducer::new(crew.group(), weights)?;
        Ok(Self { crew: Arc::clone(crew), reducer, joint: settings.sync_batch_norm })
    }

    pub(crate) fn crew(&self) -> &Crew {
        &self.crew
    }

    /// Losses and gradients of a step, averaged over all batches of all processes: no gradients where a loss of any is
    /// not finite.
    ///
    /// A failure of one process is told to the others before they wait for its gradients.
    pub(crate) fn gradients(
        &self,
        learner: &mut Learner,
        batches: &[Batch],
        step: u64,
    ) -> Result<(StepLosses, Vec<Tensor>), Error> {
        let Some((last, before)) = batches.split_last() else {
            return Ok((StepLosses::default(), Vec::new()));
        };
        let share = 1.0 / batches.len() as f64;
        let joint = self.joint.then(|| JointStatistics::of(self.crew.group()));
        let (mean, loss) = match self.forward(learner, (before, last), step, share) {
            // The others wait in a batch norm, where nothing can be told.
            Err(error) if self.joint => return Err(error),
            outcome => self.crew.mean(outcome)?,
        };
        drop(joint);
        if !mean.total.is_finite() {
            self.reducer.take_gradients()?;
            return Ok((mean, Vec::new()));
        }
        self.reducer.prepare(&loss)?;
        self.reducer.backward(&loss)?;
        self.crew.spend(self.reducer.waited());
        Ok((mean, self.reducer.take_gradients()?))
    }

    /// All of a step up to the backward pass of its last batch: the sum of the losses, and the last batch's share.
    fn forward(
        &self,
        learner: &mut Learner,
        (before, last): (&[Batch], &Batch),
        step: u64,
        share: f64,
    ) -> Result<(StepLosses, Tensor), Error> {
        let number = |own| own * self.crew.world() + self.crew.rank();
        let mut sum = StepLosses::default();
        let mut losses_of = |own: usize, batch: &Batch| -> Result<Tensor, Error> {
            let losses = learner.losses_among(batch, own, step, number(own))?;
            sum.add(&losses, share).map_err(Error::torch("read the losses"))?;
            losses.total.f_mul_scalar(share).map_err(Error::torch("compute gradients"))
        };
        for (own, batch) in before.iter().enumerate() {
            let loss = losses_of(own, batch)?;
            self.reducer.backward(&loss)?;
        }
        let loss = losses_of(before.len(), last)?;
        Ok((sum, loss))
    }
}

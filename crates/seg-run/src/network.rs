use crate::{Error, Normalizer, tensor};
use ndarray::{Array3, Array4, Axis};
use seg_grid::Patch;
use seg_nn::SegModel;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A network as one worker uses it: patches in, probabilities out.
pub struct Network {
    model: Box<dyn SegModel>,
    normalizer: Normalizer,
}

impl Network {
    /// From a loaded model and the raster's normalization.
    pub fn new(model: Box<dyn SegModel>, normalizer: Normalizer) -> Self {
        Self { model, normalizer }
    }

    /// The same network for another thread; weights share their memory.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self { model: self.model.fork(), normalizer: self.normalizer.clone() }
    }

    /// Classes in the output.
    pub fn classes(&self) -> usize {
        self.model.num_classes()
    }

    /// Where it computes.
    pub fn device(&self) -> tch::Device {
        self.model.device()
    }

    /// Normalizes patches of one size, in place.
    pub(crate) fn normalize(&self, patch: &mut Patch) {
        self.normalizer.apply(patch);
    }

    /// Probabilities (K, H, W) of each normalized patch; `batch` images go through at once, the missing ones are zeros.
    ///
    /// This is the one place where a panic from within an operator is caught.
    pub(crate) fn probabilities(
        &self,
        patches: &[&Array3<f32>],
        batch: usize,
    ) -> Result<Vec<Array3<f32>>, Error> {
        let what = || {
            let (bands, height, width) = patches.first().map_or((0, 0, 0), |patch| patch.dim());
            format!("a tile of {width} x {height} pixels and {bands} bands")
        };
        let run = || -> Result<Vec<Array3<f32>>, seg_nn::Error> {
            let Some(first) = patches.first() else { return Ok(Vec::new()) };
            let (c, h, w) = first.dim();
            let mut stack = Array4::zeros((batch.max(patches.len()), c, h, w)); // (B, C, H, W)
            for (mut slot, patch) in stack.outer_iter_mut().zip(patches) {
                slot.assign(patch);
            }
            let input = tensor::to_tensor(&stack, self.model.device())?; // (B, C, H, W)
            drop(stack);
            let scores = tch::no_grad(|| self.model.forward(&input)?.into_probabilities())?; // (B, K, H, W)
            let read = |error: tch::TchError| seg_nn::Error::Compute {
                action: "read the scores",
                reason: error.to_string(),
            };
            // All images of a device in one copy.
            let scores = seg_torch::download(&scores)?;
            (0..patches.len()).map(|image| tensor::to_array(&scores, image).map_err(read)).collect()
        };
        match catch_unwind(AssertUnwindSafe(run)) {
            Ok(Ok(scores)) => Ok(scores),
            Ok(Err(source)) => Err(Error::Network { what: what(), source: Box::new(source) }),
            Err(panic) => {
                let message = panic
                    .downcast_ref::<String>()
                    .map(String::as_str)
                    .or_else(|| panic.downcast_ref::<&str>().copied())
                    .unwrap_or("no message");
                let reason = message.lines().next().unwrap_or_default().to_owned();
                Err(Error::NetworkPanic { what: what(), reason })
            }
        }
    }

    /// Probabilities of a single normalized patch.
    pub(crate) fn one(&self, patch: &Patch) -> Result<Array3<f32>, Error> {
        let mut all = self.probabilities(&[&patch.values], 1)?;
        Ok(all.pop().unwrap_or_else(|| Array3::zeros((0, 0, 0))))
    }

    /// An empty tile, for a trial run.
    pub(crate) fn blank(&self, size: seg_grid::Size) -> Patch {
        let values = Array3::zeros((self.model.bands(), size.height, size.width)); // (C, H, W)
        let valid = values.index_axis(Axis(0), 0).mapv(|_: f32| true);
        Patch { values, valid }
    }
}

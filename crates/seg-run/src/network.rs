use crate::passes::PassError;
use crate::{Error, Normalizer, Passes, tensor};
use ndarray::{Array3, Array4, Axis};
use seg_grid::{Patch, Size};
use seg_nn::SegModel;
use std::panic::{AssertUnwindSafe, catch_unwind};
use tch::Tensor;

/// A network as one worker uses it: patches in, probabilities out.
pub struct Network {
    model: Box<dyn SegModel>,
    normalizer: Normalizer,
    /// Nothing is one look at each tile as it is.
    passes: Option<Passes>,
}

impl Network {
    /// From a loaded model and the raster's normalization.
    pub fn new(model: Box<dyn SegModel>, normalizer: Normalizer) -> Self {
        Self { model, normalizer, passes: None }
    }

    /// The same, looking at each tile so often.
    ///
    /// # Errors
    /// If the passes make no sense.
    pub fn with_passes(self, passes: Passes) -> Result<Self, Error> {
        passes.check()?;
        Ok(Self { passes: Some(passes), ..self })
    }

    /// The same network for another thread; weights share their memory.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self { model: self.model.fork(), normalizer: self.normalizer.clone(), passes: self.passes.clone() }
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
    /// Several passes end early where `stop` says so.
    pub(crate) fn probabilities(
        &self,
        patches: &[&Array3<f32>],
        batch: usize,
        stop: &dyn Fn() -> bool,
    ) -> Result<Vec<Array3<f32>>, Error> {
        self.run(patches, batch, |input| match &self.passes {
            None => Ok(self.model.forward(input)?.into_probabilities()?), // (B, C, H, W) -> (B, K, H, W)
            Some(passes) => passes.probabilities(&*self.model, input, stop), // (B, C, H, W) -> (B, K, H, W)
        })
    }

    /// Bands of its input.
    pub(crate) fn bands(&self) -> usize {
        self.model.bands()
    }

    /// What a normalized patch (C, H, W) is scored, before the soft-max where there is one: (K, H, W).
    pub(crate) fn scores(&self, patch: &Array3<f32>) -> Result<Array3<f32>, Error> {
        let scores = if self.passes.is_some() {
            self.probabilities(&[patch], 1, &|| false)
        } else {
            // (1, C, H, W) -> (1, K, H, W)
            self.run(&[patch], 1, |input| Ok(self.model.forward(input)?.tensor().shallow_clone()))
        };
        Ok(scores?.pop().unwrap_or_default())
    }

    /// What `compute` makes of normalized patches of one size, (B, C, H, W) to (B, K, H, W), patch by patch.
    ///
    /// This is the one place where a panic from within an operator is caught.
    fn run(
        &self,
        patches: &[&Array3<f32>],
        batch: usize,
        compute: impl Fn(&Tensor) -> Result<Tensor, PassError>,
    ) -> Result<Vec<Array3<f32>>, Error> {
        let what = || {
            let (bands, height, width) = patches.first().map_or((0, 0, 0), |patch| patch.dim());
            format!("a tile of {width} x {height} pixels and {bands} bands")
        };
        let run = || -> Result<Vec<Array3<f32>>, PassError> {
            let Some(first) = patches.first() else { return Ok(Vec::new()) };
            let (c, h, w) = first.dim();
            let images = batch.max(patches.len());
            let input = if images == 1 {
                tensor::to_tensor(&first.view().insert_axis(Axis(0)), self.model.device()) // (1, C, H, W)
            } else {
                let mut stack = Array4::zeros((images, c, h, w)); // (B, C, H, W)
                for (mut slot, patch) in stack.outer_iter_mut().zip(patches) {
                    slot.assign(patch);
                }
                tensor::to_tensor(&stack.view(), self.model.device()) // (B, C, H, W)
            };
            let input = input.map_err(seg_nn::Error::from)?;
            let scores = tch::no_grad(|| compute(&input))?; // (B, K, H, W)
            let read = |error: tch::TchError| seg_nn::Error::Compute {
                action: "read the scores",
                reason: error.to_string(),
            };
            // All images of a device in one copy.
            let scores = seg_torch::download(&scores).map_err(seg_nn::Error::from)?;
            let arrays = (0..patches.len()).map(|image| tensor::to_array(&scores, image).map_err(read));
            Ok(arrays.collect::<Result<_, _>>()?)
        };
        match catch_unwind(AssertUnwindSafe(run)) {
            Ok(Ok(scores)) => Ok(scores),
            Ok(Err(PassError::Network(source))) => {
                Err(Error::Network { what: what(), source: Box::new(source) })
            }
            Ok(Err(PassError::Passes(source))) => Err(source.into()),
            Ok(Err(PassError::Stopped)) => Err(Error::Cancelled),
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
        let mut all = self.probabilities(&[&patch.values], 1, &|| false)?;
        Ok(all.pop().unwrap_or_else(|| Array3::zeros((0, 0, 0))))
    }

    /// An empty tile, for a trial run.
    pub(crate) fn blank(&self, size: Size) -> Patch {
        let values = Array3::zeros((self.model.bands(), size.height, size.width)); // (C, H, W)
        let valid = values.index_axis(Axis(0), 0).mapv(|_: f32| true);
        Patch { values, valid }
    }
}

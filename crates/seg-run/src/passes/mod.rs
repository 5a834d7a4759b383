//! The passes of a network over one image.

mod plan;
#[cfg(test)]
mod tests;

use seg_grid::{Size, Window};
use seg_nn::{Logits, Scores, SegModel};
use tch::{Kind, TchError, Tensor};

use plan::Turn;
pub use plan::{BadPasses, Passes, SlidingWindow, Turns, scaled};

/// Why passes over an image came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// They make no sense.
    #[error(transparent)]
    Passes(#[from] BadPasses),
    /// The network or libtorch failed.
    #[error(transparent)]
    Network(#[from] seg_nn::Error),
    /// The caller asked to stop.
    #[error("interrupted")]
    Stopped,
}

impl Passes {
    /// Mean probabilities of the pixels of images over all passes: (B, C, H, W) → (B, K, H, W).
    ///
    /// For each scale and turn the image is resized bilinearly and turned, the sliding window goes over it, scores
    /// are averaged where windows overlap, brought to the image's size bilinearly, made probabilities and turned
    /// back. Sides that the network does not take are filled up with 0 at the right and bottom.
    ///
    /// # Errors
    /// If the passes make no sense, the network or libtorch fails, or `stop` says so between two windows
    /// ([`PassError::Stopped`]).
    pub fn probabilities(
        &self,
        network: &dyn SegModel,
        image: &Tensor,
        stop: &dyn Fn() -> bool,
    ) -> Result<Tensor, PassError> {
        self.check()?;
        let own = size(image).map_err(torch("measure an image"))?;
        let mut sum: Option<Tensor> = None;
        for &scale in &self.scales {
            let there = scaled(own, scale);
            let resized = resize(image, own, there).map_err(torch("resize an image"))?; // (B, C, h, w)
            for turn in self.turns.list() {
                let turned = turn.apply(&resized).map_err(torch("turn an image"))?; // (B, C, h, w) or (B, C, w, h)
                let (scores, kind) = slide(network, &turned, self.sliding, stop)?; // (B, K, h, w) or (B, K, w, h)
                let scores = resize(&scores, turn.size(there), turn.size(own))
                    .map_err(torch("bring scores to an image's size"))?; // (B, K, H, W) or (B, K, W, H)
                let seen = kind(scores).into_probabilities()?;
                let seen = turn.undo(&seen).map_err(torch("turn scores back"))?; // (B, K, H, W)
                sum = Some(match sum.take() {
                    None => seen,
                    // Not in place: a network may hand out memory of its own.
                    Some(sum) => sum.f_add(&seen).map_err(torch("add up probabilities"))?,
                });
            }
        }
        let sum = sum.ok_or_else(|| BadPasses { problem: "there is no scale".to_owned() })?;
        Ok(sum.f_div_scalar(self.count() as f64).map_err(torch("average probabilities"))?)
    }
}

impl Turn {
    fn apply(self, image: &Tensor) -> Result<Tensor, TchError> {
        let image = if self.flip { image.f_flip([3])? } else { image.shallow_clone() };
        if self.quarters == 0 { Ok(image) } else { image.f_rot90(self.quarters, [2, 3]) }
    }

    fn undo(self, image: &Tensor) -> Result<Tensor, TchError> {
        let image =
            if self.quarters == 0 { image.shallow_clone() } else { image.f_rot90(-self.quarters, [2, 3])? };
        if self.flip { image.f_flip([3]) } else { Ok(image) }
    }

    /// An image's size when it is turned.
    const fn size(self, image: Size) -> Size {
        let Size { width, height } = image;
        if self.quarters % 2 == 0 { image } else { Size { width: height, height: width } }
    }
}

/// What libtorch refused, by what was being done.
fn torch(action: &'static str) -> impl Fn(TchError) -> seg_nn::Error {
    move |error| {
        let reason = error.to_string().lines().next().unwrap_or_default().to_owned();
        seg_nn::Error::Compute { action, reason }
    }
}

/// What a network's scores are made of when they were averaged.
type ScoreKind = fn(Tensor) -> Scores;

/// Scores of an image, averaged where windows overlap: (B, C, H, W) → (B, K, H, W).
fn slide(
    network: &dyn SegModel,
    image: &Tensor,
    sliding: SlidingWindow,
    stop: &dyn Fn() -> bool,
) -> Result<(Tensor, ScoreKind), PassError> {
    let own = size(image).map_err(torch("measure an image"))?;
    let windows = sliding.windows(own);
    let mut sums: Option<Sums> = None;
    for window in &windows {
        if stop() {
            return Err(PassError::Stopped);
        }
        let crop = cut(image, *window).map_err(torch("cut a window"))?; // (B, C, side, side)
        let (scores, kind) = score(network, &crop)?; // (B, K, side, side)
        if windows.len() == 1 {
            return Ok((scores, kind));
        }
        let sums = match &mut sums {
            Some(sums) => sums,
            none => none.insert(Sums::new(&scores, kind, own).map_err(torch("make room for scores"))?),
        };
        sums.add(&scores, *window).map_err(torch("add up scores"))?;
    }
    let sums = sums.ok_or_else(|| BadPasses { problem: "there is no window".to_owned() })?;
    let mean = sums.scores.f_div(&sums.windows).map_err(torch("average scores"))?; // (B, K, H, W)
    Ok((mean, sums.kind))
}

/// Scores of the windows over an image so far.
struct Sums {
    /// (B, K, H, W).
    scores: Tensor,
    /// How many windows have each pixel, (1, 1, H, W).
    windows: Tensor,
    kind: ScoreKind,
}

impl Sums {
    fn new(like: &Tensor, kind: ScoreKind, image: Size) -> Result<Self, TchError> {
        let zeros = |batch, channels| {
            let shape = [batch, channels, image.height as i64, image.width as i64];
            Tensor::f_zeros(shape, (Kind::Float, like.device()))
        };
        let (batch, classes, _, _) = like.size4()?;
        Ok(Self { scores: zeros(batch, classes)?, windows: zeros(1, 1)?, kind })
    }

    fn add(&mut self, scores: &Tensor, window: Window) -> Result<(), TchError> {
        // The views share the sums' memory.
        let _sum = cut(&self.scores, window)?.f_add_(scores)?;
        let _count = cut(&self.windows, window)?.f_add_scalar_(1.0)?;
        Ok(())
    }
}

/// Scores of a window: sides that the network does not take are filled up with 0, which is cut off again.
fn score(network: &dyn SegModel, crop: &Tensor) -> Result<(Tensor, ScoreKind), PassError> {
    let own = size(crop).map_err(torch("measure a window"))?;
    let multiple = network.input_multiple();
    let right = own.width.next_multiple_of(multiple) - own.width;
    let bottom = own.height.next_multiple_of(multiple) - own.height;
    // Always a copy, even where nothing is filled up: a network may change its input in place, and the crop is a
    // view of the image.
    let padded = crop.f_constant_pad_nd([0, right as i64, 0, bottom as i64]); // (B, C, multiple, multiple)
    let scores = network.forward(&padded.map_err(torch("fill up a window"))?)?;
    let (scores, kind): (Tensor, ScoreKind) = match scores {
        Scores::Logits(Logits(scores)) => (scores, |scores| Scores::Logits(Logits(scores))),
        Scores::Probabilities(scores) => (scores, Scores::Probabilities),
    };
    let scores = cut(&scores, Window::whole(own)).map_err(torch("cut off what was filled up"))?; // (B, K, side, side)
    Ok((scores, kind))
}

/// Bilinearly, corners not aligned: (B, C, H, W) → (B, C, h, w).
fn resize(image: &Tensor, from: Size, to: Size) -> Result<Tensor, TchError> {
    if from == to {
        return Ok(image.shallow_clone());
    }
    image.f_upsample_bilinear2d([to.height as i64, to.width as i64], false, None, None)
}

/// A view of a window.
fn cut(image: &Tensor, window: Window) -> Result<Tensor, TchError> {
    image.f_narrow(2, window.y as i64, window.height as i64)?.f_narrow(
        3,
        window.x as i64,
        window.width as i64,
    )
}

fn size(image: &Tensor) -> Result<Size, TchError> {
    let (_, _, height, width) = image.size4()?;
    Ok(Size { width: width as usize, height: height as usize })
}

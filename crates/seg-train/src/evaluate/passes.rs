//! The passes of a network over one image.

use seg_grid::{Observer, Size, Window};
use seg_nn::{Logits, Scores, SegModel};
use tch::{Kind, TchError, Tensor};

use super::plan::{Flips, SlidingWindow, TestPlan, scaled};
use crate::Error;

/// Mean probabilities of an image's pixels over all passes: (1, C, H, W) → (1, K, H, W).
pub(super) fn probabilities(
    network: &dyn SegModel,
    image: &Tensor,
    plan: &TestPlan,
    observer: &dyn Observer,
) -> Result<Tensor, Error> {
    let own = size(image).map_err(Error::torch("measure an image"))?;
    let mut sum: Option<Tensor> = None;
    for &scale in &plan.scales {
        let resized = resize(image, own, scaled(own, scale)).map_err(Error::torch("resize an image"))?; // (1, C, h, w)
        let mut add = |turned: &Tensor, back: fn(&Tensor) -> Result<Tensor, TchError>| {
            let (scores, kind) = slide(network, turned, plan.sliding, observer)?; // (1, K, h, w)
            let scores = resize(&scores, scaled(own, scale), own)
                .map_err(Error::torch("bring scores to a chip's size"))?; // (1, K, H, W)
            let seen = kind(scores).into_probabilities()?; // (1, K, H, W)
            let seen = back(&seen).map_err(Error::torch("turn scores back"))?; // (1, K, H, W)
            sum = Some(match sum.take() {
                None => seen,
                Some(mut sum) => sum.f_add_(&seen).map_err(Error::torch("add up probabilities"))?,
            });
            Ok::<_, Error>(())
        };
        add(&resized, |scores| Ok(scores.shallow_clone()))?;
        if plan.flips == Flips::Horizontal {
            let flipped = flip(&resized).map_err(Error::torch("flip an image"))?; // (1, C, h, w)
            add(&flipped, flip)?;
        }
    }
    let sum = sum.ok_or_else(|| Error::TestPlan { problem: "there is no scale".to_owned() })?;
    sum.f_div_scalar(plan.passes() as f64).map_err(Error::torch("average probabilities"))
}

/// What a network's scores are made of when they were averaged.
type ScoreKind = fn(Tensor) -> Scores;

/// Scores of an image, averaged where windows overlap: (1, C, H, W) → (1, K, H, W).
fn slide(
    network: &dyn SegModel,
    image: &Tensor,
    sliding: SlidingWindow,
    observer: &dyn Observer,
) -> Result<(Tensor, ScoreKind), Error> {
    let own = size(image).map_err(Error::torch("measure an image"))?;
    let windows = sliding.windows(own);
    let mut sums: Option<Sums> = None;
    for window in &windows {
        if observer.cancelled() {
            return Err(seg_data::Error::Cancelled.into());
        }
        let crop = cut(image, *window).map_err(Error::torch("cut a window"))?; // (1, C, side, side)
        let (scores, kind) = score(network, &crop)?; // (1, K, side, side)
        if windows.len() == 1 {
            return Ok((scores, kind));
        }
        let sums = match &mut sums {
            Some(sums) => sums,
            none => none.insert(Sums::new(&scores, kind, own).map_err(Error::torch("make room for scores"))?),
        };
        sums.add(&scores, *window).map_err(Error::torch("add up scores"))?;
    }
    let sums = sums.ok_or_else(|| Error::TestPlan { problem: "there is no window".to_owned() })?;
    let mean = sums.scores.f_div(&sums.windows).map_err(Error::torch("average scores"))?; // (1, K, H, W)
    Ok((mean, sums.kind))
}

/// Scores of the windows over an image so far.
struct Sums {
    /// (1, K, H, W).
    scores: Tensor,
    /// How many windows have each pixel, (1, 1, H, W).
    windows: Tensor,
    kind: ScoreKind,
}

impl Sums {
    fn new(like: &Tensor, kind: ScoreKind, image: Size) -> Result<Self, TchError> {
        let zeros = |channels| {
            let shape = [1, channels, image.height as i64, image.width as i64];
            Tensor::f_zeros(shape, (Kind::Float, like.device()))
        };
        Ok(Self { scores: zeros(like.size4()?.1)?, windows: zeros(1)?, kind })
    }

    fn add(&mut self, scores: &Tensor, window: Window) -> Result<(), TchError> {
        // The views share the sums' memory.
        let _sum = cut(&self.scores, window)?.f_add_(scores)?;
        let _count = cut(&self.windows, window)?.f_add_scalar_(1.0)?;
        Ok(())
    }
}

/// Scores of a window: sides that the network does not take are filled up with 0, which is cut off again.
fn score(network: &dyn SegModel, crop: &Tensor) -> Result<(Tensor, ScoreKind), Error> {
    let own = size(crop).map_err(Error::torch("measure a window"))?;
    let multiple = network.input_multiple();
    let right = own.width.next_multiple_of(multiple) - own.width;
    let bottom = own.height.next_multiple_of(multiple) - own.height;
    let scores = if right == 0 && bottom == 0 {
        network.forward(crop)?
    } else {
        let padded = crop.f_constant_pad_nd([0, right as i64, 0, bottom as i64]); // (1, C, multiple, multiple)
        network.forward(&padded.map_err(Error::torch("fill up a window"))?)?
    };
    let (scores, kind): (Tensor, ScoreKind) = match scores {
        Scores::Logits(Logits(scores)) => (scores, |scores| Scores::Logits(Logits(scores))),
        Scores::Probabilities(scores) => (scores, Scores::Probabilities),
    };
    let scores = cut(&scores, Window::whole(own)).map_err(Error::torch("cut off what was filled up"))?; // (1, K, side, side)
    Ok((scores, kind))
}

/// Bilinearly, corners not aligned: (1, C, H, W) → (1, C, h, w).
fn resize(image: &Tensor, from: Size, to: Size) -> Result<Tensor, TchError> {
    if from == to {
        return Ok(image.shallow_clone());
    }
    image.f_upsample_bilinear2d([to.height as i64, to.width as i64], false, None, None)
}

/// Left and right exchanged.
fn flip(image: &Tensor) -> Result<Tensor, TchError> {
    image.f_flip([3])
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

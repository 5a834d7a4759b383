//! The only conversions between arrays of samples and tensors.

use ndarray::{Array2, Array3, Array4};
use seg_grid::Observer;
use seg_label::{ConfusionMatrix, IGNORE_INDEX};
use tch::{Device, Kind, TchError, Tensor};

/// Images (B, C, H, W), laid out channels-last, as convolutions on processors like them.
pub(crate) fn images(batch: &Array4<f32>, device: Device) -> Result<Tensor, TchError> {
    let (b, c, h, w) = batch.dim();
    let standard = batch.as_standard_layout();
    let values = Tensor::f_from_slice(standard.as_slice().unwrap_or_default())?;
    let images = values.f_view([b as i64, c as i64, h as i64, w as i64])?; // (B, C, H, W)
    let images = upload(&images, device)?;
    seg_torch::channels_last(&images).map_err(|error| TchError::Torch(error.to_string()))
}

/// One image (C, H, W) as a batch, (1, C, H, W).
pub(crate) fn image(values: &Array3<f32>, device: Device) -> Result<Tensor, TchError> {
    let (c, h, w) = values.dim();
    let standard = values.as_standard_layout();
    let values = Tensor::f_from_slice(standard.as_slice().unwrap_or_default())?;
    upload(&values.f_view([1, c as i64, h as i64, w as i64])?, device) // (1, C, H, W)
}

/// Labels (B, H, W) as the whole numbers that losses take.
pub(crate) fn labels(batch: &Array3<u8>, device: Device) -> Result<Tensor, TchError> {
    let (b, h, w) = batch.dim();
    let standard = batch.as_standard_layout();
    let values = Tensor::f_from_slice(standard.as_slice().unwrap_or_default())?;
    upload(&values.f_view([b as i64, h as i64, w as i64])?, device)?.f_to_kind(Kind::Int64) // (B, H, W)
}

/// The most likely class of each pixel: scores (1, K, H, W) to (H, W); [`IGNORE_INDEX`] where one of them is no number
/// or the highest is infinite, as in inference.
pub(crate) fn classes(scores: &Tensor) -> Result<Array2<u8>, TchError> {
    let classes = scores.f_argmax(1, false)?.f_get(0)?.f_to_kind(Kind::Uint8)?; // (H, W)
    let highest = scores.f_amax([1], false)?.f_get(0)?; // (H, W)
    let unseen = highest.f_isfinite()?.f_logical_not()?; // (H, W)
    let classes = classes.f_masked_fill(&unseen, i64::from(IGNORE_INDEX))?.f_to_device(Device::Cpu)?; // (H, W)
    let (h, w) = classes.size2()?;
    let mut values = vec![0_u8; (h * w) as usize];
    classes.f_contiguous()?.f_copy_data(&mut values, (h * w) as usize)?;
    Array2::from_shape_vec((h as usize, w as usize), values)
        .map_err(|error| TchError::Shape(error.to_string()))
}

/// The highest of each pixel's scores: (1, K, H, W) to (H, W).
pub(crate) fn highest(scores: &Tensor) -> Result<Array2<f32>, TchError> {
    let highest = scores.f_amax([1], false)?.f_get(0)?.f_to_kind(Kind::Float)?.f_to_device(Device::Cpu)?; // (H, W)
    let (h, w) = highest.size2()?;
    let mut values = vec![0_f32; (h * w) as usize];
    highest.f_contiguous()?.f_copy_data(&mut values, (h * w) as usize)?;
    Array2::from_shape_vec((h as usize, w as usize), values)
        .map_err(|error| TchError::Shape(error.to_string()))
}

/// Tells of pixels whose scores were no numbers: a network that fails there is not better for it.
pub(crate) fn warn_of_unseen(matrix: &ConfusionMatrix, observer: &dyn Observer) {
    let unseen: u64 = matrix.unpredicted().iter().sum();
    if unseen > 0 {
        observer.warning(&format!(
            "the network gave no number for {unseen} labeled pixels; they count as missed"
        ));
    }
}

fn upload(tensor: &Tensor, device: Device) -> Result<Tensor, TchError> {
    seg_torch::upload(tensor, device).map_err(|error| TchError::Torch(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pixel_whose_scores_are_no_numbers_has_no_class() {
        let (nan, inf) = (f32::NAN, f32::INFINITY);
        // Pixels: 0, 1, a tie, NaN first, NaN last, infinite, one class impossible.
        let scores = [[0.9, 0.1, 0.5, nan, 0.5, inf, -inf], [0.1, 0.9, 0.5, 0.5, nan, 0.0, 0.3]].concat();
        let scores = Tensor::from_slice(&scores).view([1, 2, 1, 7]); // (1, K, H, W)
        assert_eq!(classes(&scores).unwrap().into_raw_vec_and_offset().0, [0, 1, 0, 255, 255, 255, 1]);
    }
}

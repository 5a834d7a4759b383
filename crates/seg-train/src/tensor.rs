//! The only conversions between arrays of samples and tensors.

use ndarray::{Array2, Array3, Array4};
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

/// The most likely class of each pixel: scores (1, K, H, W) to (H, W).
pub(crate) fn classes(scores: &Tensor) -> Result<Array2<u8>, TchError> {
    let classes = scores.f_argmax(1, false)?.f_get(0)?.f_to_kind(Kind::Uint8)?.f_to_device(Device::Cpu)?; // (H, W)
    let (h, w) = classes.size2()?;
    let mut values = vec![0_u8; (h * w) as usize];
    classes.f_contiguous()?.f_copy_data(&mut values, (h * w) as usize)?;
    Array2::from_shape_vec((h as usize, w as usize), values)
        .map_err(|error| TchError::Shape(error.to_string()))
}

fn upload(tensor: &Tensor, device: Device) -> Result<Tensor, TchError> {
    seg_torch::upload(tensor, device).map_err(|error| TchError::Torch(error.to_string()))
}

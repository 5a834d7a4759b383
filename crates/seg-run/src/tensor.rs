//! The only conversions between arrays and tensors.

use ndarray::{Array3, ArrayView4};
use tch::{Device, Kind, TchError, Tensor};

/// Tiles (B, C, H, W) to a float tensor of the same shape on `device`.
pub(crate) fn to_tensor(tiles: &ArrayView4<'_, f32>, device: Device) -> Result<Tensor, seg_torch::Error> {
    let (b, c, h, w) = tiles.dim();
    let standard = tiles.as_standard_layout();
    let values = standard.as_slice().unwrap_or_default();
    let shape = [b as i64, c as i64, h as i64, w as i64];
    seg_torch::upload(&Tensor::from_slice(values).view(shape), device) // (B, C, H, W)
}

/// One image of a score tensor (B, K, H, W) of the processor to an array (K, H, W).
pub(crate) fn to_array(scores: &Tensor, image: usize) -> Result<Array3<f32>, TchError> {
    let one = scores.f_get(image as i64)?.f_to_kind(Kind::Float)?; // (K, H, W)
    let one = one.f_contiguous()?;
    let (k, h, w) = one.size3()?;
    let mut values = vec![0.0_f32; (k * h * w) as usize];
    one.f_copy_data(&mut values, (k * h * w) as usize)?;
    let shape = (k as usize, h as usize, w as usize);
    Array3::from_shape_vec(shape, values).map_err(|error| TchError::Shape(error.to_string()))
}

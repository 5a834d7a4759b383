//! How far computed tensors are from those of a reference.

use serde::Serialize;
use tch::{Device, Kind, TchError, Tensor};

use super::Tensors;
use crate::error::Error;

/// The comparison of all tensors of a reference file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GoldenReport {
    /// Each tensor of the file, in alphabetical order.
    pub tensors: Vec<TensorCheck>,
    /// The largest error; none where a tensor could not be compared.
    pub largest: Option<f64>,
    /// Weights in the file that belong to no part of its network, by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unused: Vec<String>,
}

/// The comparison of one tensor.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TensorCheck {
    /// Its name in the file.
    pub name: String,
    /// max|a − b| / max|b|, where b is the reference; none where it could not be computed.
    pub max_relative_error: Option<f64>,
    /// Why it could not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl GoldenReport {
    pub(super) fn new(expected: &Tensors, computed: &Tensors, unused: Vec<String>) -> Result<Self, Error> {
        let _no_grad = tch::no_grad_guard();
        let counted = expected.iter().filter(|(name, _)| !unused.contains(name));
        let check =
            |(name, expected): (&String, &Tensor)| TensorCheck::new(name, expected, computed.get(name));
        let tensors = counted.map(check).collect::<Result<Vec<_>, _>>();
        let tensors = tensors.map_err(Error::compute("compare tensors"))?;
        let errors = tensors.iter().map(|tensor| tensor.max_relative_error);
        let largest = errors.collect::<Option<Vec<_>>>().map(|all| all.into_iter().fold(0.0, f64::max));
        Ok(Self { tensors, largest, unused })
    }

    /// The tensors that differ by more than a tolerance, or could not be compared.
    pub fn above(&self, tolerance: f64) -> impl Iterator<Item = &TensorCheck> {
        self.tensors
            .iter()
            .filter(move |tensor| tensor.max_relative_error.is_none_or(|error| error > tolerance))
    }
}

impl TensorCheck {
    fn new(name: &str, expected: &Tensor, got: Option<&Tensor>) -> Result<Self, TchError> {
        let name = name.to_owned();
        let failed =
            |problem: String| Self { name: name.clone(), max_relative_error: None, problem: Some(problem) };
        let Some(got) = got else { return Ok(failed("this network does not compute it".to_owned())) };
        if got.size() != expected.size() {
            return Ok(failed(format!("its shape is {:?} instead of {:?}", got.size(), expected.size())));
        }
        let error = relative_error(got, expected)?;
        if !error.is_finite() {
            return Ok(failed("it holds values that are not finite".to_owned()));
        }
        Ok(Self { name, max_relative_error: Some(error), problem: None })
    }
}

/// max|a − b| / max|b|; where b is zero everywhere, max|a|.
fn relative_error(a: &Tensor, b: &Tensor) -> Result<f64, TchError> {
    let double = |tensor: &Tensor| tensor.f_detach()?.f_to_device(Device::Cpu)?.f_to_kind(Kind::Double);
    let (a, b) = (double(a)?, double(b)?);
    if b.numel() == 0 {
        return Ok(0.0);
    }
    let largest = |tensor: Tensor| tensor.f_abs()?.f_max()?.f_double_value(&[]);
    let (difference, size) = (largest(a.f_sub(&b)?)?, largest(b)?);
    Ok(if size == 0.0 { difference } else { difference / size })
}

#[cfg(test)]
mod tests {
    use tch::Tensor;

    use super::{GoldenReport, Tensors};

    fn report(expected: &[f32], got: Option<&[f32]>) -> GoldenReport {
        let tensors = |values: &[f32]| Tensors::from([("a".to_owned(), Tensor::from_slice(values))]);
        let got = got.map(tensors).unwrap_or_default();
        GoldenReport::new(&tensors(expected), &got, Vec::new()).unwrap()
    }

    #[test]
    fn the_error_is_relative_to_the_largest_value() {
        let found = report(&[1.0, -4.0], Some(&[1.5, -4.0]));
        assert_eq!(found.largest, Some(0.125));
        assert_eq!((found.above(0.1).count(), found.above(0.125).count()), (1, 0));
        assert_eq!(report(&[0.0], Some(&[0.25])).largest, Some(0.25));
    }

    #[test]
    fn what_cannot_be_compared_is_above_any_tolerance() {
        for got in [None, Some(&[1.0, 2.0, 3.0][..]), Some(&[f32::NAN, 1.0][..])] {
            let found = report(&[1.0, 2.0], got);
            assert_eq!((found.largest, found.above(f64::MAX).count()), (None, 1), "{found:?}");
            assert!(found.tensors[0].problem.is_some());
        }
    }
}

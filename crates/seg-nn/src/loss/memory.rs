//! What the contrastive loss remembers from step to step.

use std::collections::BTreeMap;

use tch::{Device, Kind, Tensor};

use crate::error::Error;
use crate::layers::Forward;

/// The last mean vector of every category at every place of the batch, so that categories that an image lacks
/// have one too.
///
/// # Examples
/// ```
/// use std::collections::BTreeMap;
///
/// use seg_nn::ContrastMemory;
/// use tch::{Device, Kind, Tensor};
///
/// let options = (Kind::Float, Device::Cpu);
/// let saved = BTreeMap::from([
///     ("cpc.bank".to_owned(), Tensor::ones([2, 3, 3], options)),
///     ("cpc.seen".to_owned(), Tensor::ones([2, 3], (Kind::Uint8, Device::Cpu))),
/// ]);
/// let memory = ContrastMemory::from_tensors(&saved, Device::Cpu)?.unwrap();
/// assert_eq!(memory.tensors()[0].1.size(), [2, 3, 3]);
/// # Ok::<(), seg_nn::Error>(())
/// ```
#[derive(Debug)]
pub struct ContrastMemory {
    /// Vectors, without gradient, (B, K, K).
    bank: Tensor,
    /// Whether there is one, (B, K).
    seen: Tensor,
}

const BANK: &str = "cpc.bank";
const SEEN: &str = "cpc.seen";

impl ContrastMemory {
    /// The memory as tensors to save: `cpc.bank` (B, K, K) and `cpc.seen` (B, K), bytes of 0 and 1.
    pub fn tensors(&self) -> Vec<(String, Tensor)> {
        Self::named(self.bank.shallow_clone(), self.seen.to_kind(Kind::Uint8))
    }

    /// The tensors of [`tensors`](Self::tensors) of another process with their names.
    pub fn named(bank: Tensor, seen: Tensor) -> Vec<(String, Tensor)> {
        vec![(BANK.to_owned(), bank), (SEEN.to_owned(), seen)]
    }

    /// The memory from saved tensors, of which others than its own are left aside; none where they lack it.
    ///
    /// # Errors
    /// When the shapes of its tensors do not fit each other.
    pub fn from_tensors(tensors: &BTreeMap<String, Tensor>, device: Device) -> Result<Option<Self>, Error> {
        let (Some(bank), Some(seen)) = (tensors.get(BANK), tensors.get(SEEN)) else { return Ok(None) };
        let (bank_shape, seen_shape) = (bank.size(), seen.size());
        let fits = matches!(bank_shape[..], [b, k, features] if k == features && seen_shape == [b, k]);
        if !fits {
            let problem = format!("{bank_shape:?} and {SEEN} {seen_shape:?} are not (B, K, K) and (B, K)");
            return Err(Error::Loss { key: BANK.to_owned(), problem });
        }
        let restore = |tensor: &Tensor, kind| tensor.f_detach()?.f_to_device(device)?.f_to_kind(kind);
        let restore =
            |tensor, kind| restore(tensor, kind).map_err(Error::compute("restore the loss's memory"));
        Ok(Some(Self { bank: restore(bank, bank.kind())?, seen: restore(seen, Kind::Bool)? }))
    }

    /// Fills the gaps of a batch's vectors, (B, K, K) with presence (B, K), from what is remembered, and
    /// remembers the result; a memory of another shape is forgotten.
    pub(super) fn complete(
        memory: &mut Option<Self>,
        mean: &Tensor,
        here: &Tensor,
    ) -> Forward<(Tensor, Tensor)> {
        let fits = |memory: &Self| {
            let bank = &memory.bank;
            bank.size() == mean.size() && bank.kind() == mean.kind() && bank.device() == mean.device()
        };
        let (mean, valid) = match memory.as_ref().filter(|memory| fits(memory)) {
            Some(Self { bank, seen }) => {
                let mean = mean.f_where_self(&here.f_unsqueeze(-1)?, bank)?; // (B, K) -> (B, K, 1)
                (mean, here.f_logical_or(seen)?)
            }
            None => (mean.shallow_clone(), here.shallow_clone()),
        };
        *memory = Some(Self { bank: mean.f_detach()?, seen: valid.shallow_clone() });
        Ok((mean, valid))
    }
}

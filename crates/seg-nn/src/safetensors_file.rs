//! Safetensors files as tch tensors.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fs::{File, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors, View};
use tch::{Device, Kind, TchError, Tensor};

use crate::error::Error;

/// A safetensors file in memory; its tensors are made when they are asked for.
#[derive(Debug)]
pub(crate) struct TensorFile {
    bytes: Vec<u8>,
    /// Metadata by key.
    pub(crate) metadata: HashMap<String, String>,
}

/// A tensor's bytes as they go into a file.
struct StoredTensor {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl View for &StoredTensor {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

impl TensorFile {
    /// Checks the bytes of a file; `path` is only for messages.
    pub(crate) fn new(bytes: Vec<u8>, path: &Path) -> Result<Self, Error> {
        let damaged = damaged(path);
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(&damaged)?;
        let _whole = SafeTensors::deserialize(&bytes).map_err(&damaged)?;
        let metadata = header.metadata().clone().unwrap_or_default();
        Ok(Self { bytes, metadata })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The tensors by name.
    pub(crate) fn tensors(&self, path: &Path) -> Result<BTreeMap<String, TensorView<'_>>, Error> {
        let file = SafeTensors::deserialize(&self.bytes).map_err(damaged(path))?;
        Ok(file.tensors().into_iter().collect())
    }
}

fn damaged(path: &Path) -> impl Fn(safetensors::SafeTensorError) -> Error + use<> {
    let path = path.to_owned();
    move |error| Error::NotSafetensors { path: path.clone(), reason: error.to_string() }
}

/// The shape of a stored tensor.
pub(crate) fn shape(view: &TensorView) -> Vec<i64> {
    view.shape().iter().map(|side| *side as i64).collect()
}

/// Writes tensors and one metadata entry: to a temporary file in the same folder, which takes the final name
/// when it is whole and on disk.
pub(crate) fn write(
    path: &Path,
    tensors: &BTreeMap<String, Tensor>,
    (key, metadata): (&str, String),
) -> Result<(), Error> {
    let mut stored = BTreeMap::new();
    for (key, tensor) in tensors {
        let tensor = to_stored(tensor).map_err(Error::compute("copy weights"))?;
        stored.insert(key.as_str(), tensor.ok_or_else(|| stored_kind(key, tensors, path))?);
    }
    let metadata = HashMap::from([(key.to_owned(), metadata)]);
    let bytes = safetensors::serialize(&stored, Some(metadata)).map_err(|error| Error::Write {
        path: path.to_owned(),
        source: std::io::Error::other(error.to_string()),
    })?;
    write_atomically(path, &bytes).map_err(|source| Error::Write { path: path.to_owned(), source })
}

fn stored_kind(key: &str, tensors: &BTreeMap<String, Tensor>, path: &Path) -> Error {
    let found = format!("{:?}", tensors[key].kind());
    Error::StoredKind { path: path.to_owned(), key: key.to_owned(), found }
}

fn write_atomically(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // The user's umask takes away from these permissions, as for every file.
    let permissions = Permissions::from_mode(0o666);
    let mut file =
        tempfile::Builder::new().prefix(".rs-seg-").permissions(permissions).tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()
}

/// A stored tensor, floating-point numbers as float32; `key` and `path` are only for messages.
pub(crate) fn to_tensor(key: &str, view: &TensorView, path: &Path) -> Result<Tensor, Error> {
    let kind = match view.dtype() {
        Dtype::F16 => Kind::Half,
        Dtype::BF16 => Kind::BFloat16,
        Dtype::F32 => Kind::Float,
        Dtype::F64 => Kind::Double,
        Dtype::I64 => Kind::Int64,
        Dtype::U8 => Kind::Uint8,
        other => {
            let found = format!("{other:?}");
            return Err(Error::StoredKind { path: path.to_owned(), key: key.to_owned(), found });
        }
    };
    let tensor = Tensor::f_from_data_size(view.data(), &shape(view), kind).and_then(|tensor| {
        if tensor.is_floating_point() { tensor.f_to_kind(Kind::Float) } else { Ok(tensor) }
    });
    tensor.map_err(Error::compute("read weights"))
}

/// The bytes of a tensor, if it is of a type that is stored.
fn to_stored(tensor: &Tensor) -> Result<Option<StoredTensor>, TchError> {
    let (dtype, size) = match tensor.kind() {
        Kind::Float => (Dtype::F32, 4),
        Kind::Half => (Dtype::F16, 2),
        Kind::Int64 => (Dtype::I64, 8),
        _ => return Ok(None),
    };
    let tensor = tensor.f_to_device(Device::Cpu)?.f_contiguous()?;
    let mut bytes = vec![0; tensor.numel() * size];
    tensor.f_copy_data_u8(&mut bytes, tensor.numel())?;
    let shape = tensor.size().iter().map(|side| *side as usize).collect();
    Ok(Some(StoredTensor { dtype, shape, bytes }))
}

//! Safetensors files as tch tensors.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fs::{File, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use safetensors::tensor::{Metadata, TensorInfo, TensorView};
use safetensors::{Dtype, SafeTensors};
use tch::{Device, Kind, TchError, Tensor};

use crate::error::Error;

/// A safetensors file in memory; its tensors are made when they are asked for.
#[derive(Debug)]
pub(crate) struct TensorFile {
    bytes: Cow<'static, [u8]>,
    /// Metadata by key.
    pub(crate) metadata: HashMap<String, String>,
}

/// A tensor to write.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) tensor: Tensor,
    /// The type that it is stored as.
    pub(crate) kind: Kind,
}

/// The types that are stored.
const KINDS: [(Kind, Dtype); 8] = [
    (Kind::Float, Dtype::F32),
    (Kind::Half, Dtype::F16),
    (Kind::BFloat16, Dtype::BF16),
    (Kind::Double, Dtype::F64),
    (Kind::Int64, Dtype::I64),
    (Kind::Int, Dtype::I32),
    (Kind::Uint8, Dtype::U8),
    (Kind::Bool, Dtype::BOOL),
];
/// Numbers that are converted and written at once.
const PIECE: i64 = 1 << 20;
/// Headers are filled up with blanks to a multiple of this.
const HEADER_MULTIPLE: usize = 8;

impl TensorFile {
    /// Checks the bytes of a file; `path` is only for messages.
    pub(crate) fn new(bytes: Cow<'static, [u8]>, path: &Path) -> Result<Self, Error> {
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

/// A stored tensor of the type that it was written in; `key` and `path` are only for messages.
pub(crate) fn to_tensor(key: &str, view: &TensorView, path: &Path) -> Result<Tensor, Error> {
    let kind = KINDS.iter().find(|(_, dtype)| *dtype == view.dtype());
    let (kind, _) = kind.ok_or_else(|| stored_kind(key, format!("{:?}", view.dtype()), path))?;
    Tensor::f_from_data_size(view.data(), &shape(view), *kind).map_err(Error::compute("read weights"))
}

/// A stored weight, floating-point numbers as float32; `key` and `path` are only for messages.
pub(crate) fn to_weight(key: &str, view: &TensorView, path: &Path) -> Result<Tensor, Error> {
    let tensor = to_tensor(key, view, path)?;
    if !tensor.is_floating_point() {
        return Ok(tensor);
    }
    tensor.f_to_kind(Kind::Float).map_err(Error::compute("read weights"))
}

fn stored_kind(key: &str, found: String, path: &Path) -> Error {
    Error::StoredKind { path: path.to_owned(), key: key.to_owned(), found }
}

/// Writes tensors and one metadata entry: to a temporary file in the same folder, which takes the final name
/// when it is whole and on disk.
///
/// Tensors are converted and written piece by piece, so that they are never all in memory a second time.
pub(crate) fn write(path: &Path, entries: Vec<Entry>, metadata: (&str, String)) -> Result<(), Error> {
    let failed = |source| Error::Write { path: path.to_owned(), source };
    let dtypes = entries.iter().map(|entry| {
        let dtype = KINDS.iter().find(|(kind, _)| *kind == entry.kind).map(|(_, dtype)| *dtype);
        dtype.ok_or_else(|| stored_kind(&entry.name, format!("{:?}", entry.kind), path))
    });
    let mut entries = dtypes.collect::<Result<Vec<_>, _>>()?.into_iter().zip(entries).collect::<Vec<_>>();
    // The format's own order: large types first, so that all are aligned.
    entries.sort_by(|(a, left), (b, right)| b.cmp(a).then_with(|| left.name.cmp(&right.name)));
    let header = header(&entries, metadata).map_err(|error| failed(io::Error::other(error.to_string())))?;
    let mut pending = temporary(path).map_err(failed)?;
    {
        let mut out = BufWriter::new(pending.as_file_mut());
        out.write_all(&header).map_err(failed)?;
        let mut buffer = Vec::new();
        for (_, entry) in &entries {
            for piece in pieces(entry).map_err(Error::compute("copy weights"))? {
                fill(&mut buffer, &piece, entry.kind).map_err(Error::compute("copy weights"))?;
                out.write_all(&buffer).map_err(failed)?;
            }
        }
        out.flush().map_err(failed)?;
    }
    publish(pending, path).map_err(failed)
}

/// The file's beginning: the length of its description, then the description.
fn header(
    entries: &[(Dtype, Entry)],
    (key, metadata): (&str, String),
) -> Result<Vec<u8>, safetensors::SafeTensorError> {
    let mut offset = 0;
    let infos = entries.iter().map(|(dtype, Entry { name, tensor, .. })| {
        let start = offset;
        offset += tensor.numel() * dtype.bitsize() / 8;
        let shape = tensor.size().iter().map(|side| *side as usize).collect();
        (name.clone(), TensorInfo { dtype: *dtype, shape, data_offsets: (start, offset) })
    });
    let metadata = HashMap::from([(key.to_owned(), metadata)]);
    let mut text = serde_json::to_vec(&Metadata::new(Some(metadata), infos.collect())?)?;
    text.resize(text.len().next_multiple_of(HEADER_MULTIPLE), b' ');
    Ok([&(text.len() as u64).to_le_bytes(), text.as_slice()].concat())
}

/// A tensor's numbers in order, as views of at most [`PIECE`]: (…) -> several (N).
fn pieces(entry: &Entry) -> Result<Vec<Tensor>, TchError> {
    let flat = entry.tensor.f_detach()?.f_contiguous()?.f_view([-1])?; // (…) -> (numel)
    let count = flat.numel() as i64;
    let starts = (0..count).step_by(PIECE as usize);
    starts.map(|start| flat.f_narrow(0, start, PIECE.min(count - start))).collect()
}

/// Puts a piece's numbers into a buffer, as the type that they are stored as.
fn fill(buffer: &mut Vec<u8>, piece: &Tensor, kind: Kind) -> Result<(), TchError> {
    let piece = piece.f_to_kind(kind)?.f_to_device(Device::Cpu)?;
    buffer.resize(piece.numel() * kind.elt_size_in_bytes(), 0);
    piece.f_copy_data_u8(buffer, piece.numel())
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A file beside `path` that goes away unless it is published.
fn temporary(path: &Path) -> io::Result<tempfile::NamedTempFile> {
    // The user's umask takes away from these permissions, as for every file.
    let permissions = Permissions::from_mode(0o666);
    tempfile::Builder::new().prefix(".rs-seg-").permissions(permissions).tempfile_in(folder(path))
}

fn publish(file: tempfile::NamedTempFile, path: &Path) -> io::Result<()> {
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    File::open(folder(path))?.sync_all()
}

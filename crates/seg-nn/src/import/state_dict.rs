//! The tensors of a file by the names that the file gives them.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use sha2::{Digest as _, Sha256};
use tch::{Kind, TchError, Tensor};

use super::archive::Archive;
use super::flatten::{Found, flatten};
use super::pickle::{Pickle, TensorSlice};
use super::problem::ImportProblem;
use crate::checkpoint;
use crate::error::Error;
use crate::safetensors_file::{self, TensorFile};

/// The tensors of a file by the names that the file gives them, floating-point numbers as float32.
#[derive(Debug)]
pub struct StateDict {
    /// What kind of file it was.
    pub kind: FileKind,
    /// The tensors.
    pub tensors: BTreeMap<String, Tensor>,
    /// Names of tensors of kinds that are not read, such as sparse ones.
    pub unread: Vec<String>,
    /// What lies beside them in the file, such as an optimizer's state.
    pub beside: Vec<String>,
    /// The file's sha256, in hexadecimal digits.
    pub sha256: String,
    /// The file.
    pub path: PathBuf,
}

/// A kind of file that holds weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A program that TorchScript saved.
    TorchScript,
    /// What `torch.save` wrote.
    TorchSave,
    /// A safetensors file.
    Safetensors,
}

impl std::fmt::Display for FileKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::TorchScript => "a TorchScript archive",
            Self::TorchSave => "an archive of torch.save",
            Self::Safetensors => "a safetensors file",
        })
    }
}

/// What a file is by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beginning {
    Zip,
    /// A pickle outside of an archive.
    Pickle,
    Safetensors,
    Other,
}

/// How classes of a TorchScript program are called.
const SCRIPT_CLASS: &str = "__torch__.";
/// Tensors that share memory are copied out of it; all of them together may have so many numbers however small
/// the file is.
const LEAST_NUMBERS: u64 = 1 << 20;

impl StateDict {
    /// Reads a file; what it is shows by its content, not by its ending.
    ///
    /// # Errors
    /// When it cannot be read, is of another kind or damaged, or holds no tensors.
    ///
    /// # Examples
    /// ```
    /// use seg_nn::import::{FileKind, StateDict};
    ///
    /// let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("weights.bin");
    /// let eye = tch::Tensor::eye(2, (tch::Kind::Half, tch::Device::Cpu));
    /// tch::Tensor::write_safetensors(&[("eye", eye)], &path)?;
    /// let weights = StateDict::read(&path)?;
    /// assert_eq!((weights.kind, weights.tensors["eye"].kind()), (FileKind::Safetensors, tch::Kind::Float));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read(path: &Path) -> Result<Self, Error> {
        let problem = |problem| Error::Import { path: path.to_owned(), problem };
        let beginning = Beginning::of(path)?;
        let sha256 = sha256(path)?;
        let Read { kind, tensors, unread, beside } = match beginning {
            Beginning::Zip => from_archive(path)?,
            Beginning::Safetensors => Read {
                kind: FileKind::Safetensors,
                tensors: from_safetensors(path)?,
                unread: Vec::new(),
                beside: Vec::new(),
            },
            Beginning::Pickle => return Err(problem(ImportProblem::Legacy)),
            Beginning::Other => return Err(problem(ImportProblem::UnknownKind)),
        };
        if tensors.is_empty() {
            return Err(problem(ImportProblem::NoTensors));
        }
        let (tensors, unread) = without_wrapper(tensors, unread);
        Ok(Self { kind, tensors, unread, beside, sha256, path: path.to_owned() })
    }
}

impl Beginning {
    pub(super) fn of(path: &Path) -> Result<Self, Error> {
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(Error::read(path))?;
        file.take(9).read_to_end(&mut bytes).map_err(Error::read(path))?;
        Ok(match bytes[..] {
            [b'P', b'K', 3, 4, ..] => Self::Zip,
            [0x80, 2..=5, ..] => Self::Pickle,
            // The length of the description, whose first character it is.
            [.., b'{'] if bytes.len() == 9 => Self::Safetensors,
            _ => Self::Other,
        })
    }
}

fn sha256(path: &Path) -> Result<String, Error> {
    let mut hasher = Sha256::new();
    let mut file = File::open(path).map_err(Error::read(path))?;
    io::copy(&mut file, &mut hasher).map_err(Error::read(path))?;
    Ok(format!("{:x}", hasher.finalize()))
}

/// What a file holds.
struct Read {
    kind: FileKind,
    tensors: BTreeMap<String, Tensor>,
    unread: Vec<String>,
    beside: Vec<String>,
}

fn from_archive(path: &Path) -> Result<Read, Error> {
    let problem = |problem| Error::Import { path: path.to_owned(), problem };
    let mut archive = Archive::open(path).map_err(problem)?;
    if archive.is_big_endian().map_err(problem)? {
        return Err(problem(ImportProblem::BigEndian));
    }
    let pickle =
        Pickle::parse(&archive.description().map_err(problem)?).map_err(|error| problem(error.into()))?;
    let script = pickle.class(&pickle.root).is_some_and(|class| class.starts_with(SCRIPT_CLASS));
    let kind = if script { FileKind::TorchScript } else { FileKind::TorchSave };
    let Found { tensors, unread, beside } = flatten(&pickle).map_err(problem)?;
    let tensors = read_tensors(&mut archive, tensors).map_err(|failure| match failure {
        Failure::File(reason) => problem(reason),
        Failure::Torch(error) => Error::compute("read weights")(error),
    })?;
    Ok(Read { kind, tensors, unread, beside })
}

enum Failure {
    File(ImportProblem),
    Torch(TchError),
}

impl From<TchError> for Failure {
    fn from(error: TchError) -> Self {
        Self::Torch(error)
    }
}

fn read_tensors(
    archive: &mut Archive,
    slices: BTreeMap<String, Rc<TensorSlice>>,
) -> Result<BTreeMap<String, Tensor>, Failure> {
    let mut left = archive.bytes().max(LEAST_NUMBERS);
    let mut storages: HashMap<(Rc<str>, u8), Tensor> = HashMap::new();
    let mut read = |(name, slice): (String, Rc<TensorSlice>)| {
        let wrong = |problem: &str| {
            Failure::File(ImportProblem::Tensor { name: name.clone(), problem: problem.to_owned() })
        };
        let numbers = numbers(&slice.size).ok_or_else(|| wrong("has too many numbers"))?;
        left =
            left.checked_sub(numbers).ok_or_else(|| wrong("and others have more numbers than the file"))?;
        if numbers == 0 {
            return Ok((name, Tensor::f_zeros(&slice.size, (widened(slice.kind), tch::Device::Cpu))?));
        }
        let key = (Rc::clone(&slice.storage.key), slice.kind as u8);
        if !storages.contains_key(&key) {
            let bytes = archive.storage(&slice.storage.key).map_err(Failure::File)?;
            let size = slice.kind.elt_size_in_bytes();
            let count = (bytes.len() / size) as i64;
            let whole = &bytes[..count as usize * size];
            storages.insert(key.clone(), Tensor::f_from_data_size(whole, &[count], slice.kind)?); // (numbers)
        }
        let storage = &storages[&key];
        let end = end(&slice).filter(|end| *end <= storage.numel() as u64);
        end.ok_or_else(|| wrong("does not lie within what is stored"))?;
        let tensor = storage.f_as_strided(&slice.size, &slice.stride, slice.offset as i64)?; // (numbers) -> (…)
        Ok((name, tensor.f_to_kind(widened(slice.kind))?.f_contiguous()?))
    };
    slices.into_iter().map(&mut read).collect()
}

/// The type that numbers are read as.
fn widened(kind: Kind) -> Kind {
    match kind {
        Kind::Half | Kind::BFloat16 | Kind::Double => Kind::Float,
        other => other,
    }
}

fn numbers(size: &[i64]) -> Option<u64> {
    size.iter().try_fold(1_u64, |numbers, side| numbers.checked_mul(u64::try_from(*side).ok()?))
}

/// One after the last number that a tensor has in its storage; none if there is none, or beyond all files.
pub(super) fn end(slice: &TensorSlice) -> Option<u64> {
    let mut steps = slice
        .size
        .iter()
        .zip(&slice.stride)
        .map(|(size, stride)| ((*size as u64).checked_sub(1), *stride as u64));
    let last = steps
        .try_fold(slice.offset as u64, |last, (steps, stride)| last.checked_add(steps?.checked_mul(stride)?));
    last?.checked_add(1)
}

fn from_safetensors(path: &Path) -> Result<BTreeMap<String, Tensor>, Error> {
    let file = TensorFile::new(fs::read(path).map_err(Error::read(path))?.into(), path)?;
    let own = [(checkpoint::METADATA_KEY, "a checkpoint"), (super::METADATA_KEY, "a file of weights")];
    if let Some((_, what)) = own.iter().find(|(key, _)| file.metadata.contains_key(*key)) {
        return Err(Error::Import { path: path.to_owned(), problem: ImportProblem::Own(what) });
    }
    let tensors = file.tensors(path)?;
    let read =
        |(name, view): (&String, &_)| Ok((name.clone(), safetensors_file::to_weight(name, view, path)?));
    tensors.iter().map(read).collect()
}

/// What wrappers of networks put before all names: training on several devices, Lightning and `torch.compile`.
const WRAPPERS: [&str; 3] = ["module.", "model.", "_orig_mod."];

/// Names without what wrappers put before all of them.
fn without_wrapper(
    mut tensors: BTreeMap<String, Tensor>,
    mut unread: Vec<String>,
) -> (BTreeMap<String, Tensor>, Vec<String>) {
    let is_before_all = |tensors: &BTreeMap<String, Tensor>, wrapper: &str| {
        tensors.keys().all(|name| name.len() > wrapper.len() && name.starts_with(wrapper))
    };
    while let Some(wrapper) = WRAPPERS.into_iter().find(|wrapper| is_before_all(&tensors, wrapper)) {
        let short = |name: &str| name.strip_prefix(wrapper).unwrap_or(name).to_owned();
        tensors = tensors.into_iter().map(|(name, tensor)| (short(&name), tensor)).collect();
        unread = unread.iter().map(|name| short(name)).collect();
    }
    (tensors, unread)
}

//! The container of PyTorch's archives: a zip file whose entries are stored without compression.

use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::Path;

use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::problem::ImportProblem;

/// An archive that was opened.
#[derive(Debug)]
pub(super) struct Archive {
    zip: ZipArchive<BufReader<File>>,
    /// What the names of its entries start with, the slash included.
    root: String,
    /// Length of the file.
    bytes: u64,
}

/// The entry that describes what the others hold.
const DESCRIPTION: &str = "data.pkl";

impl Archive {
    pub(super) fn open(path: &Path) -> Result<Self, ImportProblem> {
        let file = File::open(path).map_err(ImportProblem::damaged)?;
        let bytes = file.metadata().map_err(ImportProblem::damaged)?.len();
        let zip = ZipArchive::new(BufReader::new(file)).map_err(ImportProblem::damaged)?;
        let names = (0..zip.len()).filter_map(|index| zip.name_for_index(index)?.ok());
        let roots = names.filter_map(|name| Some(name.strip_suffix(DESCRIPTION)?.to_owned()));
        // The outermost one: a file that contains another archive's folder is no archive of that.
        let root = roots.filter(|root| root.is_empty() || root.ends_with('/')).min_by_key(String::len);
        let root = root.ok_or(ImportProblem::NoDescription)?;
        Ok(Self { zip, root, bytes })
    }

    /// Length of the file.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The description.
    pub(super) fn description(&mut self) -> Result<Vec<u8>, ImportProblem> {
        self.entry(DESCRIPTION)
    }

    /// The numbers of a storage.
    pub(super) fn storage(&mut self, key: &str) -> Result<Vec<u8>, ImportProblem> {
        self.entry(&format!("data/{key}"))
    }

    /// Whether numbers lie in the file with their highest byte first.
    pub(super) fn is_big_endian(&mut self) -> Result<bool, ImportProblem> {
        const ORDER: &str = "byteorder";
        let name = format!("{}{ORDER}", self.root);
        // Older archives do not say, and were written on machines of the usual order.
        if self.zip.index_for_name(&name).is_none() {
            return Ok(false);
        }
        Ok(self.entry(ORDER)? == b"big")
    }

    fn entry(&mut self, name: &str) -> Result<Vec<u8>, ImportProblem> {
        let name = format!("{}{name}", self.root);
        let mut entry = self.zip.by_name(&name).map_err(|error| match error {
            ZipError::FileNotFound => ImportProblem::Damaged(format!("its entry {name} is missing")),
            ZipError::UnsupportedArchive(_) => ImportProblem::Compressed,
            other => ImportProblem::damaged(other),
        })?;
        if entry.compression() != CompressionMethod::Stored {
            return Err(ImportProblem::Compressed);
        }
        // What it says of its length must not ask for more memory than the file has bytes.
        if entry.size() > self.bytes {
            return Err(ImportProblem::Damaged(format!("its entry {name} is longer than the file")));
        }
        let mut bytes = Vec::with_capacity(entry.size() as usize);
        // This compares the checksum as well.
        entry
            .read_to_end(&mut bytes)
            .map_err(|error| ImportProblem::Damaged(format!("its entry {name} cannot be read: {error}")))?;
        Ok(bytes)
    }
}

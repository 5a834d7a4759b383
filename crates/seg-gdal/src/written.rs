use crate::Error;
use std::fs;
use std::path::{Path, PathBuf};

/// A raster that is whole, still under its temporary name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The raster.
    pub raster: PathBuf,
    /// What lies beside it, if anything needs to.
    pub side_car: Option<PathBuf>,
}

/// A file that goes when its user does.
#[derive(Debug)]
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Written {
    /// Gives the raster its final name, after what lies beside it.
    ///
    /// # Errors
    /// If a file cannot be renamed.
    pub fn rename(self, name: &Path) -> Result<(), Error> {
        let rename = |from: &Path, to: &Path| {
            fs::rename(from, to).map_err(|source| Error::File {
                action: "rename",
                path: from.to_path_buf(),
                source,
            })
        };
        let beside = with_ending(name, ".aux.xml");
        match self.side_car {
            Some(side_car) => rename(&side_car, &beside)?,
            None => remove_if_there(&beside)?,
        }
        // Overviews and masks beside an earlier raster of that name would be taken for this one's.
        remove_if_there(&with_ending(name, ".ovr"))?;
        remove_if_there(&with_ending(name, ".msk"))?;
        rename(&self.raster, name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        for path in [self.0.clone(), with_ending(&self.0, ".aux.xml")] {
            // It may never have come to be, and a leftover harms nobody.
            let _ = fs::remove_file(path);
        }
    }
}

/// A path with an ending added to its name.
pub(crate) fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// Waits until the file is on the disk.
pub(crate) fn sync(path: &Path) -> Result<(), Error> {
    let synced = fs::File::open(path).and_then(|file| file.sync_all());
    synced.map_err(|source| Error::File { action: "store", path: path.to_path_buf(), source })
}

fn remove(path: &Path) -> Result<(), Error> {
    fs::remove_file(path).map_err(|source| Error::File { action: "remove", path: path.to_path_buf(), source })
}

/// Removes a file that may not be there.
pub(crate) fn remove_if_there(path: &Path) -> Result<(), Error> {
    if path.is_file() { remove(path) } else { Ok(()) }
}

use crate::polygons::open_vectors;
use crate::written::sync;
use crate::{Error, GdalMessage};
use gdal::vector::LayerAccess as _;
use std::fs::{self, File, TryLockError};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The file in the folder that the run that makes it has locked.
const LOCK: &str = ".lock";

/// Endings of files that an earlier file of the name may have beside it and that would be taken for the new one's:
/// indices of Shapefiles and the CRS of one, where the new one has none, and journals of GeoPackage files.
const BESIDE: [(&str, &[&str]); 2] = [
    ("shp", &["prj", "cpg", "sbn", "sbx", "qix", "idm", "ind", "shp.xml"]),
    ("gpkg", &["gpkg-wal", "gpkg-shm"]),
];

/// A folder beside the final file in which it is made; it goes with this value.
#[derive(Debug)]
pub(super) struct Staged {
    folder: PathBuf,
    target: PathBuf,
    /// Unlocked when the folder is gone.
    _lock: File,
}

/// A file of polygons that is whole, still in its temporary place.
#[derive(Debug)]
pub struct WrittenPolygons {
    staged: Staged,
    /// How many polygons it has.
    pub count: u64,
}

impl Staged {
    /// Makes the folder and locks it; what a run that was killed left there is gone.
    pub(super) fn create(target: &Path) -> Result<Self, Error> {
        let mut name = std::ffi::OsString::from(".");
        name.push(target.file_name().unwrap_or_default());
        name.push(".part");
        let folder = target.with_file_name(name);
        fs::create_dir_all(&folder).map_err(file("create the folder", &folder))?;
        let path = folder.join(LOCK);
        // Not emptied: it may be another run's.
        let options = File::options().create(true).truncate(false).write(true).open(&path);
        let lock = options.map_err(file("write", &path))?;
        let busy = || Error::PolygonsBusy { path: target.to_path_buf() };
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(busy()),
            // Some file systems have no locks, and then nobody has one.
            Err(TryLockError::Error(error)) => tracing::debug!(%error, "{} is not locked", path.display()),
        }
        // A run that was just ending has removed the file that is locked now.
        let (locked, there) = (lock.metadata(), fs::metadata(&path));
        if !matches!((locked, there), (Ok(locked), Ok(there)) if locked.ino() == there.ino()) {
            return Err(busy());
        }
        for stale in entries(&folder)? {
            let removed = if stale.is_dir() { fs::remove_dir_all(&stale) } else { fs::remove_file(&stale) };
            removed.map_err(file("remove", &stale))?;
        }
        Ok(Self { folder, target: target.to_path_buf(), _lock: lock })
    }

    /// The file to write.
    pub(super) fn file(&self) -> PathBuf {
        let file = self.folder.join(self.target.file_name().unwrap_or_default());
        match file.extension() {
            // GDAL takes any other spelling for a folder to be made.
            Some(ending) if ending.eq_ignore_ascii_case("shp") => file.with_extension("shp"),
            _ => file,
        }
    }

    /// The final name of a file in the folder.
    fn final_name(&self, path: &Path) -> PathBuf {
        if path == self.file() {
            self.target.clone()
        } else {
            self.target.with_file_name(path.file_name().unwrap_or_default())
        }
    }

    /// Reads back how many features each layer has; in a format of one layer its name can be another.
    pub(super) fn check(&self, names: &[String], counts: &[u64]) -> Result<(), Error> {
        let path = self.file();
        let differs = |source| Error::WritePolygons { path: self.target.clone(), source };
        let unread = || differs(GdalMessage::new("it cannot be read back, as when the disk is full"));
        let dataset = open_vectors(&path.to_string_lossy()).map_err(|_| unread())?;
        for (name, count) in names.iter().zip(counts) {
            let layer = if names.len() == 1 { dataset.layer(0) } else { dataset.layer_by_name(name) };
            let layer = layer.map_err(|error| differs(error.into()))?;
            let found = layer.feature_count();
            if found != *count {
                let said = format!(
                    "{count} polygons were written and {found} can be read, as when the disk is full"
                );
                return Err(differs(GdalMessage::new(said)));
            }
        }
        Ok(())
    }

    pub(super) const fn written(self, count: u64) -> WrittenPolygons {
        WrittenPolygons { staged: self, count }
    }
}

impl WrittenPolygons {
    /// Gives the file its name, and those beside it theirs.
    ///
    /// # Errors
    /// If a file cannot be stored or renamed.
    pub fn publish(self) -> Result<(), Error> {
        let Staged { folder, target, .. } = &self.staged;
        let mut found = entries(folder)?;
        for path in &found {
            sync(path)?;
        }
        let of = target.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        for (_, endings) in BESIDE.iter().filter(|(ending, _)| of.as_deref() == Some(ending)) {
            let stale = endings.iter().map(|ending| target.with_extension(ending));
            for path in stale.filter(|path| !found.iter().any(|new| new.file_name() == path.file_name())) {
                crate::written::remove_if_there(&path)?;
            }
        }
        // The file itself comes last: where it stands, all of it does.
        let main = self.staged.file();
        found.sort_unstable_by_key(|path| *path == main);
        for path in found {
            let to = self.staged.final_name(&path);
            fs::rename(&path, &to).map_err(file("rename", &path))?;
        }
        Ok(())
    }

    /// All its files, each in its temporary place and with its final name.
    pub fn files(&self) -> Vec<(PathBuf, PathBuf)> {
        let paths = entries(&self.staged.folder).unwrap_or_default().into_iter();
        let mut files: Vec<_> = paths.map(|path| (path.clone(), self.staged.final_name(&path))).collect();
        files.sort_unstable();
        files
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // Nothing better can be done about a folder that cannot be removed.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// What is in the folder but for its lock.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(file("search the folder", folder))? {
        let entry = entry.map_err(file("search the folder", folder))?;
        if entry.file_name() != LOCK {
            found.push(entry.path());
        }
    }
    Ok(found)
}

fn file(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error + use<> {
    let path = path.to_path_buf();
    move |source| Error::File { action, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_run_leaves_the_first_alone_and_clears_what_a_killed_one_left() {
        let folder = tempfile::tempdir().expect("a folder");
        let target = folder.path().join("p.gpkg");
        let part = folder.path().join(".p.gpkg.part");
        fs::create_dir_all(part.join("left")).expect("made");
        fs::write(part.join("p.gpkg"), "half").expect("written");
        let first = Staged::create(&target).expect("a killed run holds no lock");
        assert!(entries(&part).expect("a folder").is_empty());
        fs::write(first.file(), "whole").expect("written");
        let second = Staged::create(&target).map(drop);
        let error = second.expect_err("the first is still at it");
        assert!(matches!(&error, Error::PolygonsBusy { path } if *path == target), "{error}");
        assert!(error.hint().is_some_and(|hint| hint.contains("wait")), "{error}");
        Staged::create(&folder.path().join("q.gpkg")).expect("another file is nobody's");
        first.written(1).publish().expect("renamed");
        assert_eq!(fs::read_to_string(&target).expect("there"), "whole");
        assert!(!part.exists());
        Staged::create(&target).expect("the first has ended");
    }
}

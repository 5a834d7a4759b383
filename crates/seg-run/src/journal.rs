use crate::strip::StripId;
use crate::strip_rows::STRIP_ROWS;
use crate::{Error, Output};
use seg_grid::Window;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Everything that decides the result, by name; two runs with equal keys make equal bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunKey(
    /// Name and value of each parameter.
    pub BTreeMap<String, String>,
);

impl RunKey {
    /// The names whose values differ between two keys.
    pub fn differing(&self, other: &Self) -> Vec<String> {
        let names = self.0.keys().chain(other.0.keys().filter(|name| !self.0.contains_key(*name)));
        names.filter(|name| self.0.get(*name) != other.0.get(*name)).cloned().collect()
    }
}

/// What to do with the work folder of an unfinished run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fresh {
    /// There must be none.
    Expected,
    /// Go on with it.
    Resume,
    /// Remove it.
    Discard,
}

/// The file that says which run the strips belong to.
const RECORD: &str = "run.json";

/// The file whose lock tells that a run is alive; a killed run's lock is gone with it.
const LOCK: &str = "lock";

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    key: RunKey,
    /// The column strips that the run was divided into.
    columns: Vec<Range<usize>>,
}

/// The folder beside the output that holds finished strips until they are put together.
///
/// The list of strips is the journal: a strip is there whole, or not at all.
#[derive(Debug)]
pub struct WorkFolder {
    path: PathBuf,
    /// Held as long as this run lives, so that no other one touches the folder.
    _lock: fs::File,
}

impl WorkFolder {
    /// The work folder of an output file, `OUT.rs-seg-work` beside it.
    pub fn path_for(output: &Path) -> PathBuf {
        let mut name = output.file_name().unwrap_or_default().to_owned();
        name.push(".rs-seg-work");
        output.with_file_name(name)
    }

    /// Opens or makes the folder.
    ///
    /// # Errors
    /// If an unfinished run lies there and `fresh` does not say what to do with it, if it cannot be resumed
    /// because another key began it, or if the folder cannot be made.
    pub fn open(path: PathBuf, key: &RunKey, fresh: Fresh) -> Result<Self, Error> {
        let fail = |action| {
            let path = path.clone();
            move |source| Error::Work { action, path, source }
        };
        let record_path = path.join(RECORD);
        let existed = path.exists();
        fs::create_dir_all(&path).map_err(fail("make"))?;
        let lock = fs::File::create(path.join(LOCK)).map_err(fail("lock"))?;
        if lock.try_lock().is_err() {
            return Err(Error::Busy { path });
        }
        if existed {
            match fresh {
                Fresh::Expected => {
                    let bytes = folder_bytes(&path);
                    return Err(Error::Unfinished { path, bytes });
                }
                Fresh::Discard => remove_content(&path).map_err(fail("remove"))?,
                Fresh::Resume => match fs::read(&record_path) {
                    Ok(text) => {
                        let record: Record = serde_json::from_slice(&text).map_err(|_| {
                            Error::DamagedStrip { path: record_path.clone(), what: "it is no journal" }
                        })?;
                        let differing = record.key.differing(key);
                        if !differing.is_empty() {
                            return Err(Error::OtherRun { path, differing: differing.join(", ") });
                        }
                    }
                    // Nobody knows which run strips without a journal are of.
                    Err(_) => remove_content(&path).map_err(fail("remove"))?,
                },
            }
        }
        Ok(Self { path, _lock: lock })
    }

    /// The column strips of the unfinished run in a folder, which a plan to resume it keeps.
    pub fn columns_of(path: &Path) -> Option<Vec<Range<usize>>> {
        let record: Record = serde_json::from_slice(&fs::read(path.join(RECORD)).ok()?).ok()?;
        Some(record.columns)
    }

    /// Writes down what this run is, before its first strip.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn begin(&self, key: &RunKey, columns: &[Range<usize>]) -> Result<(), Error> {
        let path = self.path.join(RECORD);
        let record = Record { key: key.clone(), columns: columns.to_vec() };
        let text = serde_json::to_vec_pretty(&record).unwrap_or_default();
        let temporary = self.path.join("run.json.part");
        fs::write(&temporary, text)
            .and_then(|()| fs::rename(&temporary, &path))
            .map_err(|source| Error::Work { action: "write", path, source })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes that it takes on disk.
    pub fn bytes(&self) -> u64 {
        folder_bytes(&self.path)
    }

    /// Whether any strip is stored.
    pub fn has_strips(&self) -> bool {
        fs::read_dir(&self.path).is_ok_and(|mut entries| {
            entries.any(|entry| entry.is_ok_and(|e| e.path().extension().is_some_and(|x| x == "strip")))
        })
    }

    /// Whether all strips of some rows of column strips are stored.
    pub fn is_whole(&self, outputs: &[Output], columns: &[Range<usize>], rows: &Range<usize>) -> bool {
        columns.iter().all(|columns| self.first_missing_row(outputs, columns, rows) == rows.end)
    }

    /// Keeps others from changing the folder of a part while it is read, as long as the result lives.
    ///
    /// # Errors
    /// If it is being computed now.
    pub fn hold(folder: &Path) -> Result<Option<fs::File>, Error> {
        // Without a lock nobody computes there; one that cannot be opened is on a medium that nobody writes to.
        let Ok(lock) = fs::File::open(folder.join(LOCK)) else { return Ok(None) };
        match lock.try_lock_shared() {
            Err(fs::TryLockError::WouldBlock) => Err(Error::Busy { path: folder.to_path_buf() }),
            _ => Ok(Some(lock)),
        }
    }

    /// Removes the folder of a part that was put together; what is not the part's stays, and so does the folder then.
    ///
    /// # Errors
    /// If anything stays.
    pub fn remove_part(folder: &Path, record: &str) -> Result<(), Error> {
        let own = |path: &Path| {
            let name = path.file_name().unwrap_or_default();
            name == LOCK || name == RECORD || name == record || path.extension().is_some_and(|e| e == "strip")
        };
        let remove = || -> std::io::Result<()> {
            for entry in fs::read_dir(folder)? {
                let path = entry?.path();
                if own(&path) {
                    fs::remove_file(path)?;
                }
            }
            fs::remove_dir(folder)
        };
        remove().map_err(|source| Error::Work { action: "remove", path: folder.to_path_buf(), source })
    }

    /// The first of some rows of a column strip that is not stored in all outputs; the end of `rows` if all are.
    pub(crate) fn first_missing_row(
        &self,
        outputs: &[Output],
        columns: &Range<usize>,
        rows: &Range<usize>,
    ) -> usize {
        strips(columns, rows)
            .find(|window| {
                let stored = |output: &Output| {
                    let id = StripId { layer: output.layer(), window: *window };
                    self.path.join(id.file_name()).exists()
                };
                !outputs.iter().all(stored)
            })
            .map_or(rows.end, |window| window.y)
    }

    /// Removes the folder and all in it, unless somebody else has.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub fn remove(self) -> Result<(), Error> {
        match fs::remove_dir_all(&self.path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::Work { action: "remove", path: self.path, source })
            }
            _ => Ok(()),
        }
    }
}

/// The windows of a column strip's strips in some rows, top to bottom.
pub(crate) fn strips(columns: &Range<usize>, rows: &Range<usize>) -> impl Iterator<Item = Window> + use<> {
    let (x, width, bottom) = (columns.start, columns.len(), rows.end);
    rows.clone().step_by(STRIP_ROWS).map(move |y| Window { x, y, width, height: STRIP_ROWS.min(bottom - y) })
}

/// Empties the folder but for the lock: first what says that it is whole, last what says which run it is of.
fn remove_content(path: &Path) -> std::io::Result<()> {
    let mut names =
        fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    let is = |path: &Path, name: &str| path.file_name().is_some_and(|other| other == name);
    names.retain(|path| !is(path, LOCK));
    names.sort_by_key(|path| (is(path, RECORD), path.extension().is_some_and(|ending| ending == "strip")));
    names.iter().try_for_each(fs::remove_file)
}

fn folder_bytes(path: &Path) -> u64 {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).map(|m| m.len()).sum()
}

//! The folder of a run: configuration, metrics, events and checkpoints.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use seg_data::Split;
use seg_events::EventFile;
use seg_grid::Observer;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tempfile::NamedTempFile;

use crate::Error;

/// What becomes of a training that lies in the folder already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and a new one is refused.
    Refuse,
    /// Its files are removed; others in the folder stay.
    Replace,
}

/// How far the folder's growing files were when a checkpoint was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileMarks {
    metrics_bytes: u64,
    events_file: String,
    events_bytes: u64,
}

/// A folder that this process alone trains in.
#[derive(Debug)]
pub(crate) struct LockedFolder {
    path: PathBuf,
    /// Held as long as this run lives; a killed run's lock is gone with it.
    _lock: File,
}

/// The growing files of a run.
#[derive(Debug)]
pub(crate) struct RunFolder {
    folder: LockedFolder,
    metrics: BufWriter<File>,
    pub(crate) events: EventFile,
    events_file: String,
}

const LOCK: &str = "lock";
const METRICS: &str = "metrics.jsonl";
/// The beginning and the end of the names of event files, which are not those of other programs.
const EVENTS: (&str, &str) = ("events.out.tfevents.", ".rs-seg");
const CONFIG: &str = "config.toml";
const LAST: &str = "last.safetensors";
const BEST: &str = "best.safetensors";
/// The page of a training.
const PAGE: &str = "training.html";
/// The beginning and the endings of the names of reports on chips.
const REPORT: &str = "report-";
const REPORT_ENDINGS: [&str; 4] = ["html", "json", "csv", "md"];
/// The beginning of the names of saved batches.
const BATCH: &str = "bad-batch-";
const BATCH_ENDING: &str = ".safetensors";
/// The beginning of the names of checkpoints that are not whole yet.
const UNFINISHED: &str = ".rs-seg-";

impl FileMarks {
    /// Of files that are not begun yet.
    pub(crate) fn none() -> Self {
        let events_file = seg_events::file_name(SystemTime::now());
        Self { metrics_bytes: 0, events_file, events_bytes: 0 }
    }
}

/// Refuses a folder that holds a training, unless that may be replaced; nothing is touched.
///
/// # Errors
/// When it holds one, or cannot be looked into.
pub(crate) fn check_free(path: &Path, existing: Existing) -> Result<(), Error> {
    let mut files = if path.is_dir() { own_files(path)? } else { Vec::new() };
    files.sort();
    let last = path.join(LAST);
    match files.first() {
        Some(_) if existing == Existing::Refuse && files.contains(&last) => {
            Err(Error::Exists { path: path.to_owned(), file: last })
        }
        Some(file) if existing == Existing::Refuse => {
            Err(Error::Exists { path: path.to_owned(), file: file.clone() })
        }
        _ => Ok(()),
    }
}

/// The checkpoint of a folder that a resumed training goes on from.
pub(crate) fn last(folder: &Path) -> PathBuf {
    folder.join(LAST)
}

/// The checkpoint of the best validation.
pub(crate) fn best(folder: &Path) -> PathBuf {
    folder.join(BEST)
}

/// Where batches are saved that made a loss infinite, of one process of several in a name of their own.
pub(crate) fn bad_batch(folder: &Path, step: u64, rank: usize) -> PathBuf {
    let process = if rank == 0 { String::new() } else { format!("-{rank}") };
    folder.join(format!("{BATCH}{step}{process}{BATCH_ENDING}"))
}

/// The files of a training.
fn own_files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let is_own = |name: &str| {
        let digits = |text: &str| {
            let number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            text.splitn(2, '-').all(number)
        };
        let step = name.strip_prefix(BATCH).and_then(|rest| rest.strip_suffix(BATCH_ENDING));
        [METRICS, CONFIG, LAST, BEST, PAGE].contains(&name)
            || is_events(name)
            || is_report(name)
            || step.is_some_and(digits)
    };
    files(folder, is_own)
}

fn is_report(name: &str) -> bool {
    let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
    let splits = [Split::Train, Split::Val, Split::Test];
    REPORT_ENDINGS.contains(&ending) && splits.iter().any(|&split| report_stem(split) == stem)
}

/// The name, without its ending, of the report on a split that a training ends with.
pub fn report_stem(split: Split) -> String {
    format!("{REPORT}{split}")
}

/// The page of a run.
pub fn page(folder: &Path) -> PathBuf {
    folder.join(PAGE)
}

/// The metrics of a run: one JSON object a line.
pub fn metrics(folder: &Path) -> PathBuf {
    folder.join(METRICS)
}

fn is_events(name: &str) -> bool {
    name.starts_with(EVENTS.0) && name.ends_with(EVENTS.1) && !name.contains('/')
}

/// Whether a checkpoint of this name was being written when its process was killed: the beginning is followed by
/// six letters and digits.
fn is_unfinished(name: &str) -> bool {
    let drawn = name.strip_prefix(UNFINISHED);
    drawn.is_some_and(|drawn| drawn.len() == 6 && drawn.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

fn files(folder: &Path, wanted: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>, Error> {
    let fail = Error::file("list", folder);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(&fail)? {
        let entry = entry.map_err(&fail)?;
        let is_file = entry.file_type().map_err(&fail)?.is_file();
        if is_file && wanted(&entry.file_name().to_string_lossy()) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

fn remove(files: Vec<PathBuf>) -> Result<(), Error> {
    files.into_iter().try_for_each(|file| fs::remove_file(&file).map_err(Error::file("remove", &file)))
}

impl LockedFolder {
    /// Makes the folder if need be, and locks it.
    pub(crate) fn lock(path: &Path) -> Result<Self, Error> {
        fs::create_dir_all(path).map_err(Error::file("make the folder", path))?;
        let name = path.join(LOCK);
        // Not emptied: it may be somebody's.
        let options = OpenOptions::new().create(true).truncate(false).write(true).open(&name);
        let lock = options.map_err(Error::file("write", &name))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(Error::Busy { path: path.to_owned() }),
            Err(TryLockError::Error(source)) => Err(Error::file("lock", &name)(source)),
        }
    }

    /// The checkpoint that a resumed training goes on from.
    pub(crate) fn last(&self) -> PathBuf {
        last(&self.path)
    }

    /// Removes what is left of an earlier training once the new one's first checkpoint is there.
    pub(crate) fn clear(&self) -> Result<(), Error> {
        let mut files = own_files(&self.path)?;
        files.retain(|file| *file != self.last());
        remove(files)
    }

    /// Opens the growing files where a checkpoint's training left them: what came after it is cut off, and
    /// what is missing is begun anew.
    pub(crate) fn open(
        self,
        marks: &FileMarks,
        config: &str,
        observer: &dyn Observer,
    ) -> Result<RunFolder, Error> {
        remove(files(&self.path, is_unfinished)?)?;
        if !is_events(&marks.events_file) {
            let problem = format!("{} is no name of an event file", marks.events_file);
            return Err(Error::State { path: self.last(), problem });
        }
        let path = self.path.join(CONFIG);
        write_whole(&self.path, &path, config).map_err(Error::file("write", &path))?;
        let path = self.path.join(METRICS);
        let metrics = cut_back(&path, marks.metrics_bytes).map_err(Error::file("go on with", &path))?;
        if metrics.metadata().map_err(Error::file("read", &path))?.len() < marks.metrics_bytes {
            observer
                .warning(&format!("{} was shortened: the lines that are missing stay so", path.display()));
        }
        let path = self.path.join(&marks.events_file);
        let events = match (path.exists(), marks.events_bytes) {
            (true, 0) => {
                remove(vec![path.clone()])?;
                EventFile::create(&path)?
            }
            (true, bytes) => EventFile::resume(&path, bytes)?,
            (false, _) => EventFile::create(&path)?,
        };
        let events_file = marks.events_file.clone();
        Ok(RunFolder { folder: self, metrics: BufWriter::new(metrics), events, events_file })
    }
}

/// A file that gets its name when it is whole, for whom the user's mask has it.
pub(crate) fn unfinished(folder: &Path) -> io::Result<NamedTempFile> {
    let permissions = fs::Permissions::from_mode(0o666);
    tempfile::Builder::new().prefix(UNFINISHED).permissions(permissions).tempfile_in(folder)
}

/// Writes a file under another name first, so that it is whole or as it was.
fn write_whole(folder: &Path, path: &Path, text: &str) -> io::Result<()> {
    let mut file = unfinished(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error).map(|_| ())
}

/// A file of lines, cut back to so many bytes, or to the whole lines of a file that somebody shortened.
fn cut_back(path: &Path, bytes: u64) -> io::Result<File> {
    let mut file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?;
    let mut head = Vec::new();
    (&file).take(bytes).read_to_end(&mut head)?;
    let lines = head.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    file.set_len(lines as u64)?;
    file.seek(SeekFrom::End(0))?;
    Ok(file)
}

impl RunFolder {
    /// Adds a line to the metrics.
    pub(crate) fn log(&mut self, line: &Value) -> Result<(), Error> {
        let fail = Error::file("write", &self.folder.path.join(METRICS));
        writeln!(self.metrics, "{line}").and_then(|()| self.metrics.flush()).map_err(fail)
    }

    /// Brings all to the disk and tells how far the files are.
    pub(crate) fn marks(&mut self) -> Result<FileMarks, Error> {
        let fail = Error::file("write", &self.folder.path.join(METRICS));
        let mut sync = || {
            self.metrics.flush()?;
            let file = self.metrics.get_mut();
            file.sync_all()?;
            file.stream_position()
        };
        let metrics_bytes = sync().map_err(fail)?;
        let events_bytes = self.events.flush()?;
        Ok(FileMarks { metrics_bytes, events_file: self.events_file.clone(), events_bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use seg_grid::Silent;
    use serde_json::json;

    fn open(path: &Path, marks: &FileMarks) -> Result<RunFolder, Error> {
        LockedFolder::lock(path)?.open(marks, "a = 1\n", &Silent)
    }

    /// What is left of a training that logged 1, made a checkpoint and logged 2.
    fn interrupted(path: &Path) -> FileMarks {
        let mut run = open(path, &FileMarks::none()).unwrap();
        run.log(&json!({"step": 1})).unwrap();
        run.events.scalar(1, "loss", 0.5).unwrap();
        let marks = run.marks().unwrap();
        run.log(&json!({"step": 2})).unwrap();
        run.events.scalar(2, "loss", 0.25).unwrap();
        drop(run.marks().unwrap());
        marks
    }

    fn text(path: &Path) -> String {
        fs::read_to_string(path.join(METRICS)).unwrap()
    }

    fn steps(path: &Path, marks: &FileMarks) -> Vec<u64> {
        let events = seg_events::read_events(&path.join(&marks.events_file)).unwrap();
        events.iter().map(|event| event.step).collect()
    }

    #[test]
    fn what_came_after_a_checkpoint_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let marks = interrupted(folder.path());
        fs::write(folder.path().join(".rs-seg-Ab12x9"), "half a checkpoint").unwrap();
        let mut run = open(folder.path(), &marks).unwrap();
        assert_eq!(run.marks().unwrap(), marks);
        run.log(&json!({"step": 3})).unwrap();
        drop(run);
        assert_eq!(text(folder.path()), "{\"step\":1}\n{\"step\":3}\n");
        assert_eq!(steps(folder.path(), &marks), [1]);
        assert!(!folder.path().join(".rs-seg-Ab12x9").exists());
        // Nothing was begun when the first checkpoint was written.
        let first = FileMarks { metrics_bytes: 0, events_bytes: 0, ..marks };
        drop(open(folder.path(), &first).unwrap());
        assert_eq!((text(folder.path()), steps(folder.path(), &first)), (String::new(), vec![]));
    }

    #[test]
    fn files_that_are_missing_or_shortened_do_not_stop_a_training() {
        let folder = tempfile::tempdir().unwrap();
        let marks = interrupted(folder.path());
        fs::write(folder.path().join(METRICS), "{\"step\":0}\n{\"st").unwrap();
        for name in [CONFIG, &marks.events_file] {
            fs::remove_file(folder.path().join(name)).unwrap();
        }
        let long = FileMarks { metrics_bytes: 1000, ..marks.clone() };
        let mut run = open(folder.path(), &long).unwrap();
        run.log(&json!({"step": 2})).unwrap();
        drop(run);
        assert_eq!(text(folder.path()), "{\"step\":0}\n{\"step\":2}\n");
        assert_eq!(steps(folder.path(), &marks), Vec::<u64>::new());
        assert!(folder.path().join(CONFIG).exists());
    }

    #[test]
    fn a_training_is_not_replaced_unasked_and_other_files_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        check_free(&path.join("none"), Existing::Refuse).unwrap();
        assert!(!path.join("none").exists());
        for others in ["notes.txt", "events.out.tfevents.1700000000.host"] {
            fs::write(path.join(others), "mine").unwrap();
        }
        check_free(path, Existing::Refuse).unwrap();
        // What is left of a training is as dear as a whole one; only a whole one can be resumed.
        for (name, resumable) in [(CONFIG, false), (BEST, false), (LAST, true)] {
            fs::write(path.join(name), "weights").unwrap();
            let error = check_free(path, Existing::Refuse).unwrap_err();
            assert!(matches!(error, Error::Exists { .. }), "{error}");
            assert_eq!(error.hint().unwrap().contains("--resume"), resumable, "{name}");
        }
        for others in ["bad-batch-of-cookies.txt", ".rs-seg-notes", "lock"] {
            fs::write(path.join(others), "mine").unwrap();
        }
        fs::create_dir(path.join("bad-batch-1.safetensors")).unwrap();
        let folder = LockedFolder::lock(path).unwrap();
        folder.clear().unwrap();
        let left = |name: &str| fs::read_to_string(path.join(name)).unwrap();
        assert_eq!(files(path, |_| true).unwrap().len(), 6);
        assert_eq!((left(LAST), left("lock")), ("weights".to_owned(), "mine".to_owned()));
        assert!(path.join("bad-batch-1.safetensors").is_dir());
    }

    #[test]
    fn a_checkpoint_of_somebody_else_names_no_file_outside() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["../victim", "/victim", "events.out.tfevents.1/../../x.rs-seg"] {
            let marks = FileMarks { events_file: name.to_owned(), ..FileMarks::none() };
            let error = open(folder.path(), &marks).unwrap_err().to_string();
            assert!(error.contains("no name of an event file"), "{error}");
        }
    }

    #[test]
    fn two_trainings_do_not_share_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let _run = open(folder.path(), &FileMarks::none()).unwrap();
        assert!(matches!(LockedFolder::lock(folder.path()), Err(Error::Busy { .. })));
    }
}

use crate::message::{
    Content, DataClass, DataType, Event, FILE_VERSION, Metadata, Plugin, Shape, Summary, SummaryValue,
    TEXT_PLUGIN, Tensor,
};
use crate::{Error, picture, read, record};
use prost::Message as _;
use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// How many bytes are kept in memory before they are written.
const BUFFERED: usize = 64 * 1024;

/// A name that `TensorBoard` takes for an event file, and that sorts by time.
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
/// let name = seg_events::file_name(UNIX_EPOCH + Duration::from_secs(1_700_000_000));
/// assert_eq!(name, "events.out.tfevents.1700000000.rs-seg");
/// ```
pub fn file_name(created: SystemTime) -> String {
    format!("events.out.tfevents.{:010}.rs-seg", seconds(created) as u64)
}

/// An event file that is written to.
///
/// Records are kept in memory until there are 64 KiB of them; [`EventFile::flush`] writes them at once, and so
/// does dropping the file, but without telling of errors. A record that an error was returned for is not in
/// the file.
///
/// ```
/// use seg_events::{EventFile, read_events};
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("events.out.tfevents.1700000000.rs-seg");
/// let mut file = EventFile::create(&path)?;
/// file.scalar(1, "loss", 0.9)?;
/// let checkpoint = file.flush()?;
/// file.scalar(2, "loss", 0.8)?;
/// drop(file);
///
/// let mut file = EventFile::resume(&path, checkpoint)?;
/// file.scalar(2, "loss", 0.7)?;
/// file.flush()?;
/// assert_eq!(read_events(&path)?.len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct EventFile {
    file: File,
    path: PathBuf,
    /// Bytes that are in the file.
    written: u64,
    /// Whole records that are not.
    buffer: Vec<u8>,
    /// Whether a write failed halfway, so that the file may go on after `written`.
    torn: bool,
}

impl EventFile {
    /// Creates a file with the record of its version.
    ///
    /// # Errors
    /// If there is a file of this name already, or it cannot be written.
    ///
    /// ```
    /// use seg_events::EventFile;
    /// let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("events.out.tfevents.1700000000.rs-seg");
    /// let file = EventFile::create(&path)?;
    /// assert_eq!(file.len(), std::fs::metadata(&path)?.len());
    /// assert!(EventFile::create(&path).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn create(path: &Path) -> Result<Self, Error> {
        let file = File::options().write(true).create_new(true).open(path);
        let file = file.map_err(|source| failure("create", path, source))?;
        let mut events = Self::new(file, path, 0);
        events.push(Event { file_version: Some(FILE_VERSION.to_owned()), ..Event::default() })?;
        events.write()?;
        Ok(events)
    }

    /// Opens a file to go on after its first `length` bytes; what follows them is cut off.
    ///
    /// A `TensorBoard` that shows the file meanwhile has to be started anew.
    ///
    /// # Errors
    /// If the file has not that many bytes, they are damaged or end within a record, or it cannot be written.
    /// Then nothing is cut off.
    pub fn resume(path: &Path, length: u64) -> Result<Self, Error> {
        let fail = |action| move |source| failure(action, path, source);
        let file = File::options().read(true).write(true).open(path).map_err(fail("open"))?;
        let got = file.metadata().map_err(fail("read"))?.len();
        if got < length {
            return Err(Error::TooShort { path: path.to_path_buf(), length, got });
        }
        let reader = file.try_clone().map_err(fail("read"))?;
        read::for_each(reader, path, length, |_| Ok(())).map_err(|error| match error {
            Error::Torn { path, offset } => Error::NotABoundary { path, length, record: offset },
            other => other,
        })?;
        file.set_len(length).map_err(fail("cut back"))?;
        Ok(Self::new(file, path, length))
    }

    fn new(file: File, path: &Path, written: u64) -> Self {
        Self { file, path: path.to_path_buf(), written, buffer: Vec::new(), torn: false }
    }

    /// Adds a number.
    ///
    /// # Errors
    /// If the file cannot be written, as on a full disk.
    pub fn scalar(&mut self, step: u64, tag: &str, value: f32) -> Result<(), Error> {
        self.scalars(step, &[(tag, value)])
    }

    /// Adds several numbers of one step in one record; nothing if there are none.
    ///
    /// # Errors
    /// If the file cannot be written, as on a full disk.
    pub fn scalars(&mut self, step: u64, values: &[(&str, f32)]) -> Result<(), Error> {
        if values.is_empty() {
            return Ok(());
        }
        let value = |&(tag, number): &(&str, f32)| SummaryValue {
            tag: tag.to_owned(),
            content: Some(Content::Scalar(number)),
            metadata: None,
        };
        self.add(step, values.iter().map(value).collect())
    }

    /// Adds a picture.
    ///
    /// # Errors
    /// If it is no PNG of this size, or the file cannot be written, as on a full disk.
    pub fn image_png(
        &mut self,
        step: u64,
        tag: &str,
        width: u32,
        height: u32,
        png: &[u8],
    ) -> Result<(), Error> {
        let tag = tag.to_owned();
        match picture::image(width, height, png) {
            Ok(image) => {
                let content = Some(Content::Image(image));
                self.add(step, vec![SummaryValue { tag, content, metadata: None }])
            }
            Err(what) => Err(Error::Picture { path: self.path.clone(), tag, what }),
        }
    }

    /// Adds a text in Markdown.
    ///
    /// # Errors
    /// If the file cannot be written, as on a full disk.
    pub fn text(&mut self, step: u64, tag: &str, markdown: &str) -> Result<(), Error> {
        let plugin = Plugin { name: TEXT_PLUGIN.to_owned(), content: Vec::new() };
        let tensor = Tensor {
            dtype: DataType::String.into(),
            shape: Some(Shape {}),
            strings: vec![markdown.as_bytes().to_vec()],
        };
        let value = SummaryValue {
            tag: tag.to_owned(),
            content: Some(Content::Tensor(tensor)),
            metadata: Some(Metadata { plugin: Some(plugin), data_class: DataClass::Tensor.into() }),
        };
        self.add(step, vec![value])
    }

    /// Writes what is in memory, so that who watches the file sees it; it need not be on the disk yet.
    ///
    /// # Errors
    /// If the file cannot be written, as on a full disk; it can be tried again.
    pub fn show(&mut self) -> Result<(), Error> {
        self.write()
    }

    /// Writes what is in memory, waits until it is on the disk, and returns the file's length in bytes, which
    /// [`EventFile::resume`] takes.
    ///
    /// # Errors
    /// If the file cannot be written, as on a full disk; it can be tried again.
    pub fn flush(&mut self) -> Result<u64, Error> {
        self.write()?;
        self.file.sync_data().map_err(|source| failure("write", &self.path, source))?;
        Ok(self.written)
    }

    /// The length in bytes with what is still in memory.
    #[expect(clippy::len_without_is_empty, reason = "it is never empty: it begins with a version")]
    pub fn len(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    fn add(&mut self, step: u64, values: Vec<SummaryValue>) -> Result<(), Error> {
        let step = i64::try_from(step).unwrap_or(i64::MAX);
        self.push(Event { step, summary: Some(Summary { values }), ..Event::default() })
    }

    /// Takes one record, at the present time.
    fn push(&mut self, event: Event) -> Result<(), Error> {
        let before = self.buffer.len();
        let event = Event { wall_time: seconds(SystemTime::now()), ..event };
        record::append(&mut self.buffer, &event.encode_to_vec());
        if self.buffer.len() < BUFFERED {
            return Ok(());
        }
        // Not kept after an error: memory would grow with every step that finds the disk full.
        self.write().inspect_err(|_| self.buffer.truncate(before))
    }

    fn write(&mut self) -> Result<(), Error> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let written = self.written;
        let cut = if self.torn { self.file.set_len(written) } else { Ok(()) };
        let result = cut
            .and_then(|()| self.file.seek(SeekFrom::Start(written)))
            .and_then(|_| self.file.write_all(&self.buffer));
        self.torn = result.is_err();
        result.map_err(|source| failure("write", &self.path, source))?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

impl Drop for EventFile {
    fn drop(&mut self) {
        // Nobody is left to tell: who wants to know calls `flush`.
        let _ = self.write();
    }
}

fn failure(action: &'static str, path: &Path, source: std::io::Error) -> Error {
    Error::File { action, path: path.to_path_buf(), source }
}

fn seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// A device that has no room.
    fn full() -> EventFile {
        let path = Path::new("/dev/full");
        let file = File::options().write(true).open(path).expect("opens");
        EventFile::new(file, path, 0)
    }

    #[test]
    fn a_full_disk_is_an_error_when_flushed() {
        let mut file = full();
        file.scalar(1, "loss", 0.5).expect("in memory");
        let error = file.flush().expect_err("no room");
        assert!(matches!(&error, Error::File { action: "write", source, .. }
            if source.kind() == std::io::ErrorKind::StorageFull));
        assert!(file.torn);
    }

    #[test]
    fn a_full_disk_does_not_fill_the_memory() {
        let mut file = full();
        let text = "x".repeat(1000);
        let errors = (0..1000).filter(|&step| file.text(step, "log", &text).is_err()).count();
        assert!(errors > 900 && file.len() < BUFFERED as u64, "{errors} errors, {} bytes", file.len());
    }

    #[test]
    fn a_torn_write_is_cut_off_before_the_next() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("events");
        let mut file = EventFile::create(&path).expect("creates");
        // As if a write of many records had failed halfway.
        file.file.write_all(&[7; 500]).expect("writes");
        file.torn = true;
        file.scalar(1, "loss", 0.5).expect("in memory");
        file.flush().expect("writes");
        assert_eq!(read::read_events(&path).expect("whole").len(), 1);
    }
}

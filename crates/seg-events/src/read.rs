use crate::Error;
use crate::message::{self, Content, SummaryValue, TEXT_PLUGIN};
use crate::record::Records;
use prost::Message as _;
use std::fs::File;
use std::path::Path;

/// What was written at one step at one time.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The step of the training.
    pub step: u64,
    /// Seconds since 1970.
    pub wall_time: f64,
    /// Tags and what stands under them, in the order of the file.
    pub values: Vec<(String, Value)>,
}

/// What stands under a tag.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// A number.
    Scalar(f32),
    /// A picture.
    Image {
        /// Pixels in a row.
        width: u32,
        /// Rows.
        height: u32,
        /// The encoded picture: a PNG if it was written here.
        png: Vec<u8>,
    },
    /// A text in Markdown.
    Text(String),
    /// Something that is not written here, as a histogram.
    Other,
}

/// Reads the events of a file, without the record of its version.
///
/// # Errors
/// If the file cannot be read, does not begin as an event file, is damaged, or ends within a record.
///
/// ```
/// use seg_events::{EventFile, read_events};
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("events.out.tfevents.1700000000.rs-seg");
/// EventFile::create(&path)?.scalars(3, &[("a", 1.0), ("b", 2.0)])?;
/// let events = read_events(&path)?;
/// assert_eq!((events.len(), events[0].step, events[0].values.len()), (1, 3, 2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_events(path: &Path) -> Result<Vec<Event>, Error> {
    let fail = |source| Error::File { action: "read", path: path.to_path_buf(), source };
    let file = File::open(path).map_err(fail)?;
    let length = file.metadata().map_err(fail)?.len();
    let mut events = Vec::new();
    for_each(file, path, length, |event| {
        let step = u64::try_from(event.step).map_err(|_| "its step is negative")?;
        if let Some(summary) = event.summary {
            let values = summary.values.into_iter().map(value).collect();
            events.push(Event { step, wall_time: event.wall_time, values });
        }
        Ok(())
    })?;
    Ok(events)
}

/// Passes on the events of a file's first bytes, and checks that they begin with a version.
///
/// # Errors
/// As [`read_events`]; and what `take` finds wrong with an event.
pub(crate) fn for_each(
    file: File,
    path: &Path,
    length: u64,
    mut take: impl FnMut(message::Event) -> Result<(), &'static str>,
) -> Result<(), Error> {
    let mut records = Records::new(file, path, length);
    let mut first = true;
    while let Some(data) = records.next()? {
        let Ok(event) = message::Event::decode(data) else {
            return Err(records.damaged("it is no event"));
        };
        if std::mem::take(&mut first) && event.file_version.is_none() {
            return Err(Error::NoEventFile { path: path.to_path_buf() });
        }
        take(event).map_err(|what| records.damaged(what))?;
    }
    if first { Err(Error::NoEventFile { path: path.to_path_buf() }) } else { Ok(()) }
}

fn value(value: SummaryValue) -> (String, Value) {
    let plugin = value.metadata.and_then(|metadata| metadata.plugin);
    let is_text = plugin.is_some_and(|plugin| plugin.name == TEXT_PLUGIN);
    let shown = match value.content {
        Some(Content::Scalar(number)) => Value::Scalar(number),
        Some(Content::Image(image)) => Value::Image {
            width: image.width.unsigned_abs(),
            height: image.height.unsigned_abs(),
            png: image.encoded,
        },
        Some(Content::Tensor(tensor)) if is_text => {
            let lines: Vec<_> = tensor.strings.iter().map(|line| String::from_utf8_lossy(line)).collect();
            Value::Text(lines.join("\n"))
        }
        Some(Content::Tensor(_)) | None => Value::Other,
    };
    (value.tag, shown)
}

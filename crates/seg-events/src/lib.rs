//! Writes and reads `TensorBoard`'s event files: scalars, pictures and texts of a training run.
//!
//! * [`EventFile`] writes; it can go on with a file of an earlier run after cutting off what that run wrote
//!   too much.
//! * [`read_events`] reads a file back as [`Event`]s.
//! * [`file_name`] makes a name that `TensorBoard` looks for.
//!
//! Nobody else knows the format: records with checksums, each with one message of Protocol Buffers.
//!
//! ```
//! use seg_events::{EventFile, Value, read_events};
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("events.out.tfevents.1700000000.rs-seg");
//! let mut file = EventFile::create(&path)?;
//! file.scalar(10, "loss/train", 0.5)?;
//! file.text(10, "configuration", "`epochs = 30`")?;
//! file.flush()?;
//! let events = read_events(&path)?;
//! assert_eq!(events[0].values, [("loss/train".to_owned(), Value::Scalar(0.5))]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod file;
mod message;
mod picture;
mod read;
mod record;

pub use error::Error;
pub use file::{EventFile, file_name};
pub use read::{Event, Value, read_events};

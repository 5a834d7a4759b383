use std::path::PathBuf;

/// What can go wrong with an event file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file operation that failed.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was being done.
        action: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Bytes that are no record, or a record that is no event.
    #[error("{} is damaged at byte {offset}: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the damaged record begins.
        offset: u64,
        /// What is wrong there.
        what: &'static str,
    },
    /// A last record that is not whole.
    #[error("{} ends within the record at byte {offset}", path.display())]
    Torn {
        /// The file.
        path: PathBuf,
        /// Where the last record begins.
        offset: u64,
    },
    /// A file that does not begin as an event file does.
    #[error("{} is no event file", path.display())]
    NoEventFile {
        /// The file.
        path: PathBuf,
    },
    /// A length to cut back to that is within a record.
    #[error("cannot cut {} back to {length} bytes: that is within the record at byte {record}", path.display())]
    NotABoundary {
        /// The file.
        path: PathBuf,
        /// The length asked for.
        length: u64,
        /// Where the record begins that the cut would go through.
        record: u64,
    },
    /// A length to cut back to that is beyond the end.
    #[error("cannot cut {} back to {length} bytes: it has only {got}", path.display())]
    TooShort {
        /// The file.
        path: PathBuf,
        /// The length asked for.
        length: u64,
        /// The length that it has.
        got: u64,
    },
    /// A picture that is no PNG of the size given.
    #[error("cannot add the picture {tag} to {}: {what}", path.display())]
    Picture {
        /// The file.
        path: PathBuf,
        /// The picture's name.
        tag: String,
        /// What is wrong with it.
        what: String,
    },
}

impl Error {
    /// What the user can do about it.
    ///
    /// ```
    /// use seg_events::{EventFile, Error};
    /// let error = EventFile::resume("no-such-file".as_ref(), 40).expect_err("no file");
    /// assert!(matches!(error, Error::File { .. }) && error.hint().is_none());
    /// ```
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Damaged { .. } | Self::Torn { .. } | Self::NotABoundary { .. } | Self::TooShort { .. } => {
                Some("the file was changed since; move it elsewhere, and a new one is begun".to_owned())
            }
            Self::File { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
                Some("free some space and resume the run".to_owned())
            }
            Self::File { .. } | Self::NoEventFile { .. } | Self::Picture { .. } => None,
        }
    }
}

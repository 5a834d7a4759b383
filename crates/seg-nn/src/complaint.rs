//! A setting that cannot be meant, before it is known where it stands.

use std::path::Path;

use crate::error::Error;

/// A key and what is wrong with its value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Complaint {
    key: String,
    problem: String,
}

impl Complaint {
    pub(crate) fn new(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { key: key.into(), problem: problem.into() }
    }

    pub(crate) fn in_file(self, path: &Path) -> Error {
        Error::Setting { path: path.to_owned(), key: self.key, problem: self.problem }
    }
}

impl From<Complaint> for Error {
    fn from(complaint: Complaint) -> Self {
        Self::Config { key: complaint.key, problem: complaint.problem }
    }
}

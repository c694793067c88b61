//! A host directory that cannot be used.

use std::path::PathBuf;

use crate::witness::tree::TreeError;

/// A host that cannot be opened, read or written; names the file and, where there is one, the line and key.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// A file is missing, too large, or leads out of the host.
    #[error(transparent)]
    Unreadable(#[from] TreeError),
    /// A file does not say what it should.
    #[error("{file}: {problem}")]
    Malformed {
        /// Which file, below the host.
        file: String,
        /// What is wrong, with line and key.
        problem: String,
    },
    /// A file of another version.
    #[error("{file}: key `schema`: version {found} is not one that this program reads (it reads {reads})")]
    Schema {
        /// Which file.
        file: String,
        /// Its version.
        found: u32,
        /// The version that is read.
        reads: u32,
    },
    /// Writing failed.
    #[error("{}: {error}", path.display())]
    Unwritable {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The question cannot be asked of this host.
    #[error("{0}")]
    Refused(String),
}

impl HostError {
    pub(super) fn malformed(file: &str, problem: impl std::fmt::Display) -> Self {
        Self::Malformed { file: file.to_owned(), problem: problem.to_string() }
    }
}

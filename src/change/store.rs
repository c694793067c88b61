//! The folder of journals: one file for each kind of change, on the disk before anything is changed.
#![expect(clippy::disallowed_methods, reason = "journals are this module's files")]

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::partition::{JOURNAL_LIMIT, Journal, JournalProblem};
use crate::witness::tree::{Tree, TreeError, TreeProblem};

use super::lock::{Held, Lock};

/// Who changes modes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `partition apply`.
    Apply,
    /// `run --interaction reconfigure`.
    Run,
}

impl Kind {
    /// Name of its journal.
    const fn file(self) -> &'static str {
        match self {
            Self::Apply => "apply.json",
            Self::Run => "run.json",
        }
    }
}

/// The folder of journals of one machine.
#[derive(Debug, Clone)]
pub struct Store {
    dir: PathBuf,
}

/// A journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder or a file in it cannot be read or written.
    #[error("{}: {error}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file cannot be read as far as it may be.
    #[error(transparent)]
    Unreadable(#[from] TreeError),
    /// It is no journal. It is left as it is.
    #[error("{}: {problem}", path.display())]
    Malformed {
        /// Which.
        path: PathBuf,
        /// Why.
        problem: JournalProblem,
    },
}

impl Store {
    /// A store in a folder, which need not be there yet.
    pub const fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Where the journals are.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Takes the lock; the folder is made for it.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn lock(&self) -> Result<Result<Lock, Held>, StoreError> {
        fs::create_dir_all(&self.dir).map_err(|error| self.io(&self.dir, error))?;
        Lock::take(&self.dir).map_err(|error| self.io(&self.dir.join("lock"), error))
    }

    /// Reads a journal; `None` when there is none.
    ///
    /// # Errors
    /// It cannot be read, or is none of this version.
    pub fn read(&self, kind: Kind) -> Result<Option<Journal>, StoreError> {
        let missing = |error: &TreeError| matches!(error.problem, TreeProblem::Missing);
        let tree = match Tree::open(&self.dir) {
            Ok(tree) => tree,
            Err(error) if missing(&error) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        match tree.read(kind.file(), JOURNAL_LIMIT) {
            Ok(bytes) => Journal::parse(&bytes)
                .map(Some)
                .map_err(|problem| StoreError::Malformed { path: self.dir.join(kind.file()), problem }),
            Err(error) if missing(&error) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes a journal whole; when this returns it survives a loss of power.
    ///
    /// # Errors
    /// The disk is full, or the folder is gone.
    pub fn write(&self, kind: Kind, journal: &Journal) -> Result<(), StoreError> {
        let path = self.dir.join(kind.file());
        let write = || -> io::Result<()> {
            let text = journal.to_json()?;
            let mut file = tempfile::Builder::new().prefix(".journal-").tempfile_in(&self.dir)?;
            file.write_all(&text)?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
            self.sync()
        };
        write().map_err(|error| self.io(&path, error))
    }

    /// Removes a journal, if it is there.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn remove(&self, kind: Kind) -> Result<(), StoreError> {
        let path = self.dir.join(kind.file());
        match fs::remove_file(&path) {
            Ok(()) => self.sync().map_err(|error| self.io(&path, error)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(self.io(&path, error)),
        }
    }

    /// A name in a folder is on the disk when the folder is.
    fn sync(&self) -> io::Result<()> {
        File::open(&self.dir)?.sync_all()
    }

    fn io(&self, path: &Path, error: io::Error) -> StoreError {
        StoreError::Io { path: path.to_owned(), error }
    }
}

//! GPUs that are held by a process that could not be killed: written down, so that nothing is started on the machine while it
//! is there, by whichever command. Void with the boot, and with the process.
#![expect(clippy::disallowed_methods, reason = "the marker is this module's file")]

mod marker;

use std::fs::{self, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::domain::Reading;
use crate::witness::kernel::read_boot_id;
use crate::witness::lingering::read_lingering;
use crate::witness::tree::{Tree, TreeError, TreeProblem};

use marker::{LIMIT, Marker};

pub use marker::{Held, Stuck};

/// Name of the file.
const FILE: &str = "held.json";

/// Where the markers of a machine are.
#[derive(Debug, Clone)]
pub struct Quarantine {
    proc: PathBuf,
    folders: Vec<PathBuf>,
}

/// Whether a machine is held cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum QuarantineError {
    /// A marker cannot be read.
    #[error("{}: {problem}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        problem: TreeProblem,
    },
    /// A file in its place is none. It is left as it is.
    #[error("{}: {problem}", path.display())]
    Malformed {
        /// Which.
        path: PathBuf,
        /// Why.
        problem: String,
    },
}

impl Quarantine {
    /// Of the machine whose `/proc` this is, in these folders: the first that can be written is written, all are read. None
    /// need be there yet.
    pub const fn new(proc: PathBuf, folders: Vec<PathBuf>) -> Self {
        Self { proc, folders }
    }

    /// Every process that could not be killed and is still there, with the file that says so. A file of which nothing holds
    /// any more is removed.
    ///
    /// # Errors
    /// A file cannot be read, or is no marker.
    pub fn held(&self) -> Result<Vec<(Held, PathBuf)>, QuarantineError> {
        let boot_id = read_boot_id(&self.proc);
        let mut found = Vec::new();
        for folder in &self.folders {
            let Some(marker) = read(folder)? else { continue };
            let of_this_boot = marker.is_of(boot_id.as_deref());
            let held = if of_this_boot { marker.held(|pid| read_lingering(&self.proc, pid)) } else { Vec::new() };
            let path = folder.join(FILE);
            if held.is_empty() {
                // Another user's stays where it is, and says nothing all the same.
                let _ = fs::remove_file(&path);
            }
            found.extend(held.into_iter().map(|held| (held, path.clone())));
        }
        Ok(found)
    }

    /// Writes down that this process could not be killed; the file that says so now, or `None` where it is gone by now.
    ///
    /// # Errors
    /// No folder can be written, or the process not be looked at. In words.
    pub fn mark(&self, pid: u32, gpu: Option<String>, doing: String) -> Result<Option<PathBuf>, String> {
        let lingering = read_lingering(&self.proc, pid);
        let start = match lingering {
            Reading::Value(found) => found.start,
            Reading::NotReported | Reading::NotApplicable => return Ok(None),
            Reading::Malformed { problem, .. } => return Err(format!("process {pid}: {problem}")),
        };
        let stuck = Stuck { pid, start, gpu, doing };
        let mut problem = "there is no folder for it".to_owned();
        for folder in &self.folders {
            match self.add(folder, stuck.clone()) {
                Ok(path) => return Ok(Some(path)),
                Err(error) => problem = format!("{}: {error}", folder.display()),
            }
        }
        Err(problem)
    }

    fn add(&self, folder: &Path, stuck: Stuck) -> io::Result<PathBuf> {
        fs::create_dir_all(folder)?;
        let boot_id = read_boot_id(&self.proc);
        // What is no marker, or of another boot, says nothing that would be lost.
        let before = read(folder).ok().flatten().filter(|marker| marker.is_of(boot_id.as_deref()));
        let marker = before.unwrap_or_else(|| Marker::new(boot_id)).with(stuck);
        let path = folder.join(FILE);
        // Everybody who may use the GPU is to read it.
        let open = Permissions::from_mode(0o644);
        let mut file = tempfile::Builder::new().prefix(".held-").permissions(open).tempfile_in(folder)?;
        file.write_all(&marker.to_json()?)?;
        file.as_file().sync_all()?;
        file.persist(&path)?;
        Ok(path)
    }
}

fn read(folder: &Path) -> Result<Option<Marker>, QuarantineError> {
    let path = || folder.join(FILE);
    let bytes = Tree::open(folder).and_then(|tree| tree.read(FILE, LIMIT));
    match bytes {
        Ok(bytes) => match Marker::parse(&bytes) {
            Ok(marker) => Ok(Some(marker)),
            Err(problem) => Err(QuarantineError::Malformed { path: path(), problem }),
        },
        Err(TreeError { problem: TreeProblem::Missing, .. }) => Ok(None),
        Err(TreeError { problem, .. }) => Err(QuarantineError::Unreadable { path: path(), problem }),
    }
}

#[cfg(test)]
mod tests;

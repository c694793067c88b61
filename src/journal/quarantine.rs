//! A process that could not be killed still holds its GPU when the run that started it is over: later runs of the same
//! boot leave the machine alone.
#![expect(clippy::disallowed_methods, reason = "the marker is this module's file")]

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::witness::tree::{Tree, TreeError, TreeProblem};

use super::JournalError;

const FILE: &str = "quarantine.json";

/// Longest marker that is read.
const LIMIT: usize = 64 << 10;

const SCHEMA: u32 = 1;

/// The marker of a machine, in the folder of what is remembered of it.
#[derive(Debug, Clone)]
pub struct Quarantine {
    dir: PathBuf,
}

/// What a marker says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quarantined {
    schema: u32,
    /// The boot in which it holds; `None` where the machine did not say: until somebody takes it away.
    pub boot_id: Option<String>,
    /// The process.
    pub pid: Option<u32>,
    /// The GPU, as the process called it, where it said.
    pub gpu: Option<String>,
    /// What it was to do.
    pub probe: String,
    /// When it was given up, RFC 3339.
    pub since: String,
}

impl Quarantined {
    /// From now on.
    pub const fn new(
        boot_id: Option<String>,
        pid: Option<u32>,
        gpu: Option<String>,
        probe: String,
        since: String,
    ) -> Self {
        Self { schema: SCHEMA, boot_id, pid, gpu, probe, since }
    }

    /// Whether it holds in the present boot. A reboot ends every process; an unknown boot is no other one.
    pub fn holds(&self, boot_id: Option<&str>) -> bool {
        !matches!((self.boot_id.as_deref(), boot_id), (Some(then), Some(now)) if then != now)
    }
}

impl Quarantine {
    /// In this folder, which need not be there yet.
    pub const fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.dir.join(FILE)
    }

    /// What it says; `None` where there is none.
    ///
    /// # Errors
    /// It cannot be read, or is none that this program reads.
    pub fn read(&self) -> Result<Option<Quarantined>, JournalError> {
        let missing = |error: &TreeError| matches!(error.problem, TreeProblem::Missing);
        let tree = match Tree::open(&self.dir) {
            Ok(tree) => tree,
            Err(error) if missing(&error) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let bytes = match tree.read(FILE, LIMIT) {
            Ok(bytes) => bytes,
            Err(error) if missing(&error) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let malformed = |line, problem| JournalError::Malformed { path: self.path(), line, problem };
        let found: Quarantined =
            serde_json::from_slice(&bytes).map_err(|error| malformed(error.line(), error.to_string()))?;
        if found.schema != SCHEMA {
            return Err(malformed(1, format!("key `schema`: version {} is not {SCHEMA}", found.schema)));
        }
        Ok(Some(found))
    }

    /// Writes it; when this returns it survives this program.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn write(&self, found: &Quarantined) -> Result<(), JournalError> {
        let write = || -> io::Result<()> {
            fs::create_dir_all(&self.dir)?;
            let mut file = tempfile::Builder::new().prefix(".quarantine-").tempfile_in(&self.dir)?;
            file.write_all(&serde_json::to_vec_pretty(found)?)?;
            file.as_file().sync_all()?;
            file.persist(self.path())?;
            File::open(Path::new(&self.dir))?.sync_all()
        };
        write().map_err(|error| JournalError::Write { path: self.path(), error })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarantine_holds_until_the_machine_is_booted_again() {
        let folder = tempfile::tempdir().unwrap();
        let quarantine = Quarantine::new(folder.path().join("new"));
        assert_eq!(quarantine.read().unwrap(), None);
        let found = |boot: Option<&str>| {
            let boot = boot.map(str::to_owned);
            Quarantined::new(boot, Some(7), None, "matmul".to_owned(), "2026-11-21T14:00:00Z".to_owned())
        };
        for (then, now, holds) in [
            (Some("a"), Some("a"), true),
            (Some("a"), Some("b"), false),
            (Some("a"), None, true),
            (None, Some("b"), true),
        ] {
            quarantine.write(&found(then)).unwrap();
            let read = quarantine.read().unwrap().unwrap();
            assert_eq!((read.holds(now), read), (holds, found(then)), "{then:?} {now:?}");
        }
        for bytes in [&b"{"[..], b"{}", b"\xff"] {
            fs::write(quarantine.path(), bytes).unwrap();
            assert!(quarantine.read().unwrap_err().to_string().contains("quarantine.json, line 1: "));
        }
    }
}

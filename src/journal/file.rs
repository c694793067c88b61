//! The file of a journal: lines are only ever added, by one program at a time.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::witness::tree::{Tree, TreeError, TreeProblem};

/// Longest journal that is read: a record of a hundred thousand cases is a tenth of it.
const LIMIT: usize = 256 << 20;

/// How long to wait for a writer that may just have ended.
const PATIENCE: Duration = Duration::from_millis(500);

/// Whether a line must survive a machine that goes down in the next moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durable {
    /// It is on the disk when the call returns.
    Yes,
    /// It survives this program, not the machine.
    No,
}

/// An open journal, which nobody else writes.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
}

/// A journal cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// It cannot be written.
    #[error("write {}: {error}; `--results DIR` names another folder", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It cannot be opened.
    #[error("{}: {error}", path.display())]
    Open {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It cannot be read as far as it may be.
    #[error(transparent)]
    Unreadable(#[from] TreeError),
    /// A whole line of it is no entry.
    #[error("{}, line {line}: {problem}", path.display())]
    Malformed {
        /// Which.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// Why.
        problem: String,
    },
    /// Somebody writes it at this moment.
    #[error("{}: another `validate` is at this run", path.display())]
    Busy {
        /// Which.
        path: PathBuf,
    },
    /// Others could have written any command into it.
    #[error("{}: it is another user's, or anybody may write it: it is not followed", path.display())]
    Foreign {
        /// Which.
        path: PathBuf,
    },
}

impl Journal {
    /// Makes an empty journal; its name is on the disk when this returns.
    ///
    /// # Errors
    /// It is there already, or the folder cannot be written.
    pub fn create(path: &Path) -> Result<Self, JournalError> {
        let fail = |error| JournalError::Write { path: path.to_owned(), error };
        let file = OpenOptions::new().append(true).create_new(true).open(path).map_err(fail)?;
        let journal = Self { path: path.to_owned(), file };
        journal.lock()?;
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(parent).and_then(|folder| folder.sync_all()).map_err(fail)?;
        Ok(journal)
    }

    /// Takes up the journal with this name in a folder, and says what is in it. A last line without an end was cut off
    /// as it was written: it is taken away.
    ///
    /// # Errors
    /// Somebody else writes it, or it is none of ours.
    pub fn take_up<E: DeserializeOwned>(folder: &Path, name: &str) -> Result<(Self, Vec<E>), JournalError> {
        // As untrusted: no link leads elsewhere, and it is a file.
        let tree = Tree::open(folder)?;
        tree.read_start(name, 1)?;
        let path = folder.join(name);
        let fail = |error| JournalError::Open { path: path.clone(), error };
        let file = OpenOptions::new().append(true).open(&path).map_err(fail)?;
        let facts = file.metadata().map_err(fail)?;
        if facts.uid() != rustix::process::geteuid().as_raw() || facts.mode() & 0o002 != 0 {
            return Err(JournalError::Foreign { path });
        }
        let journal = Self { path, file };
        journal.lock()?;
        if facts.len() > LIMIT as u64 {
            let problem = TreeProblem::TooLarge { limit: LIMIT };
            return Err(TreeError { path: journal.path.display().to_string(), problem }.into());
        }
        let bytes = tree.read(name, LIMIT)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let entries = entries(&journal.path, &bytes[..whole])?;
        if whole < bytes.len() {
            let cut = journal.file.set_len(whole as u64).and_then(|()| journal.file.sync_all());
            cut.map_err(|error| JournalError::Write { path: journal.path.clone(), error })?;
        }
        Ok((journal, entries))
    }

    /// Adds a line.
    ///
    /// # Errors
    /// The disk is full, or the folder is gone.
    pub fn append<E: Serialize>(&mut self, entry: &E, durable: Durable) -> Result<(), JournalError> {
        let write = || -> io::Result<()> {
            let mut line = serde_json::to_vec(entry)?;
            line.push(b'\n');
            let before = self.file.metadata()?.len();
            (&self.file).write_all(&line).inspect_err(|_| {
                // Of a line that did not fit nothing stays: the next one would be added to it. Where not even that can
                // be done, reading names the line.
                let _ = self.file.set_len(before);
            })?;
            match durable {
                Durable::Yes => self.file.sync_data(),
                Durable::No => Ok(()),
            }
        };
        write().map_err(|error| JournalError::Write { path: self.path.clone(), error })
    }

    fn lock(&self) -> Result<(), JournalError> {
        let (mut waited, mut pause) = (Duration::ZERO, Duration::from_millis(1));
        loop {
            match flock(&self.file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(()),
                Err(Errno::INTR) => {}
                // A child holds every file of its parent until it becomes another program.
                Err(Errno::WOULDBLOCK) if waited < PATIENCE => {
                    sleep(pause);
                    waited += pause;
                    pause *= 2;
                }
                Err(Errno::WOULDBLOCK) => return Err(JournalError::Busy { path: self.path.clone() }),
                // A file system without locks keeps nobody out, and is no reason to lose a run.
                Err(Errno::NOTSUP | Errno::NOLCK | Errno::NOSYS) => return Ok(()),
                Err(errno) => return Err(JournalError::Open { path: self.path.clone(), error: errno.into() }),
            }
        }
    }
}

fn entries<E: DeserializeOwned>(path: &Path, whole: &[u8]) -> Result<Vec<E>, JournalError> {
    let lines = whole.strip_suffix(b"\n").map(|lines| lines.split(|byte| *byte == b'\n'));
    let entry = |(at, line): (usize, &[u8])| {
        serde_json::from_slice(line).map_err(|error| JournalError::Malformed {
            path: path.to_owned(),
            line: at + 1,
            // Its own line number counts within this line.
            problem: error.to_string().replace(" at line 1 column", " at column"),
        })
    };
    lines.into_iter().flatten().enumerate().map(entry).collect()
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests spoil what is read")]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn written(lines: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::create(&folder.path().join("j")).unwrap();
        for line in lines {
            journal.append(line, Durable::Yes).unwrap();
        }
        folder
    }

    fn taken_up(folder: &Path) -> Result<Vec<String>, String> {
        Journal::take_up(folder, "j").map(|(_, entries)| entries).map_err(|error| error.to_string())
    }

    #[test]
    fn a_journal_reads_back_and_goes_on() {
        let folder = written(&["a", "b\nc"]);
        let (mut journal, entries) = Journal::take_up::<String>(folder.path(), "j").unwrap();
        assert_eq!(entries, ["a", "b\nc"]);
        journal.append(&"d", Durable::No).unwrap();
        drop(journal);
        assert_eq!(taken_up(folder.path()).unwrap(), ["a", "b\nc", "d"]);
        assert!(Journal::create(&folder.path().join("j")).is_err(), "it is there already");
    }

    #[test]
    fn wherever_a_journal_is_cut_off_its_whole_lines_are_read_and_new_ones_follow_them() {
        let lines = ["a", "bb", "ccc"];
        let whole = fs::read(written(&lines).path().join("j")).unwrap();
        for cut in 0..=whole.len() {
            for tail in [&b""[..], b"\0\0\0", b"\xff{"] {
                let folder = written(&[]);
                fs::write(folder.path().join("j"), [&whole[..cut], tail].concat()).unwrap();
                let kept = whole[..cut].iter().filter(|byte| **byte == b'\n').count();
                let (mut journal, entries) = Journal::take_up::<String>(folder.path(), "j").unwrap();
                assert_eq!(entries, lines[..kept], "{cut}");
                journal.append(&"new", Durable::No).unwrap();
                drop(journal);
                assert_eq!(taken_up(folder.path()).unwrap().last().unwrap(), "new", "{cut}");
            }
        }
    }

    #[test]
    fn what_is_no_journal_is_named_with_its_line_and_left_as_it_is() {
        for (bytes, problem) in [
            (&b"\"a\"\n{]\n\"b\"\n"[..], "j, line 2: "),
            (b"\n", "j, line 1: EOF"),
            (b"\"a\"\n17\n", "j, line 2: invalid type: integer `17`, expected a string at column 2"),
            (b"\xff\n", "j, line 1: "),
        ] {
            let folder = written(&[]);
            fs::write(folder.path().join("j"), bytes).unwrap();
            let error = taken_up(folder.path()).unwrap_err();
            assert!(error.contains(problem), "{error}");
            assert_eq!(fs::read(folder.path().join("j")).unwrap(), bytes);
        }
        let folder = tempfile::tempdir().unwrap();
        assert!(taken_up(folder.path()).unwrap_err().contains("no such file"));
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("j")).unwrap();
        assert!(taken_up(folder.path()).unwrap_err().contains("leads out of"));
        fs::remove_file(folder.path().join("j")).unwrap();
        File::create(folder.path().join("j")).unwrap().set_len(LIMIT as u64 + 1).unwrap();
        assert!(taken_up(folder.path()).unwrap_err().contains("larger than the limit"));
    }

    #[test]
    fn nobody_else_writes_a_journal_and_what_others_may_write_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::create(&folder.path().join("j")).unwrap();
        assert!(taken_up(folder.path()).unwrap_err().contains("another `validate` is at this run"));
        drop(journal);
        assert_eq!(taken_up(folder.path()).unwrap(), [""; 0]);
        fs::set_permissions(folder.path().join("j"), fs::Permissions::from_mode(0o666)).unwrap();
        assert!(taken_up(folder.path()).unwrap_err().contains("is not followed"));
    }
}

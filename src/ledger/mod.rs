//! The file of a machine's ledger: read as untrusted, changed by one program at a time, replaced whole.
//!
//! `ledger.lock` is what is locked and is never replaced, unlike `ledger.json` that it guards.
#![expect(clippy::disallowed_methods, reason = "the ledger and its lock are this module's files")]

use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::filelock::{self, Lock, Sharing};
use crate::placement::{Book, BookError};
use crate::witness::tree::{Tree, TreeError, TreeProblem};

const FILE: &str = "ledger.json";

const LOCK: &str = "ledger.lock";

/// Longest ledger that is read.
const LIMIT: usize = 8 << 20;

/// A ledger in a folder, which need not be there yet.
#[derive(Debug, Clone)]
pub struct Ledger {
    dir: PathBuf,
}

/// A ledger that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
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
    /// It is no ledger. It is left as it is.
    #[error("{}: {problem}; if the file cannot be mended, move it away: nothing is placed then", path.display())]
    Malformed {
        /// Which.
        path: PathBuf,
        /// Why.
        problem: BookError,
    },
    /// Somebody else held the lock for too long.
    #[error("{}: held by somebody else for {seconds} s", path.display())]
    Busy {
        /// The lock.
        path: PathBuf,
        /// How long it was waited for.
        seconds: u64,
    },
}

impl Ledger {
    /// The ledger in this folder.
    pub const fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.dir.join(FILE)
    }

    /// What is in it; `None` when there is none yet.
    ///
    /// # Errors
    /// It cannot be read, or is none that this program reads.
    pub fn read(&self) -> Result<Option<Book>, LedgerError> {
        // Without a lock file nobody has ever written here, and a reader may have no right to.
        if !self.dir.join(LOCK).exists() {
            return self.load();
        }
        let _lock = self.lock(Sharing::Shared)?;
        self.load()
    }

    /// Changes it: `change` gets what is in it and gives what is to be in it with a result, or the reason why nothing
    /// changes.
    ///
    /// # Errors
    /// It cannot be read or written. What `change` refuses is the inner error, and nothing is written then.
    pub fn update<T, E>(
        &self,
        change: impl FnOnce(Option<Book>) -> Result<(Book, T), E>,
    ) -> Result<Result<T, E>, LedgerError> {
        fs::create_dir_all(&self.dir).map_err(|error| io_error(&self.dir, error))?;
        let _lock = self.lock(Sharing::Alone)?;
        let before = self.load()?;
        match change(before.clone()) {
            Ok((after, result)) => {
                if before.as_ref() != Some(&after) {
                    self.save(&after)?;
                }
                Ok(Ok(result))
            }
            Err(refused) => Ok(Err(refused)),
        }
    }

    fn lock(&self, sharing: Sharing) -> Result<Lock, LedgerError> {
        let path = self.dir.join(LOCK);
        match Lock::take(&path, sharing) {
            Ok(Some(lock)) => Ok(lock),
            Ok(None) => Err(LedgerError::Busy { path, seconds: filelock::PATIENCE.as_secs() }),
            Err(error) => Err(io_error(&path, error)),
        }
    }

    fn load(&self) -> Result<Option<Book>, LedgerError> {
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
        let malformed = |problem| LedgerError::Malformed { path: self.path(), problem };
        let text = String::from_utf8(bytes).map_err(|error| malformed(BookError::Malformed(error.to_string())))?;
        Book::parse(&text).map(Some).map_err(malformed)
    }

    /// When this returns, the ledger survives a loss of power.
    fn save(&self, book: &Book) -> Result<(), LedgerError> {
        let path = self.path();
        let write = || -> io::Result<()> {
            // Whoever may use the folder may read it: the umask takes away what it should.
            let open = Permissions::from_mode(0o666);
            let mut file = tempfile::Builder::new().prefix(".ledger-").permissions(open).tempfile_in(&self.dir)?;
            file.write_all(book.to_text()?.as_bytes())?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
            File::open(&self.dir)?.sync_all()
        };
        write().map_err(|error| io_error(&path, error))
    }
}

fn io_error(path: &Path, error: io::Error) -> LedgerError {
    LedgerError::Io { path: path.to_owned(), error }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::placement::Present;

    const PRESENT: Present<'static> = Present { machine: "m", boot_id: None, devices: &[] };

    fn begun(ledger: &Ledger) {
        let done: Result<(), ()> = ledger.update(|book| Ok((book.unwrap_or(Book::new(PRESENT)), ()))).unwrap();
        assert_eq!(done, Ok(()));
    }

    #[test]
    fn a_ledger_begins_empty_and_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::new(folder.path().join("new/folder"));
        assert_eq!(ledger.read().unwrap(), None);
        begun(&ledger);
        assert_eq!(ledger.read().unwrap(), Some(Book::new(PRESENT)));
        let names: Vec<_> = fs::read_dir(folder.path().join("new/folder")).unwrap().flatten().collect();
        assert_eq!(names.len(), 2, "nothing is left over: {names:?}");
    }

    #[test]
    fn what_is_refused_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::new(folder.path().to_owned());
        assert_eq!(ledger.update(|_| Err::<(Book, ()), _>("no")).unwrap(), Err("no"));
        assert!(!ledger.path().exists());
    }

    #[test]
    fn a_file_that_is_no_ledger_is_named_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::new(folder.path().to_owned());
        begun(&ledger);
        for bytes in [&b"{"[..], b"\xff\xfe", b"{\"schema\": 9}", &vec![b'['; 1 << 20]] {
            fs::write(ledger.path(), bytes).unwrap();
            for error in [ledger.read().unwrap_err(), ledger.update(|_| Err::<(Book, ()), _>(())).unwrap_err()] {
                assert!(matches!(error, LedgerError::Malformed { .. }), "{error}");
                assert!(error.to_string().contains("ledger.json: "), "{error}");
            }
            assert_eq!(fs::read(ledger.path()).unwrap(), bytes);
        }
        fs::write(ledger.path(), vec![b' '; LIMIT + 1]).unwrap();
        assert!(ledger.read().unwrap_err().to_string().contains("larger than the limit"));
        fs::remove_file(ledger.path()).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", ledger.path()).unwrap();
        assert!(ledger.read().unwrap_err().to_string().contains("leads out of"));
    }
}

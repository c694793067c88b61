//! Reads files below one folder and never outside of it: recorded hosts are untrusted, and sysfs is full of links.
//!
//! Paths are walked one component at a time with links not followed by the kernel but resolved here, so that a link out
//! of the root (absolute, or with too many `..`) is an error and not a read. Nothing that is not a regular file is read.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, fstat, openat, readlinkat, statat};
use rustix::io::Errno;

/// Links followed in one path before it counts as a loop; the kernel's own limit.
const MAX_LINKS: usize = 40;

/// Components in one path, links expanded.
const MAX_COMPONENTS: usize = 512;

/// A host folder shows a file whose read fails as a link with this before the name of the errno (`errno-EIO`): a plain
/// file cannot answer EIO.
const ERRNO_LINK: &str = "errno-";

/// Errnos by which the kernel's own answers are known, so that a folder reads as the machine would.
const KNOWN_ERRNOS: [(&str, Errno); 6] = [
    ("EPERM", Errno::PERM),
    ("EACCES", Errno::ACCESS),
    ("EIO", Errno::IO),
    ("EBUSY", Errno::BUSY),
    ("EINVAL", Errno::INVAL),
    ("ENODEV", Errno::NODEV),
];

/// The target of the link that stands in a host folder for a file whose read fails this way; `None` where nothing has to
/// stand there, or nothing can.
pub fn failing_link(failure: &TreeProblem) -> Option<String> {
    match failure {
        TreeProblem::Io(text) => {
            let known = KNOWN_ERRNOS.iter().find(|(_, errno)| problem(*errno) == *failure);
            Some(format!("{ERRNO_LINK}{}", known.map_or(text.as_str(), |(name, _)| *name)))
        }
        TreeProblem::Missing
        | TreeProblem::Escapes { .. }
        | TreeProblem::TooDeep
        | TreeProblem::NotAFile
        | TreeProblem::TooLarge { .. }
        | TreeProblem::TooMany => None,
    }
}

/// Entries read of one folder.
pub const MAX_ENTRIES: usize = 4096;

/// A folder whose content is read without ever leaving it.
#[derive(Debug)]
pub struct Tree {
    root: OwnedFd,
    path: PathBuf,
}

/// A file or folder below a [`Tree`] cannot be read. `path` names it as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct TreeError {
    /// Which file.
    pub path: String,
    /// Why.
    pub problem: TreeProblem,
}

/// Why a file below a [`Tree`] cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TreeProblem {
    /// Nothing there.
    #[error("no such file")]
    Missing,
    /// A link or a `..` leads out of the root.
    #[error("a link or path leads out of {root}")]
    Escapes {
        /// The root.
        root: String,
    },
    /// Too many links, or too long a path.
    #[error("too many links or too deep a path")]
    TooDeep,
    /// A folder, device, pipe or socket.
    #[error("not a regular file")]
    NotAFile,
    /// More bytes than its reader allows.
    #[error("larger than the limit of {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// More entries than [`MAX_ENTRIES`].
    #[error("more than {MAX_ENTRIES} entries")]
    TooMany,
    /// Opening or reading failed.
    #[error("{0}")]
    Io(String),
}

impl Tree {
    /// A tree below `path`, which itself may be a link.
    pub fn open(path: &Path) -> Result<Self, TreeError> {
        let root = openat(CWD, path, folder_flags() & !OFlags::NOFOLLOW, Mode::empty())
            .map_err(|errno| TreeError { path: path.display().to_string(), problem: problem(errno) })?;
        Ok(Self { root, path: path.to_owned() })
    }

    /// The tree below one of its folders; its links may not leave that folder.
    pub fn below(&self, path: &str) -> Result<Self, TreeError> {
        let folder = self.folder(path)?.into_fd().map_err(|problem| self.error(path, problem))?;
        Ok(Self { root: folder, path: self.path.join(path) })
    }

    /// Content of a regular file, at most `limit` bytes.
    pub fn read(&self, path: &str, limit: usize) -> Result<Vec<u8>, TreeError> {
        Walk::new(self, path)
            .file()
            .and_then(|file| read_all(&file, limit))
            .map_err(|problem| self.error(path, problem))
    }

    /// The first `limit` bytes of a regular file, which may be longer.
    pub fn read_start(&self, path: &str, limit: usize) -> Result<Vec<u8>, TreeError> {
        Walk::new(self, path)
            .file()
            .and_then(|file| read_start(&file, limit))
            .map_err(|problem| self.error(path, problem))
    }

    /// Names in a folder, sorted; without `.`, `..` and names that are not UTF-8.
    pub fn names(&self, path: &str) -> Result<Vec<String>, TreeError> {
        self.folder(path)?.names().map_err(|problem| self.error(path, problem))
    }

    /// Where a folder really lies, as a path below the root with no links in it.
    pub fn resolve(&self, path: &str) -> Result<String, TreeError> {
        let names: Vec<_> = self.folder(path)?.stack.into_iter().map(|(name, _)| name).collect();
        Ok(names.join("/"))
    }

    /// Where a link in this very folder points, as it says and not followed; `None` for anything else.
    pub fn link(&self, name: &str) -> Option<String> {
        let target = readlinkat(&self.root, name, Vec::new()).ok()?;
        target.into_string().ok()
    }

    fn folder(&self, path: &str) -> Result<Walk<'_>, TreeError> {
        Walk::new(self, path).folder().map_err(|problem| self.error(path, problem))
    }

    fn error(&self, path: &str, problem: TreeProblem) -> TreeError {
        TreeError { path: self.path.join(path).display().to_string(), problem }
    }
}

/// One path on its way.
struct Walk<'a> {
    tree: &'a Tree,
    /// Folders entered so far, by real name.
    stack: Vec<(String, OwnedFd)>,
    /// Components still to come, the next one last.
    ahead: Vec<String>,
    links: usize,
    steps: usize,
}

impl<'a> Walk<'a> {
    fn new(tree: &'a Tree, path: &str) -> Self {
        let mut walk = Self { tree, stack: Vec::new(), ahead: Vec::new(), links: 0, steps: 0 };
        // A leading slash means the root of the tree: only links may not be absolute.
        walk.push(path);
        walk
    }

    /// Enters everything that is ahead.
    fn folder(mut self) -> Result<Self, TreeProblem> {
        match self.advance()? {
            None => Ok(self),
            Some(_) => Err(TreeProblem::Io("not a folder".to_owned())),
        }
    }

    /// Enters everything but the last component and opens that, which must be a regular file.
    fn file(mut self) -> Result<OwnedFd, TreeProblem> {
        let name = self.advance()?.ok_or(TreeProblem::NotAFile)?;
        // Without NONBLOCK the opening of a pipe that was swapped in since would wait for a writer.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = openat(self.here(), &name, flags, Mode::empty()).map_err(problem)?;
        let kind = FileType::from_raw_mode(fstat(&file).map_err(problem)?.st_mode);
        if kind == FileType::RegularFile { Ok(file) } else { Err(TreeProblem::NotAFile) }
    }

    fn into_fd(mut self) -> Result<OwnedFd, TreeProblem> {
        match self.stack.pop() {
            Some((_, fd)) => Ok(fd),
            None => openat(&self.tree.root, ".", folder_flags(), Mode::empty()).map_err(problem),
        }
    }

    fn names(&self) -> Result<Vec<String>, TreeProblem> {
        let mut names = Vec::new();
        for entry in Dir::read_from(self.here()).map_err(problem)? {
            let entry = entry.map_err(problem)?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            if name == "." || name == ".." {
                continue;
            }
            if names.len() == MAX_ENTRIES {
                return Err(TreeProblem::TooMany);
            }
            names.push(name.to_owned());
        }
        names.sort();
        Ok(names)
    }

    /// Goes on until nothing is ahead, or until a regular file is: its name.
    fn advance(&mut self) -> Result<Option<String>, TreeProblem> {
        while let Some(name) = self.ahead.pop() {
            self.steps += 1;
            if self.steps > MAX_COMPONENTS {
                return Err(TreeProblem::TooDeep);
            }
            if name == ".." {
                self.stack.pop().ok_or_else(|| self.escapes())?;
                continue;
            }
            let stat = statat(self.here(), &name, AtFlags::SYMLINK_NOFOLLOW).map_err(problem)?;
            let kind = FileType::from_raw_mode(stat.st_mode);
            if kind == FileType::Directory {
                let folder = openat(self.here(), &name, folder_flags(), Mode::empty()).map_err(problem)?;
                self.stack.push((name, folder));
            } else if kind == FileType::Symlink {
                self.follow(&name)?;
            } else if kind == FileType::RegularFile && self.ahead.is_empty() {
                return Ok(Some(name));
            } else {
                return Err(TreeProblem::NotAFile);
            }
        }
        Ok(None)
    }

    fn follow(&mut self, name: &str) -> Result<(), TreeProblem> {
        self.links += 1;
        if self.links > MAX_LINKS {
            return Err(TreeProblem::TooDeep);
        }
        let target = readlinkat(self.here(), name, Vec::new()).map_err(problem)?;
        let target = target.to_str().map_err(|_| TreeProblem::Io("a link that is not UTF-8".to_owned()))?;
        if let Some(errno) = target.strip_prefix(ERRNO_LINK) {
            let known = KNOWN_ERRNOS.iter().find(|(name, _)| *name == errno);
            return Err(known.map_or_else(|| TreeProblem::Io(errno.to_owned()), |(_, errno)| problem(*errno)));
        }
        if target.starts_with('/') {
            return Err(self.escapes());
        }
        self.push(target);
        Ok(())
    }

    fn push(&mut self, path: &str) {
        let parts = path.split('/').filter(|part| !part.is_empty() && *part != ".");
        self.ahead.extend(parts.rev().map(str::to_owned));
    }

    fn here(&self) -> BorrowedFd<'_> {
        self.stack.last().map_or_else(|| self.tree.root.as_fd(), |(_, fd)| fd.as_fd())
    }

    fn escapes(&self) -> TreeProblem {
        TreeProblem::Escapes { root: self.tree.path.display().to_string() }
    }
}

const fn folder_flags() -> OFlags {
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC)
}

fn read_all(file: &OwnedFd, limit: usize) -> Result<Vec<u8>, TreeProblem> {
    let bytes = read_start(file, limit.saturating_add(1))?;
    if bytes.len() > limit { Err(TreeProblem::TooLarge { limit }) } else { Ok(bytes) }
}

fn read_start(file: &OwnedFd, limit: usize) -> Result<Vec<u8>, TreeProblem> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 8192];
    while bytes.len() < limit {
        let wanted = buffer.len().min(limit - bytes.len());
        match rustix::io::read(file, &mut buffer[..wanted]) {
            Ok(0) => break,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(problem(errno)),
        }
    }
    Ok(bytes)
}

fn problem(errno: Errno) -> TreeProblem {
    match errno {
        Errno::NOENT => TreeProblem::Missing,
        other => TreeProblem::Io(std::io::Error::from(other).to_string()),
    }
}

//! The tree that the kernel would show: `View` in, a list of entries out. Writing them is `host`'s job.

mod dev;
mod drm;
mod gpu_metrics;
mod kfd;
mod module;
mod pci;
mod proc;
mod settings;
mod user;

use crate::sim::{FileAnswer, Machine, View};

pub use proc::kmsg;
pub use user::{LIST, alive, user};

/// One entry below the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A folder.
    Dir {
        /// Path below the host, for example `sys/class/kfd/kfd/proc`.
        path: String,
    },
    /// A file with permission bits.
    File {
        /// Path below the host.
        path: String,
        /// Content.
        content: Vec<u8>,
        /// Permission bits, for example 0o444.
        mode: u32,
    },
    /// A symbolic link that stays inside the tree.
    Link {
        /// Path below the host.
        path: String,
        /// Relative target.
        target: String,
    },
}

impl Entry {
    /// Its path below the host.
    pub fn path(&self) -> &str {
        match self {
            Self::Dir { path } | Self::File { path, .. } | Self::Link { path, .. } => path,
        }
    }
}

/// A file whose read fails is a link to nowhere with this in front of the errno's name (`errno-EIO`): a plain file
/// cannot answer EIO. An absent file is simply absent.
pub const ERRNO_LINK: &str = "errno-";

/// The whole tree: `sys`, `proc`, `dev`, `etc` and what else holds settings. `view` is what `machine`'s kernel shows now.
pub fn tree(view: &View, machine: &Machine) -> Vec<Entry> {
    let mut tree = Tree { entries: Vec::new() };
    module::write(&mut tree, view);
    kfd::write(&mut tree, view, machine);
    pci::write(&mut tree, view, machine);
    drm::write(&mut tree, view);
    dev::write(&mut tree, view, machine);
    proc::write(&mut tree, view, machine);
    settings::write(&mut tree, view);
    tree.entries
}

/// Entries, with short ways to add one.
struct Tree {
    entries: Vec<Entry>,
}

impl Tree {
    fn dir(&mut self, path: impl Into<String>) {
        self.entries.push(Entry::Dir { path: path.into() });
    }

    /// A writable text file; the final newline is added.
    fn text(&mut self, path: impl Into<String>, text: impl std::fmt::Display) {
        self.file(path, text, 0o644);
    }

    fn read_only(&mut self, path: impl Into<String>, text: impl std::fmt::Display) {
        self.file(path, text, 0o444);
    }

    fn file(&mut self, path: impl Into<String>, text: impl std::fmt::Display, mode: u32) {
        self.bytes(path, format!("{text}\n").into_bytes(), mode);
    }

    fn bytes(&mut self, path: impl Into<String>, content: Vec<u8>, mode: u32) {
        self.entries.push(Entry::File { path: path.into(), content, mode });
    }

    fn link(&mut self, path: impl Into<String>, target: impl Into<String>) {
        self.entries.push(Entry::Link { path: path.into(), target: target.into() });
    }

    /// A file that may fail or be absent.
    fn answer(&mut self, path: String, answer: &FileAnswer, mode: u32) {
        match answer {
            Ok(text) if text.is_empty() => self.bytes(path, Vec::new(), mode),
            Ok(text) => self.file(path, text, mode),
            Err(super::super::Errno::ENOENT) => {}
            Err(errno) => self.link(path, format!("{ERRNO_LINK}{errno}")),
        }
    }
}

#[cfg(test)]
mod tests;

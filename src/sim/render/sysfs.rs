//! The tree that the kernel would show: `View` in, a list of entries out. Writing them is `host`'s job.

use crate::sim::View;

/// One entry below `HOST/sys` or `HOST/proc`.
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

/// The whole tree.
pub fn tree(_view: &View) -> Vec<Entry> {
    todo!()
}

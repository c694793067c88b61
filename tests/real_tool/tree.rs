//! A simulated host's `sys` folder, read whole: the driver layer answers from memory, because the tool asks thousands
//! of times in one call.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rocvet::sim::Errno;
use rocvet::sim::render::sysfs::ERRNO_LINK;

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A folder, with the names in it: sorted, because the order on disk is any.
    Folder(Vec<OsString>),
    /// A file.
    File {
        /// Permission bits.
        mode: u32,
        /// What a read gives.
        content: Vec<u8>,
    },
    /// A file whose read fails.
    Failing(Errno),
    /// A symbolic link.
    Link(Vec<u8>),
}

/// Everything below `sys`, by path; the root has the empty path.
pub type Tree = HashMap<PathBuf, Node>;

/// Reads the tree of a host folder.
pub fn read(host: &Path) -> std::io::Result<Tree> {
    let root = host.join("sys");
    let mut tree = Tree::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let mut names = Vec::new();
        for entry in fs::read_dir(root.join(&folder))? {
            let name = entry?.file_name();
            let path = folder.join(&name);
            match node(&root.join(&path))? {
                Some(node) => drop(tree.insert(path, node)),
                None => folders.push(path),
            }
            names.push(name);
        }
        names.sort();
        tree.insert(folder, Node::Folder(names));
    }
    // What every Linux has, and the reference tree lacks: where its transcripts were made they were added as well.
    for name in ["net", "scsi_host"] {
        let class = PathBuf::from("class");
        if tree.insert(class.join(name), Node::Folder(Vec::new())).is_none()
            && let Some(Node::Folder(names)) = tree.get_mut(&class)
        {
            names.push(name.into());
        }
    }
    Ok(tree)
}

/// What a file or a link is; nothing for a folder.
fn node(place: &Path) -> std::io::Result<Option<Node>> {
    let meta = fs::symlink_metadata(place)?;
    if meta.is_dir() {
        return Ok(None);
    }
    if meta.is_symlink() {
        let target = fs::read_link(place)?;
        let failing = target.to_str().and_then(|target| target.strip_prefix(ERRNO_LINK));
        return Ok(Some(match failing.and_then(|name| name.parse().ok()) {
            Some(errno) => Node::Failing(errno),
            None => Node::Link(target.as_os_str().as_bytes().to_vec()),
        }));
    }
    Ok(Some(Node::File { mode: meta.permissions().mode() & 0o777, content: fs::read(place)? }))
}

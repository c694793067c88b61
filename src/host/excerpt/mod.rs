//! The part of a machine that the witnesses read, as entries to write, with pseudonyms for what identifies it.

mod kmsg;
mod proc;
mod settings;
mod sys;

pub(super) use kmsg::kernel_log;
pub(super) use proc::proc;
pub(super) use settings::settings;
pub(super) use sys::sys;

use crate::witness::tree::{Tree, failing_link};

use crate::pseudonym::Pseudonyms;

/// One entry of an excerpt, by its path below the host directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    /// A folder that says something by being there, empty or not.
    Dir {
        path: String,
    },
    File {
        path: String,
        content: Vec<u8>,
    },
    Link {
        path: String,
        /// Relative, and inside the tree.
        target: String,
    },
}

/// Largest file that is taken.
const LIMIT: usize = 64 << 10;

/// ROCm's own word for its version, below the folder of optional software.
pub(super) fn opt(root: &std::path::Path) -> Vec<Entry> {
    let Ok(tree) = Tree::open(root) else { return Vec::new() };
    let names = tree.names("").unwrap_or_default();
    let files = names.iter().filter(|name| name.starts_with("rocm")).map(|name| format!("{name}/.info/version"));
    let taken = files.filter_map(|file| {
        let content = tree.read(&file, 4096).ok()?;
        // One line: a file that says more is not what it should be.
        let line = String::from_utf8(content).ok()?.lines().next()?.to_owned();
        Some(Entry::File { path: format!("opt/{file}"), content: format!("{line}\n").into_bytes() })
    });
    taken.collect()
}

/// One file, when it is there. One that cannot be read cannot be read in the recording either.
fn copy(tree: &Tree, path: &str, below: &str, names: &mut Pseudonyms, entries: &mut Vec<Entry>) {
    let bytes = match tree.read(path, LIMIT) {
        Ok(bytes) => bytes,
        Err(error) => {
            let link = |target| Entry::Link { path: format!("{below}/{path}"), target };
            entries.extend(failing_link(&error.problem).map(link));
            return;
        }
    };
    let text = String::from_utf8_lossy(&bytes);
    let text = match path.rsplit('/').next() {
        Some("unique_id") => names.hex_file(&text),
        Some("xgmi_hive_id") => names.number_file(&text),
        Some(_) | None => names.text(&text),
    };
    entries.push(Entry::File { path: format!("{below}/{path}"), content: text.into_bytes() });
}

/// The way from a folder up to the root of its tree.
fn up(path: &str) -> String {
    "../".repeat(path.split('/').count())
}

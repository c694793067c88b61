//! `HOST/manifest.toml` of a recording: what belongs to it, with the hash of each file, so that what was changed since is
//! told and not judged.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::witness::tree::{Tree, TreeProblem};
use crate::witness::{Access, DeviceAccess};

use super::HostError;
use super::excerpt::Entry;

/// Name of the file below the host directory.
pub const MANIFEST_FILE: &str = "manifest.toml";

/// The schema version that this program writes and reads.
pub const MANIFEST_SCHEMA: u32 = 1;

/// Longest manifest that is read.
const LIMIT: usize = 16 << 20;

/// Entries that a recording may have.
const MAX_ENTRIES: usize = 100_000;

/// Largest file that is verified: the largest that a recording may hold.
const MAX_FILE: usize = super::recorded::MAX_STREAM;

/// Folders of a recording in which nothing else may lie.
const FOLDERS: [&str; 8] = ["sys", "proc", "opt", "etc", "usr", "lib", "run", "transcripts"];

/// What belongs to a recording.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Manifest {
    /// [`MANIFEST_SCHEMA`].
    pub schema: u32,
    /// What is not in it, or not whole, and why.
    #[serde(default, rename = "note", skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
    /// Whether whoever recorded it might use each device file.
    #[serde(default, rename = "device", skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<Device>,
    /// Every file.
    #[serde(default, rename = "file", skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<File>,
    /// Every link.
    #[serde(default, rename = "link", skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
}

/// One thing that is not as on the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// What: `kmsg`.
    pub about: String,
    /// What is so, or why it is missing.
    pub text: String,
}

/// One device file, which is not itself in the recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// Its path on the machine.
    pub path: String,
    /// What came of asking.
    pub access: RecordedAccess,
}

/// See [`Access`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum RecordedAccess {
    /// It can be read and written.
    Granted,
    /// It refuses.
    Denied {
        /// Permission bits.
        mode: u32,
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
    },
    /// No such file.
    Missing,
    /// It cannot be told.
    Unreadable(String),
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Path below the host directory.
    pub path: String,
    /// SHA-256 of its content, in hexadecimal digits.
    pub sha256: String,
}

/// One link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// Path below the host directory.
    pub path: String,
    /// Where it leads.
    pub target: String,
}

impl Manifest {
    /// Of these entries, each path once.
    pub(super) fn of(entries: &[Entry], devices: Vec<Device>, notes: Vec<Note>) -> Self {
        let (mut files, mut links) = (Vec::new(), Vec::new());
        for entry in entries {
            match entry {
                Entry::Dir { .. } => {}
                Entry::File { path, content } => files.push(File { path: path.clone(), sha256: hash(content) }),
                Entry::Link { path, target } => links.push(Link { path: path.clone(), target: target.clone() }),
            }
        }
        files.sort_by(|left, right| left.path.cmp(&right.path));
        links.sort_by(|left, right| left.path.cmp(&right.path));
        Self { schema: MANIFEST_SCHEMA, notes, devices, files, links }
    }

    pub(super) fn to_toml(&self) -> Result<String, HostError> {
        toml::to_string(self).map_err(|error| HostError::malformed(MANIFEST_FILE, error))
    }

    /// The manifest of the host directory `tree`; `None` where there is none, as in the recordings of earlier versions.
    pub(super) fn read(tree: &Tree) -> Result<Option<Self>, HostError> {
        let text = match super::read_text(tree, MANIFEST_FILE, LIMIT) {
            Err(HostError::Unreadable(error)) if error.problem == TreeProblem::Missing => return Ok(None),
            other => other?,
        };
        let manifest: Self = toml::from_str(&text).map_err(|error| HostError::malformed(MANIFEST_FILE, error))?;
        if manifest.schema != MANIFEST_SCHEMA {
            let file = MANIFEST_FILE.to_owned();
            return Err(HostError::Schema { file, found: manifest.schema, reads: MANIFEST_SCHEMA });
        }
        if manifest.files.len() + manifest.links.len() > MAX_ENTRIES {
            let problem = format!("more than {MAX_ENTRIES} files and links");
            return Err(HostError::malformed(MANIFEST_FILE, problem));
        }
        Ok(Some(manifest))
    }

    /// Whether the folder `dir`, which `tree` shows, holds these files and links, and nothing else beside them.
    ///
    /// # Errors
    /// Something was changed, is missing or was added; names it.
    pub(super) fn verify(&self, dir: &Path, tree: &Tree) -> Result<(), HostError> {
        let changed = |path: &str, how: &str| {
            Err(HostError::malformed(path, format!("{how} since it was recorded ({MANIFEST_FILE})")))
        };
        let mut there = present(dir)?;
        for link in &self.links {
            match there.remove(&link.path) {
                Some(Some(target)) if target == link.target => {}
                Some(_) => return changed(&link.path, "the link was changed"),
                None => return changed(&link.path, "the link was taken away"),
            }
        }
        for file in &self.files {
            if there.remove(&file.path).is_none() && FOLDERS.iter().any(|folder| below(&file.path, folder)) {
                return changed(&file.path, "the file was taken away");
            }
            let content = tree.read(&file.path, MAX_FILE)?;
            if hash(&content) != file.sha256 {
                return changed(&file.path, "the file was changed");
            }
        }
        match there.keys().next() {
            Some(path) => changed(path, "this was added"),
            None => Ok(()),
        }
    }

    /// Whether the device files might be used.
    pub fn access(&self) -> Option<Vec<DeviceAccess>> {
        let of = |device: &Device| DeviceAccess { path: device.path.clone(), access: (&device.access).into() };
        (!self.devices.is_empty()).then(|| self.devices.iter().map(of).collect())
    }
}

impl From<&RecordedAccess> for Access {
    fn from(access: &RecordedAccess) -> Self {
        match access {
            RecordedAccess::Granted => Self::Granted,
            RecordedAccess::Denied { mode, uid, gid } => Self::Denied { mode: *mode, uid: *uid, gid: *gid },
            RecordedAccess::Missing => Self::Missing,
            RecordedAccess::Unreadable(problem) => Self::Unreadable(problem.clone()),
        }
    }
}

impl From<DeviceAccess> for Device {
    fn from(device: DeviceAccess) -> Self {
        let access = match device.access {
            Access::Granted => RecordedAccess::Granted,
            Access::Denied { mode, uid, gid } => RecordedAccess::Denied { mode, uid, gid },
            Access::Missing => RecordedAccess::Missing,
            Access::Unreadable(problem) => RecordedAccess::Unreadable(problem),
        };
        Self { path: device.path, access }
    }
}

/// Every file (`None`) and link (its target) in the folders of a recording, by path.
#[expect(clippy::disallowed_methods, reason = "host owns the files of a host folder; no link is followed")]
fn present(dir: &Path) -> Result<BTreeMap<String, Option<String>>, HostError> {
    let mut found = BTreeMap::new();
    for folder in FOLDERS {
        let walk = walkdir::WalkDir::new(dir.join(folder)).follow_root_links(false);
        for entry in walk.into_iter().take(2 * MAX_ENTRIES).flatten() {
            let path = entry.path().strip_prefix(dir).unwrap_or(entry.path()).display().to_string();
            if entry.path_is_symlink() {
                let target = std::fs::read_link(entry.path())
                    .map_err(|error| HostError::malformed(&path, error))?
                    .display()
                    .to_string();
                found.insert(path, Some(target));
            } else if !entry.file_type().is_dir() && entry.file_name() != KEEP {
                found.insert(path, None);
            }
        }
    }
    Ok(found)
}

/// An empty file that keeps a folder, which many archives would lose without it.
pub(super) const KEEP: &str = ".keep";

fn below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

fn hash(content: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(content) {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

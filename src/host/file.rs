//! `HOST/host.toml`: what a host directory is.

use serde::{Deserialize, Serialize};

use crate::domain::ToolVersion;
use crate::witness::tree::Tree;

use super::HostError;

/// Name of the file below the host directory.
pub const HOST_FILE: &str = "host.toml";

/// The schema version that this program writes and reads.
pub const HOST_SCHEMA: u32 = 1;

const LIMIT: usize = 64 << 10;

/// Content of `host.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct HostFile {
    /// What kind of host.
    pub kind: HostKind,
    /// Version of the directory's layout.
    pub schema: u32,
    /// Where it comes from, in words: the machine simulated or recorded.
    pub origin: String,
    /// amd-smi tool version that it speaks, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amd_smi: Option<ToolVersion>,
    /// Version of the program that wrote it.
    pub written_by: String,
}

/// Kind of a host directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostKind {
    /// A simulated machine: `machine.toml`, `state.json`.
    Simulated,
    /// A recording: `transcripts/`.
    Recorded,
}

impl HostFile {
    /// A file of the current schema, written by this version.
    pub fn new(kind: HostKind, origin: impl Into<String>, amd_smi: Option<ToolVersion>) -> Self {
        let written_by = concat!("rocvet ", env!("CARGO_PKG_VERSION")).to_owned();
        Self { kind, schema: HOST_SCHEMA, origin: origin.into(), amd_smi, written_by }
    }

    /// The text of the file.
    pub fn to_toml(&self) -> Result<String, HostError> {
        toml::to_string(self).map_err(|error| HostError::malformed(HOST_FILE, error))
    }

    /// Reads the file of the host directory `tree`.
    pub(super) fn read(tree: &Tree) -> Result<Self, HostError> {
        /// Read first: a later schema may have other keys, and the version is then the better message.
        #[derive(Deserialize)]
        struct Version {
            schema: u32,
        }
        let text = super::read_text(tree, HOST_FILE, LIMIT)?;
        let Version { schema } = toml::from_str(&text).map_err(|error| HostError::malformed(HOST_FILE, error))?;
        if schema != HOST_SCHEMA {
            return Err(HostError::Schema { file: HOST_FILE.to_owned(), found: schema, reads: HOST_SCHEMA });
        }
        toml::from_str(&text).map_err(|error| HostError::malformed(HOST_FILE, error))
    }
}

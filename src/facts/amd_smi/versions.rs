//! ROCm release -> tool version -> library version: three numbers that do not follow from each other.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::domain::{Source, ToolVersion};
use crate::facts::embedded;
use crate::facts::entry::Entry;

/// One version of the tool, and where it came.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// ROCm releases that brought it.
    pub rocm: Vec<String>,
    /// What the tool calls itself; the oldest have four numbers.
    pub tool: String,
    /// What the library calls itself, where it was seen.
    pub library: Option<String>,
    /// Distributions that package it.
    pub packages: Option<String>,
    /// Anything else.
    pub note: Option<String>,
    /// Who says so.
    pub source: Source,
}

impl Release {
    /// The tool version as a version; `None` for the four-number ones of ROCm 5.
    pub fn version(&self) -> Option<ToolVersion> {
        self.tool.parse().ok()
    }
}

/// Every release that is known, oldest first. Source: facts/amd-smi.md 1.1.
pub fn releases() -> &'static [Release] {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        version: Vec<Release>,
    }
    static TABLE: LazyLock<File> =
        LazyLock::new(|| embedded::table("amd_smi_versions.toml", include_str!("../data/amd_smi_versions.toml")));
    &TABLE.version
}

/// The release with exactly this tool version.
pub fn release(version: ToolVersion) -> Option<&'static Release> {
    releases().iter().find(|release| release.version() == Some(version))
}

/// Every release as an entry: `fact.amd-smi.version.26.2.1`.
pub(super) fn version_entries() -> impl Iterator<Item = Entry> {
    releases().iter().map(|release| {
        let library = release.library.as_ref().map(|library| format!("; library {library}")).unwrap_or_default();
        let packages =
            release.packages.as_ref().map(|packages| format!("; packaged by {packages}")).unwrap_or_default();
        let note = release.note.as_ref().map(|note| format!(". Note: {note}")).unwrap_or_default();
        Entry {
            id: format!("fact.amd-smi.version.{}", release.tool),
            title: format!("amd-smi {}", release.tool),
            what: format!("ROCm {}{library}{packages}{note}.", release.rocm.join(", ")),
            why:
                "Tool and library versions are separate numbers, and one tool version came with several ROCm releases."
                    .into(),
            source: release.source.clone(),
            what_to_do: "Key on the tool version, never on ROCm's alone.".into(),
            see: Vec::new(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_come_in_order_and_name_their_rocm() {
        let versions: Vec<_> = releases().iter().filter_map(Release::version).collect();
        assert!(versions.is_sorted_by(|a, b| a < b), "{versions:?}");
        assert_eq!(versions.len(), releases().len() - 2, "only the two of ROCm 5 have four numbers");
        for (version, rocm) in [("24.5.2", "6.1.2"), ("25.5.1", "6.4.2"), ("26.2.1", "7.2.0"), ("27.1.0", "10.1")] {
            let release = release(version.parse().unwrap()).unwrap();
            assert_eq!(release.rocm, [rocm], "{version}");
        }
        assert_eq!(release(ToolVersion::new(26, 3, 0)), None);
    }
}

//! Which generation of the command line a tool version belongs to. Parsing, errors and exit codes change with it.

use crate::domain::ToolVersion;

/// Command-line generations, oldest first. Source: facts/amd-smi.md 1.2, 2.3 and 3.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Generation {
    /// Up to 24.5 (ROCm 6.0, 6.1). Run: 24.5.2.
    V24_5,
    /// 24.6 and 24.7 (ROCm 6.2, 6.3). Run: 24.7.0.
    V24_7,
    /// 25.x (ROCm 6.4). Never run: from captures, otherwise *unverified*.
    V25,
    /// 26.0 to 26.2 (ROCm 7.0 to 7.2). Run: 26.2.1; 26.0 and 26.1 are *unverified*.
    V26,
    /// 26.3 and later (ROCm 7.12, 10). Run: 27.1.0; others are *unverified*.
    V27,
}

impl Generation {
    /// The generation of a tool version.
    pub const fn of(tool: ToolVersion) -> Self {
        match (tool.major, tool.minor) {
            (0..=23, _) | (24, 0..=5) => Self::V24_5,
            (24, _) => Self::V24_7,
            (25, _) => Self::V25,
            (26, 0..=2) => Self::V26,
            _ => Self::V27,
        }
    }
}

//! Where the operating system runs.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where the operating system runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Platform {
    /// On the metal.
    #[default]
    BareMetal,
    /// In a virtual machine that owns the whole physical function.
    Passthrough,
    /// In a virtual machine with an SR-IOV virtual function.
    VirtualFunction,
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::BareMetal => "bare-metal",
            Self::Passthrough => "passthrough",
            Self::VirtualFunction => "virtual-function",
        })
    }
}

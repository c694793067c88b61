//! What `amd-smi set` needs and does besides the setting.

use crate::domain::ToolVersion;

/// What the tool does about the driver reload that a memory mode needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReloadHabit {
    /// Reloads the driver by itself, without a word.
    Silent,
    /// Asks, then reloads the driver by itself.
    AfterQuestion,
    /// Asks, then leaves a request that comes into force when somebody reloads the driver.
    RequestOnly,
}

impl ReloadHabit {
    /// Whether the tool puts a question first.
    pub const fn asks(self) -> bool {
        match self {
            Self::Silent => false,
            Self::AfterQuestion | Self::RequestOnly => true,
        }
    }

    /// Whether `set -M` reloads the driver.
    pub const fn reloads(self) -> bool {
        match self {
            Self::Silent | Self::AfterQuestion => true,
            Self::RequestOnly => false,
        }
    }
}

/// What `set -M` of a version does. Source: facts/amd-smi.md 1.2 and 1.4; 24.7.0 was run and does not ask.
pub fn reload_habit(tool: ToolVersion) -> ReloadHabit {
    if tool <= ToolVersion::new(24, 7, 0) {
        ReloadHabit::Silent
    } else if tool < ToolVersion::new(26, 0, 0) {
        ReloadHabit::AfterQuestion
    } else {
        ReloadHabit::RequestOnly
    }
}

/// Whether the tool takes a guest with this PCI device for bare metal, and so offers to set its modes. Before 24.6.2 it
/// offers that everywhere. Source: facts/amd-smi.md section 0.
pub fn sets_in_guest(tool: ToolVersion, device: u16) -> bool {
    const RECOGNISED: [u16; 5] = [0x7460, 0x73c8, 0x74a0, 0x74a1, 0x74a2];
    tool < ToolVersion::new(24, 6, 2) || RECOGNISED.contains(&device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_reloads_the_driver_depends_on_the_version() {
        for (version, habit) in [
            ("24.5.2", ReloadHabit::Silent),
            ("24.7.0", ReloadHabit::Silent),
            ("24.7.1", ReloadHabit::AfterQuestion),
            ("25.5.1", ReloadHabit::AfterQuestion),
            ("26.0.0", ReloadHabit::RequestOnly),
            ("27.1.0", ReloadHabit::RequestOnly),
        ] {
            assert_eq!(reload_habit(version.parse().unwrap()), habit, "{version}");
        }
    }

    #[test]
    fn a_guest_is_taken_for_bare_metal_by_its_device() {
        for (version, device, expected) in
            [("24.5.2", 0x74a5, true), ("26.2.1", 0x74a1, true), ("26.2.1", 0x74a5, false), ("27.1.0", 0x74b5, false)]
        {
            assert_eq!(sets_in_guest(version.parse().unwrap(), device), expected, "{version} {device:04x}");
        }
    }
}

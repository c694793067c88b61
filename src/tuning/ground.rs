//! On what a parameter is judged: which GPUs there are, which kernel, whose driver.

use std::collections::BTreeSet;

use crate::domain::{MajorMinor, Reading};
use crate::facts::{Parameter, ParameterDefault};
use crate::topology::sockets;
use crate::witness::{ModuleState, Snapshot};

/// What decides over defaults.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ground {
    /// Native ISAs of the GPUs, each once.
    pub isas: Vec<String>,
    /// The kernel.
    pub kernel: Option<MajorMinor>,
    /// Version of AMD's own (DKMS) driver, where that is loaded.
    pub driver: Option<MajorMinor>,
    /// The driver is built into the kernel: modprobe.d does not concern it.
    pub built_in: bool,
}

impl Ground {
    /// Of a look.
    pub fn of(look: &Snapshot) -> Self {
        let release = look.kernel.as_ref().and_then(|kernel| kernel.release.value());
        let version = look.driver.as_ref().and_then(|driver| driver.version.value());
        Self {
            isas: isas(look),
            kernel: release.and_then(|release| release.parse().ok()),
            driver: version.and_then(|version| version.parse().ok()),
            built_in: look.driver.as_ref().is_some_and(|driver| driver.module == ModuleState::BuiltIn),
        }
    }

    /// The default in force on an ISA; `None`: nobody knows. AMD's driver is numbered by the kernel that it was taken from,
    /// and its defaults may differ from that kernel's: only where both versions have the same default it is believed.
    /// Source: facts/rdna.md section 3 (Reading the truth).
    pub fn default_of<'p>(&self, parameter: &'p Parameter, gfx: &str) -> Option<&'p ParameterDefault> {
        let by_kernel = parameter.default_on(gfx, self.kernel)?;
        match self.driver {
            None => Some(by_kernel),
            Some(driver) => {
                let by_driver = parameter.default_on(gfx, Some(driver))?;
                (by_driver.value == by_kernel.value).then_some(by_kernel)
            }
        }
    }
}

/// Native ISAs: by KFD, else by the parts that have the PCI id.
fn isas(look: &Snapshot) -> Vec<String> {
    let by_kfd = |number: &Reading<u32>| number.value().map(|number| gfx_name(*number));
    let of_nodes: BTreeSet<String> =
        look.kfd.iter().flatten().filter_map(|node| by_kfd(&node.gfx_target_version)).collect();
    if !of_nodes.is_empty() {
        return of_nodes.into_iter().collect();
    }
    let of_parts: BTreeSet<String> =
        sockets(look).iter().filter_map(|socket| Some(socket.parts().0.first()?.gfx.clone())).collect();
    of_parts.into_iter().collect()
}

/// `gfx1030` of KFD's 100300, `gfx90a` of 90010.
pub fn gfx_name(version: u32) -> String {
    format!("gfx{}{}{:x}", version / 10_000, version / 100 % 100, version % 100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::parameter;

    #[test]
    fn kfd_numbers_are_isas() {
        for (number, name) in [(100_300, "gfx1030"), (90_010, "gfx90a"), (90_402, "gfx942"), (110_000, "gfx1100")] {
            assert_eq!(gfx_name(number), name);
        }
    }

    #[test]
    fn with_amds_driver_a_default_is_believed_where_both_versions_have_it() {
        let noretry = parameter("amdgpu.noretry").unwrap();
        for (kernel, driver, expected) in [
            ("6.8", None, Some("1")),
            ("5.15", None, Some("0")),
            ("6.8", Some("6.16"), Some("1")),
            ("5.15", Some("6.16"), None),
            ("5.15", Some("5.13"), Some("0")),
            ("6.8", Some("5.18"), None),
        ] {
            let parsed = |text: &str| text.parse().ok();
            let ground = Ground { kernel: parsed(kernel), driver: driver.and_then(parsed), ..Ground::default() };
            let found = ground.default_of(noretry, "gfx1030").map(|row| row.value.as_str());
            assert_eq!(found, expected, "{kernel} {driver:?}");
        }
    }
}

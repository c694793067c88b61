//! On what a parameter is judged: which GPUs there are, which kernel, whose driver.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::MajorMinor;
use crate::facts::{Parameter, ParameterDefault};
use crate::topology::sockets;
use crate::witness::{KfdNode, ModuleState, Snapshot};

/// What decides over defaults.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ground {
    /// Native ISAs of the GPUs, each once.
    pub isas: Vec<String>,
    /// Native ISA of each GPU by the number of its KFD node; empty where KFD does not say.
    pub nodes: BTreeMap<u32, String>,
    /// The kernel.
    pub kernel: Option<MajorMinor>,
    /// Its distribution takes drivers from later kernels: of the driver the kernel's version is only the earliest.
    pub backported: bool,
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
            nodes: nodes(look).collect(),
            kernel: release.and_then(|release| release.parse().ok()),
            backported: release.is_some_and(|release| is_backported(release)),
            driver: version.and_then(|version| version.parse().ok()),
            built_in: look.driver.as_ref().is_some_and(|driver| driver.module == ModuleState::BuiltIn),
        }
    }

    /// The default in force on an ISA; `None`: nobody knows. AMD's driver is numbered by the kernel that it was taken from,
    /// and its defaults may differ from that kernel's: only where both versions have the same default it is believed.
    /// Source: facts/rdna.md section 3 (Reading the truth).
    pub fn default_of<'p>(&self, parameter: &'p Parameter, gfx: &str) -> Option<&'p ParameterDefault> {
        let by_kernel = parameter.default_on(gfx, self.kernel)?;
        if self.backported && !parameter.default_is_kept(gfx, self.kernel) {
            return None;
        }
        match self.driver {
            None => Some(by_kernel),
            Some(driver) => {
                let by_driver = parameter.default_on(gfx, Some(driver))?;
                (by_driver.value == by_kernel.value).then_some(by_kernel)
            }
        }
    }
}

/// Whether this is a kernel of Red Hat's, or of one that is built from it: 5.14.0 of RHEL 9.3 has the graphics drivers of
/// 6.3, of 9.5 those of 6.9, of 9.8 those of 6.17. Source: gitlab.com/redhat/centos-stream/src/kernel/centos-stream-9 merge
/// requests 2502, 3977 and 7329.
fn is_backported(release: &str) -> bool {
    release
        .split('.')
        .any(|part| part.strip_prefix("el").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit())))
}

/// Native ISAs: by KFD, else by the parts that have the PCI id.
fn isas(look: &Snapshot) -> Vec<String> {
    let of_nodes: BTreeSet<String> = nodes(look).map(|(_, gfx)| gfx).collect();
    if !of_nodes.is_empty() {
        return of_nodes.into_iter().collect();
    }
    let of_parts: BTreeSet<String> =
        sockets(look).iter().filter_map(|socket| Some(socket.parts().0.first()?.gfx.clone())).collect();
    of_parts.into_iter().collect()
}

/// The nodes of GPUs with their native ISAs.
fn nodes(look: &Snapshot) -> impl Iterator<Item = (u32, String)> {
    let gfx = |node: &KfdNode| node.gfx_target_version.value().map(|number| gfx_name(*number));
    look.kfd.iter().flatten().filter_map(move |node| Some((node.node, gfx(node)?)))
}

/// `gfx1030` of KFD's 100300, `gfx90a` of 90010.
pub fn gfx_name(version: u32) -> String {
    format!("gfx{}{}{:x}", version / 10_000, version / 100 % 100, version % 100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Reading;
    use crate::facts::parameter;
    use crate::witness::KernelFacts;

    #[test]
    fn kfd_numbers_are_isas() {
        for (number, name) in [(100_300, "gfx1030"), (90_010, "gfx90a"), (90_402, "gfx942"), (110_000, "gfx1100")] {
            assert_eq!(gfx_name(number), name);
        }
    }

    #[test]
    fn with_the_drivers_of_a_later_kernel_a_default_is_believed_where_none_of_them_has_another() {
        for (release, name, gfx, expected) in [
            ("5.14.0-570.12.1.el9_6.x86_64", "amdgpu.noretry", "gfx1030", None),
            ("5.14.0-570.12.1.el9_6.x86_64", "amdgpu.noretry", "gfx1010", Some("0")),
            ("5.14.0-570.12.1.el9_6.x86_64", "amdgpu.vm_fragment_size", "gfx1030", Some("9")),
            ("4.18.0-553.el8_10.x86_64", "amdgpu.noretry", "gfx1010", None),
            ("6.12.0-55.9.1.el10_0.x86_64", "amdgpu.noretry", "gfx1030", Some("1")),
            ("5.14.0-21-generic", "amdgpu.noretry", "gfx1030", Some("0")),
            ("5.14.0-el", "amdgpu.noretry", "gfx1030", Some("0")),
        ] {
            let kernel = KernelFacts {
                release: Reading::Value(release.to_owned()),
                cmdline: Reading::NotReported,
                hypervisor: Reading::NotReported,
                boot_id: Reading::NotReported,
            };
            let look = Snapshot { kernel: Some(kernel), ..Snapshot::default() };
            let ground = Ground::of(&look);
            let found = ground.default_of(parameter(name).unwrap(), gfx).map(|row| row.value.as_str());
            assert_eq!(found, expected, "{release} {name} {gfx}");
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

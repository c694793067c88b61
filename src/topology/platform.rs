//! Bare metal, passthrough or a virtual function, and why it is taken for that.

use serde::Serialize;

use crate::domain::{Platform, Reading};
use crate::witness::{Snapshot, SysfsGpu};

use super::{Socket, sockets};

/// Where the operating system runs, as far as the readings tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Whereabouts {
    /// The platform; no value where the readings do not decide.
    pub platform: Reading<Platform>,
    /// What speaks for it, or what is missing: one sentence each.
    pub why: Vec<String>,
}

/// Decides by the PCI ids of virtual functions first, then by the `hypervisor` flag, then by the files that only a
/// physical function has. Never by the VBIOS name: bare-metal MI300X has `SRIOV` in it.
///
/// Source: facts/partitions.md section 6; facts/amd-smi.md section 0.
pub fn whereabouts(look: &Snapshot) -> Whereabouts {
    let sockets = sockets(look);
    let guest = look.kernel.as_ref().map_or(Reading::NotReported, |kernel| kernel.hypervisor.clone());
    let mut why = Vec::new();
    if let Some(socket) = sockets.iter().find(|socket| is_virtual_function(socket)) {
        let (parts, _) = socket.parts();
        let part = parts.first().map_or("its part", |part| part.id.as_str());
        let id = socket.device_id().unwrap_or_default();
        why.push(format!("{} has the PCI id {id:04x}, which is that of a virtual function of {part}", socket.name()));
        return Whereabouts { platform: Reading::Value(Platform::VirtualFunction), why };
    }
    match guest {
        Reading::Value(false) => {
            why.push("/proc/cpuinfo has no `hypervisor` flag".to_owned());
            why.extend(serves_guests(&sockets));
            Whereabouts { platform: Reading::Value(Platform::BareMetal), why }
        }
        Reading::Value(true) => {
            why.push("/proc/cpuinfo has the `hypervisor` flag".to_owned());
            in_guest(&sockets, why)
        }
        absent @ (Reading::NotApplicable | Reading::NotReported | Reading::Malformed { .. }) => {
            why.push("whether /proc/cpuinfo has the `hypervisor` flag cannot be read".to_owned());
            Whereabouts { platform: absent.and_then(|_| Reading::NotReported), why }
        }
    }
}

/// A virtual function that is looked at from within a guest: its host sees the physical function behind it.
fn is_virtual_function(socket: &Socket<'_>) -> bool {
    let seen_by_its_host = socket.sysfs.is_some_and(|gpu| gpu.physical_function.is_some());
    socket.parts().1 && !seen_by_its_host
}

/// What makes a machine on the metal a host of guests.
fn serves_guests(sockets: &[Socket<'_>]) -> Option<String> {
    let gpu = sockets
        .iter()
        .filter_map(|socket| socket.sysfs)
        .find(|gpu| !gpu.virtual_functions.is_empty() || gpu.driver.value().is_some_and(|driver| driver == "gim"))?;
    let driver = gpu.driver.value().map_or("unknown", String::as_str);
    let count = gpu.virtual_functions.len();
    Some(format!("it serves guests by SR-IOV: GPU {} has driver {driver} and virtual functions: {count}", gpu.bdf))
}

fn in_guest(sockets: &[Socket<'_>], mut why: Vec<String>) -> Whereabouts {
    if let Some((socket, part)) = sockets.iter().find_map(|socket| Some((socket, *socket.parts().0.first()?))) {
        let (name, id) = (socket.name(), socket.device_id().unwrap_or_default());
        why.push(format!("{name} has the PCI id {id:04x}, which is that of {} itself", part.id));
        return Whereabouts { platform: Reading::Value(Platform::Passthrough), why };
    }
    let only_current =
        |gpu: &&SysfsGpu| gpu.compute.value().is_some() && matches!(gpu.available_compute, Reading::NotReported);
    if let Some(gpu) = sockets.iter().filter_map(|socket| socket.sysfs).find(only_current) {
        why.push(format!("GPU {} has current_compute_partition and no available_compute_partition", gpu.bdf));
        return Whereabouts { platform: Reading::Value(Platform::VirtualFunction), why };
    }
    why.push(match sockets.first() {
        Some(socket) => {
            format!("the PCI id of {} is not known, so a virtual function cannot be ruled out", socket.name())
        }
        None => "there is no GPU to tell what kind of guest this is".to_owned(),
    });
    Whereabouts { platform: Reading::NotReported, why }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ComputeMode;
    use crate::witness::KernelFacts;

    /// A GPU with this PCI id that offers compute modes; `change` makes it another one.
    fn look(hypervisor: Reading<bool>, id: u16, change: impl Fn(&mut SysfsGpu)) -> Snapshot {
        let mut gpu = SysfsGpu {
            device_id: Reading::Value(id),
            compute: Reading::Value(ComputeMode::Spx),
            available_compute: Reading::Value(vec![ComputeMode::Spx]),
            driver: Reading::Value("amdgpu".to_owned()),
            ..SysfsGpu::unread("0000:05:00.0".parse().unwrap())
        };
        change(&mut gpu);
        let kernel = KernelFacts {
            release: Reading::NotReported,
            cmdline: Reading::NotReported,
            hypervisor,
            boot_id: Reading::NotReported,
        };
        Snapshot { sysfs: Some(vec![gpu]), kernel: Some(kernel), ..Snapshot::default() }
    }

    fn check(look: &Snapshot, platform: Option<Platform>, because: &str) {
        let found = whereabouts(look);
        assert_eq!(found.platform.value().copied(), platform, "{:?}", found.why);
        assert!(found.why.join("; ").contains(because), "{:?}", found.why);
    }

    #[test]
    fn each_platform_is_told_with_its_reason() {
        use Platform::{BareMetal, Passthrough, VirtualFunction};
        let same = |_: &mut SysfsGpu| {};
        let guest = || Reading::Value(true);
        check(&look(Reading::Value(false), 0x74a1, same), Some(BareMetal), "no `hypervisor` flag");
        check(&look(guest(), 0x74a1, same), Some(Passthrough), "74a1, which is that of MI300X itself");
        check(
            &look(guest(), 0x74b5, same),
            Some(VirtualFunction),
            "74b5, which is that of a virtual function of MI300X",
        );
        let hidden = look(Reading::Value(false), 0x74b5, same);
        check(&hidden, Some(VirtualFunction), "74b5");
        let no_available = |gpu: &mut SysfsGpu| gpu.available_compute = Reading::NotReported;
        check(&look(guest(), 0x1234, no_available), Some(VirtualFunction), "no available_compute_partition");
        check(&look(guest(), 0x1234, same), None, "cannot be ruled out");
        check(&look(Reading::NotReported, 0x74a1, same), None, "cannot be read");
        check(&Snapshot { sysfs: None, ..look(guest(), 0, same) }, None, "no GPU");
    }

    #[test]
    fn the_host_of_virtual_functions_is_on_the_metal() {
        let function = |gpu: &mut SysfsGpu| gpu.physical_function = Some("0000:05:00.0".parse().unwrap());
        check(&look(Reading::Value(false), 0x74b5, function), Some(Platform::BareMetal), "flag");
        let physical = |gpu: &mut SysfsGpu| gpu.virtual_functions = vec!["0000:05:02.0".parse().unwrap()];
        check(&look(Reading::Value(false), 0x74a1, physical), Some(Platform::BareMetal), "virtual functions: 1");
    }
}

//! No GPU, no driver, or a driver in an odd state.

use crate::doctor::diagnosis::Seen;
use crate::doctor::obstacle::{Obstacle, Weight, obstacle};
use crate::doctor::tool::Trouble;
use crate::facts;
use crate::witness::ModuleState;

use super::listed;

pub(super) fn obstacles(seen: &Seen<'_>) -> Vec<Obstacle> {
    let mut found: Vec<Obstacle> =
        seen.look.driver.as_ref().and_then(|driver| module(seen, &driver.module)).into_iter().collect();
    let blocked = found.iter().any(|each| each.weight == Weight::Blocks);
    if seen.sockets.is_empty() && !blocked {
        found.push(no_gpu(seen));
    }
    found
}

fn module(seen: &Seen<'_>, state: &ModuleState) -> Option<Obstacle> {
    let on_bus = !seen.environment.adapters.is_empty();
    match state {
        ModuleState::Live => None,
        // Where no GPU is on the bus either, that is the better thing to say.
        ModuleState::NotLoaded if seen.sockets.is_empty() && !on_bus => None,
        ModuleState::NotLoaded if !seen.sockets.is_empty() => Some(obstacle(
            "driver-unreadable",
            Weight::Limits,
            "GPUs are shown and /sys/module/amdgpu is not: the state and version of the driver cannot be told",
            "give this process the host's /sys (in a container: do not mask /sys/module); of a recording, record all of it",
            "",
        )),
        ModuleState::NotLoaded => Some(obstacle(
            "driver-missing",
            Weight::Blocks,
            "the amdgpu driver is not loaded",
            "sudo modprobe amdgpu; where there is no such module, install the kernel's extra modules or amdgpu-dkms",
            "facts/amd-smi.md 3.3",
        )),
        ModuleState::Changing(state) => Some(obstacle(
            "driver-changing",
            Weight::Blocks,
            format!("the amdgpu driver is being loaded or unloaded: its initstate says `{state}`"),
            "wait until `cat /sys/module/amdgpu/initstate` says live; if it never does, read the kernel log",
            "facts/amd-smi.md 3.3",
        )),
        ModuleState::BuiltIn => Some(built_in(seen)),
        ModuleState::Unreadable(problem) => Some(obstacle(
            "driver-unreadable",
            Weight::Limits,
            format!("the state of the amdgpu module cannot be read: {problem}"),
            "give this process the host's /sys (in a container: do not mask /sys/module)",
            "",
        )),
    }
}

fn built_in(seen: &Seen<'_>) -> Obstacle {
    const ID: &str = "driver-built-in";
    let bug = facts::bug("amdsmi#172");
    // One that refuses may not even say which version it is.
    let affected = match seen.tool.version.value() {
        Some(version) => bug.is_some_and(|bug| bug.may_affect(*version)),
        None => matches!(seen.tool.trouble, Some(Trouble::Refused(_))),
    };
    match bug.filter(|_| affected) {
        Some(bug) => obstacle(
            ID,
            Weight::Limits,
            "amdgpu is built into the kernel, and amd-smi up to 26.2.1 takes that for a missing driver (amdsmi#172)",
            bug.what_to_do.clone(),
            bug.source.cite.clone(),
        ),
        None => obstacle(
            ID,
            Weight::Note,
            "amdgpu is built into the kernel: it cannot be reloaded, so a new memory mode needs a reboot; amd-smi up to \
             26.2.1 takes it for a missing driver (amdsmi#172)",
            "build amdgpu as a module where modes are to be changed",
            "facts/amd-smi.md 3.3; ROCm/amdsmi#172",
        ),
    }
}

fn no_gpu(seen: &Seen<'_>) -> Obstacle {
    let adapters = &seen.environment.adapters;
    let live = seen.look.driver.as_ref().is_some_and(|driver| driver.module == ModuleState::Live);
    if let Some(taken) = adapters.iter().find(|adapter| adapter.driver.value().is_some_and(|name| name != "amdgpu")) {
        let driver = taken.driver.value().map_or("another driver", String::as_str);
        let names: Vec<String> = adapters.iter().map(|adapter| adapter.bdf.to_string()).collect();
        return obstacle(
            "other-driver",
            Weight::Blocks,
            format!("AMD adapters are on the PCI bus ({}), held by {driver} and not by amdgpu", listed(&names)),
            "ask inside the guest that they are handed to, or bind them to amdgpu again",
            "facts/partitions.md section 6",
        );
    }
    if live || !adapters.is_empty() {
        return obstacle(
            "driver-without-gpu",
            Weight::Blocks,
            "the amdgpu driver is loaded and drives no GPU",
            "look for the reason in the kernel log: sudo dmesg | grep amdgpu",
            "facts/amd-smi.md 3.3",
        );
    }
    let not_loaded = seen.look.driver.as_ref().is_some_and(|driver| driver.module == ModuleState::NotLoaded);
    let driver = if not_loaded { "; nor is the amdgpu driver loaded" } else { "" };
    obstacle(
        "no-gpu",
        Weight::Blocks,
        format!("there is no AMD GPU here: no DRM card, no KFD device, no adapter on the PCI bus{driver}"),
        "see whether one is seated and switched on: lspci -d 1002:",
        "",
    )
}

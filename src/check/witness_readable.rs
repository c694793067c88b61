//! `witness.readable`: each witness can be asked, by this caller, now; and what stands in the way where not.

use crate::domain::{CheckId, Confidence, Reading};
use crate::topology::{Socket, sockets};
use crate::witness::amd_smi::Query;
use crate::witness::{Access, DriverFacts, ModuleState, Observations, Snapshot};

use super::about::{About, FindingAbout, Needs};
use super::calls;
use super::evaluation::{Collector, Evaluation, GapKind};
use super::voices::few;

pub(super) const ABOUT: About = About {
    id: CheckId::WitnessReadable,
    what: "The driver is loaded and settled, KFD is there and shows every GPU, partition files and device files can be read and used, and amd-smi answers.",
    why: "Every other check is silent where its witness is; this one says why, and what would make it speak.",
    source: "facts/amd-smi.md 3.2, 3.3 and section 5 (amdsmi#125, #172, #184); facts/partitions.md section 4 (Containers)",
    confidence: Confidence::Certain,
    needs: Needs { queries: &[Query::List], sysfs: true, kfd: true, system: true, ..Needs::NOTHING },
    findings: &[
        FindingAbout {
            id: "driver-not-loaded",
            what: "There is no amdgpu module.",
            next: "believe /sys/module: `sudo modprobe amdgpu`, and read the kernel log where that fails",
        },
        FindingAbout {
            id: "driver-changing",
            what: "The amdgpu module is being loaded or unloaded.",
            next: "believe nobody yet: wait until /sys/module/amdgpu/initstate says live; where it does not, a client keeps the driver",
        },
        FindingAbout {
            id: "driver-built-in",
            what: "amdgpu is built into the kernel; amd-smi up to 26.x takes that for no driver (amdsmi#172).",
            next: "believe sysfs and KFD; take amd-smi 27 or later for this kernel (amdsmi#172)",
        },
        FindingAbout {
            id: "no-gpu",
            what: "The driver is loaded and drives no GPU.",
            next: "believe the driver: `lspci -d 1002:` says whether the card is there; then the kernel log, or the device is bound to vfio-pci",
        },
        FindingAbout {
            id: "kfd-missing",
            what: "The driver is loaded and there is no KFD topology: no compute on this machine.",
            next: "believe sysfs for what the GPUs are; the kernel lacks HSA_AMD, or KFD refused this machine: see the kernel log",
        },
        FindingAbout {
            id: "hidden-nodes",
            what: "KFD has nodes that cannot be read, or none of a GPU that sysfs shows: a container or cgroup hides them.",
            next: "believe KFD for what a job gets here; hand the device in (`--device=/dev/kfd --device=/dev/dri/renderD…`), or ask outside",
        },
        FindingAbout {
            id: "in-reset",
            what: "The partition files answer EPERM even to a read: the GPU is in reset.",
            next: "believe nobody about its modes; wait, and reset the GPU or reboot where it stays so",
        },
        FindingAbout {
            id: "mode-unreadable",
            what: "A partition file is there and names no mode: it fails, is empty, or says UNKNOWN.",
            next: "believe KFD's nodes; `amd-smi partition` crashes on such a file (facts/amd-smi.md section 4 row 12); reload the driver",
        },
        FindingAbout {
            id: "access-denied",
            what: "A device file is there and this caller may not use it.",
            next: "believe the file: join the groups that own it (`sudo usermod -aG render,video $USER`, then log in again)",
        },
        FindingAbout {
            id: "device-missing",
            what: "KFD shows a device whose file is not in /dev: a container was not given it.",
            next: "believe /dev for what can be used; add `--device=/dev/kfd --device=/dev/dri` to the container",
        },
        FindingAbout {
            id: "group-check",
            what: "amd-smi refuses a caller outside of the groups render and video (ROCm 7.0, amdsmi#125), whoever owns the devices.",
            next: "believe sysfs and KFD, which need no group; join the groups, or take amd-smi from ROCm 7.1.1 or later (amdsmi#125, #184)",
        },
    ],
};

/// What the kernel answers to a read of a GPU in reset (EPERM). Source: facts/amd-smi.md 3.3.
const IN_RESET: &str = "Operation not permitted";

/// What 26.0 and 26.1 end with. Source: facts/amd-smi.md 3.3 (Groups).
const GROUP_CHECK: &str = "missing the following required groups";

pub(super) fn evaluate(seen: &Observations) -> Evaluation {
    let mut collector = Collector::new(&ABOUT);
    let look = &seen.after;
    let (sockets, held): (Vec<Socket<'_>>, Vec<Socket<'_>>) =
        sockets(look).into_iter().partition(|socket| socket.holder().is_none());
    for socket in &held {
        let observed = format!("held by {} for guests (sysfs)", socket.holder().unwrap_or_default());
        collector.met(socket.name(), "witnesses here, or in a guest", observed);
    }
    let mut explained = !held.is_empty() && sockets.is_empty();
    match &look.driver {
        None => collector.gap(GapKind::NotReported, "the driver", "nobody asked"),
        Some(driver) => {
            explained |= !judge_driver(&mut collector, driver, &sockets);
            if driver_works(driver) {
                explained |= !judge_kfd(&mut collector, look, &sockets, !held.is_empty());
            }
        }
    }
    for socket in &sockets {
        partition_files(&mut collector, socket);
    }
    device_files(&mut collector, look, &sockets);
    amd_smi(&mut collector, look, explained);
    collector.finish()
}

const fn driver_works(driver: &DriverFacts) -> bool {
    match driver.module {
        ModuleState::Live | ModuleState::BuiltIn => true,
        ModuleState::Changing(_) | ModuleState::NotLoaded | ModuleState::Unreadable(_) => false,
    }
}

/// Whether nothing is wrong with the driver's module.
fn judge_driver(collector: &mut Collector, driver: &DriverFacts, sockets: &[Socket<'_>]) -> bool {
    let (subject, expected) = ("the driver", "amdgpu loaded (/sys/module)");
    match &driver.module {
        ModuleState::Live => {
            collector.met(subject, expected, "live");
            return true;
        }
        ModuleState::BuiltIn => {
            collector.doubtful(
                "driver-built-in",
                subject,
                "a module with an initstate",
                "built into the kernel (/sys/module)",
            );
        }
        // Somebody published a part of the trees.
        ModuleState::NotLoaded if !sockets.is_empty() => {
            collector.gap(
                GapKind::NotReported,
                subject,
                "no /sys/module/amdgpu, and yet GPUs: these trees are not whole",
            );
        }
        ModuleState::NotLoaded => collector.unmet("driver-not-loaded", subject, expected, "no module"),
        ModuleState::Changing(state) => {
            collector.unmet("driver-changing", subject, expected, format!("initstate says {state:?}"));
        }
        ModuleState::Unreadable(why) => {
            collector.gap(GapKind::Malformed, subject, format!("/sys/module/amdgpu: {why}"));
        }
    }
    false
}

/// Whether KFD shows every GPU.
fn judge_kfd(collector: &mut Collector, look: &Snapshot, sockets: &[Socket<'_>], held: bool) -> bool {
    if sockets.is_empty() && held {
        return false;
    }
    if sockets.is_empty() && look.kfd_hidden.is_empty() {
        collector.unmet("no-gpu", "the machine", "a GPU that the driver drives", "none (sysfs, KFD)");
        return false;
    }
    if look.kfd.is_none() {
        collector.unmet("kfd-missing", "KFD", "a topology in /sys/class/kfd", "none");
        return false;
    }
    let hidden: Vec<_> =
        sockets.iter().filter(|socket| socket.nodes.is_empty()).map(|gpu| gpu.bdf.to_string()).collect();
    if hidden.is_empty() && look.kfd_hidden.is_empty() {
        collector.met("KFD", "a node of every GPU", format!("{} GPUs (sysfs, KFD)", sockets.len()));
    } else {
        let gpus = if hidden.is_empty() { "every GPU".to_owned() } else { format!("none of {}", hidden.join(", ")) };
        let nodes: Vec<String> = look.kfd_hidden.iter().map(ToString::to_string).collect();
        let nodes =
            if nodes.is_empty() { String::new() } else { format!("; nodes that cannot be read: {}", few(&nodes)) };
        collector.unmet("hidden-nodes", "KFD", "readable nodes of every GPU", format!("{gpus}{nodes} (KFD)"));
    }
    true
}

fn partition_files(collector: &mut Collector, socket: &Socket<'_>) {
    if socket.sysfs.is_none() || socket.unpartitionable() {
        return;
    }
    let files = [
        ("current_compute_partition", socket.compute().map(|mode| mode.name())),
        ("current_memory_partition", socket.memory().map(|mode| mode.name())),
    ];
    for (file, reading) in files {
        let subject = format!("{} {file}", socket.name());
        match reading {
            Reading::Value(mode) => collector.met(subject, "a mode", format!("{mode} (sysfs)")),
            Reading::Malformed { problem, .. } if problem.contains(IN_RESET) => {
                collector.unmet("in-reset", subject, "a mode", format!("{problem} (sysfs)"));
            }
            Reading::Malformed { raw, problem } => {
                collector.unmet("mode-unreadable", subject, "a mode", format!("{raw:?}: {problem} (sysfs)"));
            }
            Reading::NotApplicable | Reading::NotReported => {
                collector.gap(
                    GapKind::NotReported,
                    subject,
                    "no such file: an older kernel, or another driver holds the GPU",
                );
            }
        }
    }
}

/// `/dev/kfd` and the render nodes of KFD's devices. Those of unused partitions and of other cards do not matter.
fn device_files(collector: &mut Collector, look: &Snapshot, sockets: &[Socket<'_>]) {
    let minors: Vec<u32> =
        sockets.iter().flat_map(|socket| &socket.nodes).filter_map(|node| node.render_minor.value().copied()).collect();
    if minors.is_empty() {
        // Without a device nobody needs its file; what is missing was told.
        return;
    }
    let subject = "/dev";
    let Some(access) = &look.access else {
        collector.gap(GapKind::NotReported, subject, "the host shows no device files");
        return;
    };
    let wanted: Vec<String> = std::iter::once("/dev/kfd".to_owned())
        .chain(minors.iter().map(|minor| format!("/dev/dri/renderD{minor}")))
        .collect();
    let (mut granted, mut denied, mut missing) = (0, Vec::new(), Vec::new());
    for path in &wanted {
        match access.iter().find(|file| file.path == *path).map(|file| &file.access) {
            Some(Access::Granted) => granted += 1,
            Some(Access::Denied { mode, uid, gid }) => {
                denied.push(format!("{path} (mode {mode:04o}, owner {uid}, group {gid})"))
            }
            Some(Access::Missing) | None => missing.push(path.clone()),
            Some(Access::Unreadable(why)) => collector.gap(GapKind::Malformed, path.as_str(), why.as_str()),
        }
    }
    if !denied.is_empty() {
        collector.unmet("access-denied", subject, "device files that this caller may use", few(&denied));
    }
    if !missing.is_empty() {
        collector.unmet("device-missing", subject, "a file for each of KFD's devices", format!("no {}", few(&missing)));
    }
    if granted > 0 {
        collector.met(subject, "device files that this caller may use", format!("{granted} files"));
    }
}

/// Whether amd-smi answers at all. Where what was found above is the reason, it is not told twice.
fn amd_smi(collector: &mut Collector, look: &Snapshot, explained: bool) {
    let failure = look.list.as_ref().and_then(|asked| asked.answer.failure.as_ref());
    if let Some(failure) = failure.filter(|failure| failure.text.contains(GROUP_CHECK)) {
        collector.doubtful("group-check", "amd-smi list", "an answer: a query needs no group", failure.text.clone());
        return;
    }
    if explained && look.list.as_ref().is_some_and(|asked| asked.answer.value.value().is_none()) {
        return;
    }
    if let Some(rows) = calls::rows(collector, Query::List, look.list.as_ref()) {
        collector.met("amd-smi list", "an answer", format!("{} devices", rows.len()));
    }
}

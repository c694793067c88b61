//! `/proc`, the CPU part of `/sys`, and the kernel log.

use std::fmt::Write as _;

use crate::sim::{DriverState, Machine, View};

use super::Tree;

/// CPUs that the simulated machine shows.
const CPUS: u32 = 4;

pub(super) fn write(tree: &mut Tree, view: &View, machine: &Machine) {
    for cpu in 0..CPUS {
        let topology = format!("sys/devices/system/cpu/cpu{cpu}/topology");
        tree.text(format!("{topology}/physical_package_id"), 0);
        tree.text(format!("{topology}/core_id"), cpu);
    }
    for file in ["sys/devices/system/cpu/online", "sys/devices/system/cpu/possible"] {
        tree.text(file, "0-3");
    }
    tree.text("sys/devices/system/node/node0/cpulist", "0-3");
    if !machine.quirks.reference_tree {
        let last = view.cpu_nodes.saturating_sub(1);
        tree.read_only("sys/devices/system/node/online", if last == 0 { "0".to_owned() } else { format!("0-{last}") });
        // The tool of 27.1.0 lists these, and does not mind that they are empty.
        tree.dir("sys/class/net");
        tree.dir("sys/class/scsi_host");
        clients(tree, view);
    }
    tree.read_only("proc/sys/kernel/osrelease", &view.kernel_release);
    tree.read_only("proc/sys/kernel/random/boot_id", boot_id(&machine.name));
    tree.read_only("proc/sys/kernel/tainted", 0);
    tree.read_only("proc/cpuinfo", cpuinfo(view.hypervisor));
    let own = format!("BOOT_IMAGE=/boot/vmlinuz-{} root=/dev/sda1 ro", view.kernel_release);
    let line = [own.as_str(), &view.tuning.cmdline];
    tree.read_only("proc/cmdline", line.into_iter().filter(|words| !words.is_empty()).collect::<Vec<_>>().join(" "));
    tree.read_only(
        "proc/version",
        format_args!("Linux version {} (simulated machine {})", view.kernel_release, machine.name),
    );
}

/// The processes of [`View::clients`]: notebooks, as in most reports of a GPU that is busy.
fn clients(tree: &mut Tree, view: &View) {
    for client in &view.clients {
        tree.text(format!("proc/{}/comm", client.pid), "python3");
        tree.read_only(format!("proc/{}/cgroup", client.pid), "0::/system.slice/jupyter.service");
    }
}

/// Looks like the kernel's, and is always the same: a simulated machine is never booted again. FNV-1a over its name.
fn boot_id(name: &str) -> String {
    let hash =
        |seed: u64| name.bytes().fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let (high, low) = (hash(0xcbf2_9ce4_8422_2325), hash(0x8422_2325_cbf2_9ce4));
    let digits = format!("{high:016x}{low:016x}");
    format!("{}-{}-4{}-8{}-{}", &digits[..8], &digits[8..12], &digits[13..16], &digits[17..20], &digits[20..])
}

/// The kernel log: one line for the driver and one for each GPU, as the driver writes them when it loads.
pub fn kmsg(view: &View) -> String {
    let mut log = format!("6,0,0,-;Linux version {}\n", view.kernel_release);
    if view.driver == DriverState::NotLoaded {
        return log;
    }
    log.push_str("6,1,4000000,-;[drm] amdgpu kernel modesetting enabled.\n");
    if let Some(value) = &view.tuning.rejected_fragment {
        // Writing to a String cannot fail.
        let _ = writeln!(
            log,
            "4,1,4000001,-;amdgpu: VM fragment size ({value}) is invalid, valid range is between 4 and 9"
        );
    }
    for (index, gpu) in view.gpus.iter().enumerate() {
        let number = index + 2;
        let mib = gpu.vram_total.mib();
        // Writing to a String cannot fail.
        let _ = writeln!(
            log,
            "6,{number},{},-;amdgpu {}: amdgpu: {mib}M of VRAM memory ready",
            4_000_000 + number,
            gpu.bdf
        );
        if let Some(bits) = view.tuning.fragment_bits {
            // As of every GPU from GMC 9 on; the fragment is what can be asked for.
            let _ = writeln!(
                log,
                "6,{number},{},-;[drm] vm size is 262144 GB, 4 levels, block size is 9-bit, fragment size is {bits}-bit",
                4_000_000 + number
            );
        }
    }
    log
}

/// One block for each CPU. The tool takes a machine for a guest by the word `hypervisor`.
fn cpuinfo(hypervisor: bool) -> String {
    let guest = if hypervisor { " hypervisor" } else { "" };
    let block = |cpu: u32| {
        format!(
            "processor\t: {cpu}\nvendor_id\t: AuthenticAMD\nmodel name\t: simulated CPU\nphysical id\t: 0\n\
             core id\t\t: {cpu}\nflags\t\t: fpu sse2 avx2{guest}\n"
        )
    };
    (0..CPUS).map(block).collect::<Vec<_>>().join("\n")
}

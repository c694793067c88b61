//! The trees that the simulator writes, read back by the witnesses: what is read is what the machine's kernel shows.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use rocvet::domain::{AllocMode, Bytes, ComputeMode, MemoryMode, Platform, Reading};
use rocvet::host::simulated::{self, Faces};
use rocvet::host::{Asking, Host};
use rocvet::process::Cancel;
use rocvet::run::{Wanted, look};
use rocvet::sim::{Caller, DriverState, Hives, Kernel, Machine, View, machine_named, machine_names};
use rocvet::witness::amd_smi::Format;
use rocvet::witness::{Access, KfdProcess, ModuleState, RenderNode, RenderParent, Snapshot};
use tempfile::TempDir;

fn host(machine: &Machine) -> (TempDir, Host) {
    // In memory where the system has it: a tree is some hundred small files.
    let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    simulated::create(dir.path(), machine, Faces::Both).unwrap();
    let host = Host::open(dir.path()).unwrap();
    (dir, host)
}

fn trees(host: &Host) -> Snapshot {
    let asking = Asking { deadline: Duration::from_secs(5), cancel: Cancel::new() };
    look(host, &Wanted { hip: true, tuning: true, ..Wanted::trees() }, Format::Json, &asking)
}

fn machine(name: &str, gpus: u32, compute: ComputeMode, memory: MemoryMode) -> Machine {
    Machine { gpus, compute, memory, ..machine_named(name).unwrap() }
}

/// Eight MI300X in CPX: 64 devices, unless a fault takes one.
fn cpx(faults: &[&str]) -> Machine {
    let faults = faults.iter().map(|fault| fault.parse().unwrap()).collect();
    Machine { faults, ..machine("mi300x", 8, ComputeMode::Cpx, MemoryMode::Nps1) }
}

/// Reads a machine's trees and compares each witness with what its kernel shows.
fn reads_as_it_is(machine: &Machine) -> (View, Snapshot) {
    let (_dir, host) = host(machine);
    let view = Kernel::new(machine.clone()).unwrap().view();
    let look = trees(&host);
    let what =
        format!("{} x {} {}/{} {:?}", machine.gpus, machine.name, machine.compute, machine.memory, machine.faults);
    nodes(&view, &look, &what);
    render(&view, &look, &what);
    gpus(&view, &look, &what);
    driver(&view, &look, machine, &what);
    let kernel = look.kernel.clone().unwrap();
    assert_eq!(kernel.hypervisor, Reading::Value(view.hypervisor), "{what}");
    assert_eq!(kernel.release, Reading::Value(view.kernel_release.clone()), "{what}");
    assert!(kernel.boot_id.value().unwrap().len() == 36 && kernel.cmdline.value().is_some(), "{what}");
    assert_eq!(look.hip, Some(Reading::NotReported), "a simulated machine has no HIP: {what}");
    (view, look)
}

fn nodes(view: &View, look: &Snapshot, what: &str) {
    assert_eq!(look.kfd.is_some(), view.kfd, "{what}");
    let shown = view.devices.iter().filter_map(|device| Some((device, device.node.as_ref()?)));
    let mut expected: Vec<_> = shown
        .map(|(device, node)| (node.id, node.gpu_id, u32::from(device.partition), device.render, node.memory))
        .collect();
    expected.sort_unstable();
    let found = look.kfd.iter().flatten().map(|node| {
        let partition = u32::from(node.bdf.value().unwrap().function);
        (node.node, node.gpu_id, partition, *node.render_minor.value().unwrap(), *node.memory.value().unwrap())
    });
    assert_eq!(found.collect::<Vec<_>>(), expected, "{what}");
    assert!(look.kfd_hidden.is_empty(), "{what}");
}

fn render(view: &View, look: &Snapshot, what: &str) {
    let mut number = 0;
    let expected = view.drm_devices.iter().map(|drm| {
        let parent = if drm.partition == 0 {
            RenderParent::Pci { bdf: view.gpus[drm.gpu].bdf, vendor: Reading::Value(0x1002) }
        } else {
            number += 1;
            RenderParent::Partition { number: number - 1 }
        };
        RenderNode { minor: drm.render, parent }
    });
    let expected: Vec<_> = expected.collect();
    assert_eq!(look.render.clone().unwrap_or_default(), expected, "{what}");
    // Every device that KFD shows has its render node.
    for minor in look.kfd.iter().flatten().filter_map(|node| node.render_minor.value()) {
        assert!(expected.iter().any(|node| node.minor == *minor), "{what}: {minor}");
    }
}

fn gpus(view: &View, look: &Snapshot, what: &str) {
    let found = look.sysfs.as_deref().unwrap();
    assert_eq!(found.len(), view.gpus.len(), "{what}");
    for (gpu, shown) in found.iter().zip(&view.gpus) {
        assert_eq!((gpu.bdf, gpu.device_id.value()), (shown.bdf, Some(&shown.device_id)), "{what}");
        assert_eq!(gpu.unique_id, Reading::Value(shown.unique_id), "{what}");
        assert_eq!(gpu.driver, Reading::Value("amdgpu".to_owned()), "{what}");
        let hive = if shown.hive_id == 0 { Reading::NotReported } else { Reading::Value(shown.hive_id) };
        assert_eq!(gpu.hive_id, hive, "{what}");
        let answer =
            |text: &str| shown.partition.as_ref().map(|files| (files.current_compute.clone(), text.to_owned()));
        if let Some((Ok(mode), _)) = answer("") {
            assert_eq!(gpu.compute.value().map(ToString::to_string), Some(mode), "{what}");
        }
    }
}

fn driver(view: &View, look: &Snapshot, machine: &Machine, what: &str) {
    let driver = look.driver.as_ref().unwrap();
    let state = match &view.driver {
        DriverState::Live { .. } => ModuleState::Live,
        DriverState::Going => ModuleState::Changing("going".to_owned()),
        DriverState::BuiltIn => ModuleState::BuiltIn,
        DriverState::NotLoaded => ModuleState::NotLoaded,
    };
    assert_eq!(driver.module, state, "{what}");
    let loaded = state != ModuleState::NotLoaded;
    let tuning = look.tuning.as_ref().unwrap();
    let noretry = tuning.parameters.value().and_then(|files| files["amdgpu.noretry"].value());
    assert_eq!(noretry.map(String::as_str), loaded.then_some("-1"), "{what}");
    let logged = tuning.vm.value().map_or(0, Vec::len);
    let wanted = if loaded { view.gpus.len() } else { 0 };
    assert_eq!(logged, wanted, "{what}: one line of page tables for each GPU");
    assert_eq!(driver.numa_nodes, Reading::Value(view.cpu_nodes), "{what}");
    let apu = view.gpus.iter().any(|gpu| gpu.model.apu);
    assert_eq!(driver.pages_limit.value().is_some(), apu, "{what}");
    if let Some(pages) = machine.pages_limit {
        assert_eq!(driver.pages_limit, Reading::Value(pages), "{what}");
    }
}

#[test]
fn every_machine_reads_as_it_is_in_every_mode() {
    for name in machine_names().into_iter().filter(|name| !name.starts_with("reference-")) {
        let base = machine_named(name).unwrap();
        let model = base.model().unwrap();
        let pairs = model.compute_modes().iter().flat_map(|&compute| {
            model.memory_modes.iter().map(move |&memory| Machine { compute, memory, ..machine_named(name).unwrap() })
        });
        let legal: Vec<Machine> = pairs.filter(|machine| machine.check().is_ok()).collect();
        assert!(!legal.is_empty() || !model.partitionable, "{name}");
        for machine in legal.iter().chain([&base]) {
            reads_as_it_is(&Machine { gpus: 2, ..machine.clone() });
        }
    }
}

#[test]
fn sixty_four_devices_read_as_they_are_and_so_do_63() {
    let (_, look) = reads_as_it_is(&cpx(&[]));
    assert_eq!((look.kfd.unwrap().len(), look.render.unwrap().len()), (64, 64));
    let (_, look) = reads_as_it_is(&cpx(&["missing_last_device"]));
    assert_eq!((look.kfd.unwrap().len(), look.render.unwrap().last().unwrap().minor), (63, 190));
    let (_, look) = reads_as_it_is(&cpx(&["missing_device=9"]));
    let minors: Vec<u32> = look.render.unwrap().iter().map(|node| node.minor).collect();
    assert_eq!((minors.len(), &minors[8..10]), (63, &[136, 138][..]));
    let (_, look) = reads_as_it_is(&machine("mi308x", 8, ComputeMode::Cpx, MemoryMode::Nps4));
    assert_eq!((look.kfd.unwrap().len(), look.render.unwrap().len()), (32, 64), "half of the render nodes are unused");
}

#[test]
fn guests_hives_and_policies_read_as_they_are() {
    let base = || machine("mi300x", 4, ComputeMode::Cpx, MemoryMode::Nps1);
    let (_, guest) = reads_as_it_is(&Machine { platform: Platform::VirtualFunction, ..base() });
    let gpu = &guest.sysfs.as_ref().unwrap()[0];
    assert_eq!((gpu.available_compute.clone(), gpu.compute.value()), (Reading::NotReported, Some(&ComputeMode::Cpx)));
    reads_as_it_is(&Machine { platform: Platform::Passthrough, ..base() });
    for (hives, distinct) in [(Hives::One, 1), (Hives::Two, 2), (Hives::LastOutside, 2)] {
        let (_, look) = reads_as_it_is(&Machine { hives, ..base() });
        let by_sysfs: std::collections::BTreeSet<_> =
            look.sysfs.iter().flatten().map(|gpu| gpu.hive_id.value().copied()).collect();
        let by_kfd: std::collections::BTreeSet<_> =
            look.kfd.iter().flatten().map(|node| node.hive_id.value()).collect();
        assert_eq!((by_sysfs.len(), by_kfd.len()), (distinct, distinct), "{hives:?}");
    }
    for policy in AllocMode::ALL {
        let (_, look) = reads_as_it_is(&Machine { alloc_mode: Some(policy), ..base() });
        assert_eq!(look.sysfs.unwrap()[0].alloc_mode, Reading::Value(policy));
    }
    // 128 of 512 GiB for four APUs, by the kernel's own limit.
    let limited = machine("mi300a", 4, ComputeMode::Cpx, MemoryMode::Nps1);
    let (_, look) = reads_as_it_is(&Machine { pages_limit: Some(1 << 25), ..limited });
    let memory: Vec<_> = look.kfd.iter().flatten().map(|node| node.memory.value().copied()).collect();
    assert_eq!(memory, [Some(Bytes((32 << 30) / 6 / 4096 * 4096)); 24]);
}

#[test]
fn broken_drivers_read_as_they_are() {
    for fault in [
        "driver_missing",
        "driver_loaded_zero_gpus",
        "initstate_going",
        "amdgpu_builtin_no_initstate",
        "kfd_missing",
        "read_current_compute_partition=EIO",
    ] {
        reads_as_it_is(&cpx(&[fault]));
    }
}

#[test]
fn clients_and_device_files_are_what_the_machine_says() {
    let busy = Machine { busy: true, ..machine("mi300x", 2, ComputeMode::Spx, MemoryMode::Nps1) };
    let (dir, given) = host(&busy);
    let processes = trees(&given).processes.unwrap();
    let [KfdProcess { pid: 4242, name, unit, vram }] = &processes.value().unwrap()[..] else { panic!("{processes:?}") };
    assert_eq!(name, &Reading::Value("python3".to_owned()));
    assert_eq!(unit, &Reading::Value("jupyter.service".to_owned()));
    assert_eq!(
        vram.values().cloned().collect::<Vec<_>>(),
        [Reading::Value(Bytes(2 << 30)), Reading::Value(Bytes(2 << 30))]
    );
    simulated::hold(dir.path(), true).unwrap();
    assert_eq!(trees(&given).processes.unwrap().value().unwrap().len(), 2);
    simulated::hold(dir.path(), false).unwrap();
    simulated::hold(dir.path(), false).unwrap();
    assert_eq!(trees(&given).processes, Some(Reading::Value(Vec::new())));

    for (caller, granted) in [(Caller::Root, true), (Caller::Actual, true), (Caller::User, false)] {
        let (_dir, host) = host(&Machine { caller, ..busy.clone() });
        let access = trees(&host).access.unwrap();
        assert_eq!(
            (access.len(), access[0].path.as_str(), access[16].path.as_str()),
            (17, "/dev/kfd", "/dev/dri/renderD143")
        );
        let refused = Access::Denied { mode: 0o660, uid: 0, gid: 0 };
        let expected = if granted { Access::Granted } else { refused };
        assert!(access.iter().all(|device| device.access == expected), "{caller:?}: {access:?}");
    }
    let (_dir, host) = host(&cpx(&["kfd_missing"]));
    assert_eq!(trees(&host).access.unwrap()[0].access, Access::Missing);
}

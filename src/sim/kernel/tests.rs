use super::*;
use crate::domain::{AllocMode, Bytes};
use crate::sim::{DriverState, Hives, preset};

fn machine(name: &str, faults: &[&str]) -> Machine {
    let mut machine = preset::named(name).unwrap();
    machine.faults = faults.iter().map(|fault| fault.parse().unwrap()).collect();
    machine
}

fn kernel(name: &str, faults: &[&str]) -> Kernel {
    Kernel::new(machine(name, faults)).unwrap()
}

fn compute_file(kernel: &Kernel) -> Result<String, Errno> {
    kernel.view().gpus[0].partition.as_ref().unwrap().current_compute.clone()
}

#[test]
fn a_compute_mode_takes_effect_at_once_and_renumbers_the_devices() {
    let mut kernel = Kernel::new(Machine { gpus: 2, ..machine("mi300x", &[]) }).unwrap();
    kernel.write_compute(0, ComputeMode::Cpx).unwrap();
    let view = kernel.view();
    assert_eq!(compute_file(&kernel), Ok("CPX".to_owned()));
    assert_eq!(view.devices.len(), 9);
    let last = view.devices.last().unwrap();
    assert_eq!((last.gpu, last.partition, last.render), (1, 0, 136));
    assert_eq!(last.node.as_ref().unwrap().id, 10);
    assert_eq!(kernel.state().generation, 1);
    kernel.write_compute(0, ComputeMode::Cpx).unwrap();
    assert_eq!(kernel.state().generation, 1, "the same mode again changes nothing");
}

#[test]
fn a_memory_mode_waits_for_the_reload_and_then_the_compute_mode_is_auto() {
    let mut kernel = kernel("mi300x", &[]);
    kernel.write_memory(0, MemoryMode::Nps4).unwrap();
    assert_eq!(kernel.state().memory, MemoryMode::Nps1);
    assert_eq!(kernel.view().gpus[0].partition.as_ref().unwrap().current_memory, Ok("NPS1".to_owned()));
    kernel.reload_driver().unwrap();
    assert_eq!((kernel.state().memory, kernel.state().compute[0]), (MemoryMode::Nps4, ComputeMode::Cpx));
    let view = kernel.view();
    assert_eq!(view.gpus[0].partition.as_ref().unwrap().available_compute, Ok("QPX, CPX".to_owned()));
    assert_eq!(kernel.write_compute(0, ComputeMode::Spx), Err(Errno::EINVAL));
    kernel.write_memory(0, MemoryMode::Nps1).unwrap();
    kernel.reload_driver().unwrap();
    assert_eq!((kernel.state().memory, kernel.state().compute[0]), (MemoryMode::Nps1, ComputeMode::Spx));
}

#[test]
fn a_refused_request_says_why_and_leaves_the_state_unchanged() {
    type Write = fn(&mut Kernel) -> Result<(), Errno>;
    let spx: Write = |kernel| kernel.write_compute(0, ComputeMode::Spx);
    let cpx: Write = |kernel| kernel.write_compute(0, ComputeMode::Cpx);
    let tpx: Write = |kernel| kernel.write_compute(0, ComputeMode::Tpx);
    let nps4: Write = |kernel| kernel.write_memory(0, MemoryMode::Nps4);
    let nps8: Write = |kernel| kernel.write_memory(0, MemoryMode::Nps8);
    let reload: Write = |kernel| kernel.reload_driver();
    let busy = Machine { busy: true, ..machine("mi300x", &[]) };
    let guest = Machine { platform: Platform::VirtualFunction, ..machine("mi300x", &[]) };
    let at_nps4 = Machine { compute: ComputeMode::Cpx, memory: MemoryMode::Nps4, ..machine("mi300x", &[]) };
    let cases: [(&str, Machine, Write, Errno); 16] = [
        ("a client holds it", busy.clone(), cpx, Errno::EBUSY),
        ("a client holds the driver", busy, reload, Errno::EBUSY),
        ("a leaked handle", machine("mi300x", &["reload_busy"]), reload, Errno::EBUSY),
        ("the load fails", machine("mi300x", &["restart_err"]), reload, Errno::EIO),
        ("no driver", machine("mi300x", &["driver_missing"]), reload, Errno::ENODEV),
        ("TPX on 8 XCCs", machine("mi300x", &[]), tpx, Errno::EINVAL),
        ("SPX in NPS4", at_nps4, spx, Errno::EINVAL),
        ("NPS8 is not offered", machine("mi300x", &[]), nps8, Errno::EINVAL),
        ("NPS4 on MI355X", machine("mi355x", &[]), nps4, Errno::EINVAL),
        ("an APU", machine("mi300a", &[]), nps4, Errno::EOPNOTSUPP),
        ("no partition files", machine("rx6600", &[]), cpx, Errno::ENOENT),
        ("a guest", guest, cpx, Errno::EACCES),
        ("in reset", machine("mi300x", &["in_reset"]), cpx, Errno::EPERM),
        ("a planted errno", machine("mi300x", &["compute=EIO"]), cpx, Errno::EIO),
        ("a planted errno of memory", machine("mi300x", &["memory=EBUSY"]), nps4, Errno::EBUSY),
        ("the reference tree has no driver", machine("reference-mi300x", &[]), reload, Errno::ENOENT),
    ];
    for (why, machine, write, errno) in cases {
        let mut kernel = Kernel::new(machine).unwrap();
        let before = kernel.clone();
        assert_eq!(write(&mut kernel), Err(errno), "{why}");
        assert_eq!(kernel, before, "{why}");
    }
}

#[test]
fn the_gpu_is_free_again_when_its_client_is_gone() {
    let mut kernel = kernel("mi300x", &[]);
    kernel.open_client(0).unwrap();
    assert!(kernel.view().gpus[0].vram_used > kernel_idle());
    assert_eq!(kernel.write_compute(0, ComputeMode::Cpx), Err(Errno::EBUSY));
    kernel.close_client(0).unwrap();
    assert_eq!(kernel.write_compute(0, ComputeMode::Cpx), Ok(()));
    assert_eq!(kernel.close_client(0), Err(Errno::EBADF));
    assert_eq!(kernel.open_client(7), Err(Errno::ENODEV));
}

fn kernel_idle() -> crate::domain::Bytes {
    kernel("mi300x", &[]).view().gpus[0].vram_used
}

#[test]
fn the_reference_tree_takes_a_mode_but_keeps_its_devices() {
    let mut kernel = kernel("reference-mi300x", &[]);
    let devices = kernel.view().devices;
    kernel.write_compute(0, ComputeMode::Cpx).unwrap();
    assert_eq!(compute_file(&kernel), Ok("CPX".to_owned()));
    assert_eq!(kernel.view().devices, devices);
}

#[test]
fn a_set_that_is_ignored_succeeds_and_changes_nothing() {
    let mut kernel = kernel("mi300x", &["set_ignored"]);
    let before = kernel.clone();
    assert_eq!(kernel.write_compute(0, ComputeMode::Cpx), Ok(()));
    assert_eq!(kernel.write_memory(0, MemoryMode::Nps4), Ok(()));
    assert_eq!(kernel, before);
}

#[test]
fn faults_below_the_tool_change_the_view_and_only_from_their_call_on() {
    let shown = |fault: &str| {
        let machine = Machine { gpus: 8, compute: ComputeMode::Cpx, ..machine("mi300x", &[fault]) };
        Kernel::new(machine).unwrap().view()
    };
    let healthy = shown("after=1:driver_missing");
    assert_eq!(healthy.devices.len(), 64);
    assert_eq!(shown("driver_missing").driver, DriverState::NotLoaded);
    assert_eq!(shown("initstate_going").driver, DriverState::Going);
    assert_eq!(shown("amdgpu_builtin_no_initstate").driver, DriverState::BuiltIn);
    assert!(shown("driver_loaded_zero_gpus").devices.is_empty());
    assert!(!shown("kfd_missing").kfd);
    assert_eq!(shown("missing_last_device").devices.len(), 63);
    let middle = shown("missing_device=9");
    assert_eq!((middle.devices[9].partition, middle.devices[9].node.as_ref().unwrap().id), (2, 11));
    let nodes = |view: &View| view.devices.iter().map(|device| device.node.clone()).collect::<Vec<_>>();
    assert_eq!(nodes(&shown("missing_device=63")), nodes(&shown("missing_last_device")));
    let first = |fault: &str| {
        let device = shown(fault).devices[0].clone();
        (device.gpu, device.node.unwrap().id, device.render)
    };
    assert_eq!((first("no_drm"), first("index_order")), ((0, 2, 128), (7, 58, 184)));
    let files = |fault: &str| shown(fault).gpus[3].partition.clone().unwrap();
    assert_eq!(files("in_reset").available_memory, Err(Errno::EPERM));
    assert_eq!(files("unknown_partition_mode").current_compute, Ok("UNKNOWN".to_owned()));
    assert_eq!(files("empty_compute_partition_file").current_compute, Ok(String::new()));
    assert_eq!(files("spx_not_available").available_compute, Ok("QPX, CPX".to_owned()));

    let mut later = kernel("mi300x", &["after=1:driver_missing"]);
    assert!(!later.has_fault(Named::DriverMissing));
    later.count_call();
    assert!(later.has_fault(Named::DriverMissing));
}

#[test]
fn a_guest_sees_its_function_and_no_offers() {
    let machine = Machine { platform: Platform::VirtualFunction, ..machine("mi325x", &[]) };
    let view = Kernel::new(machine).unwrap().view();
    let files = view.gpus[0].partition.as_ref().unwrap();
    assert!(view.hypervisor && view.gpus[0].device_id == 0x74b9);
    assert_eq!((&files.available_compute, files.profiles.len()), (&Err(Errno::ENOENT), 0));
    assert_eq!(files.current_compute, Ok("SPX".to_owned()));
}

#[test]
fn a_state_that_no_machine_can_have_is_refused() {
    let machine = machine("mi300x", &[]);
    let good = State::initial(&machine);
    let cases = [
        ("schema", State { schema: 2, ..good.clone() }),
        ("compute", State { compute: vec![], ..good.clone() }),
        ("clients", State { clients: vec![0, 0], ..good.clone() }),
        ("clients", State { clients: vec![u32::MAX], ..good.clone() }),
        ("compute", State { memory: MemoryMode::Nps4, ..good }),
    ];
    for (field, state) in cases {
        let error = Kernel::resume(machine.clone(), state).unwrap_err().to_string();
        assert!(error.starts_with(field), "{error}");
    }
}

#[test]
fn a_bmc_takes_a_minor_so_that_the_last_of_64_devices_has_none() {
    let shown = |faults: &[&str]| {
        let machine = Machine { gpus: 8, compute: ComputeMode::Cpx, ..machine("mi300x", faults) };
        Kernel::new(machine).unwrap().view()
    };
    let (healthy, short) = (shown(&[]), shown(&["missing_last_device"]));
    let minors = |view: &View| view.drm_devices.iter().map(|drm| (drm.card, drm.render)).collect::<Vec<_>>();
    assert_eq!((minors(&healthy).len(), minors(&healthy)[63]), (64, (63, 191)));
    assert_eq!((minors(&short).len(), minors(&short)[0], minors(&short)[62]), (63, (1, 128), (63, 190)));
    assert_eq!((healthy.bmc, short.bmc), (false, true));
    let hole = shown(&["missing_device=9"]);
    assert_eq!(minors(&hole)[8..10], [(8, 136), (10, 138)]);
}

#[test]
fn a_gpu_that_can_be_partitioned_has_eight_drm_devices_in_every_mode() {
    for (name, gpus, minors) in [("mi308x", 2, 16), ("mi300a", 1, 8), ("rx6600", 2, 2), ("reference-mi300x", 2, 2)] {
        let view = Kernel::new(Machine { gpus, ..machine(name, &[]) }).unwrap().view();
        assert_eq!(view.drm_devices.len(), minors, "{name}");
        let of_device = |device: &crate::sim::Device| {
            let found = view.drm_devices.iter().find(|drm| drm.render == device.render);
            found.is_some_and(|drm| (drm.gpu, drm.partition, drm.card) == (device.gpu, device.partition, device.card))
        };
        assert!(view.devices.iter().all(of_device), "{name}");
    }
}

#[test]
fn hives_are_one_or_two_or_leave_the_last_gpu_outside() {
    for (hives, sizes) in [(Hives::One, vec![4]), (Hives::Two, vec![2, 2]), (Hives::LastOutside, vec![3, 1])] {
        let view = Kernel::new(Machine { gpus: 4, hives, ..machine("mi300x", &[]) }).unwrap().view();
        let ids: Vec<u64> = view.gpus.iter().map(|gpu| gpu.hive_id).collect();
        assert_eq!(ids.chunk_by(|a, b| a == b).map(<[u64]>::len).collect::<Vec<_>>(), sizes, "{hives:?}: {ids:?}");
        assert_eq!(ids.contains(&0), hives == Hives::LastOutside);
    }
}

#[test]
fn the_allocation_policy_is_set_back_by_every_switch_of_modes() {
    let all = Machine { alloc_mode: Some(AllocMode::All), compute: ComputeMode::Cpx, ..machine("mi300x", &[]) };
    let shown = |kernel: &Kernel| kernel.view().gpus[0].partition.as_ref().unwrap().mem_alloc_mode.clone();
    let mut kernel = Kernel::new(all.clone()).unwrap();
    kernel.write_compute(0, ComputeMode::Cpx).unwrap();
    assert_eq!(shown(&kernel), Ok("ALL".to_owned()), "the mode that it has is no switch");
    let memory = |kernel: &Kernel| kernel.view().devices[0].node.as_ref().unwrap().memory;
    assert_eq!(memory(&kernel).mib(), 24_574, "what is reported stays capped");
    kernel.write_compute(0, ComputeMode::Qpx).unwrap();
    assert_eq!(shown(&kernel), Ok("CAPPING".to_owned()));
    let mut kernel = Kernel::new(all).unwrap();
    kernel.write_memory(0, MemoryMode::Nps4).unwrap();
    assert_eq!(shown(&kernel), Ok("ALL".to_owned()), "a request is no switch yet");
    kernel.reload_driver().unwrap();
    assert_eq!(shown(&kernel), Ok("CAPPING".to_owned()));
    assert_eq!(shown(&self::kernel("mi300x", &[])), Err(Errno::ENOENT));
}

#[test]
fn an_apu_has_its_share_of_the_memory_that_the_kernel_lets_gpus_have() {
    // Half of 512 GiB, which the kernel's own TTM takes: facts/partitions.md 3.4.
    let machine =
        Machine { gpus: 4, pages_limit: Some(67_108_864), compute: ComputeMode::Tpx, ..machine("mi300a", &[]) };
    let view = Kernel::new(machine).unwrap().view();
    assert_eq!((view.gpus[3].vram_total, view.cpu_nodes), (Bytes(64 << 30), 4));
    let memory: Vec<Bytes> = view.devices[..3].iter().map(|device| device.node.as_ref().unwrap().memory).collect();
    assert_eq!(memory, [Bytes(22_906_490_880); 3]);
}

#[test]
fn a_client_holds_memory_on_the_first_partition_of_each_gpu_that_it_opened() {
    let mut kernel = Kernel::new(Machine { gpus: 2, compute: ComputeMode::Dpx, busy: true, ..machine("mi300x", &[]) });
    let kernel = kernel.as_mut().unwrap();
    kernel.open_client(1).unwrap();
    let view = kernel.view();
    let ids: Vec<u32> = view.devices.iter().map(|device| device.node.as_ref().unwrap().gpu_id).collect();
    let [first, second] = &view.clients[..] else { panic!("{:?}", view.clients) };
    let (some, none) = (Bytes(2 << 30), Bytes(0));
    assert_eq!(first.vram, [(ids[0], some), (ids[1], none), (ids[2], some), (ids[3], none)]);
    assert_eq!((second.pid, &second.vram), (first.pid + 1, &vec![(ids[2], some), (ids[3], none)]));
    kernel.close_client(1).unwrap();
    kernel.close_client(1).unwrap();
    assert_eq!(kernel.view().clients.len(), 1);
}

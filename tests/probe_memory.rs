//! Probes that use memory, on partitions of simulated machines, under the real supervisor: what is right, and what every
//! planted way to be wrong comes to. The judge is given what sysfs and KFD show, as on a real machine.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![expect(clippy::disallowed_methods, reason = "the tests write hosts")]

mod scratch;

use std::time::Duration;

use rocvet::domain::{AllocMode, ComputeMode, MemoryMode, Status};
use rocvet::host::simulated::{Faces, KMSG_FILE, create};
use rocvet::host::{Asking, Host};
use rocvet::probe::protocol::{Kind, Request};
use rocvet::probe::stand::{ProbeRun, Stand};
use rocvet::process::Cancel;
use rocvet::run::{Wanted, look};
use rocvet::sim::{Machine, machine_named};
use rocvet::witness::Snapshot;
use rocvet::witness::amd_smi::Format;

/// A machine, and what its trees show.
struct Bed {
    machine: Machine,
    seen: Snapshot,
}

impl Bed {
    fn of(machine: Machine) -> Self {
        let dir = scratch::folder();
        create(dir.path(), &machine, Faces::Both).unwrap();
        let host = Host::open(dir.path()).unwrap();
        let asking = Asking { deadline: Duration::ZERO, cancel: Cancel::new() };
        Self { seen: look(&host, &Wanted::memory(), Format::Json, &asking), machine }
    }

    fn card(name: &str) -> Self {
        Self::of(machine_named(name).unwrap())
    }

    /// An MI300X as eight partitions.
    fn partitions(memory: MemoryMode, mode: AllocMode) -> Self {
        let whole = machine_named("mi300x").unwrap();
        Self::of(Machine { compute: ComputeMode::Cpx, memory, alloc_mode: Some(mode), ..whole })
    }

    /// Runs a probe with this planted, and with these variables.
    fn run(&self, fault: Option<&str>, probe: &str, env: &[(&str, &str)]) -> ProbeRun {
        let dir = scratch::folder();
        let faults = fault.map(|name| format!("probe={name}").parse().unwrap()).into_iter().collect();
        create(dir.path(), &Machine { faults, ..self.machine.clone() }, Faces::Tool).unwrap();
        let log = dir.path().join(KMSG_FILE);
        std::fs::write(&log, "").unwrap();
        let validate = scratch::validate();
        let mut stand = Stand::simulated(validate, dir.path(), log);
        stand.look = Some(self.seen.clone());
        stand.worker.env.extend(env.iter().map(|(name, value)| (name.into(), value.into())));
        stand.run(&Request::new(probe.parse().unwrap(), Kind::Gpu), &Cancel::new()).unwrap()
    }
}

fn told(run: &ProbeRun) -> String {
    run.judged.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn memory_of_a_healthy_machine_is_right_in_every_mode() {
    let (capped, all) = (AllocMode::Capping, AllocMode::All);
    let cases = |bed: &Bed, cases: &[(&str, &str)]| {
        for (probe, says) in cases {
            let run = bed.run(None, probe, &[]);
            assert_eq!(run.status, Status::Pass, "{probe}: {}", told(&run));
            assert!(told(&run).contains(says), "{probe}: {}", told(&run));
        }
    };
    cases(
        &Bed::card("rx6800xt"),
        &[
            ("memory-ladder/90", "memory is right: 14731.199 MiB of 16368 MiB allocated"),
            ("memory-past-limit", "then refused: HIP out of memory."),
        ],
    );
    cases(
        &Bed::partitions(MemoryMode::Nps4, capped),
        &[
            ("memory-ladder/90", "of 24576 MiB allocated"),
            ("memory-out-of-memory", "refused: HIP out of memory. Tried to allocate 49152 MiB"),
            ("memory-isolation/90", "64 MiB of the neighbour intact"),
            ("memory-past-limit", "23808 MiB of 24576 MiB allocated"),
        ],
    );
    cases(&Bed::partitions(MemoryMode::Nps4, all), &[("memory-past-limit", "48000 MiB of 24576 MiB allocated")]);
    cases(
        &Bed::partitions(MemoryMode::Nps1, all),
        &[
            ("memory-past-limit", "49148 MiB of 24574 MiB allocated"),
            ("memory-out-of-memory", "49148 MiB of 24574 MiB allocated"),
        ],
    );
    cases(
        &Bed::partitions(MemoryMode::Nps1, capped),
        &[
            ("memory-isolation/90", "64 MiB of the neighbour intact"),
            ("memory-churn/67108864/1000", "64 MiB of 24574 MiB allocated, 1024 MiB read"),
            ("memory-copy/268435456/device-to-host", "256 MiB of 24574 MiB allocated"),
        ],
    );
}

#[test]
fn every_planted_way_of_memory_to_be_wrong_is_found_on_partitions() {
    let capped = Bed::partitions(MemoryMode::Nps4, AllocMode::Capping);
    for (fault, probe, status, says) in [
        ("pattern_broken", "memory-ladder/90", Status::NumericError, "do not hold what was written"),
        (
            "pattern_broken",
            "memory-copy/268435456/host-to-device",
            Status::NumericError,
            "1 bytes of 256 MiB do not hold",
        ),
        ("pattern_broken", "memory-churn/4096/1000", Status::NumericError, "do not hold what was written"),
        (
            "neighbour_overwritten",
            "memory-isolation/90",
            Status::NumericError,
            "of the neighbouring device were changed",
        ),
        ("neighbour_overwritten", "memory-past-limit", Status::NumericError, "of the neighbouring device were changed"),
        ("never_refuses", "memory-out-of-memory", Status::Fail, "49152 MiB granted where there are 24576 MiB"),
        ("never_refuses", "memory-past-limit", Status::Fail, "49152 MiB granted on a device that is held to 24576 MiB"),
        ("refuses_early", "memory-ladder/90", Status::Fail, "allocated where 22118"),
        ("refuses_early", "memory-past-limit", Status::Fail, "refused after 11904 MiB of 24576 MiB"),
        ("past_cap", "memory-past-limit", Status::Fail, "granted on a device that is held to 24576 MiB"),
        ("whole_gpu_total", "memory-ladder/90", Status::Fail, "the runtime reports 196592 MiB where the machine gives"),
        ("oom_raised", "memory-out-of-memory", Status::Fail, ""),
    ] {
        let run = capped.run(Some(fault), probe, &[]);
        assert_eq!(run.status, status, "{fault} {probe}: {}", told(&run));
        assert!(told(&run).contains(says), "{fault} {probe}: {}", told(&run));
    }
    let garbled = capped.run(Some("garbled_report"), "memory-ladder/90", &[]);
    assert!(matches!(garbled.status, Status::Error { .. }), "{:?}", garbled.status);
    let aborted = capped.run(Some("hip_queue_abort_out_of_resources"), "memory-out-of-memory", &[]);
    assert!(matches!(aborted.status, Status::Crash { .. }), "{:?}", aborted.status);
}

#[test]
fn what_does_not_reach_an_operation_is_not_its_fault() {
    let capped = Bed::partitions(MemoryMode::Nps4, AllocMode::Capping);
    for (fault, probe) in [
        ("neighbour_overwritten", "memory-ladder/90"),
        ("past_cap", "memory-ladder/90"),
        ("never_refuses", "memory-ladder/90"),
        ("refuses_early", "memory-churn/4096/1000"),
    ] {
        let run = capped.run(Some(fault), probe, &[]);
        assert_eq!(run.status, Status::Pass, "{fault} {probe}: {}", told(&run));
    }
}

#[test]
fn variables_choose_the_device_and_its_neighbour() {
    let capped = Bed::partitions(MemoryMode::Nps4, AllocMode::Capping);
    // The last two of the eight bear what the driver keeps back (facts/partitions.md 3.2).
    let last = capped.run(None, "memory-ladder/90", &[("ROCR_VISIBLE_DEVICES", "7")]);
    assert!(last.status == Status::Pass && told(&last).contains("of 24568 MiB"), "{}", told(&last));
    let hello = last.done.said.hello.unwrap();
    let device = hello.device.unwrap();
    assert_eq!((hello.gpus, device.isa.as_deref()), (1, Some("gfx942")));
    assert!(device.bdf.unwrap().ends_with(".7"));
    let alone = capped.run(None, "memory-isolation/90", &[("HIP_VISIBLE_DEVICES", "3")]);
    let reason = "isolation needs two devices".to_owned();
    assert_eq!(alone.status, Status::NotEvaluated { reason });
    let two = capped.run(None, "memory-isolation/50", &[("HIP_VISIBLE_DEVICES", "3,4")]);
    assert_eq!(two.status, Status::Pass, "{}", told(&two));
    let none = capped.run(None, "matmul/f32/8x8x8", &[("HIP_VISIBLE_DEVICES", "9")]);
    assert_eq!(none.status, Status::CpuFallback);
}

#[test]
fn an_override_changes_the_isa_that_a_device_is_taken_for() {
    let card = Bed::card("rx6700xt");
    let isa = |env: &[(&str, &str)]| {
        card.run(None, "matmul/f32/8x8x8", env).done.said.hello.unwrap().device.unwrap().isa.unwrap()
    };
    assert_eq!(isa(&[]), "gfx1031");
    assert_eq!(isa(&[("HSA_OVERRIDE_GFX_VERSION", "10.3.0")]), "gfx1030");
    // One node's comes before that for all, and concerns no other.
    assert_eq!(isa(&[("HSA_OVERRIDE_GFX_VERSION_1", "10.3.0")]), "gfx1030");
    assert_eq!(isa(&[("HSA_OVERRIDE_GFX_VERSION", "10.3.0"), ("HSA_OVERRIDE_GFX_VERSION_1", "10.1.2")]), "gfx1012");
    assert_eq!(isa(&[("HSA_OVERRIDE_GFX_VERSION_7", "10.3.0")]), isa(&[]));
}

//! A recording of a simulated machine shows every witness what the machine shows: over all machines and many faults. A check
//! reads nothing else, so its verdict is the same too.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod scratch;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rocvet::domain::{ComputeMode, Reading};
use rocvet::host::record::{Extent, record};
use rocvet::host::simulated::{self, Faces};
use rocvet::host::{Asking, Host};
use rocvet::process::Cancel;
use rocvet::run::{Wanted, look};
use rocvet::sim::fault::{Layer, Named};
use rocvet::sim::{Machine, machine_named, machine_names};
use rocvet::witness::amd_smi::{Format, Query};
use rocvet::witness::{Call, Snapshot};

fn asking() -> Asking {
    Asking { deadline: Duration::from_secs(20), cancel: Cancel::new() }
}

fn open(dir: &Path) -> Host {
    Host::open(dir).unwrap().with_program(scratch::validate())
}

fn all(host: &Host) -> Snapshot {
    let queries =
        [Query::Version, Query::List, Query::StaticPartition, Query::Partition, Query::StaticVram, Query::MetricMemory];
    // The trees first: asking for profiles moves `xcp_config`.
    let trees = look(host, &Wanted { tuning: true, ..Wanted::trees() }, Format::Json, &asking());
    let wanted = Wanted { queries: queries.into(), hip: true, ..Wanted::default() };
    let said = look(host, &wanted, Format::Json, &asking());
    Snapshot {
        sysfs: trees.sysfs,
        kfd: trees.kfd,
        render: trees.render,
        driver: trees.driver,
        kernel: trees.kernel,
        processes: trees.processes,
        access: trees.access,
        ..said
    }
}

/// Numbers in the place of what identifies a machine, by first appearance; nothing of how long a call took.
#[derive(Default)]
struct Names(BTreeMap<String, usize>);

impl Names {
    fn of(&mut self, name: &str) -> usize {
        let next = self.0.len() + 1;
        *self.0.entry(name.to_owned()).or_insert(next)
    }

    fn number(&mut self, reading: &mut Reading<u64>) {
        if let Reading::Value(number) = reading
            && *number != 0
        {
            *number = self.of(&number.to_string()) as u64;
        }
    }

    fn text(&mut self, reading: &mut Reading<String>) {
        if let Reading::Value(text) = reading {
            *text = self.of(text).to_string();
        }
    }

    fn snapshot(mut self, mut look: Snapshot) -> Snapshot {
        for gpu in look.sysfs.iter_mut().flatten() {
            self.number(&mut gpu.unique_id);
            self.number(&mut gpu.hive_id);
        }
        for node in look.kfd.iter_mut().flatten() {
            self.number(&mut node.unique_id);
            self.number(&mut node.hive_id);
        }
        if let Some(Reading::Value(rows)) = look.list.as_mut().map(|asked| &mut asked.answer.value) {
            rows.iter_mut().for_each(|row| self.text(&mut row.uuid));
        }
        if let Some(Reading::Value(processes)) = look.processes.as_mut() {
            for process in processes {
                self.text(&mut process.name);
                self.text(&mut process.unit);
            }
        }
        if let Some(kernel) = look.kernel.as_mut() {
            self.text(&mut kernel.boot_id);
            if let Reading::Value(line) = &mut kernel.cmdline {
                *line = line.split_whitespace().filter(|word| word.starts_with("amdgpu.")).collect();
            }
        }
        let quiet = |call: &mut Call| {
            (call.stdout, call.stderr, call.took) = (Vec::new(), Vec::new(), Duration::ZERO);
        };
        look.version.iter_mut().for_each(|asked| quiet(&mut asked.call));
        look.list.iter_mut().for_each(|asked| quiet(&mut asked.call));
        look.static_partition.iter_mut().for_each(|asked| quiet(&mut asked.call));
        look.partition.iter_mut().for_each(|asked| quiet(&mut asked.call));
        look.vram.iter_mut().for_each(|asked| quiet(&mut asked.call));
        look.memory_use.iter_mut().for_each(|asked| quiet(&mut asked.call));
        look
    }
}

/// Records the machine and looks at both.
fn check(name: &str, machine: &Machine) {
    let dirs = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let (sim, rec) = (dirs.path().join("sim"), dirs.path().join("rec"));
    simulated::create(&sim, machine, Faces::Both).unwrap();
    let live = open(&sim);
    record(&live, &rec, Extent::default(), &asking()).unwrap();
    // A machine that was asked before is another one.
    simulated::create(&sim, machine, Faces::Both).unwrap();
    let (live, recorded) = (Names::default().snapshot(all(&live)), Names::default().snapshot(all(&open(&rec))));
    assert!(live.kernel.is_some() && live.driver.is_some(), "{name}: nothing was looked at");
    // Compared as text, so that a failure shows the lines that differ and not two whole machines.
    let (live, recorded) = (format!("{live:#?}"), format!("{recorded:#?}"));
    let diff = similar::TextDiff::from_lines(&live, &recorded);
    assert!(live == recorded, "{name}:\n{}", diff.unified_diff().context_radius(4));
}

fn faulty(name: &str, fault: &str) -> Machine {
    let mut machine = machine_named(name).unwrap();
    machine.faults = fault.split_whitespace().map(|fault| fault.parse().unwrap()).collect();
    machine
}

#[test]
fn every_machine_is_seen_the_same_in_its_recording() {
    for name in machine_names() {
        check(name, &machine_named(name).unwrap());
    }
}

#[test]
fn a_machine_of_64_devices_in_use_is_seen_the_same_in_its_recording() {
    let text = "name = 'm'\npart = 'mi300x'\ngpus = 8\ncompute = 'CPX'\nmemory = 'NPS4'\nbusy = true\nhives = 'two'\n\
                alloc-mode = 'ALL'\ncaller = 'user'\n";
    check("64 devices", &Machine::parse(text).unwrap());
}

#[test]
fn every_fault_of_the_kernel_is_seen_the_same_in_the_recording() {
    let named = Named::ALL.iter().filter(|named| named.layer() == Layer::Kernel).map(|named| named.name());
    let with_parameter = [
        "read_current_compute_partition=EIO",
        "read_available_memory_partition=ENOTTY",
        "wrong_memory=1024MiB",
        "missing_device=3",
    ];
    for fault in named.chain(with_parameter) {
        let machine = faulty("mi300x", fault);
        check(fault, &Machine { gpus: 2, compute: ComputeMode::Dpx, ..machine });
    }
}

#[test]
fn a_tool_that_fails_is_seen_the_same_in_the_recording() {
    for fault in
        ["whole_gpu_memory", "uuid_shared", "garbage", "several_documents", "signal=SIGSEGV", "library_missing"]
    {
        check(fault, &faulty("mi300x", fault));
    }
}

#[test]
fn a_recording_that_differs_is_seen_to_differ() {
    let seen = |machine: &Machine| {
        let dir = tempfile::tempdir().unwrap();
        simulated::create(dir.path(), machine, Faces::Both).unwrap();
        Names::default().snapshot(all(&open(dir.path())))
    };
    let machine = machine_named("mi300x").unwrap();
    assert_eq!(seen(&machine), seen(&machine));
    for fault in ["missing_last_device", "wrong_memory=1024MiB", "initstate_going", "signal=SIGSEGV"] {
        assert_ne!(seen(&machine), seen(&faulty("mi300x", fault)), "{fault}");
    }
}

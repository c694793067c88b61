//! What a diagnosis says of made-up readings: each obstacle is seen where it is, and not where it is not.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::domain::{AllocMode, Bytes, ComputeMode, Ended, MemoryMode, Provenance, Reading, Signal};
use crate::facts::parameters;
use crate::witness::amd_smi::{Format, parse};
use crate::witness::pci::PciAdapter;
use crate::witness::tuning::Options;
use crate::witness::{
    Access, Asked, Call, DeviceAccess, DriverFacts, KernelFacts, KfdNode, KfdProcess, ModuleState, RenderNode,
    RenderParent, Snapshot, SysfsGpu, TuningFacts,
};

/// One machine: what is read of it, and what surrounds that.
struct Made {
    look: Snapshot,
    environment: Environment,
}

impl Made {
    /// MI300X in CPX/NPS4 on bare metal with everything in order, asked by root.
    fn mi300x() -> Self {
        let look = Snapshot {
            version: Some(version("26.2.1")),
            sysfs: Some(vec![gpu()]),
            kfd: Some((0..8).map(node).collect()),
            render: Some((128..136).map(render).collect()),
            driver: Some(driver(ModuleState::Live)),
            kernel: Some(KernelFacts {
                release: Reading::Value("6.8.0".to_owned()),
                cmdline: Reading::Value("ro quiet".to_owned()),
                hypervisor: Reading::Value(false),
                boot_id: Reading::NotReported,
            }),
            processes: Some(Reading::Value(Vec::new())),
            access: Some(vec![DeviceAccess { path: "/dev/kfd".to_owned(), access: Access::Granted }]),
            ..Snapshot::default()
        };
        let environment = Environment {
            host: "a machine".to_owned(),
            provenance: Provenance::Hardware,
            caller: Caller::Root,
            adapters: vec![adapter("amdgpu")],
            rocm: Vec::new(),
            filters: DeviceFilters::default(),
            workers: vec!["/usr/bin/validate-probe-torch".to_owned()],
            unkillable: Vec::new(),
        };
        Self { look, environment }
    }

    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn gpu(self, change: impl Fn(&mut SysfsGpu)) -> Self {
        self.with(|made| made.look.sysfs.iter_mut().flatten().for_each(change))
    }

    /// The command line, and the files as they are after it.
    fn cmdline(self, text: &str) -> Self {
        let known = parameters().iter().filter(|each| each.name.starts_with("amdgpu."));
        let mut files: BTreeMap<String, Reading<String>> =
            known.map(|each| (each.name.clone(), Reading::Value(each.unset.clone().unwrap_or_default()))).collect();
        let words = text.split_whitespace().filter_map(|word| word.split_once('='));
        // The driver makes no file of a name that it does not know.
        let words: Vec<_> = words.filter(|(name, _)| files.contains_key(*name)).collect();
        files.extend(words.into_iter().map(|(name, value)| (name.to_owned(), Reading::Value(value.to_owned()))));
        self.with(|made| {
            made.look.kernel.as_mut().unwrap().cmdline = Reading::Value(text.to_owned());
            made.look.tuning = Some(TuningFacts {
                options: Reading::Value(Options::default()),
                parameters: Reading::Value(files),
                vm: Reading::NotReported,
                environment: Reading::Value(BTreeMap::new()),
                rocm: Vec::new(),
            });
        })
    }

    /// Another GPU, by its PCI id and its number in KFD.
    fn card(self, device: u16, gfx: u32) -> Self {
        self.gpu(|gpu| gpu.device_id = Reading::Value(device)).with(|made| {
            made.look.kfd.iter_mut().flatten().for_each(|node| node.gfx_target_version = Reading::Value(gfx));
        })
    }

    fn exported(self, name: &str, value: &str) -> Self {
        let set = (name.to_owned(), value.to_owned());
        self.cmdline("ro").with(|made| made.look.tuning.as_mut().unwrap().environment = Reading::Value([set].into()))
    }

    fn no_gpu(self) -> Self {
        self.with(|made| {
            (made.look.sysfs, made.look.kfd) = (Some(Vec::new()), None);
            made.environment.adapters.clear();
        })
    }

    fn diagnose(&self) -> Diagnosis {
        diagnose(&self.look, &self.environment)
    }
}

fn gpu() -> SysfsGpu {
    use ComputeMode::{Cpx, Qpx};
    SysfsGpu {
        device_id: Reading::Value(0x74a1),
        compute: Reading::Value(Cpx),
        available_compute: Reading::Value(vec![Qpx, Cpx]),
        memory: Reading::Value(MemoryMode::Nps4),
        available_memory: Reading::Value(vec![MemoryMode::Nps1, MemoryMode::Nps4]),
        hive_id: Reading::Value(7),
        driver: Reading::Value("amdgpu".to_owned()),
        ..SysfsGpu::unread("0000:05:00.0".parse().unwrap())
    }
}

fn node(partition: u32) -> KfdNode {
    KfdNode {
        node: 2 + partition,
        gpu_id: 100 + partition,
        bdf: format!("0000:05:00.{partition}").parse().map_or(Reading::NotReported, Reading::Value),
        device_id: Reading::Value(0x74a1),
        gfx_target_version: Reading::Value(90402),
        num_xcc: Reading::Value(1),
        simd_count: Reading::Value(152),
        unique_id: Reading::NotReported,
        hive_id: Reading::Value(7),
        render_minor: Reading::Value(128 + partition),
        memory: Reading::Value(Bytes(24 << 30)),
    }
}

fn render(minor: u32) -> RenderNode {
    RenderNode { minor, parent: RenderParent::Partition { number: minor - 128 } }
}

fn driver(module: ModuleState) -> DriverFacts {
    DriverFacts {
        module,
        version: Reading::Value("6.16.6".to_owned()),
        pages_limit: Reading::NotReported,
        numa_nodes: Reading::NotReported,
    }
}

fn adapter(driver: &str) -> PciAdapter {
    PciAdapter {
        bdf: "0000:05:00.0".parse().unwrap(),
        device_id: Reading::Value(0x74a1),
        driver: Reading::Value(driver.to_owned()),
    }
}

fn call(ended: Ended, stdout: &str, stderr: &str) -> Asked<crate::witness::amd_smi::VersionReport> {
    let call = Call {
        args: vec!["version".to_owned(), "--json".to_owned()],
        ended,
        stdout: stdout.as_bytes().to_vec(),
        stderr: stderr.as_bytes().to_vec(),
        took: Duration::from_millis(300),
    };
    Asked { answer: parse::version(&call, Format::Json), call }
}

fn version(tool: &str) -> Asked<crate::witness::amd_smi::VersionReport> {
    let text = format!(
        r#"[{{"tool": "AMDSMI Tool", "version": "{tool}", "amdsmi_library_version": "{tool}", "rocm_version": "7.2.0",
            "amdgpu_version": "AMDSMI_STATUS_FILE_ERROR - Error opening file"}}]"#
    );
    call(Ended::Exited { code: 0 }, &text, "")
}

fn holder() -> KfdProcess {
    KfdProcess {
        pid: 4711,
        name: Reading::Value("python3".to_owned()),
        unit: Reading::Value("jupyter.service".to_owned()),
        vram: BTreeMap::from([(100, Reading::Value(Bytes(2 << 30)))]),
    }
}

/// Every obstacle that there is, with a machine that has it and words of what it says.
fn cases() -> Vec<(&'static str, Made, Weight, &'static [&'static str])> {
    use Weight::{Blocks, Limits, Note};
    let made = Made::mi300x;
    let refused = |text: &str| call(Ended::Exited { code: 1 }, "", text);
    let without_driver = |adapters: Vec<PciAdapter>, module: ModuleState| {
        made().no_gpu().with(|made| {
            made.look.driver = Some(driver(module));
            made.environment.adapters = adapters;
        })
    };
    vec![
        ("no-gpu", without_driver(vec![], ModuleState::NotLoaded), Blocks, &["no AMD GPU", "lspci"]),
        (
            "unkillable",
            made().with(|made| {
                let (what, next) = ("process 77 is still in state D".to_owned(), "reboot it".to_owned());
                made.environment.unkillable = vec![Unkillable { what, next }];
            }),
            Limits,
            &["could not be killed", "process 77 is still in state D", "reboot it"],
        ),
        ("driver-missing", without_driver(vec![adapter("")], ModuleState::NotLoaded), Blocks, &["modprobe amdgpu"]),
        ("driver-without-gpu", without_driver(vec![adapter("amdgpu")], ModuleState::Live), Blocks, &["drives no GPU"]),
        (
            "other-driver",
            without_driver(vec![adapter("vfio-pci")], ModuleState::Live),
            Blocks,
            &["vfio-pci", "05:00.0"],
        ),
        (
            "driver-changing",
            made().with(|made| made.look.driver = Some(driver(ModuleState::Changing("going".to_owned())))),
            Blocks,
            &["going"],
        ),
        (
            "driver-built-in",
            made().with(|made| made.look.driver = Some(driver(ModuleState::BuiltIn))),
            Limits,
            &["#172"],
        ),
        (
            "driver-built-in",
            made().with(|made| {
                made.look.driver = Some(driver(ModuleState::BuiltIn));
                made.look.version = Some(version("27.1.0"));
            }),
            Note,
            &["reboot"],
        ),
        (
            "driver-unreadable",
            made().with(|made| made.look.driver = Some(driver(ModuleState::Unreadable("denied".to_owned())))),
            Limits,
            &["denied"],
        ),
        (
            "driver-unreadable",
            made().with(|made| made.look.driver = Some(driver(ModuleState::NotLoaded))),
            Limits,
            &["/sys/module/amdgpu is not"],
        ),
        ("kfd-missing", made().with(|made| made.look.kfd = None), Limits, &["CONFIG_HSA_AMD"]),
        (
            "device-missing",
            made().with(|made| drop(made.look.kfd.as_mut().unwrap().pop())),
            Limits,
            &["7 devices", "make 8", "amdsmi#99", "BMC"],
        ),
        (
            "devices-differ",
            made().with(|made| made.look.kfd.as_mut().unwrap().truncate(4)),
            Limits,
            &["4 devices", "make 8"],
        ),
        (
            "devices-differ",
            made().gpu(|gpu| gpu.compute = Reading::Value(ComputeMode::Spx)),
            Limits,
            &["8 devices", "make 1"],
        ),
        (
            "render-node-missing",
            made().with(|made| made.look.render.as_mut().unwrap().truncate(7)),
            Limits,
            &["renderD135"],
        ),
        (
            "device-denied",
            made().with(|made| {
                let access = Access::Denied { mode: 0o100_660, uid: 0, gid: 44 };
                made.look.access = Some(vec![DeviceAccess { path: "/dev/kfd".to_owned(), access }]);
            }),
            Limits,
            &["/dev/kfd", "group 44", "0660", "usermod"],
        ),
        (
            "other-driver",
            made().gpu(|gpu| gpu.driver = Reading::Value("gim".to_owned())).with(|made| {
                made.look.kfd = None;
                made.environment.adapters = vec![adapter("gim")];
            }),
            Blocks,
            &["held by gim", "guest"],
        ),
        ("nodes-hidden", made().with(|made| made.look.kfd_hidden = vec![4, 11]), Limits, &["4, 11", "--device"]),
        (
            "devices-filtered",
            made().with(|made| made.environment.filters.rocr = Some("0,3".to_owned())),
            Note,
            &["ROCR_VISIBLE_DEVICES: HIP programs started from here see 2 of 8 devices", "unset"],
        ),
        (
            "devices-filtered",
            made().with(|made| made.environment.filters.hip = Some("0,8,1".to_owned())),
            Limits,
            &["1 of 8", "HIP_VISIBLE_DEVICES ends at \"8\" (no device has this index)"],
        ),
        (
            "devices-filtered",
            made().with(|made| {
                made.environment.filters.rocr = Some("2,3".to_owned());
                made.environment.filters.cuda = Some("2,3".to_owned());
            }),
            Limits,
            &["0 of 8", "counts in what ROCR_VISIBLE_DEVICES left"],
        ),
        ("not-root", made().with(|made| made.environment.caller = Caller::User), Limits, &["sudo"]),
        (
            "held",
            made().with(|made| made.look.processes = Some(Reading::Value(vec![holder()]))),
            Limits,
            &["python3 (jupyter.service), pid 4711", "systemctl stop jupyter.service"],
        ),
        ("part-unknown", made().gpu(|gpu| gpu.device_id = Reading::Value(0x1234)), Limits, &["1002:1234"]),
        ("virtual-function", made().gpu(|gpu| gpu.device_id = Reading::Value(0x74b5)), Limits, &["virtual function"]),
        ("modes-unreadable", made().gpu(|gpu| gpu.compute = Reading::NotReported), Limits, &["reset"]),
        (
            "hive-mixed",
            made().with(|made| {
                let bdf = "0000:26:00.0".parse().unwrap();
                made.look.sysfs.as_mut().unwrap().push(SysfsGpu {
                    bdf,
                    memory: Reading::Value(MemoryMode::Nps1),
                    ..gpu()
                });
            }),
            Limits,
            &["NPS1, NPS4"],
        ),
        (
            "alloc-mode-all",
            made().gpu(|gpu| gpu.alloc_mode = Reading::Value(AllocMode::All)),
            Note,
            &["ALL", "neighbours"],
        ),
        (
            "tool-missing",
            made().with(|made| {
                let reason = "no such file".to_owned();
                made.look.version = Some(call(Ended::NotStarted { reason }, "", ""));
            }),
            Limits,
            &["no such file", "not evaluated"],
        ),
        (
            "tool-missing",
            made().with(|made| {
                let reason = "not recorded".to_owned();
                made.look.version = Some(call(Ended::NotStarted { reason }, "", ""));
                made.environment.provenance = Provenance::Recorded;
            }),
            Limits,
            &["was not recorded", "validate record"],
        ),
        (
            "tool-silent",
            made().with(|made| {
                let limit = crate::domain::Limit::Deadline;
                made.look.version = Some(call(Ended::TimedOut { limit }, "", ""));
            }),
            Limits,
            &["stopped at its deadline", "sysfs and KFD"],
        ),
        (
            "tool-died",
            made().with(|made| made.look.version = Some(call(Ended::Signaled { signal: Signal(6) }, "", ""))),
            Limits,
            &["SIGABRT", "ROCm#5632"],
        ),
        (
            "tool-refuses",
            made().with(|made| made.look.version = Some(refused("amdsmi_cli_exceptions.X: broken. Error code: -3"))),
            Limits,
            &["amd-smi refuses"],
        ),
        (
            "tool-groups",
            made().with(|made| {
                let text = "RuntimeError: WARNING: User is missing the following required groups: render, video.";
                made.look.version = Some(refused(text));
            }),
            Limits,
            &["amdsmi#125", "usermod -aG render,video"],
        ),
        (
            "tool-unrecorded",
            made().with(|made| made.look.version = Some(version("26.3.0"))),
            Note,
            &["26.3.0", "record"],
        ),
        (
            "tool-guest",
            made().gpu(|gpu| gpu.device_id = Reading::Value(0x74a5)).with(|made| {
                made.look.kernel.as_mut().unwrap().hypervisor = Reading::Value(true);
            }),
            Limits,
            &["passthrough", "set -C"],
        ),
        ("profile-query-writes", made(), Note, &["xcp_config"]),
        ("known-bug", made(), Note, &["amdsmi#100"]),
        (
            "kernel-parameter",
            made().cmdline("ro amdgpu.vm_fragment_size=9").card(0x74a1, 90_402),
            Note,
            &["no-op", "9 is the default", "param.vm_fragment_size"],
        ),
        (
            "kernel-parameter",
            made().cmdline("amdgpu.gpu_recovery=1 amdgpu.gpu_recovery=0"),
            Note,
            &["set twice", "1 in /proc/cmdline, then 0"],
        ),
        (
            "kernel-parameter",
            made().cmdline("amdgpu.noretry=0").card(0x73bf, 100_300),
            Note,
            &["gfx1030", "changes the default 1"],
        ),
        ("kernel-parameter", made().cmdline("amdgpu.noretry=0").card(0x731f, 100_100), Note, &["gfx1010", "no-op"]),
        ("kernel-parameter", made().cmdline("amdgpu.noretri=0"), Note, &["no such parameter", "amdgpu.noretry"]),
        (
            "environment-variable",
            made().exported("HSA_FORCE_FINE_GRAIN_PCIE", "1"),
            Note,
            &["HSA_FORCE_FINE_GRAIN_PCIE=1", "adds a fine-grained"],
        ),
    ]
}

#[test]
fn each_obstacle_is_told_with_what_to_do() {
    for (id, made, weight, words) in cases() {
        let diagnosis = made.diagnose();
        let said = |each: &&Obstacle| {
            let text = format!("{} {}", each.what, each.next);
            each.id == id && each.weight == weight && words.iter().all(|word| text.contains(word))
        };
        let found = diagnosis.obstacles.iter().find(said);
        assert!(found.is_some_and(|each| !each.next.is_empty()), "{id} {words:?}: {:#?}", diagnosis.obstacles);
        let blocked = diagnosis.obstacles.iter().any(|each| each.weight == Weight::Blocks);
        assert_eq!(diagnosis.can.query.able, !blocked, "{id}");
        assert!(diagnosis.obstacles.is_sorted_by_key(|each| each.weight), "{id}");
    }
}

#[test]
fn a_machine_in_order_has_nothing_but_notes() {
    let diagnosis = Made::mi300x().diagnose();
    let worse: Vec<_> = diagnosis.obstacles.iter().filter(|each| each.weight != Weight::Note).collect();
    assert!(worse.is_empty(), "{worse:#?}");
    assert_eq!(diagnosis.can.level(), "can query; can set; can probe");
    let gpu = &diagnosis.gpus[0];
    assert_eq!((gpu.name().as_str(), gpu.devices, gpu.expected_devices), ("MI300X", 8, Some(8)));
    assert_eq!(gpu.memory_total, Some(Bytes(8 * (24 << 30))));
}

#[test]
fn what_can_be_done_is_said_with_the_reason() {
    let made = Made::mi300x;
    let provenance = |provenance, caller| {
        made().with(|made| (made.environment.provenance, made.environment.caller) = (provenance, caller))
    };
    let rdna = || made().gpu(|gpu| gpu.device_id = Reading::Value(0x731f));
    let level = |made: &Made| made.diagnose().can.level();
    for (what, made, expected, why) in [
        ("no GPU", made().no_gpu(), "simulation only", "drives no GPU"),
        (
            "no worker",
            made().with(|made| made.environment.workers.clear()),
            "can query; can set; cannot probe",
            "no torch worker",
        ),
        (
            "a user",
            made().with(|made| made.environment.caller = Caller::User),
            "can query; cannot set; can probe",
            "needs root",
        ),
        (
            "held",
            made().with(|made| made.look.processes = Some(Reading::Value(vec![holder()]))),
            "can query; cannot set; can probe",
            "1 process holds the GPUs",
        ),
        (
            "RDNA",
            rdna().with(|made| made.look.kfd = Some(vec![])),
            "can query; cannot set; cannot probe",
            "no partitions",
        ),
        (
            "a recording",
            provenance(Provenance::Recorded, Caller::Replay),
            "can query; cannot set; cannot probe",
            "recording",
        ),
        (
            "a simulated machine",
            provenance(Provenance::Simulated, Caller::Root),
            "can query; can set; cannot probe",
            "computes nothing",
        ),
        (
            "a virtual function",
            made().gpu(|gpu| gpu.device_id = Reading::Value(0x74b5)),
            "can query; cannot set; can probe",
            "its host's",
        ),
    ] {
        assert_eq!(level(&made), expected, "{what}");
        let instead = made.diagnose().instead.unwrap_or_default();
        assert_eq!(instead.contains("validate shim"), expected == "simulation only", "{what}: {instead}");
        let can = made.diagnose().can;
        let whys = [can.query.why, can.set.why, can.probe.why].join("; ");
        assert!(whys.contains(why), "{what}: {whys}");
    }
}

#[test]
fn a_failure_in_the_place_of_a_version_is_no_version() {
    let mut made = Made::mi300x();
    made.look.driver.as_mut().unwrap().version = Reading::NotReported;
    let diagnosis = made.diagnose();
    assert_eq!(diagnosis.driver.version, Reading::NotReported);
    assert!(diagnosis.driver.source.contains("not there"), "{}", diagnosis.driver.source);
    assert!(matches!(diagnosis.amd_smi.driver, Reading::Malformed { .. }));
}

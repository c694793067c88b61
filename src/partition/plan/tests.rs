//! What is planned for machines that are put together here.

use super::*;
use crate::partition::samples::gpu;
use crate::topology::sockets;
use crate::witness::{DriverFacts, KernelFacts, SysfsGpu};
use ComputeMode::{Cpx, Qpx, Spx};
use MemoryMode::{Nps1, Nps2, Nps4};
use Reading::{NotReported, Value};

/// `gpus` GPUs of one part and one hive, root, nobody on them, amd-smi 26.2.1.
struct Bench {
    sysfs: Vec<SysfsGpu>,
    look: Snapshot,
    footing: Footing,
}

impl Bench {
    fn new(gpus: u8, device: u16, compute: ComputeMode, memory: MemoryMode) -> Self {
        let one = |place: u8| {
            let sysfs = gpu(&format!("0000:{place:02x}:00.0"), device, Value(compute), Value(memory));
            SysfsGpu { hive_id: Value(7), ..sysfs }
        };
        let kernel =
            KernelFacts { release: NotReported, cmdline: NotReported, hypervisor: Value(false), boot_id: NotReported };
        let driver = DriverFacts {
            module: ModuleState::Live,
            version: NotReported,
            pages_limit: NotReported,
            numa_nodes: NotReported,
        };
        let look = Snapshot {
            processes: Some(Value(Vec::new())),
            kernel: Some(kernel),
            driver: Some(driver),
            ..Snapshot::default()
        };
        let footing = Footing { privileged: true, tool: Value(ToolVersion::new(26, 2, 1)), through: Through::AmdSmi };
        Self { sysfs: (0..gpus).map(one).collect(), look, footing }
    }

    fn mi300x(gpus: u8) -> Self {
        Self::new(gpus, 0x74a1, Spx, Nps1)
    }

    fn plan(&self, chosen: &[usize], compute: Option<ComputeMode>, memory: Option<MemoryMode>) -> ModePlan {
        let look = Snapshot { sysfs: Some(self.sysfs.clone()), ..self.look.clone() };
        plan(&look, &sockets(&look), chosen, Wish { compute, memory }, &self.footing)
    }
}

fn steps(plan: &ModePlan) -> Vec<String> {
    plan.steps.iter().map(ToString::to_string).collect()
}

#[test]
fn the_steps_end_in_the_modes_that_were_wished_for() {
    let bench = Bench::mi300x(1);
    for (compute, memory, expected) in [
        (Some(Cpx), None, &["set CPX on 0000:00:00.0"][..]),
        (Some(Spx), Some(Nps1), &[]),
        (Some(Cpx), Some(Nps4), &["ask for NPS4 (through 0000:00:00.0)", "reload the driver"]),
        (None, Some(Nps4), &["ask for NPS4 (through 0000:00:00.0)", "reload the driver"]),
        (
            Some(Qpx),
            Some(Nps4),
            &["ask for NPS4 (through 0000:00:00.0)", "reload the driver", "set QPX on 0000:00:00.0"],
        ),
    ] {
        let plan = bench.plan(&[0], compute, memory);
        assert_eq!(steps(&plan), expected, "{compute:?} {memory:?}");
        assert!(plan.applicable, "{:?}", plan.obstacles);
        assert_eq!(plan.reload.is_some(), memory == Some(Nps4));
    }
}

#[test]
fn a_tool_that_reloads_the_driver_itself_leaves_no_reload_to_do() {
    for (tool, question, expected) in [
        ("24.5.2", false, &["ask for NPS4 (through 0000:00:00.0)", "set QPX on 0000:00:00.0"][..]),
        ("25.5.1", true, &["ask for NPS4 (through 0000:00:00.0)", "set QPX on 0000:00:00.0"]),
        ("27.1.0", true, &["ask for NPS4 (through 0000:00:00.0)", "reload the driver", "set QPX on 0000:00:00.0"]),
    ] {
        let mut bench = Bench::mi300x(1);
        bench.footing.tool = Value(tool.parse().unwrap());
        let plan = bench.plan(&[0], Some(Qpx), Some(Nps4));
        assert_eq!(steps(&plan), expected, "{tool}");
        assert_eq!(plan.question, question, "{tool}");
        assert!(plan.reload.is_some(), "{tool}");
    }
}

#[test]
fn the_rest_of_the_hive_and_of_the_machine_is_named() {
    let mut bench = Bench::mi300x(4);
    bench.sysfs[2].hive_id = Value(0);
    bench.sysfs[2].compute = Value(Cpx);
    let plan = bench.plan(&[1], Some(Cpx), Some(Nps4));
    let others: Vec<_> = plan.others.iter().map(|each| format!("{} {} {}", each.gpu, each.now, each.then)).collect();
    assert_eq!(
        others,
        ["0000:00:00.0 SPX/NPS1 CPX/NPS4", "0000:02:00.0 CPX/NPS1 CPX/NPS1", "0000:03:00.0 SPX/NPS1 CPX/NPS4"]
    );
    assert_eq!(
        steps(&plan),
        ["ask for NPS4 (through 0000:00:00.0)", "reload the driver", "set CPX on 0000:02:00.0"],
        "the GPU outside of the hive is put back"
    );
    assert!(bench.plan(&[1], Some(Cpx), None).others.is_empty(), "a compute mode is one GPU's");
}

#[test]
fn what_stands_in_the_way_is_told_with_a_next_step() {
    type Change = fn(&mut Bench);
    let cases: [(&str, ObstacleKind, Change); 13] = [
        ("no part with PCI device id 9999", ObstacleKind::UnknownPart, |bench| {
            bench.sysfs[0].device_id = Value(0x9999)
        }),
        ("id that cannot be read", ObstacleKind::UnknownPart, |bench| bench.sysfs[0].device_id = NotReported),
        ("RX 6800 XT has no partitions", ObstacleKind::NoPartitions, |bench| bench.sysfs[0].device_id = Value(0x73bf)),
        ("a virtual function", ObstacleKind::VirtualFunction, |bench| bench.sysfs[0].device_id = Value(0x74b5)),
        ("an SR-IOV host", ObstacleKind::SrIovHost, |bench| {
            bench.sysfs[0].virtual_functions = vec!["0000:00:02.0".parse().unwrap()];
        }),
        ("compute partition: not reported", ObstacleKind::Unreadable, |bench| bench.sysfs[0].compute = NotReported),
        ("not NPS4", ObstacleKind::NotOffered, |bench| bench.sysfs[0].available_memory = Value(vec![Nps1, Nps2])),
        ("only root", ObstacleKind::Unprivileged, |bench| bench.footing.privileged = false),
        ("amd-smi's version: not reported", ObstacleKind::NoTool, |bench| bench.footing.tool = NotReported),
        ("built into the kernel", ObstacleKind::NoReload, |bench| {
            bench.look.driver.as_mut().unwrap().module = ModuleState::BuiltIn;
        }),
        ("held by python3 (4711) of jupyter.service", ObstacleKind::Busy, |bench| {
            let process = KfdProcess {
                pid: 4711,
                name: Value("python3".to_owned()),
                unit: Value("jupyter.service".to_owned()),
                vram: BTreeMap::new(),
            };
            bench.look.processes = Some(Value(vec![process]));
        }),
        ("amd-smi 26.2.1 offers no `set` in it", ObstacleKind::Guest, |bench| {
            bench.look.kernel.as_mut().unwrap().hypervisor = Value(true);
            // An MI325X: not among the ids that the tool recognises.
            bench.sysfs[0].device_id = Value(0x74a5);
            bench.sysfs[0].available_memory = Value(vec![Nps1, Nps4]);
        }),
        ("the BIOS's to set", ObstacleKind::IllegalByFacts, |bench| bench.sysfs[0].device_id = Value(0x74a0)),
    ];
    for (part, kind, change) in cases {
        let mut bench = Bench::mi300x(1);
        change(&mut bench);
        let compute = if kind == ObstacleKind::IllegalByFacts { None } else { Some(Cpx) };
        let plan = bench.plan(&[0], compute, Some(Nps4));
        assert!(!plan.applicable, "{part}");
        let found: Vec<_> = plan.obstacles.iter().map(|each| (each.kind, each.why.as_str())).collect();
        assert!(found.iter().any(|(found, why)| *found == kind && why.contains(part)), "{part}: {found:?}");
        assert!(plan.obstacles.iter().all(|each| !each.next.is_empty()), "{part}");
    }
}

#[test]
fn modes_that_are_in_force_need_nobodys_leave() {
    let mut bench = Bench::mi300x(2);
    bench.footing.privileged = false;
    bench.footing.tool = NotReported;
    let plan = bench.plan(&[0, 1], Some(Spx), Some(Nps1));
    assert!(plan.applicable && plan.steps.is_empty(), "{:?}", plan.obstacles);
}

#[test]
fn without_the_tool_nothing_is_asked_of_it() {
    let mut bench = Bench::mi300x(1);
    bench.footing = Footing { tool: NotReported, through: Through::Sysfs, ..bench.footing };
    let plan = bench.plan(&[0], Some(Cpx), Some(Nps4));
    assert!(plan.applicable && !plan.question, "{:?}", plan.obstacles);
    assert_eq!(plan.reload.unwrap().habit, None);
}

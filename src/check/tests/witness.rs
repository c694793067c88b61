//! `witness.modes`, `witness.hive` and `witness.readable`: what is in force, what belongs together, who can be asked.

use super::machine::failure;
use super::{case, evaluate, judge, told};
use crate::domain::{Bytes, CheckSpec, ComputeMode, MemoryMode, Reading};
use crate::facts;
use crate::witness::{Access, ModuleState, Observations};

const SECOND: usize = 1;

/// Rows of the second GPU's partitions say nothing.
fn silence_secondaries(seen: &mut Observations) {
    for row in seen.modes().iter_mut().filter(|row| row.partition_id.value() == Some(&1)) {
        (row.compute, row.memory) = (Reading::NotApplicable, Reading::NotApplicable);
    }
}

#[test]
fn modes_are_set_against_each_other() {
    judge(
        &CheckSpec::WitnessModes,
        &[
            case(
                "amd-smi shows another compute mode",
                |seen| seen.modes()[2].compute = Reading::Value(ComputeMode::Cpx),
                &["unmet amd-smi-differs GPU 0000:26:00.0 compute partition"],
            ),
            case(
                "amd-smi shows another memory mode on a secondary",
                |seen| seen.modes()[1].memory = Reading::Value(MemoryMode::Nps4),
                &["unmet amd-smi-differs GPU 0000:05:00.0 memory partition"],
            ),
            case(
                "sysfs says another mode than KFD's nodes make",
                |seen| {
                    seen.sysfs()[SECOND].compute = Reading::Value(ComputeMode::Spx);
                    seen.sysfs()[SECOND].profile_selected = Reading::Value(ComputeMode::Spx);
                },
                &["unmet sysfs-differs GPU 0000:26:00.0 compute partition"],
            ),
            case(
                "a node is missing: the XCCs of the others tell the mode all the same",
                |seen| drop(seen.kfd().pop()),
                &[],
            ),
            case(
                "secondaries say nothing",
                silence_secondaries,
                &[
                    "doubtful secondary-not-reported GPU 0000:05:00.0",
                    "doubtful secondary-not-reported GPU 0000:26:00.0",
                ],
            ),
            case(
                "the profile selector stands elsewhere",
                |seen| seen.sysfs()[0].profile_selected = Reading::Value(ComputeMode::Cpx),
                &["doubtful profile-selector-moved GPU 0000:05:00.0 xcp_config"],
            ),
            case("without sysfs KFD and amd-smi are two", |seen| seen.after.sysfs = None, &[]),
            case(
                "without sysfs KFD is believed",
                |seen| {
                    seen.after.sysfs = None;
                    seen.modes()[0].compute = Reading::Value(ComputeMode::Spx);
                    seen.modes()[3].memory = Reading::Value(MemoryMode::Nps4);
                },
                &[
                    "unmet amd-smi-differs GPU 0000:05:00.0 compute partition",
                    "unmet amd-smi-differs GPU 0000:26:00.0 memory partition",
                ],
            ),
            case(
                "sysfs says another memory mode than the sizes of KFD's nodes",
                |seen| seen.sysfs()[SECOND].memory = Reading::Value(MemoryMode::Nps4),
                &["unmet sysfs-differs GPU 0000:26:00.0 memory partition"],
            ),
            case(
                "sizes that no mode gives tell nothing: sysfs and amd-smi are two",
                |seen| seen.kfd()[2].memory = Reading::Value(Bytes(1 << 30)),
                &[],
            ),
            case(
                "sysfs alone with the memory mode",
                |seen| {
                    seen.kfd()[2].memory = Reading::Value(Bytes(1 << 30));
                    (2..4).for_each(|at| seen.modes()[at].memory = Reading::NotApplicable);
                },
                &["gap not reported GPU 0000:26:00.0 memory partition"],
            ),
            case("without KFD sysfs and amd-smi are two", |seen| seen.after.kfd = None, &[]),
            case("nodes of different sizes make no mode", |seen| seen.kfd()[0].num_xcc = Reading::Value(2), &[]),
            case(
                "amd-smi does not answer",
                |seen| seen.after.static_partition = None,
                &["gap not reported StaticPartition"],
            ),
        ],
    );
}

#[test]
fn a_guest_s_mode_is_what_its_own_nodes_can_be() {
    let vf = facts::part("mi300x").unwrap().vf_pci_ids[0];
    let mut seen = super::healthy();
    seen.become_part(vf);
    for node in seen.kfd() {
        node.num_xcc = Reading::Value(1);
    }
    assert_eq!(told(&CheckSpec::WitnessModes, &seen), [""; 0], "2 nodes of 1 XCC are DPX of 2");
    seen.kfd().retain(|node| node.bdf.value().unwrap().function == 0);
    for gpu in seen.sysfs() {
        gpu.compute = Reading::Value(ComputeMode::Cpx);
        gpu.profile_selected = Reading::NotReported;
    }
    seen.list().retain(|row| row.partition_id.value() == Some(&0));
    seen.modes().retain(|row| row.partition_id.value() == Some(&0));
    for row in seen.modes() {
        row.compute = Reading::Value(ComputeMode::Cpx);
    }
    assert_eq!(told(&CheckSpec::WitnessModes, &seen), [""; 0], "one node of 1 XCC reads as CPX in a guest");
}

#[test]
fn what_is_met_names_who_took_part() {
    let seen = super::healthy();
    let met = |spec: &CheckSpec| -> Vec<String> {
        evaluate(spec, &seen).findings().iter().map(|finding| finding.observed().to_owned()).collect()
    };
    assert_eq!(met(&CheckSpec::WitnessModes)[0], "DPX (sysfs, KFD, amd-smi)");
    assert_eq!(met(&CheckSpec::WitnessCount), ["4 (modes in sysfs, KFD, render nodes, amd-smi, HIP)"]);
    let mut seen = super::healthy();
    seen.after.hip = Some(Reading::NotReported);
    let made = evaluate(&CheckSpec::WitnessCount, &seen);
    assert!(made.complete(), "the others are enough");
    let observed = made.findings()[0].observed();
    assert_eq!(observed, "4 (modes in sysfs, KFD, render nodes, amd-smi); silent: HIP (not reported)");
}

#[test]
fn a_hive_belongs_together() {
    judge(
        &CheckSpec::WitnessHive,
        &[
            case(
                "KFD's copy is another",
                |seen| seen.kfd()[3].hive_id = Reading::Value(8),
                &["unmet ids-differ GPU 0000:26:00.0 hive"],
            ),
            case(
                "the memory modes differ",
                |seen| seen.sysfs()[SECOND].memory = Reading::Value(MemoryMode::Nps4),
                &["unmet mixed-memory-modes hive of GPU 0000:05:00.0"],
            ),
            case(
                "a GPU is outside",
                |seen| {
                    seen.sysfs()[SECOND].hive_id = Reading::NotReported;
                    (2..4).for_each(|at| seen.kfd()[at].hive_id = Reading::Value(0));
                },
                &["unmet outside-of-the-hive the machine"],
            ),
            case(
                "two hives",
                |seen| {
                    seen.sysfs()[SECOND].hive_id = Reading::Value(9);
                    (2..4).for_each(|at| seen.kfd()[at].hive_id = Reading::Value(9));
                },
                &["doubtful several-hives the machine"],
            ),
            case(
                "no hive at all",
                |seen| {
                    seen.sysfs().iter_mut().for_each(|gpu| gpu.hive_id = Reading::NotReported);
                    seen.kfd().iter_mut().for_each(|node| node.hive_id = Reading::Value(0));
                },
                &[],
            ),
            case(
                "an id that is none",
                |seen| seen.sysfs()[0].hive_id = Reading::malformed("x", "y"),
                &["gap malformed GPU 0000:05:00.0 hive"],
            ),
            case(
                "KFD alone contradicts nobody",
                |seen| seen.after.sysfs = None,
                &["gap not reported GPU 0000:05:00.0 hive", "gap not reported GPU 0000:26:00.0 hive"],
            ),
            case(
                "sysfs alone contradicts nobody",
                |seen| seen.after.kfd = None,
                &["gap not reported GPU 0000:05:00.0 hive", "gap not reported GPU 0000:26:00.0 hive"],
            ),
            case(
                "a memory mode that cannot be read",
                |seen| seen.sysfs()[0].memory = Reading::NotReported,
                &["gap not reported GPU 0000:05:00.0"],
            ),
        ],
    );
}

/// What amd-smi's `list` ends with, when it ends so.
fn list_fails(seen: &mut Observations, text: &str) {
    let list = seen.after.list.as_mut().unwrap();
    list.answer.failure = Some(failure(None, text));
    list.answer.value = Reading::NotReported;
}

#[test]
fn what_stands_in_the_way_is_named() {
    judge(
        &CheckSpec::WitnessReadable,
        &[
            case(
                "no driver",
                |seen| {
                    seen.driver().module = ModuleState::NotLoaded;
                    (seen.after.sysfs, seen.after.kfd) = (Some(Vec::new()), None);
                    list_fails(seen, "Driver not loaded");
                },
                &["unmet driver-not-loaded the driver"],
            ),
            case(
                "no module, and yet GPUs: trees that somebody took a part of",
                |seen| seen.driver().module = ModuleState::NotLoaded,
                &["gap not reported the driver"],
            ),
            case(
                "a driver on its way out",
                |seen| seen.driver().module = ModuleState::Changing("going".to_owned()),
                &["unmet driver-changing the driver"],
            ),
            case(
                "a driver built in, which the tool does not see",
                |seen| {
                    seen.driver().module = ModuleState::BuiltIn;
                    list_fails(seen, "driver not initialized");
                },
                &["doubtful driver-built-in the driver"],
            ),
            case(
                "a driver that cannot be told",
                |seen| seen.driver().module = ModuleState::Unreadable("EIO".to_owned()),
                &["gap malformed the driver"],
            ),
            case(
                "no GPU",
                |seen| (seen.after.sysfs, seen.after.kfd) = (Some(Vec::new()), Some(Vec::new())),
                &["unmet no-gpu the machine"],
            ),
            case("no KFD", |seen| seen.after.kfd = None, &["unmet kfd-missing KFD"]),
            case("a GPU without a node", |seen| seen.kfd().truncate(2), &["unmet hidden-nodes KFD"]),
            case("a node that cannot be read", |seen| seen.after.kfd_hidden = vec![9], &["unmet hidden-nodes KFD"]),
            case(
                "a GPU that another driver holds for guests",
                |seen| {
                    seen.sysfs()[1].driver = Reading::Value("gim".to_owned());
                    seen.kfd().truncate(2);
                },
                &[],
            ),
            case(
                "a machine whose GPUs are all in guests",
                |seen| {
                    seen.sysfs().iter_mut().for_each(|gpu| gpu.driver = Reading::Value("vfio-pci".to_owned()));
                    seen.after.kfd = None;
                    list_fails(seen, "no GPU");
                },
                &[],
            ),
            case(
                "a GPU in reset",
                |seen| {
                    seen.sysfs()[0].compute =
                        Reading::malformed("", "cannot be read: Operation not permitted (os error 1)")
                },
                &["unmet in-reset GPU 0000:05:00.0 current_compute_partition"],
            ),
            case(
                "a mode that is none",
                |seen| seen.sysfs()[1].memory = Reading::malformed("UNKNOWN", "no mode"),
                &["unmet mode-unreadable GPU 0000:26:00.0 current_memory_partition"],
            ),
            case(
                "no partition file",
                |seen| seen.sysfs()[1].memory = Reading::NotReported,
                &["gap not reported GPU 0000:26:00.0 current_memory_partition"],
            ),
            case(
                "a device file that refuses",
                |seen| seen.access()[0].access = Access::Denied { mode: 0o660, uid: 0, gid: 109 },
                &["unmet access-denied /dev"],
            ),
            case("a device file that is missing", |seen| drop(seen.access().pop()), &["unmet device-missing /dev"]),
            case(
                "device files of others do not matter",
                |seen| {
                    let mut more = seen.access()[0].clone();
                    (more.path, more.access) = ("/dev/dri/renderD190".to_owned(), Access::Missing);
                    seen.access().push(more);
                },
                &[],
            ),
            case(
                "a device file that cannot be told",
                |seen| seen.access()[1].access = Access::Unreadable("a link".to_owned()),
                &["gap malformed /dev/dri/renderD128"],
            ),
            case("no device files at all", |seen| seen.after.access = None, &["gap not reported /dev"]),
            case(
                "the tool's own check of groups",
                |seen| list_fails(seen, "User is missing the following required groups: render, video"),
                &["doubtful group-check amd-smi list"],
            ),
            case(
                "a tool that fails for no reason that was found",
                |seen| list_fails(seen, "no reason"),
                &["gap tool failed amd-smi list --json"],
            ),
            case("nobody asked for the driver", |seen| seen.after.driver = None, &["gap not reported the driver"]),
        ],
    );
}

#[test]
fn a_gpu_that_is_in_a_guest_contradicts_nothing_here() {
    let mut missed = Vec::new();
    for spec in [
        CheckSpec::WitnessModes,
        CheckSpec::WitnessCount,
        CheckSpec::WitnessMemory,
        CheckSpec::WitnessRenderNodes,
        CheckSpec::WitnessOrder,
        CheckSpec::WitnessHive,
        CheckSpec::WitnessReadable,
    ] {
        let mut seen = super::healthy();
        seen.kfd().truncate(2);
        seen.list().truncate(2);
        seen.modes().truncate(2);
        seen.sizes().truncate(2);
        seen.render().truncate(2);
        seen.hip().truncate(2);
        // Its own function's partition files are the host driver's business.
        seen.sysfs()[SECOND].compute = Reading::NotReported;
        if !told(&spec, &seen).is_empty() {
            missed.push(spec.id().id());
        }
        seen.sysfs()[SECOND].driver = Reading::Value("gim".to_owned());
        assert_eq!(told(&spec, &seen), [""; 0], "{}", spec.id());
    } // Of this machine's own, a GPU without nodes is missed by whoever looks at each GPU.
    assert_eq!(missed, ["witness.modes", "witness.memory", "witness.hive", "witness.readable"]);
}

//! `partition.modes`, `partition.legal` and `partition.profiles`.

use super::{case, judge};
use crate::domain::{CheckSpec, ComputeMode, KernelRules, MemoryMode, Reading};
use crate::facts;

/// RX 7900 XTX: a part without partitions.
fn radeon() -> u16 {
    facts::part("rx7900xtx").unwrap().pci_ids[0]
}

#[test]
fn modes_of_amd_smi_are_those_of_sysfs() {
    judge(
        &CheckSpec::PartitionModes { compute: None, memory: None },
        &[
            case(
                "another compute mode",
                |seen| seen.modes()[2].compute = Reading::Value(ComputeMode::Spx),
                &["unmet mode-differs GPU 2 compute partition"],
            ),
            case(
                "another memory mode",
                |seen| seen.modes()[0].memory = Reading::Value(MemoryMode::Nps4),
                &["unmet mode-differs GPU 0 memory partition"],
            ),
            case(
                "N/A on a secondary",
                |seen| seen.modes()[1].compute = Reading::NotApplicable,
                &["doubtful secondary-not-reported GPU 1 compute partition"],
            ),
            case(
                "N/A on a primary",
                |seen| seen.modes()[0].compute = Reading::NotApplicable,
                &["gap not applicable GPU 0 compute partition"],
            ),
            case(
                "nothing on a secondary",
                |seen| seen.modes()[1].compute = Reading::NotReported,
                &["gap not reported GPU 1 compute partition"],
            ),
            case(
                "GPUs in different modes are told apart by address",
                |seen| {
                    seen.sysfs()[1].compute = Reading::Value(ComputeMode::Spx);
                },
                &["unmet mode-differs GPU 2 compute partition", "unmet mode-differs GPU 3 compute partition"],
            ),
            case(
                "without addresses there is nothing to compare with",
                |seen| {
                    seen.sysfs()[1].compute = Reading::Value(ComputeMode::Spx);
                    seen.after.list = None;
                    seen.modes().truncate(1);
                },
                &["gap not reported GPU 0 compute partition", "gap not reported GPU 0 memory partition"],
            ),
            case("without addresses equal GPUs are as good as one", |seen| seen.after.list = None, &[]),
            case(
                "N/A on a part without partitions",
                |seen| {
                    seen.become_part(radeon());
                    for gpu in seen.sysfs() {
                        (gpu.compute, gpu.memory) = (Reading::NotReported, Reading::NotReported);
                    }
                    for row in seen.modes() {
                        (row.compute, row.memory) = (Reading::NotApplicable, Reading::NotApplicable);
                    }
                },
                &[],
            ),
        ],
    );
}

#[test]
fn the_scenario_s_modes_stand_above_both_witnesses() {
    let spec = CheckSpec::PartitionModes { compute: Some(ComputeMode::Dpx), memory: Some(MemoryMode::Nps1) };
    judge(
        &spec,
        &[
            case("as expected", |_| {}, &[]),
            case(
                "sysfs shows another",
                |seen| seen.sysfs()[1].memory = Reading::Value(MemoryMode::Nps4),
                &["unmet sysfs-differs GPU 0000:26:00.0 memory partition"],
            ),
            case(
                "amd-smi shows another",
                |seen| seen.modes()[3].compute = Reading::Value(ComputeMode::Cpx),
                &["unmet mode-differs GPU 3 compute partition"],
            ),
        ],
    );
}

#[test]
fn a_pair_is_legal_or_it_is_said_why_not() {
    judge(
        &CheckSpec::PartitionLegal { kernel: KernelRules::Latest },
        &[
            case(
                "DPX in NPS4",
                |seen| seen.sysfs()[0].memory = Reading::Value(MemoryMode::Nps4),
                &["unmet illegal-pair GPU 0000:05:00.0"],
            ),
            case(
                "TPX on eight XCCs",
                |seen| seen.sysfs()[1].compute = Reading::Value(ComputeMode::Tpx),
                &["unmet illegal-pair GPU 0000:26:00.0"],
            ),
            case(
                "in a mode that it does not offer",
                |seen| {
                    seen.sysfs()[0].available_memory = Reading::Value(vec![MemoryMode::Nps4]);
                },
                &["unmet not-offered GPU 0000:05:00.0"],
            ),
            case(
                "offered, and not known",
                |seen| {
                    seen.sysfs()[0].memory = Reading::Value(MemoryMode::Nps2);
                    seen.sysfs()[0].available_memory = Reading::Value(vec![MemoryMode::Nps1, MemoryMode::Nps2]);
                },
                &["doubtful unlisted-by-facts GPU 0000:05:00.0"],
            ),
            case(
                "not known, and nobody says what is offered",
                |seen| {
                    seen.sysfs()[0].memory = Reading::Value(MemoryMode::Nps2);
                    seen.sysfs()[0].available_memory = Reading::NotReported;
                },
                &["gap no facts GPU 0000:05:00.0"],
            ),
            case(
                "a mode is not readable",
                |seen| seen.sysfs()[0].memory = Reading::NotReported,
                &["gap not reported GPU 0000:05:00.0"],
            ),
            case(
                "a guest",
                |seen| seen.become_part(facts::part("mi300x").unwrap().vf_pci_ids[0]),
                &["gap not applicable GPU 0000:05:00.0", "gap not applicable GPU 0000:26:00.0"],
            ),
            case(
                "a part nobody knows",
                |seen| seen.become_part(0x1234),
                &["gap no facts GPU 0000:05:00.0", "gap no facts GPU 0000:26:00.0"],
            ),
            case(
                "partition files on a part without partitions",
                |seen| {
                    seen.become_part(radeon());
                    seen.sysfs()[1].compute = Reading::NotReported;
                },
                &["unmet partitions-on-unpartitionable GPU 0000:05:00.0"],
            ),
        ],
    );
}

#[test]
fn the_kernel_s_generation_decides_what_is_legal() {
    judge(
        &CheckSpec::PartitionLegal { kernel: KernelRules::First },
        &[case("DPX in NPS4 slips through", |seen| seen.sysfs()[0].memory = Reading::Value(MemoryMode::Nps4), &[])],
    );
}

#[test]
fn profiles_are_those_of_the_part() {
    judge(
        &CheckSpec::PartitionProfiles,
        &[
            case("another order", |seen| seen.profiles().swap(0, 1), &["unmet order-differs GPU 0 profiles"]),
            case(
                "a profile is missing",
                |seen| drop(seen.profiles().remove(3)),
                &["unmet order-differs GPU 0 profiles"],
            ),
            case(
                "another profile is starred",
                |seen| {
                    seen.profiles()[1].current = false;
                    seen.profiles()[0].current = true;
                },
                &["unmet starred-differs GPU 0 profiles"],
            ),
            case(
                "two are starred",
                |seen| seen.profiles()[0].current = true,
                &["unmet starred-differs GPU 0 profiles"],
            ),
            case(
                "none is starred",
                |seen| seen.profiles()[5].current = false,
                &["unmet starred-differs GPU 2 profiles"],
            ),
            case(
                "nobody knows which is in force",
                |seen| seen.sysfs()[0].compute = Reading::NotReported,
                &["gap not reported GPU 0 profiles"],
            ),
            case(
                "too few partitions",
                |seen| seen.profiles()[3].partitions = Reading::Value(4),
                &["unmet partitions-differ GPU 0 profile CPX"],
            ),
            case(
                "no partitions",
                |seen| seen.profiles()[3].partitions = Reading::Value(0),
                &["doubtful partitions-zero GPU 0 profile CPX"],
            ),
            case(
                "partitions that overflowed",
                |seen| seen.profiles()[3].partitions = Reading::Value(u32::MAX),
                &["doubtful partitions-zero GPU 0 profile CPX"],
            ),
            case(
                "partitions not told",
                |seen| seen.profiles()[0].partitions = Reading::NotApplicable,
                &["gap not reported GPU 0 profile SPX"],
            ),
            case(
                "too many XCCs",
                |seen| seen.profiles()[2].resources[0].instances = Reading::Value(3),
                &["unmet resources-differ GPU 0 profile QPX"],
            ),
            case(
                "no XCCs told",
                |seen| seen.profiles()[2].resources[0].kind = Reading::Value("DMA".into()),
                &["gap not reported GPU 0 profile QPX"],
            ),
            case(
                "secondaries show none",
                |seen| {
                    let mut row = seen.profiles()[0].clone();
                    (row.gpu, row.mode) = (1, Reading::NotApplicable);
                    seen.profiles().insert(4, row);
                },
                &[],
            ),
            case(
                "nobody shows any",
                |seen| {
                    seen.profiles().iter_mut().for_each(|row| row.mode = Reading::NotApplicable);
                },
                &["gap not reported amd-smi partition"],
            ),
            case(
                "the section is not there",
                |seen| {
                    super::machine::rows(&mut seen.after.partition).profiles = Reading::NotReported;
                },
                &["gap not reported amd-smi partition"],
            ),
            case("a part nobody knows", |seen| seen.become_part(0x1234), &["gap no facts GPU 0", "gap no facts GPU 2"]),
            case(
                "a part without partitions needs none",
                |seen| {
                    seen.become_part(radeon());
                    super::machine::rows(&mut seen.after.partition).profiles = Reading::NotReported;
                },
                &[],
            ),
            case(
                "without KFD and sysfs the part is unknown",
                |seen| {
                    (seen.after.sysfs, seen.after.kfd) = (None, None);
                },
                &["gap no facts GPU 0", "gap no facts GPU 2"],
            ),
        ],
    );
}

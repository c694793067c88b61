//! `memory.per-device`.

use super::{case, judge, told};
use crate::domain::{Bytes, CheckSpec, Reading};
use crate::facts;
use crate::witness::Observations;

const BY_FORMULA: CheckSpec = CheckSpec::MemoryPerDevice { mib: None };

fn bank(seen: &mut Observations, at: usize, change: impl Fn(u64) -> u64) {
    let node = &mut seen.kfd()[at];
    node.memory = node.memory.clone().map(|bytes| Bytes(change(bytes.0)));
}

fn shown(seen: &mut Observations, at: usize, change: impl Fn(u64) -> u64) {
    let row = &mut seen.sizes()[at];
    row.total = row.total.clone().map(|bytes| Bytes(change(bytes.0)));
}

fn tool(seen: &mut Observations, version: &str) {
    super::machine::rows(&mut seen.after.version).tool = Reading::Value(version.parse().unwrap());
}

#[test]
fn banks_are_those_of_the_formula() {
    judge(
        &BY_FORMULA,
        &[
            case(
                "a GiB is missing from both",
                |seen| (0..2).for_each(|at| bank(seen, at, |bytes| bytes - (1 << 30))),
                &["unmet kfd-differs GPU 0000:05:00.0 partition 0", "unmet kfd-differs GPU 0000:05:00.0 partition 1"],
            ),
            case(
                "a few MiB are not worth a word",
                |seen| {
                    (0..2).for_each(|at| bank(seen, at, |bytes| bytes - (8 << 20)));
                },
                &[],
            ),
            case(
                "two pages that the other has",
                |seen| {
                    bank(seen, 2, |bytes| bytes - (8 << 20));
                    bank(seen, 3, |bytes| bytes + (8 << 20));
                },
                &["unmet split-differs GPU 0000:26:00.0 partition 0"],
            ),
            case("a page is rounding", |seen| bank(seen, 2, |bytes| bytes - 4096), &[]),
            case(
                "a bank that is not readable",
                |seen| seen.kfd()[1].memory = Reading::NotReported,
                &["gap not reported node 3"],
            ),
            case(
                "a node without a mode",
                |seen| seen.sysfs()[0].memory = Reading::NotReported,
                &["gap not reported GPU 0000:05:00.0"],
            ),
            case(
                "a node that the formula does not know",
                |seen| {
                    let mut more = seen.kfd()[3].clone();
                    more.bdf = more.bdf.map(|bdf| crate::domain::Bdf { function: 2, ..bdf });
                    seen.kfd().push(more);
                },
                &["gap no facts GPU 0000:26:00.0 partition 2"],
            ),
            case(
                "a part nobody knows",
                |seen| seen.become_part(0x1234),
                &["gap no facts GPU 0000:05:00.0", "gap no facts GPU 0000:26:00.0"],
            ),
            case(
                "no GPU at all",
                |seen| (seen.after.sysfs, seen.after.kfd) = (None, None),
                &["gap not reported the machine"],
            ),
        ],
    );
}

#[test]
fn amd_smi_s_total_is_that_of_the_device() {
    judge(
        &BY_FORMULA,
        &[
            case(
                "the whole GPU on partition 0",
                |seen| shown(seen, 2, |bytes| 2 * bytes),
                &["doubtful whole-gpu-on-partition-0 GPU 0000:26:00.0 partition 0"],
            ),
            case(
                "the whole GPU on partition 1 of a new tool",
                |seen| shown(seen, 1, |bytes| 2 * bytes),
                &["unmet amd-smi-differs GPU 0000:05:00.0 partition 1"],
            ),
            case(
                "the whole GPU on partition 1 of an old tool",
                |seen| {
                    tool(seen, "25.3.0");
                    shown(seen, 1, |bytes| 2 * bytes);
                },
                &["doubtful whole-gpu-on-every-partition GPU 0000:05:00.0 partition 1"],
            ),
            case(
                "the first tool that is right",
                |seen| {
                    tool(seen, "25.4.0");
                    shown(seen, 1, |bytes| 2 * bytes);
                },
                &["unmet amd-smi-differs GPU 0000:05:00.0 partition 1"],
            ),
            case(
                "half of it",
                |seen| shown(seen, 0, |bytes| bytes / 2),
                &["unmet amd-smi-differs GPU 0000:05:00.0 partition 0"],
            ),
            case(
                "nothing, where KFD knows",
                |seen| seen.sizes()[3].total = Reading::NotApplicable,
                &["doubtful not-reported-by-amd-smi GPU 0000:26:00.0 partition 1"],
            ),
            case(
                "nothing, and KFD says nothing",
                |seen| {
                    seen.after.kfd = None;
                    seen.sizes()[3].total = Reading::NotApplicable;
                },
                &["gap not applicable GPU 0000:26:00.0 partition 1"],
            ),
            case("without KFD the formula is enough", |seen| seen.after.kfd = None, &[]),
            case(
                "rows are joined by address",
                |seen| {
                    for row in seen.list() {
                        row.gpu = 3 - row.gpu;
                    }
                    shown(seen, 0, |bytes| bytes / 2);
                },
                &["unmet amd-smi-differs GPU 0000:26:00.0 partition 1"],
            ),
            case(
                "by order where addresses are shared",
                |seen| {
                    for row in seen.list() {
                        row.bdf = row.bdf.clone().map(crate::domain::Bdf::socket);
                    }
                    shown(seen, 1, |bytes| bytes / 2);
                },
                &["unmet amd-smi-differs GPU 0000:05:00.0 partition 1"],
            ),
            case(
                "a row too many",
                |seen| {
                    seen.after.list = None;
                    let more = seen.sizes()[3].clone();
                    seen.sizes().push(more);
                },
                &[
                    "gap not reported GPU 0 (amd-smi)",
                    "gap not reported GPU 1 (amd-smi)",
                    "gap not reported GPU 2 (amd-smi)",
                    "gap not reported GPU 3 (amd-smi)",
                    "gap not reported GPU 3 (amd-smi)",
                ],
            ),
            case("nobody asked", |seen| seen.after.memory_use = None, &["gap not reported MetricMemory"]),
        ],
    );
}

#[test]
fn a_device_that_kfd_lost_is_not_expected_of_amd_smi() {
    judge(
        &BY_FORMULA,
        &[case(
            "both show three",
            |seen| {
                seen.kfd().pop();
                seen.list().pop();
                seen.sizes().pop();
                shown(seen, 2, |bytes| bytes / 2);
            },
            &["unmet amd-smi-differs GPU 0000:26:00.0 partition 0"],
        )],
    );
}

#[test]
fn the_scenario_s_sizes_are_exact() {
    let mut seen = super::healthy();
    let mib: Vec<u64> = (0..2).map(|at| seen.kfd()[at].memory.value().unwrap().mib()).collect();
    let spec = CheckSpec::MemoryPerDevice { mib: Some(mib) };
    assert_eq!(told(&spec, &seen), [""; 0]);
    bank(&mut seen, 0, |bytes| bytes - 8192);
    assert_eq!(told(&spec, &seen)[0], "unmet kfd-differs GPU 0000:05:00.0 partition 0");
}

#[test]
fn a_guest_shares_what_it_has() {
    let vf = facts::part("mi300x").unwrap().vf_pci_ids[0];
    let mut seen = super::healthy();
    seen.become_part(vf);
    (0..4).for_each(|at| bank(&mut seen, at, |bytes| bytes / 2));
    (0..4).for_each(|at| shown(&mut seen, at, |bytes| bytes / 2));
    assert_eq!(told(&BY_FORMULA, &seen), [""; 0], "equal shares, whatever the size");
    bank(&mut seen, 1, |bytes| bytes / 2);
    assert!(!told(&BY_FORMULA, &seen).is_empty(), "unequal shares");
    seen.after.kfd = None;
    assert_eq!(told(&BY_FORMULA, &seen)[0], "gap not reported GPU 0000:05:00.0");
}

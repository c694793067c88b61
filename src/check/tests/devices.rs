//! `devices.count` and `devices.ids`.

use super::{case, judge};
use crate::domain::{CheckSpec, ComputeMode, Reading};
use crate::facts;

#[test]
fn devices_are_counted_against_the_modes() {
    judge(
        &CheckSpec::DevicesCount { per_gpu: None },
        &[
            case(
                "KFD and amd-smi both miss the last",
                |seen| drop((seen.kfd().pop(), seen.list().pop())),
                &["unmet one-short GPU 0000:26:00.0", "unmet one-short the machine"],
            ),
            case("KFD alone misses one", |seen| drop(seen.kfd().pop()), &["unmet one-short GPU 0000:26:00.0"]),
            case(
                "KFD and amd-smi both miss two",
                |seen| {
                    seen.kfd().truncate(2);
                    seen.list().truncate(2);
                },
                &["unmet count-differs GPU 0000:26:00.0", "unmet count-differs the machine"],
            ),
            case(
                "KFD has one too many",
                |seen| {
                    let mut more = seen.kfd()[3].clone();
                    more.bdf = more.bdf.map(|bdf| crate::domain::Bdf { function: 2, ..bdf });
                    seen.kfd().push(more);
                },
                &["unmet count-differs GPU 0000:26:00.0"],
            ),
            case("amd-smi alone misses one", |seen| drop(seen.list().pop()), &["unmet amd-smi-differs the machine"]),
            case(
                "without KFD one is short all the same",
                |seen| {
                    seen.after.kfd = None;
                    seen.list().pop();
                },
                &["unmet one-short the machine"],
            ),
            case("without KFD amd-smi is compared with the modes", |seen| seen.after.kfd = None, &[]),
            case("without sysfs the mode follows from the XCCs of the nodes", |seen| seen.after.sysfs = None, &[]),
            case(
                "without sysfs and without XCCs the modes are unknown",
                |seen| {
                    seen.after.sysfs = None;
                    seen.after.kfd.iter_mut().flatten().for_each(|node| node.num_xcc = Reading::NotReported);
                },
                &["gap not reported GPU 0000:05:00.0", "gap not reported GPU 0000:26:00.0"],
            ),
            case(
                "a node that cannot be read is not a missing one",
                |seen| {
                    seen.after.kfd.as_mut().unwrap().pop();
                    seen.after.kfd_hidden = vec![17];
                },
                &["gap not reported GPU 0000:26:00.0", "gap not reported amd-smi list"],
            ),
            case(
                "a mode that cannot be read",
                |seen| seen.sysfs()[1].compute = Reading::malformed("EIO", "x"),
                &["gap malformed GPU 0000:26:00.0"],
            ),
            case(
                "a mode that does not apply",
                |seen| seen.sysfs()[1].compute = Reading::NotApplicable,
                &["gap not applicable GPU 0000:26:00.0"],
            ),
            case(
                "a part nobody knows",
                |seen| seen.become_part(0x1234),
                &["gap no facts GPU 0000:05:00.0", "gap no facts GPU 0000:26:00.0"],
            ),
            case(
                "a guest has what KFD has",
                |seen| {
                    seen.become_part(facts::part("mi300x").unwrap().vf_pci_ids[0]);
                    seen.kfd().truncate(3);
                    seen.list().truncate(3);
                },
                &[],
            ),
            case(
                "neither sysfs nor KFD",
                |seen| (seen.after.sysfs, seen.after.kfd) = (None, None),
                &["gap not reported amd-smi list"],
            ),
            case("nobody asked for the list", |seen| seen.after.list = None, &["gap not reported List"]),
        ],
    );
}

#[test]
fn a_hole_is_named() {
    let mut seen = super::healthy();
    seen.kfd().remove(2);
    let made = super::evaluate(&CheckSpec::DevicesCount { per_gpu: None }, &seen);
    let short = made.findings().iter().find(|finding| finding.id() == "one-short").unwrap();
    assert_eq!(short.observed(), "1 (KFD); partition 0 is missing");
    assert_eq!(short.expected(), "2 devices in DPX");
}

#[test]
fn the_scenario_s_count_stands_above_the_modes() {
    judge(
        &CheckSpec::DevicesCount { per_gpu: Some(2) },
        &[
            case("as many", |_| {}, &[]),
            case("whatever the mode", |seen| seen.sysfs()[0].compute = Reading::Value(ComputeMode::Cpx), &[]),
            case(
                "and in a guest",
                |seen| {
                    seen.become_part(facts::part("mi300x").unwrap().vf_pci_ids[0]);
                    seen.kfd().remove(1);
                },
                &["unmet one-short GPU 0000:05:00.0"],
            ),
        ],
    );
}

#[test]
fn ids_are_complete_and_distinct() {
    judge(
        &CheckSpec::DevicesIds,
        &[
            case("an index is left out", |seen| seen.list()[3].gpu = 4, &["unmet index-hole amd-smi list"]),
            case("an index comes twice", |seen| seen.list()[3].gpu = 2, &["unmet index-hole amd-smi list"]),
            case("rows in another order", |seen| seen.list().swap(0, 3), &[]),
            case(
                "every partition has its GPU's address",
                |seen| {
                    for row in seen.list() {
                        row.bdf = row.bdf.clone().map(crate::domain::Bdf::socket);
                    }
                },
                &["unmet address-repeated amd-smi list", "unmet address-repeated amd-smi list"],
            ),
            case(
                "an address that is none",
                |seen| seen.list()[1].bdf = Reading::malformed("05:00", "x"),
                &["gap malformed GPU 1"],
            ),
            case(
                "a partition number is left out",
                |seen| seen.list()[1].partition_id = Reading::Value(2),
                &["unmet partition-hole GPU 0000:05:00.0"],
            ),
            case(
                "an older tool has no partition numbers",
                |seen| {
                    seen.list().iter_mut().for_each(|row| row.partition_id = Reading::NotReported);
                },
                &[],
            ),
            case("KFD lost partition 0", |seen| drop(seen.kfd().remove(0)), &["unmet partition-hole GPU 0000:05:00.0"]),
            case(
                "two GPUs with one UUID",
                |seen| seen.list()[2].uuid = seen.list()[0].uuid.clone(),
                &["unmet uuid-repeated amd-smi list"],
            ),
            case(
                "the partitions of a GPU share a UUID",
                |seen| seen.list()[1].uuid = seen.list()[0].uuid.clone(),
                &["doubtful uuid-shared amd-smi list"],
            ),
            case(
                "a shared UUID without addresses may be of two GPUs",
                |seen| {
                    seen.list()[1].uuid = seen.list()[0].uuid.clone();
                    seen.list()[0].bdf = Reading::NotReported;
                    seen.list()[1].bdf = Reading::NotReported;
                },
                &["unmet uuid-repeated amd-smi list", "gap not reported GPU 0", "gap not reported GPU 1"],
            ),
        ],
    );
}

#[test]
fn what_is_distinct_is_said_only_where_it_is() {
    type Spoil = fn(&mut crate::witness::Observations);
    let cases: [(Spoil, usize); 4] = [
        (|_| {}, 2),
        (|seen| seen.list()[1].bdf = seen.list()[0].bdf.clone(), 1),
        (|seen| seen.list()[1].uuid = seen.list()[0].uuid.clone(), 1),
        (
            |seen| {
                for row in seen.list() {
                    (row.bdf, row.uuid) = (Reading::NotReported, Reading::NotReported);
                }
            },
            0,
        ),
    ];
    for (spoil, count) in cases {
        let mut seen = super::healthy();
        spoil(&mut seen);
        let made = super::evaluate(&CheckSpec::DevicesIds, &seen);
        let distinct = made.findings().iter().filter(|finding| finding.expected().starts_with("distinct"));
        assert_eq!(distinct.count(), count);
    }
}

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
//! Reports that are right, and one for every way to be wrong.

use super::*;
use crate::probe::protocol::Neighbour;
use crate::probe::spec::CopyPath;

const GIB: u64 = 1 << 30;

/// A partition of 24 GiB of which so much was allocated and read back.
fn used(gib: u64) -> MemoryReport {
    MemoryReport {
        total: Bytes(24 * GIB),
        free: None,
        allocated: Bytes(gib * GIB),
        checked: Bytes(gib * GIB),
        mismatches: 0,
        refused: None,
        neighbour: None,
        copying: 0,
    }
}

fn refused(gib: u64) -> MemoryReport {
    MemoryReport { refused: Some("HIP out of memory.".to_owned()), ..used(gib) }
}

fn beside(mismatches: u64, report: MemoryReport) -> MemoryReport {
    MemoryReport { neighbour: Some(Neighbour { checked: Bytes(64 << 20), mismatches }), ..report }
}

/// The machine gives the device 24 GiB.
fn known(mode: Option<AllocMode>) -> Capacity {
    Capacity { memory: Some(Bytes(24 * GIB)), mode }
}

const CAPPED: Option<AllocMode> = Some(AllocMode::Capping);
const ALL: Option<AllocMode> = Some(AllocMode::All);
const LADDER: Memory = Memory::Ladder { percent: 90 };
const ISOLATION: Memory = Memory::Isolation { percent: 90 };
const CHURN: Memory = Memory::Churn { bytes: Bytes(GIB), times: 200 };
const COPY: Memory = Memory::Copy { bytes: Bytes(GIB), path: CopyPath::HostToDevice };

#[track_caller]
fn right(operation: &Memory, report: &MemoryReport, known: &Capacity) {
    let judged = judge(operation, report, known);
    assert!(matches!(judged, MemoryUse::Right { .. }), "{operation:?}: {judged}");
    assert_eq!(judged.failing(), None);
}

/// Wrong, with a text that holds this, and this status.
#[track_caller]
fn wrong(operation: &Memory, report: &MemoryReport, known: &Capacity, says: &str, status: &Status) {
    let judged = judge(operation, report, known);
    assert!(judged.to_string().contains(says), "{operation:?}: {judged}");
    assert_eq!(judged.failing().as_ref(), Some(status), "{judged}");
}

#[test]
fn what_a_healthy_device_does_is_right() {
    for (operation, report) in [
        (LADDER, used(22)),
        (LADDER, refused(22)),
        (ISOLATION, beside(0, used(22))),
        (CHURN, MemoryReport { checked: Bytes(4 * GIB), ..used(1) }),
        (COPY, MemoryReport { copying: 100_000_000, ..used(1) }),
        (Memory::OutOfMemory, refused(0)),
        (Memory::PastLimit, refused(23)),
        (Memory::PastLimit, beside(0, refused(24))),
    ] {
        for known in [known(CAPPED), known(None), known(ALL), Capacity::default()] {
            right(&operation, &report, &known);
        }
    }
}

#[test]
fn a_device_that_is_not_capped_may_give_out_more_than_it_reports() {
    for report in [refused(47), used(48), refused(5)] {
        right(&Memory::PastLimit, &report, &known(ALL));
    }
    right(&Memory::OutOfMemory, &used(48), &known(ALL));
    let changed = beside(1, used(48));
    wrong(&Memory::PastLimit, &changed, &known(ALL), "of the neighbouring device were changed", &Status::NumericError);
}

#[test]
fn data_that_changes_is_a_numeric_error_in_every_operation() {
    for operation in [LADDER, ISOLATION, CHURN, COPY, Memory::OutOfMemory, Memory::PastLimit] {
        let report = MemoryReport { mismatches: 3, ..beside(0, refused(22)) };
        wrong(&operation, &report, &known(CAPPED), "3 bytes of 22528 MiB do not hold", &Status::NumericError);
        let report = beside(7, refused(22));
        wrong(&operation, &report, &known(CAPPED), "7 bytes of 64 MiB of the neighbouring", &Status::NumericError);
    }
}

#[test]
fn every_other_way_to_be_wrong_is_a_failure_that_says_how() {
    for (operation, report, says) in [
        (LADDER, refused(12), "12288 MiB allocated where 22118"),
        (LADDER, refused(12), "(HIP out of memory.)"),
        (LADDER, used(21), "21504 MiB allocated where"),
        (LADDER, used(25), "25600 MiB granted on a device that is held to 24576 MiB"),
        (ISOLATION, beside(0, refused(3)), "3072 MiB allocated where"),
        (CHURN, refused(0), "refused after 0 bytes of 24576 MiB"),
        (CHURN, MemoryReport { allocated: Bytes(5), ..used(3) }, "5 bytes allocated where 1024 MiB"),
        (COPY, refused(0), "refused after"),
        (Memory::OutOfMemory, used(48), "49152 MiB granted where there are 24576 MiB, and nothing refused"),
        (Memory::PastLimit, used(48), "49152 MiB granted on a device that is held to 24576 MiB"),
        (Memory::PastLimit, refused(25), "25600 MiB granted on a device that is held to"),
        (Memory::PastLimit, used(24), "and nothing refused"),
        (Memory::PastLimit, refused(12), "refused after 12288 MiB of 24576 MiB"),
    ] {
        for known in [known(CAPPED), known(None), Capacity::default()] {
            wrong(&operation, &report, &known, says, &Status::Fail);
        }
    }
}

#[test]
fn the_whole_gpu_s_memory_on_a_partition_is_found() {
    let whole = |report: MemoryReport| MemoryReport { total: Bytes(192 * GIB), ..report };
    for operation in [LADDER, CHURN, COPY, Memory::OutOfMemory, Memory::PastLimit] {
        let says = "the runtime reports 196608 MiB where the machine gives the device 24576 MiB";
        wrong(&operation, &whole(refused(23)), &known(CAPPED), says, &Status::Fail);
    }
    // What the last memory partition lacks, and rounding, are no other size.
    let close = MemoryReport { total: Bytes(24 * GIB - (16 << 20)), ..refused(23) };
    right(&Memory::PastLimit, &close, &known(CAPPED));
    // Where nobody knows better, the runtime is believed.
    right(&LADDER, &whole(used(180)), &Capacity::default());
}

#[test]
fn of_what_was_not_looked_at_nothing_follows_for_the_device() {
    let unread = |report: MemoryReport| MemoryReport { checked: Bytes(0), ..report };
    for (operation, report, says) in [
        (LADDER, MemoryReport { checked: Bytes(GIB), ..used(22) }, "1024 MiB read back where 22528 MiB were to be"),
        (ISOLATION, used(22), "the neighbouring device's data was not looked at"),
        (CHURN, used(1), "1024 MiB read back where 3072 MiB were to be"),
        (COPY, unread(used(1)), "0 bytes read back where 1024 MiB"),
        (Memory::PastLimit, unread(refused(24)), "0 bytes read back where"),
    ] {
        let judged = judge(&operation, &report, &known(CAPPED));
        assert!(judged.to_string().contains(says), "{judged}");
        assert!(matches!(judged.failing(), Some(Status::Error { .. })), "{judged}");
    }
    // The last block of a growth that was refused may have gone for the room to compare.
    let spared = MemoryReport { checked: Bytes(22 * GIB - (300 << 20)), ..refused(22) };
    right(&LADDER, &spared, &known(CAPPED));
    // What is known all the same is said.
    let short = MemoryReport { checked: Bytes(GIB), ..used(12) };
    assert_eq!(judge(&LADDER, &short, &known(CAPPED)).failing(), Some(Status::Fail));
}

#[test]
fn a_report_that_cannot_be_is_an_error_of_the_worker_and_says_nothing_of_the_device() {
    let cannot = |operation: &Memory, report: &MemoryReport, says: &str| {
        let judged = judge(operation, report, &known(CAPPED));
        assert!(judged.to_string().contains(says), "{judged}");
        assert!(matches!(judged.failing(), Some(Status::Error { .. })), "{judged}");
    };
    cannot(&LADDER, &MemoryReport { total: Bytes(0), ..used(22) }, "a device without memory");
    cannot(
        &LADDER,
        &MemoryReport { mismatches: u64::MAX, ..used(22) },
        "bytes that came back otherwise, of 23622320128",
    );
    cannot(&LADDER, &MemoryReport { checked: Bytes(u64::MAX), ..used(22) }, "that were allocated");
    cannot(&Memory::OutOfMemory, &MemoryReport { refused: Some(" \n".to_owned()), ..used(0) }, "without a word");
    cannot(&ISOLATION, &beside(u64::MAX, used(22)), "of the neighbour that came back otherwise");
}

#[test]
fn no_numbers_make_the_judge_panic() {
    let extremes = [0, 1, GIB, u64::MAX - 1, u64::MAX];
    for operation in [
        LADDER,
        ISOLATION,
        COPY,
        Memory::OutOfMemory,
        Memory::PastLimit,
        Memory::Churn { bytes: Bytes(1 << 40), times: u32::MAX },
    ] {
        for total in extremes {
            for allocated in extremes {
                for capacity in extremes {
                    let report = MemoryReport { total: Bytes(total), allocated: Bytes(allocated), ..refused(0) };
                    let known = Capacity { memory: Some(Bytes(capacity)), mode: CAPPED };
                    let judged = judge(&operation, &report, &known);
                    let kept = serde_json::to_string(&judged).unwrap();
                    assert_eq!(serde_json::from_str::<MemoryUse>(&kept).unwrap(), judged);
                }
            }
        }
    }
}

//! What is refused, and what two looks are found to differ in. Machines are inferred from real trees in `tests/like.rs`.

use super::*;
use crate::domain::{Bytes, Reading};
use crate::witness::{KfdNode, Snapshot};

fn node(bus: u8, device_id: u16, num_xcc: u32) -> KfdNode {
    KfdNode {
        bdf: format!("0000:{bus:02x}:00.0").parse().map_or(Reading::NotReported, Reading::Value),
        device_id: Reading::Value(device_id),
        num_xcc: Reading::Value(num_xcc),
        simd_count: Reading::Value(152 * num_xcc),
        memory: Reading::Value(Bytes(206_141_652_992)),
        ..KfdNode::unread(1 + u32::from(bus), 100 + u32::from(bus))
    }
}

fn look(nodes: Vec<KfdNode>) -> Snapshot {
    Snapshot { kfd: Some(nodes), ..Snapshot::default() }
}

#[test]
fn what_cannot_be_simulated_is_refused_with_every_reason() {
    for (nodes, reasons) in [
        (vec![], vec!["no GPU", "--machine"]),
        (vec![node(1, 0x1234, 8), node(2, 0x4321, 8)], vec!["1002:1234", "1002:4321"]),
        (vec![node(1, 0x74a1, 8), node(2, 0x74a5, 8)], vec!["MI300X", "MI325X", "different parts"]),
        ((1..=9).map(|bus| node(bus, 0x74a1, 8)).collect(), vec!["9 GPUs", "at most 8"]),
        (vec![node(1, 0x74a1, 8), node(2, 0x74a1, 1)], vec!["SPX", "CPX", "different compute modes"]),
    ] {
        let told = infer(&look(nodes), None).unwrap_err().join("; ");
        for reason in reasons {
            assert!(told.contains(reason), "no {reason:?} in {told}");
        }
    }
}

#[test]
fn what_was_taken_without_being_seen_is_said() {
    let inferred = infer(&look(vec![node(1, 0x74a9, 8)]), None).unwrap();
    assert_eq!((inferred.machine.part.as_str(), inferred.machine.gpus), ("mi300x", 1));
    let not = inferred.not.join("; ");
    for word in ["74a9", "version of amd-smi", "platform", "PCI addresses"] {
        assert!(not.contains(word), "no {word:?} in {not}");
    }
}

#[test]
fn differences_are_told_once_for_all_devices_that_have_them() {
    let seen = look(vec![node(1, 0x74a1, 8), node(2, 0x74a1, 8)]);
    assert_eq!(differences(&seen, &seen), Vec::<String>::new());
    let mut made = seen.clone();
    made.kfd.iter_mut().flatten().for_each(|node| node.memory = Reading::Value(Bytes(1)));
    let told = differences(&seen, &made);
    assert!(told.len() == 1 && told[0].contains("memory of a device") && told[0].contains("(2 times)"), "{told:?}");
    assert_ne!(differences(&seen, &look(vec![])), Vec::<String>::new());
}

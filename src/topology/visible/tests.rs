use super::*;
use crate::domain::{Bytes, Reading};
use crate::witness::KfdNode;

/// Four devices with these unique ids.
fn nodes(ids: [u64; 4]) -> Vec<KfdNode> {
    (2..)
        .zip(ids)
        .map(|(node, id)| KfdNode {
            unique_id: Reading::Value(id),
            memory: Reading::Value(Bytes(1)),
            ..KfdNode::unread(node, node * 10)
        })
        .collect()
}

fn seen(nodes: &[KfdNode], filters: Filters<'_>) -> (Vec<u32>, Option<Why>) {
    let devices: Vec<_> = (0..).zip(nodes).map(|(hip_index, node)| LogicalDevice { hip_index, node }).collect();
    let visible = visible(&devices, filters);
    let last = visible.ended.last().map(|ending| ending.why);
    (visible.devices.iter().map(|device| device.hip_index).collect(), last)
}

/// As from ROCm 7.0 on: each partition has its own.
const OWN: [u64; 4] = [0x1a00_0000_0000_0001, 0x1a00_0000_0000_0002, 0x2b00_0000_0000_0003, 0];

/// As before: the partitions of a GPU share theirs.
const SHARED: [u64; 4] = [0x1a00_0000_0000_0001, 0x1a00_0000_0000_0001, 0x2b00_0000_0000_0003, 0x2b00_0000_0000_0003];

#[test]
fn a_list_of_indices_selects_and_orders_until_its_first_bad_token() {
    let nodes = nodes(OWN);
    let cases: [(&str, &[u32], Option<Why>); 20] = [
        ("0", &[0], None),
        ("3,1", &[3, 1], None),
        (" 2 ,\t0", &[2, 0], None),
        ("", &[], None),
        ("0,1,2,3,9", &[0, 1, 2, 3], None),
        ("1,4,0", &[1], Some(Why::OutOfRange)),
        ("1,-1,0", &[1], Some(Why::OutOfRange)),
        ("99999999999999999999999", &[], Some(Why::OutOfRange)),
        ("2,2,0", &[2], Some(Why::Repeated)),
        ("1,x,0", &[1], Some(Why::Bad)),
        ("1,2x", &[1], Some(Why::Bad)),
        ("1,,0", &[1], Some(Why::Bad)),
        ("1,", &[1], None),
        (",1", &[], Some(Why::Bad)),
        ("0x2,01", &[2, 1], None),
        ("08", &[], Some(Why::Bad)),
        ("GPU-2b", &[2], None),
        ("gpu-1a00000000000002,0", &[1, 0], None),
        ("GPU-2B00000000000003,2", &[2], Some(Why::Repeated)),
        ("0,GPU-1A,3", &[0], Some(Why::Shared)),
    ];
    for (list, expected, why) in cases {
        let filters = Filters { rocr: Some(list), ..Filters::default() };
        assert_eq!(seen(&nodes, filters), (expected.to_vec(), why), "{list:?}");
    }
}

#[test]
fn a_unique_id_that_is_shared_unknown_or_zero_selects_nothing() {
    for (ids, list, why) in [
        (SHARED, "GPU-1a00000000000001", Why::Shared),
        (OWN, "GPU-3c", Why::Unknown),
        (OWN, "GPU-0000000000000000", Why::Unknown),
        (OWN, "GPU-", Why::Bad),
        (OWN, "GPU-1a000000000000011", Why::Bad),
        (OWN, "GPU_1", Why::Unknown),
    ] {
        let filters = Filters { rocr: Some(list), ..Filters::default() };
        assert_eq!(seen(&nodes(ids), filters), (vec![], Some(why)), "{list}");
    }
}

#[test]
fn the_second_filter_counts_in_what_the_first_one_left() {
    let nodes = nodes(OWN);
    let cases: [(Option<&str>, Option<&str>, Option<&str>, &[u32], Option<Why>); 7] = [
        (None, None, None, &[0, 1, 2, 3], None),
        (None, Some("2"), None, &[2], None),
        (None, None, Some("1,0"), &[1, 0], None),
        (None, Some("2"), Some("1"), &[2], None),
        (Some("3,1"), Some("1"), None, &[1], None),
        // The same absolute list in both: the usual mistake.
        (Some("2,3"), Some("2,3"), None, &[], Some(Why::OutOfRange)),
        (None, Some("GPU-2b"), None, &[], Some(Why::Bad)),
    ];
    for (rocr, hip, cuda, expected, why) in cases {
        assert_eq!(seen(&nodes, Filters { rocr, hip, cuda }), (expected.to_vec(), why), "{rocr:?} {hip:?} {cuda:?}");
    }
}

//! A real host's topology, put under a host directory as it was published.

use std::path::Path;

use libtest_mimic::Trial;
use rocvet::check::Judgement::{Met, Unmet};
use rocvet::topology::{logical_devices, sockets};

use super::trees::copy;
use super::trial;

#[path = "../bed/published.rs"]
mod bed;

use bed::{Diagnosis, findings, gaps};

pub fn trials() -> Vec<Trial> {
    vec![trial(
        "a_published_mi308x_host_has_the_right_counts_memory_and_diagnosis",
        "fixtures/kfd-topology/mi308x-cpx-nps4/topology",
        a_published_mi308x_host_has_the_right_counts_memory_and_diagnosis,
    )]
}

fn a_published_mi308x_host_has_the_right_counts_memory_and_diagnosis(topology: &Path) {
    let root = tempfile::tempdir().unwrap();
    let place = root.path().join("sys/class/kfd/kfd/topology");
    copy(topology, &place);
    let diagnosis = Diagnosis::of(root.path());
    let all = sockets(&diagnosis.look);
    let modes: Vec<_> = all.iter().map(|socket| (socket.compute_in_force(), socket.memory_in_force())).collect();
    assert_eq!(modes.len(), 8);
    for (compute, memory) in &modes {
        let names = (compute.value().unwrap().name(), memory.value().unwrap().name());
        assert_eq!(names, ("CPX", "NPS4"));
    }
    assert_eq!(findings(&diagnosis.count, Met).len(), 8);
    assert_eq!(findings(&diagnosis.memory, Met).len(), 32 + 8);
    assert!(findings(&diagnosis.count, Unmet).is_empty() && findings(&diagnosis.memory, Unmet).is_empty());
    assert!(gaps(&diagnosis.count).is_empty() && gaps(&diagnosis.memory).is_empty());
    let renders = logical_devices(&diagnosis.look);
    let renders: Vec<u32> = renders.iter().map(|device| *device.node.render_minor.value().unwrap()).collect();
    assert_eq!((renders.len(), &renders[..6]), (32, &[128, 129, 130, 131, 136, 137][..]));

    // The same host with its last device gone.
    let last = all[7].nodes[3].node;
    std::fs::remove_dir_all(place.join("nodes").join(last.to_string())).unwrap();
    let diagnosis = Diagnosis::of(root.path());
    let short = findings(&diagnosis.count, Unmet);
    assert!(short.len() == 1 && short[0].ends_with("3 (KFD); partition 3 is missing"), "{short:?}");
    assert_eq!(findings(&diagnosis.memory, Met).len(), 31 + 7);
}

//! A real host's topology, put under a host directory as it was published.

use std::path::Path;

use libtest_mimic::Trial;
use rocvet::check::Judgement::{Met, Unmet};
use rocvet::check::evaluate;
use rocvet::domain::{CheckSpec, Provenance};
use rocvet::facts::model;
use rocvet::placement::{Dtype, KvDtype, Outcome, Selector, Shape, Share, Style, Wish, plan_models};
use rocvet::topology::{logical_devices, sockets};
use rocvet::witness::Observations;

use super::trees::copy;
use super::trial;

#[path = "../bed/published.rs"]
mod bed;

use bed::{Diagnosis, findings, gaps};

pub fn trials() -> Vec<Trial> {
    let topology = "fixtures/kfd-topology/mi308x-cpx-nps4/topology";
    vec![
        trial(
            "a_published_mi308x_host_has_the_right_counts_memory_and_diagnosis",
            topology,
            a_published_mi308x_host_has_the_right_counts_memory_and_diagnosis,
        ),
        trial("kfd_alone_contradicts_nobody", topology, kfd_alone_contradicts_nobody),
        trial("models_are_planned_on_a_published_mi308x_host", topology, models_are_planned_on_a_published_mi308x_host),
    ]
}

/// What the witness checks say of a host that shows KFD only: an order, and what is missing for everything else.
fn kfd_alone_contradicts_nobody(topology: &Path) {
    let root = tempfile::tempdir().unwrap();
    copy(topology, &root.path().join("sys/class/kfd/kfd/topology"));
    let after = Diagnosis::of(root.path()).look;
    let seen = Observations {
        provenance: Provenance::Recorded,
        before: None,
        sets: Vec::new(),
        runs: Vec::new(),
        probes: Vec::new(),
        after,
    };
    for (spec, met) in [
        (CheckSpec::WitnessModes, 0),
        (CheckSpec::WitnessCount, 0),
        (CheckSpec::WitnessMemory, 0),
        (CheckSpec::WitnessRenderNodes, 0),
        (CheckSpec::WitnessOrder, 1),
        (CheckSpec::WitnessHive, 0),
    ] {
        let made = evaluate(&spec, &seen);
        assert_eq!(findings(&made, Met).len(), met, "{}: {:?}", spec.id(), made.findings());
        assert_eq!(made.findings().len(), met, "{}: {:?}", spec.id(), made.findings());
        assert!(!made.complete() && made.gaps().iter().all(|gap| !gap.reason.is_empty()), "{}", spec.id());
    }
    let readable = evaluate(&CheckSpec::WitnessReadable, &seen);
    assert!(findings(&readable, Unmet).is_empty(), "{:?}", readable.findings());
    assert!(readable.gaps()[0].reason.contains("/sys/module: no such file"), "{:?}", readable.gaps());
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

    // And a simulated machine is made like it.
    let inferred = rocvet::likeness::infer(&diagnosis.look, None).unwrap();
    let machine = &inferred.machine;
    assert_eq!((machine.part.as_str(), machine.gpus), ("mi308x", 8));
    assert_eq!((machine.compute.name(), machine.memory.name()), ("CPX", "NPS4"));
    assert!(inferred.not.iter().any(|each| each.starts_with("version of amd-smi")), "{:?}", inferred.not);

    // The same host with its last device gone.
    let last = all[7].nodes[3].node;
    std::fs::remove_dir_all(place.join("nodes").join(last.to_string())).unwrap();
    let diagnosis = Diagnosis::of(root.path());
    let short = findings(&diagnosis.count, Unmet);
    assert!(short.len() == 1 && short[0].ends_with("3 (KFD); partition 3 is missing"), "{short:?}");
    assert_eq!(findings(&diagnosis.memory, Met).len(), 31 + 7);
}

fn models_are_planned_on_a_published_mi308x_host(topology: &Path) {
    let root = tempfile::tempdir().unwrap();
    copy(topology, &root.path().join("sys/class/kfd/kfd/topology"));
    let look = Diagnosis::of(root.path()).look;
    let all = sockets(&look);
    let shape = Shape::of("Qwen/Qwen2.5-14B", model("Qwen/Qwen2.5-14B").unwrap()).unwrap();
    let wish = |copies| Wish { shape: shape.clone(), dtype: Dtype::Bf16, kv: KvDtype::Auto, tokens: 8192, copies };
    let style = Style { by: Selector::Best, prefix: None };
    let planned = |copies| plan_models(&look, &all.iter().collect::<Vec<_>>(), &[wish(copies)], Share::DEFAULT, &style);

    let plan = planned(32).unwrap();
    assert_eq!((plan.outcome, plan.placed.len()), (Outcome::Now, 32));
    assert_eq!(plan.modes[0].name(), "CPX/NPS4");
    let sizes: Vec<_> = plan.modes[0].each.iter().map(|alike| (alike.count, alike.size.0)).collect();
    assert_eq!(sizes, [(24, 51_539_607_552), (8, 51_522_830_336)]);
    // The first GPU's last partition is the smallest that holds the first instance.
    let first = &plan.placed[0].recipe;
    assert_eq!((first.env[0].value.as_str(), first.docker[1].as_str()), ("3", "--device=/dev/dri/renderD131"));
    assert_eq!(first.kubernetes_mixed.as_deref(), Some("amd.com/cpx_nps4"));
    assert_eq!(planned(33).unwrap().refused.len(), 1, "a device holds one of them");
}

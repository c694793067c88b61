//! Topologies of real machines, replayed from beside the repository where they are: third-party material stays there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use rocvet::check::Judgement;
use rocvet::domain::{Provenance, StatusWord};
use rocvet::witness::kfd;

use super::support::{Bench, record};

const TOPOLOGY: &str = "../shared/fixtures/kfd-topology/mi308x-cpx-nps4/topology";

fn topology() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(TOPOLOGY);
    if !path.is_dir() {
        eprintln!("skipped: {} is not there", path.display());
        return None;
    }
    Some(path)
}

/// A recorded host of that machine: its KFD topology as it is, the partition files of its GPUs as its modes make them,
/// and no amd-smi.
fn host(bench: &Bench, topology: &Path) {
    bench.write(
        "host/host.toml",
        "kind = 'recorded'\nschema = 1\norigin = '8x MI308X in CPX/NPS4'\nwritten-by = 'a test'\n",
    );
    bench.write("host/transcripts/index.toml", "schema = 1\n");
    for entry in walkdir::WalkDir::new(topology).into_iter().flatten().filter(|entry| entry.file_type().is_file()) {
        let below = entry.path().strip_prefix(topology).unwrap().display();
        bench.write(&format!("host/sys/class/kfd/kfd/topology/{below}"), fs::read(entry.path()).unwrap());
    }
    let nodes = kfd::read_kfd(&bench.path("host/sys")).unwrap();
    let sockets: BTreeSet<_> = nodes.iter().map(|node| node.bdf.value().unwrap().socket()).collect();
    assert_eq!((nodes.len(), sockets.len()), (32, 8));
    for (card, bdf) in sockets.into_iter().enumerate() {
        let device = format!("host/sys/devices/pci0000:00/{bdf}");
        for (file, content) in [
            ("vendor", "0x1002"),
            ("device", "0x74a2"),
            ("current_compute_partition", "CPX"),
            ("available_compute_partition", "SPX, CPX"),
            ("current_memory_partition", "NPS4"),
            ("available_memory_partition", "NPS1, NPS4"),
        ] {
            bench.write(&format!("{device}/{file}"), format!("{content}\n"));
        }
        fs::create_dir_all(bench.path(&format!("host/sys/class/drm/card{card}"))).unwrap();
        let target = format!("../../../devices/pci0000:00/{bdf}");
        std::os::unix::fs::symlink(target, bench.path(&format!("host/sys/class/drm/card{card}/device"))).unwrap();
    }
}

#[test]
fn kfd_of_a_real_mi308x_has_the_memory_of_the_formula_and_amd_smi_is_not_guessed() {
    let Some(topology) = topology() else { return };
    let bench = Bench::new();
    host(&bench, &topology);
    let args = ["run", "--host", "host", "-E", "id(modes/mi308x-cpx-nps4)", "--results", "r"];
    let done = bench.run(&args);
    assert_eq!(done.code, 3, "{}", done.told());
    let record = record(&bench.only_run("r"));
    assert_eq!((record.provenance, record.cases.len()), (Provenance::Recorded, 1));
    let case = &record.cases[0];
    assert_eq!(case.status.word(), StatusWord::NotEvaluated, "{}", done.told());
    for check in &case.findings {
        assert!(check.findings.iter().all(|finding| finding.judgement() == Judgement::Met), "{}", done.told());
        let amd_smi = |text: &str| text.contains("amd-smi") || text.contains("not recorded");
        assert!(check.gaps.iter().all(|gap| amd_smi(&gap.reason) || amd_smi(&gap.subject)), "{:?}", check.gaps);
    }
    let met = |id: &str| case.findings.iter().find(|check| check.check.id() == id).unwrap().findings.len();
    assert!(met("memory.per-device") >= 32, "every device by KFD: {}", done.told());
    assert!(met("partition.legal") >= 8, "every GPU by sysfs: {}", done.told());

    // A MiB less on one device is seen.
    let bank = bench.path("host/sys/class/kfd/kfd/topology/nodes/2/mem_banks/0/properties");
    let text = fs::read_to_string(&bank).unwrap().replace("51539607552", "51538558976");
    fs::write(bank, text).unwrap();
    let done = bench.run(&args);
    assert_eq!(done.code, 1, "{}", done.told());
    assert!(done.stdout.contains("memory.per-device ["), "{}", done.told());
}

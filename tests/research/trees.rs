//! The trees of the reference machines against `make-sysfs.py`, by which the trees of the transcripts were made.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use libtest_mimic::Trial;
use rocvet::domain::{Bytes, ComputeMode, MemoryMode, Reading};
use rocvet::sim::render::sysfs::{Entry, tree};
use rocvet::sim::{Kernel, preset};
use rocvet::witness::kfd::read_kfd;
use rocvet::witness::sysfs::read_sysfs;

use super::{python_trial, trial};

pub fn trials() -> Vec<Trial> {
    let script = "tools/make-sysfs.py";
    vec![
        python_trial(
            "reference_trees_are_those_that_the_real_tool_was_run_over",
            script,
            reference_trees_are_those_that_the_real_tool_was_run_over,
        ),
        python_trial(
            "reference_trees_read_as_the_machines_that_they_describe",
            script,
            reference_trees_read_as_the_machines_that_they_describe,
        ),
        trial(
            "the_topology_of_a_real_partitioned_host_reads_to_the_byte",
            "fixtures/kfd-topology/mi308x-cpx-nps4/topology",
            the_topology_of_a_real_partitioned_host_reads_to_the_byte,
        ),
    ]
}

/// What stands at a path: the target of a link, the content and permission bits of a file, or a folder.
type Listing = BTreeMap<String, String>;

fn kernel(name: &str, compute: ComputeMode, memory: MemoryMode, gpus: u32) -> Kernel {
    let mut machine = preset::named(name).unwrap();
    (machine.compute, machine.memory, machine.gpus) = (compute, memory, gpus);
    Kernel::new(machine).unwrap()
}

fn ours(kernel: &Kernel) -> Listing {
    let mut listing = Listing::new();
    for entry in tree(&kernel.view(), kernel.machine()) {
        let Some(path) = entry.path().strip_prefix("sys/").map(str::to_owned) else { continue };
        for (at, _) in path.match_indices('/') {
            listing.entry(path[..at].to_owned()).or_insert_with(|| "dir".to_owned());
        }
        let text = match entry {
            Entry::Dir { .. } => "dir".to_owned(),
            Entry::File { content, mode, .. } => format!("{mode:o} {content:?}"),
            Entry::Link { target, .. } => target,
        };
        let twice = listing.insert(path.clone(), text);
        assert!(twice.as_deref().is_none_or(|old| old == "dir"), "{path} is written twice");
    }
    listing
}

fn theirs(root: &Path) -> Listing {
    let mut listing = Listing::new();
    for entry in walkdir::WalkDir::new(root).min_depth(1) {
        let entry = entry.unwrap();
        let kind = entry.file_type();
        let text = if kind.is_symlink() {
            fs::read_link(entry.path()).unwrap().display().to_string()
        } else if kind.is_dir() {
            "dir".to_owned()
        } else {
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            format!("{mode:o} {:?}", fs::read(entry.path()).unwrap())
        };
        listing.insert(entry.path().strip_prefix(root).unwrap().display().to_string(), text);
    }
    listing
}

fn reference_trees_are_those_that_the_real_tool_was_run_over(script: &Path) {
    let pairs = [
        ("reference-mi300x", ComputeMode::Spx, MemoryMode::Nps1),
        ("reference-mi300x", ComputeMode::Dpx, MemoryMode::Nps1),
        ("reference-mi300x", ComputeMode::Qpx, MemoryMode::Nps4),
        ("reference-mi300x", ComputeMode::Cpx, MemoryMode::Nps4),
        ("reference-mi300x", ComputeMode::Spx, MemoryMode::Nps4),
        ("reference-rx5700xt", ComputeMode::Spx, MemoryMode::Nps1),
    ];
    for (name, compute, memory) in pairs {
        for gpus in [1, 2, 8] {
            let folder = tempfile::tempdir().unwrap();
            let out = folder.path().join("sys");
            let gpu = name.trim_start_matches("reference-");
            let run = Command::new("python3")
                .arg("-B")
                .arg(script)
                .arg(&out)
                .args(["--gpu", gpu, "--mode", compute.name(), "--nps", memory.name(), "--n", &gpus.to_string()])
                .output();
            let run = run.expect("python3 runs: its trial looked");
            assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
            let (expected, found) = (theirs(&out), ours(&kernel(name, compute, memory, gpus)));
            for path in expected.keys().chain(found.keys()) {
                assert_eq!(found.get(path), expected.get(path), "{path} of {name} {compute}/{memory}, {gpus} GPUs");
            }
        }
    }
}

fn the_topology_of_a_real_partitioned_host_reads_to_the_byte(topology: &Path) {
    let root = tempfile::tempdir().unwrap();
    copy(topology, &root.path().join("class/kfd/kfd/topology"));
    let nodes = read_kfd(root.path()).unwrap();
    assert_eq!(nodes.len(), 32);
    // 192 GiB in four; the last range of each GPU ends 16 MiB early.
    for (number, node) in nodes.iter().enumerate() {
        let bytes = if number % 4 == 3 { 51_522_830_336 } else { 51_539_607_552 };
        assert_eq!(node.memory, Reading::Value(Bytes(bytes)), "node {}", node.node);
        assert_eq!(u32::from(node.bdf.value().unwrap().function), u32::try_from(number % 4).unwrap());
        assert_eq!((node.num_xcc.value(), node.device_id.value()), (Some(&1), Some(&0x74a2)));
        let minor = 128 + 8 * (number / 4) + number % 4;
        assert_eq!(node.render_minor.value().copied(), u32::try_from(minor).ok());
    }
    assert_eq!(nodes[0].gpu_id, 24248);
    assert_eq!(nodes[0].unique_id, Reading::Value(598_046_273_873_802_902));
    assert_eq!(nodes[0].bdf.value().unwrap().to_string(), "0000:0a:00.0");
}

/// Copied, because the root of a tree may be a link but nothing in it may lead outside.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

fn reference_trees_read_as_the_machines_that_they_describe(script: &Path) {
    let root = tempfile::tempdir().unwrap();
    for (gpu, mode, nps, n, nodes, bytes) in [
        ("mi300x", "CPX", "NPS4", 2, 16, 206_141_652_992 / 8),
        ("mi300x", "SPX", "NPS1", 8, 8, 206_141_652_992),
        ("rx5700xt", "SPX", "NPS1", 1, 1, 8_573_157_376),
    ] {
        let out = root.path().join(format!("{gpu}-{mode}"));
        let status = Command::new("python3")
            .arg(script)
            .arg(&out)
            .args(["--gpu", gpu, "--mode", mode, "--nps", nps, "--n", &n.to_string()])
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::null())
            .status();
        assert!(status.is_ok_and(|status| status.success()), "the generator runs: its trial looked for python3");
        let gpus = read_sysfs(&out);
        assert_eq!(gpus.len(), n, "{gpu} {mode}");
        let partable = gpu == "mi300x";
        assert_eq!(gpus[0].bdf.to_string(), "0000:05:00.0");
        assert_eq!(gpus[0].compute.value().map(|mode| mode.name()), partable.then_some(mode));
        assert_eq!(gpus[0].memory.value().map(|mode| mode.name()), partable.then_some(nps));
        let offered = Reading::Value(vec![MemoryMode::Nps1, MemoryMode::Nps4]);
        assert_eq!(gpus[0].available_memory, if partable { offered } else { Reading::NotReported });
        let kfd = read_kfd(&out).unwrap();
        assert_eq!(kfd.len(), nodes, "{gpu} {mode}");
        assert!(kfd.iter().all(|node| node.memory == Reading::Value(Bytes(bytes))), "{gpu} {mode}");
        assert_eq!(kfd.last().unwrap().bdf.value().unwrap().function, if mode == "CPX" { 7 } else { 0 });
    }
}

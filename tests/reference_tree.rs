//! The trees of the reference machines against `make-sysfs.py`, by which the trees of the transcripts were made.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use rocvet::domain::{ComputeMode, MemoryMode};
use rocvet::sim::render::sysfs::{Entry, tree};
use rocvet::sim::{Kernel, preset};

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

#[test]
fn the_reference_trees_are_those_that_the_real_tool_was_run_over() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/tools/make-sysfs.py");
    if !Path::new(script).exists() {
        eprintln!("skipped: {script} is not there");
        return;
    }
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
            let Ok(run) = run else {
                eprintln!("skipped: python3 is not there");
                return;
            };
            assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
            let (expected, found) = (theirs(&out), ours(&kernel(name, compute, memory, gpus)));
            for path in expected.keys().chain(found.keys()) {
                assert_eq!(found.get(path), expected.get(path), "{path} of {name} {compute}/{memory}, {gpus} GPUs");
            }
        }
    }
}

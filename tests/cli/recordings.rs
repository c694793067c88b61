//! The shipped recordings: made again from the same machines and compared, and run against those machines.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rocvet::run::{CaseRecord, RunRecord};

use super::support::Bench;

/// Each recording, the options of `validate shim` for its machine, and the exit code of `validate run --host` on it.
const RECORDINGS: [(&str, &str, i32); 8] = [
    ("mi300x-spx-nps1-24.5.2", "--machine mi300x --amd-smi 24.5.2", 0),
    ("mi300x-cpx-nps4-26.2.1", "--machine mi300x --amd-smi 26.2.1 --compute CPX --memory NPS4", 0),
    ("mi308x-cpx-nps4-27.1.0", "--machine mi308x --amd-smi 27.1.0 --compute CPX --memory NPS4", 0),
    ("mi300a-tpx-nps1-26.2.1", "--machine mi300a --amd-smi 26.2.1 --compute TPX", 0),
    ("mi355x-dpx-nps2-27.1.0", "--machine mi355x --amd-smi 27.1.0 --compute DPX --memory NPS2", 0),
    ("rx5700xt-26.2.1", "--machine rx5700xt --amd-smi 26.2.1", 0),
    (
        "faulty-mi300x-7-of-8",
        "--machine mi300x --amd-smi 26.2.1 --compute CPX --memory NPS4 --fault missing_last_device",
        1,
    ),
    ("faulty-mi300x-driver-missing", "--machine mi300x --amd-smi 26.2.1 --fault driver_missing", 1),
];

/// Set it to write the recordings anew.
const UPDATE: &str = "ROCVET_UPDATE_RECORDINGS";

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("recordings").join(name)
}

fn shim(bench: &Bench, dir: &str, options: &str) {
    let args: Vec<&str> = ["shim", dir, "--caller", "root"].into_iter().chain(options.split_whitespace()).collect();
    bench.must(&args);
}

#[test]
fn a_shipped_recording_is_what_record_writes_of_its_machine_today() {
    let bench = Bench::new();
    for (name, options, _) in RECORDINGS {
        shim(&bench, "host", options);
        bench.must(&["record", name, "--host", "host"]);
        if std::env::var_os(UPDATE).is_some() {
            let _ = fs::remove_dir_all(shipped(name));
            copy(&bench.path(name), &shipped(name));
        }
        let (expected, found) = (tree(&bench.path(name)), tree(&shipped(name)));
        for path in expected.keys().chain(found.keys()) {
            let same = expected.get(path) == found.get(path);
            assert!(same, "{name}/{path} is stale; {UPDATE}=1 writes it anew, and `git diff` shows what changed");
        }
    }
}

#[test]
fn nothing_else_is_shipped_and_all_of_it_is_small() {
    let entries = fs::read_dir(shipped("")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = entries.filter(|name| name != "README.md").collect();
    let mut expected: Vec<String> = RECORDINGS.iter().map(|(name, ..)| (*name).to_owned()).collect();
    names.sort();
    expected.sort();
    assert_eq!(names, expected);
    let readme = fs::read_to_string(shipped("README.md")).unwrap();
    let mut bytes = 0;
    for (name, options, _) in RECORDINGS {
        assert!(
            readme.contains(&format!("validate shim host --caller root {options}")),
            "README.md: {name}: {options}"
        );
        bytes += tree(&shipped(name)).values().map(String::len).sum::<usize>();
    }
    assert!(bytes < 1 << 20, "{bytes} bytes");
}

#[test]
fn a_recording_gives_the_verdicts_of_its_machine() {
    let bench = Bench::new();
    for (name, options, code) in RECORDINGS {
        shim(&bench, "host", options);
        let verdicts = |host: &str| {
            let done = bench.run(&["run", "--host", host, "--format", "json", "--results", "r"]);
            assert_eq!(done.code, code, "{name}: {}", done.told());
            serde_json::from_str::<RunRecord>(&done.stdout).unwrap()
        };
        let recorded = verdicts(shipped(name).to_str().unwrap());
        let live = verdicts("host");
        assert_eq!(
            (recorded.provenance.to_string(), live.provenance.to_string()),
            ("recorded".into(), "simulated".into())
        );
        assert!(!recorded.cases.is_empty());
        assert_eq!(recorded.cases.len(), live.cases.len(), "{name}");
        for (recorded, live) in recorded.cases.iter().zip(&live.cases) {
            assert_eq!(verdict(recorded), verdict(live), "{name}");
        }
    }
}

/// What must not depend on whether the host answers now or answered then: all but how long it took, and the pseudonyms of
/// what identifies the machine.
fn verdict(case: &CaseRecord) -> String {
    let findings: Vec<String> = case
        .findings
        .iter()
        .flat_map(|check| {
            // To record is to ask `partition`, which leaves xcp_config on the last profile.
            let kept = check.findings.iter().filter(|finding| !finding.subject().ends_with("xcp_config"));
            let findings = kept.map(move |finding| {
                format!("{}: {:?} {} {}", check.check, finding.judgement(), finding.id(), finding.subject())
            });
            findings.chain(check.gaps.iter().map(move |gap| format!("{}: {} {}", check.check, gap.subject, gap.reason)))
        })
        .collect();
    format!("{} {}\n{}", case.id, case.status, findings.join("\n"))
}

/// Every file with its content, and every link with its target; without what says when and by which version.
fn tree(root: &Path) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for entry in walkdir::WalkDir::new(root).into_iter().flatten() {
        let name = entry.path().strip_prefix(root).unwrap().display().to_string();
        if entry.path_is_symlink() {
            files.insert(name, fs::read_link(entry.path()).unwrap().display().to_string());
        } else if entry.file_type().is_file() {
            let text = String::from_utf8_lossy(&fs::read(entry.path()).unwrap()).into_owned();
            files.insert(name, steady(&text));
        }
    }
    files
}

/// Without how long a call took and which version wrote it, and so without the hashes of the files that say it.
fn steady(text: &str) -> String {
    let varies = |line: &str| line.starts_with("took-ms = ") || line.starts_with("written-by = ");
    let hash_of = |line: &str| line == "path = \"transcripts/index.toml\"" || line == "path = \"host.toml\"";
    let before = std::iter::once("").chain(text.lines());
    let kept = text.lines().zip(before).filter(|(line, before)| !varies(line) && !hash_of(before));
    kept.map(|(line, _)| line).collect::<Vec<_>>().join("\n")
}

fn copy(from: &Path, to: &Path) {
    for entry in walkdir::WalkDir::new(from).into_iter().flatten() {
        let target = to.join(entry.path().strip_prefix(from).unwrap());
        if entry.path_is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(entry.path()).unwrap(), target).unwrap();
        } else if entry.file_type().is_dir() {
            fs::create_dir_all(target).unwrap();
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

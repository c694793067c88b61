//! SIGINT and SIGTERM in the middle of a run: everything is written, and nothing is left running.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use rocvet::domain::StatusWord;
use rustix::process::{Pid, Signal, kill_process};

use super::support::{Bench, COUNT, events, record, scenario};

/// Processes whose environment names a host below `folder`: our own simulated tools.
pub fn children(folder: &Path) -> Vec<u32> {
    let mark = format!("ROCVET_HOST={}", folder.display());
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    ids.filter(|id| {
        fs::read(format!("/proc/{id}/environ")).is_ok_and(|text| String::from_utf8_lossy(&text).contains(&mark))
    })
    .collect()
}

#[test]
fn an_interrupted_run_keeps_its_record_and_leaves_no_process() {
    for (signal, code, faults) in [
        (Signal::INT, 130, &["hang"][..]),
        (Signal::TERM, 143, &["hang"]),
        (Signal::INT, 130, &["ignore_sigterm", "hang"]),
    ] {
        let bench = Bench::new();
        fs::create_dir(bench.path("scratch")).unwrap();
        bench.write("a.toml", scenario(&[], COUNT));
        for name in ["b.toml", "c.toml", "d.toml", "e.toml"] {
            bench.write(name, scenario(faults, COUNT));
        }
        let mut child = bench
            .command(&["run", ".", "--jobs", "2", "--results", "r"])
            .env("TMPDIR", bench.path("scratch"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Both workers are in a hanging call.
        while children(&bench.path("scratch")).len() < 2 {
            assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(code), "{signal:?} {faults:?}");
        assert_eq!(children(&bench.path("scratch")), [0; 0], "orphans");
        assert_eq!(fs::read_dir(bench.path("scratch")).unwrap().count(), 0, "scratch folders");

        let run = bench.only_run("r");
        let record = record(&run);
        let schema = serde_json::from_str(&bench.must(&["schema", "run"])).unwrap();
        let document = serde_json::from_slice(&fs::read(run.join("run.json")).unwrap()).unwrap();
        assert!(jsonschema::is_valid(&schema, &document));
        assert_eq!(i32::from(record.exit.code), code);
        assert!(record.exit.reason.contains("interrupted"), "{}", record.exit.reason);
        assert_eq!(record.cases.len(), 5, "nothing is lost");
        for case in &record.cases {
            let word = case.status.word();
            assert!(word == StatusWord::Aborted || case.id == "a" && word == StatusWord::Pass, "{}: {word}", case.id);
        }
        assert!(record.coverage.evaluated < record.coverage.planned, "aborted is not evaluated");
        assert!(
            matches!(events(&run).last(), Some(rocvet::run::Event::RunFinished { exit }) if i32::from(*exit) == code)
        );
    }
}

#[test]
fn a_recording_that_is_interrupted_is_no_host_and_leaves_no_process() {
    let bench = Bench::new();
    // By its whole path: other tests have hosts of the same name, with programs of theirs that hang.
    let host = bench.path("host");
    let name = host.to_str().unwrap();
    bench.must(&["shim", name, "--machine", "mi300x", "--fault", "hang"]);
    let mut child = bench.command(&["record", "new", "--host", name]).stderr(Stdio::null()).spawn().unwrap();
    while children(&host).is_empty() {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(143));
    let orphans: Vec<_> = children(&host);
    assert!(orphans.is_empty(), "{orphans:?}");
    assert_eq!(bench.run(&["run", "--host", "new"]).code, 64);
}

//! The scenarios of `scenarios/hardware/` on hosts of every kind: which run, which do not and why, and that none of them
//! changes a machine before it is told that it may.

use std::fs;

use rocvet::domain::StatusWord;
use rocvet::run::RunRecord;

use super::support::{Bench, Done, record};

/// A machine, the exit code of the scenarios on it, those that run, and what is said of the others.
struct Case {
    machine: &'static str,
    code: i32,
    run: &'static [&'static str],
    said: &'static [&'static str],
}

const EVERYWHERE: [&str; 3] = ["hardware/readable", "hardware/tool", "hardware/witnesses"];

const CASES: &[Case] = &[
    Case {
        machine: "--machine mi300x --gpus 8 --compute CPX --memory NPS4",
        code: 0,
        run: &["hardware/partitions"],
        said: &["for other machines", "going further than --interaction allows"],
    },
    Case { machine: "--machine mi308x --compute CPX", code: 0, run: &["hardware/partitions"], said: &[] },
    Case { machine: "--machine mi300a --gpus 4 --compute TPX", code: 0, run: &["hardware/partitions"], said: &[] },
    Case { machine: "--machine rx6800xt --gpus 2", code: 0, run: &["hardware/rdna"], said: &["for other machines"] },
    Case { machine: "--machine mi300x --vm", code: 0, run: &["hardware/partitions"], said: &[] },
    Case { machine: "MACHINE vf.toml", code: 0, run: &["hardware/guest"], said: &["for other machines"] },
    Case {
        machine: "--machine mi300x --gpus 8 --compute CPX --fault missing_last_device",
        code: 1,
        run: &["hardware/partitions"],
        said: &["63 (KFD, believed)", "amdsmi#99"],
    },
];

#[test]
fn a_host_runs_what_is_for_it_and_says_why_the_rest_is_not() {
    let bench = Bench::new();
    bench.write(
        "vf.toml",
        "name = 'vf'\npart = 'mi300x'\nplatform = 'virtual-function'\namd-smi = '27.1.0'\ncaller = 'root'\n",
    );
    for (number, Case { machine, code, run, said }) in CASES.iter().enumerate() {
        let host = format!("host{number}");
        let mut shim = vec!["shim", host.as_str()];
        let machine = machine.replace("MACHINE", "--machine");
        shim.extend(machine.split(' '));
        if !machine.contains("vf.toml") {
            shim.extend(["--caller", "root"]);
        }
        bench.must(&shim);
        let done = bench.run(&["run", "--host", &host, "-E", "id(hardware/)", "--results", &host_results(number)]);
        assert_eq!(done.code, *code, "{machine}: {}", done.told());
        let record = record(&bench.only_run(&host_results(number)));
        let mut expected: Vec<&str> = EVERYWHERE.iter().chain(*run).copied().collect();
        expected.sort_unstable();
        assert_eq!(scenarios(&record), expected, "{machine}");
        for words in *said {
            assert!(done.stdout.contains(words), "{machine}: no {words:?} in {}", done.stdout);
        }
    }
}

fn host_results(number: usize) -> String {
    format!("results{number}")
}

/// Scenarios that were run, in order.
fn scenarios(record: &RunRecord) -> Vec<&str> {
    let ids = record.cases.iter().map(|case| case.id.split("::").next().unwrap());
    let mut ids: Vec<&str> = ids.collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

#[test]
fn a_part_in_no_table_fails_nothing_and_passes_nothing_that_needs_one() {
    let bench = Bench::new();
    bench.must(&["shim", "sim", "--machine", "mi300x", "--gpus", "2", "--fault", "unknown_part", "--caller", "root"]);
    let done = bench.run(&["run", "--host", "sim", "-E", "id(hardware/)", "--results", "r"]);
    assert_eq!(done.code, 3, "{}", done.told());
    let record = record(&bench.only_run("r"));
    for case in &record.cases {
        let known = EVERYWHERE.iter().any(|id| case.id.starts_with(id));
        let expected = if known { StatusWord::Pass } else { StatusWord::NotEvaluated };
        assert_eq!(case.status.word(), expected, "{}: {}", case.id, case.status);
    }
    assert!(done.stdout.contains("no part with this PCI device id is known"), "{}", done.stdout);
}

#[test]
fn a_mode_is_changed_only_with_leave_and_is_as_before_at_the_end() {
    let bench = Bench::new();
    bench.must(&["shim", "sim", "--machine", "mi300x", "--gpus", "2", "--caller", "root"]);
    let id = "id(hardware/reconfigure)";
    let run = |level: Option<&str>| -> Done {
        let mut args = vec!["run", "--host", "sim", "-E", id, "--results", "r"];
        args.extend(level.into_iter().flat_map(|level| ["--interaction", level]));
        bench.run(&args)
    };
    let before = fs::read(bench.path("sim/state.json")).unwrap();
    for level in [None, Some("observe"), Some("exercise")] {
        let done = run(level);
        assert_eq!(done.code, 4, "{level:?}: {}", done.told());
        assert!(done.stderr.contains("going further than --interaction allows"), "{level:?}: {}", done.told());
        assert_eq!(fs::read(bench.path("sim/state.json")).unwrap(), before, "{level:?} changed the machine");
    }
    let done = run(Some("reconfigure"));
    assert_eq!(done.code, 0, "{}", done.told());
    assert_eq!(record(&bench.only_run("r")).cases.len(), 1);
    let after = fs::read(bench.path("sim/state.json")).unwrap();
    let state: serde_json::Value = serde_json::from_slice(&after).unwrap();
    assert_eq!(state["compute"], serde_json::json!(["SPX", "SPX"]), "{state}");
    assert_ne!(after, before, "it went somewhere in between");
}

//! Every exit code that a command can end with, and what it says then.

use super::interrupt::children;
use super::support::{Bench, COUNT, record, scenario};

struct Case {
    name: &'static str,
    args: &'static [&'static str],
    code: i32,
    /// What one of the streams says.
    says: &'static str,
}

fn bench() -> Bench {
    let bench = Bench::new();
    bench.write("pass.toml", scenario(&[], COUNT));
    bench.write("fail.toml", scenario(&["wrong_memory=1024MiB"], "[[check]]\nid = 'memory.per-device'"));
    bench.write(
        "better.toml",
        scenario(&[], "[[check]]\nid = 'devices.count'\nexpect = 'unmet'\nfinding = 'one-short'"),
    );
    bench.write("gap.toml", scenario(&["driver_missing"], COUNT));
    bench.write("typo.toml", scenario(&[], COUNT).replace("title", "titel"));
    bench.write("file", "");
    bench.must(&["shim", "empty-host", "--machine", "mi300x", "--fault", "driver_missing"]);
    bench
}

const CASES: &[Case] = &[
    Case { name: "everything met", args: &["run", "pass.toml"], code: 0, says: "1 case: 1 pass" },
    Case { name: "run is the default command", args: &["pass.toml"], code: 0, says: "1 case: 1 pass" },
    Case { name: "a failure", args: &["run", "fail.toml", "pass.toml"], code: 1, says: "exit 1: 1 failed" },
    Case { name: "a failure beside a gap", args: &["run", "fail.toml", "gap.toml"], code: 1, says: "exit 1: 1 failed" },
    Case { name: "only better than expected", args: &["run", "better.toml"], code: 2, says: "passed where a failure" },
    Case { name: "a gap", args: &["run", "gap.toml", "pass.toml"], code: 3, says: "1 of 2 checks evaluated; 1 not: 1" },
    Case {
        name: "a gap beside something better",
        args: &["run", "gap.toml", "better.toml"],
        code: 3,
        says: "not everything was evaluated",
    },
    Case {
        name: "a host that does not say what it is",
        args: &["run", "pass.toml", "--host", "empty-host"],
        code: 3,
        says: "cannot tell whether it applies",
    },
    Case {
        name: "nothing matched",
        args: &["run", "pass.toml", "-E", "none()"],
        code: 4,
        says: "1 left out by the filter",
    },
    Case { name: "nothing listed", args: &["list", "pass.toml", "-E", "none()"], code: 4, says: "" },
    Case { name: "an option that is not there", args: &["run", "--nonsense"], code: 64, says: "--nonsense" },
    Case { name: "a value out of range", args: &["run", "--jobs", "0"], code: 64, says: "1..=1024" },
    Case {
        name: "a format that is not there",
        args: &["run", "--format", "xml"],
        code: 64,
        says: "human, json, junit",
    },
    Case {
        name: "host and hardware",
        args: &["run", "--host", "x", "--hardware"],
        code: 64,
        says: "cannot be used with",
    },
    Case { name: "no such scenario", args: &["absent.toml"], code: 64, says: "there is no such scenario file" },
    Case { name: "a key that is not there", args: &["run", "typo.toml"], code: 64, says: "did you mean `title`" },
    Case { name: "a filter that is not closed", args: &["run", "-E", "tag(x"], code: 64, says: "not closed" },
    Case { name: "no such host", args: &["run", "--host", "absent"], code: 64, says: "absent" },
    Case { name: "a folder that is no host", args: &["run", "--host", "."], code: 64, says: "host.toml" },
    Case {
        name: "nothing is called so",
        args: &["explain", "contradiction.48"],
        code: 0,
        says: "contradiction.48-vs-24",
    },
    Case {
        name: "an id with a mistake",
        args: &["explain", "contradiction.48-vs-25"],
        code: 64,
        says: "nearest: contradiction.48-vs-24",
    },
    Case {
        name: "no such schema",
        args: &["schema", "host"],
        code: 64,
        says: "scenario, run, events, baseline, matrix, diff, machine",
    },
    Case { name: "no such machine", args: &["shim", "x", "--machine", "mi300"], code: 64, says: "nearest: mi300" },
    Case {
        name: "a machine that cannot be",
        args: &["shim", "x", "--machine", "mi300x", "--memory", "NPS4"],
        code: 64,
        says: "SPX is not legal with NPS4",
    },
    Case { name: "no such shell", args: &["completions", "tcsh"], code: 64, says: "bash" },
    Case { name: "no such page", args: &["man", "absent"], code: 64, says: "absent" },
    Case {
        name: "a recording over something",
        args: &["record", "file", "--host", "empty-host"],
        code: 64,
        says: "file is there already",
    },
    Case { name: "no GPU", args: &["run", "--hardware"], code: 69, says: "no AMD GPU here" },
    Case { name: "no GPU to record", args: &["record", "new"], code: 69, says: "validate shim" },
    Case {
        name: "results that cannot be written",
        args: &["run", "pass.toml", "--results", "file/below"],
        code: 69,
        says: "`--results DIR` names another folder",
    },
    Case {
        name: "a report that cannot be written",
        args: &["run", "pass.toml", "--format", "junit=file/below.xml"],
        code: 69,
        says: "write file/below.xml",
    },
    Case { name: "help", args: &["--help"], code: 0, says: "Exit codes:" },
    Case { name: "version", args: &["--version"], code: 0, says: env!("CARGO_PKG_VERSION") },
];

#[test]
fn every_ending_has_its_exit_code_and_says_why() {
    let bench = bench();
    for case in CASES {
        let has_gpu = std::path::Path::new("/sys/class/kfd/kfd/topology/nodes/1").exists();
        if has_gpu && case.code == 69 && case.name.starts_with("no GPU") {
            eprintln!("skipped where there is a GPU: {}", case.name);
            continue;
        }
        let done = bench.run(case.args);
        assert_eq!(done.code, case.code, "{}: {:?}\n{}", case.name, case.args, done.told());
        assert!(done.told().contains(case.says), "{}: {:?} is not in\n{}", case.name, case.says, done.told());
        assert!(!done.told().contains("panicked"), "{}: {}", case.name, done.told());
        if case.code >= 64 {
            assert!(done.stdout.is_empty(), "{}: an error goes to standard error: {}", case.name, done.stdout);
            assert!(done.stderr.starts_with("error"), "{}: {}", case.name, done.stderr);
        }
    }
}

#[test]
fn a_tool_of_ours_that_breaks_is_70_and_loses_no_case() {
    let bench = Bench::new();
    // The first case takes the scratch folder away from the second while it waits for its own tool.
    bench.write("a.toml", scenario(&["hang"], COUNT));
    bench.write("b.toml", scenario(&[], COUNT));
    std::fs::create_dir(bench.path("scratch")).unwrap();
    let mut command = bench.command(&["run", "a.toml", "b.toml", "--jobs", "1", "--deadline", "3", "--results", "r"]);
    let mut child = command.env("TMPDIR", bench.path("scratch")).stderr(std::process::Stdio::null()).spawn().unwrap();
    let begun = || {
        let run = std::fs::read_dir(bench.path("r")).ok().and_then(|mut runs| runs.next());
        let events = run.map(|run| run.unwrap().path().join("events.jsonl"));
        events.and_then(|path| std::fs::read_to_string(path).ok()).is_some_and(|text| text.contains("case-started"))
    };
    while !begun() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before its first case");
        std::thread::yield_now();
    }
    // Not while the first case still makes its host: making it would make the folder again. Once its tool is there it hangs.
    while children(&bench.path("scratch")).is_empty() {
        std::thread::yield_now();
    }
    std::fs::rename(bench.path("scratch"), bench.path("gone")).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(70));
    let record = record(&bench.only_run("r"));
    let statuses: Vec<_> = record.cases.iter().map(|case| case.status.word().name()).collect();
    assert_eq!(statuses.last(), Some(&"error"));
    assert_eq!(record.cases.len(), 2);
    assert!(record.exit.reason.contains("error of rocvet"), "{}", record.exit.reason);
}

#[test]
fn the_table_of_help_lists_every_code_of_these_tests() {
    let help = Bench::new().must(&["--help"]);
    let table = help.split("Exit codes:").nth(1).unwrap();
    let codes: Vec<String> = CASES.iter().map(|case| case.code.to_string()).collect();
    for code in codes.iter().map(String::as_str).chain(["70", "130", "143"]) {
        let listed = table.lines().any(|line| line.split([' ', ',']).any(|word| word == code));
        assert!(listed, "{code} is not in {table}");
    }
}

//! Input that is broken or hostile: a clear error that names file, line and key, bounded memory, nothing lost.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;

use rocvet::domain::StatusWord;
use rocvet::process::{Limits, Spec};

use super::support::{Bench, COUNT, Done, events, record, scenario};

/// Most memory that any of these may take, in KiB.
const MEMORY: u32 = 256 << 10;

/// Runs `validate` with so much memory and no more: the kernel refuses what is over it, and that ends the process.
fn limited(bench: &Bench, kib: u32, args: &[&str]) -> Done {
    let program = bench.command(args);
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &format!("ulimit -d {kib}; exec \"$0\" \"$@\"")]).arg(program.get_program()).args(args);
    shell.current_dir(bench.path("")).env("HOME", bench.path("")).stdin(std::process::Stdio::null());
    Done::of(&mut shell)
}

/// What is broken, how, what is called then, its exit code, and what the message names.
type Case = (&'static str, fn(&Bench), &'static [&'static str], i32, &'static [&'static str]);

const ON_HOST: &[&str] = &["run", "good.toml", "--host", "host"];

const CASES: &[Case] = &[
    (
        "a scenario that ends in the middle",
        |bench| bench.write("bad.toml", &scenario(&[], COUNT)[..60]),
        &["run", "bad.toml", "good.toml"],
        64,
        &["bad.toml:4:", "unclosed table"],
    ),
    (
        "a scenario of 100 MB",
        |bench| File::create(bench.path("bad.toml")).unwrap().set_len(100 << 20).unwrap(),
        &["run", "bad.toml"],
        64,
        &["bad.toml", "MiB"],
    ),
    (
        "a scenario without end",
        |bench| symlink("/dev/zero", bench.path("bad.toml")).unwrap(),
        &["run", "bad.toml"],
        64,
        &["bad.toml", "neither a file nor a folder"],
    ),
    (
        "a pipe that nobody writes into",
        |bench| {
            let mode = rustix::fs::Mode::RWXU;
            rustix::fs::mknodat(rustix::fs::CWD, bench.path("bad.toml"), rustix::fs::FileType::Fifo, mode, 0).unwrap();
        },
        &["run", "bad.toml"],
        64,
        &["bad.toml", "neither a file nor a folder"],
    ),
    (
        "bytes that are no text",
        |bench| bench.write("bad.toml", b"title = '\xff\xfe'"),
        &["run", "bad.toml"],
        64,
        &["bad.toml", "UTF-8"],
    ),
    (
        "a machine outside of the scenario's folder",
        |bench| bench.write("bad.toml", scenario(&[], COUNT).replace("'mi300x'", "'../../etc/passwd'")),
        &["run", "bad.toml"],
        64,
        &["bad.toml:7:", "../../etc/passwd"],
    ),
    (
        "a scenario folder with a link that leads out",
        |bench| {
            bench.write("folder/a.toml", scenario(&[], COUNT));
            symlink("/etc/passwd", bench.path("folder/b.toml")).unwrap();
        },
        &["run", "folder"],
        64,
        &["b.toml"],
    ),
    (
        "a command that writes a file",
        |bench| {
            bench.write(
                "bad.toml",
                scenario(&[], "[[step]]\nrun = ['list', '--file', '/tmp/x']\n[[check]]\nid = 'amd-smi.json'"),
            )
        },
        &["run", "bad.toml"],
        64,
        &["bad.toml:", "--file"],
    ),
    (
        "a machine file that means nothing",
        |bench| bench.write("bad.toml", "name = 'x'\npart = 'mi300x'\ngpu = 3\n"),
        &["shim", "new", "--machine", "./bad.toml"],
        64,
        &["bad.toml", "line 3", "gpu"],
    ),
    (
        "a folder that is no host",
        |bench| fs::create_dir(bench.path("host")).unwrap(),
        ON_HOST,
        64,
        &["host", "host.toml"],
    ),
    (
        "a host of a later version",
        |bench| spoil(bench, "host.toml", |text| text.replace("schema = 1", "schema = 9")),
        ON_HOST,
        64,
        &["host.toml", "`schema`", "9", "reads 1"],
    ),
    (
        "a machine that is no TOML",
        |bench| spoil(bench, "machine.toml", |_| "part = [".to_owned()),
        ON_HOST,
        64,
        &["machine.toml", "line 1"],
    ),
    (
        "a machine that cannot be",
        |bench| spoil(bench, "machine.toml", |text| text.replace("gpus = 1", "gpus = 4000000000")),
        ON_HOST,
        64,
        &["machine.toml", "gpus", "between 1 and 8"],
    ),
    (
        "a state that is no JSON",
        |bench| spoil(bench, "state.json", |_| "{\"schema\": ".to_owned()),
        ON_HOST,
        64,
        &["state.json", "line 1"],
    ),
    (
        "a state of another machine",
        |bench| spoil(bench, "state.json", |text| text.replace("\"SPX\"", "\"SPX\", \"SPX\"")),
        ON_HOST,
        64,
        &["state.json"],
    ),
    (
        "a state without end",
        |bench| {
            spoil(bench, "state.json", |text| text.to_owned());
            File::options().write(true).open(bench.path("host/state.json")).unwrap().set_len(1 << 32).unwrap();
        },
        ON_HOST,
        64,
        &["state.json"],
    ),
    (
        "a recording whose host file is a link that leads out",
        |bench| {
            recording(bench, "schema = 1\n");
            fs::remove_file(bench.path("host/host.toml")).unwrap();
            symlink("/etc/passwd", bench.path("host/host.toml")).unwrap();
        },
        ON_HOST,
        64,
        &["host.toml"],
    ),
    (
        "a recording with an output outside of it",
        |bench| recording(bench, &call("stdout = '../../secret'")),
        ON_HOST,
        64,
        &["transcripts/index.toml", "call[0].stdout", "../../secret"],
    ),
    (
        "a recording with a link to an output outside of it",
        |bench| {
            recording(bench, &call("stdout = 'out'"));
            symlink("/etc/passwd", bench.path("host/transcripts/out")).unwrap();
        },
        ON_HOST,
        64,
        &["transcripts/index.toml", "call[0].stdout"],
    ),
    (
        "a recording with an output of 1 GB",
        |bench| {
            recording(bench, &call("stdout = 'out'"));
            File::create(bench.path("host/transcripts/out")).unwrap().set_len(1 << 30).unwrap();
        },
        ON_HOST,
        64,
        &["call[0].stdout"],
    ),
    (
        "a recording of more calls than any has",
        |bench| {
            let calls: String = (0..5000)
                .map(|at| call("").replace("version", &format!("v{at}")).replace("schema = 1\n", ""))
                .collect();
            recording(bench, &format!("schema = 1\n{calls}"));
        },
        ON_HOST,
        64,
        &["transcripts/index.toml", "5000 calls", "4096"],
    ),
    (
        "a recording whose index is too large",
        |bench| recording(bench, &"# a comment\n".repeat(1 << 20)),
        ON_HOST,
        64,
        &["transcripts/index.toml"],
    ),
    (
        "a recording without an index",
        |bench| {
            recording(bench, "");
            fs::remove_file(bench.path("host/transcripts/index.toml")).unwrap();
        },
        ON_HOST,
        64,
        &["transcripts/index.toml", "no such file"],
    ),
];

/// A simulated host with one file changed.
fn spoil(bench: &Bench, file: &str, change: fn(&str) -> String) {
    bench.must(&["shim", "host", "--machine", "mi300x"]);
    let path = bench.path("host").join(file);
    let before = fs::read_to_string(&path).unwrap();
    let after = change(&before);
    fs::write(path, after).unwrap();
}

/// A recorded host with this index.
fn recording(bench: &Bench, index: &str) {
    bench.write("host/host.toml", "kind = 'recorded'\nschema = 1\norigin = 'a test'\nwritten-by = 'a test'\n");
    bench.write("host/transcripts/index.toml", index);
}

fn call(streams: &str) -> String {
    format!(
        "schema = 1\n[[call]]\nargs = ['version', '--json']\ntook-ms = 1\n{streams}\nended = {{ how = 'exited', code = 0 }}\n"
    )
}

#[test]
fn bad_input_is_an_error_that_names_it_in_little_memory() {
    for (name, prepare, args, code, names) in CASES {
        let bench = Bench::new();
        bench.write("good.toml", scenario(&[], COUNT));
        prepare(&bench);
        let done = limited(&bench, MEMORY, args);
        assert_eq!(done.code, *code, "{name}: {}", done.told());
        for part in *names {
            assert!(done.stderr.contains(part), "{name}: {part:?} is not in\n{}", done.stderr);
        }
        assert!(done.stderr.starts_with("error") && done.stderr.len() < 4000, "{name}: {}", done.stderr);
        assert!(!done.stderr.contains("root:x:"), "{name}: it shows what it must not read\n{}", done.stderr);
        assert!(!bench.path("results").exists() && !bench.path(".local").exists(), "{name}: nothing ran");
    }
}

#[test]
fn a_tree_that_leads_out_of_a_recording_is_not_read() {
    let bench = Bench::new();
    bench.write("good.toml", scenario(&[], COUNT));
    bench.must(&["shim", "sim", "--machine", "mi300x"]);
    bench.must(&["record", "host", "--host", "sim"]);
    let observed = |results: &str| {
        limited(&bench, MEMORY, &[ON_HOST, &["--results", results]].concat());
        let record = record(&bench.only_run(results));
        let findings = record.cases[0].findings.iter().flat_map(|check| &check.findings);
        findings.map(|finding| finding.observed().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(observed("inside"), ["1 (KFD)", "1 (amd-smi list)"]);
    let nodes = bench.path("host/sys/class/kfd/kfd/topology/nodes");
    fs::rename(&nodes, bench.path("nodes")).unwrap();
    symlink(bench.path("nodes"), &nodes).unwrap();
    // With its manifest the recording is refused before anything is read of it.
    fs::remove_file(bench.path("host/manifest.toml")).unwrap();
    assert_eq!(observed("outside"), ["1 (amd-smi list)"], "the same nodes, out of its root");
}

/// Every check, with a look before and one after: all calls that a case can make.
const EVERYTHING: &str = "[observe]\nask = ['version', 'list', 'static-partition', 'partition', 'static-vram', 'metric-memory']\n\
    [[check]]\nid = 'memory.per-device'\n[[check]]\nid = 'partition.profiles'\n[[check]]\nid = 'devices.ids'\n\
    [[check]]\nid = 'amd-smi.json'\n[[check]]\nid = 'amd-smi.version'\nversion = '26.2.1'\n";

#[test]
fn a_tool_that_prints_a_gigabyte_costs_neither_memory_nor_the_other_cases() {
    let bench = Bench::new();
    for (name, faults) in [("a.toml", &["flood=1GB"][..]), ("b.toml", &["flood=1GB"]), ("c.toml", &[])] {
        bench.write(name, scenario(faults, EVERYTHING));
    }
    let args = ["run", "a.toml", "b.toml", "c.toml", "--jobs", "2", "--results", "r"];
    let done = limited(&bench, MEMORY, &args);
    // The JSON check sees what is no JSON.
    assert!([1, 3].contains(&done.code), "{}", done.told());
    assert!(done.stdout.contains("more than the cap"), "{}", done.stdout);
    assert!(done.stdout.len() < 20_000, "{} bytes of report", done.stdout.len());
    let run = bench.only_run("r");
    let record = record(&run);
    let words: Vec<_> = record.cases.iter().map(|case| case.status.word()).collect();
    assert_eq!(words.len(), 3);
    assert!(words[0] != StatusWord::Pass && words[1] != StatusWord::Pass, "{words:?}");
    assert_eq!(words[2], StatusWord::Pass, "{}", done.stdout);
    assert_eq!(events(&run).len(), 8);
    let evidence = fs::read(run.join(record.cases[0].evidence.as_ref().unwrap()).join("calls.txt")).unwrap();
    assert!(evidence.len() < 10 << 20, "{}", evidence.len());
    assert!(String::from_utf8_lossy(&evidence).contains("bytes more are not kept"));

    let starved = limited(&bench, 16 << 10, &args);
    assert_eq!(starved.code, -1, "the limit is one: {}", starved.told());
}

#[test]
fn any_program_that_prints_without_end_is_stopped_at_the_cap() {
    let limits = Limits { output: 1 << 20, ..Limits::default() };
    let args = ["-c", "while :; do echo y; done"].map(Into::into).to_vec();
    let outcome = rocvet::process::run(&Spec { args, limits, ..Spec::new(Path::new("/bin/sh")) });
    assert_eq!(outcome.ended.to_string(), "stopped: it printed more than the cap");
    assert_eq!(outcome.stdout.len(), 1 << 20);
}

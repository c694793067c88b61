//! What a person sees: the report at several widths, with and without colour, and streams that go away.

use std::io::Read as _;
use std::process::Stdio;

use rocvet::report::{self, Paper, Style};

use super::support::{Bench, COUNT, record, scenario, snapshot, steady};

fn bench() -> Bench {
    let bench = Bench::new();
    bench.write("pass.toml", scenario(&[], COUNT));
    bench.write("fail.toml", scenario(&["wrong_memory=1024MiB"], "[[check]]\nid = 'memory.per-device'"));
    bench.write("gap.toml", scenario(&["driver_missing"], COUNT));
    bench
}

#[test]
fn a_report_says_what_failed_expected_observed_source_and_the_next_step() {
    let bench = bench();
    let done = bench.run(&["run", "fail.toml", "gap.toml", "pass.toml", "--results", "r"]);
    snapshot("report", &steady(&done.stdout, &bench));
    assert_eq!(steady(&done.stderr, &bench), "results  r/RUN\n");
    for word in ["expected", "observed", "source", "next", "why", "evidence", "again", "checks evaluated"] {
        assert!(done.stdout.contains(word), "{word}");
    }
}

#[test]
fn each_kind_of_finding_has_its_own_next_step() {
    let bench = bench();
    let machine = "machine = 'rx5700xt'\namd-smi = '27.1.0'\ntuning = { cmdline = 'amdgpu.runpm=0' }";
    let demand = "required = { cwsr_enable = 0 }\nbanned = ['runpm', 'iommu']";
    let check = format!("[[check]]\nid = 'kernel.parameters'\n{demand}");
    bench.write("both.toml", format!("title = 't'\nwhy = 'w'\nsource = 's'\n[simulate]\n{machine}\n{check}\n"));
    let told = bench.run(&["run", "both.toml", "--results", "r"]).stdout;
    let told: Vec<&str> = told.lines().map(str::trim).filter(|line| line.starts_with(['x', 'n'])).collect();
    let [other, set, banned, take] = told.as_slice() else { panic!("{told:?}") };
    assert!(other.contains("[other-value]") && set.contains("put it on the kernel's command line"), "{told:?}");
    assert!(banned.contains("[banned]") && take.contains("take it off"), "{told:?}");
}

#[test]
fn a_pipe_gets_neither_colour_nor_a_progress_bar() {
    let bench = bench();
    for (variable, value, coloured) in
        [("LANG", "C", false), ("NO_COLOR", "1", false), ("CLICOLOR_FORCE", "1", true), ("TERM", "dumb", false)]
    {
        let mut command = bench.command(&["run", "fail.toml", "--results", "r"]);
        let done = super::support::Done::of(command.env(variable, value));
        assert_eq!(done.stdout.contains('\u{1b}'), coloured, "{variable}: {}", done.stdout);
        assert!(!done.stderr.contains('\r') && done.stderr.lines().count() == 1, "{variable}: {}", done.stderr);
    }
}

#[test]
fn the_same_command_is_told_that_runs_a_case_again() {
    let bench = bench();
    let told = bench.run(&["run", "fail.toml", "pass.toml", "--results", "r"]).stdout;
    let again = told.lines().find_map(|line| line.trim().strip_prefix("again")).unwrap();
    let words: Vec<&str> = again.split_whitespace().map(|word| word.trim_matches('\'')).skip(1).collect();
    assert_eq!(words, ["run", "fail.toml", "pass.toml", "-E", "id(fail)"]);
    let words: Vec<&str> = words.into_iter().chain(["--results", "r"]).collect();
    let done = bench.run(&words);
    assert_eq!(done.code, 1);
    assert!(done.stdout.contains("1 of 2 cases selected; not: 1 left out by the filter"), "{}", done.stdout);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let bench = bench();
    for args in
        [&["list"][..], &["explain"], &["schema", "run"], &["run", "fail.toml", "--format", "json", "--results", "r"]]
    {
        let mut child = bench.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        let code = child.wait().unwrap().code();
        assert_eq!(code, Some(i32::from(args[0] == "run")), "{args:?}: {stderr}");
        assert!(!stderr.contains("panicked"), "{args:?}: {stderr}");
    }
}

#[test]
fn a_full_device_is_an_error() {
    let bench = bench();
    let full = std::fs::File::create("/dev/full").unwrap();
    let output = bench.command(&["list"]).stdout(full).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(69), "{output:?}");
}

#[test]
fn lines_are_broken_where_a_terminal_ends() {
    let bench = bench();
    bench.run(&["run", "fail.toml", "gap.toml", "--results", "r"]);
    let record = record(&bench.only_run("r"));
    for width in [80, 120] {
        let paper = Paper { style: Style::Coloured, width: Some(width) };
        let text = String::from_utf8(report::render(report::Kind::Human, &record, paper).unwrap()).unwrap();
        assert!(text.contains('\u{1b}'));
        let plain = anstream::adapter::strip_str(&text).to_string();
        for line in plain.lines().filter(|line| !line.trim_start().starts_with("again")) {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
        snapshot(&format!("report-{width}"), &steady(&plain, &bench));
    }
}

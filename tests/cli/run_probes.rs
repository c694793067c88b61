//! Probes as steps of `validate run`: the words of their failures, the evidence that is kept, and where none can run.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use rocvet::domain::StatusWord;

use super::support::{Bench, record};

/// A scenario of one probe, in a file of this name.
fn probe(bench: &Bench, name: &str, faults: &str, step: &str) {
    let text = format!(
        "title = 't'\nwhy = 'w'\nsource = 's'\nlevel = 'exercise'\n[applies]\n[simulate]\nmachine = 'rx6800xt'\n\
         amd-smi = '27.1.0'\nfaults = [{faults}]\n[[step]]\nprobe = {{ {step} }}\n[[check]]\nid = 'probe.outcome'\n\
         [[check]]\nid = 'probe.numbers'\n[[check]]\nid = 'fallback.taken'\n"
    );
    bench.write(name, text);
}

const ADD: &str = "work = 'add/f32/16x16'";

#[test]
fn a_case_that_fails_has_the_word_of_what_happened_in_every_report() {
    for (fault, step, word, shown) in [
        ("'probe=hsa_hw_exception'", ADD, StatusWord::Crash, "crash(SIGABRT)"),
        ("'probe=hang'", "work = 'add/f32/16x16', deadline = '1s'", StatusWord::Hang, "hang"),
        ("'probe=wrong_number'", ADD, StatusWord::NumericError, "numeric-error"),
        ("'probe=no_backend'", ADD, StatusWord::CpuFallback, "cpu-fallback"),
        ("'probe=anothers_reset'", ADD, StatusWord::Collateral, "collateral"),
        ("'probe=hang@every=2'", "work = 'add/f32/16x16', deadline = '1s', processes = 2", StatusWord::Flaky, "flaky"),
        ("'probe=miopen_status'", ADD, StatusWord::Fail, "fail"),
    ] {
        let bench = Bench::new();
        probe(&bench, "one.toml", fault, step);
        let formats = ["--format", "human", "--format", "junit=report.xml"];
        let done = bench.run(&[&["run", "one.toml", "--results", "results"], &formats[..]].concat());
        assert_eq!(done.code, 1, "{fault}: {}", done.told());
        let run = bench.only_run("results");
        let record = record(&run);
        assert_eq!(
            (record.cases[0].status.word(), record.cases[0].status.to_string().as_str()),
            (word, shown),
            "{fault}"
        );
        assert!(done.stdout.starts_with(&format!("{}  one", word.name().to_uppercase())), "{fault}: {}", done.stdout);
        let junit = fs::read_to_string(bench.path("report.xml")).unwrap();
        assert!(junit.contains(&format!("type=\"{}\"", word.name())), "{fault}: {junit}");
        let evidence = run.join(record.cases[0].evidence.as_ref().unwrap()).join("probes.jsonl");
        let lines = fs::read_to_string(evidence).unwrap();
        for line in lines.lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let again = line["again"].as_str().unwrap();
            assert!(again.starts_with("validate probe add/f32/16x16 --seed 1 --engine simulated --host "), "{again}");
            assert_eq!(line["request"]["probe"]["work"]["kind"], "compute", "{line}");
            assert!(line["process"]["end"].is_string(), "{line}");
        }
    }
}

/// What differs between two runs is then not only a result, but also the torch that gave it.
#[test]
fn what_the_workers_loaded_is_a_fact_of_the_stack() {
    let bench = Bench::new();
    bench.write(
        "one.toml",
        "title = 't'\nwhy = 'w'\nsource = 's'\nlevel = 'exercise'\n[simulate]\nmachine = 'box.toml'\n\
         amd-smi = '27.1.0'\n[[step]]\nprobe = { work = 'add/f32/16x16', processes = 2 }\n[[check]]\nid = 'probe.numbers'\n",
    );
    for (torch, fault, results, code) in
        [("2.5.1+rocm6.2", "", "base", 0), ("2.7.0+rocm6.3", "'probe=zeros'", "candidate", 1)]
    {
        let machine = format!("name = 'box'\npart = 'rx6800xt'\nfaults = [{fault}]\n[tuning]\ntorch = '{torch}'\n");
        bench.write("box.toml", machine);
        let done = bench.run(&["run", "one.toml", "--results", results]);
        assert_eq!(done.code, code, "{}", done.told());
        let case = record(&bench.only_run(results)).cases.remove(0);
        // This program names itself in every record anyway.
        let loaded: Vec<_> = case.loaded.iter().map(|(name, versions)| (name.as_str(), versions.len())).collect();
        assert_eq!(loaded, [("torch", 1)]);
        assert_eq!(case.environment.unwrap().stack["torch"], torch);
    }
    let [base, candidate] = ["base", "candidate"].map(|side| bench.only_run(side).display().to_string());
    let told = bench.run(&["diff", &base, &candidate]);
    assert!(told.stdout.contains("torch: 2.5.1+rocm6.2 -> 2.7.0+rocm6.3"), "{}", told.told());
    // A failure of the one torch is none that is known of the other.
    let known = bench.only_run("candidate").join("baseline.toml").display().to_string();
    for (torch, results, code) in [("2.7.0+rocm6.3", "again", 0), ("2.8.0+rocm6.4", "later", 1)] {
        bench.write(
            "box.toml",
            format!("name = 'box'\npart = 'rx6800xt'\nfaults = ['probe=zeros']\n[tuning]\ntorch = '{torch}'\n"),
        );
        let done = bench.run(&["run", "one.toml", "--baseline", &known, "--results", results]);
        assert_eq!(done.code, code, "{torch}: {}", done.told());
    }
}

#[test]
fn what_a_probe_said_before_it_died_is_kept() {
    let bench = Bench::new();
    probe(&bench, "one.toml", "'probe=k_amdgpu_page_fault'", ADD);
    bench.run(&["run", "one.toml", "--results", "results"]);
    let run = bench.only_run("results");
    let evidence = run.join(record(&run).cases[0].evidence.as_ref().unwrap()).join("probes.jsonl");
    let line: serde_json::Value = serde_json::from_str(&fs::read_to_string(evidence).unwrap()).unwrap();
    assert!(line["process"]["kernel"].as_str().unwrap().contains("page fault"), "{line}");
    assert_eq!(line["process"]["class"], "page-fault");
    assert!(!line["process"]["kernel"].as_str().unwrap().contains("Linux version"), "old lines are old: {line}");
}

#[test]
fn a_probe_needs_leave_on_a_given_host_and_a_machine_that_computes() {
    let bench = Bench::new();
    probe(&bench, "one.toml", "", ADD);
    bench.must(&["shim", "host", "--machine", "rx6800xt", "--caller", "root"]);
    bench.must(&["record", "recorded", "--host", "host"]);
    let refused = bench.run(&["run", "one.toml", "--host", "host", "--results", "none"]);
    assert_eq!(refused.code, 4, "{}", refused.told());
    assert!(refused.stderr.contains("going further than --interaction allows"), "{}", refused.told());
    let exercise = ["--interaction", "exercise"];
    let done = bench.run(&[&["run", "one.toml", "--host", "host", "--results", "given"], &exercise[..]].concat());
    assert_eq!(done.code, 0, "{}", done.told());
    let done =
        bench.run(&[&["run", "one.toml", "--host", "recorded", "--results", "recorded-run"], &exercise[..]].concat());
    assert_eq!(done.code, 3, "{}", done.told());
    assert!(done.stdout.contains("computes nothing"), "{}", done.told());
    assert!(done.stdout.contains("3 not: 3 no worker"), "{}", done.told());
}

#[test]
fn what_takes_minutes_to_simulate_runs_where_it_is_chosen() {
    let bench = Bench::new();
    probe(&bench, "one.toml", "", ADD);
    let text = fs::read_to_string(bench.path("one.toml")).unwrap();
    bench.write("one.toml", text.replacen("title", "tags = ['slow']\ntitle", 1));
    let left_out = bench.run(&["run", "one.toml", "--results", "none"]);
    assert_eq!(left_out.code, 4, "{}", left_out.told());
    assert!(left_out.stderr.contains("run with -E 'tag(slow)'"), "{}", left_out.told());
    let done = bench.run(&["run", "one.toml", "-E", "tag(slow)", "--results", "results"]);
    assert_eq!(done.code, 0, "{}", done.told());
}

#[test]
fn variables_of_a_step_reach_the_worker_and_no_others_do() {
    let bench = Bench::new();
    let fault = "'probe=zeros@env.MIOPEN_DEBUG_CONV_FFT=0'";
    probe(&bench, "pinned.toml", fault, "work = 'add/f32/16x16', solver = 'gemm'");
    probe(&bench, "free.toml", fault, ADD);
    let mut command = bench.command(&["run", "pinned.toml", "--results", "pinned"]);
    assert_eq!(command.status().unwrap().code(), Some(1));
    let mut command = bench.command(&["run", "free.toml", "--results", "free"]);
    assert_eq!(command.env("MIOPEN_DEBUG_CONV_FFT", "0").status().unwrap().code(), Some(0));
}

#[test]
fn a_worker_that_is_none_is_named() {
    let bench = Bench::new();
    bench.write("worker", "#!/bin/sh\n");
    fs::set_permissions(bench.path("worker"), fs::Permissions::from_mode(0o755)).unwrap();
    let help = bench.must(&["run", "--help"]);
    assert!(help.contains("--worker <NAME=PATH>"), "{help}");
    let done = bench.run(&["run", "--worker", "pyton=worker"]);
    assert_eq!(done.code, 64, "{}", done.told());
    assert!(done.stderr.contains("or is pyton to be python?"), "{}", done.told());
}

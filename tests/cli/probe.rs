//! `validate probe`: the catalogue, and probes by hand with the engine that is always there.

use std::os::unix::fs::PermissionsExt as _;

use super::support::{Bench, Done};

fn probe(args: &[&str]) -> Done {
    Bench::new().run(&[&["probe"], args].concat())
}

#[track_caller]
fn right(args: &[&str], expected: &str) {
    let done = probe(args);
    assert_eq!(done.code, 0, "{args:?}: {}{}", done.stdout, done.stderr);
    assert!(done.stdout.contains(expected), "{args:?}: {}", done.stdout);
    assert!(done.stderr.contains("this says nothing about any GPU"), "{args:?}: {}", done.stderr);
}

#[test]
fn the_catalogue_is_listed_in_every_format() {
    let bench = Bench::new();
    let ids = bench.must(&["probe", "list"]);
    for id in ["conv2d/f16/1x16x44x44/32x3x3/s1p1d1g1/forward", "memory-ladder/90"] {
        assert!(ids.lines().any(|line| line == id), "{id}");
    }
    let table = bench.must(&["probe", "list", "--format", "human"]);
    let row = table.lines().find(|line| line.trim_start().starts_with("conv-boundary ")).unwrap();
    assert!(row.contains("f32 f16") && row.contains("42 pixels"), "{row}");
    let json = bench.must(&["probe", "list", "--format", "json"]);
    let document: serde_json::Value = serde_json::from_str(&json).unwrap();
    let probes = document["probes"].as_array().unwrap();
    for probe in probes {
        assert!(probe["why"].as_str().is_some_and(|why| !why.is_empty()), "{probe}");
        assert!(probe["source"]["cite"].as_str().is_some_and(|cite| !cite.is_empty()), "{probe}");
    }
    assert_eq!(probes[0]["probes"][0]["spec"]["work"]["kind"], "compute");
}

#[test]
fn a_probe_is_run_by_its_name_by_its_parts_and_in_full() {
    right(
        &["conv-rocm-3951"],
        "ok     conv2d/f32/1x3x32x32/16x3x3/s1p1d1g1/forward\n    numbers are right: RMS error ",
    );
    let parts = ["conv2d", "--dtype", "f16", "--shape", "1x16x44x44", "--filters", "32x3x3"];
    right(&parts, "ok     conv2d/f16/1x16x44x44/32x3x3/s1p0d1g1/forward\n");
    right(&["softmax", "--shape", "8x8"], "ok     softmax/f32/8x8\n");
    let full = "conv2d-transposed/bf16/1x4x8x8/6x4x4/s2p1d1g2/backward-weights";
    right(&[full, "--seed", "9"], full);
    let options = ["--stride", "2", "--padding", "0x3", "--dilation", "1x2", "--groups", "2"];
    let more = ["conv2d", "--shape", "1x4x9x9", "--filters", "6x3x3", "--direction", "backward-data"];
    right(&[more.as_slice(), &options].concat(), "conv2d/f32/1x4x9x9/6x3x3/s2p0x3d1x2g2/backward-data\n");
}

#[test]
fn what_is_no_probe_is_refused_with_the_next_step() {
    for (args, expected) in [
        (&["conv-boundry"] as &[&str], "(nearest: conv-boundary); `validate probe list` has all"),
        (&["matmul/f32/8x8"], "has not three sizes in \"8x8\", like 64x64x64"),
        (&["matmul/f32/8x8x8", "--dtype", "f16"], "a computation in full has its format and its shape"),
        (&["conv2d", "--shape", "1x4x9x9"], "conv2d needs --filters, like --filters 32x3x3"),
        (&["conv3d", "--shape", "1x4x9x9", "--filters", "6x3x3"], "conv3d does not go with a filter of 2 extents"),
        (&["conv2d", "--shape", "1x4x9", "--filters", "6x3x3"], "kernel: 2 numbers where 1 are needed"),
        (&["softmax", "--shape", "8x8", "--filters", "8x8"], "softmax is no convolution"),
        (&["conv-rocm-3951", "--dtype", "f64"], "has no probe in that format"),
        (&[], "required arguments were not provided"),
    ] {
        let done = probe(args);
        assert_eq!(done.code, 64, "{args:?}: {}{}", done.stdout, done.stderr);
        assert!(done.stderr.contains(expected), "{args:?}: {}", done.stderr);
    }
}

#[test]
fn an_engine_that_is_not_there_is_exit_code_69() {
    for (args, expected) in [
        (
            &["matmul/f32/8x8x8", "--engine", "torch"] as &[&str],
            "validate-probe-torch: there is no such file; --worker torch=PATH says where it is",
        ),
        (&["matmul/f32/8x8x8", "--worker", "torch=/no/such"], "--worker torch=/no/such: there is no such file"),
        (&["matmul/f32/8x8x8", "--worker", "torch=/"], "this is a folder; name the program in it"),
        (
            &["matmul/f32/8x8x8", "--engine", "python"],
            "the engine python needs an interpreter that has PyTorch: --worker python=",
        ),
        (&["memory-ladder"], "memory-ladder/90 needs a device; the reference engine has none"),
    ] {
        let done = Bench::new().run_alone(&[&["probe"], args].concat());
        assert_eq!(done.code, 69, "{args:?}: {}{}", done.stdout, done.stderr);
        assert!(done.stderr.contains(expected), "{args:?}: {}", done.stderr);
    }
}

#[test]
fn a_probe_is_explained_with_its_source() {
    let page = Bench::new().must(&["explain", "probe.conv-miopen-3540"]);
    assert!(page.contains("ROCm/MIOpen#3540") && page.contains("validate probe conv-miopen-3540"), "{page}");
}

/// A probe on a simulated machine with this planted, and the arguments after it.
fn planted(fault: Option<&str>, args: &[&str]) -> Done {
    let bench = Bench::new();
    let fault = fault.map(|name| format!("probe={name}"));
    let mut shim = vec!["shim", "sim", "--machine", "rx6800xt"];
    shim.extend(fault.iter().flat_map(|fault| ["--fault", fault.as_str()]));
    bench.must(&shim);
    bench.run(&[&["probe", "matmul/f32/8x8x8", "--engine", "simulated", "--host", "sim"], args].concat())
}

#[test]
fn a_worker_on_a_simulated_machine_ends_in_the_status_and_exit_code_of_what_was_done_to_it() {
    for (fault, code, begins, holds) in [
        (None, 0, "pass ", "numbers are right"),
        (None, 0, "pass ", "driver 64 MiB and 1 queue on GPU "),
        (Some("claims_gpu"), 1, "cpu-fallback ", "the driver never saw it there"),
        (Some("hsa_memory_access_fault"), 1, "crash ", "class  page-fault (hsa_memory_access_fault:page-not-present"),
        (Some("rocblas_tensile_missing"), 1, "crash ", "class  library-missing-arch"),
        (Some("hip_invalid_device_function"), 1, "fail ", "class  no-code-for-arch"),
        (Some("torch_no_gpu"), 3, "not-evaluated ", "class  no-device"),
        (Some("loader_missing_lib"), 3, "not-evaluated ", "class  setup"),
        (Some("wrong_number"), 1, "numeric-error ", "numbers are wrong"),
        (Some("oom_raised"), 1, "fail ", "raised HIP out of memory"),
        (Some("elsewhere"), 1, "cpu-fallback ", "the operation ran on the CPU"),
        (Some("anothers_reset"), 1, "collateral ", "took it down; run it again alone"),
        (Some("no_bye"), 70, "error ", "without saying bye"),
        (Some("dies_after_bye"), 1, "crash ", "killed by SIGSEGV"),
        (Some("anothers_reset@start=1"), 0, "pass ", "before collateral: process "),
        (Some("k_device_lost"), 112, "crash ", "class  gpu-lost"),
        (Some("oops"), 112, "kernel-fault ", "after  the kernel died in an oops"),
        (
            Some("environment_reset"),
            0,
            "pass ",
            "env    what was set for the worker is not in its process: MIOPEN_CUSTOM",
        ),
        (Some("falls_off"), 112, "kernel-fault ", "is gone from sysfs"),
    ] {
        let done = planted(fault, &[]);
        assert_eq!(done.code, code, "{fault:?}: {}{}", done.stdout, done.stderr);
        assert!(done.stdout.starts_with(begins) && done.stdout.contains(holds), "{fault:?}: {}", done.stdout);
        let again = "again  validate probe matmul/f32/8x8x8 --seed 1 --engine simulated --host sim\n";
        assert_eq!(done.stdout.contains(again), code != 0, "{fault:?}: {}", done.stdout);
    }
}

#[test]
fn repeats_are_processes_and_say_how_many_of_them_passed() {
    let done = planted(None, &["--repeat", "3"]);
    assert!(done.code == 0 && done.stdout.contains("3 of 3 passed"), "{}{}", done.stdout, done.stderr);
    let done = planted(Some("hang"), &["--repeat", "2", "--timeout", "1"]);
    assert_eq!(done.code, 1);
    assert!(done.stdout.starts_with("hang ") && done.stdout.contains("0 of 2 passed"), "{}", done.stdout);
    assert!(done.stdout.contains("--host sim --repeat 2 --timeout 1\n"), "{}", done.stdout);
}

#[test]
fn the_simulated_engine_needs_a_simulated_host() {
    let bench = Bench::new();
    for args in [&["--engine", "simulated"] as &[&str], &["--engine", "simulated", "--host", "nowhere"]] {
        assert_eq!(bench.run(&[&["probe", "matmul/f32/8x8x8"], args].concat()).code, 64, "{args:?}");
    }
}

#[test]
fn engines_devices_and_workers_that_do_not_go_together_are_refused() {
    for (args, expected) in [
        (&["--worker", "pyton=/bin/sh"] as &[&str], "(or is pyton to be python?)"),
        (&["--worker", "torch=/bin/sh", "--worker", "torch=/bin/sh", "--engine", "torch"], "is there twice"),
        (&["--worker", "torch=/bin/sh", "--engine", "python"], "what computes is python: --engine torch"),
        (&["--on", "gpu"], "the engine reference computes on the CPU"),
        (&["--engine", "simulated", "--host", "sim", "--on", "cpu"], "leave --on out"),
        (&["--on", "npu"], "one of gpu, cpu"),
    ] {
        let done = probe(&[&["matmul/f32/8x8x8"], args].concat());
        assert_eq!(done.code, 64, "{args:?}: {}{}", done.stdout, done.stderr);
        assert!(done.stderr.contains(expected), "{args:?}: {}", done.stderr);
    }
}

/// A probe by a worker that is this script of the shell, and the arguments after it. `$VALIDATE` is the program, whose
/// reference engine is a worker like any other.
fn by_script(script: &str, args: &[&str]) -> Done {
    let bench = Bench::new();
    let validate = super::scratch::validate().display();
    bench.write("worker", format!("#!/bin/sh\nVALIDATE={validate}\n{script}\n"));
    std::fs::set_permissions(bench.path("worker"), std::fs::Permissions::from_mode(0o755)).unwrap();
    bench.run(&[&["probe", "matmul/f32/8x8x8", "--worker", "torch=worker"], args].concat())
}

#[test]
fn a_program_that_was_named_is_the_engine_and_the_output_says_where_it_computed() {
    let works = "exec $VALIDATE probe-worker";
    let done = by_script(works, &["--on", "cpu", "--repeat", "2"]);
    assert_eq!(done.code, 0, "{}", done.told());
    assert!(done.stdout.starts_with("pass ") && done.stdout.contains("2 of 2 passed"), "{}", done.stdout);
    assert!(
        done.stderr.contains("1 of 1 right, computed by ") && done.stderr.contains("on the CPU: this says nothing")
    );
    // Asked for a GPU, it cannot pass with the numbers of a CPU.
    let done = by_script(works, &[]);
    assert_eq!(done.code, 1, "{}", done.told());
    assert!(done.stdout.contains("where  the worker is linked without a GPU backend"), "{}", done.stdout);
    assert!(done.stderr.contains("0 of 1 right, asked of this machine's GPU, which"), "{}", done.stderr);
    let again = done.stdout.lines().find_map(|line| line.trim().strip_prefix("again  ")).unwrap();
    assert!(again.starts_with("validate probe matmul/f32/8x8x8 --seed 1 --engine torch --worker torch=/"), "{again}");
    assert!(again.ends_with("/worker --on gpu"), "{again}");
}

#[test]
fn a_program_that_is_no_engine_stops_at_once_and_one_that_is_killed_is_a_finding() {
    for (script, code, holds) in [
        ("exit 0", 69, "the engine torch is not there"),
        ("echo I am no worker >&2; exit 2", 69, "ended before it said hello; see what it needs with: ldd "),
        ("kill -SEGV $$", 1, "0 of 1 right"),
    ] {
        let done = by_script(script, &["--on", "cpu", "--repeat", "3"]);
        assert_eq!(done.code, code, "{script}: {}", done.told());
        assert!(done.stderr.contains(holds), "{script}: {}", done.stderr);
        assert_eq!(done.stdout.contains("of 3 passed"), code == 1, "{script}: {}", done.stdout);
    }
}

#[test]
fn a_soak_runs_its_probes_in_turn_until_the_time_is_over() {
    // On a machine that is busy the first may need the two seconds for itself; it is said then, and more time is enough.
    let soak = |time| planted(None, &["softmax/f32/8x8", "--soak", time]);
    let done = Some(soak("2s")).filter(|done| done.code == 0).unwrap_or_else(|| soak("20s"));
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    for id in ["matmul/f32/8x8x8", "softmax/f32/8x8"] {
        let line = done.stdout.lines().find(|line| line.contains(id)).unwrap();
        assert!(line.starts_with("pass ") && line.contains(" repeats in "), "{line}");
    }
    assert!(done.stderr.contains("2 of 2 right after "), "{}", done.stderr);
    // One that goes wrong once is not right, and the others go on.
    let done = planted(Some("hsa_memory_access_fault@start=1"), &["--soak", "2s"]);
    assert_eq!(done.code, 1, "{}{}", done.stdout, done.stderr);
    assert!(done.stdout.starts_with("flaky ") && done.stdout.contains("class  page-fault"), "{}", done.stdout);
    assert!(
        done.stdout.contains("numbers are right") && done.stdout.contains("--host sim --soak 2s\n"),
        "{}",
        done.stdout
    );
    assert!(done.stderr.contains("crash  matmul/f32/8x8x8"), "said when it happens: {}", done.stderr);
    let lost = planted(Some("k_device_lost"), &["softmax/f32/8x8", "--soak", "1h"]);
    assert_eq!(lost.code, 112, "{}{}", lost.stdout, lost.stderr);
    assert!(lost.stdout.contains("not-evaluated     softmax/f32/8x8  0 repeats in 0 processes"), "{}", lost.stdout);
    for args in [&["--soak", "soon"] as &[&str], &["--soak", "1m", "--repeat", "2"]] {
        assert_eq!(planted(None, args).code, 64, "{args:?}");
    }
}

#[test]
fn a_use_of_memory_is_judged_by_what_the_simulated_machine_has() {
    let bench = Bench::new();
    bench.must(&["shim", "sim", "--machine", "mi300x", "--compute", "CPX", "--memory", "NPS4"]);
    let probe = |probe: &str| bench.run(&["probe", probe, "--engine", "simulated", "--host", "sim"]);
    let right = probe("memory-isolation");
    assert!(
        right.code == 0 && right.stdout.contains("64 MiB of the neighbour intact"),
        "{}{}",
        right.stdout,
        right.stderr
    );
    bench.must(&[
        "shim",
        "sim",
        "--machine",
        "mi300x",
        "--compute",
        "CPX",
        "--memory",
        "NPS4",
        "--fault",
        "probe=past_cap",
    ]);
    let past = probe("memory-past-limit");
    assert_eq!(past.code, 1, "{}{}", past.stdout, past.stderr);
    assert!(past.stdout.contains("MiB granted on a device that is held to 24576 MiB"), "{}", past.stdout);
}

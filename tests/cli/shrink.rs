//! `validate shrink`: from a failing probe to the smallest that still fails.

use std::fs;
use std::path::Path;

use super::support::{Bench, COPY, Done, partitions, simulated, spawn, until};

/// The boundary that was reported of gfx1010, with a format and channels beside it.
const BOUNDARY: &str = "probe=hsa_memory_access_fault@op=conv2d,dtype=f16,height>=44,channels>=16";

fn starts(host: &str) -> usize {
    fs::read(Path::new(host).join("probe-starts")).map_or(0, |bytes| bytes.len())
}

#[test]
fn a_planted_boundary_is_found_in_less_than_sixty_probes_with_what_reproduces_it() {
    let (_memory, bench, host) = simulated(&[BOUNDARY]);
    let case = "conv2d/f16/4x32x64x64/32x3x3/s1p1d1g1/forward";
    let args = ["shrink", case, "--host", &host, "--env", "HSA_XNACK=0", "--script", "again.py"];
    let done = bench.run(&args);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(starts(&host) < 60, "{}", starts(&host));
    for part in [
        "smallest  conv2d/f16/1x16x44x1/1x1x1/s1p0d1g1/forward\n",
        "fails by  crash (page-fault: ",
        "nothing gets smaller",
        "at start  it failed so in 1 of 1 processes\n",
        "again     the smallest fails so in 1 of 1 processes after the search\n",
        "MIOpenDriver convfp16 -n 1 -c 16 -H 44 -W 1 -k 1 -y 1 -x 1",
        "torch.nn.functional.conv2d",
    ] {
        assert!(done.stdout.contains(part), "{part}: {}", done.stdout);
    }
    assert!(!done.stdout.contains("export"), "the variable does not matter");
    assert!(fs::read_to_string(bench.path("again.py")).unwrap().contains("import torch"));
}

#[test]
fn a_failure_that_comes_now_and_then_needs_several_processes() {
    let (_memory, bench, host) = simulated(&["probe=hsa_memory_access_fault@op=matmul,elements>=64,every=3"]);
    let args = ["shrink", "matmul/f32/8x8x8", "--host", &host, "--processes", "3", "--budget", "200"];
    let done = bench.run(&args);
    assert!(done.stdout.contains("smallest  matmul/f32/"), "{}{}", done.stdout, done.stderr);
    let smallest: Vec<usize> = done
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix("smallest  matmul/f32/"))
        .unwrap()
        .split('x')
        .map(|size| size.parse().unwrap())
        .collect();
    assert!(smallest[0] * smallest[1] == 64 || smallest[1] * smallest[2] == 64, "{smallest:?}");
    // Every third process: one of three, wherever three begin.
    for part in ["at start  it failed so in 1 of 3 processes\n", "again     the smallest fails so in 1 of 3 processes"]
    {
        assert!(done.stdout.contains(part), "{part}: {}", done.told());
    }
    assert_eq!(done.code, 0, "{}", done.told());
}

#[test]
fn a_smallest_that_does_not_fail_again_is_no_success() {
    // Of nine processes only these: the start, and the first that is tried.
    let (_memory, bench, host) = simulated(&[
        "probe=hsa_memory_access_fault@op=matmul,start=1",
        "probe=hsa_memory_access_fault@op=matmul,start=2",
    ]);
    let done = bench.run(&["shrink", "matmul/f32/8x8x8", "--host", &host]);
    assert_eq!(done.code, 3, "{}", done.told());
    assert!(done.stdout.contains("again     the smallest failed so in 0 of 1 processes"), "{}", done.told());
}

/// What a search found.
fn smallest(done: &Done) -> &str {
    done.stdout.lines().find(|line| line.starts_with("smallest  ")).unwrap_or_else(|| panic!("{}", done.told()))
}

/// Goes on with a search until it ends otherwise than this.
fn resumed(bench: &Bench, while_it_ends_with: i32) -> Done {
    let run = bench.only_run("r").display().to_string();
    for _ in 0..40 {
        let done = bench.run(&["shrink", "--resume", &run]);
        if done.code != while_it_ends_with {
            return done;
        }
    }
    panic!("it never ends");
}

const CASE: &str = "conv2d/f16/2x16x44x44/8x3x3/s1p1d1g1/forward";

#[test]
fn a_search_goes_on_after_its_budget_and_after_a_kill_and_finds_the_same() {
    let (_memory, bench, host) = simulated(&[BOUNDARY]);
    let whole = bench.run(&["shrink", CASE, "--host", &host, "--results", "whole"]);
    assert_eq!(whole.code, 0, "{}", whole.told());
    let needed = starts(&host);

    let (_memory, bench, host) = simulated(&[BOUNDARY]);
    let first = bench.run(&["shrink", CASE, "--host", &host, "--results", "r", "--budget", "10"]);
    assert_eq!(first.code, 5, "{}", first.told());
    assert!(first.stderr.contains("resume   validate shrink --resume "), "{}", first.told());
    assert!(starts(&host) <= 10);
    let last = resumed(&bench, 5);
    assert_eq!((last.code, smallest(&last)), (0, smallest(&whole)), "{}", last.told());
    // Only what was run again at each end comes on top.
    assert!(starts(&host) <= needed + needed.div_ceil(8) + 1, "{} of {needed}", starts(&host));

    let (_memory, bench, host) = simulated(&[BOUNDARY]);
    let mut child = spawn(&bench, &format!("shrink {CASE} --host {host} --results r"));
    until(|| starts(&host) >= 4);
    child.kill().unwrap();
    child.wait().unwrap();
    let last = resumed(&bench, 5);
    assert_eq!((last.code, smallest(&last)), (0, smallest(&whole)), "{}", last.told());
    assert!(starts(&host) <= needed + 1, "{} of {needed}", starts(&host));
}

#[test]
fn a_search_for_what_takes_the_machine_down_goes_over_its_reboots() {
    let (_memory, bench, host) = simulated(&["probe=reboot@op=matmul,elements>=64"]);
    let first = bench.run(&["shrink", "matmul/f32/4x8x16", "--host", &host, "--results", "r"]);
    assert_eq!(first.code, -1, "it dies with its machine: {}", first.told());
    let last = resumed(&bench, -1);
    assert_eq!(last.code, 0, "{}", last.told());
    assert!(last.stdout.contains("fails by  machine-hang"), "{}", last.told());
    let sizes: Vec<usize> =
        smallest(&last).trim_start_matches("smallest  matmul/f32/").split('x').map(|n| n.parse().unwrap()).collect();
    assert!(sizes[0] * sizes[1] == 64 || sizes[1] * sizes[2] == 64 || sizes[0] * sizes[2] == 64, "{sizes:?}");
}

#[test]
fn a_cell_comes_with_its_kernel_parameters_and_its_gpu() {
    let (_memory, bench, host) = simulated(&["probe=zeros@op=matmul"]);
    bench.run(&["matrix", "run", "--host", &host, "--probe", "matmul/f32/4x4x4", "--repeat", "1", "--results", "m"]);
    let run = bench.only_run("m");
    let cell = "matmul/f32/4x4x4::none::simulated";
    let from = run.display().to_string();
    let args = ["shrink", cell, "--from", &from, "--host"];
    let shrunk = |host: &str| bench.run(&[&args[..], &[host, "--results", "r"]].concat());
    let same = shrunk(&host);
    assert!(same.code == 0 && !same.stderr.contains("another GPU"), "{}", same.told());
    assert!(!same.stderr.contains("not in force") && !same.stdout.contains("# kernel"), "{}", same.told());

    let file = run.join("matrix.json");
    let text = fs::read_to_string(&file).unwrap();
    let changed = text.replace("\"kernel\": {}", "\"kernel\": {\"amdgpu.cwsr_enable\": \"0\"}");
    assert_ne!(changed, text);
    fs::write(&file, changed).unwrap();
    let other = bench.path("other").display().to_string();
    bench.must(&["shim", &other, "--machine", "rx6800xt", "--fault", "probe=zeros@op=matmul"]);
    let done = shrunk(&other);
    for part in ["another GPU (AMD Radeon RX 5700 XT, gfx1010)", "amdgpu.cwsr_enable=0 on the kernel's command line"] {
        assert!(done.stderr.contains(part), "{part}: {}", done.told());
    }
    assert!(done.stdout.contains("# on the kernel's command line: amdgpu.cwsr_enable=0\n"), "{}", done.told());
}

#[test]
fn variables_that_reach_no_worker_are_named_with_how_to_give_them() {
    let (_memory, bench, host) = simulated(&["probe=zeros@op=matmul"]);
    let host = host.as_str();
    let (matmul, given) = ("matmul/f32/4x4x4", ["--env", "HSA_OVERRIDE_GFX_VERSION=10.3.0"]);
    for command in [
        vec!["shrink", matmul, "--host", host, "--results", "r"],
        vec!["probe", matmul, "--engine", "simulated", "--host", host, "--results", "r"],
        vec!["matrix", "run", "--probe", matmul, "--repeat", "1", "--host", host, "--results", "r"],
    ] {
        let with = [command.as_slice(), &given].concat();
        for (args, exported, noted) in [(&command, true, true), (&command, false, false), (&with, true, false)] {
            let mut called = bench.command(args);
            called.env_remove("HSA_OVERRIDE_GFX_VERSION");
            if exported {
                called.env("HSA_OVERRIDE_GFX_VERSION", "10.3.0");
            }
            let done = Done::of(&mut called);
            let told =
                "kept from the workers: HSA_OVERRIDE_GFX_VERSION; to pass them: --env HSA_OVERRIDE_GFX_VERSION=10.3.0";
            assert_eq!(done.stderr.contains(told), noted, "{args:?}: {}", done.told());
        }
    }
}

#[test]
fn memory_of_the_wrong_size_fails_as_it_does_under_probe() {
    let (_memory, bench, host) = partitions(&["probe=whole_gpu_total"]);
    let by_hand = bench.run(&["probe", COPY, "--engine", "simulated", "--host", &host]);
    assert_eq!(by_hand.code, 1, "{}", by_hand.told());
    let done = bench.run(&["shrink", COPY, "--host", &host]);
    assert!(done.stdout.contains("fails by  fail\n"), "{}", done.told());
    assert_eq!(done.code, 0, "{}", done.told());
}

#[test]
fn another_failure_is_not_the_one_that_is_shrunk() {
    let faults = ["probe=hsa_memory_access_fault@op=matmul,elements>=64", "probe=zeros@op=matmul"];
    let (_memory, bench, host) = simulated(&faults);
    let done = bench.run(&["shrink", "matmul/f32/1x64x1", "--host", &host]);
    assert!(done.stdout.contains("smallest  matmul/f32/1x64x1\n"), "{}", done.stdout);
}

#[test]
fn what_does_not_fail_or_is_no_case_is_refused_with_the_next_step() {
    let (_memory, bench, host) = simulated(&[]);
    let probe = ["probe", "matmul/f32/8x8x8", "--engine", "simulated", "--host", &host, "--results", "results/x"];
    bench.must(&probe);
    fs::rename(bench.only_run("results/x"), bench.path("other")).unwrap();
    for (args, code, part) in [
        (vec!["shrink", "matmul/f32/8x8x8", "--host", &host], 4, "does not fail in 1 processes"),
        (vec!["shrink", "matmul/f32/8x8x8", "--host", &host], 4, "--processes 5"),
        (vec!["shrink", "--resume", "nowhere"], 64, "this run cannot go on"),
        (vec!["shrink", "--resume", "other"], 64, "this run cannot go on: other: its journal is \"rocvet.probes/1\""),
        (vec!["shrink"], 64, "CASE"),
        (vec!["shrink", "conv-boundary", "--host", &host], 64, "conv-boundary"),
        (vec!["shrink", "matmul/f32/8x8x8", "--from", "nowhere"], 64, "no finished matrix"),
        (vec!["shrink", "matmul/f32/8x8x8"], 69, "validate-probe-torch"),
    ] {
        let done = bench.run_alone(&args);
        assert_eq!(done.code, code, "{args:?} {}{}", done.stdout, done.stderr);
        assert!(done.stderr.contains(part), "{args:?}: {}", done.stderr);
    }
}

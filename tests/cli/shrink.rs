//! `validate shrink`: from a failing probe to the smallest that still fails.

use std::fs;
use std::path::Path;

use super::support::{COPY, partitions, simulated};

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
    for (args, code, part) in [
        (vec!["shrink", "matmul/f32/8x8x8", "--host", &host], 4, "does not fail"),
        (vec!["shrink", "conv-boundary", "--host", &host], 64, "conv-boundary"),
        (vec!["shrink", "matmul/f32/8x8x8", "--from", "nowhere"], 64, "no finished matrix"),
        (vec!["shrink", "matmul/f32/8x8x8"], 69, "validate-probe-torch"),
    ] {
        let done = bench.run_alone(&args);
        assert_eq!(done.code, code, "{args:?} {}{}", done.stdout, done.stderr);
        assert!(done.stderr.contains(part), "{args:?}: {}", done.stderr);
    }
}

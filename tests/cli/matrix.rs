//! `validate matrix`: a sweep is planned, run, cut off and shown.

use std::fs;
use std::path::Path;

use rocvet::domain::Status;
use rocvet::matrix::record::MatrixRecord;

use super::support::{Bench, in_memory, spawn, until};

const CONV: &str = "conv2d/f32/1x4x8x8/4x3x3/s1p1d1g1/forward";
const SUM: &str = "reduce-sum/f32/64/all";

fn bench(faults: &[&str]) -> (tempfile::TempDir, Bench, String) {
    let (memory, bench) = in_memory();
    let host = memory.path().join("sim").display().to_string();
    let faults: Vec<&str> = faults.iter().flat_map(|fault| ["--fault", fault]).collect();
    bench.must(&[&["shim", &host, "--machine", "rx5700xt"], faults.as_slice()].concat());
    (memory, bench, host)
}

fn record(run: &Path) -> MatrixRecord {
    MatrixRecord::from_json(&fs::read(run.join("matrix.json")).unwrap()).unwrap()
}

#[test]
fn a_sweep_counts_k_of_n_in_every_setting_and_shows_the_grid() {
    let (_memory, bench, host) =
        bench(&["probe=hip_queue_abort_aperture@op=conv*,env.MIOPEN_FIND_MODE=", "probe=zeros@op=reduce*,every=2"]);
    let args = [
        "matrix",
        "run",
        "--host",
        &host,
        "--probe",
        CONV,
        "--probe",
        SUM,
        "--find-modes",
        "--repeat",
        "2",
        "--results",
        "r",
    ];
    let done = bench.run(&args);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let run = bench.only_run("r");
    let record = record(&run);
    // Five settings of the convolution; to a sum a find mode says nothing.
    assert_eq!(record.cells.len(), 6);
    let at = |probe: &str, setting: &str| {
        record.cells.iter().find(|cell| cell.probe == probe && cell.setting == setting).unwrap()
    };
    assert_eq!(at(CONV, "none").passed(), 0);
    assert_eq!(at(CONV, "none").runs[0].signatures, ["hip_queue_abort_aperture"]);
    assert_eq!(at(CONV, "find=FAST").passed(), 2);
    assert_eq!(at(SUM, "none").status(), Some(Status::Flaky));
    assert_eq!(at(CONV, "none").device.native_isa.as_deref(), Some("gfx1010"));
    // What may be worse runs later.
    assert_eq!(record.cells[0].probe, SUM);
    let shown = bench.must(&["matrix", "show", &run.display().to_string()]);
    assert!(
        shown.contains("X 0/2 aperture-violation") && shown.contains("~ 1/2") && shown.contains("SIMULATED"),
        "{shown}"
    );
}

#[test]
fn a_dry_run_says_what_would_run_and_runs_nothing() {
    let (_memory, bench, host) = bench(&[]);
    let told = bench.must(&["matrix", "run", "--host", &host, "--families", "--dry-run"]);
    for part in ["conv-", "conv2d/f16/1x16x44x44", "family=GEMM", "resets the GPU (r1-13)", "nothing was run"] {
        assert!(part == "conv-" || told.contains(part), "{part}: {told}");
    }
    assert!(!Path::new(&host).join("probe-starts").exists());
    assert!(!bench.path("results").exists());
}

#[test]
fn a_matrix_that_was_killed_goes_on_and_repeats_nothing_that_ended() {
    let (_memory, bench, host) = bench(&["probe=hang@start=3"]);
    let sizes: Vec<String> = (1..=5).map(|n| format!("--probe reduce-sum/f32/{n}/all")).collect();
    let args = format!("matrix run --host {host} {} --repeat 1 --results r", sizes.join(" "));
    let mut child = spawn(&bench, &args);
    let starts = || fs::read(Path::new(&host).join("probe-starts")).map_or(0, |bytes| bytes.len());
    until(|| starts() == 3);
    child.kill().unwrap();
    child.wait().unwrap();
    let run = bench.only_run("r");
    let shown = bench.run(&["matrix", "show", &run.display().to_string()]);
    assert!(shown.code == 64 && shown.stderr.contains("--resume"), "{}", shown.stderr);
    bench.must(&["matrix", "run", "--resume", &run.display().to_string()]);
    // Two had ended, the third is run again, and the fourth and fifth.
    assert_eq!(starts(), 6);
    let cells = record(&run).cells;
    assert_eq!(cells.iter().map(|cell| cell.passed()).collect::<Vec<_>>(), [1; 5]);
}

#[test]
fn a_cell_that_took_the_machine_down_is_not_run_again() {
    let (_memory, bench, host) = bench(&["probe=hang@start=2"]);
    let args = format!(
        "matrix run --host {host} --probe reduce-sum/f32/1/all --probe reduce-sum/f32/2/all --repeat 1 --results r"
    );
    let mut child = spawn(&bench, &args);
    let starts = || fs::read(Path::new(&host).join("probe-starts")).map_or(0, |bytes| bytes.len());
    until(|| starts() == 2);
    child.kill().unwrap();
    child.wait().unwrap();
    let boot = Path::new(&host).join("proc/sys/kernel/random/boot_id");
    fs::remove_file(&boot).unwrap();
    fs::write(boot, "another-boot\n").unwrap();
    let run = bench.only_run("r");
    bench.must(&["matrix", "run", "--resume", &run.display().to_string()]);
    assert_eq!(starts(), 2);
    let statuses: Vec<_> = record(&run).cells.iter().map(|cell| cell.status().unwrap()).collect();
    assert_eq!(statuses, [Status::Pass, Status::MachineHang]);
}

#[test]
fn a_gpu_that_is_lost_stops_the_sweep_and_says_how_to_go_on() {
    let (_memory, bench, host) = bench(&["probe=k_device_lost@start=2"]);
    let sizes: Vec<String> = (1..=3).map(|n| format!("reduce-sum/f32/{n}/all")).collect();
    let done = bench.run(&[
        "matrix",
        "run",
        "--host",
        &host,
        "--probe",
        &sizes[0],
        "--probe",
        &sizes[1],
        "--probe",
        &sizes[2],
        "--repeat",
        "1",
        "--results",
        "r",
    ]);
    assert_eq!(done.code, 112, "{}", done.stderr);
    assert!(done.stderr.contains("--resume"), "{}", done.stderr);
    let cells = record(&bench.only_run("r")).cells;
    assert!(cells[2].runs.is_empty() && cells[2].not_run.is_some());
}

#[test]
fn what_cannot_be_swept_is_refused_with_the_next_step() {
    let (_memory, bench, host) = bench(&[]);
    for (args, part) in [
        (vec!["matrix", "run"], "say where"),
        (vec!["matrix", "run", "--host", &host, "--probe", "conv-boundry"], "nearest: conv-boundary"),
        (vec!["matrix", "run", "--host", &host, "--mitigation", "native-build"], "is another stack"),
        (vec!["matrix", "run", "--host", &host, "--mitigation", "override-rdna"], "nearest: override-rdna"),
        (vec!["matrix", "run", "--host", &host, "--set", "A"], "written like"),
        (vec!["matrix", "run", "--host", &host, "--budget", "soon"], "a time like"),
        (vec!["matrix", "show", "nowhere"], "no finished matrix"),
        (vec!["matrix", "run", "--resume", "nowhere"], "cannot go on"),
    ] {
        let done = bench.run(&args);
        assert_eq!(done.code, 64, "{args:?} {}", done.stderr);
        assert!(done.stderr.contains(part), "{args:?}: {}", done.stderr);
    }
}

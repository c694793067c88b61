//! HIP is asked by a child that outlives nothing: a made-up runtime answers, fails, hangs, dies and prints.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rocvet::domain::{Bytes, Reading};
use rocvet::host::{hip_call, hip_witness};
use rocvet::process::{Limits, Spec, run};
use rocvet::witness::HipDevice;
use rocvet::witness::hip::read_hip;

/// Puts a runtime into `folder`, compiled with these options. There is a C compiler wherever there is Rust's linker.
fn runtime(folder: &Path, name: &str, options: &[&str]) {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/hip/fake.c");
    let done = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(folder.join(name))
        .arg(source)
        .args(options)
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// The child, with an environment of our own and nothing inherited: no runtime of this machine is found by it.
fn child(variable: &str, folder: &Path, deadline: Duration) -> Spec {
    Spec {
        inherit: Vec::new(),
        env: vec![(variable.into(), folder.into())],
        limits: Limits { deadline, grace: Duration::from_millis(200), ..Limits::default() },
        ..hip_witness(Path::new(env!("CARGO_BIN_EXE_validate")))
    }
}

fn asked(spec: &Spec) -> Reading<Vec<HipDevice>> {
    read_hip(&hip_call(run(spec)))
}

fn with(options: &[&str], deadline: Duration) -> Reading<Vec<HipDevice>> {
    let folder = tempfile::tempdir().unwrap();
    runtime(folder.path(), "libamdhip64.so.6", options);
    asked(&child("LD_LIBRARY_PATH", folder.path(), deadline))
}

const PATIENT: Duration = Duration::from_secs(60);

#[test]
fn two_devices_answer_and_what_one_does_not_say_is_no_value() {
    for (variable, below, name) in [
        ("LD_LIBRARY_PATH", "", "libamdhip64.so.7"),
        ("LD_LIBRARY_PATH", "", "libamdhip64.so"),
        ("ROCM_PATH", "lib", "libamdhip64.so.5"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let place: PathBuf = folder.path().join(below);
        std::fs::create_dir_all(&place).unwrap();
        runtime(&place, name, &[]);
        let devices = asked(&child(variable, folder.path(), PATIENT));
        let Reading::Value(devices) = devices else { panic!("{variable} {name}: {devices:?}") };
        let addresses: Vec<_> = devices.iter().map(|device| device.bdf.value().unwrap().to_string()).collect();
        assert_eq!(addresses, ["0000:05:00.0", "0000:27:00.0"]);
        assert_eq!(devices[0].total, Reading::Value(Bytes(25_767_706_624)));
        assert_eq!(devices[0].free, Reading::Value(Bytes(25_233_981_440)));
        assert!(devices[1].total.absence().unwrap().contains("hipMemGetInfo returned 2"));
    }
}

#[test]
fn a_runtime_that_misbehaves_takes_nothing_with_it_and_says_how_it_ended() {
    for (option, words) in [
        ("-DCRASH", "SIGSEGV"),
        ("-DABORT", "SIGABRT"),
        ("-DGARBAGE", "not an answer"),
        ("-DBROKEN", "hipGetDeviceCount returned 35"),
        ("-DNEGATIVE", "hipGetDeviceCount says -3"),
        ("-DNO_SYMBOL", "hipMemGetInfo"),
    ] {
        let reading = with(&[option], PATIENT);
        assert!(matches!(reading, Reading::Malformed { .. }), "{option}: {reading:?}");
        let absence = reading.absence().unwrap();
        assert!(absence.contains(words), "{option}: {absence}");
    }
    assert!(with(&["-DABORT"], PATIENT).absence().unwrap().contains("HSA: no such agent"));
}

#[test]
fn a_runtime_that_hangs_is_stopped_at_the_deadline() {
    let before = Instant::now();
    let absence = with(&["-DHANG"], Duration::from_millis(300)).absence().unwrap();
    assert!(absence.contains("stopped at its deadline"), "{absence}");
    assert!(before.elapsed() < Duration::from_secs(30));
}

#[test]
fn no_runtime_is_not_reported_no_device_is_an_empty_list_and_a_broken_library_is_neither() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(asked(&child("ROCM_PATH", folder.path(), PATIENT)), Reading::NotReported);
    assert_eq!(with(&["-DNO_DEVICE"], PATIENT), Reading::Value(Vec::new()));
    std::fs::write(folder.path().join("libamdhip64.so.6"), "not a library").unwrap();
    let absence = asked(&child("LD_LIBRARY_PATH", folder.path(), PATIENT)).absence().unwrap();
    assert!(absence.contains("the HIP runtime does not work"), "{absence}");
}

#[test]
fn the_child_is_told_of_no_filter() {
    let spec = hip_witness(Path::new("validate"));
    let named =
        |name: &str| spec.inherit.iter().any(|each| each == name) || spec.env.iter().any(|(key, _)| key == name);
    for filter in ["ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL"] {
        assert!(!named(filter), "{filter}");
    }
    assert!(named("LD_LIBRARY_PATH"));
}

//! simulate -> record -> like: the same machine again, for every machine, and faults that the trees show.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

mod scratch;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use rocvet::sim::{Caller, Machine, machine_names};

fn validate(folder: &Path, args: &[&str]) -> Output {
    Command::new(scratch::validate()).args(args).current_dir(folder).output().unwrap()
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// `shim`, `record`, `shim --like`: both machines, and what was told.
fn again(folder: &Path, options: &str) -> (Machine, Machine, String) {
    let run = |args: &[&str]| {
        let output = validate(folder, args);
        assert!(output.status.success(), "{options}: {args:?}: {}", told(&output));
        output
    };
    let _ = fs::remove_dir_all(folder.join("rec"));
    run(&["shim", "sim"].into_iter().chain(options.split_whitespace()).collect::<Vec<_>>());
    run(&["record", "rec", "--host", "sim"]);
    let like = run(&["shim", "like", "--like", "rec"]);
    let machine =
        |host: &str| Machine::parse(&fs::read_to_string(folder.join(host).join("machine.toml")).unwrap()).unwrap();
    (machine("sim"), machine("like"), told(&like))
}

fn check(options: &[String]) {
    let folder = scratch::folder();
    for options in options {
        let (was, is, told) = again(folder.path(), options);
        assert_eq!(was, is, "{options}\n{told}");
        assert!(!told.contains("still differs"), "{options}\n{told}");
    }
}

#[test]
fn every_machine_is_made_again_from_its_recording() {
    check(&machine_names().iter().map(|name| format!("--machine {name}")).collect::<Vec<_>>());
}

#[test]
fn modes_counts_platform_and_version_are_made_again() {
    let options = [
        "--machine mi300x --compute CPX --memory NPS4 --gpus 8 --amd-smi 24.5.2",
        "--machine mi308x --compute CPX --memory NPS4 --gpus 2 --amd-smi 27.1.0",
        "--machine mi300a --compute TPX --gpus 4",
        "--machine mi355x --compute DPX --memory NPS2 --vm",
        "--machine mi325x --caller user",
    ];
    check(&options.map(str::to_owned));
}

#[test]
fn faults_that_the_trees_show_are_recognised() {
    let faults = [
        "missing_last_device",
        "missing_device=3",
        "initstate_going",
        "amdgpu_builtin_no_initstate",
        "kfd_missing",
        "unknown_partition_mode",
        "empty_compute_partition_file",
        "in_reset",
        "no_drm",
        "empty_memory_caps",
        "read_current_memory_partition=EIO",
        "wrong_memory=1024MiB",
    ];
    let options = faults.map(|fault| format!("--machine mi300x --compute CPX --fault {fault}"));
    check(&options);
}

#[test]
fn a_machine_that_is_refused_is_refused_with_the_reason() {
    let folder = scratch::folder();
    let run = |args: &[&str]| validate(folder.path(), args);
    run(&["shim", "sim", "--machine", "mi300x", "--fault", "driver_missing"]);
    run(&["record", "rec", "--host", "sim"]);
    let refused = run(&["shim", "like", "--like", "rec"]);
    assert_eq!(refused.status.code(), Some(64), "{}", told(&refused));
    assert!(told(&refused).contains("no GPU") && told(&refused).contains("--machine"), "{}", told(&refused));
    assert!(!folder.path().join("like").exists(), "nothing is made of what is refused");
}

/// Nothing but a kernel's trees: what amd-smi is remains open, and is said to.
#[test]
fn a_folder_of_trees_is_enough() {
    let folder = scratch::folder();
    let run = |args: &[&str]| validate(folder.path(), args);
    run(&["shim", "sim", "--machine", "mi308x", "--compute", "CPX", "--memory", "NPS4", "--gpus", "2"]);
    fs::create_dir(folder.path().join("trees")).unwrap();
    fs::rename(folder.path().join("sim/sys"), folder.path().join("trees/sys")).unwrap();
    let like = run(&["shim", "like", "--like", "trees"]);
    assert!(like.status.success(), "{}", told(&like));
    assert!(told(&like).contains("not inferred: version of amd-smi"), "{}", told(&like));
    let text = fs::read_to_string(folder.path().join("like/machine.toml")).unwrap();
    let machine = Machine::parse(&text).unwrap();
    assert_eq!((machine.part.as_str(), machine.gpus, machine.caller), ("mi308x", 2, Caller::Actual));
}

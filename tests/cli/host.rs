//! A machine made by `shim`, recorded by `record`, and what `run --host` makes of both.

use std::fs;
use std::path::Path;

use rocvet::domain::Provenance;

use super::support::{Bench, Done, record};

#[test]
fn a_shim_answers_whoever_has_it_in_the_path() {
    let bench = Bench::new();
    let told = bench.must(&["shim", "sim", "--machine", "mi300x", "--compute", "CPX", "--memory", "NPS4"]);
    assert!(told.contains("mi300x, CPX/NPS4") && told.contains("PATH="), "{told}");
    let path = format!("{}:/usr/bin:/bin", bench.path("sim/bin").display());
    let mut shell = std::process::Command::new("sh");
    let done = Done::of(shell.args(["-c", "amd-smi list && amd-smi version"]).env_clear().env("PATH", path));
    assert_eq!(done.code, 0, "{}", done.told());
    assert_eq!(done.stdout.matches("GPU:").count(), 8, "{}", done.stdout);
    assert!(done.stdout.contains("26.2.1"), "{}", done.stdout);
    assert!(!bench.must(&["shim", "vm", "--machine", "mi308x", "--vm"]).is_empty());
}

#[test]
fn a_host_takes_the_scenarios_that_apply_and_says_how_many_do_not() {
    let bench = Bench::new();
    bench.must(&["shim", "sim", "--machine", "mi300x", "--compute", "CPX", "--memory", "NPS4"]);
    let done = bench.run(&["run", "--host", "sim", "--results", "r"]);
    assert_eq!(done.code, 0, "{}", done.told());
    let record = record(&bench.only_run("r"));
    assert!(record.cases.iter().any(|case| case.id.starts_with("partition/modes/mi300x-cpx-nps4")));
    assert!(record.cases.iter().all(|case| case.evidence.is_some()), "what a host said is kept");
    let left_out: usize = record.not_selected.iter().map(|each| each.cases).sum();
    let line = format!("{} of {} cases selected; not: ", record.cases.len(), record.cases.len() + left_out);
    assert!(done.stdout.contains(&line), "{line}: {}", done.stdout);
    assert!(done.stdout.contains("for other machines"), "{}", done.stdout);
    assert!(done.stdout.contains("this says nothing about any hardware"), "{}", done.stdout);
}

#[test]
fn what_a_host_does_not_say_is_not_evaluated_and_no_pass() {
    let bench = Bench::new();
    bench.must(&["shim", "sim", "--machine", "mi300x", "--fault", "driver_missing"]);
    let done = bench.run(&["run", "--host", "sim", "-E", "not id(hardware/)", "--results", "r"]);
    assert_eq!(done.code, 3, "{}", done.told());
    let record = record(&bench.only_run("r"));
    assert_eq!(record.coverage.evaluated, 0);
    assert!(record.coverage.planned > 0);
    assert!(done.stdout.contains("it is for part MI300X, and this host's part is not reported"), "{}", done.stdout);
}

#[test]
fn no_scenario_changes_a_given_host_unless_it_is_allowed_to() {
    let bench = Bench::new();
    bench.write(
        "set.toml",
        "title = 't'\nwhy = 'w'\nsource = 's'\nlevel = 'reconfigure'\n[applies]\npart = 'MI300X'\n[simulate]\n\
         machine = 'mi300x'\namd-smi = '26.2.1'\n[[step]]\nreload = true\n[[step]]\nset = { compute = 'CPX' }\n\
         [[check]]\nid = 'set.applied'\n",
    );
    bench.must(&["shim", "sim", "--machine", "mi300x", "--caller", "root"]);
    let mode =
        || fs::read_to_string(find(&bench.path("sim/sys"), "current_compute_partition")).unwrap().trim().to_owned();
    let done = bench.run(&["run", "set.toml", "--host", "sim", "--results", "r"]);
    assert_eq!((done.code, mode().as_str()), (4, "SPX"), "{}", done.told());
    assert!(done.stderr.contains("going further than --interaction allows"), "{}", done.told());
    let done = bench.run(&["run", "set.toml", "--host", "sim", "--interaction", "reconfigure", "--results", "r"]);
    assert_eq!((done.code, mode().as_str()), (0, "SPX"), "the mode found comes back: {}", done.told());
    bench.must(&["record", "rec", "--host", "sim"]);
    let done = bench.run(&["run", "set.toml", "--host", "rec", "--interaction", "reconfigure", "--results", "r"]);
    assert_eq!(done.code, 4, "a driver cannot be reloaded in a recording: {}", done.told());
}

#[test]
fn a_recording_is_replayed_and_says_that_it_is_one() {
    let bench = Bench::new();
    bench.must(&["shim", "sim", "--machine", "mi308x", "--compute", "CPX", "--memory", "NPS4"]);
    let done = bench.run(&["record", "rec", "--host", "sim"]);
    assert!(done.code == 0 && done.stderr.contains("validate run --host rec"), "{}", done.told());
    let done = bench.run(&["run", "--host", "rec", "--results", "r"]);
    assert_eq!(done.code, 0, "{}", done.told());
    assert!(done.stdout.contains("on a recorded machine"), "{}", done.stdout);
    assert_eq!(record(&bench.only_run("r")).provenance, Provenance::Recorded);
    let again = bench.run(&["record", "rec2", "--host", "rec"]);
    assert_eq!(again.code, 0, "a recording of a recording: {}", again.told());
}

/// The first file of this name below a folder.
fn find(folder: &Path, name: &str) -> std::path::PathBuf {
    let mut found = walkdir::WalkDir::new(folder).into_iter().flatten();
    found.find(|entry| entry.file_name() == name).unwrap().into_path()
}

#[test]
fn a_published_topology_is_a_host_of_which_amd_smi_said_nothing() {
    let bench = Bench::new();
    for partition in 0..8 {
        let node = format!("published/sys/class/kfd/kfd/topology/nodes/{}", 2 + partition);
        bench.write(&format!("{node}/gpu_id"), format!("{}\n", 100 + partition));
        let location = 0x500 + partition;
        bench.write(
            &format!("{node}/properties"),
            format!("device_id {}\nlocation_id {location}\ndomain 0\nnum_xcc 1\nsimd_count 152\n", 0x74a1),
        );
        bench.write(&format!("{node}/mem_banks/0/properties"), "heap_type 1\nsize_in_bytes 25767706624\n");
    }
    let done = bench.run(&["run", "--host", "published", "--results", "r"]);
    assert_eq!(done.code, 3, "{}", done.told());
    let record = record(&bench.only_run("r"));
    assert_eq!(
        (record.provenance, record.host.description.as_str()),
        (Provenance::Recorded, "kernel trees in published")
    );
    assert!(record.cases.iter().any(|case| case.id.starts_with("partition/modes/mi300x-cpx-nps1")), "{}", done.told());
    assert!(done.stdout.contains("not recorded: amd-smi list"), "{}", done.stdout);
    let told = bench.run(&["doctor", "--host", "published"]);
    assert!(told.stdout.contains("MI300X"), "{}", told.told());
}

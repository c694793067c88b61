//! Changing modes for good and all: what is refused changes nothing, what fails goes back, what is killed is restored.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::support::{Bench, Done, in_memory, kill_after, spawn, until};

/// Options that agree to everything.
const ALL: &str = "--interaction reconfigure --yes --reload-driver";

/// Compute modes and memory mode of a simulated machine, and the memory mode that waits for a reload.
fn modes(host: &Path) -> (Value, Value, Value) {
    let state: Value = serde_json::from_slice(&fs::read(host.join("state.json")).unwrap()).unwrap();
    (state["compute"].clone(), state["memory"].clone(), state["memory_requested"].clone())
}

fn state(host: &Path) -> Vec<u8> {
    fs::read(host.join("state.json")).unwrap()
}

fn run(bench: &Bench, args: &str) -> Done {
    bench.run(&args.split_whitespace().collect::<Vec<_>>())
}

fn shim(bench: &Bench, options: &str) -> PathBuf {
    let caller = if options.contains("--caller") { "" } else { "--caller root" };
    let args = format!("shim sim {caller} {options}");
    bench.must(&args.split_whitespace().collect::<Vec<_>>());
    bench.path("sim")
}

#[test]
fn what_is_applied_is_read_back_and_restored_with_every_tool() {
    for tool in ["24.5.2", "24.7.0", "25.5.1", "26.2.1", "27.1.0"] {
        let bench = Bench::new();
        let host = shim(&bench, &format!("--machine mi300x --gpus 2 --amd-smi {tool}"));
        let done = run(&bench, &format!("partition apply --host sim --compute QPX --memory NPS4 {ALL}"));
        assert_eq!(done.code, 0, "{tool}: {}", done.told());
        assert!(done.stdout.contains("0000:27:00.0: QPX/NPS4 (found: SPX/NPS1)"), "{tool}: {}", done.told());
        assert_eq!(modes(&host).0, serde_json::json!(["QPX", "QPX"]), "{tool}");
        let again = run(&bench, &format!("partition apply --host sim --compute QPX {ALL}"));
        assert!(again.code == 0 && again.stdout.contains("in force already"), "{tool}: {}", again.told());
        let restored = run(&bench, "partition restore --host sim");
        assert_eq!(restored.code, 0, "{tool}: {}", restored.told());
        let (compute, memory, _) = modes(&host);
        assert_eq!((compute, memory), (serde_json::json!(["SPX", "SPX"]), "NPS1".into()), "{tool}");
        let twice = run(&bench, "partition restore --host sim");
        assert!(twice.code == 0 && twice.stderr.contains("nothing to restore"), "{tool}: {}", twice.told());
    }
}

#[test]
fn one_gpu_of_two_is_changed_and_the_other_is_left() {
    let bench = Bench::new();
    let host = shim(&bench, "--machine mi300x --gpus 2");
    let done = run(&bench, "partition apply --host sim --gpu 1 --compute DPX --interaction reconfigure");
    assert_eq!(done.code, 0, "{}", done.told());
    assert_eq!(modes(&host).0, serde_json::json!(["SPX", "DPX"]));
    assert_eq!(run(&bench, "partition restore --host sim").code, 0);
    assert_eq!(modes(&host).0, serde_json::json!(["SPX", "SPX"]));
}

#[test]
fn what_is_refused_changes_nothing() {
    let cases = [
        ("--machine mi300x", "--compute CPX", 64, "add --interaction reconfigure"),
        ("--machine mi300x", "--compute CPX --interaction exercise", 64, "add --interaction reconfigure"),
        ("--machine mi300x", "--memory NPS4 --interaction reconfigure --reload-driver", 64, "only --yes answers it"),
        ("--machine mi300x", "--memory NPS4 --interaction reconfigure --yes", 64, "add --reload-driver"),
        (
            "--machine mi300x --amd-smi 25.5.1",
            "--memory NPS4 --interaction reconfigure --yes",
            64,
            "reloads the driver by itself",
        ),
        ("--machine mi300x", "--compute TPX {ALL}", 1, "no TPX"),
        ("--machine mi300x --compute CPX --memory NPS4", "--compute SPX {ALL}", 1, "add --memory NPS1"),
        ("--machine mi300x", "--memory NPS2 {ALL}", 1, "not NPS2"),
        ("--machine mi300a", "--memory NPS4 {ALL}", 1, "the BIOS's to set"),
        ("--machine rx6800xt", "--compute CPX {ALL}", 1, "has no partitions"),
        ("--machine mi300x --caller user", "--compute CPX {ALL}", 1, "only root"),
        ("--machine mi325x --vm", "--compute CPX {ALL}", 1, "virtual machine"),
        ("--machine mi300x --fault hang", "--compute CPX {ALL}", 1, "amd-smi's version"),
        ("--machine mi300x --fault in_reset", "--compute CPX {ALL}", 1, "compute partition: "),
        ("--machine ./vf.toml", "--compute CPX {ALL}", 1, "a virtual function"),
        ("--machine ./busy.toml", "--compute CPX {ALL}", 1, "EBUSY"),
    ];
    for (machine, args, code, told) in cases {
        let bench = Bench::new();
        for (file, key) in [("vf", "platform = 'virtual-function'"), ("busy", "busy = true")] {
            bench.write(&format!("{file}.toml"), format!("name = '{file}'\npart = 'mi300x'\n{key}\n"));
        }
        let host = shim(&bench, machine);
        let before = modes(&host);
        let done = run(&bench, &format!("partition apply --host sim {}", args.replace("{ALL}", ALL)));
        assert_eq!(done.code, code, "{machine} {args}: {}", done.told());
        assert!(done.told().contains(told), "{machine} {args}: {}", done.told());
        assert_eq!(modes(&host), before, "{machine} {args}");
        assert!(!host.join("partition/apply.json").exists(), "{machine} {args}: a journal of nothing");
    }
}

#[test]
fn a_part_that_nobody_knows_is_left_alone() {
    let bench = Bench::new();
    let host = shim(&bench, "--machine mi300x --fault unknown_part");
    let before = state(&host);
    let done = run(&bench, &format!("partition apply --host sim --compute CPX {ALL}"));
    assert!(done.code == 1 && done.told().contains("no part with PCI device id"), "{}", done.told());
    assert_eq!(state(&host), before);
}

#[test]
fn a_recording_is_not_changed() {
    let bench = Bench::new();
    shim(&bench, "--machine mi300x");
    bench.must(&["record", "rec", "--host", "sim"]);
    for args in [format!("apply --compute CPX {ALL}"), "restore".to_owned()] {
        let done = run(&bench, &format!("partition {args} --host rec"));
        assert!(done.code == 64 && done.stderr.contains("a recording cannot be changed"), "{}", done.told());
    }
    assert_eq!(run(&bench, "partition plan --host rec --compute CPX").code, 0);
}

#[test]
fn what_fails_in_the_middle_goes_back_and_says_so() {
    for (faults, args, told) in [
        ("compute=EBUSY", "--compute CPX", "BUSY"),
        ("compute=EBUSY exit_zero_on_failure", "--compute CPX", "BUSY"),
        ("set_ignored", "--compute CPX", "is in SPX/NPS1 after CPX was set"),
        (
            "set_ignored",
            "--compute CPX --memory NPS4",
            "is in SPX/NPS1 after NPS4 was asked for and the driver reloaded",
        ),
        ("memory=EINVAL", "--compute CPX --memory NPS4", "INVAL"),
        ("reload_busy", "--compute CPX --memory NPS4", "the driver was not reloaded"),
        ("restart_err", "--compute CPX --memory NPS4", "the driver was not reloaded"),
        ("compute=EINTR", "--compute CPX --deadline 1", "is in SPX/NPS1 after CPX was set"),
        ("compute=EBUSY after=3:reload_busy", "--compute QPX --memory NPS4", "is in CPX/NPS4 after QPX was set"),
        ("after=1:garbage", "--memory NPS4", "cannot be understood"),
        ("after=1:signal=SIGSEGV", "--memory NPS4", "SIGSEGV"),
    ] {
        let bench = Bench::new();
        let faults: Vec<_> = faults.split(' ').map(|fault| format!("--fault {fault}")).collect();
        let host = shim(&bench, &format!("--machine mi300x --gpus 2 {}", faults.join(" ")));
        let (compute, memory, _) = modes(&host);
        let done = run(&bench, &format!("partition apply --host sim {args} {ALL}"));
        let expected = if faults.len() == 2 && faults[1].contains("reload_busy") { 112 } else { 1 };
        assert_eq!(done.code, expected, "{faults:?} {args}: {}", done.told());
        assert!(done.stderr.contains(told), "{faults:?} {args}: {}", done.told());
        assert!(done.stderr.contains("going back to the modes found"), "{faults:?} {args}: {}", done.told());
        if expected == 1 {
            let (after_compute, after_memory, waits) = modes(&host);
            assert_eq!((after_compute, &after_memory), (compute, &memory), "{faults:?} {args}");
            assert!(waits.is_null() || waits == memory, "{faults:?} {args}: {waits} waits for the next reload");
            assert!(!host.join("partition/apply.json").exists(), "{faults:?} {args}");
        } else {
            assert!(done.stderr.contains("partition restore --host sim"), "{faults:?} {args}: {}", done.told());
            assert!(host.join("partition/apply.json").exists(), "{faults:?} {args}");
        }
    }
}

#[test]
fn a_tool_that_fails_after_it_worked_is_no_failure() {
    for (fault, args) in [
        ("too_many_open_files", "--compute CPX --memory NPS4"),
        ("after=1:hang", "--compute CPX --deadline 1"),
        ("nonzero_on_success", "--compute CPX --memory NPS4"),
    ] {
        let bench = Bench::new();
        let host = shim(&bench, &format!("--machine mi300x --fault {fault}"));
        let done = run(&bench, &format!("partition apply --host sim {args} {ALL}"));
        assert_eq!(done.code, 0, "{fault}: {}", done.told());
        assert_eq!(modes(&host).0, serde_json::json!(["CPX"]), "{fault}");
    }
}

#[test]
fn the_partition_files_do_what_the_tool_does() {
    let bench = Bench::new();
    // A tool that only hangs is not asked.
    let host = shim(&bench, "--machine mi300x --gpus 2 --fault hang");
    let wish = "--compute QPX --memory NPS4 --through sysfs --interaction reconfigure";
    let refused = run(&bench, &format!("partition apply --host sim {wish}"));
    assert!(refused.code == 64 && refused.stderr.contains("--reload-driver"), "{}", refused.told());
    let done = run(&bench, &format!("partition apply --host sim {wish} --reload-driver"));
    assert_eq!(done.code, 0, "{}", done.told());
    assert_eq!(modes(&host).0, serde_json::json!(["QPX", "QPX"]));
    assert_eq!(run(&bench, "partition restore --host sim").code, 0);
    assert_eq!((modes(&host).0, modes(&host).1), (serde_json::json!(["SPX", "SPX"]), "NPS1".into()));
    let host = shim(&bench, "--machine mi300x --fault compute=EBUSY");
    let done = run(&bench, "partition apply --host sim --compute CPX --through sysfs --interaction reconfigure");
    assert!(done.code == 1 && done.stderr.contains("writing CPX: EBUSY"), "{}", done.told());
    assert_eq!(modes(&host).0, serde_json::json!(["SPX"]));
}

#[test]
fn a_signal_goes_back() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let bench = Bench::new();
        let host = shim(&bench, "--machine mi300x --gpus 4 --fault delay=300ms");
        let before = modes(&host);
        let args = format!("partition apply --host sim --compute CPX {ALL}");
        let mut child = spawn(&bench, &args);
        // The second GPU is being set: one is done.
        until(|| modes(&host).0[0] == "CPX");
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(code));
        assert_eq!(modes(&host), before, "{signal:?}");
        assert!(!host.join("partition/apply.json").exists(), "{signal:?}");
    }
}

#[test]
fn a_second_change_is_refused_while_one_is_under_way() {
    let bench = Bench::new();
    let host = shim(&bench, "--machine mi300x --gpus 2 --fault delay=500ms");
    let mut child = spawn(&bench, &format!("partition apply --host sim --compute CPX {ALL}"));
    until(|| host.join("partition/apply.json").exists());
    let done = run(&bench, &format!("partition apply --host sim --compute DPX {ALL}"));
    assert!(done.code == 1 && done.stderr.contains("another change"), "{}", done.told());
    assert!(child.wait().unwrap().success());
    assert_eq!(modes(&host).0, serde_json::json!(["CPX", "CPX"]));
}

#[test]
fn a_tool_that_outlives_a_killed_apply_is_waited_for() {
    let bench = Bench::new();
    let host = shim(&bench, "--machine mi300x --fault delay=1s");
    let mut child = spawn(&bench, &format!("partition apply --host sim --compute CPX {ALL}"));
    until(|| fs::read_to_string(host.join("partition/apply.json")).is_ok_and(|journal| journal.contains("CPX")));
    child.kill().unwrap();
    child.wait().unwrap();
    let refused = run(&bench, &format!("partition apply --host sim --compute DPX {ALL}"));
    assert_eq!(refused.code, 1, "{}", refused.told());
    let done = run(&bench, "partition restore --host sim");
    assert_eq!(done.code, 0, "{}", done.told());
    assert_eq!(modes(&host).0, serde_json::json!(["SPX"]), "{}", done.told());
}

#[test]
fn a_change_that_did_not_end_is_restored_before_another_begins() {
    let bench = Bench::new();
    let host = shim(&bench, "--machine mi300x");
    run(&bench, &format!("partition apply --host sim --compute CPX {ALL}"));
    let journal = host.join("partition/apply.json");
    let text = fs::read_to_string(&journal).unwrap();
    fs::write(&journal, text.replace("\"settled\": true", "\"settled\": false")).unwrap();
    let done = run(&bench, &format!("partition apply --host sim --compute DPX {ALL}"));
    assert!(done.code == 1 && done.stderr.contains("did not end"), "{}", done.told());
    fs::write(&journal, text.replace("\"schema\": 1", "\"schema\": 9")).unwrap();
    let done = run(&bench, "partition restore --host sim");
    assert!(done.code == 69 && done.stderr.contains("apply.json: key `schema`: version 9"), "{}", done.told());
    fs::write(&journal, vec![b'x'; 2 << 20]).unwrap();
    let done = run(&bench, "partition restore --host sim");
    assert!(done.code == 69 && done.stderr.contains("larger than"), "{}", done.told());
    assert_eq!(modes(&host).0, serde_json::json!(["CPX"]), "what cannot be read restores nothing");
    fs::write(&journal, text).unwrap();
    assert_eq!(run(&bench, "partition restore --host sim").code, 0);
    assert_eq!(modes(&host).0, serde_json::json!(["SPX"]));
}

#[test]
fn after_a_reboot_what_is_left_to_do_is_done() {
    // The memory mode may survive a reboot or not; the compute mode is the driver's choice again.
    for (memory, compute) in [("NPS4", "CPX"), ("NPS1", "SPX")] {
        let bench = Bench::new();
        let host = shim(&bench, "--machine mi300x");
        assert_eq!(run(&bench, &format!("partition apply --host sim --compute DPX {ALL}")).code, 0);
        let done = run(&bench, &format!("partition apply --host sim --compute QPX --memory NPS4 {ALL}"));
        assert_eq!(done.code, 0, "{}", done.told());
        let mut state: Value = serde_json::from_slice(&state(&host)).unwrap();
        (state["memory"], state["compute"]) = (memory.into(), vec![compute].into());
        state["generation"] = (state["generation"].as_u64().unwrap() + 1).into();
        fs::write(host.join("state.json"), state.to_string()).unwrap();
        let boot = host.join("proc/sys/kernel/random");
        fs::create_dir_all(&boot).unwrap();
        let _ = fs::remove_file(boot.join("boot_id"));
        fs::write(boot.join("boot_id"), "another-boot\n").unwrap();
        let done = run(&bench, "partition restore --host sim");
        assert_eq!(done.code, 0, "{memory}: {}", done.told());
        assert_eq!(modes(&host).0, serde_json::json!(["DPX"]), "the modes before the last apply: {}", done.told());
        assert_eq!(modes(&host).1, "NPS1");
    }
}

#[test]
fn whenever_apply_is_killed_restore_brings_the_modes_back() {
    const POINTS: usize = 10;
    let ways = [
        ("--gpus 2 --amd-smi 26.2.1", "--compute QPX --memory NPS4"),
        ("--gpus 2 --amd-smi 24.5.2", "--compute QPX --memory NPS4"),
        ("--gpus 2 --amd-smi 25.5.1 --compute CPX --memory NPS4", "--compute DPX --memory NPS1"),
        ("--gpus 1 --amd-smi 27.1.0 --compute QPX --memory NPS4", "--compute SPX --memory NPS1"),
        ("--gpus 4 --amd-smi 27.1.0", "--compute CPX"),
    ];
    let mut random = fastrand::Rng::with_seed(20_261_121);
    let (mut journalled, mut changed) = (0, 0);
    for (machine, wish) in ways {
        let (folder, bench) = in_memory();
        let host = folder.path().join("sim");
        let at = host.display();
        let done = run(&bench, &format!("shim {at} --caller root --machine mi300x {machine}"));
        assert_eq!(done.code, 0, "{}", done.told());
        let apply = format!("partition apply --host {at} {wish} {ALL}");
        let restore = format!("partition restore --host {at}");
        let began = Instant::now();
        assert_eq!(run(&bench, &apply).code, 0, "{machine}");
        let whole = began.elapsed();
        assert_eq!(run(&bench, &restore).code, 0, "{machine}");
        for point in 0..POINTS {
            let found = modes(&host);
            kill_after(spawn(&bench, &apply), random.f64() * whole.as_secs_f64());
            let killed = host.join("partition/apply.json").exists();
            journalled += usize::from(killed);
            changed += usize::from(modes(&host) != found);
            if point % 3 == 0 {
                // The way back is cut short too.
                kill_after(spawn(&bench, &restore), random.f64() * whole.as_secs_f64());
            }
            let done = run(&bench, &restore);
            assert_eq!(done.code, 0, "{machine} {point}: {}", done.told());
            let (compute, memory, waits) = modes(&host);
            assert_eq!((&compute, &memory), (&found.0, &found.1), "{machine} {point}: {}", done.told());
            assert!(waits.is_null() || waits == memory, "{machine} {point}: {waits} waits for the next reload");
            assert!(!host.join("partition/apply.json").exists(), "{machine} {point}: {}", done.told());
            let compute = found.0[0].as_str().unwrap();
            let done = run(&bench, &format!("partition assert --host {at} --compute {compute}"));
            assert_eq!(done.code, 0, "{machine} {point}: what the tree shows: {}", done.told());
        }
    }
    // Else nothing was killed in the middle, and nothing is shown.
    assert!(journalled > 10 && changed > 5, "{journalled} of 50 left a journal, {changed} changed modes");
}

/// A scenario that changes modes and leaves them changed.
fn scenario(steps: &str, check: &str) -> String {
    format!(
        "title = 't'\nwhy = 'w'\nsource = 's'\nlevel = 'reconfigure'\n[applies]\npart = 'MI300X'\n[simulate]\n\
         machine = 'mi300x'\namd-smi = '26.2.1'\n{steps}\n[[check]]\nid = '{check}'\n"
    )
}

const SET_CPX: &str = "[[step]]\nset = { compute = 'CPX' }";
const ASK_NPS4: &str = "[[step]]\nset = { memory = 'NPS4' }";
const NPS4: &str = "[[step]]\nset = { memory = 'NPS4' }\n[[step]]\nreload = true";

#[test]
fn a_run_leaves_the_modes_that_it_found() {
    for (machine, steps, check, code) in [
        ("", SET_CPX, "set.applied", 0),
        ("--gpus 2", NPS4, "set.applied", 0),
        ("", ASK_NPS4, "devices.count", 0),
        ("--fault set_ignored", SET_CPX, "set.applied", 1),
        (
            "--compute CPX --memory NPS4",
            "[[step]]\nset = { memory = 'NPS1' }\n[[step]]\nreload = true",
            "set.applied",
            0,
        ),
        ("--amd-smi 25.5.1", ASK_NPS4, "devices.count", 0),
    ] {
        let bench = Bench::new();
        bench.write("set.toml", scenario(steps, check));
        let host = shim(&bench, &format!("--machine mi300x {machine}"));
        let before = modes(&host);
        let done = run(&bench, "run set.toml --host sim --interaction reconfigure --results r");
        assert_eq!(done.code, code, "{machine} {steps}: {}", done.told());
        let after = modes(&host);
        assert_eq!((&after.0, &after.1), (&before.0, &before.1), "{machine} {steps}: {}", done.told());
        assert!(after.2.is_null() || after.2 == before.1, "{machine} {steps}: {} waits", after.2);
        assert!(!host.join("partition/run.json").exists(), "{machine} {steps}");
        let state: Value = serde_json::from_slice(&state(&host)).unwrap();
        assert!(state["clients"].as_array().unwrap().iter().all(|clients| clients == 0), "{machine} {steps}: {state}");
    }
}

#[test]
fn a_run_that_is_stopped_or_killed_leaves_a_way_back() {
    for (signal, code) in [(Signal::TERM, Some(143)), (Signal::KILL, None)] {
        let bench = Bench::new();
        let steps = format!("{SET_CPX}\n[[step]]\nrun = ['list']\n{NPS4}");
        bench.write("set.toml", scenario(&steps, "set.applied"));
        let host = shim(&bench, "--machine mi300x --fault delay=300ms");
        let before = modes(&host);
        let mut child = spawn(&bench, "run set.toml --host sim --interaction reconfigure --results r");
        until(|| modes(&host).0[0] == "CPX");
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert_eq!(child.wait().unwrap().code(), code, "{signal:?}");
        assert_eq!(host.join("partition/run.json").exists(), code.is_none(), "{signal:?}");
        let refused = run(&bench, "run set.toml --host sim --interaction reconfigure --results r");
        if code.is_none() {
            assert_eq!(refused.code, 1, "{}", refused.told());
            let done = run(&bench, "partition restore --host sim");
            assert_eq!(done.code, 0, "{}", done.told());
        }
        assert_eq!((modes(&host).0, modes(&host).1), (before.0, before.1), "{signal:?}");
        assert!(!host.join("partition/run.json").exists(), "{signal:?}");
    }
}

#[test]
fn a_run_that_cannot_go_back_says_so_and_goes_no_further() {
    let bench = Bench::new();
    bench.write("a.toml", scenario(NPS4, "set.applied"));
    bench.write("b.toml", scenario(SET_CPX, "set.applied"));
    // After so many calls `a` has set and reloaded, and the driver is stuck on the way back.
    let host = shim(&bench, "--machine mi300x --fault after=7:reload_busy");
    let done = run(&bench, "run a.toml b.toml --host sim --interaction reconfigure --results r");
    assert_eq!(done.code, 112, "{}", done.told());
    assert!(done.stdout.contains("exit 112") && done.stdout.contains("1 aborted"), "{}", done.told());
    assert!(host.join("partition/run.json").exists());
    let done = run(&bench, "partition restore --host sim");
    assert!(done.code == 1 && done.stderr.contains("not restored"), "{}", done.told());
}

#[test]
fn modes_that_were_applied_by_hand_are_what_a_run_goes_back_to() {
    let bench = Bench::new();
    bench.write("set.toml", scenario(SET_CPX, "set.applied"));
    let host = shim(&bench, "--machine mi300x");
    assert_eq!(run(&bench, &format!("partition apply --host sim --compute DPX {ALL}")).code, 0);
    let done = run(&bench, "run set.toml --host sim --interaction reconfigure --results r");
    assert_eq!(done.code, 0, "{}", done.told());
    assert_eq!(modes(&host).0, serde_json::json!(["DPX"]));
    assert_eq!(run(&bench, "partition restore --host sim").code, 0);
    assert_eq!(modes(&host).0, serde_json::json!(["SPX"]));
}

//! Recorded transcripts of the real tool against the program that others meet: `validate shim DIR`, then
//! `DIR/bin/amd-smi` with the same arguments and standard input. `tests/conformance` does this in process for all of
//! them; here a few show that nothing is lost on the way through a real process.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

mod scratch;

#[path = "conformance/case.rs"]
#[allow(dead_code, reason = "the writes that the driver saw are looked at in process only")]
mod case;
#[path = "conformance/compare.rs"]
#[allow(dead_code, reason = "its self-tests run with the conformance test")]
mod compare;

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use case::Case;
use compare::{Outcome, Played};

/// At least one for each of: a query in each format, several GPUs, a set that works, one that the driver refuses, a
/// question that is answered or not, a user, a guest, a broken machine, help, a wrong argument.
const TRANSCRIPTS: [&str; 16] = [
    "fakesys-mi300x_cpx_nps4-27.1.0-partition.txt",
    "fakesys-mi300x-26.2.1-partition-nonroot-json.txt",
    "fakesys-mi300x-26.2.1-set-C-CPX-csv-ok.txt",
    "fakesys-mi300x-27.1.0-set-C-EBUSY.txt",
    "fakesys-mi300x-27.1.0-set-M-NPS4-yes-json.txt",
    "fakesys-mi300x-27.1.0-set-M-NPS4-no.txt",
    "fakesys-mi300x-24.5.2-set-C-nonroot.txt",
    "fakesys-initstate_going-26.2.1-list-json.txt",
    "fakesys-unknown_partition_mode-27.1.0-partition-json.txt",
    "fakesys-rx5700xt-27.1.0-set-help-rdna-in-vm.txt",
    "fakesys-mi300x-26.2.1-bad-subcommand-query-json.txt",
    "held-out-24.5.2-list.txt",
    "held-out-26.2.1-partition-n8.txt",
    "held-out-27.1.0-list-e-csv-n8.txt",
    "held-out-27.1.0-set-M-errno-1.txt",
    "held-out-26.2.1-list-g-mixed.txt",
];

#[test]
fn the_installed_program_says_what_the_real_tool_said() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/amd-smi");
    let cases = case::all(&fixtures);
    for name in TRANSCRIPTS {
        let case = cases.iter().find(|case| case.name == name).unwrap_or_else(|| panic!("no transcript {name}"));
        let played = play(case);
        if let Outcome::Different(difference) = compare::compare(case, &played) {
            panic!("{name}: $ amd-smi {}\non {}\n{difference}", case.args.join(" "), case.machine);
        }
    }
}

#[test]
fn a_transcript_of_another_machine_is_told_apart() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/amd-smi");
    let cases = case::all(&fixtures);
    let mut case = cases.into_iter().find(|case| case.name == TRANSCRIPTS[0]).unwrap();
    case.machine.compute = "QPX".to_owned();
    assert!(matches!(compare::compare(&case, &play(&case)), Outcome::Different(_)));
}

/// Builds the host of a transcript and makes its call.
fn play(case: &Case) -> Played {
    // On the file system of the executable, so that it can be linked.
    let folder = scratch::folder();
    let machine = &case.machine;
    let mut shim = Command::new(scratch::validate());
    shim.arg("shim").arg(folder.path());
    shim.args(["--machine", &format!("reference-{}", machine.part), "--amd-smi", &case.tool]);
    shim.args(["--compute", &machine.compute, "--memory", &machine.memory, "--gpus", &machine.gpus.to_string()]);
    shim.args(["--caller", if case.nobody { "user" } else { "root" }]);
    shim.args(machine.vm.then_some("--vm"));
    shim.args(machine.faults.iter().flat_map(|fault| ["--fault", fault]));
    let made = shim.output().unwrap();
    assert!(made.status.success(), "{}: {made:?}", case.name);

    let mut child = Command::new(folder.path().join("bin/amd-smi"))
        .args(&case.args)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A tool that reads nothing may have ended already.
    let _ = child.stdin.take().unwrap().write_all((case.stdin.join("\n") + "\n").as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Played {
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
        code: output.status.code().and_then(|code| u8::try_from(code).ok()).expect("an exit code"),
    }
}

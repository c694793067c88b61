//! `set` and `reset` on machines that follow the facts: what is said, what changes, and what must not.

#![allow(clippy::unwrap_used, reason = "a test may stop at what is wrong")]

use rocvet::domain::{ComputeMode, MemoryMode};
use rocvet::sim::render::amd_smi::{Session, answer};
use rocvet::sim::{Kernel, Platform, State, preset};

/// One call: arguments, the answer to a question, and what must come out.
struct Step {
    line: &'static str,
    stdin: Option<&'static str>,
    code: u8,
    says: &'static str,
    then: fn(&State) -> bool,
}

const fn step(line: &'static str, code: u8, says: &'static str, then: fn(&State) -> bool) -> Step {
    Step { line, stdin: Some("y"), code, says, then }
}

fn play(machine: &str, tool: &str, faults: &[&str], change: fn(&mut rocvet::sim::Machine), steps: &[Step]) {
    let mut machine = preset::named(machine).unwrap();
    machine.faults = faults.iter().map(|fault| fault.parse().unwrap()).collect();
    change(&mut machine);
    let mut kernel = Kernel::new(machine).unwrap();
    for Step { line, stdin, code, says, then } in steps {
        let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let mut shown = Vec::new();
        let mut hung = false;
        let mut ask = |bytes: &[u8]| {
            shown.extend_from_slice(bytes);
            stdin.map(str::to_owned)
        };
        let mut hang = |_: &[u8]| hung = true;
        let mut session = Session { args: &args, root: true, ask: &mut ask, hang: &mut hang };
        let response = answer(&mut kernel, tool.parse().unwrap(), &mut session);
        let text = [shown, response.stdout, response.stderr].concat();
        let text = String::from_utf8(text).unwrap() + if hung { "<hangs>" } else { "" };
        assert!(text.contains(says), "{tool} {line}: {text}");
        assert_eq!(response.code, *code, "{tool} {line}: {text}");
        assert!(then(kernel.state()), "{tool} {line}: {:?}", kernel.state());
    }
}

const SAME: fn(&mut rocvet::sim::Machine) = |_| {};

/// Nothing but what reading the profiles leaves behind: a step that changes nothing starts from the machine's own modes.
fn untouched(state: &State) -> bool {
    state.generation == u64::from(!state.selected.is_empty()) && state.memory_requested.is_none()
}

fn cpx(state: &State) -> bool {
    state.compute == [ComputeMode::Cpx]
}

#[test]
fn a_compute_mode_is_in_force_at_once_and_the_next_query_shows_it() {
    let steps = [
        step("set -g 0 -C cpx", 0, "Successfully set", cpx),
        step("static -p -g 0", 0, "CPX", cpx),
        step("list --json", 0, "\"gpu\": 7", cpx),
    ];
    for tool in ["24.5.2", "24.7.0", "25.4.2", "26.0.0", "26.2.1", "27.1.0"] {
        play("mi300x", tool, &[], SAME, &steps);
    }
}

#[test]
fn a_memory_mode_waits_for_the_driver_where_the_tool_does_not_reload_it() {
    fn asked(state: &State) -> bool {
        state.memory == MemoryMode::Nps1 && state.memory_requested == Some(MemoryMode::Nps4)
    }
    fn applied(state: &State) -> bool {
        state.memory == MemoryMode::Nps4 && state.memory_requested.is_none()
    }
    for tool in ["24.5.2", "24.7.1", "25.4.2"] {
        play("mi300x", tool, &[], SAME, &[step("set -g 0 -M NPS4", 0, "Successfully set memory partition", applied)]);
    }
    play("mi300x", "27.1.0", &[], SAME, &[step("set -M NPS4", 0, "sudo modprobe -r amdgpu", asked)]);
    let steps = [
        step("set -M NPS4", 0, "reload driver when ready", asked),
        step("partition -m --json", 0, "\"current_memory_partition\": \"NPS1\"", asked),
        step("reset -r", 0, "Successfully reloaded driver", applied),
    ];
    play("mi300x", "26.2.1", &[], SAME, &steps);
}

#[test]
fn what_is_refused_changes_nothing() {
    let no = Step { stdin: Some("n"), ..step("set -M NPS4", 1, "Confirmation not given", untouched) };
    let closed = Step { stdin: None, ..step("set -M NPS4", 1, "EOFError: EOF when reading a line", untouched) };
    play("mi300x", "26.2.1", &[], SAME, &[no, closed]);
    let invalid = step("set -M NPS2", 0, "[AMDSMI_STATUS_INVAL] Unable to set memory partition to NPS2", untouched);
    play("mi300x", "27.1.0", &[], SAME, &[invalid]);
    let busy = step("set -C CPX", 1, "30 | AMDSMI_STATUS_BUSY - Device busy", untouched);
    play("mi300x", "26.2.1", &[], |machine| machine.busy = true, &[busy]);
    let parser = step("set -C DPX", 5, "Valid inputs are ['SPX', 'TPX', 'CPX', '0', '1', '2']", untouched);
    play("mi300a", "27.1.0", &[], SAME, &[parser]);
    let card = step("set -C CPX", 11, "requires elevation", untouched);
    play("rx5700xt", "27.1.0", &[], SAME, &[card]);
}

#[test]
fn spx_is_not_available_while_the_memory_is_split() {
    let split = |machine: &mut rocvet::sim::Machine| {
        (machine.compute, machine.memory) = (ComputeMode::Cpx, MemoryMode::Nps4);
    };
    for (tool, says) in [
        ("24.5.2", "55 | AMDSMI_STATUS_UNKNOWN_ERROR"),
        ("25.3.0", "to SPX (profile #0 on GPU ID: 0"),
        ("26.2.1", "[AMDSMI_STATUS_SETTING_UNAVAILABLE] Please check"),
        ("27.1.0", "to SPX (profile #0) on GPU ID: 0"),
    ] {
        play("mi300x", tool, &[], split, &[step("set -g 0 -C SPX", 1, says, untouched)]);
    }
}

#[test]
fn a_guest_that_the_tool_does_not_recognise_has_no_partition_flags() {
    let guest = |machine: &mut rocvet::sim::Machine| machine.platform = Platform::VirtualFunction;
    for (tool, code, says) in [
        ("25.4.2", 0, "Parameter '--compute-partition cpx' is invalid. Run '--help' for more info. Error code: -2"),
        ("26.2.1", 1, "Parameter '--compute-partition cpx' is invalid. Run 'amd-smi set -h'"),
        ("27.1.0", 2, "Parameter '--compute-partition cpx' is invalid. Run 'amd-smi set -h'"),
    ] {
        let line = "set -g 0 --compute-partition CPX";
        play("mi325x", tool, &[], guest, &[step(line, code, says, untouched)]);
    }
}

#[test]
fn faults_of_the_tool_itself_show_where_they_were_reported() {
    for (fault, tool, line, code, says) in [
        ("set_choices_one_string", "25.5.1", "set -C DPX", 2, "invalid choice: 'DPX' (choose from S, P, X, ,,  , D"),
        ("too_many_open_files", "25.3.0", "set -M NPS4", 1, "OSError: [Errno 24] Too many open files"),
        ("library_missing", "27.1.0", "list", 1, "Underlying error: libamd_smi.so.27: cannot open shared object file"),
        ("init_hang", "27.1.0", "list", 2, "amdsmi_init() timed out after 60s"),
        ("init_hang", "26.2.1", "list", 0, "<hangs>"),
        ("compute=EINTR", "26.2.1", "set -C CPX", 0, "<hangs>"),
        ("restart_err", "26.2.1", "reset -r", 0, "[AMDSMI_STATUS_AMDGPU_RESTART_ERR] Unable to successfully restart"),
    ] {
        play("mi300x", tool, &[fault], SAME, &[step(line, code, says, |_| true)]);
    }
}

#[test]
fn what_is_not_simulated_says_so() {
    for line in ["process", "set -l HIGH", "list --file /tmp/x", "static -r", "metric -t", "reset -G"] {
        play("mi300x", "27.1.0", &[], SAME, &[step(line, 69, "is not simulated", untouched)]);
    }
}

#[test]
fn a_set_of_all_gpus_reaches_each_of_them_while_devices_come_and_go() {
    let two: fn(&mut rocvet::sim::Machine) = |machine| machine.gpus = 2;
    for (tool, code, says) in
        [("24.5.2", 0, "Successfully"), ("26.2.1", 0, "Successfully"), ("27.1.0", 0, "Successfully")]
    {
        let steps = [
            step("set -g all -C CPX", code, says, |state| state.compute == [ComputeMode::Cpx; 2]),
            step("set -g all -C SPX", code, says, |state| state.compute == [ComputeMode::Spx; 2]),
        ];
        play("mi300x", tool, &[], two, &steps);
    }
}

//! Builds the machine that a transcript describes and calls the shim.

use rocvet::domain::{ComputeMode, MemoryMode, ToolVersion};
use rocvet::sim::render::amd_smi::{Session, answer};
use rocvet::sim::{Fault, Kernel, Platform, preset};

use crate::case::{Case, Described, Write};
use crate::compare::{self, Outcome, Played};

/// Plays one case and compares.
pub fn against(case: &Case) -> Outcome {
    let mut kernel = match machine(&case.machine) {
        Ok(kernel) => kernel,
        Err(problem) => return Outcome::Different(problem),
    };
    let before = kernel.state().clone();
    let played = play(&mut kernel, case);
    let outcome = compare::compare(case, &played);
    match (&outcome, &case.expected.writes) {
        (Outcome::Identical | Outcome::ByShape, Some(writes)) => {
            let changed = kernel.state().generation != before.generation;
            match written(case, writes, &kernel, changed) {
                Ok(()) => outcome,
                Err(problem) => Outcome::Different(problem),
            }
        }
        _ => outcome,
    }
}

fn machine(described: &Described) -> Result<Kernel, String> {
    let mut machine = preset::named(&format!("reference-{}", described.part)).map_err(|error| error.to_string())?;
    machine.compute = described.compute.parse().map_err(|error| format!("{error}"))?;
    machine.memory = described.memory.parse().map_err(|error| format!("{error}"))?;
    machine.gpus = described.gpus;
    if described.vm {
        machine.platform = Platform::Passthrough;
    }
    let faults: Result<Vec<Fault>, _> = described.faults.iter().map(|fault| fault.parse::<Fault>()).collect();
    machine.faults = faults.map_err(|error| error.to_string())?;
    Kernel::new(machine).map_err(|error| error.to_string())
}

fn play(kernel: &mut Kernel, case: &Case) -> Played {
    let tool: ToolVersion = case.tool.parse().expect("a tool version");
    let mut shown = Vec::new();
    let mut lines = case.stdin.iter();
    let mut hung = false;
    let shown_cell = std::cell::RefCell::new(&mut shown);
    let mut ask = |bytes: &[u8]| {
        shown_cell.borrow_mut().extend_from_slice(bytes);
        lines.next().cloned()
    };
    let mut hang = |_: &[u8]| hung = true;
    let mut session = Session { args: &case.args, root: !case.nobody, ask: &mut ask, hang: &mut hang };
    let response = answer(kernel, tool, &mut session);
    assert!(!hung, "{} hangs", case.name);
    shown.extend_from_slice(&response.stdout);
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Played { stdout: text(shown), stderr: text(response.stderr), code: response.code }
}

/// A write that the driver took is in the state, and a call without writes left the state alone.
fn written(case: &Case, writes: &[Write], kernel: &Kernel, changed: bool) -> Result<(), String> {
    if writes.is_empty() && changed {
        return Err("the shim changed the machine; the tool wrote nothing".to_owned());
    }
    let refused = !case.machine.faults.is_empty() || case.expected.code != 0;
    for write in writes.iter().filter(|_| !refused) {
        let state = kernel.state();
        let kept = match write.file.as_str() {
            "current_compute_partition" => {
                write.value.parse::<ComputeMode>().is_ok_and(|mode| state.compute.contains(&mode))
            }
            "current_memory_partition" => {
                write.value.parse::<MemoryMode>().is_ok_and(|mode| state.memory_requested == Some(mode))
            }
            _ => false,
        };
        if !kept {
            return Err(format!("the tool wrote {} to {}, the shim did not: {state:?}", write.value, write.file));
        }
    }
    Ok(())
}

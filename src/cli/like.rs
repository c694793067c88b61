//! `validate shim --like`: the simulated machine that is like a recorded one. Faults are found by making machines and looking
//! at them as at the recording.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, anyhow};

use crate::host::simulated::{Faces, create};
use crate::host::{Asking, Host};
use crate::likeness::{Inferred, candidates, differences, infer};
use crate::process::Cancel;
use crate::run::{Wanted, look};
use crate::sim::{Fault, Machine};
use crate::witness::Snapshot;
use crate::witness::amd_smi::{Format, Query};

use super::{console, results};

/// Most faults that are looked for: each round tries every one.
const ROUNDS: usize = 3;

/// The machine that is like the one of `dir`. What it is and by what, what was not inferred, and what it still shows otherwise
/// is told on standard error.
///
/// # Errors
/// The folder is no host, or no simulated machine can be like it; says why.
pub fn like(dir: &Path) -> anyhow::Result<Machine> {
    let host = Host::open(dir).with_context(|| format!("open recording {}", dir.display()))?;
    let tool = match &host {
        Host::Recorded { file, .. } | Host::Simulated { file, .. } => file.amd_smi,
        Host::Real => None,
    };
    let wanted = Wanted { queries: [Query::Version].into(), ..Wanted::trees() };
    let seen = look(&host, &wanted, Format::Json, &asking());
    let Inferred { machine, mut because, not } = infer(&seen, tool)
        .map_err(|reasons| anyhow!("no simulated machine can be like {}: {}", dir.display(), reasons.join("; ")))?;
    let (machine, left) = explain(&seen, machine)?;
    for fault in &machine.faults {
        because.push(("fault", fault.to_string(), "with it the simulated machine shows what was seen".to_owned()));
    }
    tell(&host, &because, &not, &left);
    Ok(machine)
}

fn asking() -> Asking {
    Asking { deadline: Duration::from_secs(10), cancel: Cancel::new() }
}

/// Adds faults as long as one of them makes the machine show more of what was seen.
fn explain(seen: &Snapshot, mut machine: Machine) -> anyhow::Result<(Machine, Vec<String>)> {
    let mut left = differences(seen, &shown(&machine)?);
    for _ in 0..ROUNDS {
        let mut best: Option<(Vec<String>, Fault)> = None;
        if left.is_empty() {
            break;
        }
        for fault in candidates(seen) {
            let faults = machine.faults.iter().chain([&fault]).cloned().collect();
            let tried = Machine { faults, ..machine.clone() };
            if machine.faults.contains(&fault) || tried.check().is_err() {
                continue;
            }
            let remains = differences(seen, &shown(&tried)?);
            let fewest = best.as_ref().map_or(left.len(), |(fewest, _)| fewest.len());
            if remains.len() < fewest {
                let all = remains.is_empty();
                best = Some((remains, fault));
                if all {
                    break;
                }
            }
        }
        let Some((remains, fault)) = best else { break };
        left = remains;
        machine.faults.push(fault);
    }
    Ok((machine, left))
}

/// What a simulated machine shows in its trees.
fn shown(machine: &Machine) -> anyhow::Result<Snapshot> {
    let scratch = results::scratch().map_err(|failure| failure.error)?;
    create(scratch.path(), machine, Faces::Both)?;
    Ok(look(&Host::open(scratch.path())?, &Wanted::trees(), Format::Json, &asking()))
}

fn tell(host: &Host, because: &[(&'static str, String, String)], not: &[String], left: &[String]) {
    console::note(&format!("like {}", host.origin()));
    for (key, value, by) in because {
        console::note(&format!("  {key:<12} {value:<18} by {by}"));
    }
    for each in not {
        console::note(&format!("  not inferred: {each}"));
    }
    for each in left {
        console::note(&format!("  still differs: {each}"));
    }
}

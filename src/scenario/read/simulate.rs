//! `[simulate]`: what to simulate where there is no hardware.

use std::path::{Component, Path};

use crate::domain::ToolVersion;
use crate::sim::{Caller, Fault, MachineError, Tuning, machine_names};

use super::super::tree::Node;
use super::super::{MachineRef, Simulate, nearest};
use super::values::{Fields, array, boolean, number, parsed, shown, text, word};
use super::{MachineFiles, Problems, tuning};

/// The keys of `[simulate]`.
pub(in super::super) const SIMULATE_KEYS: [&str; 13] = [
    "machine",
    "compute",
    "memory",
    "gpus",
    "platform",
    "caller",
    "amd-smi",
    "busy",
    "faults",
    "hives",
    "alloc-mode",
    "pages-limit",
    "tuning",
];

/// Most pages that `pages-limit` may name: 1 TiB.
const PAGES_LIMIT: u32 = 1 << 28;

/// Most faults of one machine.
const FAULT_LIMIT: usize = 64;

/// Reads `[simulate]` of one case: every list has been replaced by one of its values.
pub(super) fn simulate(node: &Node, machines: MachineFiles<'_>, problems: &mut Problems<'_>) -> Option<Simulate> {
    let fields = Fields::of(node, "[simulate]", &SIMULATE_KEYS, problems)?;
    let machine = fields.require("machine", problems).and_then(|node| machine(node, machines, problems));
    let version = fields.require("amd-smi", problems);
    let version = version.and_then(|node| parsed::<ToolVersion>(node, "amd-smi", problems));
    let gpus = fields.get("gpus").map(|node| number(node, "gpus", 1..=8, problems));
    let platform = fields.get("platform").map(|node| word(node, "platform", problems));
    let compute = fields.get("compute").map(|node| word(node, "compute", problems));
    let memory = fields.get("memory").map(|node| word(node, "memory", problems));
    let caller = fields.get("caller").map(|node| word(node, "caller", problems));
    let hives = fields.get("hives").map(|node| word(node, "hives", problems));
    let alloc_mode = fields.get("alloc-mode").map(|node| word(node, "alloc-mode", problems));
    let pages_limit = fields.get("pages-limit").map(|node| number(node, "pages-limit", 1..=PAGES_LIMIT, problems));
    let busy = fields.get("busy").map(|node| boolean(node, "busy", problems));
    let faults = fields.get("faults").map_or_else(Vec::new, |node| faults(node, problems));
    let tuning = fields.get("tuning").map(|node| tuning::tuning(node, problems));
    let simulate = Simulate {
        machine: machine?,
        gpus: optional(gpus)?,
        platform: optional(platform)?,
        compute: optional(compute)?,
        memory: optional(memory)?,
        caller: optional(caller)?.unwrap_or(Caller::Root),
        amd_smi: version?,
        busy: optional(busy)?.unwrap_or(false),
        hives: optional(hives)?,
        alloc_mode: optional(alloc_mode)?,
        pages_limit: optional(pages_limit)?.map(u64::from),
        tuning: match tuning {
            Some(read) => read?,
            None => Tuning::default(),
        },
        faults,
    };
    if let Err(error) = simulate.resolve() {
        let (field, problem) = match error {
            MachineError::Invalid { field, problem } => (field, problem),
            MachineError::UnknownMachine { .. } | MachineError::Syntax(_) => ("machine", error.to_string()),
        };
        let place = fields.get(field).or_else(|| fields.get("machine")).unwrap_or(node);
        problems.add(place.span.clone(), format!("no such machine: {problem}"));
        return None;
    }
    Some(simulate)
}

/// Outside: nothing when the value was bad. Inside: nothing when the key is absent.
pub(super) const fn optional<T: Copy>(read: Option<Option<T>>) -> Option<Option<T>> {
    match read {
        None => Some(None),
        Some(None) => None,
        Some(Some(value)) => Some(Some(value)),
    }
}

fn machine(node: &Node, files: MachineFiles<'_>, problems: &mut Problems<'_>) -> Option<MachineRef> {
    let name = text(node, "machine", problems)?;
    if names_a_file(name) {
        if !stays_below(name) {
            let title = format!("`{}` leaves the scenario's folder", shown(name));
            problems.add(node.span.clone(), title).help =
                Some("a machine is a name, or the path of a machine file below the scenario's folder".to_owned());
            return None;
        }
        return match files(name) {
            Ok(machine) => Some(MachineRef::File { path: name.to_owned(), machine }),
            Err(problem) => {
                problems.add(node.span.clone(), format!("the machine file `{}`: {problem}", shown(name)));
                None
            }
        };
    }
    let names = machine_names();
    if names.contains(&name) {
        return Some(MachineRef::Named(name.to_owned()));
    }
    problems.add(node.span.clone(), format!("no machine is called `{}`", shown(name))).help =
        Some(match nearest(name, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`? `validate list --machines` lists them"),
            None => format!("machines: {}", names.join(", ")),
        });
    None
}

/// Whether a `machine` value is the path of a machine file rather than a name.
fn names_a_file(name: &str) -> bool {
    name.contains(['/', '\\']) || name.ends_with(".toml") || matches!(name, "." | "..")
}

/// Whether a path is relative and made of plain names only.
fn stays_below(path: &str) -> bool {
    let plain = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    plain && path.len() <= 255 && !path.contains(['\\', '\0', ':'])
}

fn faults(node: &Node, problems: &mut Problems<'_>) -> Vec<Fault> {
    let items = array(node, "faults", problems).unwrap_or_default();
    if items.len() > FAULT_LIMIT {
        problems.add(node.span.clone(), format!("a machine may have at most {FAULT_LIMIT} faults"));
        return Vec::new();
    }
    items.iter().filter_map(|item| parsed(item, "faults", problems)).collect()
}

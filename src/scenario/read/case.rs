//! One case: the tables of the file with every list replaced by one value.

use std::sync::Arc;
use std::time::Duration;

use crate::witness::amd_smi::Format;

use super::super::tree::Node;
use super::super::{Axis, Case, Scenario, Step};
use super::header::level_span;
use super::values::{Fields, array, number, one_or_more, word, words};
use super::{MachineFiles, Problems, check, simulate, step};

/// The keys of `[observe]`.
pub(in super::super) const OBSERVE_KEYS: [&str; 3] = ["ask", "format", "deadline-ms"];

/// Most steps, and most checks, of one scenario.
const LIST_LIMIT: usize = 200;

/// Reads one case out of the tables that its variant leaves.
pub(super) fn case(
    root: &Node,
    scenario: &Arc<Scenario>,
    variant: Vec<Axis>,
    machines: MachineFiles<'_>,
    problems: &mut Problems<'_>,
) -> Option<Case> {
    let simulate = match root.get("simulate") {
        Some(node) => simulate::simulate(node, machines, problems),
        None => {
            problems.add(0..0, "`[simulate]` is missing").help =
                Some("say what to simulate where there is no hardware: machine and amd-smi".to_owned());
            None
        }
    };
    let observe = root.get("observe").and_then(|node| Fields::of(node, "[observe]", &OBSERVE_KEYS, problems));
    let ask = observe.as_ref().and_then(|fields| fields.get("ask"));
    let mut ask = ask.map(|node| words(node, "ask", problems)).unwrap_or_default();
    ask.sort_unstable();
    ask.dedup();
    let format = match observe.as_ref().and_then(|fields| fields.get("format")) {
        Some(node) => word(node, "format", problems),
        None => Some(Format::Json),
    };
    let deadline = match observe.as_ref().and_then(|fields| fields.get("deadline-ms")) {
        Some(node) => Some(number(node, "deadline-ms", 1..=600_000, problems)?),
        None => None,
    };
    let steps = steps(root, scenario, problems);
    let listed = list(root, "check", problems);
    let checks = listed.iter().filter_map(|node| check::check(node, problems)).collect();
    if root.get("check").is_none_or(|node| one_or_more(node).is_empty()) {
        problems.add(0..0, "a scenario needs at least one [[check]]");
    }
    Some(Case {
        id: id(&scenario.id, &variant),
        scenario: Arc::clone(scenario),
        variant,
        simulate: simulate?,
        ask,
        format: format?,
        deadline: deadline.map(|ms| Duration::from_millis(ms.into())),
        steps,
        checks,
        worker: None,
    })
}

/// `scenario::axis=value,axis=value`, or the scenario's id where there is one case.
pub(super) fn id(scenario: &str, variant: &[Axis]) -> String {
    let axes: Vec<String> = variant.iter().map(|axis| format!("{}={}", axis.name, axis.value)).collect();
    if axes.is_empty() { scenario.to_owned() } else { format!("{scenario}::{}", axes.join(",")) }
}

fn steps(root: &Node, scenario: &Scenario, problems: &mut Problems<'_>) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut held = false;
    for node in list(root, "step", problems) {
        let Some(step) = step::step(node, problems) else { continue };
        match step {
            Step::Hold if held => {
                problems.add(node.span.clone(), "a client already holds the GPUs");
            }
            Step::Release if !held => {
                problems.add(node.span.clone(), "no step before this one holds the GPUs");
            }
            Step::Hold | Step::Release => held = !held,
            Step::Set(_) | Step::Reload | Step::Run(_) | Step::Probe(_) => {}
        }
        let needs = step::level(&step);
        if needs > scenario.level {
            let title = format!("this step needs level = \"{needs}\", and the scenario's is \"{}\"", scenario.level);
            let place = if root.get("level").is_some() { level_span(root) } else { node.span.clone() };
            problems.add(place, title).help = Some(format!("write level = \"{needs}\" at the top of the file"));
        }
        steps.push(step);
    }
    steps
}

/// The tables of `[[key]]`; empty when there are none.
fn list<'n>(root: &'n Node, key: &str, problems: &mut Problems<'_>) -> &'n [Node] {
    let Some(node) = root.get(key) else { return &[] };
    let items = array(node, &format!("[[{key}]]"), problems).unwrap_or_default();
    if items.len() > LIST_LIMIT {
        problems.add(node.span.clone(), format!("a scenario may have at most {LIST_LIMIT} [[{key}]]"));
        return &[];
    }
    items
}

//! The whole file: syntax, header, axes, and each case.

use std::sync::Arc;

use crate::sim::Machine;

use super::super::tree::Node;
use super::super::{Axis, Case, Diagnostic, Origin, Scenario, tree};
use super::axes::{self, AxisList, CASE_LIMIT, Resolver};
use super::values::Fields;
use super::{Problems, case, header};

/// Largest scenario file, in bytes.
pub const SIZE_LIMIT: u64 = 1 << 20;

/// Gives the machine file at a path below the scenario's folder, or says what is wrong with it.
pub type MachineFiles<'f> = &'f dyn Fn(&str) -> Result<Arc<Machine>, String>;

/// The top-level keys.
pub(in super::super) const TOP_KEYS: [&str; 11] =
    ["title", "why", "source", "tags", "level", "applies", "simulate", "sweep", "observe", "step", "check"];

/// Reads a scenario file.
///
/// # Errors
/// Everything that is wrong with it, up to twenty problems, in the order of the file. Problems of one case are reported for
/// the first case that has any.
pub fn read(text: &str, id: &str, origin: &Origin, machines: MachineFiles<'_>) -> Result<Vec<Case>, Vec<Diagnostic>> {
    let file = origin.to_string();
    if text.len() as u64 > SIZE_LIMIT {
        return Err(vec![too_large(&file)]);
    }
    let mut problems = Problems::new(&file, text);
    let cases = cases(text, id, origin, machines, &mut problems);
    if problems.is_empty() { Ok(cases.unwrap_or_default()) } else { Err(problems.into_list()) }
}

/// The problem of a file over [`SIZE_LIMIT`].
pub(in super::super) fn too_large(file: &str) -> Diagnostic {
    Diagnostic::of_file(file, format!("larger than {} MiB: not a scenario file", SIZE_LIMIT >> 20))
}

fn cases(
    text: &str,
    id: &str,
    origin: &Origin,
    machines: MachineFiles<'_>,
    problems: &mut Problems<'_>,
) -> Option<Vec<Case>> {
    let root = match tree::parse(text) {
        Ok(root) => root,
        Err(errors) => {
            for error in errors {
                problems.add(error.span, format!("not valid TOML: {}", error.message));
            }
            return None;
        }
    };
    let fields = Fields::of(&root, "a scenario", &TOP_KEYS, problems)?;
    let header = header::header(&fields, id, origin, problems);
    let axes = axes::axes(&root, problems);
    let (Some(scenario), true) = (&header, problems.is_empty()) else {
        // The first case is still read, so that one look shows what is wrong with the rest of the file.
        let scenario = header.unwrap_or_else(|| header::unreadable(id, origin));
        if axes.iter().all(|axis| !axis.values.is_empty()) {
            one_case(&root, &scenario, &axes, 0, &mut Resolver::new(&axes), machines, problems);
        }
        return None;
    };
    let Some(count) = axes::count(&axes) else {
        let sizes: Vec<String> = axes.iter().map(|axis| format!("{} {}", axis.values.len(), axis.name)).collect();
        problems.add(0..0, format!("more than {CASE_LIMIT} cases")).note = Some(sizes.join(" × "));
        return None;
    };
    let mut resolver = Resolver::new(&axes);
    let mut cases = Vec::new();
    for number in 0..count {
        cases.push(one_case(&root, scenario, &axes, number, &mut resolver, machines, problems)?);
        if !problems.is_empty() {
            return None;
        }
    }
    Some(cases)
}

fn one_case(
    root: &Node,
    scenario: &Arc<Scenario>,
    axes: &[AxisList<'_>],
    number: usize,
    resolver: &mut Resolver<'_>,
    machines: MachineFiles<'_>,
    problems: &mut Problems<'_>,
) -> Option<Case> {
    let choice = choice(axes, number);
    let variant = variant(axes, &choice);
    if number > 0 {
        // What is wrong in the first case is as a rule wrong in all, and the note would only be noise.
        let in_id: Vec<String> = variant.iter().map(|axis| format!("{}={}", axis.name, axis.value)).collect();
        problems.context = Some(format!("in the case {}", in_id.join(",")));
    }
    let before = problems.count();
    let tables = resolver.resolve(root, &choice, problems)?;
    // A string whose ${name} is not known would be reported again, as the wrong value that it is.
    if problems.count() > before { None } else { case::case(&tables, scenario, variant, machines, problems) }
}

/// Which value of each axis case `number` has: the last axis turns fastest.
fn choice(axes: &[AxisList<'_>], number: usize) -> Vec<usize> {
    let mut left = number;
    let mut choice: Vec<usize> = axes
        .iter()
        .rev()
        .map(|axis| {
            let at = left % axis.values.len().max(1);
            left /= axis.values.len().max(1);
            at
        })
        .collect();
    choice.reverse();
    choice
}

fn variant(axes: &[AxisList<'_>], choice: &[usize]) -> Vec<Axis> {
    axes.iter().zip(choice).filter(|(axis, _)| axis.values.len() > 1).filter_map(|(axis, &at)| axis.label(at)).collect()
}

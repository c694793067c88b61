//! `required` and `banned` of a check: what must be set, and what must not.

use std::collections::BTreeMap;

use crate::domain::{Ban, Conflict, Demand};
use crate::facts::{self, ParameterKind};

use super::super::nearest;
use super::super::tree::{Node, Value};
use super::Problems;
use super::tuning::value;
use super::values::{Fields, array, shown, table, text};

/// Most entries of one list.
const LIMIT: usize = 64;

/// What the names are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    /// Kernel parameters; those of amdgpu may be written without their module.
    Parameter,
    /// Environment variables.
    Variable,
}

/// Reads both lists; that they contradict each other is a problem of the file.
pub(super) fn demand(fields: &Fields<'_>, named: Named, problems: &mut Problems<'_>) -> Option<Demand> {
    let before = problems.count();
    let mut required = BTreeMap::new();
    if let Some(node) = fields.get("required") {
        let entries = table(node, "required", problems)?;
        for entry in entries.iter().take(LIMIT) {
            let Some(name) = name(&entry.key, &entry.span, named, problems) else { continue };
            let Some(value) = value(&entry.node, &entry.key, problems) else { continue };
            plain(&value, &entry.node, problems);
            meaningful(&name, &value, named, &entry.node, problems);
            if required.insert(name, value).is_some() {
                problems.add(entry.span.clone(), format!("`{}` is required twice", shown(&entry.key)));
            }
        }
        limit(entries.len(), node, "required", problems);
    }
    let mut banned = Vec::new();
    if let Some(node) = fields.get("banned") {
        let items = array(node, "banned", problems)?;
        for item in items.iter().take(LIMIT) {
            let Some(written) = text(item, "banned", problems) else { continue };
            let (key, value) = match written.split_once('=') {
                Some((key, value)) => (key, Some(value.to_owned())),
                None => (written, None),
            };
            let Some(name) = name(key, &item.span, named, problems) else { continue };
            if let Some(value) = &value {
                plain(value, item, problems);
                one_word(&name, value, named, item, problems);
            }
            banned.push(Ban { name, value });
        }
        limit(items.len(), node, "banned", problems);
    }
    together(&required, named, fields, problems);
    if problems.count() > before {
        return None;
    }
    let holds = |name: &str, found: &str, value: &str| match named {
        Named::Parameter => facts::parameter_holds(name, found, value),
        Named::Variable => found == value,
    };
    match Demand::new(required, banned, holds) {
        Ok(demand) => Some(demand),
        Err(conflict) => {
            let node = fields.get("banned").and_then(|node| place(node, &conflict, named));
            let span = node.map_or_else(|| fields.node.span.clone(), |node| node.span.clone());
            problems.add(span, conflict.to_string()).help = match conflict {
                Conflict::Both { .. } => Some("a machine can do one or the other: take one of them out".to_owned()),
                Conflict::Twice(_) => None,
            };
            None
        }
    }
}

fn limit(count: usize, node: &Node, key: &str, problems: &mut Problems<'_>) {
    if count > LIMIT {
        problems.add(node.span.clone(), format!("`{key}` may have at most {LIMIT} entries"));
    }
}

/// The entry of `banned` that a conflict is about: the last one with that name.
fn place<'n>(node: &'n Node, conflict: &Conflict, named: Named) -> Option<&'n Node> {
    let Value::Array(items) = &node.value else { return None };
    let wanted = match conflict {
        Conflict::Both { name, .. } => name.as_str(),
        Conflict::Twice(ban) => ban.split('=').next().unwrap_or(ban),
    };
    let is_it = |item: &&Node| matches!(&item.value, Value::Text(text) if canonical(text.split('=').next().unwrap_or(text), named) == wanted);
    items.iter().rev().find(is_it)
}

/// A name as the tables have it, or a problem.
fn name(written: &str, span: &std::ops::Range<usize>, named: Named, problems: &mut Problems<'_>) -> Option<String> {
    let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if written.is_empty() || written.len() > 100 || !written.chars().all(valid) {
        problems.add(span.clone(), format!("`{}` is not a name", shown(written)));
        return None;
    }
    let name = canonical(written, named);
    let known = match named {
        // A module may have parameters that no table has; a word of the kernel itself must be known.
        Named::Parameter => name.contains('.') || facts::parameter(&name).is_some(),
        Named::Variable => true,
    };
    if !known {
        let names = facts::parameters().iter().map(|each| each.name.strip_prefix("amdgpu.").unwrap_or(&each.name));
        let help = match nearest(written, names) {
            Some(near) => format!("did you mean `{near}`? `validate explain param` lists them"),
            None => "`validate explain param` lists them; one that is not there is written MODULE.NAME".to_owned(),
        };
        problems.add(span.clone(), format!("no kernel parameter is called `{}`", shown(written))).help = Some(help);
        return None;
    }
    Some(name)
}

/// Underscores for dashes, and the module where it was left out.
fn canonical(written: &str, named: Named) -> String {
    match named {
        Named::Variable => written.to_owned(),
        Named::Parameter => {
            let name = written.replace('-', "_");
            let of_driver = format!("amdgpu.{name}");
            let short = facts::parameter(&name).is_none() && facts::parameter(&of_driver).is_some();
            if short { of_driver } else { name }
        }
    }
}

/// A value that no driver takes is none that a machine could have.
fn meaningful(name: &str, value: &str, named: Named, node: &Node, problems: &mut Problems<'_>) {
    let parameter = facts::parameter(name).filter(|_| named == Named::Parameter);
    if let Some(parameter) = parameter.filter(|parameter| !parameter.allows(value)) {
        let title = format!("`{}` can never be {:?}", shown(name), shown(value));
        problems.add(node.span.clone(), title).help = Some(match parameter.kind {
            ParameterKind::BootList => "one of its words takes another back: take one of them out".to_owned(),
            ParameterKind::Int | ParameterKind::Mask | ParameterKind::Timeouts | ParameterKind::Boot => {
                format!("`validate explain {}` has the legal values", parameter.entry_id())
            }
        });
    }
}

/// Of a list with commas a ban names one word: two may be meant together or each for itself.
fn one_word(name: &str, value: &str, named: Named, node: &Node, problems: &mut Problems<'_>) {
    let parameter = facts::parameter(name).filter(|_| named == Named::Parameter);
    if parameter.is_some_and(|parameter| parameter.kind == ParameterKind::BootList) && value.contains(',') {
        let title = format!("of `{}` one word is banned at a time, and {:?} is several", shown(name), shown(value));
        problems.add(node.span.clone(), title).help = Some("give each word its own entry of `banned`".to_owned());
    }
}

/// Settings of which one takes away what the other asks for cannot both be required.
fn together(required: &BTreeMap<String, String>, named: Named, fields: &Fields<'_>, problems: &mut Problems<'_>) {
    let Some(node) = fields.get("required").filter(|_| named == Named::Parameter) else { return };
    let wants = |[name, value]: &[String; 2]| {
        required.get(name).is_some_and(|wanted| facts::parameter_holds(name, wanted, value))
    };
    for each in facts::opposites().iter().filter(|each| wants(&each.asked) && wants(&each.against)) {
        let (asked, against) = (each.asked.join("="), each.against.join("="));
        problems.add(node.span.clone(), format!("`{asked}` and `{against}` are both required")).help =
            Some(format!("{asked} wants {}, which {against} takes away: take one of them out", each.wants));
    }
}

/// Values go into lines that people paste into a shell.
fn plain(value: &str, node: &Node, problems: &mut Problems<'_>) {
    let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ',' | ':' | '=' | '+' | '/');
    if value.len() > 200 || !value.chars().all(valid) {
        let title = "a value is at most 200 letters, digits and `_-.,:=+/`";
        problems.add(node.span.clone(), title);
    }
}

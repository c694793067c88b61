//! `tuning` of `[simulate]`: what was set on the simulated machine.

use std::collections::BTreeMap;

use crate::sim::Tuning;

use super::super::tree::{Node, Value};
use super::Problems;
use super::values::{Fields, boolean, shown, table, text};

/// The keys of `tuning`.
pub(in super::super) const TUNING_KEYS: [&str; 8] =
    ["kernel", "in-tree", "cmdline", "modprobe", "written", "environ", "rocm", "torch"];

/// Reads `tuning`; what no machine can have is told by the machine.
pub(super) fn tuning(node: &Node, problems: &mut Problems<'_>) -> Option<Tuning> {
    let fields = Fields::of(node, "tuning of [simulate]", &TUNING_KEYS, problems)?;
    let kernel = fields.get("kernel").map(|node| text(node, "kernel", problems));
    let rocm = fields.get("rocm").map(|node| text(node, "rocm", problems));
    let torch = fields.get("torch").map(|node| text(node, "torch", problems));
    let cmdline = fields.get("cmdline").map(|node| text(node, "cmdline", problems));
    let in_tree = fields.get("in-tree").map(|node| boolean(node, "in-tree", problems));
    let modprobe = pairs(&fields, "modprobe", problems);
    let written = pairs(&fields, "written", problems);
    let environ = pairs(&fields, "environ", problems);
    let owned = |read: Option<Option<&str>>| read.map_or(Some(None), |value| Some(Some(value?.to_owned())));
    Some(Tuning {
        kernel: owned(kernel)?,
        in_tree: in_tree.map_or(Some(false), |flag| flag)?,
        cmdline: owned(cmdline)?.unwrap_or_default(),
        modprobe: modprobe?,
        written: written?,
        environ: environ?,
        rocm: owned(rocm)?,
        torch: owned(torch)?,
    })
}

/// A table of names and values. A number stands for its digits.
pub(super) fn pairs(fields: &Fields<'_>, key: &str, problems: &mut Problems<'_>) -> Option<BTreeMap<String, String>> {
    let Some(node) = fields.get(key) else { return Some(BTreeMap::new()) };
    let entries = table(node, key, problems)?;
    let mut read = BTreeMap::new();
    for entry in entries {
        read.insert(entry.key.clone(), value(&entry.node, &entry.key, problems)?);
    }
    Some(read)
}

/// A string, or a number's digits.
pub(super) fn value(node: &Node, key: &str, problems: &mut Problems<'_>) -> Option<String> {
    match &node.value {
        Value::Text(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Huge | Value::Boolean(_) | Value::Float | Value::Datetime | Value::Array(_) | Value::Table(_) => {
            let title = format!("`{}` must be a string or a number, and is {}", shown(key), node.kind());
            problems.add(node.span.clone(), title);
            None
        }
    }
}

//! The lists of a scenario file that multiply into cases.

use super::super::tree::{Entry, Node, Value};
use super::super::{Axis, nearest};
use super::Problems;
use super::simulate::SIMULATE_KEYS;
use super::values::{Fields, array, shown, table};

/// Most cases that one scenario may multiply into.
pub(super) const CASE_LIMIT: usize = 10_000;
/// Longest value of an axis, in bytes: it stands in case ids.
const VALUE_LIMIT: usize = 100;

/// Most entries of `[sweep]`: each is looked for in the whole file.
const SWEEP_LIMIT: usize = 16;

/// One list, and where its values go.
pub(super) struct AxisList<'n> {
    pub(super) name: &'n str,
    pub(super) place: Place,
    pub(super) values: &'n [Node],
    start: usize,
}

/// Where a value of an axis goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// It replaces the list in `[simulate]`.
    Simulate,
    /// It replaces the list in `[observe]`.
    Observe,
    /// It replaces `${name}`.
    Sweep,
}

impl AxisList<'_> {
    /// How value `at` stands in a case's id.
    pub(super) fn label(&self, at: usize) -> Option<Axis> {
        Some(Axis { name: self.name.to_owned(), value: label(self.values.get(at)?) })
    }
}

/// Every axis of the file, in the file's order.
pub(super) fn axes<'n>(root: &'n Node, problems: &mut Problems<'_>) -> Vec<AxisList<'n>> {
    let mut axes = Vec::new();
    let entries = |key: &str| match root.get(key).map(|node| &node.value) {
        Some(Value::Table(entries)) => entries.as_slice(),
        // What is not a table is reported where the table is read.
        Some(_) | None => &[],
    };
    for entry in entries("simulate") {
        if let Some(values) = listed(entry).filter(|_| SIMULATE_KEYS.contains(&entry.key.as_str())) {
            axes.push(axis(entry, values, Place::Simulate));
        }
    }
    for entry in entries("observe").iter().filter(|entry| entry.key == "format") {
        axes.extend(listed(entry).map(|values| axis(entry, values, Place::Observe)));
    }
    if let Some(node) = root.get("sweep") {
        let entries = table(node, "[sweep]", problems).unwrap_or_default();
        if entries.len() > SWEEP_LIMIT {
            problems.add(node.span.clone(), format!("[sweep] may have at most {SWEEP_LIMIT} entries"));
        }
        for entry in entries.iter().take(SWEEP_LIMIT) {
            axes.extend(sweep(entry, root, problems));
        }
    }
    for axis in &axes {
        check_values(axis, problems);
    }
    axes.sort_by_key(|axis| axis.start);
    axes
}

/// How many cases the axes make; `None` when they are too many.
pub(super) fn count(axes: &[AxisList<'_>]) -> Option<usize> {
    let product = axes.iter().try_fold(1_usize, |product, axis| product.checked_mul(axis.values.len()))?;
    (product <= CASE_LIMIT).then_some(product)
}

fn axis<'n>(entry: &'n Entry, values: &'n [Node], place: Place) -> AxisList<'n> {
    AxisList { name: &entry.key, place, values, start: entry.span.start }
}

/// The values of a key that is a list of alternatives. One list of faults is one machine; a list of lists is a sweep.
fn listed(entry: &Entry) -> Option<&[Node]> {
    let Value::Array(items) = &entry.node.value else { return None };
    let nested = items.iter().any(|item| matches!(item.value, Value::Array(_)));
    (entry.key != "faults" || nested).then_some(items)
}

fn sweep<'n>(entry: &'n Entry, root: &Node, problems: &mut Problems<'_>) -> Option<AxisList<'n>> {
    let name = entry.key.as_str();
    let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    if name.is_empty() || name.len() > 40 || !name.chars().all(valid) {
        problems.add(entry.span.clone(), "the name of a sweep is 1 to 40 of a-z, 0-9, `-` and `_`");
        return None;
    }
    if SIMULATE_KEYS.contains(&name) || name == "format" {
        let title = format!("`{name}` has its own place in the file");
        let place = if name == "format" { "[observe]" } else { "[simulate]" };
        problems.add(entry.span.clone(), title).help = Some(format!("write the list as `{name}` of {place}"));
        return None;
    }
    let values = array(&entry.node, name, problems)?;
    if !["simulate", "step", "check"].iter().filter_map(|key| root.get(key)).any(|node| uses(node, name)) {
        let title = format!("nothing uses `${{{name}}}`: its cases would all be the same");
        problems.add(entry.span.clone(), title);
    }
    Some(axis(entry, values, Place::Sweep))
}

/// Whether a string below this node refers to a sweep.
fn uses(node: &Node, name: &str) -> bool {
    match &node.value {
        Value::Text(text) => text.split("${").skip(1).any(|rest| rest.split('}').next() == Some(name)),
        Value::Array(items) => items.iter().any(|item| uses(item, name)),
        Value::Table(entries) => entries.iter().any(|entry| uses(&entry.node, name)),
        Value::Integer(_) | Value::Huge | Value::Boolean(_) | Value::Float | Value::Datetime => false,
    }
}

fn check_values(axis: &AxisList<'_>, problems: &mut Problems<'_>) {
    let Some(first) = axis.values.first() else {
        problems.add(axis.start..axis.start + axis.name.len(), format!("`{}` lists nothing", axis.name));
        return;
    };
    let whole = first.span.start..axis.values.last().map_or(first.span.end, |last| last.span.end);
    if axis.values.len() > CASE_LIMIT {
        problems.add(whole, format!("`{}` has more than {CASE_LIMIT} values", axis.name));
        return;
    }
    let mut labels = std::collections::HashSet::new();
    for value in axis.values {
        if !is_value(axis, value) {
            let expected =
                if axis.name == "faults" { "a list of strings" } else { "a string, an integer or a boolean" };
            let title = format!("each value of `{}` must be {expected}, and this is {}", axis.name, value.kind());
            problems.add(value.span.clone(), title);
        } else if axis.place != Place::Sweep && matches!(&value.value, Value::Text(text) if text.contains("${")) {
            problems.add(value.span.clone(), "a value of a list cannot refer to a sweep: put the values in [sweep]");
        } else if label(value).len() > VALUE_LIMIT {
            problems.add(value.span.clone(), format!("longer than {VALUE_LIMIT} bytes: it would stand in case ids"));
        } else if !labels.insert(label(value)) {
            problems.add(value.span.clone(), format!("`{}` is there twice", shown(&label(value))));
        }
    }
}

fn is_value(axis: &AxisList<'_>, node: &Node) -> bool {
    match &node.value {
        Value::Text(_) | Value::Integer(_) | Value::Boolean(_) => axis.name != "faults",
        Value::Array(items) => axis.name == "faults" && items.iter().all(|item| matches!(item.value, Value::Text(_))),
        Value::Huge | Value::Float | Value::Datetime | Value::Table(_) => false,
    }
}

/// A value as it stands in an id: faults are joined by `+`, and what could be read as the id's own syntax is replaced.
fn label(node: &Node) -> String {
    match &node.value {
        Value::Text(text) => text.chars().map(|c| if is_plain(c) { c } else { '_' }).collect(),
        Value::Integer(number) => number.to_string(),
        Value::Boolean(flag) => flag.to_string(),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) => items.iter().map(label).collect::<Vec<_>>().join("+"),
        Value::Huge | Value::Float | Value::Datetime | Value::Table(_) => String::new(),
    }
}

/// The tables of one case: each list replaced by its value, and each `${name}` by the sweep's.
pub(super) struct Resolver<'a> {
    axes: &'a [AxisList<'a>],
    /// Bytes that all cases of the file may still take.
    budget: usize,
}

impl<'a> Resolver<'a> {
    /// Bytes that the cases of one file may take together.
    const BUDGET: usize = 128 << 20;
    /// Longest string after `${name}` is replaced.
    const TEXT_LIMIT: usize = 4096;

    pub(super) const fn new(axes: &'a [AxisList<'a>]) -> Self {
        Self { axes, budget: Self::BUDGET }
    }

    /// The file as one case sees it; `None` when the cases take too much memory (reported).
    pub(super) fn resolve(&mut self, root: &Node, choice: &[usize], problems: &mut Problems<'_>) -> Option<Node> {
        let fields = Fields { place: "the file", node: root };
        let mut kept = Vec::new();
        for key in ["level", "simulate", "observe", "step", "check"] {
            let Some(node) = fields.get(key) else { continue };
            let place = match key {
                "simulate" => Some(Place::Simulate),
                "observe" => Some(Place::Observe),
                _ => None,
            };
            let node = self.replace(node, place, choice, problems)?;
            kept.push(Entry { key: key.to_owned(), span: node.span.clone(), node });
        }
        Some(Node { span: root.span.clone(), value: Value::Table(kept) })
    }

    fn chosen(&self, place: Place, name: &str, choice: &[usize]) -> Option<&'a Node> {
        let at = self.axes.iter().position(|axis| axis.place == place && axis.name == name)?;
        self.axes.get(at)?.values.get(*choice.get(at)?)
    }

    /// `place`: the table's own keys may be axes.
    fn replace(
        &mut self,
        node: &Node,
        place: Option<Place>,
        choice: &[usize],
        problems: &mut Problems<'_>,
    ) -> Option<Node> {
        self.spend(size_of::<Node>(), node, problems)?;
        let value = match &node.value {
            Value::Text(text) => {
                let value = self.interpolate(text, node, choice, problems);
                if let Value::Text(text) = &value {
                    self.spend(text.len(), node, problems)?;
                }
                value
            }
            Value::Array(items) => {
                let items = items.iter().map(|item| self.replace(item, None, choice, problems));
                Value::Array(items.collect::<Option<_>>()?)
            }
            Value::Table(entries) => {
                let entries = entries.iter().map(|entry| {
                    self.spend(size_of::<Entry>() + entry.key.len(), node, problems)?;
                    let value = place.and_then(|place| self.chosen(place, &entry.key, choice)).unwrap_or(&entry.node);
                    let node = self.replace(value, None, choice, problems)?;
                    Some(Entry { key: entry.key.clone(), span: entry.span.clone(), node })
                });
                Value::Table(entries.collect::<Option<_>>()?)
            }
            Value::Integer(_) | Value::Huge | Value::Boolean(_) | Value::Float | Value::Datetime => node.value.clone(),
        };
        Some(Node { span: node.span.clone(), value })
    }

    fn spend(&mut self, bytes: usize, node: &Node, problems: &mut Problems<'_>) -> Option<()> {
        match self.budget.checked_sub(bytes) {
            Some(left) => self.budget = left,
            None => {
                let title = format!("the cases of this file take more than {} MiB", Self::BUDGET >> 20);
                problems.add(node.span.clone(), title);
                return None;
            }
        }
        Some(())
    }

    /// A string that is one `${name}` takes the value with its type; inside a longer one, its text.
    fn interpolate(&self, text: &str, node: &Node, choice: &[usize], problems: &mut Problems<'_>) -> Value {
        let unchanged = || Value::Text(text.to_owned());
        let mut pieces = text.split("${");
        let mut result = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let Some((name, rest)) = piece.split_once('}') else {
                problems.add(node.span.clone(), "`${` is not closed by `}`");
                return unchanged();
            };
            let Some(value) = self.chosen(Place::Sweep, name, choice) else {
                let names: Vec<&str> =
                    self.axes.iter().filter(|axis| axis.place == Place::Sweep).map(|axis| axis.name).collect();
                let help = match nearest(name, names.iter().copied()) {
                    Some(near) => format!("did you mean `${{{near}}}`?"),
                    None if names.is_empty() => format!("add [sweep] with {} = [ … ]", shown(name)),
                    None => format!("sweeps: {}", names.join(", ")),
                };
                problems.add(node.span.clone(), format!("no sweep is called `{}`", shown(name))).help = Some(help);
                return unchanged();
            };
            if result.is_empty() && rest.is_empty() && text.len() == name.len() + 3 {
                return value.value.clone();
            }
            match &value.value {
                Value::Text(text) => result.push_str(text),
                Value::Integer(number) => result.push_str(&number.to_string()),
                Value::Boolean(flag) => result.push_str(&flag.to_string()),
                Value::Huge | Value::Float | Value::Datetime | Value::Array(_) | Value::Table(_) => {}
            }
            result.push_str(rest);
            if result.len() > Self::TEXT_LIMIT {
                problems.add(node.span.clone(), format!("longer than {} bytes with its values", Self::TEXT_LIMIT));
                return unchanged();
            }
        }
        Value::Text(result)
    }
}

/// Characters of axis values that stand in an id as they are; ids name folders too.
fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '=' | '+' | ':' | '@')
}

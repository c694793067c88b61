//! What the cases of a file share: title, why, source, tags, level.

use std::sync::Arc;

use super::super::tree::{Node, Value};
use super::super::{Level, Origin, Scenario};
use super::Problems;
use super::applies;
use super::values::{Fields, array, line, text, word};

/// Most tags that one scenario may have.
const TAG_LIMIT: usize = 32;

pub(super) fn header(
    fields: &Fields<'_>,
    id: &str,
    origin: &Origin,
    problems: &mut Problems<'_>,
) -> Option<Arc<Scenario>> {
    let mut required = |key| fields.require(key, problems).and_then(|node| line(node, key, problems));
    let (title, why, source) = (required("title"), required("why"), required("source"));
    let tags = fields.get("tags").map_or_else(Vec::new, |node| tags(node, problems));
    let level = match fields.get("level") {
        Some(node) => word::<Level>(node, "level", problems),
        None => Some(Level::default()),
    };
    let applies = fields.get("applies").map(|node| applies::applies(node, problems));
    Some(Arc::new(Scenario {
        id: id.to_owned(),
        origin: origin.clone(),
        text: problems.text(),
        title: title?,
        why: why?,
        source: source?,
        tags,
        level: level?,
        applies,
    }))
}

/// Stands for a header that cannot be read while the rest of the file is; no case ever has it.
pub(super) fn unreadable(id: &str, origin: &Origin) -> Arc<Scenario> {
    Arc::new(Scenario {
        id: id.to_owned(),
        origin: origin.clone(),
        text: Arc::from(""),
        title: String::new(),
        why: String::new(),
        source: String::new(),
        tags: Vec::new(),
        // The highest, so that no step is reported for going further.
        level: Level::Reboot,
        applies: None,
    })
}

fn tags(node: &Node, problems: &mut Problems<'_>) -> Vec<String> {
    let items = array(node, "tags", problems).unwrap_or_default();
    if items.len() > TAG_LIMIT {
        problems.add(node.span.clone(), format!("`tags` may have at most {TAG_LIMIT} tags"));
        return Vec::new();
    }
    let mut tags = Vec::new();
    for item in items {
        let Some(tag) = text(item, "tags", problems) else { continue };
        let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.' | '_');
        if tag.is_empty() || tag.len() > 40 || !tag.chars().all(valid) {
            let title = "a tag is 1 to 40 of a-z, 0-9, `-`, `.` and `_`";
            problems.add(item.span.clone(), title).help = Some("tags are what `-E 'tag(…)'` selects by".to_owned());
        } else if tags.iter().any(|other| other == tag) {
            problems.add(item.span.clone(), format!("the tag `{tag}` is there twice"));
        } else {
            tags.push(tag.to_owned());
        }
    }
    tags
}

/// Where the level stands in the file, for a problem with it; else the file's start.
pub(super) fn level_span(root: &Node) -> std::ops::Range<usize> {
    match root.get("level") {
        Some(Node { span, value: Value::Text(_) }) => span.clone(),
        Some(_) | None => 0..0,
    }
}

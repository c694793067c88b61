//! `[applies]`: which given hosts a scenario is for.

use super::super::tree::Node;
use super::super::{Applies, Pattern, PatternError};
use super::Problems;
use super::values::{Fields, one_or_more, parsed, parsed_by, words};

/// The keys of `[applies]`.
pub(in super::super) const APPLIES_KEYS: [&str; 6] = ["part", "gfx", "compute", "memory", "amd-smi", "platform"];

pub(super) fn applies(node: &Node, problems: &mut Problems<'_>) -> Applies {
    let Some(fields) = Fields::of(node, "[applies]", &APPLIES_KEYS, problems) else { return Applies::default() };
    let mut patterns = |key: &str, read: fn(&str) -> Result<Pattern, PatternError>| -> Vec<Pattern> {
        let items = fields.get(key).map(one_or_more).unwrap_or_default();
        items.iter().filter_map(|item| parsed_by(item, key, read, problems)).collect()
    };
    let (part, gfx) = (patterns("part", Pattern::new), patterns("gfx", Pattern::gfx));
    for key in APPLIES_KEYS {
        // An empty list would admit no host, and an absent key admits all: refused, so that nobody mixes them up.
        if let Some(node) = fields.get(key).filter(|node| one_or_more(node).is_empty()) {
            problems.add(node.span.clone(), format!("`{key}` lists nothing")).help =
                Some("leave the key out to admit every host".to_owned());
        }
    }
    Applies {
        part,
        gfx,
        compute: fields.get("compute").map(|node| words(node, "compute", problems)).unwrap_or_default(),
        memory: fields.get("memory").map(|node| words(node, "memory", problems)).unwrap_or_default(),
        amd_smi: fields.get("amd-smi").and_then(|node| parsed(node, "amd-smi", problems)),
        platform: fields.get("platform").map(|node| words(node, "platform", problems)).unwrap_or_default(),
    }
}

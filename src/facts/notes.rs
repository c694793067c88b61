//! Facts that are sentences rather than tables.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::domain::Source;

use super::embedded;
use super::entry::Entry;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    id: String,
    title: String,
    what: String,
    why: String,
    #[serde(rename = "do")]
    what_to_do: String,
    see: Vec<String>,
    source: Source,
}

/// Every note as an entry.
pub(super) fn note_entries() -> impl Iterator<Item = Entry> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        note: Vec<Note>,
    }
    static NOTES: LazyLock<File> = LazyLock::new(|| embedded::table("notes.toml", include_str!("data/notes.toml")));
    NOTES.note.iter().map(|note| Entry {
        id: format!("fact.{}", note.id),
        title: note.title.clone(),
        what: note.what.clone(),
        why: note.why.clone(),
        source: note.source.clone(),
        what_to_do: note.what_to_do.clone(),
        see: note.see.clone(),
    })
}

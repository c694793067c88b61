//! One fact, in the one shape in which `validate explain` prints every fact.

use serde::Serialize;

use crate::domain::Source;

/// A fact as a person reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Id, in words joined by dots: `fact.part.mi300x`, `bug.amdsmi-100`, `contradiction.48-vs-24`.
    pub id: String,
    /// One line.
    pub title: String,
    /// What is so.
    pub what: String,
    /// Why it matters, or what shows it.
    pub why: String,
    /// Who says so, and how sure it is.
    pub source: Source,
    /// What to do about it; empty where there is nothing to do.
    pub what_to_do: String,
    /// Ids of related entries, and scenario files.
    pub see: Vec<String>,
}

impl Entry {
    /// The group that a listing puts it in: the first word of the id, and the second of a fact that has three or more
    /// (`fact.mode`, `fact`, `bug`).
    pub fn group(&self) -> &str {
        let mut dots = self.id.match_indices('.').map(|(at, _)| at);
        let first = dots.next();
        let end = if self.id.starts_with("fact.") { dots.next().or(first) } else { first };
        end.map_or(&self.id, |end| &self.id[..end])
    }
}

#[cfg(test)]
mod tests {
    use super::super::entries;

    #[test]
    fn an_entry_is_grouped_by_the_first_words_of_its_id() {
        for (id, group) in
            [("fact.part.mi300x", "fact.part"), ("fact.memory-formula", "fact"), ("bug.rocm-systems-4516", "bug")]
        {
            let entry = entries().iter().find(|entry| entry.id == id).unwrap();
            assert_eq!(entry.group(), group, "{id}");
        }
    }
}

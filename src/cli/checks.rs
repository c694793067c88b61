//! The checks and their findings as entries of `validate explain`.

use crate::check::{About, FindingAbout, about};
use crate::domain::{CheckId, Source};
use crate::facts::Entry;

/// An entry for each check (`memory.per-device`) and each of its findings (`memory.per-device.kfd-differs`).
pub fn entries() -> Vec<Entry> {
    CheckId::ALL
        .iter()
        .map(|&id| about(id))
        .flat_map(|about| std::iter::once(check(about)).chain(about.findings.iter().map(|each| finding(about, each))))
        .collect()
}

fn check(about: &About) -> Entry {
    Entry {
        id: about.id.to_string(),
        title: format!("check {}", about.id),
        what: about.what.to_owned(),
        why: about.why.to_owned(),
        source: source(about),
        what_to_do: "see its findings: each has its own next step".to_owned(),
        see: about.findings.iter().map(|finding| format!("{}.{}", about.id, finding.id)).collect(),
    }
}

fn finding(about: &About, finding: &FindingAbout) -> Entry {
    Entry {
        id: format!("{}.{}", about.id, finding.id),
        title: format!("finding of check {}", about.id),
        what: finding.what.to_owned(),
        why: about.why.to_owned(),
        source: source(about),
        what_to_do: finding.next.to_owned(),
        see: vec![about.id.to_string()],
    }
}

fn source(about: &About) -> Source {
    Source { cite: about.source.to_owned(), confidence: about.confidence }
}

//! Signatures: the texts by which deaths of GPU programs are told apart. Source: facts/rdna.md section 2.

mod class;

use std::sync::LazyLock;

use serde::Deserialize;

use crate::domain::Source;

use super::embedded;
use super::entry::Entry;

pub use class::Class;

/// One text, and what it means.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// Its name, which never changes: baselines hold it.
    pub id: String,
    /// What it is about.
    pub class: Class,
    /// Where it is printed.
    pub stream: Stream,
    /// Who prints it: `rocr`, `hip-clr`, `amdgpu`.
    pub layer: String,
    /// How bad it is.
    pub severity: Severity,
    /// Whether it can decide the class of a death; otherwise it adds detail.
    pub terminal: bool,
    /// Signals by which a process that printed it usually dies.
    #[serde(default)]
    pub signals: Vec<i32>,
    /// Exit codes with which a process that printed it usually ends.
    #[serde(default)]
    pub codes: Vec<i32>,
    /// The text, in the dialect of the regex crate.
    pub pattern: String,
    /// What it means.
    pub what: String,
    /// More about it.
    #[serde(default)]
    pub notes: String,
    /// What it looked like.
    pub examples: Vec<String>,
    /// Who says so.
    pub source: Source,
}

/// Where a text was printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard error of the process.
    Stderr,
    /// Standard output of the process.
    Stdout,
    /// The kernel's log.
    Kernel,
}

/// How bad a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The process, or the GPU, does not survive it.
    Fatal,
    /// An operation failed.
    Error,
    /// There was not enough of something.
    Capacity,
    /// The machine is not set up for it.
    Setup,
    /// Something was wrong and passed.
    Warn,
    /// Nothing is wrong.
    Info,
}

impl Stream {
    /// As reports write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stderr => "standard error",
            Self::Stdout => "standard output",
            Self::Kernel => "the kernel log",
        }
    }
}

impl Signature {
    /// Id of its entry: `signature.hsa_memory_access_fault`.
    pub fn entry_id(&self) -> String {
        format!("signature.{}", self.id)
    }
}

/// Every signature, in the order of matching.
pub fn signatures() -> &'static [Signature] {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        signature: Vec<Signature>,
    }
    static TABLE: LazyLock<File> =
        LazyLock::new(|| embedded::table("signatures.toml", include_str!("../data/signatures.toml")));
    &TABLE.signature
}

/// The signature with this id.
pub fn signature(id: &str) -> Option<&'static Signature> {
    signatures().iter().find(|signature| signature.id == id)
}

/// Every signature as an entry (`signature.hsa_hw_exception`), and every class (`death.gpu-hang`).
pub(super) fn signature_entries() -> impl Iterator<Item = Entry> {
    let signatures = signatures().iter().map(|signature| {
        let example = signature.examples.first().map_or_else(String::new, |text| one_line(text));
        let notes = if signature.notes.is_empty() { String::new() } else { format!(" {}", one_line(&signature.notes)) };
        Entry {
            id: signature.entry_id(),
            title: format!("{}, said by {} on {}", signature.class, signature.layer, signature.stream.name()),
            what: format!("{}{notes}", one_line(&signature.what)),
            why: format!("It looks like this: {example}"),
            source: signature.source.clone(),
            what_to_do: signature.class.advice().to_owned(),
            see: vec![class_id(signature.class)],
        }
    });
    let classes = Class::ALL.iter().map(|&class| Entry {
        id: class_id(class),
        title: format!("a process, or a line of its logs, classified as {class}"),
        what: class.what().to_owned(),
        why: "Deaths are told apart by what the process and the kernel printed, and only then by the exit code."
            .to_owned(),
        source: crate::domain::Source {
            cite: "facts/rdna.md section 2".to_owned(),
            confidence: crate::domain::Confidence::Certain,
        },
        what_to_do: class.advice().to_owned(),
        see: signatures_of(class).map(Signature::entry_id).collect(),
    });
    signatures.chain(classes)
}

fn signatures_of(class: Class) -> impl Iterator<Item = &'static Signature> {
    signatures().iter().filter(move |signature| signature.class == class)
}

fn class_id(class: Class) -> String {
    format!("death.{class}")
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_signature_has_its_own_name_an_example_and_a_class_that_decides_exactly_if_it_does() {
        let mut ids = HashSet::new();
        for signature in signatures() {
            assert!(ids.insert(&signature.id), "{} twice", signature.id);
            assert!(!signature.examples.is_empty() && signature.examples.iter().all(|text| !text.is_empty()));
            assert!(signature.terminal || signature.signals.is_empty() && signature.codes.is_empty());
        }
        assert_eq!(ids.len(), 81);
        assert_eq!(signature("k_mce").unwrap().class, Class::MachineCheck);
        assert_eq!(signature("k_mc"), None);
    }

    #[test]
    fn no_deciding_text_is_of_a_class_of_details() {
        let details = [
            Class::PageFaultDetail,
            Class::RingTimeoutDetail,
            Class::GpuResetDetail,
            Class::Artifact,
            Class::PerfWarning,
            Class::BenignTeardown,
            Class::Info,
        ];
        for signature in signatures().iter().filter(|signature| signature.terminal) {
            assert!(!details.contains(&signature.class), "{}", signature.id);
        }
    }
}

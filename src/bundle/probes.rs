//! `probes.jsonl` of a case's evidence, as far as a report needs it.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::shrink::Candidate;

/// One process of a probe.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct ProbeLine {
    /// Which probe.
    pub(super) probe: String,
    /// The worker's variables.
    #[serde(default)]
    pub(super) env: BTreeMap<String, String>,
    /// The command that runs it again.
    #[serde(default)]
    pub(super) again: String,
    /// What came of it, where it was started.
    #[serde(default)]
    pub(super) process: Option<Process>,
}

/// What came of a process.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Process {
    /// How it ended.
    pub(super) end: String,
    /// What it died of.
    #[serde(default)]
    pub(super) signature: Option<String>,
    /// What it computed on, in words.
    #[serde(default)]
    pub(super) device: Option<String>,
    /// Versions as the loaded libraries say them.
    #[serde(default)]
    pub(super) libraries: BTreeMap<String, String>,
}

impl ProbeLine {
    /// Every line that is one; a file that was cut off, or is of another version, has others.
    pub(super) fn all(text: &str) -> Vec<Self> {
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// What reproduces it; `None` where this version knows no such probe.
    pub(super) fn candidate(&self) -> Option<Candidate> {
        Some(Candidate { probe: self.probe.parse().ok()?, env: self.env.clone(), kernel: BTreeMap::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_none_are_passed_over() {
        let text = "{\"probe\":\"matmul/f32/8x8x8\",\"env\":{\"A\":\"1\"},\"engine\":null}\nno line\n{\"probe\":3}\n\
                    {\"probe\":\"later/version\",\"process\":{\"end\":\"reported\",\"new\":1}}\n";
        let lines = ProbeLine::all(text);
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0].candidate().unwrap().env["A"], "1");
        assert_eq!(lines[1].candidate(), None);
        assert_eq!(lines[1].process.as_ref().unwrap().end, "reported");
    }
}

//! What is written down before modes are changed, so that they can be brought back after anything: a failure, a kill, a
//! loss of power.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::Bdf;

use super::consent::Consent;
use super::plan::Through;
use super::steps::{Begun, ModesByGpu, Step, Waiting};

/// Longest journal that is read.
pub const LIMIT: usize = 1 << 20;

/// Most GPUs, and most steps, that a journal may name.
const MOST: usize = 4096;

/// The journal of one change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Journal {
    /// Version of this file.
    pub schema: u32,
    /// When the modes were found, RFC 3339.
    pub written: String,
    /// Boot in which they were found; `None` where the kernel does not say.
    pub boot_id: Option<String>,
    /// By what modes are set.
    pub through: Through,
    /// What the caller agreed to.
    pub consent: Consent,
    /// The modes found.
    pub found: ModesByGpu,
    /// The first GPU of each GPU's hive.
    pub hives: BTreeMap<Bdf, Bdf>,
    /// Whether the change came to its end.
    pub settled: bool,
    /// Every step since, in order.
    pub steps: Vec<Taken>,
}

/// One step that was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Taken {
    /// Which.
    pub step: Step,
    /// What is known of its end.
    pub end: End,
}

/// How a step ended, by the word of whoever did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// Not known: cut short, or nothing that can be understood was said. It may have taken effect or not.
    Open,
    /// It was done.
    Done,
    /// It was refused, so nothing came of it.
    Refused,
}

/// The journal cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalProblem {
    /// Another version.
    #[error("key `schema`: version {0} is not one that this program reads (it reads {SCHEMA})")]
    Schema(u64),
    /// Not a journal.
    #[error("{0}")]
    Malformed(String),
}

const SCHEMA: u32 = 1;

impl Journal {
    /// A change that is about to begin.
    pub const fn new(
        written: String,
        boot_id: Option<String>,
        through: Through,
        consent: Consent,
        found: ModesByGpu,
        hives: BTreeMap<Bdf, Bdf>,
    ) -> Self {
        Self { schema: SCHEMA, written, boot_id, through, consent, found, hives, settled: false, steps: Vec::new() }
    }

    /// Reads a file, which anybody may have written.
    ///
    /// # Errors
    /// It is no journal of this version.
    pub fn parse(bytes: &[u8]) -> Result<Self, JournalProblem> {
        let malformed = |error: serde_json::Error| JournalProblem::Malformed(error.to_string());
        // The version first: a later one may have other keys.
        let document: serde_json::Value = serde_json::from_slice(bytes).map_err(malformed)?;
        match document.get("schema").and_then(serde_json::Value::as_u64) {
            Some(schema) if schema == u64::from(SCHEMA) => {}
            Some(schema) => return Err(JournalProblem::Schema(schema)),
            None => return Err(JournalProblem::Malformed("key `schema`: no number".to_owned())),
        }
        // From the bytes again: an error then names its line.
        let journal: Self = serde_json::from_slice(bytes).map_err(malformed)?;
        for (key, count) in
            [("found", journal.found.len()), ("hives", journal.hives.len()), ("steps", journal.steps.len())]
        {
            if count > MOST {
                return Err(JournalProblem::Malformed(format!("key `{key}`: more than {MOST} entries")));
            }
        }
        Ok(journal)
    }

    /// The text of the file.
    ///
    /// # Errors
    /// It cannot be written as JSON: our bug.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        Ok(text)
    }

    /// Notes that a step is about to be taken.
    pub fn begin(&mut self, step: &Step) {
        self.steps.push(Taken { step: step.clone(), end: End::Open });
    }

    /// Notes how the last step ended.
    pub fn end(&mut self, end: End) {
        if let Some(last) = self.steps.last_mut() {
            last.end = end;
        }
    }

    /// Where a way back begins: no step of it is taken, and requests may be waiting for a reload. A reload of which the
    /// end is not known may not have happened, or only its first half; after a reboot no request waits, since it was the
    /// driver's, and the driver was loaded anew.
    pub fn way_back(&self, boot_id: Option<&str>) -> Begun {
        let mut waiting = Waiting::new();
        let rebooted = matches!((self.boot_id.as_deref(), boot_id), (Some(then), Some(now)) if then != now);
        if !rebooted {
            for Taken { step, end } in self.steps.iter().filter(|taken| taken.end != End::Refused) {
                match step {
                    Step::Memory { mode, gpus } | Step::Withdraw { mode, gpus } => {
                        for gpu in gpus {
                            let asked = waiting.entry(*gpu).or_default();
                            if *end == End::Done {
                                asked.clear();
                            }
                            asked.insert(*mode);
                        }
                    }
                    Step::Reload if *end == End::Done => waiting.clear(),
                    Step::Reload | Step::Compute { .. } => {}
                }
            }
        }
        let cut = |taken: &Taken| taken.step == Step::Reload && taken.end == End::Open;
        Begun::before(waiting, !rebooted && self.steps.iter().any(cut))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ComputeMode, MemoryMode};
    use crate::partition::{Modes, Next};

    fn gpu() -> Bdf {
        "0000:05:00.0".parse().unwrap()
    }

    fn journal(steps: &[(Step, End)]) -> Journal {
        let modes = Modes { compute: ComputeMode::Spx, memory: MemoryMode::Nps1 };
        let consent = Consent { yes: true, reload_driver: false };
        let written = "2026-11-21T14:00:00Z".to_owned();
        let boot = Some("boot-1".to_owned());
        let mut journal =
            Journal::new(written, boot, Through::AmdSmi, consent, [(gpu(), modes)].into(), [(gpu(), gpu())].into());
        for (step, end) in steps {
            journal.begin(step);
            journal.end(*end);
        }
        journal
    }

    fn nps1() -> Step {
        Step::Withdraw { mode: MemoryMode::Nps1, gpus: vec![gpu()] }
    }

    fn nps4() -> Step {
        Step::Memory { mode: MemoryMode::Nps4, gpus: vec![gpu()] }
    }

    #[test]
    fn a_journal_reads_back() {
        let journal = journal(&[(nps4(), End::Done), (Step::Reload, End::Open)]);
        assert_eq!(Journal::parse(&journal.to_json().unwrap()), Ok(journal));
    }

    #[test]
    fn a_request_waits_until_a_reload_is_known_to_be_over() {
        for (steps, boot, waits) in [
            (&[][..], Some("boot-1"), false),
            (&[(nps4(), End::Open)], Some("boot-1"), true),
            (&[(nps4(), End::Done)], None, true),
            (&[(nps4(), End::Done), (Step::Reload, End::Open)], Some("boot-1"), true),
            (&[(nps4(), End::Done), (Step::Reload, End::Done)], Some("boot-1"), false),
            (&[(nps4(), End::Done)], Some("boot-2"), false),
            (&[(nps4(), End::Refused)], Some("boot-1"), false),
            (&[(nps4(), End::Done), (Step::Reload, End::Refused)], Some("boot-1"), true),
            (&[(nps4(), End::Done), (nps1(), End::Done)], Some("boot-1"), true),
        ] {
            assert_eq!(journal(steps).way_back(boot).waits(), waits, "{steps:?} {boot:?}");
        }
    }

    #[test]
    fn a_reload_that_was_cut_short_is_taken_up_again_in_the_same_boot() {
        let (found, gone) = (journal(&[]).found, BTreeMap::new());
        for (end, boot, reloads) in
            [(End::Open, "boot-1", true), (End::Done, "boot-1", false), (End::Open, "boot-2", false)]
        {
            let begun = journal(&[(Step::Reload, end)]).way_back(Some(boot));
            let next = crate::partition::next(&found, &gone, &BTreeMap::new(), &begun);
            assert_eq!(next == Next::Do(Step::Reload), reloads, "{end:?} {boot}: {next:?}");
        }
    }

    #[test]
    fn a_request_of_which_the_end_is_not_known_leaves_the_one_before_it_possible() {
        let found = journal(&[]).found;
        let now: BTreeMap<_, _> =
            found.iter().map(|(gpu, modes)| (*gpu, crate::domain::Reading::Value(*modes))).collect();
        for (steps, asks_again) in [
            (&[(nps4(), End::Done), (nps1(), End::Done)][..], false),
            (&[(nps4(), End::Done), (nps1(), End::Open)], true),
            (&[(nps1(), End::Done), (nps4(), End::Open)], true),
        ] {
            let begun = journal(steps).way_back(Some("boot-1"));
            let next = crate::partition::next(&found, &now, &BTreeMap::new(), &begun);
            let expected = if asks_again { Next::Do(nps1()) } else { Next::Reached };
            assert_eq!(next, expected, "{steps:?}");
        }
    }

    #[test]
    fn what_is_no_journal_is_refused_with_the_reason() {
        let text = String::from_utf8(journal(&[]).to_json().unwrap()).unwrap();
        for (bytes, part) in [
            (String::new(), "EOF"),
            ("[]".to_owned(), "key `schema`"),
            (text.replace("\"schema\": 1", "\"schema\": 2"), "version 2"),
            (text.replace("SPX", "XPX"), "unknown variant `XPX`"),
            (text.replace("0000:05:00.0", "05"), "not a PCI address"),
            (text.replace("\"settled\"", "\"other\""), "unknown field `other`"),
            (
                text.replace(
                    "\"steps\": []",
                    &format!("\"steps\": [{}]", ["{\"step\":{\"do\":\"reload\"},\"end\":\"done\"}"; 4097].join(",")),
                ),
                "more than 4096",
            ),
        ] {
            let error = Journal::parse(bytes.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(part), "{part}: {error}");
        }
    }
}

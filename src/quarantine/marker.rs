//! What is written down of processes that could not be killed, and which of it still holds. Touches nothing.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::Reading;
use crate::witness::lingering::Lingering;

/// Format name and major version.
const SCHEMA: &str = "rocvet.held/1";

/// Longest file that is read.
pub(super) const LIMIT: usize = 64 << 10;

/// Most processes of one boot.
const MOST: usize = 64;

/// Longest text in it that is taken.
const TEXT: usize = 200;

/// The file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Marker {
    schema: String,
    /// The boot that they are of; `None` where the kernel does not say.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    boot_id: Option<String>,
    processes: Vec<Stuck>,
}

/// A process that could not be killed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stuck {
    /// Its number.
    pub pid: u32,
    /// When it started, in the kernel's ticks since the boot.
    pub start: u64,
    /// PCI address of its GPU, where it named one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub gpu: Option<String>,
    /// What it was to do.
    pub doing: String,
}

/// A process that could not be killed, and is still there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// What was written down.
    pub stuck: Stuck,
    /// What it does now: its name and the kernel's letter; no value where it cannot be looked at.
    pub now: Reading<Lingering>,
}

impl Marker {
    /// Of this boot, with no process yet.
    pub(super) fn new(boot_id: Option<String>) -> Self {
        Self { schema: SCHEMA.to_owned(), boot_id, processes: Vec::new() }
    }

    /// Reads it. Whoever wrote it.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let marker: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if marker.schema != SCHEMA {
            let schema: String = marker.schema.chars().take(40).collect();
            return Err(format!("schema: {schema:?}, and this program reads {SCHEMA}"));
        }
        if marker.processes.len() > MOST {
            return Err(format!("processes: more than {MOST}"));
        }
        let odd = |text: &str| text.len() > TEXT || text.contains(char::is_control);
        let texts = |each: &Stuck| odd(&each.doing) || each.gpu.as_deref().is_some_and(odd);
        if marker.boot_id.as_deref().is_some_and(odd) || marker.processes.iter().any(texts) {
            return Err(format!("a text of more than {TEXT} bytes, or with control characters"));
        }
        Ok(marker)
    }

    pub(super) fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec_pretty(self)
    }

    /// With one more process. The oldest go where there are too many.
    pub(super) fn with(self, stuck: Stuck) -> Self {
        let short =
            |text: String| -> String { text.chars().filter(|each| !each.is_control()).take(TEXT / 4).collect() };
        let stuck = Stuck { doing: short(stuck.doing), gpu: stuck.gpu.map(short), ..stuck };
        let mut processes = self.processes;
        processes.retain(|other| *other != stuck);
        processes.push(stuck);
        let spare = processes.len().saturating_sub(MOST);
        processes.drain(..spare);
        Self { processes, ..self }
    }

    /// Whether it is of this boot. Where the kernel does not say which boot it is, nobody can tell that it is of another.
    pub(super) fn is_of(&self, boot_id: Option<&str>) -> bool {
        match (&self.boot_id, boot_id) {
            (Some(then), Some(now)) => then == now,
            (_, _) => true,
        }
    }

    /// Those that are still there: a process of that number that started at that time, or one that cannot be looked at.
    pub(super) fn held(&self, look: impl Fn(u32) -> Reading<Lingering>) -> Vec<Held> {
        let held = |stuck: &Stuck| {
            let now = look(stuck.pid);
            let there = match &now {
                Reading::Value(found) => found.start == stuck.start,
                Reading::NotReported | Reading::NotApplicable => false,
                Reading::Malformed { .. } => true,
            };
            there.then(|| Held { stuck: stuck.clone(), now })
        };
        self.processes.iter().filter_map(held).collect()
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stuck { pid, gpu, doing, .. } = &self.stuck;
        let gpu = gpu.as_ref().map(|gpu| format!(" on GPU {gpu}")).unwrap_or_default();
        match &self.now {
            Reading::Value(Lingering { name, state, .. }) => {
                write!(f, "process {pid} ({name}, {doing}{gpu}) is still in state {state}")
            }
            Reading::NotReported | Reading::NotApplicable | Reading::Malformed { .. } => {
                write!(f, "whether process {pid} ({doing}{gpu}) is still there cannot be told")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stuck(pid: u32, start: u64) -> Stuck {
        Stuck { pid, start, gpu: Some("0000:03:00.0".to_owned()), doing: "add/f32/8x8".to_owned() }
    }

    fn there(start: u64) -> Reading<Lingering> {
        Reading::Value(Lingering { name: "python3".to_owned(), state: 'D', start })
    }

    #[test]
    fn it_holds_while_that_very_process_is_there() {
        let marker = Marker::new(Some("b".to_owned())).with(stuck(77, 5));
        for (now, held) in [
            (there(5), 1),
            // Another one with its number.
            (there(6), 0),
            (Reading::NotReported, 0),
            (Reading::malformed("", "denied"), 1),
        ] {
            assert_eq!(marker.held(|_| now.clone()).len(), held, "{now:?}");
        }
        let told = marker.held(|_| there(5))[0].to_string();
        assert_eq!(told, "process 77 (python3, add/f32/8x8 on GPU 0000:03:00.0) is still in state D");
        assert!(marker.is_of(Some("b")) && marker.is_of(None) && !marker.is_of(Some("c")));
    }

    #[test]
    fn it_reads_back_and_takes_no_more_than_it_can_hold() {
        let long = Stuck { doing: "x\u{1b}".repeat(500), ..stuck(1, 1) };
        let mut marker = Marker::new(None).with(long);
        for pid in 2..100 {
            marker = marker.with(stuck(pid, 1));
        }
        let marker = marker.with(stuck(99, 1));
        let again = Marker::parse(&marker.to_json().unwrap()).unwrap();
        assert_eq!(again, marker);
        assert_eq!(again.processes.len(), MOST);
        assert_eq!(again.processes.last().map(|last| last.pid), Some(99));
    }

    #[test]
    fn what_is_no_marker_is_refused() {
        let good = String::from_utf8(Marker::new(None).with(stuck(1, 2)).to_json().unwrap()).unwrap();
        assert!(Marker::parse(good.as_bytes()).is_ok());
        for (from, to, problem) in [
            ("rocvet.held/1", "rocvet.held/9", "this program reads"),
            ("\"pid\": 1", "\"pid\": -1", "invalid value"),
            ("\"pid\": 1", "\"pid\": 1, \"tea\": 2", "unknown field"),
            ("add/f32", "add\\u001b/f32", "control characters"),
            ("{", "", "expected"),
        ] {
            let bad = good.replacen(from, to, 1);
            let found = Marker::parse(bad.as_bytes()).unwrap_err();
            assert!(found.contains(problem), "{bad}: {found}");
        }
        let many = good.replace(
            "\"processes\": [",
            &format!("\"processes\": [{}", "{\"pid\":1,\"start\":1,\"doing\":\"\"},".repeat(MOST)),
        );
        assert!(Marker::parse(many.as_bytes()).unwrap_err().contains("more than"));
    }
}

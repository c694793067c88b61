//! What came of one process of a candidate, and which failures are the same one.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::{Meaning, Status, StatusWord};
use crate::facts::Class;

/// What came of one process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(into = "File", try_from = "File")]
pub struct Came {
    /// How it came out.
    pub status: Status,
    /// What it died of; `None` where it lived, or the machine went down with it.
    pub class: Option<Class>,
}

/// As a journal spells it: the status is a word, and its detail stands beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    status: StatusWord,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    class: Option<Class>,
}

impl From<Came> for File {
    fn from(Came { status, class }: Came) -> Self {
        Self { status: status.word(), detail: status.detail(), class }
    }
}

impl TryFrom<File> for Came {
    type Error = String;

    fn try_from(File { status, detail, class }: File) -> Result<Self, String> {
        Ok(Self { status: Status::from_parts(status, detail)?, class })
    }
}

impl Came {
    /// How it failed; `None` where it did not.
    pub fn failure(&self) -> Option<Sameness> {
        (self.status.meaning() == Meaning::Failed).then(|| Sameness { status: self.status.word(), class: self.class })
    }
}

/// What makes two failures the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sameness {
    /// The word for it.
    pub status: StatusWord,
    /// What it died of; `None` where it lived.
    pub class: Option<Class>,
}

impl fmt::Display for Sameness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status.name())?;
        self.class.map_or(Ok(()), |class| write!(f, " ({class}: {})", class.what()))
    }
}

/// How many of some processes fail in the same way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Times {
    /// So many do.
    pub failed: u32,
    /// Of so many that ended.
    pub tried: u32,
}

impl Times {
    /// One process more.
    pub fn count(&mut self, came: &Came, failure: &Sameness) {
        self.tried += 1;
        self.failed += u32::from(came.failure().as_ref() == Some(failure));
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.failed, self.tried)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_survives_a_journal_and_is_counted_where_it_is_the_same() {
        let crash = Came { status: Status::Crash { signal: crate::domain::Signal(6) }, class: None };
        for came in [&crash, &Came { status: Status::MachineHang, class: None }] {
            let text = serde_json::to_string(came).unwrap();
            assert_eq!(serde_json::from_str::<Came>(&text).unwrap(), *came, "{text}");
        }
        let failure = crash.failure().unwrap();
        let mut times = Times::default();
        for status in [Status::Pass, crash.status.clone(), Status::MachineHang] {
            times.count(&Came { status, class: None }, &failure);
        }
        assert_eq!(times.to_string(), "1 of 3");
        assert!(serde_json::from_str::<Came>("{\"status\":\"tea\"}").is_err());
    }
}

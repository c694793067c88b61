//! How a reported cell is played on a simulated machine, or why it cannot be.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::facts::embedded;
use crate::probe::ProbeSpec;
use crate::sim::Fault;

/// How one reported cell is played.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reproduction {
    /// Of the reported cell.
    pub id: String,
    /// How.
    pub how: How,
}

/// How a cell is played.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// By a probe on a simulated machine.
    Played(Box<Play>),
    /// Not at all.
    NotRepresentable {
        /// Why.
        reason: String,
    },
}

/// A probe on a simulated machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Play {
    /// The machine, by name.
    pub machine: String,
    /// What is run.
    pub probe: ProbeSpec,
    /// How that stands for what was run in the report.
    pub stands_for: String,
    /// The worker's variables.
    pub env: BTreeMap<String, String>,
    /// The kernel parameters of the report. A simulated worker does not see them; a machine that is held against the report
    /// must have them.
    pub kernel: BTreeMap<String, String>,
    /// What of the reported stack or kernel was changed in a way that no version tells.
    pub patched: Option<String>,
    /// What the machine does wrong, each with its condition.
    pub faults: Vec<Fault>,
    /// How many processes.
    pub runs: u32,
    /// The machine goes down, and with it what supervises the probe: that has to be a process of its own.
    pub goes_down: bool,
}

/// A cell on a machine that behaves otherwise than reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planted {
    /// Of the reported cell.
    pub id: String,
    /// What is otherwise.
    pub what: String,
    /// What the machine does wrong, instead of what the cell's own does.
    pub faults: Vec<Fault>,
}

/// The data file.
#[derive(Debug)]
struct Reproductions {
    cells: Vec<Reproduction>,
    planted: Vec<Planted>,
}

/// Every reproduction, in the order of the reports.
pub fn reproductions() -> &'static [Reproduction] {
    &file().cells
}

/// The reproduction of this cell.
pub fn reproduction(id: &str) -> Option<&'static Reproduction> {
    reproductions().iter().find(|each| each.id == id)
}

/// Behaviours that are deliberately not as reported, each of which must come out as a disagreement.
pub fn planted() -> &'static [Planted] {
    &file().planted
}

fn file() -> &'static Reproductions {
    static FILE: LazyLock<Reproductions> = LazyLock::new(|| {
        let File { cell, planted } = embedded::table("reproductions.toml", include_str!("reproductions.toml"));
        Reproductions { cells: cell.into_iter().map(Row::read).collect(), planted }
    });
    &FILE
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    cell: Vec<Row>,
    planted: Vec<Planted>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Row {
    Not(NotRow),
    Played(PlayedRow),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct NotRow {
    id: String,
    not_representable: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct PlayedRow {
    id: String,
    machine: String,
    probe: String,
    stands_for: String,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    kernel: BTreeMap<String, String>,
    patched: Option<String>,
    #[serde(default)]
    faults: Vec<Fault>,
    #[serde(default = "once")]
    runs: u32,
    #[serde(default)]
    goes_down: bool,
}

const fn once() -> u32 {
    1
}

impl<'de> Deserialize<'de> for Planted {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Row {
            id: String,
            what: String,
            faults: Vec<Fault>,
        }
        let Row { id, what, faults } = Row::deserialize(deserializer)?;
        Ok(Self { id, what, faults })
    }
}

impl Row {
    #[expect(clippy::panic, reason = "embedded data, read by the unit tests; nothing from outside comes here")]
    fn read(self) -> Reproduction {
        match self {
            Self::Not(NotRow { id, not_representable }) => {
                Reproduction { id, how: How::NotRepresentable { reason: not_representable } }
            }
            Self::Played(row) => {
                let PlayedRow { id, machine, probe, stands_for, env, kernel, patched, faults, runs, goes_down } = row;
                let probe =
                    probe.parse().unwrap_or_else(|problem| panic!("the reproduction {id} is not valid: {problem}"));
                let play = Play { machine, probe, stands_for, env, kernel, patched, faults, runs, goes_down };
                Reproduction { id, how: How::Played(Box::new(play)) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::reported::{reported, reported_cell};
    use super::*;
    use crate::sim::machine_named;

    #[test]
    fn every_reported_cell_is_played_or_says_why_it_is_not() {
        let ids: Vec<&str> = reproductions().iter().map(|each| each.id.as_str()).collect();
        let reported: Vec<&str> = reported().iter().map(|cell| cell.id.as_str()).collect();
        assert_eq!(ids, reported);
        for Reproduction { id, how } in reproductions() {
            match how {
                How::NotRepresentable { reason } => assert!(reason.len() > 10, "{id}"),
                How::Played(play) => {
                    assert!(machine_named(&play.machine).is_ok(), "{id}: {}", play.machine);
                    assert!(play.faults.iter().all(|fault| matches!(fault, Fault::Probe { .. })), "{id}");
                    assert!(!play.stands_for.is_empty() && play.runs >= 1, "{id}");
                }
            }
        }
    }

    #[test]
    fn the_override_of_the_environment_is_the_reported_one() {
        for cell in reproductions() {
            let How::Played(play) = &cell.how else { continue };
            let report = reported_cell(&cell.id).unwrap();
            let given = play.env.get("HSA_OVERRIDE_GFX_VERSION").map(String::as_str);
            let expected = match report.effective_isa.split('/').next().unwrap() {
                isa if isa == report.arch => None,
                "gfx1030" => Some("10.3.0"),
                "gfx906" => Some("9.0.6"),
                "gfx1100" => Some("11.0.0"),
                other => panic!("{}: {other}", cell.id),
            };
            // A report may say that the override was set where it changes nothing, or that of two machines.
            let family_only = report.arch.ends_with('x');
            assert!(given == expected || family_only, "{}: {given:?} where {expected:?} is reported", cell.id);
        }
    }

    #[test]
    fn kernel_parameters_and_patches_of_the_reports_are_named() {
        for cell in reproductions() {
            let How::Played(play) = &cell.how else { continue };
            let report = reported_cell(&cell.id).unwrap();
            let parameters = report.mitigation.iter().filter(|word| word.starts_with("amdgpu."));
            let parameters = parameters.map(|word| word.split_once('=').unwrap());
            let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            assert_eq!(play.kernel, parameters, "{}", cell.id);
            let patched = report.mitigation.iter().any(|word| word.contains("patch"));
            assert_eq!(play.patched.is_some(), patched, "{}: {:?}", cell.id, report.mitigation);
        }
    }

    #[test]
    fn ten_behaviours_are_planted_wrong_and_each_differs_from_its_cell() {
        assert_eq!(planted().len(), 10);
        for each in planted() {
            let Some(Reproduction { how: How::Played(play), .. }) = reproduction(&each.id) else {
                panic!("{} is not played", each.id)
            };
            assert_ne!(play.faults, each.faults, "{}", each.what);
        }
    }
}

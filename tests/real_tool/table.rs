//! The score of a run: by tool version and command, and the last line.

use std::collections::{BTreeMap, BTreeSet};

use rocvet::domain::ToolVersion;

use crate::compare::{Compared, Outcome};

/// Exit code when there was nothing to run it with: no root, no network, no namespace.
pub const NOT_RUN: u8 = 69;

/// The score.
#[derive(Debug, Default)]
pub struct Score {
    rows: BTreeMap<(ToolVersion, String), Counts>,
    not_run: usize,
    /// Entries of the table of accepted differences that were needed.
    pub used: BTreeSet<usize>,
}

/// How many calls came out how.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Every byte.
    pub identical: usize,
    /// But for accepted differences.
    pub accepted: usize,
    /// Not.
    pub different: usize,
}

impl Score {
    /// Adds a call.
    pub fn add(&mut self, tool: ToolVersion, compared: &Compared) {
        let counts = self.rows.entry((tool, compared.command.clone())).or_default();
        match &compared.outcome {
            Outcome::Identical => counts.identical += 1,
            Outcome::Accepted(entries) => {
                counts.accepted += 1;
                self.used.extend(entries);
            }
            Outcome::Different(_) => counts.different += 1,
        }
    }

    /// Counts what was planned and not run.
    pub fn miss(&mut self, calls: usize) {
        self.not_run += calls;
    }

    /// All rows together.
    pub fn total(&self) -> Counts {
        self.rows.values().fold(Counts::default(), |sum, each| Counts {
            identical: sum.identical + each.identical,
            accepted: sum.accepted + each.accepted,
            different: sum.different + each.different,
        })
    }

    /// The table for people.
    pub fn table(&self) -> String {
        let mut table = comfy_table::Table::new();
        table.load_style(comfy_table::presets::ASCII_MARKDOWN);
        table.set_header(["tool", "command", "identical", "accepted", "different"]);
        for ((tool, command), counts) in &self.rows {
            let Counts { identical, accepted, different } = counts;
            let numbers = [identical, accepted, different].map(ToString::to_string);
            table.add_row([&[tool.to_string(), command.clone()], &numbers[..]].concat());
        }
        table.to_string()
    }

    /// The last line.
    pub fn line(&self) -> String {
        let Counts { identical, accepted, different } = self.total();
        format!(
            "conformance: {identical} identical, {accepted} accepted, {different} different, {} not run",
            self.not_run
        )
    }

    /// 0 only when everything was run and nothing differs; 1 on a difference, 69 when nothing could be run, 3 when
    /// some could not.
    pub fn exit(&self, stale: usize) -> u8 {
        let Counts { identical, accepted, different } = self.total();
        match (different + stale, self.not_run, identical + accepted) {
            (0, 0, 1..) => 0,
            (0, _, 0) => NOT_RUN,
            (0, _, _) => 3,
            (_, _, _) => 1,
        }
    }
}

/// The rules of this file, as tests.
pub mod tests {
    use super::*;

    fn score(identical: usize, accepted: usize, different: usize, not_run: usize) -> Score {
        let mut score = Score::default();
        let outcomes = [
            (identical, Outcome::Identical),
            (accepted, Outcome::Accepted([0].into())),
            (different, Outcome::Different("-a\n+b\n".into())),
        ];
        for (count, outcome) in outcomes {
            for _ in 0..count {
                let compared = Compared { command: "list".into(), name: String::new(), outcome: outcome.clone() };
                score.add(ToolVersion::new(27, 1, 0), &compared);
            }
        }
        score.miss(not_run);
        score
    }

    /// The exit code is 0 only when everything was run and nothing differs.
    pub fn the_exit_code_follows_the_counts() {
        for (counts, stale, expected) in [
            ((3, 0, 0, 0), 0, 0),
            ((3, 2, 0, 0), 0, 0),
            ((3, 2, 1, 0), 0, 1),
            ((3, 2, 0, 0), 1, 1),
            ((3, 2, 1, 4), 0, 1),
            ((3, 2, 0, 4), 0, 3),
            ((0, 0, 0, 4), 0, NOT_RUN),
            ((0, 0, 0, 0), 0, NOT_RUN),
        ] {
            let (identical, accepted, different, not_run) = counts;
            assert_eq!(score(identical, accepted, different, not_run).exit(stale), expected, "{counts:?} {stale}");
        }
    }

    /// The last line is what CI and people look for.
    pub fn the_last_line_has_its_form() {
        let score = score(5, 2, 1, 4);
        assert_eq!(score.line(), "conformance: 5 identical, 2 accepted, 1 different, 4 not run");
        assert!(score.table().contains("27.1.0"), "{}", score.table());
        assert_eq!(score.used, [0].into());
    }
}

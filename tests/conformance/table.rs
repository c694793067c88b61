//! The score: identical, by shape or not reproduced, by tool version and command.

use std::collections::BTreeMap;

use crate::case::Case;
use crate::compare::Outcome;
use crate::exceptions::Exceptions;

/// The score of a run.
pub struct Score {
    /// Names of all cases.
    pub names: Vec<String>,
    cells: BTreeMap<(String, String), Counts>,
    missed: Vec<(String, String)>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    identical: usize,
    by_shape: usize,
    different: usize,
}

/// Counts the outcomes.
pub fn score(played: &[(Case, Outcome)], exceptions: &Exceptions) -> Score {
    let mut score = Score { names: Vec::new(), cells: BTreeMap::new(), missed: Vec::new() };
    for (case, outcome) in played {
        score.names.push(case.name.clone());
        let counts = score.cells.entry((case.tool.clone(), command(case))).or_default();
        match outcome {
            Outcome::Identical => counts.identical += 1,
            Outcome::ByShape => counts.by_shape += 1,
            Outcome::Different(_) => {
                counts.different += 1;
                let reason = exceptions.reason(&case.name).unwrap_or("no exception: a failure of this run");
                score.missed.push((case.name.clone(), reason.to_owned()));
            }
        }
    }
    score
}

impl Score {
    fn total(&self, tool: Option<&str>) -> Counts {
        let cells = self.cells.iter().filter(|((version, _), _)| tool.is_none_or(|tool| tool == version));
        cells.fold(Counts::default(), |sum, (_, each)| Counts {
            identical: sum.identical + each.identical,
            by_shape: sum.by_shape + each.by_shape,
            different: sum.different + each.different,
        })
    }

    fn tools(&self) -> Vec<&str> {
        let mut tools: Vec<&str> = self.cells.keys().map(|(tool, _)| tool.as_str()).collect();
        tools.dedup();
        tools
    }

    /// A few lines for the terminal.
    pub fn summary(&self) -> String {
        let Counts { identical, by_shape, different } = self.total(None);
        let mut text = format!("conformance: {identical} identical, {by_shape} by shape, {different} not reproduced\n");
        for tool in self.tools() {
            let Counts { identical, by_shape, different } = self.total(Some(tool));
            text.push_str(&format!(
                "  {tool}: {identical} identical, {by_shape} by shape, {different} not reproduced\n"
            ));
        }
        for (name, reason) in &self.missed {
            text.push_str(&format!("  not reproduced: {name}: {reason}\n"));
        }
        text
    }

    /// The rows of the README's table: totals by tool version.
    pub fn rows(&self) -> Vec<String> {
        let tools = self.tools();
        let row = |tool: &&str| {
            let Counts { identical, by_shape, different } = self.total(Some(tool));
            format!("| {tool} | {identical} | {by_shape} | {different} |")
        };
        tools.iter().map(row).collect()
    }

    /// The page for people, kept as `docs/fidelity.md`.
    pub fn markdown(&self) -> String {
        let Counts { identical, by_shape, different } = self.total(None);
        let held_out = self.names.iter().filter(|name| name.starts_with("held-out-")).count();
        let mut text = format!(
            "# Fidelity of the simulated amd-smi\n\n\
             Written by `cargo test --test conformance`, which also checks that it is current. Every call recorded of the \
             real tool over the reference tree is made of the shim, on the machine that its header describes; stdout, \
             stderr and exit code are compared.\n\n\
             *Identical*: every byte. *By shape*: 24.x prints PCI addresses and UUIDs from uninitialised memory when render \
             nodes cannot be opened; their values change from run to run and are compared by shape, all else byte for \
             byte; of the errno map only exit code and status were recorded. *Not reproduced*: listed below, with the reason.\n\n\
             Of {} calls, {identical} are identical, {by_shape} by shape, {different} not reproduced. {held_out} of them, \
             those in `tests/fixtures/amd-smi/held-out`, were recorded after the rules were written; a few of them led to \
             corrections.\n\n\
             | tool | command | identical | by shape | not reproduced |\n|---|---|---:|---:|---:|\n",
            identical + by_shape + different
        );
        for ((tool, command), counts) in &self.cells {
            let Counts { identical, by_shape, different } = counts;
            text.push_str(&format!("| {tool} | {command} | {identical} | {by_shape} | {different} |\n"));
        }
        for (versions, what) in [
            ("24.0 to 24.4, 24.6, 24.7.1", "nearest version above or below that was run"),
            ("25.x", "captures of ROCm 6.4; otherwise 24.7.0 and 26.2.1"),
            ("26.0, 26.1, 26.2.0", "26.2.1, with what captures of ROCm 7.0 and 7.1 show"),
            ("26.3 to 27.0, after 27.1", "27.1.0, with the differences that changelogs name"),
        ] {
            text.push_str(&format!("| {versions} | all | *unverified*: {what} | | |\n"));
        }
        if !self.missed.is_empty() {
            text.push_str("\n## Not reproduced\n\n");
            for (name, reason) in &self.missed {
                text.push_str(&format!("- `{name}`: {reason}\n"));
            }
        }
        text.push_str(
            "\n## Not simulated\n\nThe shim knows every command and option of these versions, parses them as the tool does, \
             and prints their help. It answers `version`, `list`, `static` (asic, bus, vbios, driver, board, vram, \
             partition), `partition`, `metric -m`, the default table, `set -C`, `set -M`, `reset` of partition modes and \
             of the driver. Anything else it refuses on stderr with exit code 69, and says that it is \
             not simulated: other sections and settings, a `static` or `metric` that names no section, `--file`, \
             `--loglevel DEBUG`.\n",
        );
        text
    }
}

fn command(case: &Case) -> String {
    match case.args.first().map(String::as_str) {
        None => "(none)".to_owned(),
        Some(word) if word.starts_with('-') => "(options only)".to_owned(),
        Some(word) if case.args.iter().any(|arg| arg == "--help" || arg == "-h") => format!("{word} --help"),
        Some(word) => word.to_owned(),
    }
}

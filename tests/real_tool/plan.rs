//! `plan.toml`: which calls are made on which machines.

use std::collections::BTreeMap;
use std::fmt;

use rocvet::domain::ToolVersion;
use rocvet::sim::{Caller, Machine, Platform, machine_named};
use serde::Deserialize;

/// One machine under one tool, with the calls made on it in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Scene {
    /// Tool version.
    pub tool: ToolVersion,
    /// The machine.
    pub machine: Machine,
    /// What is called.
    pub calls: Vec<Call>,
}

/// One call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Arguments.
    pub args: Vec<String>,
    /// A line on standard input.
    pub stdin: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    groups: BTreeMap<String, Vec<String>>,
    scene: Vec<Row>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    machine: String,
    #[serde(default)]
    modes: Vec<String>,
    gpus: Option<u32>,
    #[serde(default)]
    platform: Platform,
    #[serde(default)]
    busy: bool,
    #[serde(default)]
    user: bool,
    #[serde(default)]
    faults: Vec<String>,
    #[serde(default)]
    calls: Vec<String>,
    #[serde(default)]
    more: Vec<String>,
}

/// The scenes of a tool; those of `--full` too when `full`.
pub fn read(text: &str, tool: ToolVersion, full: bool) -> Result<Vec<Scene>, String> {
    let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
    let mut scenes = Vec::new();
    for row in &file.scene {
        let mut calls = Vec::new();
        for word in row.calls.iter().chain(row.more.iter().filter(|_| full)) {
            match word.strip_prefix('@') {
                None => calls.push(Call::parse(word)),
                Some(group) => {
                    let group = file.groups.get(group).ok_or_else(|| format!("no group is called {group:?}"))?;
                    calls.extend(group.iter().map(|word| Call::parse(word)));
                }
            }
        }
        if calls.is_empty() {
            continue;
        }
        for machine in machines(row, tool)? {
            scenes.push(Scene { tool, machine, calls: calls.clone() });
        }
    }
    Ok(scenes)
}

fn machines(row: &Row, tool: ToolVersion) -> Result<Vec<Machine>, String> {
    let base = machine_named(&row.machine).map_err(|error| error.to_string())?;
    let modes =
        if row.modes.is_empty() { vec![format!("{}/{}", base.compute, base.memory)] } else { row.modes.clone() };
    let one = |modes: &String| {
        let wrong = |what: &dyn fmt::Display| format!("{} {modes}: {what}", row.machine);
        let (compute, memory) = modes.split_once('/').ok_or_else(|| wrong(&"modes are written like CPX/NPS4"))?;
        let mut machine = Machine {
            amd_smi: tool,
            gpus: row.gpus.unwrap_or(base.gpus),
            platform: row.platform,
            busy: row.busy,
            caller: if row.user { Caller::User } else { Caller::Root },
            compute: compute.parse().map_err(|error| wrong(&error))?,
            memory: memory.parse().map_err(|error| wrong(&error))?,
            ..base.clone()
        };
        // The namespace has no /dev/dri: no machine here answers DRM calls, and the reference machines never do.
        let silent = (!machine.quirks.reference_tree).then_some("no_drm");
        for fault in silent.into_iter().chain(row.faults.iter().map(String::as_str)) {
            machine.faults.push(fault.parse().map_err(|error| wrong(&error))?);
        }
        machine.check().map_err(|error| wrong(&error))?;
        Ok(machine)
    };
    modes.iter().map(one).collect()
}

impl Call {
    fn parse(text: &str) -> Self {
        let (args, stdin) = match text.split_once(" < ") {
            Some((args, line)) => (args, Some(format!("{line}\n"))),
            None => (text, None),
        };
        let args = args.split_whitespace().filter(|word| *word != "none").map(str::to_owned).collect();
        Self { args, stdin }
    }

    /// Row of the table: the subcommand, without its options.
    pub fn command(&self) -> String {
        match self.args.first() {
            None => "(none)".to_owned(),
            Some(word) if word.starts_with('-') => "(options only)".to_owned(),
            Some(word) => word.clone(),
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "amd-smi {}", self.args.join(" "))?;
        self.stdin.as_ref().map_or(Ok(()), |line| write!(f, " < {}", line.trim_end()))
    }
}

impl fmt::Display for Scene {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine { name, compute, memory, gpus, platform, busy, caller, faults, .. } = &self.machine;
        write!(f, "{} {name} {compute}/{memory} x{gpus}", self.tool)?;
        let words = [
            (*platform == Platform::Passthrough, "passthrough"),
            (*platform == Platform::VirtualFunction, "virtual function"),
            (*busy, "busy"),
            (*caller == Caller::User, "as nobody"),
        ];
        for (_, word) in words.iter().filter(|(said, _)| *said) {
            write!(f, ", {word}")?;
        }
        let faults = faults.iter().map(ToString::to_string).filter(|fault| fault != "no_drm");
        faults.into_iter().try_for_each(|fault| write!(f, ", {fault}"))
    }
}

/// The rules of this file, as tests.
pub mod tests {
    use super::*;

    const TOOL: ToolVersion = ToolVersion::new(27, 1, 0);

    /// The plan that is shipped reads, on every tool, and is as wide as it says.
    pub fn the_plan_reads() {
        let text = include_str!("plan.toml");
        let (list, full) = (read(text, TOOL, false).unwrap(), read(text, TOOL, true).unwrap());
        assert!(list.len() >= 40, "{} scenes", list.len());
        assert!(full.len() > list.len());
        let calls = |scenes: &[Scene]| scenes.iter().map(|scene| scene.calls.len()).sum::<usize>();
        assert!(calls(&full) > calls(&list));
        for scene in &list {
            assert_eq!(scene.machine.amd_smi, TOOL);
            let silent = scene.machine.faults.iter().any(|fault| fault.to_string() == "no_drm");
            assert_ne!(silent, scene.machine.quirks.reference_tree, "{scene}");
        }
    }

    /// A misspelt plan is refused, not shortened.
    pub fn a_misspelt_plan_is_refused() {
        for (row, part) in [
            ("machine = 'mi300'", "nearest: mi300"),
            ("machine = 'mi300x'\nmodes = ['CPX']", "CPX/NPS4"),
            ("machine = 'mi300x'\nmodes = ['SPX/NPS4']", "not legal"),
            ("machine = 'mi300x'\nfaults = ['hangs']", "nearest: hang"),
            ("machine = 'mi300x'\ngpu = 2", "unknown field"),
        ] {
            let error = read(&format!("[groups]\n[[scene]]\n{row}\ncalls = ['list']"), TOOL, false).unwrap_err();
            assert!(error.contains(part), "{row}: {error}");
        }
        let error = read("[groups]\n[[scene]]\nmachine = 'mi300x'\ncalls = ['@no']", TOOL, false).unwrap_err();
        assert!(error.contains("no group"), "{error}");
    }

    /// A call is written as a person types it.
    pub fn calls_are_read_as_typed() {
        let call = Call::parse("set -M NPS4 < y");
        assert_eq!((call.args.join("|"), call.stdin.as_deref()), ("set|-M|NPS4".to_owned(), Some("y\n")));
        assert_eq!(call.to_string(), "amd-smi set -M NPS4 < y");
        assert_eq!(
            (Call::parse("none").command(), Call::parse("-h").command()),
            ("(none)".into(), "(options only)".into())
        );
    }
}

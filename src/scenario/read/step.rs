//! `[[step]]`: what is done to the machine.

use crate::witness::amd_smi::SetRequest;

use super::super::tree::Node;
use super::super::{Level, Step};
use super::values::{Fields, array, boolean, number, text, word};
use super::{Problems, probe};

/// The keys of `[[step]]`, of which each step has one.
pub(in super::super) const STEP_KEYS: [&str; 6] = ["set", "reload", "hold", "release", "run", "probe"];

const SET_KEYS: [&str; 4] = ["compute", "memory", "gpu", "confirm"];

/// Commands of amd-smi that change nothing. Source: facts/amd-smi.md 1.2.
const READ_ONLY: [&str; 16] = [
    "version",
    "list",
    "static",
    "firmware",
    "ucode",
    "bad-pages",
    "metric",
    "process",
    "event",
    "topology",
    "monitor",
    "dmon",
    "partition",
    "xgmi",
    "default",
    "query",
];

/// Most arguments of a `run` step, and the longest of them in bytes.
const ARGUMENT_LIMIT: (usize, usize) = (64, 1000);

pub(super) fn step(node: &Node, problems: &mut Problems<'_>) -> Option<Step> {
    let before = problems.is_empty();
    let fields = Fields::of(node, "[[step]]", &STEP_KEYS, problems)?;
    let present: Vec<&str> = STEP_KEYS.into_iter().filter(|key| fields.get(key).is_some()).collect();
    let (&[key], Some(value)) = (present.as_slice(), present.first().and_then(|key| fields.get(key))) else {
        if !present.is_empty() || (before && problems.is_empty()) {
            problems.add(node.span.clone(), format!("a step has exactly one of {}", STEP_KEYS.join(", ")));
        }
        return None;
    };
    match key {
        "set" => set(value, problems).map(Step::Set),
        "run" => run(value, problems).map(Step::Run),
        "probe" => probe::probe(value, problems).map(Step::Probe),
        flag => {
            if !boolean(value, flag, problems)? {
                problems.add(value.span.clone(), format!("`{flag}` can only be true: leave the step out"));
                return None;
            }
            Some(match flag {
                "reload" => Step::Reload,
                "hold" => Step::Hold,
                _ => Step::Release,
            })
        }
    }
}

/// How far a step goes.
pub(super) fn level(step: &Step) -> Level {
    match step {
        Step::Set(_) | Step::Reload => Level::Reconfigure,
        Step::Probe(_) => Level::Exercise,
        Step::Hold | Step::Release => Level::Observe,
        Step::Run(args) => {
            let command = args.iter().find(|arg| !arg.starts_with('-')).map(|arg| arg.to_ascii_lowercase());
            match command {
                Some(command) if !READ_ONLY.contains(&command.as_str()) => Level::Reconfigure,
                Some(_) | None => Level::Observe,
            }
        }
    }
}

fn set(node: &Node, problems: &mut Problems<'_>) -> Option<SetRequest> {
    let fields = Fields::of(node, "`set`", &SET_KEYS, problems)?;
    let misplaced = |key: &str, wants: &str, problems: &mut Problems<'_>| {
        if let Some(node) = fields.get(key) {
            problems.add(node.span.clone(), format!("`{key}` goes with `{wants}` only"));
        }
    };
    match (fields.get("compute"), fields.get("memory")) {
        (Some(compute), None) => {
            misplaced("confirm", "memory", problems);
            let gpu = fields.get("gpu").map(|node| number(node, "gpu", 0..=511, problems));
            let mode = word(compute, "compute", problems)?;
            Some(SetRequest::Compute { mode, gpu: super::simulate::optional(gpu)? })
        }
        (None, Some(memory)) => {
            misplaced("gpu", "compute", problems);
            let confirm = match fields.get("confirm") {
                Some(node) => boolean(node, "confirm", problems),
                None => Some(true),
            };
            Some(SetRequest::Memory { mode: word(memory, "memory", problems)?, confirm: confirm? })
        }
        (Some(_), Some(_)) | (None, None) => {
            problems.add(node.span.clone(), "`set` has exactly one of compute, memory");
            None
        }
    }
}

fn run(node: &Node, problems: &mut Problems<'_>) -> Option<Vec<String>> {
    let items = array(node, "run", problems)?;
    let (count, length) = ARGUMENT_LIMIT;
    if items.len() > count {
        problems.add(node.span.clone(), format!("`run` may have at most {count} arguments"));
        return None;
    }
    let mut args = Vec::new();
    for item in items {
        let arg = text(item, "run", problems)?;
        if arg.len() > length || arg.contains('\0') {
            problems.add(item.span.clone(), format!("an argument has at most {length} bytes, and none is NUL"));
            return None;
        }
        if writes_a_file(arg) {
            problems.add(item.span.clone(), "a scenario may not make amd-smi write files");
            return None;
        }
        args.push(arg.to_owned());
    }
    Some(args)
}

/// `--file PATH` and `--folder PATH`, also shortened, as argparse accepts it, and in any case, as the tool accepts it.
fn writes_a_file(arg: &str) -> bool {
    let name = arg.split_once('=').map_or(arg, |(name, _)| name).to_ascii_lowercase();
    name.len() >= 3 && ["--file", "--folder"].iter().any(|option| option.starts_with(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_raw_call_that_may_change_something_needs_reconfigure() {
        for (args, expected) in [
            (&["list", "--json"][..], Level::Observe),
            (&[], Level::Observe),
            (&["--json"], Level::Observe),
            (&["query"], Level::Observe),
            (&["set", "-C", "CPX"], Level::Reconfigure),
            (&["SET", "-C", "CPX"], Level::Reconfigure),
            (&["--json", "reset", "-r"], Level::Reconfigure),
            (&["ras", "--afid"], Level::Reconfigure),
        ] {
            let args = args.iter().map(|&arg| arg.to_owned()).collect();
            assert_eq!(level(&Step::Run(args)), expected);
        }
    }

    #[test]
    fn options_that_write_files_are_seen_however_they_are_spelt() {
        for (arg, expected) in [
            ("--file", true),
            ("--file=/etc/passwd", true),
            ("--fi", true),
            ("--FILE", true),
            ("--folder", true),
            ("--json", false),
            ("--", false),
            ("-f", false),
            ("file", false),
        ] {
            assert_eq!(writes_a_file(arg), expected, "{arg}");
        }
    }
}

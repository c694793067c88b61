//! Usage and help, laid out as Python's argparse does it.

use super::args::interface::{Command, Entry, Opt, Presence};
use super::generation::Generation;

/// What depends on the machine in a help text.
pub struct Facts<'a> {
    /// `AMD System Management Interface | Version: ... | Platform: ...`.
    pub banner: &'a str,
    /// `ID: 0 | BDF: ... | UUID: ...`, one line for each device, and `all`.
    pub gpus: &'a [String],
    /// What `set -C` takes, or why it takes nothing.
    pub accelerators: &'a str,
}

/// Columns that usage and help are wrapped at.
const WIDTH: usize = 90;

/// The usage paragraph of a command, with a final newline.
pub fn usage(command: &Command) -> String {
    let prefix = format!("usage: amd-smi {}", command.name);
    let indent = " ".repeat(prefix.len() + 1);
    let mut text = prefix;
    let mut column = text.len();
    for part in parts(command) {
        let length = part.chars().count();
        if column + 1 + length > WIDTH {
            text.push('\n');
            text.push_str(&indent);
            column = indent.len() + length;
        } else {
            text.push(' ');
            column += 1 + length;
        }
        text.push_str(&part);
    }
    text.push('\n');
    text
}

/// The whole help text of a command.
pub fn help(command: &Command, generation: Generation, facts: &Facts<'_>) -> String {
    let mut text = usage(command);
    if !command.about.is_empty() {
        text.push('\n');
        for line in &command.about {
            text.push_str(if *line == "{banner}" { facts.banner } else { line });
            text.push('\n');
        }
    }
    let shown = |option: &&Opt| !option.hidden;
    let widest = command.options.iter().filter(shown).map(|option| invocation(option).chars().count() + 2).max();
    // The formatter of 25.x and later starts from 20 columns (6.4 set `_action_max_length`).
    let least = if generation >= Generation::V25 { 20 } else { 0 };
    let column = widest.unwrap_or(0).max(least).min(78) + 2;
    for section in &command.sections {
        text.push('\n');
        if !section.title.is_empty() {
            text.push_str(section.title);
            text.push_str(":\n");
        }
        for option in section.options.iter().filter_map(|&at| command.options.get(at)).filter(shown) {
            let mut left = format!("  {}", invocation(option));
            for line in lines(option, facts) {
                text.push_str(format!("{left:column$}{line}").trim_end_matches('\n'));
                text.push('\n');
                left.clear();
            }
        }
    }
    text
}

/// Help of the tool itself: the list of commands.
pub fn overview(
    entries: impl Iterator<Item = Entry>,
    generation: Generation,
    bare_metal: bool,
    banner: &str,
) -> String {
    let options: &[(&str, &str)] = &[
        ("-h, --help", "show this help message and exit"),
        ("--rocm-smi", "Display GPU information in ROCm-SMI compatible format"),
        ("--loglevel LEVEL", "Set the logging level from the possible choices: DEBUG, INFO, WARNING, ERROR, CRITICAL"),
    ];
    let (usage, options) = match generation {
        Generation::V24_5 | Generation::V24_7 | Generation::V25 | Generation::V26 => ("[-h]", &options[..1]),
        Generation::V27 => ("[-h] [--rocm-smi] [--loglevel LEVEL]", options),
    };
    let mut text = format!("usage: amd-smi {usage}  ...\n\n{}\n\noptions:\n", wrap(banner, WIDTH).join("\n"));
    for (flag, about) in options {
        text.push_str(&row(&format!("  {flag}"), about));
    }
    text.push_str("\nAMD-SMI Commands:\n                      Descriptions:\n");
    let offered = entries.filter(|entry| entry.presence == Presence::Always && (bare_metal || !entry.bare_metal));
    for entry in offered {
        let alias = entry.alias.map(|alias| format!(" ({alias})")).unwrap_or_default();
        text.push_str(&row(&format!("    {}{alias}", entry.name), entry.summary));
    }
    if generation >= Generation::V25 {
        text.push_str("\nFor detailed help on specific commands: amd-smi [command] -h\n");
    }
    text
}

/// What usage shows, piece by piece; lines break between pieces only.
fn parts(command: &Command) -> Vec<String> {
    let mut parts = vec!["[-h]".to_owned()];
    for group in &command.groups {
        let members: Vec<&Opt> =
            group.members.iter().filter_map(|&at| command.options.get(at)).filter(|option| !option.hidden).collect();
        let (open, close) = match (group.required, members.len()) {
            (true, 1) => ("", ""),
            (true, _) => ("(", ")"),
            (false, _) => ("[", "]"),
        };
        for (at, option) in members.iter().enumerate() {
            let flag = option.flags.first().copied().unwrap_or_default();
            let metavar = if option.metavar.is_empty() { String::new() } else { format!(" {}", option.metavar) };
            let open = if at == 0 { open } else { "" };
            let close = if at + 1 == members.len() { close } else { " |" };
            parts.push(format!("{open}{flag}{metavar}{close}"));
        }
    }
    parts
}

/// How help names an option: every spelling, and its values once.
fn invocation(option: &Opt) -> String {
    let flags = option.flags.join(", ");
    if option.metavar.is_empty() { flags } else { format!("{flags} {}", option.metavar) }
}

/// The lines of an option's help, with what the machine says filled in.
fn lines(option: &Opt, facts: &Facts<'_>) -> Vec<String> {
    let fill = |line: &&'static str| match *line {
        "{gpus}" => facts.gpus.to_vec(),
        line => vec![line.replace("\\t", "\t").replace("{accelerators}", facts.accelerators)],
    };
    option.help.iter().flat_map(fill).collect()
}

/// A name and what it is, in two columns.
fn row(left: &str, right: &str) -> String {
    const COLUMN: usize = 22;
    let lines = wrap(right, WIDTH - COLUMN);
    let first = std::iter::once(left).chain(std::iter::repeat(""));
    first.zip(lines).map(|(left, line)| format!("{left:COLUMN$}{line}\n")).collect()
}

/// Breaks a paragraph into lines of at most `width` characters, between words.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) | None => lines.push(word.to_owned()),
        }
    }
    lines
}

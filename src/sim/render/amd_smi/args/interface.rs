//! The command line that a generation offers, read from its description in `interface/*.txt`.
//!
//! One description gives what argparse needs to parse, to print usage and to print help, so the three cannot disagree.

use crate::sim::render::amd_smi::generation::Generation;

/// One option of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opt {
    /// Spellings, short ones first.
    pub flags: Vec<&'static str>,
    /// How its values are shown; empty for a flag without value.
    pub metavar: &'static str,
    /// Lines of its help.
    pub help: Vec<&'static str>,
    /// Accepted, but shown neither in usage nor in help.
    pub hidden: bool,
}

/// How many values an option takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arity {
    /// This many; 0 for a flag.
    Exactly(usize),
    /// One or more.
    Some,
    /// Any number.
    Any,
}

/// Options as usage shows them: alone, or shutting each other out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Indexes into [`Command::options`].
    pub members: Vec<usize>,
    /// One of them must be given.
    pub required: bool,
}

/// A titled list of options in the help text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Without its colon; empty for none.
    pub title: &'static str,
    /// Indexes into [`Command::options`].
    pub options: Vec<usize>,
}

/// One subcommand.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Command {
    /// Its name.
    pub name: &'static str,
    /// Lines between usage and options; `{banner}` stands for the tool's version line.
    pub about: Vec<&'static str>,
    /// Options, in help order. `-h` is the first.
    pub options: Vec<Opt>,
    /// Groups, in the order of registration.
    pub groups: Vec<Group>,
    /// Help sections.
    pub sections: Vec<Section>,
}

/// One line of the command list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    /// Another name for it.
    pub alias: Option<&'static str>,
    /// What the command list says.
    pub summary: &'static str,
    /// Only bare metal has it.
    pub bare_metal: bool,
    /// When it can be called.
    pub presence: Presence,
}

/// When a command of the list can be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Whenever its name is given.
    Always,
    /// Only when no other command is named (`default`).
    Alone,
    /// Never: the tool knows the name and offers nothing.
    Known,
}

impl Opt {
    /// How many values it takes, read from its metavar.
    pub fn arity(&self) -> Arity {
        let words = self.metavar.split(' ').filter(|word| !word.is_empty()).count();
        match self.metavar {
            "" => Arity::Exactly(0),
            text if text.starts_with('<') => Arity::Exactly(1),
            text if text.starts_with('[') => Arity::Any,
            text if text.contains('[') => Arity::Some,
            _ => Arity::Exactly(words),
        }
    }

    /// Its longest-lived name: the first long spelling, else the short one.
    pub fn key(&self) -> &'static str {
        self.flags.iter().find(|flag| flag.starts_with("--")).or(self.flags.first()).copied().unwrap_or_default()
    }

    /// Its name in argparse's messages: all spellings.
    pub fn name(&self) -> String {
        self.flags.join("/")
    }
}

/// The description of one generation.
pub const fn text(generation: Generation) -> &'static str {
    match generation {
        Generation::V24_5 => include_str!("interface/24.5.txt"),
        Generation::V24_7 => include_str!("interface/24.7.txt"),
        Generation::V25 => include_str!("interface/25.txt"),
        Generation::V26 => include_str!("interface/26.txt"),
        Generation::V27 => include_str!("interface/27.txt"),
    }
}

/// Every command that the tool knows by name, in the order of registration.
pub fn entries(text: &'static str) -> impl Iterator<Item = Entry> {
    text.lines().filter_map(|line| line.strip_prefix("= ")).map(entry)
}

/// Reads one command; `None` when it is not described.
pub fn command(text: &'static str, name: &str, bare_metal: bool) -> Option<Command> {
    let mut lines = text.lines().skip_while(|line| line.strip_prefix("= ").is_none_or(|head| entry(head).name != name));
    let name = entry(lines.next()?.strip_prefix("= ")?).name;
    let mut reader = Reader { command: Command { name, ..Command::default() }, bare_metal, skipping: false };
    let mut usage = "";
    for line in lines.take_while(|line| !line.starts_with("= ")) {
        if let Some(rest) = line.strip_prefix("usage ") {
            usage = rest;
        } else if let Some(rest) = line.strip_prefix('.') {
            reader.command.about.push(unterminated(rest.strip_prefix(' ').unwrap_or(rest)));
        } else if let Some(rest) = line.strip_prefix('#') {
            reader.section(rest.trim_start());
        } else if let Some(title) = line.strip_prefix("@ ") {
            reader.section(title);
            for line in block(text, title) {
                reader.line(line);
            }
        } else {
            reader.line(line);
        }
    }
    let mut command = reader.command;
    command.sections.retain(|section| !section.options.is_empty());
    command.groups = groups(usage, &command.options);
    Some(command)
}

/// Collects the lines of one command.
struct Reader {
    command: Command,
    bare_metal: bool,
    /// The option whose help comes next is not on this machine.
    skipping: bool,
}

impl Reader {
    fn section(&mut self, title: &'static str) {
        self.command.sections.push(Section { title, options: Vec::new() });
    }

    /// An option, or a line of the last one's help.
    fn line(&mut self, line: &'static str) {
        if let Some(help) = line.strip_prefix("    ") {
            if let Some(option) = self.command.options.last_mut().filter(|_| !self.skipping) {
                option.help.push(unterminated(help));
            }
            return;
        }
        let (line, only_bare_metal) = line.strip_prefix("bm ").map_or((line, false), |line| (line, true));
        self.skipping = only_bare_metal && !self.bare_metal;
        if self.skipping || line.is_empty() {
            return;
        }
        if let Some(section) = self.command.sections.last_mut() {
            section.options.push(self.command.options.len());
        }
        self.command.options.push(option(line));
    }
}

/// Reads the usage line: `-a (-g) [-x | -y]`.
fn groups(usage: &str, options: &[Opt]) -> Vec<Group> {
    let mut groups = Vec::new();
    let mut rest = usage;
    while !rest.is_empty() {
        let (body, tail) = match rest.chars().next() {
            Some('[') => rest[1..].split_once(']').unwrap_or((rest, "")),
            Some('(') => rest[1..].split_once(')').unwrap_or((rest, "")),
            _ => rest.split_once(' ').unwrap_or((rest, "")),
        };
        let members: Vec<usize> = body
            .split(" | ")
            .filter_map(|flag| options.iter().position(|option| option.flags.contains(&flag)))
            .collect();
        if !members.is_empty() {
            groups.push(Group { members, required: rest.starts_with('(') });
        }
        rest = tail.trim_start();
    }
    groups
}

fn entry(head: &'static str) -> Entry {
    let (names, summary) = head.split_once(" : ").unwrap_or((head, ""));
    let mut words = names.split(' ');
    let mut entry = Entry {
        name: words.next().unwrap_or_default(),
        alias: None,
        summary,
        bare_metal: false,
        presence: Presence::Always,
    };
    for word in words {
        match word {
            "bare-metal" => entry.bare_metal = true,
            "alone" => entry.presence = Presence::Alone,
            "known" => entry.presence = Presence::Known,
            alias => entry.alias = Some(alias),
        }
    }
    entry
}

fn option(line: &'static str) -> Opt {
    let (line, hidden) = line.strip_prefix("hidden ").map_or((line, false), |line| (line, true));
    if line == "-h" {
        let help = vec!["show this help message and exit"];
        return Opt { flags: vec!["-h", "--help"], metavar: "", help, hidden };
    }
    let mut flags = Vec::new();
    let mut rest = line;
    while let Some((flag, tail)) = rest.split_once(", ").filter(|(flag, _)| !flag.contains(' ')) {
        flags.push(flag);
        rest = tail;
    }
    let (flag, metavar) = rest.split_once(' ').unwrap_or((rest, ""));
    flags.push(flag);
    Opt { flags, metavar, help: Vec::new(), hidden }
}

fn block(text: &'static str, title: &str) -> impl Iterator<Item = &'static str> {
    text.lines()
        .skip_while(move |line| line.strip_prefix("@= ") != Some(title))
        .skip(1)
        .take_while(|line| !line.starts_with(['@', '=']) && !line.is_empty())
}

fn unterminated(line: &'static str) -> &'static str {
    line.strip_suffix('|').unwrap_or(line)
}

//! The command line: from arguments to a [`Call`], or to what the tool answers instead.

mod argparse;
pub mod interface;
mod rules;
pub mod select;

use super::failure::{Complaint, Phase};
use super::generation::Generation;
use super::help;
use super::startup::Platform;
use super::{Format, Response};
use argparse::Error;
use interface::{Entry, Presence};
use rules::{Reader, Stop};
use select::Identity;

/// What the command line is read against.
pub struct Scene<'a> {
    /// Which rules apply.
    pub generation: Generation,
    /// Bare metal or guest, as the tool sees it.
    pub platform: Platform,
    /// Commands of the generation that this version of the tool does not have yet.
    pub lacks: &'static [&'static str],
    /// Devices that `-g` can name, in the tool's order.
    pub devices: &'a [Identity],
    /// Types and indexes that `set -C` takes; `None` where the tool finds no profiles (no partitions, or not root).
    pub accelerators: Option<&'a [String]>,
    /// Line that help begins with.
    pub banner: &'a str,
    /// `set -C` compares its choices character by character: ROCm 6.4.x with a newer Python (ROCm/amdsmi#132).
    pub choices_one_string: bool,
}

/// A command line that the tool accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The subcommand, `default` when there is none.
    pub command: &'static str,
    /// Output format.
    pub format: Format,
    /// Devices chosen with `-g`, in the order given; `None` without it.
    pub targets: Option<Vec<usize>>,
    /// Every option given besides those: its long name and its values.
    pub options: Vec<(&'static str, Vec<String>)>,
    /// The arguments as the tool repeats them in its messages.
    pub line: String,
}

impl Call {
    /// Whether an option was given, by its long name.
    pub fn has(&self, name: &str) -> bool {
        self.options.iter().any(|(option, _)| *option == name)
    }

    /// The value of an option; of its last occurrence.
    pub fn value(&self, name: &str) -> Option<&str> {
        let (_, values) = self.options.iter().rev().find(|(option, _)| *option == name)?;
        values.first().map(String::as_str)
    }
}

/// Reads the command line. `Err` is the whole answer of a tool that does not accept it, or that was asked for help.
pub fn read(args: &[String], scene: &Scene<'_>) -> Result<Call, Response> {
    let answer = accept(args, scene);
    // Debug logs carry times and the tool's own source lines; so do the stack frames of an uncaught exception.
    let logs = answer.as_ref().is_ok_and(|call| call.value("--loglevel") == Some("DEBUG"));
    let frames = scene.generation == Generation::V26 && names_debug(args);
    if logs || (frames && answer.as_ref().is_err_and(|response| response.code == 1)) {
        return Err(not_simulated("`--loglevel DEBUG`"));
    }
    answer
}

fn accept(args: &[String], scene: &Scene<'_>) -> Result<Call, Response> {
    let text = interface::text(scene.generation);
    let lowered;
    let args = if scene.generation >= Generation::V25 {
        lowered = rules::lowered(args);
        Line { raw: args, args: &lowered }
    } else {
        Line { raw: args, args }
    };
    match (args.args.first().map(String::as_str), scene.generation) {
        (None, Generation::V26 | Generation::V27) => parse(text, "default", &args, None, scene),
        (None, _) => Err(overview(here(text, scene), scene)),
        (Some("--loglevel"), Generation::V26 | Generation::V27) if names_debug(args.raw) => {
            modern(text, "default", &args, None, scene)
        }
        (Some(first), Generation::V26 | Generation::V27) => modern(text, first, &args, Some(0), scene),
        (Some(_), _) => classic(text, &args, scene),
    }
}

/// 26.0 and later look for the word anywhere in the arguments before they read them.
fn names_debug(args: &[String]) -> bool {
    args.iter().any(|arg| arg.to_uppercase().contains("DEBUG"))
}

/// The arguments as given, and as the tool's parser sees them.
struct Line<'a> {
    raw: &'a [String],
    args: &'a [String],
}

impl Line<'_> {
    /// The format that errors are printed in: looked up in the arguments, not parsed.
    fn format(&self) -> Format {
        let given = |long: &str, short: &str| self.args.iter().any(|arg| arg == long || arg == short);
        match (given("--json", "--j"), given("--csv", "--c")) {
            (true, _) => Format::Json,
            (false, true) => Format::Csv,
            (false, false) => Format::Human,
        }
    }
}

/// Up to 25.x: options of the tool itself may come first, and argparse finds the subcommand.
fn classic(text: &'static str, line: &Line<'_>, scene: &Scene<'_>) -> Result<Call, Response> {
    let word = line.args.iter().position(|arg| !arg.starts_with('-') || arg.contains(' '));
    let before = &line.args[..word.unwrap_or(line.args.len())];
    if before.iter().any(|arg| arg == "-h" || (arg.len() > 2 && "--help".starts_with(arg.as_str()))) {
        return Err(overview(here(text, scene), scene));
    }
    let Some(at) = word else {
        return Err(complain(&Complaint::Parameter(before.join(" ")), line, scene, ""));
    };
    let name = &line.args[at];
    match here(text, scene).find(|entry| entry.name == name || entry.alias == Some(name)) {
        Some(entry) if scene.platform.bare_metal() || !entry.bare_metal => {
            parse(text, entry.name, line, Some(at), scene)
        }
        Some(_) | None => {
            let shown = name.split('\'').next().unwrap_or_default();
            Err(complain(&Complaint::Command(shown.to_owned()), line, scene, ""))
        }
    }
}

/// The commands of this version of the tool.
fn here(text: &'static str, scene: &Scene<'_>) -> impl Iterator<Item = Entry> {
    let lacks = scene.lacks;
    interface::entries(text).filter(move |entry| !lacks.contains(&entry.name))
}

/// 26.0 and later: the first argument must be a command, and only the commands named are offered.
fn modern(
    text: &'static str,
    first: &str,
    line: &Line<'_>,
    at: Option<usize>,
    scene: &Scene<'_>,
) -> Result<Call, Response> {
    let known: Vec<Entry> = interface::entries(text).collect();
    let top = match scene.generation {
        Generation::V27 => matches!(first, "-h" | "--help" | "--rocm-smi"),
        Generation::V24_5 | Generation::V24_7 | Generation::V25 | Generation::V26 => matches!(first, "-h" | "--help"),
    };
    let Some(entry) = known.iter().find(|entry| entry.name == first || entry.alias == Some(first)) else {
        return Err(match first {
            "--rocm-smi" if top => not_simulated("--rocm-smi"),
            _ if top => overview(offered(&known, line.raw, scene).into_iter(), scene),
            // This message never comes as JSON: the tool looks for a format in the wrong place.
            _ => {
                let mut response = Response::default();
                let complaint = Complaint::Subcommand(first.to_owned());
                complaint.report(&mut response, scene.generation, Format::Human, first, Phase::Parse);
                response
            }
        });
    };
    let offered = offered(&known, line.raw, scene);
    if offered.iter().any(|each| each.name == entry.name) {
        return parse(text, entry.name, line, at, scene);
    }
    let names: Vec<&str> = offered.iter().flat_map(|each| std::iter::once(each.name).chain(each.alias)).collect();
    let mut response = Response::default();
    if scene.generation == Generation::V26 {
        response.complain(&format!(
            "argparse.ArgumentError: argument : invalid choice: '{first}' (choose from {})\n\n\
             During handling of the above exception, another exception occurred:\n\n",
            names.join(", ")
        ));
    }
    Complaint::NotSupported(first.to_owned()).report(
        &mut response,
        scene.generation,
        line.format(),
        first,
        Phase::Parse,
    );
    Err(response)
}

/// Which commands the tool registers: all for help, else the first that the arguments name (before they are lowered).
fn offered(known: &[Entry], raw: &[String], scene: &Scene<'_>) -> Vec<Entry> {
    let here = |entry: &&Entry| scene.platform.bare_metal() || !entry.bare_metal;
    if raw.iter().any(|arg| arg == "-h" || arg == "--help") {
        return known.iter().filter(|entry| entry.presence == Presence::Always).filter(here).copied().collect();
    }
    let named = |entry: &&Entry| {
        entry.presence != Presence::Alone
            && raw.iter().any(|arg| arg == entry.name || Some(arg.as_str()) == entry.alias)
    };
    match known.iter().find(named) {
        Some(entry) if entry.presence == Presence::Known => Vec::new(),
        Some(entry) => [*entry].iter().filter(here).copied().collect(),
        None => known.iter().filter(|entry| entry.presence == Presence::Alone).copied().collect(),
    }
}

/// Parses the arguments of a subcommand that stands at `at`, or that the tool put before them.
fn parse(
    text: &'static str,
    name: &str,
    line: &Line<'_>,
    at: Option<usize>,
    scene: &Scene<'_>,
) -> Result<Call, Response> {
    let Some(command) = interface::command(text, name, scene.platform.bare_metal()) else {
        return Err(not_simulated(name));
    };
    let (before, rest) = at.map_or((&[][..], line.args), |at| {
        (line.args.get(..at).unwrap_or_default(), line.args.get(at + 1..).unwrap_or_default())
    });
    let mut reader = Reader::new(scene, command.name);
    let extras = match argparse::parse(&command, rest, &mut reader) {
        Ok(extras) => extras,
        Err(Error::Help) => {
            let mut response = Response::default();
            let gpus = select::choices(scene.devices, scene.generation);
            let accelerators = match scene.accelerators {
                Some(choices) => choices.join(", "),
                // Python joins the letters of `N/A`.
                None => "N, /, A".to_owned(),
            };
            let facts = help::Facts { banner: scene.banner, gpus: &gpus, accelerators: &accelerators };
            response.print(&help::help(&command, scene.generation, &facts));
            return Err(response);
        }
        Err(Error::Stop(Stop { said, complaint })) => {
            let mut response = Response::default();
            response.print(&said);
            complaint.report(&mut response, scene.generation, line.format(), first(line), Phase::Parse);
            return Err(response);
        }
        Err(Error::Message(message)) if scene.generation == Generation::V27 => {
            return Err(complain(&rules::reworded(&message), line, scene, first(line)));
        }
        Err(Error::Message(message)) => {
            let mut response = Response::default();
            response.complain(&help::usage(&command));
            response.complain(&format!("amd-smi {}: error: {message}\n", command.name));
            response.code = 2;
            return Err(response);
        }
    };
    let extras: Vec<String> = before.iter().cloned().chain(extras).collect();
    if !extras.is_empty() {
        return Err(complain(&Complaint::Parameter(extras.join(" ")), line, scene, first(line)));
    }
    Ok(reader.finish(line.args.join(" ")))
}

/// What the tool takes for the name of the command in its messages.
fn first<'a>(line: &'a Line<'_>) -> &'a str {
    line.args.first().map(String::as_str).unwrap_or_default()
}

fn complain(complaint: &Complaint, line: &Line<'_>, scene: &Scene<'_>, command: &str) -> Response {
    let mut response = Response::default();
    complaint.report(&mut response, scene.generation, line.format(), command, Phase::Parse);
    response
}

fn overview(entries: impl Iterator<Item = Entry>, scene: &Scene<'_>) -> Response {
    let mut response = Response::default();
    let bare_metal = scene.platform.bare_metal();
    response.print(&help::overview(entries, scene.generation, bare_metal, scene.banner));
    response
}

fn not_simulated(what: &str) -> Response {
    let mut response = Response::default();
    super::failure::not_simulated(&mut response, what);
    response
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests;

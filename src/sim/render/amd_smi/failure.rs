//! Every way in which the tool says no: text, stream and exit code, by generation.
//! Source: facts/amd-smi.md 3.1 and 3.2; transcripts of 24.5.2, 24.7.0, 26.2.1 and 27.1.0.

use super::generation::Generation;
use super::status::Status;
use super::{Format, Response};

/// An error of the command line itself, with the code that the tool gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Complaint {
    /// -1: no such command.
    Command(String),
    /// -2: an argument that nothing takes, or argparse's own words (26.3 and later).
    Parameter(String),
    /// -3: no such device.
    Device(String),
    /// -5: a value of the wrong kind; with the choices where the tool names them.
    Value {
        /// The value.
        value: String,
        /// ` (choose from ...)`, or empty.
        hint: String,
    },
    /// -6: a parameter without its value.
    MissingValue(String),
    /// -7: a command that exists elsewhere.
    NotSupported(String),
    /// -9: a command that was told nothing to do. Holds the whole command line.
    Required(String),
    /// -10: the first argument is no command.
    Subcommand(String),
    /// -11: not for this user.
    Permission(String),
}

/// When a complaint is raised: the generations differ in who catches it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// While the command line is read.
    Parse,
    /// While the command runs.
    Run,
}

impl Complaint {
    /// The tool's number for it.
    pub const fn code(&self) -> i64 {
        match self {
            Self::Command(_) => -1,
            Self::Parameter(_) => -2,
            Self::Device(_) => -3,
            Self::Value { .. } => -5,
            Self::MissingValue(_) => -6,
            Self::NotSupported(_) => -7,
            Self::Required(_) => -9,
            Self::Subcommand(_) => -10,
            Self::Permission(_) => -11,
        }
    }

    const fn class(&self) -> &'static str {
        match self {
            Self::Command(_) => "AmdSmiInvalidCommandException",
            Self::Parameter(_) => "AmdSmiInvalidParameterException",
            Self::Device(_) => "AmdSmiDeviceNotFoundException",
            Self::Value { .. } => "AmdSmiInvalidParameterValueException",
            Self::MissingValue(_) => "AmdSmiMissingParameterValueException",
            Self::NotSupported(_) => "AmdSmiCommandNotSupportedException",
            Self::Required(_) => "AmdSmiRequiredCommandException",
            Self::Subcommand(_) => "AmdSmiInvalidSubcommandException",
            Self::Permission(_) => "AmdSmiPermissionDeniedException",
        }
    }

    /// The sentence, without its code. `command` is the subcommand, named by 26.0 and later.
    fn sentence(&self, generation: Generation, command: &str) -> String {
        // 25.x still says it as 24.x: capture of 25.4.2 in a VM.
        let old = generation <= Generation::V25;
        let see = |what: &str| {
            if old { "Run '--help' for more info.".into() } else { format!("Run 'amd-smi {what}-h' for more info.") }
        };
        let here = see(&format!("{command} "));
        match self {
            Self::Command(name) => format!("Command '{name}' is invalid. {}", see("")),
            Self::Parameter(text) => format!("Parameter '{text}' is invalid. {here}"),
            Self::Device(name) if generation == Generation::V24_5 => {
                format!("Can not find a device with the corresponding identifier: '{name}'")
            }
            Self::Device(name) => format!("Can not find a device: GPU '{name}'"),
            Self::Value { value, hint } => {
                format!("Value '{value}' is not of valid type or format. {here}{hint}")
            }
            Self::MissingValue(name) => format!("Parameter '{name}' requires a value. Run '--help' for more info."),
            Self::NotSupported(name) => {
                format!("Command '{name}' is not supported on the system. Run '--help' for more info.")
            }
            Self::Required(line) => {
                format!("Command '{line}' requires a target argument. {}", see(&format!("{line} ")))
            }
            Self::Subcommand(name) => format!(
                "AMD-SMI Command '{name}' is invalid. Must receive valid AMD-SMI Command first. \
                 Run 'amd-smi -h' for more info."
            ),
            Self::Permission(name) => {
                format!("AMD-SMI Command '{name}' requires elevation (sudo privileges required)")
            }
        }
    }

    /// Adds the message to what was printed so far, and the exit code.
    pub fn report(&self, to: &mut Response, generation: Generation, format: Format, command: &str, phase: Phase) {
        let (sentence, code) = (self.sentence(generation, command), self.code());
        let message = match format {
            Format::Human => format!("{sentence} Error code: {code}"),
            Format::Json => format!("{{\"error\": {}, \"code\": {code}}}", json_string(&sentence)),
            Format::Csv => format!("error,code\n{sentence}, {code}"),
        };
        let class = self.class();
        match (generation, phase) {
            (Generation::V24_5 | Generation::V24_7 | Generation::V25, _) | (Generation::V26, Phase::Run) => {
                to.print(&format!("{message}\n"));
            }
            (Generation::V26, Phase::Parse) => {
                to.complain(&format!("amdsmi_cli_exceptions.{class}: {message}\n"));
                to.code = 1;
            }
            (Generation::V27, _) => {
                to.print(&format!("amdsmi_cli_exceptions.{class}: {message}\n"));
                to.code = u8::try_from(code.unsigned_abs() % 256).unwrap_or(u8::MAX);
            }
        }
    }
}

/// An exception that nobody catches: Python prints it on stderr and exits 1. (Traceback lines are off by default.)
pub fn uncaught(to: &mut Response, exception: &str) {
    to.complain(&format!("{exception}\n"));
    to.code = 1;
}

/// `raise X from library error`: both are printed.
pub fn uncaught_from(to: &mut Response, status: Status, generation: Generation, exception: &str) {
    to.complain(&format!("{}\n\n", status.exception(generation)));
    to.complain("The above exception was the direct cause of the following exception:\n\n");
    uncaught(to, exception);
}

/// What the shim says where the tool does something that is not simulated: never silence, never a guess.
pub fn not_simulated(to: &mut Response, what: &str) {
    to.complain(&format!("amd-smi (simulated by rocvet): {what} is not simulated\n"));
    to.code = 69;
}

/// A string as Python's `json.dumps` writes it: ASCII only.
fn json_string(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            ' '..='~' => out.push(c),
            _ => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    out.push('"');
    out
}

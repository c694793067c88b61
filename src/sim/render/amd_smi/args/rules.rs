//! What amd-smi itself demands of option values, and the words it uses for argparse's errors.

use super::argparse::{Error, Rules};
use super::interface::Opt;
use super::select::{self, Selection};
use super::{Call, Scene};
use crate::sim::render::amd_smi::Format;
use crate::sim::render::amd_smi::failure::Complaint;
use crate::sim::render::amd_smi::generation::Generation;

/// Why the tool stopped reading: what it had printed, and its complaint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// Text on standard output before the complaint.
    pub said: String,
    /// The complaint.
    pub complaint: Complaint,
}

/// Collects what a command line says.
pub struct Reader<'a> {
    scene: &'a Scene<'a>,
    call: Call,
}

impl<'a> Reader<'a> {
    /// Starts with nothing given.
    pub const fn new(scene: &'a Scene<'a>, command: &'static str) -> Self {
        let call = Call { command, format: Format::Human, targets: None, options: Vec::new(), line: String::new() };
        Self { scene, call }
    }

    /// The call, with the arguments as the tool repeats them.
    pub fn finish(self, line: String) -> Call {
        Call { line, ..self.call }
    }

    fn choice(&self, option: &Opt, value: String, choices: &[&str]) -> Result<String, Error<Stop>> {
        if choices.contains(&value.as_str()) {
            return Ok(value);
        }
        // Python 3.14.10, which runs 27.1.0 in Debian, quotes the choices again; 3.13.5 and 3.14.4 do not.
        let quoted = self.scene.generation == Generation::V27;
        let quote = |choice: &&str| if quoted { format!("'{choice}'") } else { (*choice).to_owned() };
        let choices: Vec<String> = choices.iter().map(quote).collect();
        let choices = choices.join(", ");
        Err(Error::Message(format!("argument {}: invalid choice: '{value}' (choose from {choices})", option.name())))
    }

    /// A whole number, checked by the tool and not by argparse.
    fn number(&self, option: &Opt, value: &str, least: u64) -> Result<String, Error<Stop>> {
        let digits = !value.is_empty() && value.chars().all(|c| c.is_ascii_digit());
        let big_enough = digits && (least == 0 || value.bytes().any(|byte| byte != b'0'));
        if big_enough {
            let trimmed = value.trim_start_matches('0');
            return Ok(if trimmed.is_empty() { "0" } else { trimmed }.to_owned());
        }
        Err(stop(if value.is_empty() && self.scene.generation > Generation::V24_7 {
            Complaint::MissingValue(option.key().to_owned())
        } else {
            Complaint::Value { value: value.to_owned(), hint: String::new() }
        }))
    }

    /// `set -C` of 26.0 and later: a profile of the first GPU, by type or index. Without profiles nobody may.
    fn accelerator(&self, value: &str) -> Result<String, Error<Stop>> {
        let Some(choices) = self.scene.accelerators else {
            return Err(stop(Complaint::Permission("--compute-partition".into())));
        };
        let value = value.to_uppercase();
        if choices.contains(&value) {
            return Ok(value);
        }
        let quoted: Vec<String> = choices.iter().map(|choice| format!("'{choice}'")).collect();
        let said = format!("Valid inputs are [{}]\n", quoted.join(", "));
        Err(Error::Stop(Stop { said, complaint: Complaint::Value { value, hint: String::new() } }))
    }
}

impl Rules for Reader<'_> {
    type Stop = Stop;

    fn convert(&mut self, option: &Opt, value: &str) -> Result<String, Error<Stop>> {
        let generation = self.scene.generation;
        match option.key() {
            "--loglevel" => {
                self.choice(option, value.to_uppercase(), &["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"])
            }
            "--compute-partition" if self.scene.choices_one_string => {
                let all = self.scene.accelerators.unwrap_or_default().join(", ");
                let letters: Vec<String> = all.chars().map(String::from).collect();
                let letters: Vec<&str> = letters.iter().map(String::as_str).collect();
                self.choice(option, value.to_uppercase(), &letters)
            }
            "--compute-partition" => match generation {
                Generation::V24_5 | Generation::V24_7 => {
                    self.choice(option, value.to_uppercase(), &["CPX", "SPX", "DPX", "TPX", "QPX"])
                }
                // A non-root caller gets as far as the library: capture of 25.3.0.
                Generation::V25 => {
                    let choices: Vec<&str> =
                        self.scene.accelerators.unwrap_or_default().iter().map(String::as_str).collect();
                    let value = value.to_uppercase();
                    if choices.is_empty() { Ok(value) } else { self.choice(option, value, &choices) }
                }
                Generation::V26 | Generation::V27 => self.accelerator(value),
            },
            "--memory-partition" => self.choice(option, value.to_uppercase(), &["NPS1", "NPS2", "NPS4", "NPS8"]),
            "--compute-partition-mem-alloc-mode" => self.choice(option, value.to_uppercase(), &["CAPPING", "ALL"]),
            "--process-isolation" | "--ptl-status" => {
                let value = self.number(option, value, 0)?;
                self.choice(option, value, &["0", "1"])
            }
            "--perf-determinism" | "--dpm-policy" | "--soc-pstate" | "--xgmi-plpd" | "--mem-carveout" | "--pid" => {
                self.number(option, value, 0)
            }
            "--watch" | "--watch_time" | "--iterations" => self.number(option, value, 1),
            "--power-cap" if generation <= Generation::V25 => self.number(option, value, 1),
            _ => Ok(value.to_owned()),
        }
    }

    fn accept(&mut self, option: &Opt, values: Vec<String>) -> Result<(), Error<Stop>> {
        match option.key() {
            "--json" => self.call.format = Format::Json,
            "--csv" => self.call.format = Format::Csv,
            "--gpu" => match select::select(&values, self.scene.devices, self.scene.generation) {
                Selection::Chosen(targets) => self.call.targets = Some(targets),
                Selection::Empty => return Err(stop(Complaint::MissingValue("--gpu".into()))),
                Selection::Unknown { value, well_formed } => {
                    let old = self.scene.generation < Generation::V26;
                    return Err(stop(if well_formed || old {
                        Complaint::Device(value)
                    } else {
                        Complaint::Value { value, hint: String::new() }
                    }));
                }
            },
            key => self.call.options.push((key, values)),
        }
        Ok(())
    }
}

const fn stop(complaint: Complaint) -> Error<Stop> {
    Error::Stop(Stop { said: String::new(), complaint })
}

/// What 26.3 and later make of argparse's message.
pub fn reworded(message: &str) -> Complaint {
    if let Some((_, after)) = message.split_once(": invalid choice: ") {
        let value = match after.strip_prefix('\'') {
            Some(quoted) => quoted.split('\'').next(),
            None => after.split(' ').next(),
        };
        let hint = after.find(" (").map(|at| format!(" {}", after[at..].trim_end())).unwrap_or_default();
        return Complaint::Value { value: value.unwrap_or_default().to_owned(), hint };
    }
    if message.contains(": expected") {
        let name = message.strip_prefix("argument ").and_then(|rest| rest.split(':').next()).unwrap_or(message);
        return Complaint::MissingValue(name.to_owned());
    }
    Complaint::Parameter(message.to_owned())
}

/// 6.4 and later do not care about case, except in short options and in a few values.
pub fn lowered(args: &[String]) -> Vec<String> {
    const KEPT: [&str; 7] = ["--folder", "--file", "--gpu", "--cpu", "--core", "--profile", "--cper-file"];
    let mut keep = false;
    args.iter()
        .map(|arg| {
            if std::mem::take(&mut keep) {
                return arg.clone();
            }
            keep = KEPT.contains(&arg.as_str());
            let joined = KEPT.iter().any(|flag| arg.strip_prefix(flag).is_some_and(|rest| rest.starts_with('=')));
            if !joined && (arg.starts_with("--") || !arg.starts_with('-')) { arg.to_lowercase() } else { arg.clone() }
        })
        .collect()
}

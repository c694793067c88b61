//! What Python's argparse does with a command line: abbreviations, joined short flags, values, groups, and its messages.
//!
//! Knows options, not amd-smi: what a value must be is the caller's business ([`Rules`]).

use std::cmp::Ordering;

use super::interface::{Arity, Command, Opt};

/// What the caller decides about values.
pub trait Rules {
    /// Why parsing stops besides argparse's own errors.
    type Stop;

    /// Checks and converts one value.
    fn convert(&mut self, option: &Opt, value: &str) -> Result<String, Error<Self::Stop>>;

    /// All values of one occurrence, converted.
    fn accept(&mut self, option: &Opt, values: Vec<String>) -> Result<(), Error<Self::Stop>>;
}

/// Why a command line was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error<Stop> {
    /// argparse's own message, for example `argument --csv: not allowed with argument --json`.
    Message(String),
    /// `-h` was given.
    Help,
    /// A rule stopped it.
    Stop(Stop),
}

/// Parses the arguments after the command's name. Returns those that nothing took, in order.
pub fn parse<R: Rules>(command: &Command, args: &[String], rules: &mut R) -> Result<Vec<String>, Error<R::Stop>> {
    Parser { command, args, rules, seen: Vec::new(), extras: Vec::new() }.run()
}

struct Parser<'a, R: Rules> {
    command: &'a Command,
    args: &'a [String],
    rules: &'a mut R,
    /// Options given so far.
    seen: Vec<usize>,
    extras: Vec<String>,
}

/// What one argument looks like.
enum Shape<'a> {
    /// A value, or something nobody takes.
    Word,
    /// `--`: no options after it, and no value either.
    End,
    /// Looks like an option; each option that it could mean, its spelling, and the value joined to it.
    Option(Vec<(usize, &'static str, Option<&'a str>)>),
}

impl<'a, R: Rules> Parser<'a, R> {
    fn run(mut self) -> Result<Vec<String>, Error<R::Stop>> {
        let args = self.args;
        let end = args.iter().position(|arg| arg == "--").unwrap_or(args.len());
        let shape = |(at, arg): (usize, &'a String)| match at.cmp(&end) {
            Ordering::Less => self.shape(arg),
            Ordering::Equal => Shape::End,
            Ordering::Greater => Shape::Word,
        };
        let shapes: Vec<Shape<'a>> = args.iter().enumerate().map(shape).collect();
        let mut at = 0;
        while at < args.len() {
            match &shapes[at] {
                Shape::Word | Shape::End => {
                    self.extras.push(args[at].clone());
                    at += 1;
                }
                Shape::Option(candidates) => at = self.option(at, candidates, &shapes)?,
            }
        }
        for group in self.command.groups.iter().filter(|group| group.required) {
            if !group.members.iter().any(|member| self.seen.contains(member)) {
                let names: Vec<String> = group.members.iter().map(|&member| self.opt(member).name()).collect();
                return Err(Error::Message(format!("one of the arguments {} is required", names.join(" "))));
            }
        }
        Ok(self.extras)
    }

    fn opt(&self, index: usize) -> &'a Opt {
        &self.command.options[index]
    }

    fn find(&self, flag: &str) -> Option<(usize, &'static str)> {
        let options = self.command.options.iter().enumerate();
        options
            .flat_map(|(at, option)| option.flags.iter().map(move |&each| (at, each)))
            .find(|(_, each)| *each == flag)
    }

    fn shape(&self, arg: &'a str) -> Shape<'a> {
        if !arg.starts_with('-') || arg == "-" {
            return Shape::Word;
        }
        if let Some((at, flag)) = self.find(arg) {
            return Shape::Option(vec![(at, flag, None)]);
        }
        let (head, joined) = arg.split_once('=').map_or((arg, None), |(head, value)| (head, Some(value)));
        if let Some((at, flag)) = self.find(head).filter(|_| joined.is_some()) {
            return Shape::Option(vec![(at, flag, joined)]);
        }
        let candidates: Vec<_> = if arg.starts_with("--") {
            self.registered().filter(|(_, flag)| flag.starts_with(head)).map(|(at, flag)| (at, flag, joined)).collect()
        } else {
            let split = arg.char_indices().nth(2).map_or(arg.len(), |(at, _)| at);
            let (short, tail) = arg.split_at(split);
            self.registered()
                .filter(|(_, flag)| *flag == short || flag.starts_with(arg))
                .map(|(at, flag)| (at, flag, Some(tail)))
                .collect()
        };
        if candidates.is_empty() && is_word(arg) {
            return Shape::Word;
        }
        Shape::Option(candidates)
    }

    /// Every spelling, in the order of registration: `-h`, then as usage shows them.
    fn registered(&self) -> impl Iterator<Item = (usize, &'static str)> + '_ {
        let grouped = self.command.groups.iter().flat_map(|group| group.members.iter().copied());
        std::iter::once(0).chain(grouped).flat_map(|at| self.opt(at).flags.iter().map(move |&flag| (at, flag)))
    }

    /// Takes one option and its values; returns where to go on.
    fn option(
        &mut self,
        at: usize,
        candidates: &[(usize, &'static str, Option<&str>)],
        shapes: &[Shape<'_>],
    ) -> Result<usize, Error<R::Stop>> {
        let (mut option, mut joined) = match candidates {
            [] => {
                self.extras.push(self.args[at].clone());
                return Ok(at + 1);
            }
            [(option, _, joined)] => (*option, *joined),
            several => {
                let matches: Vec<&str> = several.iter().map(|(_, flag, _)| *flag).collect();
                let given = self.args[at].split('=').next().unwrap_or_default();
                return Err(Error::Message(format!("ambiguous option: {given} could match {}", matches.join(", "))));
            }
        };
        let single_dash = !self.args[at].starts_with("--");
        // `-cm`: flags without value may be joined.
        while let (Arity::Exactly(0), Some(tail)) = (self.opt(option).arity(), joined) {
            let Some(next) = tail.chars().next().filter(|_| single_dash) else {
                return Err(self.complaint(option, &format!("ignored explicit argument '{tail}'")));
            };
            self.act(option, Vec::new())?;
            let Some((following, _)) = self.find(&format!("-{next}")) else {
                self.extras.push(format!("-{tail}"));
                return Ok(at + 1);
            };
            option = following;
            joined = Some(&tail[next.len_utf8()..]).filter(|tail| !tail.is_empty());
        }
        if let Some(value) = joined {
            return match self.opt(option).arity() {
                Arity::Exactly(1) | Arity::Some | Arity::Any => {
                    self.act(option, vec![value.to_owned()])?;
                    Ok(at + 1)
                }
                Arity::Exactly(_) => Err(self.complaint(option, &format!("ignored explicit argument '{value}'"))),
            };
        }
        let available = shapes[at + 1..].iter().take_while(|shape| matches!(shape, Shape::Word)).count();
        let count = match (self.opt(option).arity(), available) {
            (Arity::Exactly(count), available) if available >= count => count,
            (Arity::Exactly(1), _) => return Err(self.complaint(option, "expected one argument")),
            (Arity::Exactly(count), _) => {
                return Err(self.complaint(option, &format!("expected {count} arguments")));
            }
            (Arity::Some, 0) => return Err(self.complaint(option, "expected at least one argument")),
            (Arity::Some | Arity::Any, available) => available,
        };
        let values = self.args[at + 1..=at + count].to_vec();
        self.act(option, values)?;
        Ok(at + 1 + count)
    }

    fn act(&mut self, option: usize, values: Vec<String>) -> Result<(), Error<R::Stop>> {
        let opt = self.opt(option);
        if opt.flags.contains(&"--help") {
            return Err(Error::Help);
        }
        let values: Result<Vec<String>, _> = values.iter().map(|value| self.rules.convert(opt, value)).collect();
        let values = values?;
        let rivals = self.command.groups.iter().filter(|group| group.members.contains(&option));
        for rival in rivals.flat_map(|group| group.members.iter().copied()).filter(|&rival| rival != option) {
            if self.seen.contains(&rival) {
                let other = self.opt(rival).name();
                return Err(self.complaint(option, &format!("not allowed with argument {other}")));
            }
        }
        self.seen.push(option);
        self.rules.accept(opt, values)
    }

    fn complaint(&self, option: usize, message: &str) -> Error<R::Stop> {
        Error::Message(format!("argument {}: {message}", self.opt(option).name()))
    }
}

/// Whether argparse takes an argument that matches no option for a word.
pub fn is_word(arg: &str) -> bool {
    !arg.starts_with('-') || arg == "-" || is_negative_number(arg) || arg.contains(' ')
}

/// `-1`, `-1.5`: a value, not an option.
fn is_negative_number(arg: &str) -> bool {
    let Some(digits) = arg.strip_prefix('-') else { return false };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    !digits.is_empty() && all_digits(whole) && all_digits(fraction) && !(whole.is_empty() && fraction.is_empty())
}

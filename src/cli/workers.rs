//! `--worker NAME=PATH`: the programs that compute, wherever probes are run. Read and looked for here alone.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::Args;
use rustix::fs::{Access, FileType, access, stat};

use crate::probe::engine::torch;
use crate::probe::protocol::Kind;
use crate::probe::stand::{Engine, Stand};
use crate::probe::supervise::Worker;
use crate::run::Here;
use crate::scenario::nearest;

use super::exit::Failure;
use super::values::quoted;

/// An engine that is a program of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Program {
    Torch,
    Python,
}

impl Program {
    const ALL: [Self; 2] = [Self::Torch, Self::Python];

    const fn engine(self) -> Engine {
        match self {
            Self::Torch => Engine::Torch,
            Self::Python => Engine::Python,
        }
    }

    const fn name(self) -> &'static str {
        self.engine().name()
    }

    /// How the name of its file begins.
    const fn file(self) -> &'static str {
        match self {
            Self::Torch => torch::PROGRAM,
            Self::Python => "python",
        }
    }

    /// Where it computes: this program, an absolute path, since a worker has a folder of its own.
    fn stand(self, program: &Path, on: Kind) -> Result<Stand, Failure> {
        let validate = validate()?;
        let worker = match self {
            Self::Torch => Worker::torch(&validate, program),
            Self::Python => Worker::python(&validate, program),
        };
        Ok(Stand::here(self.engine(), worker, on))
    }
}

/// Which programs compute on this machine.
#[derive(Debug, Clone, Default, Args)]
pub struct WorkerArgs {
    /// Program that computes on this machine: torch=PATH of validate-probe-torch [default: the one beside this program] or
    /// python=PATH of any Python that has PyTorch. Any other name stands for a stack that is told from others by it:
    /// old=/rocm6/bin/python new=/rocm7/bin/python
    #[arg(long = "worker", value_name = "NAME=PATH", value_parser = named)]
    named: Vec<Named>,
}

/// One worker: its name, which is that of an engine where nobody gave it another, and the program that it is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Named {
    name: String,
    program: Program,
    path: PathBuf,
}

/// Longest name of a worker: it stands in the id of every case.
const LONGEST: usize = 32;

fn named(text: &str) -> Result<Named, String> {
    let (name, path) = text.split_once('=').ok_or("say what it is called, like python=/venv/bin/python")?;
    if path.is_empty() {
        return Err(format!("no path after {name}=, like {name}=/path/to/it"));
    }
    if let Some(program) = Program::ALL.into_iter().find(|program| program.name() == name) {
        return Ok(Named { name: name.to_owned(), program, path: path.into() });
    }
    if Engine::ALL.iter().any(|engine| engine.name() == name) {
        return Err(format!("{name} is part of this program, and no other one can be it"));
    }
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
    if name.is_empty() || name.len() > LONGEST || !name.chars().all(plain) {
        return Err(format!(
            "a worker's name is up to {LONGEST} small letters, digits, dots and dashes, like rocm-7.1"
        ));
    }
    match said_or_told(path) {
        Some((program, "")) => Err(format!("no path after {name}={}:", program.name())),
        Some((program, path)) => Ok(Named { name: name.to_owned(), program, path: path.into() }),
        None => {
            let near = nearest(name, Program::ALL.map(Program::name));
            let near = near.map(|near| format!(" (or is {name} to be {near}?)")).unwrap_or_default();
            Err(format!("say which engine that program is, {name}=python:{path} or {name}=torch:{path}{near}"))
        }
    }
}

/// The engine that is written before the path, else the one that a program of this file name is.
fn said_or_told(path: &str) -> Option<(Program, &str)> {
    let said = |program: Program| Some((program, path.strip_prefix(program.name())?.strip_prefix(':')?));
    let file = Path::new(path).file_name().and_then(|file| file.to_str()).unwrap_or_default();
    let told = |program: &Program| file.starts_with(program.file());
    let told = || Program::ALL.into_iter().find(told).map(|program| (program, path));
    Program::ALL.into_iter().find_map(said).or_else(told)
}

impl WorkerArgs {
    /// The engine that was named, where only one was.
    pub fn only(&self) -> Option<Engine> {
        match self.named.as_slice() {
            [one] => Some(one.program.engine()),
            [] | [_, _, ..] => None,
        }
    }

    /// Engines that were named.
    pub fn engines(&self) -> impl Iterator<Item = Engine> {
        self.named.iter().map(|named| named.program.engine())
    }

    /// Whether none was named.
    pub fn is_empty(&self) -> bool {
        self.named.is_empty()
    }

    /// The names of the two that are compared, where several were named.
    ///
    /// # Errors
    /// Both have the same name, or there are more than two.
    pub fn compared(&self) -> Result<Option<[String; 2]>, Failure> {
        match self.named.as_slice() {
            [] | [_] => Ok(None),
            [one, other] if one.name == other.name => Err(twice(&one.name)),
            [one, other] => Ok(Some([one.name.clone(), other.name.clone()])),
            [_, _, _, ..] => {
                Err(Failure::usage(anyhow!("a run compares two workers, and here are {}", self.named.len())))
            }
        }
    }

    /// What computes in a run on this machine: the workers that were named, else the torch worker beside this program.
    ///
    /// # Errors
    /// A program that was named is not there, or two have the same name.
    pub fn here(&self, on: Kind) -> Result<Here, Failure> {
        match self.named.as_slice() {
            [] => Ok(self.stand(Engine::Torch, on).map_or(Here::Nothing, |stand| Here::One(Box::new(stand)))),
            [one] => one.stand(on).map(|stand| Here::One(Box::new(stand))),
            [_, _, ..] => self.each(on).map(Here::Each),
        }
    }

    /// Where each worker that was named computes, by its name; where none was, the torch worker beside this program.
    ///
    /// # Errors
    /// A program is not there, or two have the same name.
    pub fn each(&self, on: Kind) -> Result<Vec<(String, Stand)>, Failure> {
        let mut names = BTreeSet::new();
        if let Some(again) = self.named.iter().find(|named| !names.insert(&named.name)) {
            return Err(twice(&again.name));
        }
        match self.named.as_slice() {
            [] => Ok(vec![(Program::Torch.name().to_owned(), self.stand(Engine::Torch, on)?)]),
            several => several.iter().map(|named| Ok((named.name.clone(), named.stand(on)?))).collect(),
        }
    }

    /// The options by which `validate probe` computes with the worker of this name.
    pub fn words_of(&self, name: &str) -> String {
        match self.named.iter().find(|named| named.name == name) {
            Some(Named { program, path, .. }) => {
                format!("--worker {}", quoted(&format!("{}={}", program.name(), path.display())))
            }
            None => format!("--engine {name}"),
        }
    }

    /// The options again, as a shell takes them.
    pub fn words(&self) -> String {
        self.named.iter().map(|named| format!(" --worker {}", quoted(&named.to_string()))).collect()
    }

    /// Where this engine computes on this machine, by the program that was named for it.
    ///
    /// # Errors
    /// There is no such program, with what to do about it. The simulated engine computes on no such machine.
    pub fn stand(&self, engine: Engine, on: Kind) -> Result<Stand, Failure> {
        match engine {
            Engine::Reference => Ok(Stand::here(engine, Worker::reference(&validate()?), on)),
            Engine::Simulated => {
                let problem =
                    "the engine simulated needs a simulated machine: `validate shim DIR` makes one for --host";
                Err(Failure::usage(anyhow!(problem)))
            }
            Engine::Torch => self.program(Program::Torch, on),
            Engine::Python => self.program(Program::Python, on),
        }
    }

    fn program(&self, program: Program, on: Kind) -> Result<Stand, Failure> {
        let mut such = self.named.iter().filter(|named| named.program == program);
        match (such.next(), such.next()) {
            (Some(named), None) => named.stand(on),
            (Some(_), Some(_)) => Err(Failure::usage(anyhow!(
                "--worker {0}=… is there twice; one program is the engine {0}",
                program.name()
            ))),
            (None, _) => program.stand(&unnamed(program)?, on),
        }
    }
}

impl Named {
    fn stand(&self, on: Kind) -> Result<Stand, Failure> {
        let path =
            executable(&self.path).map_err(|problem| Failure::unavailable(anyhow!("--worker {self}: {problem}")))?;
        self.program.stand(&path, on)
    }
}

/// As it is written, so that it is read as the same again.
impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, program, path } = self;
        match name == program.name() {
            true => write!(f, "{name}={}", path.display()),
            false => write!(f, "{name}={}:{}", program.name(), path.display()),
        }
    }
}

fn twice(name: &str) -> Failure {
    Failure::usage(anyhow!("--worker {name}=… is there twice: give each a name of its own, like old=… and new=…"))
}

/// The program of an engine for which none was named.
fn unnamed(program: Program) -> Result<PathBuf, Failure> {
    match program {
        Program::Python => {
            let problem =
                "the engine python needs an interpreter that has PyTorch: --worker python=/path/to/venv/bin/python";
            Err(Failure::unavailable(anyhow!(problem)))
        }
        Program::Torch => {
            let beside = validate()?.with_file_name(torch::PROGRAM);
            executable(&beside).map_err(|problem| {
                Failure::unavailable(anyhow!(
                    "the engine torch is not there: {}: {problem}; --worker torch=PATH says where it is",
                    beside.display()
                ))
            })
        }
    }
}

fn validate() -> Result<PathBuf, Failure> {
    std::env::current_exe().context("find this executable").map_err(Failure::unavailable)
}

/// A file that can be started. Symbolic links stay as they are: by its own path a Python finds the packages of its
/// virtual environment.
fn executable(path: &Path) -> Result<PathBuf, String> {
    let path = std::path::absolute(path).map_err(|error| error.to_string())?;
    let facts = stat(&path).map_err(|errno| match errno {
        rustix::io::Errno::NOENT => "there is no such file".to_owned(),
        other => other.to_string(),
    })?;
    if FileType::from_raw_mode(facts.st_mode) == FileType::Directory {
        return Err("this is a folder; name the program in it, like bin/python".to_owned());
    }
    access(&path, Access::EXEC_OK).map_err(|_| "this is no program that can be started (chmod +x?)".to_owned())?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_has_a_name_and_a_program_and_is_written_as_it_is_read() {
        for (text, program, path) in [
            ("python=/venv/bin/python", Program::Python, "/venv/bin/python"),
            ("python=a=b", Program::Python, "a=b"),
            ("torch=python:/x", Program::Torch, "python:/x"),
            ("old=/rocm6/bin/python3.12", Program::Python, "/rocm6/bin/python3.12"),
            ("rocm-7.1=/opt/validate-probe-torch", Program::Torch, "/opt/validate-probe-torch"),
            ("new=python:/usr/local/bin/with-rocm", Program::Python, "/usr/local/bin/with-rocm"),
            ("new=torch:python", Program::Torch, "python"),
        ] {
            let found = named(text).expect(text);
            assert_eq!((found.program, found.path.to_str()), (program, Some(path)), "{text}");
            assert_eq!(named(&found.to_string()), Ok(found), "{text}");
        }
    }

    #[test]
    fn what_is_no_worker_is_refused_with_what_was_meant() {
        for (text, problem) in [
            ("/venv/bin/python", "say what it is called, like python=/venv/bin/python"),
            ("python=", "no path after python="),
            (
                "pyton=/x",
                "say which engine that program is, pyton=python:/x or pyton=torch:/x (or is pyton to be python?)",
            ),
            ("old=/x", "say which engine that program is, old=python:/x or old=torch:/x"),
            ("old=python:", "no path after old=python:"),
            ("Old=/bin/python", "a worker's name is up to 32 small letters"),
            ("a,b=/bin/python", "a worker's name is up to 32 small letters"),
            ("=/bin/python", "a worker's name is up to 32 small letters"),
            ("reference=/x", "reference is part of this program"),
        ] {
            let found = named(text).expect_err(text);
            assert!(found.starts_with(problem), "{text}: {found}");
        }
    }

    #[test]
    fn two_stacks_of_one_engine_are_two_workers_each_with_its_own_command() {
        let args = |texts: &[&str]| WorkerArgs { named: texts.iter().map(|text| named(text).expect(text)).collect() };
        let two = args(&["old=python:/bin/sh", "new=python:/bin/cat"]);
        let Ok(stands) = two.each(Kind::Gpu) else { panic!("both are programs") };
        let names: Vec<&str> = stands.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["old", "new"]);
        assert!(stands.iter().all(|(_, stand)| stand.engine == Engine::Python));
        assert_eq!(two.words_of("new"), "--worker python=/bin/cat");
        assert_eq!(WorkerArgs::default().words_of("torch"), "--engine torch");
        for (texts, problem) in [
            (&["a=python:/bin/sh", "a=python:/bin/cat"][..], "--worker a=… is there twice"),
            (&["a=python:/bin/sh", "b=python:/no/such"], "--worker b=python:/no/such: there is no such file"),
        ] {
            let Err(failure) = args(texts).each(Kind::Gpu) else { panic!("{texts:?} are taken") };
            assert!(format!("{failure:?}").contains(problem), "{texts:?}: {failure:?}");
        }
    }

    #[test]
    fn a_program_is_a_file_that_can_be_started_by_its_own_path() {
        let folder = tempfile::tempdir().expect("a folder");
        let link = folder.path().join("python");
        std::os::unix::fs::symlink("/bin/sh", &link).expect("a link");
        assert_eq!(executable(&link), Ok(link));
        for (path, problem) in [
            (folder.path().join("nothing"), "there is no such file"),
            (folder.path().to_owned(), "this is a folder"),
            ("/etc/passwd".into(), "this is no program that can be started"),
        ] {
            let found = executable(&path).expect_err("refused");
            assert!(found.starts_with(problem), "{}: {found}", path.display());
        }
    }
}

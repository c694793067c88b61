//! `--worker ENGINE=PATH`: the programs that are engines, wherever probes are run. Read and looked for here alone.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::Args;
use rustix::fs::{Access, FileType, access, stat};

use crate::probe::engine::torch;
use crate::probe::protocol::Kind;
use crate::probe::stand::{Engine, Stand};
use crate::probe::supervise::Worker;
use crate::scenario::nearest;

use super::exit::Failure;

/// Engines that are programs of their own.
const ENGINES: [Engine; 2] = [Engine::Torch, Engine::Python];

/// Which programs are the engines that are not part of this one.
#[derive(Debug, Clone, Default, Args)]
pub struct WorkerArgs {
    /// Program that is an engine: torch=PATH of validate-probe-torch [default: the one beside this program], python=PATH
    /// of any Python that has PyTorch. Once for each engine
    #[arg(long = "worker", value_name = "ENGINE=PATH", value_parser = named)]
    named: Vec<Named>,
}

/// One engine and the program that is it, as they were written.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Named {
    engine: Engine,
    path: PathBuf,
}

fn named(text: &str) -> Result<Named, String> {
    let known = || ENGINES.map(Engine::name);
    let (name, path) = text.split_once('=').ok_or("say which engine it is, like python=/venv/bin/python")?;
    if path.is_empty() {
        return Err(format!("no path after {name}=, like {name}=/path/to/it"));
    }
    match ENGINES.into_iter().find(|engine| engine.name() == name) {
        Some(engine) => Ok(Named { engine, path: path.into() }),
        None if Engine::ALL.iter().any(|engine| engine.name() == name) => {
            Err(format!("{name} is part of this program, and no other one can be it"))
        }
        None => {
            let near = nearest(name, known()).map(|name| format!(" (nearest: {name})")).unwrap_or_default();
            let name: String = name.chars().take(40).collect();
            Err(format!("no engine is called {name:?}{near}; engines that are programs: {}", known().join(", ")))
        }
    }
}

impl WorkerArgs {
    /// The engine that was named, where only one was.
    pub fn only(&self) -> Option<Engine> {
        match self.named.as_slice() {
            [one] => Some(one.engine),
            [] | [_, _, ..] => None,
        }
    }

    /// Engines that were named.
    pub fn engines(&self) -> impl Iterator<Item = Engine> {
        self.named.iter().map(|named| named.engine)
    }

    /// Where a run computes on the GPUs of this machine: by the engine that was named, else by the torch worker beside
    /// this program. `None` where there is neither.
    ///
    /// # Errors
    /// The program that was named is not there, or two engines were named.
    pub fn of_this_machine(&self) -> Result<Option<Stand>, Failure> {
        if self.named.is_empty() {
            return Ok(self.stand(Engine::Torch, Kind::Gpu).ok());
        }
        match self.only() {
            Some(engine) => self.stand(engine, Kind::Gpu).map(Some),
            None => Err(Failure::usage(anyhow!(
                "a run computes by one engine: name one --worker, and run the other after it"
            ))),
        }
    }

    /// The options again, as a shell takes them.
    pub fn words(&self) -> String {
        let word = |named: &Named| format!(" --worker {}={}", named.engine.name(), named.path.display());
        self.named.iter().map(word).collect()
    }

    /// Where this engine computes on this machine, by the program that was named for it.
    ///
    /// # Errors
    /// There is no such program, with what to do about it. The simulated engine computes on no such machine.
    pub fn stand(&self, engine: Engine, on: Kind) -> Result<Stand, Failure> {
        let validate = std::env::current_exe().context("find this executable").map_err(Failure::unavailable)?;
        let worker = match engine {
            Engine::Reference => Worker::reference(&validate),
            Engine::Simulated => {
                let problem =
                    "the engine simulated needs a simulated machine: `validate shim DIR` makes one for --host";
                return Err(Failure::usage(anyhow!(problem)));
            }
            Engine::Torch => Worker::torch(&validate, &self.torch(&validate)?),
            Engine::Python => Worker::python(&validate, &self.python()?),
        };
        Ok(Stand::here(engine, worker, on))
    }

    /// The program that was named for an engine, as an absolute path: a worker has a folder of its own.
    fn program(&self, engine: Engine) -> Result<Option<PathBuf>, Failure> {
        let mut of_engine = self.named.iter().filter(|named| named.engine == engine);
        match (of_engine.next(), of_engine.next()) {
            (None, _) => Ok(None),
            (Some(named), None) => executable(&named.path).map(Some).map_err(|problem| {
                Failure::unavailable(anyhow!("--worker {}={}: {problem}", engine.name(), named.path.display()))
            }),
            (Some(_), Some(_)) => Err(Failure::usage(anyhow!(
                "--worker {0}=… is there twice; one program is the engine {0}",
                engine.name()
            ))),
        }
    }

    fn python(&self) -> Result<PathBuf, Failure> {
        self.program(Engine::Python)?.ok_or_else(|| {
            let problem =
                "the engine python needs an interpreter that has PyTorch: --worker python=/path/to/venv/bin/python";
            Failure::unavailable(anyhow!(problem))
        })
    }

    fn torch(&self, validate: &Path) -> Result<PathBuf, Failure> {
        if let Some(program) = self.program(Engine::Torch)? {
            return Ok(program);
        }
        let beside = validate.with_file_name(torch::PROGRAM);
        executable(&beside).map_err(|problem| {
            Failure::unavailable(anyhow!(
                "the engine torch is not there: {}: {problem}; --worker torch=PATH says where it is",
                beside.display()
            ))
        })
    }
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
    fn a_worker_is_an_engine_and_a_path_and_anything_else_is_refused_with_what_was_meant() {
        let python = |path: &str| Ok(Named { engine: Engine::Python, path: path.into() });
        assert_eq!(named("python=/venv/bin/python"), python("/venv/bin/python"));
        assert_eq!(named("python=a=b"), python("a=b"));
        for (text, problem) in [
            ("/venv/bin/python", "say which engine it is, like python=/venv/bin/python"),
            ("python=", "no path after python="),
            ("pyton=/x", "no engine is called \"pyton\" (nearest: python); engines that are programs: torch, python"),
            ("zzz=/x", "no engine is called \"zzz\"; engines"),
            ("reference=/x", "reference is part of this program"),
        ] {
            let found = named(text).expect_err(text);
            assert!(found.starts_with(problem), "{text}: {found}");
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

//! Witness of one worker's environment, from outside: what the kernel holds of the moment at which the program was started.
//! What a program sets for itself afterwards is not there.
//!
//! Source: `environ_read` of Linux `fs/proc/base.c` (certain: the memory between `env_start` and `env_end` of the process;
//! nothing at all once that memory is gone, as it is of a process that nobody has reaped yet).

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::domain::Reading;

use super::super::files::{absent, start};
use super::super::tree::Tree;
use super::{ENVIRONMENT, variables};

/// Most that is read of `/proc/PID/stat`.
const STAT: usize = 4 << 10;

/// Most processes between the one that was started and the one that speaks: a wrapper starts a wrapper.
const STEPS: usize = 16;

/// What a worker was to have in its environment, and what it has, of the variables in [`super::VARIABLES`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct WorkerEnvironment {
    /// What was set for it by name.
    pub given: BTreeMap<String, String>,
    /// What its process has.
    pub has: BTreeMap<String, String>,
}

impl WorkerEnvironment {
    /// What was set for it and is not so in its process, in words.
    pub fn lost(&self) -> Option<String> {
        let lost = self.given.iter().filter(|(name, value)| self.has.get(*name) != Some(value));
        let names: Vec<&str> = lost.map(|(name, _)| name.as_str()).collect();
        (!names.is_empty()).then(|| format!("what was set for the worker is not in its process: {}", names.join(", ")))
    }
}

/// The environment of the process `pid`, which says that it is the worker, where it is the process `started` or one that
/// this one started. Another one was not given what `started` was.
pub fn read_environment_of(proc: &Path, started: u32, pid: u32) -> Reading<BTreeMap<String, String>> {
    let Ok(tree) = Tree::open(proc) else { return Reading::NotReported };
    if !comes_from(&tree, pid, started) {
        let problem = format!("the process {pid}, which is the worker by its own word, was not started by {started}");
        return Reading::malformed("", problem);
    }
    let gone = || Reading::malformed("", "the worker was gone before its environment was read");
    match tree.read(&format!("{pid}/environ"), ENVIRONMENT) {
        Ok(bytes) if bytes.is_empty() && !has_memory(&tree, pid) => gone(),
        Ok(bytes) => Reading::Value(variables(&bytes)),
        Err(error) if absent(&error.problem) => gone(),
        Err(error) => Reading::malformed("", format!("/proc/{pid}/environ: {}", error.problem)),
    }
}

fn comes_from(proc: &Tree, pid: u32, started: u32) -> bool {
    let parent = |pid: &u32| field(proc, *pid, PARENT).and_then(|parent| u32::try_from(parent).ok());
    std::iter::successors(Some(pid), parent).take(STEPS).any(|each| each == started)
}

/// Looked at after its environment: memory that is there now was there then.
fn has_memory(proc: &Tree, pid: u32) -> bool {
    field(proc, pid, SIZE).is_some_and(|size| size > 0)
}

/// Fields of `/proc/PID/stat` behind the name, from 0. Source: proc_pid_stat(5): ppid is field 4, vsize field 23.
const PARENT: usize = 1;
const SIZE: usize = 20;

/// The name between brackets may hold anything, brackets too.
fn field(proc: &Tree, pid: u32, number: usize) -> Option<u64> {
    let text = start(proc, &format!("{pid}/stat"), STAT);
    let (_, after) = text.value()?.rsplit_once(')')?;
    after.split_ascii_whitespace().nth(number)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::write;
    use super::*;

    /// Of the worker 7, where 3 was started.
    fn told(files: &[(&str, &str)]) -> Result<Vec<String>, String> {
        let root = tempfile::tempdir().unwrap();
        files.iter().for_each(|(path, text)| write(root.path(), path, text));
        match read_environment_of(root.path(), 3, 7) {
            Reading::Value(found) => Ok(found.iter().map(|(name, value)| format!("{name}={value}")).collect()),
            absent => Err(absent.absence().unwrap()),
        }
    }

    #[test]
    fn the_environment_is_of_the_worker_and_no_other_process() {
        const SET: &str = "HSA_XNACK=1\0HOME=/x\0";
        let stat = |pid: u32, parent: u32, size: u32| {
            format!("{pid} (a) b) S {parent} 3 3 0 -1 4 0 0 0 0 0 0 0 0 20 0 1 0 99 {size} 5\n")
        };
        let child = stat(7, 3, 4096);
        assert_eq!(told(&[("7/environ", SET), ("7/stat", &child)]), Ok(vec!["HSA_XNACK=1".to_owned()]));
        let (below, between) = (stat(7, 5, 4096), stat(5, 3, 4096));
        assert!(told(&[("7/environ", SET), ("7/stat", &below), ("5/stat", &between)]).is_ok());
        // Empty is empty only where there is a process.
        assert_eq!(told(&[("7/environ", ""), ("7/stat", &child)]), Ok(Vec::new()));
        let stranger = stat(7, 1, 4096);
        for (files, why) in [
            (&[("7/environ", ""), ("7/stat", stat(7, 3, 0).as_str())][..], "was gone"),
            (&[("7/stat", &child)], "was gone"),
            (&[("7/environ", SET), ("7/stat", &stranger), ("1/stat", &stat(1, 0, 1))], "not started by 3"),
            (&[("7/environ", SET), ("7/stat", &stat(7, 7, 1))], "not started by 3"),
            (&[("7/environ", SET)], "not started by 3"),
            (&[("7/environ", SET), ("7/stat", "7 (nothing")], "not started by 3"),
        ] {
            let problem = told(files).expect_err(why);
            assert!(problem.contains(why), "{problem}");
        }
    }

    #[test]
    fn what_was_set_and_is_not_so_is_lost() {
        let map = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let given = [("A", "1"), ("B", "2"), ("C", "3")];
        let lost = |has: &[(&str, &str)]| WorkerEnvironment { given: map(&given), has: map(has) }.lost();
        assert_eq!(lost(&given), None);
        assert_eq!(lost(&[("A", "1"), ("B", "2"), ("C", "3"), ("D", "4")]), None, "more is not lost");
        let told = lost(&[("A", "1"), ("B", "3")]);
        assert_eq!(told.as_deref(), Some("what was set for the worker is not in its process: B, C"));
    }

    #[test]
    fn this_process_has_what_it_was_started_with_and_nobody_reads_a_larger_one() {
        let own = std::process::id();
        assert!(read_environment_of(Path::new("/proc"), own, own).value().is_some());
        let large = "x".repeat(ENVIRONMENT + 1);
        let problem = told(&[("7/environ", &large), ("7/stat", "7 (a) S 3 3")]).expect_err("too large");
        assert!(problem.contains("larger than the limit"), "{problem}");
    }
}

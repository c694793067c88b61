//! Witness process: whether one is still there, and whether it is the same one.

use std::path::Path;

use crate::domain::Reading;

use super::files::absent;
use super::tree::Tree;

/// Most that is read of a `stat` file: 52 fields and a name.
const STAT: usize = 4 << 10;

/// A process that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lingering {
    /// Its name, which it chooses itself; nothing that a terminal would act on is left in it.
    pub name: String,
    /// The kernel's letter for what it does: `D` waits in a driver and hears no signal. Of several threads the one that is
    /// worst off.
    pub state: char,
    /// When it started, in the kernel's ticks since the boot: a later process with its number has another.
    pub start: u64,
}

/// What this procfs root shows of a process. `NotReported` where there is none, or nothing is left of it but what its
/// parent has not asked for. Source: Documentation/filesystems/proc.rst of the kernel (`stat`, and `task/TID/stat`): the
/// first thread of a process that is killed is a zombie while another one still waits in a driver.
pub fn read_lingering(proc: &Path, pid: u32) -> Reading<Lingering> {
    let tree = match Tree::open(proc) {
        Ok(tree) => tree,
        Err(error) => return Reading::malformed("", format!("cannot be read: {}", error.problem)),
    };
    let leader = match stat(&tree, &format!("{pid}/stat")) {
        Reading::Value(leader) => leader,
        absent @ (Reading::NotReported | Reading::NotApplicable | Reading::Malformed { .. }) => return absent,
    };
    let folder = format!("{pid}/task");
    let names = match tree.names(&folder) {
        Ok(names) => names,
        Err(error) if absent(&error.problem) => Vec::new(),
        Err(error) => return Reading::malformed("", format!("its threads cannot be read: {}", error.problem)),
    };
    let threads = names.iter().filter_map(|name| stat(&tree, &format!("{folder}/{name}/stat")).value().cloned());
    let states: Vec<char> = threads.map(|thread| thread.state).chain([leader.state]).collect();
    let living = || states.iter().copied().filter(|state| !matches!(state, 'Z' | 'X' | 'x'));
    match living().find(|state| *state == 'D').or_else(|| living().next()) {
        Some(state) => Reading::Value(Lingering { state, ..leader }),
        None => Reading::NotReported,
    }
}

/// The name between brackets may hold anything, brackets too.
fn stat(tree: &Tree, path: &str) -> Reading<Lingering> {
    let bytes = match tree.read_start(path, STAT) {
        Ok(bytes) => bytes,
        // A process that goes while its file is read answers ESRCH.
        Err(error) if absent(&error.problem) => return Reading::NotReported,
        Err(error) => return Reading::malformed("", format!("cannot be read: {}", error.problem)),
    };
    let text = String::from_utf8_lossy(&bytes);
    let parsed = || {
        let (before, after) = text.rsplit_once(')')?;
        let (_, name) = before.split_once('(')?;
        let mut fields = after.split_ascii_whitespace();
        let state = fields.next()?.chars().next()?;
        // Field 22 of the whole line; the state is field 3.
        let start = fields.nth(18)?.parse().ok()?;
        let name = name.chars().map(|each| if each.is_control() { '?' } else { each }).collect();
        Some(Lingering { name, state, start })
    };
    parsed().map_or_else(|| Reading::malformed(text.trim(), "not the stat of a process"), Reading::Value)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests write what is read")]
mod tests {
    use super::*;

    fn line(name: &str, state: char, start: u64) -> String {
        format!("77 ({name}) {state} 1 77 77 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 2 0 {start} 0 0\n")
    }

    fn read(files: &[(&str, String)]) -> Reading<Lingering> {
        let folder = tempfile::tempdir().unwrap();
        for (file, text) in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        read_lingering(folder.path(), 77)
    }

    #[test]
    fn a_process_is_there_while_any_of_its_threads_is() {
        let there = |name: &str, state, start| Reading::Value(Lingering { name: name.to_owned(), state, start });
        let stat = |state| ("77/stat", line("a) b (c", state, 4711));
        let thread = |state| ("77/task/78/stat", line("a", state, 4712));
        for (files, expected) in [
            (vec![stat('D')], there("a) b (c", 'D', 4711)),
            (vec![stat('S'), thread('D')], there("a) b (c", 'D', 4711)),
            (vec![stat('Z'), thread('D')], there("a) b (c", 'D', 4711)),
            (vec![stat('T'), thread('Z')], there("a) b (c", 'T', 4711)),
            (vec![stat('Z'), thread('X')], Reading::NotReported),
            (vec![stat('Z')], Reading::NotReported),
            (vec![], Reading::NotReported),
        ] {
            assert_eq!(read(&files), expected, "{files:?}");
        }
    }

    #[test]
    fn what_is_no_stat_is_not_taken_for_a_process_that_is_gone() {
        for text in ["", "77 (a", "77 (a) D 1 2", "77 (a) D 1 77 77 0 -1 0 0 0 0 0 0 0 0 0 20 0 2 0 never"] {
            assert!(matches!(read(&[("77/stat", text.to_owned())]), Reading::Malformed { .. }), "{text}");
        }
        let nowhere = read_lingering(Path::new("/nowhere"), 77);
        assert!(matches!(nowhere, Reading::Malformed { .. }));
    }

    #[test]
    fn this_process_is_there_and_has_a_start() {
        let pid = std::process::id();
        let this = read_lingering(Path::new("/proc"), pid);
        let again = read_lingering(Path::new("/proc"), pid);
        let start = |reading: &Reading<Lingering>| reading.value().map(|found| found.start);
        assert!(start(&this).is_some_and(|start| start > 0), "{this:?}");
        assert_eq!(start(&this), start(&again));
    }
}

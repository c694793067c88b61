//! Where scenario files are: inside the binary, or below the paths that are given. The only part of this module that reads files.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use include_dir::{Dir, include_dir};
use walkdir::WalkDir;

use crate::sim::Machine;

use super::read::{read, too_large};
use super::{Case, Diagnostic, Origin, SIZE_LIMIT};

/// The scenarios of the repository.
static EMBEDDED: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/scenarios");

/// The folder of `scenarios/` that holds machine files.
const MACHINES: &str = "machines";
/// Deepest folder that is searched, and most files that are read.
const SEARCH_LIMIT: (usize, usize) = (32, 100_000);

/// Some of the files cannot be used; shown with every problem of every file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadError {
    /// What is wrong, in the order of the files.
    pub problems: Vec<Diagnostic>,
}

impl LoadError {
    /// Most problems that are rendered.
    const SHOWN: usize = 50;

    /// For a terminal (`color`) or a file; ends with a newline.
    pub fn render(&self, color: bool) -> String {
        let shown = self.problems.iter().take(Self::SHOWN).map(|problem| format!("{}\n", problem.render(color)));
        let mut text = shown.collect::<Vec<_>>().join("\n");
        if let Some(more) = self.problems.len().checked_sub(Self::SHOWN).filter(|&more| more > 0) {
            text.push_str(&format!("\nerror: {more} more problems\n"));
        }
        text
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for LoadError {}

/// The cases of every scenario below `paths`, or of the embedded ones when none is given; in the order of ids' files.
///
/// # Errors
/// Every problem of every file; none of the cases is given then, so that nothing is left out unseen.
pub fn load(paths: &[PathBuf]) -> Result<Vec<Case>, LoadError> {
    let mut loader = Loader::default();
    if paths.is_empty() {
        loader.embedded(&EMBEDDED);
    }
    for path in paths {
        loader.given(path);
    }
    loader.finish()
}

#[derive(Default)]
struct Loader {
    problems: Vec<Diagnostic>,
    /// Cases by scenario id, with the file's name for a second one.
    files: BTreeMap<String, (String, Vec<Case>)>,
    /// Files that were read, so that a file in a folder that is also given alone is read once.
    seen: HashSet<PathBuf>,
}

impl Loader {
    fn finish(self) -> Result<Vec<Case>, LoadError> {
        if self.problems.is_empty() {
            Ok(self.files.into_values().flat_map(|(_, cases)| cases).collect())
        } else {
            Err(LoadError { problems: self.problems })
        }
    }

    fn embedded(&mut self, dir: &Dir<'static>) {
        for file in dir.files().filter(|file| file.path().extension().is_some_and(|name| name == "toml")) {
            let path = file.path().to_string_lossy().into_owned();
            let origin = Origin::Embedded(path.clone());
            let folder = file.path().parent().unwrap_or(Path::new(""));
            let machines = |path: &str| {
                let file = EMBEDDED.get_file(folder.join(path)).ok_or("there is no such file")?;
                machine(file.contents())
            };
            self.add(&path, &origin, file.contents(), &machines);
        }
        for dir in dir.dirs().filter(|dir| dir.path() != Path::new(MACHINES)) {
            self.embedded(dir);
        }
    }

    fn given(&mut self, path: &Path) {
        let kind = match std::fs::metadata(path) {
            Ok(metadata) => metadata.file_type(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return self.problem(path, "there is no such scenario file or folder, and no such command");
            }
            Err(error) => return self.problem(path, error.to_string()),
        };
        if kind.is_file() {
            let name = path.file_name().map(Path::new).unwrap_or(path);
            self.file(path, name);
        } else if kind.is_dir() {
            self.folder(path);
        } else {
            self.problem(path, "neither a file nor a folder");
        }
    }

    fn folder(&mut self, root: &Path) {
        let real_root = match root.canonicalize() {
            Ok(path) => path,
            Err(error) => return self.problem(root, error.to_string()),
        };
        let (depth, count) = SEARCH_LIMIT;
        let before = self.seen.len();
        let visible =
            |entry: &walkdir::DirEntry| entry.depth() == 0 || !entry.file_name().as_encoded_bytes().starts_with(b".");
        let machines = |entry: &walkdir::DirEntry| {
            entry.depth() == 1 && entry.file_type().is_dir() && entry.file_name() == MACHINES
        };
        // Results may lie beside the scenarios: what a run left there is none.
        let run = |entry: &walkdir::DirEntry| {
            entry.depth() > 0 && entry.file_type().is_dir() && entry.path().join("events.jsonl").is_file()
        };
        let walk = WalkDir::new(root).max_depth(depth).sort_by_file_name().into_iter();
        for entry in walk.filter_entry(|entry| visible(entry) && !machines(entry) && !run(entry)) {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    self.problem(error.path().unwrap_or(root), error.to_string());
                    continue;
                }
            };
            let path = entry.path();
            if entry.file_type().is_dir() || path.extension().is_none_or(|name| name != "toml") {
                continue;
            }
            // A link may point to another scenario of this folder, and to nothing else.
            if entry.path_is_symlink() && !path.canonicalize().is_ok_and(|real| real.starts_with(&real_root)) {
                self.problem(path, "a link that leads out of the folder");
                continue;
            }
            if self.seen.len() - before >= count {
                return self.problem(root, format!("more than {count} scenario files"));
            }
            self.file(path, path.strip_prefix(root).unwrap_or(path));
        }
    }

    /// `name`: the path below the folder that was given.
    fn file(&mut self, path: &Path, name: &Path) {
        let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if !self.seen.insert(real.clone()) {
            return;
        }
        let bytes = match contents(path) {
            Ok(bytes) => bytes,
            Err(Unread::TooLarge) => return self.problems.push(too_large(&path.display().to_string())),
            Err(Unread::Failed(problem)) => return self.problem(path, problem),
        };
        let folder = real.parent().map(Path::to_owned).unwrap_or_default();
        let known = RefCell::new(HashMap::new());
        let machines = |path: &str| {
            known.borrow_mut().entry(path.to_owned()).or_insert_with(|| machine_file(&folder, path)).clone()
        };
        let Some(name) = below_scenarios(path).unwrap_or(name).to_str().map(str::to_owned) else {
            return self.problem(path, "its name is not UTF-8");
        };
        self.add(&name, &Origin::File(path.to_owned()), &bytes, &machines);
    }

    /// `name`: the path that the id is made from.
    fn add(
        &mut self,
        name: &str,
        origin: &Origin,
        bytes: &[u8],
        machines: &dyn Fn(&str) -> Result<Arc<Machine>, String>,
    ) {
        let file = origin.to_string();
        let id = name.strip_suffix(".toml").unwrap_or(name);
        if !valid_id(id) {
            let title =
                format!("{id:?} cannot be an id: use a-z, A-Z, 0-9, `-`, `_` and `.`, no name starting with `.`");
            return self.problems.push(Diagnostic::of_file(file, title));
        }
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let line = bytes.iter().take(error.valid_up_to()).filter(|&&b| b == b'\n').count() + 1;
                return self.problems.push(Diagnostic::of_file(file, format!("line {line} is not UTF-8")));
            }
        };
        if let Some((other, _)) = self.files.get(id) {
            let title = format!("the id `{id}` is also that of {other}");
            return self.problems.push(Diagnostic::of_file(file, title));
        }
        match read(text, id, origin, machines) {
            Ok(cases) => {
                self.files.insert(id.to_owned(), (file, cases));
            }
            Err(problems) => self.problems.extend(problems),
        }
    }

    fn problem(&mut self, path: &Path, title: impl Into<String>) {
        self.problems.push(Diagnostic::of_file(path.display().to_string(), title));
    }
}

/// The path below the last folder called `scenarios`, so that ids are the same from a checkout and from the binary.
fn below_scenarios(path: &Path) -> Option<&Path> {
    let mut parts = path.components();
    let mut found = None;
    while let Some(part) = parts.next() {
        if part == Component::Normal("scenarios".as_ref()) && parts.clone().next().is_some() {
            found = Some(parts.as_path());
        }
    }
    found
}

/// Ids name folders of evidence too.
fn valid_id(id: &str) -> bool {
    let valid = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    id.len() <= 200 && id.split('/').all(valid)
}

enum Unread {
    TooLarge,
    Failed(String),
}

/// A whole file, of at most [`SIZE_LIMIT`] bytes.
fn contents(path: &Path) -> Result<Vec<u8>, Unread> {
    let failed = |error: std::io::Error| Unread::Failed(error.to_string());
    let metadata = std::fs::metadata(path).map_err(failed)?;
    // Opening a pipe would wait for its writer.
    if !metadata.is_file() {
        return Err(Unread::Failed("not a regular file".to_owned()));
    }
    if metadata.len() > SIZE_LIMIT {
        return Err(Unread::TooLarge);
    }
    let mut bytes = Vec::new();
    // It may grow while it is read.
    File::open(path).map_err(failed)?.take(SIZE_LIMIT + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > SIZE_LIMIT { Err(Unread::TooLarge) } else { Ok(bytes) }
}

fn machine_file(folder: &Path, path: &str) -> Result<Arc<Machine>, String> {
    let real = folder.join(path).canonicalize().map_err(|error| error.to_string())?;
    if !real.starts_with(folder) {
        return Err("a link that leads out of the scenario's folder".to_owned());
    }
    match contents(&real) {
        Ok(bytes) => machine(&bytes),
        Err(Unread::TooLarge) => Err(format!("larger than {} MiB", SIZE_LIMIT >> 20)),
        Err(Unread::Failed(problem)) => Err(problem),
    }
}

fn machine(bytes: &[u8]) -> Result<Arc<Machine>, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
    Machine::parse(text).map(Arc::new).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_path_below_the_last_scenarios_folder() {
        for (path, expected) in [
            ("scenarios/a/b.toml", Some("a/b.toml")),
            ("/x/scenarios/y/scenarios/b.toml", Some("b.toml")),
            ("x/b.toml", None),
            ("x/scenarios", None),
        ] {
            assert_eq!(below_scenarios(Path::new(path)), expected.map(Path::new), "{path}");
        }
    }

    #[test]
    fn ids_are_plain_paths() {
        for (id, expected) in [
            ("a/b-1.x", true),
            ("", false),
            ("a//b", false),
            ("../a", false),
            ("a b", false),
            ("a/", false),
            ("ä", false),
        ] {
            assert_eq!(valid_id(id), expected, "{id}");
        }
    }
}

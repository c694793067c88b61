//! What is compared: runs that are read, and host folders on which the scenarios are run.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};

use crate::cli::console;
use crate::cli::exit::{Exit, Failure};
use crate::cli::run::{self, Done};
use crate::cli::selection::SelectionArgs;
use crate::cli::{results, resume};
use crate::compare::{Shapes, Side, of_worker, workers};
use crate::host::{HOST_FILE, Host};
use crate::run::{RunRecord, kept_calls};
use crate::witness::tree::{Tree, TreeProblem};

/// Largest `run.json` that is read: ten thousand cases with every finding stay below it.
const LARGEST_RUN: usize = 256 << 20;

/// Largest file of one case's calls that is read.
const LARGEST_CALLS: usize = 32 << 20;

/// How names are looked up, and hosts run on.
pub struct Input {
    /// Which cases are run on a host folder.
    pub selection: SelectionArgs,
    /// Where runs are found by id.
    pub results: Option<PathBuf>,
}

/// What a name stands for.
pub enum Place {
    /// A run, by the folder and the name of its record; of a run with several workers the part of one.
    Run { folder: PathBuf, file: String, worker: Option<String> },
    /// A host folder.
    Host(PathBuf),
}

/// What became of a side.
pub enum Opened {
    /// It can be compared.
    Side(Box<Side>),
    /// A run on a host came to no end that could be compared.
    Ended(Exit),
}

impl Input {
    /// Finds what a name stands for: a folder or file of that name, else the run of that id; `RUN:WORKER` is what one
    /// worker did in it.
    ///
    /// # Errors
    /// There is no such thing.
    pub fn find(&self, name: &Path) -> Result<Place, Failure> {
        let found = self.whole(name);
        let Some((run, named)) = name.to_str().filter(|_| found.is_err()).and_then(|name| name.rsplit_once(':')) else {
            return found;
        };
        match self.whole(Path::new(run)) {
            Ok(Place::Run { folder, file, worker: _ }) => {
                Ok(Place::Run { folder, file, worker: Some(named.to_owned()) })
            }
            Ok(Place::Host(_)) | Err(_) => found,
        }
    }

    fn whole(&self, name: &Path) -> Result<Place, Failure> {
        let results = results::folder(self.results.as_deref());
        if name.is_file() {
            let file = name.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let folder = name.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
            return Ok(Place::Run { folder: folder.to_owned(), file, worker: None });
        }
        let by_id = results.join(name);
        for folder in [name, &by_id] {
            if folder.join("run.json").is_file() {
                return Ok(Place::Run { folder: folder.to_owned(), file: "run.json".to_owned(), worker: None });
            }
            if folder.join("events.jsonl").is_file() {
                let problem =
                    "a run that was cut off: it has events.jsonl and no run.json, so nothing is known of its end";
                let how = resume::how("run", folder);
                return Err(Failure::usage(anyhow!("{}: {problem}\n{how}", folder.display())));
            }
        }
        if name.join(HOST_FILE).is_file() || name.join("sys").is_dir() {
            return Ok(Place::Host(name.to_owned()));
        }
        Err(Failure::usage(anyhow!(
            "{}: neither a run (a folder with run.json, such a file, or an id below {}) nor a host folder (with {HOST_FILE} or \
             sys); `validate run` makes the first and `validate record` the second",
            name.display(),
            results.display()
        )))
    }

    /// Reads the runs of one side, and runs what is to be run.
    ///
    /// # Errors
    /// A record cannot be read, or a run cannot be made.
    pub fn side(&self, places: &[Place]) -> Result<Opened, Failure> {
        let (mut runs, mut shapes) = (Vec::new(), Shapes::default());
        for place in places {
            let (record, folder) = match place {
                Place::Run { folder, file, worker } => {
                    let record = read(folder, file)?;
                    (part(record, worker.as_deref())?, folder.clone())
                }
                Place::Host(host) => match run::on_host(host, self.selection.clone(), self.results.as_deref())? {
                    None => return Ok(Opened::Ended(Exit::NothingMatched)),
                    Some(Done { record, .. }) if record.exit.code >= 128 => {
                        return Ok(Opened::Ended(Exit::Run(record.exit.code)));
                    }
                    Some(Done { record, folder, .. }) => {
                        console::note(&format!("results  {}", folder.display()));
                        transcribed(host, &mut shapes);
                        (record, folder)
                    }
                },
            };
            if runs.iter().any(|run: &RunRecord| run.run.id == record.run.id) {
                let problem = "is named twice on one side: counted twice, it would show more than it does";
                return Err(Failure::usage(anyhow!("run {} {problem}", record.run.id)));
            }
            printed(&record, &folder, &mut shapes);
            runs.push(record);
        }
        Ok(Opened::Side(Box::new(Side { runs, shapes })))
    }
}

fn read(folder: &Path, file: &str) -> Result<RunRecord, Failure> {
    let path = folder.join(file);
    let read = || -> anyhow::Result<RunRecord> {
        let bytes = Tree::open(folder)?.read(file, LARGEST_RUN).map_err(|error| anyhow!(error.problem))?;
        Ok(console::all_told(RunRecord::read(&bytes).context("not a record of a run")?, &path))
    };
    read().with_context(|| format!("read {}", path.display())).map_err(Failure::usage)
}

/// What one worker did, where one is named.
fn part(record: RunRecord, worker: Option<&str>) -> Result<RunRecord, Failure> {
    let Some(worker) = worker else { return Ok(record) };
    of_worker(&record, worker).ok_or_else(|| {
        let there = match workers(&record).as_slice() {
            [] => "it was made with one worker, or none: name it without one".to_owned(),
            names => format!("its workers: {}", names.join(", ")),
        };
        Failure::usage(anyhow!("run {} has no worker {worker:?}; {there}", record.run.id))
    })
}

/// A recording holds more answers than its scenarios ask for.
fn transcribed(host: &Path, shapes: &mut Shapes) {
    let Ok(Host::Recorded { recording, .. }) = Host::open(host) else { return };
    let said =
        recording.calls().iter().filter(|call| call.ended.success() && call.args.iter().any(|arg| arg == "--json"));
    said.for_each(|call| shapes.add(&call.args.join(" "), &call.stdout));
}

/// What the amd-smi of one given host printed as JSON, by the evidence that the run kept. Where each case had a machine of
/// its own, the same command is answered by machines that are not alike.
fn printed(record: &RunRecord, folder: &Path, shapes: &mut Shapes) {
    if record.environment.is_none() {
        return;
    }
    let Ok(tree) = Tree::open(folder) else { return };
    for evidence in record.cases.iter().filter_map(|case| case.evidence.as_ref()) {
        let path = format!("{evidence}/calls.txt");
        let text = match tree.read(&path, LARGEST_CALLS) {
            Ok(text) => text,
            // A record that came without its evidence says all but this.
            Err(error) if error.problem == TreeProblem::Missing => continue,
            Err(error) => {
                console::note(&format!(
                    "note: {}: {error}; it is left out of the comparison of JSON",
                    folder.display()
                ));
                continue;
            }
        };
        let calls = kept_calls(&text);
        let said = calls.iter().filter(|call| call.succeeded() && call.args.split(' ').any(|arg| arg == "--json"));
        said.for_each(|call| shapes.add(&call.args, &call.stdout));
    }
}

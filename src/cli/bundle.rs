//! `validate bundle`: one archive for an upstream bug report, without what names a machine or a person.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::Args;

use crate::bundle::{Bundle, Evidence, Known, LARGEST_BUNDLE, LARGEST_FILE, LeftOut, Record, archive, bundle};
use crate::matrix::record::MatrixRecord;
use crate::run::{RECORD_FILE, RunRecord};
use crate::witness::tree::{Tree, TreeProblem};

use super::exit::{Exit, Failure, Outcome};
use super::{console, results, resume};

/// Largest record that is read.
const LARGEST_RECORD: usize = 256 << 20;

/// Most bytes that are read of evidence, also of what then does not fit.
const MOST_READ: usize = 8 * LARGEST_BUNDLE;

/// Below the options of `bundle --help`.
pub const HELP: &str = "\
Examples:
  validate bundle 20261121T142313Z-001205               by id, or by its folder
  validate bundle results/RUN --output report.tar.gz
  tar tzf report.tar.gz                                 what is in it; README.md says what failed

It holds a first page with what failed, how often, the versions and what reproduces it, the record of what failed, and its
evidence, at most 20 MiB. Serial numbers, UUIDs, the names of hosts and people, home folders, network and e-mail addresses
are replaced by pseudonyms, and tokens, keys and passwords are left out; left-out.txt lists what was left out and what was replaced. Look through it before you send it.

Exit codes: 0 written, also where nothing failed; 64 no such run; 69 it cannot be written";

/// Options of `validate bundle`.
#[derive(Debug, Args)]
pub struct BundleArgs {
    /// Run of `validate run` or `validate matrix run`, by its folder or its id
    #[arg(value_name = "RUN")]
    run: String,
    /// The archive [default: rocvet-RUN.tar.gz in this folder]
    #[arg(long, short, value_name = "FILE.tar.gz")]
    output: Option<PathBuf>,
}

/// # Errors
/// It is no run, or the archive cannot be written.
pub fn run(args: &BundleArgs) -> Outcome {
    let mut folder = resume::folder(&args.run);
    if folder.is_file() {
        folder.pop();
    }
    let tree = Tree::open(&folder).map_err(|error| none(&folder, &error.problem.to_string()))?;
    let record = record(&tree, &folder)?;
    let (texts, left_out) = gather(&tree, &record);
    let made = bundle(record, &texts, left_out, &known());
    let packed = archive(&made).context("pack the archive").map_err(Failure::from)?;
    let output = args.output.clone().unwrap_or_else(|| PathBuf::from(format!("{}.tar.gz", made.name)));
    results::write(&output, &packed)?;
    super::print(told(&made, &output, packed.len()).as_bytes())?;
    Ok(Exit::Done)
}

fn told(made: &Bundle, output: &Path, size: usize) -> String {
    let failed = match made.failed {
        0 => "nothing failed in this run; the archive says so".to_owned(),
        failed => format!("{failed} failed"),
    };
    let replaced: usize = made.redacted.values().sum();
    format!(
        "archive   {} ({} KiB, {} files)\ncases     {failed}\nleft out  {}, listed in left-out.txt\nreplaced  {replaced} names, \
         numbers and addresses\nlook through it before you send it: README.md comes first\n",
        output.display(),
        size.div_ceil(1024),
        made.files.len(),
        made.left_out.len(),
    )
}

/// There is no run there.
fn none(folder: &Path, problem: &str) -> Failure {
    Failure::usage(anyhow!(
        "{}: no finished run: {problem}; `validate run` and `validate matrix run` leave one, and say where",
        folder.display()
    ))
}

/// The record of a run of either kind, as untrusted.
fn record(tree: &Tree, folder: &Path) -> Result<Record, Failure> {
    let refused = |name: &str, problem: String| Failure::usage(anyhow!("{}: {problem}", folder.join(name).display()));
    match tree.read("run.json", LARGEST_RECORD) {
        Ok(bytes) => {
            let read = RunRecord::read(&bytes).map_err(|problem| refused("run.json", problem.to_string()))?;
            return Ok(Record::Run(Box::new(console::all_told(read, &folder.join("run.json")))));
        }
        Err(error) if error.problem == TreeProblem::Missing => {}
        Err(error) => return Err(refused("run.json", error.problem.to_string())),
    }
    match tree.read(RECORD_FILE, MatrixRecord::MAX_BYTES) {
        Ok(bytes) => {
            let read = MatrixRecord::read(&bytes).map_err(|problem| refused(RECORD_FILE, problem.to_string()))?;
            Ok(Record::Matrix(Box::new(console::all_told(read, &folder.join(RECORD_FILE)))))
        }
        Err(error) if error.problem == TreeProblem::Missing => {
            let cut_off = tree.read_start("events.jsonl", 1).is_ok();
            let why =
                if cut_off { "it was cut off; --resume goes on with it" } else { "no run.json and no matrix.json" };
            Err(none(folder, why))
        }
        Err(error) => Err(refused(RECORD_FILE, error.problem.to_string())),
    }
}

type Texts = Vec<(String, String, String)>;

/// The evidence of what failed: no link is followed, nothing is read that lies elsewhere, and nothing without end.
fn gather(tree: &Tree, record: &Record) -> (Texts, Vec<LeftOut>) {
    let folders = record.folders();
    let mut gathered =
        Gathered { tree, texts: Vec::new(), left_out: Vec::new(), room: LARGEST_BUNDLE, left: MOST_READ };
    for evidence in record.evidence() {
        let others =
            |path: &str| folders.iter().any(|folder| folder.starts_with(&format!("{path}/")) || *folder == path);
        if let Err(why) = gathered.folder(&evidence, &others) {
            gathered.left_out.push(LeftOut { what: evidence.folder, why });
        }
    }
    (gathered.texts, gathered.left_out)
}

struct Gathered<'a> {
    tree: &'a Tree,
    texts: Texts,
    left_out: Vec<LeftOut>,
    /// Bytes that there is room for.
    room: usize,
    /// Bytes that may be read.
    left: usize,
}

impl Gathered<'_> {
    /// The files of one case's folder.
    fn folder(&mut self, evidence: &Evidence, others: &dyn Fn(&str) -> bool) -> Result<(), String> {
        let Evidence { case, folder } = evidence;
        let plain = folder.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
        if !plain || !folder.starts_with("evidence/") {
            return Err("it does not lie below evidence/".to_owned());
        }
        let real = self.tree.resolve(folder).map_err(|error| error.problem.to_string())?;
        if real != *folder {
            return Err("a link, which is not followed".to_owned());
        }
        let below = self.tree.below(folder).map_err(|error| error.problem.to_string())?;
        for name in below.names("").map_err(|error| error.problem.to_string())? {
            let path = format!("{folder}/{name}");
            match self.file(&below, &name) {
                Ok(text) => self.texts.push((case.clone(), path, text)),
                // The folder of another case.
                Err(_) if others(&path) => {}
                Err(why) => self.left_out.push(LeftOut { what: path, why }),
            }
        }
        Ok(())
    }

    fn file(&mut self, below: &Tree, name: &str) -> Result<String, String> {
        if below.link(name).is_some() {
            return Err("a link, which is not followed".to_owned());
        }
        let limit = LARGEST_FILE.min(self.room).min(self.left);
        if limit == 0 {
            return Err("no room is left".to_owned());
        }
        let bytes = below.read(name, limit).map_err(|error| {
            if matches!(error.problem, TreeProblem::TooLarge { .. }) {
                self.left = self.left.saturating_sub(limit);
            }
            error.problem.to_string()
        })?;
        self.left = self.left.saturating_sub(bytes.len());
        if bytes.contains(&0) {
            return Err("not a text".to_owned());
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        self.room = self.room.saturating_sub(text.len());
        Ok(text)
    }
}

/// What this machine and whoever calls are called: mostly the run was made here.
#[expect(clippy::disallowed_methods, reason = "the command line reads the environment")]
fn known() -> Known {
    let host = Tree::open(Path::new("/proc/sys/kernel")).and_then(|tree| tree.read("hostname", 1024)).ok();
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    Known {
        host: host.map(|name| String::from_utf8_lossy(&name).trim().to_owned()),
        user: variable("USER").or_else(|| variable("LOGNAME")),
        home: variable("HOME"),
        variables: std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
    }
}

//! Writes a recorded host from another one: amd-smi's answers and an excerpt of the trees, with pseudonyms in the place
//! of what identifies the machine.

#![expect(clippy::disallowed_methods, reason = "a recording is written here")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::domain::{Reading, ToolVersion};
use crate::witness::Call;
use crate::witness::amd_smi::{Format, Query, parse};
use crate::witness::tree::Tree;

use super::excerpt::{self, Entry};
use super::pseudonym::Pseudonyms;
use super::recorded::{INDEX, INDEX_SCHEMA, Index, MAX_TOTAL, Transcript};
use super::{Asking, HOST_FILE, Host, HostError, HostFile, HostKind};

/// What a recording holds: counted while it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recorded {
    /// Calls of amd-smi.
    pub calls: usize,
    /// Files and links of the sysfs and procfs excerpts.
    pub entries: usize,
}

/// What to record beside the queries that change nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Extent {
    /// Also ask `partition` for its profiles. As root that writes the driver's `xcp_config` selector
    /// (facts/amd-smi.md 1.4), so on a real machine it has to be wanted.
    pub profiles: bool,
}

/// Beside the queries of the witness: what people and other tools ask.
const OTHERS: [&[&str]; 8] = [
    &[],
    &["list", "-e"],
    &["static", "-a"],
    &["static", "-b"],
    &["static", "-B"],
    &["static", "-d"],
    &["partition", "-c"],
    &["partition", "-m"],
];

/// Records `host` into the folder `out`, which must not exist.
///
/// Fails when something cannot be written or the outputs are larger than a recording may be; a call that fails is
/// recorded as it failed.
pub fn record(host: &Host, out: &Path, extent: Extent, asking: &Asking) -> Result<Recorded, HostError> {
    let calls = ask_all(host, extent, asking)?;
    let mut names = Pseudonyms::default();
    if let Ok(name) = Tree::open(&host.proc_root()).and_then(|tree| tree.read("sys/kernel/hostname", 1024)) {
        names.learn_host(&String::from_utf8_lossy(&name));
    }
    calls.iter().for_each(|call| names.learn(&String::from_utf8_lossy(&call.stdout)));
    let mut entries = excerpt::sys(&host.sysfs_root(), &mut names);
    entries.extend(excerpt::proc(&host.proc_root()));

    fs::create_dir(out).map_err(|error| HostError::Unwritable { path: out.to_owned(), error })?;
    let file = HostFile::new(HostKind::Recorded, format!("recording of {}", host.origin()), tool(&calls));
    write_transcripts(out, &calls, &mut names)?;
    for entry in &entries {
        match entry {
            Entry::File { path, content } => write(out, path, content)?,
            Entry::Link { path, target } => link(out, path, target)?,
        }
    }
    // Last: a recording that was cut off on the way is no host.
    write(out, HOST_FILE, file.to_toml()?.as_bytes())?;
    Ok(Recorded { calls: calls.len(), entries: entries.len() })
}

/// Argument lists to record, each once.
fn questions(extent: Extent, host: &Host) -> Vec<Vec<String>> {
    let profiles = extent.profiles || matches!(host, Host::Simulated { .. });
    let queries =
        [Query::Version, Query::List, Query::StaticPartition, Query::StaticVram, Query::MetricMemory, Query::Partition];
    let queries = queries.into_iter().filter(|query| profiles || *query != Query::Partition);
    let formats = [Format::Json, Format::Human, Format::Csv];
    let asked = queries.flat_map(|query| formats.map(|format| query.args(format)));
    let others = OTHERS.iter().flat_map(|words| {
        formats.map(|format| {
            let flag = match format {
                Format::Json => Some("--json"),
                Format::Human => None,
                Format::Csv => Some("--csv"),
            };
            words.iter().copied().chain(flag).map(str::to_owned).collect()
        })
    });
    asked.chain(others).collect()
}

fn ask_all(host: &Host, extent: Extent, asking: &Asking) -> Result<Vec<Call>, HostError> {
    let mut calls = Vec::new();
    let mut size = 0;
    for args in questions(extent, host) {
        if asking.cancel.is_cancelled() {
            return Err(HostError::Refused("recording was interrupted".to_owned()));
        }
        let call = host.call_amd_smi(&args, "", asking);
        size += call.stdout.len() + call.stderr.len();
        if size > MAX_TOTAL {
            let problem = format!("amd-smi printed more than the {MAX_TOTAL} bytes that a recording may hold");
            return Err(HostError::Refused(problem));
        }
        calls.push(call);
    }
    Ok(calls)
}

/// The tool's version, from the first call, which is `version --json`.
fn tool(calls: &[Call]) -> Option<ToolVersion> {
    match parse::version(calls.first()?, Format::Json).value {
        Reading::Value(report) => report.tool.value().copied(),
        Reading::NotApplicable | Reading::NotReported | Reading::Malformed { .. } => None,
    }
}

fn write_transcripts(out: &Path, calls: &[Call], names: &mut Pseudonyms) -> Result<(), HostError> {
    let mut index = Index { schema: INDEX_SCHEMA, calls: Vec::with_capacity(calls.len()) };
    for (number, call) in calls.iter().enumerate() {
        let words = call.args.join("-").replace("--", "-");
        let mut keep = |bytes: &[u8], stream: &str| -> Result<Option<String>, HostError> {
            if bytes.is_empty() {
                return Ok(None);
            }
            let name = format!("{:02}-{}.{stream}", number + 1, words.trim_matches('-'));
            // Bytes that are no text stay what they are: what was recorded must fail the way that it failed.
            let mut content = Vec::with_capacity(bytes.len());
            for chunk in bytes.utf8_chunks() {
                content.extend_from_slice(names.text(chunk.valid()).as_bytes());
                content.extend_from_slice(chunk.invalid());
            }
            write(out, &format!("transcripts/{name}"), &content)?;
            Ok(Some(name))
        };
        let stdout = keep(&call.stdout, "stdout")?;
        let stderr = keep(&call.stderr, "stderr")?;
        let took_ms = u64::try_from(call.took.as_millis()).unwrap_or(u64::MAX);
        index.calls.push(Transcript { args: call.args.clone(), took_ms, stdout, stderr, ended: call.ended.clone() });
    }
    let text = toml::to_string(&index).map_err(|error| HostError::malformed(INDEX, error))?;
    write(out, INDEX, text.as_bytes())
}

fn write(out: &Path, path: &str, content: &[u8]) -> Result<(), HostError> {
    let path = out.join(path);
    let parent = path.parent().unwrap_or(out);
    fs::create_dir_all(parent)
        .and_then(|()| fs::write(&path, content))
        .map_err(|error| HostError::Unwritable { path: path.clone(), error })
}

fn link(out: &Path, path: &str, target: &str) -> Result<(), HostError> {
    let path = out.join(path);
    let parent = path.parent().unwrap_or(out);
    let made = fs::create_dir_all(parent).and_then(|()| match symlink(target, &path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    });
    made.map_err(|error| HostError::Unwritable { path, error })
}

//! Writes a recorded host from another one: amd-smi's answers and an excerpt of the trees, with pseudonyms in the place
//! of what identifies the machine.

#![expect(clippy::disallowed_methods, reason = "a recording is written here")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::domain::{Reading, ToolVersion};
use crate::witness::Call;
use crate::witness::amd_smi::{Format, Query, parse};
use crate::witness::drm::read_render;
use crate::witness::hip::read_hip;
use crate::witness::processes::read_processes;
use crate::witness::tree::Tree;

use super::excerpt::{self, Entry};
use super::manifest::{Device, KEEP, MANIFEST_FILE, Manifest, Note};
use super::open::KMSG_FILE;
use super::recorded::{HIP_FILE, INDEX, INDEX_SCHEMA, Index, MAX_TOTAL, Transcript};
use super::{Asking, HOST_FILE, Host, HostError, HostFile, HostKind};
use crate::pseudonym::Pseudonyms;

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
    let (sys, proc) = (host.sysfs_root(), host.proc_root());
    let mut names = Pseudonyms::default();
    if let Ok(name) = Tree::open(&proc).and_then(|tree| tree.read("sys/kernel/hostname", 1024)) {
        names.learn_host(&String::from_utf8_lossy(&name));
    }
    // The trees first: asking the tool for its profiles moves `xcp_config` (facts/amd-smi.md 1.4).
    let mut entries = excerpt::sys(&sys, &mut names);
    entries.extend(excerpt::proc(&proc, &read_processes(&sys, &proc), &mut names));
    entries.extend(excerpt::settings(host.root(), &mut names));
    entries.extend(excerpt::opt(&host.opt_root()));
    let found = entries.len();
    let calls = ask_all(host, extent, asking)?;
    calls.iter().for_each(|call| names.learn(&String::from_utf8_lossy(&call.stdout)));
    let mut notes = Vec::new();
    log(host, &mut names, &mut entries, &mut notes);
    hip(host, asking, &mut names, &mut entries, &mut notes);
    if !wants_profiles(extent, host) {
        let text = "`partition` was not asked: as root it writes xcp_config (facts/amd-smi.md 1.4); --profiles asks it";
        notes.push(Note { about: "transcripts".to_owned(), text: text.to_owned() });
    }
    transcripts(&calls, &mut names, &mut entries)?;
    let file = HostFile::new(HostKind::Recorded, format!("recording of {}", host.origin()), tool(&calls));
    entries.push(Entry::File { path: HOST_FILE.to_owned(), content: file.to_toml()?.into_bytes() });
    let devices = host.device_access(&read_render(&sys).unwrap_or_default()).unwrap_or_default();
    let devices = devices.into_iter().map(Device::from).collect();
    let manifest = Manifest::of(&entries, devices, notes).to_toml()?;

    fs::create_dir(out).map_err(|error| HostError::Unwritable { path: out.to_owned(), error })?;
    write(out, MANIFEST_FILE, manifest.as_bytes())?;
    // What makes the folder a host comes last: a recording that was cut off on the way is none.
    for entry in &entries {
        match entry {
            Entry::Dir { path } => write(out, &format!("{path}/{KEEP}"), b"")?,
            Entry::File { path, content } => write(out, path, content)?,
            Entry::Link { path, target } => link(out, path, target)?,
        }
    }
    Ok(Recorded { calls: calls.len(), entries: found })
}

/// The kernel log, or a note why it is not there.
fn log(host: &Host, names: &mut Pseudonyms, entries: &mut Vec<Entry>, notes: &mut Vec<Note>) {
    let text = match host.kernel_log() {
        Ok(log) => {
            let (content, lines) = excerpt::kernel_log(&log, names);
            entries.push(Entry::File { path: KMSG_FILE.to_owned(), content });
            format!("of {lines} lines, those that name amdgpu, DRM, KFD or XGMI")
        }
        Err(problem) => format!("not recorded: {problem}"),
    };
    notes.push(Note { about: KMSG_FILE.to_owned(), text });
}

/// What HIP says, where there is a runtime that works.
fn hip(host: &Host, asking: &Asking, names: &mut Pseudonyms, entries: &mut Vec<Entry>, notes: &mut Vec<Note>) {
    let Some(call) = host.call_hip(asking) else { return };
    let text = match read_hip(&call) {
        Reading::Value(_) => {
            let content = names.text(&String::from_utf8_lossy(&call.stdout)).into_bytes();
            entries.push(Entry::File { path: HIP_FILE.to_owned(), content });
            return;
        }
        absent @ (Reading::NotApplicable | Reading::NotReported | Reading::Malformed { .. }) => {
            absent.absence().unwrap_or_default()
        }
    };
    notes.push(Note { about: HIP_FILE.to_owned(), text: format!("not recorded: {text}") });
}

fn wants_profiles(extent: Extent, host: &Host) -> bool {
    extent.profiles || matches!(host, Host::Simulated { .. })
}

/// Argument lists to record, each once.
fn questions(extent: Extent, host: &Host) -> Vec<Vec<String>> {
    let profiles = wants_profiles(extent, host);
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

fn transcripts(calls: &[Call], names: &mut Pseudonyms, entries: &mut Vec<Entry>) -> Result<(), HostError> {
    let mut index = Index { schema: INDEX_SCHEMA, calls: Vec::with_capacity(calls.len()) };
    for (number, call) in calls.iter().enumerate() {
        let words = call.args.join("-").replace("--", "-");
        let mut keep = |bytes: &[u8], stream: &str| -> Option<String> {
            if bytes.is_empty() {
                return None;
            }
            let name = format!("{:02}-{}.{stream}", number + 1, words.trim_matches('-'));
            // Bytes that are no text stay what they are: what was recorded must fail the way that it failed.
            let mut content = Vec::with_capacity(bytes.len());
            for chunk in bytes.utf8_chunks() {
                content.extend_from_slice(names.text(chunk.valid()).as_bytes());
                content.extend_from_slice(chunk.invalid());
            }
            entries.push(Entry::File { path: format!("transcripts/{name}"), content });
            Some(name)
        };
        let (stdout, stderr) = (keep(&call.stdout, "stdout"), keep(&call.stderr, "stderr"));
        let took_ms = u64::try_from(call.took.as_millis()).unwrap_or(u64::MAX);
        index.calls.push(Transcript { args: call.args.clone(), took_ms, stdout, stderr, ended: call.ended.clone() });
    }
    let text = toml::to_string(&index).map_err(|error| HostError::malformed(INDEX, error))?;
    entries.push(Entry::File { path: INDEX.to_owned(), content: text.into_bytes() });
    Ok(())
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

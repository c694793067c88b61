//! What goes in, by which name, and what is left out and why.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::pseudonym::Kind;

use super::LARGEST_BUNDLE;
use super::probes::ProbeLine;
use super::readme::readme;
use super::record::Record;
use super::redact::Redactor;
use super::secrets;
use super::summary::summary;

/// Lines of `left-out.txt` about one kind of thing.
const LISTED: usize = 1000;

/// Something that is not in the archive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeftOut {
    /// Path in the run folder, or what it is of.
    pub what: String,
    /// Why.
    pub why: String,
}

/// Names that the caller knows of the machine it is on.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Of the machine.
    pub host: Option<String>,
    /// Of whoever calls.
    pub user: Option<String>,
    /// The folder of whoever calls.
    pub home: Option<String>,
    /// Variables of whoever calls, with their values: of those that are called a token or a key the value is looked for.
    pub variables: Vec<(String, String)>,
}

/// The content of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// Name of the archive's one folder.
    pub name: String,
    /// Files by path in that folder.
    pub files: BTreeMap<String, String>,
    /// What is not in it.
    pub left_out: Vec<LeftOut>,
    /// How often something was replaced.
    pub redacted: BTreeMap<Kind, usize>,
    /// Cases that failed.
    pub failed: usize,
}

/// Puts an archive together: `texts` are the evidence by case, path in the run folder, and content, and `left_out` is what of
/// it could not be read.
pub fn bundle(record: Record, texts: &[(String, String, String)], mut left_out: Vec<LeftOut>, known: &Known) -> Bundle {
    let mut probes: BTreeMap<String, Vec<ProbeLine>> = BTreeMap::new();
    for (case, _, content) in texts.iter().filter(|(_, path, _)| path.ends_with("/probes.jsonl")) {
        probes.entry(case.clone()).or_default().extend(ProbeLine::all(content));
    }
    let summary = summary(&record, &probes);
    let (failed, readme) = (summary.failed.len(), readme(&summary));
    let (id, file) = (record.id().to_owned(), record.file());
    let (record, as_expected) = record.split();
    left_out.extend(
        as_expected
            .into_iter()
            .map(|what| LeftOut { what, why: "no failure: it passed, was skipped, or was never run".to_owned() }),
    );
    let text = match &record {
        Record::Run(record) => serde_json::to_string_pretty(record),
        Record::Matrix(record) => serde_json::to_string_pretty(record),
    };
    let text = text.unwrap_or_else(|error| {
        left_out.push(LeftOut { what: file.to_owned(), why: format!("it cannot be written: {error}") });
        String::new()
    });

    let mut redactor = Redactor::default();
    let home = known.home.as_deref().filter(|home| home.matches('/').count() > 1);
    for (kind, name) in
        [(Kind::HostName, known.host.as_deref()), (Kind::UserName, known.user.as_deref()), (Kind::HomeFolder, home)]
    {
        name.into_iter().for_each(|name| redactor.learn_name(kind, name));
    }
    let secrets = known.variables.iter().filter(|(name, _)| secrets::is_name(name));
    secrets.for_each(|(_, value)| redactor.learn_secret(value));
    redactor.learn(file, &text);
    texts.iter().for_each(|(_, path, content)| redactor.learn(path, content));

    let mut files = BTreeMap::new();
    // The first page is bounded by what it shows, the record comes next, and evidence takes what room is left.
    let page = redactor.text(&readme);
    let mut room = LARGEST_BUNDLE.saturating_sub(page.len());
    files.insert("README.md".to_owned(), page);
    let everything = std::iter::once((file, text.as_str()));
    let everything = everything.chain(texts.iter().map(|(_, path, content)| (path.as_str(), content.as_str())));
    for (path, content) in everything.filter(|(_, content)| !content.is_empty()) {
        let content = redactor.file(path, content);
        if content.len() > room {
            let why = format!("no room: {} bytes, and a bundle has at most {LARGEST_BUNDLE}", content.len());
            left_out.push(LeftOut { what: path.to_owned(), why });
            continue;
        }
        room -= content.len();
        let name = free(&files, safe_path(&redactor.text(path)));
        files.insert(name, content);
    }
    left_out.sort();
    left_out.dedup();
    let list = redactor.text(&listed(&left_out));
    let redacted = redactor.replaced();
    files.insert("left-out.txt".to_owned(), format!("{list}{}", counted(&redacted, redactor.full())));
    let name = format!("rocvet-{}", safe(&redactor.text(&id)));
    Bundle { name, files, left_out, redacted, failed }
}

fn listed(left_out: &[LeftOut]) -> String {
    let mut text = "What is not in this archive\n\n".to_owned();
    if left_out.is_empty() {
        text.push_str("  nothing was left out\n");
    }
    let mut of: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    left_out.iter().for_each(|each| of.entry(&each.why).or_default().push(&each.what));
    for (why, what) in of {
        let _ = writeln!(text, "{}:", one_line(why));
        what.iter().take(LISTED).for_each(|what| {
            let _ = writeln!(text, "  {}", one_line(what));
        });
        if what.len() > LISTED {
            let _ = writeln!(text, "  … and {} more", what.len() - LISTED);
        }
    }
    text.push_str(
        "\nEvents (events.jsonl) are never in it, nor are files whose names are no text. Of a folder of evidence only its own \
         files are looked at.\n",
    );
    text
}

fn counted(redacted: &BTreeMap<Kind, usize>, full: bool) -> String {
    let mut text = "\nWhat was replaced by pseudonyms, and how often\n\n".to_owned();
    if redacted.is_empty() {
        text.push_str("  nothing\n");
    }
    for (kind, times) in redacted {
        let _ = writeln!(text, "  {times:>6}  {}", kind.name());
    }
    if full {
        text.push_str(
            "\nThe evidence names more hosts, people and serial numbers than are looked for everywhere: what is left of them \
             stands where no label says what it is.\n",
        );
    }
    text.push_str("\nOnly what is known for a name by its form, its label or this machine is replaced. Look through it before you send it.\n");
    text
}

fn one_line(text: &str) -> String {
    text.chars().take(400).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A path in the archive: no part of it leads anywhere, or means something to a shell.
fn safe_path(path: &str) -> String {
    path.split('/').filter(|part| !part.is_empty()).map(safe).collect::<Vec<_>>().join("/")
}

fn safe(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.=,".contains(c) { c } else { '_' };
    let name: String = name.chars().take(100).map(plain).collect();
    // Neither hidden, nor a way up, nor an option.
    if name.starts_with(['.', '-']) { format!("_{}", &name[1..]) } else { name }
}

/// The path, or one beside it where another file has that already.
fn free(files: &BTreeMap<String, String>, path: String) -> String {
    let reserved: BTreeSet<&str> = ["README.md", "left-out.txt"].into();
    let taken = |path: &str| files.contains_key(path) || reserved.contains(path);
    if !taken(&path) {
        return path;
    }
    (2..).map(|number: u32| format!("{path}-{number}")).find(|path| !taken(path)).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_of_the_archive_or_takes_the_place_of_another() {
        for (path, expected) in [
            ("evidence/a/calls.txt", "evidence/a/calls.txt"),
            ("evidence/../../etc/passwd", "evidence/_./_./etc/passwd"),
            ("/evidence//-rf/a b\n`x`.txt", "evidence/_rf/a_b__x_.txt"),
        ] {
            assert_eq!(safe_path(path), expected);
        }
        let files = BTreeMap::from([("evidence/a_b".to_owned(), String::new())]);
        assert_eq!(free(&files, safe_path("evidence/a b")), "evidence/a_b-2");
        assert_eq!(free(&files, "README.md".to_owned()), "README.md-2");
    }

    #[test]
    fn a_list_of_what_is_left_out_is_bounded() {
        let each = |n: usize| LeftOut { what: format!("case {n}\n"), why: "as expected".to_owned() };
        let text = listed(&(0..5000).map(each).collect::<Vec<_>>());
        assert!(text.contains("… and 4000 more") && text.lines().count() < LISTED + 20);
    }
}

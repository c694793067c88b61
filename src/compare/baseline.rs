//! Baseline: which failures are known, what is known to be flaky, and what is not run, for which gfx and stack.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::check::Judgement;
use crate::domain::{Meaning, Status, StatusWord};
use crate::run::{CaseRecord, Environment, Known, RunRecord};
use crate::scenario::{Pattern, nearest};

/// Format name and major version of the file.
const SCHEMA: &str = "rocvet.baseline/1";

/// Most entries of one file.
const MOST: usize = 20_000;

/// Facts of the stack that an entry is written for.
const SCOPE: [&str; 2] = ["amd-smi", "driver"];

/// And one that it is written for where the case's own workers loaded it: another torch has failures of its own.
const LOADED: &str = "torch";

/// Why a new entry is there, until somebody says it.
const UNEXPLAINED: &str = "nobody has looked at it yet";

/// What is known before a run, as TOML spells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "Baseline")]
#[serde(deny_unknown_fields)]
struct File {
    /// `rocvet.baseline/1`.
    #[schemars(extend("const" = SCHEMA))]
    schema: String,
    /// Cases that are known to fail so.
    #[schemars(extend("items" = {"$ref": "#/$defs/Entry", "required": ["status"]}))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    known: Vec<Entry>,
    /// Cases that are known to fail now and then.
    #[schemars(extend("items" = {"$ref": "#/$defs/Entry", "properties": {"status": false, "findings": false}}))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    flaky: Vec<Entry>,
    /// Cases that are not to be run.
    #[schemars(extend("items" = {"$ref": "#/$defs/Entry", "properties": {"status": false, "findings": false}}))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    skip: Vec<Entry>,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// Case id, or a pattern of ids.
    #[schemars(length(min = 1))]
    case: String,
    /// How it is known to end; of `known` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<StatusWord>,
    /// Findings that are known, like `devices.count [one-short]`; of `known` only. Left out: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    findings: Vec<String>,
    /// Native ISA, `gfx942` or `gfx103x`; any when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gfx: Option<String>,
    /// Why.
    #[schemars(length(min = 1))]
    reason: String,
    /// Where it is reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    issue: Option<String>,
    /// Last day on which it holds: `2027-03-31`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
    /// Facts of the stack, each with a pattern: `amd-smi`, `driver`, `kernel` and what else `run.json` says of it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    stack: BTreeMap<String, String>,
}

/// The text is no baseline.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BaselineProblem(String);

/// What is known before a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Baseline {
    file: File,
    today: Date,
}

impl Baseline {
    /// Largest file that is read, in bytes.
    pub const LIMIT: usize = 8 << 20;

    /// The JSON Schema of the file, for an editor.
    pub fn schema() -> schemars::Schema {
        schemars::schema_for!(File)
    }

    /// Reads a baseline; `now` begins with the date, as RFC 3339 does.
    ///
    /// # Errors
    /// It is none: says in which line, and what may have been meant.
    pub fn parse(text: &str, now: &str) -> Result<Self, BaselineProblem> {
        let file: File = toml::from_str(text).map_err(|error| BaselineProblem(explained(&error)))?;
        let problem = |text: String| Err(BaselineProblem(text));
        if file.schema != SCHEMA {
            let found: String = file.schema.chars().take(64).collect();
            return problem(format!("key `schema`: it says {found:?}, and this program reads {SCHEMA:?}"));
        }
        let today = date(now.get(..10).unwrap_or_default()).map_err(BaselineProblem)?;
        let lists = [("known", &file.known), ("flaky", &file.flaky), ("skip", &file.skip)];
        if lists.iter().map(|(_, list)| list.len()).sum::<usize>() > MOST {
            return problem(format!("more than {MOST} entries"));
        }
        for (list, entries) in lists {
            for (number, entry) in entries.iter().enumerate() {
                entry.check(list == "known").map_err(|text| {
                    let case: String = entry.case.chars().take(120).collect();
                    BaselineProblem(format!("[[{list}]] number {} (case {case:?}): {text}", number + 1))
                })?;
            }
        }
        Ok(Self { file, today })
    }

    /// Why a case is not to be run, if it is not.
    pub fn skips(&self, id: &str, environment: &Environment) -> Option<&str> {
        self.find(&self.file.skip, id, environment).map(|entry| entry.reason.as_str())
    }

    /// What it knows of how a case ended.
    pub fn knows(&self, case: &CaseRecord, environment: &Environment) -> Option<Known> {
        let told = |entry: &Entry| (entry.reason.clone(), entry.issue.clone());
        if let Some(entry) = self.find(&self.file.flaky, case.shared_id(), environment) {
            let (reason, issue) = told(entry);
            let failed = case.status.meaning() == Meaning::Failed && !always_fails(case);
            return failed.then_some(Known::Flaky { reason, issue });
        }
        let entry = self.find(&self.file.known, case.shared_id(), environment)?;
        let (reason, issue) = told(entry);
        match case.status.meaning() {
            Meaning::Failed => entry.explains(case).then_some(Known::Failure { reason, issue }),
            Meaning::AsExpected | Meaning::Better => Some(Known::Improved { reason, issue }),
            Meaning::NotEvaluated | Meaning::Incomplete | Meaning::Skipped | Meaning::Broken => None,
        }
    }

    /// What a run shows of entries that do less than they say. One sentence each.
    pub fn contradicted(&self, cases: &[(&CaseRecord, &Environment)]) -> Vec<String> {
        let mut told = Vec::new();
        for (case, environment) in cases {
            let id = case.shared_id();
            if let Some(entry) = self.find(&self.file.flaky, id, environment).filter(|_| always_fails(case)) {
                let times = case.tries.len();
                told.push(format!("[[flaky]] {}: {id} failed {times} of {times} times, which is no flake", entry.case));
            }
            let known = self.find(&self.file.known, id, environment);
            if let Some(entry) = known.filter(|_| matches!(case.known, Some(Known::Failure { .. }))) {
                let came = names(case);
                let missing: Vec<_> = entry.findings.iter().filter(|name| !came.contains(name)).cloned().collect();
                if !missing.is_empty() {
                    told.push(format!("[[known]] {}: of {id} no longer came: {}", entry.case, missing.join(", ")));
                }
            }
        }
        for (list, entries) in self.lists() {
            for entry in entries.iter().filter(|entry| !entry.is_past(self.today)) {
                let mut named = cases.iter().filter(|(case, _)| entry.names(case.shared_id())).peekable();
                let first = named.peek().map(|(_, environment)| entry.scope_against(environment));
                if let Some(scope) = first.filter(|_| named.all(|(_, environment)| !entry.holds_on(environment))) {
                    told.push(format!("[[{list}]] {}: it is for {scope}, and excuses nothing here", entry.case));
                }
            }
        }
        told
    }

    fn lists(&self) -> [(&'static str, &[Entry]); 3] {
        [("known", &self.file.known), ("flaky", &self.file.flaky), ("skip", &self.file.skip)]
    }

    /// Entries that do nothing: of no case that was read, or past their day. One sentence each.
    pub fn idle(&self, read: &[&str]) -> Vec<String> {
        let mut idle = Vec::new();
        for (list, entries) in self.lists() {
            for entry in entries {
                if entry.is_past(self.today) {
                    let day = entry.expires.as_deref().unwrap_or_default();
                    idle.push(format!("[[{list}]] {}: it ended on {day} and excuses nothing", entry.case));
                } else if !read.iter().any(|id| entry.names(id)) {
                    let near = nearest(&entry.case, read.iter().copied());
                    let near = near.map_or_else(String::new, |near| format!("; nearest: {near}"));
                    idle.push(format!("[[{list}]] {}: no case is called so{near}", entry.case));
                }
            }
        }
        idle
    }

    fn find<'e>(&self, entries: &'e [Entry], id: &str, environment: &Environment) -> Option<&'e Entry> {
        entries.iter().find(|entry| entry.names(id) && entry.holds_on(environment) && !entry.is_past(self.today))
    }
}

impl Entry {
    fn check(&self, known: bool) -> Result<(), String> {
        if self.case.is_empty() || self.reason.trim().is_empty() {
            return Err("`case` and `reason` must not be empty".to_owned());
        }
        let texts = [Some(&self.case), Some(&self.reason), self.issue.as_ref()].into_iter().flatten();
        if texts.chain(&self.findings).any(|text| text.chars().any(char::is_control)) {
            return Err("it holds a control character".to_owned());
        }
        match self.status {
            None if known => return Err("`status` is missing: how it is known to end".to_owned()),
            Some(_) if !known => return Err("`status` is a key of [[known]] only".to_owned()),
            Some(word) if word.meaning() != Meaning::Failed => {
                return Err(format!("`status` {word} is no failure: only a failure can be known"));
            }
            None | Some(_) => {}
        }
        if !known && !self.findings.is_empty() {
            return Err("`findings` is a key of [[known]] only".to_owned());
        }
        if let Some(gfx) = &self.gfx {
            Pattern::gfx(gfx).map_err(|error| format!("`gfx`: {error}"))?;
        }
        for (name, value) in &self.stack {
            Pattern::new(value).map_err(|error| format!("`stack.{name}`: {error}"))?;
        }
        self.expires.as_deref().map_or(Ok(()), |day| date(day).map(drop).map_err(|error| format!("`expires`: {error}")))
    }

    fn names(&self, id: &str) -> bool {
        self.case == id || Pattern::new(&self.case).is_ok_and(|pattern| pattern.matches(id))
    }

    fn holds_on(&self, environment: &Environment) -> bool {
        let gfx = self.gfx.as_deref().is_none_or(|wanted| {
            let has = environment.machine.get("gfx");
            has.is_some_and(|has| Pattern::gfx(wanted).is_ok_and(|pattern| pattern.matches(has)))
        });
        let fact = |(name, wanted): (&String, &String)| {
            let has = environment.stack.get(name);
            has.is_some_and(|has| Pattern::new(wanted).is_ok_and(|pattern| pattern.matches(has)))
        };
        gfx && self.stack.iter().all(fact)
    }

    /// What it is for and the host is not: `kernel 6.2 (here 6.8.0)`.
    fn scope_against(&self, environment: &Environment) -> String {
        let gfx = self.gfx.iter().map(|wanted| ("gfx", wanted, environment.machine.get("gfx")));
        let facts = self.stack.iter().map(|(name, wanted)| (name.as_str(), wanted, environment.stack.get(name)));
        let words = gfx
            .chain(facts)
            .map(|(name, wanted, has)| format!("{name} {wanted} (here {})", has.map_or("not read", String::as_str)));
        words.collect::<Vec<_>>().join(", ")
    }

    fn is_past(&self, today: Date) -> bool {
        self.expires.as_deref().and_then(|day| date(day).ok()).is_some_and(|day| day < today)
    }

    /// Whether the case failed as it is known to: another status or finding is another failure.
    fn explains(&self, case: &CaseRecord) -> bool {
        let known = |name: &String| self.findings.is_empty() || self.findings.contains(name);
        self.status == Some(case.status.word()) && names(case).iter().all(known)
    }
}

/// Whether a case was run several times and failed each time.
fn always_fails(case: &CaseRecord) -> bool {
    case.tries.len() > 1 && case.tries.iter().all(|each| each.status.meaning() == Meaning::Failed)
}

/// The baseline that a run makes: its failures, with what the one before said of them, and what that one says of other
/// cases and stacks.
///
/// # Errors
/// It cannot be written as TOML: our bug.
pub fn next_baseline(record: &RunRecord, before: Option<&Baseline>) -> Result<String, toml::ser::Error> {
    let mut file = before.map_or_else(
        || File { schema: SCHEMA.to_owned(), known: Vec::new(), flaky: Vec::new(), skip: Vec::new() },
        |before| before.file.clone(),
    );
    for case in &record.cases {
        let environment = case.environment.as_ref().or(record.environment.as_ref()).cloned().unwrap_or_default();
        let meaning = case.status.meaning();
        if !matches!(meaning, Meaning::Failed | Meaning::AsExpected | Meaning::Better) {
            continue;
        }
        let speaks = |entry: &Entry| entry.case == case.id && entry.holds_on(&environment);
        let old = file.known.iter().find(|entry| speaks(entry)).cloned();
        file.known.retain(|entry| !speaks(entry));
        // What is known to be flaky stays so after a pass.
        let flaky = file.flaky.iter().any(|entry| entry.names(&case.id) && entry.holds_on(&environment));
        if meaning == Meaning::Failed && !flaky {
            let entry = entry(case, &environment, old);
            if case.status == Status::Flaky { file.flaky.push(entry) } else { file.known.push(entry) }
        }
    }
    let head = format!(
        "# Baseline of run {}: what failed there. `validate run --baseline FILE` takes these failures as known.\n",
        record.run.id
    );
    Ok(head + &toml::to_string(&file)?)
}

fn entry(case: &CaseRecord, environment: &Environment, old: Option<Entry>) -> Entry {
    let fact = |name: &str| {
        // A worker may say anything, and a pattern that is none would spoil the file.
        let value = environment.stack.get(name).filter(|value| Pattern::new(value).is_ok())?;
        Some((name.to_owned(), value.clone()))
    };
    let loaded = case.loaded.contains_key(LOADED).then_some(LOADED);
    let (reason, issue, expires) = match old {
        Some(old) => (old.reason, old.issue, old.expires),
        None => (UNEXPLAINED.to_owned(), None, None),
    };
    let is_flaky = case.status == Status::Flaky;
    Entry {
        case: case.id.clone(),
        status: (!is_flaky).then(|| case.status.word()),
        findings: if is_flaky { Vec::new() } else { names(case) },
        gfx: environment.machine.get("gfx").cloned().filter(|gfx| Pattern::gfx(gfx).is_ok()),
        reason,
        issue,
        expires,
        stack: SCOPE.into_iter().chain(loaded).filter_map(fact).collect(),
    }
}

/// Names of the findings that made a case fail, each once.
fn names(case: &CaseRecord) -> Vec<String> {
    let checks = case.findings.iter().filter(|check| !check.as_expected);
    let unmet = checks.flat_map(|check| {
        let unmet = check.findings.iter().filter(|finding| finding.judgement() == Judgement::Unmet);
        unmet.map(|finding| format!("{} [{}]", check.check, finding.id()))
    });
    let all: std::collections::BTreeSet<String> = unmet.collect();
    all.into_iter().collect()
}

fn date(text: &str) -> Result<Date, String> {
    text.parse().map_err(|_| format!("{:?} is not a day like 2027-03-31", text.chars().take(40).collect::<String>()))
}

/// The parser's message with its line, and the name that may have been meant.
fn explained(error: &toml::de::Error) -> String {
    let text = error.to_string();
    let unknown = error.message().strip_prefix("unknown field `").and_then(|rest| rest.split_once('`'));
    let near = unknown.and_then(|(word, rest)| nearest(word, rest.split('`').skip(1).step_by(2)));
    let hint = near.map_or_else(String::new, |near| format!("did you mean `{near}`?"));
    // It quotes the line, which may hold anything.
    let text: String = text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect();
    format!("{}\n{hint}", text.trim_end()).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-21T10:00:00Z";

    fn environment(gfx: &str, tool: &str) -> Environment {
        let map = |key: &str, value: &str| [(key.to_owned(), value.to_owned())].into();
        Environment { machine: map("gfx", gfx), stack: map("amd-smi", tool) }
    }

    fn baseline(entries: &str) -> Baseline {
        Baseline::parse(&format!("schema = '{SCHEMA}'\n{entries}"), NOW).unwrap()
    }

    #[test]
    fn an_entry_holds_for_its_cases_its_gfx_and_its_stack_until_its_day() {
        for (entry, gfx, tool, holds) in [
            ("case = 'a'", "gfx942", "26.2.1", true),
            ("case = 'b'", "gfx942", "26.2.1", false),
            ("case = '*'", "gfx942", "26.2.1", true),
            ("case = 'a'\ngfx = 'gfx942'", "gfx942", "26.2.1", true),
            ("case = 'a'\ngfx = 'gfx103x'", "gfx1030", "26.2.1", true),
            ("case = 'a'\ngfx = 'gfx103x'", "gfx942", "26.2.1", false),
            ("case = 'a'\nstack = { amd-smi = '26.*' }", "gfx942", "26.2.1", true),
            ("case = 'a'\nstack = { amd-smi = '27.*' }", "gfx942", "26.2.1", false),
            ("case = 'a'\nstack = { driver = '*' }", "gfx942", "26.2.1", false),
            ("case = 'a'\nexpires = '2026-11-21'", "gfx942", "26.2.1", true),
            ("case = 'a'\nexpires = '2026-11-20'", "gfx942", "26.2.1", false),
        ] {
            let found = baseline(&format!("[[skip]]\nreason = 'x'\n{entry}"));
            assert_eq!(found.skips("a", &environment(gfx, tool)).is_some(), holds, "{entry} on {gfx}, {tool}");
        }
    }

    /// A case that came out so each time, with a finding that nobody expected.
    fn case(statuses: &[&str]) -> CaseRecord {
        let tries: Vec<_> =
            statuses.iter().map(|status| serde_json::json!({ "status": status, "duration": 1.0 })).collect();
        let check = serde_json::json!({ "check": "devices.count", "as_expected": false, "gaps": [], "findings": [{
            "id": "one-short", "judgement": "unmet", "subject": "s", "expected": "e", "observed": "o", "source": "x",
            "confidence": "certain" }] });
        let text = serde_json::json!({ "id": "a", "title": "", "why": "", "source": "", "status": statuses[0],
            "findings": [check], "duration": 1.0, "tries": tries });
        serde_json::from_value(text).unwrap()
    }

    #[test]
    fn what_a_run_shows_of_an_entry_is_told_and_what_always_fails_is_no_flake() {
        let flaky = "[[flaky]]\ncase = 'a'\nreason = 'x'\n";
        let known = "[[known]]\ncase = 'a'\nstatus = 'fail'\nreason = 'x'\nfindings = ['devices.count [one-short]'";
        for (entries, statuses, known, told) in [
            (flaky, &["fail"][..], true, None),
            (flaky, &["flaky", "pass", "fail"], true, None),
            (flaky, &["fail", "fail"], false, Some("[[flaky]] a: a failed 2 of 2 times, which is no flake")),
            (&format!("{known}]"), &["fail"], true, None),
            (
                &format!("{known}, 'devices.ids [gone]']"),
                &["fail"],
                true,
                Some("[[known]] a: of a no longer came: devices.ids [gone]"),
            ),
            (
                &format!("{known}]\nstack = {{ amd-smi = '26.2' }}"),
                &["fail"],
                false,
                Some("[[known]] a: it is for amd-smi 26.2 (here 26.2.1), and excuses nothing here"),
            ),
        ] {
            let (found, environment) = (baseline(entries), environment("gfx942", "26.2.1"));
            let mut case = case(statuses);
            case.known = found.knows(&case, &environment);
            assert_eq!(case.known.is_some(), known, "{entries} {statuses:?}");
            let all = found.contradicted(&[(&case, &environment)]);
            assert_eq!(all, told.map(str::to_owned).into_iter().collect::<Vec<_>>(), "{entries} {statuses:?}");
        }
    }

    #[test]
    fn entries_that_do_nothing_are_told_with_the_nearest_case() {
        let entries = "[[known]]\ncase = 'partition/mods'\nstatus = 'fail'\nreason = 'x'\n\
                       [[skip]]\ncase = 'b'\nreason = 'x'\nexpires = '2020-01-01'\n[[flaky]]\ncase = 'partition/*'\nreason = 'x'";
        assert_eq!(
            baseline(entries).idle(&["partition/modes", "b"]),
            [
                "[[known]] partition/mods: no case is called so; nearest: partition/modes",
                "[[skip]] b: it ended on 2020-01-01 and excuses nothing",
            ]
        );
    }

    #[test]
    fn what_is_no_baseline_is_refused_with_the_reason() {
        for (text, part) in [
            ("", "missing field `schema`"),
            ("schema = 'rocvet.baseline/2'", "this program reads"),
            ("schema = 'rocvet.baseline/1'\n[[knwon]]", "did you mean `known`?"),
            ("schema = 'rocvet.baseline/1'\n[[skip]]\ncase = 'a'\nresaon = 'x'", "did you mean `reason`?"),
            ("schema = 'rocvet.baseline/1'\n[[skip]]\ncase = 'a'", "missing field `reason`"),
            ("schema = 'rocvet.baseline/1'\n[[skip]]\ncase = 'a'\nreason = ' '", "must not be empty"),
            ("schema = 'rocvet.baseline/1'\n[[known]]\ncase = 'a'\nreason = 'x'", "`status` is missing"),
            ("schema = 'rocvet.baseline/1'\n[[known]]\ncase = 'a'\nreason = 'x'\nstatus = 'pass'", "is no failure"),
            (
                "schema = 'rocvet.baseline/1'\n[[known]]\ncase = 'a'\nreason = 'x'\nstatus = 'not-evaluated'",
                "is no failure",
            ),
            ("schema = 'rocvet.baseline/1'\n[[flaky]]\ncase = 'a'\nreason = 'x'\nstatus = 'fail'", "of [[known]] only"),
            ("schema = 'rocvet.baseline/1'\n[[skip]]\ncase = \"a\\u001b[2J\"\nreason = 'x'", "a control character"),
            ("schema = 'rocvet.baseline/1'\n[[skip]]\ncase = 'a'\nreason = \"x\\n\"", "a control character"),
            ("schema = 'rocvet.baseline/1'\n[[skip]]\ncase = 'a'\ncase = 'b'\nreason = 'x'", "duplicate key"),
            ("schema = 'rocvet.baseline/1'\nschema = 1e400", "duplicate key"),
            ("schema = nan", "expected a string"),
            ("schema = '\u{1b}[2J'", "TOML parse error at line 1, column 11"),
            ("schema = 'rocvet.baseline/1'\n[[skip]]\ncase = 'a'\nreason = 'x'\nexpires = 'soon'", "not a day"),
        ] {
            let error = Baseline::parse(text, NOW).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
            assert!(!error.chars().any(|c| c.is_control() && c != '\n'), "{error:?}");
        }
        for deep in ["[".repeat(100_000), format!("schema = {}", "[".repeat(100_000)), "a.".repeat(100_000)] {
            assert!(Baseline::parse(&deep, NOW).is_err(), "{deep:.40}");
        }
    }
}

//! The rules of ARCHITECTURE.md, as tests: who may import whom, how long a file may be, and that every path named
//! in the documents exists.

#![allow(clippy::panic, reason = "a test may stop at what is wrong")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Each module with the modules of this crate that it may use. A module that is not listed fails the test.
const MAY_USE: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("facts", &["domain"]),
    ("sim", &["domain", "facts"]),
    ("witness", &["domain", "facts"]),
    ("scenario", &["domain", "facts", "probe", "sim", "witness"]),
    ("likeness", &["domain", "facts", "sim", "topology", "witness"]),
    ("plan", &["domain", "facts", "probe", "scenario", "sim"]),
    ("process", &["domain"]),
    ("filelock", &[]),
    ("document", &[]),
    ("quarantine", &["domain", "witness"]),
    ("pseudonym", &[]),
    ("journal", &["witness"]),
    ("host", &["domain", "filelock", "process", "pseudonym", "sim", "witness"]),
    ("probe", &["domain", "facts", "process", "quarantine", "sim", "topology", "witness"]),
    ("shrink", &["domain", "facts", "probe"]),
    ("matrix", &["document", "domain", "facts", "probe", "sim", "tuning"]),
    ("topology", &["domain", "facts", "witness"]),
    ("tuning", &["domain", "facts", "topology", "witness"]),
    ("doctor", &["domain", "facts", "topology", "tuning", "witness"]),
    ("partition", &["domain", "facts", "topology", "witness"]),
    ("placement", &["domain", "facts", "topology", "witness"]),
    ("ledger", &["domain", "filelock", "placement", "witness"]),
    ("check", &["domain", "facts", "topology", "tuning", "witness"]),
    (
        "run",
        &[
            "check", "document", "domain", "facts", "host", "journal", "matrix", "plan", "probe", "process",
            "scenario", "sim", "topology", "witness",
        ],
    ),
    ("change", &["domain", "facts", "host", "partition", "process", "topology", "witness"]),
    ("compare", &["check", "domain", "run", "scenario"]),
    ("report", &["check", "compare", "domain", "facts", "matrix", "run"]),
    ("bundle", &["check", "domain", "matrix", "probe", "pseudonym", "run", "shrink"]),
    (
        "cli",
        &[
            "bundle",
            "change",
            "check",
            "compare",
            "doctor",
            "document",
            "domain",
            "facts",
            "host",
            "journal",
            "ledger",
            "likeness",
            "matrix",
            "partition",
            "placement",
            "plan",
            "probe",
            "process",
            "quarantine",
            "report",
            "run",
            "scenario",
            "shrink",
            "sim",
            "topology",
            "tuning",
            "witness",
        ],
    ),
];

/// Modules that touch no files, clocks, environment or processes.
const PURE: &[&str] = &[
    "bundle",
    "compare",
    "doctor",
    "document",
    "domain",
    "facts",
    "likeness",
    "sim",
    "plan",
    "topology",
    "tuning",
    "partition",
    "placement",
    "pseudonym",
    "check",
    "report",
    "matrix",
    "shrink",
];

/// Parts of the other modules that touch none either.
const PURE_PARTS: &[&str] = &[
    "src/probe/capacity.rs",
    "src/probe/catalogue.rs",
    "src/probe/classify",
    "src/probe/engine/reference",
    "src/probe/judge",
    "src/probe/judgement.rs",
    "src/probe/loaded.rs",
    "src/probe/memory",
    "src/probe/oracles.rs",
    "src/probe/protocol",
    "src/probe/soak.rs",
    "src/probe/spec",
    "src/probe/tensor.rs",
];

/// What a pure module must not name.
const IMPURE: &[&str] = &["std::fs", "std::process", "std::env::", "Instant::now", "SystemTime", "std::net"];

/// Lines after which nobody reads a file whole.
const LONGEST: usize = 800;

#[test]
fn modules_use_only_the_modules_below_them() {
    let table: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    let mut wrong = Vec::new();
    for file in sources("src") {
        let Some(module) = module_of(&file) else { continue };
        let Some(allowed) = table.get(module.as_str()) else {
            wrong.push(format!("{}: module {module} is not in the table", file.display()));
            continue;
        };
        for used in used_modules(&production(&read(&file))) {
            if used != module && !allowed.contains(&used.as_str()) {
                wrong.push(format!("{}: {module} uses {used}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn pure_modules_name_no_file_clock_environment_or_process() {
    let missing: Vec<_> = PURE_PARTS.iter().filter(|part| !root().join(part).exists()).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let mut wrong = Vec::new();
    for file in sources("src") {
        let below = file.strip_prefix(root()).unwrap_or(&file);
        let part = PURE_PARTS.iter().any(|part| below.starts_with(part) || below.with_extension("") == Path::new(part));
        if !part && !module_of(&file).is_some_and(|module| PURE.contains(&module.as_str())) {
            continue;
        }
        let text = production(&read(&file));
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if let Some(name) = IMPURE.iter().find(|name| code.contains(*name)) {
                wrong.push(format!("{}:{}: names {name}", file.display(), number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn who_watches_and_classifies_a_worker_knows_nothing_of_what_was_planted_in_it() {
    let mut wrong = Vec::new();
    for part in ["supervise", "classify", "protocol", "fallback.rs", "verdict.rs"] {
        let files = sources(&format!("src/probe/{part}"));
        assert!(!files.is_empty(), "src/probe/{part} has no sources");
        for file in files {
            let text = production(&read(&file));
            let named = ["sim::", "simulated", "engine::"].into_iter().find(|name| code(&text).contains(name));
            wrong.extend(named.map(|name| format!("{}: names {name}", file.display())));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Source text without its comments.
fn code(text: &str) -> String {
    text.lines().filter_map(|line| line.split("//").next()).collect::<Vec<_>>().join("\n")
}

#[test]
fn libtorch_is_named_by_its_worker_alone() {
    let worker = root().join("src/bin/probe-torch");
    let names = |file: &Path| {
        let text = code(&read(file));
        let another = |c: char| c.is_ascii_alphanumeric() || c == '_';
        text.match_indices("tch::").any(|(at, _)| !text[..at].ends_with(another))
    };
    assert!(sources("src/bin/probe-torch").iter().any(|file| names(file)), "this test looks for the wrong name");
    let all = ["src", "tests", "benches"].iter().flat_map(|folder| sources(folder));
    let wrong: Vec<_> =
        all.filter(|file| !file.starts_with(&worker) && !file.ends_with("architecture.rs") && names(file)).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn no_source_file_is_too_long_to_read() {
    let long: Vec<String> = ["src", "tests", "benches"]
        .iter()
        .flat_map(|folder| sources(folder))
        .map(|file| (read(&file).lines().count(), file))
        .filter(|(lines, _)| *lines > LONGEST)
        .map(|(lines, file)| format!("{}: {lines} lines", file.display()))
        .collect();
    assert!(long.is_empty(), "over {LONGEST} lines:\n{}", long.join("\n"));
}

#[test]
fn every_path_that_the_documents_name_exists() {
    let folders = ["src/", "tests/", "scenarios/", "scripts/", "snapshots/", "benches/", "fuzz/", "results/"];
    let mut missing = Vec::new();
    for document in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"] {
        let text = read(&root().join(document));
        for word in text.split(|c: char| c.is_whitespace() || "`()<>,;\"'".contains(c)) {
            let word = word.trim_end_matches(['.', ':']);
            let pattern = word.contains(['*', '{', '<', '…', '$']) || word.contains("NAME") || word.contains("run-id");
            if folders.iter().any(|folder| word.starts_with(folder)) && !pattern && !root().join(word).exists() {
                missing.push(format!("{document}: {word}"));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn every_fact_document_that_is_cited_is_here() {
    let mut missing = Vec::new();
    let texts = ["src", "scenarios"].iter().flat_map(|folder| files(folder, &["rs", "toml"]));
    for file in texts {
        for (at, _) in read(&file).match_indices("facts/") {
            let text = read(&file);
            let name: String =
                text[at..].chars().take_while(|c| c.is_ascii_alphanumeric() || "/-_.".contains(*c)).collect();
            let before = text[..at].chars().next_back();
            let whole = before.is_none_or(|c| !c.is_ascii_alphanumeric() && c != '/');
            if whole && name.ends_with(".md") && !root().join(&name).exists() {
                missing.push(format!("{}: {name}", file.display()));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn the_rules_see_what_breaks_them() {
    assert_eq!(used_modules("use crate::{domain::Bytes, facts};\nuse crate::sim::View;"), ["domain", "facts", "sim"]);
    assert_eq!(production("a\n#[cfg(test)]\nmod tests {\n use crate::cli;\n}\n"), "a\n");
}

/// Source text up to its unit tests, which may use what they like.
fn production(text: &str) -> String {
    let end = text.find("#[cfg(test)]\nmod ").unwrap_or(text.len());
    text[..end].to_owned()
}

fn used_modules(text: &str) -> Vec<String> {
    let mut used = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        let names: Vec<&str> = match rest.strip_prefix('{') {
            Some(list) => list.split('}').next().unwrap_or_default().split(',').collect(),
            None => vec![rest],
        };
        for name in names {
            let name: String = name.trim().chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
            if MAY_USE.iter().any(|(module, _)| *module == name) {
                used.push(name);
            }
        }
    }
    used
}

/// `src/check/mod.rs` and `src/check.rs` are of module `check`; `src/lib.rs` and `src/main.rs` of none.
fn module_of(file: &Path) -> Option<String> {
    let below = file.strip_prefix(root().join("src")).ok()?;
    let first = below.components().next()?.as_os_str().to_str()?;
    let name = first.trim_end_matches(".rs");
    (!["lib", "main", "bin"].contains(&name)).then(|| name.to_owned())
}

fn sources(folder: &str) -> Vec<PathBuf> {
    files(folder, &["rs"])
}

fn files(folder: &str, ends: &[&str]) -> Vec<PathBuf> {
    walkdir::WalkDir::new(root().join(folder))
        .into_iter()
        .filter_map(Result::ok)
        .map(walkdir::DirEntry::into_path)
        .filter(|path| path.extension().is_some_and(|end| ends.iter().any(|wanted| end == *wanted)))
        .collect()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

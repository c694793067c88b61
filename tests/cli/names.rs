//! Commands that answer a question: help, list, explain, schema, completions, man.

use super::support::{Bench, COUNT, scenario, snapshot};

const COMMANDS: [&str; 11] =
    ["run", "list", "explain", "schema", "shim", "record", "diff", "bundle", "shrink", "completions", "man"];

#[test]
fn help_is_reviewed_text() {
    let bench = Bench::new();
    snapshot("help", &bench.must(&["--help"]));
    for command in COMMANDS {
        let help = bench.must(&[command, "--help"]);
        assert!(help.contains("Exit codes"), "{command}: no exit codes");
        assert!(help.contains("Example"), "{command}: no example");
        snapshot(&format!("help-{command}"), &help);
    }
}

#[test]
fn examples_of_help_are_commands_that_the_program_reads() {
    let bench = Bench::new();
    for command in COMMANDS {
        let help = bench.must(&[command, "--help"]);
        let examples = help.lines().filter_map(|line| line.trim().strip_prefix("validate "));
        for example in examples.filter(|line| !line.contains('[')) {
            let line = example.split("   ").next().unwrap();
            let line = line.split([';', '>']).next().unwrap().split(" | ").next().unwrap();
            let words: Vec<String> = line
                .split('\'')
                .enumerate()
                .flat_map(|(at, part)| match at % 2 {
                    1 => vec![part.to_owned()],
                    _ => part.split_whitespace().map(str::to_owned).collect(),
                })
                .collect();
            // With --help after it every option is read, and nothing is done.
            let words: Vec<&str> = words.iter().map(String::as_str).chain(["--help"]).collect();
            assert_eq!(bench.run(&words).code, 0, "{words:?}");
        }
    }
}

#[test]
fn list_narrows_parts_and_orders_as_run_does() {
    let bench = Bench::new();
    let lines = |args: &[&str]| -> Vec<String> {
        let args: Vec<&str> = ["list"].iter().chain(args).copied().collect();
        bench.must(&args).lines().map(str::to_owned).collect()
    };
    let all = lines(&[]);
    assert!(all.len() >= 120, "{}", all.len());
    let memory = lines(&["-E", "check(memory.per-device)"]);
    assert!(!memory.is_empty() && memory.len() < all.len() && memory.iter().all(|id| all.contains(id)));
    let mut parts: Vec<String> = (1..=3).flat_map(|part| lines(&["--shard", &format!("hash:{part}/3")])).collect();
    parts.sort();
    let mut sorted = all.clone();
    sorted.sort();
    assert_eq!(parts, sorted, "the shards together are the whole");
    let shuffled = lines(&["--shuffle", "7"]);
    assert_eq!(shuffled, lines(&["--shuffle", "7"]));
    assert_ne!(shuffled, all);
    assert_ne!(shuffled, lines(&["--shuffle", "8"]));
    let document: serde_json::Value = serde_json::from_str(&bench.must(&["list", "--format", "json"])).unwrap();
    assert_eq!(document["cases"].as_array().map(Vec::len), Some(all.len()));
    let table = bench.must(&["list", "-E", "id(contradictions/48-vs-24)", "--format", "human"]);
    let table = regex::Regex::new(r"not selected: \d+").unwrap().replace(&table, "not selected: N");
    snapshot("list-human", &table);
}

#[test]
fn a_schema_admits_what_the_program_reads_and_nothing_else() {
    let bench = Bench::new();
    bench.write("good.toml", scenario(&[], COUNT));
    let shipped = include_str!("../../scenarios/machines/mi300x.toml");
    let machine =
        "name = 'x'\npart = 'mi300x'\ngpus = 2\ncompute = 'CPX'\nmemory = 'NPS4'\nfaults = ['hang']\n[quirks]\n";
    for (schema, text, good) in [
        ("scenario", scenario(&[], COUNT), true),
        ("scenario", scenario(&[], COUNT).replace("why", "wyh"), false),
        ("machine", shipped.to_owned(), true),
        ("machine", machine.to_owned(), true),
        ("machine", machine.replace("gpus = 2", "gpus = 9"), false),
        ("machine", machine.replace("part", "prat"), false),
        ("machine", machine.replace("'CPX'", "'XPX'"), false),
        ("machine", machine.replace("['hang']", "'hang'"), false),
        ("machine", machine.replace("gpus = 2", "amd-smi = '26'"), false),
    ] {
        let document = serde_json::from_str(&bench.must(&["schema", schema])).unwrap();
        let validator = jsonschema::validator_for(&document).unwrap();
        let value: serde_json::Value =
            toml::from_str::<toml::Table>(&text).map(|table| serde_json::to_value(table).unwrap()).unwrap();
        assert_eq!(validator.is_valid(&value), good, "{schema}: {text}");
    }
}

#[test]
fn explain_answers_for_every_kind_of_id() {
    let bench = Bench::new();
    for (id, parts) in [
        ("memory.per-device", ["What", "memory.per-device.kfd-differs"]),
        ("devices.count.one-short", ["What to do", "ast"]),
        ("contradiction.48-vs-24", ["Source", "facts/partitions.md"]),
        ("fact.mode.mi300x", ["fact.mode.mi300x.cpx-nps4", "fact.mode.mi300x.spx-nps1"]),
        ("amdsmi#99", ["bug.", "What to do"]),
    ] {
        let text = bench.must(&["explain", id]);
        for part in parts {
            assert!(text.contains(part), "{id}: {part:?} is not in\n{text}");
        }
        assert!(!text.contains('\u{1b}'), "{id}: colour in a pipe");
    }
    snapshot("explain-check", &bench.must(&["explain", "memory.per-device"]));
    let every = bench.must(&["explain"]);
    for id in every.lines().filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next()).step_by(17) {
        bench.must(&["explain", id]);
    }
    let document: serde_json::Value = serde_json::from_str(&bench.must(&["explain", "--format", "json"])).unwrap();
    assert_eq!(document["schema"], 1);
}

#[test]
fn completions_and_manual_pages_know_the_commands() {
    let bench = Bench::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = bench.must(&["completions", shell]);
        assert!(COMMANDS.iter().all(|command| script.contains(command)), "{shell}");
    }
    let page = bench.must(&["man"]);
    assert!(page.starts_with(".ie") && page.contains(".TH validate 1"), "{page}");
    for command in COMMANDS {
        assert!(page.contains(&format!("validate\\-{command}")), "{command}");
        assert!(bench.must(&["man", command]).contains("Exit codes"), "{command}");
    }
}

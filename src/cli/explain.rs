//! `validate explain`: any fact, bug, contradiction or check, with its source.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use clap::{Args, ValueEnum};

use crate::facts::{Entry, Lookup, entries, lookup, parameters};
use crate::report::wrap::hanging;
use crate::tuning::bootloader_lines;

/// Explains a fact, a known bug, a contradiction between documents, or a check.
#[derive(Debug, Clone, Args)]
pub struct ExplainArgs {
    /// Which: an id (`contradiction.48-vs-24`), the beginning of one (`fact.mode.mi300x`), or an upstream issue
    /// (`amdsmi#100`). Without it, every id is listed.
    pub id: Option<String>,

    /// Text for people, or JSON.
    #[arg(long, value_enum, default_value_t = ExplainFormat::Human)]
    pub format: ExplainFormat,
}

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExplainFormat {
    /// Text, with colour.
    Human,
    /// `{"schema": 1, "entries": […]}`.
    Json,
}

/// No entry has this id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("nothing is called {id:?}{hint}; `validate explain` lists every id")]
pub struct UnknownId {
    id: String,
    hint: String,
}

/// The answer, with ANSI colour in human text: print it through `anstream`, which takes the colour away where the output
/// is no terminal or `NO_COLOR` is set. `extra` are the entries of the checks.
///
/// # Errors
/// No entry has this id; the message names the nearest one.
pub fn explain(args: &ExplainArgs, extra: &[Entry]) -> Result<String, UnknownId> {
    let Some(id) = &args.id else {
        let all: Vec<_> = entries().iter().chain(extra).collect();
        return Ok(match args.format {
            ExplainFormat::Human => listing(&all),
            ExplainFormat::Json => json(&all),
        });
    };
    let found = match lookup(id, extra) {
        Lookup::One(entry) => vec![entry],
        Lookup::Group(group) => group,
        Lookup::Unknown { nearest } => {
            let hint = nearest.map(|nearest| format!(" (nearest: {nearest})")).unwrap_or_default();
            return Err(UnknownId { id: id.chars().take(100).collect(), hint });
        }
    };
    Ok(match (args.format, found.as_slice()) {
        (ExplainFormat::Json, found) => json(found),
        (ExplainFormat::Human, [one]) => page(one),
        (ExplainFormat::Human, several) => listing(several),
    })
}

const TITLE: Style = Style::new().bold();
const LABEL: Style = AnsiColor::Cyan.on_default();

/// Columns of a page; narrow enough for half a screen and for mail.
const WIDTH: usize = 100;

/// Columns of the labels.
const INDENT: usize = 12;

fn page(entry: &Entry) -> String {
    let mut out = format!("{TITLE}{}{TITLE:#}\n{}\n\n", entry.id, entry.title);
    let source = format!("{} ({})", entry.source.cite, entry.source.confidence);
    let see = entry.see.join(", ");
    for (label, text) in [
        ("What", &entry.what),
        ("Why", &entry.why),
        ("What to do", &entry.what_to_do),
        ("Source", &source),
        ("See", &see),
    ] {
        if !text.is_empty() {
            let head = format!("{LABEL}{label:<INDENT$}{LABEL:#}");
            let _ = writeln!(out, "{}", hanging(&head, INDENT, text, Some(WIDTH)));
        }
    }
    if let Some(parameter) = parameters().iter().find(|each| each.entry_id() == entry.id) {
        // Lines to paste are not wrapped.
        let lines = bootloader_lines(&[(parameter.name.clone(), "VALUE".to_owned())].into(), "rocvet");
        let _ = write!(out, "\n{LABEL}To set it{LABEL:#} (nothing here writes to a bootloader)\n{lines}");
    }
    out
}

fn listing(entries: &[&Entry]) -> String {
    let width = entries.iter().map(|entry| entry.id.len()).max().unwrap_or(0);
    let mut groups: Vec<(&str, String)> = Vec::new();
    for entry in entries {
        let at = groups.iter().position(|(name, _)| *name == entry.group()).unwrap_or_else(|| {
            groups.push((entry.group(), String::new()));
            groups.len() - 1
        });
        let _ = writeln!(groups[at].1, "  {LABEL}{:<width$}{LABEL:#}  {}", entry.id, entry.title);
    }
    let pages: Vec<_> = groups.iter().map(|(name, lines)| format!("{TITLE}{name}{TITLE:#}\n{lines}")).collect();
    pages.join("\n")
}

fn json(entries: &[&Entry]) -> String {
    let document = serde_json::json!({ "schema": 1, "entries": entries });
    format!("{document:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Confidence, Source};

    fn answer(id: Option<&str>, format: ExplainFormat, extra: &[Entry]) -> Result<String, UnknownId> {
        explain(&ExplainArgs { id: id.map(str::to_owned), format }, extra)
    }

    /// What a terminal without colour shows.
    fn plain(id: &str) -> String {
        let text = answer(Some(id), ExplainFormat::Human, &[]).unwrap();
        anstream::adapter::strip_str(&text).to_string()
    }

    #[test]
    fn a_fact_is_a_page_with_its_source_and_confidence() {
        insta::assert_snapshot!(plain("contradiction.mi325x-nps2"), @r"
        contradiction.mi325x-nps2
        MI325X has SPX/NPS1 only (AMD's guide), or also NPS2/DPX (gpu-operator's recipe).

        What        The claim is open. The documents conflict, and no list of what MI325X firmware offers
                    was found.
        Why         ADOC index.rst @14a89b8 says NA; a gpu-operator RVS recipe lists NPS2 with DPX.
        What to do  Read available_memory_partition on the machine; record it.
        Source      facts/partitions.md 2.3 (uncertain)
        See         fact.mode.mi325x.dpx-nps2
        ");
    }

    #[test]
    fn no_line_of_a_page_is_longer_than_its_longest_word_needs() {
        for entry in entries() {
            let page = plain(&entry.id);
            let (text, pasted) = page.split_once("\nTo set it").unwrap_or((&page, ""));
            assert_eq!(pasted.is_empty(), !entry.id.starts_with("param."), "{}", entry.id);
            for line in text.lines().skip(2) {
                let word = line.split_whitespace().map(|word| word.chars().count()).max().unwrap_or(0);
                assert!(line.chars().count() <= WIDTH.max(INDENT + word), "{}: {line}", entry.id);
            }
        }
    }

    #[test]
    fn the_beginning_of_an_id_lists_all_of_them() {
        let text = plain("fact.mode.mi308x");
        assert_eq!(text.lines().count(), 6, "{text}");
        assert!(text.starts_with("fact.mode\n  fact.mode.mi308x.spx-nps1  SPX/NPS1 on MI308X\n"), "{text}");
    }

    #[test]
    fn without_an_id_every_id_is_listed_under_its_group() {
        let text = answer(None, ExplainFormat::Human, &[]).unwrap();
        let text = anstream::adapter::strip_str(&text).to_string();
        for entry in entries() {
            assert!(text.contains(&format!("\n  {} ", entry.id)), "{}", entry.id);
        }
        let groups: Vec<_> = text.lines().filter(|line| !line.is_empty() && !line.starts_with(' ')).collect();
        let mut distinct = groups.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(groups.len(), distinct.len(), "each group once: {groups:?}");
    }

    #[test]
    fn an_unknown_id_names_the_nearest() {
        let message = answer(Some("contradiction.tpx-futur"), ExplainFormat::Human, &[]).unwrap_err().to_string();
        let expected = "nothing is called \"contradiction.tpx-futur\" (nearest: contradiction.tpx-future); \
                        `validate explain` lists every id";
        assert_eq!(message, expected);
        let message = answer(Some("qqqq"), ExplainFormat::Json, &[]).unwrap_err().to_string();
        assert_eq!(message, "nothing is called \"qqqq\"; `validate explain` lists every id");
    }

    #[test]
    fn json_gives_the_same_entries_with_a_schema() {
        let source = Source { cite: "here".into(), confidence: Confidence::Likely };
        let check = Entry {
            id: "memory.per-device".into(),
            title: "t".into(),
            what: "w".into(),
            why: "y".into(),
            source,
            what_to_do: "d".into(),
            see: vec!["s".into()],
        };
        let text = answer(Some("memory.per-device"), ExplainFormat::Json, &[check]).unwrap();
        let found: serde_json::Value = serde_json::from_str(&text).unwrap();
        let expected = serde_json::json!({"schema": 1, "entries": [{
            "id": "memory.per-device", "title": "t", "what": "w", "why": "y",
            "source": {"cite": "here", "confidence": "likely"}, "what_to_do": "d", "see": ["s"],
        }]});
        assert_eq!(found, expected);
        let all: serde_json::Value = serde_json::from_str(&answer(None, ExplainFormat::Json, &[]).unwrap()).unwrap();
        assert_eq!(all["entries"].as_array().map(Vec::len), Some(entries().len()));
    }
}

//! The first page of an archive. What comes from a run stands in indented blocks, where Markdown means nothing.

use std::fmt::Write as _;

use crate::domain::Provenance;
use crate::shrink::{Reproducer, reproducer};

use super::summary::{Failed, Summary};

/// Cases that are told in full.
const IN_FULL: usize = 20;

/// Lines of one kind.
const LINES: usize = 24;

/// Characters of a line.
const LINE: usize = 400;

/// Scripts of one case.
const SCRIPTS: usize = 2;

/// `README.md`, before anything is taken out of it.
pub(super) fn readme(summary: &Summary) -> String {
    let Summary { id, provenance, head, cases, failed, others, versions } = summary;
    let mut page = format!("# What failed in run {}\n\n", line(id));
    match provenance {
        Provenance::Hardware => {}
        Provenance::Simulated => page.push_str("**On a simulated machine: no hardware was involved.**\n\n"),
        Provenance::Recorded => page.push_str("**On a recording of a machine, and not on the machine itself.**\n\n"),
    }
    let _ = match failed.len() {
        0 => writeln!(page, "Nothing failed, of {cases} cases.\n"),
        failed => writeln!(page, "{failed} of {cases} cases failed.\n"),
    };
    for (name, text) in head {
        row(&mut page, name, text);
    }
    page.push_str(
        "\nSerial numbers, UUIDs, names and addresses are replaced by pseudonyms, the same everywhere. `left-out.txt` says what \
         else was left out.\n",
    );
    for (number, each) in failed.iter().take(IN_FULL).enumerate() {
        case(&mut page, number + 1, each);
    }
    if failed.len() > IN_FULL {
        page.push_str("\n## What failed beside\n\n");
        let others: Vec<_> = failed[IN_FULL..].iter().map(|each| (each.id.clone(), each.status.clone())).collect();
        list(&mut page, &others);
    }
    if !others.is_empty() {
        page.push_str("\n## What came to no verdict, or to a better one\n\n");
        list(&mut page, others);
    }
    page.push_str("\n## Versions, and what it ran on\n\n");
    if versions.is_empty() {
        page.push_str("    The record says nothing of it.\n");
    }
    versions.iter().take(200).for_each(|(name, value)| row(&mut page, name, value));
    page
}

fn case(page: &mut String, number: usize, failed: &Failed) {
    let Failed { id, status, times: (bad, tried), facts, lines, again, evidence, probes } = failed;
    let _ = writeln!(page, "\n## {number}. {}\n", line(id).replace('`', "'"));
    row(page, "status", &format!("{status}, {bad} of {tried} times"));
    facts.iter().for_each(|(name, text)| row(page, name, text));
    row(page, "again", again);
    if let Some(evidence) = evidence {
        row(page, "evidence", &format!("{evidence}/"));
    }
    if !lines.is_empty() {
        page.push('\n');
        lines.iter().take(LINES).for_each(|text| row(page, "", text));
        if lines.len() > LINES {
            row(page, "", &format!("… and {} lines more in the record", lines.len() - LINES));
        }
    }
    for (number, probe) in probes.iter().take(SCRIPTS).enumerate() {
        let Reproducer { kernel, environment, pytorch, miopen_driver } = reproducer(probe);
        let _ = writeln!(page, "\n### Without rocvet: {}\n", line(&probe.probe.id()));
        block(page, &kernel);
        block(page, &environment);
        if let Some(driver) = &miopen_driver {
            block(page, &format!("{driver}\n"));
        }
        match &pytorch {
            Ok(script) => block(page, script),
            Err(why) => {
                let _ = writeln!(page, "PyTorch: {why}.");
            }
        }
        if number + 1 == SCRIPTS && probes.len() > SCRIPTS {
            let _ = writeln!(page, "{} probes more failed; the evidence has them.", probes.len() - SCRIPTS);
        }
    }
}

fn list(page: &mut String, all: &[(String, String)]) {
    /// Rows of a list.
    const ROWS: usize = 200;
    all.iter().take(ROWS).for_each(|(name, text)| row(page, text, name));
    if all.len() > ROWS {
        row(page, "", &format!("… and {} more", all.len() - ROWS));
    }
}

fn row(page: &mut String, name: &str, text: &str) {
    let (name, text) = (line(name), line(text));
    let _ = if name.is_empty() { writeln!(page, "    {text}") } else { writeln!(page, "    {name:<18}  {text}") };
}

fn block(page: &mut String, text: &str) {
    if !text.is_empty() {
        text.lines().for_each(|text| {
            let _ = if text.is_empty() { writeln!(page) } else { writeln!(page, "    {text}") };
        });
        page.push('\n');
    }
}

/// A line that is one, and not endless.
fn line(text: &str) -> String {
    let mut made: String = text.chars().take(LINE).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(LINE).is_some() {
        made.push('…');
    }
    made
}

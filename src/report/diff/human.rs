//! `--format human`: counts first, then what is worse with its evidence and next step, then the rest.

use anstyle::AnsiColor;

use crate::compare::{CaseChange, Class, Comparison, Memories, Seen, Timing};
use crate::report::tame::one_line;
use crate::report::wrap::hanging;
use crate::report::{Paper, Style};

use super::{about, advice, amount, counts, grouped, meaning, memory, no_memory, percent, retyped, side_runs, timing};

/// Cases of one reason that are named; the rest are counted.
const NAMED: usize = 8;

/// Fields of amd-smi's JSON that are named.
const FIELDS: usize = 30;

pub(super) fn render(comparison: &Comparison, paper: Paper) -> String {
    let mut page = Page { text: String::new(), paper };
    page.head(comparison);
    for class in Class::ALL {
        page.class(comparison, class);
    }
    page.timings(comparison);
    page.memory(comparison);
    page.facts(comparison);
    page.drift(comparison);
    page.foot(comparison);
    page.text
}

struct Page {
    text: String,
    paper: Paper,
}

impl Page {
    fn line(&mut self, line: impl AsRef<str>) {
        self.text.push_str(line.as_ref());
        self.text.push('\n');
    }

    fn paint(&self, style: anstyle::Style, text: &str) -> String {
        match self.paper.style {
            Style::Plain => text.to_owned(),
            Style::Coloured => format!("{style}{text}{style:#}"),
        }
    }

    fn hanging(&mut self, head: &str, indent: usize, text: &str) {
        self.line(hanging(head, indent, &one_line(text), self.paper.width));
    }

    fn labelled(&mut self, column: usize, label: &str, text: &str) {
        let label = format!("{label:<9}");
        let painted = self.paint(AnsiColor::Cyan.on_default(), &label);
        self.hanging(&format!("{:column$}{painted} ", ""), column + 10, text);
    }

    /// A mark, a word in capitals, then text.
    fn headline(&mut self, class: Class, text: &str) {
        let word = format!("{} {}", class.mark(), class.name().to_uppercase());
        let head = self.paint(color(class).on_default().bold(), &word);
        self.hanging(&format!("{head}  "), word.chars().count() + 2, text);
    }

    fn head(&mut self, comparison: &Comparison) {
        for (side, runs) in [("base", &comparison.sides.base), ("candidate", &comparison.sides.candidate)] {
            for (number, line) in side_runs(runs).iter().enumerate() {
                self.labelled(0, if number == 0 { side } else { "" }, line);
            }
        }
        self.labelled(0, "", &counts(comparison));
        self.line("");
    }

    fn class(&mut self, comparison: &Comparison, class: Class) {
        match class {
            Class::Unchanged => {}
            Class::NotComparable | Class::NotEvaluated | Class::Missing => self.groups(comparison, class),
            Class::Regressed
            | Class::FailsOtherwise
            | Class::NewlyFlaky
            | Class::Flaky
            | Class::StillFailing
            | Class::Fixed => {
                for case in comparison.cases.iter().filter(|case| case.class == class) {
                    self.case(case);
                }
            }
        }
    }

    fn case(&mut self, case: &CaseChange) {
        self.headline(case.class, &case.id);
        self.hanging("    ", 4, &case.title);
        self.hanging("    ", 4, &case.why);
        if let Some(other) = &case.base_id {
            self.labelled(4, "as", &format!("{other} in the base: the same question to another stack"));
        }
        for change in &case.stack {
            self.labelled(4, "machine", &format!("{}: {} -> {}", change.name, change.base, change.candidate));
        }
        let worse = case.class.is_regression();
        self.findings(AnsiColor::Red, "x", "", &case.new, worse);
        self.findings(AnsiColor::Yellow, "•", "as before: ", &case.still, false);
        self.findings(AnsiColor::Green, "✓", "gone: ", &case.gone, false);
        let told = case.new.iter().any(|seen| seen.next.is_some()) && case.class != Class::NewlyFlaky;
        if let (true, Some(advice)) = (worse && !told, advice(case.class)) {
            self.labelled(4, "next", advice);
        }
        for (label, folders) in [("evidence", &case.evidence), ("before", &case.base_evidence)] {
            if let (true, Some(folder)) = (worse, folders.first()) {
                self.labelled(4, label, folder);
            }
        }
        if let (true, Some(again)) = (worse, &case.again) {
            // Never broken: it is there to be copied.
            let label = self.paint(AnsiColor::Cyan.on_default(), "again");
            self.line(format!("    {label}     {}", one_line(again)));
        }
        self.line("");
    }

    fn findings(&mut self, color: AnsiColor, mark: &str, word: &str, findings: &[Seen], whole: bool) {
        for seen in findings {
            let mark = self.paint(color.on_default().bold(), mark);
            let more = if seen.more > 0 { format!(" and {} more", seen.more) } else { String::new() };
            self.hanging(&format!("    {mark} "), 6, &format!("{word}{} {}{more}", seen.what, seen.subject));
            if whole && !seen.expected.is_empty() {
                self.labelled(8, "expected", &seen.expected);
                self.labelled(8, "observed", &seen.observed);
            }
            if let (true, Some(next)) = (whole, &seen.next) {
                self.labelled(8, "next", next);
            }
        }
    }

    fn groups(&mut self, comparison: &Comparison, class: Class) {
        for (reason, cases) in grouped(comparison, class) {
            let number = if cases.len() == 1 { "1 case".to_owned() } else { format!("{} cases", cases.len()) };
            self.headline(class, &format!("{number}: {reason}"));
            self.hanging("    ", 4, meaning(class));
            for case in cases.iter().take(NAMED) {
                self.hanging("      ", 6, &format!("{} ({})", case.id, tried(case)));
            }
            if cases.len() > NAMED {
                self.line(format!("      … and {} more: --format json", cases.len() - NAMED));
            }
            if let Some(advice) = advice(class) {
                self.labelled(4, "next", advice);
            }
            self.line("");
        }
    }

    fn timings(&mut self, comparison: &Comparison) {
        let timings = &comparison.timings;
        for change in &timings.changes {
            let (word, color) = match change.change {
                Timing::Slower => ("▲ SLOWER", AnsiColor::Red),
                Timing::Faster => ("▼ FASTER", AnsiColor::Green),
            };
            let head = self.paint(color.on_default().bold(), word);
            self.hanging(&format!("{head}  "), 10, &format!("{}: {}", change.id, timing(change)));
        }
        let threshold = percent(comparison.rules.threshold);
        let called = format!("{} compared; a change is called beyond {threshold}", timings.compared);
        self.labelled(0, "durations", &called);
        for note in &timings.notes {
            self.labelled(0, "", note);
        }
        self.line("");
    }

    fn memory(&mut self, comparison: &Comparison) {
        let Memories { compared, changes, notes } = &comparison.memory;
        for change in changes {
            let word = amount(change).to_uppercase();
            let color = if change.worse { AnsiColor::Red } else { AnsiColor::Green };
            let head = self.paint(color.on_default().bold(), &word);
            self.hanging(&format!("{head}  "), word.chars().count() + 2, &format!("{}: {}", change.id, memory(change)));
        }
        let threshold = percent(comparison.rules.memory_threshold);
        self.labelled(0, "memory", &format!("{compared} compared; a change is called beyond {threshold}"));
        for note in notes.iter().map(String::as_str).chain(no_memory(comparison)) {
            self.labelled(0, "", note);
        }
        self.line("");
    }

    fn facts(&mut self, comparison: &Comparison) {
        if comparison.facts.is_empty() {
            self.labelled(0, "facts", "none that the runs state has changed");
        }
        for (number, fact) in comparison.facts.iter().enumerate() {
            let label = if number == 0 { "facts" } else { "" };
            self.labelled(0, label, &format!("{}: {} -> {}", fact.name, fact.base, fact.candidate));
        }
        self.line("");
    }

    fn drift(&mut self, comparison: &Comparison) {
        let drift = &comparison.drift;
        let said = match (&drift.note, drift.changes.as_slice()) {
            (Some(note), _) => note.clone(),
            (None, []) => format!("the JSON of {} commands has the same fields", drift.commands),
            (None, changes) => format!("{} fields of {} commands drifted", changes.len(), drift.commands),
        };
        self.labelled(0, "amd-smi", &said);
        for change in drift.changes.iter().take(FIELDS) {
            let field = if change.field.is_empty() { "(the whole answer)" } else { &change.field };
            let text = format!("{} {}: {field} ({})", change.change.name(), change.command, retyped(change));
            self.labelled(0, "", &text);
        }
        if drift.changes.len() > FIELDS {
            self.labelled(0, "", &format!("… and {} more: --format json", drift.changes.len() - FIELDS));
        }
        self.line("");
    }

    fn foot(&mut self, comparison: &Comparison) {
        self.line(about(comparison));
        let code = comparison.exit.code;
        let color = if code == 0 { AnsiColor::Green } else { AnsiColor::Red };
        let exit = self.paint(color.on_default().bold(), &format!("exit {code}"));
        self.hanging(&format!("{exit}: "), format!("exit {code}: ").len(), &comparison.exit.reason);
    }
}

/// What both sides did, in short.
fn tried(case: &CaseChange) -> String {
    let words = |tally: &Option<crate::compare::Tally>| tally.as_ref().map(crate::compare::Tally::words);
    match (words(&case.base), words(&case.candidate)) {
        (Some(base), Some(candidate)) => format!("{base}, then {candidate}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => String::new(),
    }
}

const fn color(class: Class) -> AnsiColor {
    match class {
        Class::Regressed | Class::FailsOtherwise | Class::NewlyFlaky => AnsiColor::Red,
        Class::Flaky | Class::StillFailing | Class::NotComparable | Class::NotEvaluated | Class::Missing => {
            AnsiColor::Yellow
        }
        Class::Fixed | Class::Unchanged => AnsiColor::Green,
    }
}

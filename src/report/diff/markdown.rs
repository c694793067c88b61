//! `--format markdown`: for a comment on a pull request. What the runs say is escaped: it is anybody's text.

use std::fmt::Write as _;

use crate::compare::{CaseChange, Class, Comparison, Seen};

use crate::report::tame::one_line;

use super::{about, advice, amount, counts, meaning, memory, no_memory, retyped, side_runs, timing};

pub(super) fn render(comparison: &Comparison) -> String {
    let mut out = String::new();
    let mut line = |text: &str| {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{text}");
    };
    line(&format!("## rocvet: {}", counts(comparison)));
    line("");
    line(&format!("**Exit {}**: {}. {}.", comparison.exit.code, text(&comparison.exit.reason), about(comparison)));
    line("");
    for (side, runs) in [("base", &comparison.sides.base), ("candidate", &comparison.sides.candidate)] {
        side_runs(runs).iter().for_each(|run| line(&format!("- **{side}**: {}", text(run))));
    }
    for class in Class::ALL.into_iter().filter(|class| *class != Class::Unchanged) {
        let cases: Vec<&CaseChange> = comparison.cases.iter().filter(|case| case.class == class).collect();
        if cases.is_empty() {
            continue;
        }
        line("");
        line(&format!("### {} {} ({})", class.mark(), capital(class.name()), cases.len()));
        line("");
        line(&format!(
            "{}.{}",
            capital(meaning(class)),
            advice(class).map_or_else(String::new, |next| format!(" Next: {next}."))
        ));
        line("");
        line("| case | what happened | findings |");
        line("| --- | --- | --- |");
        for case in cases {
            line(&format!("| {} | {} | {} |", code(&case.id), text(&case.why), findings(case)));
        }
    }
    line("");
    line("### Durations");
    line("");
    for change in &comparison.timings.changes {
        line(&format!("- **{:?}** {}: {}", change.change, code(&change.id), timing(change)));
    }
    line(&format!("- {} compared", comparison.timings.compared));
    comparison.timings.notes.iter().for_each(|note| line(&format!("- {}", text(note))));
    line("");
    line("### Memory");
    line("");
    for change in &comparison.memory.changes {
        let worse = if change.worse { ", worse" } else { "" };
        line(&format!("- **{}**{worse} {}: {}", amount(change), code(&change.id), text(&memory(change))));
    }
    line(&format!("- {} compared", comparison.memory.compared));
    let notes = comparison.memory.notes.iter().map(String::as_str);
    notes.chain(no_memory(comparison)).for_each(|note| line(&format!("- {}", text(note))));
    line("");
    line("### Facts that changed");
    line("");
    if comparison.facts.is_empty() {
        line("None that the runs state.");
    } else {
        line("| fact | base | candidate |");
        line("| --- | --- | --- |");
    }
    for fact in &comparison.facts {
        line(&format!("| {} | {} | {} |", text(&fact.name), text(&fact.base), text(&fact.candidate)));
    }
    line("");
    line("### JSON of amd-smi");
    line("");
    let drift = &comparison.drift;
    match (&drift.note, drift.changes.as_slice()) {
        (Some(note), _) => line(&format!("{}.", capital(&text(note)))),
        (None, []) => line(&format!("The same fields in {} commands.", drift.commands)),
        (None, changes) => {
            line("| | command | field | type |");
            line("| --- | --- | --- | --- |");
            for each in changes {
                let (command, field) = (code(&each.command), code(&each.field));
                line(&format!("| {} | {command} | {field} | {} |", each.change.name(), text(&retyped(each))));
            }
        }
    }
    out
}

fn findings(case: &CaseChange) -> String {
    let of = |word: &str, all: &[Seen]| -> Vec<String> {
        all.iter()
            .map(|seen| {
                let more = if seen.more > 0 { format!(" and {} more", seen.more) } else { String::new() };
                let observed = if seen.observed.is_empty() {
                    String::new()
                } else {
                    format!(": expected {}, observed {}", text(&seen.expected), text(&seen.observed))
                };
                format!("{word}{} {}{more}{observed}", text(&seen.what), text(&seen.subject))
            })
            .collect()
    };
    let mut all = of("", &case.new);
    all.extend(of("as before: ", &case.still));
    all.extend(of("gone: ", &case.gone));
    all.extend(case.gaps.iter().map(|gap| text(gap)));
    all.join("<br>")
}

/// Text that stays text: no markup, no cell's end, no new line.
fn text(text: &str) -> String {
    let mut out = String::new();
    for c in one_line(text).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' | '#' | '~' | '@' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

/// A name in code; a back-quote would end it, and a bar the cell.
fn code(name: &str) -> String {
    let name = one_line(name).replace(['`', '|'], " ");
    format!("`{name}`")
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_run_says_cannot_become_markup() {
        let hostile = "<script>|a`b\n# [x](http://y) @everyone";
        assert_eq!(text(hostile), "&lt;script&gt;\\|a\\`b \\# \\[x\\](http://y) \\@everyone");
        assert_eq!(code("a|b`c\n"), "`a b c `");
    }
}

//! `--format html`: one page without script, style sheet or picture from elsewhere. The library escapes what the runs say.

use askama::Template;

use crate::compare::{CaseChange, Class, Comparison, Seen, Timing, TimingChange};
use crate::report::{ReportError, tame};

use super::{about, advice, amount, counts, meaning, memory, no_memory, percent, retyped, side_runs, timing};

#[derive(Template)]
#[template(path = "diff/page.html")]
struct Page<'a> {
    comparison: &'a Comparison,
    counts: String,
    about: &'static str,
    threshold: String,
    memory_threshold: String,
    no_memory: Option<&'static str>,
    classes: Vec<Section<'a>>,
}

/// The cases of one class.
struct Section<'a> {
    class: Class,
    /// For the style sheet.
    id: String,
    meaning: &'static str,
    advice: Option<&'static str>,
    cases: Vec<&'a CaseChange>,
    /// Whether its table is shown before anybody asks for it.
    open: bool,
}

pub(super) fn render(comparison: &Comparison) -> Result<String, ReportError> {
    let classes = Class::ALL.into_iter().map(|class| Section {
        class,
        id: class.name().replace(' ', "-"),
        meaning: meaning(class),
        advice: advice(class),
        cases: comparison.cases.iter().filter(|case| case.class == class).collect(),
        open: class != Class::Unchanged,
    });
    let page = Page {
        comparison,
        counts: counts(comparison),
        about: about(comparison),
        threshold: percent(comparison.rules.threshold),
        memory_threshold: percent(comparison.rules.memory_threshold),
        no_memory: no_memory(comparison),
        classes: classes.filter(|section| !section.cases.is_empty()).collect(),
    };
    Ok(tame::page(&page.render()?))
}

impl<'a> Section<'a> {
    /// Class of the style sheet: never the only sign of what it is.
    const fn tone(&self) -> &'static str {
        match self.class {
            Class::Regressed | Class::FailsOtherwise | Class::NewlyFlaky => "worse",
            Class::Flaky | Class::StillFailing | Class::NotComparable | Class::NotEvaluated | Class::Missing => {
                "unsure"
            }
            Class::Fixed | Class::Unchanged => "better",
        }
    }

    /// Findings of a case, each kind with its word.
    fn findings(&self, case: &&'a CaseChange) -> [(&'static str, &'a [Seen]); 3] {
        [("new", &case.new), ("as before", &case.still), ("gone", &case.gone)]
    }
}

const fn slower(change: &TimingChange) -> &'static str {
    match change.change {
        Timing::Slower => "▲ slower",
        Timing::Faster => "▼ faster",
    }
}

//! `--format junit`: what is worse is a failure, what nobody can tell an error, what failed before is skipped with the
//! reason: it is no news, and no pass.

use std::collections::HashMap;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::compare::{CaseChange, Class, Comparison, Seen, Timing};
use crate::report::{ReportError, tame};

use super::{about, memory, timing};

pub(super) fn render(comparison: &Comparison) -> Result<Vec<u8>, ReportError> {
    let mut report = Report::new(format!("rocvet diff ({})", about(comparison)));
    let mut suites: Vec<TestSuite> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for case in &comparison.cases {
        let (scenario, variant) = case.id.split_once("::").unwrap_or((&case.id, "default"));
        let at = *places.entry(scenario).or_insert_with(|| {
            suites.push(TestSuite::new(scenario));
            suites.len() - 1
        });
        if let Some(suite) = suites.get_mut(at) {
            let mut test = TestCase::new(variant, status(case));
            test.set_classname(scenario);
            suite.add_test_case(test);
        }
    }
    let slower = comparison.timings.changes.iter().filter(|change| change.change == Timing::Slower);
    let slower = slower.map(|change| (change.id.clone(), timing(change), "slower"));
    let less = comparison.memory.changes.iter().filter(|change| change.worse);
    let less = less.map(|change| (format!("{}: {}", change.id, change.probe), memory(change), "memory"));
    suites.extend(measured("durations", slower));
    suites.extend(measured("memory", less));
    report.add_test_suites(suites);
    Ok(tame::page(&report.to_string()?).into_bytes())
}

/// What became worse by its number: name, how, and what that is called.
fn measured(suite: &str, worse: impl Iterator<Item = (String, String, &'static str)>) -> Option<TestSuite> {
    let mut suite = TestSuite::new(suite);
    for (name, how, kind) in worse {
        let mut failed = TestCaseStatus::non_success(NonSuccessKind::Failure);
        failed.set_message(how);
        failed.set_type(kind);
        suite.add_test_case(TestCase::new(name, failed));
    }
    (!suite.test_cases.is_empty()).then_some(suite)
}

fn status(case: &CaseChange) -> TestCaseStatus {
    let kind = match case.class {
        Class::Unchanged | Class::Fixed => return TestCaseStatus::success(),
        Class::StillFailing | Class::Flaky => {
            let mut skipped = TestCaseStatus::skipped();
            skipped.set_message(format!("{}: {}", case.class, case.why));
            return skipped;
        }
        Class::Regressed | Class::FailsOtherwise | Class::NewlyFlaky => NonSuccessKind::Failure,
        Class::NotComparable | Class::NotEvaluated | Class::Missing => NonSuccessKind::Error,
    };
    let mut status = TestCaseStatus::non_success(kind);
    status.set_message(format!("{}: {}", case.class, case.why));
    status.set_type(case.class.name());
    status.set_description(description(case));
    status
}

fn description(case: &CaseChange) -> String {
    let finding =
        |seen: &Seen| format!("{} {}: expected {}, observed {}", seen.what, seen.subject, seen.expected, seen.observed);
    let mut lines = vec![case.title.clone()];
    lines.extend(case.new.iter().map(finding));
    lines.extend(case.still.iter().map(|seen| format!("as before: {}", finding(seen))));
    lines.extend(case.gaps.iter().cloned());
    lines.extend(case.evidence.iter().map(|folder| format!("evidence: {folder}")));
    lines.extend(case.base_evidence.iter().map(|folder| format!("before: {folder}")));
    lines.join("\n")
}

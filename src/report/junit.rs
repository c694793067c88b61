//! `--format junit`: one suite for each scenario, one test case for each case.
//!
//! Not evaluated is an error there and never a pass: JUnit's "skipped" is green in most dashboards.

use std::collections::HashMap;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::check::Judgement;
use crate::domain::{Meaning, Status};
use crate::run::{CaseRecord, RunRecord};

use super::ReportError;

pub(super) fn render(record: &RunRecord) -> Result<Vec<u8>, ReportError> {
    let chosen = record.host.chosen.as_ref().map_or_else(String::new, |why| format!("; --host auto: {why}"));
    let mut report = Report::new(format!("rocvet ({}{chosen})", record.provenance));
    let mut suites: Vec<TestSuite> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for case in &record.cases {
        let (scenario, variant) = case.id.split_once("::").unwrap_or((&case.id, "default"));
        let at = *places.entry(scenario).or_insert_with(|| {
            suites.push(TestSuite::new(scenario));
            suites.len() - 1
        });
        if let Some(suite) = suites.get_mut(at) {
            let mut test = TestCase::new(variant, status(case));
            test.set_classname(scenario);
            test.set_time(Duration::try_from_secs_f64(case.duration.0).unwrap_or_default());
            suite.add_test_case(test);
        }
    }
    report.add_test_suites(suites);
    Ok(report.to_string()?.into_bytes())
}

fn status(case: &CaseRecord) -> TestCaseStatus {
    if let Some(known) = case.known.as_ref().filter(|_| case.meaning() == Meaning::AsExpected) {
        // No news, and no pass.
        let mut skipped = TestCaseStatus::skipped();
        skipped.set_message(format!("{}: {}: {}", known.word(), case.status, known.why()));
        return skipped;
    }
    let (kind, message) = match &case.status {
        Status::Pass | Status::ExpectedFailure | Status::ExpectedNotEvaluated => return TestCaseStatus::success(),
        Status::Skip { reason } => {
            let mut skipped = TestCaseStatus::skipped();
            skipped.set_message(reason.clone());
            return skipped;
        }
        Status::Fail
        | Status::Crash { .. }
        | Status::Hang
        | Status::MachineHang
        | Status::KernelFault
        | Status::NumericError
        | Status::CpuFallback
        | Status::Collateral
        | Status::Flaky
        | Status::UnexpectedPass => (NonSuccessKind::Failure, case.status.to_string()),
        Status::NotEvaluated { .. } | Status::Missing | Status::Aborted | Status::Error { .. } => {
            (NonSuccessKind::Error, case.status.to_string())
        }
    };
    let mut failed = TestCaseStatus::non_success(kind);
    failed.set_message(message);
    failed.set_type(case.status.word().name());
    failed.set_description(description(case));
    failed
}

fn description(case: &CaseRecord) -> String {
    let mut lines = vec![case.title.clone()];
    for check in &case.findings {
        for finding in check.findings.iter().filter(|finding| finding.judgement() == Judgement::Unmet) {
            lines.push(format!(
                "{} [{}] {}: expected {}, observed {}",
                check.check,
                finding.id(),
                finding.subject(),
                finding.expected(),
                finding.observed()
            ));
        }
        for gap in &check.gaps {
            lines.push(format!("{} not evaluated: {}: {}", check.check, gap.subject, gap.reason));
        }
    }
    lines.join("\n")
}

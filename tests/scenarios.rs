//! Every case of every shipped scenario is a test, and every scenario has a reviewed snapshot of its report.
//!
//! A test passes when its case comes out as the scenario says. `cargo test --test scenarios -- partition/mi300x` runs
//! some of them; nextest lists and runs them one by one.

#![allow(clippy::expect_used, clippy::panic)]

mod bed;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use rocvet::check::Judgement;
use rocvet::domain::Meaning;
use rocvet::run::{Bed, CaseRecord};
use rocvet::scenario::{self, Case};

/// A case that is run at most once in this process, for its own test and for its scenario's snapshot.
struct Once {
    case: Case,
    bed: Arc<Bed>,
    record: OnceLock<CaseRecord>,
}

impl Once {
    fn record(&self) -> &CaseRecord {
        self.record.get_or_init(|| self.bed.run(&self.case))
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let (_scratch, bed) = bed::simulated();
    // As `validate run` chooses them where nobody says anything.
    let all = scenario::load(&[]).unwrap_or_else(|problems| panic!("{problems}"));
    let (slow, cases): (Vec<Case>, Vec<Case>) = all.into_iter().partition(|case| case.scenario.is_slow());
    let mut by_scenario: BTreeMap<String, Vec<Arc<Once>>> = BTreeMap::new();
    for case in cases {
        let id = case.scenario.id.clone();
        let once = Once { case, bed: Arc::clone(&bed), record: OnceLock::new() };
        by_scenario.entry(id).or_default().push(Arc::new(once));
    }
    let left_out = |case: Case| {
        Trial::ignorable_test(case.id, || {
            Ok(Completion::ignored_with("slow to simulate: `validate run -E 'tag(slow)'`"))
        })
    };
    let mut trials: Vec<Trial> = slow.into_iter().map(left_out).collect();
    for (id, cases) in by_scenario {
        for once in &cases {
            let once = Arc::clone(once);
            trials.push(Trial::ignorable_test(once.case.id.clone(), move || verdict(once.record())));
        }
        trials.push(Trial::test(format!("{id} (report)"), move || report(&id, &cases)));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn verdict(record: &CaseRecord) -> Result<Completion, Failed> {
    match (record.status.meaning(), record.status.detail()) {
        (Meaning::AsExpected, _) => Ok(Completion::Completed),
        (Meaning::Skipped, reason) => Ok(Completion::ignored_with(reason.unwrap_or_default())),
        (Meaning::Better | Meaning::Failed | Meaning::NotEvaluated | Meaning::Incomplete | Meaning::Broken, _) => {
            Err(Failed::from(format!("{}\n{}", record.status, lines(record))))
        }
    }
}

fn report(id: &str, cases: &[Arc<Once>]) -> Result<(), Failed> {
    let text: String = cases.iter().map(|once| lines(once.record())).collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots").join(id);
    let (folder, name) = (path.parent().expect("inside snapshots/"), path.file_name().expect("a scenario has a name"));
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(folder);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_input_file(Path::new("scenarios").join(format!("{id}.toml")));
    let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| {
        settings.bind(|| insta::assert_snapshot!(name.to_string_lossy().into_owned(), text));
    }));
    outcome.map_err(|_| Failed::from("the report differs from its reviewed snapshot; `cargo insta review` shows how"))
}

/// One case as a person reviews it: what is met is counted, everything else is written out.
fn lines(record: &CaseRecord) -> String {
    let mut text = format!("{}\n  {}\n", record.id, record.status);
    for check in &record.findings {
        let met = check.findings.iter().filter(|finding| finding.judgement() == Judgement::Met).count();
        let _ = writeln!(text, "  {}: {met} met", check.check);
        for finding in check.findings.iter().filter(|finding| finding.judgement() != Judgement::Met) {
            let word = match finding.judgement() {
                Judgement::Met => "met",
                Judgement::Unmet => "UNMET",
                Judgement::Doubtful => "doubtful",
            };
            let (subject, expected, observed) = (finding.subject(), finding.expected(), finding.observed());
            let _ = writeln!(text, "    {word} {} {subject}: expected {expected}; observed {observed}", finding.id());
        }
        for gap in &check.gaps {
            let _ = writeln!(text, "    gap ({}) {}: {}", gap.kind.words(), gap.subject, gap.reason);
        }
    }
    text
}

//! Whether what was seen is what was reported.

use crate::domain::{Signal, Status};
use crate::facts::Class;

use super::reported::{Reported, ReportedOutcome};

const ABRT: Signal = Signal(6);
const SEGV: Signal = Signal(11);

/// What one run of a cell came to, as its supervisor, classifier and judge say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its status.
    pub status: Status,
    /// What the process died of.
    pub class: Option<Class>,
    /// Ids of the signatures that were found.
    pub signatures: Vec<String>,
}

/// What was seen beside what was reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Agreement {
    /// The same.
    Agrees,
    /// Something else.
    Disagrees {
        /// How they differ.
        why: String,
    },
}

/// Holds the runs of a cell against its report. A report says what can happen, so one run that ends so agrees with a
/// failure; that it works is reported only where nothing fails.
pub fn agreement(reported: &Reported, runs: &[Seen]) -> Agreement {
    let all_must = reported.outcome == ReportedOutcome::Works;
    let why = |seen: &Seen| differs(reported, seen);
    let first = runs.iter().filter_map(why).next();
    let agrees = if all_must { first.is_none() } else { runs.iter().any(|seen| why(seen).is_none()) };
    match first {
        _ if runs.is_empty() => Agreement::Disagrees { why: "it was not run".to_owned() },
        _ if agrees => Agreement::Agrees,
        Some(why) => Agreement::Disagrees { why },
        None => Agreement::Agrees,
    }
}

/// How a run differs from the report, if it does.
fn differs(reported: &Reported, seen: &Seen) -> Option<String> {
    let class = |wanted: Class| match seen.class {
        Some(class) if class == wanted => None,
        Some(class) => Some(format!("{class} where {wanted} is reported")),
        None => Some(format!("{} where {wanted} is reported", seen.status)),
    };
    let status =
        |right: bool| (!right).then(|| format!("{} where {} is reported", seen.status, reported.outcome.what()));
    let outcome = match reported.outcome {
        ReportedOutcome::Works => status(seen.status == Status::Pass),
        ReportedOutcome::WrongResult => status(seen.status == Status::NumericError),
        ReportedOutcome::Hang => status(seen.status == Status::Hang),
        ReportedOutcome::GpuHang => class(Class::GpuHang),
        ReportedOutcome::GpuReset => class(Class::GpuReset),
        // Whatever it was, it was no pass, and nobody can say more.
        ReportedOutcome::GpuCrash => status(seen.status != Status::Pass),
        ReportedOutcome::PageFault => class(Class::PageFault).filter(|_| seen.class != Some(Class::PageFaultDetail)),
        ReportedOutcome::Aperture => class(Class::ApertureViolation),
        ReportedOutcome::Segfault => status(seen.status == Status::Crash { signal: SEGV }),
        ReportedOutcome::NoCodeForArch => class(Class::NoCodeForArch),
        ReportedOutcome::LibraryMissing => class(Class::LibraryMissingArch),
        ReportedOutcome::KernelBuild => class(Class::KernelBuildFailed),
        ReportedOutcome::PcieAtomics => class(Class::PcieAtomics),
        ReportedOutcome::SystemFreeze | ReportedOutcome::SystemReboot | ReportedOutcome::SystemCrash => {
            status(seen.status == Status::MachineHang)
        }
    };
    outcome.or_else(|| signal(reported, seen)).or_else(|| signatures(reported, seen))
}

/// The signal, where the report names one.
fn signal(reported: &Reported, seen: &Seen) -> Option<String> {
    let exit = reported.exit.as_deref().unwrap_or_default();
    let wanted = [("SIGABRT", ABRT), ("SIGSEGV", SEGV)].into_iter().find(|(name, _)| exit.starts_with(name));
    let (name, signal) = wanted?;
    (seen.status != Status::Crash { signal }).then(|| format!("{} where {name} is reported", seen.status))
}

/// At least one of the signatures that the report shows: what it quotes need not be all that was printed.
fn signatures(reported: &Reported, seen: &Seen) -> Option<String> {
    let found = reported.signature.is_empty() || reported.signature.iter().any(|id| seen.signatures.contains(id));
    (!found).then(|| {
        let seen = if seen.signatures.is_empty() { "no signature".to_owned() } else { seen.signatures.join(", ") };
        format!("{seen} where {} is reported", reported.signature.join(" or "))
    })
}

#[cfg(test)]
mod tests {
    use super::super::reported::reported_cell;
    use super::*;

    fn seen(status: Status, class: Option<Class>, signatures: &[&str]) -> Seen {
        Seen { status, class, signatures: signatures.iter().map(|&id| id.to_owned()).collect() }
    }

    #[test]
    fn outcome_signal_and_signature_must_all_be_the_reported_ones() {
        let abort = |class, id| seen(Status::Crash { signal: ABRT }, Some(class), &[id]);
        let aperture = || abort(Class::ApertureViolation, "hip_queue_abort_aperture");
        let pass = || seen(Status::Pass, None, &[]);
        for (id, runs, why) in [
            ("r1-01", vec![aperture()], None),
            ("r1-01", vec![abort(Class::PageFault, "hsa_memory_access_fault")], Some("page-fault where aperture")),
            (
                "r1-01",
                vec![abort(Class::ApertureViolation, "rocr_queue_async_error")],
                Some("rocr_queue_async_error where"),
            ),
            (
                "r1-01",
                vec![seen(
                    Status::Crash { signal: SEGV },
                    Some(Class::ApertureViolation),
                    &["hip_queue_abort_aperture"],
                )],
                Some("where SIGABRT is reported"),
            ),
            ("r1-01", vec![pass()], Some("pass where")),
            ("r1-01", vec![], Some("not run")),
            // It fails now and then, and that is what was reported.
            ("r2-29", vec![pass(), aperture()], None),
            ("r1-03", vec![pass()], None),
            ("r1-03", vec![pass(), aperture()], Some("where completed, no fault")),
            ("r1-24", vec![seen(Status::NumericError, None, &[])], None),
            ("r1-24", vec![pass()], Some("pass where completed with bad numbers")),
            ("r1-36", vec![seen(Status::Hang, None, &[])], None),
            ("r2-10", vec![seen(Status::MachineHang, None, &["k_mce"])], None),
            ("r2-10", vec![seen(Status::Hang, None, &["k_mce"])], Some("where the host rebooted")),
            ("r1-08", vec![seen(Status::Crash { signal: SEGV }, Some(Class::Segfault), &["k_segfault"])], None),
        ] {
            let found = agreement(reported_cell(id).unwrap(), &runs);
            match why {
                None => assert_eq!(found, Agreement::Agrees, "{id}"),
                Some(part) => {
                    let Agreement::Disagrees { why } = found else { panic!("{id} agrees") };
                    assert!(why.contains(part), "{id}: {why}");
                }
            }
        }
    }
}

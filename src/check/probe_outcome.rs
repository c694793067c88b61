//! `probe.outcome`: every probe lived, said everything, and the kernel logged no fault meanwhile.

use crate::domain::{CheckId, Confidence, DeviceKind, Ended, Failure, Limit};
use crate::facts::Class;
use crate::witness::{Observations, ProbeDone, ProbeEnd, ProbeProcess, ProbeRaised};

use super::about::{About, FindingAbout, Needs};
use super::evaluation::{Collector, Evaluation, GapKind};
use super::probes::{FLAKY, Said, ask, tells_nothing};

pub(super) const ABOUT: About = About {
    id: CheckId::ProbeOutcome,
    what: "The process of every probe ended well after it had said everything, and the kernel logged no fault or reset meanwhile.",
    why: "A GPU whose operations kill their process, hang, or reset the card cannot be given to anybody, however right its other numbers are.",
    source: "facts/rdna.md section 2 (signatures and exit rules)",
    confidence: Confidence::Certain,
    needs: Needs::NOTHING,
    findings: &FINDINGS,
};

/// Findings that are no class of death.
const OWN: [FindingAbout; 3] = [
    FindingAbout {
        id: "collateral",
        what: "Another process's doing took this one down: it says nothing of this probe.",
        next: "run this case again, alone on the GPU",
    },
    FindingAbout {
        id: "raised",
        what: "The engine raised an error, and its process lived on.",
        next: "read its words in the evidence; repeat the operation by hand with the command that stands there",
    },
    FindingAbout {
        id: FLAKY,
        what: "Processes of one probe, started alike, ended differently.",
        next: "repeat it with more processes to learn how often; compare temperatures and clocks of good and bad ones",
    },
];

/// A finding for each class of death that can decide, and the others.
const FINDINGS: [FindingAbout; OWN.len() + deaths()] = {
    let mut findings = [OWN[0]; OWN.len() + deaths()];
    let (mut at, mut filled) = (0, 0);
    while filled < OWN.len() {
        findings[filled] = OWN[filled];
        filled += 1;
    }
    while at < Class::ALL.len() {
        let class = Class::ALL[at];
        if decides(class) {
            findings[filled] = FindingAbout { id: class.name(), what: class.what(), next: class.advice() };
            filled += 1;
        }
        at += 1;
    }
    findings
};

/// How many classes are findings.
const fn deaths() -> usize {
    let (mut at, mut count) = (0, 0);
    while at < Class::ALL.len() {
        if decides(Class::ALL[at]) {
            count += 1;
        }
        at += 1;
    }
    count
}

/// Whether a class says of a death that it is about the GPU or the program: a detail adds to another one, and what is
/// not set up leaves open what the GPU can do.
const fn decides(class: Class) -> bool {
    !matches!(
        class,
        Class::Setup
            | Class::NoDevice
            | Class::PageFaultDetail
            | Class::RingTimeoutDetail
            | Class::GpuResetDetail
            | Class::Artifact
            | Class::PerfWarning
            | Class::BenignTeardown
            | Class::Info
    )
}

pub(super) fn evaluate(seen: &Observations) -> Evaluation {
    let mut collector = Collector::new(&ABOUT);
    if seen.probes.is_empty() {
        collector.gap(GapKind::NotApplicable, "probes", "the case runs no probe");
    }
    for probe in &seen.probes {
        ask(&mut collector, probe, "it ends well and the kernel logs no fault", &|process| outcome(probe, process));
    }
    collector.finish()
}

fn outcome(probe: &ProbeDone, process: &ProbeProcess) -> Said {
    if let Some((kind, why)) = tells_nothing(process) {
        return Said::Nothing(kind, why);
    }
    match &process.end {
        ProbeEnd::Died(ended) if process.collateral.is_some() => {
            let observed = format!("{ended}, after another process made the GPU reset");
            Said::Unmet { id: "collateral", means: Failure::Collateral, observed }
        }
        ProbeEnd::Died(ended) => died(ended, process),
        ProbeEnd::Reported => lived(probe, process),
        ProbeEnd::BrokeProtocol(problem) => Said::Nothing(GapKind::ToolFailed, problem.clone()),
    }
}

fn died(ended: &Ended, process: &ProbeProcess) -> Said {
    let class = process.class.filter(|class| decides(*class)).unwrap_or(Class::Unknown);
    let means = match ended {
        Ended::Signaled { signal } => Failure::Crash { signal: *signal },
        Ended::TimedOut { limit: Limit::Deadline | Limit::Silence } | Ended::Unreaped => Failure::Hang,
        Ended::TimedOut { limit: Limit::Output }
        | Ended::Exited { .. }
        | Ended::Cancelled
        | Ended::NotStarted { .. } => Failure::Fail,
    };
    Said::Unmet { id: class.name(), means, observed: format!("{ended}: {}", named(class, process)) }
}

/// A class with the signature that decided, where that says more.
fn named(class: Class, process: &ProbeProcess) -> String {
    let signature = &process.signature;
    if signature.is_empty() || signature == class.name() { class.to_string() } else { format!("{class} ({signature})") }
}

fn lived(probe: &ProbeDone, process: &ProbeProcess) -> Said {
    if let Some(class) = process.class.filter(|class| decides(*class)) {
        let observed = format!("it ended well, and the kernel logged {}", named(class, process));
        return Said::Unmet { id: class.name(), means: Failure::KernelFault, observed };
    }
    match &process.raised {
        Some(ProbeRaised::Unsupported(text)) => Said::Nothing(GapKind::NotApplicable, text.clone()),
        Some(ProbeRaised::OutOfMemory(text)) => {
            Said::Unmet { id: Class::GpuOom.name(), means: Failure::Fail, observed: format!("raised: {text}") }
        }
        Some(ProbeRaised::Other(text)) => {
            Said::Unmet { id: "raised", means: Failure::Fail, observed: format!("raised: {text}") }
        }
        None => match (&process.kernel_unread, probe.on) {
            (Some(why), DeviceKind::Gpu) => {
                let why = format!("it ended well, and whether the kernel logged a fault meanwhile nobody knows: {why}");
                Said::Nothing(GapKind::NotReported, why)
            }
            (Some(_) | None, _) => Said::Met("it ended well".to_owned()),
        },
    }
}

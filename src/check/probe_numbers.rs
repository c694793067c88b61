//! `probe.numbers`: the numbers of every probe are right.

use crate::domain::{CheckId, Confidence, DeviceKind, Failure};
use crate::witness::{
    Observations, ProbeDone, ProbeEnd, ProbeNumbers, ProbePlace, ProbeProcess, ProbeRaised, WrongNumbers,
};

use super::about::{About, FindingAbout, Needs};
use super::evaluation::{Collector, Evaluation, GapKind};
use super::probes::{FLAKY, Said, ask, tells_nothing};

pub(super) const ABOUT: About = About {
    id: CheckId::ProbeNumbers,
    what: "Every number that a probe computed is as near to the oracle's as its format and the length of its sums allow; all were written, none is infinite, and not all are zero.",
    why: "A GPU that computes wrong numbers without a word is worse than one that crashes: nobody notices.",
    source: "facts/rdna.md section 6 (tolerances of MIOpenDriver and PyTorch)",
    confidence: Confidence::Certain,
    needs: Needs::NOTHING,
    findings: &[
        FindingAbout {
            id: "numbers-off",
            what: "Numbers are further from the oracle's than their format explains.",
            next: "pin solvers one by one (MIOPEN_DEBUG_CONV_* and MIOPEN_DEBUG_FIND_ONLY_SOLVER) to learn whose numbers they are",
        },
        FindingAbout {
            id: "not-finite",
            what: "Numbers are infinite or not a number where the oracle's are finite.",
            next: "repeat it in f32: where that is right, the format's range or a 16-bit kernel is to blame",
        },
        FindingAbout {
            id: "all-zero",
            what: "Every number is zero: the kernel did not run, or wrote elsewhere.",
            next: "read the kernel log of the window; repeat it with AMD_SERIALIZE_KERNEL=3",
        },
        FindingAbout {
            id: "not-written",
            what: "Elements still hold what was there before the computation.",
            next: "repeat it with another solver or shape: a kernel's grid was too small for it",
        },
        FindingAbout {
            id: FLAKY,
            what: "The same computation gave right numbers in one process and wrong ones in another.",
            next: "repeat it with more processes to learn how often; suspect memory or clocks before software",
        },
    ],
};

pub(super) fn evaluate(seen: &Observations) -> Evaluation {
    let mut collector = Collector::new(&ABOUT);
    let mut any = false;
    for probe in seen.probes.iter().filter(|probe| probe.computes) {
        any = true;
        ask(&mut collector, probe, "the oracle's numbers, within the bounds of the format", &|process| {
            numbers(probe, process)
        });
    }
    if !any {
        collector.gap(GapKind::NotApplicable, "probes", "the case runs no probe that computes");
    }
    collector.finish()
}

fn numbers(probe: &ProbeDone, process: &ProbeProcess) -> Said {
    if let (DeviceKind::Gpu, Some(ProbePlace::Cpu(_) | ProbePlace::ClaimedGpu)) = (probe.on, process.place) {
        return nothing("they were computed on the CPU, which says nothing of the GPU");
    }
    let wrong = process.numbers.iter().find_map(|numbers| match numbers {
        ProbeNumbers::Wrong { how, text } => Some((*how, text)),
        ProbeNumbers::Right(_) => None,
    });
    if let Some((how, text)) = wrong {
        let id = match how {
            WrongNumbers::Off => "numbers-off",
            WrongNumbers::NotFinite => "not-finite",
            WrongNumbers::AllZero => "all-zero",
            WrongNumbers::NotWritten => "not-written",
        };
        return Said::Unmet { id, means: Failure::NumericError, observed: text.clone() };
    }
    if let Some(raised) = &process.raised {
        let (ProbeRaised::OutOfMemory(text) | ProbeRaised::Unsupported(text) | ProbeRaised::Other(text)) = raised;
        return nothing(format!("there are none: the engine raised: {text}"));
    }
    match (process.numbers.first(), &process.end) {
        (Some(ProbeNumbers::Right(text)), ProbeEnd::Reported) => Said::Met(text.clone()),
        (Some(_), _) => nothing("those that came are right, and its process did not live to say all of them"),
        (None, ProbeEnd::Died(ended)) => match tells_nothing(process) {
            Some((kind, why)) => Said::Nothing(kind, why),
            None => nothing(format!("there are none: {ended}")),
        },
        (None, ProbeEnd::BrokeProtocol(problem)) => nothing(format!("there are none: {problem}")),
        (None, ProbeEnd::Reported) => nothing("there are none"),
    }
}

fn nothing(why: impl Into<String>) -> Said {
    Said::Nothing(GapKind::NotReported, why.into())
}

//! `fallback.works`: what was to run on the CPU in place of the GPU did, rightly, and how much slower it is.

use std::time::Duration;

use crate::domain::{CheckId, Confidence, DeviceKind, Failure};
use crate::witness::{Observations, ProbeCame, ProbeDone, ProbeEnd, ProbeNumbers, ProbePlace, ProbeProcess};

use super::about::{About, FindingAbout, Needs};
use super::evaluation::{Collector, Evaluation, GapKind};
use super::probes::{FLAKY, Said, ask, tells_nothing};

pub(super) const ABOUT: About = About {
    id: CheckId::FallbackWorks,
    what: "Every operation that was asked of the CPU ran there and its numbers are right; where the same was asked of the GPU too, both times are told.",
    why: "A program that is to go on without a GPU must really do so, and whoever plans for it must know what that costs on this machine.",
    source: "facts/rdna.md section 5: figures of 10 to 20 times that are passed around are nobody's measurement",
    confidence: Confidence::Certain,
    needs: Needs::NOTHING,
    findings: &[
        FindingAbout {
            id: "not-taken",
            what: "The CPU was asked for, and the operation ran on the GPU.",
            next: "see how the program chooses its device: a default of the engine won over what was asked",
        },
        FindingAbout {
            id: "broken",
            what: "The operation ran on the CPU, and its process died, raised, or gave wrong numbers there.",
            next: "read its last words in the evidence; the CPU build of the engine is broken, whatever the GPU does",
        },
        FindingAbout {
            id: FLAKY,
            what: "Processes of one probe, started alike, fell back differently.",
            next: "repeat it with more processes to learn how often",
        },
    ],
};

pub(super) fn evaluate(seen: &Observations) -> Evaluation {
    let mut collector = Collector::new(&ABOUT);
    let mut any = false;
    for probe in seen.probes.iter().filter(|probe| probe.on == DeviceKind::Cpu) {
        any = true;
        let same = |other: &&ProbeDone| other.on == DeviceKind::Gpu && other.probe == probe.probe;
        let beside = seen.probes.iter().find(same);
        ask(&mut collector, probe, "it runs on the CPU, and its numbers are right", &|process| {
            fell_back(process, beside)
        });
    }
    if !any {
        collector.gap(GapKind::NotApplicable, "probes", "the case asks nothing of the CPU");
    }
    collector.finish()
}

fn fell_back(process: &ProbeProcess, beside: Option<&ProbeDone>) -> Said {
    if let Some((kind, why)) = tells_nothing(process) {
        return Said::Nothing(kind, why);
    }
    let broken = |observed: String| Said::Unmet { id: "broken", means: Failure::Fail, observed };
    if let ProbeEnd::Died(ended) = &process.end {
        return broken(ended.to_string());
    }
    match process.place {
        None => {
            return Said::Nothing(GapKind::NotReported, "there is no result that could say where it ran".to_owned());
        }
        Some(ProbePlace::Gpu | ProbePlace::UnprovenGpu | ProbePlace::ClaimedGpu) => {
            let observed = "it ran on the GPU".to_owned();
            return Said::Unmet { id: "not-taken", means: Failure::Fail, observed };
        }
        Some(ProbePlace::Cpu(_)) => {}
    }
    if process.raised.is_some() {
        return broken("the engine raised on the CPU".to_owned());
    }
    let wrong = process.numbers.iter().find_map(|numbers| match numbers {
        ProbeNumbers::Wrong { text, .. } => Some(text),
        ProbeNumbers::Right(_) => None,
    });
    match (wrong, process.numbers.is_empty()) {
        (Some(text), _) => broken(text.clone()),
        (None, true) => Said::Nothing(GapKind::NotReported, "there are no numbers".to_owned()),
        (None, false) => {
            Said::Met(format!("it ran on the CPU{}", beside.map(|gpu| cost(process, gpu)).unwrap_or_default()))
        }
    }
}

/// What falling back costs, measured here: whole processes, which load and compile, and say so.
fn cost(cpu: &ProbeProcess, gpu: &ProbeDone) -> String {
    let times = match &gpu.came {
        ProbeCame::Ran(processes) => processes,
        ProbeCame::NotRun { .. } => return String::new(),
    };
    let good =
        times.iter().filter(|process| process.end == ProbeEnd::Reported && process.place == Some(ProbePlace::Gpu));
    let Some(fastest) = good.map(|process| process.took).min().filter(|took| *took > Duration::ZERO) else {
        return ", and no run on the GPU is there to compare it with".to_owned();
    };
    let (slow, fast) = (cpu.took.as_secs_f64(), fastest.as_secs_f64());
    let ratio = slow / fast;
    format!(
        ": {slow:.2} s on the CPU, {fast:.2} s on the GPU, {ratio:.1} times as long (whole processes, loading included)"
    )
}

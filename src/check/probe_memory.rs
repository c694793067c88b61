//! `probe.memory`: memory that probes used gave what it must, held what was written, and stayed within its limits.

use crate::domain::{CheckId, Confidence, DeviceKind, Failure};
use crate::witness::{
    Observations, ProbeDone, ProbeEnd, ProbeMemory, ProbePlace, ProbeProcess, ProbeRaised, WrongMemory,
};

use super::about::{About, FindingAbout, Needs};
use super::evaluation::{Collector, Evaluation, GapKind};
use super::probes::{FLAKY, Said, ask, tells_nothing};

pub(super) const ABOUT: About = About {
    id: CheckId::ProbeMemory,
    what: "Memory that a probe used could be had up to the share that was asked for, held what was written to it, was refused where there is no more, and changed nothing of the next device's; its size is what KFD gives the device.",
    why: "Partitions share the memory of one GPU. One that gives out more than its own, or changes what its neighbour holds, cannot be given to anybody.",
    source: "facts/partitions.md 3.1, 3.5 and 3.6; facts/rdna.md section 6",
    confidence: Confidence::Certain,
    needs: Needs::NOTHING,
    findings: &[
        FindingAbout {
            id: "pattern-broken",
            what: "Memory does not hold what was written to it.",
            next: "run a memory test that does not use ROCm (memtest_vulkan); read the RAS counters (`amd-smi metric --ecc`)",
        },
        FindingAbout {
            id: "neighbour-changed",
            what: "Filling one device changed the data of the next.",
            next: "give none of this GPU's partitions to anybody; go back to one partition (SPX) and repeat, and report it with the driver's version",
        },
        FindingAbout {
            id: "other-total",
            what: "The runtime reports another size than KFD gives the device.",
            next: "compare with rocminfo; before ROCm 6.4.1 tools show the whole GPU for a partition: size jobs by KFD",
        },
        FindingAbout {
            id: "past-limit",
            what: "The device gave out more than it is held to.",
            next: "read compute_partition_mem_alloc_mode: in ALL a device may take its neighbours' memory; in CAPPING this is the driver's fault",
        },
        FindingAbout {
            id: "not-refused",
            what: "More memory than there is was granted.",
            next: "look for an allocator that overcommits or pages to the host (HSA_XNACK, managed memory)",
        },
        FindingAbout {
            id: "fell-short",
            what: "Less memory could be had than the share that was asked for.",
            next: "see who holds memory (`amd-smi process`); on an idle device 95 % are free",
        },
        FindingAbout {
            id: "refused-early",
            what: "An allocation was refused long before the memory was used up.",
            next: "see who holds memory (`amd-smi process`); repeat it after the driver was loaded again",
        },
        FindingAbout {
            id: FLAKY,
            what: "The same use of memory was right in one process and wrong in another.",
            next: "repeat it with more processes to learn how often; suspect memory or clocks before software",
        },
    ],
};

pub(super) fn evaluate(seen: &Observations) -> Evaluation {
    let mut collector = Collector::new(&ABOUT);
    let mut any = false;
    for probe in seen.probes.iter().filter(|probe| !probe.computes) {
        any = true;
        ask(&mut collector, probe, "memory as it was asked for, within the device's own", &|process| {
            memory(probe, process)
        });
    }
    if !any {
        collector.gap(GapKind::NotApplicable, "probes", "the case runs no probe that uses memory");
    }
    collector.finish()
}

fn memory(probe: &ProbeDone, process: &ProbeProcess) -> Said {
    if let (DeviceKind::Gpu, Some(ProbePlace::Cpu(_)), None) = (probe.on, process.place, &process.raised) {
        return nothing("it was the host's memory, which says nothing of the GPU's");
    }
    if let Some((wrong, text)) = process.memory.iter().find_map(first) {
        return judged(wrong, text);
    }
    match &process.raised {
        Some(ProbeRaised::Unsupported(text)) => return Said::Nothing(GapKind::NotApplicable, text.clone()),
        Some(ProbeRaised::OutOfMemory(text) | ProbeRaised::Other(text)) => {
            return nothing(format!("nothing was reported: the engine raised: {text}"));
        }
        None => {}
    }
    match (process.memory.first(), &process.end) {
        (Some(used), ProbeEnd::Reported) => Said::Met(used.text.clone()),
        (Some(_), _) => nothing("what was reported is right, and its process did not live to say all of it"),
        (None, ProbeEnd::Died(ended)) => match tells_nothing(process) {
            Some((kind, why)) => Said::Nothing(kind, why),
            None => nothing(format!("nothing was reported: {ended}")),
        },
        (None, ProbeEnd::BrokeProtocol(problem)) => nothing(format!("nothing was reported: {problem}")),
        (None, ProbeEnd::Reported) => nothing("nothing was reported"),
    }
}

/// What explains the rest of what is wrong with a use.
fn first(used: &ProbeMemory) -> Option<(WrongMemory, &String)> {
    used.wrong.iter().min().map(|wrong| (*wrong, &used.text))
}

fn judged(wrong: WrongMemory, text: &str) -> Said {
    let (id, means) = match wrong {
        // The worker did not do what it was asked to: nothing is known of the device.
        WrongMemory::Impossible | WrongMemory::NeighbourUnchecked | WrongMemory::CheckedLess => {
            return Said::Nothing(GapKind::ToolFailed, text.to_owned());
        }
        WrongMemory::PatternBroken => ("pattern-broken", Failure::NumericError),
        WrongMemory::NeighbourChanged => ("neighbour-changed", Failure::NumericError),
        WrongMemory::OtherTotal => ("other-total", Failure::Fail),
        WrongMemory::PastLimit => ("past-limit", Failure::Fail),
        WrongMemory::NotRefused => ("not-refused", Failure::Fail),
        WrongMemory::FellShort => ("fell-short", Failure::Fail),
        WrongMemory::RefusedEarly => ("refused-early", Failure::Fail),
    };
    Said::Unmet { id, means, observed: text.to_owned() }
}

fn nothing(why: impl Into<String>) -> Said {
    Said::Nothing(GapKind::NotReported, why.into())
}

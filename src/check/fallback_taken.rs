//! `fallback.taken`: what was to run on the GPU ran there.

use crate::domain::{CheckId, Confidence, DeviceKind, Failure};
use crate::witness::{Observations, ProbePlace, ProbeProcess, WhyCpu};

use super::about::{About, FindingAbout, Needs};
use super::evaluation::{Collector, Evaluation, GapKind};
use super::probes::{FLAKY, Said, ask, tells_nothing};

pub(super) const ABOUT: About = About {
    id: CheckId::FallbackTaken,
    what: "Every operation that was asked of the GPU ran there, and something shows it that only a GPU could have made: time on its own queue, or memory that the driver counts.",
    why: "A program that quietly computes on the CPU looks well in every test of its numbers, and says nothing of the GPU.",
    source: "facts/rdna.md section 5 (three ways to end up on the CPU); tch-rs#1015",
    confidence: Confidence::Certain,
    needs: Needs::NOTHING,
    findings: &[
        FindingAbout {
            id: "no-backend",
            what: "The worker is linked without anything that drives a GPU.",
            next: "use a build of the engine for ROCm; see the libraries that it mapped in the evidence",
        },
        FindingAbout {
            id: "no-device",
            what: "The worker has what drives a GPU and found none.",
            next: "check /dev/kfd, the group render and ROCR_VISIBLE_DEVICES (`validate doctor`)",
        },
        FindingAbout {
            id: "elsewhere",
            what: "The worker has a GPU, and the operation ran on the CPU all the same.",
            next: "see which operation fell back: the engine may lack it for this GPU",
        },
        FindingAbout {
            id: "contradicted",
            what: "The worker says that it ran on the GPU, and KFD counted neither memory nor a queue for it while it lived.",
            next: "see what `counted` in the evidence says of each GPU; do not believe this engine's word for where it runs",
        },
        FindingAbout {
            id: FLAKY,
            what: "Processes of one probe, started alike, ran in different places.",
            next: "look for another program that takes the GPU at times",
        },
    ],
};

pub(super) fn evaluate(seen: &Observations) -> Evaluation {
    let mut collector = Collector::new(&ABOUT);
    let mut any = false;
    for probe in seen.probes.iter().filter(|probe| probe.on == DeviceKind::Gpu) {
        any = true;
        ask(&mut collector, probe, "it runs on the GPU", &place);
    }
    if !any {
        collector.gap(GapKind::NotApplicable, "probes", "the case asks nothing of a GPU");
    }
    collector.finish()
}

fn place(process: &ProbeProcess) -> Said {
    let on_cpu =
        |id, why: &str| Said::Unmet { id, means: Failure::CpuFallback, observed: format!("it ran on the CPU: {why}") };
    match process.place {
        Some(ProbePlace::Gpu) => {
            let device = process.device.as_ref().map(|device| format!(": {device}")).unwrap_or_default();
            Said::Met(format!("it ran on the GPU{device}"))
        }
        Some(ProbePlace::Cpu(WhyCpu::NoBackend)) => on_cpu("no-backend", "the worker has nothing that drives a GPU"),
        Some(ProbePlace::Cpu(WhyCpu::NoDevice)) => on_cpu("no-device", "the worker found no GPU"),
        Some(ProbePlace::Cpu(WhyCpu::Elsewhere)) => on_cpu("elsewhere", "the worker has a GPU, and did not use it"),
        Some(ProbePlace::ClaimedGpu) => Said::Unmet {
            id: "contradicted",
            means: Failure::CpuFallback,
            observed: "it says that it ran on the GPU, and the driver never saw it there".to_owned(),
        },
        Some(ProbePlace::UnprovenGpu) => {
            let why = "it says that it ran on the GPU, and shows nothing that only a GPU could have made";
            Said::Nothing(GapKind::NotReported, why.to_owned())
        }
        None => match tells_nothing(process) {
            Some((kind, why)) => Said::Nothing(kind, why),
            None => Said::Nothing(GapKind::NotReported, "there is no result that could say where it ran".to_owned()),
        },
    }
}

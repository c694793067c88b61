//! `environment.pairing`: torch, ROCm, the GPU and the kernel go together, by the table of what is built for what.

use crate::domain::{CheckId, Confidence, MajorMinor, TorchVersion};
use crate::tuning::{FitKind, Ground, Stack, effective_isa, fits};
use crate::witness::{Observations, TuningFacts};

use super::about::{About, FindingAbout, Needs};
use super::evaluation::{Collector, Evaluation, GapKind};

pub(super) const ABOUT: About = About {
    id: CheckId::EnvironmentPairing,
    what: "The torch that is named has a wheel for its ROCm, and that ROCm has code, tuning and support for the GPU, natively or as what it passes for; the kernel was not reported to fail with it.",
    why: "Most crashes of RDNA follow from which code objects run; the table says before a run what cannot work.",
    source: "facts/rdna.md section 5",
    confidence: Confidence::Certain,
    needs: Needs { sysfs: true, kfd: true, system: true, tuning: true, ..Needs::NOTHING },
    findings: &[
        FindingAbout {
            id: "not-a-pair",
            what: "No wheel of this torch is known for this ROCm.",
            next: "take the pair of `validate explain pairing`, or build torch against this ROCm",
        },
        FindingAbout {
            id: "no-kernels",
            what: "A component has no code for the ISA: `invalid device function`, a missing library, or a segfault.",
            next: "take a native build (`validate explain mitigation.native-build`), or on RDNA2 the override",
        },
        FindingAbout {
            id: "untuned",
            what: "A component runs without what is tuned for the GPU.",
            next: "expect minutes of compiling at the first run of every shape; believe no time of a first run",
        },
        FindingAbout {
            id: "unsupported",
            what: "AMD does not support the GPU with this ROCm.",
            next: "believe AMD's matrix for what is fixed when it breaks; TheRock builds for it (`validate explain build.therock`)",
        },
        FindingAbout {
            id: "reported-bad",
            what: "This kernel was reported to fail with this GPU.",
            next: "believe no failure of the stack before it was seen on another kernel (`validate explain mitigation.kernel-6.17.9`)",
        },
    ],
};

pub(super) fn evaluate(torch: Option<TorchVersion>, seen: &Observations) -> Evaluation {
    let mut collector = Collector::new(&ABOUT);
    let look = &seen.after;
    let Some(tuning) = &look.tuning else {
        collector.gap(GapKind::NotReported, "the stack", "nobody asked");
        return collector.finish();
    };
    let rocm = match torch.and_then(|torch| torch.rocm) {
        Some(rocm) => Ok(rocm),
        None => installed(tuning),
    };
    let rocm = match rocm {
        Ok(rocm) => rocm,
        Err(why) => {
            collector.gap(GapKind::NotReported, "ROCm", why);
            return collector.finish();
        }
    };
    if torch.is_none() {
        collector.gap(GapKind::NotReported, "torch", "which torch would run is not said: name it with `torch`");
    }
    let ground = Ground::of(look);
    if ground.isas.is_empty() {
        collector.gap(GapKind::NotReported, "the GPU", "neither KFD nor a PCI id says which ISA it has");
    }
    let stack = Stack { torch: torch.map(|torch| torch.torch), rocm, kernel: ground.kernel };
    let none = std::collections::BTreeMap::new();
    let environment = tuning.environment.value().unwrap_or(&none);
    for native in &ground.isas {
        let isa = effective_isa(environment, native);
        for fit in fits(&stack, &isa) {
            let subject = format!("{} for {isa}", fit.subject);
            match fit.kind {
                FitKind::Fits => collector.met(subject, "goes together", fit.why),
                FitKind::NotAPair => collector.unmet("not-a-pair", subject, "a wheel of both", fit.why),
                FitKind::NoKernels => collector.unmet("no-kernels", subject, "code for the ISA", fit.why),
                FitKind::Untuned => collector.doubtful("untuned", subject, "tuning for the GPU", fit.why),
                FitKind::Unsupported => collector.doubtful("unsupported", subject, "support by AMD", fit.why),
                FitKind::ReportedBad => {
                    collector.doubtful("reported-bad", subject, "a kernel without reports", fit.why)
                }
                FitKind::Unknown => collector.gap(GapKind::Unknown, subject, fit.why),
            }
        }
    }
    collector.finish()
}

/// The one ROCm below `/opt`.
fn installed(tuning: &TuningFacts) -> Result<MajorMinor, String> {
    match tuning.rocm.as_slice() {
        [] => Err("no wheel says one, and there is no /opt/rocm*/.info/version".to_owned()),
        [one] => one.parse().map_err(|error| format!("{one:?} below /opt: {error}")),
        several => Err(format!("no wheel says one, and several are below /opt: {}", several.join(", "))),
    }
}

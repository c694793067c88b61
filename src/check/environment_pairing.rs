//! `environment.pairing`: torch, ROCm, the GPU and the kernel go together, by the table of what is built for what. Where
//! probes of the case ran on a torch, it is the one that they loaded.

use std::collections::BTreeMap;

use crate::domain::{CheckId, Confidence, DeviceKind, MajorMinor, TorchVersion};
use crate::tuning::{Build, FitKind, Ground, Isa, Loaded, Stack, effective_isas, fits, loaded};
use crate::witness::{Observations, ProbeCame, ProbeDone, ProbeProcess, TuningFacts};

use super::about::{About, FindingAbout, Needs};
use super::evaluation::{Collector, Evaluation, GapKind};
use super::probes::{Group, environment_of, groups};

pub(super) const ABOUT: About = About {
    id: CheckId::EnvironmentPairing,
    what: "The torch that the case's probes loaded, else the one that is named, has a wheel for its ROCm, and that ROCm has code, tuning and support for the GPU, natively or as what it passes for; the kernel was not reported to fail with it. What probes loaded is what is named.",
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
        FindingAbout {
            id: "other-stack",
            what: "The torch that a probe loaded is not the one that the scenario is about.",
            next: "name the worker that has it (--worker), or correct `torch`: no result of this case is of the stack that is named",
        },
        FindingAbout {
            id: "no-rocm",
            what: "The torch that a probe loaded was built without ROCm: it uses no GPU of AMD.",
            next: "install a wheel that says +rocm, and name its worker; whatever was computed was not computed on the GPU",
        },
        FindingAbout {
            id: "mixed-stack",
            what: "The HIP that is loaded is of another ROCm than the one that torch was built for.",
            next: "take LD_LIBRARY_PATH and ROCm's ld.so.conf away from the worker, or take the wheel of that ROCm",
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
    let ground = Ground::of(look);
    if ran_torch(&seen.probes) {
        of_probes(&mut collector, torch, &seen.probes, tuning, &ground);
    } else {
        of_names(&mut collector, torch, tuning, &ground);
    }
    collector.finish()
}

/// By the torch that is named, and the ROCm of its wheel, else the one that is installed.
fn of_names(collector: &mut Collector, torch: Option<TorchVersion>, tuning: &TuningFacts, ground: &Ground) {
    let Some(rocm) = rocm(collector, torch.and_then(|torch| torch.rocm), tuning, "ROCm") else { return };
    if torch.is_none() {
        collector.gap(GapKind::NotReported, "torch", "which torch would run is not said: name it with `torch`");
    }
    let stack = Stack { torch: torch.map(|torch| torch.torch), rocm, kernel: ground.kernel };
    let none = BTreeMap::new();
    told(collector, &stack, &effective_isas(tuning.environment.value().unwrap_or(&none), ground), "");
}

fn processes(probe: &ProbeDone) -> &[ProbeProcess] {
    match &probe.came {
        ProbeCame::Ran(processes) => processes,
        ProbeCame::NotRun { .. } => &[],
    }
}

/// Whether a probe that was to run on the GPU loaded a torch.
fn ran_torch(probes: &[ProbeDone]) -> bool {
    let on_gpu = probes.iter().filter(|probe| probe.on == DeviceKind::Gpu);
    on_gpu.flat_map(processes).any(|process| loaded(&process.libraries).is_some())
}

/// By what each worker loaded.
fn of_probes(
    collector: &mut Collector,
    named: Option<TorchVersion>,
    probes: &[ProbeDone],
    tuning: &TuningFacts,
    ground: &Ground,
) {
    let on_gpu = probes.iter().filter(|probe| probe.on == DeviceKind::Gpu);
    let stacks = groups(collector, on_gpu, &|process| match loaded(&process.libraries) {
        Some(loaded) => {
            Ok((loaded, environment_of(process).map(|environment| effective_isas(&environment.has, ground))))
        }
        None => Err((GapKind::NotReported, "the worker ended before it had said which torch it loaded".to_owned())),
    });
    for Group { whose, first: (loaded, isas) } in stacks {
        if let Some(named) = named {
            compared(collector, named, &loaded, &whose);
        }
        let built = match &loaded.build {
            Build::Rocm(rocm) => Some(*rocm),
            Build::Without(what) => {
                let observed = format!("{}, built for {what}", loaded.name);
                collector.unmet("no-rocm", format!("torch in {whose}"), "a build for ROCm", observed);
                continue;
            }
            Build::Unsaid => None,
        };
        for hip in loaded.hip.iter().filter(|hip| built.is_some_and(|built| built != **hip)) {
            let observed = format!("{} with HIP of ROCm {hip}", loaded.name);
            collector.doubtful("mixed-stack", format!("HIP in {whose}"), "the ROCm of torch's build", observed);
        }
        let running = built.or_else(|| loaded.hip.first().copied());
        let Some(rocm) = rocm(collector, running, tuning, &format!("ROCm in {whose}")) else { continue };
        let stack = Stack { torch: loaded.torch, rocm, kernel: ground.kernel };
        match isas {
            Ok(isas) => told(collector, &stack, &isas, &format!(" in {whose}")),
            Err((kind, why)) => collector.gap(kind, format!("what the GPU passes for in {whose}"), why),
        }
    }
}

/// The torch that a scenario names is the one that was loaded.
fn compared(collector: &mut Collector, named: TorchVersion, loaded: &Loaded, whose: &str) {
    let rocm = named.rocm.is_none_or(|rocm| loaded.build == Build::Rocm(rocm));
    let (subject, expected) = (format!("torch in {whose}"), format!("torch {named}, as it is named"));
    if loaded.torch == Some(named.torch) && rocm {
        collector.met(subject, expected, loaded.name.as_str());
    } else {
        collector.unmet("other-stack", subject, expected, format!("{} is loaded", loaded.name));
    }
}

/// The ROCm that is known, else the one that is installed; where there is none, that is told.
fn rocm(
    collector: &mut Collector,
    known: Option<MajorMinor>,
    tuning: &TuningFacts,
    subject: &str,
) -> Option<MajorMinor> {
    match known.map_or_else(|| installed(tuning), Ok) {
        Ok(rocm) => Some(rocm),
        Err(why) => {
            collector.gap(GapKind::NotReported, subject, why);
            None
        }
    }
}

fn told(collector: &mut Collector, stack: &Stack, isas: &[Isa], whose: &str) {
    if isas.is_empty() {
        collector.gap(GapKind::NotReported, "the GPU", "neither KFD nor a PCI id says which ISA it has");
    }
    for isa in isas {
        for fit in fits(stack, isa) {
            let subject = format!("{} for {isa}{whose}", fit.subject);
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
}

/// The one ROCm below `/opt`.
fn installed(tuning: &TuningFacts) -> Result<MajorMinor, String> {
    match tuning.rocm.as_slice() {
        [] => Err("no wheel says one, and there is no /opt/rocm*/.info/version".to_owned()),
        [one] => one.parse().map_err(|error| format!("{one:?} below /opt: {error}")),
        several => Err(format!("no wheel says one, and several are below /opt: {}", several.join(", "))),
    }
}

//! `kernel.*` and `environment.*`.

use super::machine::healthy;
use super::probes::well;
use super::{Case, case, judge, told};
use crate::domain::{Ban, CheckSpec, Demand, Reading};
use crate::witness::tuning::{ModuleOption, VmLine, WorkerEnvironment};
use crate::witness::{ModuleState, Observations, ProbeCame, ProbeProcess, TuningFacts};

pub(super) fn demand(required: &[(&str, &str)], banned: &[&str]) -> Demand {
    let required = required.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let ban = |text: &&str| match text.split_once('=') {
        Some((name, value)) => Ban { name: name.to_owned(), value: Some(value.to_owned()) },
        None => Ban { name: (*text).to_owned(), value: None },
    };
    Demand::new(required, banned.iter().map(ban).collect(), |_, left, right| left == right).unwrap()
}

fn tuning(seen: &mut Observations) -> &mut TuningFacts {
    seen.after.tuning.as_mut().unwrap()
}

/// The command line, and what the files show after it.
fn set(seen: &mut Observations, cmdline: &str, shown: &[(&str, &str)]) {
    seen.after.kernel.as_mut().unwrap().cmdline = Reading::Value(cmdline.to_owned());
    for (name, value) in shown {
        show(seen, name, Reading::Value((*value).to_owned()));
    }
}

/// One more option of modprobe.d: `NAME=VALUE`, or a name alone.
fn option(seen: &mut Observations, written: &str) {
    let (name, value) = written.split_once('=').map_or((written, None), |(name, value)| (name, Some(value)));
    let (module, name, value) = ("amdgpu".to_owned(), name.to_owned(), value.map(str::to_owned));
    let Reading::Value(options) = &mut tuning(seen).options else { panic!("readable") };
    options.list.push(ModuleOption { module, name, value, place: "/etc/modprobe.d/a.conf".to_owned() });
}

fn show(seen: &mut Observations, name: &str, value: Reading<String>) {
    let Reading::Value(files) = &mut tuning(seen).parameters else { panic!("the machine has parameters") };
    files.insert(format!("amdgpu.{name}"), value);
}

/// Both GPUs are of another ISA.
fn become_isa(seen: &mut Observations, version: u32) {
    for node in seen.after.kfd.as_mut().unwrap() {
        node.gfx_target_version = Reading::Value(version);
    }
}

/// In the environment that probes would inherit, on RDNA1, where the case runs none.
fn export(seen: &mut Observations, variables: &[(&str, &str)]) {
    seen.probes.clear();
    become_isa(seen, 100_100);
    let set = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    tuning(seen).environment = Reading::Value(set.collect());
}

#[test]
fn a_parameter_that_is_set_counts_or_it_is_said_why_not() {
    const CASES: &[Case] = &[
        case("a change", |seen| set(seen, "amdgpu.cwsr_enable=0", &[("cwsr_enable", "0")]), &[]),
        case(
            "a no-op",
            |seen| set(seen, "amdgpu.vm_fragment_size=9", &[("vm_fragment_size", "9")]),
            &["unmet no-op amdgpu.vm_fragment_size=9 on gfx942"],
        ),
        case(
            "written at run time",
            |seen| {
                become_isa(seen, 100_300);
                set(seen, "", &[("noretry", "0")]);
            },
            &["unmet not-effective amdgpu.noretry on gfx1030"],
        ),
        case(
            "a no-op on one GPU, and a change on the other",
            |seen| {
                become_isa(seen, 100_100);
                seen.after.kfd.as_mut().unwrap()[1].gfx_target_version = Reading::Value(100_300);
                set(seen, "amdgpu.noretry=0", &[("noretry", "0")]);
            },
            &["unmet other-gpu-only amdgpu.noretry=0 on gfx1010"],
        ),
        case(
            "of another GPU",
            |seen| {
                become_isa(seen, 100_100);
                set(seen, "amdgpu.mtype_local=1", &[("mtype_local", "1")]);
            },
            &["unmet not-effective amdgpu.mtype_local=1 on gfx1010"],
        ),
        case(
            "a default that nobody knows",
            |seen| set(seen, "amdgpu.noretry=0", &[("noretry", "0")]),
            &["gap no facts amdgpu.noretry=0 on gfx942"],
        ),
        case("a slip", |seen| set(seen, "amdgpu.noretri=0", &[]), &["unmet unknown-name amdgpu.noretri=0"]),
        case(
            "twice the same",
            |seen| set(seen, "amdgpu.runpm=0 amdgpu.runpm=0", &[("runpm", "0")]),
            &["unmet duplicate amdgpu.runpm"],
        ),
        case(
            "twice otherwise",
            |seen| set(seen, "amdgpu.runpm=1 amdgpu.runpm=0", &[("runpm", "0")]),
            &["unmet contradictory amdgpu.runpm"],
        ),
        case(
            "twice the same in two spellings",
            |seen| set(seen, "amdgpu.runpm=0 amdgpu.runpm=0x0", &[("runpm", "0")]),
            &["unmet duplicate amdgpu.runpm"],
        ),
        case("two words of a list", |seen| set(seen, "pci=noaer pci=realloc=off", &[]), &[]),
        case("opposites", |seen| set(seen, "iommu=pt amd_iommu=off", &[]), &["unmet contradictory iommu=pt"]),
        case(
            "opposites in lists",
            |seen| set(seen, "iommu=soft,pt amd_iommu=fullflush,off", &[]),
            &["unmet contradictory iommu=pt"],
        ),
        case("opposites of one list", |seen| set(seen, "iommu=off iommu=pt", &[]), &["unmet contradictory iommu=pt"]),
        case(
            "opposites, and one is taken back",
            |seen| set(seen, "iommu=pt,nopt amd_iommu=off", &[]),
            &["unmet contradictory iommu"],
        ),
        case(
            "modprobe.d changed since",
            |seen| option(seen, "cwsr_enable=0"),
            &["unmet not-effective amdgpu.cwsr_enable=0 on gfx942"],
        ),
        case(
            "modprobe.d changed since, of what the driver copies",
            |seen| option(seen, "noretry=0"),
            &["unmet not-effective amdgpu.noretry=0 on gfx942"],
        ),
        case(
            "a comment behind an option",
            |seen| {
                option(seen, "cwsr_enable=0");
                option(seen, "#");
                show(seen, "cwsr_enable", Reading::Value("0".to_owned()));
            },
            &["unmet unknown-name amdgpu.#"],
        ),
        case(
            "another spelling of what no table has",
            |seen| set(seen, "amdgpu.dcdebugmask=0x10", &[("dcdebugmask", "16")]),
            &["gap no facts amdgpu.dcdebugmask=0x10"],
        ),
        case(
            "the log says otherwise",
            |seen| {
                let Reading::Value(lines) = &mut tuning(seen).vm else { panic!("readable") };
                lines[1] = VmLine { fragment_bits: 4, ..lines[1] };
            },
            &["unmet log-differs fragment size"],
        ),
        case(
            "a log that matters and is not there",
            |seen| {
                set(seen, "amdgpu.vm_fragment_size=4", &[("vm_fragment_size", "4")]);
                tuning(seen).vm = Reading::NotReported;
            },
            &["gap not reported fragment size"],
        ),
        case("a log that does not matter", |seen| tuning(seen).vm = Reading::NotReported, &[]),
        case(
            "root's file",
            |seen| show(seen, "gttsize", Reading::malformed("", "cannot be read: Permission denied (os error 13)")),
            &["gap no permission amdgpu.gttsize on gfx942"],
        ),
        case(
            "no command line",
            |seen| seen.after.kernel.as_mut().unwrap().cmdline = Reading::NotReported,
            &["gap not reported what was asked for"],
        ),
        case(
            "no driver",
            |seen| seen.after.driver.as_mut().unwrap().module = ModuleState::NotLoaded,
            &["gap not reported the driver"],
        ),
        case("no parameters", |seen| tuning(seen).parameters = Reading::NotReported, &["gap not reported the driver"]),
        case("nobody asked", |seen| seen.after.tuning = None, &["gap not reported the driver"]),
    ];
    judge(&CheckSpec::KernelEffective, CASES);
}

#[test]
fn what_is_required_is_in_force_and_what_is_banned_is_not() {
    let spec = CheckSpec::KernelParameters {
        demand: demand(&[("amdgpu.noretry", "1"), ("iommu", "pt")], &["amdgpu.runpm", "amdgpu.vm_fragment_size=4"]),
    };
    let on_rdna2 = |cmdline: &str, shown: &[(&str, &str)]| {
        let mut seen = healthy();
        become_isa(&mut seen, 100_300);
        set(&mut seen, cmdline, shown);
        told(&spec, &seen)
    };
    let pass = "root=/dev/sda1 iommu=pt";
    assert_eq!(on_rdna2(pass, &[]), [""; 0], "1 is the default on RDNA2");
    assert_eq!(on_rdna2("", &[]), ["unmet other-value iommu"]);
    assert_eq!(on_rdna2("iommu=off", &[]), ["unmet other-value iommu"]);
    assert_eq!(
        on_rdna2(&format!("{pass} amdgpu.noretry=0"), &[("noretry", "0")]),
        ["unmet other-value amdgpu.noretry on gfx1030"]
    );
    // Latched: what was written since does not count, and what was asked does.
    assert_eq!(on_rdna2(&format!("{pass} amdgpu.noretry=1"), &[("noretry", "0")]), [""; 0]);
    assert_eq!(
        on_rdna2(&format!("{pass} amdgpu.noretry=9"), &[("noretry", "9")]),
        ["unmet not-in-force amdgpu.noretry on gfx1030"]
    );
    assert_eq!(on_rdna2(&format!("{pass} amdgpu.runpm=-1"), &[]), ["unmet banned amdgpu.runpm on gfx1030"]);
    assert_eq!(
        on_rdna2(&format!("{pass} amdgpu.vm_fragment_size=4"), &[("vm_fragment_size", "4")]),
        ["unmet banned amdgpu.vm_fragment_size on gfx1030"]
    );
    let mut unknown = healthy();
    set(&mut unknown, pass, &[]);
    assert_eq!(told(&spec, &unknown), ["gap no facts amdgpu.noretry on gfx942"]);
    show(&mut unknown, "runpm", Reading::malformed("", "cannot be read: Permission denied"));
    assert_eq!(told(&spec, &unknown).last().unwrap(), "gap no permission amdgpu.runpm on gfx942");
}

/// Options of modprobe.d, command line, files that show something, what is required or banned (`!`), what comes of it.
type Demanded = (
    &'static [&'static str],
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
    &'static [&'static str],
);

#[test]
fn a_demand_is_met_by_what_is_in_force_however_it_is_written() {
    const NORETRY: &str = "amdgpu.noretry on gfx1030";
    let table: &[Demanded] = &[
        // modprobe.d asks, and nothing shows that the driver was loaded with it.
        (&["noretry=0"], "", &[], "amdgpu.noretry=0", &["gap no facts"]),
        (&["noretry=0"], "", &[], "amdgpu.noretry=1", &["gap no facts"]),
        (&["noretry=0"], "", &[], "!amdgpu.noretry=1", &["gap no facts"]),
        (&["noretry=0"], "", &[], "!amdgpu.noretry", &["unmet banned"]),
        (&["noretry=0"], "", &[("noretry", "0")], "amdgpu.noretry=0", &[]),
        (&[], "amdgpu.noretry=0", &[], "amdgpu.noretry=0", &[]),
        // Nothing asks, and the file shows what an older initramfs may have loaded.
        (&[], "", &[("noretry", "0")], "amdgpu.noretry=1", &["gap no facts"]),
        (&[], "", &[("noretry", "0")], "!amdgpu.noretry=0", &["gap no facts"]),
        // Not legal, and held.
        (&[], "amdgpu.noretry=7", &[("noretry", "7")], "!amdgpu.noretry=7", &["unmet banned"]),
        // Words of lists, in several places.
        (&[], "pci=noaer,realloc=off", &[], "!pci=realloc=off", &["unmet banned"]),
        (&[], "pci=realloc=off pci=noaer", &[], "!pci=realloc=off", &["unmet banned"]),
        (&[], "pci=realloc=off pci=realloc=on", &[], "!pci=realloc=off", &[]),
        (&[], "amd_iommu=fullflush,off", &[], "!amd_iommu=off", &["unmet banned"]),
        (&[], "iommu=pt,off", &[], "!iommu=off", &["unmet banned"]),
        (&[], "iommu=off iommu=pt", &[], "!iommu=off", &["unmet banned"]),
        (&[], "iommu=pt,nofullflush", &[], "iommu=pt", &[]),
        (&[], "iommu=pt,nopt", &[], "iommu=pt", &["unmet other-value"]),
        (&[], "iommu=soft", &[], "iommu=pt", &["unmet other-value"]),
        (&[], "pci=noaer pci=realloc=off", &[], "pci=realloc=off", &[]),
        (&[], "numa_balancing=enable numa_balancing=disable", &[], "numa_balancing=enable", &["unmet other-value"]),
        // Every timeout.
        (
            &[],
            "amdgpu.lockup_timeout=10000,1,1,1",
            &[("lockup_timeout", "10000")],
            "amdgpu.lockup_timeout=10000,60000",
            &["unmet other-value"],
        ),
        (
            &[],
            "amdgpu.lockup_timeout=10000,60000",
            &[("lockup_timeout", "10000")],
            "amdgpu.lockup_timeout=10000,60000",
            &[],
        ),
        (
            &["lockup_timeout=10000,60000"],
            "",
            &[("lockup_timeout", "10000")],
            "amdgpu.lockup_timeout=10000,60000",
            &["gap no facts"],
        ),
        // What is in no table.
        (&[], "amdgpu.dcdebugmask=0x10", &[("dcdebugmask", "16")], "!amdgpu.dcdebugmask=0x10", &["unmet banned"]),
        (&[], "amdgpu.dcdebugmask=0x10", &[("dcdebugmask", "16")], "amdgpu.dcdebugmask=0x10", &[]),
        (&[], "amdgpu.pcie_p2p=0", &[("pcie_p2p", "N")], "!amdgpu.pcie_p2p=0", &["unmet banned"]),
        (&[], "", &[("pcie_p2p", "Y")], "amdgpu.pcie_p2p=1", &[]),
        (&[], "", &[("pcie_p2p", "Y")], "amdgpu.pcie_p2p=0", &["unmet other-value"]),
    ];
    for (options, cmdline, shown, demanded, expected) in table {
        let mut seen = healthy();
        become_isa(&mut seen, 100_300);
        set(&mut seen, cmdline, shown);
        options.iter().for_each(|written| option(&mut seen, written));
        let demand = match demanded.strip_prefix('!') {
            Some(banned) => demand(&[], &[banned]),
            None => demand(&[demanded.split_once('=').unwrap()], &[]),
        };
        let found = told(&CheckSpec::KernelParameters { demand }, &seen);
        let name = demanded.trim_start_matches('!').split('=').next().unwrap();
        let subject = if name == "amdgpu.noretry" { NORETRY.to_owned() } else { name.to_owned() };
        let found: Vec<String> =
            found.iter().map(|line| line.replace(&format!(" {subject}"), "").replace(" on gfx1030", "")).collect();
        assert_eq!(found, *expected, "{options:?} {cmdline} {shown:?} {demanded}: {found:?}");
    }
    let mut blind = healthy();
    blind.after.kernel.as_mut().unwrap().cmdline = Reading::NotReported;
    let spec = CheckSpec::KernelParameters { demand: demand(&[("iommu", "pt")], &[]) };
    assert_eq!(told(&spec, &blind), ["gap not reported iommu"]);
}

#[test]
fn a_variable_acts_or_it_is_said_why_not() {
    const CASES: &[Case] = &[
        case("one that acts", |seen| export(seen, &[("HSA_ENABLE_SDMA", "0")]), &[]),
        case(
            "folklore",
            |seen| export(seen, &[("HIP_FORCE_COARSE_GRAIN", "1")]),
            &["unmet folklore HIP_FORCE_COARSE_GRAIN=1"],
        ),
        case(
            "for building",
            |seen| export(seen, &[("PYTORCH_ROCM_ARCH", "gfx1010")]),
            &["unmet build-time-only PYTORCH_ROCM_ARCH=gfx1010"],
        ),
        case("a no-op", |seen| export(seen, &[("HSA_XNACK", "0")]), &["unmet no-op HSA_XNACK=0"]),
        case(
            "the opposite",
            |seen| export(seen, &[("HSA_FORCE_FINE_GRAIN_PCIE", "1")]),
            &["unmet contradicts-its-aim HSA_FORCE_FINE_GRAIN_PCIE=1"],
        ),
        case("nonsense", |seen| export(seen, &[("HSA_XNACK", "maybe")]), &["unmet invalid-value HSA_XNACK=maybe"]),
        case(
            "a filter",
            |seen| export(seen, &[("HIP_VISIBLE_DEVICES", "1")]),
            &["doubtful hides-devices HIP_VISIBLE_DEVICES=1"],
        ),
        case(
            "no evidence",
            |seen| export(seen, &[("AMD_LOG_LEVEL_FILE", "x")]),
            &["unmet takes-evidence AMD_LOG_LEVEL_FILE=x"],
        ),
        case(
            "another ISA",
            |seen| export(seen, &[("HSA_OVERRIDE_GFX_VERSION", "10.3.0")]),
            &["unmet other-isa HSA_OVERRIDE_GFX_VERSION=10.3.0"],
        ),
        case(
            "of a node that is none",
            |seen| export(seen, &[("HSA_OVERRIDE_GFX_VERSION_99", "10.3.0")]),
            &["unmet no-op HSA_OVERRIDE_GFX_VERSION_99=10.3.0"],
        ),
        case(
            "code of the chip before it",
            |seen| {
                export(seen, &[("HSA_OVERRIDE_GFX_VERSION", "10.1.0")]);
                become_isa(seen, 100_101);
            },
            &[],
        ),
        case(
            "the same ISA",
            |seen| {
                export(seen, &[("HSA_OVERRIDE_GFX_VERSION", "10.3.0")]);
                become_isa(seen, 100_301);
            },
            &[],
        ),
        case("a slip", |seen| export(seen, &[("HSA_XNAK", "0")]), &["unmet unknown-name HSA_XNAK=0"]),
        case(
            "not readable",
            |seen| {
                export(seen, &[]);
                tuning(seen).environment = Reading::NotReported;
            },
            &["gap not reported the environment"],
        ),
        case("nobody asked", |seen| seen.after.tuning = None, &["gap not reported the environment"]),
    ];
    judge(&CheckSpec::EnvironmentVariables { demand: Demand::default() }, CASES);
    let spec = CheckSpec::EnvironmentVariables {
        demand: demand(&[("HSA_ENABLE_SDMA", "0")], &["GPU_MAX_HW_QUEUES", "MIOPEN_FIND_MODE=FAST"]),
    };
    const DEMANDED: &[Case] = &[
        case("as demanded", |seen| export(seen, &[("HSA_ENABLE_SDMA", "0"), ("MIOPEN_FIND_MODE", "NORMAL")]), &[]),
        case("not exported", |seen| export(seen, &[]), &["unmet not-exported HSA_ENABLE_SDMA"]),
        case(
            "otherwise",
            |seen| export(seen, &[("HSA_ENABLE_SDMA", "1")]),
            &["unmet other-value HSA_ENABLE_SDMA", "unmet no-op HSA_ENABLE_SDMA=1"],
        ),
        case(
            "banned",
            |seen| export(seen, &[("HSA_ENABLE_SDMA", "0"), ("GPU_MAX_HW_QUEUES", "1"), ("MIOPEN_FIND_MODE", "FAST")]),
            &["unmet banned GPU_MAX_HW_QUEUES", "unmet banned MIOPEN_FIND_MODE"],
        ),
    ];
    judge(&spec, DEMANDED);
}

#[test]
fn a_stack_goes_together_or_it_is_said_what_does_not() {
    let of = |torch: &str, gfx: u32, kernel: &str, wrong: fn(&mut Observations)| {
        let mut seen = healthy();
        become_isa(&mut seen, gfx);
        seen.after.kernel.as_mut().unwrap().release = Reading::Value(kernel.to_owned());
        wrong(&mut seen);
        let mut ids: Vec<String> = told(&CheckSpec::EnvironmentPairing { torch: torch.parse().ok() }, &seen)
            .iter()
            .map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" "))
            .collect();
        ids.dedup();
        ids
    };
    let spoof: fn(&mut Observations) = |seen| {
        let set = ("HSA_OVERRIDE_GFX_VERSION".to_owned(), "10.3.0".to_owned());
        tuning(seen).environment = Reading::Value([set].into());
    };
    let none: fn(&mut Observations) = |_| {};
    assert_eq!(of("2.5.1+rocm6.2", 100_300, "6.8.0", none), [""; 0]);
    // A wheel that says no ROCm runs on the one that is installed.
    assert_eq!(of("2.5.1", 100_300, "6.8.0", none), [""; 0]);
    assert_eq!(of("2.2.2", 100_300, "6.8.0", none), ["unmet not-a-pair"]);
    assert_eq!(
        of("2.5.1+rocm6.2", 100_100, "6.8.0", none),
        ["unmet no-kernels", "doubtful untuned", "doubtful unsupported"]
    );
    assert_eq!(of("2.5.1+rocm6.2", 100_100, "6.8.0", spoof), ["doubtful untuned", "doubtful unsupported"]);
    assert_eq!(of("2.11.0+rocm7.0", 100_300, "6.18.3", none), ["doubtful reported-bad"]);
    assert_eq!(of("2.5.1+rocm6.2", 90_402, "6.8.0", none), ["gap no"]);
    assert_eq!(of("", 100_300, "6.8.0", none), ["gap not"]);
    assert_eq!(of("2.5.1", 100_300, "6.8.0", |seen| tuning(seen).rocm.clear()), ["gap not"]);
    assert_eq!(of("2.5.1", 100_300, "6.8.0", |seen| tuning(seen).rocm.push("5.7.1".to_owned())), ["gap not"]);
    assert_eq!(of("2.5.1", 100_300, "6.8.0", |seen| seen.after.tuning = None), ["gap not"]);
}

fn map(pairs: &[(&str, &str)]) -> std::collections::BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// The processes of the probe on the GPU, and of the one on the CPU after it, in a shell that exports folklore.
fn probed(seen: &mut Observations) -> Vec<&mut ProbeProcess> {
    export(seen, &[("HIP_FORCE_COARSE_GRAIN", "1")]);
    seen.probes = well();
    let came = seen.probes.iter_mut().map(|probe| match &mut probe.came {
        ProbeCame::Ran(processes) => &mut processes[0],
        ProbeCame::NotRun { why } => panic!("{why}"),
    });
    came.collect()
}

fn gave(process: &mut ProbeProcess, given: &[(&str, &str)], has: &[(&str, &str)]) {
    process.environment = Reading::Value(WorkerEnvironment { given: map(given), has: map(has) });
}

#[test]
fn probes_are_judged_by_the_environment_of_their_processes() {
    const CASES: &[Case] = &[
        case(
            "what the shell exports is not theirs",
            |seen| drop(probed(seen)),
            &["unmet not-exported HSA_ENABLE_SDMA in matmul/f32/8x16x8 on the GPU and another probe"],
        ),
        case(
            "as it was given",
            |seen| {
                for process in probed(seen) {
                    gave(process, &[("HSA_ENABLE_SDMA", "0")], &[("HSA_ENABLE_SDMA", "0")]);
                }
            },
            &[],
        ),
        case(
            "one of them lost it, the other has more",
            |seen| {
                let mut processes = probed(seen);
                gave(processes[0], &[("HSA_ENABLE_SDMA", "0")], &[]);
                let more = [("HSA_ENABLE_SDMA", "0"), ("HSA_XNACK", "0")];
                gave(processes[1], &more[..1], &more);
            },
            &[
                "unmet not-in-the-process HSA_ENABLE_SDMA in matmul/f32/8x16x8 on the GPU",
                "unmet not-exported HSA_ENABLE_SDMA in matmul/f32/8x16x8 on the GPU",
                "unmet no-op HSA_XNACK=0 in matmul/f32/8x16x8 on the CPU",
            ],
        ),
        case(
            "another value",
            |seen| {
                for process in probed(seen) {
                    gave(process, &[("HSA_ENABLE_SDMA", "0")], &[("HSA_ENABLE_SDMA", "2")]);
                }
            },
            &[
                "unmet not-in-the-process HSA_ENABLE_SDMA in matmul/f32/8x16x8 on the GPU and another probe",
                "unmet other-value HSA_ENABLE_SDMA in matmul/f32/8x16x8 on the GPU and another probe",
                "unmet invalid-value HSA_ENABLE_SDMA=2 in matmul/f32/8x16x8 on the GPU and another probe",
            ],
        ),
        case(
            "one of them not read",
            |seen| {
                let mut processes = probed(seen);
                gave(processes[0], &[], &[("HSA_ENABLE_SDMA", "0")]);
                processes[1].environment = Reading::malformed("", "/proc/7/environ: Permission denied (os error 13)");
            },
            &["gap no permission matmul/f32/8x16x8 on the CPU"],
        ),
        case(
            "none of them",
            |seen| probed(seen).into_iter().for_each(|process| process.environment = Reading::NotReported),
            &["gap not reported matmul/f32/8x16x8 on the GPU", "gap not reported matmul/f32/8x16x8 on the CPU"],
        ),
        case(
            "not run",
            |seen| {
                probed(seen);
                seen.probes.truncate(1);
                seen.probes[0].came = ProbeCame::NotRun { why: "no worker".to_owned() };
            },
            &["gap no worker matmul/f32/8x16x8 on the GPU"],
        ),
    ];
    judge(&CheckSpec::EnvironmentVariables { demand: demand(&[("HSA_ENABLE_SDMA", "0")], &[]) }, CASES);
}

#[test]
fn a_stack_is_what_the_worker_loaded_where_one_did() {
    const PROBE: &str = "matmul/f32/8x16x8 on the GPU";
    let of = |named: &str, loaded: &[(&str, &str)], wrong: fn(&mut Observations)| {
        let mut seen = healthy();
        probed(&mut seen)[0].libraries = map(loaded);
        become_isa(&mut seen, 100_300);
        seen.after.kernel.as_mut().unwrap().release = Reading::Value("6.8.0".to_owned());
        wrong(&mut seen);
        told(&CheckSpec::EnvironmentPairing { torch: named.parse().ok() }, &seen)
    };
    let as_it_is: fn(&mut Observations) = |_| {};
    let about = |words: &str| [format!("{words} in {PROBE}")];
    assert_eq!(of("2.5.1+rocm6.2", &[("torch", "2.5.1+rocm6.2")], as_it_is), [""; 0]);
    assert_eq!(of("", &[("torch", "2.5.1+rocm6.2")], as_it_is), [""; 0], "nobody has to name what says its own name");
    assert_eq!(of("2.5.1+rocm6.2", &[("torch", "2.7.1+rocm6.3")], as_it_is), about("unmet other-stack torch"));
    assert_eq!(of("2.5.1+rocm6.2", &[("torch", "2.5.1+rocm6.1")], as_it_is)[0], about("unmet other-stack torch")[0]);
    assert_eq!(of("2.5.1", &[("torch", "2.5.1+rocm6.2")], as_it_is), [""; 0]);
    for cpu in [&[("torch", "2.5.1+cpu")][..], &[("torch", "2.5.1+cu121")], &[("torch", "2.5.1"), ("cuda", "12.1")]] {
        assert_eq!(of("", cpu, as_it_is), about("unmet no-rocm torch"), "{cpu:?}");
    }
    let mixed = [("torch", "2.5.1+rocm6.2"), ("libamdhip64", "6.4.60400")];
    assert_eq!(of("", &mixed, as_it_is), about("doubtful mixed-stack HIP"));
    assert_eq!(of("", &[mixed[0], ("libamdhip64", "6.2.60204")], as_it_is), [""; 0]);
    // The wheel's ROCm counts, and not the one below /opt.
    let other: fn(&mut Observations) = |seen| tuning(seen).rocm = vec!["5.7.1".to_owned()];
    assert_eq!(of("", &[("torch", "2.5.1+rocm6.2")], other), [""; 0]);
    assert_eq!(
        of("", &[("torch", "2.5.1")], other)[0],
        format!("unmet not-a-pair torch 2.5 and ROCm 5.7 for gfx1030 in {PROBE}")
    );
    let none: fn(&mut Observations) = |seen| tuning(seen).rocm.clear();
    assert_eq!(of("", &[("torch", "2.5.1")], none), [format!("gap not reported ROCm in {PROBE}")]);
    // A worker without a torch says nothing of one, and then the one that is named counts.
    assert_eq!(
        of("2.5.1+rocm5.7", &[("validate", "0.1.0")], as_it_is)[0],
        "unmet not-a-pair torch 2.5 and ROCm 5.7 for gfx1030"
    );
    // What the GPU passes for is of the process.
    let spoofed: fn(&mut Observations) = |seen| {
        become_isa(seen, 100_100);
        let ProbeCame::Ran(processes) = &mut seen.probes[0].came else { panic!("it ran") };
        gave(&mut processes[0], &[], &[("HSA_OVERRIDE_GFX_VERSION", "10.3.0")]);
    };
    let found = of("", &[("torch", "2.5.1+rocm6.2")], spoofed);
    assert!(!found.is_empty() && found.iter().all(|line| line.starts_with("doubtful un")), "{found:?}");
    let unread: fn(&mut Observations) = |seen| {
        let ProbeCame::Ran(processes) = &mut seen.probes[0].came else { panic!("it ran") };
        processes[0].environment = Reading::NotReported;
    };
    let found = of("", &[("torch", "2.5.1+rocm6.2")], unread);
    assert_eq!(found, [format!("gap not reported what the GPU passes for in {PROBE}")]);
}

//! Each verdict on readings made by hand.

use super::super::asks;
use super::*;
use crate::domain::Bytes;
use crate::witness::tuning::{ModuleOption, Options};
use crate::witness::{DriverFacts, KernelFacts, KfdNode, ModuleState, TuningFacts};

/// A machine with one GPU, AMD's driver left out.
fn look(gfx: u32, kernel: &str, cmdline: &str, files: &[(&str, &str)]) -> Snapshot {
    let of = |text: &str| Reading::Value(text.to_owned());
    let mut parameters: BTreeMap<String, Reading<String>> = facts::parameters()
        .iter()
        .filter(|each| each.name.starts_with("amdgpu."))
        .map(|each| (each.name.clone(), of(each.unset.as_deref().unwrap_or("0"))))
        .collect();
    for (name, value) in files {
        let reading = match value.strip_prefix("? ") {
            Some(problem) => Reading::malformed("", problem),
            None => of(value),
        };
        parameters.insert(format!("amdgpu.{name}"), reading);
    }
    let node =
        KfdNode { gfx_target_version: Reading::Value(gfx), memory: Reading::Value(Bytes(1)), ..KfdNode::unread(1, 7) };
    Snapshot {
        kfd: Some(vec![node]),
        kernel: Some(KernelFacts {
            release: of(kernel),
            cmdline: of(cmdline),
            hypervisor: Reading::Value(false),
            boot_id: Reading::NotReported,
        }),
        driver: Some(DriverFacts {
            module: ModuleState::Live,
            version: Reading::NotReported,
            pages_limit: Reading::NotReported,
            numa_nodes: Reading::NotReported,
        }),
        tuning: Some(TuningFacts {
            options: Reading::Value(Options::default()),
            parameters: Reading::Value(parameters),
            vm: Reading::NotReported,
            environment: Reading::NotReported,
            rocm: Vec::new(),
        }),
        ..Snapshot::default()
    }
}

fn told(look: &Snapshot, name: &str) -> (String, Option<String>) {
    let ground = Ground::of(look);
    let asks = asks(look, &ground);
    let found = standings(look, &ground, &asks).into_iter().find(|each| each.name == name).unwrap();
    (found.effect.word().to_owned(), found.in_force)
}

const RDNA1: u32 = 100_100;
const RDNA2: u32 = 100_300;

/// ISA, kernel, command line, files that show something, a parameter, its verdict, the value in force.
type Row = (
    u32,
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
    &'static str,
    Option<&'static str>,
);

#[test]
fn a_parameter_has_one_of_five_verdicts_by_isa_and_kernel() {
    let table: &[Row] = &[
        (RDNA1, "6.8.0", "", &[], "noretry", "not set", Some("0")),
        (RDNA2, "6.8.0", "", &[], "noretry", "not set", Some("1")),
        (RDNA2, "5.15.0", "", &[], "noretry", "not set", Some("0")),
        // The pair that is recommended: a no-op on RDNA1, and the half of one on RDNA2.
        (RDNA1, "6.8.0", "amdgpu.noretry=0", &[("noretry", "0")], "noretry", "no-op", Some("0")),
        (RDNA2, "6.8.0", "amdgpu.noretry=0", &[("noretry", "0")], "noretry", "changes the default", Some("0")),
        (RDNA2, "5.15.0", "amdgpu.noretry=0", &[("noretry", "0")], "noretry", "no-op", Some("0")),
        (RDNA2, "5.18.0", "amdgpu.noretry=0", &[("noretry", "0")], "noretry", "set, default unknown", Some("0")),
        (
            RDNA1,
            "6.8.0",
            "amdgpu.vm_fragment_size=9",
            &[("vm_fragment_size", "9")],
            "vm_fragment_size",
            "no-op",
            Some("9"),
        ),
        (
            RDNA2,
            "6.8.0",
            "amdgpu.vm_fragment_size=9",
            &[("vm_fragment_size", "9")],
            "vm_fragment_size",
            "no-op",
            Some("9"),
        ),
        (
            90_402,
            "6.8.0",
            "amdgpu.vm_fragment_size=9",
            &[("vm_fragment_size", "9")],
            "vm_fragment_size",
            "no-op",
            Some("9"),
        ),
        (
            RDNA2,
            "6.8.0",
            "amdgpu.vm_fragment_size=4",
            &[("vm_fragment_size", "4")],
            "vm_fragment_size",
            "changes the default",
            Some("4"),
        ),
        (RDNA2, "6.8.0", "amdgpu.vm_fragment_size=-1", &[], "vm_fragment_size", "no-op", Some("9")),
        // Rejected: the driver overwrites it.
        (RDNA2, "6.8.0", "amdgpu.vm_fragment_size=12", &[], "vm_fragment_size", "set but not effective", Some("9")),
        (RDNA2, "6.8.0", "amdgpu.noretry=7", &[("noretry", "7")], "noretry", "set but not effective", None),
        // Written at run time, or of an initramfs with another modprobe.d: nobody knows.
        (RDNA2, "6.8.0", "", &[("noretry", "0")], "noretry", "set but not effective", None),
        (RDNA2, "6.8.0", "amdgpu.noretry=7", &[], "noretry", "set but not effective", None),
        // Written at run time for certain: latched, so the value at load counts.
        (RDNA2, "6.8.0", "amdgpu.noretry=0", &[("noretry", "1")], "noretry", "set but not effective", Some("0")),
        // Written at run time and not latched: it counts.
        (
            RDNA2,
            "6.8.0",
            "",
            &[("queue_preemption_timeout_ms", "100")],
            "queue_preemption_timeout_ms",
            "changes the default",
            Some("100"),
        ),
        (
            RDNA2,
            "6.8.0",
            "amdgpu.reset_method=4",
            &[("reset_method", "1")],
            "reset_method",
            "set but not effective",
            Some("1"),
        ),
        // Another ISA's.
        (RDNA1, "6.8.0", "amdgpu.mtype_local=1", &[("mtype_local", "1")], "mtype_local", "set but not effective", None),
        (
            90_402,
            "6.8.0",
            "amdgpu.mtype_local=1",
            &[("mtype_local", "1")],
            "mtype_local",
            "changes the default",
            Some("1"),
        ),
        (RDNA1, "6.8.0", "amdgpu.mtype_local=0", &[], "mtype_local", "no-op", Some("0")),
        // Overridden later on the line.
        (RDNA2, "6.8.0", "amdgpu.runpm=1 amdgpu.runpm=0", &[("runpm", "0")], "runpm", "changes the default", Some("0")),
        // Asked, and the driver was loaded without it.
        (RDNA2, "6.8.0", "amdgpu.cwsr_enable=0", &[], "cwsr_enable", "set but not effective", Some("1")),
        // Root's file.
        (RDNA2, "6.8.0", "", &[("gttsize", "? Permission denied")], "gttsize", "unreadable", None),
        // Masks in any base.
        (RDNA2, "6.8.0", "amdgpu.ppfeaturemask=0xfff7bfff", &[], "ppfeaturemask", "no-op", Some("0xfff7bfff")),
        (
            RDNA2,
            "6.8.0",
            "amdgpu.ppfeaturemask=0xffffffff",
            &[("ppfeaturemask", "0xffffffff")],
            "ppfeaturemask",
            "changes the default",
            Some("0xffffffff"),
        ),
    ];
    for (gfx, kernel, cmdline, files, name, word, in_force) in table {
        let look = look(*gfx, kernel, cmdline, files);
        let expected = ((*word).to_owned(), in_force.map(str::to_owned));
        assert_eq!(told(&look, &format!("amdgpu.{name}")), expected, "{gfx} {kernel} {cmdline} {files:?}");
    }
}

/// With these options of modprobe.d, each `NAME=VALUE` or a name alone.
fn with_options(mut look: Snapshot, options: &[&str]) -> Snapshot {
    let option = |option: &&str| {
        let (name, value) = option.split_once('=').map_or((*option, None), |(name, value)| (name, Some(value)));
        ModuleOption {
            module: "amdgpu".to_owned(),
            name: name.to_owned(),
            value: value.map(str::to_owned),
            place: "/etc/modprobe.d/a.conf".to_owned(),
        }
    };
    let list = options.iter().map(option).collect();
    look.tuning.as_mut().unwrap().options = Reading::Value(Options { list, unread: Vec::new() });
    look
}

/// Options of modprobe.d, command line, files that show something, a parameter, its verdict, the value in force.
type Loaded = (
    &'static [&'static str],
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
    &'static str,
    Option<&'static str>,
);

#[test]
fn what_modprobe_d_asks_for_is_in_force_where_the_file_shows_it() {
    let table: &[Loaded] = &[
        (&["noretry=0"], "", &[("noretry", "0")], "noretry", "changes the default", Some("0")),
        // The initramfs was not made again, or somebody wrote -1.
        (&["noretry=0"], "", &[], "noretry", "set but not effective", None),
        (&["noretry=1"], "", &[("noretry", "0")], "noretry", "set but not effective", None),
        // The command line reaches the driver however it is loaded.
        (&["noretry=0"], "amdgpu.noretry=0", &[], "noretry", "set but not effective", Some("0")),
        (&["noretry=1"], "amdgpu.noretry=0", &[("noretry", "0")], "noretry", "changes the default", Some("0")),
        // What is not copied is as its file shows.
        (&["cwsr_enable=0"], "", &[], "cwsr_enable", "set but not effective", Some("1")),
        // Of timeouts the file may show the first only.
        (
            &[],
            "amdgpu.lockup_timeout=10000,1,1,1",
            &[("lockup_timeout", "10000")],
            "lockup_timeout",
            "changes the default",
            Some("10000,1,1,1"),
        ),
        (
            &["lockup_timeout=10000,1"],
            "",
            &[("lockup_timeout", "10000")],
            "lockup_timeout",
            "set, default unknown",
            None,
        ),
        (
            &["lockup_timeout=10000,1"],
            "",
            &[("lockup_timeout", "10000,1")],
            "lockup_timeout",
            "changes the default",
            Some("10000,1"),
        ),
        (
            &["lockup_timeout=10000"],
            "",
            &[("lockup_timeout", "10000")],
            "lockup_timeout",
            "changes the default",
            Some("10000"),
        ),
        (&[], "", &[("lockup_timeout", "10000")], "lockup_timeout", "set, default unknown", None),
        (&[], "", &[("lockup_timeout", "10000,1")], "lockup_timeout", "changes the default", Some("10000,1")),
        (
            &[],
            "amdgpu.lockup_timeout=2000,1",
            &[("lockup_timeout", "10000")],
            "lockup_timeout",
            "set but not effective",
            Some("10000"),
        ),
        // Of no table: numbers in any base, yes and no.
        (&[], "amdgpu.dcdebugmask=0x10", &[("dcdebugmask", "16")], "dcdebugmask", "set, default unknown", Some("16")),
        (&[], "amdgpu.pcie_p2p=0", &[("pcie_p2p", "N")], "pcie_p2p", "set, default unknown", Some("N")),
        (&[], "amdgpu.pcie_p2p=1", &[("pcie_p2p", "N")], "pcie_p2p", "set but not effective", Some("N")),
        (&["#"], "", &[], "#", "set but not effective", None),
    ];
    for (options, cmdline, files, name, word, in_force) in table {
        let look = with_options(look(RDNA2, "6.8.0", cmdline, files), options);
        let expected = ((*word).to_owned(), in_force.map(str::to_owned));
        assert_eq!(told(&look, &format!("amdgpu.{name}")), expected, "{options:?} {cmdline} {files:?}");
    }
    let mut built_in = look(RDNA2, "6.8.0", "", &[("noretry", "0")]);
    built_in.driver.as_mut().unwrap().module = ModuleState::BuiltIn;
    assert_eq!(told(&built_in, "amdgpu.noretry").1.as_deref(), Some("1"), "no initramfs loads it");
}

#[test]
fn a_word_of_the_kernel_is_in_force_with_every_other_of_its_list() {
    for (cmdline, name, in_force) in [
        ("iommu=pt,nofullflush", "iommu", Some("pt,nofullflush")),
        ("pci=noaer pci=realloc=off", "pci", Some("noaer,realloc=off")),
        ("iommu=off iommu=pt,nopt", "iommu", Some("off,nopt")),
        ("numa_balancing=enable numa_balancing=disable", "numa_balancing", Some("disable")),
        ("quiet", "iommu", None),
    ] {
        let look = look(RDNA2, "6.8.0", cmdline, &[]);
        let ground = Ground::of(&look);
        let found = standing(name, &look, &ground, &asks(&look, &ground));
        assert_eq!(found.len(), 1, "{cmdline}");
        assert_eq!(found[0].in_force.as_deref(), in_force, "{cmdline}");
    }
    let mut blind = look(RDNA2, "6.8.0", "", &[]);
    blind.kernel = None;
    let ground = Ground::of(&blind);
    let found = standing("iommu", &blind, &ground, &asks(&blind, &ground));
    assert!(matches!(found[0].effect, Effect::Unreadable { .. }), "{found:?}");
}

#[test]
fn a_list_is_set_twice_only_where_one_of_its_words_is() {
    for (cmdline, expected) in [
        ("pci=noaer pci=realloc=off", &[][..]),
        ("iommu=off iommu=pt", &[]),
        ("pci=noaer,realloc=off pci=realloc=on", &["pci realloc=off realloc=on"]),
        ("iommu=pt iommu=soft,pt", &["iommu pt pt"]),
        ("iommu=pt iommu=nopt", &["iommu pt nopt"]),
        ("amdgpu.runpm=0 amdgpu.runpm=0x0", &["amdgpu.runpm 0 0x0"]),
    ] {
        let look = look(RDNA2, "6.8.0", cmdline, &[]);
        let found = repeated(&asks(&look, &Ground::of(&look)));
        let found: Vec<String> =
            found.iter().map(|(first, later)| format!("{} {} {}", first.name, first.value, later.value)).collect();
        assert_eq!(found, expected, "{cmdline}");
    }
}

#[test]
fn a_no_op_says_on_which_other_gpu_the_setting_counts() {
    let mut two = look(
        RDNA1,
        "6.8.0",
        "amdgpu.noretry=0 amdgpu.vm_fragment_size=9",
        &[("noretry", "0"), ("vm_fragment_size", "9")],
    );
    let other = KfdNode { gfx_target_version: Reading::Value(RDNA2), ..KfdNode::unread(2, 8) };
    two.kfd.as_mut().unwrap().push(other);
    let ground = Ground::of(&two);
    let all = standings(&two, &ground, &asks(&two, &ground));
    let elsewhere = |name: &str, gfx: &str| {
        let one = all.iter().find(|each| each.name == name && each.gfx == gfx).unwrap();
        one.counts_on(&all).iter().map(|other| other.gfx.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(elsewhere("amdgpu.noretry", "gfx1010"), ["gfx1030"]);
    assert_eq!(elsewhere("amdgpu.noretry", "gfx1030"), [""; 0]);
    assert_eq!(elsewhere("amdgpu.vm_fragment_size", "gfx1010"), [""; 0]);
}

#[test]
fn a_slip_names_the_nearest_parameter() {
    for (asked, nearest) in [
        ("amdgpu.vm_fragment_sise=9", Some("amdgpu.vm_fragment_size")),
        ("amdgpu.no_retry=0", Some("amdgpu.noretry")),
        ("amdgpu.zzz=0", None),
    ] {
        let look = look(RDNA2, "6.8.0", asked, &[]);
        let ground = Ground::of(&look);
        let found = standings(&look, &ground, &asks(&look, &ground));
        let slip = found.iter().find(|each| each.gfx.is_empty()).unwrap();
        let value = asked.split('=').nth(1).unwrap().to_owned();
        let expected = Effect::NotEffective(Ineffective::NoSuch { value, nearest: nearest.map(str::to_owned) });
        assert_eq!(slip.effect, expected, "{asked}");
    }
    let general = look(RDNA2, "6.8.0", "amdgpu.dyndbg=+p", &[]);
    let ground = Ground::of(&general);
    assert!(standings(&general, &ground, &asks(&general, &ground)).iter().all(|each| !each.gfx.is_empty()));
}

#[test]
fn modprobe_comes_before_the_command_line_and_not_to_a_driver_that_is_built_in() {
    let mut look = with_options(look(RDNA2, "6.8.0", "amdgpu.runpm=0", &[("runpm", "0")]), &["runpm=1"]);
    let ground = Ground::of(&look);
    let twice = asks(&look, &ground);
    assert_eq!(told(&look, "amdgpu.runpm").1.as_deref(), Some("0"));
    let (first, last) = repeated(&twice)[0].clone();
    assert_eq!((first.value.as_str(), last.value.as_str(), repeated(&twice).len()), ("1", "0", 1));
    look.driver.as_mut().unwrap().module = ModuleState::BuiltIn;
    let ground = Ground::of(&look);
    assert_eq!(asks(&look, &ground).list.len(), 1);
}

#[test]
fn without_readings_nothing_is_told_of_the_driver() {
    let mut bare = look(RDNA2, "6.8.0", "amdgpu.runpm=0", &[]);
    bare.tuning.as_mut().unwrap().parameters = Reading::NotReported;
    assert_eq!(told(&bare, "amdgpu.runpm"), ("unreadable".to_owned(), None));
    bare.tuning = None;
    let ground = Ground::of(&bare);
    assert_eq!(asks(&bare, &ground).unread.len(), 1);
}

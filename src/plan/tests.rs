//! Plans over small scenarios, as data.

use std::sync::Arc;

use proptest::prelude::*;

use crate::domain::{ComputeMode, MemoryMode, Provenance, Reading, ToolVersion};
use crate::scenario::{Case, Level, Origin, read};
use crate::sim::Platform;

use super::{Filter, HostDescription, Plan, Selection, Shard, Target};

/// Cases of one scenario with this header, machine and further tables.
fn cases(id: &str, header: &str, simulate: &str, rest: &str) -> Vec<Case> {
    let text = format!(
        "title = \"t\"\nwhy = \"w\"\nsource = \"s\"\n{header}\n[simulate]\namd-smi = [\"26.2.1\", \"27.1.0\"]\n{simulate}\n{rest}\n[[check]]\nid = \"devices.count\"\n"
    );
    let origin = Origin::Embedded(format!("{id}.toml"));
    let none = |_: &str| -> Result<Arc<crate::sim::Machine>, String> { Err("none".to_owned()) };
    read(&text, id, &origin, &none).unwrap_or_else(|problems| panic!("{}", problems[0]))
}

fn all() -> Vec<Case> {
    [
        cases("memory/mi300x", "tags = [\"memory\"]", "machine = \"mi300x\"", "[applies]\npart = \"MI3*\""),
        cases("rdna/navi21", "tags = [\"memory\", \"rdna\"]", "machine = \"rx6900xt\"", "[applies]\ngfx = \"gfx103x\""),
        cases("faults/busy", "tags = [\"faults\"]", "machine = \"mi300x\"\nfaults = [\"compute=EBUSY\"]", "[applies]"),
        cases(
            "set/cpx",
            "level = \"reconfigure\"",
            "machine = \"mi300x\"",
            "[applies]\n[[step]]\nset = { compute = \"CPX\" }",
        ),
        cases("held/one", "", "machine = \"mi300x\"", "[applies]\n[[step]]\nhold = true"),
        cases("alone/one", "", "machine = \"mi300x\"", ""),
    ]
    .concat()
}

fn given(provenance: Provenance, change: impl FnOnce(&mut HostDescription)) -> Target {
    let mut host = HostDescription {
        part: Reading::Value("MI300X".to_owned()),
        gfx: Reading::Value("gfx942".to_owned()),
        compute: Reading::Value(ComputeMode::Spx),
        memory: Reading::Value(MemoryMode::Nps1),
        tool: Reading::Value(ToolVersion::new(26, 2, 1)),
        platform: Reading::Value(Platform::BareMetal),
    };
    change(&mut host);
    Target::Given { provenance, host }
}

fn ids(plan: &Plan) -> Vec<&str> {
    plan.cases.iter().map(|case| case.id.as_str()).collect()
}

#[test]
fn filters_choose_what_they_say() {
    for (filter, expected) in [
        ("all()", 12),
        ("none()", 0),
        ("tag(memory)", 4),
        ("tag(mem*)", 4),
        ("tag(mem)", 0),
        ("tag(memory) and part(MI300X)", 2),
        ("tag(memory) & !part(mi300x)", 2),
        ("part(rx6900xt)", 2),
        ("part(RX 6900 XT)", 2),
        ("gfx(gfx103x)", 2),
        ("machine(mi*)", 10),
        ("id(faults)", 2),
        ("id(faults/*)", 2),
        ("not id(/^(faults|held)\\//)", 8),
        ("id(/\\/one(::|$)/)", 4),
        ("version(>=27)", 6),
        ("version(26.x) and tag(rdna)", 1),
        ("level(reconfigure)", 2),
        ("check(devices.*)", 12),
        ("tag(rdna) or tag(faults) and version(26.x)", 3),
        ("(tag(rdna) || tag(faults)) && version(26.x)", 2),
        ("not not all()", 12),
        ("  tag( memory )  ", 4),
    ] {
        let filter = Filter::parse(filter).map_err(|error| panic!("{error}")).unwrap();
        let selection = Selection { filter: Some(filter.clone()), ..Selection::default() };
        assert_eq!(Plan::build(all(), &selection, &Target::Simulated).cases.len(), expected, "{filter:?}");
    }
}

#[test]
fn a_filter_that_cannot_be_read_is_shown_with_its_place() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../snapshots/filter-errors");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for (name, filter) in [
        ("empty", ""),
        ("unknown-predicate", "tag(memory) and prat(MI300X)"),
        ("word", "tag(memory) and mi300x"),
        ("predicate-without-parenthesis", "tag and all()"),
        ("no-operator", "tag(a) tag(b)"),
        ("operator-at-end", "tag(a) and"),
        ("operator-at-start", "or tag(a)"),
        ("call-not-closed", "tag(memory"),
        ("group-not-closed", "(tag(a) or tag(b)"),
        ("nothing-to-close", "tag(a))"),
        ("bad-regex", "id(/a(/)"),
        ("bad-glob", "part(MI[)"),
        ("bad-version", "version(>=x)"),
        ("bad-level", "level(some)"),
        ("argument-of-all", "all(x)"),
        ("no-argument", "tag()"),
        ("character", "tag(a) + tag(b)"),
        ("too-deep", &"!".repeat(100)),
    ] {
        let error = Filter::parse(filter).err().unwrap_or_else(|| panic!("{filter} was read"));
        settings.bind(|| insta::assert_snapshot!(name, error.to_string()));
    }
    assert!(Filter::parse(&" ".repeat(5000)).is_err());
}

#[test]
fn every_reason_not_to_run_is_told() {
    let hardware = given(Provenance::Hardware, |_| {});
    let plan = Plan::build(all(), &Selection::default(), &hardware);
    assert_eq!(ids(&plan), ["memory/mi300x::amd-smi=26.2.1"]);
    let reasons: Vec<String> =
        plan.not_selected.iter().map(|each| format!("{}: {}", each.case.id, each.reason)).collect();
    insta::assert_snapshot!(reasons.join("\n"), @r"
    memory/mi300x::amd-smi=27.1.0: on this host the same as memory/mi300x::amd-smi=26.2.1
    rdna/navi21::amd-smi=26.2.1: does not apply: it is for gfx gfx103x, and this host has gfx942
    rdna/navi21::amd-smi=27.1.0: does not apply: it is for gfx gfx103x, and this host has gfx942
    faults/busy::amd-smi=26.2.1: only a simulated machine can have what it plants: faults
    faults/busy::amd-smi=27.1.0: only a simulated machine can have what it plants: faults
    set/cpx::amd-smi=26.2.1: it needs --interaction reconfigure, and observe is allowed
    set/cpx::amd-smi=27.1.0: it needs --interaction reconfigure, and observe is allowed
    held/one::amd-smi=26.2.1: only a simulated machine can have what it plants: a client that holds the GPUs
    held/one::amd-smi=27.1.0: only a simulated machine can have what it plants: a client that holds the GPUs
    alone/one::amd-smi=26.2.1: does not apply: the scenario has no [applies], so it is for its simulated machine only
    alone/one::amd-smi=27.1.0: does not apply: the scenario has no [applies], so it is for its simulated machine only
    ");
}

#[test]
fn what_is_slow_to_simulate_runs_where_a_filter_chooses_it_and_on_a_given_host() {
    let slow = || cases("probe/slow", "tags = [\"slow\"]", "machine = \"mi300x\"", "[applies]");
    let of = |filter: Option<&str>, target: &Target| {
        let filter = filter.map(|text| Filter::parse(text).unwrap());
        let plan = Plan::build(slow(), &Selection { filter, ..Selection::default() }, target);
        (plan.cases.len(), plan.not_selected.first().map(|each| each.reason.to_string()))
    };
    let reason = "it takes minutes to simulate, and runs where -E asks about tag(slow)";
    assert_eq!(of(None, &Target::Simulated), (0, Some(reason.to_owned())));
    assert_eq!(of(Some("id(probe/)"), &Target::Simulated), (0, Some(reason.to_owned())));
    assert_eq!(of(Some("not tag(slow) or id(other)"), &Target::Simulated).0, 0);
    assert_eq!(of(Some("tag(slow)"), &Target::Simulated), (2, None));
    assert_eq!(of(None, &given(Provenance::Hardware, |_| {})).0, 1);
}

#[test]
fn what_could_not_be_read_is_not_evaluated_rather_than_not_selected() {
    let target = given(Provenance::Hardware, |host| host.gfx = Reading::NotReported);
    let plan = Plan::build(all(), &Selection::default(), &target);
    let told: Vec<String> = plan.undecided.iter().map(|each| format!("{}: {}", each.case.id, each.why)).collect();
    assert_eq!(
        told,
        ["rdna/navi21::amd-smi=26.2.1: it is for gfx gfx103x, and this host's gfx is not reported"],
        "its second variant asks the same"
    );
    let shards = [1, 2].map(|index| {
        let selection = Selection { shard: Some(Shard::Slice { index, count: 2 }), ..Selection::default() };
        Plan::build(all(), &selection, &target).undecided.len()
    });
    assert_eq!(shards, [0, 1], "in one shard only");
}

#[test]
fn of_variants_that_ask_the_same_the_one_with_the_hosts_own_tool_runs() {
    for (tool, expected) in [
        (Reading::Value(ToolVersion::new(26, 2, 1)), "memory/mi300x::amd-smi=26.2.1"),
        (Reading::Value(ToolVersion::new(27, 1, 0)), "memory/mi300x::amd-smi=27.1.0"),
        (Reading::Value(ToolVersion::new(25, 0, 0)), "memory/mi300x::amd-smi=26.2.1"),
        (Reading::NotReported, "memory/mi300x::amd-smi=26.2.1"),
    ] {
        let target = given(Provenance::Recorded, |host| host.tool = tool.clone());
        assert_eq!(ids(&Plan::build(all(), &Selection::default(), &target)), [expected], "{tool:?}");
    }
}

#[test]
fn levels_follow_the_host_unless_somebody_says() {
    let runs_set = |target: &Target, level| {
        let selection = Selection { level, ..Selection::default() };
        Plan::build(all(), &selection, target).cases.iter().any(|case| case.scenario.id == "set/cpx")
    };
    for (target, expected) in [
        (Target::Simulated, true),
        (given(Provenance::Simulated, |_| {}), false),
        (given(Provenance::Recorded, |_| {}), false),
        (given(Provenance::Hardware, |_| {}), false),
    ] {
        assert_eq!(runs_set(&target, None), expected, "{target:?}");
        assert!(runs_set(&target, Some(Level::Reconfigure)));
        assert!(!runs_set(&target, Some(Level::Exercise)));
    }
}

proptest! {
    #[test]
    fn the_shards_of_a_selection_are_a_partition_of_it(count in 1_u32..9, hash: bool, seed in proptest::option::of(any::<u64>())) {
        let filter = Filter::parse("not tag(faults)").ok();
        let selection = |shard| Selection { filter: filter.clone(), shard, shuffle: seed, ..Selection::default() };
        let whole = Plan::build(all(), &selection(None), &Target::Simulated);
        let mut together: Vec<String> = (1..=count)
            .map(|index| if hash { Shard::Hash { index, count } } else { Shard::Slice { index, count } })
            .flat_map(|shard| Plan::build(all(), &selection(Some(shard)), &Target::Simulated).cases)
            .map(|case| case.id)
            .collect();
        let mut expected: Vec<String> = whole.cases.into_iter().map(|case| case.id).collect();
        together.sort();
        expected.sort();
        prop_assert_eq!(together, expected);
    }

    #[test]
    fn no_text_breaks_the_filter_reader(text in "[a-z()/&|! *\\[{>=.0-9\\\\é]{0,40}") {
        if let Err(error) = Filter::parse(&text) {
            prop_assert!(error.to_string().starts_with("error: "));
        }
    }
}

#[test]
fn a_seed_gives_one_order_and_another_seed_another() {
    let order = |seed| {
        let selection = Selection { shuffle: Some(seed), ..Selection::default() };
        Plan::build(all(), &selection, &Target::Simulated).cases.into_iter().map(|case| case.id).collect::<Vec<_>>()
    };
    assert_eq!(order(7), order(7));
    assert_ne!(order(7), order(8));
}

const PROBE: &str = "level = \"exercise\"";

fn probing(id: &str, applies: &str, probe: &str) -> Vec<Case> {
    cases(id, PROBE, "machine = \"rx5700xt\"", &format!("{applies}\n[[step]]\nprobe = {{ {probe} }}"))
        .into_iter()
        .map(|case| Case { checks: Vec::new(), ..case })
        .collect()
}

#[test]
fn with_several_workers_each_computes_every_case_side_by_side_and_nothing_else_runs() {
    let all = || [probing("p", "[applies]", "work = \"relu/f32/5x7\""), all()].concat();
    let selection = |workers: &[&str], filter: &str| Selection {
        filter: Some(Filter::parse(filter).unwrap()),
        workers: workers.iter().map(|name| (*name).to_owned()).collect(),
        level: Some(Level::Exercise),
        ..Selection::default()
    };
    let target = given(Provenance::Hardware, |host| host.tool = Reading::Value(ToolVersion::new(27, 1, 0)));
    for (workers, filter, expected) in [
        (&[][..], "id(p::)", &["p::amd-smi=27.1.0"][..]),
        (&["old", "new"], "all()", &["p::amd-smi=27.1.0,worker=old", "p::amd-smi=27.1.0,worker=new"]),
        (&["old", "new"], "id(worker=new)", &["p::amd-smi=27.1.0,worker=new"]),
    ] {
        let plan = Plan::build(all(), &selection(workers, filter), &target);
        assert_eq!(ids(&plan), expected, "{workers:?} {filter}");
        for case in &plan.cases {
            let shared = super::without_worker(&case.id, case.worker.as_deref());
            assert_eq!(shared, "p::amd-smi=27.1.0");
        }
    }
    let plan = Plan::build(all(), &selection(&["a", "b"], "all()"), &target);
    assert!(plan.not_selected.iter().any(|each| each.reason == super::Reason::ComputesNothing));
    assert_eq!(super::without_worker("p::worker=a", Some("a")), "p");
    assert_eq!(super::without_worker("p::worker=ab", Some("b")), "p::worker=ab");
    assert_eq!(super::without_worker("p::worker=a", None), "p::worker=a");
}

#[test]
fn a_cpu_is_asked_for_what_only_computes() {
    let relu = "work = \"relu/f32/5x7\"";
    for (applies, probe, reason) in [
        ("[applies]", relu, None),
        ("", relu, Some("needs a GPU: the scenario has no [applies], so it is for its simulated machine only")),
        ("[applies]\ngfx = \"gfx103x\"", relu, Some("needs a GPU: it is for certain GPUs")),
        ("[applies]", "work = \"memory-copy/1048576/host-to-device\"", Some("needs a GPU: it uses a GPU's memory")),
        (
            "[applies]",
            "work = \"relu/f32/5x7\", env = { HSA_ENABLE_SDMA = \"0\" }",
            Some("needs a GPU: it sets variables of a GPU's stack"),
        ),
        ("[applies]\n[[step]]\nrun = [\"list\"]", relu, Some("needs a GPU: it does more than compute")),
    ] {
        let plan = Plan::build(probing("p", applies, probe), &Selection::default(), &Target::Cpu);
        let told = plan.not_selected.first().map(|each| each.reason.to_string());
        match reason {
            Some(reason) => assert_eq!((plan.cases.len(), told.as_deref()), (0, Some(reason)), "{applies} {probe}"),
            None => assert_eq!(plan.cases.len(), 1, "{told:?}"),
        }
    }
    let counts = cases("p", PROBE, "machine = \"rx5700xt\"", &format!("[applies]\n[[step]]\nprobe = {{ {relu} }}"));
    for (asked, reason) in [(all(), "it computes nothing"), (counts, "it asks more than what was computed")] {
        let plan = Plan::build(asked, &Selection::default(), &Target::Cpu);
        assert!(plan.cases.is_empty());
        assert!(plan.not_selected.iter().any(|each| each.reason == super::Reason::NeedsGpu(reason)), "{reason}");
    }
}

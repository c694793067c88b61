//! `validate partition` on simulated machines.

use super::support::{Bench, snapshot};

#[test]
fn assert_answers_by_its_exit_code() {
    let bench = Bench::new();
    bench.must(&["shim", "sim", "--machine", "mi300x", "--compute", "CPX", "--memory", "NPS4", "--gpus", "2"]);
    bench.must(&["shim", "unreadable", "--machine", "mi300x", "--fault", "in_reset"]);
    bench.must(&["shim", "rdna", "--machine", "rx6800xt"]);
    for (args, code, told) in [
        ("--host sim --compute CPX --memory NPS4 --devices 16", 0, ""),
        ("--host sim --compute cpx --devices 8 --gpu 1", 0, ""),
        ("--host sim --compute SPX", 1, "compute partition: expected SPX, found CPX"),
        ("--host sim --memory NPS1 --gpu 0", 1, "memory partition: expected NPS1, found NPS4"),
        ("--host sim --devices 15", 1, "logical devices: expected 15, found 16"),
        ("--host sim --compute CPX --gpu 2", 64, "no GPU 2"),
        ("--host sim", 64, "--compute"),
        ("--host unreadable --compute SPX", 3, "nothing is asserted"),
        ("--host rdna --compute SPX --memory NPS1 --devices 1", 0, ""),
    ] {
        let mut all = vec!["partition", "assert"];
        all.extend(args.split(' '));
        let done = bench.run(&all);
        assert_eq!(done.code, code, "{args}: {}", done.told());
        assert!(done.told().contains(told), "{args}: {}", done.told());
        assert!(code != 0 || done.told().is_empty(), "{args}: {}", done.told());
    }
}

#[test]
fn plan_says_what_it_takes_and_touches_nothing() {
    let bench = Bench::new();
    bench.must(&["shim", "spx", "--machine", "mi300x", "--gpus", "2", "--caller", "root"]);
    bench.must(&["shim", "cpx", "--machine", "mi300x", "--compute", "CPX", "--memory", "NPS4", "--caller", "user"]);
    bench.must(&["shim", "rdna", "--machine", "rx6800xt", "--caller", "root"]);
    bench.must(&["shim", "hang", "--machine", "mi300x", "--fault", "hang", "--caller", "root"]);
    for (args, code, told) in [
        ("--host spx --compute CPX --memory NPS4", 0, "6 x 24576 MiB, 2 x 24568 MiB"),
        ("--host spx --compute SPX", 0, "in force already"),
        ("--host cpx --compute SPX", 1, "SPX goes with NPS1: add --memory NPS1"),
        ("--host cpx --compute SPX --memory NPS1", 1, "only root may change modes"),
        ("--host rdna --compute CPX", 1, "RX 6800 XT has no partitions"),
        ("--host hang --compute CPX", 1, "amd-smi's version"),
        ("--host hang --compute CPX --through sysfs", 0, "1. set CPX on"),
        ("--host spx", 64, "--compute"),
        ("--host spx --compute CPX --gpu 7", 64, "no GPU 7"),
    ] {
        let mut all = vec!["partition", "plan"];
        all.extend(args.split(' '));
        let done = bench.run(&all);
        assert_eq!(done.code, code, "{args}: {}", done.told());
        assert!(done.told().contains(told), "{args}: {}", done.told());
    }
    let json =
        bench.must(&["partition", "plan", "--host", "spx", "--memory", "NPS4", "--gpu", "0", "--format", "json"]);
    let plan: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&plan["schema"], &plan["applicable"]), (&1.into(), &true.into()), "{json}");
    assert_eq!(plan["gpus"][0]["sizes"]["capping"].as_array().unwrap().len(), 8, "{json}");
    assert_eq!(plan["reload"]["habit"], "request-only", "{json}");
}

#[test]
fn show_puts_the_witnesses_side_by_side() {
    let bench = Bench::new();
    let machine = ["--machine", "mi300x", "--gpus", "2", "--compute", "QPX", "--memory", "NPS4"];
    bench.must(&[&["shim", "sim"], &machine[..]].concat());
    bench.must(&[&["shim", "short"], &machine[..], &["--fault", "missing_last_device"]].concat());
    bench.must(&["shim", "hang", "--machine", "mi308x", "--fault", "hang"]);
    let show = |host: &str| bench.must(&["partition", "show", "--host", host]);
    let text = [show("sim"), show("short"), show("hang")];
    assert!(text[2].contains("absent: stopped at its deadline"), "{}", text[2]);
    snapshot("partition-show", &text.join("\n----\n\n"));
    let json = bench.must(&["partition", "show", "--host", "sim", "--gpu", "1", "--format", "json"]);
    let table: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(table["gpus"].as_array().unwrap().len(), 1, "{json}");
    assert_eq!(table["gpus"][0]["logical"][3]["hip_index"], 7, "{json}");
}

#[test]
fn the_plan_reads_well() {
    let bench = Bench::new();
    bench.write("busy.toml", "name = 'busy'\npart = 'mi300x'\ngpus = 3\nbusy = true\n");
    bench.must(&["shim", "sim", "--machine", "mi300x", "--gpus", "3", "--caller", "root"]);
    bench.must(&["shim", "busy", "--machine", "./busy.toml", "--caller", "user"]);
    bench.must(&["shim", "nps4", "--machine", "mi300x", "--compute", "CPX", "--memory", "NPS4", "--caller", "user"]);
    let plan = |args: &[&str]| bench.run(&[&["partition", "plan"], args].concat()).stdout;
    let text = [
        plan(&["--host", "sim", "--compute", "QPX", "--memory", "NPS4", "--gpu", "1"]),
        plan(&["--host", "busy", "--compute", "DPX"]),
        plan(&["--host", "nps4", "--compute", "SPX"]),
    ];
    snapshot("partition-plan", &text.join("\n----\n\n"));
}

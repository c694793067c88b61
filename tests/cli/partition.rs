//! `validate partition` on simulated machines.

use super::support::Bench;

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

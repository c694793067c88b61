//! An amd-smi that hangs, floods, asks or changes its mind between two calls, on the whole way from `validate run` to the
//! verdict: it ends, in bounded memory, and what could not be asked is no pass.

use rocvet::domain::StatusWord;

use super::support::{Bench, Done, record};

/// Address space that `validate` and its children may take, in KiB: less than what is thrown at them.
const MEMORY: u32 = 900 * 1024;

/// Faults of the host, the scenarios that run on it, the exit code, and what must be told.
struct Case {
    faults: &'static [&'static str],
    code: i32,
    status: StatusWord,
    said: &'static [&'static str],
}

const CASES: &[Case] = &[
    Case { faults: &["hang"], code: 3, status: StatusWord::NotEvaluated, said: &["amd-smi hung"] },
    Case { faults: &["flood=2GB"], code: 3, status: StatusWord::NotEvaluated, said: &["printed more than the cap"] },
    Case { faults: &["asks_first"], code: 3, status: StatusWord::NotEvaluated, said: &["EOFError"] },
    // `version` twice (who is it, what can it do), then `list`; what is asked after that is of another machine.
    Case {
        faults: &["after=3:missing_last_device"],
        code: 1,
        status: StatusWord::Fail,
        said: &["16 (modes in sysfs)", "15 (KFD, believed)", "16 (amd-smi list)"],
    },
];

#[test]
fn a_hostile_tool_leaves_open_what_it_was_asked_and_nothing_else() {
    let bench = Bench::new();
    for (number, Case { faults, code, status, said }) in CASES.iter().enumerate() {
        let (host, results) = (format!("host{number}"), format!("results{number}"));
        let mut shim =
            vec!["shim", &host, "--machine", "mi300x", "--gpus", "2", "--compute", "CPX", "--caller", "root"];
        faults.iter().for_each(|fault| shim.extend(["--fault", fault]));
        bench.must(&shim);
        // Only who hangs is waited for until the end.
        let deadline = if faults.contains(&"hang") { "1" } else { "60" };
        let run =
            ["run", "--host", &host, "-E", "id(hardware/witnesses)", "--results", &results, "--deadline", deadline];
        let done = confined(&bench, &run);
        assert_eq!(done.code, *code, "{faults:?}: {}", done.told());
        let record = record(&bench.only_run(&results));
        let [case] = record.cases.as_slice() else { panic!("{faults:?}: {} cases", record.cases.len()) };
        assert_eq!(case.status.word(), *status, "{faults:?}: {}", done.told());
        for words in *said {
            assert!(done.stdout.contains(words), "{faults:?}: no {words:?} in {}", done.stdout);
        }
        let evaluated = case.findings.iter().filter(|check| check.gaps.is_empty()).count();
        assert!(evaluated > 0, "{faults:?}: what sysfs and KFD say of each other stands without the tool");
    }
}

/// `validate` in little memory.
fn confined(bench: &Bench, args: &[&str]) -> Done {
    let plain = bench.command(args);
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &format!("ulimit -v {MEMORY}; exec \"$@\""), "sh"]);
    shell.arg(plain.get_program()).args(plain.get_args());
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell.current_dir(bench.path("")).stdin(std::process::Stdio::null());
    Done::of(&mut shell)
}

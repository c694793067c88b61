//! The engine python on real interpreters, through the real supervisor: `ROCVET_PYTHON=/venv/bin/python cargo test --test
//! python`, or several of them with `:` between. Without it nothing is run but what needs no PyTorch, and that is said.
//!
//! What goes wrong is planted by a script that stands where the interpreter is expected: it changes PyTorch and then runs
//! the worker that it was given.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)]
#![expect(clippy::disallowed_methods, reason = "the tests write scripts, start children and read the environment")]

mod scratch;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use rocvet::domain::{Bytes, Ended, Limit, Signal, Status};
use rocvet::facts::Class;
use rocvet::probe::engine::reference;
use rocvet::probe::fallback::{Fallback, Ran, ran};
use rocvet::probe::judgement::Judgement;
use rocvet::probe::protocol::{Kind, MemoryReport, Outcome, Raised, Request};
use rocvet::probe::stand::{Engine, ProbeRun, Stand};
use rocvet::probe::supervise::{Limits, ProbeOutcome, Worker};
use rocvet::probe::tensor::{Generator, POISON, Role};
use rocvet::probe::{Numbers, Output, ProbeSpec, Tensor};
use rocvet::process::Cancel;
use rocvet::shrink::{Candidate, reproducer};

/// Every family of operations and every direction; `_` stands for the format.
const FAMILIES: [&str; 34] = [
    "add/_/5x77",
    "multiply/_/5x77",
    "relu/_/5x77",
    "exp/_/5x77",
    "tanh/_/5x77",
    "sigmoid/_/5x77",
    "reduce-sum/_/5x77/all",
    "reduce-sum/_/77/last",
    "reduce-mean/_/5x77/last",
    "reduce-max/_/5x7x11/last",
    "softmax/_/5x77",
    "layer-norm/_/5x77",
    "batch-norm/_/4x6x5x5/train",
    "batch-norm/_/4x6x5/eval",
    "pool-max/_/2x3x9x9/3x3/s2p1",
    "pool-average/_/2x3x4x9x9/2x3x3/s2p1",
    "upsample-nearest/_/1x2x5x7/3",
    "upsample-linear/_/1x2x5x7/2",
    "matmul/_/17x33x9",
    "linear/_/5x33x7",
    "conv1d/_/2x4x40/6x5/s2p1d2g2/forward",
    "conv1d/_/2x4x40/6x5/s2p1d2g2/backward-data",
    "conv2d/_/2x6x9x8/4x3x3/s1p1d1g1/forward",
    "conv2d/_/2x6x9x8/4x3x3/s2p0x1d1x2g2/backward-data",
    "conv2d/_/2x6x9x8/6x3x3/s1p1d1g6/backward-weights",
    "conv3d/_/1x2x5x6x7/4x2x3x3/s1p1d1g1/forward",
    "conv3d/_/1x2x5x6x7/4x2x3x3/s2p1d1g1/backward-weights",
    "conv1d-transposed/_/2x4x20/6x4/s2p1d1g2/forward",
    "conv2d-transposed/_/2x6x5x6/4x4x4/s2p1d1g1/forward",
    "conv2d-transposed/_/2x6x5x6/4x3x3/s2p1d2g2/backward-data",
    "conv2d-transposed/_/2x6x5x6/4x3x3/s2p1d1g2/backward-weights",
    "step-sgd/_/1000",
    "train-adam/_/4x3x8x8/4/5/3",
    "train-sgd/_/4x3x8x8/4/5/3",
];

/// A test of one interpreter.
type Test = fn(&Bench) -> Result<Completion, Failed>;

const TESTS: [(&str, Test); 12] = [
    ("what is carried of a result is what this program would carry of it", the_same_summary),
    ("everything that is wrong with a result is counted", what_is_wrong_is_counted),
    ("a soak ends in time, and says results that are alike together", a_soak),
    ("a wrong number is found", a_wrong_number),
    ("every way to end is told from the others", every_ending),
    ("what it has no memory for, or no operation, is raised and said", raised),
    ("a worker that prints says so on standard error", a_worker_that_prints),
    ("what is no interpreter with PyTorch is not evaluated", no_interpreter),
    ("memory is used, and what comes back otherwise is counted", memory),
    ("asked for a GPU it proves one, or says which of three ways to the CPU it went", asked_for_a_gpu),
    ("the hello says what is loaded", the_hello),
    ("a script that reproduces tells right from zeros from what cannot be run", scripts_that_reproduce),
];

fn main() -> ExitCode {
    let mut trials = vec![Trial::ignorable_test("without PyTorch: the same inputs, in every syntax since 3.7", plain)];
    let named = std::env::var("ROCVET_PYTHON").unwrap_or_default();
    let interpreters: Vec<&str> = named.split(':').filter(|path| !path.is_empty()).collect();
    if interpreters.is_empty() {
        trials.push(Trial::ignorable_test("with PyTorch", || {
            Ok(Completion::ignored_with("ROCVET_PYTHON names no interpreter: the engine python was not tested"))
        }));
    }
    for &interpreter in &interpreters {
        for (name, test) in TESTS {
            let bench = Bench::of(interpreter);
            trials.push(Trial::ignorable_test(format!("{interpreter}: {name}"), move || test(&bench)));
        }
        for dtype in ["f32", "f16", "bf16", "f64"] {
            for family in FAMILIES {
                let (bench, id) = (Bench::of(interpreter), family.replacen('_', dtype, 1));
                trials.push(Trial::ignorable_test(format!("{interpreter}: {id}"), move || agrees(&bench, &id)));
            }
        }
    }
    let two: Vec<Bench> = interpreters.iter().take(2).map(|interpreter| Bench::of(interpreter)).collect();
    trials.push(Trial::ignorable_test("two versions of PyTorch in one run", move || match two.as_slice() {
        [old, new] => two_versions(old, new),
        _ => Ok(Completion::ignored_with("ROCVET_PYTHON names no two interpreters: no two versions were compared")),
    }));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// An interpreter, and a folder for scripts that stand where it is expected.
struct Bench {
    interpreter: PathBuf,
    folder: tempfile::TempDir,
}

impl Bench {
    fn of(interpreter: &str) -> Self {
        Self { interpreter: interpreter.into(), folder: scratch::folder() }
    }

    /// A program that does this first, in Python, and is the worker then.
    fn planted(&self, code: &str) -> PathBuf {
        let worker = "exec(compile(sys.argv[4], 'probe_worker.py', 'exec'), {'__name__': '__main__'})";
        self.script(&format!("#!{}\nimport os, sys, time, torch\n{code}\n{worker}\n", self.interpreter.display()))
    }

    fn script(&self, text: &str) -> PathBuf {
        let path = self.folder.path().join("interpreter");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }
}

fn stand(interpreter: &Path, on: Kind) -> Stand {
    let worker = Worker::python(scratch::validate(), interpreter);
    let limits = Limits { settle: Duration::ZERO, silence: Duration::from_secs(300), ..Limits::default() };
    Stand { limits, ..Stand::here(Engine::Python, worker, on) }
}

fn request(id: &str, repeats: u32) -> Request {
    Request::new(ProbeSpec { repeats, ..id.parse().unwrap() }, Kind::Cpu)
}

fn run(interpreter: &Path, id: &str, repeats: u32) -> ProbeRun {
    stand(interpreter, Kind::Cpu).run(&request(id, repeats), &Cancel::new()).unwrap()
}

fn told(run: &ProbeRun) -> String {
    format!("{:?}\n{:?}\n{}", run.status, run.done.outcome, String::from_utf8_lossy(&run.done.stderr))
}

/// The first result, which is one.
#[track_caller]
fn first(run: &ProbeRun) -> &Output {
    match run.done.said.answers.first().map(|answer| &answer.outcome) {
        Some(Outcome::Numbers(output)) => output,
        other => panic!("{other:?}: {}", told(run)),
    }
}

/// Of PyTorch, as the worker said it.
fn version(run: &ProbeRun) -> &str {
    run.done.said.hello.as_ref().and_then(|hello| hello.libraries.get("torch")).map_or("", String::as_str)
}

fn agrees(bench: &Bench, id: &str) -> Result<Completion, Failed> {
    let run = run(&bench.interpreter, id, 1);
    match &run.status {
        Status::Pass => {}
        // Sixteen bits on a CPU came to PyTorch little by little.
        Status::NotEvaluated { reason } if id.contains("f16/") => {
            return Ok(Completion::ignored_with(reason.lines().next().unwrap_or_default()));
        }
        // Its oneDNN has no such convolution, and every operation has another way to say it.
        Status::Fail if id.contains("transposed/bf16/") && version(&run).starts_with("1.") => {
            return Ok(Completion::ignored_with("PyTorch 1 has no transposed convolution in bf16 on a CPU"));
        }
        _ => panic!("{} {}", told(&run), run.judged.iter().map(ToString::to_string).collect::<String>()),
    }
    assert!(matches!(run.judged.as_slice(), [Judgement::Numbers(Numbers::Right(_))]), "{:?}", run.judged);
    Ok(Completion::Completed)
}

/// `validate run` with two real stacks, in which three regressions, two fixes and a flake are planted: those are told, with the
/// versions that differ, and nothing else.
fn two_versions(old: &Bench, new: &Bench) -> Result<Completion, Failed> {
    let crash = |name: &str| format!("import ctypes\ntorch.{name} = lambda *a, **more: ctypes.string_at(0)\n");
    let wrong = |name: &str| {
        format!(
            "real_{name} = torch.{name}\ndef {name}(*a, **more):\n    y = real_{name}(*a, **more)\n    y[0, 0] += 1\n    return y\n\
             torch.{name} = {name}\n"
        )
    };
    let raises = |name: &str| {
        format!(
            "def {name}(*a, **more):\n    raise RuntimeError('HIP error: invalid device function')\ntorch.{name} = {name}\n"
        )
    };
    let count = new.folder.path().join("count");
    let now_and_then = format!(
        "def softmax(*a, **more):\n    open('{0}', 'a').write('.')\n    if os.path.getsize('{0}') == 2: os.abort()\n    return \
         real_softmax(*a, **more)\nreal_softmax, torch.softmax = torch.softmax, softmax\n",
        count.display()
    );
    let before = old.planted(&[crash("sigmoid"), wrong("mul")].concat());
    let after = new.planted(&[crash("relu"), wrong("tanh"), raises("exp"), now_and_then].concat());

    let expected = [
        ("add", "add/f32/5x7", "unchanged"),
        ("exp", "exp/f32/5x7", "regressed"),
        ("matmul", "matmul/f32/4x5x6", "unchanged"),
        ("multiply", "multiply/f32/5x7", "fixed"),
        ("relu", "relu/f32/5x7", "regressed"),
        ("sigmoid", "sigmoid/f32/5x7", "fixed"),
        ("softmax", "softmax/f32/5x7", "newly-flaky"),
        ("tanh", "tanh/f32/5x7", "regressed"),
    ];
    let folder = old.folder.path();
    std::fs::create_dir(folder.join("scenarios")).unwrap();
    for (name, work, _) in expected {
        let text = format!(
            "title = 'a test'\nwhy = 'to see it'\nsource = 'this test'\nlevel = 'exercise'\n[applies]\n[simulate]\n\
             machine = 'rx5700xt'\namd-smi = '27.1.0'\n[[step]]\nprobe = {{ work = '{work}' }}\n\
             [[check]]\nid = 'probe.outcome'\n[[check]]\nid = 'probe.numbers'\n"
        );
        std::fs::write(folder.join(format!("scenarios/{name}.toml")), text).unwrap();
    }
    let validate =
        |args: &[&str]| Command::new(env!("CARGO_BIN_EXE_validate")).args(args).current_dir(folder).output().unwrap();
    let workers = [format!("old=python:{}", before.display()), format!("new=python:{}", after.display())];
    let [one, other] = workers.each_ref().map(String::as_str);
    let place = ["--on", "cpu", "--repeat", "3", "--results", "r", "--worker", one, "--worker", other];
    let ran = validate(&[&["run", "scenarios"], &place[..]].concat());
    let told = || format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert_eq!(ran.status.code(), Some(1), "{}", told());
    let run = std::fs::read_dir(folder.join("r")).unwrap().next().unwrap().unwrap().path();
    let sides = ["old", "new"].map(|side| format!("{}:{side}", run.display()));
    let compared = validate(&["diff", &sides[0], &sides[1], "--format", "json"]);
    let document: serde_json::Value = serde_json::from_slice(&compared.stdout).unwrap();
    let cases = document["cases"].as_array().unwrap();
    let mut found: Vec<_> =
        cases.iter().map(|case| (case["id"].as_str().unwrap(), case["class"].as_str().unwrap())).collect();
    found.sort_unstable();
    assert_eq!(found, expected.map(|(name, _, class)| (name, class)), "{}", told());
    let facts: Vec<_> =
        document["facts"].as_array().unwrap().iter().map(|fact| fact["name"].as_str().unwrap()).collect();
    assert!(facts.contains(&"torch"), "the versions that differ: {facts:?}");
    Ok(Completion::Completed)
}

fn the_same_summary(bench: &Bench) -> Result<Completion, Failed> {
    // One rounding at most for each element, so that both must find the same bits; carried whole, and by blocks of which
    // the last is short.
    for id in ["relu/f32/5x77", "add/f16/9x9", "add/f32/313x317", "multiply/bf16/1024x1024"] {
        let spec: ProbeSpec = id.parse().unwrap();
        let run = run(&bench.interpreter, id, 1);
        assert_eq!(first(&run), &Output::of(&reference::run(&spec).unwrap()), "{id}");
    }
    Ok(Completion::Completed)
}

/// Runs scripts one after the other, since loading PyTorch takes longer than all of them: each as it is, and with zeros
/// instead of what is fetched from the GPU.
const ONE_AFTER_THE_OTHER: &str = r#"
import sys, torch
fetched = torch.Tensor.cpu
for path in list(sys.argv[1:]):
    for zeros in False, True:
        torch.Tensor.cpu = (lambda tensor: torch.zeros_like(tensor)) if zeros else fetched
        sys.argv = [path, "cpu"]
        try:
            exec(compile(open(path).read(), path, "exec"), {"__name__": "__main__"})
        except SystemExit as end:
            print("==", path.rsplit("/", 1)[1], int(zeros), end.code)
        except Exception as error:
            print("==", path.rsplit("/", 1)[1], int(zeros), "raised", error)
"#;

fn scripts_that_reproduce(bench: &Bench) -> Result<Completion, Failed> {
    let softmax = ["f32", "f16", "bf16"].map(|dtype| format!("softmax/{dtype}/64x938"));
    let families = FAMILIES.map(|family| family.replacen('_', "f32", 1));
    let ids: Vec<&String> = softmax.iter().chain(&families).collect();
    let mut scripts = Vec::new();
    for (number, id) in ids.iter().enumerate() {
        let probe: ProbeSpec = id.parse().unwrap();
        let made = reproducer(&Candidate { probe, env: BTreeMap::new(), kernel: BTreeMap::new() });
        if let Ok(text) = made.pytorch {
            let path = bench.folder.path().join(number.to_string());
            std::fs::write(&path, text).unwrap();
            scripts.push(path);
        }
    }
    assert!(scripts.len() >= 10, "{scripts:?}");
    let run = |words: &[&std::ffi::OsStr]| {
        let done = Command::new(&bench.interpreter).args(words).output().unwrap();
        (done.status.code(), String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned())
    };
    let words: Vec<_> = ["-c", ONE_AFTER_THE_OTHER].iter().map(std::ffi::OsStr::new).collect();
    let (_, told) = run(&[words, scripts.iter().map(|path| path.as_os_str()).collect()].concat());
    let lines: Vec<&str> = told.lines().filter_map(|line| line.strip_prefix("== ")).collect();
    assert_eq!(lines.len(), 2 * scripts.len(), "{told}");
    for line in lines {
        let [number, zeros, came] = line.splitn(3, ' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let id = ids[number.parse::<usize>().unwrap()];
        // Sixteen bits on a CPU came to PyTorch little by little.
        let absent = id.contains("f16/") && came.contains("not implemented for");
        assert!(came == zeros || absent, "{id}: {line}: {told}");
    }
    // As a program: what it ends with.
    let script = scripts[0].as_os_str();
    let [code, plain, nothing] = ["-c", "", "torch.rand = None"].map(str::to_owned);
    for (first, expected) in
        [(plain, 0), ("torch.Tensor.cpu = lambda tensor: torch.zeros_like(tensor)".to_owned(), 1), (nothing, 2)]
    {
        let text =
            format!("import sys, torch\n{first}\nexec(compile(open(sys.argv[1]).read(), sys.argv.pop(1), 'exec'))");
        let (ended, told) = run(&[code.as_ref(), text.as_ref(), script, "cpu".as_ref()]);
        assert_eq!(ended, Some(expected), "{first}: {told}");
        assert_eq!(told.contains("could not be run"), expected == 2, "{told}");
    }
    Ok(Completion::Completed)
}

fn what_is_wrong_is_counted(bench: &Bench) -> Result<Completion, Failed> {
    let spec: ProbeSpec = "relu/f64/70000".parse().unwrap();
    let spoilt = bench.planted(
        "real = torch.relu\n\
         def relu(x):\n\
        \x20   y = real(x)\n\
        \x20   y[69999], y[1], y[2], y[3], y[40000] = float('inf'), float('nan'), -0.0, 57344.0, -1e300\n\
        \x20   return y\n\
         torch.relu = relu",
    );
    let run = run(&spoilt, "relu/f64/70000", 1);
    let Tensor { shape, mut values } = reference::run(&spec).unwrap();
    for (at, value) in [(69_999, f64::INFINITY), (1, f64::NAN), (2, -0.0), (3, POISON), (40_000, -1e300)] {
        values[at] = value;
    }
    let (found, expected) = (first(&run), Output::of(&Tensor { shape, values }));
    assert_eq!(found, &expected);
    assert_eq!((found.non_finite, found.unwritten), (2, 1));
    assert_eq!(run.status, Status::NumericError);
    Ok(Completion::Completed)
}

fn a_soak(bench: &Bench) -> Result<Completion, Failed> {
    let request = Request { budget: Some(1), ..request("matmul/f32/8x8x8", ProbeSpec::MAX_REPEATS) };
    let run = stand(&bench.interpreter, Kind::Cpu).run(&request, &Cancel::new()).unwrap();
    assert_eq!(run.status, Status::Pass, "{}", told(&run));
    let [one, alike] = run.done.said.answers.as_slice() else { panic!("{:?}", run.done.said.answers) };
    assert!(matches!(one.outcome, Outcome::Numbers(_)));
    assert!(matches!(alike.outcome, Outcome::Same { times } if times > 1), "{:?}", alike.outcome);
    Ok(Completion::Completed)
}

fn a_wrong_number(bench: &Bench) -> Result<Completion, Failed> {
    let off = bench.planted(
        "real = torch.matmul\n\
         def matmul(*a, **more):\n\
        \x20   y = real(*a, **more)\n\
        \x20   y[3, 5] += 0.01\n\
        \x20   return y\n\
         torch.matmul = matmul",
    );
    let wrong = run(&off, "matmul/f32/8x8x8", 2);
    assert_eq!(wrong.status, Status::NumericError, "{}", told(&wrong));
    assert!(wrong.judged[0].to_string().contains("[3, 5]"), "{}", wrong.judged[0]);
    // Nothing is written at all: what was there before shows.
    let idle = bench.planted("torch.matmul = lambda a, b, out: out");
    let wrong = run(&idle, "matmul/f32/8x8x8", 1);
    assert_eq!((first(&wrong).unwritten, &wrong.status), (64, &Status::NumericError));
    Ok(Completion::Completed)
}

fn every_ending(bench: &Bench) -> Result<Completion, Failed> {
    let exited = |code| ProbeOutcome::Died(Ended::Exited { code });
    let killed = |signal| ProbeOutcome::Died(Ended::Signaled { signal: Signal(signal) });
    for (code, outcome, class, status) in [
        ("import ctypes; ctypes.string_at(0)", killed(11), Class::Segfault, Status::Crash { signal: Signal(11) }),
        ("os.abort()", killed(6), Class::AbortUnexplained, Status::Crash { signal: Signal(6) }),
        ("raise RuntimeError('something odd')", exited(1), Class::PythonException, Status::Fail),
        ("raise RuntimeError('HIP error: invalid device function')", exited(1), Class::NoCodeForArch, Status::Fail),
        ("raise RuntimeError('miopenStatusUnknownError')", exited(1), Class::MiopenError, Status::Fail),
        ("time.sleep(600)", ProbeOutcome::Died(Ended::TimedOut { limit: Limit::Deadline }), Class::Hang, Status::Hang),
    ] {
        // The second time, so that the first result is there to be kept.
        let script = bench.planted(&format!(
            "real, times = torch.matmul, []\n\
             def matmul(*a, **more):\n\
            \x20   times.append(0)\n\
            \x20   if len(times) == 2:\n\
            \x20       {code}\n\
            \x20   return real(*a, **more)\n\
             torch.matmul = matmul"
        ));
        let stand = stand(&script, Kind::Cpu);
        // Of what ends by itself nobody cuts the end short.
        let run = if class == Class::Hang { Duration::from_secs(4) } else { stand.limits.run };
        let stand = Stand { limits: Limits { run, ..stand.limits }, ..stand };
        let run = stand.run(&request("matmul/f32/8x8x8", 3), &Cancel::new()).unwrap();
        assert_eq!(run.done.outcome, outcome, "{code}: {}", told(&run));
        assert_eq!((run.done.classified.class, &run.status), (Some(class), &status), "{code}: {}", told(&run));
        assert_eq!(run.done.said.answers.len(), 1, "{code}");
        // Python says where it was; of a hang nobody asks it.
        let stderr = String::from_utf8_lossy(&run.done.stderr);
        assert_eq!(stderr.contains("in matmul"), class != Class::Hang, "{code}: {stderr}");
    }
    Ok(Completion::Completed)
}

fn raised(bench: &Bench) -> Result<Completion, Failed> {
    let of = |run: &ProbeRun| match run.done.said.answers.first().map(|answer| &answer.outcome) {
        Some(Outcome::Raised { kind, text }) => (*kind, text.clone()),
        other => panic!("{other:?}: {}", told(run)),
    };
    // 8 GiB for an operand, of less.
    let mut stand = stand(&bench.interpreter, Kind::Cpu);
    stand.worker.launcher.memory = Some(Bytes(8 << 30));
    let spec = ProbeSpec { repeats: 1, ..format!("relu/f32/{}", ProbeSpec::MAX_ELEMENTS).parse().unwrap() };
    let run = rocvet::probe::supervise::supervise(
        &stand.worker,
        &Request::new(spec, Kind::Cpu),
        &stand.limits,
        None,
        Cancel::new(),
    );
    let run = ProbeRun {
        status: rocvet::probe::verdict::status(&run, Kind::Cpu, &[]),
        done: run,
        judged: vec![],
        unwatched: None,
        stop: None,
        marked: None,
        before: None,
    };
    assert_eq!(of(&run).0, Raised::OutOfMemory, "{}", told(&run));
    assert_eq!(run.status, Status::Fail);
    for (error, kind) in [
        ("torch.cuda.OutOfMemoryError('HIP out of memory. Tried to allocate 2.00 MiB')", Raised::OutOfMemory),
        ("RuntimeError('HIP out of memory. Tried to allocate 2.00 MiB')", Raised::OutOfMemory),
        ("RuntimeError('\"addmm\" not implemented for \\'Half\\'')", Raised::Unsupported),
        ("NotImplementedError('Could not run aten::mm \\udc80')", Raised::Unsupported),
    ] {
        let script = bench.planted(&format!("def matmul(*a, **more):\n    raise {error}\ntorch.matmul = matmul"));
        let run = self::run(&script, "matmul/f32/8x8x8", 5);
        assert_eq!(of(&run).0, kind, "{error}: {}", told(&run));
        assert_eq!((run.done.said.answers.len(), run.done.said.bye), (1, true), "{error}");
    }
    Ok(Completion::Completed)
}

fn a_worker_that_prints(bench: &Bench) -> Result<Completion, Failed> {
    let chatty = bench.planted(
        "real = torch.matmul\n\
         def matmul(*a, **more):\n\
        \x20   print('from Python', flush=True); os.system('echo from a library')\n\
        \x20   return real(*a, **more)\n\
         torch.matmul = matmul",
    );
    let run = run(&chatty, "matmul/f32/8x8x8", 1);
    assert_eq!(run.status, Status::Pass, "{}", told(&run));
    let stderr = String::from_utf8_lossy(&run.done.stderr);
    assert!(stderr.contains("from Python") && stderr.contains("from a library"), "{stderr}");
    Ok(Completion::Completed)
}

fn no_interpreter(bench: &Bench) -> Result<Completion, Failed> {
    let python = bench.interpreter.display();
    for (script, class) in [
        // Without `site` no packages are found.
        (format!("#!/bin/sh\nexec {python} -S \"$@\"\n"), Class::Setup),
        ("#!/bin/sh\necho no such option: -I >&2; exit 2\n".to_owned(), Class::Unknown),
        ("#!/no/such/python\n".to_owned(), Class::Setup),
        // A shell takes no line of the worker for a command.
        ("#!/bin/sh\nexec /bin/sh \"$@\"\n".to_owned(), Class::Unknown),
    ] {
        let run = run(&bench.script(&script), "matmul/f32/8x8x8", 1);
        assert!(matches!(run.status, Status::NotEvaluated { .. }), "{script}: {}", told(&run));
        assert_eq!((run.done.classified.class, run.done.said.hello.is_none()), (Some(class), true), "{script}");
        assert!(!told(&run).contains("not found"), "{}", told(&run));
    }
    Ok(Completion::Completed)
}

#[track_caller]
fn report(run: &ProbeRun) -> &MemoryReport {
    match run.done.said.answers.first().map(|answer| &answer.outcome) {
        Some(Outcome::Memory(report)) => report,
        other => panic!("{other:?}: {}", told(run)),
    }
}

fn memory(bench: &Bench) -> Result<Completion, Failed> {
    let size = 5_000_004;
    let copied = run(&bench.interpreter, &format!("memory-copy/{size}/device-to-device"), 1);
    let found = report(&copied);
    assert_eq!((found.checked, found.mismatches, found.allocated), (Bytes(size), 0, Bytes(2 * size)));
    assert!(found.copying > 0 && found.refused.is_none() && found.total > Bytes(1 << 28), "{found:?}");
    let churned = run(&bench.interpreter, "memory-churn/100000/130", 1);
    let found = report(&churned);
    assert_eq!((found.checked, found.mismatches), (Bytes(4 * 100_000), 0), "the 1st, 65th, 129th and last");
    // A copy that changes one byte, and one that writes nothing: of the pattern's bytes only few are 0.
    for (code, wrong) in [("real(self, *a, **more)[9] ^= 255", 1..=1), ("pass", size / 10 * 9..=size)] {
        let script = bench.planted(&format!(
            "real = torch.Tensor.copy_\n\
             def copy_(self, *a, **more):\n\
            \x20   {code}\n\
            \x20   return self\n\
             torch.Tensor.copy_ = copy_"
        ));
        let run = run(&script, &format!("memory-copy/{size}/device-to-device"), 1);
        assert!(wrong.contains(&report(&run).mismatches), "{code}: {:?}", report(&run));
    }
    // The memory of a host is nobody's to fill.
    for id in ["memory-ladder/90", "memory-out-of-memory", "memory-past-limit", "memory-isolation/90"] {
        let run = run(&bench.interpreter, id, 1);
        assert!(matches!(&run.status, Status::NotEvaluated { reason } if reason.contains("needs a GPU")), "{id}");
    }
    Ok(Completion::Completed)
}

fn asked_for_a_gpu(bench: &Bench) -> Result<Completion, Failed> {
    let stand = stand(&bench.interpreter, Kind::Gpu);
    for id in ["conv2d/f32/1x16x44x44/32x3x3/s1p1d1g1/forward", "train-sgd/f16/32x3x32x32/16/10/5"] {
        let request = Request { on: Kind::Gpu, ..request(id, 2) };
        let run = stand.run(&request, &Cancel::new()).unwrap();
        let hello = run.done.said.hello.as_ref().unwrap_or_else(|| panic!("{}", told(&run)));
        let elsewhere = |why| (Status::CpuFallback, Some(Ran::OnCpu(why)));
        let expected = match (hello.gpu_backend, hello.gpus) {
            (false, _) => elsewhere(Fallback::NoBackend),
            (true, 0) => elsewhere(Fallback::NoDevice),
            (true, _) => (Status::Pass, Some(Ran::AsAsked)),
        };
        assert_eq!(hello.device.is_some(), hello.gpus > 0, "{hello:?}");
        // On a CPU the second may be nothing that this version has.
        if let Status::NotEvaluated { reason } = &run.status {
            assert!(hello.gpus == 0 && reason.to_lowercase().contains("autocast"), "{reason}");
            continue;
        }
        assert_eq!((run.status.clone(), ran(Kind::Gpu, &run.done.said, &run.done.outside)), expected, "{}", told(&run));
    }
    Ok(Completion::Completed)
}

fn the_hello(bench: &Bench) -> Result<Completion, Failed> {
    let run = run(&bench.interpreter, "add/f32/8", 1);
    let hello = run.done.said.hello.as_ref().unwrap();
    assert_eq!(hello.engine, "python");
    let version = Command::new(&bench.interpreter)
        .args(["-c", "import torch; print(torch.__version__)"])
        .output()
        .map(|output| String::from_utf8(output.stdout).unwrap())
        .unwrap();
    assert_eq!(hello.libraries.get("torch").map(String::as_str), Some(version.trim()));
    assert!(hello.libraries["python"].starts_with("3."), "{:?}", hello.libraries);
    let linked = hello.mapped.iter().any(|path| path.contains("libtorch_hip") || path.contains("libtorch_cuda"));
    assert_eq!(hello.gpu_backend, linked, "{:?}", hello.mapped);
    assert!(hello.mapped.iter().all(|path| Path::new(path).is_absolute()), "{:?}", hello.mapped);
    Ok(Completion::Completed)
}

/// What needs no PyTorch: the file is one of Python 3.7, and its inputs are those of this program.
fn plain() -> Result<Completion, Failed> {
    let source = Worker::python("".as_ref(), "".as_ref()).args.pop().unwrap();
    let cases = [(1, Role::Input), (7, Role::Gradient), (4_000_000_000, Role::Weights), (u32::MAX, Role::Head)];
    let print = "
import ast, json, sys
source = sys.argv[1]
ast.parse(source, feature_version=(3, 7))
worker = {'__name__': 'worker'}
exec(source, worker)
mix, key = worker['mix'], worker['key']
made = [[(mix(at ^ key(seed, role)) >> 24) * 2 - 255 for at in (0, 1, 2, 1000, 2**31 - 1)]
        for seed, role in json.loads(sys.argv[2])]
print(json.dumps([made, worker['ladder'](3 << 30), worker['beginning'](27)]))
";
    let asked: Vec<_> = cases.iter().map(|(seed, role)| (seed, role.name())).collect();
    let ran = Command::new("python3")
        .args(["-I", "-c", print])
        .arg(&source)
        .arg(serde_json::to_string(&asked).unwrap())
        .output();
    let Ok(ran) = ran else { return Ok(Completion::ignored_with("python3 is not there")) };
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let (made, ladder, beginning): (Vec<Vec<f64>>, Vec<u64>, f64) = serde_json::from_slice(&ran.stdout).unwrap();
    let expected = cases.map(|(seed, role)| {
        let numbers = Generator::new(seed, role);
        [0, 1, 2, 1000, (1 << 31) - 1].map(|at| numbers.at(at) * 256.0).to_vec()
    });
    assert_eq!(made, expected);
    assert_eq!(ladder.iter().sum::<u64>(), 3 << 30);
    assert!(ladder.len() > 10 && ladder[..10].is_sorted() && ladder.iter().all(|size| *size <= 1 << 30), "{ladder:?}");
    assert_eq!(beginning, rocvet::probe::spec::Training::scale(27));
    Ok(Completion::Completed)
}

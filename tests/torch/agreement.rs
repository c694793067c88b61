//! Every operation, in every format: libtorch's numbers against the oracle's and the reference engine's, through the real
//! supervisor.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::LazyLock;

use libtest_mimic::{Failed, Trial};
use rocvet::domain::{Bytes, Status};
use rocvet::probe::engine::reference;
use rocvet::probe::protocol::{Evidence, Kind, Outcome, Raised, Request};
use rocvet::probe::spec::{CopyPath, Memory, Operation, Work};
use rocvet::probe::stand::{LogSource, ProbeRun, Stand};
use rocvet::probe::warm::WarmParent;
use rocvet::probe::{Numbers, Output, ProbeSpec, catalogue, judge};
use rocvet::process::Cancel;

/// Every operation, with shapes that are quickly computed by the oracle too. `_` stands for the format.
const WORK: [&str; 49] = [
    "conv1d/_/2x8x50/12x3/s2p1d1g1/forward",
    "conv1d/_/2x8x50/12x3/s2p1d1g1/backward-data",
    "conv1d/_/2x8x50/12x3/s2p1d1g1/backward-weights",
    "conv1d-transposed/_/2x8x15/6x4/s2p1d1g2/forward",
    "conv2d/_/2x8x13x11/12x3x3/s2p1d1g1/forward",
    "conv2d/_/2x8x13x11/12x3x3/s2p1d1g1/backward-data",
    "conv2d/_/2x8x13x11/12x3x3/s2p1d1g1/backward-weights",
    "conv2d/_/1x8x12x12/8x3x3/s1p2d2g1/forward",
    "conv2d/_/1x8x12x12/8x3x3/s1p2d2g1/backward-data",
    "conv2d/_/1x8x12x12/8x3x3/s1p2d2g1/backward-weights",
    "conv2d/_/2x8x10x10/12x3x3/s1p1d1g4/forward",
    "conv2d/_/2x8x10x10/12x3x3/s1p1d1g4/backward-data",
    "conv2d/_/2x8x10x10/12x3x3/s1p1d1g4/backward-weights",
    "conv2d/_/2x6x10x10/6x3x3/s1p1d1g6/forward",
    "conv2d/_/2x6x10x10/6x3x3/s1p1d1g6/backward-data",
    "conv2d/_/2x6x10x10/6x3x3/s1p1d1g6/backward-weights",
    "conv2d/_/2x8x9x9/16x1x1/s1p0d1g1/forward",
    "conv2d/_/2x1x8x33/4x1x16/s1x2p0x8d1g1/forward",
    "conv2d/_/1x16x42x42/32x3x3/s1p0d1g1/forward",
    "conv2d/_/1x16x44x44/32x3x3/s1p0d1g1/forward",
    "conv2d-transposed/_/2x8x7x6/6x4x4/s2p1d1g1/forward",
    "conv2d-transposed/_/2x8x7x6/6x4x4/s2p1d1g1/backward-data",
    "conv2d-transposed/_/2x8x7x6/6x4x4/s2p1d1g1/backward-weights",
    "conv3d/_/1x4x5x6x7/6x3x3x3/s1p1d1g1/forward",
    "conv3d/_/1x4x5x6x7/6x3x3x3/s1p1d1g1/backward-data",
    "conv3d/_/1x4x5x6x7/6x3x3x3/s1p1d1g1/backward-weights",
    "conv3d-transposed/_/1x4x4x4x5/3x2x2x2/s2p0d1g1/forward",
    "matmul/_/33x257x65",
    "linear/_/16x100x50",
    "add/_/1000x70",
    "multiply/_/300x7",
    "relu/_/300x7",
    "exp/_/300x7",
    "tanh/_/300x7",
    "sigmoid/_/300x7",
    "reduce-sum/_/300x70/all",
    "reduce-sum/_/300x70/last",
    "reduce-mean/_/300x70/all",
    "reduce-max/_/300x70/last",
    "softmax/_/50x100",
    "layer-norm/_/50x100",
    "batch-norm/_/4x8x6x6/train",
    "batch-norm/_/4x8x6x6/eval",
    "pool-max/_/2x4x15x15/3x3/s2p1",
    "pool-average/_/2x4x14x14/2x2/s2p0",
    "upsample-nearest/_/1x4x9x9/2",
    "upsample-linear/_/1x4x9x9/2",
    "step-sgd/_/1000",
    "step-adam/_/1000",
];

/// Where the number of dimensions decides what is called, and training: fewer formats.
const MORE: [&str; 13] = [
    "reduce-sum/f32/1000/last",
    "pool-max/f32/2x4x33/3/s2p1",
    "pool-max/f32/1x2x6x7x8/2x3x2/s2p1",
    "pool-average/f32/2x4x33/4/s2p1",
    "pool-average/f32/1x2x6x7x8/2x2x2/s1p1",
    "train-sgd/f64/8x3x8x8/4/5/5",
    "train-sgd/f32/8x3x8x8/4/5/20",
    "train-sgd/f16/8x3x8x8/4/5/20",
    "train-sgd/bf16/8x3x8x8/4/5/20",
    "train-adam/f32/8x3x8x8/4/5/20",
    "train-adam/f16/8x3x8x8/4/5/20",
    "train-adam/bf16/8x3x8x8/4/5/20",
    "matmul/f32/300x64x300",
];

const FORMATS: [&str; 4] = ["f32", "f16", "bf16", "f64"];

pub fn validate() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_validate"))
}

pub fn worker() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_validate-probe-torch"))
}

/// On the CPU, and with no kernel log: what anybody's GPU does meanwhile is not about this.
pub fn stand() -> Stand {
    Stand { log: LogSource::File("/nowhere".into()), ..Stand::torch(&validate(), &worker(), Kind::Cpu) }
}

/// One for all: it ends with this process.
fn parent() -> &'static WarmParent {
    static PARENT: LazyLock<WarmParent> = LazyLock::new(|| WarmParent::start(&stand()).unwrap());
    &PARENT
}

fn specs() -> Vec<ProbeSpec> {
    let all = WORK.iter().flat_map(|work| FORMATS.map(|format| work.replacen("/_/", &format!("/{format}/"), 1)));
    let all = all.chain(MORE.map(str::to_owned));
    all.map(|text| text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))).collect()
}

pub fn trials() -> Vec<Trial> {
    let mut trials: Vec<Trial> =
        specs().into_iter().map(|spec| Trial::test(spec.id(), move || agrees(&spec))).collect();
    trials.push(Trial::test("every family and format of the catalogue is among them", catalogue_is_covered));
    trials.push(Trial::test("a worker with other inputs is found out by the judge", a_wrong_worker_is_found_out));
    trials.push(Trial::test("repeats are the same numbers", repeats_are_the_same_numbers));
    trials.push(Trial::test("a use of memory on the CPU is reported, or refused with its reason", memory_on_the_cpu));
    trials.push(Trial::test("a GPU that is not there is said not to be there", no_gpu));
    trials.push(Trial::test("more memory than a worker may have is raised and no abort", out_of_memory_is_raised));
    trials
}

fn run(spec: &ProbeSpec, stand: &Stand) -> ProbeRun {
    stand.run(&Request::new(spec.clone(), stand.on), &Cancel::new()).unwrap()
}

fn first(run: &ProbeRun) -> &Outcome {
    let answer = run.done.said.answers.first();
    &answer.unwrap_or_else(|| panic!("{:?} {}", run.done.outcome, String::from_utf8_lossy(&run.done.stderr))).outcome
}

fn compute(spec: &ProbeSpec) -> &Operation {
    let Work::Compute { operation, .. } = &spec.work else { panic!("{}", spec.id()) };
    operation
}

/// In a fork of a warm parent: the supervisor's judgement is right; the reference engine's numbers are too, beside the same oracle; and a number that
/// is changed is wrong.
fn agrees(spec: &ProbeSpec) -> Result<(), Failed> {
    let run = run(spec, parent().stand());
    let judged = run.judged.first().ok_or_else(|| format!("no numbers: {:?}", first(&run)))?;
    if run.status != Status::Pass {
        return Err(format!("{:?}: {judged:?}", run.status).into());
    }
    let answer = &run.done.said.answers[0];
    assert_eq!((answer.on, answer.evidence.as_slice()), (Kind::Cpu, &[Evidence::Tensor("cpu".to_owned())][..]));
    let Outcome::Numbers(output) = first(&run) else { panic!("{:?}", first(&run)) };
    let Work::Compute { operation, dtype } = &spec.work else { panic!("{}", spec.id()) };
    let oracle = reference::oracle(spec)?;
    let reference = judge(operation, *dtype, &Output::of(&reference::run(spec)?), &oracle);
    assert!(matches!(reference, Numbers::Right(_)), "reference: {reference}");
    for at in [0, output.values.0.len() / 2, output.values.0.len() - 1] {
        let mut planted = output.clone();
        if let (Operation::Training(_), true) = (operation, at > 1) {
            // Of later losses only how far they fall is judged.
            planted.values.0[at] = planted.values.0[0];
        } else {
            planted.values.0[at] += output.abs_max.max(1.0);
        }
        let judged = judge(operation, *dtype, &planted, &oracle);
        let last = at + 1 == output.values.0.len();
        let judges = !matches!(operation, Operation::Training(_)) || at < 2 || last;
        assert!(!judges || matches!(judged, Numbers::Wrong { .. }), "a planted error at {at}: {judged}");
    }
    Ok(())
}

/// Words that tell one family from another: the name, the format, and a convolution's direction.
fn family(spec: &ProbeSpec) -> String {
    let id = spec.id();
    let pieces: Vec<&str> = id.split('/').collect();
    let direction = if let Operation::Conv(conv) = compute(spec) { conv.direction.name() } else { "" };
    format!("{} {} {direction}", pieces[0], pieces[1])
}

fn catalogue_is_covered() -> Result<(), Failed> {
    let here: BTreeSet<String> = specs().iter().map(family).collect();
    let computes = |spec: &&ProbeSpec| matches!(spec.work, Work::Compute { .. });
    let all = catalogue::catalogue().iter().flat_map(|probe| &probe.specs).filter(computes).map(family);
    let missing: BTreeSet<String> = all.filter(|family| !here.contains(family)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    Ok(())
}

fn a_wrong_worker_is_found_out() -> Result<(), Failed> {
    let mut stand = stand();
    let script = format!("sed 's/\"seed\":1,/\"seed\":2,/' | {}", worker().display());
    (stand.worker.program, stand.worker.args) = ("/bin/sh".into(), vec!["-c".into(), script.into()]);
    let run = run(&"matmul/f32/33x257x65".parse()?, &stand);
    assert_eq!(run.status, Status::NumericError);
    Ok(())
}

fn repeats_are_the_same_numbers() -> Result<(), Failed> {
    let spec = ProbeSpec { repeats: 3, ..catalogue::named("conv-boundary").unwrap().specs[0].clone() };
    let run = run(&spec, &stand());
    assert_eq!(run.status, Status::Pass);
    let same = |answer: &rocvet::probe::protocol::Answer| matches!(answer.outcome, Outcome::Same { .. });
    assert!(run.done.said.answers[1..].iter().all(same), "{:?}", run.done.said.answers.len());
    assert_eq!(run.done.said.hello.unwrap().libraries["torch"], "2.11.0");
    Ok(())
}

fn memory_on_the_cpu() -> Result<(), Failed> {
    let outcome = |operation| first(&run(&ProbeSpec::memory(operation), &stand())).clone();
    let Outcome::Memory(churned) = outcome(Memory::Churn { bytes: Bytes(4096), times: 100 }) else { panic!() };
    assert_eq!((churned.allocated, churned.checked, churned.mismatches), (Bytes(4096), Bytes(2 * 4096), 0));
    let copy = |path| outcome(Memory::Copy { bytes: Bytes(1 << 20), path });
    let Outcome::Memory(copied) = copy(CopyPath::DeviceToDevice) else { panic!() };
    assert_eq!((copied.checked, copied.mismatches), (Bytes(1 << 20), 0));
    for refused in [copy(CopyPath::HostToDevice), outcome(Memory::OutOfMemory), outcome(Memory::Ladder { percent: 5 })]
    {
        assert!(matches!(refused, Outcome::Raised { kind: Raised::Unsupported, .. }), "{refused:?}");
    }
    Ok(())
}

fn no_gpu() -> Result<(), Failed> {
    let on_gpu = Stand { on: Kind::Gpu, ..stand() };
    let run = run(&"matmul/f32/8x8x8".parse()?, &on_gpu);
    // This libtorch has no backend for one, whatever this machine has.
    let hello = run.done.said.hello.unwrap();
    assert_eq!((hello.gpu_backend, hello.gpus, hello.mapped), (false, 0, Vec::new()));
    assert_eq!(run.status, Status::CpuFallback);
    Ok(())
}

fn out_of_memory_is_raised() -> Result<(), Failed> {
    let mut stand = stand();
    stand.worker.launcher.memory = Some(Bytes(3 << 30));
    // 4 GiB of result.
    let run = run(&"matmul/f32/32768x1x32768".parse()?, &stand);
    let Outcome::Raised { kind, text } = first(&run) else { panic!("{:?}", run.done.outcome) };
    assert_eq!(*kind, Raised::OutOfMemory, "{text}");
    assert!(!text.contains('\n') || !text.contains("frame #"), "{text}");
    Ok(())
}

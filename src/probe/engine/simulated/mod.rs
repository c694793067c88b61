//! The simulated engine: a worker on a simulated machine. It computes what another engine computes, says that it did so
//! on the machine's GPU, and goes wrong where somebody planted that it should: it prints what a real one would have
//! printed and ends as a real one would have ended.
//!
//! Nothing but this folder knows of planted faults; the supervisor and the classifier see a process.

mod memory;
mod situation;
mod vram;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use crate::domain::{Bytes, Signal};
use crate::probe::engine::serve::{converse, greet};
use crate::probe::protocol::{Answer, Evidence, Hello, Kind, Outcome, PROTOCOL, Raised, Request};
use crate::probe::spec::Work;
use crate::probe::tensor::POISON;
use crate::probe::{Output, ProbeSpec, Tensor};
use crate::sim::Kernel;
use crate::sim::fault::{Misbehaviour, ProbeFault};
use crate::sim::render::worker::{Ending, death};

use memory::use_memory;
pub use situation::situation;
use vram::Vram;

/// Signal of a bad address.
const SEGV: Signal = Signal(11);

/// Exit code of a loader that finds no library; nothing was said before it.
const LOADER: u8 = 127;

/// Where a worker's words go.
#[derive(Debug)]
pub struct Mouth<O, E, K> {
    /// Standard output.
    pub stdout: O,
    /// Standard error.
    pub stderr: E,
    /// The kernel's log of the simulated machine.
    pub kernel: K,
}

/// What a worker finds itself in.
pub struct World<'a> {
    /// The simulated machine.
    pub kernel: &'a Kernel,
    /// What was planted for this worker.
    pub fault: Option<ProbeFault>,
    /// Its number.
    pub pid: u32,
    /// Its variables.
    pub env: &'a BTreeMap<String, String>,
    /// The time since any moment before.
    pub elapsed: &'a dyn Fn() -> Duration,
    /// The engine that knows the numbers.
    pub compute: &'a dyn Fn(&ProbeSpec) -> Result<Tensor, String>,
}

/// Answers a request and says how the process is to end.
///
/// # Errors
/// Nobody listens any more.
pub fn serve<O: Write, E: Write, K: Write>(
    request: &Request,
    world: &World<'_>,
    mouth: &mut Mouth<O, E, K>,
) -> io::Result<Ending> {
    let &World { kernel, fault, pid, env, elapsed, compute } = world;
    let memory = fault.and_then(|fault| if let ProbeFault::Memory(memory) = fault { Some(memory) } else { None });
    let mut vram = Vram::of(kernel, env, request.probe.seed, memory);
    let dies = fault.and_then(|fault| death(fault, pid));
    if !matches!(dies, Some((_, Ending::Exit(LOADER)))) {
        greet(&mut mouth.stdout, &hello(&vram, kernel, fault, pid))?;
    }
    if let Some((words, ending)) = dies {
        mouth.kernel.write_all(words.kernel.as_bytes()).and_then(|()| mouth.kernel.flush())?;
        mouth.stdout.write_all(words.stdout.as_bytes()).and_then(|()| mouth.stdout.flush())?;
        mouth.stderr.write_all(words.stderr.as_bytes()).and_then(|()| mouth.stderr.flush())?;
        return Ok(ending);
    }
    let other = fault.and_then(|fault| if let ProbeFault::Other(other) = fault { Some(other) } else { None });
    let (on, evidence) = place(request.on, other, vram.count(), kernel.worker_memory());
    converse(&mut mouth.stdout, request, elapsed, &mut |repeat| {
        let outcome = match (&request.probe.work, other, on) {
            (Work::Compute { .. }, _, _) | (_, Some(Misbehaviour::OomRaised), _) => {
                outcome(&request.probe, other, compute)
            }
            (Work::Memory { operation }, _, Kind::Gpu) => use_memory(&mut vram, operation, memory),
            (Work::Memory { .. }, _, Kind::Cpu) => {
                Outcome::Raised { kind: Raised::Unsupported, text: "uses of memory need a GPU".to_owned() }
            }
        };
        Answer { repeat, outcome, on, evidence: evidence.clone() }
    })?;
    Ok(if other == Some(Misbehaviour::DiesAfterBye) { Ending::Die(SEGV) } else { Ending::Exit(0) })
}

/// Whether the process has the GPU: memory on it, and a queue.
pub fn has_the_gpu(request: &Request, world: &World<'_>) -> bool {
    let gpus = Vram::of(world.kernel, world.env, request.probe.seed, None).count();
    let other = world.fault.and_then(|fault| if let ProbeFault::Other(other) = fault { Some(other) } else { None });
    let loads = !matches!(world.fault.and_then(|fault| death(fault, world.pid)), Some((_, Ending::Exit(LOADER))));
    loads && other != Some(Misbehaviour::ClaimsGpu) && place(request.on, other, gpus, Bytes(0)).0 == Kind::Gpu
}

fn hello(vram: &Vram, kernel: &Kernel, fault: Option<ProbeFault>, pid: u32) -> Hello {
    let ours = ("validate".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
    let torch = kernel.machine().tuning.torch.clone().map(|version| ("torch".to_owned(), version));
    let is = |other| fault == Some(ProbeFault::Other(other));
    let gpu_backend = !is(Misbehaviour::NoBackend);
    let found = gpu_backend && !is(Misbehaviour::NoDevice);
    Hello {
        protocol: PROTOCOL,
        engine: "simulated".to_owned(),
        pid,
        libraries: std::iter::once(ours).chain(torch).collect(),
        gpu_backend,
        gpus: if found { u32::try_from(vram.count()).unwrap_or(u32::MAX) } else { 0 },
        device: vram.first().filter(|_| found),
        mapped: Vec::new(),
    }
}

fn outcome(
    spec: &ProbeSpec,
    other: Option<Misbehaviour>,
    compute: &dyn Fn(&ProbeSpec) -> Result<Tensor, String>,
) -> Outcome {
    if other == Some(Misbehaviour::OomRaised) {
        let text = "HIP out of memory. Tried to allocate 14.00 MiB. GPU 0 has a total capacity of 5.98 GiB of which \
                    6.00 MiB is free.";
        return Outcome::Raised { kind: Raised::OutOfMemory, text: text.to_owned() };
    }
    match compute(spec) {
        Ok(tensor) => Outcome::Numbers(Output::of(&spoilt(tensor, other))),
        Err(text) => Outcome::Raised { kind: Raised::Unsupported, text },
    }
}

/// The numbers as a planted fault leaves them.
fn spoilt(mut tensor: Tensor, other: Option<Misbehaviour>) -> Tensor {
    let last = tensor.values.len().saturating_sub(1);
    let middle = tensor.values.len() / 2;
    match other {
        Some(Misbehaviour::WrongNumber) => {
            // As far off as a product that went to the wrong place.
            let most = tensor.values.iter().fold(1.0_f64, |most, value| most.max(value.abs()));
            if let Some(value) = tensor.values.get_mut(middle) {
                *value += most;
            }
        }
        Some(Misbehaviour::NotFinite) => {
            if let Some(value) = tensor.values.get_mut(middle) {
                *value = f64::NAN;
            }
        }
        Some(Misbehaviour::Zeros) => tensor.values.fill(0.0),
        Some(Misbehaviour::Unwritten) => {
            for value in tensor.values.iter_mut().skip(last - last / 8) {
                *value = POISON;
            }
        }
        Some(
            Misbehaviour::Hang
            | Misbehaviour::HangUnmoved
            | Misbehaviour::NoBye
            | Misbehaviour::Garbage
            | Misbehaviour::Flood
            | Misbehaviour::HeldPipe
            | Misbehaviour::DiesAfterBye
            | Misbehaviour::OomRaised
            | Misbehaviour::NoBackend
            | Misbehaviour::NoDevice
            | Misbehaviour::Elsewhere
            | Misbehaviour::ClaimsGpu
            | Misbehaviour::Oops
            | Misbehaviour::Reboot
            | Misbehaviour::FallsOff
            | Misbehaviour::EnvironmentReset
            | Misbehaviour::AnothersReset,
        )
        | None => {}
    }
    tensor
}

/// Where the operation runs, and what shows it.
fn place(asked: Kind, other: Option<Misbehaviour>, gpus: usize, used: Bytes) -> (Kind, Vec<Evidence>) {
    let on = match other {
        Some(Misbehaviour::NoBackend | Misbehaviour::NoDevice | Misbehaviour::Elsewhere) => Kind::Cpu,
        Some(_) | None if gpus == 0 => Kind::Cpu,
        Some(_) | None => asked,
    };
    let evidence = match on {
        Kind::Cpu => vec![Evidence::Tensor("cpu".to_owned())],
        Kind::Gpu => {
            vec![Evidence::Tensor("cuda:0".to_owned()), Evidence::EventTime(1_000_000), Evidence::DeviceMemory(used.0)]
        }
    };
    (on, evidence)
}

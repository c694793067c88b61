//! Answers one request: says who it is, computes every repeat, and says what shows where.

use std::io::Write;
use std::time::Instant;

use rocvet::probe::engine::serve::{converse, greet};
use rocvet::probe::protocol::{Answer, Evidence, Kind, Outcome, Raised, Request};
use rocvet::probe::spec::{ProbeSpec, Work};
use rocvet::probe::{self, Output};
use tch::{Device, TchError, Tensor};

use crate::backend;
use crate::caught::{caught, words};
use crate::memory::{self, Place};
use crate::operation::Prepared;
use crate::runtime;

/// Words of an error after which the device answers nothing more in this process. A program would go on with errors
/// only; this one ends as a program that does not expect them does.
const LOST: [&str; 8] = [
    "device-side assert",
    "illegal memory access",
    "illegal address",
    "misaligned address",
    "illegal instruction",
    "unspecified launch failure",
    "hardware exception",
    "uncorrectable ECC",
];

/// Answers a request on `out`.
///
/// # Errors
/// Nobody listens, or what drives a GPU is there and cannot be loaded.
pub fn answer(request: &Request, out: &mut impl Write) -> anyhow::Result<()> {
    if let Work::Memory { .. } = request.probe.work {
        memory::without_cache()?;
    }
    if request.on == Kind::Gpu {
        backend::load().map_err(|problem| anyhow::anyhow!("error while loading shared libraries: {problem}"))?;
    }
    let hello = backend::hello(request.on);
    greet(out, &hello)?;
    // Without a GPU that was asked for, it computes on the CPU and says so: what a program asked to fall back does.
    let on_gpu = request.on == Kind::Gpu && hello.gpus > 0;
    let place = Place {
        device: if on_gpu { Device::Cuda(0) } else { Device::Cpu },
        runtime: if on_gpu { backend::loaded() } else { None },
        devices: hello.gpus,
    };
    #[expect(clippy::disallowed_methods, reason = "a soak ends by the clock")]
    let began = Instant::now();
    converse(out, request, &|| began.elapsed(), &mut repeats(&request.probe, place))?;
    Ok(())
}

/// What computes one repeat.
fn repeats(spec: &ProbeSpec, place: Place) -> Box<dyn FnMut(u32) -> Answer + '_> {
    match &spec.work {
        Work::Memory { operation } => Box::new(move |repeat| {
            timed(repeat, place, || {
                let outcome = match caught(|| memory::run(operation, place)) {
                    Ok(outcome) => outcome,
                    Err(error) => raised(error),
                };
                (outcome, place.device)
            })
        }),
        Work::Compute { operation, dtype } => {
            let mut prepared = None;
            Box::new(move |repeat| {
                timed(repeat, place, || {
                    let prepared =
                        prepared.get_or_insert_with(|| caught(|| Prepared::new(spec, operation, *dtype, place.device)));
                    match caught(|| prepared.as_ref().map_err(|error| TchError::Torch(words(error)))?.compute()) {
                        Ok(tensor) => {
                            let device = tensor.device();
                            (carried(&tensor, operation.result()).unwrap_or_else(raised), device)
                        }
                        Err(error) => (raised(error), place.device),
                    }
                })
            })
        }
    }
}

fn carried(tensor: &Tensor, shape: Vec<usize>) -> Result<Outcome, TchError> {
    let found: Vec<usize> = tensor.size().iter().map(|extent| usize::try_from(*extent).unwrap_or(0)).collect();
    let flat = tensor.f_detach()?.f_to_device(Device::Cpu)?.f_to_kind(tch::Kind::Double)?.f_contiguous()?;
    let mut values = vec![0.0; flat.numel()];
    flat.f_copy_data(&mut values, flat.numel())?;
    // A wrong shape is carried as it is: the judge says so.
    let shape = if found == shape { shape } else { found };
    Ok(Outcome::Numbers(Output::of(&probe::Tensor { shape, values })))
}

/// Runs a repeat between two marks on the device's queue.
fn timed(repeat: u32, place: Place, run: impl FnOnce() -> (Outcome, Device)) -> Answer {
    let start = place.runtime.and_then(runtime::Runtime::event);
    let (outcome, device) = run();
    let end = place.runtime.and_then(runtime::Runtime::event);
    let took = start.zip(end).and_then(|(start, end)| start.until(&end));
    let on = if device.is_cuda() { Kind::Gpu } else { Kind::Cpu };
    let mut evidence = vec![Evidence::Tensor(match device {
        Device::Cuda(index) => format!("cuda:{index}"),
        Device::Cpu => "cpu".to_owned(),
        Device::Mps | Device::Vulkan => "another device".to_owned(),
    })];
    // Time on the queue of a GPU shows nothing of what ran on the CPU.
    if on == Kind::Gpu {
        evidence.extend(took.map(Evidence::EventTime));
        evidence.extend(memory::driver_counts().map(Evidence::DeviceMemory));
    }
    Answer { repeat, outcome, on, evidence }
}

/// What libtorch raised, as the protocol says it. Ends this process where the device is lost.
#[expect(clippy::needless_pass_by_value, reason = "it is what `unwrap_or_else` hands over")]
fn raised(error: TchError) -> Outcome {
    let text = words(&error);
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    #[expect(clippy::panic, reason = "so that it dies as every program with tch does that meets this")]
    if says(&LOST) {
        panic!("{error:?}");
    }
    let kind = if says(&["out of memory", "can't allocate memory"]) {
        Raised::OutOfMemory
    } else if says(&["not implemented for", "not supported", "nsupported", "Could not run"]) {
        Raised::Unsupported
    } else {
        Raised::Other
    };
    // The stack behind it is libtorch's own, with an address in every line.
    let text = ["\nException raised from", "\nframe #"]
        .iter()
        .fold(text.as_str(), |text, stack| text.split(stack).next().unwrap_or_default())
        .trim()
        .to_owned();
    Outcome::Raised { kind, text }
}

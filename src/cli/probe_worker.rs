//! `validate probe-worker`: the worker of the engines that are part of this program. Hidden: a child of `probe::supervise`.
#![expect(
    clippy::disallowed_methods,
    reason = "it has a clock for soaks, and leaves a process behind where a simulated worker does"
)]

use std::fs::OpenOptions;
use std::io::{self, Seek as _, Write};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use clap::Args;

use crate::host::simulated::{self, KMSG_FILE, STARTS_FILE};
use crate::probe::engine::serve::{self, converse, greet};
use crate::probe::engine::{reference, simulated as engine};
use crate::probe::protocol::{Answer, Evidence, Hello, Kind, Outcome, PROTOCOL, Raised, Request};
use crate::probe::{Output, ProbeSpec, Tensor};
use crate::sim::Fault;
use crate::sim::fault::{Misbehaviour, Named, ProbeFault};
use crate::sim::render::worker::Ending;
use crate::witness::tuning::concerns_gpus;

use super::dying::{die, hang, ignore_stop_signals, take_supervisor_down};

/// How long a process that was left behind holds the pipes, in seconds.
const HOLD: &str = "5";

/// Options of `validate probe-worker`.
#[derive(Debug, Args)]
pub struct WorkerArgs {
    /// Simulated host whose GPU it works on; the CPU by itself when left out
    #[arg(long, value_name = "DIR")]
    host: Option<PathBuf>,
    /// Which worker of its host it is, where a wrapper started it in its own place
    #[arg(long, value_name = "NUMBER")]
    start: Option<u64>,
}

/// Answers the request on standard input.
///
/// # Errors
/// The request, or the host, is none; nobody listens.
pub fn run(args: &WorkerArgs) -> anyhow::Result<u8> {
    let request = serve::request(io::stdin().lock())?;
    match &args.host {
        None => on_cpu(&request)?,
        Some(host) => return simulated_worker(&request, host, args.start),
    }
    Ok(0)
}

fn on_cpu(request: &Request) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let hello = Hello {
        protocol: PROTOCOL,
        engine: "reference".to_owned(),
        pid: std::process::id(),
        libraries: std::iter::once(("validate".to_owned(), env!("CARGO_PKG_VERSION").to_owned())).collect(),
        gpu_backend: false,
        gpus: 0,
        device: None,
        mapped: Vec::new(),
    };
    greet(&mut out, &hello)?;
    let began = Instant::now();
    converse(&mut out, request, &|| began.elapsed(), &mut |repeat| {
        let outcome = match compute(&request.probe) {
            Ok(tensor) => Outcome::Numbers(Output::of(&tensor)),
            Err(text) => Outcome::Raised { kind: Raised::Unsupported, text },
        };
        Answer { repeat, outcome, on: Kind::Cpu, evidence: vec![Evidence::Tensor("cpu".to_owned())] }
    })
}

fn compute(spec: &ProbeSpec) -> Result<Tensor, String> {
    reference::run(spec).map_err(|error| error.to_string())
}

fn simulated_worker(request: &Request, host: &Path, wrapped: Option<u64>) -> anyhow::Result<u8> {
    let machine = simulated::load(host)?;
    let start = wrapped.map_or_else(|| count_start(host), Ok)?;
    let env =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let situation = engine::situation(&request.probe, start, env.collect());
    let mut planted = machine.active_faults().filter_map(|fault| {
        if let Fault::Probe { fault, when } = fault { when.holds(&situation).then_some(*fault) } else { None }
    });
    let reset = ProbeFault::Other(Misbehaviour::EnvironmentReset);
    let fault = planted.find(|fault| wrapped.is_none() || *fault != reset);
    if fault == Some(reset) {
        return Err(wrap(request, host, start).into());
    }
    if fault == Some(ProbeFault::Other(Misbehaviour::Reboot)) {
        simulated::reboot(host)?;
        take_supervisor_down();
    }
    // Where nobody can read the log it is of no use to write one.
    let log = if machine.has_fault(Named::KernelLogDenied) { "/dev/null".into() } else { host.join(KMSG_FILE) };
    let kernel = OpenOptions::new().append(true).create(true).open(log)?;
    let mut mouth = engine::Mouth { stdout: io::stdout(), stderr: io::stderr(), kernel };
    let began = Instant::now();
    let world = engine::World {
        kernel: &machine,
        fault,
        pid: std::process::id(),
        env: &situation.env,
        elapsed: &|| began.elapsed(),
        compute: &compute,
    };
    let used = engine::has_the_gpu(request, &world).then(|| machine.worker_memory());
    simulated::show_user(host, &machine, world.pid, used)?;
    let ending = engine::serve(request, &world, &mut mouth)?;
    match fault {
        Some(ProbeFault::Other(Misbehaviour::Oops)) => simulated::oops(host)?,
        Some(ProbeFault::Other(Misbehaviour::FallsOff)) => simulated::fall_off(host)?,
        Some(ProbeFault::Other(_) | ProbeFault::Signature(_) | ProbeFault::Memory(_)) | None => {}
    }
    Ok(end(ending))
}

/// Starts this program again in its own place, as a wrapper does that takes variables away; only a failure comes back.
fn wrap(request: &Request, host: &Path, start: u64) -> io::Error {
    let again = || {
        let mut input = tempfile::tempfile()?;
        serde_json::to_writer(&mut input, request)?;
        input.rewind()?;
        let mut command = Command::new(std::env::current_exe()?);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(concerns_gpus)) {
            command.env_remove(name);
        }
        command.args(["probe-worker", "--start", &start.to_string(), "--host"]).arg(host).stdin(input);
        io::Result::Ok(command.exec())
    };
    again().unwrap_or_else(|error| error)
}

/// Notes that a worker was started on this host, and says which it is, from 1: each is one byte of a file.
fn count_start(host: &Path) -> io::Result<u64> {
    let mut starts = OpenOptions::new().append(true).create(true).open(host.join(STARTS_FILE))?;
    starts.write_all(b".")?;
    starts.stream_position()
}

fn end(ending: Ending) -> u8 {
    match ending {
        Ending::Exit(code) => code,
        Ending::Die(signal) => die(signal),
        Ending::Hang => hang(),
        Ending::HangUnmoved => {
            ignore_stop_signals();
            hang()
        }
        Ending::Flood => {
            let line = [&[b'x'; 127][..], b"\n"].concat().repeat(512);
            while io::stderr().lock().write_all(&line).is_ok() {}
            1
        }
        Ending::LeaveChild => {
            // In a group of its own: what is left of the worker's group is killed with it.
            let left = Command::new("sleep").arg(HOLD).process_group(0).stdin(Stdio::null()).spawn();
            u8::from(left.is_err())
        }
    }
}

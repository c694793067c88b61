//! `validate-probe-torch`: the worker that computes with libtorch, on the CPU or on the GPU that libtorch calls "cuda" (CUDA or
//! ROCm). It speaks the protocol of `rocvet::probe::protocol`; `validate` starts it and never links libtorch.
//!
//! The CPU part is tested. The part for GPUs was never run: no machine with a GPU was at hand when it was written.

mod backend;
mod caught;
mod fork;
mod memory;
mod operation;
mod runtime;
mod training;
mod warm;
mod work;

use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use anyhow::bail;

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("validate-probe-torch: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[OsString]) -> anyhow::Result<()> {
    let is_fork = match args {
        [] => false,
        // Returns in each fork, whose standard input holds a request like any other's.
        [flag, socket] if flag == "--warm" => {
            warm::serve(socket.as_ref())?;
            true
        }
        _ => bail!("started with arguments that it does not know; `validate probe NAME --engine torch` starts it"),
    };
    let request = rocvet::probe::engine::serve::request(io::stdin().lock())?;
    // Every message is flushed when it is said.
    work::answer(&request, &mut io::stdout().lock())?;
    if is_fork { fork::end() } else { Ok(()) }
}

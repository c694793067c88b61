//! Any bytes as amd-smi's output: the first byte says which query and format they are read as.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use rocvet::domain::{ComputeMode, Ended, MemoryMode};
use rocvet::witness::Call;
use rocvet::witness::amd_smi::{Format, SetRequest, parse};

fuzz_target!(|data: &[u8]| {
    let Some((&choice, bytes)) = data.split_first() else { return };
    // Half of the choices put the second part, after a zero byte, on standard error.
    let cut = if choice & 0x80 == 0 { None } else { bytes.iter().position(|&byte| byte == 0) };
    let (stdout, stderr) = cut.map_or((bytes, &[][..]), |at| (&bytes[..at], &bytes[at + 1..]));
    let call = Call {
        args: Vec::new(),
        ended: Ended::Exited { code: 0 },
        stdout: stdout.to_vec(),
        stderr: stderr.to_vec(),
        took: Duration::ZERO,
    };
    let format = [Format::Human, Format::Json, Format::Csv][usize::from(choice & 0x0f) % 3];
    match (choice >> 4) & 7 {
        0 => drop(parse::version(&call, format)),
        1 => drop(parse::list(&call, format)),
        2 => drop(parse::static_partition(&call, format)),
        3 => drop(parse::partition(&call, format)),
        4 => drop(parse::vram(&call, format)),
        5 => drop(parse::memory_use(&call, format)),
        6 => drop(parse::set_rows(&call, format, &SetRequest::Compute { mode: ComputeMode::Cpx, gpu: None })),
        _ => drop(parse::set_rows(&call, format, &SetRequest::Memory { mode: MemoryMode::Nps4, confirm: true })),
    }
});

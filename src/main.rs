//! `validate`: parse, dispatch, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Called by the name `amd-smi`, this program is the simulated (or replayed) tool and nothing else.
    if let Some(call) = rocvet::cli::called_as_amd_smi() {
        return call.answer();
    }
    rocvet::cli::main()
}

//! Questions that must be answered with yes. They go to standard output, whatever the format.

use super::{Response, Session};
use crate::domain::ToolVersion;

/// How a question was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    /// `Y`, `y`, `yes`, `Yes` or `YES`.
    Yes,
    /// Anything else, or nothing: the tool has said so and ends.
    No,
}

/// Shows the warning and what was printed before it, and reads the answer.
pub fn ask(out: &mut Response, session: &mut Session<'_>, warning: &str) -> Answered {
    out.print(warning);
    out.print("Do you accept these terms? [Y/N] ");
    let shown = std::mem::take(&mut out.stdout);
    let answer = (session.ask)(&shown);
    match answer.as_deref().map(|line| line.strip_suffix('\n').unwrap_or(line)) {
        Some("Y" | "y" | "yes" | "Yes" | "YES") => {
            out.print("\n");
            Answered::Yes
        }
        Some(_) => {
            out.print("Confirmation not given. Exiting without setting value\n");
            out.code = 1;
            Answered::No
        }
        None => {
            out.complain("EOFError: EOF when reading a line\n");
            out.code = 1;
            Answered::No
        }
    }
}

/// 24.7.1 and later ask before a memory mode is set; older ones do not.
/// Source: facts/amd-smi.md 1.2 (6.3: prompt); 24.7.0 was run and does not.
pub fn asks_before_memory(tool: ToolVersion) -> bool {
    tool > ToolVersion::new(24, 7, 0)
}

/// 24.7.1 to 25.x: the tool reloads the driver itself. *Unverified*: from a capture of ROCm 6.3.2.
pub const fn reload_at_once() -> &'static str {
    "
          ****** WARNING ******

          Setting Dynamic Memory (NPS) partition modes require users to quit all GPU workloads.
          AMD SMI will then attempt to change memory (NPS) partition mode.
          Upon a successful set, AMD SMI will then initiate an action to restart AMD GPU driver.
          This action will change all GPU's in the hive to the requested memory (NPS) partition mode.

          Please use this utility with caution.
          
"
}

/// 26.0 to 26.2.
pub const fn reload_by_reset() -> &'static str {
    "
            ******WARNING******

            After changing memory (NPS) partition modes, users MUST restart
            (reload) the AMD GPU driver. This command NO LONGER AUTOMATICALLY
            reloads the driver, see `amd-smi reset -h` and
            `sudo amd-smi reset -r` for more information.

            This change is intended to allow users the ability to control when is
            the best time to restart the AMD GPU driver, as it may not be desired
            to restart the AMD GPU driver immediately after changing the
            memory (NPS) partition mode.

            Please use `sudo amd-smi reset -r` AFTER successfully
            changing the memory (NPS) partition mode. A successful driver reload
            is REQUIRED in order to complete updating ALL GPUs in the hive to
            the requested partition mode.

            ******REMINDER******
            In order to reload the AMD GPU driver, users MUST quit all GPU
            workloads across all devices.
            
"
}

/// 26.3 and later.
pub const fn reload_by_modprobe() -> &'static str {
    "
            ******WARNING******

            After changing memory (NPS) partition modes, users MUST restart
            (reload) the AMD GPU driver. Use modprobe to reload the driver:

                sudo modprobe -r amdgpu
                sudo modprobe amdgpu

            This change is intended to allow users the ability to control when is
            the best time to restart the AMD GPU driver, as it may not be desired
            to restart the AMD GPU driver immediately after changing the
            memory (NPS) partition mode.

            Please reload the AMD GPU driver AFTER successfully
            changing the memory (NPS) partition mode. A successful driver reload
            is REQUIRED in order to complete updating ALL GPUs in the hive to
            the requested partition mode.

            ******REMINDER******
            In order to reload the AMD GPU driver, users MUST quit all GPU
            workloads across all devices.
            
"
}

/// 26.0 to 26.2: `reset -r`.
pub const fn driver_reload() -> &'static str {
    "
          ****** WARNING ******

          AMD SMI is about to initiate an AMD GPU driver restart (module reload).

          Reloading the AMD GPU driver REQUIRES users to quit all GPU activity across all
          devices.

          If user is initiating a driver reload AFTER changing memory (NPS) partition
          modes (`sudo amd-smi set -M <NPS_MODE>`), a AMD GPU driver reload is REQUIRED
          to complete updating the partition mode. This change will effect ALL GPUs in
          the hive. Advise using `amd-smi list -e` and `amd-smi partition -c -m`
          afterwards to ensure changes were applied as expected.

          Please use this utility with caution.
          
"
}

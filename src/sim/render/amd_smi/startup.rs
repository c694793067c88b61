//! Before the command line is read: the library, the driver, the GPUs, and what the tool takes the machine for.

use crate::domain::ToolVersion;
use crate::sim::{DriverState, View};

use super::Response;
use super::generation::Generation;
use super::query::{default_table, start_notes};

/// Where the tool thinks it runs: the `Platform:` of its help. It decides whether `set -C` and `-M` are offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Platform {
    text: &'static str,
}

impl Platform {
    /// Source: facts/amd-smi.md section 0.
    pub fn of(view: &View, generation: Generation) -> Self {
        // 24.5 asks lscpu, which was not there where the reference transcripts were made: always bare metal.
        let text = if generation == Generation::V24_5 && !view.drm {
            "Linux Baremetal"
        } else {
            default_table::platform(view)
        };
        Self { text }
    }

    /// Bare metal, without a view.
    #[cfg(test)]
    pub const fn bare_metal_for_tests() -> Self {
        Self { text: "Linux Baremetal" }
    }

    /// As help shows it.
    pub const fn text(self) -> &'static str {
        self.text
    }

    /// Bare metal, or a guest that the tool recognises as the owner of a whole GPU.
    pub fn bare_metal(self) -> bool {
        self.text != "Linux Guest"
    }
}

/// What help begins with. The tool finds no ROCm version on any simulated machine.
pub fn banner(tool: ToolVersion, platform: Platform) -> String {
    let version = super::query::version::tool_text(tool);
    format!("AMD System Management Interface | Version: {version} | ROCm version: N/A | Platform: {}", platform.text())
}

/// The answer of a tool that does not get as far as its command line.
pub fn refuse(view: &View, tool: ToolVersion) -> Option<Response> {
    let generation = Generation::of(tool);
    let old = generation <= Generation::V24_7;
    let error = if old { "ERROR: " } else { "ERROR:root:" };
    let latest = generation == Generation::V27;
    let driver = match view.driver {
        DriverState::Live { .. } => true,
        // Before 26.3 the tool looks for `initstate` only: ROCm/amdsmi#172.
        DriverState::BuiltIn => latest,
        DriverState::Going | DriverState::NotLoaded => false,
    };
    let mut response = Response { code: 255, ..Response::default() };
    let no_gpu = if old {
        "Unable to detect any GPU devices, check amdgpu version and module status"
    } else {
        "Unable to detect any GPU devices, check amdgpu version and module status (sudo modprobe amdgpu)"
    };
    let no_cpu = if old {
        "Unable to detect any CPU devices, check amd_hsmp version and module status"
    } else {
        "Unable to detect any CPU devices, check amd_hsmp (or) hsmp_acpi version and module status \
         (sudo modprobe amd_hsmp (or) sudo modprobe hsmp_acpi)"
    };
    if driver && view.kfd && !view.devices.is_empty() {
        return None;
    }
    if driver && view.kfd {
        response.complain(&format!("{error}{no_gpu}\n"));
    } else if latest {
        if driver {
            response.complain("Exception caught: rsmi_init.\n");
        }
        response.complain(
            "ERROR:root:Drivers not loaded (amdgpu, amd_hsmp, ionic, bnxt_en drivers not found in modules)\n",
        );
        return Some(response);
    } else if driver {
        response.complain("Exception caught: rsmi_init.\n");
        response.complain(&format!("{error}Driver not loaded (amdgpu not found in modules)\n"));
        return Some(response);
    } else {
        let no_driver = "Unable to get devices, driver not initialized (amdgpu not found in modules)";
        for line in [no_driver, no_gpu, no_cpu] {
            response.complain(&format!("{error}{line}\n"));
        }
    }
    if !old {
        // Text on stdout whatever format was asked for: the tool has not read its command line yet.
        let version = super::query::version::line(tool);
        response.print(&version);
    }
    Some(response)
}

/// `library_missing`: libamd_smi.so is not there. Python's own words, with the paths of the Debian packages.
pub fn without_library(tool: ToolVersion) -> Response {
    let mut response = Response { code: 1, ..Response::default() };
    let (name, traceback) = match Generation::of(tool) {
        Generation::V24_5 | Generation::V24_7 => ("amdsmi", TRACEBACK_24),
        Generation::V25 | Generation::V26 => ("libamd_smi.so", TRACEBACK_26),
        Generation::V27 => {
            let major = tool.major;
            response.complain(&format!(
                "OSError: AMD SMI shared library could not be loaded.\nUnderlying error: libamd_smi.so.{major}: cannot \
                 open shared object file: No such file or directory\n\
                 Hint: install amd-smi-lib (rpm/deb) or pip-install the amdsmi wheel.\n"
            ));
            return response;
        }
    };
    response.print(&format!(
        "/libamd_smi.so: cannot open shared object file: No such file or directory\n\
         Unable to find {name} library try installing amd-smi-lib from your package manager\n"
    ));
    response.complain("Traceback (most recent call last):\n");
    response.complain(traceback);
    response.complain("KeyError: 'libamd_smi.so'\n");
    response
}

/// `init_hang` for 26.3 and later, which give up after 60 s; older ones wait for ever.
pub fn gave_up() -> Response {
    let mut response = Response { code: 2, ..Response::default() };
    response.complain("ERROR:root:amdsmi_init() timed out after 60s. The GPU driver may be unresponsive.\n");
    response
}

/// `missing_groups`: what a caller outside the groups render and video is told instead of an answer; 26.2 and later
/// tell it and go on, older than 26.0 say nothing. *Unverified*: facts/amd-smi.md 3.3 quotes how it begins.
pub fn without_groups(tool: ToolVersion) -> Option<Response> {
    if (tool.major, tool.minor) != (26, 0) && (tool.major, tool.minor) != (26, 1) {
        return None;
    }
    let mut response = Response { code: 1, ..Response::default() };
    response.complain("RuntimeError: WARNING: User is missing the following required groups: render, video\n");
    Some(response)
}

/// What the library prints on stderr before any answer of `set`, `reset`, help or an error.
pub fn noise(view: &View, tool: ToolVersion) -> String {
    start_notes(view, tool)
}

const TRACEBACK_24: &str = r#"  File "/usr/bin/amd-smi", line 33, in <module>
    from amdsmi_commands import AMDSMICommands
  File "/usr/libexec/amdsmi_cli/amdsmi_commands.py", line 30, in <module>
    from amdsmi_helpers import AMDSMIHelpers
  File "/usr/libexec/amdsmi_cli/amdsmi_helpers.py", line 34, in <module>
    from amdsmi_init import *
  File "/usr/libexec/amdsmi_cli/amdsmi_init.py", line 35, in <module>
    from amdsmi import amdsmi_interface
  File "/usr/libexec/amdsmi_cli/../../share/amd_smi/amdsmi/__init__.py", line 26, in <module>
    from .amdsmi_interface import amdsmi_init
  File "/usr/libexec/amdsmi_cli/../../share/amd_smi/amdsmi/amdsmi_interface.py", line 28, in <module>
    from . import amdsmi_wrapper
  File "/usr/libexec/amdsmi_cli/../../share/amd_smi/amdsmi/amdsmi_wrapper.py", line 1886, in <module>
    amdsmi_init = _libraries['libamd_smi.so'].amdsmi_init
                  ~~~~~~~~~~^^^^^^^^^^^^^^^^^
"#;

const TRACEBACK_26: &str = r#"  File "/usr/bin/amd-smi", line 53, in <module>
    from amdsmi_init import *
  File "/usr/libexec/amdsmi_cli/amdsmi_init.py", line 38, in <module>
    from amdsmi import amdsmi_interface, amdsmi_exception
  File "/usr/libexec/amdsmi_cli/../../share/amd_smi/amdsmi/__init__.py", line 24, in <module>
    from .amdsmi_interface import amdsmi_init
  File "/usr/libexec/amdsmi_cli/../../share/amd_smi/amdsmi/amdsmi_interface.py", line 32, in <module>
    from . import amdsmi_wrapper
  File "/usr/libexec/amdsmi_cli/../../share/amd_smi/amdsmi/amdsmi_wrapper.py", line 219, in <module>
    amdsmi_free_name_value_pairs = _libraries['libamd_smi.so'].amdsmi_free_name_value_pairs
                                   ~~~~~~~~~~^^^^^^^^^^^^^^^^^
"#;

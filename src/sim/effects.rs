//! The faults that act on the tool's process: how long it waits, what becomes of its output, and how it ends.

use std::time::Duration;

use crate::domain::{Bytes, Signal, ToolVersion};

use super::Kernel;
use super::fault::{Fault, Named};
use super::render::amd_smi::Response;
use super::render::amd_smi::query::version;

/// What the faults in force do to one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effects {
    /// Wait this long before answering.
    pub delay: Duration,
    /// Ignore SIGTERM and SIGINT.
    pub ignore_stop: bool,
    /// Print this many bytes before the answer.
    pub flood: Bytes,
    /// How the process ends.
    pub finish: Finish,
    output: Vec<Fault>,
    call: Spoiled,
}

/// What the spoiling of an answer depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Spoiled {
    json: bool,
    tool: ToolVersion,
}

/// How the process ends after its output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// It exits with the code of the answer.
    Exit,
    /// It dies by this signal, after its output.
    Die(Signal),
    /// It prints nothing and never ends.
    Hang,
}

impl Effects {
    /// The effects on a call with these arguments.
    pub fn of(kernel: &Kernel, args: &[String]) -> Self {
        let call = Spoiled { json: args.iter().any(|arg| arg == "--json"), tool: kernel.machine().amd_smi };
        let mut effects = Self {
            delay: Duration::ZERO,
            ignore_stop: false,
            flood: Bytes(0),
            finish: Finish::Exit,
            output: kernel.active_faults().cloned().collect(),
            call,
        };
        for fault in kernel.active_faults() {
            match fault {
                Fault::Delay(delay) => effects.delay = effects.delay.saturating_add(*delay),
                Fault::Flood(bytes) => effects.flood = *bytes,
                Fault::Signal(signal) => effects.finish = Finish::Die(*signal),
                Fault::Named(Named::Hang) => effects.finish = Finish::Hang,
                Fault::Named(Named::IgnoreSigterm) => effects.ignore_stop = true,
                Fault::Named(Named::AbortOnVersion) if args.first().is_some_and(|arg| arg == "version") => {
                    effects.finish = Finish::Die(Signal(6));
                }
                Fault::Named(_)
                | Fault::WriteCompute(_)
                | Fault::WriteMemory(_)
                | Fault::Read { .. }
                | Fault::MissingDevice(_)
                | Fault::WrongMemory(_)
                | Fault::WorkerMemory(_)
                | Fault::Truncate(_)
                | Fault::Exit(_)
                | Fault::Probe { .. }
                | Fault::After { .. } => {}
            }
        }
        effects
    }

    /// The answer as the faults leave it, in the order in which the machine names them.
    pub fn spoil(&self, mut response: Response) -> Response {
        for fault in &self.output {
            match fault {
                Fault::Truncate(bytes) => response.stdout.truncate(*bytes as usize),
                Fault::Exit(code) => response.code = *code,
                Fault::Named(named) => spoil(*named, self.call, &mut response),
                Fault::WriteCompute(_)
                | Fault::WriteMemory(_)
                | Fault::Read { .. }
                | Fault::MissingDevice(_)
                | Fault::WrongMemory(_)
                | Fault::WorkerMemory(_)
                | Fault::Delay(_)
                | Fault::Flood(_)
                | Fault::Signal(_)
                | Fault::Probe { .. }
                | Fault::After { .. } => {}
            }
        }
        response
    }
}

fn spoil(named: Named, call: Spoiled, response: &mut Response) {
    let json = call.json;
    match named {
        Named::ExitZeroOnFailure => response.code = 0,
        Named::NonzeroOnSuccess if response.code == 0 => response.code = 1,
        Named::LegendText if json => response.stdout.extend_from_slice(b"\n\nLegend:\n  * = Current mode\n"),
        Named::VersionLine if json => {
            response.stdout.splice(0..0, version::line(call.tool).into_bytes());
        }
        Named::JsonPrintsNothing if json => response.stdout.clear(),
        Named::SeveralDocuments if json => {
            let again = response.stdout.clone();
            response.stdout.extend(again);
        }
        Named::InvalidUtf8 => {
            // In the middle, so that a reader meets it after it has begun to trust the output.
            let middle = response.stdout.len() / 2;
            response.stdout.splice(middle..middle, [0xff, 0xfe, 0xc3, 0x28]);
        }
        Named::Garbage => response.stdout = garbage(),
        Named::NonzeroOnSuccess
        | Named::LegendText
        | Named::VersionLine
        | Named::JsonPrintsNothing
        | Named::SeveralDocuments
        | Named::DriverMissing
        | Named::DriverLoadedZeroGpus
        | Named::InitstateGoing
        | Named::AmdgpuBuiltin
        | Named::KernelLogDenied
        | Named::KfdMissing
        | Named::UnknownPartitionMode
        | Named::EmptyComputePartitionFile
        | Named::SpxNotAvailable
        | Named::InReset
        | Named::MissingLastDevice
        | Named::NoDrm
        | Named::SetIgnored
        | Named::ReloadBusy
        | Named::RestartErr
        | Named::IndexOrder
        | Named::NumPartitionsZero
        | Named::EmptyMemoryCaps
        | Named::VramUsedStuck
        | Named::UnknownPart
        | Named::HiveIdStale
        | Named::MemoryModeMixed
        | Named::ComputeFileStale
        | Named::RenderMinorSwapped
        | Named::RenderMinorShared
        | Named::RenderMinorMissing
        | Named::RenderMinorTaken
        | Named::NodeOrder
        | Named::KfdHidden
        | Named::MemoryLeaked
        | Named::PagesLimitRaised
        | Named::UdevAccess
        | Named::InitramfsStale
        | Named::FragmentLoggedOtherwise
        | Named::StaleModes
        | Named::ToolMissesLast
        | Named::AsksFirst
        | Named::LibraryMissing
        | Named::InitHang
        | Named::WholeGpuMemory
        | Named::SecondariesNa
        | Named::UuidShared
        | Named::TooManyOpenFiles
        | Named::MissingGroups
        | Named::SetChoicesOneString
        | Named::SetAttributeError
        | Named::AbortOnVersion
        | Named::Hang
        | Named::IgnoreSigterm => {}
    }
}

/// Every byte value, with brackets and quotes that never close: the same bytes each time.
fn garbage() -> Vec<u8> {
    let mut bytes = b"[{\"gpu\": [[[ ".to_vec();
    bytes.extend((0..=u8::MAX).cycle().take(1024));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::machine_named;

    fn effects(fault: &str, args: &[&str]) -> Effects {
        let mut machine = machine_named("mi300x").unwrap();
        machine.faults = vec![fault.parse().unwrap()];
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        Effects::of(&Kernel::new(machine).unwrap(), &args)
    }

    #[test]
    fn output_is_spoiled_as_the_fault_says() {
        let answer = |code| Response { stdout: b"[1]\n".to_vec(), stderr: Vec::new(), code };
        let cases: [(&str, &[&str], u8, &[u8], u8); 10] = [
            ("truncate=2", &[], 0, b"[1", 0),
            ("exit=3", &[], 0, b"[1]\n", 3),
            ("exit_zero_on_failure", &[], 9, b"[1]\n", 0),
            ("nonzero_on_success", &[], 0, b"[1]\n", 1),
            ("nonzero_on_success", &[], 9, b"[1]\n", 9),
            ("several_documents", &["--json"], 0, b"[1]\n[1]\n", 0),
            ("several_documents", &[], 0, b"[1]\n", 0),
            ("json_prints_nothing", &["--json"], 0, b"", 0),
            ("invalid_utf8", &[], 0, b"[1\xff\xfe\xc3\x28]\n", 0),
            ("legend_text", &["--json"], 0, b"[1]\n\n\nLegend:\n  * = Current mode\n", 0),
        ];
        for (fault, args, code, stdout, expected) in cases {
            let spoiled = effects(fault, args).spoil(answer(code));
            assert_eq!((spoiled.stdout.as_slice(), spoiled.code), (stdout, expected), "{fault} {args:?}");
        }
    }

    #[test]
    fn the_process_waits_and_ends_as_the_fault_says() {
        assert_eq!(effects("delay=2s", &[]).delay, Duration::from_secs(2));
        assert_eq!(effects("flood=5", &[]).flood, Bytes(5));
        assert_eq!(effects("signal=SIGSEGV", &[]).finish, Finish::Die(Signal(11)));
        assert_eq!(effects("hang", &[]).finish, Finish::Hang);
        assert_eq!(effects("after=1:hang", &[]).finish, Finish::Exit);
        assert_eq!(effects("abort_on_version", &["version"]).finish, Finish::Die(Signal(6)));
        assert_eq!(effects("abort_on_version", &["list"]).finish, Finish::Exit);
        assert!(effects("ignore_sigterm", &[]).ignore_stop);
    }
}

//! A call by the name `amd-smi`: the simulated tool, or the replayed one. No clap here: it starts thousands of times.
#![expect(clippy::disallowed_methods, reason = "the process's own name, place and environment say which host it is in")]

use std::ffi::OsString;
use std::io::{self, BufRead as _, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread::sleep;

use crate::domain::Bytes;
use crate::host::recorded::Replay;
use crate::host::simulated::{self, Answered, Call};
use crate::host::{HOST_VARIABLE, Host, HostError};
use crate::sim::render::amd_smi::Response;
use crate::sim::{Caller, Effects, Finish};

use super::dying::{die, hang, ignore_stop_signals};

/// Exit code of a call that stands in no host, or in one that cannot be used: a backend is missing.
const NO_HOST: u8 = 69;

/// Longest line that is read as an answer to a question.
const MAX_REPLY: u64 = 1024;

/// A call by the name `amd-smi`.
#[derive(Debug)]
pub struct AmdSmiCall {
    args: Vec<String>,
}

/// Whether this process was started as `amd-smi`.
pub fn called_as_amd_smi() -> Option<AmdSmiCall> {
    let mut args = std::env::args_os();
    let name = args.next()?;
    let is_tool = Path::new(&name).file_name().is_some_and(|name| name.as_bytes() == b"amd-smi");
    // An argument that is not UTF-8 is answered like any other that the tool does not know.
    is_tool.then(|| AmdSmiCall { args: args.map(|arg| arg.to_string_lossy().into_owned()).collect() })
}

impl AmdSmiCall {
    /// Answers it.
    pub fn answer(self) -> ExitCode {
        match self.in_host() {
            Ok(code) => ExitCode::from(code),
            Err(error) => {
                complain(&format!("amd-smi (simulated): {error}\n"));
                ExitCode::from(NO_HOST)
            }
        }
    }

    fn in_host(&self) -> Result<u8, HostError> {
        let dir = host_folder()?;
        match Host::open(&dir)? {
            Host::Simulated { dir, .. } => self.simulated(&dir),
            Host::Recorded { recording, .. } => {
                let replay = Replay::from(recording.call(&self.args));
                print(&Response { stdout: replay.stdout, stderr: replay.stderr, code: replay.code });
                Ok(replay.code)
            }
            Host::Real => Err(HostError::Refused("this is not a simulated host".to_owned())),
        }
    }

    fn simulated(&self, dir: &Path) -> Result<u8, HostError> {
        let mut snapshot = simulated::load(dir)?;
        let effects = Effects::of(&snapshot, &self.args);
        if effects.ignore_stop {
            ignore_stop_signals();
        }
        if !effects.delay.is_zero() {
            sleep(effects.delay);
            // The machine may have changed while this call waited.
            snapshot = simulated::load(dir)?;
        }
        let root = match snapshot.machine().caller {
            Caller::Root => true,
            Caller::User => false,
            Caller::Actual => rustix::process::geteuid().is_root(),
        };
        let call = Call { args: &self.args, root };
        let Answered { response, hangs } = simulated::answer(dir, &snapshot, call, &mut ask)?;
        if let Some(shown) = hangs {
            show(&shown);
            hang();
        }
        if effects.finish == Finish::Hang {
            hang();
        }
        flood(effects.flood);
        let response = effects.spoil(response);
        print(&response);
        match effects.finish {
            Finish::Die(signal) => die(signal),
            Finish::Exit | Finish::Hang => Ok(response.code),
        }
    }
}

/// The host that this executable lies in, else the one that whoever started it names.
fn host_folder() -> Result<PathBuf, HostError> {
    let place = std::fs::read_link("/proc/self/exe").unwrap_or_default();
    if let Some(bin) = place.parent()
        && bin.file_name().is_some_and(|name| name == "bin")
        && let Some(dir) = bin.parent()
        && dir.join(crate::host::HOST_FILE).is_file()
    {
        return Ok(dir.to_owned());
    }
    let named: Option<OsString> = std::env::var_os(HOST_VARIABLE);
    named.filter(|dir| !dir.is_empty()).map(PathBuf::from).ok_or_else(|| {
        let place = place.display();
        HostError::Refused(format!(
            "{place} stands in no host folder, so there is no machine to answer for. \
             `validate shim DIR --machine mi300x` makes one"
        ))
    })
}

/// Prints what the tool has printed so far, and reads a line; `None` at end of input.
fn ask(shown: &[u8]) -> Option<String> {
    show(shown);
    let mut line = Vec::new();
    match io::stdin().lock().take(MAX_REPLY).read_until(b'\n', &mut line) {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(String::from_utf8_lossy(&line).into_owned()),
    }
}

/// Prints an answer. A reader that has gone away is no reason to fail.
fn print(response: &Response) {
    show(&response.stdout);
    let _ = io::stderr().lock().write_all(&response.stderr);
}

fn show(bytes: &[u8]) {
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(bytes).and_then(|()| stdout.flush());
}

fn complain(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Prints this many bytes, in lines, until the reader goes away.
fn flood(bytes: Bytes) {
    let line = [&[b'x'; 127][..], b"\n"].concat().repeat(64);
    let mut left = bytes.0;
    let mut stdout = io::stdout().lock();
    while left > 0 {
        let part = usize::try_from(left).map_or(line.len(), |left| left.min(line.len()));
        if stdout.write_all(line.get(..part).unwrap_or(&line)).is_err() {
            return;
        }
        left -= part as u64;
    }
}

//! By what a step is done: the tool, the partition files, `modprobe`.

use std::io::Write as _;

use rustix::io::Errno;

use crate::domain::{Bdf, Ended, MemoryMode, Reading};
use crate::facts::ReloadHabit;
use crate::host::simulated::{self, Write};
use crate::host::{Asking, Host, HostError};
use crate::partition::{Consent, Step, Through};
use crate::process::{Limits, Spec};
use crate::witness::amd_smi::{Format, SetOutcome, SetRequest, SetRow, ToolError, parse};

/// How a machine is changed.
#[derive(Debug)]
pub struct Door<'a> {
    /// The machine.
    pub host: &'a Host,
    /// By what modes are set.
    pub through: Through,
    /// What amd-smi does about reloads; `None` when it is not used.
    pub habit: Option<ReloadHabit>,
    /// What the caller agreed to.
    pub consent: Consent,
    /// Whether a simulated machine takes the caller for root.
    pub root: bool,
    /// Deadline and cancellation of every program that is started.
    pub asking: Asking,
}

/// A step that was not done, or not as far as can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What was said.
    pub why: String,
    /// Whether it is certain that nothing came of it.
    pub certain: bool,
}

impl Refusal {
    const fn certain(why: String) -> Self {
        Self { why, certain: true }
    }

    const fn perhaps(why: String) -> Self {
        Self { why, certain: false }
    }
}

/// A write that was refused.
struct Unwritten {
    why: String,
    /// The number, where the kernel gave one.
    errno: Option<i32>,
}

impl From<Unwritten> for Refusal {
    fn from(unwritten: Unwritten) -> Self {
        Self { why: unwritten.why, certain: unwritten.errno.is_some() }
    }
}

impl Door<'_> {
    /// Does a step. Whether it took effect is read from the machine.
    ///
    /// # Errors
    /// It was refused, or nobody can tell.
    pub fn take(&self, step: &Step) -> Result<(), Refusal> {
        self.consent.permits(step, self.habit).map_err(Refusal::certain)?;
        match (step, self.through) {
            (Step::Reload, _) => self.reload(),
            (Step::Memory { mode, gpus }, Through::AmdSmi) => {
                self.tool(&SetRequest::Memory { mode: *mode, confirm: true }, gpus, &["-M", mode.name()])
            }
            (Step::Compute { mode, gpu }, Through::AmdSmi) => {
                self.tool(&SetRequest::Compute { mode: *mode, gpu: None }, &[*gpu], &["-C", mode.name()])
            }
            (Step::Memory { mode, gpus }, Through::Sysfs) => {
                gpus.iter().try_for_each(|gpu| self.write(*gpu, Write::Memory(*mode)).map_err(Refusal::from))
            }
            (Step::Compute { mode, gpu }, Through::Sysfs) => Ok(self.write(*gpu, Write::Compute(*mode))?),
            (Step::Withdraw { mode, gpus }, _) => gpus.iter().try_for_each(|gpu| self.withdraw(*gpu, *mode)),
        }
    }

    /// `amd-smi set`. By address: an index changes with every mode, and is not sysfs's order.
    fn tool(&self, request: &SetRequest, gpus: &[Bdf], words: &[&str]) -> Result<(), Refusal> {
        let mut args = vec!["set".to_owned(), "-g".to_owned()];
        args.extend(gpus.iter().map(ToString::to_string));
        args.extend(words.iter().map(|&word| word.to_owned()));
        let call = self.host.call_amd_smi(&args, request.stdin(), &self.asking);
        if !matches!(call.ended, Ended::Exited { .. }) {
            return Err(Refusal::perhaps(format!("amd-smi {}: {}", args.join(" "), call.ended)));
        }
        let answer = parse::set_rows(&call, Format::Human, request);
        let said = |row: &SetRow| matches!(row.outcome, Reading::Value(SetOutcome::Said { .. }));
        let rows = answer.value.value().map(Vec::as_slice).unwrap_or_default();
        if rows.len() == gpus.len() && rows.iter().all(said) {
            return Ok(());
        }
        let Some(ToolError { status, text, .. }) = answer.failure else {
            let why = format!("amd-smi {}: its answer cannot be understood ({})", args.join(" "), call.ended);
            return Err(Refusal::perhaps(why));
        };
        // A status is the library's answer. Any other failure may have come after the setting.
        let certain = status.is_some() && !rows.iter().any(said);
        let why = match status {
            Some(status) if !text.contains(&status) => format!("{status}: {text}"),
            Some(_) | None => text,
        };
        Err(Refusal { why, certain })
    }

    /// Asks for the memory mode in force, so that no other waits. A driver that refuses even that takes no requests at
    /// all: an APU, one older than the switching of NPS (facts/partitions.md 2.4 and 3.4).
    fn withdraw(&self, gpu: Bdf, mode: MemoryMode) -> Result<(), Refusal> {
        const NO_REQUESTS: [i32; 3] =
            [Errno::NOENT.raw_os_error(), Errno::INVAL.raw_os_error(), Errno::OPNOTSUPP.raw_os_error()];
        match self.write(gpu, Write::Memory(mode)) {
            Err(Unwritten { errno: Some(errno), .. }) if NO_REQUESTS.contains(&errno) => Ok(()),
            // To root only a file that nobody may write answers so.
            Err(Unwritten { errno: Some(errno), .. }) if self.root && errno == Errno::ACCESS.raw_os_error() => Ok(()),
            written => Ok(written?),
        }
    }

    /// A write to a partition file. What the write answers is the driver's answer.
    fn write(&self, gpu: Bdf, written: Write) -> Result<(), Unwritten> {
        let (file, mode) = match written {
            Write::Compute(mode) => ("current_compute_partition", mode.name()),
            Write::Memory(mode) => ("current_memory_partition", mode.name()),
        };
        let path = self.host.sysfs_root().join("bus/pci/devices").join(gpu.to_string()).join(file);
        let told = |why: &dyn std::fmt::Display| format!("{}: writing {mode}: {why}", path.display());
        match self.host {
            Host::Simulated { dir, .. } => match simulated::write(dir, gpu, self.root, written) {
                Ok(done) => done.map_err(|errno| Unwritten {
                    why: told(&format_args!("{errno} ({})", errno.text())),
                    errno: Some(errno.number()),
                }),
                Err(error) => Err(Unwritten { why: error.to_string(), errno: None }),
            },
            Host::Recorded { .. } => Err(Unwritten { why: told(&"a recording has no driver"), errno: None }),
            Host::Real => {
                let open = std::fs::OpenOptions::new().write(true).open(&path);
                open.and_then(|mut file| file.write_all(mode.as_bytes()))
                    .map_err(|error| Unwritten { why: told(&error), errno: error.raw_os_error() })
            }
        }
    }

    /// Unloads and loads the driver.
    fn reload(&self) -> Result<(), Refusal> {
        match self.host {
            Host::Simulated { dir, .. } => simulated::reload(dir).map_err(refused),
            Host::Recorded { .. } => Err(Refusal::certain("a recording has no driver".to_owned())),
            Host::Real => self.modprobe(&["-r", "amdgpu"]).and_then(|()| self.modprobe(&["amdgpu"])),
        }
    }

    fn modprobe(&self, args: &[&str]) -> Result<(), Refusal> {
        let outcome = crate::process::run(&Spec {
            args: args.iter().map(Into::into).collect(),
            inherit: vec!["PATH".to_owned()],
            limits: Limits { deadline: self.asking.deadline, ..Limits::default() },
            cancel: self.asking.cancel.clone(),
            ..Spec::new("modprobe")
        });
        if outcome.ended.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&outcome.stderr);
        let said: String = said.trim().chars().take(400).collect();
        Err(Refusal::perhaps(format!("modprobe {}: {}: {said}", args.join(" "), outcome.ended)))
    }
}

/// Whether a simulated machine refused, or its folder could not be written.
fn refused(error: HostError) -> Refusal {
    Refusal { why: error.to_string(), certain: matches!(error, HostError::Refused(_)) }
}

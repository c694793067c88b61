//! `amd-smi set`: partition modes. Other settings are not simulated.

use crate::domain::{ComputeMode, MemoryMode};
use crate::sim::Errno;
use crate::sim::fault::Named;

use super::args::Call;
use super::args::select::Identity;
use super::failure::{Complaint, Phase, not_simulated, uncaught, uncaught_from};
use super::generation::Generation;
use super::library::Library;
use super::prompt::{self, Answered};
use super::records::{self, Record};
use super::status::Status;
use super::{Response, Session};

/// What a `set` or `reset` works with.
pub struct Task<'a, 's, 'k> {
    /// The command line.
    pub call: &'a Call,
    /// Chosen devices.
    pub targets: &'a [usize],
    /// Every device, by index.
    pub devices: &'a [Identity],
    /// Accelerator profiles that the tool found, in index order.
    pub profiles: &'a [ComputeMode],
    /// The tool takes the machine for bare metal.
    pub bare_metal: bool,
    /// The machine.
    pub library: Library<'k>,
    /// Who asks and answers.
    pub session: &'a mut Session<'s>,
    /// What was printed so far.
    pub out: Response,
}

/// Why a command ends before its last device.
pub struct Ended;

impl Task<'_, '_, '_> {
    /// The generation.
    pub const fn generation(&self) -> Generation {
        Generation::of(self.library.tool)
    }

    /// Prints one record at once, as 6.4 and later do.
    pub fn print(&mut self, gpu: usize, key: &'static str, sentence: String) {
        let record = Record { gpu, fields: vec![(key, sentence)] };
        self.out.print(&records::print(&[record], self.call.format, false));
    }

    /// Reports a complaint that is raised while the command runs.
    pub fn complain(&mut self, complaint: &Complaint) -> Ended {
        let command = self.call.line.split(' ').next().unwrap_or_default();
        // `reset -g 0` is told to look at `amd-smi reset -g 0 -h`: the sentence repeats the whole line itself.
        complaint.report(&mut self.out, Generation::of(self.library.tool), self.call.format, command, Phase::Run);
        Ended
    }

    /// The library refused for want of permission.
    pub fn no_permission(&mut self) -> Ended {
        let generation = self.generation();
        if generation == Generation::V27 {
            return self.complain(&Complaint::Permission(self.call.command.to_owned()));
        }
        uncaught_from(&mut self.out, Status::NoPerm, generation, "PermissionError: Command requires elevation");
        Ended
    }

    /// A `ValueError` that the library's status caused.
    pub fn value_error(&mut self, status: Status, text: &str) -> Ended {
        let generation = self.generation();
        uncaught_from(&mut self.out, status, generation, &format!("ValueError: {text}"));
        Ended
    }

    /// How messages name a device.
    pub fn device(&self, index: usize) -> String {
        let bdf = self.devices.get(index).map(|device| device.bdf.as_str()).unwrap_or_default();
        format!("GPU ID: {index} BDF:{bdf}")
    }

    /// Moves what the library complained about to stderr. A call whose write never ends shows what came before it.
    pub fn finish(mut self) -> Response {
        if self.library.waits_for_ever {
            (self.session.hang)(&self.out.stdout);
            return Response::default();
        }
        let mut stderr = std::mem::take(&mut self.library.noise).into_bytes();
        stderr.append(&mut self.out.stderr);
        Response { stderr, ..self.out }
    }
}

/// Answers `set`.
pub fn run(mut task: Task<'_, '_, '_>) -> Response {
    // The end of a command is told in what was printed; nothing is left to do with the reason.
    let _ended = dispatch(&mut task);
    task.finish()
}

fn dispatch(task: &mut Task<'_, '_, '_>) -> Result<(), Ended> {
    let call = task.call;
    let asked = |name: &str| call.has(name);
    if !task.bare_metal && task.library.kernel.has_fault(Named::SetAttributeError) {
        uncaught(&mut task.out, "AttributeError: 'Namespace' object has no attribute 'compute_partition'");
        return Err(Ended);
    }
    if !call.options.iter().any(|(name, _)| *name != "--loglevel") {
        return Err(nothing_asked(task));
    }
    if asked("--file") {
        not_simulated(&mut task.out, "--file");
        return Err(Ended);
    }
    let compute = call.value("--compute-partition").map(str::to_owned);
    let memory = call.value("--memory-partition").and_then(|mode| mode.parse::<MemoryMode>().ok());
    let other = |name: &&str| !matches!(*name, "--compute-partition" | "--memory-partition" | "--loglevel");
    if let Some(name) = call.options.iter().map(|(name, _)| *name).find(other) {
        not_simulated(&mut task.out, &format!("`set {name}`"));
        return Err(Ended);
    }
    if task.generation() <= Generation::V24_7 {
        return together(task, compute.and_then(|mode| mode.parse().ok()), memory);
    }
    let targets = task.targets;
    for (at, &device) in targets.iter().enumerate() {
        match (&compute, memory) {
            (Some(mode), _) => set_compute(task, device, mode)?,
            (None, Some(mode)) => set_memory(task, device, mode, at == 0)?,
            (None, None) => {}
        }
    }
    if memory.is_some() && task.library.kernel.has_fault(Named::TooManyOpenFiles) {
        uncaught(&mut task.out, "OSError: [Errno 24] Too many open files");
        return Err(Ended);
    }
    if targets.len() > 1 {
        let nothing = records::print(&[], call.format, true);
        task.out.print(&nothing);
    }
    Ok(())
}

/// `set` without a setting: each generation notices at another place.
fn nothing_asked(task: &mut Task<'_, '_, '_>) -> Ended {
    let device_named = task.call.targets.is_some();
    let required = match task.generation() {
        Generation::V24_5 => true,
        Generation::V24_7 => false,
        Generation::V25 | Generation::V26 | Generation::V27 => !device_named || !task.bare_metal,
    };
    if required {
        return task.complain(&Complaint::Required(task.call.line.clone()));
    }
    uncaught(&mut task.out, "ValueError: No GPU, CPU, or CORE arguments provided, specific arguments are needed");
    Ended
}

/// Up to 24.7: both settings of a device, all devices printed together, the first failure ends it.
fn together(
    task: &mut Task<'_, '_, '_>,
    compute: Option<ComputeMode>,
    memory: Option<MemoryMode>,
) -> Result<(), Ended> {
    let targets = task.targets;
    let mut done = Vec::new();
    let prompted = prompt::asks_before_memory(task.library.tool);
    for (at, &device) in targets.iter().enumerate() {
        let mut fields = Vec::new();
        if let Some(mode) = compute {
            task.library.set_compute(device, mode).map_err(|status| {
                let text = format!("Unable to set compute partition to {mode} on {}", task.device(device));
                refused(task, status, &text)
            })?;
            let sentence = format!("Successfully set compute partition to {mode}");
            fields.push(("computepartition", sentence));
        }
        if let Some(mode) = memory {
            if prompted && at == 0 {
                confirm(task, prompt::reload_at_once())?;
            }
            let written = task.library.set_memory(device, mode);
            if let Err(status) = written.and_then(|written| if written { reload(task) } else { Ok(()) }) {
                let text = format!("Unable to set memory partition to {mode} on {}", task.device(device));
                return Err(refused(task, status, &text));
            }
            let sentence = format!("Successfully set memory partition to {mode}");
            let key = if prompted { "memory_partition" } else { "memorypartition" };
            fields.push((key, sentence));
        }
        done.push(Record { gpu: device, fields });
    }
    let text = records::print(&done, task.call.format, targets.len() > 1);
    task.out.print(&text);
    Ok(())
}

fn refused(task: &mut Task<'_, '_, '_>, status: Status, text: &str) -> Ended {
    if status == Status::NoPerm { task.no_permission() } else { task.value_error(status, text) }
}

/// The driver reload that a memory mode needs, where the tool does it itself. Where the reference transcripts were
/// made there was nothing to reload it with, and a shell said so.
fn reload(task: &mut Task<'_, '_, '_>) -> Result<(), Status> {
    if task.library.kernel.machine().quirks.reference_tree {
        for program in ["systemctl", "modprobe"] {
            task.out.complain(&format!("stdbuf: failed to run command ‘{program}’: No such file or directory\n"));
        }
        return Ok(());
    }
    match task.library.kernel.reload_driver() {
        // 24.5 looks whether a driver is live afterwards, and the old one still is: run against a module in use.
        Err(Errno::EBUSY) if task.generation() == Generation::V24_5 => {
            task.out.complain("modprobe: FATAL: Module amdgpu is in use.\n");
            Ok(())
        }
        done => done.map_err(|_| Status::RestartError),
    }
}

/// `set -C` of 6.4 and later.
fn set_compute(task: &mut Task<'_, '_, '_>, device: usize, asked: &str) -> Result<(), Ended> {
    let profile = asked.parse::<usize>().ok().or_else(|| {
        let mode = asked.parse::<ComputeMode>().ok()?;
        task.profiles.iter().position(|profile| *profile == mode)
    });
    let name = task.device(device);
    let Some((index, &mode)) = profile.and_then(|index| Some((index, task.profiles.get(index)?))) else {
        if !task.library.root {
            // 25.x gets this far without root: capture of 25.3.0.
            return Err(task.no_permission());
        }
        uncaught(&mut task.out, &format!("ValueError: Invalid accelerator configuration {asked} on {name}"));
        return Err(Ended);
    };
    let named = format!("{mode} (profile #{index})");
    let unable = format!("Unable to set accelerator partition to {asked} on {name}");
    task.library.walk_profiles(device);
    match task.library.set_compute(device, mode) {
        Ok(()) => {
            let sentence = format!("Successfully set accelerator partition to {named}");
            task.print(device, "accelerator_partition", sentence);
            Ok(())
        }
        Err(Status::NoPerm) => Err(task.no_permission()),
        Err(status @ Status::NotSupported) => {
            let sentence = format!("[{}] Unable to set compute partition to {named}", status.name());
            task.print(device, "accelerator_partition", sentence);
            Ok(())
        }
        Err(status @ Status::SettingUnavailable) => {
            // 25.3.0 forgets the bracket: capture of its documentation.
            let named = if task.generation() == Generation::V25 { named.trim_end_matches(')') } else { &named };
            let status_name = status.name();
            task.out.print(&format!(
                "\nAttempted to set accelerator partition to {named} on {name}\n\n[{status_name}] Please check \
                 amd-smi partition --memory --accelerator for available profiles.\nUsers may need to switch memory \
                 partition to another mode in order to enable the desired accelerator partition.\n\n"
            ));
            Err(task.value_error(status, &format!("[{status_name}] {unable}")))
        }
        Err(status) => Err(task.value_error(status, &unable)),
    }
}

/// `set -M` of 6.4 and later: a question first, then failures inside the field and exit code 0.
fn set_memory(task: &mut Task<'_, '_, '_>, device: usize, mode: MemoryMode, first: bool) -> Result<(), Ended> {
    let generation = task.generation();
    let (warning, done) = match generation {
        // Unverified: the progress bar of the reload, a time in seconds, is left out.
        Generation::V24_5 | Generation::V24_7 | Generation::V25 => (prompt::reload_at_once(), ""),
        Generation::V26 => (prompt::reload_by_reset(), ", reload driver when ready"),
        Generation::V27 => {
            (prompt::reload_by_modprobe(), ", use `sudo modprobe -r amdgpu && sudo modprobe amdgpu` to reload driver")
        }
    };
    if first {
        confirm(task, warning)?;
    }
    let modes = task.library.memory_modes(device);
    let result = match task.library.set_memory(device, mode) {
        Ok(true) if generation == Generation::V25 => reload(task),
        Ok(_) => Ok(()),
        Err(status) => Err(status),
    };
    let sentence = match result {
        Ok(()) => format!("Successfully set memory partition to {mode}{done}"),
        Err(Status::NoPerm) => {
            let sentence = format!("[{}] Command requires elevation", Status::NoPerm.name());
            task.print(device, "memory_partition", sentence);
            return Err(task.no_permission());
        }
        Err(status) => {
            if status == Status::Inval {
                let modes = modes.unwrap_or_else(|| "N/A".to_owned());
                task.out.print(&format!("Valid Memory partition Modes: {modes}\n\n"));
            }
            format!("[{}] Unable to set memory partition to {mode}", status.name())
        }
    };
    task.print(device, "memory_partition", sentence);
    Ok(())
}

/// Puts a question and ends the command unless it is answered with yes.
pub fn confirm(task: &mut Task<'_, '_, '_>, warning: &str) -> Result<(), Ended> {
    match prompt::ask(&mut task.out, task.session, warning) {
        Answered::Yes => Ok(()),
        Answered::No => Err(Ended),
    }
}

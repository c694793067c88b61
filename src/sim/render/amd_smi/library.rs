//! What the library does for `set` and `reset`: which files it looks at before it writes, and what comes of it.
//! Order of the checks: measured with an errno on each file, on 24.5.2, 26.2.1 and 27.1.0.

use crate::domain::{ComputeMode, MemoryMode, ToolVersion};
use crate::sim::{Errno, Kernel, View};

use super::dialect::{Bugs, Secondaries};
use super::generation::Generation;
use super::query::device::{self, Mode, Seen};
use super::status::{Status, Target};
use super::{Context, Format};

/// The library at work on one machine.
pub struct Library<'a> {
    /// The machine.
    pub kernel: &'a mut Kernel,
    /// Tool version.
    pub tool: ToolVersion,
    /// Effective user id 0.
    pub root: bool,
    /// Lines that the library prints on stderr as it works.
    pub noise: String,
    /// A write was interrupted: the library tries again for ever.
    pub waits_for_ever: bool,
    /// GPU and partition behind each index, as the library found them when it started: it keeps its handles while a
    /// set makes devices come and go.
    pub handles: Vec<(usize, u8)>,
}

/// What a write needs to know of a device, read before it.
struct Found {
    gpu: usize,
    /// The tool has partition files for this device.
    has_files: bool,
    compute: Mode,
    memory: Mode,
    available: Result<String, Errno>,
}

impl Library<'_> {
    const fn generation(&self) -> Generation {
        Generation::of(self.tool)
    }

    /// Sets the compute mode of the GPU behind a device.
    pub fn set_compute(&mut self, device: usize, mode: ComputeMode) -> Result<(), Status> {
        if !self.root {
            return Err(Status::NoPerm);
        }
        let found = self.find(device).filter(|found| found.has_files).ok_or(Status::NotSupported)?;
        match found.available {
            Err(Errno::ENOENT) => return Err(Status::NotSupported),
            Err(_) => return Err(Status::SettingUnavailable),
            Ok(list) if !list.split(", ").any(|each| each == mode.name()) => return Err(Status::SettingUnavailable),
            Ok(_) => {}
        }
        if self.already(&found.compute, mode.name())? {
            return Ok(());
        }
        let written = self.kernel.write_compute(found.gpu, mode);
        self.status(written, Target::Compute)
    }

    /// Reads the profiles of a device, which writes them one after the other; secondaries have none.
    pub fn walk_profiles(&mut self, device: usize) {
        if let Some(&(gpu, 0)) = self.handles.get(device).filter(|_| self.root) {
            self.kernel.walk_profiles(gpu);
        }
    }

    /// Asks for a memory mode; true when something was written, so that the driver must be reloaded.
    pub fn set_memory(&mut self, device: usize, mode: MemoryMode) -> Result<bool, Status> {
        if !self.root {
            return Err(Status::NoPerm);
        }
        let found = self.find(device).filter(|found| found.has_files).ok_or(Status::NotSupported)?;
        if self.already(&found.memory, mode.name())? {
            return Ok(false);
        }
        let written = self.kernel.write_memory(found.gpu, mode);
        self.status(written, Target::Memory).map(|()| true)
    }

    /// `available_memory_partition` of a device, as the tool lists it; reads the current mode on the way.
    pub fn memory_modes(&mut self, device: usize) -> Option<String> {
        let view = self.kernel.view();
        let seen = self.seen(&view, device)?;
        // The configuration call reads the current mode twice.
        if seen.memory() == Mode::Failed {
            self.noise.push_str(&super::query::notes::of_modes(&[&Mode::Failed, &Mode::Failed]));
        }
        let list = seen.files()?.available_memory.clone().ok()?;
        Some(list.replace(' ', ""))
    }

    fn status(&mut self, written: Result<(), Errno>, target: Target) -> Result<(), Status> {
        self.waits_for_ever |= written == Err(Errno::EINTR);
        written.map_err(|errno| Status::of_write(errno, target, self.generation()))
    }

    /// Whether a mode is in force already; an unreadable one throws in the library.
    fn already(&mut self, current: &Mode, wanted: &str) -> Result<bool, Status> {
        match current {
            Mode::Known(mode) => Ok(mode == wanted),
            Mode::Absent => Err(Status::NotSupported),
            Mode::Failed => {
                self.noise.push_str(&super::query::notes::of_modes(&[&Mode::Failed]));
                Err(Status::InternalException)
            }
        }
    }

    fn find(&self, device: usize) -> Option<Found> {
        let view = self.kernel.view();
        let seen = self.seen(&view, device)?;
        Some(Found {
            gpu: seen.device.gpu,
            has_files: seen.files().is_some(),
            compute: seen.compute(),
            memory: seen.memory(),
            available: seen.files().map_or(Err(Errno::ENOENT), |files| files.available_compute.clone()),
        })
    }

    fn seen<'v>(&self, view: &'v View, device: usize) -> Option<Seen<'v>> {
        let ctx = Context {
            view,
            tool: self.tool,
            format: Format::Human,
            targets: &[],
            root: self.root,
            bugs: Bugs::default(),
        };
        let &(gpu, partition) = self.handles.get(device)?;
        let of_gpu: Vec<Seen<'v>> = device::all(&ctx).into_iter().filter(|seen| seen.device.gpu == gpu).collect();
        let same = of_gpu.iter().find(|seen| seen.device.partition == partition);
        // Older tools look at the files of the GPU for every partition, one that is gone included.
        let stands_in =
            || of_gpu.iter().find(|seen| seen.primary() && seen.dialect.secondaries == Secondaries::AsPrimary);
        same.or_else(stands_in).copied()
    }
}

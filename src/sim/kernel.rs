//! The simulated kernel driver: what a read shows and what a write does. No I/O: the host folder is written by `host`.

use crate::domain::{AllocMode, Bytes, ComputeMode, MemoryMode};

use super::fault::{Fault, Named};
use super::{Errno, Machine, MachineError, Model, Platform, State, View, modes, show};

/// A machine and its state.
#[derive(Debug, Clone, PartialEq)]
pub struct Kernel {
    machine: Machine,
    model: &'static Model,
    state: State,
}

impl Kernel {
    /// Device memory that the worker of a probe has for itself, where nothing is planted.
    pub const WORKER_MEMORY: Bytes = Bytes(64 << 20);

    /// A machine that was just started.
    pub fn new(machine: Machine) -> Result<Self, MachineError> {
        let state = State::initial(&machine);
        Self::resume(machine, state)
    }

    /// A machine as it was left. Both may come from files and are checked.
    pub fn resume(machine: Machine, state: State) -> Result<Self, MachineError> {
        machine.check()?;
        state.check(&machine)?;
        let model = machine.model()?;
        Ok(Self { machine, model, state })
    }

    /// The machine.
    pub const fn machine(&self) -> &Machine {
        &self.machine
    }

    /// The state, to be saved after a call.
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// The part.
    pub const fn model(&self) -> &'static Model {
        self.model
    }

    /// Faults in force at this call, in the order of the machine file; `after=` is already taken off.
    pub fn active_faults(&self) -> impl Iterator<Item = &Fault> {
        self.machine.faults.iter().filter_map(|fault| fault.active(self.state.calls))
    }

    /// Whether a fault that needs nothing but its name is in force.
    pub fn has_fault(&self, wanted: Named) -> bool {
        self.active_faults().any(|fault| *fault == Fault::Named(wanted))
    }

    /// Device memory that the worker of a probe has for itself.
    pub fn worker_memory(&self) -> Bytes {
        let planted = |fault: &Fault| if let Fault::WorkerMemory(bytes) = fault { Some(*bytes) } else { None };
        self.active_faults().find_map(planted).unwrap_or(Self::WORKER_MEMORY)
    }

    /// Whether any fault waits for a number of calls, so that calls have to be counted.
    pub fn counts_calls(&self) -> bool {
        self.machine.faults.iter().any(|fault| matches!(fault, Fault::After { .. }))
    }

    /// Counts one call of the tool. It is a change when a fault comes into force with it.
    pub fn count_call(&mut self) {
        let before = self.active_faults().count();
        self.state.calls = self.state.calls.saturating_add(1);
        if self.active_faults().count() != before {
            self.changed();
        }
    }

    /// What the kernel shows now.
    pub fn view(&self) -> View {
        show::view(self)
    }

    /// `write(current_compute_partition)` of one physical GPU. Takes effect at once, or answers an errno:
    /// EBUSY while a client holds the GPU, EINVAL for a mode that is not legal now, EPERM in reset, EACCES in a virtual
    /// function, ENOENT where the file does not exist. Source: facts/partitions.md sections 5 and 6.
    pub fn write_compute(&mut self, gpu: usize, mode: ComputeMode) -> Result<(), Errno> {
        let planted = |fault: &Fault| if let Fault::WriteCompute(errno) = fault { Some(*errno) } else { None };
        self.writable(gpu, planted)?;
        if self.held(gpu) {
            return Err(Errno::EBUSY);
        }
        if !modes::accepts(self.model, mode, self.state.memory) {
            return Err(Errno::EINVAL);
        }
        if self.has_fault(Named::SetIgnored) {
            return Ok(());
        }
        if let Some(slot) = self.state.compute.get_mut(gpu)
            && *slot != mode
        {
            *slot = mode;
            self.cap_memory();
            self.changed();
        }
        Ok(())
    }

    /// `write(current_memory_partition)`: a request for the whole hive, in force after [`Kernel::reload_driver`].
    /// EINVAL where firmware does not offer the mode, EOPNOTSUPP on an APU; else as [`Kernel::write_compute`], but a
    /// client does not matter: it is the reload that needs the GPU to be free.
    pub fn write_memory(&mut self, gpu: usize, mode: MemoryMode) -> Result<(), Errno> {
        let planted = |fault: &Fault| if let Fault::WriteMemory(errno) = fault { Some(*errno) } else { None };
        self.writable(gpu, planted)?;
        if self.model.apu {
            return Err(Errno::EOPNOTSUPP);
        }
        if !self.model.memory_modes.contains(&mode) {
            return Err(Errno::EINVAL);
        }
        if !self.has_fault(Named::SetIgnored) && self.state.memory_requested != Some(mode) {
            self.state.memory_requested = Some(mode);
            self.changed();
        }
        Ok(())
    }

    /// Unloads and loads the driver: requested memory modes come into force, compute modes fall back to AUTO.
    /// EBUSY while a client holds a GPU, ENODEV without a loaded driver, EIO when the load fails. The reference
    /// machines have no driver to reload (ENOENT: neither `systemctl` nor `modprobe` is there).
    pub fn reload_driver(&mut self) -> Result<(), Errno> {
        if self.machine.quirks.reference_tree {
            return Err(Errno::ENOENT);
        }
        if self.has_fault(Named::DriverMissing) || self.has_fault(Named::AmdgpuBuiltin) {
            return Err(Errno::ENODEV);
        }
        if self.has_fault(Named::ReloadBusy) || (0..self.state.clients.len()).any(|gpu| self.held(gpu)) {
            return Err(Errno::EBUSY);
        }
        if self.has_fault(Named::RestartErr) {
            return Err(Errno::EIO);
        }
        let old = self.state.clone();
        if let Some(memory) = self.state.memory_requested.take() {
            self.state.memory = memory;
        }
        self.state.selected.clear();
        // A guest's driver derives its mode from the layout that the host gave it: a reload changes nothing.
        if self.model.partitionable && self.machine.platform != Platform::VirtualFunction {
            let auto = modes::auto(self.model, self.state.memory);
            self.state.compute.fill(auto);
        }
        if self.state != old {
            self.cap_memory();
            self.changed();
        }
        Ok(())
    }

    /// Every switch of modes sets the allocation policy back (facts/partitions.md 3.5).
    const fn cap_memory(&mut self) {
        self.state.alloc_mode = AllocMode::Capping;
    }

    /// Writes each profile's name to `xcp_config`, as the tool does to read what the profile shares out; the file keeps the
    /// last one. Source: facts/amd-smi.md 1.4. The reference tree has plain files, and the recordings put them back.
    pub fn walk_profiles(&mut self, gpu: usize) {
        let last = match self.view().gpus.get(gpu).and_then(|gpu| gpu.partition.as_ref()) {
            Some(files) if !self.machine.quirks.reference_tree => files.profiles.last().map(|profile| profile.mode),
            Some(_) | None => None,
        };
        if let Some(last) = last {
            self.state.selected.resize(self.state.compute.len(), None);
            if self.state.selected.get(gpu).copied().flatten() != Some(last) {
                self.changed();
            }
            if let Some(selected) = self.state.selected.get_mut(gpu) {
                *selected = Some(last);
            }
        }
    }

    /// A process opens a GPU: mode changes answer EBUSY until it closes it. ENODEV where there is no such GPU.
    pub fn open_client(&mut self, gpu: usize) -> Result<(), Errno> {
        match self.state.clients.get_mut(gpu) {
            Some(clients) if *clients < State::MAX_CLIENTS => *clients += 1,
            Some(_) => return Err(Errno::EMFILE),
            None => return Err(Errno::ENODEV),
        }
        self.changed();
        Ok(())
    }

    /// A process closes a GPU; EBADF where none had it open.
    pub fn close_client(&mut self, gpu: usize) -> Result<(), Errno> {
        let clients = self.state.clients.get_mut(gpu).ok_or(Errno::ENODEV)?;
        *clients = clients.checked_sub(1).ok_or(Errno::EBADF)?;
        self.changed();
        Ok(())
    }

    fn held(&self, gpu: usize) -> bool {
        self.state.clients.get(gpu).is_some_and(|&clients| clients > 0)
    }

    /// Whether the file is there and takes a write; `planted` is what a fault makes it answer.
    fn writable(&self, gpu: usize, planted: impl Fn(&Fault) -> Option<Errno>) -> Result<(), Errno> {
        if !self.model.partitionable || gpu >= self.state.compute.len() {
            return Err(Errno::ENOENT);
        }
        let in_reset = |fault: &Fault| (*fault == Fault::Named(Named::InReset)).then_some(Errno::EPERM);
        if let Some(errno) = self.active_faults().find_map(|fault| planted(fault).or_else(|| in_reset(fault))) {
            return Err(errno);
        }
        if self.machine.platform == Platform::VirtualFunction {
            // The file is 0444, and sysfs checks that of root too (KERNFS_ROOT_EXTRA_OPEN_PERM_CHECK).
            return Err(Errno::EACCES);
        }
        Ok(())
    }

    const fn changed(&mut self) {
        self.state.generation = self.state.generation.saturating_add(1);
    }
}

#[cfg(test)]
mod tests;

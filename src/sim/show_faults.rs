//! How the faults below the tool change what the kernel shows.

use crate::domain::Bytes;

use super::fault::{Fault, Named, PartitionFile};
use super::{DriverState, Errno, FileAnswer, Kernel, KfdNode, PartitionFiles, View, reference};

/// A PCI device id that no AMD GPU has.
const UNKNOWN_PART: u16 = 0x7fff;

/// Applies one fault.
pub fn apply(fault: &Fault, view: &mut View) {
    match fault {
        Fault::Read { file, errno } => each_files(view, |files| *slot(files, *file) = Err(*errno)),
        Fault::Named(named) => apply_named(*named, view),
        Fault::MissingDevice(device) => remove_device(view, *device as usize),
        Fault::WrongMemory(bytes) => set_memory(view, *bytes),
        // They act on writes, on the tool's process or on a probe's. `after=` was taken off by the caller.
        Fault::WriteCompute(_)
        | Fault::WriteMemory(_)
        | Fault::WorkerMemory(_)
        | Fault::Delay(_)
        | Fault::Truncate(_)
        | Fault::Flood(_)
        | Fault::Signal(_)
        | Fault::Exit(_)
        | Fault::Probe { .. }
        | Fault::After { .. } => {}
    }
}

fn apply_named(named: Named, view: &mut View) {
    match named {
        Named::DriverMissing => {
            view.driver = DriverState::NotLoaded;
            view.kfd = false;
            drop_gpus(view);
        }
        Named::DriverLoadedZeroGpus => drop_gpus(view),
        Named::InitstateGoing => view.driver = DriverState::Going,
        Named::AmdgpuBuiltin => view.driver = DriverState::BuiltIn,
        Named::KfdMissing => {
            view.kfd = false;
            view.devices.iter_mut().for_each(|device| device.node = None);
        }
        Named::UnknownPartitionMode => each_files(view, |files| {
            files.current_compute = Ok("UNKNOWN".to_owned());
            files.current_memory = Ok("UNKNOWN".to_owned());
        }),
        Named::EmptyComputePartitionFile => each_files(view, |files| files.current_compute = Ok(String::new())),
        Named::SpxNotAvailable => each_files(view, |files| files.available_compute = Ok("QPX, CPX".to_owned())),
        Named::InReset => each_files(view, |files| {
            for file in PartitionFile::ALL {
                *slot(files, file) = Err(Errno::EPERM);
            }
        }),
        Named::MissingLastDevice => {
            let last = view.devices.len().saturating_sub(1);
            remove_device(view, last);
        }
        Named::NoDrm => view.drm = false,
        Named::IndexOrder => reverse_order(view),
        Named::NumPartitionsZero => {
            for metrics in view.gpus.iter_mut().filter_map(|gpu| gpu.metrics.as_mut()) {
                metrics.xccs = 0;
            }
        }
        Named::EmptyMemoryCaps => each_files(view, |files| files.available_memory = Ok(String::new())),
        Named::VramUsedStuck => view.gpus.iter_mut().for_each(|gpu| gpu.vram_used = reference::VRAM_USED),
        Named::UnknownPart => view.gpus.iter_mut().for_each(|gpu| gpu.device_id = UNKNOWN_PART),
        Named::HiveIdStale => {
            let last = view.gpus.len().saturating_sub(1);
            nodes_from(view, last).for_each(|node| node.hive_id += 1);
        }
        Named::MemoryModeMixed => {
            if let Some(files) = view.gpus.last_mut().and_then(|gpu| gpu.partition.as_mut()) {
                files.current_memory =
                    files.current_memory.as_ref().map_err(|errno| *errno).map(|mode| other(mode, "NPS1", "NPS4"));
            }
        }
        Named::ComputeFileStale => each_files(view, |files| {
            files.current_compute =
                files.current_compute.as_ref().map_err(|errno| *errno).map(|mode| other(mode, "SPX", "CPX"));
        }),
        Named::RenderMinorSwapped => {
            if let Some((first, last)) = ends(view) {
                std::mem::swap(&mut first.render_minor, &mut last.render_minor);
            }
        }
        Named::RenderMinorShared => {
            if let Some((first, last)) = ends(view) {
                last.render_minor = first.render_minor;
            }
        }
        Named::RenderMinorMissing => {
            if let Some(node) = view.devices.last_mut().and_then(|device| device.node.as_mut()) {
                node.render_minor += 64;
            }
        }
        Named::RenderMinorTaken => {
            for device in view.devices.iter_mut().filter(|device| device.gpu > 0) {
                (device.card, device.render) = (device.card + 1, device.render + 1);
            }
            for device in view.drm_devices.iter_mut().filter(|device| device.gpu > 0) {
                (device.card, device.render) = (device.card + 1, device.render + 1);
            }
            nodes_from(view, 1).for_each(|node| node.render_minor += 1);
        }
        Named::NodeOrder => renumber_backwards(view),
        Named::KfdHidden => {
            let last = view.gpus.len().saturating_sub(1);
            nodes_from(view, last).for_each(|node| node.hidden = true);
        }
        Named::MemoryLeaked => {
            for gpu in &mut view.gpus {
                gpu.vram_used = Bytes(gpu.vram_used.0.saturating_add(gpu.vram_total.0 / 10).min(gpu.vram_total.0));
            }
        }
        Named::PagesLimitRaised => view.pages_limit = view.pages_limit.map(|pages| pages * 2),
        Named::FragmentLoggedOtherwise => view.tuning.fragment_bits = view.tuning.fragment_bits.map(|bits| bits ^ 1),
        Named::UdevAccess => view.user_access = true,
        // They act on writes, in the tool, on its process, or where the driver took its parameters.
        Named::SetIgnored
        | Named::InitramfsStale
        | Named::KernelLogDenied
        | Named::ReloadBusy
        | Named::RestartErr
        | Named::AsksFirst
        | Named::LibraryMissing
        | Named::StaleModes
        | Named::ToolMissesLast
        | Named::InitHang
        | Named::WholeGpuMemory
        | Named::SecondariesNa
        | Named::UuidShared
        | Named::TooManyOpenFiles
        | Named::MissingGroups
        | Named::SetChoicesOneString
        | Named::SetAttributeError
        | Named::AbortOnVersion
        | Named::ExitZeroOnFailure
        | Named::NonzeroOnSuccess
        | Named::LegendText
        | Named::VersionLine
        | Named::JsonPrintsNothing
        | Named::SeveralDocuments
        | Named::InvalidUtf8
        | Named::Garbage
        | Named::Hang
        | Named::IgnoreSigterm => {}
    }
}

fn each_files(view: &mut View, change: impl Fn(&mut PartitionFiles)) {
    view.gpus.iter_mut().filter_map(|gpu| gpu.partition.as_mut()).for_each(change);
}

const fn slot(files: &mut PartitionFiles, file: PartitionFile) -> &mut FileAnswer {
    match file {
        PartitionFile::CurrentCompute => &mut files.current_compute,
        PartitionFile::AvailableCompute => &mut files.available_compute,
        PartitionFile::CurrentMemory => &mut files.current_memory,
        PartitionFile::AvailableMemory => &mut files.available_memory,
    }
}

fn drop_gpus(view: &mut View) {
    view.gpus.clear();
    view.devices.clear();
    view.drm_devices.clear();
    view.clients.clear();
}

fn set_memory(view: &mut View, bytes: Bytes) {
    for node in view.devices.iter_mut().filter_map(|device| device.node.as_mut()) {
        node.memory = bytes;
    }
}

/// The kernel never made this device: its DRM minor is not used, and the nodes after it move up by one.
fn remove_device(view: &mut View, index: usize) {
    if index >= view.devices.len() {
        return;
    }
    let device = view.devices.remove(index);
    // Without its first partition a GPU has no DRM device at all.
    view.drm_devices.retain(|drm| drm.gpu != device.gpu || device.partition != 0 && drm.partition != device.partition);
    let gone = device.node.map(|node| node.id);
    let Some(gone) = gone else { return };
    for node in view.devices.iter_mut().filter_map(|device| device.node.as_mut()) {
        if node.id > gone {
            node.id -= 1;
        }
    }
}

/// What the tool shows, where a fault makes it see less than the kernel shows.
pub fn apply_to_tool(kernel: &Kernel, view: &mut View) {
    if kernel.has_fault(Named::StaleModes) {
        each_files(view, |files| {
            files.current_compute = Ok("SPX".to_owned());
            files.current_memory = Ok("NPS1".to_owned());
        });
    }
    if kernel.has_fault(Named::ToolMissesLast) {
        view.devices.pop();
    }
}

/// KFD nodes of the GPUs from `first` on.
fn nodes_from(view: &mut View, first: usize) -> impl Iterator<Item = &mut KfdNode> {
    view.devices.iter_mut().filter(move |device| device.gpu >= first).filter_map(|device| device.node.as_mut())
}

/// KFD nodes of the first and the last device, where they are two.
fn ends(view: &mut View) -> Option<(&mut KfdNode, &mut KfdNode)> {
    let (first, rest) = view.devices.split_first_mut()?;
    Some((first.node.as_mut()?, rest.last_mut()?.node.as_mut()?))
}

/// `one` or, where it is that, `two`.
fn other(mode: &str, one: &str, two: &str) -> String {
    if mode == one { two } else { one }.to_owned()
}

/// Node numbers as if the last GPU had been found first; partitions stay in order.
fn renumber_backwards(view: &mut View) {
    let mut ids: Vec<u32> = view.devices.iter().filter_map(|device| Some(device.node.as_ref()?.id)).collect();
    ids.sort_unstable();
    let mut nodes: Vec<_> = view
        .devices
        .iter_mut()
        .filter_map(|device| Some((usize::MAX - device.gpu, device.partition, device.node.as_mut()?)))
        .collect();
    nodes.sort_by_key(|(gpu, partition, _)| (*gpu, *partition));
    for ((_, _, node), id) in nodes.into_iter().zip(ids) {
        node.id = id;
    }
}

/// The tool meets the GPUs last first; node numbers, from which HIP counts, stay.
fn reverse_order(view: &mut View) {
    let last = view.gpus.len().saturating_sub(1);
    view.devices.sort_by_key(|device| (last - device.gpu.min(last), device.partition));
}

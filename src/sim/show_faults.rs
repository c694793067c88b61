//! How the faults below the tool change what the kernel shows.

use crate::domain::Bytes;

use super::fault::{Fault, Named, PartitionFile};
use super::{DriverState, Errno, FileAnswer, PartitionFiles, View, reference};

/// Applies one fault.
pub fn apply(fault: &Fault, view: &mut View) {
    match fault {
        Fault::Read { file, errno } => each_files(view, |files| *slot(files, *file) = Err(*errno)),
        Fault::Named(named) => apply_named(*named, view),
        Fault::MissingDevice(device) => remove_device(view, *device as usize),
        Fault::WrongMemory(bytes) => set_memory(view, *bytes),
        // They act on writes or on the tool's process. `after=` was taken off by the caller.
        Fault::WriteCompute(_)
        | Fault::WriteMemory(_)
        | Fault::Delay(_)
        | Fault::Truncate(_)
        | Fault::Flood(_)
        | Fault::Signal(_)
        | Fault::Exit(_)
        | Fault::Probe(_)
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
            // As in the transcripts: the memory file was taken away, so that the tool complains once only.
            files.current_memory = Err(Errno::ENOENT);
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
                metrics.num_partition = Some(0);
            }
        }
        Named::EmptyMemoryCaps => each_files(view, |files| files.available_memory = Ok(String::new())),
        Named::VramUsedStuck => view.gpus.iter_mut().for_each(|gpu| gpu.vram_used = reference::VRAM_USED),
        // They act on writes, in the tool, or on its process.
        Named::SetIgnored
        | Named::ReloadBusy
        | Named::RestartErr
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
    let gone = view.devices.remove(index).node.map(|node| node.id);
    let Some(gone) = gone else { return };
    for node in view.devices.iter_mut().filter_map(|device| device.node.as_mut()) {
        if node.id > gone {
            node.id -= 1;
        }
    }
}

/// The tool meets the GPUs last first; node numbers, from which HIP counts, stay.
fn reverse_order(view: &mut View) {
    let last = view.gpus.len().saturating_sub(1);
    view.devices.sort_by_key(|device| (last - device.gpu.min(last), device.partition));
}

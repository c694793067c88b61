//! The HIP runtime itself, loaded into this process. For a child that may die of it, and for no other.
#![allow(unsafe_code, reason = "a C library is loaded and called: the one file that does")]

use std::ffi::{CStr, c_char, c_int};
use std::path::PathBuf;

use libloading::{Library, Symbol};

use super::{Answered, Device, Document, MAX_DEVICES, Memory, Outcome, SCHEMA};

/// File names of the runtime: by version, newest first, then what only a development package installs.
const NAMES: [&str; 4] = ["libamdhip64.so.7", "libamdhip64.so.6", "libamdhip64.so.5", "libamdhip64.so"];

/// `hipSuccess`.
const SUCCESS: c_int = 0;

/// `hipErrorNoDevice`: there is a runtime, and it has nothing to show.
const NO_DEVICE: c_int = 100;

/// Longest PCI bus id that is taken, with its final zero.
const BUS_ID: usize = 64;

type GetDeviceCount = unsafe extern "C" fn(*mut c_int) -> c_int;
type GetPciBusId = unsafe extern "C" fn(*mut c_char, c_int, c_int) -> c_int;
type SetDevice = unsafe extern "C" fn(c_int) -> c_int;
type MemGetInfo = unsafe extern "C" fn(*mut usize, *mut usize) -> c_int;

/// Loads the runtime, by the loader's own search and then from `folders`, and asks it.
pub fn ask(folders: &[PathBuf]) -> Document {
    let outcome = match load(folders) {
        Ok(None) => Outcome::Absent,
        Ok(Some(library)) => devices(&library).unwrap_or_else(|problem| Outcome::Failed { problem }),
        Err(problem) => Outcome::Failed { problem },
    };
    Document { schema: SCHEMA, outcome }
}

/// The first library that there is. One that is there and cannot be loaded is a problem, not an absence.
fn load(folders: &[PathBuf]) -> Result<Option<Library>, String> {
    let bare = NAMES.iter().map(PathBuf::from);
    let below = folders.iter().flat_map(|folder| NAMES.iter().map(|name| folder.join(name)));
    for name in bare.chain(below) {
        // SAFETY: the initialisers of ROCm's own runtime run here, in a process that does nothing else.
        match unsafe { Library::new(&name) } {
            Ok(library) => return Ok(Some(library)),
            Err(error) => {
                let problem = describe(&error);
                // The loader's words for a missing file; a missing dependency begins with another name.
                let missing = format!("{}: cannot open shared object file: No such file", name.display());
                if !problem.starts_with(&missing) {
                    return Err(problem);
                }
            }
        }
    }
    Ok(None)
}

fn devices(library: &Library) -> Result<Outcome, String> {
    // SAFETY: the four types are those of hip_runtime_api.h; `library` outlives the symbols.
    let (get_count, get_bus_id, set_device, mem_get_info): (
        Symbol<'_, GetDeviceCount>,
        Symbol<'_, GetPciBusId>,
        Symbol<'_, SetDevice>,
        Symbol<'_, MemGetInfo>,
    ) = unsafe {
        (
            symbol(library, c"hipGetDeviceCount")?,
            symbol(library, c"hipDeviceGetPCIBusId")?,
            symbol(library, c"hipSetDevice")?,
            symbol(library, c"hipMemGetInfo")?,
        )
    };
    let mut count: c_int = 0;
    // SAFETY: the pointer is to a live integer.
    match unsafe { get_count(&raw mut count) } {
        SUCCESS => {}
        NO_DEVICE => count = 0,
        code => return Err(failed("hipGetDeviceCount", code)),
    }
    let most = c_int::try_from(MAX_DEVICES).unwrap_or(c_int::MAX);
    if !(0..=most).contains(&count) {
        return Err(format!("hipGetDeviceCount says {count}"));
    }
    let devices = (0..count)
        .map(|index| Device { pci: bus_id(&get_bus_id, index), memory: memory(&set_device, &mem_get_info, index) });
    Ok(Outcome::Devices { devices: devices.collect() })
}

fn bus_id(get: &GetPciBusId, index: c_int) -> Answered<String> {
    let mut text: [c_char; BUS_ID] = [0; BUS_ID];
    // One less than there is: the last byte stays 0 whatever the library writes.
    let length = c_int::try_from(BUS_ID - 1).unwrap_or_default();
    // SAFETY: the buffer is longer than the length that is passed.
    match unsafe { get(text.as_mut_ptr(), length, index) } {
        SUCCESS => {
            // SAFETY: the last byte of the buffer is 0, and the buffer lives as long as the text is looked at.
            let text = unsafe { CStr::from_ptr(text.as_ptr()) };
            Answered::Value(text.to_string_lossy().into_owned())
        }
        code => Answered::Problem(failed("hipDeviceGetPCIBusId", code)),
    }
}

fn memory(set_device: &SetDevice, get: &MemGetInfo, index: c_int) -> Answered<Memory> {
    // SAFETY: it takes an integer.
    match unsafe { set_device(index) } {
        SUCCESS => {}
        code => return Answered::Problem(failed("hipSetDevice", code)),
    }
    let (mut free, mut total): (usize, usize) = (0, 0);
    // SAFETY: both pointers are to live integers of size_t's width.
    match unsafe { get(&raw mut free, &raw mut total) } {
        SUCCESS => Answered::Value(Memory { total: total as u64, free: free as u64 }),
        code => Answered::Problem(failed("hipMemGetInfo", code)),
    }
}

/// # Safety
/// `T` is the type of the function of that name.
unsafe fn symbol<'a, T>(library: &'a Library, name: &CStr) -> Result<Symbol<'a, T>, String> {
    // SAFETY: the caller vouches for the type.
    unsafe { library.get(name.to_bytes_with_nul()) }.map_err(|error| describe(&error))
}

fn failed(call: &str, code: c_int) -> String {
    format!("{call} returned {code}")
}

/// libloading keeps the loader's own words behind its own.
fn describe(error: &libloading::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

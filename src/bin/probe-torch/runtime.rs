//! C functions of libraries that libtorch loaded: what drives the GPU, and what it says of the device. The types are those
//! of hip_runtime_api.h, cuda_runtime_api.h and hsa.h, of functions whose types did not change since ROCm 4 and CUDA 10;
//! no structure is passed, for those did. Never run on a GPU.
#![allow(unsafe_code, reason = "C libraries are loaded and called: one of the two files that do")]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::Path;
use std::ptr::null_mut;

use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};

/// hipSuccess and cudaSuccess.
const SUCCESS: c_int = 0;

/// Longest name and PCI bus id that is taken, with its final zero.
const TEXT: usize = 256;

/// `HSA_AGENT_INFO_NAME` and `HSA_AGENT_INFO_DEVICE` of hsa.h.
const AGENT_NAME: c_int = 0;
const AGENT_DEVICE: c_int = 17;
/// `HSA_AMD_AGENT_INFO_BDFID` of hsa_ext_amd.h: bus, device and function.
const AGENT_BDF: c_int = 0xA006;
/// `HSA_DEVICE_TYPE_GPU`.
const DEVICE_GPU: u32 = 1;

type OfInteger = unsafe extern "C" fn(*mut c_int) -> c_int;
type OfDevice = unsafe extern "C" fn(c_int) -> c_int;
type TextOfDevice = unsafe extern "C" fn(*mut c_char, c_int, c_int) -> c_int;
type MemGetInfo = unsafe extern "C" fn(*mut usize, *mut usize) -> c_int;
type EventCreate = unsafe extern "C" fn(*mut *mut c_void) -> c_int;
type EventRecord = unsafe extern "C" fn(*mut c_void, *mut c_void) -> c_int;
type OfEvent = unsafe extern "C" fn(*mut c_void) -> c_int;
type ElapsedTime = unsafe extern "C" fn(*mut f32, *mut c_void, *mut c_void) -> c_int;
type MiopenVersion = unsafe extern "C" fn(*mut usize, *mut usize, *mut usize) -> c_int;
type AbiVersion = unsafe extern "C" fn() -> u64;
type OnAgent = unsafe extern "C" fn(u64, *mut c_void) -> u32;
type IterateAgents = unsafe extern "C" fn(OnAgent, *mut c_void) -> u32;
type AgentInfo = unsafe extern "C" fn(u64, c_int, *mut c_void) -> u32;

/// Loads a library for good, with its symbols seen by all that is loaded after it.
///
/// # Errors
/// In the loader's words.
pub fn load(path: &Path) -> Result<(), String> {
    // SAFETY: the initialisers of libtorch's own library run here, before any of libtorch's functions was called.
    match unsafe { Library::open(Some(path), RTLD_NOW | RTLD_GLOBAL) } {
        Ok(library) => {
            std::mem::forget(library);
            Ok(())
        }
        Err(error) => Err(std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string)),
    }
}

/// A function of that name among all that is loaded.
///
/// # Safety
/// `T` is its type.
unsafe fn function<T: Copy>(name: &str) -> Option<T> {
    // SAFETY: the caller vouches for the type; what is found is never unloaded.
    unsafe { Library::this().get::<T>(name.as_bytes()).ok().map(|symbol| *symbol) }
}

/// The version of the libtorch that is loaded, as it says itself.
pub fn torch_version() -> Option<String> {
    // SAFETY: torch/csrc/inductor/aoti_torch/c/shim.h has this type; it only returns a constant.
    let version = unsafe { function::<AbiVersion>("aoti_torch_abi_version").map(|version| version()) }?;
    let [major, minor, patch, ..] = version.to_be_bytes();
    Some(format!("{major}.{minor}.{patch}"))
}

/// The runtime of a GPU that is loaded: HIP's or CUDA's. Its functions have the same types and other prefixes.
#[derive(Debug, Clone, Copy)]
pub struct Runtime {
    prefix: &'static str,
}

impl Runtime {
    /// AMD's.
    pub const HIP: Self = Self { prefix: "hip" };
    /// NVIDIA's.
    pub const CUDA: Self = Self { prefix: "cuda" };

    /// # Safety
    /// `T` is the type of the function of that name.
    unsafe fn function<T: Copy>(self, name: &str) -> Option<T> {
        // SAFETY: the caller vouches for the type.
        unsafe { function(&format!("{}{name}", self.prefix)) }
    }

    /// Its version as it writes it, and MIOpen's where it is loaded: by name.
    pub fn versions(self) -> Vec<(&'static str, String)> {
        let mut versions = Vec::new();
        let mut number: c_int = 0;
        // SAFETY: both runtimes have RuntimeGetVersion(int*), and the pointer is to a live integer.
        let known = unsafe { self.function::<OfInteger>("RuntimeGetVersion").map(|get| get(&raw mut number)) };
        if known == Some(SUCCESS) {
            versions.push((self.prefix, number.to_string()));
        }
        let [mut major, mut minor, mut patch] = [0_usize; 3];
        // SAFETY: miopen.h has miopenGetVersion(size_t*, size_t*, size_t*); the pointers are to live integers.
        let known = unsafe {
            function::<MiopenVersion>("miopenGetVersion").map(|get| get(&raw mut major, &raw mut minor, &raw mut patch))
        };
        if known == Some(SUCCESS) {
            versions.push(("miopen", format!("{major}.{minor}.{patch}")));
        }
        versions
    }

    /// Free and all memory of a device, in bytes.
    pub fn memory(self, device: c_int) -> Option<(u64, u64)> {
        let (mut free, mut total): (usize, usize) = (0, 0);
        // SAFETY: both runtimes have SetDevice(int) and MemGetInfo(size_t*, size_t*); the pointers are to live integers.
        let known = unsafe {
            let (select, get) = (self.function::<OfDevice>("SetDevice")?, self.function::<MemGetInfo>("MemGetInfo")?);
            let selected = select(device) == SUCCESS;
            let known = selected && get(&raw mut free, &raw mut total) == SUCCESS;
            // libtorch works on the first device and expects it selected.
            select(0);
            known
        };
        known.then_some((free as u64, total as u64))
    }

    /// PCI address of a device.
    pub fn bdf(self, device: c_int) -> Option<String> {
        // SAFETY: both runtimes have DeviceGetPCIBusId(char*, int, int).
        unsafe { self.function("DeviceGetPCIBusId").and_then(|get| text(get, device)) }
    }

    /// Name of a device. CUDA's runtime only has it in a structure, its driver has a function.
    pub fn name(self, device: c_int) -> Option<String> {
        let name = if self.prefix == "hip" { "hipDeviceGetName" } else { "cuDeviceGetName" };
        // SAFETY: hipDeviceGetName(char*, int, hipDevice_t) and cuDeviceGetName(char*, int, CUdevice): both devices are int.
        unsafe { function(name).and_then(|get| text(get, device)) }
    }

    /// Records an event on the queue that libtorch computes on, which is the default one.
    pub fn event(self) -> Option<Event> {
        let mut event = Event { runtime: self, handle: null_mut() };
        // SAFETY: EventCreate(event*) fills in a handle, EventRecord(event, stream) takes it; a null stream is the default.
        let recorded = unsafe {
            let create = self.function::<EventCreate>("EventCreate")?;
            let record = self.function::<EventRecord>("EventRecord")?;
            create(&raw mut event.handle) == SUCCESS && record(event.handle, null_mut()) == SUCCESS
        };
        recorded.then_some(event)
    }
}

/// # Safety
/// `get` fills at most so many bytes of a buffer with a text that ends with 0.
unsafe fn text(get: TextOfDevice, device: c_int) -> Option<String> {
    let mut buffer: [c_char; TEXT] = [0; TEXT];
    // One less than there is: the last byte stays 0 whatever the library writes.
    let length = c_int::try_from(TEXT - 1).unwrap_or_default();
    // SAFETY: the buffer is longer than the length that is passed, and its last byte is 0.
    unsafe {
        (get(buffer.as_mut_ptr(), length, device) == SUCCESS)
            .then(|| CStr::from_ptr(buffer.as_ptr()).to_string_lossy().into_owned())
    }
}

/// A mark on the device's queue.
#[derive(Debug)]
pub struct Event {
    runtime: Runtime,
    handle: *mut c_void,
}

impl Event {
    /// Waits for the device, and says how many nanoseconds passed on it from this mark to that.
    pub fn until(&self, end: &Self) -> Option<u64> {
        let mut milliseconds: f32 = 0.0;
        // SAFETY: both handles were filled in by EventCreate and are destroyed when dropped; the pointer is to a live number.
        let known = unsafe {
            let wait = self.runtime.function::<OfEvent>("EventSynchronize")?;
            let elapsed = self.runtime.function::<ElapsedTime>("EventElapsedTime")?;
            wait(end.handle) == SUCCESS && elapsed(&raw mut milliseconds, self.handle, end.handle) == SUCCESS
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float as an integer saturates")]
        known.then_some((f64::from(milliseconds) * 1e6) as u64)
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: the handle was filled in by EventCreate, or is null, which is refused.
        unsafe { self.runtime.function::<OfEvent>("EventDestroy").map(|destroy| destroy(self.handle)) };
    }
}

/// What is looked for among HSA's agents.
struct Wanted {
    bdf: u32,
    info: AgentInfo,
    isa: Option<String>,
}

/// The ISA of the GPU at this PCI address (bus, device, function), as HSA names its agent: the effective one.
pub fn isa(bdf: u32) -> Option<String> {
    // SAFETY: hsa.h has these types; HIP has initialised HSA, since it knows a device.
    unsafe {
        let iterate = function::<IterateAgents>("hsa_iterate_agents")?;
        let mut wanted = Wanted { bdf, info: function("hsa_agent_get_info")?, isa: None };
        iterate(on_agent, (&raw mut wanted).cast());
        wanted.isa
    }
}

/// # Safety
/// `data` is a live [`Wanted`] that nothing else uses.
unsafe extern "C" fn on_agent(agent: u64, data: *mut c_void) -> u32 {
    let (mut kind, mut bdf) = (0_u32, 0_u32);
    // HSA writes at most 64 bytes of name.
    let mut name: [c_char; TEXT] = [0; TEXT];
    // SAFETY: the caller vouches for `data`; each attribute has the type of what its pointer is to.
    unsafe {
        let wanted = &mut *data.cast::<Wanted>();
        let said = (wanted.info)(agent, AGENT_DEVICE, (&raw mut kind).cast()) == 0
            && (wanted.info)(agent, AGENT_BDF, (&raw mut bdf).cast()) == 0
            && (wanted.info)(agent, AGENT_NAME, name.as_mut_ptr().cast()) == 0;
        if said && kind == DEVICE_GPU && bdf == wanted.bdf && wanted.isa.is_none() {
            wanted.isa = Some(CStr::from_ptr(name.as_ptr()).to_string_lossy().into_owned());
        }
    }
    0
}

//! What drives the GPU: loaded by name, and proved by what is mapped. Never run on a GPU.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rocvet::domain::Bytes;
use rocvet::probe::protocol::{Device, Hello, Kind, PROTOCOL};

use crate::runtime::{self, Runtime};

/// libtorch's own libraries for a GPU, with the runtime below each. A linker drops them, since nothing names their
/// symbols (tch-rs#1015), and libtorch then knows no GPU.
const BACKENDS: [(&str, Runtime); 2] = [("libtorch_hip.so", Runtime::HIP), ("libtorch_cuda.so", Runtime::CUDA)];

/// Beginnings of the names of files that drive a GPU.
const DRIVERS: [&str; 14] = [
    "libtorch_hip",
    "libtorch_cuda",
    "libc10_hip",
    "libc10_cuda",
    "libamdhip64",
    "libhsa-runtime64",
    "libamd_comgr",
    "libMIOpen",
    "librocblas",
    "libhipblas",
    "librccl",
    "libcuda.so",
    "libcudnn",
    "libcublas",
];

/// Files that are mapped into this process.
#[expect(clippy::disallowed_methods, reason = "a process looks at itself")]
fn mapped() -> Vec<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let mut files: Vec<PathBuf> =
        maps.lines().filter_map(|line| line.find('/').map(|at| PathBuf::from(&line[at..]))).collect();
    files.sort();
    files.dedup();
    files
}

fn named(path: &Path, beginning: &str) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(beginning))
}

/// Loads what drives a GPU, where it lies beside libtorch. Before the first call of libtorch.
///
/// # Errors
/// It is there and cannot be loaded, in the loader's words.
pub fn load() -> Result<(), String> {
    let files = mapped();
    let folder = files.iter().find(|path| named(path, "libtorch_cpu.so")).and_then(|path| path.parent());
    for (name, _) in BACKENDS {
        let path = folder.map(|folder| folder.join(name)).filter(|path| path.exists());
        path.map_or(Ok(()), |path| runtime::load(&path))?;
    }
    Ok(())
}

/// The runtime of the GPU whose library is mapped; `None` where none is.
pub fn loaded() -> Option<Runtime> {
    let files = mapped();
    let is_mapped = |name| files.iter().any(|path| named(path, name));
    BACKENDS.into_iter().find_map(|(name, runtime)| is_mapped(name).then_some(runtime))
}

/// Who this worker is. `asked` is where it is to compute: for the CPU nothing of a GPU is touched.
pub fn hello(asked: Kind) -> Hello {
    let mut libraries = BTreeMap::from([("validate-probe-torch".to_owned(), env!("CARGO_PKG_VERSION").to_owned())]);
    libraries.extend(runtime::torch_version().map(|version| ("torch".to_owned(), version)));
    let runtime = if asked == Kind::Gpu { loaded() } else { None };
    libraries.extend(runtime.iter().flat_map(|each| each.versions()).map(|(name, value)| (name.to_owned(), value)));
    let gpus = if runtime.is_some() { u32::try_from(tch::Cuda::device_count()).unwrap_or(0) } else { 0 };
    let drivers = mapped().into_iter().filter(|path| DRIVERS.iter().any(|name| named(path, name)));
    Hello {
        protocol: PROTOCOL,
        engine: "torch".to_owned(),
        pid: std::process::id(),
        libraries,
        gpu_backend: runtime.is_some(),
        gpus,
        device: runtime.filter(|_| gpus > 0).map(first_device),
        mapped: drivers.map(|path| path.display().to_string()).collect(),
    }
}

fn first_device(runtime: Runtime) -> Device {
    let bdf = runtime.bdf(0);
    Device {
        name: runtime.name(0).unwrap_or_default(),
        isa: bdf.as_deref().and_then(bus_device_function).and_then(runtime::isa),
        memory: Bytes(runtime.memory(0).map_or(0, |(_, total)| total)),
        bdf,
    }
}

/// `0000:03:00.0` as HSA counts: bus, device and function in 8, 5 and 3 bits.
fn bus_device_function(text: &str) -> Option<u32> {
    let (rest, function) = text.rsplit_once('.')?;
    let mut parts = rest.rsplit(':');
    let (device, bus) = (parts.next()?, parts.next()?);
    let number = |text, most| u32::from_str_radix(text, 16).ok().filter(|number| *number <= most);
    Some(number(bus, 0xFF)? << 8 | number(device, 0x1F)? << 3 | number(function, 7)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pci_address_is_counted_as_hsa_counts() {
        for (text, number) in
            [("0000:03:00.0", Some(0x300)), ("0002:c1:1f.7", Some(0xC1FF)), ("03:00", None), ("0:0:20.0", None)]
        {
            assert_eq!(bus_device_function(text), number, "{text}");
        }
    }

    #[test]
    fn a_driver_is_known_by_the_beginning_of_its_name() {
        assert!(named(Path::new("/opt/rocm/lib/libamdhip64.so.6.0.60000"), "libamdhip64"));
        assert!(!named(Path::new("/opt/libamdhip64/notes"), "libamdhip64"));
    }
}

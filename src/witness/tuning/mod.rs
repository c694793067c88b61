//! Witness of what was set: parameters of the GPU's modules, as asked and as they are, the page table line of the kernel
//! log, the environment, and ROCm's own version.

mod modprobe;
mod process;
mod vm;

use std::collections::BTreeMap;
use std::path::Path;

use crate::domain::Reading;

use super::files::{absent, text};
use super::tree::Tree;

pub use modprobe::{ModuleOption, Options, quoted_words, read_options};
pub use process::{WorkerEnvironment, read_environment_of};
pub use vm::{VmLine, read_vm_lines};

/// Modules whose parameters are read.
pub const MODULES: [&str; 3] = ["amdgpu", "amdttm", "ttm"];

/// Beginnings of the names of variables that are read: those of ROCm, torch and what they are built of. Any other may hold
/// a password.
pub const VARIABLES: [&str; 15] = [
    "AMD_",
    "CUDA_VISIBLE_DEVICES",
    "GPU_",
    "HCC_",
    "HIP_",
    "HSA_",
    "LIBTORCH_",
    "MIOPEN_",
    "PYTORCH_",
    "ROCBLAS_",
    "ROCM_",
    "ROCR_",
    "ROC_",
    "TENSILE_",
    "TORCH_",
];

/// Largest environment that is read; the kernel's own limit for one string is 128 KiB.
const ENVIRONMENT: usize = 1 << 20;

/// What was set on a machine.
#[derive(Debug, Clone, PartialEq)]
pub struct TuningFacts {
    /// What modprobe.d asks for, in the order in which modprobe takes it; `NotReported` where there is no such folder.
    pub options: Reading<Options>,
    /// The files below `/sys/module/*/parameters` by their names on the command line (`amdgpu.noretry`): what the modules
    /// hold now. `NotReported` where amdgpu has no such folder.
    pub parameters: Reading<BTreeMap<String, Reading<String>>>,
    /// The page tables of each GPU, as the driver logged them when it was loaded last.
    pub vm: Reading<Vec<VmLine>>,
    /// Variables of the environment in which probes would start, those of [`VARIABLES`].
    pub environment: Reading<BTreeMap<String, String>>,
    /// ROCm as the files below `/opt` say: each version once.
    pub rocm: Vec<String>,
}

/// The files of the modules' parameters below a sysfs root.
pub fn read_parameters(sys: &Path) -> Reading<BTreeMap<String, Reading<String>>> {
    let Ok(tree) = Tree::open(sys) else { return Reading::NotReported };
    let mut found = BTreeMap::new();
    for module in MODULES {
        let folder = format!("module/{module}/parameters");
        match tree.names(&folder) {
            Ok(names) => found.extend(names.into_iter().map(|name| {
                let value = text(&tree, &format!("{folder}/{name}"));
                (format!("{module}.{name}"), value)
            })),
            Err(error) if module != MODULES[0] && absent(&error.problem) => {}
            Err(error) if absent(&error.problem) => return Reading::NotReported,
            Err(error) => return Reading::malformed("", format!("/sys/{folder}: {}", error.problem)),
        }
    }
    Reading::Value(found)
}

/// The environment of the process that looks, which is what a child of it would inherit; of a host folder, what was put
/// in that place.
pub fn read_environment(proc: &Path) -> Reading<BTreeMap<String, String>> {
    let Ok(tree) = Tree::open(proc) else { return Reading::NotReported };
    match tree.read("self/environ", ENVIRONMENT) {
        Ok(bytes) => Reading::Value(variables(&bytes)),
        Err(error) if absent(&error.problem) => Reading::NotReported,
        Err(error) => Reading::malformed("", format!("/proc/self/environ: {}", error.problem)),
    }
}

/// Whether a variable is one of ROCm or torch, or of what they are built of.
pub fn concerns_gpus(name: &str) -> bool {
    VARIABLES.iter().any(|begins| name.starts_with(begins))
}

/// `NAME=value` with a NUL after each. Of a name that is there twice the first counts, as for `getenv`.
fn variables(bytes: &[u8]) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in bytes.split(|&byte| byte == 0) {
        let entry = String::from_utf8_lossy(entry);
        if let Some((name, value)) = entry.split_once('=')
            && concerns_gpus(name)
        {
            found.entry(name.to_owned()).or_insert_with(|| value.to_owned());
        }
    }
    found
}

/// ROCm's versions below the folder of optional software.
pub fn read_rocm(opt: &Path) -> Vec<String> {
    let Ok(tree) = Tree::open(opt) else { return Vec::new() };
    let names = tree.names("").unwrap_or_default();
    let installed = names.iter().filter(|name| name.starts_with("rocm")).filter_map(|name| {
        let text = text(&tree, &format!("{name}/.info/version"));
        let version = text.value()?.lines().next()?.trim().to_owned();
        (!version.is_empty()).then_some(version)
    });
    let mut found: Vec<String> = installed.collect();
    found.sort();
    // `/opt/rocm` is most often a link to one of the others.
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::super::tests::write;
    use super::*;

    fn value(text: &str) -> Reading<String> {
        Reading::Value(text.to_owned())
    }

    #[test]
    fn parameters_carry_the_names_of_the_command_line_and_what_cannot_be_read_says_so() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(read_parameters(root.path()), Reading::NotReported);
        write(root.path(), "module/amdgpu/parameters/noretry", "-1\n");
        write(root.path(), "module/ttm/parameters/pages_limit", "111\n");
        std::os::unix::fs::symlink("errno-EACCES", root.path().join("module/amdgpu/parameters/gttsize")).unwrap();
        let Reading::Value(found) = read_parameters(root.path()) else { panic!("readable") };
        assert_eq!(found["amdgpu.noretry"], value("-1"));
        assert_eq!(found["ttm.pages_limit"], value("111"));
        assert!(matches!(&found["amdgpu.gttsize"], Reading::Malformed { problem, .. } if problem.contains("denied")));
    }

    #[test]
    fn of_the_environment_only_what_concerns_gpus_is_read() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(read_environment(root.path()), Reading::NotReported);
        write(
            root.path(),
            "self/environ",
            "HSA_XNACK=1\0PASSWORD=secret\0HSA_XNACK=0\0MIOPEN_X=a=b\0CUDA_VISIBLE_DEVICES=\0HSA_NO_SIGN\0\0",
        );
        let Reading::Value(found) = read_environment(root.path()) else { panic!("readable") };
        let expected = [("CUDA_VISIBLE_DEVICES", ""), ("HSA_XNACK", "1"), ("MIOPEN_X", "a=b")];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    }

    #[test]
    fn rocm_is_what_its_own_files_say() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "rocm-6.2.0/.info/version", "6.2.0-66\nmore");
        write(root.path(), "rocm/.info/version", "6.2.0-66\n");
        write(root.path(), "rocm-5.7.1/.info/version", "5.7.1-98\n");
        write(root.path(), "other/.info/version", "1\n");
        assert_eq!(read_rocm(root.path()), ["5.7.1-98", "6.2.0-66"]);
    }
}

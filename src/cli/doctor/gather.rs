//! What a diagnosis is made from: one look at the trees, the tool's version, and what lies on the disk.
#![expect(clippy::disallowed_methods, reason = "PATH says where programs lie, and variables which devices they see")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cli::exit::Failure;
use crate::cli::held;
use crate::cli::target;
use crate::doctor::{Caller, DeviceFilters, Diagnosis, Environment, RocmRelease, Unkillable, diagnose};
use crate::host::{Asking, Host};
use crate::process::Cancel;
use crate::quarantine::Held;
use crate::run::{Wanted, look};
use crate::witness::amd_smi::{Format, Query};
use crate::witness::pci::read_pci;
use crate::witness::tree::Tree;

/// How long amd-smi may take to say its version; it takes a third of a second where nothing is wrong.
const PATIENCE: Duration = Duration::from_secs(1);

/// The program that runs probes with torch.
const WORKER: &str = "validate-probe-torch";

/// Diagnoses a host. Takes a second and a half at most when amd-smi hangs.
///
/// # Errors
/// A simulated machine cannot be read.
pub fn diagnosis(host: &Host, cancel: &Cancel) -> Result<Diagnosis, Failure> {
    let wanted = Wanted { queries: [Query::Version].into(), tuning: true, ..Wanted::trees() };
    let asking = Asking { deadline: PATIENCE, cancel: cancel.clone() };
    let seen = look(host, &wanted, Format::Json, &asking);
    let environment = Environment {
        host: host.origin().to_owned(),
        provenance: host.provenance(),
        caller: match host {
            Host::Recorded { .. } => Caller::Replay,
            Host::Real | Host::Simulated { .. } if target::privileged(host)? => Caller::Root,
            Host::Real | Host::Simulated { .. } => Caller::User,
        },
        adapters: read_pci(&host.sysfs_root()),
        rocm: rocm(&host.opt_root()),
        filters: match host {
            Host::Real => filters(),
            Host::Simulated { .. } | Host::Recorded { .. } => DeviceFilters::default(),
        },
        workers: match host {
            Host::Real => workers(),
            Host::Simulated { .. } | Host::Recorded { .. } => Vec::new(),
        },
        unkillable: match host {
            Host::Real => unkillable(),
            Host::Simulated { .. } | Host::Recorded { .. } => Vec::new(),
        },
    };
    Ok(diagnose(&seen, &environment))
}

/// Processes that could not be killed, or why that cannot be told.
fn unkillable() -> Vec<Unkillable> {
    match held::list() {
        Ok(list) => {
            let told = |(held, file): (Held, PathBuf)| Unkillable {
                what: held.to_string(),
                next: held::way_out(&file.display().to_string()),
            };
            list.into_iter().map(told).collect()
        }
        Err(failure) => vec![Unkillable { what: failure.error.to_string(), next: held::UNREADABLE.to_owned() }],
    }
}

/// Each installation of ROCm below `/opt`, or what stands for it.
fn rocm(opt: &Path) -> Vec<RocmRelease> {
    let Ok(tree) = Tree::open(opt) else { return Vec::new() };
    let names = tree.names("").unwrap_or_default();
    let installed = names.iter().filter(|name| name.starts_with("rocm")).filter_map(|name| {
        let file = format!("{name}/.info/version");
        let text = String::from_utf8(tree.read(&file, 4096).ok()?).ok()?;
        let version = text.lines().next()?.trim().to_owned();
        (!version.is_empty()).then(|| RocmRelease { version, path: format!("/opt/{file}") })
    });
    let mut found: Vec<RocmRelease> = installed.collect();
    // `/opt/rocm` is most often a link to one of the others.
    found.sort_by(|left, right| (&left.version, right.path.len()).cmp(&(&right.version, left.path.len())));
    found.dedup_by(|left, right| left.version == right.version);
    found
}

/// The variables of whoever calls.
fn filters() -> DeviceFilters {
    let set = |name: &str| std::env::var_os(name).map(|list| list.to_string_lossy().into_owned());
    DeviceFilters {
        rocr: set("ROCR_VISIBLE_DEVICES"),
        hip: set("HIP_VISIBLE_DEVICES"),
        cuda: set("CUDA_VISIBLE_DEVICES"),
    }
}

/// The torch worker beside this executable and in PATH. It is not started.
fn workers() -> Vec<String> {
    let beside = std::env::current_exe().ok().and_then(|program| program.parent().map(Path::to_owned));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found: Vec<PathBuf> = beside
        .into_iter()
        .chain(std::env::split_paths(&path))
        .map(|folder| folder.join(WORKER))
        .filter(|program| program.is_file())
        .collect();
    found.dedup();
    found.into_iter().map(|program| program.display().to_string()).collect()
}

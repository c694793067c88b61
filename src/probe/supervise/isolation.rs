//! What a worker sees of the world: a folder of its own, caches of its own, and the variables that its caller names.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::domain::Bytes;
use crate::process::{Cancel, Limits, Spec};
use crate::witness::tuning::{WorkerEnvironment, concerns_gpus};

/// Variables of this process that a worker needs to find its libraries. Nothing else is handed on: not
/// `AMD_LOG_LEVEL_FILE`, which would take the last words away from standard error, no `HSA_OVERRIDE_GFX_VERSION` or
/// `MIOPEN_*` that somebody exported, no visible devices. What a probe is to have of these it is given by name.
pub const INHERITED: [&str; 3] = ["PATH", "LD_LIBRARY_PATH", "ROCM_PATH"];

/// How the folder of a worker is told.
const OWN_FOLDER: &str = "FOLDER";

/// A worker: how it is started, and with what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worker {
    /// The executable.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Variables that this probe has, over those of the isolation.
    pub env: Vec<(OsString, OsString)>,
    /// Puts limits on it before it starts.
    pub launcher: Launcher,
}

/// The trampoline: a program that takes `--parent PID [--memory BYTES] -- PROGRAM ARGS…`, limits itself (no core file,
/// this much memory, dies with its parent) and becomes that program. A child's limits cannot be set from here without a
/// fork of this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launcher {
    /// The executable.
    pub program: PathBuf,
    /// Arguments before its own.
    pub args: Vec<OsString>,
    /// Most address space. `None` for an engine with a GPU: ROCm reserves far more than it uses.
    pub memory: Option<Bytes>,
}

/// The child that runs a worker in its folder.
pub(super) fn child(worker: &Worker, request: Vec<u8>, scratch: &Path, limits: Limits, cancel: Cancel) -> Spec {
    let launcher = &worker.launcher;
    let mut args = launcher.args.clone();
    args.extend(["--parent".into(), std::process::id().to_string().into()]);
    if let Some(Bytes(memory)) = launcher.memory {
        args.extend(["--memory".into(), memory.to_string().into()]);
    }
    args.extend(["--".into(), worker.program.clone().into()]);
    args.extend(worker.args.iter().cloned());
    Spec {
        args,
        env: environment(scratch).into_iter().chain(worker.env.iter().cloned()).collect(),
        inherit: INHERITED.iter().map(|&name| name.to_owned()).collect(),
        cwd: Some(scratch.to_owned()),
        stdin: Some(request),
        limits,
        cancel,
        ..Spec::new(&launcher.program)
    }
}

/// What the worker's process has beside what was set for it. The variables of its own folder, which every worker has, are
/// told only where it does not have them.
pub(super) fn beside(worker: &Worker, scratch: &Path, has: BTreeMap<String, String>) -> WorkerEnvironment {
    let named = |(name, value): &(OsString, OsString)| {
        let text = |text: &OsString| text.to_string_lossy().into_owned();
        Some((text(name), text(value))).filter(|(name, _)| concerns_gpus(name))
    };
    let mut given: BTreeMap<String, String> = worker.env.iter().filter_map(named).collect();
    let mut has = has;
    for (name, value) in environment(scratch).iter().filter_map(named) {
        if !given.contains_key(&name) && has.get(&name) == Some(&value) {
            has.remove(&name);
        } else {
            // A folder that is another one each time.
            let told = value.replace(&scratch.to_string_lossy().into_owned(), OWN_FOLDER);
            given.entry(name).or_insert(told);
        }
    }
    WorkerEnvironment { given, has }
}

/// Caches and folders below `scratch`. Caches that have no variable lie below the home folder (Triton, comgr, torch).
fn environment(scratch: &Path) -> Vec<(OsString, OsString)> {
    let below = |name: &str| scratch.join(name).into_os_string();
    let own = scratch.as_os_str().to_owned();
    vec![
        ("LC_ALL".into(), "C.UTF-8".into()),
        ("HOME".into(), own.clone()),
        ("TMPDIR".into(), own),
        ("XDG_CACHE_HOME".into(), below("cache")),
        ("XDG_CONFIG_HOME".into(), below("config")),
        ("MIOPEN_USER_DB_PATH".into(), below("miopen-db")),
        ("MIOPEN_CUSTOM_CACHE_DIR".into(), below("miopen-cache")),
    ]
}

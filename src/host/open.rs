//! Opening a host, and asking it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::domain::{Ended, Provenance, Reading};
use crate::process::{Cancel, Limits, Spec};
use crate::witness::access::{Asker, read_access};
use crate::witness::hip::read_hip;
use crate::witness::tree::{Tree, TreeProblem};
use crate::witness::{Call, DeviceAccess, HipDevice, RenderNode};

use super::manifest::{MANIFEST_FILE, Manifest};
use super::recorded::Recording;
use super::{HostError, HostFile, HostKind, hip_call, hip_witness, kmsg, real};

/// The kernel log, below the host directory.
pub(super) const KMSG_FILE: &str = "kmsg";

/// Longest kernel log that is read of a host folder.
const MAX_KMSG: usize = 16 << 20;

/// The variable that tells a simulated `amd-smi` which host it stands in.
pub const HOST_VARIABLE: &str = "ROCVET_HOST";

/// Where observations come from.
#[derive(Debug, Clone)]
pub enum Host {
    /// This machine.
    Real,
    /// A simulated machine.
    Simulated {
        /// The host directory.
        dir: PathBuf,
        /// What `host.toml` says.
        file: HostFile,
        /// The executable that is started by the name `amd-smi`.
        program: PathBuf,
    },
    /// A recording. Nothing inside it is executed.
    Recorded {
        /// The host directory.
        dir: PathBuf,
        /// What `host.toml` says.
        file: HostFile,
        /// What was recorded of amd-smi.
        recording: Recording,
        /// What belongs to it; absent in a recording of an earlier version.
        manifest: Option<Manifest>,
    },
}

/// How to ask amd-smi.
#[derive(Debug, Clone)]
pub struct Asking {
    /// How long one call may take before it is stopped.
    pub deadline: Duration,
    /// Stops a call when the run is interrupted.
    pub cancel: Cancel,
}

impl Host {
    /// Opens a host directory. One that holds the kernel's trees (`sys`) and no `host.toml`, as people publish them, is a
    /// recording of those trees: whatever amd-smi would be asked was not recorded.
    ///
    /// A simulated host's `amd-smi` is this program itself, started by that name: tests of the library say with
    /// [`Host::with_program`] which executable that is.
    pub fn open(dir: &Path) -> Result<Self, HostError> {
        let tree = Tree::open(dir)?;
        let file = match HostFile::read(&tree) {
            Err(HostError::Unreadable(error)) if error.problem == TreeProblem::Missing && holds_trees(&tree) => {
                return Ok(Self::trees(dir));
            }
            read => read?,
        };
        let dir = dir.to_owned();
        match file.kind {
            HostKind::Simulated => {
                // A folder that is no machine is told of when it is asked.
                if let Ok(kernel) = super::simulated::load(&dir) {
                    super::simulated::forget_users(&dir, &kernel);
                }
                let program = std::env::current_exe()
                    .map_err(|error| HostError::Refused(format!("cannot tell which executable this is: {error}")))?;
                Ok(Self::Simulated { dir, file, program })
            }
            HostKind::Recorded => {
                let manifest = Manifest::read(&tree)?;
                let origin = match &manifest {
                    Some(manifest) => {
                        manifest.verify(&dir, &tree)?;
                        file.origin
                    }
                    None => format!("{} (not verified: it has no {MANIFEST_FILE})", file.origin),
                };
                let recording = Recording::open(&tree)?;
                Ok(Self::Recorded { dir, file: HostFile { origin, ..file }, recording, manifest })
            }
        }
    }

    /// A host of nothing but the kernel's trees.
    pub(super) fn trees(dir: &Path) -> Self {
        let file = HostFile::new(HostKind::Recorded, format!("kernel trees in {}", dir.display()), None);
        Self::Recorded { dir: dir.to_owned(), file, recording: Recording::default(), manifest: None }
    }

    /// The same host, with another executable to start as `amd-smi`. Only a simulated host starts one of ours.
    #[must_use]
    pub fn with_program(self, program: impl Into<PathBuf>) -> Self {
        match self {
            Self::Simulated { dir, file, .. } => Self::Simulated { dir, file, program: program.into() },
            other @ (Self::Real | Self::Recorded { .. }) => other,
        }
    }

    /// Calls amd-smi with these arguments; `stdin` is all that it can read.
    pub fn call_amd_smi(&self, args: &[String], stdin: &str, asking: &Asking) -> Call {
        let spec = match self {
            Self::Real => real::amd_smi(),
            Self::Simulated { dir, program, .. } => simulated(program, dir),
            Self::Recorded { recording, .. } => return recording.call(args),
        };
        let outcome = crate::process::run(&Spec {
            args: args.iter().map(Into::into).collect(),
            stdin: (!stdin.is_empty()).then(|| stdin.as_bytes().to_vec()),
            limits: Limits::within(asking.deadline),
            cancel: asking.cancel.clone(),
            ..spec
        });
        Call {
            args: args.to_vec(),
            ended: outcome.ended,
            stdout: outcome.stdout,
            stderr: outcome.stderr,
            took: outcome.took,
        }
    }

    /// Asks the HIP runtime, in a child. `NotReported` where there is none: a simulated machine has no runtime, and a
    /// recording holds what HIP said only where it was recorded.
    pub fn ask_hip(&self, asking: &Asking) -> Reading<Vec<HipDevice>> {
        self.call_hip(asking).as_ref().map_or(Reading::NotReported, read_hip)
    }

    /// The call behind [`Host::ask_hip`].
    pub fn call_hip(&self, asking: &Asking) -> Option<Call> {
        match self {
            Self::Simulated { .. } => None,
            Self::Recorded { recording, .. } => recording.hip().cloned(),
            Self::Real => {
                let program = std::env::current_exe().ok()?;
                let outcome = crate::process::run(&Spec {
                    limits: Limits { deadline: asking.deadline, ..Limits::default() },
                    cancel: asking.cancel.clone(),
                    ..hip_witness(&program)
                });
                Some(hip_call(outcome))
            }
        }
    }

    /// Whether the device files may be used; `None` where nobody can tell.
    pub fn device_access(&self, render: &[RenderNode]) -> Option<Vec<DeviceAccess>> {
        match self {
            Self::Real => read_access(&self.root().join("dev"), render, Asker::ThisProcess),
            Self::Simulated { .. } => read_access(&self.root().join("dev"), render, Asker::Described),
            Self::Recorded { manifest: Some(manifest), .. } => manifest.access(),
            Self::Recorded { manifest: None, .. } => read_access(&self.root().join("dev"), render, Asker::Described),
        }
    }

    /// The kernel log, in the format of `/dev/kmsg`.
    ///
    /// # Errors
    /// It cannot be read; says why.
    pub fn kernel_log(&self) -> Result<Vec<u8>, String> {
        match self {
            Self::Real => kmsg::ring(),
            Self::Simulated { dir, .. } | Self::Recorded { dir, .. } => {
                let log = Tree::open(dir).and_then(|tree| tree.read(KMSG_FILE, MAX_KMSG));
                log.map_err(|error| error.to_string())
            }
        }
    }

    /// The root that shows what the kernel's `/sys` would.
    pub fn sysfs_root(&self) -> PathBuf {
        self.root().join("sys")
    }

    /// The root that shows what the kernel's `/proc` would.
    pub fn proc_root(&self) -> PathBuf {
        self.root().join("proc")
    }

    /// The folder of optional software, where ROCm lies: `/opt`, or what stands for it.
    pub fn opt_root(&self) -> PathBuf {
        self.root().join("opt")
    }

    /// What kind of observations it gives.
    pub const fn provenance(&self) -> Provenance {
        match self {
            Self::Real => Provenance::Hardware,
            Self::Simulated { .. } => Provenance::Simulated,
            Self::Recorded { .. } => Provenance::Recorded,
        }
    }

    /// What it is, in words for a report.
    pub fn origin(&self) -> &str {
        match self {
            Self::Real => "this machine",
            Self::Simulated { file, .. } | Self::Recorded { file, .. } => &file.origin,
        }
    }

    /// The root of its file system: `/`, or the folder that stands for it.
    pub fn root(&self) -> &Path {
        match self {
            Self::Real => Path::new("/"),
            Self::Simulated { dir, .. } | Self::Recorded { dir, .. } => dir,
        }
    }
}

/// Whether there is a `sys`, and nothing of a simulated or recorded host that was cut off while it was written: those
/// get their `host.toml` last.
fn holds_trees(tree: &Tree) -> bool {
    let names = tree.names("").unwrap_or_default();
    let ours = ["machine.toml", "transcripts", MANIFEST_FILE];
    names.iter().any(|name| name == "sys") && !names.iter().any(|name| ours.contains(&name.as_str()))
}

impl Call {
    /// A call that was not made.
    pub(super) fn not_made(args: &[String], reason: String) -> Self {
        Self {
            args: args.to_vec(),
            ended: Ended::NotStarted { reason },
            stdout: Vec::new(),
            stderr: Vec::new(),
            took: Duration::ZERO,
        }
    }
}

/// Our own executable by the name of the tool. It gets no other environment than the host that it stands in, so that
/// nothing of the caller's can change what it answers.
fn simulated(program: &Path, dir: &Path) -> Spec {
    Spec {
        arg0: Some("amd-smi".into()),
        env: vec![(HOST_VARIABLE.into(), dir.as_os_str().to_owned())],
        ..Spec::new(program)
    }
}

//! Where the probes of a run are computed: for each host the engine, its worker and the kernel's log.

use std::path::PathBuf;
use std::time::Duration;

use crate::host::Host;
use crate::host::simulated::KMSG_FILE;
use crate::probe::stand::Stand;
use crate::probe::supervise::Limits;

/// From SIGTERM to SIGKILL for a simulated worker, which has nothing to put in order.
const SIMULATED_GRACE: Duration = Duration::from_millis(500);

/// What may compute probes in a run.
#[derive(Debug, Clone)]
pub struct Stands {
    /// This executable: the simulated engine, and what puts limits on other workers.
    pub validate: PathBuf,
    /// Where probes of this machine are computed.
    pub here: Here,
}

/// What computes the probes of this machine.
#[derive(Debug, Clone)]
pub enum Here {
    /// There is nothing that could.
    Nothing,
    /// The same for all cases.
    One(Box<Stand>),
    /// Workers by name: each case says by which.
    Each(Vec<(String, Stand)>),
}

impl Here {
    /// The same with each stand changed.
    pub fn map(self, change: impl Fn(Stand) -> Stand) -> Self {
        match self {
            Self::Nothing => Self::Nothing,
            Self::One(stand) => Self::One(Box::new(change(*stand))),
            Self::Each(all) => Self::Each(all.into_iter().map(|(name, stand)| (name, change(stand))).collect()),
        }
    }

    fn stand(&self, worker: Option<&str>) -> Option<&Stand> {
        match self {
            Self::Nothing => None,
            Self::One(stand) => Some(stand),
            Self::Each(all) => all.iter().find(|(name, _)| Some(name.as_str()) == worker).map(|(_, stand)| stand),
        }
    }
}

impl Stands {
    /// Where the probes of a case on this host are computed, by the worker that it names.
    ///
    /// # Errors
    /// Nothing can compute there: why, and what would help.
    pub fn on(&self, host: &Host, worker: Option<&str>) -> Result<Stand, String> {
        match host {
            Host::Simulated { dir, .. } => {
                let dir = std::path::absolute(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
                let stand = Stand::simulated(&self.validate, &dir, dir.join(KMSG_FILE));
                Ok(Stand { limits: Limits { grace: SIMULATED_GRACE, ..stand.limits }, ..stand })
            }
            Host::Recorded { .. } => {
                Err("a recording shows what was there, and computes nothing: run it on the machine itself (--hardware)"
                    .to_owned())
            }
            Host::Real => self.here.stand(worker).cloned().ok_or_else(|| {
                "there is nothing here that computes: name a worker, --worker torch=PATH/validate-probe-torch or --worker \
                 python=VENV/bin/python with PyTorch for ROCm"
                    .to_owned()
            }),
        }
    }

    /// The options of `validate probe` that mean the same place.
    pub fn options(&self, host: &Host, worker: Option<&str>) -> String {
        match (host, self.here.stand(worker)) {
            (Host::Simulated { dir, .. }, _) => format!("--engine simulated --host {}", dir.display()),
            (Host::Recorded { .. }, _) | (Host::Real, None) => String::new(),
            (Host::Real, Some(stand)) => format!("--worker {}={}", stand.engine.name(), stand.worker.program.display()),
        }
    }
}

//! What the caller agreed to, and what a step needs.

use serde::{Deserialize, Serialize};

use crate::facts::ReloadHabit;

use super::steps::Step;

/// What the caller agreed to on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consent {
    /// The questions of `amd-smi set -M` may be answered with yes (`--yes`).
    pub yes: bool,
    /// The driver may be reloaded (`--reload-driver`), by us or by a tool that does it itself.
    pub reload_driver: bool,
}

impl Consent {
    /// Whether a step may be taken with a tool of this habit; `None` where it is taken without the tool.
    ///
    /// # Errors
    /// Which option is missing, and why it is asked for.
    pub fn permits(self, step: &Step, habit: Option<ReloadHabit>) -> Result<(), String> {
        match step {
            Step::Memory { .. } if habit.is_some_and(ReloadHabit::reloads) && !self.reload_driver => {
                Err("this amd-smi reloads the driver by itself when a memory mode is set: add --reload-driver"
                    .to_owned())
            }
            Step::Memory { .. } if habit.is_some_and(ReloadHabit::asks) && !self.yes => {
                Err("amd-smi asks before it sets a memory mode, and only --yes answers it".to_owned())
            }
            Step::Reload if !self.reload_driver => {
                Err("a memory mode comes into force when the driver is reloaded: add --reload-driver".to_owned())
            }
            Step::Memory { .. } | Step::Withdraw { .. } | Step::Reload | Step::Compute { .. } => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ComputeMode, MemoryMode};

    #[test]
    fn each_option_permits_what_it_names_and_no_more() {
        use ReloadHabit::{AfterQuestion, RequestOnly, Silent};
        let memory = || Step::Memory { mode: MemoryMode::Nps4, gpus: Vec::new() };
        let compute = || Step::Compute { mode: ComputeMode::Cpx, gpu: "0000:05:00.0".parse().unwrap() };
        for (step, habit, needs) in [
            (compute(), Some(RequestOnly), (false, false)),
            (memory(), Some(Silent), (false, true)),
            (memory(), Some(AfterQuestion), (true, true)),
            (memory(), Some(RequestOnly), (true, false)),
            (memory(), None, (false, false)),
            (Step::Reload, Some(RequestOnly), (false, true)),
            (Step::Reload, None, (false, true)),
        ] {
            for (yes, reload_driver) in [(false, false), (false, true), (true, false), (true, true)] {
                let permitted = Consent { yes, reload_driver }.permits(&step, habit);
                let expected = yes >= needs.0 && reload_driver >= needs.1;
                assert_eq!(permitted.is_ok(), expected, "{step:?} {habit:?} yes={yes} reload={reload_driver}");
            }
        }
    }
}

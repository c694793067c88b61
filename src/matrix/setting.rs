//! What is in force while a cell runs: nothing, a mitigation, one solver, one find mode.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::facts::{Mitigation, MitigationKind};

/// Variables and kernel parameters, under a name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// `none`, the id of a mitigation, `solver=GemmBwdRest`, `family=DIRECT`, `find=FAST`, `NAME=value`.
    pub name: String,
    /// The worker's variables.
    pub env: BTreeMap<String, String>,
    /// What the kernel's command line must say, `amdgpu.noretry` -> `0`: a reboot away where it does not.
    pub kernel: BTreeMap<String, String>,
}

/// A family of MIOpen's solvers, each with a variable of its own. Source: facts/rdna.md section 4.
pub const FAMILIES: [&str; 5] = ["GEMM", "DIRECT", "WINOGRAD", "IMPLICIT_GEMM", "FFT"];

/// MIOpen's find modes. Source: facts/rdna.md section 4.
pub const FIND_MODES: [(&str, &str); 4] = [("NORMAL", "1"), ("FAST", "2"), ("HYBRID", "3"), ("DYNAMIC_HYBRID", "5")];

impl Setting {
    /// Nothing but the defaults.
    pub fn none() -> Self {
        Self::with("none", [])
    }

    fn with(name: impl Into<String>, env: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { name: name.into(), env: env.into_iter().collect(), kernel: BTreeMap::new() }
    }

    /// A mitigation that is variables or kernel parameters; an error says why it is neither.
    ///
    /// # Errors
    /// It is another stack or another board, or nobody can say in one line what it sets.
    pub fn mitigation(mitigation: &Mitigation) -> Result<Self, String> {
        let set = mitigation.set.clone();
        let elsewhere = |what: &str| Err(format!("{} is {what}, and no setting of this one", mitigation.id));
        match mitigation.kind {
            MitigationKind::Stack => elsewhere("another stack: name it with --worker"),
            MitigationKind::Hardware => elsewhere("another board or firmware"),
            MitigationKind::Environment | MitigationKind::Solver | MitigationKind::Kernel if set.is_empty() => {
                Err(format!("{} sets nothing that can be said in one line", mitigation.id))
            }
            MitigationKind::Environment | MitigationKind::Solver => Ok(Self::with(&mitigation.id, set)),
            MitigationKind::Kernel => Ok(Self { kernel: set, ..Self::with(&mitigation.id, []) }),
        }
    }

    /// Only this solver.
    pub fn solver(name: &str) -> Self {
        Self::with(format!("solver={name}"), [("MIOPEN_DEBUG_FIND_ONLY_SOLVER".to_owned(), name.to_owned())])
    }

    /// Only this family of solvers: the others are switched off.
    pub fn family(name: &str) -> Self {
        let others = FAMILIES.into_iter().filter(|family| *family != name);
        let off = others.map(|family| (format!("MIOPEN_DEBUG_CONV_{family}"), "0".to_owned()));
        Self::with(format!("family={name}"), off)
    }

    /// This find mode, by its name.
    pub fn find_mode(name: &str, value: &str) -> Self {
        Self::with(format!("find={name}"), [("MIOPEN_FIND_MODE".to_owned(), value.to_owned())])
    }

    /// One variable.
    pub fn variable(name: &str, value: &str) -> Self {
        Self::with(format!("{name}={value}"), [(name.to_owned(), value.to_owned())])
    }

    /// Whether it says anything to an operation: solvers and find modes are MIOpen's, and MIOpen computes convolutions.
    pub fn applies_to(&self, operation: &str) -> bool {
        let miopen = !self.env.is_empty() && self.env.keys().all(|name| name.starts_with("MIOPEN_"));
        !miopen || operation.starts_with("conv") || operation.starts_with("train")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::mitigations;

    #[test]
    fn a_setting_is_variables_or_kernel_parameters_and_says_why_it_is_neither() {
        for mitigation in mitigations() {
            match Setting::mitigation(mitigation) {
                Ok(setting) => assert!(!setting.env.is_empty() || !setting.kernel.is_empty(), "{}", mitigation.id),
                Err(why) => assert!(why.starts_with(&mitigation.id), "{why}"),
            }
        }
        assert!(mitigations().iter().any(|each| Setting::mitigation(each).is_ok_and(|found| !found.kernel.is_empty())));
    }

    #[test]
    fn one_family_is_the_others_switched_off() {
        let direct = Setting::family("DIRECT");
        assert_eq!(direct.env.len(), FAMILIES.len() - 1);
        assert!(!direct.env.contains_key("MIOPEN_DEBUG_CONV_DIRECT") && direct.env.values().all(|value| value == "0"));
    }

    #[test]
    fn what_is_said_to_miopen_is_said_to_convolutions_only() {
        assert!(Setting::solver("GemmBwdRest").applies_to("conv2d"));
        assert!(!Setting::solver("GemmBwdRest").applies_to("matmul"));
        assert!(Setting::none().applies_to("matmul"));
        assert!(Setting::variable("HSA_ENABLE_SDMA", "0").applies_to("matmul"));
    }
}

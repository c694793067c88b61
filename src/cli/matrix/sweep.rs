//! What is swept, by the options that say it.

use anyhow::anyhow;
use clap::Args;

use crate::cli::exit::Failure;
use crate::cli::values::variable;
use crate::facts::{mitigation, mitigations};
use crate::matrix::cell::Sweep;
use crate::matrix::setting::{FAMILIES, FIND_MODES, Setting};
use crate::probe::ProbeSpec;
use crate::probe::catalogue::{self, catalogue};
use crate::probe::spec::{Dtype, Work};
use crate::scenario::nearest;

/// Classes of shapes that are swept where none is named: those that crash reports are about, and what shows that it is
/// only they.
const DEFAULT: [&str; 8] = [
    "elementwise",
    "reduction",
    "matmul-1k",
    "layer-norm",
    "conv-boundary",
    "conv-rocm-3951",
    "conv-miopen-3540",
    "conv-miopen-2522",
];

/// Options that say what is swept.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "What is swept")]
pub(super) struct SweepArgs {
    /// Class of shapes (`validate probe list`), or a computation in full; may be given several times [default: those that
    /// crash reports are about]
    #[arg(long = "probe", value_name = "NAME")]
    probes: Vec<String>,
    /// Only these number formats
    #[arg(long = "dtype", value_name = "FORMAT", value_delimiter = ',')]
    dtypes: Vec<Dtype>,
    /// A mitigation (`validate explain mitigation`), beside none
    #[arg(long = "mitigation", value_name = "ID")]
    mitigations: Vec<String>,
    /// Only this solver of MIOpen, beside all of them
    #[arg(long = "solver", value_name = "NAME")]
    solvers: Vec<String>,
    /// Each family of MIOpen's solvers alone, beside all of them
    #[arg(long)]
    families: bool,
    /// Each find mode of MIOpen, beside the default
    #[arg(long)]
    find_modes: bool,
    /// This variable in the worker's environment, beside without it
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = variable)]
    variables: Vec<(String, String)>,
    /// Run also what changes nothing on this machine: a value that is in force anyway, a variable that nobody reads
    #[arg(long)]
    pub(super) include_no_ops: bool,
}

impl SweepArgs {
    /// What is swept with these workers, by their labels.
    ///
    /// # Errors
    /// Something is named that is not there, or can be no setting.
    pub(super) fn sweep(&self, workers: Vec<String>) -> Result<Sweep, Failure> {
        Ok(Sweep { probes: self.probes()?, settings: self.settings()?, workers })
    }

    fn probes(&self) -> Result<Vec<(String, ProbeSpec)>, Failure> {
        let wanted = |spec: &ProbeSpec| match &spec.work {
            Work::Compute { dtype, .. } => self.dtypes.is_empty() || self.dtypes.contains(dtype),
            Work::Memory { .. } => self.dtypes.is_empty(),
        };
        let mut probes = Vec::new();
        let default = DEFAULT.map(str::to_owned);
        let names = if self.probes.is_empty() { &default[..] } else { &self.probes };
        for name in names {
            match catalogue::named(name) {
                Some(probe) => {
                    let specs = probe.specs.iter().filter(|spec| wanted(spec)).cloned();
                    probes.extend(specs.map(|spec| (name.clone(), spec)));
                }
                None if name.contains('/') => {
                    let spec =
                        name.parse().map_err(|problem: crate::probe::SpecError| Failure::usage(anyhow!(problem)))?;
                    probes.push(("by-hand".to_owned(), spec));
                }
                None => {
                    return Err(unknown(
                        "probe",
                        "`validate probe list`",
                        name,
                        catalogue().iter().map(|probe| probe.name.as_str()),
                    ));
                }
            }
        }
        if probes.is_empty() {
            return Err(Failure::usage(anyhow!(
                "no probe of these has that format; `validate probe list` has the formats"
            )));
        }
        Ok(probes)
    }

    fn settings(&self) -> Result<Vec<Setting>, Failure> {
        let mut settings = vec![Setting::none()];
        for id in &self.mitigations {
            let found = mitigation(id).ok_or_else(|| {
                unknown(
                    "mitigation",
                    "`validate explain mitigation`",
                    id,
                    mitigations().iter().map(|each| each.id.as_str()),
                )
            })?;
            settings.push(Setting::mitigation(found).map_err(|why| Failure::usage(anyhow!(why)))?);
        }
        settings.extend(self.solvers.iter().map(|name| Setting::solver(name)));
        if self.families {
            settings.extend(FAMILIES.map(Setting::family));
        }
        if self.find_modes {
            settings.extend(FIND_MODES.map(|(name, value)| Setting::find_mode(name, value)));
        }
        settings.extend(self.variables.iter().map(|(name, value)| Setting::variable(name, value)));
        Ok(settings)
    }
}

fn unknown<'a>(what: &str, list: &str, name: &str, known: impl Iterator<Item = &'a str>) -> Failure {
    let near = nearest(name, known).map(|name| format!(" (nearest: {name})")).unwrap_or_default();
    let name: String = name.chars().take(60).collect();
    Failure::usage(anyhow!("no {what} is called {name:?}{near}; {list} has them all"))
}

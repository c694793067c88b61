//! `probe` of a `[[step]]`: what is computed, where, how often, and with which variables.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use jiff::SignedDuration;

use crate::domain::DeviceKind;
use crate::probe::ProbeSpec;
use crate::probe::catalogue::{self, catalogue};
use crate::probe::spec::{Dtype, Work};

use super::super::tree::Node;
use super::super::{ProbeStep, nearest};
use super::Problems;
use super::simulate::optional;
use super::values::{Fields, number, parsed, shown, table, text, word};

/// The keys of `probe`.
pub(in super::super) const PROBE_KEYS: [&str; 10] =
    ["name", "work", "dtype", "on", "repeats", "processes", "budget", "deadline", "solver", "env"];

/// How variables begin that a scenario may set: those that change what the libraries of a GPU do. Never those of the
/// loader, which would start other code.
const PREFIXES: [&str; 11] =
    ["HSA_", "ROCR_", "HIP_", "AMD_", "MIOPEN_", "PYTORCH_", "TORCH_", "GPU_", "ROCBLAS_", "HIPBLASLT_", "OMP_"];

/// Would take a worker's last words away from its standard error.
const REFUSED: [&str; 1] = ["AMD_LOG_LEVEL_FILE"];

/// Most variables, and the longest value of one in bytes.
const ENV_LIMIT: (usize, usize) = (32, 1000);

/// Families of MIOpen's solvers, and the variable that turns each off. Source: facts/rdna.md section 4.
const FAMILIES: [(&str, &str); 5] = [
    ("gemm", "MIOPEN_DEBUG_CONV_GEMM"),
    ("direct", "MIOPEN_DEBUG_CONV_DIRECT"),
    ("winograd", "MIOPEN_DEBUG_CONV_WINOGRAD"),
    ("implicit-gemm", "MIOPEN_DEBUG_CONV_IMPLICIT_GEMM"),
    ("fft", "MIOPEN_DEBUG_CONV_FFT"),
];

/// Longest budget and deadline.
const DAY: Duration = Duration::from_secs(86_400);

pub(super) fn probe(node: &Node, problems: &mut Problems<'_>) -> Option<ProbeStep> {
    let fields = Fields::of(node, "`probe`", &PROBE_KEYS, problems)?;
    let specs = specs(&fields, problems);
    let on = match fields.get("on") {
        Some(node) => word(node, "on", problems),
        None => Some(DeviceKind::Gpu),
    };
    let repeats = fields.get("repeats").map(|node| number(node, "repeats", 1..=ProbeSpec::MAX_REPEATS, problems));
    let processes = fields.get("processes").map(|node| number(node, "processes", 1..=10_000, problems));
    let second = Duration::from_secs(1);
    let budget = fields.get("budget").map(|node| duration(node, "budget", second..=DAY, problems));
    let least = Duration::from_millis(100);
    let deadline = fields.get("deadline").map(|node| duration(node, "deadline", least..=DAY, problems));
    let mut env = fields.get("env").map_or_else(|| Some(BTreeMap::new()), |node| variables(node, problems));
    if let (Some(node), Some(env)) = (fields.get("solver"), &mut env) {
        pin(node, env, problems);
    }
    let repeats = optional(repeats)?.unwrap_or(1);
    let specs = specs?.into_iter().map(|spec| ProbeSpec { repeats, ..spec });
    Some(ProbeStep {
        specs: specs.collect(),
        on: on?,
        processes: optional(processes)?.unwrap_or(1),
        budget: optional(budget)?.map(|budget| u32::try_from(budget.as_secs()).unwrap_or(u32::MAX)),
        env: env?,
        deadline: optional(deadline)?,
    })
}

/// What is computed: the probes of a name in the catalogue, or one computation in full.
fn specs(fields: &Fields<'_>, problems: &mut Problems<'_>) -> Option<Vec<ProbeSpec>> {
    let dtype = match fields.get("dtype") {
        Some(node) => Some(parsed::<Dtype>(node, "dtype", problems)?),
        None => None,
    };
    match (fields.get("name"), fields.get("work")) {
        (Some(node), None) => named(node, dtype, problems),
        (None, Some(node)) => in_full(node, dtype, problems).map(|spec| vec![spec]),
        (Some(_), Some(_)) | (None, None) => {
            let title = "a probe has exactly one of name, work";
            problems.add(fields.node.span.clone(), title).help =
                Some("name: of the catalogue (`validate probe list`); work: matmul/f32/64x64x64".to_owned());
            None
        }
    }
}

fn named(node: &Node, dtype: Option<Dtype>, problems: &mut Problems<'_>) -> Option<Vec<ProbeSpec>> {
    let name = text(node, "name", problems)?;
    let Some(probe) = catalogue::named(name) else {
        let names = catalogue().iter().map(|probe| probe.name.as_str());
        let help = match nearest(name, names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "`validate probe list` has all".to_owned(),
        };
        problems.add(node.span.clone(), format!("no probe is called `{}`", shown(name))).help = Some(help);
        return None;
    };
    let wanted = |spec: &&ProbeSpec| match (&spec.work, dtype) {
        (Work::Compute { dtype, .. }, Some(wanted)) => *dtype == wanted,
        (Work::Memory { .. }, Some(_)) => false,
        (Work::Compute { .. } | Work::Memory { .. }, None) => true,
    };
    let specs: Vec<ProbeSpec> = probe.specs.iter().filter(wanted).cloned().collect();
    if specs.is_empty() {
        let formats: Vec<_> = probe.dtypes().into_iter().map(Dtype::name).collect();
        let title = format!("the probe `{name}` does not come in this format");
        problems.add(node.span.clone(), title).help = Some(if formats.is_empty() {
            "it uses memory, and has no format".to_owned()
        } else {
            format!("it comes in {}", formats.join(", "))
        });
        return None;
    }
    Some(specs)
}

/// A computation, in which `_` stands for the format.
fn in_full(node: &Node, dtype: Option<Dtype>, problems: &mut Problems<'_>) -> Option<ProbeSpec> {
    let work = text(node, "work", problems)?;
    let work = match dtype {
        None => work.to_owned(),
        Some(dtype) if work.contains("/_/") => work.replacen("/_/", &format!("/{dtype}/"), 1),
        Some(_) => {
            let title = "`dtype` goes with a name, or with `_` in the place of the format";
            problems.add(node.span.clone(), title).help = Some("matmul/_/64x64x64".to_owned());
            return None;
        }
    };
    match work.parse() {
        Ok(spec) => Some(spec),
        Err(problem) => {
            problems.add(node.span.clone(), format!("`work`: {problem}"));
            None
        }
    }
}

/// `30m`, `2s`, `500ms`.
fn duration(node: &Node, key: &str, range: RangeInclusive<Duration>, problems: &mut Problems<'_>) -> Option<Duration> {
    let written = text(node, key, problems)?;
    let read = written.parse::<SignedDuration>().ok().and_then(|read| Duration::try_from(read).ok());
    let fits = read.filter(|read| range.contains(read));
    if fits.is_none() {
        let (least, most) = range.into_inner();
        let title = format!("`{key}` is a time from {least:?} to {} h, like \"30m\" or \"2s\"", most.as_secs() / 3600);
        problems.add(node.span.clone(), title);
    }
    fits
}

fn variables(node: &Node, problems: &mut Problems<'_>) -> Option<BTreeMap<String, String>> {
    let entries = table(node, "env", problems)?;
    let (most, longest) = ENV_LIMIT;
    if entries.len() > most {
        problems.add(node.span.clone(), format!("`env` may have at most {most} variables"));
        return None;
    }
    let mut env = BTreeMap::new();
    for entry in entries {
        let name = entry.key.as_str();
        let plain = name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
        let allowed = PREFIXES.iter().any(|prefix| name.len() > prefix.len() && name.starts_with(prefix));
        if !plain || !allowed || REFUSED.contains(&name) || name.len() > 100 {
            let title = format!("a scenario may not set `{}`", shown(name));
            problems.add(entry.span.clone(), title).help =
                Some(format!("variables begin with one of {}", PREFIXES.join(", ")));
            return None;
        }
        let value = text(&entry.node, name, problems)?;
        if value.len() > longest || value.chars().any(char::is_control) {
            let title = format!("a value has at most {longest} bytes, and none is a control character");
            problems.add(entry.node.span.clone(), title);
            return None;
        }
        env.insert(name.to_owned(), value.to_owned());
    }
    Some(env)
}

/// Leaves MIOpen one family of solvers, or one solver; `any` leaves it all.
fn pin(node: &Node, env: &mut BTreeMap<String, String>, problems: &mut Problems<'_>) {
    let Some(solver) = text(node, "solver", problems) else { return };
    let set: Vec<(&str, &str)> = if solver == "any" {
        Vec::new()
    } else if FAMILIES.iter().any(|(family, _)| *family == solver) {
        let others = FAMILIES.iter().filter(|(family, _)| *family != solver);
        others.map(|&(_, variable)| (variable, "0")).collect()
    } else if solver.starts_with(char::is_uppercase) && solver.chars().all(|c| c.is_ascii_alphanumeric()) {
        vec![("MIOPEN_DEBUG_FIND_ONLY_SOLVER", solver)]
    } else {
        let families = FAMILIES.map(|(family, _)| family);
        let help = match nearest(solver, families.into_iter().chain(["any"])) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("any, {}, or the name of one solver (ConvOclDirectFwdGen)", families.join(", ")),
        };
        let title = format!("no family of solvers is called `{}`", shown(solver));
        problems.add(node.span.clone(), title).help = Some(help);
        return;
    };
    for (name, value) in set {
        if env.insert(name.to_owned(), value.to_owned()).is_some() {
            problems.add(node.span.clone(), format!("`solver` sets {name}, and so does `env`"));
        }
    }
}

//! Probes worth running: named, with why and source.

use std::sync::LazyLock;

use serde::Deserialize;

use super::spec::{Dtype, ProbeSpec, Work};
use crate::domain::Source;
use crate::facts::{Entry, embedded};

/// A named group of probes of one kind.
#[derive(Debug, Clone)]
pub struct Probe {
    /// Its name: words joined by hyphens.
    pub name: String,
    /// A few words.
    pub title: String,
    /// What is computed, in each format; each once and with the usual seed.
    pub specs: Vec<ProbeSpec>,
    /// Why it is worth running.
    pub why: String,
    /// Who says so.
    pub source: Source,
}

impl Probe {
    /// The formats that it comes in; empty for probes of memory.
    pub fn dtypes(&self) -> Vec<Dtype> {
        let mut dtypes = Vec::new();
        for spec in &self.specs {
            match &spec.work {
                Work::Compute { dtype, .. } if !dtypes.contains(dtype) => dtypes.push(*dtype),
                Work::Compute { .. } | Work::Memory { .. } => {}
            }
        }
        dtypes
    }
}

/// Every probe, by kind.
pub fn catalogue() -> &'static [Probe] {
    static TABLE: LazyLock<Vec<Probe>> = LazyLock::new(|| {
        let File { probe } = embedded::table("catalogue.toml", include_str!("catalogue.toml"));
        probe.into_iter().map(Row::read).collect()
    });
    &TABLE
}

/// The probe of this name.
pub fn named(name: &str) -> Option<&'static Probe> {
    catalogue().iter().find(|probe| probe.name == name)
}

/// Each probe as an entry of `validate explain`: `probe.conv-boundary`.
pub fn entries() -> impl Iterator<Item = Entry> {
    catalogue().iter().map(|probe| {
        let ids: Vec<String> = probe.specs.iter().map(ProbeSpec::id).collect();
        Entry {
            id: format!("probe.{}", probe.name),
            title: probe.title.clone(),
            what: format!("{}.", ids.join(", ")),
            why: probe.why.clone(),
            source: probe.source.clone(),
            what_to_do: format!("Run it with `validate probe {}`.", probe.name),
            see: Vec::new(),
        }
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    probe: Vec<Row>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    title: String,
    work: Vec<String>,
    dtypes: Vec<Dtype>,
    why: String,
    source: Source,
}

impl Row {
    fn read(self) -> Probe {
        let ids: Vec<String> = if self.dtypes.is_empty() {
            self.work
        } else {
            let in_format = |dtype: &Dtype| {
                let place = format!("/{dtype}/");
                self.work.iter().map(move |work| work.replacen("/_/", &place, 1)).collect::<Vec<_>>()
            };
            self.dtypes.iter().flat_map(in_format).collect()
        };
        let specs = ids.iter().map(|id| spec(&self.name, id)).collect();
        Probe { name: self.name, title: self.title, specs, why: self.why, source: self.source }
    }
}

#[expect(clippy::panic, reason = "embedded data, read by the unit tests; nothing from outside comes here")]
fn spec(name: &str, id: &str) -> ProbeSpec {
    match id.parse() {
        Ok(spec) => spec,
        Err(problem) => panic!("the embedded probe {name} is not valid: {problem}"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::engine::reference;
    use super::*;

    #[test]
    fn every_probe_has_a_name_of_its_own_and_computes_what_no_other_does() {
        let mut names = BTreeSet::new();
        let mut ids = BTreeSet::new();
        for probe in catalogue() {
            assert!(names.insert(&probe.name), "{}", probe.name);
            assert!(!probe.name.contains(['/', ' ']) && !probe.why.is_empty() && !probe.source.cite.is_empty());
            for spec in &probe.specs {
                assert!(ids.insert(spec.id()), "{} is there twice", spec.id());
            }
        }
    }

    #[test]
    fn the_oracle_computes_every_probe_that_computes() {
        for spec in catalogue().iter().flat_map(|probe| &probe.specs) {
            let computable = reference::computes(spec);
            match &spec.work {
                Work::Compute { .. } => assert_eq!(computable, Ok(()), "{}", spec.id()),
                Work::Memory { .. } => assert!(computable.is_err(), "{}", spec.id()),
            }
        }
    }

    #[test]
    fn every_shape_of_the_facts_is_there() {
        let ids: Vec<String> = catalogue().iter().flat_map(|probe| &probe.specs).map(ProbeSpec::id).collect();
        // facts/rdna.md section 6, row by row.
        for wanted in [
            "add/f32",
            "reduce-sum/f32",
            "matmul/f32/1024x",
            "matmul/f16/4096x",
            "linear/",
            "softmax/",
            "layer-norm/f16",
            "conv2d/f32/1x16x32x32/32x3x3",
            "conv2d/f32/1x16x40x40/32x3x3",
            "conv2d/f32/1x16x42x42/32x3x3",
            "conv2d/f32/1x16x44x44/32x3x3",
            "conv2d/f32/1x16x48x48/32x3x3",
            "conv2d/f32/1x16x64x64/32x3x3",
            "conv2d/f32/1x16x128x128/32x3x3",
            "conv2d/f32/1x16x224x224/32x3x3",
            "conv2d/f32/1x3x32x32/16x3x3",
            "conv2d/f32/1x3x32x32/32x3x3",
            "conv2d/f32/16x256x32x32/1x5x5/s1p2d1g1/backward-data",
            "conv2d/f32/16x256x32x32/256x5x5/s1p2d1g1/backward-weights",
            "conv2d/f16/1x260x35x35/308x3x3/s2",
            "conv2d/f32/8x3x224x224/64x7x7/s2p3",
            "conv2d/f32/8x64x56x56/256x1x1",
            "conv2d/f32/8x64x56x56/128x3x3/s2",
            "conv2d/f32/8x64x56x56/64x3x3/s1p2d2",
            "conv2d/f32/8x128x28x28/128x3x3/s1p1d1g32",
            "conv2d/f32/8x96x56x56/96x3x3/s1p1d1g96",
            "conv2d-transposed/f32/8x128x16x16/64x4x4/s2",
            "conv1d/f16/",
            "conv2d/f32/16x1x19x1000/",
            "conv2d/f32/16x1x64x256/",
            "conv3d/",
            "batch-norm/f32/8x64x56x56/train",
            "batch-norm/f32/8x64x56x56/eval",
            "pool-max/",
            "pool-average/",
            "upsample-",
            "train-sgd/f32/32x3x32x32/16/10/1",
            "train-sgd/f16/32x3x32x32/16/10/50",
            "train-sgd/bf16/32x3x32x32/16/10/500",
            "train-adam/f32",
            "memory-ladder/90",
            "memory-churn/",
            "memory-out-of-memory",
            "memory-past-limit",
            "memory-isolation/90",
            "memory-copy/268435456/host-to-device",
            "memory-copy/268435456/device-to-host",
        ] {
            assert!(ids.iter().any(|id| id.starts_with(wanted)), "{wanted}");
        }
    }
}

//! The cells of a sweep: every probe in every setting with every worker.

use std::collections::BTreeSet;

use crate::probe::ProbeSpec;
use crate::probe::spec::Work;

use super::setting::Setting;

/// One cell that is to be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// What is computed.
    pub probe: ProbeSpec,
    /// The class of shapes that it belongs to: its name in the catalogue, or `by-hand`.
    pub class: String,
    /// What is in force.
    pub setting: Setting,
    /// Which worker, by its label.
    pub worker: String,
}

impl Cell {
    /// What names it within a sweep.
    pub fn id(&self) -> String {
        format!("{}::{}::{}", self.probe.id(), self.setting.name, self.worker)
    }

    /// The operation: the first piece of the probe's name, `conv2d`.
    pub fn operation(&self) -> String {
        operation(&self.probe)
    }
}

/// The operation of a probe: the first piece of its name.
pub fn operation(probe: &ProbeSpec) -> String {
    probe.id().split('/').next().unwrap_or_default().to_owned()
}

/// The number format of a probe, where it has one.
pub fn dtype(probe: &ProbeSpec) -> Option<&'static str> {
    match &probe.work {
        Work::Compute { dtype, .. } => Some(dtype.name()),
        Work::Memory { .. } => None,
    }
}

/// What is swept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sweep {
    /// Probes with their classes.
    pub probes: Vec<(String, ProbeSpec)>,
    /// Settings; a sweep without any has no cells.
    pub settings: Vec<Setting>,
    /// Labels of the workers.
    pub workers: Vec<String>,
}

impl Sweep {
    /// Every cell once, in the order of workers, settings and probes. A setting that says nothing to an operation makes
    /// no cell of its own: it would be the cell without it, run again.
    pub fn cells(&self) -> Vec<Cell> {
        let mut seen = BTreeSet::new();
        let mut cells = Vec::new();
        for worker in &self.workers {
            for setting in &self.settings {
                for (class, probe) in &self.probes {
                    let cell = Cell {
                        probe: probe.clone(),
                        class: class.clone(),
                        setting: setting.clone(),
                        worker: worker.clone(),
                    };
                    if setting.applies_to(&cell.operation()) && seen.insert(cell.id()) {
                        cells.push(cell);
                    }
                }
            }
        }
        cells
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_is_a_cell_once_where_it_says_anything() {
        let probe = |id: &str| ("c".to_owned(), id.parse().unwrap());
        let conv = "conv2d/f16/1x4x8x8/4x3x3/s1p1d1g1/forward";
        let sweep = Sweep {
            probes: vec![probe(conv), probe("matmul/f32/8x8x8"), probe(conv)],
            settings: vec![Setting::none(), Setting::solver("GemmBwdRest")],
            workers: vec!["torch".to_owned(), "python".to_owned()],
        };
        let ids: Vec<String> = sweep.cells().iter().map(Cell::id).collect();
        assert_eq!(
            ids,
            [
                format!("{conv}::none::torch"),
                "matmul/f32/8x8x8::none::torch".to_owned(),
                format!("{conv}::solver=GemmBwdRest::torch"),
                format!("{conv}::none::python"),
                "matmul/f32/8x8x8::none::python".to_owned(),
                format!("{conv}::solver=GemmBwdRest::python"),
            ]
        );
    }
}

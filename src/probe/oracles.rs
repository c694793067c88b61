//! Oracles that were computed before: a probe that is run again is judged by the same numbers.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use super::engine::reference::{self, NotComputed};
use super::{ProbeSpec, Tensor};

/// Most numbers that are kept, of all oracles together: 256 MiB. The result of ResNet's first convolution has 6.4 million.
const MOST: usize = 32 << 20;

/// The latest oracles. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Oracles {
    known: Arc<Mutex<Known>>,
}

/// With the one that was asked for last at the end.
#[derive(Debug, Default)]
struct Known {
    list: VecDeque<(ProbeSpec, Arc<Tensor>)>,
}

impl Oracles {
    /// The oracle of a probe, as [`reference::oracle`] computes it.
    ///
    /// # Errors
    /// As there.
    pub fn of(&self, spec: &ProbeSpec) -> Result<Arc<Tensor>, NotComputed> {
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(oracle) = known().take(spec) {
            return Ok(oracle);
        }
        // Not under the lock: others may ask for another one in the meantime.
        let oracle = Arc::new(reference::oracle(spec)?);
        known().keep(spec.clone(), Arc::clone(&oracle), MOST);
        Ok(oracle)
    }
}

impl Known {
    fn take(&mut self, spec: &ProbeSpec) -> Option<Arc<Tensor>> {
        let at = self.list.iter().position(|(known, _)| known == spec)?;
        let found = self.list.remove(at)?;
        let oracle = Arc::clone(&found.1);
        self.list.push_back(found);
        Some(oracle)
    }

    /// One that is larger than all may be together is not kept.
    fn keep(&mut self, spec: ProbeSpec, oracle: Arc<Tensor>, most: usize) {
        if oracle.values.len() > most || self.list.iter().any(|(known, _)| *known == spec) {
            return;
        }
        self.list.push_back((spec, oracle));
        while self.list.iter().map(|(_, oracle)| oracle.values.len()).sum::<usize>() > most {
            self.list.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(text: &str) -> ProbeSpec {
        text.parse().unwrap()
    }

    #[test]
    fn an_oracle_is_computed_once_and_is_what_the_reference_says() {
        let (add, sum) = (spec("add/f32/8x8"), spec("reduce-sum/f32/64/all"));
        let oracles = Oracles::default();
        let first = oracles.of(&add).unwrap();
        assert_eq!(*first, reference::oracle(&add).unwrap());
        let other = oracles.of(&sum).unwrap();
        assert_eq!(*other, reference::oracle(&sum).unwrap());
        let again = oracles.clone().of(&add).unwrap();
        assert!(Arc::ptr_eq(&first, &again), "a clone knows what it knows");
        let seed = ProbeSpec { seed: add.seed + 1, ..add };
        assert_ne!(*oracles.of(&seed).unwrap(), *first, "another seed is another set of numbers");
        assert!(oracles.of(&spec("memory-ladder/90")).is_err());
    }

    #[test]
    fn what_was_asked_for_longest_ago_goes_first_and_what_is_too_large_is_not_kept() {
        let oracle = |elements: usize| Arc::new(Tensor { shape: vec![elements], values: vec![0.0; elements] });
        let specs: Vec<ProbeSpec> = (1..=4).map(|n| spec(&format!("add/f32/{n}"))).collect();
        let mut known = Known::default();
        known.keep(specs[0].clone(), oracle(4), 10);
        known.keep(specs[1].clone(), oracle(4), 10);
        assert!(known.take(&specs[0]).is_some());
        known.keep(specs[2].clone(), oracle(4), 10);
        known.keep(specs[3].clone(), oracle(11), 10);
        let left: Vec<bool> = specs.iter().map(|spec| known.take(spec).is_some()).collect();
        assert_eq!(left, [true, false, true, false]);
    }
}

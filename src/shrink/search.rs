//! The search: each size as small as it can be while the failure stays, then again until nothing gets smaller.

use std::collections::HashMap;

use super::candidate::Candidate;

/// What came of trying a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trial {
    /// It fails in the same way.
    Fails {
        /// Processes that were needed to see it.
        processes: u32,
    },
    /// It does not, in this many processes.
    Holds {
        /// How many.
        processes: u32,
    },
    /// Nothing more can be tried.
    Stop,
}

/// The smallest that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shrunk {
    /// It.
    pub smallest: Candidate,
    /// Processes that it took.
    pub processes: u32,
    /// Whether nothing gets smaller any more; else the budget was used up, or the search was stopped.
    pub complete: bool,
}

struct Search<'a> {
    best: Candidate,
    budget: u32,
    used: u32,
    known: HashMap<Candidate, bool>,
    attempt: &'a mut dyn FnMut(&Candidate, u32) -> Trial,
    over: bool,
}

/// Shrinks a candidate that fails. `attempt` runs one, with at most so many processes, and says whether it fails in the
/// same way; the search ends when it has used up `budget` processes.
pub fn shrink(start: Candidate, budget: u32, attempt: &mut dyn FnMut(&Candidate, u32) -> Trial) -> Shrunk {
    let mut search = Search { best: start, budget, used: 0, known: HashMap::new(), attempt, over: false };
    search.environment();
    loop {
        let before = search.best.clone();
        if let Some(simpler) = search.best.in_f32() {
            search.take(simpler);
        }
        search.sizes();
        if search.over || search.best == before {
            break;
        }
    }
    Shrunk { smallest: search.best, processes: search.used, complete: !search.over }
}

impl Search<'_> {
    /// Variables that do not matter: all of them at once, else one by one.
    fn environment(&mut self) {
        let names: Vec<String> = self.best.env.keys().cloned().collect();
        if names.is_empty() || self.take(self.best.without(&names.iter().collect::<Vec<_>>())) {
            return;
        }
        for name in &names {
            self.take(self.best.without(&[name]));
        }
    }

    /// Every size, the largest first: most of what is computed goes with it.
    fn sizes(&mut self) {
        let sizes = self.best.sizes();
        let mut order: Vec<usize> = (0..sizes.len()).collect();
        order.sort_by_key(|&at| std::cmp::Reverse(sizes[at]));
        for at in order {
            self.size(at);
        }
    }

    /// The smallest number at this place: the least that makes a probe, else by halving what is between one that holds and
    /// one that fails.
    fn size(&mut self, at: usize) {
        let Some(&now) = self.best.sizes().get(at) else { return };
        let Some(least) = (0..now).find(|&size| self.best.with_size(at, size).is_some()) else { return };
        if let Some(smallest) = self.best.with_size(at, least)
            && self.take(smallest)
        {
            return;
        }
        let (mut holds, mut fails) = (least, now);
        while fails - holds > 1 && !self.over {
            let middle = holds + (fails - holds) / 2;
            // What is no probe does not fail: 5 groups of 16 channels.
            if self.best.with_size(at, middle).is_some_and(|candidate| self.take(candidate)) {
                fails = middle;
            } else {
                holds = middle;
            }
        }
    }

    /// Tries a candidate, and takes it where it fails.
    fn take(&mut self, candidate: Candidate) -> bool {
        let fails = match self.known.get(&candidate) {
            Some(&fails) => fails,
            None if self.over => return false,
            None if self.used >= self.budget => {
                self.over = true;
                return false;
            }
            None => {
                let (fails, processes) = match (self.attempt)(&candidate, self.budget - self.used) {
                    Trial::Fails { processes } => (true, processes),
                    Trial::Holds { processes } => (false, processes),
                    Trial::Stop => {
                        self.over = true;
                        return false;
                    }
                };
                self.used += processes;
                self.known.insert(candidate.clone(), fails);
                fails
            }
        };
        if fails {
            self.best = candidate;
        }
        fails
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn candidate(probe: &str, env: &[(&str, &str)]) -> Candidate {
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Candidate { probe: probe.parse().unwrap(), env, kernel: BTreeMap::new() }
    }

    /// Shrinks on a machine that fails where this holds.
    fn shrunk(start: &Candidate, budget: u32, fails: &dyn Fn(&Candidate) -> bool) -> Shrunk {
        shrink(start.clone(), budget, &mut |candidate, _| {
            if fails(candidate) { Trial::Fails { processes: 1 } } else { Trial::Holds { processes: 1 } }
        })
    }

    fn numbers(candidate: &Candidate) -> (bool, Vec<usize>) {
        (candidate.probe.id().contains("/f16/"), candidate.sizes())
    }

    #[test]
    fn a_boundary_in_several_sizes_and_the_format_is_found_in_less_than_sixty_probes() {
        // 44 pixels in height, 16 channels, f16.
        let fails = |candidate: &Candidate| {
            let (half, sizes) = numbers(candidate);
            half && sizes[1] >= 16 && sizes[2] >= 44
        };
        for start in [
            "conv2d/f16/8x64x224x224/64x3x3/s1p1d1g1/forward",
            "conv2d/f16/1x16x44x44/32x3x3/s1p1d1g1/forward",
            "conv2d/f16/16x256x64x64/256x5x5/s2p2d1g4/forward",
        ] {
            let found = shrunk(&candidate(start, &[]), 60, &fails);
            assert_eq!(found.smallest.probe.id(), "conv2d/f16/1x16x44x1/1x1x1/s1p0d1g1/forward", "{start}");
            assert!(found.complete && found.processes < 60, "{start}: {}", found.processes);
        }
    }

    #[test]
    fn variables_that_do_not_matter_go() {
        let env = [("HSA_OVERRIDE_GFX_VERSION", "10.3.0"), ("HSA_ENABLE_SDMA", "0"), ("HSA_XNACK", "0")];
        let start = candidate("matmul/f16/64x64x64", &env);
        let needs = |candidate: &Candidate| candidate.env.contains_key("HSA_OVERRIDE_GFX_VERSION");
        let found = shrunk(&start, 60, &needs);
        assert_eq!(found.smallest.env.keys().collect::<Vec<_>>(), ["HSA_OVERRIDE_GFX_VERSION"]);
        assert_eq!(found.smallest.probe.id(), "matmul/f32/1x1x1");
        let found = shrunk(&start, 60, &|_| true);
        assert_eq!(found.smallest.env, BTreeMap::new());
    }

    #[test]
    fn a_budget_that_is_used_up_gives_the_smallest_so_far_and_says_so() {
        let start = candidate("matmul/f32/1024x1024x1024", &[]);
        let fails = |candidate: &Candidate| candidate.sizes().iter().all(|&size| size >= 100);
        let found = shrunk(&start, 5, &fails);
        assert!(!found.complete && found.processes == 5);
        assert!(fails(&found.smallest));
        assert_eq!(shrunk(&start, 200, &fails).smallest.sizes(), [100, 100, 100]);
    }

    #[test]
    fn what_must_stop_stops_and_nothing_is_tried_twice() {
        let mut tried = Vec::new();
        let found = shrink(candidate("matmul/f32/8x8x8", &[]), 60, &mut |candidate, _| {
            assert!(!tried.contains(candidate), "{candidate:?}");
            tried.push(candidate.clone());
            if tried.len() == 3 { Trial::Stop } else { Trial::Holds { processes: 1 } }
        });
        assert_eq!((found.processes, found.complete, tried.len()), (2, false, 3));
    }
}

//! Memory of the probes of a case, compared: never from one sample. What a simulated machine counts is that machine's own,
//! and not this computer's as its durations are, so it is compared like a real one's.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::domain::{Bytes, Meaning};
use crate::run::{MemoryTaken, ProbeTook};

use super::Rules;
use super::bootstrap::{Beyond, Ratio};
use super::pair::{Pair, Record};
use super::timing::counted;

/// Memory of all cases, compared.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Memories {
    /// Cases of which some memory was compared.
    pub compared: usize,
    /// What changed.
    pub changes: Vec<MemoryChange>,
    /// Why other memory was not compared: one sentence each.
    pub notes: Vec<String>,
}

/// One number of one probe of one case.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct MemoryChange {
    /// Case id.
    pub id: String,
    /// The probe.
    pub probe: String,
    /// Which of the case's probes of that name, from 1.
    pub place: usize,
    /// What was counted.
    pub what: Measure,
    /// Whether it is more or less.
    pub change: Amount,
    /// Whether that is worse.
    pub worse: bool,
    /// Median of the base, in bytes.
    pub base: Bytes,
    /// Samples of the base.
    pub base_samples: usize,
    /// Median of the candidate, in bytes.
    pub candidate: Bytes,
    /// Samples of the candidate.
    pub candidate_samples: usize,
    /// Candidate by base: lower end of the 95 % interval.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// What is counted of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// Device memory that the drivers counted for it, at most.
    Device,
    /// Memory that the runtime said was free.
    Free,
    /// Memory that the GPU gave it at once, at most.
    Granted,
}

/// Which way memory changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Amount {
    /// The whole interval lies above 1 + threshold.
    More,
    /// The whole interval lies below 1 / (1 + threshold).
    Less,
}

impl Measure {
    const ALL: [Self; 3] = [Self::Device, Self::Free, Self::Granted];

    /// In words that follow "memory that".
    pub const fn name(self) -> &'static str {
        match self {
            Self::Device => "the drivers count for the process",
            Self::Free => "the runtime calls free",
            Self::Granted => "the GPU gives out",
        }
    }

    fn of(self, taken: MemoryTaken) -> Option<Bytes> {
        match self {
            Self::Device => taken.device,
            Self::Free => taken.free,
            Self::Granted => taken.granted,
        }
    }

    /// A stack that takes more is worse, and one that leaves less.
    const fn is_worse(self, change: Amount) -> bool {
        match (self, change) {
            (Self::Device, Amount::More) | (Self::Free | Self::Granted, Amount::Less) => true,
            (Self::Device, Amount::Less) | (Self::Free | Self::Granted, Amount::More) => false,
        }
    }
}

/// A number of a case: the probe, which of the case's probes of that name (from 1), what is counted.
type Key<'a> = (&'a str, usize, Measure);

/// Why a number of a case is not compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Unmeasured {
    Few(usize),
    OnlyBase,
    OnlyCandidate,
}

impl Memories {
    /// Of cases that ran and passed on both sides.
    pub(super) fn of<'p, 'a: 'p>(pairs: impl Iterator<Item = &'p Pair<'a>>, rules: &Rules) -> Self {
        let mut memories = Self { compared: 0, changes: Vec::new(), notes: Vec::new() };
        let mut unmeasured: BTreeMap<Unmeasured, usize> = BTreeMap::new();
        for pair in pairs {
            let Some(first) = pair.candidate.first() else { continue };
            let (base, candidate) = (samples(&pair.base), samples(&pair.candidate));
            let keys: BTreeSet<&Key<'_>> = base.keys().chain(candidate.keys()).collect();
            let (mut compared, mut whys) = (false, BTreeSet::new());
            for key in keys {
                match enough(base.get(key), candidate.get(key), rules.samples) {
                    Ok((base, candidate)) => {
                        compared = true;
                        memories.changes.extend(change(&first.case.id, key, base, candidate, rules.memory_threshold));
                    }
                    Err(why) => drop(whys.insert(why)),
                }
            }
            memories.compared += usize::from(compared);
            whys.into_iter().for_each(|why| *unmeasured.entry(why).or_default() += 1);
        }
        let note = |(why, cases): (Unmeasured, usize)| match why {
            Unmeasured::Few(n) => {
                format!("{}: not enough samples (n={n}; need {}: --repeat)", counted(cases), rules.samples)
            }
            Unmeasured::OnlyBase => format!("{}: counted in the base only", counted(cases)),
            Unmeasured::OnlyCandidate => format!("{}: counted in the candidate only", counted(cases)),
        };
        memories.notes = unmeasured.into_iter().map(note).collect();
        memories
    }
}

/// Memory of the tries that came out as expected: one that fails does not get as far. Each process is a sample.
fn samples<'a>(records: &[Record<'a>]) -> BTreeMap<Key<'a>, Vec<f64>> {
    let mut all: BTreeMap<Key<'a>, Vec<f64>> = BTreeMap::new();
    for Record { case, .. } in records {
        let once = case.tries.is_empty().then_some((case.status.meaning(), &case.memory));
        let tries = once.into_iter().chain(case.tries.iter().map(|each| (each.status.meaning(), &each.memory)));
        for (_, memory) in tries.filter(|(meaning, _)| *meaning == Meaning::AsExpected) {
            let mut places: BTreeMap<&str, usize> = BTreeMap::new();
            for ProbeTook { probe, processes } in memory {
                let place = places.entry(probe).or_default();
                *place += 1;
                for measure in Measure::ALL {
                    // Nothing has no ratio to anything.
                    let counted = processes.iter().filter_map(|taken| measure.of(*taken)).filter(|Bytes(n)| *n > 0);
                    let counted: Vec<f64> = counted.map(|Bytes(bytes)| bytes as f64).collect();
                    if !counted.is_empty() {
                        all.entry((probe, *place, measure)).or_default().extend(counted);
                    }
                }
            }
        }
    }
    all
}

fn enough<'s>(
    base: Option<&'s Vec<f64>>,
    candidate: Option<&'s Vec<f64>>,
    least: usize,
) -> Result<(&'s [f64], &'s [f64]), Unmeasured> {
    match (base, candidate) {
        (Some(base), Some(candidate)) => match base.len().min(candidate.len()) {
            few if few < least => Err(Unmeasured::Few(few)),
            _ => Ok((base, candidate)),
        },
        (Some(_), None) => Err(Unmeasured::OnlyBase),
        (None, Some(_) | None) => Err(Unmeasured::OnlyCandidate),
    }
}

fn change(
    id: &str,
    &(probe, place, what): &Key<'_>,
    base: &[f64],
    candidate: &[f64],
    threshold: f64,
) -> Option<MemoryChange> {
    let ratio = Ratio::of(base, candidate)?;
    let change = match ratio.beyond(threshold)? {
        Beyond::Above => Amount::More,
        Beyond::Below => Amount::Less,
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a median of numbers of bytes")]
    let bytes = |median: f64| Bytes(median as u64);
    Some(MemoryChange {
        id: id.to_owned(),
        probe: probe.to_owned(),
        place,
        what,
        change,
        worse: what.is_worse(change),
        base: bytes(ratio.base),
        base_samples: base.len(),
        candidate: bytes(ratio.candidate),
        candidate_samples: candidate.len(),
        low: ratio.low,
        high: ratio.high,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: f64 = 1_048_576.0;

    /// What is said of a probe that took 64 MiB, and now takes this much.
    fn called(what: Measure, candidate: &[f64], least: usize) -> Result<Option<(Amount, bool)>, Unmeasured> {
        let base = vec![64.0 * MIB; 5];
        let candidate: Vec<f64> = candidate.iter().map(|mib| mib * MIB).collect();
        let (base, candidate) = enough(Some(&base), Some(&candidate), least)?;
        Ok(change("x", &("add/f32/8", 1, what), base, candidate, 0.1).map(|change| (change.change, change.worse)))
    }

    #[test]
    fn more_of_what_is_taken_and_less_of_what_is_left_are_worse_beyond_the_threshold() {
        for (what, mib, expected) in [
            (Measure::Device, 83.2, Some((Amount::More, true))),
            (Measure::Device, 67.2, None),
            (Measure::Device, 64.0, None),
            (Measure::Device, 48.0, Some((Amount::Less, false))),
            (Measure::Free, 48.0, Some((Amount::Less, true))),
            (Measure::Free, 61.0, None),
            (Measure::Granted, 48.0, Some((Amount::Less, true))),
            (Measure::Granted, 96.0, Some((Amount::More, false))),
        ] {
            assert_eq!(called(what, &[mib; 5], 5), Ok(expected), "{what:?} {mib}");
        }
        // Half of the processes take as much as before.
        assert_eq!(called(Measure::Device, &[64.0, 84.0, 64.0, 84.0, 64.0, 84.0], 5), Ok(None));
    }

    #[test]
    fn few_samples_and_those_of_one_side_are_not_compared() {
        assert_eq!(called(Measure::Device, &[640.0], 5), Err(Unmeasured::Few(1)));
        assert_eq!(called(Measure::Device, &[640.0; 4], 5), Err(Unmeasured::Few(4)));
        let one = vec![1.0];
        assert_eq!(enough(Some(&one), None, 5), Err(Unmeasured::OnlyBase));
        assert_eq!(enough(None, Some(&one), 5), Err(Unmeasured::OnlyCandidate));
    }
}

//! Durations, compared: never from one sample, never of simulated machines.

use serde::Serialize;

use crate::domain::{Meaning, Provenance};

use super::Rules;
use super::bootstrap::{Beyond, Ratio};
use super::pair::{Pair, Record};

/// The shortest duration that is a sample, in seconds: records round to a thousand times as much.
const SHORTEST: f64 = 1e-9;

/// Durations of all cases, compared.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Timings {
    /// Cases whose durations were compared.
    pub compared: usize,
    /// Of those, the ones that became slower or faster.
    pub changes: Vec<TimingChange>,
    /// Why the others were not compared: one sentence each.
    pub notes: Vec<String>,
}

/// The duration of one case.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct TimingChange {
    /// Case id.
    pub id: String,
    /// Whether it takes more time or less.
    pub change: Timing,
    /// Median of the base, in seconds.
    pub base: f64,
    /// Samples of the base.
    pub base_samples: usize,
    /// Median of the candidate, in seconds.
    pub candidate: f64,
    /// Samples of the candidate.
    pub candidate_samples: usize,
    /// Candidate by base: lower end of the 95 % interval.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// Which way a duration changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Timing {
    /// The whole interval lies above 1 + threshold.
    Slower,
    /// The whole interval lies below 1 / (1 + threshold).
    Faster,
}

/// Why the durations of a case are not compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Untimed {
    NotHardware,
    Few(usize),
}

impl Timings {
    /// Of cases that ran and passed on both sides.
    pub(super) fn of<'p, 'a: 'p>(pairs: impl Iterator<Item = &'p Pair<'a>>, rules: &Rules) -> Self {
        let mut timings = Self { compared: 0, changes: Vec::new(), notes: Vec::new() };
        let mut untimed: std::collections::BTreeMap<Untimed, usize> = std::collections::BTreeMap::new();
        for pair in pairs {
            let Some(first) = pair.candidate.first() else { continue };
            match samples(pair, rules.samples) {
                Err(why) => *untimed.entry(why).or_default() += 1,
                Ok((base, candidate)) => {
                    timings.compared += 1;
                    timings.changes.extend(change(&first.case.id, &base, &candidate, rules.threshold));
                }
            }
        }
        timings.notes = untimed
            .into_iter()
            .map(|(why, count)| match why {
                Untimed::NotHardware => format!(
                    "{} not on hardware on both sides: how long a simulated or recorded machine takes is this computer's",
                    counted(count)
                ),
                Untimed::Few(n) => {
                    format!("{}: not enough samples (n={n}; need {}: --repeat)", counted(count), rules.samples)
                }
            })
            .collect();
        timings
    }
}

/// `1 case`, `2 cases`.
pub(super) fn counted(cases: usize) -> String {
    if cases == 1 { "1 case".to_owned() } else { format!("{cases} cases") }
}

fn samples(pair: &Pair<'_>, least: usize) -> Result<(Vec<f64>, Vec<f64>), Untimed> {
    let hardware = |record: &Record<'_>| record.run.provenance == Provenance::Hardware;
    if !pair.base.iter().chain(&pair.candidate).all(hardware) {
        return Err(Untimed::NotHardware);
    }
    let (base, candidate) = (durations(&pair.base), durations(&pair.candidate));
    match base.len().min(candidate.len()) {
        few if few < least => Err(Untimed::Few(few)),
        _ => Ok((base, candidate)),
    }
}

/// Durations of the tries that came out as expected: one that fails ends early, or late.
fn durations(records: &[Record<'_>]) -> Vec<f64> {
    let mut all = Vec::new();
    for Record { case, .. } in records {
        if case.tries.is_empty() && case.status.meaning() == Meaning::AsExpected {
            all.push(case.duration.0);
        }
        let expected = case.tries.iter().filter(|each| each.status.meaning() == Meaning::AsExpected);
        all.extend(expected.map(|each| each.duration.0));
    }
    // A record may come from anywhere: what is no duration is no sample.
    all.retain(|seconds| seconds.is_finite() && *seconds >= SHORTEST);
    all
}

/// The change of one case's duration, if there is one.
fn change(id: &str, base: &[f64], candidate: &[f64], threshold: f64) -> Option<TimingChange> {
    let ratio = Ratio::of(base, candidate)?;
    let change = match ratio.beyond(threshold)? {
        Beyond::Above => Timing::Slower,
        Beyond::Below => Timing::Faster,
    };
    Some(TimingChange {
        id: id.to_owned(),
        change,
        base: ratio.base,
        base_samples: base.len(),
        candidate: ratio.candidate,
        candidate_samples: candidate.len(),
        low: ratio.low,
        high: ratio.high,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: [f64; 6] = [1.0, 1.02, 0.98, 1.01, 0.99, 1.0];

    fn called(candidate: &[f64], threshold: f64) -> Option<Timing> {
        change("x", &BASE, candidate, threshold).map(|change| change.change)
    }

    #[test]
    fn a_change_of_time_is_called_when_the_whole_interval_is_beyond_the_threshold() {
        let times = |factor: f64| BASE.map(|seconds| seconds * factor);
        assert_eq!(called(&times(1.5), 0.2), Some(Timing::Slower));
        assert_eq!(called(&times(0.5), 0.2), Some(Timing::Faster));
        assert_eq!(called(&times(1.1), 0.2), None, "a change below the threshold");
        assert_eq!(called(&times(1.1), 0.05), Some(Timing::Slower));
        // The median is half as much again, and the samples are all over the place.
        assert_eq!(called(&[0.7, 0.8, 1.5, 1.5, 2.9, 1.0], 0.2), None);
    }
}

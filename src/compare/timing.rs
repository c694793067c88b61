//! Durations, compared: never from one sample, never of simulated machines.

use fastrand::Rng;
use serde::Serialize;

use crate::domain::{Meaning, Provenance};

use super::Rules;
use super::pair::{Pair, Record};

/// Times that each side is sampled anew.
const RESAMPLES: usize = 2000;

/// Where the generator of the samples begins: the same input gives the same interval.
const SEED: u64 = 0x0072_6f63_7665_7400;

/// Share of the resampled ratios that the interval leaves out at each end: what is left is 95 %.
const TAIL: f64 = 0.025;

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
        let cases = |count: usize| if count == 1 { "1 case".to_owned() } else { format!("{count} cases") };
        timings.notes = untimed
            .into_iter()
            .map(|(why, count)| match why {
                Untimed::NotHardware => format!(
                    "{} not on hardware on both sides: how long a simulated or recorded machine takes is this computer's",
                    cases(count)
                ),
                Untimed::Few(n) => {
                    format!("{}: not enough samples (n={n}; need {}: --repeat)", cases(count), rules.samples)
                }
            })
            .collect();
        timings
    }
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
    all.retain(|seconds| seconds.is_finite() && *seconds > 0.0);
    all
}

/// A change when the whole bootstrap interval of the ratio of medians lies beyond the threshold.
///
/// Source: B. Efron, "Bootstrap methods: another look at the jackknife" (1979), the percentile interval.
fn change(id: &str, base: &[f64], candidate: &[f64], threshold: f64) -> Option<TimingChange> {
    let mut random = Rng::with_seed(SEED);
    let mut again = |samples: &[f64]| -> f64 {
        median(samples.iter().filter_map(|_| samples.get(random.usize(..samples.len())).copied()).collect())
    };
    let mut ratios: Vec<f64> = (0..RESAMPLES).map(|_| again(candidate) / again(base)).collect();
    ratios.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a small number of samples"
    )]
    let cut = (RESAMPLES as f64 * TAIL) as usize;
    let (low, high) = (*ratios.get(cut)?, *ratios.get(RESAMPLES - 1 - cut)?);
    let change = if low > 1.0 + threshold {
        Timing::Slower
    } else if high < 1.0 / (1.0 + threshold) {
        Timing::Faster
    } else {
        return None;
    };
    Some(TimingChange {
        id: id.to_owned(),
        change,
        base: median(base.to_vec()),
        base_samples: base.len(),
        candidate: median(candidate.to_vec()),
        candidate_samples: candidate.len(),
        low,
        high,
    })
}

fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    let at = |place: usize| samples.get(place).copied().unwrap_or_default();
    let middle = samples.len() / 2;
    if samples.len() % 2 == 1 { at(middle) } else { f64::midpoint(at(middle.saturating_sub(1)), at(middle)) }
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

    #[test]
    fn the_same_samples_give_the_same_interval() {
        let candidate = BASE.map(|seconds| seconds * 2.0);
        assert_eq!(change("x", &BASE, &candidate, 0.2), change("x", &BASE, &candidate, 0.2));
        let interval = change("x", &BASE, &candidate, 0.2).unwrap();
        assert!(interval.low > 1.9 && interval.high < 2.1 && interval.low <= interval.high, "{interval:?}");
    }
}

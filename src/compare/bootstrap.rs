//! Two sides' samples of one number -> how much it changed, and how sure that is.

use fastrand::Rng;

/// Times that each side is sampled anew.
const RESAMPLES: usize = 2000;

/// Where the generator of the samples begins: the same input gives the same interval.
const SEED: u64 = 0x0072_6f63_7665_7400;

/// Share of the resampled ratios that the interval leaves out at each end: what is left is 95 %.
const TAIL: f64 = 0.025;

/// Candidate by base.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ratio {
    /// Median of the base.
    pub(super) base: f64,
    /// Median of the candidate.
    pub(super) candidate: f64,
    /// Lower end of the 95 % interval of the ratio of the medians.
    pub(super) low: f64,
    /// Its upper end.
    pub(super) high: f64,
}

/// On which side of no change the whole interval lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beyond {
    /// Above 1 + threshold.
    Above,
    /// Below 1 / (1 + threshold).
    Below,
}

impl Ratio {
    /// Of samples that are all above zero; `None` where a side has none.
    ///
    /// Source: B. Efron, "Bootstrap methods: another look at the jackknife" (1979), the percentile interval.
    pub(super) fn of(base: &[f64], candidate: &[f64]) -> Option<Self> {
        if base.is_empty() || candidate.is_empty() {
            return None;
        }
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
        Some(Self { base: median(base.to_vec()), candidate: median(candidate.to_vec()), low, high })
    }

    /// A change, when the whole interval lies beyond the threshold.
    pub(super) fn beyond(&self, threshold: f64) -> Option<Beyond> {
        if self.low > 1.0 + threshold {
            Some(Beyond::Above)
        } else if self.high < 1.0 / (1.0 + threshold) {
            Some(Beyond::Below)
        } else {
            None
        }
    }
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

    #[test]
    fn the_same_samples_give_the_same_interval_and_it_holds_the_ratio() {
        let twice = BASE.map(|sample| sample * 2.0);
        let ratio = Ratio::of(&BASE, &twice).unwrap();
        assert_eq!(Ratio::of(&BASE, &twice), Some(ratio));
        assert!(ratio.low > 1.9 && ratio.high < 2.1 && ratio.low <= ratio.high, "{ratio:?}");
        assert_eq!((ratio.base, ratio.candidate), (1.0, 2.0));
        assert_eq!([Ratio::of(&[], &BASE), Ratio::of(&BASE, &[])], [None, None]);
    }

    #[test]
    fn a_change_is_one_only_where_the_whole_interval_is_beyond_the_threshold() {
        for (factor, threshold, beyond) in [
            (1.3, 0.1, Some(Beyond::Above)),
            (1.05, 0.1, None),
            (1.3, 0.5, None),
            (0.7, 0.1, Some(Beyond::Below)),
            (0.95, 0.1, None),
            (1.0, 0.001, None),
        ] {
            let ratio = Ratio::of(&BASE, &BASE.map(|sample| sample * factor)).unwrap();
            assert_eq!(ratio.beyond(threshold), beyond, "{factor} {threshold}: {ratio:?}");
        }
        // The median is half as much again, and the samples are all over the place.
        assert_eq!(Ratio::of(&BASE, &[0.7, 0.8, 1.5, 1.5, 2.9, 1.0]).unwrap().beyond(0.2), None);
    }
}

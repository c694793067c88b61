//! What a change is called, and when one is called at all.

use std::fmt;

use serde::Serialize;

use super::fisher;
use super::tally::{Fails, Tally};

/// What became of a case between the two sides. In the order in which they are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// It fails where it did not, or fails more often than chance explains.
    Regressed,
    /// It failed before and fails now, otherwise: with a status or finding that it did not have.
    FailsOtherwise,
    /// It never failed in the base, and does now and then in the candidate.
    NewlyFlaky,
    /// One side or both fail now and then, and that something changed is not shown.
    Flaky,
    /// It fails as it did.
    StillFailing,
    /// A stated part of the environment differs.
    NotComparable,
    /// One side or both could not tell.
    NotEvaluated,
    /// One side does not have it.
    Missing,
    /// It failed, and does not any more.
    Fixed,
    /// As it was.
    Unchanged,
}

impl Class {
    /// Every class, in the order in which they are told.
    pub const ALL: [Self; 10] = [
        Self::Regressed,
        Self::FailsOtherwise,
        Self::NewlyFlaky,
        Self::Flaky,
        Self::StillFailing,
        Self::NotComparable,
        Self::NotEvaluated,
        Self::Missing,
        Self::Fixed,
        Self::Unchanged,
    ];

    /// Its word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Regressed => "regressed",
            Self::FailsOtherwise => "fails otherwise",
            Self::NewlyFlaky => "newly flaky",
            Self::Flaky => "flaky",
            Self::StillFailing => "still failing",
            Self::NotComparable => "not comparable",
            Self::NotEvaluated => "not evaluated",
            Self::Missing => "missing",
            Self::Fixed => "fixed",
            Self::Unchanged => "unchanged",
        }
    }

    /// A mark beside the word, so that nothing hangs on colour.
    pub const fn mark(self) -> &'static str {
        match self {
            Self::Regressed | Self::FailsOtherwise => "✗",
            Self::NewlyFlaky | Self::Flaky => "~",
            Self::StillFailing => "•",
            Self::NotComparable => "≠",
            Self::NotEvaluated => "?",
            Self::Missing => "−",
            Self::Fixed => "✓",
            Self::Unchanged => "=",
        }
    }

    /// Whether the candidate is worse for it.
    pub const fn is_regression(self) -> bool {
        match self {
            Self::Regressed | Self::FailsOtherwise | Self::NewlyFlaky => true,
            Self::Flaky
            | Self::StillFailing
            | Self::NotComparable
            | Self::NotEvaluated
            | Self::Missing
            | Self::Fixed
            | Self::Unchanged => false,
        }
    }

    /// Whether nothing can be said of the candidate.
    pub const fn is_untold(self) -> bool {
        match self {
            Self::NotComparable | Self::NotEvaluated | Self::Missing => true,
            Self::Regressed
            | Self::FailsOtherwise
            | Self::NewlyFlaky
            | Self::Flaky
            | Self::StillFailing
            | Self::Fixed
            | Self::Unchanged => false,
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A change by counts alone, with the probability that chance explains it where a side is mixed.
///
/// All of one side and none of the other is a change, whatever the number: with one run of each that is what there is to
/// go by. Where a side is mixed, a change is called when Fisher's exact test gives less than `significance`.
pub(super) fn classify(base: &Tally, candidate: &Tally, significance: f64) -> (Class, Option<f64>) {
    let chance = fisher::chance(base.failed, base.evaluated, candidate.failed, candidate.evaluated);
    let shown = chance < significance;
    let mixed = |class| (class, Some(chance));
    let rarer = |tally: &Tally, other: &Tally| {
        u64::from(tally.failed) * u64::from(other.evaluated) < u64::from(other.failed) * u64::from(tally.evaluated)
    };
    let (class, chance) = match (base.fails(), candidate.fails()) {
        (Fails::Unknown, _) | (_, Fails::Unknown) => (Class::NotEvaluated, None),
        (Fails::Never, Fails::Never) => (passing(base, candidate), None),
        (Fails::Never, Fails::Always) => (Class::Regressed, None),
        (Fails::Always, Fails::Never) => (Class::Fixed, None),
        (Fails::Always, Fails::Always) => (Class::StillFailing, None),
        (Fails::Never, Fails::Sometimes) => mixed(Class::NewlyFlaky),
        (Fails::Sometimes, Fails::Never) => mixed(if shown { Class::Fixed } else { Class::Flaky }),
        (Fails::Sometimes, Fails::Always | Fails::Sometimes) if shown && rarer(base, candidate) => {
            mixed(Class::Regressed)
        }
        (Fails::Sometimes, Fails::Always | Fails::Sometimes) | (Fails::Always, Fails::Sometimes) => mixed(Class::Flaky),
    };
    // What was not evaluated may have failed: nobody may call that well.
    let well = matches!(class, Class::Fixed | Class::Unchanged);
    if well && base.unknown + candidate.unknown > 0 { (Class::NotEvaluated, chance) } else { (class, chance) }
}

/// Nobody fails; a scenario that expects a failure may have been surprised on one side.
fn passing(base: &Tally, candidate: &Tally) -> Class {
    let all = |tally: &Tally| tally.better == tally.evaluated;
    if base.better == 0 && all(candidate) {
        Class::Fixed
    } else if all(base) && candidate.better == 0 {
        Class::Regressed
    } else {
        Class::Unchanged
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `f3p2`: three fail, two pass; `b` passes where a failure is expected, `u` is not evaluated.
    fn tally(short: &str) -> Tally {
        let mut tally = Tally::default();
        let words: Vec<char> = short.chars().collect();
        for pair in words.chunks(2) {
            let count = pair[1].to_digit(36).unwrap();
            match pair[0] {
                'f' => (tally.evaluated, tally.failed) = (tally.evaluated + count, tally.failed + count),
                'p' => tally.evaluated += count,
                'b' => (tally.evaluated, tally.better) = (tally.evaluated + count, tally.better + count),
                _ => tally.unknown += count,
            }
        }
        tally
    }

    #[test]
    fn a_change_is_called_only_when_the_sides_really_differ() {
        for (base, candidate, expected) in [
            ("p1", "p1", Class::Unchanged),
            ("p1", "f1", Class::Regressed),
            ("f1", "p1", Class::Fixed),
            ("f1", "f1", Class::StillFailing),
            ("p5", "f5", Class::Regressed),
            ("p5", "f1p4", Class::NewlyFlaky),
            // Flaky before, and 3 tries without a failure show nothing; 30 do.
            ("f1p2", "p3", Class::Flaky),
            ("f5p5", "pu", Class::Fixed),
            // Flaky before, and now it always fails: by chance, then not.
            ("f2p3", "f5", Class::Flaky),
            ("f2p8", "fa", Class::Regressed),
            ("f1pj", "ffp5", Class::Regressed),
            ("ffp5", "f1pj", Class::Flaky),
            ("f2p3", "f3p2", Class::Flaky),
            ("f5", "f2p3", Class::Flaky),
            // A scenario that expects a failure.
            ("p1", "b1", Class::Fixed),
            ("b1", "p1", Class::Regressed),
            ("b1", "b1", Class::Unchanged),
            ("f1", "b1", Class::Fixed),
            ("b1", "f1", Class::Regressed),
            // What could not be told is neither well nor a change.
            ("u1", "p1", Class::NotEvaluated),
            ("p1", "u1", Class::NotEvaluated),
            ("u1", "f1", Class::NotEvaluated),
            ("p1", "p4u1", Class::NotEvaluated),
            ("f1", "p4u1", Class::NotEvaluated),
            ("p1", "f4u1", Class::Regressed),
        ] {
            let (class, chance) = classify(&tally(base), &tally(candidate), 0.05);
            assert_eq!(class, expected, "{base} -> {candidate}: {chance:?}");
        }
    }

    #[test]
    fn every_class_has_a_word_and_each_is_told_once() {
        assert!(Class::ALL.windows(2).all(|pair| pair[0] < pair[1]), "in the order in which they are told");
        for class in Class::ALL {
            assert!(!(class.is_regression() && class.is_untold()), "{class}");
            assert!(!class.mark().is_empty() && !class.name().is_empty());
        }
    }
}

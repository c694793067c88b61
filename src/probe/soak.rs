//! A soak: probes in turn, each in a process of its own for a slice of the time, until the time is over.

use std::time::Duration;

use super::protocol::Answer;
use super::verdict::of_repeats;
use crate::domain::Status;

/// Longest turn of one probe: what breaks after many launches breaks within one, and what breaks when something else ran
/// before has its chance.
const TURN: Duration = Duration::from_secs(30);

/// Turns that each probe has at least, where there is a second for each: one turn says nothing of how often.
const TURNS: u32 = 4;

/// How the time is shared out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Soak {
    whole: Duration,
    turn: Duration,
}

impl Soak {
    /// Of so many probes in this time.
    pub fn of(whole: Duration, probes: usize) -> Self {
        let turns = u32::try_from(probes.max(1)).unwrap_or(u32::MAX).saturating_mul(TURNS);
        Self { whole, turn: (whole / turns).clamp(Duration::from_secs(1), TURN) }
    }

    /// The whole time.
    pub const fn whole(&self) -> Duration {
        self.whole
    }

    /// Seconds of the turn that begins now; `None` where the time is over.
    pub fn turn(&self, elapsed: Duration) -> Option<u32> {
        let left = self.whole.checked_sub(elapsed).filter(|left| !left.is_zero())?;
        Some(u32::try_from(self.turn.min(left).as_secs()).unwrap_or(u32::MAX).max(1))
    }
}

/// What came of the turns of one probe.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tally {
    /// Turns, each a process.
    pub turns: u32,
    /// Turns that passed.
    pub passed: u32,
    /// Repeats that have a result, of all turns.
    pub repeats: u64,
    status: Option<Status>,
}

impl Tally {
    /// Adds a turn.
    pub fn add(&mut self, status: &Status, answers: &[Answer]) {
        self.turns += 1;
        self.passed += u32::from(*status == Status::Pass);
        self.repeats += answers.iter().map(|answer| u64::from(answer.outcome.repeats())).sum::<u64>();
        let each: Vec<Status> = self.status.take().into_iter().chain([status.clone()]).collect();
        self.status = of_repeats(&each);
    }

    /// What all turns together amount to.
    pub fn status(&self) -> Status {
        let never = || Status::NotEvaluated { reason: "the time was over before its turn".to_owned() };
        self.status.clone().unwrap_or_else(never)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::protocol::{Kind, Outcome};

    #[test]
    fn every_probe_has_its_turns_and_none_more_than_half_a_minute() {
        let seconds = Duration::from_secs;
        for (whole, probes, elapsed, turn) in [
            (1800, 4, 0, Some(30)),
            (1800, 225, 0, Some(2)),
            (60, 1, 0, Some(15)),
            (60, 1, 50, Some(10)),
            (60, 1, 60, None),
            (60, 1, 90, None),
            (10, 100, 0, Some(1)),
            (1, 0, 0, Some(1)),
        ] {
            assert_eq!(Soak::of(seconds(whole), probes).turn(seconds(elapsed)), turn, "{whole} {probes} {elapsed}");
        }
        assert_eq!(Soak::of(seconds(60), 1).turn(Duration::from_millis(59_500)), Some(1));
    }

    #[test]
    fn turns_that_disagree_are_flaky_and_none_is_no_pass() {
        let answer = |times| Answer { repeat: 0, outcome: Outcome::Same { times }, on: Kind::Gpu, evidence: vec![] };
        let mut tally = Tally::default();
        assert!(matches!(tally.status(), Status::NotEvaluated { .. }));
        tally.add(&Status::Pass, &[answer(7), answer(5)]);
        tally.add(&Status::Pass, &[answer(1)]);
        assert_eq!((tally.turns, tally.passed, tally.repeats, tally.status()), (2, 2, 13, Status::Pass));
        tally.add(&Status::NumericError, &[]);
        tally.add(&Status::Pass, &[]);
        assert_eq!((tally.turns, tally.passed, tally.status()), (4, 3, Status::Flaky));
    }
}

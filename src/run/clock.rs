//! The run's clock: its id and its times.

use std::time::Instant;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// When a run began.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started: Timestamp,
}

impl Clock {
    /// Now.
    pub fn start() -> Self {
        Self { started: Timestamp::now() }
    }

    /// Run id: UTC to the second, then what tells two runs of one second apart.
    pub fn run_id(&self) -> String {
        let time = self.started.strftime("%Y%m%dT%H%M%SZ");
        format!("{time}-{:06}", self.started.subsec_microsecond())
    }

    /// The clock of a run that was begun before, by its id; `None` where that is none.
    pub fn of(run_id: &str) -> Option<Self> {
        let (time, fraction) = run_id.split_once("Z-")?;
        let time = DateTime::strptime("%Y%m%dT%H%M%S", time).ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp();
        let fraction: i64 = fraction.parse().ok().filter(|fraction| (0..1_000_000).contains(fraction))?;
        let started = time.checked_add(SignedDuration::from_micros(fraction)).ok()?;
        Some(Self { started })
    }

    /// Start, RFC 3339, to the second.
    pub fn started(&self) -> String {
        self.started.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    /// Now, RFC 3339, to the second.
    pub fn now() -> String {
        Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }
}

/// Measures how long one thing takes.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Begins.
    #[expect(clippy::disallowed_methods, reason = "this module owns the run's clock")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// So far.
    pub fn elapsed(&self) -> std::time::Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_begun_when_its_id_says() {
        let clock = Clock::start();
        let again = Clock::of(&clock.run_id()).unwrap();
        assert_eq!((again.run_id(), again.started()), (clock.run_id(), clock.started()));
        assert_eq!(Clock::of("20261121T085926Z-820130").unwrap().started(), "2026-11-21T08:59:26Z");
        for text in ["", "20261121T085926Z", "20261121T085926Z-x", "20261121T085926Z--1", "99991121T995926Z-1"] {
            assert!(Clock::of(text).is_none(), "{text}");
        }
    }
}

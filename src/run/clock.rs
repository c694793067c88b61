//! The run's clock: its id and its times.

use std::time::Instant;

use jiff::Timestamp;

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
        format!("{time}-{:06}", self.started.subsec_microsecond() + self.started.subsec_millisecond() * 1000)
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

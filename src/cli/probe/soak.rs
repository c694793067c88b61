//! `validate probe … --soak 30m`: probes in turn until the time is over.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::SignedDuration;

use crate::cli::console::{self, Timer};
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::interrupt::Interrupt;
use crate::domain::{Meaning, Status};
use crate::probe::ProbeSpec;
use crate::probe::protocol::Request;
use crate::probe::soak::{Soak, Tally};
use crate::probe::stand::ProbeRun;
use crate::process::Cancel;
use crate::run::Stopwatch;

use super::supervised::{Supervising, code, note_unwatched};

/// Most kinds of outcomes of one probe that are told.
const TOLD: usize = 8;

/// One probe of a soak.
struct Soaked<'a> {
    spec: &'a ProbeSpec,
    tally: Tally,
    /// What came of its turns: the first of each kind.
    kinds: Vec<(Status, String)>,
    told: String,
}

impl Soaked<'_> {
    fn add(&mut self, supervising: &Supervising, run: &ProbeRun) {
        self.tally.add(&run.status, &run.done.said.answers);
        let kind = (run.status.clone(), run.done.classified.id.clone());
        // Whatever a turn printed is told of once, and not kept.
        if self.kinds.len() < TOLD && !self.kinds.contains(&kind) {
            supervising.tell(run, &mut self.told);
            self.kinds.push(kind);
        }
    }

    fn text(&self, supervising: &Supervising, whole: Duration) -> String {
        let Tally { turns, passed, repeats, .. } = &self.tally;
        let status = self.tally.status();
        let (word, id, seed) = (status.word().name(), self.spec.id(), self.spec.seed);
        let plural = if *turns == 1 { "" } else { "es" };
        let mut text = format!("{word:<16}  {id}  {repeats} repeats in {turns} process{plural}, {passed} passed\n");
        text.push_str(&self.told);
        if let (Status::NotEvaluated { reason }, true) = (&status, self.told.is_empty()) {
            let _ = writeln!(text, "    why    {reason}");
        }
        if status != Status::Pass {
            let (engine, place, time) = (supervising.stand.engine.name(), &supervising.place, shown(whole));
            let _ =
                writeln!(text, "    again  validate probe {id} --seed {seed} --engine {engine}{place} --soak {time}");
        }
        text
    }
}

/// Runs the probes in turn until the time is over.
///
/// # Errors
/// As of probes that are run once.
pub(super) fn run(supervising: &Supervising, whole: Duration) -> Outcome {
    let cancel = Cancel::new();
    let interrupt = Interrupt::listen(cancel.clone())?;
    let (clock, soak) = (Stopwatch::start(), Soak::of(whole, supervising.specs.len()));
    let timer = Timer::new(whole);
    let of = |spec| Soaked { spec, tally: Tally::default(), kinds: Vec::new(), told: String::new() };
    let mut probes: Vec<Soaked<'_>> = supervising.specs.iter().map(of).collect();
    let (mut device, mut unwatched, mut stop, mut next) = (None, None, None, 0);
    while let Some(seconds) = soak.turn(clock.elapsed()).filter(|_| stop.is_none()) {
        let Some(probe) = probes.get_mut(next) else { break };
        next = (next + 1) % supervising.specs.len();
        timer.at(clock.elapsed(), &probe.spec.id());
        let spec = ProbeSpec { repeats: ProbeSpec::MAX_REPEATS, ..probe.spec.clone() };
        let request = Request { budget: Some(seconds), ..Request::new(spec, supervising.stand.on) };
        let run = supervising.stand.run(&request, &cancel).map_err(Failure::unavailable)?;
        if interrupt.signal().is_some() {
            break;
        }
        if supervising.is_absent(&run) {
            return Err(supervising.absence());
        }
        device = run.done.said.hello.as_ref().and_then(|hello| hello.device.clone()).or(device);
        stop = run.stop;
        unwatched = run.unwatched.clone().or(unwatched);
        if run.status != Status::Pass {
            timer.note(&format!("{:>6}  {}  {}", shown(clock.elapsed()), run.status.word().name(), probe.spec.id()));
        }
        probe.add(supervising, &run);
    }
    drop(timer);
    let texts: String = probes.iter().map(|probe| probe.text(supervising, soak.whole())).collect();
    crate::cli::print(texts.as_bytes())?;
    if let Some(stop) = stop {
        console::note(&format!("stopped, since nothing can be trusted now: {stop}. {}", stop.advice()));
        return Ok(Exit::Unsafe);
    }
    let meanings: Vec<Meaning> = probes.iter().map(|probe| probe.tally.status().meaning()).collect();
    let right = meanings.iter().filter(|meaning| **meaning == Meaning::AsExpected).count();
    let (took, place) = (shown(clock.elapsed()), supervising.whereabouts(device.as_ref()));
    console::note(&format!("{right} of {} right after {took}, {place}", probes.len()));
    note_unwatched(unwatched.as_deref());
    Ok(interrupt.signal().map_or(Exit::Run(code(&meanings)), Exit::Interrupted))
}

/// To the second, as it is read.
fn shown(time: Duration) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    format!("{:#}", SignedDuration::from_secs(seconds)).replace(' ', "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::values::time;

    #[test]
    fn a_time_is_read_as_people_write_it_and_read_back_as_it_is_shown() {
        for (text, seconds) in
            [("1s", 1), ("90s", 90), ("30m", 1800), ("1h30m", 5400), ("1h 30m", 5400), ("PT2H", 7200)]
        {
            assert_eq!(time(text), Ok(Duration::from_secs(seconds)), "{text}");
            assert_eq!(time(&shown(Duration::from_secs(seconds))), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "30", "0s", "-5m", "8d", "999999999h", "soon"] {
            assert!(time(text).is_err(), "{text}");
        }
    }
}

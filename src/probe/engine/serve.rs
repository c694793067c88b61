//! The worker's side of a conversation, for engines that are written in Rust.

use std::io::{self, Read, Write};
use std::time::Duration;

use crate::probe::protocol::{
    Answer, Evidence, Hello, MemoryReport, Message, Outcome, PROTOCOL, Phase, Progress, Request,
};
use crate::probe::{ProbeSpec, SpecError};

/// How long results of a soak that are all alike are counted before they are said: well within the time after which a
/// worker is taken for one that hangs.
const COUNTING: Duration = Duration::from_secs(2);

/// Bytes after which a soak says good bye. Results that are never the same twice (sums whose order is not fixed) would
/// else be more than any supervisor takes of one worker, and each of them has to be judged.
const MOST: usize = 32 << 20;

/// What a worker was given is no request.
#[derive(Debug, thiserror::Error)]
pub enum NoRequest {
    /// It cannot be read.
    #[error("the request cannot be read: {0}")]
    Unread(#[from] io::Error),
    /// It is no such document.
    #[error("this is no request: {0}")]
    Json(#[from] serde_json::Error),
    /// It is of another version.
    #[error("this worker speaks version {PROTOCOL} of the protocol, not {0}")]
    Version(u32),
    /// What it asks for cannot be.
    #[error(transparent)]
    Spec(#[from] SpecError),
}

/// Reads what a worker is given on its standard input, to its end, and checks it.
///
/// # Errors
/// It is no request.
pub fn request(input: impl Read) -> Result<Request, NoRequest> {
    let mut bytes = Vec::new();
    input.take(2 * ProbeSpec::MAX_BYTES as u64).read_to_end(&mut bytes)?;
    let request: Request = serde_json::from_slice(&bytes)?;
    if request.protocol != PROTOCOL {
        return Err(NoRequest::Version(request.protocol));
    }
    request.probe.check()?;
    Ok(request)
}

/// Says hello, and that the first computation begins.
///
/// # Errors
/// Nobody listens any more.
pub fn greet(out: &mut impl Write, hello: &Hello) -> io::Result<()> {
    say(out, &Message::Hello(hello.clone()))?;
    say(out, &Message::Progress(Progress { phase: Phase::First, done: 0 }))?;
    Ok(())
}

/// Computes every repeat, or those that the budget has time for, says what came of it, and good bye. `elapsed` is the
/// time since any moment before; `compute` gives the answer of the repeat with this number.
///
/// A result that is bit for bit the one before is said to be: at once, or in a soak together with those that follow.
///
/// # Errors
/// Nobody listens any more.
pub fn converse(
    out: &mut impl Write,
    request: &Request,
    elapsed: &dyn Fn() -> Duration,
    compute: &mut dyn FnMut(u32) -> Answer,
) -> io::Result<()> {
    let began = elapsed();
    let patience = if request.budget.is_some() { COUNTING } else { Duration::ZERO };
    let budget = request.budget.map_or(Duration::MAX, |seconds| Duration::from_secs(seconds.into()));
    let mut before: Option<Likeness> = None;
    let mut alike: Option<Alike> = None;
    let (mut said, mut bytes) = (elapsed(), 0);
    for repeat in 0..request.probe.repeats {
        if repeat > 0 && (elapsed().saturating_sub(began) >= budget || (request.budget.is_some() && bytes > MOST)) {
            break;
        }
        let answer = compute(repeat);
        let raised = matches!(answer.outcome, Outcome::Raised { .. });
        let this = Likeness::of(&answer.outcome);
        let same = this.is_some() && this == before;
        before = this;
        match alike.as_mut().filter(|alike| same && alike.takes(&answer)) {
            Some(alike) => alike.times += 1,
            None => {
                bytes += Alike::say(alike.take(), out)?;
                if same {
                    alike = Some(Alike { first: answer, times: 1 });
                } else {
                    bytes += say(out, &Message::Result(answer))?;
                    said = elapsed();
                }
            }
        }
        if elapsed().saturating_sub(said) >= patience {
            bytes += Alike::say(alike.take(), out)?;
            said = elapsed();
        }
        if raised {
            break;
        }
    }
    Alike::say(alike, out)?;
    say(out, &Message::Bye {})?;
    Ok(())
}

/// What two outcomes have in common that are the same but for the time that they took.
#[derive(Debug, PartialEq)]
enum Likeness {
    Numbers(String),
    Memory(MemoryReport),
}

impl Likeness {
    fn of(outcome: &Outcome) -> Option<Self> {
        match outcome {
            Outcome::Numbers(output) => Some(Self::Numbers(output.sha256.clone())),
            Outcome::Memory(report) => Some(Self::Memory(MemoryReport { copying: 0, ..report.clone() })),
            Outcome::Same { .. } | Outcome::Raised { .. } => None,
        }
    }
}

/// Results that are as the one before them, and not said yet.
#[derive(Debug)]
struct Alike {
    /// The first of them.
    first: Answer,
    times: u32,
}

impl Alike {
    /// Whether this one ran where they did, and shows it as they do.
    fn takes(&self, next: &Answer) -> bool {
        let (evidence, others) = (&self.first.evidence, &next.evidence);
        self.first.on == next.on
            && evidence.len() == others.len()
            && evidence.iter().zip(others).all(|(one, other)| shows_alike(one, other))
    }

    /// Says them, if there are any. How many bytes that took.
    fn say(alike: Option<Self>, out: &mut impl Write) -> io::Result<usize> {
        let Some(Self { first, times }) = alike else { return Ok(0) };
        say(out, &Message::Result(Answer { outcome: Outcome::Same { times }, ..first }))
    }
}

/// Times and sizes differ from repeat to repeat; that there are any is what shows something.
fn shows_alike(one: &Evidence, other: &Evidence) -> bool {
    match (one, other) {
        (Evidence::Tensor(one), Evidence::Tensor(other)) => one == other,
        (Evidence::EventTime(one), Evidence::EventTime(other))
        | (Evidence::DeviceMemory(one), Evidence::DeviceMemory(other)) => (*one > 0) == (*other > 0),
        (Evidence::Tensor(_) | Evidence::EventTime(_) | Evidence::DeviceMemory(_), _) => false,
    }
}

/// How many bytes it took.
fn say(out: &mut impl Write, message: &Message) -> io::Result<usize> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    out.write_all(&line).and_then(|()| out.flush())?;
    Ok(line.len())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::probe::protocol::{Conversation, Kind, Raised, Reader};
    use crate::probe::{Output, ProbeSpec, Tensor};

    /// What is heard of a worker whose repeats take a second each.
    fn heard(repeats: u32, budget: Option<u32>, mut outcome: impl FnMut(u32) -> (Outcome, Kind)) -> Conversation {
        let probe = ProbeSpec { repeats, ..ProbeSpec::memory(crate::probe::spec::Memory::OutOfMemory) };
        let request = Request { budget, ..Request::new(probe, Kind::Gpu) };
        let hello =
            r#"{"message":"hello","protocol":1,"engine":"t","pid":7,"libraries":{},"gpu_backend":true,"gpus":1}"#;
        let mut out = format!("{hello}\n").into_bytes();
        let clock = Cell::new(Duration::from_secs(1000));
        converse(&mut out, &request, &|| clock.get(), &mut |repeat| {
            clock.set(clock.get() + Duration::from_secs(1));
            let (outcome, on) = outcome(repeat);
            Answer { repeat, outcome, on, evidence: vec![Evidence::EventTime(u64::from(repeat) + 1)] }
        })
        .unwrap();
        let mut reader = Reader::of(&request);
        reader.feed(&out);
        let said = reader.finish(true);
        assert_eq!(said.problem, None, "{}", String::from_utf8_lossy(&out));
        said
    }

    fn numbers(value: f64) -> (Outcome, Kind) {
        (Outcome::Numbers(Output::of(&Tensor { shape: vec![1], values: vec![value] })), Kind::Gpu)
    }

    fn times(said: &Conversation) -> Vec<u32> {
        let times = |answer: &Answer| match answer.outcome {
            Outcome::Same { times } => times,
            Outcome::Numbers(_) | Outcome::Memory(_) | Outcome::Raised { .. } => 0,
        };
        said.answers.iter().map(times).collect()
    }

    #[test]
    fn what_is_no_request_is_refused() {
        let written = |request: &Request| serde_json::to_vec(request).unwrap();
        let good = Request::new(ProbeSpec::memory(crate::probe::spec::Memory::OutOfMemory), Kind::Gpu);
        assert_eq!(request(written(&good).as_slice()).unwrap(), good);
        let newer = Request { protocol: PROTOCOL + 1, ..good.clone() };
        assert!(matches!(request(written(&newer).as_slice()), Err(NoRequest::Version(_))));
        let never = Request::new(ProbeSpec { repeats: 0, ..good.probe }, Kind::Gpu);
        assert!(matches!(request(written(&never).as_slice()), Err(NoRequest::Spec(_))));
        assert!(matches!(request(&b"{"[..]), Err(NoRequest::Json(_))));
    }

    #[test]
    fn without_a_budget_each_repeat_is_said_when_it_is_done() {
        assert_eq!(times(&heard(4, None, |_| numbers(1.0))), [0, 1, 1, 1]);
    }

    #[test]
    fn a_soak_ends_when_its_time_is_over_and_says_alike_results_together() {
        assert_eq!(times(&heard(1000, Some(7), |_| numbers(1.0))), [0, 2, 2, 2]);
        assert_eq!(times(&heard(1000, Some(1), |_| numbers(1.0))), [0], "one at least");
        assert_eq!(times(&heard(3, Some(60), |_| numbers(1.0))), [0, 2], "no more than asked for");
    }

    #[test]
    fn what_differs_is_never_counted_as_alike() {
        let once = |at: u32| move |repeat: u32| numbers(if repeat == at { 2.0 } else { 1.0 });
        assert_eq!(times(&heard(6, Some(60), once(2))), [0, 1, 0, 0, 2]);
        let elsewhere = |repeat: u32| (numbers(1.0).0, if repeat == 2 { Kind::Cpu } else { Kind::Gpu });
        let said = heard(6, Some(60), elsewhere);
        assert_eq!(said.answers.iter().filter(|answer| answer.on == Kind::Cpu).count(), 1);
        let raising = |repeat: u32| match repeat {
            2 => (Outcome::Raised { kind: Raised::Other, text: "no".to_owned() }, Kind::Gpu),
            _ => numbers(1.0),
        };
        assert_eq!(times(&heard(6, Some(60), raising)), [0, 1, 0], "and nothing follows what was raised");
    }

    #[test]
    fn a_soak_whose_results_are_never_the_same_ends_before_they_are_too_many() {
        let wide = |repeat: u32| {
            let values = vec![f64::from(repeat); Output::FULL];
            (Outcome::Numbers(Output::of(&Tensor { shape: vec![Output::FULL], values })), Kind::Gpu)
        };
        let said = heard(1000, Some(10_000), wide);
        assert!((20..60).contains(&said.answers.len()), "{}", said.answers.len());
    }
}

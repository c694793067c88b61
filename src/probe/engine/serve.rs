//! The worker's side of a conversation, for engines that are part of this program.

use std::io::{self, Write};

use crate::probe::protocol::{Answer, Evidence, Hello, Kind, Message, Outcome, Phase, Progress, Request};

/// Says hello, and that the first computation begins.
///
/// # Errors
/// Nobody listens any more.
pub fn greet(out: &mut impl Write, hello: &Hello) -> io::Result<()> {
    say(out, &Message::Hello(hello.clone()))?;
    say(out, &Message::Progress(Progress { phase: Phase::First, done: 0 }))
}

/// Computes every repeat, says what came of it, and good bye. A result that is bit for bit the one before is said to be.
///
/// # Errors
/// Nobody listens any more.
pub fn converse(
    out: &mut impl Write,
    request: &Request,
    on: Kind,
    evidence: &[Evidence],
    compute: &mut dyn FnMut() -> Outcome,
) -> io::Result<()> {
    let mut before: Option<String> = None;
    for repeat in 0..request.probe.repeats {
        let mut outcome = compute();
        let raised = matches!(outcome, Outcome::Raised { .. });
        if let Outcome::Numbers(output) = &outcome {
            let hash = output.sha256.clone();
            if before.as_ref() == Some(&hash) {
                outcome = Outcome::Same { times: 1 };
            }
            before = Some(hash);
        }
        say(out, &Message::Result(Answer { repeat, outcome, on, evidence: evidence.to_vec() }))?;
        if raised {
            break;
        }
    }
    say(out, &Message::Bye {})
}

fn say(out: &mut impl Write, message: &Message) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    out.write_all(&line).and_then(|()| out.flush())
}

//! Reads a worker's lines as they come. Nothing is forgiven, and everything is bounded: what is no message, or comes out
//! of order, is the first problem, and stays it.

use super::{Answer, Hello, MAX_LINE, Message, Outcome, PROTOCOL, Phase, Progress, Request};

/// Most bytes that are kept of lines that are no messages: the runtime prints there too, and what it prints may say why
/// the worker died.
const NOISE: usize = 256 << 10;

/// Most results that are kept of one worker: those that are alike are said together.
const MOST_ANSWERS: usize = 1 << 16;

/// Longest piece of a line that a problem shows, in characters.
const SHOWN: usize = 200;

/// Everything that a worker said.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Conversation {
    /// Who it is.
    pub hello: Option<Hello>,
    /// One per repeat, in order.
    pub answers: Vec<Answer>,
    /// Where it was when it last said so.
    pub progress: Option<Progress>,
    /// Whether it said good bye.
    pub bye: bool,
    /// What it printed that is no message, bounded.
    pub noise: Vec<u8>,
    /// The first thing that was wrong.
    pub problem: Option<Problem>,
}

/// What is wrong with what a worker said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A line is no message.
    #[error("line {line} is no message ({problem}): {text:?}")]
    NotAMessage {
        /// From 1.
        line: u64,
        /// Its beginning.
        text: String,
        /// Why.
        problem: String,
    },
    /// A line does not end.
    #[error("line {line} is longer than {MAX_LINE} bytes")]
    TooLong {
        /// From 1.
        line: u64,
    },
    /// A message comes where it cannot.
    #[error("line {line}: {problem}")]
    OutOfOrder {
        /// From 1.
        line: u64,
        /// Why.
        problem: String,
    },
    /// The last line has no end.
    #[error("line {line} was not finished: {text:?}")]
    Unfinished {
        /// From 1.
        line: u64,
        /// Its beginning.
        text: String,
    },
    /// It ended well without a good bye.
    #[error("it exited with 0 without saying {missing}")]
    NoBye {
        /// What it did not say.
        missing: &'static str,
    },
}

/// What is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// No message.
    Nothing,
    /// It is at it, in this phase.
    Alive(Phase),
    /// A result, or the end.
    Done,
}

/// A conversation on its way.
#[derive(Debug)]
pub struct Reader {
    repeats: u32,
    /// Whether fewer repeats will do, since time may run out.
    budgeted: bool,
    /// Repeats that have their result.
    done: u32,
    /// The line that has not ended yet.
    pub(super) begun: Vec<u8>,
    /// Its number, from 1.
    line: u64,
    /// Whether its beginning was thrown away, for it is too long.
    skipping: bool,
    said: Conversation,
}

impl Reader {
    /// Of a worker that was asked for this.
    pub fn of(request: &Request) -> Self {
        Self { budgeted: request.budget.is_some(), ..Self::new(request.probe.repeats) }
    }

    /// Of a worker that was asked for so many repeats.
    pub fn new(repeats: u32) -> Self {
        Self {
            repeats,
            budgeted: false,
            done: 0,
            begun: Vec::new(),
            line: 1,
            skipping: false,
            said: Conversation::default(),
        }
    }

    /// Takes what was printed next.
    pub fn feed(&mut self, bytes: &[u8]) -> News {
        let mut news = News::Nothing;
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let Some(end) = piece.strip_suffix(b"\n") else {
                self.begin(piece);
                continue;
            };
            self.begin(end);
            if !std::mem::take(&mut self.skipping) {
                let line = std::mem::take(&mut self.begun);
                match self.end_of_line(&line) {
                    News::Nothing => {}
                    // Of messages that come at once the one that ends a phase counts.
                    News::Alive(_) if news == News::Done => {}
                    heard @ (News::Alive(_) | News::Done) => news = heard,
                }
            }
            self.line += 1;
        }
        news
    }

    /// The number of the worker, by its own word; `None` before it said hello.
    pub fn greeted(&self) -> Option<u32> {
        self.said.hello.as_ref().map(|hello| hello.pid)
    }

    /// Whether a result came.
    pub const fn answered(&self) -> bool {
        !self.said.answers.is_empty()
    }

    /// Everything that was said; `well` where the worker exited with 0.
    pub fn finish(mut self, well: bool) -> Conversation {
        if !self.begun.is_empty() {
            let begun = std::mem::take(&mut self.begun);
            let text = shown(&begun);
            self.keep(&begun);
            // A process that dies is interrupted in the middle of a line: that is no fault of its own.
            if well {
                self.wrong(Problem::Unfinished { line: self.line, text });
            }
        }
        if well && !self.said.bye {
            let missing = if self.said.hello.is_none() { "hello" } else { "bye" };
            self.wrong(Problem::NoBye { missing });
        }
        self.said
    }

    fn begin(&mut self, piece: &[u8]) {
        if self.skipping {
            return;
        }
        if self.begun.len() + piece.len() > MAX_LINE {
            self.skipping = true;
            let begun = std::mem::take(&mut self.begun);
            self.keep(&begun);
            self.wrong(Problem::TooLong { line: self.line });
        } else {
            self.begun.extend_from_slice(piece);
        }
    }

    fn end_of_line(&mut self, line: &[u8]) -> News {
        match serde_json::from_slice::<Message>(line) {
            Ok(message) => self.take(message).unwrap_or_else(|problem| {
                self.wrong(Problem::OutOfOrder { line: self.line, problem });
                News::Nothing
            }),
            Err(error) => {
                self.keep(line);
                self.keep(b"\n");
                self.wrong(Problem::NotAMessage { line: self.line, text: shown(line), problem: error.to_string() });
                News::Nothing
            }
        }
    }

    fn take(&mut self, message: Message) -> Result<News, String> {
        if self.said.bye {
            return Err("something after bye".to_owned());
        }
        if !matches!(message, Message::Hello(_)) && self.said.hello.is_none() {
            return Err("something before hello".to_owned());
        }
        match message {
            Message::Hello(_) if self.said.hello.is_some() => Err("a second hello".to_owned()),
            Message::Hello(hello) if hello.protocol != PROTOCOL => {
                Err(format!("it speaks version {} of the protocol, and this program {PROTOCOL}", hello.protocol))
            }
            Message::Hello(hello) => {
                self.said.hello = Some(hello);
                Ok(News::Alive(Phase::First))
            }
            Message::Progress(progress) => {
                self.said.progress = Some(progress);
                Ok(News::Alive(progress.phase))
            }
            Message::Result(answer) => self.answer(answer),
            Message::Bye {} if !self.is_complete() => {
                Err(format!("bye after {} of {} results", self.done, self.repeats))
            }
            Message::Bye {} => {
                self.said.bye = true;
                Ok(News::Done)
            }
        }
    }

    fn answer(&mut self, answer: Answer) -> Result<News, String> {
        if answer.repeat != self.done {
            return Err(format!("result {} where {} is next", answer.repeat, self.done));
        }
        if self.said.answers.len() == MOST_ANSWERS {
            return Err(format!("more than {MOST_ANSWERS} results, which were not said together"));
        }
        if self.done == self.repeats || self.has_raised() {
            return Err("a result after the last one".to_owned());
        }
        if matches!(answer.outcome, Outcome::Same { .. }) && self.said.answers.is_empty() {
            return Err("the first result is like no other".to_owned());
        }
        let repeats = answer.outcome.repeats();
        if repeats == 0 || repeats > self.repeats - self.done {
            return Err(format!("{repeats} results at once, where {} are left", self.repeats - self.done));
        }
        self.done += repeats;
        self.said.answers.push(answer);
        Ok(News::Done)
    }

    /// Whether every repeat has its result, or one of them raised: an engine that raised need not go on.
    fn is_complete(&self) -> bool {
        self.has_raised() || self.done == self.repeats || (self.budgeted && self.done > 0)
    }

    fn has_raised(&self) -> bool {
        matches!(self.said.answers.last(), Some(Answer { outcome: Outcome::Raised { .. }, .. }))
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = NOISE - self.said.noise.len().min(NOISE);
        self.said.noise.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn wrong(&mut self, problem: Problem) {
        self.said.problem.get_or_insert(problem);
    }
}

fn shown(line: &[u8]) -> String {
    String::from_utf8_lossy(&line[..line.len().min(4 * SHOWN)]).chars().take(SHOWN).collect()
}

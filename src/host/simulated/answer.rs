//! One call of the simulated amd-smi, safe beside others.
//!
//! The call is answered on a snapshot first, without the lock: it may ask a question or hang. Only where it changed the
//! machine it is answered once more on the state of that moment, alone, with the replies already given.

use std::path::Path;

use crate::host::HostError;
use crate::sim::Kernel;
use crate::sim::render::amd_smi::{self, Response, Session};

use super::update;

/// What is called, and by whom.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// Arguments after the program name.
    pub args: &'a [String],
    /// Effective user id 0.
    pub root: bool,
}

/// What the tool answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// What it printed and how it exits.
    pub response: Response,
    /// The tool hangs: what it printed before that.
    pub hangs: Option<Vec<u8>>,
}

/// Answers one call on `snapshot`, the machine of `dir` as [`super::load`] gave it. `ask` prints what the tool has
/// printed so far and reads a line, as [`Session::ask`]; no lock is held meanwhile.
///
/// # Errors
/// As [`update`].
pub fn answer(
    dir: &Path,
    snapshot: &Kernel,
    call: Call<'_>,
    ask: &mut dyn FnMut(&[u8]) -> Option<String>,
) -> Result<Answered, HostError> {
    let mut replies: Vec<Option<String>> = Vec::new();
    let mut first = snapshot.clone();
    let answered = once(&mut first, call, &mut |shown| {
        let reply = ask(shown);
        replies.push(reply.clone());
        reply
    });
    let changed = first.state() != snapshot.state();
    let by_query = first.state().same_but_for_queries(snapshot.state());
    if !changed && !snapshot.counts_calls() {
        return Ok(answered);
    }
    let again = update(dir, |kernel| {
        let mut given = replies.iter();
        // A question that was not asked before has no reply: nobody is asked while the lock is held.
        let answered = once(kernel, call, &mut |_| given.next().cloned().flatten());
        kernel.count_call();
        answered
    });
    match again {
        Ok(answered) => Ok(answered),
        // Only the count, or what a query leaves behind, is lost: whoever may not write still gets answers to queries.
        Err(HostError::Unwritable { .. }) if by_query => Ok(answered),
        Err(error) => Err(error),
    }
}

fn once(kernel: &mut Kernel, call: Call<'_>, ask: &mut dyn FnMut(&[u8]) -> Option<String>) -> Answered {
    let mut hangs = None;
    let tool = kernel.machine().amd_smi;
    // Waiting for ever is the caller's business: it must hold no lock then.
    let mut hang = |shown: &[u8]| hangs = Some(shown.to_vec());
    let mut session = Session { args: call.args, root: call.root, ask, hang: &mut hang };
    let response = amd_smi::answer(kernel, tool, &mut session);
    Answered { response, hangs }
}

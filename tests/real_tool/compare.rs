//! What counts as the same: stdout, stderr, the way it ended, and the machine's modes afterwards.

use std::collections::BTreeSet;

use similar::TextDiff;

use crate::accepted::Accepted;
use crate::plan::{Call, Scene};
use crate::play::Answer;

/// One call, compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// Row of the table.
    pub command: String,
    /// The call, with its machine.
    pub name: String,
    /// How the sides compare.
    pub outcome: Outcome,
}

/// How the sides compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Every byte.
    Identical,
    /// But for these entries of the table of accepted differences.
    Accepted(BTreeSet<usize>),
    /// A diff.
    Different(String),
}

/// Compares one call.
pub fn compare(scene: &Scene, call: &Call, theirs: &Answer, ours: &Answer, accepted: &Accepted) -> Compared {
    let outcome = if theirs == ours {
        Outcome::Identical
    } else {
        let (left, right) = (whole(theirs), whole(ours));
        match accepted.reconcile(scene, call, &left, &right) {
            Some(entries) => Outcome::Accepted(entries),
            None => Outcome::Different(diff(&left, &right)),
        }
    };
    Compared { command: call.command(), name: format!("{scene}: {call}"), outcome }
}

/// Everything that is compared, as one text. A missing last newline shows.
fn whole(answer: &Answer) -> String {
    let part = |name: &str, text: &str| {
        let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\u{23ce} missing\n" };
        format!("[{name}]\n{text}{end}")
    };
    let ended = format!("[ended]\n{:?}\n", answer.ended);
    [part("stdout", &answer.stdout), part("stderr", &answer.stderr), ended, part("machine", &answer.state)].concat()
}

fn diff(left: &str, right: &str) -> String {
    TextDiff::from_lines(left, right).unified_diff().context_radius(2).header("amd-smi", "shim").to_string()
}

/// The rules of this file, as tests.
pub mod tests {
    use rocvet::domain::Ended;

    use super::*;
    use crate::plan;

    /// One planted difference in each of the four things that are compared is found and shown.
    pub fn any_difference_is_seen() {
        let text = "[groups]\n[[scene]]\nmachine = 'mi300x'\ncalls = ['list']";
        let scene = plan::read(text, "27.1.0".parse().unwrap(), false).unwrap().remove(0);
        let none = Accepted::read("").unwrap();
        let answer = Answer {
            stdout: "GPU: 0\n".into(),
            stderr: "note\n".into(),
            ended: Ended::Exited { code: 0 },
            state: "GPU 0: SPX\n".into(),
        };
        let outcome = |other: &Answer| compare(&scene, &scene.calls[0], &answer, other, &none).outcome;
        assert_eq!(outcome(&answer), Outcome::Identical);
        for (other, shown) in [
            (Answer { stdout: "GPU: 1\n".into(), ..answer.clone() }, "+GPU: 1"),
            (Answer { stdout: "GPU: 0".into(), ..answer.clone() }, "missing"),
            (Answer { stdout: "GPU: 0 \n".into(), ..answer.clone() }, "+GPU: 0 "),
            (Answer { stderr: String::new(), ..answer.clone() }, "-note"),
            (Answer { ended: Ended::Exited { code: 1 }, ..answer.clone() }, "code: 1"),
            (Answer { state: "GPU 0: CPX\n".into(), ..answer.clone() }, "+GPU 0: CPX"),
        ] {
            match outcome(&other) {
                Outcome::Different(diff) => assert!(diff.contains(shown), "{diff}"),
                same => panic!("{other:?}: {same:?}"),
            }
        }
    }
}

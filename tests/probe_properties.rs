//! What a worker may print, against anything: no bytes make the reader or the classifier panic, or take more memory than
//! they may, and nothing is named that is not there.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;
use rocvet::domain::{Ended, Limit, Reading, Signal};
use rocvet::facts::{Class, Severity, Stream, signatures};
use rocvet::probe::classify::{Classified, Pids, Remains, classify};
use rocvet::probe::protocol::Reader;

/// Lines of conversations, whole and broken.
const LINES: [&str; 12] = [
    r#"{"message":"hello","protocol":1,"engine":"x","pid":7,"libraries":{},"gpu_backend":false,"gpus":0}"#,
    r#"{"message":"progress","phase":"first","done":0}"#,
    r#"{"message":"progress","phase":"run","done":4294967295}"#,
    r#"{"message":"result","repeat":0,"outcome":{"raised":{"kind":"other","text":""}},"on":"gpu","evidence":[]}"#,
    r#"{"message":"result","repeat":0,"outcome":{"same":{}},"on":"cpu","evidence":[{"event-time":1}]}"#,
    r#"{"message":"bye"}"#,
    r#"{"message":"bye","and":1}"#,
    r#"{"message":"hello","protocol":99}"#,
    "GPU core dump created: gpucore.7",
    "{",
    "",
    "\u{fffd}\r",
];

fn ending() -> impl Strategy<Value = Ended> {
    prop_oneof![
        (0..=255).prop_map(|code| Ended::Exited { code }),
        (1..=64).prop_map(|signal| Ended::Signaled { signal: Signal(signal) }),
        Just(Ended::TimedOut { limit: Limit::Silence }),
        Just(Ended::TimedOut { limit: Limit::Output }),
        Just(Ended::Unreaped),
        Just(Ended::Cancelled),
    ]
}

fn died(ended: &Ended, stderr: &[u8], kernel: &str) -> Classified {
    let pids = Pids::Known(vec![4242]);
    classify(&Remains { ended, answered: false, stderr, stdout: b"", kernel: Reading::Value(kernel), pids })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn pieces_of_a_conversation_are_heard_as_the_whole(
        lines in prop::collection::vec(prop::sample::select(LINES.to_vec()), 0..12),
        noise in prop::collection::vec(any::<u8>(), 0..40),
        size in 1_usize..50,
        well in any::<bool>(),
    ) {
        let mut bytes = lines.join("\n").into_bytes();
        bytes.extend(noise);
        let mut whole = Reader::new(1);
        whole.feed(&bytes);
        let mut pieces = Reader::new(1);
        for piece in bytes.chunks(size) {
            pieces.feed(piece);
        }
        let said = whole.finish(well);
        prop_assert_eq!(&said, &pieces.finish(well));
        prop_assert!(said.noise.len() <= bytes.len() + lines.len() + 1);
        // Exit code 0 is only well with everything said.
        prop_assert!(!well || said.bye || said.problem.is_some());
    }

    #[test]
    fn any_bytes_are_classified_and_only_what_is_there_is_named(
        ended in ending(),
        stderr in prop::collection::vec(any::<u8>(), 0..300),
        kernel in ".{0,200}",
    ) {
        let found = died(&ended, &stderr, &kernel);
        prop_assert_eq!(&found.signature, &None, "{:?}", found);
        prop_assert!(found.seen.is_empty());
        prop_assert!(found.class.is_some() || ended == Ended::Cancelled);
        prop_assert!(found.id.chars().count() < 200);
    }

    #[test]
    fn a_fatal_text_is_found_wherever_it_stands(
        index in 0_usize..1000,
        before in "[a-z \n]{0,100}",
        after in "\n[a-z \n]{0,100}",
    ) {
        let fatal = |each: &&rocvet::facts::Signature| {
            each.terminal && each.severity == Severity::Fatal && each.stream == Stream::Stderr
        };
        let all: Vec<_> = signatures().iter().filter(fatal).collect();
        let planted = all[index % all.len()];
        let text = format!("{before}\n{}{after}", planted.examples[0]);
        let found = died(&Ended::Signaled { signal: Signal(6) }, text.as_bytes(), "");
        // What nobody caught yields to what it wraps, and stands alone here.
        prop_assert_eq!(found.class, Some(planted.class), "{}", text);
        prop_assert!(found.class != Some(Class::Unknown));
    }
}

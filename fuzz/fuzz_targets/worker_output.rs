//! Any bytes as what a worker prints: heard in pieces as in one, and classified.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rocvet::domain::{Ended, Reading, Signal};
use rocvet::probe::classify::{Pids, Remains, classify};
use rocvet::probe::protocol::Reader;

fuzz_target!(|bytes: &[u8]| {
    let (mut whole, mut pieces) = (Reader::new(2), Reader::new(2));
    whole.feed(bytes);
    for piece in bytes.chunks(7) {
        pieces.feed(piece);
    }
    let said = whole.finish(true);
    assert_eq!(said, pieces.finish(true));
    let kernel = String::from_utf8_lossy(bytes);
    classify(&Remains {
        ended: &Ended::Signaled { signal: Signal(6) },
        answered: false,
        stderr: bytes,
        stdout: &said.noise,
        kernel: Reading::Value(&kernel),
        pids: Pids::Known(vec![1]),
    });
});

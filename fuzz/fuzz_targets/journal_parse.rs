//! Any bytes as the journal of a partition change: read or refused, and what is read writes and reads back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rocvet::partition::Journal;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(journal) = Journal::parse(bytes) {
        let again = journal.to_json().map(|text| Journal::parse(&text));
        assert!(matches!(again, Ok(Ok(again)) if again == journal), "a journal reads back");
    }
});

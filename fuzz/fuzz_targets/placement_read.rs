//! Any text as a ledger, a model's `config.json`, and one `--model`: read or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rocvet::placement::{Book, ModelSpec, from_config};

fuzz_target!(|text: &str| {
    if let Ok(book) = Book::parse(text) {
        let again = book.to_text().map(|text| Book::parse(&text));
        assert!(matches!(again, Ok(Ok(again)) if again == book), "a ledger reads back");
    }
    if let Ok(shape) = from_config("fuzz", text, None) {
        assert!(shape.numbers().params > 0);
    }
    if let Ok(spec) = text.parse::<ModelSpec>() {
        assert!(!spec.name.chars().any(char::is_control), "a name is shown to a person");
    }
});

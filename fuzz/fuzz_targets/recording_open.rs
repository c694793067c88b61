//! Any bytes as the files of a recorded host: the two parts, after a zero byte each, are its index and one transcript.
#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use rocvet::host::recorded::replay;

const HOST: &str = "kind = \"recorded\"\nschema = 1\norigin = \"fuzz\"\nwritten-by = \"fuzz\"\n";

/// One folder for each fuzzing process.
static DIR: LazyLock<PathBuf> = LazyLock::new(|| {
    let dir = std::env::temp_dir().join(format!("rocvet-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(dir.join("transcripts")).expect("a writable temporary folder");
    std::fs::write(dir.join("host.toml"), HOST).expect("a writable temporary folder");
    dir
});

fuzz_target!(|data: &[u8]| {
    let cut = data.iter().position(|&byte| byte == 0).unwrap_or(data.len());
    let (index, transcript) = (&data[..cut], data.get(cut + 1..).unwrap_or_default());
    std::fs::write(DIR.join("transcripts/index.toml"), index).expect("a writable temporary folder");
    std::fs::write(DIR.join("transcripts/a"), transcript).expect("a writable temporary folder");
    // An error names what it is about; nothing panics, and nothing outside of the folder is read.
    if let Err(error) = replay(&DIR, &["list".to_owned()]) {
        assert!(!error.to_string().is_empty());
    }
});

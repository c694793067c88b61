//! Values of options that several commands have, and how they are written again for a shell.

use std::time::Duration;

use jiff::SignedDuration;

use crate::probe::protocol::Kind;

/// Longest time that an option may say: a week.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// `90s`, `30m`, `1h30m`.
pub fn time(text: &str) -> Result<Duration, String> {
    let help = || "a time like 90s, 30m or 1h30m, from 1s to 7d".to_owned();
    let time = text.parse::<SignedDuration>().map_err(|_| help())?;
    let time = Duration::try_from(time).map_err(|_| help())?;
    if (Duration::from_secs(1)..=LONGEST).contains(&time) { Ok(time) } else { Err(help()) }
}

/// `HSA_ENABLE_SDMA=0`.
pub fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("written like HSA_ENABLE_SDMA=0")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(plain) {
        return Err(format!("{name:?} names no environment variable"));
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// `gpu` or `cpu`.
pub fn kind(text: &str) -> Result<Kind, String> {
    Kind::ALL.into_iter().find(|each| each.name() == text).ok_or_else(|| "one of gpu, cpu".to_owned())
}

/// A word as a shell reads it back.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

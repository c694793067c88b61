//! The name that somebody may have meant.

/// The nearest of the valid names, when one is near enough to be what was meant.
pub fn nearest<'a>(word: &str, valid: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word: String = word.chars().take(64).flat_map(char::to_lowercase).collect();
    valid
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&word, &name.to_lowercase()), name))
        .filter(|&(score, _)| score >= 0.75)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_finds_its_name_and_noise_finds_none() {
        let valid = ["title", "simulate", "machine", "amd-smi"];
        for (word, expected) in [
            ("titel", Some("title")),
            ("machin", Some("machine")),
            ("amd_smi", Some("amd-smi")),
            ("AMD-SMI", Some("amd-smi")),
            ("zzz", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, valid), expected, "{word}");
        }
    }
}

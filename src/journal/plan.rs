//! Whether a plan is the one that a journal was begun for.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// SHA-256 of the parts of a plan, in hexadecimal. Each part counts with its length, so that no two lists of parts run
/// together into the same.
pub fn digest<T: AsRef<[u8]>>(parts: impl IntoIterator<Item = T>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        let part = part.as_ref();
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_plan_has_another_digest() {
        let plans: [&[&str]; 5] = [&[], &["a"], &["a", "b"], &["ab"], &["b", "a"]];
        let digests: std::collections::BTreeSet<_> = plans.iter().map(|plan| digest(plan.iter())).collect();
        assert_eq!(digests.len(), plans.len());
        assert!(digests.iter().all(|digest| digest.len() == 64));
    }
}

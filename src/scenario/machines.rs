//! The machines that a scenario can name.

use crate::facts;

/// Machines of the recorded reference transcripts, simplifications included.
const REFERENCES: [&str; 2] = ["reference-mi300x", "reference-rx5700xt"];

/// Names of the machines that the binary knows: the parts in lower case, and the reference machines.
pub fn machine_names() -> impl Iterator<Item = &'static str> {
    use std::sync::LazyLock;
    static NAMES: LazyLock<Vec<String>> = LazyLock::new(|| {
        facts::parts().iter().map(facts::Part::machine_name).chain(REFERENCES.map(str::to_owned)).collect()
    });
    NAMES.iter().map(String::as_str)
}

/// Whether a `machine` value is the path of a machine file rather than a name.
pub(super) fn names_a_file(name: &str) -> bool {
    name.contains(['/', '\\']) || name.ends_with(".toml") || matches!(name, "." | "..")
}

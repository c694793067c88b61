//! The machines that come with the program, by name.

use super::{Machine, MachineError};

macro_rules! presets {
    ($($name:literal),+ $(,)?) => {
        const PRESETS: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../scenarios/machines/", $name, ".toml")))),+];
    };
}

presets!(
    "mi300x",
    "mi308x",
    "mi325x",
    "mi350x",
    "mi355x",
    "mi300a",
    "mi250x",
    "rx5500xt",
    "rx5600xt",
    "rx5700xt",
    "rx6600",
    "rx6700xt",
    "rx6800xt",
    "rx6900xt",
    "rx7900xtx",
    "reference-mi300x",
    "reference-rx5700xt",
);

/// Every name.
pub fn names() -> Vec<&'static str> {
    PRESETS.iter().map(|(name, _)| *name).collect()
}

/// The machine with this name, in any case; its file is embedded.
pub fn named(name: &str) -> Result<Machine, MachineError> {
    match PRESETS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
        Some((_, text)) => Machine::parse(text),
        None => Err(unknown(name)),
    }
}

fn unknown(name: &str) -> MachineError {
    let name: String = name.chars().take(64).collect();
    let wanted = name.to_lowercase();
    let nearest = PRESETS
        .iter()
        .map(|(known, _)| (strsim::jaro_winkler(&wanted, known), *known))
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map_or_else(String::new, |(_, known)| known.to_owned());
    MachineError::UnknownMachine { name, nearest }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_machine_can_be_and_carries_its_own_name() {
        for name in names() {
            assert_eq!(named(name).unwrap().name, name);
        }
        assert_eq!(names().len(), 17);
    }

    #[test]
    fn an_unknown_machine_is_refused_with_the_nearest_name() {
        let error = named("mi300xx").unwrap_err().to_string();
        assert!(error.contains("nearest: mi300x"), "{error}");
    }
}

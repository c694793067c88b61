//! Which GPUs a command is about.

use std::fmt;
use std::str::FromStr;

use crate::domain::Bdf;
use crate::topology::Socket;

/// One `--gpu`: a physical GPU by its address, or by its place in PCI order as `partition show` counts them. It is not
/// amd-smi's index, which counts logical devices in order of discovery (facts/partitions.md section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// By address. The function digit does not matter: partitions of a GPU share the rest.
    Address(Bdf),
    /// By place in PCI order, from 0.
    Place(usize),
}

/// The text is neither an address nor a number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither a PCI address like 0000:05:00.0 nor the number of a GPU")]
pub struct ChoiceError(String);

impl FromStr for Choice {
    type Err = ChoiceError;

    fn from_str(text: &str) -> Result<Self, ChoiceError> {
        if let Ok(place) = text.parse() {
            return Ok(Self::Place(place));
        }
        text.parse().map(Self::Address).map_err(|_| ChoiceError(text.chars().take(40).collect()))
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(bdf) => write!(f, "{bdf}"),
            Self::Place(place) => write!(f, "{place}"),
        }
    }
}

/// A GPU was named that the machine does not show.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no GPU {named}; this machine shows {there}")]
pub struct NoSuchGpu {
    named: String,
    there: String,
}

/// Which of `sockets` are named, each once and in PCI order; all of them when none is named.
///
/// # Errors
/// One is named that is not there.
pub fn chosen(sockets: &[Socket<'_>], choices: &[Choice]) -> Result<Vec<usize>, NoSuchGpu> {
    if choices.is_empty() {
        return Ok((0..sockets.len()).collect());
    }
    let place = |choice: &Choice| match choice {
        Choice::Address(bdf) => sockets.iter().position(|socket| socket.bdf == bdf.socket()),
        Choice::Place(place) => (*place < sockets.len()).then_some(*place),
    };
    let mut places = Vec::new();
    for choice in choices {
        let found = place(choice).ok_or_else(|| NoSuchGpu { named: choice.to_string(), there: listed(sockets) })?;
        places.push(found);
    }
    places.sort_unstable();
    places.dedup();
    Ok(places)
}

fn listed(sockets: &[Socket<'_>]) -> String {
    let names: Vec<_> = sockets.iter().enumerate().map(|(place, socket)| format!("{place} = {}", socket.bdf)).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sockets(addresses: &[&str]) -> Vec<Socket<'static>> {
        let bare = |text: &&str| Socket { bdf: text.parse().unwrap(), sysfs: None, nodes: Vec::new() };
        addresses.iter().map(bare).collect()
    }

    fn places(choices: &[&str]) -> Result<Vec<usize>, String> {
        let choices: Vec<Choice> = choices.iter().map(|text| text.parse().unwrap()).collect();
        chosen(&sockets(&["0000:05:00.0", "0000:26:00.0", "0001:05:00.0"]), &choices).map_err(|error| error.to_string())
    }

    #[test]
    fn a_gpu_is_named_by_address_or_place() {
        for (choices, expected) in [
            (&[][..], vec![0, 1, 2]),
            (&["1"], vec![1]),
            (&["0001:05:00.0"], vec![2]),
            (&["0000:26:00.7"], vec![1]),
            (&["2", "0000:05:00.0", "0"], vec![0, 2]),
        ] {
            assert_eq!(places(choices).as_ref(), Ok(&expected), "{choices:?}");
        }
    }

    #[test]
    fn a_gpu_that_is_not_there_is_named_with_those_that_are() {
        for choice in ["3", "0000:06:00.0"] {
            let error = places(&["0", choice]).unwrap_err();
            assert!(error.contains(&format!("no GPU {choice}")) && error.contains("1 = 0000:26:00.0"), "{error}");
        }
        assert!(chosen(&[], &["0".parse().unwrap()]).unwrap_err().to_string().contains("shows none"));
        for text in ["", "-1", "all", "05:00.0"] {
            assert!(text.parse::<Choice>().is_err(), "{text}");
        }
    }
}

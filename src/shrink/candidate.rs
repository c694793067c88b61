//! A probe in an environment, and the smaller ones beside it.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::probe::ProbeSpec;
use crate::probe::spec::{Dtype, Work};

/// A probe, and the variables that its worker has.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Candidate {
    /// What is computed.
    pub probe: ProbeSpec,
    /// The worker's variables.
    pub env: BTreeMap<String, String>,
    /// What the kernel's command line has to say, of which nothing is ever left out: that takes another boot.
    pub kernel: BTreeMap<String, String>,
}

impl Candidate {
    /// The sizes of the probe, in the order of its name: extents, filters, stride, steps, whatever it has.
    pub(super) fn sizes(&self) -> Vec<usize> {
        let text = self.probe.id();
        places(&text).into_iter().filter_map(|place| text[place].parse().ok()).collect()
    }

    /// The same with another number at this place of [`Candidate::sizes`]; `None` where that is no probe.
    pub(super) fn with_size(&self, at: usize, size: usize) -> Option<Self> {
        let text = self.probe.id();
        let place = places(&text).into_iter().nth(at)?;
        let changed = format!("{}{size}{}", &text[..place.start], &text[place.end..]);
        let probe: ProbeSpec = changed.parse().ok()?;
        let probe = ProbeSpec { seed: self.probe.seed, repeats: self.probe.repeats, ..probe };
        probe.check().ok()?;
        Some(Self { probe, ..self.clone() })
    }

    /// The same in f32, the format that every engine has; `None` where it is that already, or has no format.
    pub(super) fn in_f32(&self) -> Option<Self> {
        match &self.probe.work {
            Work::Compute { dtype: Dtype::F16 | Dtype::Bf16 | Dtype::F64, operation } => {
                let work = Work::Compute { operation: operation.clone(), dtype: Dtype::F32 };
                Some(Self { probe: ProbeSpec { work, ..self.probe.clone() }, ..self.clone() })
            }
            Work::Compute { dtype: Dtype::F32, .. } | Work::Memory { .. } => None,
        }
    }

    /// The same without these variables.
    pub(super) fn without(&self, names: &[&String]) -> Self {
        let env = self.env.iter().filter(|(name, _)| !names.contains(name));
        Self { env: env.map(|(name, value)| (name.clone(), value.clone())).collect(), ..self.clone() }
    }
}

/// Where the numbers of a name are. The operation's own (`conv2d`) and the format's (`f16`) are none of them.
fn places(text: &str) -> Vec<Range<usize>> {
    let slashes: Vec<usize> = text.match_indices('/').map(|(at, _)| at).collect();
    let begin = match slashes.as_slice() {
        [_, format, ..] => *format,
        // A probe of memory has no format.
        [only] => *only,
        [] => return Vec::new(),
    };
    let begin = if text.starts_with("memory-") { slashes[0] } else { begin };
    let mut places = Vec::new();
    let mut start = None;
    for (at, byte) in text.bytes().enumerate().skip(begin).chain([(text.len(), b'/')]) {
        match (byte.is_ascii_digit(), start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                places.push(from..at);
                start = None;
            }
            (true, Some(_)) | (false, None) => {}
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(probe: &str) -> Candidate {
        Candidate { probe: probe.parse().unwrap(), env: BTreeMap::new(), kernel: BTreeMap::new() }
    }

    #[test]
    fn sizes_are_the_numbers_of_the_name_and_can_be_changed_one_by_one() {
        let conv = candidate("conv2d/f16/1x16x44x44/32x3x3/s1p1d1g1/forward");
        assert_eq!(conv.sizes(), [1, 16, 44, 44, 32, 3, 3, 1, 1, 1, 1]);
        assert_eq!(conv.with_size(2, 7).unwrap().probe.id(), "conv2d/f16/1x16x7x44/32x3x3/s1p1d1g1/forward");
        assert_eq!(conv.with_size(0, 0), None);
        assert_eq!(conv.with_size(10, 5), None, "16 channels are no 5 groups");
        assert_eq!(candidate("matmul/f32/8x4x2").sizes(), [8, 4, 2]);
        assert_eq!(candidate("memory-ladder/90").sizes(), [90]);
        assert_eq!(candidate("memory-out-of-memory").sizes(), [0; 0]);
    }

    #[test]
    fn f32_is_the_simplest_format() {
        let half = candidate("matmul/f16/8x4x2").in_f32().unwrap();
        assert_eq!(half.probe.id(), "matmul/f32/8x4x2");
        assert_eq!(half.in_f32(), None);
    }
}

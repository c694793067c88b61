//! The words of the file format that stand for a value, with all of them at hand for the message about a wrong one.

use crate::domain::{AllocMode, CheckId, ComputeMode, DeviceKind, KernelRules, MemoryMode};
use crate::sim::{Caller, Hives, Platform};
use crate::witness::amd_smi::{Format, Query};

use super::Level;

/// A type whose values are words.
pub(super) trait Word: Copy + 'static {
    /// What it is, for a message: `a compute mode`.
    const KIND: &'static str;
    /// Every word and its value.
    const ALL: &'static [(&'static str, Self)];
}

macro_rules! words {
    ($type:ty, $kind:literal, $($word:literal = $value:expr),+ $(,)?) => {
        impl Word for $type {
            const KIND: &'static str = $kind;
            const ALL: &'static [(&'static str, Self)] = &[$(($word, $value)),+];
        }
    };
}

words!(
    ComputeMode,
    "a compute mode",
    "SPX" = Self::Spx,
    "DPX" = Self::Dpx,
    "TPX" = Self::Tpx,
    "QPX" = Self::Qpx,
    "CPX" = Self::Cpx
);
words!(
    MemoryMode,
    "a memory mode",
    "NPS1" = Self::Nps1,
    "NPS2" = Self::Nps2,
    "NPS3" = Self::Nps3,
    "NPS4" = Self::Nps4,
    "NPS6" = Self::Nps6,
    "NPS8" = Self::Nps8,
);
words!(
    Platform,
    "a platform",
    "bare-metal" = Self::BareMetal,
    "passthrough" = Self::Passthrough,
    "virtual-function" = Self::VirtualFunction,
);
words!(Hives, "a wiring", "one" = Self::One, "two" = Self::Two, "last-outside" = Self::LastOutside);
words!(AllocMode, "an allocation policy", "CAPPING" = Self::Capping, "ALL" = Self::All);
words!(DeviceKind, "a kind of device", "cpu" = Self::Cpu, "gpu" = Self::Gpu);
words!(Caller, "a caller", "root" = Self::Root, "user" = Self::User, "actual" = Self::Actual);
words!(Format, "an output format", "human" = Self::Human, "json" = Self::Json, "csv" = Self::Csv);
words!(
    Query,
    "a query",
    "version" = Self::Version,
    "list" = Self::List,
    "static-partition" = Self::StaticPartition,
    "partition" = Self::Partition,
    "static-vram" = Self::StaticVram,
    "metric-memory" = Self::MetricMemory,
);
words!(
    KernelRules,
    "a generation of kernel rules",
    "first" = Self::First,
    "rock" = Self::Rock,
    "mask2025" = Self::Mask2025,
    "latest" = Self::Latest,
);
words!(
    Level,
    "an interaction level",
    "observe" = Self::Observe,
    "exercise" = Self::Exercise,
    "reconfigure" = Self::Reconfigure,
    "reboot" = Self::Reboot,
);

impl Word for CheckId {
    const KIND: &'static str = "a check";
    const ALL: &'static [(&'static str, Self)] = &{
        let mut words = [("", Self::PartitionModes); Self::ALL.len()];
        let mut at = 0;
        while at < words.len() {
            words[at] = (Self::ALL[at].id(), Self::ALL[at]);
            at += 1;
        }
        words
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Serialize;

    /// Every word is what serde writes for its value, and the type's own schema lists no other.
    fn agrees_with_serde<T: Word + Serialize + schemars::JsonSchema>() {
        let words: Vec<_> = T::ALL.iter().map(|&(word, value)| (word, serde_json::to_value(value).unwrap())).collect();
        for (word, value) in &words {
            assert_eq!(value, word);
        }
        let schema = serde_json::to_value(schemars::schema_for!(T)).unwrap();
        let listed = schema["oneOf"]
            .as_array()
            .map_or(0, |each| each.iter().map(|one| one["enum"].as_array().map_or(1, Vec::len)).sum())
            + schema["enum"].as_array().map_or(0, Vec::len);
        assert_eq!(listed, words.len(), "{schema}");
    }

    #[test]
    fn the_words_are_all_of_each_type() {
        agrees_with_serde::<ComputeMode>();
        agrees_with_serde::<MemoryMode>();
        agrees_with_serde::<Platform>();
        agrees_with_serde::<DeviceKind>();
        agrees_with_serde::<Caller>();
        agrees_with_serde::<Format>();
        agrees_with_serde::<Query>();
        agrees_with_serde::<KernelRules>();
        agrees_with_serde::<Level>();
        agrees_with_serde::<CheckId>();
    }
}

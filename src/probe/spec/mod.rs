//! What a probe computes: operation, number format, seed. The same document goes to every engine.
//!
//! As JSON (`{"work":{"kind":"compute","operation":{"op":"matmul",…},"dtype":"f16"},"seed":1,"repeats":1}`) it is what a
//! worker reads; as text (`matmul/f16/64x64x64`) it is what people and reports name a probe by, and reads back.

mod conv;
mod memory;
mod operation;
mod text;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use conv::{Conv, Direction};
pub use memory::{CopyPath, Memory};
pub use operation::{
    BatchNormMode, Elementwise, Input, Interpolation, Operation, Optimizer, Over, Pooling, Reduction, Training,
};

/// Reads extents like `1x16x44x44`.
///
/// # Errors
/// What is wrong, as the rest of a sentence that begins with the text.
pub fn extents(text: &str) -> Result<Vec<usize>, String> {
    text::extents(text)
}

/// Number format of what is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// 32-bit floating point.
    F32,
    /// 16-bit floating point.
    F16,
    /// bfloat16.
    Bf16,
    /// 64-bit floating point.
    F64,
}

impl Dtype {
    /// Every format.
    pub const ALL: [Self; 4] = [Self::F32, Self::F16, Self::Bf16, Self::F64];

    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::F64 => "f64",
        }
    }

    /// Bytes of one element.
    pub const fn bytes(self) -> usize {
        match self {
            Self::F16 | Self::Bf16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Dtype {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        Self::ALL.into_iter().find(|each| each.name() == text).ok_or_else(|| SpecError::Text {
            text: shown(text),
            problem: "is no number format: f32, f16, bf16, f64".to_owned(),
        })
    }
}

/// One probe.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbeSpec {
    /// What is done.
    pub work: Work,
    /// What the inputs are made of; another seed is another set of numbers, not another probe.
    pub seed: u32,
    /// How often it is computed in one process; every result is the same.
    pub repeats: u32,
}

/// What a probe does.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Work {
    /// Computes numbers, which are judged against an oracle.
    Compute {
        /// What.
        operation: Operation,
        /// In which format.
        dtype: Dtype,
    },
    /// Uses memory; only an engine with a device can.
    Memory {
        /// How.
        operation: Memory,
    },
}

/// A specification that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// A text names no probe.
    #[error("{text:?} {problem}")]
    Text {
        /// The text, cut.
        text: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The document is not one.
    #[error("this is no probe specification: {0}")]
    Json(String),
    /// A number is out of bounds, or does not go with another.
    #[error("{key}: {problem}")]
    Value {
        /// Which key of the document.
        key: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

impl SpecError {
    pub(super) fn value(key: &'static str, problem: impl Into<String>) -> Self {
        Self::Value { key, problem: problem.into() }
    }
}

impl ProbeSpec {
    /// Longest document that is read.
    pub const MAX_BYTES: usize = 64 << 10;

    /// Most elements of one tensor: the number of an element has 32 bits.
    pub const MAX_ELEMENTS: usize = 1 << 31;

    /// Most repeats.
    pub const MAX_REPEATS: u32 = 1_000_000;

    /// Seed where none is given.
    pub const SEED: u32 = 1;

    /// This computation in this format, once.
    pub const fn compute(operation: Operation, dtype: Dtype) -> Self {
        Self { work: Work::Compute { operation, dtype }, seed: Self::SEED, repeats: 1 }
    }

    /// This use of memory, once.
    pub const fn memory(operation: Memory) -> Self {
        Self { work: Work::Memory { operation }, seed: Self::SEED, repeats: 1 }
    }

    /// Reads a document and checks it.
    ///
    /// # Errors
    /// It is too long, no such document, or asks for what cannot be.
    pub fn from_json(bytes: &[u8]) -> Result<Self, SpecError> {
        if bytes.len() > Self::MAX_BYTES {
            return Err(SpecError::Json(format!("longer than {} bytes", Self::MAX_BYTES)));
        }
        let spec: Self = serde_json::from_slice(bytes).map_err(|error| SpecError::Json(error.to_string()))?;
        spec.check()?;
        Ok(spec)
    }

    /// Whether this can be computed: every number in bounds, and all of them together a shape.
    ///
    /// # Errors
    /// Which key is wrong, and why.
    pub fn check(&self) -> Result<(), SpecError> {
        if !(1..=Self::MAX_REPEATS).contains(&self.repeats) {
            return Err(SpecError::value("repeats", format!("from 1 to {}", Self::MAX_REPEATS)));
        }
        match &self.work {
            Work::Compute { operation, .. } => operation.check(),
            Work::Memory { operation } => operation.check(),
        }
    }

    /// What names it: operation, format and sizes. Seed and repeats are not in it.
    pub fn id(&self) -> String {
        self.work.to_string()
    }
}

/// Number of elements of a shape; `None` when it does not fit.
pub fn elements(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1_usize, |product, &extent| product.checked_mul(extent))
}

/// Every extent at least 1 and the whole at most [`ProbeSpec::MAX_ELEMENTS`].
fn check_shape(key: &'static str, shape: &[usize], dims: std::ops::RangeInclusive<usize>) -> Result<(), SpecError> {
    if !dims.contains(&shape.len()) {
        let (least, most) = (dims.start(), dims.end());
        let wanted = if least == most { least.to_string() } else { format!("{least} to {most}") };
        return Err(SpecError::value(key, format!("{} numbers where {wanted} are needed", shape.len())));
    }
    if shape.contains(&0) {
        return Err(SpecError::value(key, "no extent is 0"));
    }
    match elements(shape) {
        Some(count) if count <= ProbeSpec::MAX_ELEMENTS => Ok(()),
        Some(_) | None => Err(SpecError::value(key, format!("more than {} elements", ProbeSpec::MAX_ELEMENTS))),
    }
}

/// A text from outside, short enough for a message.
fn shown(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests;

//! Number formats of weights and of the KV cache.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::domain::Bytes;

/// Format of the weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// 32-bit floating point.
    Fp32,
    /// 16-bit floating point.
    Fp16,
    /// bfloat16.
    Bf16,
    /// 8-bit floating point.
    Fp8,
    /// 8-bit integers.
    Int8,
    /// 4-bit integers, with scales and zeros.
    Int4,
}

/// Format of the KV cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KvDtype {
    /// That of the activations: 32 bits where the weights have 32, else 16.
    Auto,
    /// 8-bit floating point.
    Fp8,
}

impl Dtype {
    /// Every format.
    pub const ALL: [Self; 6] = [Self::Fp32, Self::Fp16, Self::Bf16, Self::Fp8, Self::Int8, Self::Int4];

    /// As it is written on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fp32 => "fp32",
            Self::Fp16 => "fp16",
            Self::Bf16 => "bf16",
            Self::Fp8 => "fp8",
            Self::Int8 => "int8",
            Self::Int4 => "int4",
        }
    }

    /// Bits of one parameter.
    const fn bits(self) -> u64 {
        match self {
            Self::Fp32 => 32,
            Self::Fp16 | Self::Bf16 => 16,
            Self::Fp8 | Self::Int8 => 8,
            Self::Int4 => 4,
        }
    }

    /// Bytes of so many parameters, and nothing beside them.
    pub const fn ideal(self, params: u64) -> Bytes {
        Bytes(params.saturating_mul(self.bits()).div_ceil(8))
    }

    /// What a quantised checkpoint holds beside that: embedding and output head, which stay in 16 bits, and for int4 5 %
    /// of scales and zeros. Where the vocabulary is not known (`embeddings` is `None`), int4 gets 15 %, the upper end.
    ///
    /// Source: facts/partitions.md section 8 (5 to 15 % for int4) [L]; vLLM docs/features/quantization/fp8.md: every
    /// linear module but `lm_head` is quantised [C].
    pub fn overhead(self, params: u64, embeddings: Option<u64>) -> Bytes {
        let percent = |percent: u64| self.ideal(params).0.div_ceil(100) * percent;
        let kept = embeddings.map(|kept| kept.saturating_mul(16_u64.saturating_sub(self.bits())).div_ceil(8));
        Bytes(match (self, kept) {
            (Self::Fp32 | Self::Fp16 | Self::Bf16, _) | (Self::Fp8 | Self::Int8, None) => 0,
            (Self::Fp8 | Self::Int8, Some(kept)) => kept,
            (Self::Int4, Some(kept)) => kept.saturating_add(percent(5)),
            (Self::Int4, None) => percent(15),
        })
    }
}

impl KvDtype {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Auto, Self::Fp8];

    /// As vLLM's `--kv-cache-dtype` has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Fp8 => "fp8",
        }
    }

    /// Bytes of one number beside weights of this format.
    pub const fn bytes(self, weights: Dtype) -> u64 {
        match (self, weights) {
            (Self::Fp8, _) => 1,
            (Self::Auto, Dtype::Fp32) => 4,
            (Self::Auto, Dtype::Fp16 | Dtype::Bf16 | Dtype::Fp8 | Dtype::Int8 | Dtype::Int4) => 2,
        }
    }
}

/// The text names no format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not one of {known}")]
pub struct UnknownDtype {
    text: String,
    known: String,
}

fn parse<T: Copy>(text: &str, all: &[T], name: impl Fn(T) -> &'static str) -> Result<T, UnknownDtype> {
    all.iter().copied().find(|&each| name(each).eq_ignore_ascii_case(text)).ok_or_else(|| UnknownDtype {
        text: text.chars().take(40).collect(),
        known: all.iter().map(|&each| name(each)).collect::<Vec<_>>().join(", "),
    })
}

impl FromStr for Dtype {
    type Err = UnknownDtype;
    fn from_str(text: &str) -> Result<Self, UnknownDtype> {
        parse(text, &Self::ALL, Self::name)
    }
}

impl FromStr for KvDtype {
    type Err = UnknownDtype;
    fn from_str(text: &str) -> Result<Self, UnknownDtype> {
        parse(text, &Self::ALL, Self::name)
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Display for KvDtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_take_the_bits_of_their_format() {
        let sizes = Dtype::ALL.map(|dtype| dtype.ideal(8_030_261_248).0);
        let two = 16_060_522_496;
        assert_eq!(sizes, [2 * two, two, two, two / 2, two / 2, two / 4]);
        assert_eq!(Dtype::Int4.ideal(3), Bytes(2), "half a byte is a byte");
    }

    #[test]
    fn what_is_not_quantised_counts_in_sixteen_bits() {
        // Llama-3.1-8B: 2 x 128256 x 4096 parameters of embedding and head.
        let (params, kept) = (8_030_261_248, 1_050_673_152);
        for (dtype, embeddings, overhead) in [
            (Dtype::Bf16, Some(kept), 0),
            (Dtype::Fp32, None, 0),
            (Dtype::Fp8, Some(kept), kept),
            (Dtype::Int8, None, 0),
            (Dtype::Int4, Some(kept), kept * 3 / 2 + 5 * 40_151_307),
            (Dtype::Int4, None, 15 * 40_151_307),
        ] {
            assert_eq!(dtype.overhead(params, embeddings), Bytes(overhead), "{dtype} {embeddings:?}");
        }
    }

    #[test]
    fn the_cache_follows_the_weights_unless_it_is_fp8() {
        assert_eq!(Dtype::ALL.map(|dtype| KvDtype::Auto.bytes(dtype)), [4, 2, 2, 2, 2, 2]);
        assert_eq!(Dtype::ALL.map(|dtype| KvDtype::Fp8.bytes(dtype)), [1; 6]);
    }

    #[test]
    fn names_read_back_and_others_are_refused() {
        for dtype in Dtype::ALL {
            assert_eq!(dtype.name().to_uppercase().parse(), Ok(dtype));
        }
        assert_eq!("fp8".parse(), Ok(KvDtype::Fp8));
        let error = "float16".parse::<Dtype>().unwrap_err().to_string();
        assert_eq!(error, "\"float16\" is not one of fp32, fp16, bf16, fp8, int8, int4");
    }
}

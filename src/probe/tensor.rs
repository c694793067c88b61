//! The inputs of a probe, the same numbers in every engine, and what of a result is carried to the judge.
//!
//! # Inputs
//! Element `i` of a tensor with role `r` under seed `s` is `(2 * n - 255) / 256`, where `n` is the top byte of
//! `mix(i ^ key)` and `key = mix(mix(s) ^ ((r + 1) * 0x9E3779B9))`, all in 32 bits that wrap. So every input is an odd
//! multiple of 1/256 between -1 and 1: exact in f16 and in bf16, never zero, and a sum of products is exact in f32 as
//! long as it stays under 256. `mix` is
//!
//! ```text
//! x ^= x >> 16;  x *= 0x7FEB352D;  x ^= x >> 15;  x *= 0x846CA68B;  x ^= x >> 16
//! ```
//!
//! (lowbias32 of Chris Wellons' hash-prospector: a bijection with little bias). A variance is the absolute value of that.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::spec::elements;

/// What a tensor is to an operation; its number is part of the generator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Number 0: what goes through.
    Input,
    /// Number 1: weights, parameters, or the second operand.
    Weights,
    /// Number 2: bias.
    Bias,
    /// Number 3: gradient of the output, or of parameters.
    Gradient,
    /// Number 4: running mean, first moment or momentum.
    Mean,
    /// Number 5: running variance or second moment; not negative.
    Variance,
    /// Number 6: weights of a network's last layer.
    Head,
}

impl Role {
    const fn number(self) -> u32 {
        match self {
            Self::Input => 0,
            Self::Weights => 1,
            Self::Bias => 2,
            Self::Gradient => 3,
            Self::Mean => 4,
            Self::Variance => 5,
            Self::Head => 6,
        }
    }

    /// As an error names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Weights => "weights",
            Self::Bias => "bias",
            Self::Gradient => "gradient",
            Self::Mean => "mean",
            Self::Variance => "variance",
            Self::Head => "head",
        }
    }
}

const fn mix(mut x: u32) -> u32 {
    x ^= x >> 16;
    x = x.wrapping_mul(0x7FEB_352D);
    x ^= x >> 15;
    x = x.wrapping_mul(0x846C_A68B);
    x ^ (x >> 16)
}

/// The generator for one tensor.
#[derive(Debug, Clone, Copy)]
pub struct Generator {
    key: u32,
    role: Role,
}

impl Generator {
    /// For a tensor of this role under this seed.
    pub const fn new(seed: u32, role: Role) -> Self {
        let number = (role.number() + 1).wrapping_mul(0x9E37_79B9);
        Self { key: mix(mix(seed) ^ number), role }
    }

    /// Element `index`, in row-major order.
    pub fn at(self, index: u32) -> f64 {
        let value = (2.0 * f64::from(self.hash(index) >> 24) - 255.0) / 256.0;
        match self.role {
            Role::Variance => value.abs(),
            Role::Input | Role::Weights | Role::Bias | Role::Gradient | Role::Mean | Role::Head => value,
        }
    }

    /// The hash behind element `index`: labels are it modulo the number of classes.
    pub const fn hash(self, index: u32) -> u32 {
        mix(index ^ self.key)
    }
}

/// What a worker fills a result with before it computes, where it can: larger than any result, exact in f16 and bf16.
pub const POISON: f64 = 57_344.0;

/// A result as it was computed, widened to f64.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Extents.
    pub shape: Vec<usize>,
    /// Elements in row-major order.
    pub values: Vec<f64>,
}

/// What is carried of a result: a summary of all of it, the sums of its blocks, and its elements or a sample of them.
///
/// A result of at most [`Output::FULL`] elements is carried whole. Of a larger one, the element in the middle of each
/// of [`Output::BLOCKS`] blocks is carried, and the sum of each block, so that an error anywhere shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// Extents.
    pub shape: Vec<usize>,
    /// Sum of the finite elements, in f64.
    pub sum: f64,
    /// Largest absolute value of the finite elements.
    pub abs_max: f64,
    /// How many are not finite.
    pub non_finite: u64,
    /// How many are zero.
    pub zeros: u64,
    /// How many are [`POISON`]: not written.
    pub unwritten: u64,
    /// SHA-256 of all elements, each as a little-endian f64: the same bits have the same hash.
    pub sha256: String,
    /// Every element, or the sample.
    pub values: Packed,
    /// Sum of the finite elements of each block, in f64; empty where every element is carried.
    pub blocks: Packed,
}

impl Output {
    /// Most elements that are all carried.
    pub const FULL: usize = 1 << 16;

    /// Blocks of a larger result; all have the same length but for the last, which may be shorter (and there may be
    /// fewer of them, as lengths are whole).
    pub const BLOCKS: usize = 4096;

    /// Elements of one block of a result with so many.
    pub const fn block_length(elements: usize) -> usize {
        elements.div_ceil(Self::BLOCKS)
    }

    /// Which elements of a result with so many are carried.
    pub fn carried(elements: usize) -> Vec<usize> {
        if elements <= Self::FULL {
            return (0..elements).collect();
        }
        let length = Self::block_length(elements);
        // The last block may be too short to have that middle.
        (0..elements.div_ceil(length)).map(|block| (block * length + length / 2).min(elements - 1)).collect()
    }

    /// Of this result.
    pub fn of(tensor: &Tensor) -> Self {
        let values = &tensor.values;
        let finite = |values: &[f64]| values.iter().copied().filter(|value| value.is_finite()).sum::<f64>();
        let count = |what: &dyn Fn(f64) -> bool| values.iter().filter(|value| what(**value)).count() as u64;
        let blocks = if values.len() <= Self::FULL {
            Vec::new()
        } else {
            values.chunks(Self::block_length(values.len())).map(finite).collect()
        };
        let mut hash = Sha256::new();
        for part in values.chunks(8192) {
            hash.update(part.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>());
        }
        Self {
            shape: tensor.shape.clone(),
            sum: finite(values),
            abs_max: values
                .iter()
                .copied()
                .filter(|value| value.is_finite())
                .fold(0.0, |most, value| value.abs().max(most)),
            non_finite: count(&|value| !value.is_finite()),
            zeros: count(&|value| value == 0.0),
            unwritten: count(&|value| value == POISON),
            sha256: hash.finalize().iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}")),
            values: Packed(Self::carried(values.len()).into_iter().map(|at| values[at]).collect()),
            blocks: Packed(blocks),
        }
    }

    /// Number of elements; `None` when the shape says more than fit.
    pub fn elements(&self) -> Option<usize> {
        elements(&self.shape)
    }
}

/// Numbers as base64 of little-endian f64: exact, and infinities and NaN with them, which JSON has not.
#[derive(Clone, PartialEq)]
pub struct Packed(pub Vec<f64>);

impl fmt::Debug for Packed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Packed({} numbers)", self.0.len())
    }
}

impl Serialize for Packed {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes: Vec<u8> = self.0.iter().flat_map(|value| value.to_le_bytes()).collect();
        serializer.serialize_str(&STANDARD.encode(bytes))
    }
}

impl<'de> Deserialize<'de> for Packed {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let bytes = STANDARD.decode(String::deserialize(deserializer)?).map_err(D::Error::custom)?;
        let (numbers, rest) = bytes.as_chunks::<8>();
        if !rest.is_empty() {
            return Err(D::Error::custom("packed numbers take 8 bytes each"));
        }
        Ok(Self(numbers.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_gives_the_numbers_that_its_description_gives() {
        // Computed apart, in Python, from the description at the head of this file.
        for (seed, role, expected) in GOLDEN {
            let numbers = Generator::new(seed, role);
            assert_eq!(std::array::from_fn(|at| numbers.at(at as u32) * 256.0), expected, "{seed} {role:?}");
        }
    }

    const GOLDEN: [(u32, Role, [f64; 6]); 3] = [
        (1, Role::Input, [21.0, -3.0, 127.0, -79.0, 253.0, 47.0]),
        (1, Role::Weights, [89.0, 43.0, 65.0, -7.0, -123.0, 255.0]),
        (4_000_000_000, Role::Variance, [203.0, 9.0, 139.0, 205.0, 127.0, 37.0]),
    ];

    #[test]
    fn every_input_is_exact_in_sixteen_bits_never_zero_and_spread_evenly() {
        let numbers = Generator::new(7, Role::Gradient);
        let values: Vec<f64> = (0..100_000).map(|at| numbers.at(at)).collect();
        for &value in &values {
            assert_eq!(half::f16::from_f64(value).to_f64(), value);
            assert_eq!(half::bf16::from_f64(value).to_f64(), value);
            assert!(value != 0.0 && value.abs() < 1.0, "{value}");
        }
        let mean = values.iter().sum::<f64>() / 1e5;
        let square = values.iter().map(|value| value * value).sum::<f64>() / 1e5;
        assert!(mean.abs() < 0.01 && (square - 1.0 / 3.0).abs() < 0.01, "{mean} {square}");
        assert_eq!(half::bf16::from_f64(POISON).to_f64(), POISON);
        assert_eq!(half::f16::from_f64(POISON).to_f64(), POISON);
    }

    #[test]
    fn seeds_and_roles_give_other_numbers() {
        let of = |seed, role| (0..64).map(|at| Generator::new(seed, role).hash(at)).collect::<Vec<_>>();
        assert_ne!(of(1, Role::Input), of(2, Role::Input));
        assert_ne!(of(1, Role::Input), of(1, Role::Weights));
        assert!((0..1000).all(|at| Generator::new(3, Role::Variance).at(at) > 0.0));
    }

    fn tensor(values: Vec<f64>) -> Tensor {
        Tensor { shape: vec![values.len()], values }
    }

    #[test]
    fn a_summary_counts_what_is_wrong_with_a_result() {
        let output = Output::of(&tensor(vec![1.0, -2.5, 0.0, -0.0, POISON, f64::NAN, f64::INFINITY]));
        assert_eq!((output.non_finite, output.zeros, output.unwritten), (2, 2, 1));
        assert_eq!((output.sum, output.abs_max), (POISON - 1.5, POISON));
    }

    #[test]
    fn a_result_comes_back_from_json_bit_by_bit() {
        let output = Output::of(&tensor(vec![0.1, -0.0, f64::NAN, f64::NEG_INFINITY, 5e-324]));
        let text = serde_json::to_string(&output).unwrap();
        let back: Output = serde_json::from_str(&text).unwrap();
        let bits = |output: &Output| output.values.0.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&back), bits(&output));
        assert_eq!(back.sha256, output.sha256);
        for wrong in [r#""AAAA""#, r#""!""#, "7"] {
            assert!(serde_json::from_str::<Packed>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn of_a_large_result_one_element_of_each_block_is_carried_and_the_sum_of_each() {
        for elements in [Output::FULL + 1, 100_000, 1_000_003] {
            let output = Output::of(&tensor((0..elements).map(|at| at as f64).collect()));
            let carried = Output::carried(elements);
            assert_eq!(output.values.0, carried.iter().map(|at| *at as f64).collect::<Vec<_>>());
            assert_eq!(output.blocks.0.len(), carried.len());
            assert!(carried.len() <= Output::BLOCKS && carried.is_sorted() && carried[carried.len() - 1] < elements);
            assert_eq!(output.blocks.0.iter().sum::<f64>(), output.sum);
        }
        let small = Output::of(&tensor(vec![1.0; Output::FULL]));
        assert_eq!((small.values.0.len(), small.blocks.0.len()), (Output::FULL, 0));
    }
}

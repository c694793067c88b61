//! Arithmetic in f32 or f64, and rounding to sixteen bits.

use half::{bf16, f16};
use ndarray::LinalgScalar;
use num_traits::Float;

/// A number that the engine computes with.
pub trait Real: Float + LinalgScalar + Send + Sync {
    /// Rounded to the nearest.
    fn from_f64(value: f64) -> Self;
    /// Exact.
    fn to_f64(self) -> f64;
    /// A number of elements.
    fn count(elements: usize) -> Self {
        Self::from_f64(elements as f64)
    }
}

impl Real for f32 {
    #[expect(clippy::cast_possible_truncation, reason = "rounding is meant")]
    fn from_f64(value: f64) -> Self {
        value as Self
    }

    fn to_f64(self) -> f64 {
        f64::from(self)
    }
}

impl Real for f64 {
    fn from_f64(value: f64) -> Self {
        value
    }

    fn to_f64(self) -> f64 {
        self
    }
}

/// What a number is rounded to when it is written to a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// To nothing: it stays as it was computed.
    Full,
    /// To f16.
    F16,
    /// To bf16.
    Bf16,
}

impl Precision {
    /// The number that the tensor then holds.
    pub fn round<T: Real>(self, value: T) -> T {
        match self {
            Self::Full => value,
            Self::F16 => T::from_f64(f16::from_f64(value.to_f64()).to_f64()),
            Self::Bf16 => T::from_f64(bf16::from_f64(value.to_f64()).to_f64()),
        }
    }

    /// Each number of a tensor.
    pub fn rounded<T: Real>(self, mut values: Vec<T>) -> Vec<T> {
        if self != Self::Full {
            values.iter_mut().for_each(|value| *value = self.round(*value));
        }
        values
    }

    /// What the loss is multiplied with, so that small gradients do not vanish.
    pub const fn loss_scale(self) -> f64 {
        match self {
            Self::Full | Self::Bf16 => 1.0,
            Self::F16 => 1024.0,
        }
    }
}

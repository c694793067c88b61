//! Reductions and normalisations.

use super::precision::Real;
use crate::probe::spec::Reduction;

/// Added to a variance before its root is taken.
const EPSILON: f64 = 1e-5;

/// One number of many.
pub fn reduce<T: Real>(function: Reduction, row: &[T]) -> T {
    match function {
        Reduction::Sum => sum(row),
        Reduction::Mean => mean(row),
        Reduction::Max => max(row),
    }
}

/// Each as a share of all, by its exponential.
pub fn softmax<T: Real>(row: &[T]) -> Vec<T> {
    let most = max(row);
    let powers: Vec<T> = row.iter().map(|value| (*value - most).exp()).collect();
    let total = sum(&powers);
    powers.into_iter().map(|power| power / total).collect()
}

/// Mean 0 and variance 1, then weighted.
pub fn layer_norm<T: Real>(row: &[T], weights: &[T], bias: &[T]) -> Vec<T> {
    let (mean, variance) = moments(row.len(), || row.iter());
    let scale = T::one() / (variance + T::from_f64(EPSILON)).sqrt();
    let weighted = row.iter().zip(weights.iter().zip(bias));
    weighted.map(|(value, (weight, bias))| (*value - mean) * scale * *weight + *bias).collect()
}

/// Each channel with its own mean and variance (`given`, or its own), weight and bias.
pub fn batch_norm<T: Real>(
    values: &[T],
    shape: &[usize],
    weights: &[T],
    bias: &[T],
    given: Option<(&[T], &[T])>,
) -> Vec<T> {
    let (channels, size) = (shape[1], shape[2..].iter().product::<usize>());
    let mut result = values.to_vec();
    for channel in 0..channels {
        let of_channel = || values.chunks(size).skip(channel).step_by(channels).flatten();
        let (mean, variance) = match given {
            Some((mean, variance)) => (mean[channel], variance[channel]),
            None => moments(shape[0] * size, of_channel),
        };
        let scale = weights[channel] / (variance + T::from_f64(EPSILON)).sqrt();
        for part in result.chunks_mut(size).skip(channel).step_by(channels) {
            part.iter_mut().for_each(|value| *value = (*value - mean) * scale + bias[channel]);
        }
    }
    result
}

/// Mean, and variance around it (divided by the number of elements).
fn moments<'a, T: Real, I: Iterator<Item = &'a T>>(count: usize, values: impl Fn() -> I) -> (T, T) {
    let count = T::count(count);
    let mean = total(values().copied()) / count;
    let squares = total(values().map(|value| (*value - mean) * (*value - mean)));
    (mean, squares / count)
}

fn sum<T: Real>(row: &[T]) -> T {
    total(row.iter().copied())
}

/// The sum, of parts that are summed up first: in f32 a long sum of one number after the other would lose what PyTorch,
/// which sums by halves, does not.
pub(super) fn total<T: Real>(values: impl Iterator<Item = T>) -> T {
    /// Numbers of one part.
    const PART: usize = 64;
    let mut parts = Vec::new();
    let (mut part, mut length) = (T::zero(), 0);
    for value in values {
        part = part + value;
        length += 1;
        if length == PART {
            parts.push(std::mem::replace(&mut part, T::zero()));
            length = 0;
        }
    }
    if parts.is_empty() { part } else { total(parts.into_iter()) + part }
}

pub(super) fn mean<T: Real>(row: &[T]) -> T {
    sum(row) / T::count(row.len())
}

fn max<T: Real>(row: &[T]) -> T {
    row.iter().fold(T::neg_infinity(), |most, value| most.max(*value))
}

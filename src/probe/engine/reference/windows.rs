//! Pooling and enlarging.

use super::geometry::Geometry;
use super::precision::Real;
use crate::probe::spec::{Conv, Pooling};

/// Each window of each channel as one number.
pub fn pool<T: Real>(
    values: &[T],
    function: Pooling,
    shape: &[usize],
    kernel: &[usize],
    stride: usize,
    padding: usize,
) -> Vec<T> {
    // Every channel alone: pooling is a convolution with another way to sum up.
    let mut conv = Conv::plain(&[&[1, 1], &shape[2..]].concat(), 1, kernel);
    conv.stride.fill(stride);
    conv.padding.fill(padding);
    let geometry = Geometry::of(&conv);
    let (start, divisor) = match function {
        Pooling::Max => (T::neg_infinity(), T::one()),
        Pooling::Average => (T::zero(), T::count(kernel.iter().product())),
    };
    let mut result = Vec::new();
    for channel in values.chunks(geometry.image_size()) {
        let mut grid = vec![start; geometry.grid_size()];
        geometry.taps(0..geometry.lines(), |_, line, first, count, from| {
            let to = line * geometry.grid[2] + first;
            let read = channel[from..].iter().step_by(stride);
            for (to, from) in grid[to..to + count].iter_mut().zip(read) {
                *to = match function {
                    Pooling::Max => to.max(*from),
                    Pooling::Average => *to + *from,
                };
            }
        });
        result.extend(grid.into_iter().map(|value| value / divisor));
    }
    result
}

/// Each element `factor` times in both directions.
pub fn nearest<T: Real>(values: &[T], shape: &[usize], factor: usize) -> Vec<T> {
    let width = shape[3];
    let line = |line: &[T]| line.iter().flat_map(|value| std::iter::repeat_n(*value, factor)).collect::<Vec<T>>();
    values.chunks(width).flat_map(|row| line(row).repeat(factor)).collect()
}

/// Between the four nearest elements, whose centres stay where they were.
pub fn linear<T: Real>(values: &[T], shape: &[usize], factor: usize) -> Vec<T> {
    let (height, width) = (shape[2], shape[3]);
    let rows: Vec<_> = (0..height * factor).map(|at| between::<T>(at, height, factor)).collect();
    let columns: Vec<_> = (0..width * factor).map(|at| between::<T>(at, width, factor)).collect();
    let mut result = Vec::with_capacity(values.len() * factor * factor);
    for image in values.chunks(height * width) {
        for &(top, bottom, down) in &rows {
            for &(left, right, along) in &columns {
                let mix = |row: usize| {
                    let (a, b) = (image[row * width + left], image[row * width + right]);
                    a * (T::one() - along) + b * along
                };
                result.push(mix(top) * (T::one() - down) + mix(bottom) * down);
            }
        }
    }
    result
}

/// The two elements around a place, and the share of the second.
fn between<T: Real>(at: usize, extent: usize, factor: usize) -> (usize, usize, T) {
    // In halves of the enlarged grid: (at + 1/2) / factor - 1/2.
    let twice = (2 * at + 1).saturating_sub(factor);
    let first = twice / (2 * factor);
    let share = T::count(twice % (2 * factor)) / T::count(2 * factor);
    (first, (first + 1).min(extent - 1), share)
}

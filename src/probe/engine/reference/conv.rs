//! Convolutions as products of matrices: the parts of the image that a filter meets, side by side as columns.

use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayViewMut2, s};

use super::geometry::Geometry;
use super::precision::Real;
use super::view;
use crate::probe::spec::{Conv, Direction};

/// The three products of one convolution.
pub struct Kernels {
    pub(super) geometry: Geometry,
    /// Lines of the grid whose columns are made at once.
    pub(super) lines: usize,
}

impl Kernels {
    /// Elements of a column matrix: what a cache holds some of, and small beside the tensors.
    const COLUMNS: usize = 1 << 20;

    /// Of a checked convolution.
    pub fn of(conv: &Conv) -> Self {
        let geometry = Geometry::of(conv);
        let lines = (Self::COLUMNS / (geometry.depth() * geometry.grid[2])).clamp(1, geometry.lines());
        Self { geometry, lines }
    }

    /// Elements of a column matrix.
    pub fn held(&self) -> u128 {
        self.geometry.depth() as u128 * self.geometry.grid[2] as u128 * self.lines as u128
    }

    /// What its direction asks for; `a` and `b` are its inputs in their order.
    pub fn compute<T: Real>(&self, conv: &Conv, a: &[T], b: &[T]) -> Vec<T> {
        match (conv.direction, conv.transposed) {
            (Direction::Forward, false) | (Direction::BackwardData, true) => self.gather(a, b),
            (Direction::BackwardData, false) | (Direction::Forward, true) => self.scatter(a, b),
            (Direction::BackwardWeights, false) => self.weights(a, b),
            (Direction::BackwardWeights, true) => self.weights(b, a),
        }
    }

    /// The grid, from image and weights.
    pub fn gather<T: Real>(&self, image: &[T], weights: &[T]) -> Vec<T> {
        let mut grid = vec![T::zero(); self.geometry.batch * self.grid_part() * self.geometry.groups];
        let parts = image.chunks(self.image_part()).zip(grid.chunks_mut(self.grid_part()));
        for (part, (image, grid)) in parts.enumerate() {
            let filters = view(self.filters(weights, part), self.geometry.filters, self.geometry.depth());
            let mut grid = view_mut(grid, self.geometry.filters, self.geometry.grid_size());
            for (lines, places) in self.chunks() {
                let columns = self.columns(image, lines);
                general_mat_mul(T::one(), &filters, &columns, T::zero(), &mut grid.slice_mut(s![.., places]));
            }
        }
        grid
    }

    /// The image's gradient, from the grid's and the weights.
    pub fn scatter<T: Real>(&self, grid: &[T], weights: &[T]) -> Vec<T> {
        let mut image = vec![T::zero(); self.geometry.batch * self.image_part() * self.geometry.groups];
        let parts = grid.chunks(self.grid_part()).zip(image.chunks_mut(self.image_part()));
        for (part, (grid, image)) in parts.enumerate() {
            let filters = view(self.filters(weights, part), self.geometry.filters, self.geometry.depth());
            let grid = view(grid, self.geometry.filters, self.geometry.grid_size());
            for (lines, places) in self.chunks() {
                let columns = filters.t().dot(&grid.slice(s![.., places]));
                self.add_columns(&columns, lines, image);
            }
        }
        image
    }

    /// The weights' gradient, from the image and the grid's gradient.
    pub fn weights<T: Real>(&self, image: &[T], grid: &[T]) -> Vec<T> {
        let size = self.geometry.filters * self.geometry.depth();
        let mut weights = vec![T::zero(); size * self.geometry.groups];
        let parts = image.chunks(self.image_part()).zip(grid.chunks(self.grid_part()));
        for (part, (image, grid)) in parts.enumerate() {
            let group = part % self.geometry.groups;
            let sum = &mut weights[group * size..(group + 1) * size];
            let mut sum = view_mut(sum, self.geometry.filters, self.geometry.depth());
            let grid = view(grid, self.geometry.filters, self.geometry.grid_size());
            for (lines, places) in self.chunks() {
                let columns = self.columns(image, lines);
                general_mat_mul(T::one(), &grid.slice(s![.., places]), &columns.t(), T::one(), &mut sum);
            }
        }
        weights
    }

    /// Elements of one image's one group.
    fn image_part(&self) -> usize {
        self.geometry.channels * self.geometry.image_size()
    }

    /// Elements of the grid of one image's one group.
    fn grid_part(&self) -> usize {
        self.geometry.filters * self.geometry.grid_size()
    }

    /// The filters of the group of the `part`-th image and group.
    fn filters<'a, T>(&self, weights: &'a [T], part: usize) -> &'a [T] {
        let size = self.geometry.filters * self.geometry.depth();
        let group = part % self.geometry.groups;
        &weights[group * size..(group + 1) * size]
    }

    /// Ranges of lines, with the range of the grid's places in each.
    fn chunks(&self) -> impl Iterator<Item = (std::ops::Range<usize>, std::ops::Range<usize>)> {
        let (all, step, width) = (self.geometry.lines(), self.lines, self.geometry.grid[2]);
        (0..all).step_by(step).map(move |from| {
            let to = all.min(from + step);
            (from..to, from * width..to * width)
        })
    }

    /// For each place in these lines, a column with what the filter meets there.
    fn columns<T: Real>(&self, image: &[T], lines: std::ops::Range<usize>) -> Array2<T> {
        let (width, stride, start) = (self.geometry.grid[2], self.geometry.stride[2], lines.start);
        let places = lines.len() * width;
        let mut columns = vec![T::zero(); self.geometry.depth() * places];
        self.geometry.taps(lines, |tap, line, first, count, from| {
            let to = tap * places + (line - start) * width + first;
            let to = &mut columns[to..to + count];
            if stride == 1 {
                to.copy_from_slice(&image[from..from + count]);
            } else {
                to.iter_mut().zip(image[from..].iter().step_by(stride)).for_each(|(to, from)| *to = *from);
            }
        });
        matrix(columns, self.geometry.depth(), places)
    }

    /// The reverse of [`Kernels::columns`]: each number is added where it would have been read.
    fn add_columns<T: Real>(&self, columns: &Array2<T>, lines: std::ops::Range<usize>, image: &mut [T]) {
        let (width, stride, start) = (self.geometry.grid[2], self.geometry.stride[2], lines.start);
        self.geometry.taps(lines, |tap, line, first, count, from| {
            let at = (line - start) * width + first;
            let read = columns.slice(s![tap, at..at + count]);
            image[from..].iter_mut().step_by(stride).zip(read).for_each(|(to, from)| *to = *to + *from);
        });
    }
}

#[expect(clippy::expect_used, reason = "a slice of another length is a mistake in this engine")]
fn view_mut<T>(values: &mut [T], rows: usize, columns: usize) -> ArrayViewMut2<'_, T> {
    ArrayViewMut2::from_shape((rows, columns), values).expect("the slice has rows x columns elements")
}

#[expect(clippy::expect_used, reason = "a vector of another length is a mistake in this engine")]
fn matrix<T>(values: Vec<T>, rows: usize, columns: usize) -> Array2<T> {
    Array2::from_shape_vec((rows, columns), values).expect("the vector has rows x columns elements")
}

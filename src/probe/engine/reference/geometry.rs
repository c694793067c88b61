//! Sizes of a convolution in three dimensions; fewer are three with an extent of 1 in front.

use crate::probe::spec::Conv;

/// A convolution reads an image at the places of a grid. Of a transposed one, the grid is what goes in and the image what
/// comes out; the rest is the same.
#[derive(Debug, Clone)]
pub struct Geometry {
    /// Images.
    pub batch: usize,
    /// Channels of the image in one group.
    pub channels: usize,
    /// Channels of the grid in one group.
    pub filters: usize,
    /// Independent parts of the channels.
    pub groups: usize,
    /// Of the image.
    pub image: [usize; 3],
    /// Of the grid.
    pub grid: [usize; 3],
    /// Of a filter.
    pub kernel: [usize; 3],
    /// Distance of two places.
    pub stride: [usize; 3],
    /// Zeros around the image.
    pub padding: [usize; 3],
    /// Distance of two taps.
    pub dilation: [usize; 3],
}

impl Geometry {
    /// Of a checked convolution.
    pub fn of(conv: &Conv) -> Self {
        let output = conv.output().unwrap_or_else(|| conv.input.clone());
        let (image, grid) = if conv.transposed { (&output, &conv.input) } else { (&conv.input, &output) };
        Self {
            batch: image[0],
            channels: image[1] / conv.groups,
            filters: grid[1] / conv.groups,
            groups: conv.groups,
            image: three(&image[2..], 1),
            grid: three(&grid[2..], 1),
            kernel: three(&conv.kernel, 1),
            stride: three(&conv.stride, 1),
            padding: three(&conv.padding, 0),
            dilation: three(&conv.dilation, 1),
        }
    }

    /// Products in one element of the grid.
    pub fn depth(&self) -> usize {
        self.channels * self.kernel.iter().product::<usize>()
    }

    /// Elements of one channel of the image.
    pub fn image_size(&self) -> usize {
        self.image.iter().product()
    }

    /// Elements of one channel of the grid.
    pub fn grid_size(&self) -> usize {
        self.grid.iter().product()
    }

    /// Lines of the grid: all extents but the last.
    pub fn lines(&self) -> usize {
        self.grid[0] * self.grid[1]
    }

    /// For each tap of a channel's filter and each line of the grid: which part of a line of the image it reads.
    ///
    /// `each` gets the row of the column matrix (channel and tap), the line's number, the first place of the grid's line
    /// that reads the image and not its padding, how many do, and where in the channel's image the first reads.
    pub fn taps(&self, lines: std::ops::Range<usize>, mut each: impl FnMut(usize, usize, usize, usize, usize)) {
        let [depth, height, width] = self.kernel;
        for tap in 0..self.depth() {
            let (channel, inside) = (tap / (depth * height * width), tap % (depth * height * width));
            let at = [inside / (height * width), inside / width % height, inside % width];
            let Some((first, count)) = self.readable(2, at[2]) else { continue };
            for line in lines.clone() {
                let places = [line / self.grid[1], line % self.grid[1]];
                let read = |dim: usize| {
                    let place = places[dim] * self.stride[dim] + at[dim] * self.dilation[dim];
                    place.checked_sub(self.padding[dim]).filter(|place| *place < self.image[dim])
                };
                let (Some(plane), Some(row)) = (read(0), read(1)) else { continue };
                let column = first * self.stride[2] + at[2] * self.dilation[2] - self.padding[2];
                let from = ((channel * self.image[0] + plane) * self.image[1] + row) * self.image[2] + column;
                each(tap, line, first, count, from);
            }
        }
    }

    /// The places along one dimension whose tap reads the image: the first, and how many.
    fn readable(&self, dim: usize, tap: usize) -> Option<(usize, usize)> {
        let (stride, padding, offset) = (self.stride[dim], self.padding[dim], tap * self.dilation[dim]);
        let first = padding.saturating_sub(offset).div_ceil(stride);
        // place * stride + offset - padding <= image - 1
        let last = (self.image[dim] - 1 + padding).checked_sub(offset)? / stride;
        let last = last.min(self.grid[dim] - 1);
        (first <= last).then(|| (first, last - first + 1))
    }
}

fn three(values: &[usize], filler: usize) -> [usize; 3] {
    let mut all = [filler; 3];
    all[3 - values.len()..].copy_from_slice(values);
    all
}

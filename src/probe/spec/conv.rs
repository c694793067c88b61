//! Convolutions of one to three dimensions, and what is computed of them.

use serde::{Deserialize, Serialize};

use super::{ProbeSpec, SpecError, check_shape};

/// A convolution, as PyTorch defines it, without bias.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conv {
    /// Batch, channels, then one to three extents: NCW, NCHW or NCDHW.
    pub input: Vec<usize>,
    /// Number of filters: the channels of the output.
    pub filters: usize,
    /// Extents of a filter.
    pub kernel: Vec<usize>,
    /// One for each extent of the kernel.
    pub stride: Vec<usize>,
    /// Zeros before and after, one number for each extent of the kernel.
    pub padding: Vec<usize>,
    /// One for each extent of the kernel.
    pub dilation: Vec<usize>,
    /// Channels of input and output are split into so many; as many as there are channels is depthwise.
    pub groups: usize,
    /// A transposed convolution (without output padding).
    pub transposed: bool,
    /// What is computed.
    pub direction: Direction,
}

/// Which of a convolution's three computations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// The output, from input and weights. MIOpenDriver's `-F 1`.
    Forward,
    /// Gradient of the input, from the output's gradient and the weights. `-F 2`.
    BackwardData,
    /// Gradient of the weights, from input and the output's gradient. `-F 4`.
    BackwardWeights,
}

impl Direction {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Forward, Self::BackwardData, Self::BackwardWeights];

    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::BackwardData => "backward-data",
            Self::BackwardWeights => "backward-weights",
        }
    }
}

impl Conv {
    /// Longest stride, padding and dilation.
    const MOST: usize = 4096;

    /// Forward, stride 1, no padding, no dilation, one group: what the rest is changed from.
    pub fn plain(input: &[usize], filters: usize, kernel: &[usize]) -> Self {
        Self {
            input: input.to_vec(),
            filters,
            kernel: kernel.to_vec(),
            stride: vec![1; kernel.len()],
            padding: vec![0; kernel.len()],
            dilation: vec![1; kernel.len()],
            groups: 1,
            transposed: false,
            direction: Direction::Forward,
        }
    }

    /// Number of extents beside batch and channels: 1, 2 or 3.
    pub fn dims(&self) -> usize {
        self.kernel.len()
    }

    /// # Errors
    /// The numbers make no convolution.
    pub(super) fn check(&self) -> Result<(), SpecError> {
        check_shape("input", &self.input, 3..=5)?;
        let dims = self.input.len() - 2;
        check_shape("kernel", &self.kernel, dims..=dims)?;
        for (key, values, least) in
            [("stride", &self.stride, 1), ("padding", &self.padding, 0), ("dilation", &self.dilation, 1)]
        {
            if values.len() != dims {
                return Err(SpecError::value(key, format!("{} numbers where {dims} are needed", values.len())));
            }
            if values.iter().any(|value| !(least..=Self::MOST).contains(value)) {
                return Err(SpecError::value(key, format!("from {least} to {}", Self::MOST)));
            }
        }
        if !(1..=ProbeSpec::MAX_ELEMENTS).contains(&self.filters) {
            return Err(SpecError::value("filters", "at least 1"));
        }
        let groups = self.groups;
        if groups == 0 || !self.input[1].is_multiple_of(groups) || !self.filters.is_multiple_of(groups) {
            let (channels, filters) = (self.input[1], self.filters);
            return Err(SpecError::value("groups", format!("must divide {channels} channels and {filters} filters")));
        }
        let Some(output) = self.output() else {
            return Err(SpecError::value("kernel", "larger than the padded input, or the output is empty"));
        };
        check_shape("output", &output, 3..=5)?;
        check_shape("weights", &self.weights(), 3..=5)
    }

    /// Shape of the weights: `filters, channels / groups, kernel…`; transposed `channels, filters / groups, kernel…`.
    pub fn weights(&self) -> Vec<usize> {
        let (outer, inner) =
            if self.transposed { (self.input[1], self.filters) } else { (self.filters, self.input[1]) };
        [&[outer, inner / self.groups], self.kernel.as_slice()].concat()
    }

    /// Shape of the output: batch, filters, extents; `None` when an extent would be smaller than 1 or does not fit.
    pub fn output(&self) -> Option<Vec<usize>> {
        let mut shape = vec![self.input[0], self.filters];
        for dim in 0..self.dims() {
            let reach = self.dilation[dim].checked_mul(self.kernel[dim].checked_sub(1)?)?.checked_add(1)?;
            let extent = self.input[dim + 2];
            let padding = self.padding[dim].checked_mul(2)?;
            shape.push(if self.transposed {
                let spread = (extent - 1).checked_mul(self.stride[dim])?.checked_add(reach)?;
                spread.checked_sub(padding).filter(|&extent| extent > 0)?
            } else {
                extent.checked_add(padding)?.checked_sub(reach)? / self.stride[dim] + 1
            });
        }
        Some(shape)
    }

    /// Shape of what is computed in its direction; `None` as in [`Conv::output`].
    pub fn result(&self) -> Option<Vec<usize>> {
        match self.direction {
            Direction::Forward => self.output(),
            Direction::BackwardData => Some(self.input.clone()),
            Direction::BackwardWeights => Some(self.weights()),
        }
    }

    /// Most products that are summed into one element of the result.
    pub fn reduction(&self) -> usize {
        let taps: usize = self.kernel.iter().product();
        let output = self.output().unwrap_or_default();
        match self.direction {
            Direction::Forward => self.input[1] / self.groups * taps,
            Direction::BackwardData => self.filters / self.groups * taps,
            // A tap of the weights meets each position of the smaller side once.
            Direction::BackwardWeights if self.transposed => elements_beside_channels(&self.input),
            Direction::BackwardWeights => elements_beside_channels(&output),
        }
    }
}

/// Batch and extents, without the channels.
fn elements_beside_channels(shape: &[usize]) -> usize {
    shape.iter().enumerate().filter(|(at, _)| *at != 1).map(|(_, extent)| extent).product()
}

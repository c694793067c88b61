//! Computations, each defined as PyTorch defines it, with the shapes of what goes in and comes out.

use serde::{Deserialize, Serialize};

use super::{Conv, Direction, SpecError, check_shape};
use crate::probe::tensor::Role;

/// What is computed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Operation {
    /// One of a convolution's three computations.
    Conv(Conv),
    /// `m x k` times `k x n`.
    Matmul {
        /// Rows of the first.
        m: usize,
        /// Columns of the first, rows of the second.
        k: usize,
        /// Columns of the second.
        n: usize,
    },
    /// `input * weights^T + bias`: a batch through one layer. Weights are `outputs x inputs`.
    Linear {
        /// Rows.
        batch: usize,
        /// Numbers of one row.
        inputs: usize,
        /// Numbers of one row of the result.
        outputs: usize,
    },
    /// Element by element.
    Elementwise {
        /// What is done to each.
        function: Elementwise,
        /// Of the operands and of the result.
        shape: Vec<usize>,
    },
    /// Many elements to one.
    Reduce {
        /// How.
        function: Reduction,
        /// Of the input.
        shape: Vec<usize>,
        /// What becomes one.
        over: Over,
    },
    /// Softmax over the last extent.
    Softmax {
        /// Of input and result.
        shape: Vec<usize>,
    },
    /// Layer normalisation over the last extent, with weights and bias; epsilon is 1e-5.
    LayerNorm {
        /// Of input and result.
        shape: Vec<usize>,
    },
    /// Batch normalisation, with weights and bias; epsilon is 1e-5. The result is the normalised tensor.
    BatchNorm {
        /// Batch, channels, extents.
        shape: Vec<usize>,
        /// Whose mean and variance.
        mode: BatchNormMode,
    },
    /// Pooling over one to three extents.
    Pool {
        /// How.
        function: Pooling,
        /// Batch, channels, extents.
        shape: Vec<usize>,
        /// Extents of the window.
        kernel: Vec<usize>,
        /// In every extent.
        stride: usize,
        /// In every extent; an average counts the zeros, a maximum ignores them.
        padding: usize,
    },
    /// Enlarges two extents by a whole factor; linear without aligned corners.
    Upsample {
        /// How.
        function: Interpolation,
        /// Batch, channels, height, width.
        shape: Vec<usize>,
        /// Times larger, from 2 to 16.
        factor: usize,
    },
    /// One step of an optimizer on a flat tensor of parameters.
    OptimizerStep {
        /// Which.
        optimizer: Optimizer,
        /// How many.
        parameters: usize,
    },
    /// Trains a small network for some steps; the result is the loss before each step and after the last.
    Training(Training),
}

/// A small network on a batch that stays the same: convolution 3x3 (padding 1, bias) -> ReLU -> mean over the extents ->
/// linear with bias -> cross-entropy (mean over the batch).
///
/// In f16 and bf16 the weights stay f32 and the convolution and the linear layer run in that format (PyTorch's autocast);
/// f16 scales the loss by 1024 and the gradients back. Weights begin as the generator gives them times
/// [`Training::scale`], biases at 0; the label of image `i` is the hash of element `i` of the role bias, modulo classes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// Which.
    pub optimizer: Optimizer,
    /// Batch, channels, height, width.
    pub input: Vec<usize>,
    /// Of the convolution.
    pub filters: usize,
    /// Of the result of the linear layer.
    pub classes: usize,
    /// How many.
    pub steps: usize,
}

impl Training {
    /// The largest power of two that is at most `sqrt(6 / fan_in)`: nearly He's initialisation, and exact in 16 bits.
    pub fn scale(fan_in: usize) -> f64 {
        (6.0 / fan_in as f64).sqrt().log2().floor().exp2()
    }
}

macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$each:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$each])* #[serde(rename = $text)] $variant),+
        }

        impl $name {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// As it is written.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }
    };
}

named! {
    /// What is done to each element.
    Elementwise {
        /// Sum of two.
        Add = "add",
        /// Product of two.
        Multiply = "multiply",
        /// Zero where it is negative.
        Relu = "relu",
        /// e to it.
        Exp = "exp",
        /// Hyperbolic tangent.
        Tanh = "tanh",
        /// `1 / (1 + e^-x)`.
        Sigmoid = "sigmoid",
    }
}

named! {
    /// How many become one.
    Reduction {
        /// Sum.
        Sum = "sum",
        /// Mean.
        Mean = "mean",
        /// Maximum.
        Max = "max",
    }
}

named! {
    /// What becomes one.
    Over {
        /// All elements: the result is one number, of shape `1`.
        All = "all",
        /// Each row of the last extent.
        Last = "last",
    }
}

named! {
    /// Whose mean and variance normalise a batch.
    BatchNormMode {
        /// Those of the batch; variance divided by the number of elements.
        Train = "train",
        /// Those given.
        Eval = "eval",
    }
}

named! {
    /// How a window becomes one.
    Pooling {
        /// Maximum.
        Max = "max",
        /// Mean.
        Average = "average",
    }
}

named! {
    /// How extents are enlarged.
    Interpolation {
        /// Each element repeated.
        Nearest = "nearest",
        /// Bilinear.
        Linear = "linear",
    }
}

named! {
    /// How parameters are changed.
    Optimizer {
        /// Momentum 0.9; learning rate [`Optimizer::rate`].
        Sgd = "sgd",
        /// Betas 0.9 and 0.999, epsilon 1e-8; learning rate [`Optimizer::rate`]. A single step is the tenth.
        Adam = "adam",
    }
}

impl Optimizer {
    /// Momentum of SGD, and Adam's first beta.
    pub const MOMENTUM: f64 = 0.9;
    /// Adam's second beta.
    pub const BETA2: f64 = 0.999;
    /// Adam's epsilon.
    pub const EPSILON: f64 = 1e-8;
    /// Which step of Adam a single one is: both bias corrections are at work.
    pub const SINGLE_STEP: i32 = 10;

    /// Learning rate.
    pub const fn rate(self) -> f64 {
        match self {
            Self::Sgd => 0.0625,
            Self::Adam => 0.0078125,
        }
    }
}

/// A tensor that goes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// What it is to the operation, which decides its numbers.
    pub role: Role,
    /// Its extents.
    pub shape: Vec<usize>,
}

impl Operation {
    /// Most extents of a tensor that is not a convolution's.
    const DIMS: usize = 5;
    /// Most steps of training.
    pub const MAX_STEPS: usize = 10_000;

    /// # Errors
    /// The numbers go with no such operation.
    pub(super) fn check(&self) -> Result<(), SpecError> {
        match self {
            Self::Conv(conv) => return conv.check(),
            Self::Upsample { shape, factor, .. } => {
                check_shape("shape", shape, 4..=4)?;
                if !(2..=16).contains(factor) {
                    return Err(SpecError::value("factor", "from 2 to 16"));
                }
            }
            Self::Pool { shape, kernel, stride, padding, .. } => {
                check_shape("shape", shape, 3..=5)?;
                check_shape("kernel", kernel, shape.len() - 2..=shape.len() - 2)?;
                // PyTorch's rule; a window of nothing but padding has no maximum.
                if kernel.iter().any(|extent| *padding > extent / 2) {
                    return Err(SpecError::value("padding", "at most half of the kernel"));
                }
                if *stride == 0 {
                    return Err(SpecError::value("stride", "at least 1"));
                }
                let fits = shape[2..].iter().zip(kernel).all(|(extent, kernel)| kernel <= &(extent + 2 * padding));
                if !fits {
                    return Err(SpecError::value("kernel", "larger than the padded input"));
                }
            }
            Self::BatchNorm { shape, .. } => check_shape("shape", shape, 2..=Self::DIMS)?,
            Self::Training(training) => {
                check_shape("input", &training.input, 4..=4)?;
                if !(1..=Self::MAX_STEPS).contains(&training.steps) {
                    return Err(SpecError::value("steps", format!("from 1 to {}", Self::MAX_STEPS)));
                }
                if training.classes < 2 {
                    return Err(SpecError::value("classes", "at least 2"));
                }
            }
            Self::Matmul { .. }
            | Self::Linear { .. }
            | Self::Elementwise { .. }
            | Self::Reduce { .. }
            | Self::Softmax { .. }
            | Self::LayerNorm { .. }
            | Self::OptimizerStep { .. } => {}
        }
        for input in self.inputs() {
            check_shape(input.role.name(), &input.shape, 1..=Self::DIMS)?;
        }
        check_shape("result", &self.result(), 1..=Self::DIMS)
    }

    /// The tensors that go in, in order. Only for a checked specification.
    pub fn inputs(&self) -> Vec<Input> {
        let inputs = |list: &[(Role, &[usize])]| {
            list.iter().map(|&(role, shape)| Input { role, shape: shape.to_vec() }).collect::<Vec<_>>()
        };
        match self {
            Self::Conv(conv) => {
                let output = conv.output().unwrap_or_default();
                match conv.direction {
                    Direction::Forward => inputs(&[(Role::Input, &conv.input), (Role::Weights, &conv.weights())]),
                    Direction::BackwardData => inputs(&[(Role::Gradient, &output), (Role::Weights, &conv.weights())]),
                    Direction::BackwardWeights => inputs(&[(Role::Input, &conv.input), (Role::Gradient, &output)]),
                }
            }
            &Self::Matmul { m, k, n } => inputs(&[(Role::Input, &[m, k]), (Role::Weights, &[k, n])]),
            &Self::Linear { batch, inputs: width, outputs } => {
                inputs(&[(Role::Input, &[batch, width]), (Role::Weights, &[outputs, width]), (Role::Bias, &[outputs])])
            }
            Self::Elementwise { function: Elementwise::Add | Elementwise::Multiply, shape } => {
                inputs(&[(Role::Input, shape), (Role::Weights, shape)])
            }
            Self::Elementwise {
                function: Elementwise::Relu | Elementwise::Exp | Elementwise::Tanh | Elementwise::Sigmoid,
                shape,
            }
            | Self::Reduce { shape, .. }
            | Self::Softmax { shape }
            | Self::Pool { shape, .. }
            | Self::Upsample { shape, .. } => inputs(&[(Role::Input, shape)]),
            Self::LayerNorm { shape } => {
                let last = &shape[shape.len().saturating_sub(1)..];
                inputs(&[(Role::Input, shape), (Role::Weights, last), (Role::Bias, last)])
            }
            Self::BatchNorm { shape, mode } => {
                let channels = &shape[1..2];
                let mut list = inputs(&[(Role::Input, shape), (Role::Weights, channels), (Role::Bias, channels)]);
                match mode {
                    BatchNormMode::Train => {}
                    BatchNormMode::Eval => list.extend(inputs(&[(Role::Mean, channels), (Role::Variance, channels)])),
                }
                list
            }
            &Self::OptimizerStep { optimizer, parameters } => {
                let shape = [parameters];
                let mut list = inputs(&[(Role::Weights, &shape), (Role::Gradient, &shape), (Role::Mean, &shape)]);
                match optimizer {
                    Optimizer::Sgd => {}
                    Optimizer::Adam => list.extend(inputs(&[(Role::Variance, &shape)])),
                }
                list
            }
            Self::Training(Training { input, filters, classes, .. }) => inputs(&[
                (Role::Input, input),
                (Role::Weights, &[*filters, input[1], 3, 3]),
                (Role::Head, &[*classes, *filters]),
            ]),
        }
    }

    /// Shape of what comes out. Only for a checked specification.
    pub fn result(&self) -> Vec<usize> {
        match self {
            Self::Conv(conv) => conv.result().unwrap_or_default(),
            &Self::Matmul { m, n, .. } => vec![m, n],
            &Self::Linear { batch, outputs, .. } => vec![batch, outputs],
            Self::Elementwise { shape, .. }
            | Self::Softmax { shape }
            | Self::LayerNorm { shape }
            | Self::BatchNorm { shape, .. } => shape.clone(),
            Self::Reduce { over: Over::All, .. } => vec![1],
            Self::Reduce { over: Over::Last, shape, .. } => match shape.as_slice() {
                [] | [_] => vec![1],
                [rows @ .., _] => rows.to_vec(),
            },
            Self::Pool { shape, kernel, stride, padding, .. } => {
                let extents = shape[2..].iter().zip(kernel);
                let extents = extents.map(|(extent, kernel)| (extent + 2 * padding - kernel) / stride + 1);
                shape[..2].iter().copied().chain(extents).collect()
            }
            Self::Upsample { shape, factor, .. } => shape[..2]
                .iter()
                .copied()
                .chain(shape[2..].iter().map(|extent| extent.saturating_mul(*factor)))
                .collect(),
            &Self::OptimizerStep { parameters, .. } => vec![parameters],
            Self::Training(training) => vec![training.steps + 1],
        }
    }

    /// Whether it trains, so that its result is losses.
    pub const fn trains(&self) -> bool {
        matches!(self, Self::Training(_))
    }

    /// Which of a convolution's computations it is; `None` for anything else.
    pub const fn direction(&self) -> Option<Direction> {
        if let Self::Conv(conv) = self { Some(conv.direction) } else { None }
    }

    /// Most numbers that are summed into one element of the result.
    pub fn reduction(&self) -> usize {
        match self {
            Self::Conv(conv) => conv.reduction(),
            &Self::Matmul { k, .. } => k,
            &Self::Linear { inputs, .. } => inputs + 1,
            Self::Elementwise { .. } | Self::OptimizerStep { .. } => 1,
            Self::Reduce { over: Over::All, shape, .. } => shape.iter().product(),
            Self::Reduce { over: Over::Last, shape, .. } | Self::Softmax { shape } | Self::LayerNorm { shape } => {
                shape.last().copied().unwrap_or(1)
            }
            Self::BatchNorm { shape, mode } => match mode {
                BatchNormMode::Train => shape.iter().product::<usize>() / shape[1],
                BatchNormMode::Eval => 1,
            },
            Self::Pool { kernel, .. } => kernel.iter().product(),
            Self::Upsample { .. } => 4,
            Self::Training(Training { input, .. }) => input[0] * input[2] * input[3],
        }
    }

    /// Products that are made for the whole result, to say beforehand what it costs.
    pub fn multiplications(&self) -> u128 {
        let product = |shape: &[usize]| shape.iter().map(|extent| *extent as u128).product::<u128>();
        match self {
            // All three computations of a convolution make the same products.
            Self::Conv(conv) => {
                let grid = if conv.transposed { conv.input.clone() } else { conv.output().unwrap_or_default() };
                product(&grid) * product(&conv.weights()[1..])
            }
            // Forward, and backward to the weights.
            Self::Training(Training { input, filters, steps, .. }) => {
                2 * 9 * product(input) * *filters as u128 * (*steps as u128 + 1)
            }
            Self::Matmul { .. } | Self::Linear { .. } | Self::Pool { .. } => {
                product(&self.result()) * self.reduction() as u128
            }
            Self::Elementwise { shape, .. }
            | Self::Reduce { shape, .. }
            | Self::Softmax { shape }
            | Self::LayerNorm { shape }
            | Self::BatchNorm { shape, .. } => product(shape),
            Self::Upsample { .. } => 4 * product(&self.result()),
            &Self::OptimizerStep { parameters, .. } => parameters as u128,
        }
    }
}

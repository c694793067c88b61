//! Each operation of a probe as libtorch computes it, on whatever device its inputs lie.
//!
//! What has a variant that writes to a tensor which it is given gets one full of poison. The others (convolutions,
//! normalisations, pooling in one dimension) write to what they allocate: for these a tensor of the result's size is
//! filled with poison and freed before, so that an allocator that hands it out again hands out poison. That is likely on a
//! GPU, whose memory libtorch caches, and not certain.

use rocvet::probe::spec::{
    BatchNormMode, Conv, Direction, Dtype, Elementwise, Interpolation, Operation, Optimizer, Over, Pooling, ProbeSpec,
    Reduction, elements,
};
use rocvet::probe::tensor::{Generator, POISON, Role};
use tch::{Device, Kind, TchError, Tensor};

use crate::training;

const EPSILON: f64 = 1e-5;

/// Number format as libtorch names it.
pub const fn kind(dtype: Dtype) -> Kind {
    match dtype {
        Dtype::F64 => Kind::Double,
        Dtype::F32 => Kind::Float,
        Dtype::F16 => Kind::Half,
        Dtype::Bf16 => Kind::BFloat16,
    }
}

/// A shape as libtorch counts it.
pub fn extents(shape: &[usize]) -> Vec<i64> {
    // A checked specification has no extent beyond 2^31.
    shape.iter().map(|extent| i64::try_from(*extent).unwrap_or(i64::MAX)).collect()
}

/// The numbers of one input, on this device. Every one is exact in every format.
pub fn input(seed: u32, role: Role, shape: &[usize], kind: Kind, device: Device) -> Result<Tensor, TchError> {
    let generator = Generator::new(seed, role);
    // A checked specification has no tensor with more elements than 32 bits number.
    let count = u32::try_from(elements(shape).unwrap_or(0)).unwrap_or(u32::MAX);
    #[expect(clippy::cast_possible_truncation, reason = "each is a multiple of 1/256 below 1")]
    let values: Vec<f32> = (0..count).map(|index| generator.at(index) as f32).collect();
    Tensor::f_from_slice(&values)?.f_reshape(extents(shape))?.f_to_device(device)?.f_to_kind(kind)
}

/// An operation with its inputs on a device, to be computed as often as wanted.
#[derive(Debug)]
pub struct Prepared<'a> {
    operation: &'a Operation,
    seed: u32,
    dtype: Dtype,
    device: Device,
    inputs: Vec<Tensor>,
}

impl<'a> Prepared<'a> {
    /// # Errors
    /// libtorch's, of a device without enough memory for one.
    pub fn new(spec: &ProbeSpec, operation: &'a Operation, dtype: Dtype, device: Device) -> Result<Self, TchError> {
        // Weights stay f32 where only the arithmetic on them is in 16 bits.
        let in_f32 = |role: Role| match operation {
            Operation::Training(_) => role != Role::Input,
            // MIOpen takes no other parameters with a 16-bit tensor, and autocast leaves them so.
            Operation::BatchNorm { .. } => role != Role::Input,
            Operation::Conv(_)
            | Operation::Matmul { .. }
            | Operation::Linear { .. }
            | Operation::Elementwise { .. }
            | Operation::Reduce { .. }
            | Operation::Softmax { .. }
            | Operation::LayerNorm { .. }
            | Operation::Pool { .. }
            | Operation::Upsample { .. }
            | Operation::OptimizerStep { .. } => false,
        };
        let sixteen = matches!(dtype, Dtype::F16 | Dtype::Bf16);
        let inputs = operation.inputs().into_iter().map(|each| {
            let kind = if sixteen && in_f32(each.role) { Kind::Float } else { kind(dtype) };
            input(spec.seed, each.role, &each.shape, kind, device)
        });
        Ok(Self { operation, seed: spec.seed, dtype, device, inputs: inputs.collect::<Result<_, _>>()? })
    }

    /// The result, on the device where it was computed.
    ///
    /// # Errors
    /// libtorch's.
    pub fn compute(&self) -> Result<Tensor, TchError> {
        match self.operation {
            Operation::Training(training) => {
                training::train(training, self.seed, &self.inputs, self.dtype, self.device)
            }
            // Gradients of weights come from autograd.
            Operation::Conv(conv) => self.conv(conv),
            Operation::Matmul { .. }
            | Operation::Linear { .. }
            | Operation::Elementwise { .. }
            | Operation::Reduce { .. }
            | Operation::Softmax { .. }
            | Operation::LayerNorm { .. }
            | Operation::BatchNorm { .. }
            | Operation::Pool { .. }
            | Operation::Upsample { .. }
            | Operation::OptimizerStep { .. } => {
                let _guard = tch::no_grad_guard();
                self.without_gradients()
            }
        }
    }

    fn poisoned(&self, shape: &[i64]) -> Result<Tensor, TchError> {
        Tensor::f_full(shape, POISON, (kind(self.dtype), self.device))
    }

    /// Leaves poison where the allocator may take the result from.
    fn poison_the_heap(&self) -> Result<(), TchError> {
        self.poisoned(&extents(&self.operation.result())).map(drop)
    }

    fn conv(&self, conv: &Conv) -> Result<Tensor, TchError> {
        let [a, b] = [&self.inputs[0], &self.inputs[1]];
        match conv.direction {
            Direction::Forward => {
                let _guard = tch::no_grad_guard();
                self.poison_the_heap()?;
                convolution(conv, a, b, conv.transposed, &vec![0; conv.dims()])
            }
            // By the same kernels, and without a forward pass that could fail in its place: the gradient of a convolution's
            // input is a transposed convolution of the output's gradient, and the other way round.
            Direction::BackwardData => {
                let _guard = tch::no_grad_guard();
                self.poison_the_heap()?;
                let missing = if conv.transposed { vec![0; conv.dims()] } else { left_over(conv) };
                convolution(conv, a, b, !conv.transposed, &missing)
            }
            // libtorch's own function for it is not among those that tch has: autograd calls it, after a forward pass.
            Direction::BackwardWeights => {
                let weights = Tensor::f_zeros(extents(&conv.weights()), (kind(self.dtype), self.device))?
                    .f_requires_grad_(true)?;
                let output = convolution(conv, a, &weights, conv.transposed, &vec![0; conv.dims()])?;
                let weighted = output.f_mul(b)?.f_sum(Kind::Float)?;
                tch::no_grad(|| self.poison_the_heap())?;
                let gradients = Tensor::f_run_backward(&[weighted], &[weights], false, false)?;
                gradients.into_iter().next().ok_or_else(|| TchError::Shape("no gradient".to_owned()))
            }
        }
    }

    fn without_gradients(&self) -> Result<Tensor, TchError> {
        let shape = extents(&self.operation.result());
        let out = || self.poisoned(&shape);
        let input = |at: usize| &self.inputs[at];
        let x = input(0);
        match self.operation {
            Operation::Conv(conv) => self.conv(conv),
            Operation::Training(training) => {
                training::train(training, self.seed, &self.inputs, self.dtype, self.device)
            }
            Operation::Matmul { .. } => x.f_matmul_out(&out()?, input(1)),
            Operation::Linear { .. } => input(2).f_addmm_out(&out()?, x, &input(1).f_tr()?),
            Operation::Elementwise { function, .. } => match function {
                Elementwise::Add => x.f_add_out(&out()?, input(1)),
                Elementwise::Multiply => x.f_mul_out(&out()?, input(1)),
                Elementwise::Relu => {
                    self.poison_the_heap()?;
                    x.f_relu()
                }
                Elementwise::Exp => x.f_exp_out(&out()?),
                Elementwise::Tanh => x.f_tanh_out(&out()?),
                Elementwise::Sigmoid => x.f_sigmoid_out(&out()?),
            },
            Operation::Reduce { function, over, shape: from } => {
                let row = match over {
                    Over::All => -1,
                    Over::Last => extents(from).last().copied().unwrap_or(1),
                };
                let rows = match over {
                    Over::All => x.f_reshape([1, row])?,
                    Over::Last => x.f_reshape([-1, row])?,
                };
                let out = self.poisoned(&[rows.size()[0]])?;
                let reduced = match function {
                    Reduction::Sum => rows.f_sum_intlist_out(&out, [1].as_slice(), false, kind(self.dtype)),
                    Reduction::Mean => rows.f_mean_out(&out, [1].as_slice(), false, kind(self.dtype)),
                    Reduction::Max => rows.f_amax_out(&out, [1].as_slice(), false),
                }?;
                reduced.f_reshape(&shape)
            }
            Operation::Softmax { .. } => x.f_softmax_int_out(&out()?, -1, kind(self.dtype)),
            Operation::LayerNorm { shape } => {
                self.poison_the_heap()?;
                let last = &extents(shape)[shape.len() - 1..];
                x.f_layer_norm(last, Some(input(1)), Some(input(2)), EPSILON, true)
            }
            Operation::BatchNorm { mode, .. } => {
                self.poison_the_heap()?;
                let (training, mean, variance) = match mode {
                    BatchNormMode::Train => (true, None, None),
                    BatchNormMode::Eval => (false, Some(input(3)), Some(input(4))),
                };
                x.f_batch_norm(Some(input(1)), Some(input(2)), mean, variance, training, 0.1, EPSILON, true)
            }
            Operation::Pool { function, kernel, stride, padding, .. } => {
                let all = |value: usize| extents(&vec![value; kernel.len()]);
                self.pool(*function, x, &extents(kernel), &all(*stride), &all(*padding), &shape)
            }
            Operation::Upsample { function, .. } => {
                let size = &shape[2..];
                match function {
                    Interpolation::Nearest => x.f_upsample_nearest2d_out(&out()?, size, None, None),
                    Interpolation::Linear => x.f_upsample_bilinear2d_out(&out()?, size, false, None, None),
                }
            }
            Operation::OptimizerStep { optimizer, .. } => {
                let mut parameters = copy(x)?;
                let second = match optimizer {
                    Optimizer::Sgd => None,
                    Optimizer::Adam => Some(copy(input(3))?),
                };
                let mut state = training::State { first: copy(input(2))?, second };
                training::step(*optimizer, &mut parameters, input(1), &mut state, Optimizer::SINGLE_STEP)?;
                Ok(parameters)
            }
        }
    }

    fn pool(
        &self,
        function: Pooling,
        x: &Tensor,
        kernel: &[i64],
        stride: &[i64],
        padding: &[i64],
        shape: &[i64],
    ) -> Result<Tensor, TchError> {
        let out = || self.poisoned(shape);
        let places = || Tensor::f_zeros(shape, (Kind::Int64, self.device));
        let one = vec![1_i64; kernel.len()];
        match (function, kernel.len()) {
            (Pooling::Max, 1) => {
                self.poison_the_heap()?;
                x.f_max_pool1d(kernel, stride, padding, &one, false)
            }
            (Pooling::Max, 2) => x
                .f_max_pool2d_with_indices_out(&out()?, &places()?, kernel, stride, padding, &one, false)
                .map(|(values, _)| values),
            (Pooling::Max, _) => x
                .f_max_pool3d_with_indices_out(&out()?, &places()?, kernel, stride, padding, &one, false)
                .map(|(values, _)| values),
            (Pooling::Average, 1) => {
                self.poison_the_heap()?;
                x.f_avg_pool1d(kernel, stride, padding, false, true)
            }
            (Pooling::Average, 2) => x.f_avg_pool2d_out(&out()?, kernel, stride, padding, false, true, None),
            (Pooling::Average, _) => x.f_avg_pool3d_out(&out()?, kernel, stride, padding, false, true, None),
        }
    }
}

fn copy(tensor: &Tensor) -> Result<Tensor, TchError> {
    let mut copy = tensor.f_empty_like()?;
    copy.f_copy_(tensor)?;
    Ok(copy)
}

fn convolution(
    conv: &Conv,
    x: &Tensor,
    weights: &Tensor,
    transposed: bool,
    missing: &[usize],
) -> Result<Tensor, TchError> {
    x.f_convolution(
        weights,
        None::<&Tensor>,
        extents(&conv.stride),
        extents(&conv.padding),
        extents(&conv.dilation),
        transposed,
        extents(missing),
        extents(&[conv.groups])[0],
    )
}

/// How much of each extent of a convolution's input no stride reached: a transposed convolution must be told.
fn left_over(conv: &Conv) -> Vec<usize> {
    (0..conv.dims())
        .map(|dim| {
            let reach = conv.dilation[dim] * (conv.kernel[dim] - 1) + 1;
            (conv.input[dim + 2] + 2 * conv.padding[dim] - reach) % conv.stride[dim]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_stride_reached_is_what_a_transposed_convolution_lacks() {
        for (extent, kernel, stride, padding, dilation, expected) in
            [(35, 3, 2, 0, 1, 0), (224, 7, 2, 3, 1, 1), (56, 3, 2, 1, 1, 1), (64, 3, 1, 2, 2, 0), (10, 2, 3, 0, 2, 1)]
        {
            let mut conv = Conv::plain(&[1, 1, extent], 1, &[kernel]);
            (conv.stride, conv.padding, conv.dilation) = (vec![stride], vec![padding], vec![dilation]);
            assert_eq!(left_over(&conv), [expected], "{extent} {kernel}");
            let output = conv.output().unwrap()[2];
            let back = (output - 1) * stride + dilation * (kernel - 1) + 1 + expected;
            assert_eq!(back, extent + 2 * padding);
        }
    }
}

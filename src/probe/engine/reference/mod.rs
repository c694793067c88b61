//! The reference engine: every computation in plain Rust, and the oracle that all engines are judged against.
//!
//! As an engine it computes f32 in f32; f16 and bf16 in f32, rounded wherever PyTorch would write a tensor. As the oracle
//! it computes everything in f64 from the same inputs, and rounds nothing.

mod conv;
mod geometry;
mod network;
mod precision;
mod rows;
mod windows;

use ndarray::{Array2, ArrayView2};

use super::super::spec::{
    BatchNormMode, Dtype, Elementwise, Interpolation, Operation, Optimizer, ProbeSpec, Work, elements,
};
use super::super::tensor::{Generator, Role, Tensor};
use conv::Kernels;
use precision::{Precision, Real};

/// Most multiplications that are done for one result: about a minute on one core.
pub const MOST_MULTIPLICATIONS: u128 = 500_000_000_000;

/// Most elements of all tensors of one probe together: 2 GiB in f64.
pub const MOST_ELEMENTS: u128 = 1 << 28;

/// Why this engine does not compute a probe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotComputed {
    /// It uses a device's memory, and this engine has none.
    #[error("{0} needs a device; the reference engine has none")]
    NoDevice(String),
    /// It would take too long or too much memory.
    #[error("{id} takes {what}, more than the {most} that the reference engine does; make the batch smaller")]
    TooLarge {
        /// Which.
        id: String,
        /// How much of what.
        what: String,
        /// Its bound.
        most: u128,
    },
}

/// The result as this engine computes it in the probe's format. For a checked specification.
///
/// # Errors
/// It is nothing that this engine computes.
pub fn run(spec: &ProbeSpec) -> Result<Tensor, NotComputed> {
    let (operation, dtype) = computed(spec)?;
    Ok(match dtype {
        Dtype::F64 => tensor::<f64>(operation, spec.seed, Precision::Full),
        Dtype::F32 => tensor::<f32>(operation, spec.seed, Precision::Full),
        Dtype::F16 => tensor::<f32>(operation, spec.seed, Precision::F16),
        Dtype::Bf16 => tensor::<f32>(operation, spec.seed, Precision::Bf16),
    })
}

/// The result in f64, whatever the probe's format. For a checked specification.
///
/// # Errors
/// As [`run`].
pub fn oracle(spec: &ProbeSpec) -> Result<Tensor, NotComputed> {
    let (operation, _) = computed(spec)?;
    Ok(tensor::<f64>(operation, spec.seed, Precision::Full))
}

/// Whether this engine computes a probe, without doing it. For a checked specification.
///
/// # Errors
/// Why it does not.
pub fn computes(spec: &ProbeSpec) -> Result<(), NotComputed> {
    computed(spec).map(drop)
}

fn computed(spec: &ProbeSpec) -> Result<(&Operation, Dtype), NotComputed> {
    let (operation, dtype) = match &spec.work {
        Work::Compute { operation, dtype } => (operation, *dtype),
        Work::Memory { .. } => return Err(NotComputed::NoDevice(spec.id())),
    };
    let too_large = |what, most| Err(NotComputed::TooLarge { id: spec.id(), what, most });
    let sizes = operation.inputs().into_iter().map(|input| input.shape).chain([operation.result()]);
    let held: u128 = sizes.map(|shape| elements(&shape).unwrap_or(usize::MAX) as u128).sum();
    let held = held + if let Operation::Conv(conv) = operation { Kernels::of(conv).held() } else { 0 };
    if held > MOST_ELEMENTS {
        return too_large(format!("{held} elements"), MOST_ELEMENTS);
    }
    let multiplications = operation.multiplications();
    if multiplications > MOST_MULTIPLICATIONS {
        return too_large(format!("{multiplications} multiplications"), MOST_MULTIPLICATIONS);
    }
    Ok((operation, dtype))
}

fn tensor<T: Real>(operation: &Operation, seed: u32, precision: Precision) -> Tensor {
    let values = compute::<T>(operation, seed, precision);
    // A loss stays as it was computed, as under PyTorch's autocast.
    let written = if operation.trains() { Precision::Full } else { precision };
    let values = values.into_iter().map(|value| written.round(value).to_f64());
    Tensor { shape: operation.result(), values: values.collect() }
}

/// The numbers of one input.
fn numbers<T: Real>(seed: u32, role: Role, shape: &[usize]) -> Vec<T> {
    let generator = Generator::new(seed, role);
    // A checked specification has no tensor with more elements than 32 bits number.
    let count = u32::try_from(elements(shape).unwrap_or(0)).unwrap_or(u32::MAX);
    (0..count).map(|index| T::from_f64(generator.at(index))).collect()
}

fn compute<T: Real>(operation: &Operation, seed: u32, precision: Precision) -> Vec<T> {
    let inputs: Vec<Vec<T>> = operation.inputs().iter().map(|input| numbers(seed, input.role, &input.shape)).collect();
    let input = |at: usize| inputs[at].as_slice();
    match operation {
        Operation::Conv(conv) => Kernels::of(conv).compute(conv, input(0), input(1)),
        &Operation::Matmul { m, k, n } => product(&view(input(0), m, k), &view(input(1), k, n)),
        &Operation::Linear { batch, inputs: width, outputs } => {
            let product = product(&view(input(0), batch, width), &view(input(1), outputs, width).reversed_axes());
            product.iter().zip(input(2).iter().cycle()).map(|(value, bias)| *value + *bias).collect()
        }
        Operation::Elementwise { function, .. } => {
            let x = input(0).iter();
            match function {
                Elementwise::Add => x.zip(input(1)).map(|(a, b)| *a + *b).collect(),
                Elementwise::Multiply => x.zip(input(1)).map(|(a, b)| *a * *b).collect(),
                Elementwise::Relu => x.map(|a| a.max(T::zero())).collect(),
                Elementwise::Exp => x.map(|a| a.exp()).collect(),
                Elementwise::Tanh => x.map(|a| a.tanh()).collect(),
                Elementwise::Sigmoid => x.map(|a| T::one() / (T::one() + (-*a).exp())).collect(),
            }
        }
        Operation::Reduce { function, .. } => {
            let length = operation.reduction();
            input(0).chunks(length).map(|row| rows::reduce(*function, row)).collect()
        }
        Operation::Softmax { .. } => input(0).chunks(operation.reduction()).flat_map(rows::softmax).collect(),
        Operation::LayerNorm { .. } => {
            let (weights, bias) = (input(1), input(2));
            input(0).chunks(weights.len()).flat_map(|row| rows::layer_norm(row, weights, bias)).collect()
        }
        Operation::BatchNorm { shape, mode } => {
            let given = match mode {
                BatchNormMode::Train => None,
                BatchNormMode::Eval => Some((input(3), input(4))),
            };
            rows::batch_norm(input(0), shape, input(1), input(2), given)
        }
        Operation::Pool { function, shape, kernel, stride, padding } => {
            windows::pool(input(0), *function, shape, kernel, *stride, *padding)
        }
        Operation::Upsample { function, shape, factor } => match function {
            Interpolation::Nearest => windows::nearest(input(0), shape, *factor),
            Interpolation::Linear => windows::linear(input(0), shape, *factor),
        },
        Operation::OptimizerStep { optimizer, .. } => {
            let mut state = network::State { first: inputs[2].clone(), second: Vec::new() };
            if let Optimizer::Adam = optimizer {
                state.second = inputs[3].clone();
            }
            let mut parameters = inputs[0].clone();
            network::step(*optimizer, &mut parameters, input(1), &mut state, Optimizer::SINGLE_STEP);
            parameters
        }
        Operation::Training(training) => network::train(training, seed, &inputs, precision),
    }
}

/// A slice as a matrix.
#[expect(clippy::expect_used, reason = "a slice of another length is a mistake in this engine")]
fn view<T>(values: &[T], rows: usize, columns: usize) -> ArrayView2<'_, T> {
    ArrayView2::from_shape((rows, columns), values).expect("the slice has rows x columns elements")
}

fn product<T: Real>(a: &ArrayView2<'_, T>, b: &ArrayView2<'_, T>) -> Vec<T> {
    let mut c = Array2::zeros((a.nrows(), b.ncols()));
    ndarray::linalg::general_mat_mul(T::one(), a, b, T::zero(), &mut c);
    c.into_raw_vec_and_offset().0
}

#[cfg(test)]
mod tests;

//! Optimizers, and the small network that they train, by autograd.
//!
//! What PyTorch's autocast does is done by hand, as its definition has it: weights stay f32 and are cast where a
//! convolution or a linear layer runs in 16 bits. tch switches autocast for CUDA and f16 only.

use rocvet::probe::spec::{Dtype, Optimizer, Training};
use rocvet::probe::tensor::{Generator, POISON, Role};
use tch::{Device, Kind, TchError, Tensor};

use crate::operation::{extents, kind};

/// What the loss is multiplied with in f16, so that small gradients do not vanish.
const LOSS_SCALE: f64 = 1024.0;

/// What an optimizer keeps of the steps before.
#[derive(Debug)]
pub struct State {
    /// Momentum, or the first moment.
    pub first: Tensor,
    /// The second moment; `None` for SGD.
    pub second: Option<Tensor>,
}

/// Step number `number` (from 1) of an optimizer, on the parameters themselves.
///
/// # Errors
/// libtorch's.
pub fn step(
    optimizer: Optimizer,
    parameters: &mut Tensor,
    gradients: &Tensor,
    state: &mut State,
    number: i32,
) -> Result<(), TchError> {
    let rate = optimizer.rate();
    match &mut state.second {
        None => {
            let _ = state.first.f_mul_scalar_(Optimizer::MOMENTUM)?.f_add_(gradients)?;
            let _ = parameters.f_sub_(&state.first.f_mul_scalar(rate)?)?;
        }
        Some(second) => {
            let _ = state.first.f_lerp_(gradients, 1.0 - Optimizer::MOMENTUM)?;
            let squares = gradients.f_mul(gradients)?.f_mul_scalar(1.0 - Optimizer::BETA2)?;
            let _ = second.f_mul_scalar_(Optimizer::BETA2)?.f_add_(&squares)?;
            let corrected = 1.0 - Optimizer::MOMENTUM.powi(number);
            let corrected2 = 1.0 - Optimizer::BETA2.powi(number);
            let root = second.f_sqrt()?.f_div_scalar(corrected2.sqrt())?.f_add_scalar(Optimizer::EPSILON)?;
            let _ = parameters.f_sub_(&state.first.f_div(&root)?.f_mul_scalar(rate / corrected)?)?;
        }
    }
    Ok(())
}

/// The loss before each step, and after the last. `inputs` are input, filters and the last layer's weights.
///
/// # Errors
/// libtorch's.
pub fn train(
    training: &Training,
    seed: u32,
    inputs: &[Tensor],
    dtype: Dtype,
    device: Device,
) -> Result<Tensor, TchError> {
    let Training { input, filters, classes, steps, optimizer } = training;
    // Losses and weights: f64 only where everything is.
    let full = if dtype == Dtype::F64 { Kind::Double } else { Kind::Float };
    let zeros = |count: usize| Tensor::f_zeros(extents(&[count]), (full, device));
    let mut parameters = [
        inputs[1].f_mul_scalar(Training::scale(input[1] * 9))?,
        zeros(*filters)?,
        inputs[2].f_mul_scalar(Training::scale(*filters))?,
        zeros(*classes)?,
    ];
    let mut states = Vec::with_capacity(parameters.len());
    for parameter in &mut parameters {
        let second = match optimizer {
            Optimizer::Sgd => None,
            Optimizer::Adam => Some(parameter.f_zeros_like()?),
        };
        states.push(State { first: parameter.f_zeros_like()?, second });
        *parameter = parameter.f_requires_grad_(true)?;
    }
    let generator = Generator::new(seed, Role::Bias);
    // The batch of a checked specification has at most 2^31 elements.
    let label = |at: usize| i64::try_from(generator.hash(at as u32) as usize % classes).unwrap_or(0);
    let labels: Vec<i64> = (0..input[0]).map(label).collect();
    let labels = Tensor::f_from_slice(&labels)?.f_to_device(device)?;
    let losses = Tensor::f_full(extents(&[steps + 1]), POISON, (full, device))?;
    let scale = if dtype == Dtype::F16 { LOSS_SCALE } else { 1.0 };
    for number in 0..*steps {
        let loss = forward(&inputs[0], &parameters, &labels, kind(dtype), full)?;
        put(&losses, number, &loss)?;
        let gradients = Tensor::f_run_backward(&[loss.f_mul_scalar(scale)?], &parameters, false, false)?;
        let _guard = tch::no_grad_guard();
        for ((parameter, gradient), state) in parameters.iter_mut().zip(gradients).zip(&mut states) {
            let gradient = gradient.f_mul_scalar(1.0 / scale)?;
            step(*optimizer, parameter, &gradient, state, i32::try_from(number + 1).unwrap_or(i32::MAX))?;
        }
    }
    let _guard = tch::no_grad_guard();
    put(&losses, *steps, &forward(&inputs[0], &parameters, &labels, kind(dtype), full)?)?;
    Ok(losses)
}

/// Writes a loss to its place on the device: to read it each time would wait for the device each time.
fn put(losses: &Tensor, at: usize, loss: &Tensor) -> Result<(), TchError> {
    let _guard = tch::no_grad_guard();
    losses.f_narrow(0, extents(&[at])[0], 1)?.f_copy_(&loss.f_detach()?.f_reshape([1])?)
}

fn forward(
    images: &Tensor,
    [filters, bias, head, head_bias]: &[Tensor; 4],
    labels: &Tensor,
    in_format: Kind,
    full: Kind,
) -> Result<Tensor, TchError> {
    let cast = |tensor: &Tensor| tensor.f_to_kind(in_format);
    let activations =
        images.f_conv2d(&cast(filters)?, Some(&cast(bias)?), [1_i64, 1], [1_i64, 1], [1_i64, 1], 1)?.f_relu()?;
    let features = activations.f_mean_dim([2_i64, 3].as_slice(), false, in_format)?;
    let scores = features.f_linear(&cast(head)?, Some(&cast(head_bias)?))?.f_to_kind(full)?;
    scores.f_cross_entropy_loss(labels, None::<&Tensor>, tch::Reduction::Mean, -100, 0.0)
}

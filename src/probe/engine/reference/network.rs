//! Optimizers, and the small network that they train.

use super::conv::Kernels;
use super::precision::{Precision, Real};
use super::{product, rows, view};
use crate::probe::spec::{Conv, Optimizer, Training};
use crate::probe::tensor::{Generator, Role};

/// What an optimizer keeps of the steps before.
#[derive(Debug, Clone)]
pub struct State<T> {
    /// Momentum, or the first moment.
    pub first: Vec<T>,
    /// The second moment; empty for SGD.
    pub second: Vec<T>,
}

impl<T: Real> State<T> {
    fn new(optimizer: Optimizer, parameters: usize) -> Self {
        let zeros = vec![T::zero(); parameters];
        let second = match optimizer {
            Optimizer::Sgd => Vec::new(),
            Optimizer::Adam => zeros.clone(),
        };
        Self { first: zeros, second }
    }
}

/// Step number `number` (from 1) of an optimizer.
pub fn step<T: Real>(optimizer: Optimizer, parameters: &mut [T], gradients: &[T], state: &mut State<T>, number: i32) {
    let (rate, beta) = (T::from_f64(optimizer.rate()), T::from_f64(Optimizer::MOMENTUM));
    let moved = parameters.iter_mut().zip(gradients).zip(&mut state.first);
    match optimizer {
        Optimizer::Sgd => {
            for ((parameter, gradient), momentum) in moved {
                *momentum = beta * *momentum + *gradient;
                *parameter = *parameter - rate * *momentum;
            }
        }
        Optimizer::Adam => {
            let beta2 = T::from_f64(Optimizer::BETA2);
            let (one, epsilon) = (T::one(), T::from_f64(Optimizer::EPSILON));
            let corrected = one / (one - beta.powi(number));
            let corrected2 = one / (one - beta2.powi(number));
            for (((parameter, gradient), first), second) in moved.zip(&mut state.second) {
                *first = beta * *first + (one - beta) * *gradient;
                *second = beta2 * *second + (one - beta2) * *gradient * *gradient;
                *parameter = *parameter - rate * (*first * corrected) / ((*second * corrected2).sqrt() + epsilon);
            }
        }
    }
}

/// Parameters, in the order of their states: filters and bias of the convolution, weights and bias of the last layer.
type Parameters<T> = [Vec<T>; 4];

struct Network<'a, T> {
    training: &'a Training,
    kernels: Kernels,
    input: &'a [T],
    labels: Vec<usize>,
    precision: Precision,
}

/// The loss before each step, and after the last. `inputs` are input, filters and the last layer's weights.
pub fn train<T: Real>(training: &Training, seed: u32, inputs: &[Vec<T>], precision: Precision) -> Vec<T> {
    let (network, mut parameters) = Network::new(training, seed, inputs, precision);
    let mut states = parameters.each_ref().map(|each| State::new(training.optimizer, each.len()));
    let mut losses = Vec::with_capacity(training.steps + 1);
    for number in 1..=training.steps {
        let (loss, gradients) = network.gradients(&parameters);
        losses.push(loss);
        for ((parameter, gradient), state) in parameters.iter_mut().zip(&gradients).zip(&mut states) {
            step(training.optimizer, parameter, gradient, state, i32::try_from(number).unwrap_or(i32::MAX));
        }
    }
    losses.push(network.forward(&parameters).loss);
    losses
}

fn scaled<T: Real>(values: &[T], scale: f64) -> Vec<T> {
    values.iter().map(|value| *value * T::from_f64(scale)).collect()
}

/// What the way forward leaves for the way back.
struct Forward<T> {
    loss: T,
    /// Weights of the last layer, as they were multiplied with.
    head: Vec<T>,
    /// After the convolution, before ReLU.
    activations: Vec<T>,
    /// One number of each filter and image.
    features: Vec<T>,
    /// Probability of each class, image by image.
    probabilities: Vec<T>,
}

impl<'a, T: Real> Network<'a, T> {
    /// With the parameters that it begins with.
    fn new(training: &'a Training, seed: u32, inputs: &'a [Vec<T>], precision: Precision) -> (Self, Parameters<T>) {
        let Training { input, filters, classes, .. } = training;
        let mut conv = Conv::plain(input, *filters, &[3, 3]);
        conv.padding.fill(1);
        let labels = Generator::new(seed, Role::Bias);
        let zeros = |count: usize| vec![T::zero(); count];
        let parameters = [
            scaled(&inputs[1], Training::scale(input[1] * 9)),
            zeros(*filters),
            scaled(&inputs[2], Training::scale(*filters)),
            zeros(*classes),
        ];
        // The batch of a checked specification has at most 2^31 elements.
        let labels = (0..input[0]).map(|at| labels.hash(at as u32) as usize % classes).collect();
        (Self { training, kernels: Kernels::of(&conv), input: &inputs[0], labels, precision }, parameters)
    }

    fn area(&self) -> usize {
        self.training.input[2] * self.training.input[3]
    }

    fn forward(&self, [filters, bias, head, head_bias]: &Parameters<T>) -> Forward<T> {
        let round = |values| self.precision.rounded(values);
        let (filters, head) = (round(filters.clone()), round(head.clone()));
        let mut activations = self.kernels.gather(self.input, &filters);
        for (channel, bias) in activations.chunks_mut(self.area()).zip(bias.iter().cycle()) {
            channel.iter_mut().for_each(|value| *value = self.precision.round(*value + self.precision.round(*bias)));
        }
        let relu = |channel: &[T]| rows::mean(&channel.iter().map(|value| value.max(T::zero())).collect::<Vec<T>>());
        let features = round(activations.chunks(self.area()).map(relu).collect());
        let classes = self.training.classes;
        let mut scores = product(
            &view(&features, self.labels.len(), self.training.filters),
            &view(&head, classes, self.training.filters).reversed_axes(),
        );
        for (score, bias) in scores.iter_mut().zip(head_bias.iter().cycle()) {
            *score = self.precision.round(*score + self.precision.round(*bias));
        }
        let probabilities: Vec<T> = scores.chunks(classes).flat_map(rows::softmax).collect();
        let surprises = probabilities.chunks(classes).zip(&self.labels).map(|(row, label)| -row[*label].ln());
        let loss = rows::mean(&surprises.collect::<Vec<T>>());
        Forward { loss, head, activations, features, probabilities }
    }

    /// The loss, and the gradient of each parameter.
    fn gradients(&self, parameters: &Parameters<T>) -> (T, Parameters<T>) {
        let round = |values| self.precision.rounded(values);
        let forward = self.forward(parameters);
        let (batch, classes, filters) = (self.labels.len(), self.training.classes, self.training.filters);
        let scale = self.precision.loss_scale();

        let mut scores = forward.probabilities;
        for (row, label) in scores.chunks_mut(classes).zip(&self.labels) {
            row[*label] = row[*label] - T::one();
        }
        let scores = round(scaled(&scores, scale / batch as f64));
        let by_image = view(&scores, batch, classes);
        let head = round(product(&by_image.t(), &view(&forward.features, batch, filters)));
        let head_bias = round((0..classes).map(|class| by_image.column(class).sum()).collect());
        let features = round(product(&by_image, &view(&forward.head, classes, filters)));

        let mut activations = forward.activations;
        for (channel, feature) in activations.chunks_mut(self.area()).zip(&features) {
            let share = self.precision.round(*feature / T::count(self.area()));
            channel.iter_mut().for_each(|value| *value = if *value > T::zero() { share } else { T::zero() });
        }
        let weights = round(self.kernels.weights(self.input, &activations));
        let channel_sum = |filter: usize| {
            let channels = activations.chunks(self.area()).skip(filter).step_by(filters);
            rows::total(channels.flatten().copied())
        };
        let bias = round((0..filters).map(channel_sum).collect());
        let unscaled = |values: Vec<T>| scaled(&values, 1.0 / scale);
        (forward.loss, [weights, bias, head, head_bias].map(unscaled))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Every gradient against the difference of two losses.
    pub(in super::super) fn check_gradients(training: &Training, inputs: &[Vec<f64>]) {
        let (network, parameters) = Network::new(training, 1, inputs, Precision::Full);
        let (_, gradients) = network.gradients(&parameters);
        let step = 1e-6;
        for (which, gradient) in gradients.iter().enumerate() {
            for at in 0..gradient.len() {
                let loss = |by: f64| {
                    let mut moved = parameters.clone();
                    moved[which][at] += by;
                    network.forward(&moved).loss
                };
                let difference = (loss(step) - loss(-step)) / (2.0 * step);
                assert!((difference - gradient[at]).abs() < 1e-8, "{which} {at}: {difference} {}", gradient[at]);
            }
        }
    }
}

use proptest::prelude::*;

use super::super::super::spec::{Conv, Direction};
use super::*;

/// The forward computation written down as its definition reads, one product after the other.
fn naive(conv: &Conv, input: &[f64], weights: &[f64]) -> Vec<f64> {
    let output = conv.output().unwrap();
    let wide = |values: &[usize], filler| [&vec![filler; 3 - values.len()], values].concat();
    let (image, out) = (wide(&conv.input[2..], 1), wide(&output[2..], 1));
    let kernel = wide(&conv.kernel, 1);
    let (stride, padding, dilation) = (wide(&conv.stride, 1), wide(&conv.padding, 0), wide(&conv.dilation, 1));
    let (channels, filters) = (conv.input[1], conv.filters);
    let (per_in, per_out) = (channels / conv.groups, filters / conv.groups);
    let at = |shape: &[usize], place: &[usize]| (place[0] * shape[1] + place[1]) * shape[2] + place[2];
    let places = |shape: &[usize]| {
        let (height, width) = (shape[1], shape[2]);
        (0..shape.iter().product::<usize>())
            .map(move |at| [at / (height * width), at / width % height, at % width])
            .collect::<Vec<_>>()
    };
    let size = |shape: &[usize]| shape.iter().product::<usize>();
    let mut result = vec![0.0; size(&output)];
    for n in 0..conv.input[0] {
        for group in 0..conv.groups {
            for (o, i) in (0..per_out).flat_map(|o| (0..per_in).map(move |i| (o, i))) {
                let (o, i) = (group * per_out + o, group * per_in + i);
                for from in places(if conv.transposed { &image } else { &out }) {
                    for tap in places(&kernel) {
                        let other: Vec<i64> = (0..3)
                            .map(|dim| {
                                (from[dim] * stride[dim] + tap[dim] * dilation[dim]) as i64 - padding[dim] as i64
                            })
                            .collect();
                        let bounds = if conv.transposed { &out } else { &image };
                        if other.iter().zip(bounds).any(|(place, extent)| *place < 0 || *place >= *extent as i64) {
                            continue;
                        }
                        let other: Vec<usize> = other.into_iter().map(|place| place as usize).collect();
                        let (read, write) =
                            if conv.transposed { (from.to_vec(), other) } else { (other, from.to_vec()) };
                        let weight = if conv.transposed {
                            (i * per_out + o % per_out) * size(&kernel)
                        } else {
                            (o * per_in + i % per_in) * size(&kernel)
                        } + at(&kernel, &tap);
                        result[(n * filters + o) * size(&out) + at(&out, &write)] +=
                            input[(n * channels + i) * size(&image) + at(&image, &read)] * weights[weight];
                    }
                }
            }
        }
    }
    result
}

fn random(role: Role, shape: &[usize]) -> Vec<f64> {
    numbers::<f64>(11, role, shape)
}

fn inner(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn conv_of(conv: &Conv, direction: Direction, a: &[f64], b: &[f64]) -> Vec<f64> {
    let conv = Conv { direction, ..conv.clone() };
    Kernels::of(&conv).compute(&conv, a, b)
}

/// Small convolutions of every kind.
fn any_conv() -> impl Strategy<Value = Conv> {
    let sizes = || proptest::collection::vec(1..4_usize, 3);
    let steps = (sizes(), proptest::collection::vec(0..4_usize, 3), sizes());
    (
        1..=3_usize,
        (1..3_usize, 1..4_usize, 1..4_usize, 1..4_usize),
        proptest::collection::vec(1..8_usize, 3),
        sizes(),
        steps,
        any::<bool>(),
    )
        .prop_map(
            |(dims, (batch, groups, channels, filters), extents, kernel, (stride, padding, dilation), transposed)| {
                Conv {
                    input: [&[batch, groups * channels], &extents[..dims]].concat(),
                    filters: groups * filters,
                    kernel: kernel[..dims].to_vec(),
                    stride: stride[..dims].to_vec(),
                    padding: padding[..dims].to_vec(),
                    dilation: dilation[..dims].to_vec(),
                    groups,
                    transposed,
                    direction: Direction::Forward,
                }
            },
        )
        .prop_filter("it has an output", |conv| {
            ProbeSpec::compute(Operation::Conv(conv.clone()), Dtype::F64).check().is_ok()
        })
}

proptest! {
    #[test]
    fn a_convolution_is_what_its_definition_says(conv in any_conv()) {
        let (input, weights) = (random(Role::Input, &conv.input), random(Role::Weights, &conv.weights()));
        // Inputs are multiples of 1/256, so that both sums are exact.
        prop_assert_eq!(conv_of(&conv, Direction::Forward, &input, &weights), naive(&conv, &input, &weights));
    }

    #[test]
    fn both_gradients_are_the_finite_differences_of_the_definition(conv in any_conv()) {
        let (input, weights) = (random(Role::Input, &conv.input), random(Role::Weights, &conv.weights()));
        let gradient = random(Role::Gradient, &conv.output().unwrap());
        let data = conv_of(&conv, Direction::BackwardData, &gradient, &weights);
        let filters = conv_of(&conv, Direction::BackwardWeights, &input, &gradient);
        let value = |input: &[f64], weights: &[f64]| inner(&naive(&conv, input, weights), &gradient);
        let before = value(&input, &weights);
        // It is linear in each, so that a step of 1 is exact.
        for at in [0, input.len() / 2, input.len() - 1] {
            let mut moved = input.clone();
            moved[at] += 1.0;
            prop_assert_eq!(value(&moved, &weights) - before, data[at], "input {}", at);
        }
        for at in [0, weights.len() / 2, weights.len() - 1] {
            let mut moved = weights.clone();
            moved[at] += 1.0;
            prop_assert_eq!(value(&input, &moved) - before, filters[at], "weight {}", at);
        }
        prop_assert_eq!(inner(&data, &input), before);
        prop_assert_eq!(inner(&filters, &weights), before);
    }
}

#[test]
fn columns_made_in_parts_give_the_same_as_all_at_once() {
    let mut conv = Conv::plain(&[2, 4, 9, 11], 6, &[3, 2]);
    conv.padding = vec![1, 1];
    conv.stride = vec![2, 1];
    conv.groups = 2;
    let gradient = random(Role::Gradient, &conv.output().unwrap());
    let (input, weights) = (random(Role::Input, &conv.input), random(Role::Weights, &conv.weights()));
    let whole = Kernels::of(&conv);
    for lines in 1..4 {
        let parts = Kernels { lines, ..Kernels::of(&conv) };
        assert_eq!(parts.gather(&input, &weights), whole.gather(&input, &weights));
        assert_eq!(parts.scatter(&gradient, &weights), whole.scatter(&gradient, &weights));
        assert_eq!(parts.weights(&input, &gradient), whole.weights(&input, &gradient));
    }
}

fn spec(name: &str) -> ProbeSpec {
    name.parse().unwrap_or_else(|error| panic!("{error}"))
}

/// The oracle's numbers for a name, with its inputs.
fn computed_of(name: &str) -> (Vec<Vec<f64>>, Vec<f64>) {
    let spec = spec(name);
    let Work::Compute { operation, .. } = &spec.work else { panic!("{name}") };
    let inputs = operation.inputs().iter().map(|input| numbers(spec.seed, input.role, &input.shape)).collect();
    (inputs, oracle(&spec).unwrap().values)
}

fn near(got: &[f64], expected: &[f64], what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}");
    for (at, (got, expected)) in got.iter().zip(expected).enumerate() {
        assert!((got - expected).abs() < 1e-12, "{what} [{at}]: {got}, not {expected}");
    }
}

#[test]
fn each_operation_is_what_its_definition_says() {
    let (x, got) = computed_of("matmul/f64/2x3x4");
    let expected: Vec<f64> =
        (0..8).map(|at| (0..3).map(|k| x[0][at / 4 * 3 + k] * x[1][k * 4 + at % 4]).sum()).collect();
    near(&got, &expected, "matmul");

    let (x, got) = computed_of("linear/f64/2x3x4");
    let expected: Vec<f64> = (0..8)
        .map(|at| x[2][at % 4] + (0..3).map(|k| x[0][at / 4 * 3 + k] * x[1][at % 4 * 3 + k]).sum::<f64>())
        .collect();
    near(&got, &expected, "linear");

    for (name, function) in [
        ("add", (|a, b| a + b) as fn(f64, f64) -> f64),
        ("multiply", |a, b| a * b),
        ("relu", |a, _| if a > 0.0 { a } else { 0.0 }),
        ("exp", |a, _| a.exp()),
        ("tanh", |a, _| (a.exp() - (-a).exp()) / (a.exp() + (-a).exp())),
        ("sigmoid", |a, _| a.exp() / (1.0 + a.exp())),
    ] {
        let (x, got) = computed_of(&format!("{name}/f64/3x5"));
        let second = x.get(1).unwrap_or(&x[0]);
        near(&got, &x[0].iter().zip(second).map(|(a, b)| function(*a, *b)).collect::<Vec<_>>(), name);
    }

    let (x, got) = computed_of("reduce-sum/f64/3x5/all");
    near(&got, &[x[0].iter().sum()], "sum");
    let (x, got) = computed_of("reduce-mean/f64/3x5/last");
    near(&got, &x[0].chunks(5).map(|row| row.iter().sum::<f64>() / 5.0).collect::<Vec<_>>(), "mean");
    let (x, got) = computed_of("reduce-max/f64/3x5/last");
    near(&got, &x[0].chunks(5).map(|row| row.iter().copied().fold(-9.0, f64::max)).collect::<Vec<_>>(), "max");

    let (x, got) = computed_of("softmax/f64/3x5");
    let share = |row: &[f64]| {
        let total: f64 = row.iter().map(|value| value.exp()).sum();
        row.iter().map(|value| value.exp() / total).collect::<Vec<_>>()
    };
    near(&got, &x[0].chunks(5).flat_map(share).collect::<Vec<_>>(), "softmax");

    let (x, got) = computed_of("upsample-nearest/f64/1x1x2x3/2");
    let [a, b, c, d, e, f] = x[0][..] else { panic!() };
    let (first, second) = ([a, a, b, b, c, c], [d, d, e, e, f, f]);
    near(&got, &[first, first, second, second].concat(), "nearest");

    let (x, got) = computed_of("upsample-linear/f64/1x1x1x3/2");
    let [a, b, c] = x[0][..] else { panic!() };
    let row = [a, 0.75 * a + 0.25 * b, 0.25 * a + 0.75 * b, 0.75 * b + 0.25 * c, 0.25 * b + 0.75 * c, c];
    near(&got, &[row, row].concat(), "linear");

    let (x, got) = computed_of("pool-max/f64/1x2x5/3/s2p1");
    let windows = [[0, 1, 1], [1, 2, 3], [3, 4, 4]];
    let expected: Vec<f64> = x[0]
        .chunks(5)
        .flat_map(|row| windows.map(|window| window.iter().map(|at| row[*at]).fold(-9.0, f64::max)))
        .collect();
    near(&got, &expected, "max pool");

    let (x, got) = computed_of("pool-average/f64/1x1x2x2/2x2/s1p1");
    let [a, b, c, d] = x[0][..] else { panic!() };
    let sums = [a, a + b, b, a + c, a + b + c + d, b + d, c, c + d, d];
    near(&got, &sums.map(|sum| sum / 4.0), "average pool");
}

#[test]
fn what_is_normalised_has_mean_0_and_variance_1_until_it_is_weighted() {
    let flat = |values: &[f64]| {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        (mean, values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64)
    };
    let (x, got) = computed_of("layer-norm/f64/3x64");
    for row in got.chunks(64) {
        let plain: Vec<f64> = (0..64).map(|at| (row[at] - x[2][at]) / x[1][at]).collect();
        let (mean, variance) = flat(&plain);
        assert!(mean.abs() < 1e-12 && (variance - 1.0).abs() < 1e-3, "{mean} {variance}");
    }
    let (x, got) = computed_of("batch-norm/f64/4x3x5x5/train");
    for (channel, (weight, bias)) in x[1].iter().zip(&x[2]).enumerate() {
        let plain: Vec<f64> = got.chunks(25).skip(channel).step_by(3).flatten().copied().collect();
        let (mean, variance) = flat(&plain);
        assert!((mean - bias).abs() < 1e-12, "{mean}");
        assert!((variance / weight.powi(2) - 1.0).abs() < 1e-3, "{variance}");
    }
    let (x, got) = computed_of("batch-norm/f64/2x3x4/eval");
    let expected: Vec<f64> = (0..24)
        .map(|at| (at, at / 4 % 3))
        .map(|(at, c)| (x[0][at] - x[3][c]) / (x[4][c] + 1e-5).sqrt() * x[1][c] + x[2][c])
        .collect();
    near(&got, &expected, "batch norm with given moments");
}

#[test]
fn one_step_of_each_optimizer_is_what_its_paper_says() {
    let (x, got) = computed_of("step-sgd/f64/9");
    near(&got, &(0..9).map(|at| x[0][at] - 0.0625 * (0.9 * x[2][at] + x[1][at])).collect::<Vec<_>>(), "sgd");
    let (x, got) = computed_of("step-adam/f64/9");
    let adam = |at: usize| {
        let first = (0.9 * x[2][at] + 0.1 * x[1][at]) / (1.0 - 0.9_f64.powi(10));
        let second = (0.999 * x[3][at] + 0.001 * x[1][at].powi(2)) / (1.0 - 0.999_f64.powi(10));
        x[0][at] - 0.0078125 * first / (second.sqrt() + 1e-8)
    };
    near(&got, &(0..9).map(adam).collect::<Vec<_>>(), "adam");
}

#[test]
fn training_lowers_the_loss_in_every_format() {
    for dtype in Dtype::ALL {
        for optimizer in ["sgd", "adam"] {
            let losses = run(&spec(&format!("train-{optimizer}/{dtype}/4x3x6x6/5/3/30"))).unwrap().values;
            assert_eq!(losses.len(), 31);
            assert!((losses[0] - 3.0_f64.ln()).abs() < 0.3, "{losses:?}");
            // The network computes in sixteen bits; its loss is not rounded to them.
            assert_ne!(losses[1], half::f16::from_f64(losses[1]).to_f64());
            assert!(losses[1] < losses[0] && losses[30] < losses[0] * 0.95, "{dtype} {optimizer}: {losses:?}");
        }
    }
}

#[test]
fn the_gradients_of_the_network_are_finite_differences_of_its_loss() {
    let spec = spec("train-sgd/f64/3x2x5x4/3/4/1");
    let Work::Compute { operation: Operation::Training(training), .. } = &spec.work else { panic!() };
    let (inputs, _) = computed_of("train-sgd/f64/3x2x5x4/3/4/1");
    network::tests::check_gradients(training, &inputs);
}

#[test]
fn sixteen_bits_are_rounded_and_the_oracle_is_not() {
    for (name, unit) in [("matmul/f16/8x40x8", 11), ("matmul/bf16/8x40x8", 8)] {
        let (engine, exact) = (run(&spec(name)).unwrap(), oracle(&spec(name)).unwrap());
        assert_ne!(engine, exact, "{name}");
        for (got, exact) in engine.values.iter().zip(&exact.values) {
            assert!((got - exact).abs() <= exact.abs() * 0.5_f64.powi(unit), "{name}: {got} {exact}");
        }
    }
}

#[test]
fn what_takes_too_long_or_needs_a_device_is_refused() {
    let refused = |name: &str| run(&spec(name)).map(drop).unwrap_err().to_string();
    for (name, expected) in [
        ("memory-ladder/90", "memory-ladder/90 needs a device; the reference engine has none"),
        (
            "matmul/f32/20000x20000x20000",
            "matmul/f32/20000x20000x20000 takes 1200000000 elements, more than the 268435456 that the reference \
             engine does; make the batch smaller",
        ),
        (
            "matmul/f32/9000x9000x9000",
            "matmul/f32/9000x9000x9000 takes 729000000000 multiplications, more than the 500000000000 that the \
             reference engine does; make the batch smaller",
        ),
        // Small tensors, but what the filter meets at each of 16385 places is not.
        (
            "conv1d/f32/1x1x32768/1x16384/s1p0d1g1/forward",
            "conv1d/f32/1x1x32768/1x16384/s1p0d1g1/forward takes 268517377 elements, more than the 268435456 that \
             the reference engine does; make the batch smaller",
        ),
    ] {
        assert_eq!(refused(name), expected);
    }
}

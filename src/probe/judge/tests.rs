use proptest::prelude::*;

use super::*;
use crate::probe::engine::reference;
use crate::probe::spec::{ProbeSpec, Work};

/// One or more of each family.
const FAMILIES: &[&str] = &[
    "conv1d/_/2x4x30/6x5/s2p2d1g1/forward",
    "conv2d/_/2x8x9x9/16x3x3/s1p1d1g1/forward",
    "conv2d/_/2x8x9x9/16x3x3/s1p1d1g1/backward-data",
    "conv2d/_/2x8x9x9/16x3x3/s1p1d1g1/backward-weights",
    "conv2d/_/2x8x9x9/8x3x3/s1p1d1g8/forward",
    "conv2d-transposed/_/2x8x9x9/4x4x4/s2p1d1g1/forward",
    "conv3d/_/1x4x5x6x7/8x3x3x3/s1p1d1g1/forward",
    "matmul/_/17x33x9",
    "linear/_/7x40x11",
    "add/_/9x30",
    "exp/_/9x30",
    "tanh/_/9x30",
    "reduce-sum/_/50x40/all",
    "reduce-mean/_/50x40/last",
    "reduce-max/_/50x40/last",
    "reduce-mean/_/2x16384/last",
    "softmax/_/9x30",
    "softmax/_/2x16384",
    "layer-norm/_/9x30",
    "layer-norm/_/2x16384",
    "batch-norm/_/4x3x5x5/train",
    "batch-norm/_/8x2x32x32/train",
    "batch-norm/_/4x3x5x5/eval",
    "pool-max/_/2x3x9x9/3x3/s2p1",
    "pool-average/_/2x3x9x9/3x3/s2p1",
    "upsample-nearest/_/2x3x5x5/2",
    "upsample-linear/_/2x3x5x5/2",
    "step-sgd/_/300",
    "step-adam/_/300",
    "train-sgd/_/4x3x6x6/5/3/10",
    "train-adam/_/4x3x6x6/5/3/10",
];

struct Judged {
    operation: Operation,
    dtype: Dtype,
    result: Tensor,
    oracle: Tensor,
}

impl Judged {
    fn of(name: &str) -> Self {
        let spec: ProbeSpec = name.parse().unwrap_or_else(|error| panic!("{error}"));
        let (result, oracle) = (reference::run(&spec).unwrap(), reference::oracle(&spec).unwrap());
        let Work::Compute { operation, dtype } = spec.work else { panic!("{name}") };
        Self { operation, dtype, result, oracle }
    }

    fn judge(&self, output: &Output) -> Numbers {
        judge(&self.operation, self.dtype, output, &self.oracle)
    }

    /// The result with a mistake in it.
    fn planted(&self, mistake: impl FnOnce(&mut Vec<f64>)) -> Vec<Problem> {
        let mut result = self.result.clone();
        mistake(&mut result.values);
        self.problems(&Output::of(&result))
    }

    fn problems(&self, output: &Output) -> Vec<Problem> {
        match self.judge(output) {
            Numbers::Right(_) => Vec::new(),
            Numbers::Wrong { problems, .. } => problems,
        }
    }
}

/// Each family in each format.
fn families() -> impl Iterator<Item = String> {
    FAMILIES.iter().flat_map(|name| Dtype::ALL.map(|dtype| name.replace("/_/", &format!("/{dtype}/"))))
}

#[test]
fn what_the_reference_engine_computes_in_a_format_is_right() {
    for name in families() {
        let judged = Judged::of(&name);
        let numbers = judged.judge(&Output::of(&judged.result));
        let Numbers::Right(errors) = &numbers else { panic!("{name}: {numbers}") };
        assert!(errors.rms <= errors.rms_bound && errors.worst.share() <= 1.0, "{name}: {numbers}");
    }
}

#[test]
fn one_wrong_element_is_seen_in_every_family_and_format() {
    for name in families() {
        let judged = Judged::of(&name);
        let by = spread(&judged.operation, &judged.oracle) / 2.0;
        // Of training, the loss after one step.
        let at = 1.min(judged.result.values.len() - 1);
        let problems = judged.planted(|values| values[at] += by);
        assert!(problems.contains(&Problem::Element { count: 1 }), "{name}: {problems:?}");
    }
}

#[test]
fn what_is_not_written_not_finite_or_all_zero_is_seen_in_every_family() {
    for name in families() {
        let judged = Judged::of(&name);
        let problems = judged.planted(|values| values[0] = POISON);
        assert_eq!(problems, [Problem::NotWritten { count: 1 }], "{name}");
        for value in [f64::NAN, f64::INFINITY] {
            let problems = judged.planted(|values| values[0] = value);
            assert_eq!(problems, [Problem::NonFinite { count: 1 }], "{name}");
        }
        let problems = judged.planted(|values| values.fill(0.0));
        assert!(problems.contains(&Problem::AllZero), "{name}: {problems:?}");
    }
}

#[test]
fn numbers_of_another_seed_or_in_another_order_are_wrong() {
    for name in families().filter(|name| !name.starts_with("train")) {
        let judged = Judged::of(&name);
        if judged.result.values.len() > 1 {
            assert_ne!(judged.planted(|values| values.rotate_left(1)), [], "{name}");
        }
        let mut other: ProbeSpec = name.parse().unwrap();
        other.seed = 2;
        // The largest of forty inputs is much the same with any seed.
        if !name.starts_with("reduce-max") {
            assert_ne!(judged.problems(&Output::of(&reference::run(&other).unwrap())), [], "{name}");
        }
    }
}

#[test]
fn another_shape_is_wrong_even_with_the_right_numbers() {
    let judged = Judged::of("matmul/f32/4x3x6");
    let turned = Tensor { shape: vec![6, 4], ..judged.result.clone() };
    assert_eq!(judged.problems(&Output::of(&turned)), [Problem::Shape { got: vec![6, 4], expected: vec![4, 6] }]);
}

#[test]
fn an_answer_that_does_not_go_together_is_wrong() {
    let judged = Judged::of("matmul/f32/4x3x6");
    let spoilt: [fn(&mut Output); 4] = [
        |output| output.values.0.truncate(1),
        |output| output.blocks.0.push(0.0),
        |output| output.zeros = 3,
        |output| output.values.0[0] = f64::NAN,
    ];
    for spoil in spoilt {
        let mut output = Output::of(&judged.result);
        assert_eq!(judged.problems(&output), []);
        spoil(&mut output);
        assert!(matches!(judged.problems(&output)[..], [Problem::Incomplete { .. }]));
    }
}

#[test]
fn a_gradient_of_the_wrong_sign_or_twice_too_large_shows_in_training() {
    for dtype in Dtype::ALL {
        let judged = Judged::of(&format!("train-sgd/{dtype}/8x3x8x8/6/4/1"));
        let fall = judged.result.values[0] - judged.result.values[1];
        for factor in [-1.0, 0.0, 2.0] {
            let problems = judged.planted(|values| values[1] = values[0] - factor * fall);
            assert!(problems.contains(&Problem::Element { count: 1 }), "{dtype} {factor}: {problems:?}");
        }
        let judged = Judged::of(&format!("train-sgd/{dtype}/8x3x8x8/6/4/20"));
        let problems = judged.planted(|values| values[2..].fill(judged.result.values[1]));
        assert!(matches!(problems[..], [Problem::LossNotFalling { .. }]), "{dtype}: {problems:?}");
    }
}

#[test]
fn an_error_between_the_carried_elements_of_a_large_result_shows_in_the_sum_of_its_block() {
    let judged = Judged::of("add/f32/300x301");
    assert_eq!(judged.problems(&Output::of(&judged.result)), []);
    let carried = Output::carried(300 * 301);
    assert!(!carried.contains(&40));
    let problems = judged.planted(|values| values[40] += 1.0);
    let [Problem::Block { first: 23, length: 23, .. }] = problems[..] else { panic!("{problems:?}") };
    // Nor does a sum that is no number hide one.
    let mut output = Output::of(&judged.result);
    output.blocks.0[7] = f64::NAN;
    assert!(matches!(judged.problems(&output)[..], [Problem::Incomplete { .. }]));
    // So does a line that was never computed.
    assert!(matches!(judged.planted(|values| values[30_100..30_401].fill(0.0))[..], [Problem::Block { .. }, ..]));
}

#[test]
fn bounds_are_those_of_the_facts() {
    let of = |name: &str| {
        let judged = Judged::of(name);
        let Bounds { rms, relative, cancelled } = Bounds::of(&judged.operation, judged.dtype);
        (rms, relative, cancelled)
    };
    assert_eq!(of("matmul/f32/2x64x2"), (1.5e-6, 1.3e-6, 1.3e-6 * 8.0));
    assert_eq!(of("matmul/f32/2x16384x2"), (3e-6, 1.3e-6, 1.3e-6 * 128.0));
    assert_eq!(of("matmul/f16/2x16384x2"), (8.2e-3, 1e-3, 8.2e-3));
    assert_eq!(of("matmul/bf16/2x64x2"), (6.56e-2, 1.6e-2, 6.56e-2));
    assert_eq!(of("matmul/f64/2x64x2"), (1e-7, 1e-7, 8e-7));
    let (rms, ..) = of("conv2d/f16/1x1x4x4/1x3x3/s1p1d1g1/backward-weights");
    assert_eq!(rms, 1.64e-2);
}

#[test]
fn a_verdict_is_told_in_one_line() {
    let judged = Judged::of("softmax/f16/2x3");
    let mut wrong = judged.result.clone();
    wrong.values[2] = 0.5;
    insta::assert_snapshot!(judged.judge(&Output::of(&judged.result)), @"numbers are right: RMS error 1.6e-4 of at most 8.2e-3; largest error, by its bound, 1.3e-4 of at most 3.5e-3 at [1, 1]: 0.5810546875 for 0.5811884017157375");
    insta::assert_snapshot!(judged.judge(&Output::of(&wrong)), @"numbers are wrong: errors are too large together; elements too far off: 1 (RMS error 4.1e-2 of at most 8.2e-3; largest error, by its bound, 5.8e-2 of at most 3.4e-3 at [0, 2]: 0.5 for 0.44193616392280344)");
}

proptest! {
    #[test]
    fn whatever_a_worker_says_is_judged_and_the_verdict_can_be_kept(
        values in proptest::collection::vec(prop_oneof![any::<f64>(), Just(0.0), Just(POISON), -2.0..2.0], 0..8),
        blocks in proptest::collection::vec(any::<f64>(), 0..3),
        counts in any::<[u64; 3]>(),
        honest in any::<bool>(),
        which in 0..2_usize,
    ) {
        let name = ["matmul/f32/2x3x3", "train-sgd/f32/2x1x2x2/2/2/5"][which];
        let judged = Judged::of(name);
        let mut output = Output::of(&judged.result);
        output.values.0[..values.len().min(6)].copy_from_slice(&values[..values.len().min(6)]);
        if honest {
            output = Output::of(&Tensor { shape: output.shape, values: output.values.0 });
        } else {
            output.values.0.truncate(values.len());
            output.blocks.0 = blocks;
            [output.non_finite, output.zeros, output.unwritten] = counts;
        }
        let numbers = judged.judge(&output);
        prop_assert!(!numbers.to_string().is_empty());
        let text = serde_json::to_string(&numbers).unwrap();
        let back: Result<Numbers, _> = serde_json::from_str(&text);
        prop_assert!(back.as_ref().is_ok_and(|back| *back == numbers), "{text}: {back:?}");
    }
}

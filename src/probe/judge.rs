//! Whether the numbers of a result are right: held against the oracle, with bounds for format and length of the sums.
//!
//! Bounds come from facts/rdna.md section 6. The root mean square of the errors, relative to the largest number, is held
//! against MIOpenDriver's: 1.5e-6 in f32, 8.2e-3 in f16, eight times that in bf16, twice for the gradient of weights. The
//! error of each element is held against PyTorch's `assert_close`, relative to that element, plus a part for what
//! cancelled out in its sum: in f32 and f64 that grows with the square root of the number of products; 16-bit formats sum
//! up in f32, and round their parts as MIOpen's bound allows.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::spec::{Direction, Dtype, Operation, Reduction};
use super::tensor::{Output, POISON, Tensor};

/// What came of judging a result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "numbers", rename_all = "kebab-case")]
pub enum Numbers {
    /// Every number that was carried is as it must be.
    Right(Errors),
    /// They are not.
    Wrong {
        /// How; at least one.
        problems: Vec<Problem>,
        /// How far off; `None` where the result cannot be compared at all.
        errors: Option<Errors>,
    },
}

/// How far a result is from the oracle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Errors {
    /// Root mean square of the errors, relative to the largest number.
    pub rms: f64,
    /// Its bound.
    pub rms_bound: f64,
    /// The element that comes nearest to its bound, or is furthest beyond.
    pub worst: Worst,
}

/// One element beside what it must be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Worst {
    /// Where, in each extent.
    pub at: Vec<usize>,
    /// The result's.
    pub got: f64,
    /// The oracle's.
    pub expected: f64,
    /// How far they may be apart.
    pub bound: f64,
}

impl Worst {
    /// Error as a share of the bound; above 1 it is wrong.
    fn share(&self) -> f64 {
        (self.got - self.expected).abs() / self.bound
    }
}

/// One way to be wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "problem", rename_all = "kebab-case")]
pub enum Problem {
    /// The result has another shape.
    Shape {
        /// The result's.
        got: Vec<usize>,
        /// What follows from the operation.
        expected: Vec<usize>,
    },
    /// The worker carried other elements than its result has, or its summary contradicts them.
    Incomplete {
        /// What does not go together.
        what: String,
    },
    /// Elements still hold what was there before the computation.
    NotWritten {
        /// How many.
        count: u64,
    },
    /// Elements are infinite or not a number.
    NonFinite {
        /// How many.
        count: u64,
    },
    /// Every element is zero.
    AllZero,
    /// The errors are too large together.
    Rms,
    /// An error is too large alone.
    Element {
        /// How many of those carried.
        count: u64,
    },
    /// The sum of a block is off: an error among elements that were not carried.
    Block {
        /// The first element of the first such block.
        first: usize,
        /// Elements of a block.
        length: usize,
        /// The result's.
        got: f64,
        /// The oracle's.
        expected: f64,
    },
    /// Training did not lower the loss as much as it must.
    LossNotFalling {
        /// By how much it fell.
        fell: f64,
        /// By how much the oracle's does.
        expected: f64,
    },
}

/// How far a format's numbers may be off.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Bounds {
    /// Of the errors' root mean square, relative to the largest number.
    rms: f64,
    /// Of one error, relative to the element.
    relative: f64,
    /// Of one error, relative to [`spread`].
    cancelled: f64,
}

/// Products up to which MIOpen's bound is taken as it is; beyond, it grows with the square root. An own choice: MIOpen
/// says "and more" for the deep sums of weight gradients.
const SHALLOW: f64 = 4096.0;

impl Bounds {
    fn of(operation: &Operation, dtype: Dtype) -> Self {
        let reduction = operation.reduction() as f64;
        let weights = operation.direction() == Some(Direction::BackwardWeights);
        let deep = (reduction / SHALLOW).sqrt().max(1.0);
        let (rms, relative, cancelled) = match dtype {
            Dtype::F64 => (1e-7 * deep, 1e-7, 1e-7 * reduction.sqrt()),
            Dtype::F32 => (1.5e-6 * deep, 1.3e-6, 1.3e-6 * reduction.sqrt()),
            Dtype::F16 => (8.2e-3, 1e-3, 8.2e-3),
            Dtype::Bf16 => (6.56e-2, 1.6e-2, 6.56e-2),
        };
        Self { rms: rms * if weights { 2.0 } else { 1.0 }, relative, cancelled }
    }
}

/// How large a number of the result typically is. A sum may be near zero only because its parts cancelled out, so that
/// where inputs are summed up it follows from them: they are spread evenly between -1 and 1.
fn spread(operation: &Operation, oracle: &Tensor) -> f64 {
    let reduction = operation.reduction() as f64;
    let expected = match operation {
        Operation::Conv(_) | Operation::Matmul { .. } | Operation::Linear { .. } => reduction.sqrt() / 3.0,
        Operation::Reduce { function: Reduction::Sum, .. } => (reduction / 3.0).sqrt(),
        Operation::Reduce { function: Reduction::Mean, .. } => (1.0 / (3.0 * reduction)).sqrt(),
        Operation::Reduce { function: Reduction::Max, .. }
        | Operation::Elementwise { .. }
        | Operation::Softmax { .. }
        | Operation::LayerNorm { .. }
        | Operation::BatchNorm { .. }
        | Operation::Pool { .. }
        | Operation::Upsample { .. }
        | Operation::OptimizerStep { .. }
        | Operation::Training(_) => 0.0,
    };
    let squares: f64 = oracle.values.iter().map(|value| value * value).sum();
    (squares / oracle.values.len() as f64).sqrt().max(expected)
}

/// Judges a result of this operation. `oracle` is the whole result in f64, of the same seed.
pub fn judge(operation: &Operation, dtype: Dtype, output: &Output, oracle: &Tensor) -> Numbers {
    let wrong = |problem| Numbers::Wrong { problems: vec![problem], errors: None };
    if output.shape != oracle.shape {
        return wrong(Problem::Shape { got: output.shape.clone(), expected: oracle.shape.clone() });
    }
    if let Some(what) = incomplete(output, oracle.values.len()) {
        return wrong(Problem::Incomplete { what });
    }
    let mut problems = written(output, oracle);
    if output.non_finite > 0 || output.unwritten > 0 {
        return Numbers::Wrong { problems, errors: None };
    }
    let bounds = Bounds::of(operation, dtype);
    let errors = if operation.trains() {
        losses(bounds, output, oracle, &mut problems)
    } else {
        let cancelled = bounds.cancelled * spread(operation, oracle);
        let bound = |expected: f64| bounds.relative * expected.abs() + cancelled;
        problems.extend(blocks(output, oracle, bound));
        compared(bounds.rms, output, oracle, bound, &mut problems)
    };
    if problems.is_empty() { Numbers::Right(errors) } else { Numbers::Wrong { problems, errors: Some(errors) } }
}

/// What of a result does not go together.
fn incomplete(output: &Output, elements: usize) -> Option<String> {
    let carried = Output::carried(elements).len();
    if output.values.0.len() != carried {
        return Some(format!("{} elements carried, not {carried}", output.values.0.len()));
    }
    let blocks = if elements <= Output::FULL { 0 } else { carried };
    if output.blocks.0.len() != blocks {
        return Some(format!("sums of {} blocks, not of {blocks}", output.blocks.0.len()));
    }
    if output.blocks.0.iter().any(|sum| !sum.is_finite()) {
        return Some("the sum of a block's finite elements that is not finite".to_owned());
    }
    // Of all elements what was carried is a part, or the whole.
    let count = |what: fn(f64) -> bool| output.values.0.iter().filter(|value| what(**value)).count() as u64;
    let seen = [count(|value| !value.is_finite()), count(|value| value == 0.0), count(|value| value == POISON)];
    let said = [output.non_finite, output.zeros, output.unwritten];
    let right = |(seen, said): (&u64, &u64)| if blocks == 0 { seen == said } else { seen <= said };
    (!seen.iter().zip(&said).all(right)).then(|| format!("a summary {said:?} of elements that show {seen:?}"))
}

/// What the summary alone shows.
fn written(output: &Output, oracle: &Tensor) -> Vec<Problem> {
    let mut problems = Vec::new();
    if output.unwritten > 0 {
        problems.push(Problem::NotWritten { count: output.unwritten });
    }
    if output.non_finite > 0 {
        problems.push(Problem::NonFinite { count: output.non_finite });
    }
    if output.zeros == oracle.values.len() as u64 && oracle.values.iter().any(|value| *value != 0.0) {
        problems.push(Problem::AllZero);
    }
    problems
}

/// Each carried element with its place and what it must be.
fn pairs<'a>(output: &'a Output, oracle: &'a Tensor) -> impl Iterator<Item = (usize, f64, f64)> {
    let places = Output::carried(oracle.values.len()).into_iter();
    places.zip(&output.values.0).map(|(at, got)| (at, *got, oracle.values[at]))
}

fn compared(
    rms_bound: f64,
    output: &Output,
    oracle: &Tensor,
    bound: impl Fn(f64) -> f64,
    problems: &mut Vec<Problem>,
) -> Errors {
    let mut squares = 0.0;
    // A result of nothing but zeros has no largest number to be relative to.
    let mut largest = f64::MIN_POSITIVE;
    let mut beyond = 0;
    let mut worst = Worst { at: Vec::new(), got: 0.0, expected: 0.0, bound: 1.0 };
    for (at, got, expected) in pairs(output, oracle) {
        squares += (got - expected).powi(2);
        largest = got.abs().max(expected.abs()).max(largest);
        let this = Worst { at: Vec::new(), got, expected, bound: bound(expected).max(f64::MIN_POSITIVE) };
        beyond += u64::from(this.share() > 1.0);
        if worst.at.is_empty() || this.share() > worst.share() {
            worst = Worst { at: place(at, &oracle.shape), ..this };
        }
    }
    // Squares of what a worker says may be infinite, which JSON cannot write.
    let rms = ((squares / output.values.0.len() as f64).sqrt() / largest).min(f64::MAX);
    if rms > rms_bound {
        problems.push(Problem::Rms);
    }
    if beyond > 0 {
        problems.push(Problem::Element { count: beyond });
    }
    Errors { rms, rms_bound, worst }
}

/// The first block whose sum is further off than its elements may be together.
fn blocks(output: &Output, oracle: &Tensor, bound: impl Fn(f64) -> f64) -> Option<Problem> {
    let length = Output::block_length(oracle.values.len());
    let expected = oracle.values.chunks(length).enumerate();
    let mut off = output.blocks.0.iter().zip(expected).filter_map(|(got, (at, block))| {
        let (sum, most) = block.iter().fold((0.0, 0.0), |(sum, most), value| (sum + value, most + bound(*value)));
        let problem = Problem::Block { first: at * length, length, got: *got, expected: sum };
        ((got - sum).abs() > most).then_some(problem)
    });
    off.next()
}

/// Losses: the first and the one after a step against the oracle's, of the rest how far they fall. Steps amplify every
/// rounding, so that later losses are not comparable number by number.
fn losses(bounds: Bounds, output: &Output, oracle: &Tensor, problems: &mut Vec<Problem>) -> Errors {
    let (got, expected) = (&output.values.0, &oracle.values);
    let (first, last) = (0, expected.len() - 1);
    let fall = expected[first] - expected[1];
    // What a worker says may differ by more than there are numbers for, which JSON cannot write.
    let fell = (got[first] - got[last]).clamp(f64::MIN, f64::MAX);
    let should = expected[first] - expected[last];
    if fell < should / 2.0 {
        problems.push(Problem::LossNotFalling { fell, expected: should });
    }
    let begin = |values: &[f64]| Tensor { shape: vec![2], values: values[..2].to_vec() };
    let (got, expected) = (begin(got), begin(expected));
    // A wrong gradient shows in what the first step gains, which is small beside the loss.
    let bound = |value: f64| if value == expected.values[0] { bounds.cancelled * value } else { fall.abs() / 2.0 };
    compared(bounds.rms.max(bounds.cancelled), &Output::of(&got), &expected, bound, problems)
}

/// Place of an element in each extent.
fn place(mut at: usize, shape: &[usize]) -> Vec<usize> {
    let mut place: Vec<usize> = shape
        .iter()
        .rev()
        .map(|extent| {
            let here = at % extent;
            at /= extent;
            here
        })
        .collect();
    place.reverse();
    place
}

impl fmt::Display for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Right(errors) => write!(f, "numbers are right: {errors}"),
            Self::Wrong { problems, errors } => {
                f.write_str("numbers are wrong")?;
                for (at, problem) in problems.iter().enumerate() {
                    write!(f, "{} {problem}", if at == 0 { ":" } else { ";" })?;
                }
                errors.iter().try_for_each(|errors| write!(f, " ({errors})"))
            }
        }
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Worst { at, got, expected, bound } = &self.worst;
        let (rms, most, error) = (self.rms, self.rms_bound, (got - expected).abs());
        write!(f, "RMS error {rms:.1e} of at most {most:.1e}; ")?;
        write!(f, "largest error, by its bound, {error:.1e} of at most {bound:.1e} at {at:?}: {got} for {expected}")
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape { got, expected } => write!(f, "shape {got:?}, not {expected:?}"),
            Self::Incomplete { what } => write!(f, "the worker's answer does not go together: {what}"),
            Self::NotWritten { count } => write!(f, "elements never written: {count}"),
            Self::NonFinite { count } => write!(f, "elements infinite or not a number: {count}"),
            Self::AllZero => f.write_str("every element is zero"),
            Self::Rms => f.write_str("errors are too large together"),
            Self::Element { count } => write!(f, "elements too far off: {count}"),
            Self::Block { first, length, got, expected } => {
                write!(f, "elements {first} to {} sum up to {got}, not {expected}", first + length - 1)
            }
            Self::LossNotFalling { fell, expected } => {
                write!(f, "training lowered the loss by {fell:.3} where {expected:.3} is right")
            }
        }
    }
}

#[cfg(test)]
mod tests;

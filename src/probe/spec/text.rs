//! A probe's name: `conv2d/f16/1x16x44x44/32x3x3/s1p1d1g1/forward`. It is written and read here.

use std::fmt;
use std::str::FromStr;

use super::{
    BatchNormMode, Conv, CopyPath, Direction, Dtype, Elementwise, Interpolation, Memory, Operation, Optimizer, Over,
    Pooling, ProbeSpec, Reduction, SpecError, Training, Work, shown,
};
use crate::domain::Bytes;

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compute { operation, dtype } => {
                let (name, sizes) = parts(operation);
                write!(f, "{name}/{dtype}/{}", sizes.join("/"))
            }
            Self::Memory { operation } => match operation {
                Memory::Ladder { percent } => write!(f, "memory-ladder/{percent}"),
                Memory::Churn { bytes, times } => write!(f, "memory-churn/{}/{times}", bytes.0),
                Memory::OutOfMemory => f.write_str("memory-out-of-memory"),
                Memory::Isolation { percent } => write!(f, "memory-isolation/{percent}"),
                Memory::PastLimit => f.write_str("memory-past-limit"),
                Memory::Copy { bytes, path } => write!(f, "memory-copy/{}/{}", bytes.0, path.name()),
            },
        }
    }
}

/// Name and sizes, between which the format stands.
fn parts(operation: &Operation) -> (String, Vec<String>) {
    match operation {
        Operation::Conv(conv) => {
            let name = format!("conv{}d{}", conv.dims(), if conv.transposed { "-transposed" } else { "" });
            let filters = [&[conv.filters], conv.kernel.as_slice()].concat();
            let (stride, padding, dilation) = (even(&conv.stride), even(&conv.padding), even(&conv.dilation));
            let steps = format!("s{stride}p{padding}d{dilation}g{}", conv.groups);
            (name, vec![join(&conv.input), join(&filters), steps, conv.direction.name().to_owned()])
        }
        &Operation::Matmul { m, k, n } => ("matmul".to_owned(), vec![join(&[m, k, n])]),
        &Operation::Linear { batch, inputs, outputs } => ("linear".to_owned(), vec![join(&[batch, inputs, outputs])]),
        Operation::Elementwise { function, shape } => (function.name().to_owned(), vec![join(shape)]),
        Operation::Reduce { function, shape, over } => {
            (format!("reduce-{}", function.name()), vec![join(shape), over.name().to_owned()])
        }
        Operation::Softmax { shape } => ("softmax".to_owned(), vec![join(shape)]),
        Operation::LayerNorm { shape } => ("layer-norm".to_owned(), vec![join(shape)]),
        Operation::BatchNorm { shape, mode } => ("batch-norm".to_owned(), vec![join(shape), mode.name().to_owned()]),
        Operation::Pool { function, shape, kernel, stride, padding } => {
            (format!("pool-{}", function.name()), vec![join(shape), join(kernel), format!("s{stride}p{padding}")])
        }
        Operation::Upsample { function, shape, factor } => {
            (format!("upsample-{}", function.name()), vec![join(shape), factor.to_string()])
        }
        Operation::OptimizerStep { optimizer, parameters } => {
            (format!("step-{}", optimizer.name()), vec![parameters.to_string()])
        }
        Operation::Training(Training { optimizer, input, filters, classes, steps }) => {
            let sizes = [filters, classes, steps].map(usize::to_string);
            (format!("train-{}", optimizer.name()), [&[join(input)], sizes.as_slice()].concat())
        }
    }
}

impl FromStr for Work {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        read(text).map_err(|problem| SpecError::Text { text: shown(text), problem })
    }
}

impl FromStr for ProbeSpec {
    type Err = SpecError;

    /// Reads a name and checks what it says; the seed is [`ProbeSpec::SEED`].
    fn from_str(text: &str) -> Result<Self, SpecError> {
        let spec = Self { work: text.parse()?, seed: Self::SEED, repeats: 1 };
        spec.check()?;
        Ok(spec)
    }
}

/// What is wrong with a name, as the rest of a sentence that begins with it.
type Read<T> = Result<T, String>;

fn read(text: &str) -> Read<Work> {
    if text.len() > 400 {
        return Err("is too long for a probe's name".to_owned());
    }
    let pieces: Vec<&str> = text.split('/').collect();
    if let Some(name) = pieces[0].strip_prefix("memory-") {
        return Ok(Work::Memory { operation: memory(name, &pieces[1..])? });
    }
    let [name, dtype, sizes @ ..] = pieces.as_slice() else {
        return Err("is no probe's name, which is operation/format/sizes, like matmul/f32/64x64x64".to_owned());
    };
    let dtype = dtype.parse::<Dtype>().map_err(|error| format!("has no number format: {error}"))?;
    Ok(Work::Compute { operation: operation(name, sizes)?, dtype })
}

fn memory(name: &str, sizes: &[&str]) -> Read<Memory> {
    match (name, sizes) {
        ("ladder", [percent]) => Ok(Memory::Ladder { percent: number(percent)? }),
        ("churn", [bytes, times]) => Ok(Memory::Churn { bytes: Bytes(number(bytes)?), times: number(times)? }),
        ("out-of-memory", []) => Ok(Memory::OutOfMemory),
        ("isolation", [percent]) => Ok(Memory::Isolation { percent: number(percent)? }),
        ("past-limit", []) => Ok(Memory::PastLimit),
        ("copy", [bytes, path]) => {
            Ok(Memory::Copy { bytes: Bytes(number(bytes)?), path: named(path, &CopyPath::ALL, CopyPath::name)? })
        }
        _ => Err("is none of memory-ladder/90, memory-churn/BYTES/TIMES, memory-out-of-memory, memory-isolation/90, \
                  memory-past-limit and memory-copy/BYTES/host-to-device"
            .to_owned()),
    }
}

fn operation(name: &str, sizes: &[&str]) -> Read<Operation> {
    if let Some(rest) = name.strip_prefix("conv") {
        return conv(rest, sizes);
    }
    if let (Some(&function), [shape]) = (Elementwise::ALL.iter().find(|each| each.name() == name), sizes) {
        return Ok(Operation::Elementwise { function, shape: extents(shape)? });
    }
    let (family, which) = name.split_once('-').unwrap_or((name, ""));
    Ok(match (family, which, sizes) {
        ("matmul", "", [sizes]) => {
            let [m, k, n] = three(sizes)?;
            Operation::Matmul { m, k, n }
        }
        ("linear", "", [sizes]) => {
            let [batch, inputs, outputs] = three(sizes)?;
            Operation::Linear { batch, inputs, outputs }
        }
        ("reduce", function, [shape, over]) => Operation::Reduce {
            function: named(function, Reduction::ALL, Reduction::name)?,
            shape: extents(shape)?,
            over: named(over, Over::ALL, Over::name)?,
        },
        ("softmax", "", [shape]) => Operation::Softmax { shape: extents(shape)? },
        ("layer", "norm", [shape]) => Operation::LayerNorm { shape: extents(shape)? },
        ("batch", "norm", [shape, mode]) => {
            Operation::BatchNorm { shape: extents(shape)?, mode: named(mode, BatchNormMode::ALL, BatchNormMode::name)? }
        }
        ("pool", function, [shape, kernel, steps]) => {
            let [stride, padding] = lettered(steps, ['s', 'p'])?;
            Operation::Pool {
                function: named(function, Pooling::ALL, Pooling::name)?,
                shape: extents(shape)?,
                kernel: extents(kernel)?,
                stride: number(stride)?,
                padding: number(padding)?,
            }
        }
        ("upsample", function, [shape, factor]) => Operation::Upsample {
            function: named(function, Interpolation::ALL, Interpolation::name)?,
            shape: extents(shape)?,
            factor: number(factor)?,
        },
        ("step", optimizer, [parameters]) => Operation::OptimizerStep {
            optimizer: named(optimizer, Optimizer::ALL, Optimizer::name)?,
            parameters: number(parameters)?,
        },
        ("train", optimizer, [input, filters, classes, steps]) => Operation::Training(Training {
            optimizer: named(optimizer, Optimizer::ALL, Optimizer::name)?,
            input: extents(input)?,
            filters: number(filters)?,
            classes: number(classes)?,
            steps: number(steps)?,
        }),
        _ => return Err(format!("has no operation {name:?} with {} sizes after the number format", sizes.len())),
    })
}

fn conv(rest: &str, sizes: &[&str]) -> Read<Operation> {
    let transposed = rest.strip_suffix("-transposed");
    let dims = match transposed.unwrap_or(rest) {
        "1d" => 1,
        "2d" => 2,
        "3d" => 3,
        _ => return Err("is no convolution: conv1d, conv2d or conv3d".to_owned()),
    };
    let [input, filters, steps, direction] = sizes else {
        return Err("has not the four sizes of a convolution: input/filters/steps/direction, like \
                    1x16x44x44/32x3x3/s1p1d1g1/forward"
            .to_owned());
    };
    let filters = extents(filters)?;
    let (filters, kernel) = filters.split_first().ok_or("has no filters")?;
    let [stride, padding, dilation, groups] = lettered(steps, ['s', 'p', 'd', 'g'])?;
    let spread = |text: &str| {
        let values = extents(text)?;
        Ok::<_, String>(if values.len() == 1 { vec![values[0]; dims] } else { values })
    };
    if kernel.len() != dims {
        return Err(format!("has a filter of {} extents in {dims} dimensions", kernel.len()));
    }
    Ok(Operation::Conv(Conv {
        input: extents(input)?,
        filters: *filters,
        kernel: kernel.to_vec(),
        stride: spread(stride)?,
        padding: spread(padding)?,
        dilation: spread(dilation)?,
        groups: number(groups)?,
        transposed: transposed.is_some(),
        direction: named(direction, &Direction::ALL, Direction::name)?,
    }))
}

/// `1x16x44x44`.
pub(super) fn join(extents: &[usize]) -> String {
    extents.iter().map(usize::to_string).collect::<Vec<_>>().join("x")
}

/// One number when all are the same.
fn even(values: &[usize]) -> String {
    if values.iter().all(|value| *value == values[0]) { join(&values[..values.len().min(1)]) } else { join(values) }
}

/// Reads `1x16x44x44`: one to six numbers.
pub(super) fn extents(text: &str) -> Read<Vec<usize>> {
    let values: Vec<usize> = text.split('x').map(number).collect::<Read<_>>()?;
    if values.len() > 6 { Err(format!("has {} extents in {text:?}", values.len())) } else { Ok(values) }
}

fn three(text: &str) -> Read<[usize; 3]> {
    extents(text)?.try_into().map_err(|_| format!("has not three sizes in {text:?}, like 64x64x64"))
}

fn number<T: FromStr>(text: &str) -> Read<T> {
    // `+1` reads as a number, and would not read back as it was written.
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let written = digits && (text == "0" || !text.starts_with('0'));
    written.then(|| text.parse().ok()).flatten().ok_or_else(|| format!("has no number in {text:?}"))
}

fn named<T: Copy>(text: &str, all: &[T], name: fn(T) -> &'static str) -> Read<T> {
    all.iter().copied().find(|&each| name(each) == text).ok_or_else(|| {
        let known: Vec<_> = all.iter().map(|&each| name(each)).collect();
        format!("says {text:?} where one of {} is needed", known.join(", "))
    })
}

/// Reads `s1p0`: the text behind each letter.
fn lettered<const N: usize>(text: &str, letters: [char; N]) -> Read<[&str; N]> {
    let wrong = || {
        let wanted: String = letters.iter().flat_map(|letter| [*letter, '1']).collect();
        format!("has {text:?} where something like {wanted} is needed")
    };
    let mut rest = text.strip_prefix(letters[0]).ok_or_else(wrong)?;
    let mut found = [""; N];
    for (at, place) in found.iter_mut().enumerate() {
        match letters.get(at + 1) {
            Some(next) => (*place, rest) = rest.split_once(*next).ok_or_else(wrong)?,
            None => *place = rest,
        }
    }
    Ok(found)
}

//! What reproduces a failure without rocvet: a PyTorch script, a `MIOpenDriver` line where there is one, and the
//! environment. Ready for an upstream issue.

use std::fmt::Write as _;

use super::candidate::Candidate;
use crate::probe::spec::{Conv, Direction, Dtype, Operation, Work};

/// What reproduces a failure.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Reproducer {
    /// A comment with what the kernel's command line must have; nothing where that does not matter.
    pub kernel: String,
    /// Lines for a shell: `export NAME='value'`.
    pub environment: String,
    /// A script; `None` where the operation has none here, with the reason in its place.
    pub pytorch: Result<String, String>,
    /// A line of MIOpen's own driver; `None` where the operation is no convolution that it has.
    pub miopen_driver: Option<String>,
}

/// Of a candidate.
pub fn reproducer(candidate: &Candidate) -> Reproducer {
    let mut environment = String::new();
    for (name, value) in &candidate.env {
        let _ = writeln!(environment, "export {name}='{}'", value.replace('\'', r"'\''"));
    }
    let (pytorch, miopen_driver) = match &candidate.probe.work {
        Work::Compute { operation, dtype } => (script(operation, *dtype), driver(operation, *dtype)),
        Work::Memory { .. } => (Err("a use of memory has no script here".to_owned()), None),
    };
    let parameters: Vec<String> = candidate.kernel.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let kernel = match parameters.as_slice() {
        [] => String::new(),
        all => format!("# on the kernel's command line: {}\n", all.join(" ")),
    };
    Reproducer { kernel, environment, pytorch, miopen_driver }
}

/// `MIOpenDriver conv -n 1 -c 16 …`. Options as MIOpen's reports write them (facts/rdna.md sections 1 and 6).
fn driver(operation: &Operation, dtype: Dtype) -> Option<String> {
    let Operation::Conv(conv) = operation else { return None };
    let base = match dtype {
        Dtype::F32 => "conv",
        Dtype::F16 => "convfp16",
        Dtype::Bf16 => "convbfp16",
        Dtype::F64 => return None,
    };
    // One and three dimensions have other options, which nobody here has seen used.
    let (&[n, c, h, w], &[y, x]) = (conv.input.as_slice(), conv.kernel.as_slice()) else { return None };
    let [p, q] = [conv.padding[0], conv.padding[1]];
    let [u, v] = [conv.stride[0], conv.stride[1]];
    let [l, j] = [conv.dilation[0], conv.dilation[1]];
    let (k, g) = (conv.filters, conv.groups);
    let direction = match conv.direction {
        Direction::Forward => 1,
        Direction::BackwardData => 2,
        Direction::BackwardWeights => 4,
    };
    let mode = if conv.transposed { " -m trans" } else { "" };
    Some(format!(
        "MIOpenDriver {base} -n {n} -c {c} -H {h} -W {w} -k {k} -y {y} -x {x} -p {p} -q {q} -u {u} -v {v} -l {l} -j {j} \
         -g {g} -F {direction}{mode} -V 1"
    ))
}

const fn torch_dtype(dtype: Dtype) -> &'static str {
    match dtype {
        Dtype::F32 => "torch.float32",
        Dtype::F16 => "torch.float16",
        Dtype::Bf16 => "torch.bfloat16",
        Dtype::F64 => "torch.float64",
    }
}

fn script(operation: &Operation, dtype: Dtype) -> Result<String, String> {
    let body = match operation {
        Operation::Conv(conv) => convolution(conv),
        Operation::Matmul { m, k, n } => {
            format!("a = make({m}, {k})\nb = make({k}, {n})\nrun(lambda a, b: a @ b, a, b)\n")
        }
        Operation::Linear { batch, inputs, outputs } => format!(
            "x = make({batch}, {inputs})\nw = make({outputs}, {inputs})\nb = make({outputs})\n\
             run(torch.nn.functional.linear, x, w, b)\n"
        ),
        Operation::Softmax { shape } => {
            format!("x = make({})\nrun(lambda x: torch.softmax(x, -1), x)\n", list(shape))
        }
        Operation::LayerNorm { shape } => {
            format!("x = make({})\nrun(lambda x: torch.nn.functional.layer_norm(x, x.shape[-1:]), x)\n", list(shape))
        }
        Operation::Elementwise { .. }
        | Operation::Reduce { .. }
        | Operation::BatchNorm { .. }
        | Operation::Pool { .. }
        | Operation::Upsample { .. }
        | Operation::OptimizerStep { .. }
        | Operation::Training(_) => {
            return Err("this operation has no script here; `validate probe` with the worker python runs it".to_owned());
        }
    };
    Ok(format!(
        "# One operation on the GPU beside the same in float64 on the CPU. Exit code 0: the numbers agree; 1: they differ; 2:\n\
         # it could not be run, and what was raised is printed.\n\
         import os\n\
         import sys\n\
         import traceback\n\n\n\
         def broken(kind, error, trace):\n    \
             traceback.print_exception(kind, error, trace)\n    \
             print(\"could not be run: this says nothing of the numbers\", flush=True)\n    \
             sys.stderr.flush()\n    \
             os._exit(2)\n\n\n\
         sys.excepthook = broken\n\
         import torch\n\n\
         print(\"torch\", torch.__version__, \"HIP\", torch.version.hip)\n\
         device = sys.argv[1] if len(sys.argv) > 1 else \"cuda\"\n\
         dtype = {}\n\
         torch.manual_seed(1)\n\n\n\
         def make(*shape):\n    \
             return torch.rand(shape, dtype=torch.float64).sub(0.5).to(dtype)\n\n\n\
         def run(operation, *tensors):\n    \
             expected = operation(*[tensor.double() for tensor in tensors])\n    \
             got = operation(*[tensor.to(device) for tensor in tensors])\n    \
             if device != \"cpu\":\n        \
                 torch.cuda.synchronize()\n    \
             error = (got.cpu().double() - expected).abs().max().item()\n    \
             largest = expected.abs().max().item()\n    \
             # A part of the largest that is expected, and the smallest number of the format: zeros are never right.\n    \
             part = {{torch.float32: 1e-4, torch.float16: 2e-2, torch.bfloat16: 1e-1}}.get(dtype, 1e-9)\n    \
             step = torch.finfo(dtype).tiny * torch.finfo(dtype).eps\n    \
             wrong = not error <= part * largest + step\n    \
             print(\"largest error\", error, \"of\", largest, \"WRONG\" if wrong else \"ok\", flush=True)\n    \
             sys.exit(1 if wrong else 0)\n\n\n\
         {body}",
        torch_dtype(dtype)
    ))
}

fn list(sizes: &[usize]) -> String {
    sizes.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
}

/// A Python tuple.
fn tuple(sizes: &[usize]) -> String {
    format!("({},)", list(sizes))
}

fn convolution(conv: &Conv) -> String {
    let dims = conv.dims();
    let transposed = if conv.transposed { "_transpose" } else { "" };
    let function = format!("torch.nn.functional.conv{transposed}{dims}d");
    let options = format!(
        "stride={}, padding={}, dilation={}, groups={}",
        tuple(&conv.stride),
        tuple(&conv.padding),
        tuple(&conv.dilation),
        conv.groups
    );
    let tensors = format!("x = make({})\nw = make({})\n", list(&conv.input), list(&conv.weights()));
    let gradient = |of: &str| {
        format!(
            "\n\ndef operation(x, w):\n    \
                 x.requires_grad_()\n    \
                 w.requires_grad_()\n    \
                 y = {function}(x, w, {options})\n    \
                 y.backward(torch.ones_like(y))\n    \
                 return {of}.grad.detach()\n\n\n"
        )
    };
    match conv.direction {
        Direction::Forward => format!("{tensors}run(lambda x, w: {function}(x, w, {options}), x, w)\n"),
        Direction::BackwardData => format!("{tensors}{}run(operation, x, w)\n", gradient("x")),
        Direction::BackwardWeights => format!("{tensors}{}run(operation, x, w)\n", gradient("w")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn of(probe: &str, env: &[(&str, &str)]) -> Reproducer {
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        reproducer(&Candidate { probe: probe.parse().unwrap(), env, kernel: BTreeMap::new() })
    }

    #[test]
    fn the_driver_line_of_a_report_comes_out_as_the_report_has_it() {
        for (probe, line) in [
            // MIOpen#3540 and MIOpen#2522, with the options in our order and the defaults written out.
            (
                "conv2d/f32/1024x256x32x32/1x5x5/s1p2d1g1/backward-data",
                Some(
                    "MIOpenDriver conv -n 1024 -c 256 -H 32 -W 32 -k 1 -y 5 -x 5 -p 2 -q 2 -u 1 -v 1 -l 1 -j 1 -g 1 -F 2 -V 1",
                ),
            ),
            (
                "conv2d/f16/1x260x35x35/308x3x3/s2p0d1g1/forward",
                Some(
                    "MIOpenDriver convfp16 -n 1 -c 260 -H 35 -W 35 -k 308 -y 3 -x 3 -p 0 -q 0 -u 2 -v 2 -l 1 -j 1 -g 1 -F 1 -V 1",
                ),
            ),
            ("conv1d/f32/1x4x100/8x3/s1p1d1g1/forward", None),
            ("conv2d/f64/1x4x8x8/8x3x3/s1p1d1g1/forward", None),
            ("matmul/f32/8x8x8", None),
        ] {
            assert_eq!(of(probe, &[]).miopen_driver.as_deref(), line, "{probe}");
        }
    }

    #[test]
    fn the_environment_survives_a_shell() {
        let found = of("matmul/f32/8x8x8", &[("A", "1"), ("B", "it's")]);
        assert_eq!(found.environment, "export A='1'\nexport B='it'\\''s'\n");
    }

    #[test]
    fn parameters_of_the_kernel_are_told() {
        assert_eq!(of("matmul/f32/8x8x8", &[]).kernel, "");
        let kernel = BTreeMap::from([("amdgpu.cwsr_enable".to_owned(), "0".to_owned())]);
        let probe = "matmul/f32/8x8x8".parse().unwrap();
        let made = reproducer(&Candidate { probe, env: BTreeMap::new(), kernel });
        assert_eq!(made.kernel, "# on the kernel's command line: amdgpu.cwsr_enable=0\n");
    }

    #[test]
    fn scripts_of_all_directions() {
        insta::assert_snapshot!(of("conv2d/f16/1x16x44x44/32x3x3/s2p1d1g1/forward", &[]).pytorch.unwrap());
        let backward = of("conv2d-transposed/f32/1x4x8x8/4x3x3/s1p0d1g1/backward-weights", &[]).pytorch.unwrap();
        assert!(backward.contains("conv_transpose2d") && backward.contains("return w.grad.detach()"));
        assert!(of("train-sgd/f32/8x3x16x16/16/10/1", &[]).pytorch.is_err());
        assert!(of("memory-ladder/90", &[]).pytorch.is_err());
    }
}

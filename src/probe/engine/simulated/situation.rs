//! What a probe is, as the condition of a planted fault asks for it.

use std::collections::BTreeMap;

use crate::probe::ProbeSpec;
use crate::probe::spec::{Operation, Work, elements};
use crate::sim::fault::Situation;

/// The situation of a worker that is asked for this, as the `start`-th worker of its host, in this environment.
pub fn situation(spec: &ProbeSpec, start: u64, env: BTreeMap<String, String>) -> Situation {
    let id = spec.id();
    let op = id.split('/').next().unwrap_or_default().to_owned();
    let mut texts = BTreeMap::from([("op", op)]);
    let mut numbers = BTreeMap::from([("start", start)]);
    if let Work::Compute { operation, dtype } = &spec.work {
        texts.insert("dtype", dtype.name().to_owned());
        let inputs = operation.inputs();
        if let Some(most) = inputs.iter().filter_map(|input| elements(&input.shape)).max() {
            numbers.insert("elements", most as u64);
        }
        if let Operation::Conv(conv) = operation {
            texts.insert("direction", conv.direction.name().to_owned());
            let kernel = conv.kernel.iter().max().copied().unwrap_or_default();
            let (batch, channels, extents) = (conv.input[0], conv.input[1], &conv.input[2..]);
            let width = extents.last().copied().unwrap_or_default();
            numbers.extend([
                ("batch", batch as u64),
                ("channels", channels as u64),
                ("width", width as u64),
                ("filters", conv.filters as u64),
                ("kernel", kernel as u64),
                ("groups", conv.groups as u64),
            ]);
            if let [.., height, _] = extents {
                numbers.insert("height", *height as u64);
            }
        }
    }
    Situation { texts, numbers, env }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_is_asked_for_by_operation_format_and_sizes() {
        let of = |id: &str| situation(&id.parse().unwrap(), 3, BTreeMap::new());
        let holds = |id: &str, when: &str| when.parse::<crate::sim::fault::When>().unwrap().holds(&of(id));
        let conv = "conv2d/f16/1x16x44x48/32x3x3/s1p1d1g1/backward-data";
        for when in [
            "op=conv2d,dtype=f16,direction=backward-data",
            "batch=1,channels=16,height=44,width=48,filters=32,kernel=3,groups=1",
            "elements=67584,start=3,every=3",
        ] {
            assert!(holds(conv, when), "{when}: {:?}", of(conv));
        }
        assert!(holds("conv1d/f32/1x4x100/8x3/s1p1d1g1/forward", "op=conv1d,width=100"));
        assert!(!holds("conv1d/f32/1x4x100/8x3/s1p1d1g1/forward", "height>=1"));
        assert!(holds("matmul/f16/64x32x16", "op=matmul,elements=2048"));
        assert!(holds("memory-ladder/90", "op=memory-ladder,dtype!=f16"));
    }
}

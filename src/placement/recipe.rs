//! What to use to serve one model on one device: environment, command, container arguments, Kubernetes' names.
//!
//! Sources: facts/partitions.md section 4 [C] for what selects a device; vLLM's docs/features/quantization @0328802b for
//! what it makes of a format.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use super::{Device, Dtype, KvDtype, Share, Wish};

/// Source: facts/partitions.md section 8 (vLLM's `get_device_total_memory`, ROCm/rocm-systems PR8475) [L].
const WHOLE_GPU: &str = "amd-smi of ROCm 6.4.1 to 7.x shows the whole GPU's memory on partition 0, and vLLM may go by it: look \
                         that it stays within its share";

/// How a device is named in `ROCR_VISIBLE_DEVICES`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selector {
    /// By its UUID where it has one of its own, else by its index.
    Best,
    /// By its index.
    Index,
    /// By its UUID.
    Uuid,
}

/// The device has no UUID of its own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "device {device} has no UUID of its own: the driver shows the same unique_id for all partitions of a GPU, as before ROCm \
     7.0, and a UUID that several devices have selects none; leave out --by, or use --by index"
)]
pub struct NoUuid {
    device: String,
}

/// First part of the names of variables that are the caller's own: `AIM` for `AIM_PARTITION_ID`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvPrefix(String);

/// The text cannot begin the name of a variable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} cannot begin the name of a variable: letters, digits and _, no digit first, at most 40")]
pub struct EnvPrefixError(String);

impl FromStr for EnvPrefix {
    type Err = EnvPrefixError;

    fn from_str(text: &str) -> Result<Self, EnvPrefixError> {
        let first = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        let rest = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if first && rest && text.len() <= 40 {
            Ok(Self(text.to_owned()))
        } else {
            Err(EnvPrefixError(text.chars().take(40).collect()))
        }
    }
}

/// What a recipe is made with, besides the model and its device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Style {
    /// How the device is named.
    pub by: Selector,
    /// For variables of the caller's own.
    pub prefix: Option<EnvPrefix>,
}

/// A variable of the environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value, as it is: not quoted.
    pub value: String,
}

/// What to use for one model on one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Recipe {
    /// Variables for a process of the host.
    pub env: Vec<Variable>,
    /// The command, word by word.
    pub serve: Vec<String>,
    /// Arguments of `docker run`; in the container the device is the only one, so nothing filters there.
    pub docker: Vec<String>,
    /// Kubernetes' resource where the device plugin runs with the strategy `single`.
    pub kubernetes_single: &'static str,
    /// Where it runs with the strategy `mixed`.
    pub kubernetes_mixed: Option<String>,
    /// What to know about it.
    pub notes: Vec<String>,
}

impl Recipe {
    /// How to serve a model with this share of a device, on this port.
    ///
    /// # Errors
    /// The device is to be named by a UUID and has none of its own.
    pub fn new(wish: &Wish, device: &Device, share: Share, port: u16, style: &Style) -> Result<Self, NoUuid> {
        let mut notes = Vec::new();
        let mut env = vec![Variable { name: "ROCR_VISIBLE_DEVICES".to_owned(), value: selector(device, style.by)? }];
        if let Some(prefix) = &style.prefix {
            env.extend(own_variables(device, prefix, &mut notes));
        }
        let docker = match device.render_minor {
            Some(minor) => vec!["--device=/dev/kfd".to_owned(), format!("--device=/dev/dri/renderD{minor}")],
            None => {
                notes.push("KFD does not report its render node, so a container cannot be given it alone".to_owned());
                Vec::new()
            }
        };
        notes.extend(format_note(wish.dtype).map(str::to_owned));
        if device.taken_for_whole() {
            notes.push(WHOLE_GPU.to_owned());
        }
        Ok(Self {
            env,
            serve: serve(wish, share, port),
            docker,
            kubernetes_single: "amd.com/gpu",
            kubernetes_mixed: device.partitionable.then_some(device.compute.zip(device.memory)).flatten().map(
                |(compute, memory)| {
                    format!("amd.com/{}_{}", compute.name().to_lowercase(), memory.name().to_lowercase())
                },
            ),
            notes,
        })
    }

    /// The command with its environment, as a shell reads it.
    pub fn shell(&self) -> String {
        let env = self.env.iter().map(|Variable { name, value }| format!("{name}={}", quoted(value)));
        env.chain(self.serve.iter().map(|word| quoted(word))).collect::<Vec<_>>().join(" ")
    }
}

impl fmt::Display for EnvPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn selector(device: &Device, by: Selector) -> Result<String, NoUuid> {
    let uuid = device.own_id.map(|id| format!("GPU-{id:016x}"));
    match (by, uuid) {
        (Selector::Best | Selector::Uuid, Some(uuid)) => Ok(uuid),
        (Selector::Best, None) | (Selector::Index, _) => Ok(device.hip_index.to_string()),
        (Selector::Uuid, None) => Err(NoUuid { device: device.bdf.to_string() }),
    }
}

fn own_variables(device: &Device, prefix: &EnvPrefix, notes: &mut Vec<String>) -> Vec<Variable> {
    let mut variables = vec![("PARTITION_ID", device.partition().to_string())];
    variables.extend(device.compute.map(|mode| ("COMPUTE_MODE", mode.name().to_owned())));
    variables.extend(device.memory.map(|mode| ("MEMORY_MODE", mode.name().to_owned())));
    match device.xccs {
        Some(xccs) => {
            let first = u32::from(device.partition()).saturating_mul(xccs);
            let ids: Vec<String> = (first..first.saturating_add(xccs.min(64))).map(|id| id.to_string()).collect();
            variables.push(("XCD_ID", ids.join(",")));
        }
        None => notes.push(format!("KFD does not report its XCCs, so there is no {prefix}_XCD_ID")),
    }
    notes.push(format!("AMD defines no {prefix}_* variables: they are the caller's own, and select nothing"));
    variables.into_iter().map(|(name, value)| Variable { name: format!("{prefix}_{name}"), value }).collect()
}

fn serve(wish: &Wish, share: Share, port: u16) -> Vec<String> {
    let dtype = match wish.dtype {
        Dtype::Fp32 => "float32",
        Dtype::Fp16 => "float16",
        Dtype::Bf16 => "bfloat16",
        Dtype::Fp8 | Dtype::Int8 | Dtype::Int4 => "auto",
    };
    let mut words: Vec<String> = ["vllm", "serve", wish.shape.name(), "--dtype", dtype].map(str::to_owned).into();
    let mut option = |name: &str, value: String| words.extend([name.to_owned(), value]);
    option("--max-model-len", wish.tokens.to_string());
    option("--gpu-memory-utilization", share.to_string());
    if wish.dtype == Dtype::Fp8 {
        option("--quantization", "fp8".to_owned());
    }
    if wish.kv == KvDtype::Fp8 {
        option("--kv-cache-dtype", wish.kv.to_string());
    }
    option("--port", port.to_string());
    words
}

fn format_note(dtype: Dtype) -> Option<&'static str> {
    match dtype {
        Dtype::Fp32 | Dtype::Fp16 | Dtype::Bf16 => None,
        Dtype::Fp8 => Some(
            "--quantization fp8 makes fp8 of a 16-bit checkpoint while it loads; older releases hold the 16-bit weights \
             first, and need twice the memory for that time. A checkpoint that is fp8 already needs no such option",
        ),
        Dtype::Int8 => Some(
            "the checkpoint itself must be int8: vLLM reads its method there. vLLM's own table lists int8 (W8A8) as not \
             supported on AMD GPUs",
        ),
        Dtype::Int4 => Some(
            "the checkpoint itself must be int4: vLLM reads its method there. vLLM's own table lists AWQ and GPTQ as not \
             supported on AMD GPUs",
        ),
    }
}

/// A word as a shell reads it back. What no shell can be told, a NUL, no name here has.
fn quoted(word: &str) -> String {
    shlex::try_quote(word).map_or_else(|_| word.to_owned(), std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::super::samples::{cpx_nps4, look};
    use super::super::{Shape, devices};
    use super::*;
    use crate::domain::{ComputeMode, MemoryMode, Reading};
    use crate::facts::model;
    use crate::topology::{Filters, logical_devices, visible};

    fn wish(name: &str, dtype: Dtype, kv: KvDtype) -> Wish {
        let shape = Shape::of(name, model("meta-llama/Llama-3.1-8B").unwrap()).unwrap();
        Wish { shape, dtype, kv, tokens: 8192, copies: 1 }
    }

    fn device(at: usize) -> Device {
        devices(&cpx_nps4(2)).usable[at].clone()
    }

    const PLAIN: Style = Style { by: Selector::Best, prefix: None };

    fn recipe(wish: &Wish, device: &Device, style: &Style) -> Recipe {
        Recipe::new(wish, device, Share::DEFAULT, 8000, style).unwrap()
    }

    #[test]
    fn one_device_is_selected_once_for_a_process_and_not_at_all_in_a_container() {
        let wish = wish("meta-llama/Llama-3.1-8B-Instruct", Dtype::Fp16, KvDtype::Auto);
        let recipe = recipe(&wish, &device(11), &PLAIN);
        assert_eq!(
            recipe.shell(),
            "ROCR_VISIBLE_DEVICES=11 vllm serve meta-llama/Llama-3.1-8B-Instruct --dtype float16 --max-model-len 8192 \
             --gpu-memory-utilization 0.92 --port 8000"
        );
        assert_eq!(recipe.docker, ["--device=/dev/kfd", "--device=/dev/dri/renderD139"]);
        assert_eq!(
            (recipe.kubernetes_single, recipe.kubernetes_mixed.as_deref()),
            ("amd.com/gpu", Some("amd.com/cpx_nps4"))
        );
        assert!(recipe.notes.is_empty() && !recipe.shell().contains("HIP_VISIBLE"));
    }

    #[test]
    fn a_uuid_is_used_only_where_it_is_the_devices_own() {
        let wish = wish("m", Dtype::Bf16, KvDtype::Auto);
        let shared = device(3);
        let own = Device { own_id: Some(0xabc), ..device(3) };
        let by = |device: &Device, by| {
            let recipe = Recipe::new(&wish, device, Share::DEFAULT, 8000, &Style { by, prefix: None });
            recipe.map(|recipe| recipe.env[0].value.clone()).map_err(|error| error.to_string())
        };
        for (selector, device, expected) in [
            (Selector::Best, &shared, "3"),
            (Selector::Index, &own, "3"),
            (Selector::Best, &own, "GPU-0000000000000abc"),
            (Selector::Uuid, &own, "GPU-0000000000000abc"),
        ] {
            assert_eq!(by(device, selector).as_deref(), Ok(expected), "{selector:?}");
        }
        assert!(by(&shared, Selector::Uuid).unwrap_err().contains("before ROCm 7.0"));
    }

    #[test]
    fn what_selects_a_device_selects_it_and_no_other() {
        let mut look = cpx_nps4(2);
        let wish = wish("m", Dtype::Bf16, KvDtype::Auto);
        for shared in [true, false] {
            for (at, node) in look.kfd.as_mut().unwrap().iter_mut().enumerate() {
                let id = 100 + if shared { at / 8 } else { at };
                node.unique_id = Reading::Value(u64::try_from(id).unwrap());
            }
            let order = logical_devices(&look);
            for device in devices(&look).usable {
                let by = recipe(&wish, &device, &PLAIN).env[0].value.clone();
                assert_eq!(by.starts_with("GPU-"), !shared, "{by}");
                let left = visible(&order, Filters { rocr: Some(&by), hip: None, cuda: None });
                let nodes: Vec<u32> = left.devices.iter().map(|left| left.node.node).collect();
                assert_eq!((nodes, left.ended.len()), (vec![device.node], 0), "{by}");
            }
        }
    }

    #[test]
    fn variables_of_the_callers_own_name_the_partition_its_modes_and_its_xcds() {
        let wish = wish("m", Dtype::Bf16, KvDtype::Auto);
        let style = Style { by: Selector::Best, prefix: Some("AIM".parse().unwrap()) };
        let pairs = |device: &Device| {
            let env = recipe(&wish, device, &style).env;
            env[1..].iter().map(|Variable { name, value }| format!("{name}={value}")).collect::<Vec<_>>()
        };
        let expected = ["AIM_PARTITION_ID=3", "AIM_COMPUTE_MODE=CPX", "AIM_MEMORY_MODE=NPS4", "AIM_XCD_ID=3"];
        assert_eq!(pairs(&device(11)), expected);
        let two = Device { xccs: Some(2), ..device(3) };
        assert_eq!(pairs(&two)[3], "AIM_XCD_ID=6,7");
        let unknown = Device { xccs: None, compute: None, memory: None, ..device(3) };
        assert_eq!(pairs(&unknown), ["AIM_PARTITION_ID=3"]);
        let notes = recipe(&wish, &unknown, &style).notes;
        assert!(notes[0].contains("no AIM_XCD_ID") && notes[1].contains("AMD defines no AIM_*"), "{notes:?}");
        for text in ["", "9A", "A-B", "A B", "Ä", &"A".repeat(41)] {
            assert!(text.parse::<EnvPrefix>().is_err(), "{text}");
        }
    }

    #[test]
    fn formats_become_the_options_that_vllm_documents() {
        for (dtype, kv, options, note) in [
            (Dtype::Fp32, KvDtype::Auto, "--dtype float32", ""),
            (Dtype::Bf16, KvDtype::Fp8, "--dtype bfloat16 --kv-cache-dtype fp8", ""),
            (Dtype::Fp8, KvDtype::Auto, "--dtype auto --quantization fp8", "16-bit checkpoint"),
            (Dtype::Int8, KvDtype::Auto, "--dtype auto", "must be int8"),
            (Dtype::Int4, KvDtype::Auto, "--dtype auto", "AWQ and GPTQ"),
        ] {
            let recipe = recipe(&wish("m", dtype, kv), &device(0), &PLAIN);
            let line = recipe.serve.join(" ");
            let line =
                line.replace(" --max-model-len 8192 --gpu-memory-utilization 0.92", "").replace(" --port 8000", "");
            assert_eq!(line, format!("vllm serve m {options}"));
            assert!(recipe.notes.concat().contains(note), "{dtype}: {:?}", recipe.notes);
        }
    }

    #[test]
    fn a_shell_reads_a_name_with_any_character_back_as_one_word() {
        for name in ["/models/my model", "a'b", "$(reboot)", "a;b", "a\"b\\c", "-x", "é"] {
            let recipe = recipe(&wish(name, Dtype::Bf16, KvDtype::Auto), &device(0), &PLAIN);
            let words = shlex::split(&recipe.shell()).unwrap();
            assert_eq!(words[3], name, "{}", recipe.shell());
        }
    }

    #[test]
    fn partition_0_of_several_is_told_of_as_the_one_that_tools_get_wrong() {
        let wish = wish("m", Dtype::Bf16, KvDtype::Auto);
        let whole = Device { compute: Some(ComputeMode::Spx), ..device(0) };
        for (device, told) in [(device(0), true), (device(1), false), (whole, false)] {
            assert_eq!(recipe(&wish, &device, &PLAIN).notes.contains(&WHOLE_GPU.to_owned()), told, "{}", device.bdf);
        }
    }

    #[test]
    fn a_card_that_cannot_be_partitioned_has_one_resource_in_kubernetes() {
        let device = devices(&look("rx7900xtx", 1, ComputeMode::Spx, MemoryMode::Nps1)).usable[0].clone();
        let recipe = recipe(&wish("m", Dtype::Bf16, KvDtype::Auto), &device, &PLAIN);
        assert_eq!((recipe.kubernetes_single, recipe.kubernetes_mixed), ("amd.com/gpu", None));
    }

    #[test]
    fn a_device_without_a_render_node_is_no_containers() {
        let device = Device { render_minor: None, ..device(0) };
        let recipe = recipe(&wish("m", Dtype::Bf16, KvDtype::Auto), &device, &PLAIN);
        assert!(recipe.docker.is_empty() && recipe.notes[0].contains("render node"));
    }
}

//! Which models: the options that `plan`, `place` and their like share, read into wishes.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::{Args, ValueEnum};

use crate::cli::exit::Failure;
use crate::facts;
use crate::placement::{
    Dtype, EnvPrefix, Known, KvDtype, ModelSpec, Numbers, Selector, Shape, Share, Style, Wish, from_config, tokens,
};
use crate::scenario::nearest;

/// Instances that one command can ask for.
const MOST_INSTANCES: u32 = 4096;

/// Largest `config.json` that is read.
const CONFIG_LIMIT: usize = 1 << 20;

/// Which models, and how they are to be served.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Models")]
pub struct ModelArgs {
    /// A model by name, or the path of its config.json; 'NAME x 4' for copies, 'NAME,dtype=int4,max-model-len=4096 x 2' for
    /// what holds for it alone. May be given several times
    #[arg(long = "model", value_name = "MODEL")]
    models: Vec<ModelSpec>,
    /// Parameters of a model that is not known by name, all experts counted
    #[arg(long, value_name = "N")]
    params: Option<u64>,
    /// Its layers
    #[arg(long, value_name = "N", requires = "params")]
    layers: Option<u64>,
    /// Its key and value heads
    #[arg(long, value_name = "N", requires = "params")]
    kv_heads: Option<u64>,
    /// Width of one of its heads
    #[arg(long, value_name = "N", requires = "params")]
    head_dim: Option<u64>,
    /// Format of the weights: fp32, fp16, bf16, fp8, int8 or int4
    #[arg(long, value_name = "DTYPE", default_value = "bf16")]
    dtype: Dtype,
    /// Tokens of the longest request
    #[arg(long, value_name = "N", default_value = "8192", value_parser = tokens)]
    max_model_len: u32,
    /// Format of the KV cache: auto (as the activations) or fp8
    #[arg(long, value_name = "DTYPE", default_value = "auto")]
    kv_cache_dtype: KvDtype,
    /// Most of a device that its models may have together
    #[arg(long, value_name = "SHARE", default_value_t = Share::DEFAULT)]
    gpu_memory_utilization: Share,
    /// How ROCR_VISIBLE_DEVICES names a device [default: by its UUID where it has one of its own, else by its index]
    #[arg(long, value_enum, value_name = "HOW")]
    by: Option<By>,
    /// Also set PREFIX_PARTITION_ID, _COMPUTE_MODE, _MEMORY_MODE and _XCD_ID, for programs that read them
    #[arg(long, value_name = "PREFIX")]
    env_prefix: Option<EnvPrefix>,
}

/// `--by`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    /// HIP index: changes when devices are hidden or modes change
    Index,
    /// UUID: from ROCm 7.0 on
    Uuid,
}

impl ModelArgs {
    /// Whether any model is named.
    pub fn any(&self) -> bool {
        !self.models.is_empty() || self.params.is_some()
    }

    /// Most of a device that its models may have together.
    pub const fn ceiling(&self) -> Share {
        self.gpu_memory_utilization
    }

    /// What recipes are made with.
    pub fn style(&self) -> Style {
        let by = match self.by {
            None => Selector::Best,
            Some(By::Index) => Selector::Index,
            Some(By::Uuid) => Selector::Uuid,
        };
        Style { by, prefix: self.env_prefix.clone() }
    }

    /// The models that are wanted.
    ///
    /// # Errors
    /// A model is not known and its numbers are not given, or its `config.json` cannot be used.
    pub fn wishes(&self) -> Result<Vec<Wish>, Failure> {
        let nameless = ModelSpec { name: "model".to_owned(), dtype: None, kv: None, tokens: None, copies: 1 };
        let specs = if self.models.is_empty() { std::slice::from_ref(&nameless) } else { self.models.as_slice() };
        if self.params.is_some() && specs.len() > 1 {
            let problem = "--params and its like describe one model, and several are named; give each a config.json";
            return Err(Failure::usage(anyhow!(problem)));
        }
        if specs.iter().map(|spec| spec.copies).sum::<u32>() > MOST_INSTANCES {
            return Err(Failure::usage(anyhow!("more than {MOST_INSTANCES} instances are wanted")));
        }
        specs.iter().map(|spec| self.wish(spec)).collect()
    }

    fn wish(&self, spec: &ModelSpec) -> Result<Wish, Failure> {
        Ok(Wish {
            shape: self.shape(&spec.name)?,
            dtype: spec.dtype.unwrap_or(self.dtype),
            kv: spec.kv.unwrap_or(self.kv_cache_dtype),
            tokens: spec.tokens.unwrap_or(self.max_model_len),
            copies: spec.copies,
        })
    }

    fn shape(&self, name: &str) -> Result<Shape, Failure> {
        if let Some(path) = config_path(name) {
            if self.layers.or(self.kv_heads).or(self.head_dim).is_some() {
                let problem = "--layers, --kv-heads and --head-dim are read from the config.json; leave them out";
                return Err(Failure::usage(anyhow!(problem)));
            }
            let text = read_config(&path)?;
            // vLLM loads the folder.
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let shape = from_config(&folder.display().to_string(), &text, self.params);
            return shape.with_context(|| path.display().to_string()).map_err(Failure::usage);
        }
        let shape = match (self.given(), facts::model(name)) {
            (Some(numbers), _) => Shape::new(name, numbers, Known::CommandLine),
            (None, _) if self.params.is_some() => {
                let problem = "a model by its numbers needs --params, --layers, --kv-heads and --head-dim";
                return Err(Failure::usage(anyhow!(problem)));
            }
            (None, Some(model)) => Shape::of(name, model),
            (None, None) => return Err(unknown(name)),
        };
        shape.with_context(|| name.to_owned()).map_err(Failure::usage)
    }

    fn given(&self) -> Option<Numbers> {
        Some(Numbers {
            params: self.params?,
            layers: self.layers?,
            kv_heads: self.kv_heads?,
            head_dim: self.head_dim?,
            embeddings: None,
        })
    }
}

fn unknown(name: &str) -> Failure {
    let near = nearest(name, facts::model_names()).map(|near| format!(" (nearest: {near})")).unwrap_or_default();
    Failure::usage(anyhow!(
        "no model is known as {name:?}{near}; `validate explain fact.model` lists those that are. Give the path of its \
         config.json, or --params, --layers, --kv-heads and --head-dim"
    ))
}

/// The file that a name means, where it means one: it ends in `.json`, or is a folder with a `config.json`.
fn config_path(name: &str) -> Option<PathBuf> {
    let path = Path::new(name);
    if path.extension().is_some_and(|end| end.eq_ignore_ascii_case("json")) {
        return Some(path.to_owned());
    }
    Some(path.join("config.json")).filter(|file| file.is_file())
}

/// The whole file, which may be a link: whoever runs this has named it.
fn read_config(path: &Path) -> Result<String, Failure> {
    let read = || {
        // A pipe would be waited for.
        anyhow::ensure!(path.metadata()?.is_file(), "not a regular file");
        let mut bytes = Vec::new();
        File::open(path)?.take(u64::try_from(CONFIG_LIMIT)? + 1).read_to_end(&mut bytes)?;
        anyhow::ensure!(bytes.len() <= CONFIG_LIMIT, "larger than the limit of {CONFIG_LIMIT} bytes");
        Ok(String::from_utf8(bytes)?)
    };
    read().with_context(|| format!("read {}", path.display())).map_err(Failure::usage)
}

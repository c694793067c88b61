//! A model from its Hugging Face `config.json`: untrusted input, of which the numbers are taken that memory follows from.

use serde_json::{Map, Value};

use crate::facts::Decoder;

use super::{Known, Numbers, Shape, ShapeError};

/// A `config.json` that cannot be used; names the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Not JSON.
    #[error("not JSON: {0}")]
    Json(String),
    /// JSON, but no object.
    #[error("not a JSON object with the keys of a model")]
    NotAnObject,
    /// A key is missing or holds something else.
    #[error("key `{key}`: {problem}")]
    Key {
        /// The key.
        key: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The KV cache of this kind of attention does not follow from heads.
    #[error("key `{key}`: its KV cache does not follow from KV heads, so what it needs cannot be told")]
    Attention {
        /// The key that tells so.
        key: &'static str,
    },
    /// The parameters do not follow from the keys.
    #[error("the parameters of a model of type {model_type:?} cannot be computed here ({why}): give --params")]
    Params {
        /// `model_type`.
        model_type: String,
        /// Why not.
        why: &'static str,
    },
    /// A number that no model has.
    #[error(transparent)]
    Shape(#[from] ShapeError),
}

/// Families whose parameters [`Decoder::params`] gives, with whether their projections have a bias.
const FAMILIES: [(&str, bool); 4] = [("llama", false), ("mistral", false), ("mixtral", false), ("qwen2", true)];

/// The model that a configuration describes. Its parameters are `params` where they are given, else computed from the
/// keys for the families Llama, Mistral, Mixtral and Qwen2.
///
/// # Errors
/// It is no configuration, lacks a number, or is of a kind whose memory does not follow from these numbers.
pub fn from_config(name: &str, text: &str, params: Option<u64>) -> Result<Shape, ConfigError> {
    let config: Value = serde_json::from_str(text).map_err(|error| ConfigError::Json(error.to_string()))?;
    let Value::Object(config) = config else { return Err(ConfigError::NotAnObject) };
    for key in ["kv_lora_rank", "state_size", "text_config"] {
        if config.contains_key(key) {
            return Err(ConfigError::Attention { key });
        }
    }
    let heads = number(&config, "num_attention_heads")?;
    let hidden = number(&config, "hidden_size")?;
    let vocab = optional(&config, "vocab_size")?;
    let tied = flag(&config, "tie_word_embeddings")?;
    let decoder = Decoder {
        layers: number(&config, "num_hidden_layers")?,
        hidden,
        intermediate: optional(&config, "intermediate_size")?.unwrap_or(0),
        heads,
        kv_heads: optional(&config, "num_key_value_heads")?.unwrap_or(heads),
        head_dim: optional(&config, "head_dim")?.unwrap_or(hidden / heads),
        vocab: vocab.unwrap_or(0),
        tied_embeddings: tied,
        experts: optional(&config, "num_local_experts")?.unwrap_or(0),
        qkv_bias: false,
    };
    let count = match params {
        Some(given) => given,
        None => computed(&config, decoder)?,
    };
    let copies = if tied { 1 } else { 2 };
    let embeddings = vocab.and_then(|vocab| vocab.checked_mul(hidden)?.checked_mul(copies));
    let numbers = Numbers {
        params: count,
        layers: decoder.layers,
        kv_heads: decoder.kv_heads,
        head_dim: decoder.head_dim,
        embeddings,
    };
    Ok(Shape::new(name, numbers, Known::Config { computed: params.is_none() })?)
}

fn computed(config: &Map<String, Value>, decoder: Decoder) -> Result<u64, ConfigError> {
    let model_type = match config.get("model_type") {
        Some(Value::String(text)) => text.chars().take(40).collect(),
        Some(_) | None => String::new(),
    };
    let no = |why| ConfigError::Params { model_type: model_type.clone(), why };
    let family = FAMILIES.iter().find(|(name, _)| *name == model_type);
    let &(_, qkv_bias) = family.ok_or_else(|| no("known: llama, mistral, mixtral, qwen2"))?;
    if flag(config, "attention_bias")? || flag(config, "mlp_bias")? {
        return Err(no("its projections have a bias"));
    }
    if decoder.intermediate == 0 || decoder.vocab == 0 {
        return Err(no("it lacks `intermediate_size` or `vocab_size`"));
    }
    Decoder { qkv_bias, ..decoder }.params().ok_or_else(|| no("there are too many"))
}

fn number(config: &Map<String, Value>, key: &'static str) -> Result<u64, ConfigError> {
    optional(config, key)?.ok_or_else(|| ConfigError::Key { key, problem: "missing".to_owned() })
}

/// A positive whole number; `null` is as good as nothing.
fn optional(config: &Map<String, Value>, key: &'static str) -> Result<Option<u64>, ConfigError> {
    let wrong =
        |value: &Value| ConfigError::Key { key, problem: format!("{} is not a positive whole number", shown(value)) };
    match config.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_u64().filter(|&number| number > 0).map(Some).ok_or_else(|| wrong(value)),
    }
}

fn flag(config: &Map<String, Value>, key: &'static str) -> Result<bool, ConfigError> {
    match config.get(key) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(value) => Err(ConfigError::Key { key, problem: format!("{} is neither true nor false", shown(value)) }),
    }
}

/// A value for a message: bounded, and without control characters.
fn shown(value: &Value) -> String {
    format!("{:?}", value.to_string().chars().take(40).collect::<String>())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::facts::{Model, models};

    /// A configuration as Hugging Face has it for a model of the table.
    fn config(model: &Model) -> Value {
        let model_type = match (model.experts, model.id.split('/').next()) {
            (1.., _) => "mixtral",
            (0, Some("Qwen")) => "qwen2",
            (0, Some("mistralai")) => "mistral",
            (0, _) => "llama",
        };
        let mut config = serde_json::json!({
            "architectures": ["X"], "model_type": model_type, "hidden_size": model.hidden,
            "intermediate_size": model.intermediate, "num_attention_heads": model.heads,
            "num_hidden_layers": model.layers, "num_key_value_heads": model.kv_heads, "vocab_size": model.vocab,
            "tie_word_embeddings": model.tied_embeddings, "rope_theta": 1e6, "sliding_window": null,
        });
        if model.experts > 0 {
            config["num_local_experts"] = model.experts.into();
        }
        config
    }

    #[test]
    fn the_configuration_of_every_model_gives_its_numbers_exactly() {
        for model in models() {
            let shape = from_config("m", &config(model).to_string(), None).unwrap();
            let numbers = Shape::of("m", model).unwrap();
            assert_eq!(shape.numbers(), numbers.numbers(), "{}", model.id);
            assert_eq!(shape.known(), &Known::Config { computed: true });
            let given = from_config("m", &config(model).to_string(), Some(5)).unwrap();
            assert_eq!((given.numbers().params, given.known()), (5, &Known::Config { computed: false }));
        }
    }

    #[test]
    fn heads_without_groups_are_all_kv_heads() {
        let mut config = config(&models()[0]);
        config["num_key_value_heads"] = Value::Null;
        config["head_dim"] = 96.into();
        let shape = from_config("m", &config.to_string(), None).unwrap();
        assert_eq!((shape.numbers().kv_heads, shape.numbers().head_dim), (32, 96));
    }

    #[test]
    fn what_cannot_be_used_is_refused_with_its_key() {
        let good = config(&models()[0]);
        let with = |key: &str, value: Value| {
            let mut config = good.clone();
            config[key] = value;
            config.to_string()
        };
        let nested = "[".repeat(100_000);
        for (text, part) in [
            (String::new(), "not JSON"),
            (nested, "not JSON"),
            ("[]".to_owned(), "not a JSON object"),
            ("{}".to_owned(), "`num_attention_heads`: missing"),
            (with("num_hidden_layers", Value::Null), "`num_hidden_layers`: missing"),
            (with("num_hidden_layers", (-3).into()), "`num_hidden_layers`: \"-3\" is not a positive whole number"),
            (with("num_hidden_layers", 1e300.into()), "is not a positive whole number"),
            (with("num_attention_heads", 0.into()), "`num_attention_heads`: \"0\""),
            (with("hidden_size", "\u{1b}[31m4096".into()), "`hidden_size`: "),
            (with("hidden_size", 3.into()), "width of a head: 0"),
            (with("num_hidden_layers", u64::MAX.into()), "there are too many"),
            (with("num_hidden_layers", 5000.into()), "layers: 5000 is not between 1 and 1000"),
            (with("tie_word_embeddings", "yes".into()), "`tie_word_embeddings`"),
            (with("kv_lora_rank", 512.into()), "`kv_lora_rank`: its KV cache does not follow"),
            (with("text_config", good.clone()), "`text_config`"),
            (with("model_type", "gpt_oss".into()), "type \"gpt_oss\" cannot be computed here (known: llama"),
            (with("attention_bias", true.into()), "have a bias): give --params"),
            (with("vocab_size", Value::Null), "lacks `intermediate_size` or `vocab_size`"),
        ] {
            let error = from_config("m", &text, None).unwrap_err().to_string();
            assert!(error.contains(part), "{part}: {error}");
            assert!(!error.contains('\u{1b}'), "{error:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_and_no_numbers_break_it(text in ".{0,200}", key in 0..6_usize, number in any::<u64>()) {
            let _ = from_config("m", &text, None);
            let mut config = config(&models()[9]);
            let keys = ["hidden_size", "intermediate_size", "num_attention_heads", "num_hidden_layers", "vocab_size", "num_local_experts"];
            config[keys[key]] = number.into();
            let _ = from_config("m", &config.to_string(), None);
        }
    }
}

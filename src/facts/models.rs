//! The models table: shapes of language models, from which the memory that they need follows.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::domain::Source;

use super::embedded;
use super::entry::Entry;

/// One model.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Name on Hugging Face: `meta-llama/Llama-3.1-8B`.
    pub id: String,
    /// Other checkpoints with the same configuration.
    pub also: Vec<String>,
    /// Parameters, all experts counted.
    pub params: u64,
    /// Layers.
    pub layers: u64,
    /// Width of the residual stream.
    pub hidden: u64,
    /// Width of the feed-forward part, of each expert where there are any.
    pub intermediate: u64,
    /// Query heads.
    pub heads: u64,
    /// Key and value heads.
    pub kv_heads: u64,
    /// Width of one head.
    pub head_dim: u64,
    /// Tokens in the vocabulary.
    pub vocab: u64,
    /// Whether the output head is the embedding itself.
    pub tied_embeddings: bool,
    /// Experts of a layer; 0 where there are none.
    pub experts: u64,
    /// Experts that one token uses. They all lie in memory.
    pub experts_per_token: u64,
    /// Who says so.
    pub source: Source,
}

impl Model {
    /// Bytes of KV cache that one token takes with `bytes` for each number: 2 (key and value) x layers x KV heads x width
    /// of a head. Source: facts/partitions.md section 8 [C].
    pub const fn kv_bytes_per_token(&self, bytes: u64) -> u64 {
        2 * self.layers * self.kv_heads * self.head_dim * bytes
    }

    /// Parameters of the embedding and of the output head, which quantisation leaves as they are.
    pub const fn embedding_params(&self) -> u64 {
        self.vocab * self.hidden * if self.tied_embeddings { 1 } else { 2 }
    }

    /// The model as its decoder's shape.
    pub fn decoder(&self) -> Decoder {
        Decoder {
            layers: self.layers,
            hidden: self.hidden,
            intermediate: self.intermediate,
            heads: self.heads,
            kv_heads: self.kv_heads,
            head_dim: self.head_dim,
            vocab: self.vocab,
            tied_embeddings: self.tied_embeddings,
            experts: self.experts,
            qkv_bias: self.id.starts_with("Qwen/Qwen2"),
        }
    }

    /// Last part of the name, in lower case: `llama-3.1-8b`.
    fn short(&self) -> String {
        self.id.rsplit('/').next().unwrap_or(&self.id).to_lowercase()
    }
}

/// Shape of a decoder of the Llama, Mistral, Mixtral or Qwen2 family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decoder {
    /// Layers.
    pub layers: u64,
    /// Width of the residual stream.
    pub hidden: u64,
    /// Width of the feed-forward part.
    pub intermediate: u64,
    /// Query heads.
    pub heads: u64,
    /// Key and value heads.
    pub kv_heads: u64,
    /// Width of one head.
    pub head_dim: u64,
    /// Tokens in the vocabulary.
    pub vocab: u64,
    /// Whether the output head is the embedding itself.
    pub tied_embeddings: bool,
    /// Experts of a layer; 0 where there are none.
    pub experts: u64,
    /// Whether the query, key and value projections have a bias.
    pub qkv_bias: bool,
}

impl Decoder {
    /// Parameters that such a decoder has; `None` when there are more than can be counted.
    ///
    /// Embedding and head, then for each layer: query, key, value and output projections, gate, up and down projections
    /// of each expert, the router, two norms; and the last norm. It gives the count of every model in the table exactly.
    pub fn params(&self) -> Option<u64> {
        // Each within 32 bits, so that only the last sums can grow out of 128.
        let narrow = |number: u64| u32::try_from(number).ok().map(u128::from);
        let (layers, hidden, vocab) = (narrow(self.layers)?, narrow(self.hidden)?, narrow(self.vocab)?);
        let (width, experts) = (narrow(self.head_dim)?, narrow(self.experts)?);
        let (queries, keys) = (narrow(self.heads)? * width, narrow(self.kv_heads)? * width);
        let attention = 2 * hidden * (queries + keys) + if self.qkv_bias { queries + 2 * keys } else { 0 };
        let feed = 3 * hidden * narrow(self.intermediate)? * experts.max(1) + hidden * experts;
        let embeddings = vocab * hidden * if self.tied_embeddings { 1 } else { 2 };
        let all = layers.checked_mul(attention + feed + 2 * hidden)?.checked_add(embeddings + hidden)?;
        u64::try_from(all).ok()
    }
}

/// Every model.
pub fn models() -> &'static [Model] {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        model: Vec<Model>,
    }
    static TABLE: LazyLock<File> = LazyLock::new(|| embedded::table("models.toml", include_str!("data/models.toml")));
    &TABLE.model
}

/// The model of this name, or of which this is another checkpoint, in any case.
pub fn model(name: &str) -> Option<&'static Model> {
    models().iter().find(|model| names(model).any(|known| known.eq_ignore_ascii_case(name)))
}

/// Every name that [`model`] finds.
pub fn model_names() -> impl Iterator<Item = &'static str> {
    models().iter().flat_map(names)
}

fn names(model: &Model) -> impl Iterator<Item = &str> {
    std::iter::once(model.id.as_str()).chain(model.also.iter().map(String::as_str))
}

/// Every model as an entry: `fact.model.llama-3.1-8b`.
pub(super) fn model_entries() -> impl Iterator<Item = Entry> {
    models().iter().map(|model| Entry {
        id: format!("fact.model.{}", model.short()),
        title: model.id.clone(),
        what: sentence(model),
        why: "Weights and KV cache decide on which logical device a model can be served.".into(),
        source: model.source.clone(),
        what_to_do: format!("validate partition plan --model {} --dtype bf16 --max-model-len 8192", model.id),
        see: vec!["fact.model-fit".into(), "fact.memory-formula".into()],
    })
}

fn sentence(model: &Model) -> String {
    let experts = match (model.experts, model.experts_per_token) {
        (0, _) => String::new(),
        (all, used) => format!(" {all} experts, {used} for each token; all of them lie in memory."),
    };
    let also = match model.also.as_slice() {
        [] => String::new(),
        also => format!(" The same configuration: {}.", also.join(", ")),
    };
    format!(
        "{} parameters: {} bytes of weights in 16 bits. {} layers, {} heads, {} KV heads of {}: {} bytes of KV cache for \
         each token in 16 bits.{experts}{also}",
        model.params,
        2 * model.params,
        model.layers,
        model.heads,
        model.kv_heads,
        model.head_dim,
        model.kv_bytes_per_token(2),
    )
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_parameter_count_follows_from_the_shape() {
        assert_eq!(models().len(), 18);
        for model in models() {
            assert_eq!(model.decoder().params(), Some(model.params), "{}", model.id);
            let grown = Decoder { layers: model.layers + 1, ..model.decoder() };
            assert_ne!(grown.params(), Some(model.params), "{}: another shape has another count", model.id);
        }
    }

    #[test]
    fn kv_cache_follows_the_grouped_heads_and_not_all_heads() {
        for (name, bytes) in [
            ("meta-llama/Llama-3.1-8B", 131_072),
            ("meta-llama/Llama-3.1-405B", 516_096),
            ("meta-llama/Llama-2-7b", 524_288),
            ("Qwen/Qwen2.5-7B", 57_344),
            ("mistralai/Mixtral-8x7B-v0.1", 131_072),
        ] {
            assert_eq!(model(name).unwrap().kv_bytes_per_token(2), bytes, "{name}");
        }
    }

    #[test]
    fn a_model_is_found_by_each_of_its_names_and_no_name_is_twice() {
        let mut seen = HashSet::new();
        for model in models() {
            for name in names(model) {
                assert!(seen.insert(name.to_lowercase()), "{name} twice");
                assert_eq!(super::model(&name.to_uppercase()), Some(model));
            }
            assert!(model.kv_heads <= model.heads && model.heads.is_multiple_of(model.kv_heads), "{}", model.id);
            assert_eq!(model.experts == 0, model.experts_per_token == 0, "{}", model.id);
        }
        assert_eq!(super::model("meta-llama/Llama-3.1-9B"), None);
    }

    #[test]
    fn what_cannot_be_counted_has_no_count() {
        let most = u64::from(u32::MAX);
        for each in [u64::MAX, most, most + 1] {
            let huge = Decoder {
                layers: each,
                hidden: each,
                intermediate: each,
                heads: each,
                kv_heads: each,
                head_dim: each,
                vocab: each,
                tied_embeddings: false,
                experts: each,
                qkv_bias: true,
            };
            assert_eq!(huge.params(), None);
        }
    }
}

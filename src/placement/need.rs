//! What a model needs of one device, in bytes.

use serde::Serialize;

use crate::domain::Bytes;

use super::{Dtype, KvDtype, Shape};

/// Tokens in one block of vLLM's KV cache. Source: facts/partitions.md section 8 [C].
pub const BLOCK_TOKENS: u64 = 16;

/// What activations and graphs take: the upper end of 1 to 2 GiB. Source: facts/partitions.md section 8 [L]; a model
/// with a large vocabulary and a large batch takes more.
pub const RESERVE: Bytes = Bytes(2 << 30);

/// Memory that one instance of a model needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Need {
    /// Parameters in their format.
    pub weights: Bytes,
    /// What a quantised checkpoint holds beside them.
    pub overhead: Bytes,
    /// Activations and graphs.
    pub reserve: Bytes,
    /// KV cache of one request of the longest length, in whole blocks.
    pub kv_cache: Bytes,
    /// KV cache of one token.
    pub kv_per_token: Bytes,
}

impl Need {
    /// Longest length of a request that is reckoned with, in tokens.
    pub const MOST_TOKENS: u32 = 100_000_000;

    /// What a model needs to serve one request of `tokens` tokens (at most [`Need::MOST_TOKENS`] count).
    pub fn of(shape: &Shape, dtype: Dtype, kv: KvDtype, tokens: u32) -> Self {
        let numbers = shape.numbers();
        let kv_per_token = 2 * numbers.layers * numbers.kv_heads * numbers.head_dim * kv.bytes(dtype);
        let blocks = u64::from(tokens.min(Self::MOST_TOKENS)).div_ceil(BLOCK_TOKENS);
        Self {
            weights: dtype.ideal(numbers.params),
            overhead: dtype.overhead(numbers.params, numbers.embeddings),
            reserve: RESERVE,
            kv_cache: Bytes(blocks * BLOCK_TOKENS * kv_per_token),
            kv_per_token: Bytes(kv_per_token),
        }
    }

    /// All of it.
    pub const fn total(&self) -> Bytes {
        Bytes(self.without_cache().0 + self.kv_cache.0)
    }

    /// Tokens whose KV cache a budget holds beside the rest, in whole blocks: of one request or of several.
    pub const fn tokens_in(&self, budget: Bytes) -> u64 {
        let left = budget.0.saturating_sub(self.without_cache().0);
        left / (BLOCK_TOKENS * self.kv_per_token.0) * BLOCK_TOKENS
    }

    const fn without_cache(&self) -> Bytes {
        Bytes(self.weights.0 + self.overhead.0 + self.reserve.0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Known, Numbers, Share};
    use super::*;
    use crate::facts::model;

    fn need(name: &str, dtype: Dtype, tokens: u32) -> Need {
        let shape = Shape::of(name, model(name).unwrap()).unwrap();
        Need::of(&shape, dtype, KvDtype::Auto, tokens)
    }

    #[test]
    fn llama_8b_needs_its_weights_the_reserve_and_its_grouped_cache() {
        let need = need("meta-llama/Llama-3.1-8B", Dtype::Fp16, 8192);
        assert_eq!(need.weights, Bytes(16_060_522_496));
        assert_eq!((need.overhead, need.reserve), (Bytes(0), Bytes(2 << 30)));
        assert_eq!((need.kv_per_token, need.kv_cache), (Bytes(131_072), Bytes(1 << 30)));
        assert_eq!(need.total(), Bytes(16_060_522_496 + (3 << 30)));
    }

    #[test]
    fn the_cache_is_made_of_whole_blocks() {
        for (tokens, blocks) in [(0, 0), (1, 1), (16, 1), (17, 2), (8192, 512)] {
            let need = need("Qwen/Qwen2.5-7B", Dtype::Bf16, tokens);
            assert_eq!(need.kv_cache, Bytes(blocks * 16 * 57_344), "{tokens}");
        }
    }

    #[test]
    fn the_tokens_of_a_budget_fit_into_it_and_one_block_more_does_not() {
        let need = need("meta-llama/Llama-3.1-8B", Dtype::Bf16, 8192);
        let budget = Share::DEFAULT.budget(Bytes(24 << 30));
        let tokens = need.tokens_in(budget);
        // The table of facts/partitions.md section 8 says about 45k tokens: its reserve is smaller.
        assert_eq!(tokens, 41_952);
        let without = need.total().0 - need.kv_cache.0;
        assert!(without + tokens * 131_072 <= budget.0 && without + (tokens + 16) * 131_072 > budget.0);
        assert_eq!(need.tokens_in(Bytes(0)), 0);
    }

    #[test]
    fn all_experts_lie_in_memory() {
        let mixtral = need("mistralai/Mixtral-8x7B-v0.1", Dtype::Bf16, 16);
        assert_eq!(mixtral.weights, Bytes(2 * 46_702_792_704));
    }

    #[test]
    fn the_largest_model_that_can_be_described_has_a_size() {
        let numbers =
            Numbers { params: 1_000_000_000_000_000, layers: 1000, kv_heads: 1024, head_dim: 4096, embeddings: None };
        let shape = Shape::new("huge", numbers, Known::CommandLine).unwrap();
        let need = Need::of(&shape, Dtype::Fp32, KvDtype::Auto, u32::MAX);
        assert!(need.total().0 > 1 << 60);
    }

    /// The last columns of the table in facts/partitions.md section 8, where it says yes or no outright: classes of 24, 48
    /// and 192 GiB on MI300X, with requests of 2048 tokens.
    #[test]
    fn the_published_table_of_what_fits_is_met() {
        let classes = [24_576, 49_152, 196_592].map(|mib| Share::DEFAULT.budget(Bytes(mib << 20)));
        for (name, dtype, fits) in [
            ("meta-llama/Llama-3.2-1B", Dtype::Bf16, [true, true, true]),
            ("meta-llama/Llama-3.1-8B", Dtype::Bf16, [true, true, true]),
            ("meta-llama/Llama-3.1-70B", Dtype::Bf16, [false, false, true]),
            ("meta-llama/Llama-3.1-70B", Dtype::Int4, [false, true, true]),
            ("meta-llama/Llama-3.1-405B", Dtype::Bf16, [false, false, false]),
            ("meta-llama/Llama-3.1-405B", Dtype::Int4, [false, false, false]),
            ("mistralai/Mixtral-8x7B-v0.1", Dtype::Bf16, [false, false, true]),
            ("mistralai/Mixtral-8x7B-v0.1", Dtype::Int8, [false, false, true]),
            ("mistralai/Mixtral-8x7B-v0.1", Dtype::Int4, [false, true, true]),
            ("mistralai/Mixtral-8x22B-v0.1", Dtype::Bf16, [false, false, false]),
            ("mistralai/Mixtral-8x22B-v0.1", Dtype::Int8, [false, false, true]),
            ("Qwen/Qwen2.5-7B", Dtype::Bf16, [true, true, true]),
            ("Qwen/Qwen2.5-14B", Dtype::Bf16, [false, true, true]),
            ("Qwen/Qwen2.5-14B", Dtype::Int8, [true, true, true]),
            ("Qwen/Qwen2.5-32B", Dtype::Bf16, [false, false, true]),
            ("Qwen/Qwen2.5-32B", Dtype::Int8, [false, true, true]),
            ("Qwen/Qwen2.5-32B", Dtype::Int4, [true, true, true]),
            ("Qwen/Qwen2.5-72B", Dtype::Bf16, [false, false, true]),
            ("Qwen/Qwen2.5-72B", Dtype::Int4, [false, true, true]),
        ] {
            let need = need(name, dtype, 2048).total();
            assert_eq!(classes.map(|budget| need <= budget), fits, "{name} {dtype}: {need}");
        }
    }
}

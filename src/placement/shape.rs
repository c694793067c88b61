//! A model as far as its memory goes, built only from numbers within limits, so that no sum over them overflows.

use serde::Serialize;

use crate::facts;

/// A model's numbers as somebody gave them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbers {
    /// Parameters, all experts counted.
    pub params: u64,
    /// Layers.
    pub layers: u64,
    /// Key and value heads.
    pub kv_heads: u64,
    /// Width of one head.
    pub head_dim: u64,
    /// Parameters of embedding and output head, where the vocabulary is known.
    pub embeddings: Option<u64>,
}

/// Where a model's numbers come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "from", rename_all = "kebab-case")]
pub enum Known {
    /// The table of facts, by the model's id there.
    Facts {
        /// The id.
        id: String,
    },
    /// The command line.
    CommandLine,
    /// A `config.json`.
    Config {
        /// Whether the parameters were computed from its keys, and not given.
        computed: bool,
    },
}

/// A model: name, numbers, and where they come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    name: String,
    numbers: Numbers,
    known: Known,
}

/// A number that no model has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {found} is not between 1 and {most}")]
pub struct ShapeError {
    what: &'static str,
    found: u64,
    most: u64,
}

impl Shape {
    /// Parameters at most: far above any model, and so few that 32 bits of each still fit 64-bit sizes.
    const MOST_PARAMS: u64 = 1_000_000_000_000_000;

    /// A model from its numbers.
    ///
    /// # Errors
    /// A number is 0 or larger than any model's.
    pub fn new(name: impl Into<String>, numbers: Numbers, known: Known) -> Result<Self, ShapeError> {
        let embeddings = numbers.embeddings.unwrap_or(1);
        for (what, found, most) in [
            ("parameters", numbers.params, Self::MOST_PARAMS),
            ("layers", numbers.layers, 1000),
            ("KV heads", numbers.kv_heads, 1024),
            ("width of a head", numbers.head_dim, 4096),
            ("parameters of the embedding", embeddings, Self::MOST_PARAMS),
        ] {
            if !(1..=most).contains(&found) {
                return Err(ShapeError { what, found, most });
            }
        }
        Ok(Self { name: name.into(), numbers, known })
    }

    /// A model of the table, under the name that was asked for.
    ///
    /// # Errors
    /// The table holds a number that no model has; its tests say that it does not.
    pub fn of(name: impl Into<String>, model: &facts::Model) -> Result<Self, ShapeError> {
        let numbers = Numbers {
            params: model.params,
            layers: model.layers,
            kv_heads: model.kv_heads,
            head_dim: model.head_dim,
            embeddings: Some(model.embedding_params()),
        };
        Self::new(name, numbers, Known::Facts { id: model.id.clone() })
    }

    /// Name, as vLLM is to load it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its numbers.
    pub const fn numbers(&self) -> &Numbers {
        &self.numbers
    }

    /// Where they come from.
    pub const fn known(&self) -> &Known {
        &self.known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Numbers = Numbers { params: 1, layers: 1, kv_heads: 1, head_dim: 1, embeddings: None };

    #[test]
    fn every_model_of_the_table_is_within_the_limits() {
        for model in facts::models() {
            let shape = Shape::of(&model.id, model).unwrap();
            assert_eq!((shape.name(), shape.numbers().params), (model.id.as_str(), model.params));
        }
    }

    #[test]
    fn a_number_that_no_model_has_is_refused_by_its_name() {
        for (numbers, message) in [
            (Numbers { params: 0, ..GOOD }, "parameters: 0 is not between 1 and 1000000000000000"),
            (Numbers { layers: 1001, ..GOOD }, "layers: 1001 is not between 1 and 1000"),
            (Numbers { kv_heads: 0, ..GOOD }, "KV heads: 0 is not between 1 and 1024"),
            (Numbers { head_dim: u64::MAX, ..GOOD }, "width of a head: 18446744073709551615 is not between 1 and 4096"),
            (
                Numbers { embeddings: Some(0), ..GOOD },
                "parameters of the embedding: 0 is not between 1 and 1000000000000000",
            ),
        ] {
            assert_eq!(Shape::new("m", numbers, Known::CommandLine).unwrap_err().to_string(), message);
        }
        assert!(Shape::new("m", GOOD, Known::CommandLine).is_ok());
    }
}

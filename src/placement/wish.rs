//! What somebody wants served: a model, its format, its longest request, and how many copies.

use std::str::FromStr;

use super::{Dtype, KvDtype, Need, Shape};

/// One `--model`: `NAME[,dtype=D][,max-model-len=N][,kv-cache-dtype=K][ x COPIES]`. What it does not say holds for all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelSpec {
    /// Name of a model, or the path of a `config.json`.
    pub name: String,
    /// Format of its weights.
    pub dtype: Option<Dtype>,
    /// Format of its KV cache.
    pub kv: Option<KvDtype>,
    /// Tokens of its longest request.
    pub tokens: Option<u32>,
    /// How many instances.
    pub copies: u32,
}

/// The text names no model that can be wanted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?}: {problem}; write it as NAME, 'NAME x 4' or 'NAME,dtype=int4,max-model-len=4096 x 2'")]
pub struct ModelSpecError {
    text: String,
    problem: String,
}

impl ModelSpec {
    /// Copies of one model at most.
    pub const MOST_COPIES: u32 = 1024;

    /// Longest name, in bytes: a path.
    const LONGEST_NAME: usize = 4096;
}

impl FromStr for ModelSpec {
    type Err = ModelSpecError;

    fn from_str(text: &str) -> Result<Self, ModelSpecError> {
        let fail = |problem: String| ModelSpecError { text: text.chars().take(80).collect(), problem };
        let (rest, copies) = match text.rsplit_once(" x ") {
            Some((rest, copies)) => (rest.trim_end(), copies.trim()),
            None => (text, "1"),
        };
        let copies = copies.parse().ok().filter(|copies| (1..=Self::MOST_COPIES).contains(copies));
        let copies = copies.ok_or_else(|| fail(format!("copies are between 1 and {}", Self::MOST_COPIES)))?;
        let mut parts = rest.split(',').map(str::trim);
        let name = parts.next().unwrap_or_default().to_owned();
        // vLLM would take a name with a dash in front for an option.
        if name.is_empty()
            || name.starts_with('-')
            || name.len() > Self::LONGEST_NAME
            || name.chars().any(char::is_control)
        {
            return Err(fail("it has no usable name".to_owned()));
        }
        let mut spec = Self { name, dtype: None, kv: None, tokens: None, copies };
        for part in parts {
            let (key, value) = part.split_once('=').ok_or_else(|| fail(format!("{part:?} is not KEY=VALUE")))?;
            match key {
                "dtype" => spec.dtype = Some(value.parse().map_err(|error| fail(format!("dtype: {error}")))?),
                "kv-cache-dtype" => spec.kv = Some(value.parse().map_err(|error| fail(format!("{key}: {error}")))?),
                "max-model-len" => spec.tokens = Some(tokens(value).map_err(|error| fail(format!("{key}: {error}")))?),
                other => return Err(fail(format!("{other:?} is not dtype, max-model-len or kv-cache-dtype"))),
            }
        }
        Ok(spec)
    }
}

/// Tokens of the longest request.
///
/// # Errors
/// It is not a number that a request can have.
pub fn tokens(text: &str) -> Result<u32, String> {
    let tokens = text.parse().ok().filter(|tokens| (1..=Need::MOST_TOKENS).contains(tokens));
    tokens.ok_or_else(|| {
        format!("{:?} is not between 1 and {}", text.chars().take(40).collect::<String>(), Need::MOST_TOKENS)
    })
}

/// A model that is wanted, with all that its memory follows from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// The model.
    pub shape: Shape,
    /// Format of its weights.
    pub dtype: Dtype,
    /// Format of its KV cache.
    pub kv: KvDtype,
    /// Tokens of its longest request.
    pub tokens: u32,
    /// How many instances.
    pub copies: u32,
}

impl Wish {
    /// What one instance needs.
    pub fn need(&self) -> Need {
        Need::of(&self.shape, self.dtype, self.kv, self.tokens)
    }
}

/// Each instance of every wish, by the wish's position.
pub fn instances(wishes: &[Wish]) -> Vec<usize> {
    wishes.iter().enumerate().flat_map(|(at, wish)| (0..wish.copies).map(move |_| at)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_named_with_what_is_its_own() {
        let plain = |name: &str| ModelSpec { name: name.to_owned(), dtype: None, kv: None, tokens: None, copies: 1 };
        for (text, expected) in [
            ("Qwen/Qwen2.5-7B", plain("Qwen/Qwen2.5-7B")),
            ("Qwen/Qwen2.5-7B x 8", ModelSpec { copies: 8, ..plain("Qwen/Qwen2.5-7B") }),
            ("a x b x 2", ModelSpec { copies: 2, ..plain("a x b") }),
            (
                "m,dtype=int4,max-model-len=4096,kv-cache-dtype=fp8 x 2",
                ModelSpec {
                    dtype: Some(Dtype::Int4),
                    kv: Some(KvDtype::Fp8),
                    tokens: Some(4096),
                    copies: 2,
                    ..plain("m")
                },
            ),
            ("./my models/config.json", plain("./my models/config.json")),
        ] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_what_is_wrong_and_how_to_write_it() {
        for (text, part) in [
            ("", "no usable name"),
            (" x 3", "no usable name"),
            ("--port", "no usable name"),
            ("a\u{1b}[31m", "no usable name"),
            ("m x 0", "copies are between 1 and 1024"),
            ("m x 1025", "copies are between"),
            ("m x many", "copies are between"),
            ("m,int4", "\"int4\" is not KEY=VALUE"),
            ("m,dtype=q4", "dtype: \"q4\" is not one of fp32"),
            ("m,max-model-len=0", "max-model-len: \"0\" is not between 1 and"),
            ("m,type=fp8", "\"type\" is not dtype"),
        ] {
            let error = text.parse::<ModelSpec>().unwrap_err().to_string();
            assert!(error.contains(part) && error.contains("write it as NAME"), "{text}: {error}");
        }
    }
}

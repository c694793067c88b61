//! Errors of libtorch that tch loses. A function of tch that takes a number holds it as a `Scalar`, which is dropped before the
//! error is looked at: the drop finds the error and panics (tch 0.24, wrappers/scalar.rs). Here it becomes the error
//! again.

use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};

use tch::TchError;

/// Runs this, with such a panic as the error that it was. Another panic stays one.
///
/// # Errors
/// libtorch's.
pub fn caught<T>(run: impl FnOnce() -> Result<T, TchError>) -> Result<T, TchError> {
    let usual = take_hook();
    // What is caught was not lost, and must not look like a death in standard error.
    set_hook(Box::new(|_| {}));
    let done = catch_unwind(AssertUnwindSafe(run));
    set_hook(usual);
    done.unwrap_or_else(|payload| {
        let said = payload.downcast_ref::<String>().map(String::as_str).unwrap_or_default();
        match torch_error(said) {
            Some(text) => Err(TchError::Torch(text)),
            None => {
                anstream::eprintln!("panicked: {said}");
                std::panic::resume_unwind(payload)
            }
        }
    })
}

/// An error in libtorch's own words.
pub fn words(error: &TchError) -> String {
    if let TchError::Torch(text) = error { text.clone() } else { error.to_string() }
}

/// The text in `called … on an Err value: Torch("…")`, whose line ends and quotes are escaped.
fn torch_error(said: &str) -> Option<String> {
    let (_, rest) = said.split_once("Torch(\"")?;
    let text = rest.strip_suffix("\")")?;
    Some(text.replace("\\n", "\n").replace("\\\"", "\"").replace("\\'", "'").replace("\\\\", "\\"))
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind, Tensor};

    use super::*;

    #[test]
    fn an_error_of_a_function_that_takes_a_number_is_an_error() {
        let error = caught(|| Tensor::f_full([1_i64 << 50], 1.0, (Kind::Float, Device::Cpu))).unwrap_err();
        let text = words(&error);
        assert!(text.contains("can't allocate memory") && text.contains('\n'), "{text}");
        assert_eq!(caught(|| Tensor::f_full([2], 1.0, (Kind::Float, Device::Cpu))).unwrap().numel(), 2);
    }

    #[test]
    fn only_what_tch_panics_with_is_taken_for_an_error() {
        assert_eq!(torch_error("called `Result::unwrap()`: Torch(\"a\\nb \\\"c\\\"\")").unwrap(), "a\nb \"c\"");
        assert_eq!(torch_error("index out of bounds"), None);
    }
}

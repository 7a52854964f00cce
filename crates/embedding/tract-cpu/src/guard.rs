//! Panics of tract, which are errors to everybody else.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use nodupe_core::BoxError;
use tract_onnx::prelude::TractResult;

/// Does what may panic inside tract. It does on graphs that contradict themselves, and what it worked on is then dropped:
/// `work` must not leave anything half done that is used afterwards.
pub(crate) fn guarded<T>(work: impl FnOnce() -> TractResult<T>) -> Result<T, BoxError> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(brief(&format!("{error:#}")).into()),
        Err(payload) => Err(brief(&format!("tract panicked: {}", text(payload.as_ref()))).into()),
    }
}

fn text(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("it did not say why")
}

/// What a person reads: tract prints whole nodes into its errors, and names in a graph are as long as its author likes.
pub(crate) fn brief(text: &str) -> String {
    const MOST: usize = 400;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_that_says_what_it_said() {
        let error = guarded::<()>(|| panic!("of {}", "this kind")).unwrap_err();
        assert_eq!(error.to_string(), "tract panicked: of this kind");
    }

    #[test]
    fn long_errors_are_cut_between_characters() {
        assert_eq!(brief(&"é".repeat(1000)).chars().count(), 401);
    }
}

//! How a command ends when it does not end well.

use std::error::Error;
use std::io;
use std::process::ExitCode;

use crate::path::shown_text;
use crate::say::say;

/// Why a command could not do what it was asked for.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It failed: exit code 1.
    Failed(Box<dyn Error>),
    /// It was asked for something that makes no sense: exit code 2.
    Usage(Box<dyn Error>),
    /// Whoever read the output has seen enough: exit code 0, like any program in a pipe.
    Closed,
}

impl Failure {
    pub(crate) fn usage(error: impl Into<Box<dyn Error>>) -> Self {
        Self::Usage(error.into())
    }

    /// Says why on standard error.
    pub(crate) fn report(&self) -> ExitCode {
        let (error, code) = match self {
            Self::Failed(error) => (error, 1),
            Self::Usage(error) => (error, 2),
            Self::Closed => return ExitCode::SUCCESS,
        };
        say_error("", error.as_ref());
        ExitCode::from(code)
    }
}

/// Says an error of `whom` and what caused it, on standard error.
pub(crate) fn say_error(whom: &str, error: &dyn Error) {
    let whom = if whom.is_empty() { String::new() } else { format!("{}: ", shown_text(whom)) };
    let mut shown = error.to_string();
    say(format_args!("error: {whom}{}", lines(&shown)));
    let mut source = error.source();
    while let Some(error) = source {
        // Many errors quote their source in their own text.
        let text = error.to_string();
        if !shown.contains(&text) {
            say(format_args!("  because: {}", lines(&text)));
        }
        shown = text;
        source = error.source();
    }
}

/// A message, whose lines may hold what a file or a user has written: nothing in them moves the cursor.
fn lines(message: &str) -> String {
    message.lines().map(shown_text).collect::<Vec<_>>().join("\n")
}

impl<E: Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let error: Box<dyn Error> = Box::new(error);
        let closed = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
        let is_closed = error.downcast_ref::<io::Error>().is_some_and(closed)
            || error.downcast_ref::<serde_json::Error>().and_then(serde_json::Error::io_error_kind)
                == Some(io::ErrorKind::BrokenPipe);
        if is_closed { Self::Closed } else { Self::Failed(error) }
    }
}

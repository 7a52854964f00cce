//! What ONNX Runtime logs.

use std::sync::{Arc, Mutex, PoisonError};

use ort::logging::{LogLevel, LoggerFunction};

/// The last error that was logged: some failures are told there alone (which library of CUDA is missing, say), and what a
/// call returns says only that it failed.
static LAST_ERROR: Mutex<Option<String>> = Mutex::new(None);

/// Passes on to `tracing`. Warnings are about placement and speed, and errors come back from the call that failed: neither
/// is for who runs the program.
pub(crate) fn logger() -> LoggerFunction {
    Arc::new(|level, _, _, location, message| match level {
        LogLevel::Error | LogLevel::Fatal => {
            tracing::debug!(target: "onnxruntime", location, "{message}");
            *LAST_ERROR.lock().unwrap_or_else(PoisonError::into_inner) = Some(message.to_owned());
        }
        LogLevel::Warning | LogLevel::Info => tracing::debug!(target: "onnxruntime", location, "{message}"),
        LogLevel::Verbose => tracing::trace!(target: "onnxruntime", location, "{message}"),
    })
}

/// Takes the last error that was logged.
pub(crate) fn take_last_error() -> Option<String> {
    LAST_ERROR.lock().unwrap_or_else(PoisonError::into_inner).take()
}

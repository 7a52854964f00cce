//! Ctrl-C: the first one asks, the second one insists.

use std::process::exit;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::say::say;

static ASKED: AtomicBool = AtomicBool::new(false);

/// The exit code of a program that was interrupted: 128 and the number of SIGINT.
pub(crate) const CODE: u8 = 130;

/// Listens from now on.
pub(crate) fn listen() {
    static LISTENING: OnceLock<()> = OnceLock::new();
    LISTENING.get_or_init(|| {
        let listening = ctrlc::set_handler(|| {
            if ASKED.swap(true, Ordering::Relaxed) {
                exit(i32::from(CODE));
            }
            say(format_args!("\nstopping; what was found so far follows. Press Ctrl-C again to leave at once."));
        });
        if let Err(error) = listening {
            say(format_args!("warning: Ctrl-C will leave at once and show nothing: {error}"));
        }
    });
}

/// Whether to stop.
pub(crate) fn is_asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}

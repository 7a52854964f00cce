//! Ctrl-C: the first one asks, one that follows later insists.

use std::path::PathBuf;
use std::process::exit;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use crate::path::shown;
use crate::say::say;

static ASKED: AtomicBool = AtomicBool::new(false);

/// What is in the way of nobody but us: see [`remove_when_leaving`].
static WORK: Mutex<Option<PathBuf>> = Mutex::new(None);

/// The exit code of a program that was interrupted: 128 and the number of SIGINT.
pub(crate) const CODE: u8 = 130;

/// How soon after the first one a signal is its echo: `timeout` and some shells signal a program and then its group.
const ECHO: Duration = Duration::from_millis(300);

/// Listens from now on, and says at the first one what becomes of the work so far. What was asked of earlier work of this
/// process is over.
pub(crate) fn listen(kept: &'static str) {
    listen_and(move || say(format_args!("\nstopping; {kept}. Press Ctrl-C again to leave at once.")));
}

/// [`listen`] in a process whose parent listens as well and says what there is to say.
#[cfg(feature = "eval")]
pub(crate) fn listen_quietly() {
    listen_and(|| {});
}

fn listen_and(say_so: impl Fn() + Send + 'static) {
    static LISTENING: OnceLock<()> = OnceLock::new();
    ASKED.store(false, Ordering::Relaxed);
    LISTENING.get_or_init(|| {
        let mut first = None;
        let listening = ctrlc::set_handler(move || {
            let now = Instant::now();
            if !ASKED.swap(true, Ordering::Relaxed) {
                first = Some(now);
                say_so();
            } else if insists(first, now) {
                remove_work();
                exit(i32::from(CODE));
            }
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

/// Has a folder removed where the program leaves at once: nobody who holds it is dropped then.
#[cfg(feature = "eval")]
pub(crate) fn remove_when_leaving(folder: &std::path::Path) {
    *WORK.lock().unwrap_or_else(PoisonError::into_inner) = Some(folder.to_owned());
}

fn remove_work() {
    let Some(folder) = WORK.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
    // Other threads go on writing into it until the very end.
    for _ in 0..50 {
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => thread::sleep(Duration::from_millis(10)),
            _ => return,
        }
    }
    say(format_args!("warning: {} could not be removed", shown(&folder)));
}

/// Whether a signal is one more wish and not the echo of the first one.
fn insists(first: Option<Instant>, now: Instant) -> bool {
    first.is_none_or(|first| now.saturating_duration_since(first) > ECHO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_echo_does_not_insist_and_a_second_press_does() {
        let first = Instant::now();
        assert!(!insists(Some(first), first));
        assert!(!insists(Some(first), first + Duration::from_millis(250)));
        assert!(insists(Some(first), first + Duration::from_millis(400)));
    }

    #[test]
    fn a_scan_is_not_stopped_for_what_was_asked_of_the_one_before() {
        ASKED.store(true, Ordering::Relaxed);
        listen("nothing is lost");
        assert!(!is_asked());
    }

    #[cfg(feature = "eval")]
    #[test]
    fn the_folder_of_unfinished_work_is_removed_while_others_write_into_it() {
        let folder = tempfile::tempdir().unwrap();
        let work = folder.path().join("work");
        fs::create_dir(&work).unwrap();
        remove_when_leaving(&work);
        let file = |number: u32| work.join(number.to_string());
        thread::scope(|scope| {
            // Ends with the folder.
            scope.spawn(|| {
                let write = |file: &std::path::PathBuf| {
                    thread::sleep(Duration::from_millis(2));
                    fs::write(file, "more").is_ok()
                };
                (0..1_000).map(file).take_while(write).count()
            });
            thread::sleep(Duration::from_millis(20));
            remove_work();
        });
        assert!(!work.exists() && folder.path().exists());
        // Once is enough.
        remove_work();
    }
}

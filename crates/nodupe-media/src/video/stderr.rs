//! What ffmpeg says while it works: the times of frames, signs of life, and what is wrong.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::process::Pulse;

/// The longest part of a line that is looked at, in bytes. Files put texts of any length into messages.
const LINE: usize = 1 << 10;
/// What reports quote of a line, in characters.
const QUOTED: usize = 200;
/// Times that wait for their frames. The program waits for us after a few frames: more are no times.
const TIMES: usize = 4 << 10;

/// What was said so far; clones are of the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Said(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Times in seconds of the frames that are put out, where they are known.
    times: VecDeque<Option<f64>>,
    /// The last thing that went wrong.
    wrong: Option<String>,
    /// That the file breaks off, and where there was the last damaged piece.
    broken: Option<String>,
    corrupt: Option<String>,
    is_over: bool,
}

impl Said {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time of the next frame, for which it is waited as long as `patience`: messages and pixels come on two ways. `None` where
    /// it is not known.
    pub(crate) fn next_time(&self, patience: Duration) -> Option<f64> {
        let waits = |state: &mut State| state.times.is_empty() && !state.is_over;
        let waited = self.0.changed.wait_timeout_while(self.lock(), patience, waits);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.times.pop_front().flatten()
    }

    /// Waits until all is said, for at most `patience`.
    pub(crate) fn wait_for_end(&self, patience: Duration) {
        let state = self.lock();
        let _ = self.0.changed.wait_timeout_while(state, patience, |state| !state.is_over);
    }

    /// The last thing that went wrong.
    pub(crate) fn wrong(&self) -> Option<String> {
        let state = self.lock();
        state.broken.clone().or_else(|| state.wrong.clone()).or_else(|| state.corrupt.clone())
    }

    /// That the file breaks off, in the program's words.
    pub(crate) fn broken(&self) -> Option<String> {
        self.lock().broken.clone()
    }

    /// That a piece of the file was not whole, in the program's words.
    pub(crate) fn corrupt(&self) -> Option<String> {
        self.lock().corrupt.clone()
    }

    fn line(&self, line: &str, input: &str) {
        let mut state = self.lock();
        if let Some(time) = time(line) {
            if state.times.len() < TIMES {
                state.times.push_back(time);
            }
            self.0.changed.notify_all();
            return;
        }
        let Some((level, said, is_of_file)) = message(line, input) else { return };
        let is_any_of = |words: &[&str]| words.iter().any(|word| said.contains(word));
        if is_any_of(&["partial file", "ended prematurely"]) {
            state.broken = Some(said);
        } else if is_any_of(&["corrupt input packet"]) {
            state.corrupt = Some(said);
        } else if level == Level::Error && !is_any_of(&EMPTY_WORDS) {
            // What is said of the file as a whole repeats in general what was said before.
            if !is_of_file || state.wrong.is_none() {
                state.wrong = Some(said);
            }
        }
    }
}

/// What says no more than that something went wrong.
const EMPTY_WORDS: [&str; 4] =
    ["Conversion failed!", "Error while decoding stream", "Error splitting the input", "Error opening input file"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Warning,
    Error,
}

/// Reads all that is said. Nothing holds this up, so that nothing said here can hold up the program.
pub(crate) fn read(mut output: impl Read, input: &str, pulse: &Pulse, said: &Said) {
    let mut line = Vec::with_capacity(LINE);
    let mut buffer = vec![0; 8 << 10];
    loop {
        let read = match output.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        pulse.beat();
        for piece in buffer[..read].split_inclusive(|byte| *byte == b'\n') {
            let room = LINE.saturating_sub(line.len());
            line.extend_from_slice(&piece[..piece.len().min(room)]);
            if piece.ends_with(b"\n") {
                said.line(&String::from_utf8_lossy(&line), input);
                line.clear();
            }
        }
    }
    said.line(&String::from_utf8_lossy(&line), input);
    said.lock().is_over = true;
    said.0.changed.notify_all();
}

/// The time of a frame, as the filter `showinfo` prints it: `n:   3 pts:   7 pts_time:0.28 …`. The numbers begin anew where the
/// video changes its size.
#[allow(clippy::option_option, reason = "a frame without a time is a frame")]
fn time(line: &str) -> Option<Option<f64>> {
    let (_, rest) = line.split_once("[info] n:")?;
    let (_, time) = rest.split_once(" pts_time:")?;
    // Where it has none, that is `NOPTS`.
    Some(time.split_whitespace().next()?.parse().ok().filter(|time: &f64| time.is_finite()))
}

/// The level of a message, its text without the address of who says it (`h264: no frame!`), and whether it is of the file itself.
fn message(line: &str, input: &str) -> Option<(Level, String, bool)> {
    let (before, level, text) =
        [("[error] ", Level::Error), ("[fatal] ", Level::Error), ("[warning] ", Level::Warning)]
            .into_iter()
            .find_map(|(tag, level)| line.split_once(tag).map(|(before, text)| (before, level, text)))?;
    let who = before.trim_start_matches('[').split_once(" @ ").map(|(who, _)| who);
    let of_file = text.strip_prefix(input);
    let text = of_file.map_or(text, |rest| rest.trim_start_matches(':'));
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let said = match who {
        Some(who) => format!("{who}: {text}"),
        None => text,
    };
    let said: String = said.chars().filter(|letter| !letter.is_control()).take(QUOTED).collect();
    (!said.is_empty()).then_some((level, said, of_file.is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(lines: &str) -> Said {
        let said = Said::default();
        read(lines.as_bytes(), "file:/a b/x: [error] y.mp4", &Pulse::start(), &said);
        said
    }

    #[test]
    fn times_come_in_the_order_of_their_frames() {
        let line =
            |number, time| format!("[showinfo@frame @ 0x5] [info] n:{number:4} pts: 7 pts_time:{time:<7} pos: 1\n");
        let said = said(&[line(0, "0"), line(1, "NOPTS"), line(2, "0.08")].concat());
        let patience = Duration::from_secs(9);
        assert_eq!(said.next_time(patience), Some(0.0));
        assert_eq!(said.next_time(patience), None);
        assert_eq!(said.next_time(patience), Some(0.08));
        assert_eq!(said.next_time(patience), None, "all is said: there is nothing to wait for");
    }

    #[test]
    fn the_last_useful_message_is_kept_without_path_and_address() {
        let said = said(concat!(
            "[h264 @ 0x55a1] [error] no frame!\n",
            "[warning] deprecated pixel format\n",
            "frame=1\nprogress=continue\n",
            "[error] file:/a b/x: [error] y.mp4: Invalid data found when processing input\n",
            "[fatal] Conversion failed!\n",
        ));
        assert_eq!(said.wrong().as_deref(), Some("h264: no frame!"));
        assert_eq!((said.broken(), said.corrupt()), (None, None));
    }

    #[test]
    fn lines_without_end_take_no_memory_and_are_cut() {
        let mut line = "[x @ 0x1] [error] ".to_owned();
        line.push_str(&"a\u{7}b\r".repeat(1 << 20));
        let wrong = said(&line).wrong().unwrap();
        assert!(wrong.len() <= QUOTED && wrong.starts_with("x: ab ab"), "{wrong}");
    }
}

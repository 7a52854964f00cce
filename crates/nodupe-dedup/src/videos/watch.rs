//! Video files to frames to embeddings: each file is decoded once, for all backends.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use nodupe_core::InputSpec;
use nodupe_media::{MediaError, VideoDecoder, VideoInfo, VideoOptions};

use super::seer::Seer;
use crate::embed::EmbedFailure;
use crate::progress::{Progress, Stage};

/// Frames that go from a decoder to the backends at a time.
const CHUNK: usize = 16;
/// How often it is asked whether to stop.
const WAIT: Duration = Duration::from_millis(50);

/// What became of the videos.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    /// One outcome each, in no order; none for those that a scan was stopped before.
    pub(crate) outcomes: Vec<(u32, Result<VideoInfo, MediaError>)>,
    /// The time that the embedding backends took.
    pub(crate) busy: Duration,
}

/// What a decoder says of a video.
enum Said {
    /// Frames that follow those before: their times, and their pixels as each backend wants them.
    Frames(u32, Vec<f64>, Vec<Vec<u8>>),
    /// There are no more.
    End(u32, Result<VideoInfo, MediaError>),
}

/// Decodes the files of `videos`, which have numbers, several at once, and lets each of `seers` see their frames.
///
/// Memory does not grow with their length but by the embeddings of the frames that are told from each other.
///
/// # Errors
/// Where a backend fails, and never for the sake of a file.
pub(crate) fn watch(
    videos: &[(u32, &Path)],
    seers: &mut [Seer<'_>],
    options: &VideoOptions,
    threads: usize,
    progress: &dyn Progress,
) -> Result<Watched, EmbedFailure> {
    let specs: Vec<InputSpec> = seers.iter().map(|seer| *seer.backend().input_spec()).collect();
    let cancelled = options.cancelled.clone().unwrap_or_else(|| Arc::new(AtomicBool::new(false)));
    let workers = threads.clamp(1, 64).min(videos.len());
    // Where there are fewer files than threads, each is decoded by several.
    let threads = if options.threads > 0 { options.threads } else { threads.div_ceil(workers.max(1)) };
    let decoder = VideoDecoder::new(options.clone().with_threads(threads).with_cancelled(Arc::clone(&cancelled)));
    let next = AtomicUsize::new(0);
    let (sender, receiver) = sync_channel(2 * workers.max(1));
    thread::scope(|scope| {
        for _ in 0..workers {
            let (sender, decoder, specs, next, cancelled) = (sender.clone(), &decoder, &specs, &next, &cancelled);
            scope.spawn(move || {
                while let Some(&(video, path)) = videos.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = decode(decoder, video, path, specs, &sender);
                    if cancelled.load(Ordering::Relaxed) || sender.send(Said::End(video, outcome)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let watched = embed(&receiver, seers, &cancelled, progress);
        // Whoever waits to send, or for a decoder, goes.
        cancelled.store(true, Ordering::Relaxed);
        drop(receiver);
        watched
    })
}

/// Sends the frames of a file.
fn decode(
    decoder: &VideoDecoder,
    video: u32,
    path: &Path,
    specs: &[InputSpec],
    sender: &SyncSender<Said>,
) -> Result<VideoInfo, MediaError> {
    let mut frames = decoder.frames(path, specs)?;
    let empty = || specs.iter().map(|spec| Vec::with_capacity(CHUNK * spec.bytes())).collect::<Vec<_>>();
    let (mut times, mut pixels) = (Vec::with_capacity(CHUNK), empty());
    loop {
        let time = frames.next_into(&mut pixels)?;
        times.extend(time);
        if times.len() == CHUNK || (time.is_none() && !times.is_empty()) {
            let said = Said::Frames(video, std::mem::take(&mut times), std::mem::replace(&mut pixels, empty()));
            if sender.send(said).is_err() {
                return Err(MediaError::Cancelled { path: path.to_owned() });
            }
        }
        if time.is_none() {
            return Ok(frames.info().clone());
        }
    }
}

/// Embeds what the decoders send.
fn embed(
    said: &Receiver<Said>,
    seers: &mut [Seer<'_>],
    cancelled: &AtomicBool,
    progress: &dyn Progress,
) -> Result<Watched, EmbedFailure> {
    let mut watched = Watched::default();
    loop {
        if progress.is_cancelled() {
            cancelled.store(true, Ordering::Relaxed);
            return Ok(watched);
        }
        match said.recv_timeout(WAIT) {
            Ok(Said::Frames(video, times, pixels)) => {
                let started = Instant::now();
                for (seer, pixels) in seers.iter_mut().zip(&pixels) {
                    seer.look(video, &times, pixels)?;
                }
                watched.busy += started.elapsed();
            }
            Ok(Said::End(video, outcome)) => {
                for seer in seers.iter_mut() {
                    seer.finish(video, outcome.as_ref().ok().and_then(|info| info.duration), outcome.is_ok())?;
                }
                watched.outcomes.push((video, outcome));
                progress.advance(Stage::Watch, 1);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(watched),
        }
    }
}

//! The frames of a video, as ffmpeg decodes and scales them, in one pass and over a pipe.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::format::VideoFormat;
use super::frames::Source;
use super::limits::VideoLimits;
use super::probe::Probed;
use super::process::{Budget, Outcome, Process};
use super::sampling::{Choice, EARLY};
use super::tools::{VideoTools, input, lost};
use crate::error::Failure;

/// The demuxers that a file is given to, whatever it seems to be. None of them opens other files: playlists (`hls`, `dash`,
/// `concat`), patterns of names (`image2`) and devices are not among them.
const DEMUXERS: &str =
    "mov,matroska,avi,flv,live_flv,asf,asf_o,ogg,mpeg,mpegts,mpegvideo,m4v,h264,hevc,rm,yuv4mpegpipe,mxf,dv,ivf,nut";
/// How a frame becomes smaller, and its chroma as large as its luma.
const SCALING: &str = "area+accurate_rnd+full_chroma_int+full_chroma_inp";
/// What the time of a frame may come later than its pixels.
const LATE: Duration = Duration::from_secs(2);

/// Tells a program, before its input, what it must not do.
pub(crate) fn guard(command: &mut Command, limits: &VideoLimits) {
    // Two pictures of the largest size in the largest kind of pixel, in one piece.
    let bytes = limits.max_pixels.saturating_mul(16).clamp(64 << 20, i32::MAX as u64);
    command.args(["-max_alloc", &bytes.to_string()]);
    command.args(["-protocol_whitelist", "file", "-format_whitelist", DEMUXERS]);
}

/// What ffmpeg is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) choice: Choice,
    /// Width and height that frames are scaled to, as stored.
    pub(crate) size: (u32, u32),
    /// Threads of the decoder; 0 for as many as it likes.
    pub(crate) threads: usize,
    pub(crate) limits: &'a VideoLimits,
}

/// ffmpeg, at work on one file.
#[derive(Debug)]
pub(crate) struct Ffmpeg {
    process: Process,
    budget: Budget,
    format: VideoFormat,
    /// Bytes of a frame.
    bytes: usize,
    frames: u64,
    most: u64,
    time: f64,
}

impl Ffmpeg {
    pub(crate) fn start(
        tools: &VideoTools,
        path: &Path,
        probed: &Probed,
        wanted: Wanted<'_>,
        budget: Budget,
    ) -> Result<Self, Failure> {
        let input = input(path);
        let mut command = tools.ffmpeg();
        command.args(["-nostdin", "-nostats", "-loglevel", "level+info"]);
        // Its sign of life while no frame is chosen.
        command.args(["-progress", "pipe:2", "-stats_period", "0.5"]);
        guard(&mut command, wanted.limits);
        command.args(["-max_pixels", &decoded_pixels(wanted.limits).to_string()]);
        let threads = wanted.threads.to_string();
        command.args(["-noautorotate", "-threads", &threads, "-filter_threads", &threads]);
        if wanted.choice.only_keys {
            command.args(["-skip_frame", "nokey"]);
        }
        command.arg("-i").arg(&input).args(["-map", &format!("0:{}", probed.stream)]);
        command.args(["-map_metadata", "-1", "-map_chapters", "-1", "-vf", &filters(probed, wanted)]);
        command.args(tools.passthrough()).args(["-frames:v", &wanted.limits.frames().to_string()]);
        command.args(["-f", "rawvideo", "pipe:1"]);
        let bytes = wanted.size.0 as usize * wanted.size.1 as usize * if probed.has_alpha { 4 } else { 3 };
        Ok(Self {
            process: Process::start(&mut command, bytes, &input).map_err(|error| lost(&command, &error))?,
            budget,
            format: probed.info.format,
            bytes,
            frames: 0,
            most: wanted.limits.frames(),
            time: 0.0,
        })
    }

    /// How it ended: with all frames, or why not.
    fn end(&mut self) -> Result<(), Failure> {
        let status = self.process.finish();
        let said = self.process.said();
        let failed = |said: String| Err(Failure::Video { format: self.format, frames: self.frames, said });
        if self.frames >= self.most {
            return Ok(());
        }
        // What is taken from the air is never whole, and goes on behind the damage.
        let is_cut = (self.format != VideoFormat::MpegTs).then(|| said.corrupt()).flatten();
        match (said.broken().or(is_cut), status) {
            (Some(why), _) => failed(why),
            (None, Some(status)) if status.success() && self.frames > 0 => Ok(()),
            (None, status) => failed(said.wrong().unwrap_or_else(|| match status {
                Some(status) if !status.success() => format!("ffmpeg ended with {status}"),
                _ => "there is no frame in it".to_owned(),
            })),
        }
    }
}

impl Source for Ffmpeg {
    fn next(&mut self, pixels: &mut Vec<u8>) -> Result<Option<f64>, Failure> {
        match self.process.piece(&mut self.budget) {
            Outcome::Piece(piece) if piece.len() == self.bytes => {
                self.process.give_back(std::mem::replace(pixels, piece));
                self.frames += 1;
                if let Some(time) = self.process.said().next_time(LATE) {
                    self.time = time.max(0.0);
                }
                Ok(Some(self.time))
            }
            // A frame that is not whole comes of a program that was killed.
            Outcome::Piece(_) | Outcome::End => self.end().map(|()| None),
            Outcome::Over(failure) => Err(failure),
            Outcome::Failed(error) => Err(error.into()),
        }
    }
}

/// The most pixels that the decoder may decode to. What ffprobe says is checked; frames may be larger later on, and are a little
/// larger than they are shown, since codecs have whole blocks.
fn decoded_pixels(limits: &VideoLimits) -> u64 {
    limits.max_pixels.saturating_add(limits.max_pixels / 4).saturating_add(1 << 20).min(i32::MAX as u64)
}

/// The filters: which frames, then their size and kind of pixel, then their times.
fn filters(probed: &Probed, wanted: Wanted<'_>) -> String {
    let Choice { rate, scene, .. } = wanted.choice;
    let mut filters = String::new();
    let mut conditions = Vec::new();
    if let Some(rate) = rate {
        let stretch = |time: &str| format!("floor(({time}-start_t)*{rate}+{EARLY})");
        // Not `greater`: times may begin anew.
        conditions.push(format!("not(eq({},{}))", stretch("t"), stretch("prev_selected_t")));
    }
    if let Some(threshold) = scene {
        conditions.push(format!("gt(scene,{threshold})"));
    }
    if !conditions.is_empty() {
        filters = format!("select='isnan(prev_selected_t)+{}',", conditions.join("*"));
    }
    let (width, height) = wanted.size;
    let pixels = if probed.has_alpha { "rgba" } else { "rgb24" };
    filters + &format!("scale={width}:{height}:flags={SCALING},format={pixels},showinfo@frame=checksum=0")
}

//! What ffprobe says about a file.

use std::path::Path;

use nodupe_core::View;
use serde_json::Value;

use super::display;
use super::ffmpeg::guard;
use super::format::VideoFormat;
use super::info::VideoInfo;
use super::limits::VideoLimits;
use super::plan::squared;
use super::process::{Budget, Outcome, Process};
use super::tools::{VideoTools, input, lost};
use crate::error::Failure;
use crate::limits::{Limit, check};
use crate::orientation::turned;

/// More than ffprobe says of any file.
const MOST: usize = 4 << 20;
/// What is asked, so that no text of the file is in the answer.
const ENTRIES: &str = "format=duration,start_time:stream=index,codec_type,codec_name,width,height,sample_aspect_ratio,\
     avg_frame_rate,r_frame_rate,duration,pix_fmt:stream_disposition=attached_pic,default:stream_side_data_list";

/// A file and its video stream.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Probed {
    pub(crate) info: VideoInfo,
    /// The number of the stream in the file.
    pub(crate) stream: u64,
    /// Width and height as stored.
    pub(crate) stored: (u32, u32),
    /// Width of a pixel over its height.
    pub(crate) aspect: f64,
    pub(crate) has_alpha: bool,
    /// The time of the first packet, in seconds: broadcasts begin anywhere.
    pub(crate) start: f64,
}

/// Asks ffprobe what is in the file at `path`.
pub(crate) fn probe(
    tools: &VideoTools,
    path: &Path,
    format: VideoFormat,
    limits: &VideoLimits,
    budget: &mut Budget,
) -> Result<Probed, Failure> {
    let answer = ask(tools, path, limits, budget, &["-show_entries", ENTRIES])?.map_err(|said| match said {
        Some(said) => Failure::Video { format, frames: 0, said },
        None => Failure::Video { format, frames: 0, said: "ffprobe says nothing about it".to_owned() },
    })?;
    read(&answer, format, limits)
}

/// Until when, in seconds, there surely are frames in a file that says that it has `duration` seconds; `None` where that cannot be
/// told. One packet near the end is looked for.
pub(crate) fn reaches(
    tools: &VideoTools,
    path: &Path,
    probed: &Probed,
    duration: f64,
    limits: &VideoLimits,
    budget: &mut Budget,
) -> Result<Option<f64>, Failure> {
    let start = probed.start;
    let (stream, interval) = (probed.stream.to_string(), format!("{:.3}%+#1", start + duration * 0.9));
    let entries = ["-select_streams", &stream, "-read_intervals", &interval, "-show_entries", "packet=pts_time"];
    let answer = match ask(tools, path, limits, budget, &entries) {
        Ok(Ok(answer)) => answer,
        // Without an index it reads all that comes before, and may have to be left.
        Ok(Err(_)) | Err(Failure::Limit { limit: Limit::SilentMilliseconds, .. }) => return Ok(None),
        Err(failure) => return Err(failure),
    };
    let packets = answer["packets"].as_array().into_iter().flatten();
    Ok(packets.filter_map(|packet| number(&packet["pts_time"])).map(|time| time - start).reduce(f64::max))
}

/// The answer of ffprobe, or what it said was wrong.
fn ask(
    tools: &VideoTools,
    path: &Path,
    limits: &VideoLimits,
    budget: &mut Budget,
    entries: &[&str],
) -> Result<Result<Value, Option<String>>, Failure> {
    let mut command = tools.ffprobe();
    command.args(["-loglevel", "level+error", "-of", "json=compact=1"]).args(entries);
    guard(&mut command, limits);
    let input = input(path);
    command.arg("-i").arg(&input);
    let mut process = Process::start(&mut command, 64 << 10, &input).map_err(|error| lost(&command, &error))?;
    let mut answer = Vec::new();
    loop {
        match process.piece(budget) {
            Outcome::Piece(piece) if answer.len() + piece.len() > MOST => {
                return Ok(Err(Some("ffprobe says too much about it".to_owned())));
            }
            Outcome::Piece(piece) => {
                answer.extend_from_slice(&piece);
                process.give_back(piece);
            }
            Outcome::End => break,
            Outcome::Over(failure) => return Err(failure),
            Outcome::Failed(error) => return Err(error.into()),
        }
    }
    let is_well = process.finish().is_some_and(|status| status.success());
    match serde_json::from_slice(&answer) {
        Ok(answer) if is_well => Ok(Ok(answer)),
        _ => Ok(Err(process.said().wrong())),
    }
}

fn read(answer: &Value, format: VideoFormat, limits: &VideoLimits) -> Result<Probed, Failure> {
    let streams = answer["streams"].as_array().map_or(&[][..], Vec::as_slice);
    let of_kind = |kind: &'static str| streams.iter().filter(move |stream| stream["codec_type"] == kind);
    let has = |stream: &Value, what: &str| stream["disposition"][what] == 1;
    // The picture on the cover of a piece of music is no video.
    let videos: Vec<&Value> = of_kind("video").filter(|stream| !has(stream, "attached_pic")).collect();
    let has_sound = of_kind("audio").next().is_some();
    let Some(video) = videos.iter().find(|stream| has(stream, "default")).or(videos.first()) else {
        return Err(if has_sound {
            Failure::AudioOnly
        } else {
            Failure::Video { format, frames: 0, said: "there is no picture in it".to_owned() }
        });
    };
    let side = |name: &str| video[name].as_u64().and_then(|side| u32::try_from(side).ok()).unwrap_or_default();
    let stored = (side("width"), side("height"));
    check(Limit::Pixels, u64::from(stored.0) * u64::from(stored.1), limits.max_pixels)?;
    if stored.0 == 0 || stored.1 == 0 {
        return Err(Failure::Video { format, frames: 0, said: "it does not say its size".to_owned() });
    }
    let aspect = video["sample_aspect_ratio"].as_str().and_then(|text| ratio(text, ':')).unwrap_or(1.0);
    let mut side_data = video["side_data_list"].as_array().into_iter().flatten();
    let matrix = side_data.find_map(|data| data["displaymatrix"].as_str());
    let orientation = matrix.map_or(View::Identity, display::orientation);
    let (wide, high) = squared(stored, aspect);
    let (width, height) = turned(orientation, wide, high);
    let rate = |name: &str| video[name].as_str().and_then(|text| ratio(text, '/'));
    let duration = number(&answer["format"]["duration"]).or_else(|| number(&video["duration"]));
    Ok(Probed {
        info: VideoInfo {
            format,
            codec: video["codec_name"].as_str().unwrap_or("unknown").to_owned(),
            width,
            height,
            orientation,
            duration: duration.filter(|duration| *duration > 0.0),
            frame_rate: rate("avg_frame_rate").or_else(|| rate("r_frame_rate")),
            has_sound,
        },
        stream: video["index"].as_u64().unwrap_or_default(),
        stored,
        aspect,
        has_alpha: video["pix_fmt"].as_str().is_some_and(has_alpha),
        start: number(&answer["format"]["start_time"]).unwrap_or_default(),
    })
}

/// A number that ffprobe prints as a text.
fn number(value: &Value) -> Option<f64> {
    value.as_str()?.parse().ok().filter(|number: &f64| number.is_finite())
}

/// `16:11` or `30000/1001`, where that is above 0.
fn ratio(text: &str, sign: char) -> Option<f64> {
    let (above, below) = text.split_once(sign)?;
    let ratio = above.parse::<f64>().ok()? / below.parse::<f64>().ok()?;
    (ratio.is_finite() && ratio > 0.0).then_some(ratio)
}

/// Whether pixels of this kind can be transparent.
fn has_alpha(kind: &str) -> bool {
    ["yuva", "rgba", "bgra", "argb", "abgr", "gbrap", "ya8", "ya16", "pal8", "ayuv"]
        .iter()
        .any(|name| kind.starts_with(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probed(json: &str) -> Result<Probed, Failure> {
        read(&serde_json::from_str(json).unwrap(), VideoFormat::Mp4, &VideoLimits::default())
    }

    #[test]
    fn what_is_absent_or_nonsense_is_not_known() {
        let found = probed(
            r#"{"streams":[{"index":2,"codec_type":"video","width":720,"height":576,"sample_aspect_ratio":"0:1",
            "avg_frame_rate":"0/0","r_frame_rate":"nan/1"}],"format":{"duration":"-7"}}"#,
        )
        .unwrap();
        assert_eq!((found.info.duration, found.info.frame_rate, found.aspect), (None, None, 1.0));
        assert_eq!((found.stream, found.info.width, found.info.has_sound), (2, 720, false));
    }

    #[test]
    fn a_cover_is_no_video() {
        let cover = r#"{"codec_type":"video","width":9,"height":9,"disposition":{"attached_pic":1}}"#;
        let sound = r#"{"codec_type":"audio"}"#;
        assert!(matches!(probed(&format!(r#"{{"streams":[{cover},{sound}]}}"#)), Err(Failure::AudioOnly)));
        assert!(matches!(probed("{}"), Err(Failure::Video { frames: 0, .. })));
    }

    #[test]
    fn a_size_over_the_limit_is_refused() {
        let huge = r#"{"streams":[{"codec_type":"video","width":60000,"height":60000}]}"#;
        assert!(matches!(probed(huge), Err(Failure::Limit { limit: Limit::Pixels, value: 3_600_000_000, .. })));
    }
}

//! Which frames of a video are taken.

use super::limits::VideoLimits;

/// Which frames of a video are taken. The first one always is.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Sampling {
    /// So many frames a second: of each stretch of `1 / rate` seconds from the start the first one. Where the video shows one frame
    /// for longer than that, it is taken once. A rate that is not above 0 stands for 1.
    Rate(f64),
    /// The frames that can be decoded without others, as the encoder placed them: many times faster than any other way, and as far
    /// apart as the encoder liked, 2 to 10 seconds mostly. Of an animation all.
    KeyFrames,
    /// The frames that differ from the one before by more than `threshold`, from 0 to 1, as the filter `select` of ffmpeg
    /// computes it: 0.3 to 0.5 finds cuts.
    Scenes {
        /// The least score of a change.
        threshold: f64,
    },
}

impl Default for Sampling {
    fn default() -> Self {
        Self::Rate(1.0)
    }
}

impl Sampling {
    /// Frames a second where that is what is asked for.
    pub(crate) fn rate(self) -> Option<f64> {
        match self {
            Self::Rate(rate) if rate > 0.0 && rate.is_finite() => Some(rate),
            Self::Rate(_) => Some(1.0),
            _ => None,
        }
    }
}

/// What a frame may be early, in stretches of time: containers round their times.
pub(crate) const EARLY: f64 = 1e-3;

/// The stretch of time that a frame is in.
pub(crate) fn stretch(time: f64, rate: f64) -> f64 {
    (time * rate + EARLY).floor()
}

/// Which frames of one file are taken: those for which all that is given holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Choice {
    /// Only frames that can be decoded without others.
    pub(crate) only_keys: bool,
    /// One frame of each stretch of `1 / rate` seconds.
    pub(crate) rate: Option<f64>,
    /// The least score of a change.
    pub(crate) scene: Option<f64>,
}

impl Choice {
    /// What `sampling` means for a file of `duration` seconds, where that is sure, of which there should be `least` frames.
    pub(crate) fn new(sampling: Sampling, least: u64, duration: Option<f64>, limits: &VideoLimits) -> Self {
        /// The most frames a second for the sake of that.
        const DENSE: f64 = 4.0;
        let dense = duration.map_or(0.0, |duration| (least as f64 / duration).min(DENSE));
        let spread = duration.map(|duration| limits.frames() as f64 / duration);
        let rate = match (sampling.rate(), spread) {
            (Some(rate), Some(spread)) => Some(rate.max(dense).min(spread)),
            (Some(rate), None) => Some(rate),
            (None, spread) if sampling == Sampling::KeyFrames => spread,
            _ => None,
        };
        let scene = match sampling {
            Sampling::Scenes { threshold } if threshold.is_finite() => Some(threshold.clamp(0.0, 1.0)),
            Sampling::Scenes { .. } => Some(1.0),
            _ => None,
        };
        let is_long = duration.is_some_and(|duration| duration > limits.whole_up_to.as_secs_f64());
        Self { only_keys: is_long || sampling == Sampling::KeyFrames, rate, scene }
    }

    /// Whether fewer frames would be taken of a file that has `duration` seconds than of a short one, so that it had better be true.
    pub(crate) fn depends_on(sampling: Sampling, duration: f64, limits: &VideoLimits) -> bool {
        /// Seconds over which the frames that there may be are many enough.
        const SHORT: f64 = 600.0;
        let is_long = duration > limits.whole_up_to.as_secs_f64();
        let is_spread = sampling.rate().is_some_and(|rate| duration * rate > limits.frames() as f64);
        is_long || is_spread || sampling == Sampling::KeyFrames && duration > SHORT
    }
}

/// Chooses among frames that are decoded here, as ffmpeg does among its own.
#[derive(Debug)]
pub(crate) struct Chooser {
    choice: Choice,
    last: Option<f64>,
    before: Vec<u8>,
    change: f64,
}

impl Chooser {
    pub(crate) fn new(choice: Choice) -> Self {
        Self { choice, last: None, before: Vec::new(), change: 0.0 }
    }

    /// Whether the frame at `time` with these pixels is taken.
    pub(crate) fn takes(&mut self, time: f64, pixels: &[u8]) -> bool {
        let score = self.choice.scene.map(|threshold| (self.score(pixels), threshold));
        let is_new = score.is_none_or(|(score, threshold)| score > threshold);
        let is_next = match (self.choice.rate, self.last) {
            (Some(rate), Some(last)) => stretch(time, rate) > stretch(last, rate),
            _ => true,
        };
        let takes = self.last.is_none() || is_new && is_next;
        if takes {
            self.last = Some(time);
        }
        takes
    }

    /// How much a frame differs from the one before, more than that did from its own.
    fn score(&mut self, pixels: &[u8]) -> f64 {
        let change = if self.before.len() == pixels.len() {
            let sum: u64 = pixels.iter().zip(&self.before).map(|(one, other)| u64::from(one.abs_diff(*other))).sum();
            sum as f64 / pixels.len().max(1) as f64 / 256.0
        } else {
            0.0
        };
        self.before.clear();
        self.before.extend_from_slice(pixels);
        let before = std::mem::replace(&mut self.change, change);
        change.min((change - before).abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(sampling: Sampling, duration: Option<f64>, limits: &VideoLimits, frames: &[(f64, u8)]) -> Vec<f64> {
        let mut chooser = Chooser::new(Choice::new(sampling, 0, duration, limits));
        frames.iter().filter(|(time, grey)| chooser.takes(*time, &[*grey; 9])).map(|(time, _)| *time).collect()
    }

    #[test]
    fn a_rate_takes_the_first_frame_of_each_stretch() {
        let frames: Vec<_> = (0..500).map(|i| (f64::from(i) / 100.0, 0)).collect();
        let limits = VideoLimits::default();
        assert_eq!(taken(Sampling::Rate(1.0), None, &limits, &frames), [0.0, 1.0, 2.0, 3.0, 4.0]);
        assert_eq!(taken(Sampling::Rate(0.4), None, &limits, &frames), [0.0, 2.5]);
        assert_eq!(taken(Sampling::Rate(f64::NAN), None, &limits, &frames).len(), 5);
        let slides = [(0.0, 0), (7.2, 0), (7.9, 0), (30.0, 0)];
        assert_eq!(taken(Sampling::Rate(1.0), None, &limits, &slides), [0.0, 7.2, 30.0]);
        assert_eq!(taken(Sampling::KeyFrames, None, &limits, &slides).len(), 4);
    }

    #[test]
    fn a_long_video_has_no_more_frames_than_are_allowed() {
        let limits = VideoLimits::default().with_max_frames(100);
        let choice = Choice::new(Sampling::Rate(1.0), 0, Some(36_000.0), &limits);
        assert_eq!(choice, Choice { only_keys: true, rate: Some(100.0 / 36_000.0), scene: None });
        let choice = Choice::new(Sampling::Rate(1.0), 0, None, &limits);
        assert_eq!(choice, Choice { only_keys: false, rate: Some(1.0), scene: None });
        let rate = |least, duration| Choice::new(Sampling::Rate(1.0), least, Some(duration), &limits).rate;
        assert_eq!(
            [(30, 60.0), (30, 10.0), (30, 2.0), (300, 90.0)].map(|(least, duration)| rate(least, duration)),
            [1.0, 3.0, 4.0, 10.0 / 9.0].map(Some)
        );
        assert!(Choice::depends_on(Sampling::Rate(1.0), 101.0, &limits));
        assert!(!Choice::depends_on(Sampling::Rate(1.0), 99.0, &limits));
    }

    #[test]
    fn scenes_are_where_much_changes_at_once() {
        let frames = [(0.0, 10), (0.1, 12), (0.2, 200), (0.3, 201), (0.4, 200), (0.5, 20)];
        let sampling = Sampling::Scenes { threshold: 0.3 };
        assert_eq!(taken(sampling, None, &VideoLimits::default(), &frames), [0.0, 0.2, 0.5]);
    }
}

//! When two videos show the same: temporal alignment by votes for an offset, and lines through what agrees.
//!
//! Every two frames that look alike vote for the offset between the videos (a Hough transform of one parameter: Douze, Jégou and Schmid, *An
//! image-based approach to video copy detection with spatio-temporal post-filtering*, 2010), at several speeds. A line through those that agree,
//! fitted by least squares, says offset and speed; what lies on it in time becomes segments.

/// When the frames of a video are shown that were told from each other, and how long the video is, in seconds.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Frames {
    /// For each the first and the last time at which it was seen.
    pub(crate) times: Vec<[f64; 2]>,
    /// For each whether it looks like the one before or after it. What changes faster than it is looked at has other frames in a copy, which
    /// says nothing.
    pub(crate) is_steady: Vec<bool>,
    /// Between two times at which it was looked.
    pub(crate) period: f64,
    pub(crate) duration: f64,
}

/// A frame of one video that looks like a frame of another one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Alike {
    pub(crate) a: u32,
    pub(crate) b: u32,
    /// From 0, just alike, to 1, the same.
    pub(crate) closeness: f32,
}

/// The same time in two videos.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Aligned {
    /// Start and end in the first.
    pub(crate) a: [f64; 2],
    /// In the second.
    pub(crate) b: [f64; 2],
    /// Frames of either that say so.
    pub(crate) frames: usize,
    /// The mean closeness of frames to what each is closest to.
    pub(crate) closeness: f32,
}

/// The speeds at which the second video may play that are tried, first that of the first: films are sped up from 24 to 25 frames a second, uploads by up to a quarter.
const SPEEDS: [f64; 11] = [1.0, 1.042, 0.96, 1.1, 0.909, 1.15, 0.87, 1.2, 0.833, 1.27, 0.787];
/// What is fitted may be as fast as this, or as slow as one by this.
const FASTEST: f64 = 1.35;
/// How much more another speed has to explain to be taken rather than none.
const FOR_SPEED: f64 = 1.1;
/// By how many periods frames of one line may be off it: half of one for each video, since of each stretch of time one frame was seen.
const OFF: f64 = 1.0;
/// Seconds, a frame or two, within which anything looks the same.
const AT_ONCE: f64 = 0.06;
/// Seconds without any frame that agrees, though some should, after which a segment ends.
const GAP: f64 = 10.0;
/// The least evidence of a segment: frames, each between a half and one by how close it is.
const LEAST: f32 = 2.0;
/// The fewest frames of a segment, unless one of the videos has no more.
const FEWEST: usize = 3;
/// How close the frames of a segment have to be, in the mean.
const LEAST_CLOSE: f32 = 0.2;
/// How close frames have to be that are all that there is.
const CLOSE: f32 = 0.5;
/// The least part of the frames during a segment that agree, in either video.
const DENSITY: f64 = 0.35;
/// What is left at an end of a video beside a segment belongs to it where it is no longer than so many seconds, and than this part of the segment.
const MOMENT: f64 = 2.0;
const SHORT: f64 = 0.35;
/// No two videos have more in common than so many pieces.
const PIECES: usize = 16;

/// `t_b = speed · t_a + offset`.
#[derive(Debug, Clone, Copy)]
struct Line {
    speed: f64,
    offset: f64,
}

impl Line {
    fn to_b(self, a: f64) -> f64 {
        self.speed * a + self.offset
    }

    fn to_a(self, b: f64) -> f64 {
        (b - self.offset) / self.speed
    }

    /// The same from the other side.
    fn reversed(self) -> Self {
        Self { speed: 1.0 / self.speed, offset: -self.offset / self.speed }
    }

    /// By how much two stretches of time miss each other, as this says.
    fn off(self, a: [f64; 2], b: [f64; 2]) -> f64 {
        (b[0] - self.to_b(a[1])).max(self.to_b(a[0]) - b[1]).max(0.0)
    }
}

/// The segments in which two videos show the same, by the frames that look alike, in the order of the first video's time. `are_unlike` says of a frame
/// of either whether they have nothing to do with each other.
pub(crate) fn align(a: &Frames, b: &Frames, alike: &[Alike], are_unlike: &dyn Fn(u32, u32) -> bool) -> Vec<Aligned> {
    let mut left = alike.to_vec();
    let mut found: Vec<Aligned> = Vec::new();
    let off = OFF * a.period.max(b.period);
    while found.len() < PIECES {
        let Some(line) = line(a, b, &left, off) else { break };
        let mut agreeing: Vec<Alike> = left.iter().filter(|one| is_on(line, a, b, one, off)).copied().collect();
        agreeing.sort_unstable_by_key(|one| (one.a, one.b));
        let sides =
            [Side::new(a, b, line, are_unlike), Side::new(b, a, line.reversed(), &|of_b, of_a| are_unlike(of_a, of_b))];
        let pieces = pieces(&sides, &agreeing).into_iter().filter_map(|piece| segment(&sides, line, piece));
        let pieces: Vec<Aligned> = pieces.collect();
        if pieces.is_empty() {
            break;
        }
        // Each time of either is at one place of the other, mostly.
        let within = |range: [f64; 2], times: [f64; 2]| range[0] <= times[1] && times[0] <= range[1];
        left.retain(|one| {
            let (of_a, of_b) = (a.times[one.a as usize], b.times[one.b as usize]);
            !pieces.iter().any(|piece| within(piece.a, of_a) || within(piece.b, of_b))
        });
        found.extend(pieces);
    }
    found.sort_by(|x, y| x.a[0].total_cmp(&y.a[0]));
    found
}

fn is_on(line: Line, a: &Frames, b: &Frames, one: &Alike, off: f64) -> bool {
    line.off(a.times[one.a as usize], b.times[one.b as usize]) <= off
}

/// The line that most agree about.
fn line(a: &Frames, b: &Frames, alike: &[Alike], off: f64) -> Option<Line> {
    // By what is at the very same time: in a slow scene frames are like many.
    let explained = |line: Line| {
        let on: Vec<Alike> = alike.iter().filter(|one| is_on(line, a, b, one, 0.5 * off)).copied().collect();
        f64::from(evidence(&on, |closeness| closeness.powi(2)))
    };
    let mut best: Option<(f64, Line)> = None;
    for (place, speed) in SPEEDS.into_iter().enumerate() {
        let Some(voted) = voted(a, b, alike, speed, off) else { continue };
        let fixed = fit(a, b, alike, voted, off, true);
        let free = fit(a, b, alike, fixed, off, false);
        for (line, is_plain) in [(fixed, place == 0), (free, false)] {
            let score = explained(line) / if is_plain { 1.0 } else { FOR_SPEED };
            if best.is_none_or(|(most, _)| score > most) {
                best = Some((score, line));
            }
        }
    }
    best.map(|(_, line)| line)
}

/// The offset that most frames vote for at a speed.
fn voted(a: &Frames, b: &Frames, alike: &[Alike], speed: f64, width: f64) -> Option<Line> {
    /// A picture that stands for minutes says little of when.
    const MOST_BINS: usize = 64;
    let line = |offset: f64| Line { speed, offset };
    let mut votes = std::collections::HashMap::<i64, f32>::new();
    for one in alike {
        let (of_a, of_b) = (a.times[one.a as usize], b.times[one.b as usize]);
        let bin = |a: f64, b: f64| ((b - line(0.0).to_b(a)) / width).round() as i64;
        let (first, last) = (bin(of_a[1], of_b[0]), bin(of_a[0], of_b[1]));
        let bins = (last - first + 1).max(1);
        let vote = (0.5 + one.closeness) / (bins.min(4) as f32).sqrt();
        for bin in (first..=last).take(MOST_BINS) {
            *votes.entry(bin).or_default() += vote;
        }
        // When it comes and when it goes says more.
        for end in [0, 1].into_iter().filter(|_| bins > 3) {
            *votes.entry(bin(of_a[end], of_b[end])).or_default() += vote;
        }
    }
    let with_next = |bin: i64, votes_of: f32| votes_of + votes.get(&(bin + 1)).copied().unwrap_or_default();
    let most = votes.iter().map(|(&bin, &of)| (with_next(bin, of), bin));
    let (_, bin) = most.max_by(|x, y| x.0.total_cmp(&y.0).then(y.1.cmp(&x.1)))?;
    Some(line((bin as f64 + 0.5) * width))
}

/// The line through what is near another one, by least squares; with the same speed, where `is_fixed`.
fn fit(a: &Frames, b: &Frames, alike: &[Alike], mut line: Line, off: f64, is_fixed: bool) -> Line {
    for _ in 0..4 {
        // Of the weights, and weighted: of x, y, x², x·y.
        let mut sums = [0.0; 5];
        let (mut from, mut to) = (f64::INFINITY, f64::NEG_INFINITY);
        let near: Vec<Alike> = alike.iter().filter(|one| is_on(line, a, b, one, 1.5 * off)).copied().collect();
        for one in closest(near) {
            let (of_a, of_b) = (a.times[one.a as usize], b.times[one.b as usize]);
            // A picture that stands is at no time in particular: where the line goes through, it says nothing.
            let x = f64::midpoint(of_a[0], of_a[1]);
            let y = line.to_b(x).clamp(of_b[0], of_b[1]);
            let weight = f64::from((0.1 + one.closeness).powi(3));
            sums.iter_mut().zip([1.0, x, y, x * x, x * y]).for_each(|(sum, part)| *sum += weight * part);
            (from, to) = (from.min(x), to.max(x));
        }
        let [count, ..] = sums;
        if count <= 0.0 {
            return line;
        }
        let [_, mean_x, mean_y, square, product] = sums.map(|sum| sum / count);
        let variance = square - mean_x * mean_x;
        // Of a few seconds nobody knows how fast they go.
        if !is_fixed && to - from >= 8.0 * a.period && variance > 0.0 {
            let speed = (product - mean_x * mean_y) / variance;
            line.speed = speed.clamp(1.0 / FASTEST, FASTEST);
        }
        line.offset = mean_y - line.speed * mean_x;
    }
    line
}

/// Of each frame of either video what it is closest to: in a slow scene it is like many.
fn closest(mut alike: Vec<Alike>) -> Vec<Alike> {
    let mut closest = Vec::new();
    for frame in [(|one| one.a) as fn(&Alike) -> u32, |one| one.b] {
        alike.sort_by(|x, y| frame(x).cmp(&frame(y)).then(y.closeness.total_cmp(&x.closeness)));
        closest.extend(alike.chunk_by(|one, next| frame(one) == frame(next)).filter_map(|same| same.first().copied()));
    }
    closest
}

/// What agrees, taken apart where for long nothing does that should.
fn pieces<'a>([a, b]: &[Side<'_>; 2], agreeing: &'a [Alike]) -> Vec<&'a [Alike]> {
    let gap = |side: &Side<'_>, from: u32, to: u32| {
        let (from, to) = (from.min(to) as usize, from.max(to) as usize);
        let between = side.is_expected.get(from + 1..to).unwrap_or_default();
        let times = &side.video.times;
        times[to][0] - times[from][1] > GAP && between.iter().any(|is_expected| *is_expected)
    };
    agreeing.chunk_by(|one, next| !(gap(a, one.a, next.a) || gap(b, one.b, next.b))).collect()
}

/// One of two videos, as a line through what agrees has them.
struct Side<'a> {
    video: &'a Frames,
    /// Whether each frame, unless it agrees, says that the other video shows something else: it is nothing like what that shows then, and it should be,
    /// since it is steady or the other one was looked at at the very same time.
    is_expected: Vec<bool>,
}

impl<'a> Side<'a> {
    fn new(video: &'a Frames, other: &Frames, line: Line, are_unlike: &dyn Fn(u32, u32) -> bool) -> Self {
        let is_looked_at = |time: f64| {
            let after = other.times.partition_point(|times| times[1] < time - AT_ONCE);
            other.times.get(after).is_some_and(|times| times[0] <= time + AT_ONCE)
        };
        let is_unlike = |frame: u32, time: f64| {
            let after = other.times.partition_point(|times| times[1] < time);
            let off = |place: &usize| (other.times[*place][0] - time).max(time - other.times[*place][1]);
            let around =
                (after.saturating_sub(1)..other.times.len().min(after + 1)).min_by(|x, y| off(x).total_cmp(&off(y)));
            around.is_none_or(|then| are_unlike(frame, then as u32))
        };
        let is_expected = |(frame, (times, is_steady)): (u32, (&[f64; 2], &bool))| {
            let time = line.to_b(times[0]);
            (*is_steady || is_looked_at(time)) && is_unlike(frame, time)
        };
        Self { video, is_expected: (0..).zip(video.times.iter().zip(&video.is_steady)).map(is_expected).collect() }
    }
}

/// How many frames of either video say that, each counted by what the closest is `worth`.
fn evidence(alike: &[Alike], worth: fn(f32) -> f32) -> f32 {
    let of = |frame: fn(&Alike) -> u32| {
        let mut worths: Vec<(u32, f32)> = alike.iter().map(|one| (frame(one), worth(one.closeness))).collect();
        worths.sort_by(|x, y| x.0.cmp(&y.0).then(y.1.total_cmp(&x.1)));
        worths.dedup_by_key(|(frame, _)| *frame);
        worths.iter().map(|(_, worth)| worth).sum::<f32>()
    };
    of(|one| one.a).min(of(|one| one.b))
}

/// Frames of one video that occur.
fn distinct(alike: &[Alike], frame: fn(&Alike) -> u32) -> Vec<u32> {
    let mut frames: Vec<u32> = alike.iter().map(frame).collect();
    frames.sort_unstable();
    frames.dedup();
    frames
}

/// The segment of a piece, if that says enough.
fn segment([a, b]: &[Side<'_>; 2], line: Line, piece: &[Alike]) -> Option<Aligned> {
    let (of_a, of_b) = (distinct(piece, |one| one.a), distinct(piece, |one| one.b));
    let frames = of_a.len().min(of_b.len());
    let closest = closest(piece.to_vec());
    let closeness = closest.iter().map(|one| one.closeness).sum::<f32>() / closest.len().max(1) as f32;
    let all = a.video.times.len().min(b.video.times.len());
    let says_enough = frames >= FEWEST
        && evidence(piece, |closeness| f32::midpoint(1.0, closeness)) >= LEAST
        && closeness >= LEAST_CLOSE;
    let is_all = frames == all && all < FEWEST && closeness >= CLOSE;
    if !says_enough && !is_all {
        return None;
    }
    let [seen_a, seen_b] = [(a, &of_a), (b, &of_b)].map(|(video, frames)| reach(video, frames));
    let start = seen_b[0].max(line.to_b(seen_a[0]));
    let end = seen_b[1].min(line.to_b(seen_a[1]));
    let is_dense = |side: &Side<'_>, frames: &[u32], range: [f64; 2]| {
        let during =
            (0..).zip(side.video.times.iter().zip(&side.is_expected)).filter(|(number, (times, is_steady))| {
                times[0] < range[1] && range[0] <= times[1] && (**is_steady || frames.binary_search(number).is_ok())
            });
        frames.len() as f64 >= DENSITY * during.count() as f64
    };
    let (in_a, in_b) = ([line.to_a(start), line.to_a(end)], [start, end]);
    let is_one = end > start && is_dense(a, &of_a, in_a) && is_dense(b, &of_b, in_b);
    is_one.then_some(Aligned { a: in_a, b: in_b, frames, closeness })
}

/// From when to when a video may show what some of its frames do: as far as no other frame is seen that should and does not, and no farther than it is
/// sure.
fn reach(Side { video, is_expected }: &Side<'_>, frames: &[u32]) -> [f64; 2] {
    let first = frames.first().map_or(0, |first| *first as usize);
    let last = frames.last().map_or(0, |last| *last as usize);
    let (from, to) = (video.times[first][0], video.times[last][1]);
    let sure = to - from + video.period;
    let before = (0..first).rev().find(|frame| is_expected[*frame]);
    let after = (last + 1..video.times.len()).find(|frame| is_expected[*frame]);
    // What changes does so between two times at which it was looked.
    let start = before.map_or(0.0, |before| (video.times[before][1] + video.period / 2.0).min(from));
    let end = after.map_or(video.duration, |after| video.times[after][0]);
    // A video seldom ends with a moment of something else.
    let moment = MOMENT.min(SHORT * sure);
    let start = if start <= moment { 0.0 } else { start };
    let end = if video.duration - end <= moment { video.duration } else { end };
    [start.max(from - sure), end.min(to + sure).max(to)]
}

#[cfg(test)]
mod tests;

//! What a scan found.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use nodupe_core::{Undescribable, View};
use nodupe_media::{Costs, ImageInfo, MediaError, VideoInfo};

use crate::audit::Audit;
use crate::calibration::Calibration;
use crate::cascade::Watching;
use crate::keep::Keep;
use crate::keypoints::{Enough, KeypointMatch};
use crate::videos::VideoMatch;

/// What a scan found: groups of duplicates, and what became of the files that are in none because they could not be read
/// or described.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Report {
    /// The groups, disjoint, ordered by their first file.
    pub groups: Vec<Group>,
    /// Every file that is in no group because it could not be read or described, with its reason, by path.
    pub skipped: Vec<Skipped>,
    /// Every two videos that have something in common, duplicates or not, by their paths. Of videos of the same bytes the first.
    pub videos: Vec<VideoPair>,
    /// Images that are frames of videos, by their paths. Neither could go for the sake of the other, so that they are in no group together.
    pub stills: Vec<Still>,
    /// What looked at the images, in its order.
    pub tiers: Vec<TierReport>,
    /// How many, how long.
    pub stats: Stats,
    /// Whether the scan was stopped before it had looked at every file and pair. The groups are right for what it had seen.
    pub interrupted: bool,
}

/// What one tier of the cascade did.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct TierReport {
    /// The embedding backend.
    pub backend: &'static str,
    /// The similarity from which on two images were called near duplicates, or where that was [calibrated](Self::calibration), most
    /// were; of keypoints, two rows.
    pub threshold: f32,
    /// Where the threshold was read from the collection: how. Otherwise it was given, or is the backend's own.
    pub calibration: Option<Calibration>,
    /// Where rows describe keypoints: how many of them two images have to share, as the strangers of the collection told.
    pub enough: Option<Enough>,
    /// Images that it was asked about: those that the tiers before had left open.
    pub images: usize,
    /// Of those, the ones that it could describe.
    pub embedded: usize,
    /// Pairs of images that it found near each other.
    pub pairs: usize,
    /// Images that it found so near to another one that no further tier was asked about them.
    pub settled: usize,
    /// Queries whose neighbours were cut by a limit. Average and complete link score the pairs that are missing when they
    /// compare clusters; star and components do without.
    pub truncated: usize,
    /// How much the index was found to find; `None` where it is exact, or none was needed.
    pub audit: Option<Audit>,
    /// Videos that it could describe.
    pub videos: usize,
    /// Frames of these that it told from the ones before.
    pub frames: usize,
    /// Pairs of videos in which it found something in common.
    pub video_pairs: usize,
    /// Decoding and embedding images, side by side.
    pub embed: Duration,
    /// Where the decoders' time went meanwhile, added up over their threads.
    pub decoders: Costs,
    /// Of [`embed`](Self::embed), the time that the embedding backend took; what is left is waiting for decoders.
    pub embed_busy: Duration,
    /// Finding pairs.
    pub search: Duration,
    /// Of that, filling and building the index.
    pub index: Duration,
}

/// Files that show the same.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Group {
    /// Whether they are exact copies.
    pub kind: GroupKind,
    /// What names it from run to run: 16 hexadecimal digits, the beginning of the BLAKE3 digest of its first file's path.
    pub id: String,
    /// The least similarity of its links.
    pub min_similarity: f32,
    /// The link that is least sure, by its place in [`links`](Self::links); `None` where all are exact.
    pub weakest: Option<usize>,
    /// The files, at least two, in the order of the walk.
    pub files: Vec<Member>,
    /// The strongest links that hold the group together: one fewer than there are files, and every file has at least one.
    pub links: Vec<Link>,
    /// Which file to keep, by the rules of the scan.
    pub keep: Keep,
}

impl Group {
    /// The file to keep.
    pub fn kept(&self) -> Option<&Member> {
        self.files.get(self.keep.file)
    }

    /// The files that could go: all others, in their order.
    pub fn duplicates(&self) -> impl Iterator<Item = &Member> {
        self.files.iter().enumerate().filter(|(place, _)| *place != self.keep.file).map(|(_, file)| file)
    }
}

/// What kind of duplicates a group holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GroupKind {
    /// Every link is exact: the same bytes or the same pixels.
    Exact,
    /// At least one link is by embeddings.
    Near,
}

impl GroupKind {
    /// The name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Near => "near",
        }
    }
}

/// A file of a group.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Member {
    /// Where it is.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// What is known of it.
    pub media: MediaInfo,
}

/// What is known of a file besides its pixels.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum MediaInfo {
    /// It is an image.
    Image(ImageInfo),
    /// It is a video.
    Video(VideoInfo),
}

impl MediaInfo {
    /// Width and height in pixels, as shown.
    pub const fn size(&self) -> (u32, u32) {
        match self {
            Self::Image(image) => (image.width, image.height),
            Self::Video(video) => (video.width, video.height),
        }
    }

    /// The name of its format.
    pub const fn format(&self) -> &'static str {
        match self {
            Self::Image(image) => image.format.name(),
            Self::Video(video) => video.format.name(),
        }
    }

    /// Of a video, its duration in seconds, as far as the file says it.
    pub const fn duration(&self) -> Option<f64> {
        match self {
            Self::Image(_) => None,
            Self::Video(video) => video.duration,
        }
    }
}

/// Two videos that have something in common.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct VideoPair {
    /// One of them.
    pub a: PathBuf,
    /// The other one, which comes later in the walk.
    pub b: PathBuf,
    /// The embedding backend that found most.
    pub backend: &'static str,
    /// What they have in common.
    pub found: VideoMatch,
}

/// An image that is a frame of a video.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Still {
    /// The image.
    pub image: PathBuf,
    /// The video.
    pub video: PathBuf,
    /// When the frame is shown, in seconds from the start.
    pub time: f64,
    /// How alike they are.
    pub similarity: f32,
    /// How the image has to be seen to look like the frame.
    pub view: View,
    /// The embedding backend that found it.
    pub backend: &'static str,
}

/// Why two files of a group belong together.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Link {
    /// One file, by its place in [`Group::files`].
    pub a: usize,
    /// The other one, likewise; it comes after `a`.
    pub b: usize,
    /// How alike they are: see [`EmbeddingSpace::similarity`](nodupe_core::EmbeddingSpace::similarity); of keypoints,
    /// [`KeypointMatch::agreement`]; 1 for exact copies.
    pub similarity: f32,
    /// How sure that is, 0 to 1: 1 for exact copies, 0 where the tier that found it was only just satisfied.
    pub confidence: f32,
    /// What says so.
    pub evidence: Evidence,
}

/// Which of two images has to be seen in which way to look like the other as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seeing {
    /// That of [`Link::a`].
    First(View),
    /// That of [`Link::b`], by a view that cannot be turned round: a crop.
    Second(View),
}

/// What says that two files belong together, the strongest first.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Evidence {
    /// The same bytes: same size, same BLAKE3.
    ExactBytes,
    /// The same pixels as shown (after EXIF orientation) in files that differ.
    ExactPixels,
    /// Embeddings near each other.
    Embedding {
        /// The embedding backend.
        backend: &'static str,
        /// How one image has to be seen to look most like the other.
        seeing: Seeing,
        /// The distance in the metric of the backend's space.
        distance: f32,
    },
    /// Parts that look alike and moved as one.
    Keypoints {
        /// The embedding backend.
        backend: &'static str,
        /// What matched.
        found: KeypointMatch,
    },
    /// Videos of which frames are near each other, in the same order.
    Frames {
        /// The embedding backend.
        backend: &'static str,
        /// When.
        found: VideoMatch,
    },
}

impl Evidence {
    /// Whether this is proof that nothing differs.
    pub const fn is_exact(&self) -> bool {
        matches!(self, Self::ExactBytes | Self::ExactPixels)
    }

    /// The name in reports.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::ExactBytes => "exact-bytes",
            Self::ExactPixels => "exact-pixels",
            Self::Embedding { .. } => "embedding",
            Self::Keypoints { .. } => "keypoints",
            Self::Frames { .. } => "frames",
        }
    }
}

/// A file that was passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Skipped {
    /// Where it is.
    pub path: PathBuf,
    /// The kind of reason, one of a fixed set: `not-found`, `unsupported-format`, `decode`, `limit-exceeded`, `io`,
    /// `undescribable`, `symlink`, `symlink-loop`, `special-file`, `left-out`; of videos also `decode-video`, `audio-only`, `no-video-tools`.
    pub error: &'static str,
    /// The reason for a person.
    pub message: String,
}

impl Skipped {
    /// A file that was passed over for a reason of the kind `error`.
    pub fn new(path: PathBuf, error: &'static str, message: impl Into<String>) -> Self {
        Self { path, error, message: message.into() }
    }

    pub(crate) fn io(path: PathBuf, error: &io::Error) -> Self {
        let kind = if error.kind() == io::ErrorKind::NotFound { "not-found" } else { "io" };
        Self::new(path, kind, error.to_string())
    }

    pub(crate) fn media(path: PathBuf, error: &MediaError) -> Self {
        Self::new(path, error.kind(), error.reason())
    }

    pub(crate) fn undescribable(path: PathBuf, why: &Undescribable) -> Self {
        Self::new(path, "undescribable", why.to_string())
    }

    /// What stopped a walk below `root`.
    pub(crate) fn walk(root: &std::path::Path, error: &ignore::Error) -> Self {
        fn path_of(error: &ignore::Error) -> Option<PathBuf> {
            match error {
                ignore::Error::WithPath { path, .. } => Some(path.clone()),
                ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => path_of(err),
                ignore::Error::Loop { child, .. } => Some(child.clone()),
                _ => None,
            }
        }
        fn is_loop(error: &ignore::Error) -> bool {
            match error {
                ignore::Error::WithPath { err, .. } | ignore::Error::WithDepth { err, .. } => is_loop(err),
                ignore::Error::Loop { .. } => true,
                _ => false,
            }
        }
        let path = path_of(error).unwrap_or_else(|| root.to_owned());
        match error.io_error() {
            _ if is_loop(error) => Self::new(path, "symlink-loop", "a symbolic link to a folder that it lies in"),
            Some(error) => Self::io(path, error),
            None => Self::new(path, "io", error.to_string()),
        }
    }
}

/// How many, how long.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Regular files that the walk found.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Files that are copies of another one, byte by byte.
    pub identical: usize,
    /// Images that have the pixels of another one, in files that differ.
    pub same_pixels: usize,
    /// Files that are images: they were decoded, or one of the same bytes was.
    pub images: usize,
    /// Files that are videos: they were decoded, or one of the same bytes was.
    pub videos: usize,
    /// Images that were decoded (of identical files: one).
    pub decoded: usize,
    /// Images that at least one tier could describe.
    pub embedded: usize,
    /// Pairs of images that a tier found near each other; those that two found count once.
    pub pairs: usize,
    /// Groups.
    pub groups: usize,
    /// Files in groups that could go: all but one of each.
    pub duplicates: usize,
    /// Their bytes: of all files of groups but those to [keep](Group::keep).
    pub duplicate_bytes: u64,
    /// Time of each stage, in its order.
    pub timings: Timings,
}

/// Wall time of each stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Timings {
    /// Finding the files.
    pub walk: Duration,
    /// Comparing files of the same size, and the pixels of images that look the same.
    pub identical: Duration,
    /// Decoding and embedding, side by side, of all tiers.
    pub embed: Duration,
    /// Where the decoders' time went meanwhile, added up over their threads.
    pub decoders: Costs,
    /// Of [`embed`](Self::embed), the time that the embedding backends took; what is left is waiting for decoders.
    pub embed_busy: Duration,
    /// Decoding and embedding videos, side by side.
    pub watch: Duration,
    /// Of that, the time that the embedding backends took.
    pub watch_busy: Duration,
    /// Building indexes, auditing them and finding pairs.
    pub search: Duration,
    /// Of that, filling and building the index.
    pub index: Duration,
    /// Clustering, collecting the evidence.
    pub group: Duration,
    /// Everything.
    pub total: Duration,
}

impl Timings {
    /// What the tiers and the videos took.
    pub(crate) fn add(&mut self, tiers: &[TierReport], watching: &Watching) {
        for tier in tiers {
            self.embed += tier.embed;
            self.embed_busy += tier.embed_busy;
            self.search += tier.search;
            self.index += tier.index;
            self.decoders += tier.decoders;
        }
        self.watch = watching.watch;
        self.watch_busy = watching.busy;
        self.search += watching.search;
    }
}

#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod audit;
mod build;
mod calibration;
mod cascade;
mod collection;
mod disjoint;
mod embed;
mod groups;
mod identical;
mod keep;
mod keypoints;
mod linkage;
mod pairs;
mod progress;
mod report;
mod scan;
mod search;
mod tier;
mod tier_options;
mod videos;
mod walk;

pub use audit::Audit;
pub use build::{Built, build};
pub use calibration::Calibration;
pub use keep::{Keep, KeepRule, KeepRules, KeepValue, Lost, UnknownKeepRule};
pub use keypoints::{Enough, KeypointMatch};
pub use linkage::{Linkage, NearPair, UnknownLinkage, cluster};
pub use progress::{Progress, Silent, Stage};
pub use report::{
    Evidence, Group, GroupKind, Link, MediaInfo, Member, Report, Seeing, Skipped, Stats, Still, TierReport, Timings,
    VideoPair,
};
pub use scan::{MakeIndex, MediaKinds, Scan, ScanError};
pub use tier_options::TierOptions;
pub use videos::{Relation, Segment, VideoMatch};
pub use walk::{File, WalkOptions, walk};

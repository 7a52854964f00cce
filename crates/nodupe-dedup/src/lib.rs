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
mod walk;

pub use audit::Audit;
pub use build::{Built, build};
pub use calibration::Calibration;
pub use keep::{Keep, KeepRule, KeepRules, KeepValue, Lost, UnknownKeepRule};
pub use keypoints::{Enough, KeypointMatch};
pub use linkage::{Linkage, NearPair, UnknownLinkage, cluster};
pub use progress::{Progress, Silent, Stage};
pub use report::{Evidence, Group, GroupKind, Link, Member, Report, Seeing, Skipped, Stats, TierReport, Timings};
pub use scan::{MakeIndex, Scan, ScanError, TierOptions};
pub use walk::{File, WalkOptions, walk};

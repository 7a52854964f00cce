#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod audit;
mod build;
mod collection;
mod disjoint;
mod embed;
mod groups;
mod identical;
mod linkage;
mod pairs;
mod progress;
mod report;
mod scan;
mod walk;

pub use audit::Audit;
pub use build::{Built, build};
pub use linkage::{Linkage, NearPair, UnknownLinkage, cluster};
pub use progress::{Progress, Silent, Stage};
pub use report::{Evidence, Group, GroupKind, Link, Member, Report, Skipped, Stats, Timings};
pub use scan::{MakeIndex, Scan, ScanError};
pub use walk::{File, WalkOptions, walk};

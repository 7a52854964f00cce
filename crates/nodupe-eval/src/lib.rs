#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod colour;
mod drawing;
mod error;
mod generate;
mod groups;
mod labels;
pub mod memory;
mod page;
mod picture;
mod plot;
mod random;
mod ranking;
mod report;
mod search;
mod table;
mod transforms;

pub use error::EvalError;
pub use generate::{Made, Recipe, generate};
pub use groups::{GroupScore, Share, read_groups};
pub use labels::{LabelledFile, Labels};
pub use page::page;
pub use ranking::{Curve, Point, Ranking, Similarities};
pub use report::{
    AtPrecision, Cost, Evaluation, Failed, GroupsSummary, Measured, PRECISIONS, RankingSummary, ResultSummary,
    RunSummary, STRICT, SetSummary, Summary, TransformSummary,
};
pub use search::{NEIGHBORS, SAMPLE, STRANGERS, Vectors, rank};
pub use transforms::{TransformSet, UnknownSet};

#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
// A backend that is enabled and not linked below would not register itself: that is an error here, not a surprise later.
#![cfg_attr(not(test), deny(unused_crate_dependencies))]

// Linking a backend is registering it.
#[cfg(feature = "annoy")]
use nodupe_annoy as _;
#[cfg(feature = "bruteforce")]
use nodupe_bruteforce as _;
#[cfg(feature = "candle")]
use nodupe_candle as _;
#[cfg(any(feature = "faiss", feature = "faiss-system"))]
use nodupe_faiss as _;
#[cfg(feature = "histogram")]
use nodupe_histogram as _;
#[cfg(feature = "hnsw")]
use nodupe_hnsw as _;
#[cfg(feature = "keypoints")]
use nodupe_keypoints as _;
#[cfg(feature = "ort")]
use nodupe_ort as _;
#[cfg(feature = "cuda")]
use nodupe_ort_cuda as _;
#[cfg(feature = "perceptual")]
use nodupe_perceptual as _;
#[cfg(feature = "tract")]
use nodupe_tract_cpu as _;

#[cfg(feature = "dedup")]
mod choice;
#[cfg(feature = "media")]
mod compute;
#[cfg(feature = "dedup")]
mod effort;
#[cfg(feature = "dedup")]
mod indexer;
#[cfg(feature = "dedup")]
mod scanner;

#[cfg(feature = "media")]
pub use compute::{ComputeError, compute_embedding, compute_embeddings};
#[cfg(feature = "dedup")]
pub use effort::{Effort, UnknownEffort};
#[cfg(feature = "dedup")]
pub use indexer::{Answer, Converted, Indexed, Indexer, IndexerError, Match, Removed, Searcher, Wanted};
pub use nodupe_core as core;
pub use nodupe_core::{
    BackendInfo, EmbeddingBackend, EmbeddingSpace, Embeddings, EmbeddingsRef, ImageBatch, IndexSpec, InputSpec, ItemId,
    Metric, Neighbors, Options, Registry, SimilarityBackend, Unavailable, View,
};
#[cfg(feature = "dedup")]
pub use nodupe_dedup as dedup;
#[cfg(feature = "eval")]
pub use nodupe_eval as eval;
pub use nodupe_index as index;
#[cfg(feature = "media")]
pub use nodupe_media as media;
#[cfg(feature = "models")]
pub use nodupe_models as models;
pub use nodupe_select as select;
pub use nodupe_select::{Preference, Selector, backends, choose_backend, default_backend_name, factory, make_index};
#[cfg(feature = "eval")]
pub use scanner::{Calibrated, EvaluateError};
#[cfg(feature = "dedup")]
pub use scanner::{Scanned, Scanner, ScannerError, scan};

//! `nodupe index info` and `verify`

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use indicatif::{HumanBytes, HumanCount};
use nodupe::core::Storage;
use nodupe::index::{Index, Manifest, read_manifest};
use nodupe::{Options, Registry};
use serde::Serialize;

use super::args::{InfoArgs, VerifyArgs};
use super::bundle;
use crate::failure::Failure;
use crate::json;
use crate::path::{JsonPath, shown, shown_text};
use crate::text::count;

/// How many vectors an audit searches for, and how many neighbours of each.
const AUDIT: (usize, usize) = (500, 10);

pub(crate) fn info(args: &InfoArgs) -> Result<ExitCode, Failure> {
    let manifest = read_manifest(&args.index).map_err(bundle)?;
    let bytes = bytes_of(&args.index, &manifest);
    let is_linked = Registry::linked().similarities().iter().any(|entry| entry.name == manifest.backend);
    let mut out = io::stdout().lock();
    if args.json {
        let document = InfoJson {
            version: json::VERSION,
            index: JsonPath(&args.index),
            available: is_linked,
            bytes,
            manifest: &manifest,
        };
        json::print(&mut out, &document)?;
        return Ok(ExitCode::SUCCESS);
    }
    let Manifest { backend, package, space, generation, format, .. } = &manifest;
    let missing = if is_linked { "" } else { ", which this program does not have" };
    let mut line = |name: &str, value: &str| writeln!(out, "{name:<10} {}", shown_text(value));
    line("index", &shown(&args.index))?;
    line("backend", &format!("{backend} ({} {}){missing}", package.name, package.version))?;
    line("vectors", &HumanCount(manifest.count).to_string())?;
    line("space", &space.to_string())?;
    line("size", &HumanBytes(bytes).to_string())?;
    line("storage", storage(manifest.storage))?;
    line("saved", &format!("generation {generation}, format {format}"))?;
    Ok(ExitCode::SUCCESS)
}

fn storage(storage: Storage) -> &'static str {
    match storage {
        Storage::Snapshot => "snapshot: files with digests",
        Storage::Live => "live: a database that changes in place",
        Storage::Remote => "remote: on a server",
        _ => "of another kind",
    }
}

/// The bytes of the files: those of the manifest, or of a live index those that are there now.
fn bytes_of(index: &Path, manifest: &Manifest) -> u64 {
    if manifest.storage == Storage::Snapshot {
        return manifest.files.iter().map(|file| file.length).sum();
    }
    let files = fs::read_dir(index.join(manifest.folder())).into_iter().flatten().flatten();
    files.filter_map(|file| file.metadata().ok()).filter(fs::Metadata::is_file).map(|file| file.len()).sum()
}

#[derive(Serialize)]
struct InfoJson<'a> {
    version: u32,
    index: JsonPath<'a>,
    available: bool,
    bytes: u64,
    manifest: &'a Manifest,
}

pub(crate) fn verify(args: &VerifyArgs) -> Result<ExitCode, Failure> {
    // Opening compares the digests first, and needs the backend; without it they are compared all the same.
    let opened = Index::open(&args.index, &Registry::linked(), &Options::new());
    if opened.is_err() {
        nodupe::index::verify(&args.index).map_err(bundle)?;
    }
    let index = opened.map_err(bundle)?;
    let manifest = read_manifest(&args.index).map_err(bundle)?;
    let backend = index.backend();
    let (vectors, is_exact) = (backend.len()?, backend.is_exact());
    let (queries, k) = AUDIT;
    let audit = if args.audit { index.audit(queries, k)? } else { None };
    let mut out = io::stdout().lock();
    if args.json {
        let document = VerifyJson {
            version: json::VERSION,
            index: JsonPath(&args.index),
            backend: backend.info().name,
            vectors,
            exact: is_exact,
            audit: audit.map(|audit| AuditJson { queries: audit.queries, k: audit.k, recall: audit.recall }),
        };
        json::print(&mut out, &document)?;
        return Ok(ExitCode::SUCCESS);
    }
    let index = shown(&args.index);
    match manifest.storage {
        Storage::Snapshot => writeln!(out, "{index}: every file is as it was saved")?,
        _ => writeln!(out, "{index}: it has no digests, for its files change")?,
    }
    let kind = if is_exact { "exact" } else { "approximate" };
    writeln!(out, "{} opens it: {}, {kind}", backend.info().name, count(vectors, "vector", "vectors"))?;
    match audit {
        Some(audit) => {
            let queries = count(audit.queries, "image", "images");
            writeln!(out, "recall@{} is {:.4}, searched for {queries} of the index", audit.k, audit.recall)?;
        }
        None if args.audit && vectors < 2 => writeln!(out, "There is nothing to find, so there is no recall.")?,
        None if args.audit => writeln!(out, "It does not keep its vectors exactly, so its recall cannot be told.")?,
        None => {}
    }
    Ok(ExitCode::SUCCESS)
}

#[derive(Serialize)]
struct VerifyJson<'a> {
    version: u32,
    index: JsonPath<'a>,
    backend: &'static str,
    vectors: usize,
    exact: bool,
    audit: Option<AuditJson>,
}

#[derive(Serialize)]
struct AuditJson {
    queries: usize,
    k: usize,
    recall: f64,
}
